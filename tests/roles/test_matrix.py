"""Each action by each role: on the screen, on the command line, and with raw credentials of the store."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from driving import Driver, driving
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gitbridge_console.console.actions import ACTIONS, OPERATIONS, Action, action_called
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.windows import Bookmark
from gitbridge_console.operations.errors import NotFound, Refused
from gitbridge_console.operations.roles import LEAST, Role, least_role
from gitbridge_console.store.acl import acl_lines
from gitbridge_console.store.trouble import is_forbidden
from tests.cli.conftest import CommandLine
from tests.console.test_every_action import WAYS, WITH_KEYS, owner_of
from tests.roles.conftest import Guarded
from tests.roles.deeds import DEEDS, NO_DEED_YET, WORDS

ROLES = pytest.mark.parametrize("role", list(Role), ids=[role.word for role in Role])
WRITES = [action for action in WITH_KEYS if action.write]


def test_every_writing_action_and_every_operation_stands_in_the_table_and_here() -> None:
    assert {action.id for action in ACTIONS if action.write} == set(OPERATIONS)
    assert set(OPERATIONS.values()) <= set(LEAST)
    assert set(DEEDS) | NO_DEED_YET == set(LEAST)
    assert set(WORDS) == set(DEEDS)
    assert least_role("breaker reset") is Role.OPERATOR, "by its first word"
    assert least_role("something new") is Role.ADMIN, "what nobody thought of is the admin's"


# The screen


@ROLES
@pytest.mark.anyio
@pytest.mark.parametrize("action", WRITES, ids=[action.id for action in WRITES])
async def test_a_key_that_writes_does_so_or_says_which_role_it_needs(action: Action, role: Role, monkeypatch: pytest.MonkeyPatch) -> None:
    async with driving(role=role) as d:
        await d.press(*WAYS[action.scope[0]].split())
        done = noted(d, action, monkeypatch)
        await d.pilot.press(action.keys.split(",")[0])
        await d.pilot.pause()
        allowed = role >= least_role(OPERATIONS[action.id])
        assert bool(done) == allowed
        name, _, rest = action.method.partition("(")
        given = tuple(json.loads(f"[{rest.rstrip(')')}]".replace("'", '"'))) if rest else ()
        assert owner_of(d, action)[0].check_action(name.removeprefix("app."), given) is (True if allowed else None) or name.startswith(
            "app."
        )
        if not allowed:
            assert f"needs the role {least_role(OPERATIONS[action.id]).word}, yours is {role.word}" in d.bottom
            assert (d.writes, d.screen.bottom.asking) == ([], False)


def noted(d: Driver, action: Action, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the methods that run for an action."""
    owner, name = owner_of(d, action)
    done: list[str] = []
    original = getattr(type(owner), f"action_{name}")

    def note(self: Any, *given: Any) -> Any:
        done.append(name)
        return original(self, *given)

    monkeypatch.setattr(type(owner), f"action_{name}", note)
    return done


@pytest.mark.anyio
async def test_what_only_looks_is_everybodys_and_what_a_viewer_may_not_do_is_grey_and_the_header_says_who_it_is() -> None:
    async with driving(role=Role.VIEWER) as d:
        for action in ACTIONS:
            assert bool(d.app.why_not(action)) == action.write, action.id
        assert " VIEWER " in d.shown().splitlines()[0]
        assert ("P", "pause", True) in d.app.hints("pulse")
        await d.press("colon", *"pause grok", "enter")
        assert "needs the role operator" in d.bottom
        assert d.writes == []
    async with driving() as d:
        assert " ADMIN " not in d.shown().splitlines()[0], "where nobody was given a role, nobody is told one"
        assert action_called("pulse", "pause") is not None


# The command line


