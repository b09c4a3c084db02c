"""Which kind of question an event is, how urgent, or why it is none: first matching rule wins.

Rules of the settings come first, the built-in ones after them. Both are data of one shape.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from gitbridge_console.domain.events import EventFacts, Kind, Priority
from gitbridge_console.domain.loops import Ourselves, loop_reason
from gitbridge_console.settings.model import HostSettings, Rule, RuleMatch

# No "*.txt": requirements.txt and CMakeLists.txt are code.
DOCS = (
    "docs/**", "doc/**", "**/*.md", "**/*.mdx", "**/*.rst", "**/*.adoc",
    "LICENSE", "LICENSE.txt", "COPYING", "NOTICE", "CHANGELOG", "CHANGELOG.txt", "README", "README.txt",
)  # fmt: skip
URGENT_LABELS = ("urgent", "security", "hotfix", "critical", "p0")
LARGE_CHANGE_LINES = 3_000
REVIEWED_ACTIONS = ("opened", "synchronize", "reopened", "ready_for_review")
QUIET_TYPES = (
    "branch_protection_configuration", "branch_protection_rule", "check_suite", "create", "delete", "deploy_key", "deployment",
    "deployment_status", "fork", "github_app_authorization", "gollum", "installation", "installation_repositories", "installation_target",
    "label", "marketplace_purchase", "member", "membership", "merge_group", "meta", "milestone", "org_block", "organization", "package",
    "page_build", "personal_access_token_request", "ping", "project", "project_card", "project_column", "projects_v2",
    "projects_v2_item", "public", "pull_request_review_thread", "registry_package", "repository", "repository_dispatch",
    "repository_import", "repository_ruleset", "sponsorship", "star", "status", "sub_issues", "issue_dependencies",
    "team", "team_add", "watch", "workflow_dispatch", "workflow_job", "custom_property", "custom_property_values",
    "security_and_analysis", "secret_scanning_scan",
)  # fmt: skip
ALARM_TYPES = (
    "code_scanning_alert", "dependabot_alert", "repository_advisory", "repository_vulnerability_alert", "secret_scanning_alert",
    "secret_scanning_alert_location", "security_advisory",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Classification:
    """The verdict, and which rule gave it."""

    kind: Kind
    priority: Priority
    ignored: bool
    reason: str
    rule: str


def _rule(when: RuleMatch, kind: Kind | None, reason: str, priority: Priority | None = None) -> Rule:
    return Rule(
        when=when, kind=kind.value if kind else None, ignore=kind is None, reason=reason, priority=priority.label if priority else None
    )


BUILTIN_RULES: tuple[Rule, ...] = (
    *(_rule(RuleMatch(type=name), Kind.GENERAL, "a security alert", Priority.HIGH) for name in ALARM_TYPES),
    *(_rule(RuleMatch(type=name), None, f"{name} needs no answer") for name in QUIET_TYPES),
    _rule(
        RuleMatch(type="pull_request", action=REVIEWED_ACTIONS, paths=DOCS), Kind.DOCUMENTATION, "only documentation changed", Priority.LOW
    ),
    _rule(
        RuleMatch(type="pull_request", action=REVIEWED_ACTIONS, draft=True),
        Kind.CODE_REVIEW,
        "a draft is reviewed when there is time",
        Priority.LOW,
    ),
    _rule(
        RuleMatch(type="pull_request", action=REVIEWED_ACTIONS, min_changed_lines=LARGE_CHANGE_LINES + 1),
        Kind.CODE_REVIEW,
        f"more than {LARGE_CHANGE_LINES} changed lines",
        Priority.LOW,
    ),
    _rule(RuleMatch(type="pull_request", action=REVIEWED_ACTIONS), Kind.CODE_REVIEW, "the head of a pull request changed"),
    _rule(RuleMatch(type="pull_request"), None, "this action does not change what is to be reviewed"),
    _rule(RuleMatch(type="push", paths=DOCS), Kind.DOCUMENTATION, "only documentation was pushed", Priority.LOW),
    _rule(RuleMatch(type="issues", action=("opened", "reopened", "edited")), Kind.ISSUE_TRIAGE, "an issue was opened or changed"),
    _rule(RuleMatch(type="issues"), None, "this action leaves the issue as it is"),
    _rule(RuleMatch(type="issue_comment", action=("edited", "deleted")), None, "the comment was answered when it was made"),
    _rule(RuleMatch(type="release", action=("published",)), Kind.GENERAL, "a release was published", Priority.HIGH),
    _rule(RuleMatch(type="release"), None, "only published releases are looked at"),
)
"""The plan's routes as rules; what none of them catches is ``general`` with low priority."""

RUN_TYPES = frozenset({"workflow_run", "check_run"})
FAILED_RUNS = frozenset({"failure", "timed_out", "startup_failure", "action_required"})


NOBODY = Ourselves()


