"""``reconcile``: what is printed, and the exit codes a script goes by."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from wire import scripted_server

from tests.cli.conftest import CommandLine
from tests.ingress.hook_host import HOOK_URL, TOKEN, HookHost


@pytest.fixture
def host() -> Iterator[HookHost]:
    """The host in a thread of its own, for a command runs a loop of its own."""
    import time

    made: list[HookHost] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with scripted_server() as server:
            made.append(HookHost(server, now=time.time()))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    yield made[0]
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


def configure(cli: CommandLine, host: HookHost) -> None:
    (cli.folder / "gitbridge.toml").write_text(
        f'[hosts.github]\nbase_url = "{host.url}"\n[reconcile]\nrepositories = "acme/shop"\nhook_url = "{HOOK_URL}"\nspacing_s = 0\n'
    )


def test_without_anything_to_look_at_it_says_what_to_set(cli: CommandLine) -> None:
    result = cli("reconcile")
    assert result.code == 2
    assert "reconcile.repositories" in result.err


def test_look_then_apply(cli: CommandLine, host: HookHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITBRIDGE_GITHUB_TOKEN", TOKEN)
    configure(cli, host)
    attempt = host.tried("0b989ba4-242f-11e5", 900)
    looked = cli("reconcile")
    assert looked.code == 0
    assert "acme/shop hook 9: 1 attempts since" in looked.out
    assert "1 would be asked for again: reconcile --apply" in looked.out
    applied = cli("reconcile", "--apply", "--json")
    assert applied.code == 0
    assert applied.json["applied"] is True
    assert applied.json["hooks"][0]["missed"][0]["outcome"] == "asked"
    assert host.repeated == [attempt]
    assert "1 missed, 1 asked for again" in cli("status").out


def test_a_host_that_refuses_is_a_failure_in_one_line(cli: CommandLine, host: HookHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITBRIDGE_GITHUB_TOKEN", TOKEN)
    configure(cli, host)
    host.refusal = (401, {"message": "\x1b[31mBad credentials"}, {})
    result = cli("reconcile")
    assert result.code == 1
    assert "acme/shop: the host refuses the token (401)" in result.out
    assert "\x1b" not in result.out