@ROLES
@pytest.mark.parametrize("what", sorted(WORDS))
def test_a_command_is_done_or_refused_in_one_line(
    what: str,
    role: Role,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    valkey_url: str,
    namespace: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("gitbridge_console.operations.actor.LOGIN_UID", tmp_path / "none")
    me = pwd.getpwuid(os.geteuid()).pw_name
    (tmp_path / "gitbridge.toml").write_text(f'[roles]\n{role.word} = ["{me}"]\n')
    (tmp_path / "payload.json").write_text("{}")
    cli = CommandLine(capsys, tmp_path, ["--state-dir", str(tmp_path / "state"), "--redis", valkey_url, "--namespace", namespace])
    result = cli(*WORDS[what])
    if role >= least_role(what):
        assert " needs " not in result.err
        assert result.code in (0, 1, 4), "done, or there was nothing to do it to"
    else:
        assert result.code == 3
        (line,) = result.err.splitlines()
        assert f"is {role.word} here and {what}" in line, line
        assert f"needs {least_role(what).word}" in line
        assert cli("audit", "--json").lines == [], "what is refused never began"


# Raw credentials of the store: the program's own check is out of the way here, since its settings give no roles.


async def content(client: Redis) -> dict[bytes, bytes]:
    """Everything in the store, by key."""
    names = [name async for name in client.scan_iter("*", count=1000)]
    return {name: await client.dump(name) for name in names}


@pytest.mark.anyio
@pytest.mark.parametrize("what", sorted(DEEDS))
async def test_a_viewers_credentials_do_nothing(what: str, guarded: Guarded) -> None:
    before = await content(guarded.everything)
    async with guarded.door(Role.VIEWER) as door:
        with pytest.raises(Refused, match="the store's user may not do this"):
            await DEEDS[what](door, guarded.stock)
    assert await content(guarded.everything) == before


@pytest.mark.anyio
@pytest.mark.parametrize("role", [Role.OPERATOR, Role.ADMIN], ids=["operator", "admin"])
async def test_an_operators_credentials_are_enough_for_all_operators_do(role: Role, guarded: Guarded) -> None:
    async with guarded.door(role) as door:
        for what in (
            "pause",
            "resume",
            "drain",
            "breaker",
            "prioritize",
            "decision",
            "approve",
            "replay",
            "failover",
            "cancel",
            "submit",
            "alerts",
        ):
            await DEEDS[what](door, guarded.stock)
        with pytest.raises(Refused, match="not awaiting approval"):
            await DEEDS["reject"](door, guarded.stock)
        await DEEDS["quarantine drop"](door, guarded.stock)
        assert len(await door.list_audit()) == 13
        assert (await door.verify_audit()).problem == ""


@pytest.mark.anyio
async def test_a_viewers_credentials_are_enough_for_every_view(guarded: Guarded) -> None:
    stock, before = guarded.stock, await content(guarded.everything)
    async with guarded.door(Role.VIEWER) as door:
        assert (await door.status()).lanes["claude"].depth == 2
        assert len(await door.list_events()) == 3
        assert (await door.show_event(stock.failed, payload=True)).error is not None
        assert (await door.show_decision(stock.decided)).event_id == stock.decided
        assert len(await door.list_decisions()) == 1
        assert (await door.list_jobs()) != []
        assert (await door.job_window(None, 0, 10)).total > 0
        assert (await door.job_search(None, EventFilter(), Bookmark())).total > 0
        assert (await door.event_window(("failed",), 0, 10)).total == 1
        assert (await door.event_search(("failed",), EventFilter(error="silent"), Bookmark())).rows
        assert (await door.show_quarantined(stock.quarantined)).error == "no JSON"
        assert len(await door.list_quarantine()) == 1
        assert await door.list_audit() == []
        assert (await door.verify_audit()).problem == ""
        assert [report.problem for report in await door.verify_decisions()] == [""]
        assert await door.history(900)
        assert await door.provider_story("claude")
        assert await door.preview(await door.show_event(stock.waiting)) is not None
        assert (await door.recompute([stock.decided], "majority"))[0].decided.event_id == stock.decided
        assert [line async for line in door.export_events(EventFilter(), print)]
        assert [line async for line in door.export_audit()]
        with pytest.raises(NotFound):
            await door.show_event("ff00")
    assert await content(guarded.everything) == before


RAW = (
    ("SET", "{key}", "x"),
    ("DEL", "{key}"),
    ("EXPIRE", "{key}", "1"),
    ("RENAME", "{key}", "elsewhere"),
    ("COPY", "{key}", "elsewhere"),
    ("RESTORE", "{key}", "0", "x", "REPLACE"),
    ("EVAL", "return redis.call('DEL', KEYS[1])", "1", "{key}"),
    ("EVAL", "return redis.call('DEL', ARGV[1])", "0", "{key}"),
    ("EVAL", "return redis.call('SET', ARGV[1], 'x')", "0", "{key}"),
)
WIDE = (
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "SET", "appendonly", "no"),
    ("CONFIG", "GET", "requirepass"),
    ("ACL", "SETUSER", "me", "on", "+@all"),
    ("SHUTDOWN",),
    ("KEYS", "*"),
    ("SWAPDB", "0", "1"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("SCRIPT", "FLUSH"),
    ("FUNCTION", "FLUSH"),
    ("REPLICAOF", "NO", "ONE"),
    ("MODULE", "LIST"),
    ("PUBLISH", "elsewhere", "x"),
)


async def refused(client: Redis, *words: str) -> bool:
    try:
        await client.execute_command(*words)
    except ResponseError as error:
        return is_forbidden(error)
    return False


@pytest.mark.anyio
async def test_raw_writes_with_a_viewers_credentials_are_refused_for_every_key(guarded: Guarded) -> None:
    before = await content(guarded.everything)
    assert len(before) > 20
    async with guarded.client(Role.VIEWER) as client:
        for name in [*before, b"{gitbridge:00}", b"{gitbridge:audit}:chain", b"gitbridge:events", b"elsewhere"]:
            for words in RAW:
                assert await refused(client, *(word.replace("{key}", name.decode()) for word in words)), (name, words)
        for words in WIDE:
            assert await refused(client, *words), words
    assert await content(guarded.everything) == before


@pytest.mark.anyio
async def test_an_operators_credentials_reach_neither_the_audits_past_nor_the_server_nor_another_namespace(guarded: Guarded) -> None:
    async with guarded.door(Role.OPERATOR) as door:
        await door.pause(["claude"], "matrix")
    chain = "{gitbridge:audit}:chain"
    async with guarded.client(Role.OPERATOR) as client:
        for words in (
            ("DEL", chain),
            ("XDEL", chain, "1-1"),
            ("XTRIM", chain, "MAXLEN", "0"),
            ("UNLINK", chain),
            ("EXPIRE", chain, "1"),
            ("EVAL", "return redis.call('XDEL', KEYS[1], '1-1')", "1", chain),
            ("EVAL", "return redis.call('DEL', ARGV[1])", "0", chain),
            ("SET", "{other:00}:m", "x"),
            ("GET", "{other:00}:m"),
            ("LPUSH", "gitbridge:events", "x"),
            *WIDE,
        ):
            assert await refused(client, *words), words
    async with guarded.door(Role.VIEWER) as door:
        assert (await door.verify_audit()).problem == ""
        assert [entry.what for entry in await door.list_audit()] == ["pause"]


@pytest.mark.anyio
async def test_an_operator_goes_on_where_nobody_exports_a_full_audit(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their user may not take entries out, so it grows until an engine does."""
    async with guarded.door(Role.OPERATOR) as door:
        monkeypatch.setattr(door._store.journal, "_keep", lambda: 2)
        for _ in range(4):
            await door.pause(["claude"], "matrix")
        report = await door.verify_audit()
        assert (report.entries, report.problem) == (8, "")


def test_the_shipped_files_are_what_is_made_of_the_keys() -> None:
    import gitbridge_console

    folder = Path(gitbridge_console.__file__).parent / "docs" / "acl"
    assert {path.name for path in folder.iterdir()} == {f"{role}.acl" for role in acl_lines()}
    for role, line in acl_lines().items():
        assert (folder / f"{role}.acl").read_text("ascii") == f"{line}\n", f"write it anew: gitbridge-console config acl {role}"