def ourselves(hosts: HostSettings, host: str) -> Ourselves:
    """Who we are on a host, as the settings say. The App we ask as is us without being named again."""
    if host not in HostSettings.model_fields:
        return NOBODY
    own = getattr(hosts, host)
    apps = (*own.own_apps, getattr(own, "app_id", ""))
    words = (frozenset(word.strip().lower() for word in listed) - {""} for listed in (own.own_logins, apps, own.answered_bots))
    return Ourselves(*words)


def classify(facts: EventFacts, rules: Sequence[Rule] = (), we: Ourselves = NOBODY) -> Classification:
    """Classify an event by the first rule that matches. No rule makes us answer ourselves."""
    if (loop := loop_reason(facts, we)) is not None:
        return Classification(Kind.GENERAL, Priority.LOW, True, loop, "loop")
    for number, rule in enumerate(rules, 1):
        if matches(rule.when, facts):
            return _apply(rule, facts, f"settings rule {number}")
    special = _special(facts)
    if special is not None:
        return special
    for rule in _builtin_rules(facts.type):
        if matches(rule.when, facts):
            verdict = _apply(rule, facts, "built-in")
            return replace(verdict, priority=_urgent(facts, verdict.priority))
    action = f" with action {facts.action!r}" if facts.action else ""
    return Classification(Kind.GENERAL, _urgent(facts, Priority.LOW), False, f"no rule for {facts.type}{action}", "default")


@lru_cache(maxsize=256)
def _builtin_rules(event_type: str) -> tuple[Rule, ...]:
    """Those that can match the type: few of many, and every event is classified twice."""
    return tuple(rule for rule in BUILTIN_RULES if rule.when.type is None or fnmatch.fnmatchcase(event_type, rule.when.type))


def _special(facts: EventFacts) -> Classification | None:
    """Pushes and runs, whose meaning lies in more than type and action."""
    if facts.type == "push":
        if facts.deleted_ref:
            return Classification(Kind.GENERAL, Priority.LOW, True, "a deleted ref leaves nothing to look at", "built-in")
        if facts.ref.startswith("refs/tags/"):
            return Classification(Kind.GENERAL, Priority.LOW, False, "a tag was pushed", "built-in")
        if not facts.files:
            return Classification(
                Kind.PUSH_REVIEW, _urgent(facts, Priority.NORMAL), False, "a branch was pushed; its files are not listed", "built-in"
            )
        if not all(any(glob_match(path.path, glob) for glob in DOCS) for path in facts.files):
            return Classification(Kind.PUSH_REVIEW, _urgent(facts, Priority.NORMAL), False, "a branch was pushed", "built-in")
    if facts.type in RUN_TYPES:
        conclusion = dict(facts.extra).get("conclusion", "")
        failed = conclusion in FAILED_RUNS
        reason = f"a run ended with {conclusion}" if conclusion else "a run that has not ended"
        return Classification(Kind.GENERAL, _urgent(facts, Priority.NORMAL), not failed, reason, "built-in")
    return None


def _apply(rule: Rule, facts: EventFacts, name: str) -> Classification:
    kind = Kind(rule.kind) if rule.kind else Kind.GENERAL
    priority = Priority.parse(rule.priority) if rule.priority else _urgent(facts, Priority.NORMAL)
    return Classification(kind, priority, rule.ignore, rule.reason or ("ignored by rule" if rule.ignore else f"{kind.value} by rule"), name)


def _urgent(facts: EventFacts, otherwise: Priority) -> Priority:
    return Priority.HIGH if any(label.lower() in URGENT_LABELS for label in facts.labels) else otherwise


def matches(when: RuleMatch, facts: EventFacts) -> bool:
    """Whether every condition given holds. ``paths`` needs a known file list, all of it matching."""
    lines = None if facts.additions is None and facts.deletions is None else (facts.additions or 0) + (facts.deletions or 0)
    return (
        (when.type is None or fnmatch.fnmatchcase(facts.type, when.type))
        and (when.action is None or facts.action in when.action)
        and (when.repository is None or fnmatch.fnmatchcase(facts.repository.lower(), when.repository.lower()))
        and (when.author is None or fnmatch.fnmatchcase(facts.author.lower(), when.author.lower()))
        and (when.bot is None or facts.author_is_bot == when.bot)
        and (when.draft is None or facts.draft == when.draft)
        and (when.labels is None or any(label in when.labels for label in facts.labels))
        and (when.min_changed_lines is None or (lines is not None and lines >= when.min_changed_lines))
        and (when.max_changed_lines is None or (lines is not None and lines <= when.max_changed_lines))
        and (when.paths is None or (bool(facts.files) and all(any(glob_match(f.path, glob) for glob in when.paths) for f in facts.files)))
    )


@lru_cache(maxsize=1024)
def _glob_pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)


def glob_match(path: str, glob: str) -> bool:
    """Whether a path matches; ``*`` stays within a folder, ``**`` does not. A glob without ``/`` is tried on the file name too."""
    pattern = _glob_pattern(glob)
    return pattern.fullmatch(path) is not None or ("/" not in glob and pattern.fullmatch(path.rsplit("/", 1)[-1]) is not None)
