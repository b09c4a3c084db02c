"""``audit``: searched, checked and exported from the command line."""

from __future__ import annotations

import gzip
import json

from redis import Redis


def some_writes(cli) -> None:
    cli("pause", "claude", "--reason", "maintenance")
    cli("breaker", "grok", "open", "--reason", "burning money")
    cli("resume", "claude")


def test_an_entry_says_who_from_where_what_why_and_what_was_there_before_and_after(cli) -> None:
    some_writes(cli)
    entries = cli("audit", "--json").lines
    assert [(entry["n"], entry["what"], entry["planned"], entry["affected"]) for entry in entries] == [
        (5, "resume", 1, 1),
        (3, "breaker open", None, 1),
        (1, "pause", 1, 1),
    ]
    resume, opened, pause = entries
    assert (pause["before"], pause["after"]) == ({"claude": "open"}, {"claude": "paused"})
    assert (resume["before"]["claude"]["reason"], resume["after"]) == ("maintenance", {"claude": "open"})
    assert (opened["before"], opened["after"]) == ({"grok": "closed"}, {"grok": "open"})
    assert pause["who"]
    assert pause["account"]
    assert pause["role"] == "admin"


def test_the_audit_is_searched_by_a_filter_and_by_words(cli) -> None:
    some_writes(cli)
    assert [entry["what"] for entry in cli("audit", "provider=grok", "--json").lines] == ["breaker open"]
    assert [entry["what"] for entry in cli("audit", "maint*", "what=pause", "--json").lines] == ["pause"]
    assert [entry["what"] for entry in cli("audit", "!target=grok", "--json").lines] == ["resume", "pause"]
    assert len(cli("audit", "--since", "1h", "--limit", "2", "--json").lines) == 2
    wrong = cli("audit", "whom=ana")
    assert (wrong.code, "did you mean 'who'" in wrong.err) == (2, True)


def test_the_audit_is_verified_in_the_store_and_as_a_file_and_tampering_is_located(cli, valkey_url: str, namespace: str) -> None:
    some_writes(cli)
    checked = cli("audit", "--verify", "--json").json
    assert (checked["ok"], checked["chains"][-1]["name"], checked["chains"][-1]["entries"]) == (True, f"{{{namespace}:audit}}", 6)
    file = cli.folder / "audit.jsonl"
    assert "6 records exported" in cli("audit", "--export", str(file)).err
    assert cli("audit", "--export", str(file)).code == 3, "what is there is not replaced unasked"
    assert cli("audit", "--export", str(file), "--force").code == 0
    assert cli("audit", "--verify", "--file", str(file)).code == 0
    packed = cli.folder / "audit.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert cli("audit", "--verify", "--file", str(packed)).code == 0
    lines = file.read_text().splitlines()
    for changed, problem in (
        ([line.replace("burning money", "routine") for line in lines], "entry 3 was altered"),
        (lines[:3] + lines[4:], "entry 3 is missing"),
        ([*lines[:3], lines[4], lines[3], *lines[5:]], "entries 3 and 4 stand in the wrong order"),
    ):
        file.write_text("\n".join(changed))
        told = cli("audit", "--verify", "--file", str(file))
        assert (told.code, problem in told.out) == (1, True), problem
    with Redis.from_url(valkey_url) as raw:
        raw.xdel(f"{{{namespace}:audit}}:chain", "3-1")
    told = cli("audit", "--verify")
    assert told.code == 1
    assert "entry 3 is missing" in told.out
    assert f"{{{namespace}:audit}}: tampered with, or damaged" in told.err
    assert json.loads(cli("audit", "--verify", "--json").out)["ok"] is False


def test_words_that_do_not_go_together_are_said(cli) -> None:
    for words in (("--file", "x"), ("--force",), ("--verify", "who=ana"), ("--verify", "--export", "x"), ("--since", "soon")):
        assert cli("audit", *words).code == 2, words
