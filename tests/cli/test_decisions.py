"""Decisions from the command line: shown whole, edited by number, amended, tried with another strategy; what is refused, and how."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gitbridge_console.domain.decisions import Arbitration, Basis, Verification
from gitbridge_console.domain.events import EventState
from gitbridge_console.settings.model import LegacySettings, RedisSettings, Settings
from gitbridge_console.store.replies import pack
from gitbridge_console.store.store import Store, open_store
from tests.consensus.panels import decide, edit, finding, vote
from tests.operations.test_decisions import GRAVE, OTHER, decided
from tests.operations.test_edited_decisions import replaced, with_a_seat_missing

HOSTILE = "sum\x1b[2J of \u202eline"

Put = Callable[[Callable[[Store], Awaitable[str]]], str]


@pytest.fixture
def put(valkey_url: str, namespace: str, tmp_path: Path) -> Put:
    """Bring the store behind the command line into a state; gives back an event's id."""
    settings = Settings(namespace=namespace, redis=RedisSettings(url=valkey_url), legacy=LegacySettings(enabled=False))

    def do(errand: Callable[[Store], Awaitable[str]]) -> str:
        async def run() -> str:
            async with open_store(settings, tmp_path) as store:
                return await errand(store)

        return asyncio.run(run())

    return do


def number(cli, event: str, title: str) -> str:
    return next(str(c["id"]) for c in cli("decisions", "show", event, "--json").json["clusters"] if c["title"] == title)


def test_findings_are_split_joined_and_weighed_by_their_numbers(cli, put: Put) -> None:
    event = put(decided)
    split = cli("finding", event, "split", number(cli, event, GRAVE["title"]), "--note", "two places", "--json")
    assert split.code == 0
    parts = [str(c["id"]) for c in split.json["clusters"] if c["title"] == GRAVE["title"]]
    assert len(parts) == 2
    joined = cli("finding", event, "join", ",".join(parts), "--json").json
    assert [c["tier"] for c in joined["clusters"] if c["title"] == GRAVE["title"]] == ["joined"]
    low = cli("finding", event, "severity", number(cli, event, GRAVE["title"]), "low").out
    assert "[low] 2 of 3, joined" in low
    assert [row["what"] for row in cli("audit", "--json").lines] == ["decision severity", "decision join", "decision split"]
    assert cli("audit", "--json").lines[-1]["reason"] == "two places"


