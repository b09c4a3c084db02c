"""Gitea's and Forgejo's deliveries: told from GitHub's, whose headers they send too, and read in their own words."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from gitbridge_console.domain.events import EventFacts, Kind
from gitbridge_console.domain.facts import read_facts, supersede_version
from gitbridge_console.domain.loops import Ourselves, loop_reason
from gitbridge_console.ingress.dialects import dialect_of
from gitbridge_console.ingress.dialects.base import Delivery, NotUnderstood
from gitbridge_console.ingress.dialects.gitea import GiteaDialect
from gitbridge_console.router.classifier import classify
from tests.ingress.hosts_payloads import BASE, GITEA_ADA, GITEA_PULL, GITEA_REPOSITORY, HEAD, gitea_pull, gitea_push

DIALECT = GiteaDialect()
BODY = json.dumps({"a": "ä"}, ensure_ascii=False).encode()


def sent(event: str, body: bytes = BODY, secret: bytes = b"s", family: str = "gitea", detail: str = "") -> dict[str, str]:
    """The headers of a delivery, GitHub's beside its own."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    own = {f"x-{family}-delivery": "u-1", f"x-{family}-event": event, f"x-{family}-event-type": detail, f"x-{family}-signature": digest}
    github = {"x-github-delivery": "u-1", "x-github-event": event, "x-hub-signature-256": f"sha256={digest}"}
    return own | github | {"content-type": "application/json"}


def read(event: str, payload: dict[str, Any]) -> Delivery:
    return DIALECT.read(sent(event), payload, b"")


def facts(event: str, payload: dict[str, Any]) -> EventFacts:
    delivery = read(event, payload)
    return read_facts(delivery.type, json.loads(delivery.payload))


@pytest.mark.parametrize("family", ["gitea", "forgejo"])
def test_it_is_told_from_the_host_it_imitates(family: str) -> None:
    headers = sent("push", family=family)
    assert dialect_of(headers).name == "gitea"
    assert DIALECT.unproven(headers) is None
    assert DIALECT.verify(BODY, headers, [b"old", b"s"])
    assert not DIALECT.verify(BODY + b" ", headers, [b"s"])
    assert not DIALECT.verify(BODY, headers, [b"old"])


def test_the_hub_signature_alone_will_do_and_an_empty_one_is_none() -> None:
    headers = {name: value for name, value in sent("push").items() if name != "x-gitea-signature"}
    assert DIALECT.verify(BODY, headers, [b"s"])
    without_secret = sent("push") | {"x-gitea-signature": "", "x-hub-signature-256": "sha256="}
    assert "X-Gitea-Signature is missing" in str(DIALECT.unproven(without_secret))
    assert not DIALECT.verify(BODY, without_secret, [b"s", b""])


def test_in_a_form_the_signature_is_that_of_the_json_within() -> None:
    form = urlencode({"payload": BODY}).encode()
    headers = sent("push") | {"content-type": "application/x-www-form-urlencoded"}
    assert DIALECT.verify(form, headers, [b"s"])
    assert not DIALECT.verify(form.replace(b"payload", b"payloaf"), headers, [b"s"])
    assert not DIALECT.verify(b"&" * 100, headers, [b"s"])


