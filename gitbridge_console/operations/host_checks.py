"""Whether the code host and the receiver of outgoing messages would take what is decided: one read-only question, nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitbridge_console.actions.outgoing_webhook import read_secret
from gitbridge_console.actions.signing import NoSecret, key_of
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.hosts.tokens import TokenSource
from gitbridge_console.operations.checks import Check, Level
from gitbridge_console.settings.model import Settings

PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "review": ("pull_requests",),
    "comment": ("issues", "contents"),
    "labels": ("issues",),
    "status": ("statuses",),
    "check_run": ("checks",),
}
"""What an App must be allowed to write for each action; comments on pushes need ``contents``."""


async def check_hosts(settings: Settings) -> list[Check]:
    """What the hosts say of the credentials; empty where there is neither a credential nor a wish to publish."""
    publishes = not settings.actions.dry_run
    fault: Level = "fail" if publishes else "warn"
    checks = [*_receiver(settings)]
    github = settings.hosts.github
    if _wants_check_runs(settings) and not github.app_id:
        checks.append(Check("check runs", fault, "only an App may make them", "set hosts.github.app_id, or the action or progress status"))
    api = GitHubApi(lambda: github, TokenSource(lambda: github))
    try:
        if not api.auth.available:
            if publishes:
                checks.append(
                    Check("github", "fail", "there is neither a token nor an App", f"set {github.token_env} or hosts.github.app_id")
                )
            return checks
        try:
            login = await api.own_login()
            lacking = _lacking(settings, (await api.call("GET", "/app")).data) if api.auth.is_app else []
        except HostProblem as problem:
            said = f"; it says: {problem.said}" if problem.said else ""
            checks.append(Check("github", fault, f"{problem}{said}", "see docs actions for the permissions that are needed"))
            return checks
    finally:
        await api.aclose()
    if lacking:
        text = f"{login} may not write {', '.join(lacking)}"
        checks.append(Check("github", fault, text, "change the App's permissions, and accept them where it is installed"))
    else:
        checks.append(Check("github", "ok", f"{github.base_url} answers {login}"))
    return checks


def _wants_check_runs(settings: Settings) -> bool:
    return settings.actions.progress == "check_run" or any(kind.action == "check_run" for kind in settings.kinds.values())


def _lacking(settings: Settings, app: Any) -> list[str]:
    """Permissions that the configured actions need and the App has not."""
    given = app.get("permissions") if isinstance(app, dict) else None
    if not isinstance(given, dict):
        return []
    needed = {name for kind in settings.kinds.values() for name in PERMISSIONS.get(kind.action, ())}
    needed |= set(PERMISSIONS.get(settings.actions.progress, ()))
    return sorted(name for name in needed if given.get(name) != "write")


def _receiver(settings: Settings) -> Iterator[Check]:
    if not any(kind.action == "webhook" for kind in settings.kinds.values()):
        return
    own = settings.actions
    if not own.webhook_url:
        yield Check("outgoing webhook", "warn", "a kind has the action webhook and there is no receiver", "set actions.webhook_url")
        return
    try:
        key_of(read_secret(own))
    except NoSecret as problem:
        yield Check("outgoing webhook", "fail", str(problem), f"set {own.webhook_secret_env or 'actions.webhook_secret_file'}")
    else:
        yield Check("outgoing webhook", "ok", f"{own.webhook_url}, signed")
