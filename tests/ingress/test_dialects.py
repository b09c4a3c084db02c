"""What code hosts send, told apart by their headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gitbridge_console.ingress.dialects import DIALECTS, dialect_of
from gitbridge_console.ingress.dialects.base import Delivery, Dialect, NotUnderstood
from gitbridge_console.ingress.dialects.github import GitHubDialect
from gitbridge_console.ingress.signature import sign

GITHUB = {"x-github-event": "push", "x-github-delivery": "7-a"}


class Imitator:
    """A host that sends GitHub's headers beside its own, as Gitea and Forgejo do."""

    name, source, headers = "imitator", "webhook:imitator", frozenset({"x-imitator-event"})

    def speaks(self, headers: Mapping[str, str]) -> bool:
        return "x-imitator-event" in headers

    def unproven(self, headers: Mapping[str, str]) -> str | None:
        return None

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        return True

    def read(self, headers: Mapping[str, str], payload: dict[str, Any], text: bytes) -> Delivery:
        return Delivery("1", "push", text)


def test_who_speaks_is_asked_in_order_and_the_last_one_answers_for_nobody() -> None:
    own: tuple[Dialect, ...] = (Imitator(), GitHubDialect())
    assert dialect_of({**GITHUB, "x-imitator-event": "push"}, own).name == "imitator"
    assert dialect_of(GITHUB, own).name == "github"
    assert dialect_of({}, own).name == "github"


def test_each_dialect_has_a_name_of_its_own_and_github_is_last() -> None:
    names = [dialect.name for dialect in DIALECTS]
    assert len(set(names)) == len(names)
    assert names[-1] == "github"
    for dialect in DIALECTS:
        assert all(header == header.lower() for header in dialect.headers)


def test_github_by_example() -> None:
    dialect, body = GitHubDialect(), b'{"a": 1}'
    signed = GITHUB | {"x-hub-signature-256": sign(body, b"new")}
    assert dialect.unproven(signed) is None
    assert dialect.verify(body, signed, [b"old", b"new"])
    assert not dialect.verify(body + b" ", signed, [b"old", b"new"])
    assert dialect.read(signed, {"a": 1}, body) == Delivery("7-a", "push", body)


def test_sha1_alone_is_no_proof() -> None:
    assert GitHubDialect().unproven(GITHUB) == "X-Hub-Signature-256 is missing"
    text = GitHubDialect().unproven(GITHUB | {"x-hub-signature": "sha1=0"})
    assert text == "X-Hub-Signature-256 is missing; SHA-1 signatures are not accepted"


def test_a_ping_and_an_event_nobody_knows() -> None:
    dialect = GitHubDialect()
    assert dialect.read(GITHUB | {"x-github-event": "ping"}, {}, b"{}").ping
    assert not dialect.read(GITHUB | {"x-github-event": "brand_new"}, {}, b"{}").known


@pytest.mark.parametrize("header", ["x-github-event", "x-github-delivery"])
@pytest.mark.parametrize(
    ("value", "why"), [("", "is missing"), ("a b", "is not usable"), ("ä", "is not usable"), ("x" * 101, "is not usable")]
)
def test_headers_it_cannot_do_without(header: str, value: str, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        GitHubDialect().read(GITHUB | {header: value}, {}, b"{}")
