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
    assert facts.labels == ("bug", "", "3")
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


def test_only_what_moves_a_head_supersedes() -> None:
    assert supersede_version("pull_request", PULL) == ("pr:1:7", 1_795_341_600_000)
    assert supersede_version("pull_request", {**PULL, "action": "labeled"}) is None
    assert supersede_version("issues", PULL) is None
    assert supersede_version("push", {"ref": "refs/tags/v1", "repository": {"id": 1, "pushed_at": 5}}) is None


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
