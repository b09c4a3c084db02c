"""What an operator does from the command line, over a real store."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

PULL_REQUEST = {
    "action": "opened",
    "number": 7,
    "repository": {"full_name": "acme/site", "id": 1},
    "pull_request": {"number": 7, "title": "Mend \x1b[31mthe\u202e parser", "user": {"login": "ana"}, "head": {"sha": "a" * 40}},
}


def submitted(cli, *words: str) -> str:
    """Hand in the pull request and return the id of its event."""
    path = cli.folder / "payload.json"
    path.write_text(json.dumps(PULL_REQUEST))
    result = cli("submit", str(path), "--type", "pull_request", "--json", *words)
    assert result.code == 0
    assert result.json["status"] == "new"
    return result.json["id"]


def test_submit_list_show(cli) -> None:
    event_id = submitted(cli, "--priority", "high")
    (row,) = cli("events", "list", "--json").lines
    assert (row["id"], row["priority"], row["repository"]) == (event_id, "high", "acme/site")
    detail = cli("events", "show", event_id, "--payload", "--json").json
    assert json.loads(detail["payload_text"]) == PULL_REQUEST


def test_what_comes_from_outside_cannot_steer_the_terminal(cli) -> None:
    event_id = submitted(cli)
    for words in (["events", "list"], ["events", "show", event_id, "--payload"], ["events", "list", "--json"]):
        out = cli(*words).out
        assert "\x1b" not in out
        assert "\u202e" not in out
        assert "parser" in out


def test_a_second_delivery_is_a_duplicate(cli) -> None:
    first = submitted(cli, "--delivery", "d-1")
    result = cli("submit", str(cli.folder / "payload.json"), "--type", "pull_request", "--delivery", "d-1", "--json")
    assert result.code == 0
    assert result.json == {"id": first, "status": "duplicate"}


def test_lines_are_events_of_their_own_and_bad_ones_end_in_quarantine(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b'{"a": 1}\n\nnot json\n{"a": 2}'))
    monkeypatch.setattr("sys.stdin", stdin)
    result = cli("submit", "-", "--type", "push", "--lines", "--json")
    assert result.code == 1
    assert [line["status"] for line in result.lines] == ["new", "quarantined", "new"]
    (entry,) = cli("quarantine", "list", "--json").lines
    shown = cli("quarantine", "show", entry["id"])
    assert "not JSON" in shown.out
    assert "not json" in shown.out
    assert cli("quarantine", "show", "no-such").code == 4
    assert "not JSON" in cli("quarantine", "list").out


def test_lines_that_are_not_taken_any_more_say_where_to_go_on(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("gitbridge.toml").write_text("[queue]\nmax_waiting = 2\n")
    stdin = io.TextIOWrapper(io.BytesIO(b'{"a": 1}\n\n{"a": 2}\n{"a": 3}\n{"a": 4}\n'))
    monkeypatch.setattr("sys.stdin", stdin)
    result = cli("submit", "-", "--type", "push", "--lines")
    assert result.code == 1
    assert "stopped at line 4: those before it were handed in" in result.err
    assert "BACKPRESSURE: 2 events are undecided" in result.err


def test_submit_says_what_is_wrong_with_its_words(cli) -> None:
    assert cli("submit", "nowhere.json", "--type", "push").code == 2
    assert "No such file" in cli("submit", "nowhere.json", "--type", "push").err
    assert cli("submit", "-", "--type", "push", "--lines", "--delivery", "x").code == 2


def test_waiting_for_an_event_nobody_works_on_ends_in_time(cli) -> None:
    path = cli.folder / "payload.json"
    path.write_text("{}")
    result = cli("submit", str(path), "--type", "push", "--wait", "--timeout", "0.2s")
    assert result.code == 1
    assert "is still received after 0 s; no engine is running: start one with" in result.err


def test_filters_as_words_and_as_options(cli) -> None:
    event_id = submitted(cli)
    assert [row["id"] for row in cli("events", "list", "repo=acme/*", "--json").lines] == [event_id]
    assert cli("events", "list", "--repo", "other/*", "--json").lines == []
    wrong = cli("events", "list", "stat=failed")
    assert wrong.code == 2
    assert "did you mean 'state'" in wrong.err


def test_pause_resume_and_the_audit_of_it(cli) -> None:
    assert cli("pause", "claude", "act", "--for", "15m", "--reason", "maintenance").out.split() == ["claude", "act"]
    paused = cli("status", "--json").json["lanes"]["claude"]["paused"]
    assert paused["reason"] == "maintenance"
    assert paused["until"] is not None
    assert "paused by" in cli("status").out
    assert cli("resume", "claude", "--json").json["changed"] == 1
    audit = cli("audit", "--json").lines
    assert [entry["what"] for entry in audit] == ["resume", "pause"]
    assert audit[1]["reason"] == "maintenance"
    assert "maintenance" in cli("audit", "--since", "1h").out
    assert cli("audit", "--since", "soon").code == 2


def test_drain_resume_and_the_audit_of_it(cli) -> None:
    assert cli("drain", "claude", "--reason", "contract ends").out.split() == ["claude"]
    status = cli("status", "--json").json
    assert status["lanes"]["claude"]["draining"]["reason"] == "contract ends"
    assert status["providers"]["claude"]["state"] == "draining"
    assert "draining by" in cli("status").out
    assert cli("drain", "route", "--reason", "x").code == 2
    assert cli("drain", "claude").code == 2
    assert cli("resume", "claude", "--json").json["changed"] == 1
    assert [entry["what"] for entry in cli("audit", "--json").lines] == ["resume", "drain"]


def test_an_unknown_lane_is_not_found(cli) -> None:
    result = cli("pause", "cluade", "--reason", "x")
    assert result.code == 4
    assert result.err == "gitbridge-console: no lane cluade; there are fetch, route, decide, act, claude, grok, chatgpt\n"


def test_a_breaker_is_held_open_and_reset_by_word(cli) -> None:
    assert cli("breaker", "claude", "open", "--reason", "bill in dispute", "--json").json["notes"] == ["it was closed"]
    assert cli("breaker", "claude", "reset", "--reason", "settled").code == 0
    assert cli("breaker", "cluade", "open", "--reason", "x").code == 4
    assert cli("breaker", "claude", "burn", "--reason", "x").code == 2
    assert cli("breaker", "claude", "open").code == 2


def test_health_asks_each_provider_and_needs_no_store(cli) -> None:
    found = cli("--redis", "redis://127.0.0.1:1/0", "health", "--json")
    assert found.code == 1, "without keys none is well"
    assert set(found.json) == {"claude", "grok", "chatgpt"}
    assert all("no key" in finding["reason"] for finding in found.json.values())
    wrong = cli("health", "cluade")
    assert wrong.code == 4
    assert "did you mean claude?" in wrong.err


def test_prioritize_cancel_replay(cli) -> None:
    event_id = submitted(cli)
    assert cli("prioritize", event_id, "--to", "critical", "--front").out.strip() == event_id
    assert cli("cancel", event_id, "--reason", "no longer wanted").code == 0
    assert cli("events", "show", event_id, "--json").json["state"] == "cancelled"
    assert cli("replay", event_id, "--reason", "after all").code == 0
    assert cli("events", "show", event_id, "--json").json["run"] == 2


def test_replaying_by_filter_shows_its_plan_and_wants_a_yes(cli) -> None:
    event_id = submitted(cli)
    cli("cancel", event_id, "--reason", "x")
    words = ("replay", "state=cancelled", "--reason", "x")
    assert cli("replay", "state=cancelled", "--plan").out.startswith(event_id), "a plan needs no reason"
    refused = cli(*words)
    assert refused.code == 3
    assert "--yes" in refused.err
    assert cli(*words, "--yes", "--json").json["done"] == 1
    assert cli(*words, "--yes", "--json").json["count"] == 0


def test_a_failover_is_taken_back_after_a_plan(cli) -> None:
    assert "returns each task to where it came from" in cli("failover", "claude", "--back", "--to", "grok", "--reason", "x").err
    plan = cli("failover", "claude", "--back", "--plan", "--json").json
    assert (plan["deed"], plan["count"]) == ("failback claude", 0)
    assert cli("failover", "claude", "--back", "--yes", "--reason", "it is well").code == 0
    assert cli("failover", "route", "--back", "--plan").code == 2


def test_read_only_refuses_every_change(cli) -> None:
    event_id = submitted(cli)
    for words in (
        ("pause", "claude", "--reason", "x"),
        ("drain", "claude", "--reason", "x"),
        ("resume", "claude"),
        ("prioritize", event_id, "--to", "low"),
        ("cancel", event_id, "--reason", "x"),
        ("replay", event_id, "--reason", "x"),
        ("failover", "claude", "--to", "grok", "--reason", "x"),
        ("breaker", "claude", "open", "--reason", "x"),
        ("decisions", "approve", event_id),
        ("decisions", "reject", event_id),
        ("submit", str(cli.folder / "payload.json"), "--type", "push"),
    ):
        assert cli(*words, "--read-only").code == 3
    assert cli("audit", "--json").lines == []


def test_things_that_are_not_there_are_not_found(cli) -> None:
    for words in (
        ("events", "show", "999"),
        ("decisions", "show", "999"),
        ("cancel", "999", "--reason", "x"),
        ("decisions", "approve", "999"),
    ):
        assert cli(*words).code == 4


def test_an_empty_fleet_can_be_looked_at(cli) -> None:
    assert cli("decisions", "list", "--json").lines == []
    assert "0 decisions" in cli("decisions", "list").err
    document = cli("status", "--json").json
    assert set(document["lanes"]) == {"fetch", "route", "claude", "grok", "chatgpt", "decide", "act"}
    assert "no engine is running" in cli("--once").out


def test_a_store_that_is_away_is_one_line(bare) -> None:
    result = bare("status", "--redis", "redis://ana:hunter22@127.0.0.1:1/0")
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "hunter22" not in result.err


def test_the_embedded_store_serves_a_command_and_is_gone_afterwards(bare) -> None:
    assert bare("status", "--json").json["store"]["url"] == "unix"
    store = bare.folder / "state" / "store"
    assert not list(Path(store).glob("*sock*")) or not (store / "server.pid").exists()


def test_draining_an_empty_fleet_ends_at_once(cli) -> None:
    summary = cli("worker", "--drain", "--json").json
    assert summary["drained"] is True
    assert summary["left"]["lanes"] == {}


def test_a_worker_drains_what_waits(cli) -> None:
    """Without keys nobody can be asked: what needs no answer is finished, the rest is parked and left."""
    path = cli.folder / "payload.json"
    path.write_text(json.dumps({"action": "created", "repository": {"full_name": "acme/site"}}))
    assert cli("submit", str(path), "--type", "star").code == 0
    submitted(cli)
    result = cli("worker", "--drain", "--drain-wait", "1s", "--json")
    assert result.code == 0
    assert result.json["finished"] == {"ignored": 1}
    assert result.json["left"]["parked"] == 1


def test_a_place_that_is_taken_is_one_line(cli) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = cli("ingress", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert result.code == 1
    assert re.search(r"cannot listen on 127.0.0.1:\d+", result.err)


@pytest.fixture
def decided(cli, monkeypatch: pytest.MonkeyPatch):
    """An event two simulated services answered, waiting for an operator; ``decided`` is its id."""
    from gitbridge_console.simulator.profiles import named_profiles
    from gitbridge_console.simulator.server import ServicesThread

    monkeypatch.setenv("TRY_KEY", "no-real-key")
    with ServicesThread(3, named_profiles()["none"]) as urls:
        tables = "\n".join(f"[providers.{name}]\nbase_url = '{url}'\napi_key_env = 'TRY_KEY'" for name, url in urls.items())
        (cli.folder / "gitbridge.toml").write_text(f"{tables}\n[kinds.code_review]\napproval = 'operator'\n[legacy]\nenabled = false\n")
        diff = cli.folder / "change.diff"
        diff.write_text("diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = eval(input())\n")
        event_id = submitted(cli, "--diff", str(diff))
        assert cli("worker", "--drain").code == 0
    return event_id


def test_a_decision_is_shown_and_approved(cli, decided: str) -> None:
    (row,) = cli("decisions", "list", "--json").lines
    assert row["event_id"] == decided
    assert decided in cli("decisions", "list").out
    document = cli("decisions", "show", decided, "--json").json
    text = cli("decisions", "show", decided).out
    assert document["verdict"] in text
    assert all(f"  {answer['provider']}: {answer['status']}" in text for answer in document["answers"])
    event = cli("events", "show", decided).out
    assert "awaiting_approval" in event
    assert "seat " in event
    assert f"decision {document['id']}" in event
    assert cli("decisions", "approve", decided, "--note", "looks right").out.strip() == decided
    assert cli("decisions", "reject", decided).code == 3
    assert cli("audit", "--json").lines[-1]["reason"] == "looks right"


def test_findings_are_judged_and_the_verdict_amended_before_it_is_approved(cli, decided: str) -> None:
    before = cli("decisions", "show", decided, "--json").json
    assert before["clusters"], "eval of input is found by at least one"
    text = cli("finding", decided, "1", "dismiss", "--note", "a toy").out
    assert "dismissed by an operator" in text
    assert "a toy" in text
    assert cli("finding", decided, "1", "restore", "--json").json["clusters"][0]["word"] == ""
    assert cli("finding", decided, "1", "severity", "nit", "--json").json["clusters"][0]["severity"] == "nit"
    assert cli("decisions", "amend", decided, "--verdict", "approve", "--note", "fine").out.strip() == decided
    assert "amend" not in cli("decisions", "list", "state=awaiting_approval", "--json").lines[0]
    assert cli("decisions", "list", "state=awaiting_approval", "--json").lines[0]["verdict"] == "approve"
    shown = cli("decisions", "show", decided).out
    assert "chose it: fine" in shown
    assert len(cli("decisions", "show", decided, "--json").json["basis"]["edits"]) == 4


def test_another_strategy_is_tried_offline(cli, decided: str) -> None:
    (tried,) = cli("decisions", "recompute", decided, "--strategy", "strictest", "--json").json
    assert (tried["decided"]["strategy"], tried["would_be"]["strategy"]) == ("policy", "strictest")
    shown = cli("decisions", "recompute", "kind=code_review", "--strategy", "operator")
    assert "an operator would decide" in shown.out or "WHAT DIFFERS" in shown.out
    assert "of 1 would have been decided otherwise by operator" in shown.err


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (("finding", "1", "accept"), 2, "which findings"),
        (("finding", "1", "2"), 2, "say what the finding is"),
        (("finding", "1", "1", "2", "explode"), 2, "say what the finding is"),
        (("finding", "1", "1", "severity"), 2, "which findings"),
        (("finding", "999", "1", "accept"), 4, "no decision 999"),
        (("decisions", "amend", "999", "--verdict", "v", "--note", "n"), 4, "no decision 999"),
        (("decisions", "recompute", "999", "--strategy", "magic"), 2, "unknown strategy 'magic'"),
        (("decisions", "recompute", "1", "kind=code_review", "--strategy", "majority"), 2, "not both"),
    ],
)
def test_a_word_that_means_nothing_says_so(cli, words: tuple[str, ...], code: int, why: str) -> None:
    ran = cli(*words)
    assert ran.code == code
    assert why in ran.err


def test_the_log_of_decisions_is_verified_in_the_store_and_in_a_file(cli, decided: str) -> None:
    cli("decisions", "amend", decided, "--verdict", "comment", "--note", "as told")
    cli("decisions", "approve", decided, "--note", "go")
    checked = cli("audit", "--verify", "--json").json
    assert (checked["ok"], checked["chains"][0]["entries"]) == (True, 3)
    assert "holds" in cli("audit", "--verify").out
    file = cli.folder / "log.jsonl"
    assert "3 records exported" in cli("decisions", "export", str(file)).err
    assert cli("decisions", "export", str(file)).code == 3
    records = [json.loads(line)["record"] for line in file.read_text().splitlines()[1:]]
    assert [(record["type"], record.get("word", "")) for record in records] == [("decision", ""), ("operator", ""), ("operator", "approve")]
    assert records[0]["event"]["id"] == decided
    assert cli("audit", "--verify", "--file", str(file)).code == 0
    file.write_text(file.read_text().replace("as told", "as I say"))
    told = cli("audit", "--verify", "--file", str(file))
    assert told.code == 1
    assert "entry 2 was altered" in told.out
    file.write_text("no log")
    assert "line 1 is no line" in cli("audit", "--verify", "--file", str(file)).err
    assert cli("audit", "--file", str(file)).code == 2


@pytest.mark.parametrize(
    "words", [("pause", "claude"), ("failover", "claude", "--to", "grok"), ("alerts", "silence", "paused", "--for", "1h")]
)
def test_bytes_that_are_no_text_are_refused_before_anything_is_done(cli, words: tuple[str, ...]) -> None:
    refused = cli(*words, "--reason", "bad \udcff byte")
    assert refused.code == 2
    assert "is no UTF-8 text" in refused.err
    assert cli("audit", "--json").lines == []