def test_what_was_done_can_be_judged_and_nothing_else(cli, put: Put) -> None:
    event = put(lambda store: decided(store, EventState.RESOLVED))
    judged = cli("finding", event, "1", "dismiss", "--json")
    assert (judged.code, judged.json["verdict"], judged.json["feedback"][0]["word"]) == (0, "request_changes", "dismiss")
    for words in (["finding", event, "split", "1"], ["decisions", "amend", event, "--verdict", "approve", "--note", "n"]):
        told = cli(*words)
        assert (told.code, told.out, told.err.count("\n")) == (3, "", 1)
        assert "is resolved: what was decided and acted on can only be judged" in told.err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["finding", "ID", "9", "accept"], 4, "has no finding 9, it has 1 to 2"),
        (["finding", "ID", "join", "1"], 2, "two findings or more"),
        (["finding", "ID", "severity", "1", "awful"], 2, "use one of critical, high, medium, low, nit"),
        (["decisions", "amend", "ID", "--verdict", "merge", "--note", "n"], 2, "use one of request_changes, comment, approve"),
        (["decisions", "amend", "ID", "--verdict", "approve"], 2, "--note"),
        (["decisions", "recompute", "ID"], 2, "--strategy"),
        (["decisions", "recompute", "ID", "--strategy", "single:"], 2, "unknown strategy 'single:'"),
        (["--read-only", "finding", "ID", "1", "accept"], 3, "read-only"),
        (["--read-only", "decisions", "amend", "ID", "--verdict", "approve", "--note", "n"], 3, "read-only"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(cli, put: Put, words: list[str], code: int, why: str) -> None:
    event = put(decided)
    told = cli(*(event if word == "ID" else word for word in words))
    assert (told.code, told.out) == (code, "")
    assert why in told.err
    assert cli("decisions", "show", event, "--json").json["basis"]["edits"] == []


def test_a_decision_is_shown_with_all_that_is_known_of_it_and_steers_no_terminal(cli, put: Put) -> None:
    basis = Basis(
        checked=True,
        unsupported={"claude#1": f"its path is not in the diff {HOSTILE}"},
        verifications=(Verification(provider="chatgpt", words={"claude#0": "real"}),),
        arbitration=Arbitration(provider="zed", verdicts=("comment", "comment")),
        usual=(0.1, 0.2),
        edits=(edit("accept", "claude#0", note=f"seen {HOSTILE}"),),
    )
    votes = (
        vote("claude", "request_changes", [finding(f"roundTax rounds {HOSTILE}", "critical"), OTHER], vendor="one"),
        vote("grok", "comment", [finding("roundTax rounds twice", "low")], vendor="one"),
        vote("chatgpt", "approve", late=True),
    )

    async def hostile(store: Store) -> str:
        event = await decided(store)
        await replaced(store, event, decide(*votes, strategy="policy", basis=basis))
        return event

    event = put(hostile)
    out = cli("decisions", "show", event).out
    for shown in (
        "2 votes, 1 vendor",
        "agreement high (",
        "0.10 to 0.20 is usual for this repository",
        ", even 0.35, accepted by an operator: tax.py:8",
        "no vote: its path is not in the diff",
        "chatgpt, asked about it: real",
        "chatgpt: ok, late",
        "conflict severity on",
        "; or strictest, operator",
        "ana at 2026-11-22T22:00:00Z: accept",
        "dissent claude: request_changes",
    ):
        assert shown in out, shown
    for words in (["show", event], ["show", event, "--json"], ["list"], ["recompute", event, "--strategy", "majority"]):
        printed = cli("decisions", *words)
        assert "\x1b" not in printed.out + printed.err
        assert "\u202e" not in printed.out + printed.err


def test_a_strategy_is_tried_with_and_without_late_answers(cli, put: Put) -> None:
    event = put(lambda store: with_a_seat_missing(store, finding(evidence="evidence(e)"), vote("claude", "comment", [finding()])))
    same = cli("decisions", "recompute", "kind=code_review", "--strategy", "policy")
    assert (same.code, same.err.splitlines()[-1]) == (0, "0 of 1 would have been decided otherwise by policy")
    other = cli("decisions", "recompute", event, "--strategy", "policy", "--with-late")
    assert other.out.splitlines()[0].split() == ["ID", "STRATEGY", "DECIDED", "WOULD", "BE", "WHAT", "DIFFERS"]
    assert "comment would be request_changes; 0 findings confirmed would be 1" in other.out
    assert other.err.splitlines()[-1] == "1 of 1 would have been decided otherwise by policy"
    (row,) = cli("decisions", "recompute", event, "--strategy", "policy", "--with-late", "--json").json
    assert (row["decided"]["verdict"], row["would_be"]["verdict"]) == ("comment", "request_changes")
    assert cli("decisions", "recompute", "kind=push_review", "--strategy", "policy").err.startswith("0 of 0 ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_words(bare, shell: str) -> None:
    script = bare("completion", shell).out
    assert all(word in script for word in ("finding", "recompute", "amend", "accept", "dismiss", "restore", "severity", "join", "split"))


async def awaiting_a_pull_request(store: Store) -> str:
    """An event on a pull request that awaits approval."""
    event = await decided(store)
    pull = {"number": 7, "pull_request": {"number": 7, "head": {"sha": "a" * 40}}, "repository": {"full_name": "acme/shop"}}
    await store.client.set(store.queue.keys.payload(event), pack(json.dumps(pull).encode()))
    return event


@pytest.fixture
def reviewing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Code reviews are published as reviews, and would be without a dry run."""
    monkeypatch.setenv("GITBRIDGE_KINDS__CODE_REVIEW__ACTION", "review")


@pytest.mark.usefixtures("reviewing")
def test_a_draft_is_read_edited_and_approved_to_the_letter(cli, put: Put, tmp_path: Path) -> None:
    event = put(awaiting_a_pull_request)
    text = cli("decisions", "draft", event).out
    assert text.startswith("### GitBridge: request\\_changes")
    assert "<!--" not in text, "the marker is ours to add"
    file = tmp_path / "text.md"
    file.write_text("Kinder words.\n", "utf-8")
    assert cli("decisions", "approve", event, "--edit", str(file), "--as", "comment").code == 0
    stored = json.loads(put(lambda store: stored_action(store, event)))
    body = stored["requests"][0]["body"]
    assert (body["event"], body["body"].splitlines()[0]) == ("COMMENT", "Kinder words.")
    assert cli("audit", "--json").lines[0]["result"] == "approved, posted as comment, with another text"


async def stored_action(store: Store, event: str) -> str:
    return str((await store.client.get(store.queue.keys.action(event))).decode())


@pytest.mark.usefixtures("reviewing")
def test_what_cannot_be_posted_is_refused_before_anything_is_approved(cli, put: Put, tmp_path: Path) -> None:
    event = put(awaiting_a_pull_request)
    (tmp_path / "empty.md").write_text(" \n", "utf-8")
    (tmp_path / "binary.md").write_bytes(b"\xff\xfe\x00")
    for words, code in (
        (["--edit", str(tmp_path / "empty.md")], 2),
        (["--edit", str(tmp_path / "binary.md")], 2),
        (["--edit", str(tmp_path / "none.md")], 2),
        (["--as", "merge"], 2),
    ):
        result = cli("decisions", "approve", event, *words)
        assert result.code == code, words
    assert cli("events", "show", event, "--json").json["state"] == "awaiting_approval"
    shown = cli("events", "show", event, "--json").json["action"]
    assert (shown["draft"], shown["requests"][0]["body"]["event"]) == (True, "COMMENT")


def test_where_nothing_would_be_posted_the_draft_says_why(cli, put: Put) -> None:
    event = put(decided)
    result = cli("decisions", "draft", event)
    assert (result.code, result.out) == (0, "")
    assert "nothing would be posted" in result.err
    put(lambda store: decided(store, EventState.RESOLVED, "d2"))
    assert cli("decisions", "draft", "none").code == 4
