"""Facts of a payload, whatever the payload is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.facts import read_facts, supersede_version

PULL = {
    "action": "synchronize",
    "number": 7,
    "pull_request": {
        "number": 7,
        "title": "Round tax\nper line",
        "body": "because",
        "user": {"login": "kim"},
        "labels": [{"name": "bug"}, None, {"name": 3}],
        "head": {"sha": "a" * 40, "ref": "tax"},
        "base": {"sha": "b" * 40},
        "draft": True,
        "additions": 3,
        "deletions": 1,
        "updated_at": "2026-11-22T10:00:00Z",
        "html_url": "https://example.com/7",
    },
    "repository": {"id": 1, "full_name": "acme/shop"},
    "sender": {"login": "ci[bot]", "type": "Bot"},
}


def test_a_pull_request() -> None:
    facts = read_facts("pull_request", PULL)
    assert (facts.subject, facts.title, facts.author, facts.draft) == ("acme/shop#7", "Round tax", "kim", True)
    assert (facts.head_sha, facts.base_sha, facts.ref) == ("a" * 40, "b" * 40, "tax")
    assert facts.labels == ("bug", "3")
    assert facts.author_is_bot


def test_a_push_lists_each_file_once_in_its_last_state() -> None:
    body = {
        "ref": "refs/heads/main",
        "after": "c" * 40,
        "commits": [{"message": "one", "added": ["a.py"]}, {"message": "two", "modified": ["a.py"], "removed": ["b.py"]}],
        "repository": {"id": 1, "full_name": "acme/shop", "pushed_at": 1_700_000_000},
    }
    facts = read_facts("push", body)
    assert [(file.path, file.status) for file in facts.files] == [("a.py", "modified"), ("b.py", "removed")]
    assert facts.subject == "acme/shop@main"
    assert facts.extra == (("commit", "one"), ("commit", "two"))
    assert supersede_version("push", body) == ("push:1:refs/heads/main", 1_700_000_000_000)


def test_the_flat_envelope() -> None:
    body = {"event_type": "push", "repo": "acme/shop", "user": "kim", "message": "fix\nmore", "files": ["a.py", {"path": "b.py"}, 7, None]}
    facts = read_facts("push", body)
    assert (facts.repository, facts.author, facts.title) == ("acme/shop", "kim", "fix")
    assert [file.path for file in facts.files] == ["a.py", "b.py", "7"]


def test_the_files_of_a_pull_request_are_those_its_diff_names() -> None:
    moved = "diff --git a/src/x.py b/docs/x.md\nrename from src/x.py\nrename to docs/x.md\n"
    binary = 'diff --git "a/docs/\\303\\244.png" "b/docs/\\303\\244.png"\nBinary files differ\n'
    assert [f.path for f in read_facts("pull_request", PULL, moved + binary).files] == ["src/x.py", "docs/x.md", "docs/\\303\\244.png"]
    plain = "--- a/x.py\t2026\n+++ b/x.py\t2026\n@@ -1 +0,0 @@\n-a\n--- a/y.py\n+++ /dev/null\n"
    assert [f.path for f in read_facts("pull_request", PULL, plain).files] == ["x.py", "y.py"]


@pytest.mark.parametrize(
    "diff",
    [
        "",
        "no diff",
        "diff --git a/x.md b/x.md\n" * 100_000,
        "diff --git a/x.md b/x.md\ndiff --git src/x.py src/x.py\n",
        "--- " + "x" * 1_500_000,
    ],
    ids=["none", "other text", "too large", "an unreadable header", "one endless line"],
)
def test_a_diff_that_cannot_be_read_whole_names_no_file(diff: str) -> None:
    """Part of a file list must never pass for all of it: a change would look like mere documentation."""
    assert read_facts("pull_request", PULL, diff).files == ()


def test_files_of_a_rewritten_envelope_are_kept() -> None:
    facts = read_facts("pull_request", {"legacy": {"files": ["a.py", {"filename": "b.py"}]}, "repository": {"full_name": "acme/shop"}})
    assert [file.path for file in facts.files] == ["a.py", "b.py"]


def test_who_speaks_is_the_author_of_a_comment() -> None:
    issue = {"number": 3, "title": "t", "user": {"login": "opener"}}
    facts = read_facts("issue_comment", {"action": "created", "issue": issue, "comment": {"body": "me too", "user": {"login": "kim"}}})
    assert (facts.author, facts.number, facts.extra) == ("kim", 3, (("comment", "me too"),))


def test_alerts_and_checks_say_what_they_are_about() -> None:
    advisory = {"summary": "RCE in left-pad", "severity": "critical", "description": "long"}
    alert = read_facts("dependabot_alert", {"action": "created", "alert": {"number": 4, "security_advisory": advisory}})
    assert (alert.title, alert.extra) == ("RCE in left-pad", (("severity", "critical"),))
    check = read_facts(
        "check_run", {"check_run": {"name": "tests", "conclusion": "failure", "output": {"title": "3 failed", "summary": None}}}
    )
    assert check.extra == (("conclusion", "failure"), ("output", "3 failed"))
    assert read_facts("security_advisory", {"security_advisory": advisory}).body == "long"


def test_numbers_beyond_reason_are_no_facts() -> None:
    push = {"ref": "refs/heads/main", "repository": {"id": 1, "pushed_at": 2**62}}
    assert supersede_version("push", push) is None
    assert read_facts("push", {"ref": 10**5000}).ref == ""


def test_only_what_moves_a_head_supersedes() -> None:
    assert supersede_version("pull_request", PULL) == ("pr:1:7", 1_795_341_600_000)
    assert supersede_version("pull_request", {**PULL, "action": "labeled"}) is None
    assert supersede_version("issues", PULL) is None
    assert supersede_version("push", {"ref": "refs/tags/v1", "repository": {"id": 1, "pushed_at": 5}}) is None


@given(st.text(alphabet='diff -+git@ab/\n\\"\t', max_size=200))
def test_whatever_the_diff_is_nothing_is_raised(diff: str) -> None:
    assert all(file.path for file in read_facts("pull_request", PULL, diff).files)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=20,
)
KEYS = [
    "action",
    "pull_request",
    "issue",
    "repository",
    "sender",
    "commits",
    "ref",
    "number",
    "head",
    "labels",
    "event_type",
    "files",
    "metadata",
    "comment",
]


@given(st.sampled_from(["pull_request", "push", "issues", "release", "odd"]), anything | st.dictionaries(st.sampled_from(KEYS), anything))
def test_whatever_the_payload_is_nothing_is_raised(type: str, payload: Any) -> None:
    facts = read_facts(type, payload)
    json.dumps([facts.extra, facts.labels])
    assert len(facts.title) <= 500
    facts.title.encode("utf-8")
    version = supersede_version(type, payload)
    assert version is None or isinstance(version[1], int)


def example_payloads() -> list[Path]:
    for folder in Path(__file__).resolve().parents:
        found = sorted((folder / "shared" / "data" / "webhooks").glob("*.json"))
        if found:
            return found
    return []


@pytest.mark.parametrize("path", example_payloads(), ids=lambda path: path.stem)
def test_real_payloads_have_a_repository_an_author_and_a_title(path: Path) -> None:
    facts = read_facts(path.stem.split(".")[0], json.loads(path.read_text("utf-8")))
    assert facts.repository
    assert facts.author
    assert facts.title
