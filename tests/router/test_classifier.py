"""What kind of question each event is. The table holds every GitHub webhook event type."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.events import ChangedFile, EventFacts, Kind, Priority
from gitbridge_console.router.classifier import classify, glob_match, matches
from gitbridge_console.settings.model import Rule, RuleMatch

# ruff: noqa: SIM905
GITHUB_TYPES = """
branch_protection_rule check_run check_suite code_scanning_alert commit_comment create delete dependabot_alert deploy_key
deployment deployment_status discussion discussion_comment fork github_app_authorization gollum installation
installation_repositories issue_comment issues label marketplace_purchase member membership merge_group meta milestone org_block
organization package page_build ping project project_card project_column projects_v2_item public pull_request pull_request_review
pull_request_review_comment pull_request_review_thread push registry_package release repository repository_dispatch
repository_import repository_vulnerability_alert secret_scanning_alert secret_scanning_alert_location security_advisory
sponsorship star status team team_add watch workflow_dispatch workflow_job workflow_run
""".split()


def facts(type: str, action: str = "", **more: Any) -> EventFacts:
    files = tuple(ChangedFile(path) for path in more.pop("paths", ()))
    return EventFacts(type=type, action=action, files=files, **more)


@pytest.mark.parametrize("type", GITHUB_TYPES)
def test_every_type_gets_a_kind_or_is_ignored_with_a_reason(type: str) -> None:
    for action in ("", "created", "something new"):
        verdict = classify(facts(type, action))
        assert verdict.reason
        assert verdict.kind in Kind


@pytest.mark.parametrize(
    ("event", "kind", "priority"),
    [
        (facts("pull_request", "opened"), Kind.CODE_REVIEW, Priority.NORMAL),
        (facts("pull_request", "synchronize", paths=["src/a.py", "README.md"]), Kind.CODE_REVIEW, Priority.NORMAL),
        (facts("pull_request", "opened", draft=True), Kind.CODE_REVIEW, Priority.LOW),
        (facts("pull_request", "opened", labels=("Security",)), Kind.CODE_REVIEW, Priority.HIGH),
        (facts("pull_request", "opened", additions=3000, deletions=1), Kind.CODE_REVIEW, Priority.LOW),
        (facts("pull_request", "opened", additions=3000, deletions=0), Kind.CODE_REVIEW, Priority.NORMAL),
        (facts("pull_request", "opened", additions=4000, labels=("hotfix",)), Kind.CODE_REVIEW, Priority.HIGH),
        (facts("pull_request", "opened", draft=True, labels=("urgent",)), Kind.CODE_REVIEW, Priority.HIGH),
        (facts("pull_request", "opened", paths=["requirements.txt"]), Kind.CODE_REVIEW, Priority.NORMAL),
        (facts("pull_request", "opened", paths=["src/CHANGELOG_tools.py"]), Kind.CODE_REVIEW, Priority.NORMAL),
        (facts("pull_request", "opened", paths=["LICENSE", "docs/api.txt"]), Kind.DOCUMENTATION, Priority.LOW),
        (facts("pull_request", "opened", paths=["docs/a.md", "README.md"]), Kind.DOCUMENTATION, Priority.LOW),
        (facts("push", ref="refs/heads/main", paths=["src/a.py"]), Kind.PUSH_REVIEW, Priority.NORMAL),
        (facts("push", ref="refs/heads/main", paths=["docs/x/a.rst"]), Kind.DOCUMENTATION, Priority.LOW),
        (facts("push", ref="refs/heads/main"), Kind.PUSH_REVIEW, Priority.NORMAL),
        (facts("push", ref="refs/tags/v1"), Kind.GENERAL, Priority.LOW),
        (facts("issues", "opened"), Kind.ISSUE_TRIAGE, Priority.NORMAL),
        (facts("issue_comment", "created"), Kind.GENERAL, Priority.LOW),
        (facts("release", "published"), Kind.GENERAL, Priority.HIGH),
        (facts("dependabot_alert", "created"), Kind.GENERAL, Priority.HIGH),
        (facts("workflow_run", "completed", extra=(("conclusion", "failure"),)), Kind.GENERAL, Priority.NORMAL),
        (facts("from_the_future", "glowing"), Kind.GENERAL, Priority.LOW),
    ],
)
def test_built_in_routes(event: EventFacts, kind: Kind, priority: Priority) -> None:
    verdict = classify(event)
    assert (verdict.kind, verdict.priority, verdict.ignored) == (kind, priority, False)


@pytest.mark.parametrize(
    "event",
    [
        facts("ping"),
        facts("watch", "started"),
        facts("pull_request", "labeled"),
        facts("pull_request", "closed"),
        facts("issues", "labeled"),
        facts("push", ref="refs/heads/x", deleted_ref=True),
        facts("issue_comment", "created", author_is_bot=True),
        facts("workflow_run", "completed", extra=(("conclusion", "success"),)),
        facts("check_run", "created"),
    ],
)
def test_ignored_by_rule_with_a_reason(event: EventFacts) -> None:
    verdict = classify(event)
    assert verdict.ignored
    assert verdict.reason


def test_rules_of_the_settings_come_first_and_the_first_match_wins() -> None:
    rules = (
        Rule(when=RuleMatch(type="push", repository="acme/*"), kind="general", priority="critical", reason="watched closely"),
        Rule(when=RuleMatch(type="push"), ignore=True),
    )
    first = classify(facts("push", repository="Acme/shop", ref="refs/heads/main"), rules)
    assert (first.kind, first.priority, first.reason, first.rule) == (Kind.GENERAL, Priority.CRITICAL, "watched closely", "settings rule 1")
    second = classify(facts("push", repository="other/x", ref="refs/heads/main"), rules)
    assert (second.ignored, second.reason, second.rule) == (True, "ignored by rule", "settings rule 2")
    assert classify(facts("issues", "opened"), rules).rule == "built-in"


def test_a_priority_the_settings_give_is_not_raised_by_a_label() -> None:
    rules = (Rule(when=RuleMatch(type="pull_request"), kind="code_review", priority="bulk"),)
    assert classify(facts("pull_request", "opened", labels=("urgent",)), rules).priority is Priority.BULK


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (RuleMatch(author="dep*"), True),
        (RuleMatch(author="kim"), False),
        (RuleMatch(labels=("bug",)), True),
        (RuleMatch(bot=True), False),
        (RuleMatch(max_changed_lines=10), True),
        (RuleMatch(min_changed_lines=11), False),
        (RuleMatch(paths=("src/**",)), True),
        (RuleMatch(action="opened"), True),
        (RuleMatch(draft=True), False),
    ],
)
def test_each_condition(when: RuleMatch, holds: bool) -> None:
    event = facts("pull_request", "opened", author="dependabot", labels=("bug",), additions=6, deletions=4, paths=["src/a/b.py"])
    assert matches(when, event) is holds


@pytest.mark.parametrize(
    ("path", "glob", "fits"),
    [
        ("docs/a/b.png", "docs/**", True),
        ("src/docs/a.png", "docs/**", False),
        ("README.md", "**/*.md", True),
        ("a/b/c.md", "**/*.md", True),
        ("a/b.py", "*.py", True),
        ("a/b.py", "a/*.py", True),
        ("a/b/c.py", "a/*.py", False),
        ("x.pyc", "*.py", False),
        ("a+b.md", "a+b.md", True),
        ("ab", "a?", True),
    ],
)
def test_globs(path: str, glob: str, fits: bool) -> None:
    assert glob_match(path, glob) is fits


@given(st.text(max_size=40), st.text(max_size=20))
def test_globs_never_raise(path: str, glob: str) -> None:
    assert glob_match(path, glob) in (True, False)
