"""GitLab's deliveries: proven by token or signature, known again by the right header, asked the same questions as GitHub's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.events import EventFacts, Kind
from gitbridge_console.domain.facts import read_facts, supersede_version
from gitbridge_console.domain.loops import Ourselves, loop_reason
from gitbridge_console.ingress.dialects import dialect_of
from gitbridge_console.ingress.dialects.base import Delivery, NotUnderstood
from gitbridge_console.ingress.dialects.gitlab import GitLabDialect
from gitbridge_console.ingress.gitlab_payload import github_shape
from gitbridge_console.router.classifier import classify
from tests.ingress.hosts_payloads import ADA, BASE, HEAD, gitlab_issue, gitlab_note, gitlab_push, merge_request

NOW = 1_795_000_000
SECRETS = [b"old", b"a-long-token"]
PLAIN = {"x-gitlab-event": "Merge Request Hook", "content-type": "application/json"}
DIALECT = GitLabDialect(clock=lambda: NOW)


def read(payload: dict[str, Any], **headers: str) -> Delivery:
    return DIALECT.read(PLAIN | {"idempotency-key": "k-1"} | headers, payload, json.dumps(payload).encode())


def facts(payload: dict[str, Any]) -> EventFacts:
    delivery = read(payload)
    return read_facts(delivery.type, json.loads(delivery.payload))


def signed(body: bytes, key: bytes, at: int = NOW, id: str = "k-1") -> dict[str, str]:
    digest = hmac.new(key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
    return PLAIN | {
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v0,AAAA v1,{base64.b64encode(digest).decode()}",
    }


def test_its_event_header_tells_it_from_github() -> None:
    assert dialect_of(PLAIN).name == "gitlab"


def test_the_token_is_one_of_several_secrets() -> None:
    for token, right in (("a-long-token", True), ("old", True), ("a-long-toke", False), ("", False), ("ä", False)):
        assert DIALECT.verify(b"{}", PLAIN | {"x-gitlab-token": token}, SECRETS) is right
    assert not DIALECT.verify(b"{}", PLAIN | {"x-gitlab-token": ""}, [b""])
    assert DIALECT.unproven(PLAIN | {"x-gitlab-token": "x"}) is None
    assert "X-Gitlab-Token is missing" in str(DIALECT.unproven(PLAIN))


@pytest.mark.parametrize(("secret", "key"), [(b"whsec_c2VjcmV0LWtleQ==", b"secret-key"), (b"plain-signing-token", b"plain-signing-token")])
def test_a_signature_holds_for_id_time_and_body(secret: bytes, key: bytes) -> None:
    body = b'{"a": 1}'
    headers = signed(body, key)
    assert DIALECT.unproven(headers) is None
    assert DIALECT.verify(body, headers, [b"other", secret])
    assert not DIALECT.verify(body + b" ", headers, [secret])
    assert not DIALECT.verify(body, headers | {"webhook-id": "k-2"}, [secret])
    assert not DIALECT.verify(body, headers, [b"other"])
    assert not DIALECT.verify(body, headers, [])


@pytest.mark.parametrize("at", [NOW - 301, NOW + 301])
def test_a_signature_of_another_time_is_no_proof(at: int) -> None:
    headers = signed(b"{}", b"key", at)
    assert "five minutes" in str(DIALECT.unproven(headers))
    assert not DIALECT.verify(b"{}", headers, [b"key"])
    assert not DIALECT.verify(b"{}", headers | {"webhook-timestamp": "soon"}, [b"key"])


def test_a_delivery_is_known_again_by_the_key_that_repetitions_share() -> None:
    uuids = {"x-gitlab-event-uuid": "shared-by-all-of-an-event", "x-gitlab-webhook-uuid": "new-for-every-request"}
    assert read(merge_request(), **uuids).id == "gitlab:k-1"
    older = DIALECT.read(PLAIN | uuids, merge_request(), b"body")
    assert older.id == f"gitlab:{hashlib.sha256(b'body').hexdigest()}"
    with pytest.raises(NotUnderstood):
        read(merge_request(), **{"idempotency-key": "not usable"})


@pytest.mark.parametrize(
    ("payload", "type", "action", "kind"),
    [
        (merge_request("open"), "pull_request", "opened", Kind.CODE_REVIEW),
        (merge_request("reopen"), "pull_request", "reopened", Kind.CODE_REVIEW),
        (merge_request("update", oldrev=BASE), "pull_request", "synchronize", Kind.CODE_REVIEW),
        (merge_request("update", {"draft": {"previous": True, "current": False}}), "pull_request", "ready_for_review", Kind.CODE_REVIEW),
        (merge_request("update", {"labels": {}}), "pull_request", "labeled", None),
        (merge_request("update", {"title": {}}), "pull_request", "edited", None),
        (merge_request("merge"), "pull_request", "closed", None),
        (merge_request("approval"), "pull_request_review", "submitted", Kind.GENERAL),
        (gitlab_push(), "push", "", Kind.PUSH_REVIEW),
        (gitlab_push("refs/tags/v1"), "push", "", Kind.GENERAL),
        (gitlab_push(after="0" * 40, commits=[], total_commits_count=0), "push", "", None),
        (gitlab_issue(), "issues", "opened", Kind.ISSUE_TRIAGE),
        (gitlab_issue("update", {"description": {}}), "issues", "edited", Kind.ISSUE_TRIAGE),
        (gitlab_issue("update", {"labels": {}}), "issues", "labeled", None),
        (gitlab_issue("close"), "issues", "closed", None),
        (gitlab_note("merge_request"), "issue_comment", "created", Kind.GENERAL),
        (gitlab_note("merge_request", position={"new_path": "a.py"}), "pull_request_review_comment", "created", Kind.GENERAL),
        (gitlab_note("issue", action="update"), "issue_comment", "edited", None),
        (gitlab_note("commit", commit_id=HEAD), "commit_comment", "created", Kind.GENERAL),
        (
            {"object_kind": "pipeline", "object_attributes": {"id": 1, "status": "failed", "ref": "main"}},
            "workflow_run",
            "completed",
            Kind.GENERAL,
        ),
        ({"object_kind": "pipeline", "object_attributes": {"id": 1, "status": "running"}}, "workflow_run", "in_progress", None),
        ({"object_kind": "release", "action": "create", "tag": "v1"}, "release", "published", Kind.GENERAL),
    ],
)
def test_it_asks_the_same_questions(payload: dict[str, Any], type: str, action: str, kind: Kind | None) -> None:
    delivery = read(payload)
    found = read_facts(delivery.type, json.loads(delivery.payload))
    assert (delivery.type, found.action, found.host, delivery.known) == (type, action, "gitlab", True)
    verdict = classify(found)
    assert (None if verdict.ignored else verdict.kind) == kind, verdict.reason


def test_a_merge_request_as_facts() -> None:
    found = facts(merge_request())
    assert (found.repository, found.repository_id, found.subject, found.number) == ("acme/tools/shop", 15, "acme/tools/shop!7", 7)
    assert (found.head_sha, found.ref, found.author, found.sender, found.labels) == (HEAD, "tax", "ada", "ada", ("bug",))
    assert (found.title, found.body, found.draft) == ("Tax per line", "Rounds each line.", False)
    assert facts(merge_request(author_id=9)).author == "", "who acts is not who opened it"
    assert facts(gitlab_issue()).subject == "acme/tools/shop#23"
    assert facts(gitlab_note("merge_request")).subject == "acme/tools/shop!7"
    assert facts(gitlab_note("issue")).subject == "acme/tools/shop#23"


def test_versions_let_newer_heads_replace_older_ones_of_the_same_host_only() -> None:
    def version(payload: dict[str, Any]) -> tuple[str, int] | None:
        delivery = read(payload)
        return supersede_version(delivery.type, json.loads(delivery.payload))

    assert version(merge_request()) == ("pr:gitlab:15:7", 1_795_341_600_000)
    assert version(merge_request("update", oldrev=BASE, updated_at="2026-11-22T10:00:01Z")) == ("pr:gitlab:15:7", 1_795_341_601_000)
    assert version(merge_request("update")) is None
    assert version(gitlab_push()) == ("push:gitlab:15:refs/heads/main", 1_795_341_600_000)


def test_of_many_commits_the_files_are_not_all_files() -> None:
    assert [file.path for file in facts(gitlab_push()).files] == ["a.py", "b.py"]
    assert facts(gitlab_push(total_commits_count=21)).files == ()


def test_our_words_and_those_of_token_accounts_are_loops() -> None:
    marked = gitlab_note("merge_request", "hello\n\n<!-- gitbridge:acme/tools/shop#7:code_review:x -->")
    assert loop_reason(facts(marked), Ourselves()) == "our own words: they carry our marker"
    bot = ADA | {"username": "project_15_bot_4ffca233d8298ea1"}
    assert "bots are not answered" in str(loop_reason(facts(gitlab_note("issue", user=bot)), Ourselves()))
    assert loop_reason(facts(gitlab_note("issue")), Ourselves()) is None


def test_what_gitlab_notes_down_itself_and_kinds_nobody_answers_are_not_known() -> None:
    for payload in (gitlab_note("issue", system=True), gitlab_note("snippet"), {"object_kind": "wiki_page"}, {"event_name": "user_create"}):
        assert not read(payload).known
    with pytest.raises(NotUnderstood, match="object_kind"):
        read({"event": "push"})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "iid", "action", "draft", "title", "timestamp"]), inner)
    ),
    max_leaves=10,
)
KINDS = ["merge_request", "push", "tag_push", "issue", "work_item", "note", "release", "pipeline"]
FIELDS = [
    "user",
    "project",
    "object_attributes",
    "changes",
    "labels",
    "commits",
    "merge_request",
    "issue",
    "commit",
    "ref",
    "after",
    "action",
]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_whatever_the_payload_is_it_is_rewritten(kind: str, fields: dict[str, Any]) -> None:
    found = github_shape({"object_kind": kind, **fields})
    if found is not None:
        read_facts(found[0], json.loads(json.dumps(found[1])))
