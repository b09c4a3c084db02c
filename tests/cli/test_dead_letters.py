"""Exporting events, handing them in again, and clearing the quarantine, from the command line."""

from __future__ import annotations

import base64
import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest


def hand_in(cli: Any, payload: bytes, *words: str) -> str:
    path = cli.folder / "payload.json"
    path.write_bytes(payload)
    return cli("submit", str(path), "--json", *words).json["id"]


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_export_writes_what_matches_for_its_owner_only_and_says_how_many(cli) -> None:
    first = hand_in(cli, b'{"n": 1}', "--type", "star")
    hand_in(cli, b'{"n": 2}', "--type", "star")
    cli("cancel", first, "--reason", "x")
    path = cli.folder / "out.jsonl"
    result = cli("events", "export", str(path), "state=cancelled")
    assert (result.code, result.out, result.err) == (0, "", "1 events exported\n")
    (line,) = lines_of(path)
    assert line["format"] == "gitbridge-event/1"
    assert line["payload"]["body"] == '{"n": 1}'
    shown = cli("events", "show", first, "--json").json
    assert line["event"] == {name: value for name, value in shown.items() if name != "payload_text"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(cli.folder).count("out.jsonl") == 1


def test_export_to_stdout_is_nothing_but_lines(cli) -> None:
    ids = [hand_in(cli, b"{}", "--type", "star") for _ in range(2)]
    result = cli("events", "export", "-", "--kind", "general")
    assert (result.out, result.err) == ("", "0 events exported\n")
    result = cli("events", "export", "-")
    assert [line["event"]["id"] for line in result.lines] == ids[::-1]
    assert result.err == "2 events exported\n"


def test_a_file_that_is_there_is_replaced_only_by_force(cli) -> None:
    hand_in(cli, b"{}", "--type", "star")
    path = cli.folder / "out.jsonl"
    path.write_text("precious")
    refused = cli("events", "export", str(path))
    assert refused.code == 3
    assert "--force" in refused.err
    assert path.read_text() == "precious"
    assert cli("events", "export", str(path), "--force").code == 0
    assert len(lines_of(path)) == 1
    assert cli("events", "export", str(cli.folder), "--force").code == 3


def test_a_file_that_cannot_be_written_is_one_line_and_leaves_nothing(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_in(cli, b"{}", "--type", "star")
    away = cli("events", "export", str(cli.folder / "nowhere" / "out.jsonl"))
    assert (away.code, len(away.err.splitlines())) == (1, 1)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    path = cli.folder / "out.jsonl"
    path.write_text("precious")
    with monkeypatch.context() as disk:
        disk.setattr("gitbridge_console.commands.whole_file.os.fsync", full)
        result = cli("events", "export", str(path), "--force")
    assert (result.code, "No space left" in result.err) == (1, True)
    assert path.read_text() == "precious"
    assert [name for name in os.listdir(cli.folder) if "out.jsonl" in name] == ["out.jsonl"]


def test_what_was_exported_can_be_handed_in_to_another_fleet(cli) -> None:
    diff = cli.folder / "change.diff"
    diff.write_text("diff --git a/x b/x\n+ä\n")
    words = ("--type", "pull_request", "--delivery", "guid-1", "--priority", "critical", "--diff", str(diff))
    hand_in(cli, '{"title": "ä\\u0000"}'.encode(), *words)
    path = cli.folder / "out.jsonl"
    cli("events", "export", str(path))
    other = ("--namespace", f"{cli.before[-1]}-other")
    (result,) = cli("submit", str(path), "--records", "--json", *other).lines
    assert result["status"] == "new"
    cli("events", "export", str(path), "--force", *other)
    (line,) = lines_of(path)
    assert (line["event"]["delivery"], line["event"]["type"], line["event"]["priority"]) == ("guid-1", "pull_request", "critical")
    assert line["payload"]["body"] == '{"title": "ä\\u0000"}'
    assert line["diff"]["body"] == diff.read_text()
    assert cli("submit", str(path), "--records", "--json", *other).lines[0]["status"] == "duplicate"


def test_a_line_that_is_no_record_is_said_and_the_others_come_in(cli) -> None:
    hand_in(cli, b"{}", "--type", "star")
    path = cli.folder / "out.jsonl"
    cli("events", "export", str(path))
    good = path.read_bytes()
    wrong = json.loads(good)
    wrong["payload"] |= {"encoding": "base64", "body": base64.b64encode(b"{ }").decode()}
    path.write_bytes(b"{}\n" + json.dumps(wrong).encode() + b"\n" + good)
    result = cli("submit", str(path), "--records", "--json", "--namespace", f"{cli.before[-1]}-other")
    assert result.code == 1
    assert [line["status"] for line in result.lines] == ["unreadable", "unreadable", "new"]


@pytest.mark.parametrize(
    "words", [(), ("--records", "--lines"), ("--records", "--type", "star"), ("--records", "--delivery", "x"), ("--records", "--diff", "x")]
)
def test_submit_wants_either_a_type_or_records_that_say_theirs(cli, words: tuple[str, ...]) -> None:
    (cli.folder / "payload.json").write_text("{}")
    assert cli("submit", str(cli.folder / "payload.json"), *words).code == 2


def quarantined(cli: Any, monkeypatch: pytest.MonkeyPatch, raw: bytes) -> str:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    return cli("submit", "-", "--type", "No-Type", "--json").json["id"]


def test_retry_hands_an_entry_in_again(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = quarantined(cli, monkeypatch, b'{"action": "created"}')
    assert cli("quarantine", "retry", entry).code == 2
    result = cli("quarantine", "retry", entry, "--type", "star", "--delivery", "guid-1", "--json")
    assert (result.code, result.json["status"], result.json["entry"]) == (0, "new", entry)
    assert cli("events", "show", result.json["id"], "--json").json["delivery"] == "guid-1"
    assert cli("quarantine", "list", "--json").lines == []
    assert cli("audit", "--json").lines[0]["what"] == "quarantine retry"


def test_what_is_still_no_event_stays_in_quarantine(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = quarantined(cli, monkeypatch, b"not \x1b[31m json")
    result = cli("quarantine", "retry", entry, "--type", "star")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert [line["id"] for line in cli("quarantine", "list", "--json").lines] == [entry]


def test_drop_wants_a_reason_and_keeps_it(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = quarantined(cli, monkeypatch, b"x")
    assert cli("quarantine", "drop", entry).code == 2
    assert cli("quarantine", "drop", entry, "--reason", "noise", "--json").json["changed"] == 1
    assert cli("quarantine", "drop", entry, "--reason", "noise").code == 4
    assert [line["reason"] for line in cli("audit", "--json").lines] == ["noise", "noise"]


def test_read_only_keeps_the_quarantine_as_it_is(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = quarantined(cli, monkeypatch, b"{}")
    assert cli("quarantine", "retry", entry, "--type", "star", "--read-only").code == 3
    assert cli("quarantine", "drop", entry, "--reason", "x", "--read-only").code == 3
    assert cli("quarantine", "show", entry, "--read-only").code == 0