@pytest.mark.parametrize(
    ("event", "payload", "type", "action", "kind"),
    [
        ("pull_request", gitea_pull(), "pull_request", "opened", Kind.CODE_REVIEW),
        ("pull_request", gitea_pull("synchronized"), "pull_request", "synchronize", Kind.CODE_REVIEW),
        ("pull_request", gitea_pull("edited", {"title": {"from": "WIP: Tax"}}), "pull_request", "ready_for_review", Kind.CODE_REVIEW),
        ("pull_request", gitea_pull("edited", {"title": {"from": "Taxes"}}), "pull_request", "edited", None),
        ("pull_request", gitea_pull("label_updated"), "pull_request", "labeled", None),
        ("pull_request", gitea_pull("closed"), "pull_request", "closed", None),
        (
            "pull_request_approved",
            gitea_pull("reviewed") | {"review": {"type": "x", "content": "good"}},
            "pull_request_review",
            "submitted",
            Kind.GENERAL,
        ),
        ("pull_request_rejected", gitea_pull("reviewed"), "pull_request_review", "submitted", Kind.GENERAL),
        ("push", gitea_push(), "push", "", Kind.PUSH_REVIEW),
        ("issues", {"action": "opened", "issue": {"number": 3, "title": "x"}, "sender": GITEA_ADA}, "issues", "opened", Kind.ISSUE_TRIAGE),
        ("issues", {"action": "label_cleared", "issue": {"number": 3}, "sender": GITEA_ADA}, "issues", "unlabeled", None),
        (
            "issue_comment",
            {"action": "created", "issue": {"number": 3}, "comment": {"body": "x", "user": GITEA_ADA}},
            "issue_comment",
            "created",
            Kind.GENERAL,
        ),
        ("release", {"action": "published", "release": {"tag_name": "v1"}}, "release", "published", Kind.GENERAL),
        ("create", {"ref": "x", "ref_type": "branch"}, "create", "", None),
    ],
)
def test_it_asks_the_same_questions(event: str, payload: dict[str, Any], type: str, action: str, kind: Kind | None) -> None:
    delivery = read(event, payload)
    found = read_facts(delivery.type, json.loads(delivery.payload))
    assert (delivery.id, delivery.type, found.action, found.host, delivery.known) == ("gitea:u-1", type, action, "gitea", True)
    verdict = classify(found)
    assert (None if verdict.ignored else verdict.kind) == kind, verdict.reason


def test_a_pull_request_as_facts() -> None:
    found = facts("pull_request", gitea_pull())
    assert (found.repository, found.repository_id, found.subject, found.number) == ("acme/shop", 15, "acme/shop#7", 7)
    assert (found.head_sha, found.base_sha, found.author, found.labels, found.additions) == (HEAD, BASE, "ada", ("bug",), 3)
    assert facts("pull_request", gitea_pull(title="WIP: Tax")).draft
    delivery = read("pull_request", gitea_pull("synchronized"))
    assert supersede_version(delivery.type, json.loads(delivery.payload)) == ("pr:gitea:15:7", 1_795_341_600_000)


def test_of_many_commits_the_files_are_not_all_files() -> None:
    assert [file.path for file in facts("push", gitea_push()).files] == ["a.py", "b.py"]
    assert facts("push", gitea_push(total_commits=31)).files == ()


def test_loops_in_reviews_and_comments_and_its_own_runner() -> None:
    marked = gitea_pull("reviewed") | {"review": {"type": "pull_request_review_comment", "content": "<!-- gitbridge:acme/shop#7:x:y -->"}}
    assert loop_reason(facts("pull_request_comment", marked), Ourselves()) is not None
    runner = {"id": -2, "login": "gitea-actions"}
    comment = {"action": "created", "issue": {"number": 3}, "comment": {"body": "x", "user": runner}, "sender": runner}
    assert "bots are not answered" in str(loop_reason(facts("issue_comment", comment), Ourselves()))


def test_what_is_not_usable_says_why() -> None:
    for change, why in (({"x-gitea-event": "Push!"}, "X-Gitea-Event"), ({"x-gitea-delivery": ""}, "X-Gitea-Delivery")):
        with pytest.raises(NotUnderstood, match=why):
            DIALECT.read(sent("push") | change, {}, b"")
    assert not read("wiki", {"action": "created", "repository": GITEA_REPOSITORY}).known


def test_the_payload_is_kept_and_the_hosts_own_words_beside_it() -> None:
    body = json.loads(read("pull_request", gitea_pull("synchronized")).payload)
    assert body["gitea"] == {"event": "pull_request", "event_type": "", "action": "synchronized"}
    assert body["pull_request"] == GITEA_PULL
