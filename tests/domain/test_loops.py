"""What comes back of our own doing is not answered; what others made is, whoever they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.facts import read_facts
from gitbridge_console.domain.loops import MARKER_START, SAID, Ourselves, is_marked, loop_reason

MARKER = f"{MARKER_START}acme/shop#7:code_review:{'a' * 40} -->"
WE = Ourselves(logins=frozenset({"review-desk", "desk[bot]"}), apps=frozenset({"12345"}), answered_bots=frozenset({"dependabot[bot]"}))
ADA = {"login": "ada", "type": "User"}
BOT = {"login": "renovate[bot]", "type": "Bot"}


def comment(body: str = "I see", *, user: dict[str, Any] = ADA, sender: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "action": "created",
        "issue": {"number": 7, "title": "Tax", "user": ADA},
        "comment": {"body": body, "user": user, **more},
        "repository": {"id": 1, "full_name": "acme/shop"},
        "sender": sender or user,
    }


def reason(type: str, payload: dict[str, Any], we: Ourselves = WE) -> str | None:
    return loop_reason(read_facts(type, payload), we)


@pytest.mark.parametrize("type", sorted(SAID))
def test_our_marker_tells_wherever_it_is_said(type: str) -> None:
    said = "review" if type == "pull_request_review" else "comment"
    payload = {"action": "created", said: {"body": f"### GitBridge: approve\n\n{'x' * 60_000}\n\n{MARKER}", "user": ADA}, "sender": ADA}
    assert reason(type, payload, Ourselves()) == "our own words: they carry our marker"


def test_who_quotes_us_or_speaks_of_the_marker_is_somebody_else() -> None:
    for body in (f"> {MARKER}\n\nwhat does this mean?", f"see `{MARKER}`", "gitbridge: hello"):
        assert reason("issue_comment", comment(body)) is None


def test_our_login_tells_in_any_case_and_also_when_somebody_edits_what_we_said() -> None:
    assert reason("issue_comment", comment(user={"login": "Review-Desk", "type": "User"})) == "our own words: Review-Desk is us"
    edited = comment("nicer", user={"login": "review-desk", "type": "User"}, sender=ADA) | {"action": "edited"}
    assert reason("pull_request_review_comment", edited) == "our own words: review-desk is us"


def test_our_app_tells_by_its_id_or_slug() -> None:
    by_app = comment(user={"login": "ada", "type": "User"}, performed_via_github_app={"id": 12345, "slug": "desk"})
    assert reason("issue_comment", by_app) == "our own words: ada is us"
    assert reason("issue_comment", by_app, Ourselves(apps=frozenset({"desk"}))) is not None
    assert reason("issue_comment", by_app, Ourselves(apps=frozenset({"99"}))) is None


def test_a_comment_on_an_issue_that_our_app_opened_is_not_ours() -> None:
    payload = comment()
    payload["issue"]["performed_via_github_app"] = {"id": 12345}
    assert reason("issue_comment", payload) is None


def test_bots_are_answered_only_where_they_are_named() -> None:
    assert reason("issue_comment", comment(user=BOT)) == "bots are not answered: renovate[bot] is one"
    assert reason("issue_comment", comment(user={"login": "dependabot[bot]", "type": "Bot"})) is None
    assert reason("issue_comment", comment(user=BOT), Ourselves(answered_bots=frozenset({"renovate"}))) is None


@pytest.mark.parametrize("user", [BOT, {"login": "review-desk", "type": "User"}])
def test_a_pull_request_an_issue_or_a_push_is_no_loop_whoever_made_it(user: dict[str, Any]) -> None:
    assert reason("pull_request", {"action": "opened", "pull_request": {"number": 1, "user": user, "body": MARKER}, "sender": user}) is None
    assert reason("issues", {"action": "opened", "issue": {"number": 1, "user": user, "body": MARKER}, "sender": user}) is None
    assert reason("push", {"ref": "refs/heads/main", "sender": user}) is None


def test_our_own_labels_and_check_runs_come_back_too() -> None:
    labeled = {"action": "labeled", "issue": {"number": 1, "user": ADA}, "label": {"name": "bug"}, "sender": {"login": "review-desk"}}
    assert reason("issues", labeled) == "our own label: review-desk is us"
    assert reason("issues", labeled | {"sender": ADA}) is None
    run = {"action": "completed", "check_run": {"conclusion": "failure", "app": {"id": 12345, "slug": "desk"}}, "sender": ADA}
    assert reason("check_run", run) == "our own check run"
    assert reason("check_run", run, Ourselves()) is None


def test_without_settings_only_marker_and_bots_are_known() -> None:
    assert reason("issue_comment", comment(), Ourselves()) is None
    assert reason("issue_comment", comment(user={"login": "", "type": "User"}), Ourselves(logins=frozenset())) is None


@given(st.text(), st.sampled_from(["", " ", "   ", "text before\n"]))
def test_a_marker_at_the_start_of_any_line_counts(before: str, indent: str) -> None:
    assert is_marked(f"{before}\n{indent}{MARKER}")


def test_what_is_said_is_read_whole_although_facts_show_only_its_beginning() -> None:
    facts = read_facts("issue_comment", json.loads(json.dumps(comment("x" * 65_000 + f"\n{MARKER}"))))
    assert facts.marked
    assert len(dict(facts.extra)["comment"]) == 1_000
