"""Reads the few facts the router needs out of a webhook payload. Total: whatever the payload is, nothing is raised."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gitbridge_console.domain.events import GITEA, GITHUB, GITLAB, OTHER_HOST, ChangedFile, EventFacts
from gitbridge_console.domain.loops import is_marked

TITLE_MAX, BODY_MAX, NAME_MAX, EXTRA_MAX, EXTRA_COUNT, FILES_MAX = 500, 20_000, 300, 1_000, 50, 3_000

HEAD_CHANGING = frozenset({"opened", "synchronize", "reopened", "ready_for_review"})
ZERO_SHA = "0" * 40
DIFF_MAX = 2_000_000
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999: anything later is no time, and would keep every later version of its subject out."""
GIT_HEADER = re.compile(r'^diff --git "?a/(.+?)"? "?b/(.+?)"?\r?$', re.MULTILINE)
PLAIN_HEADER = re.compile(r'^--- (?:"?a/)?([^\t\r\n"]++)[^\n]*+\n\+\+\+ (?:"?b/)?([^\t\r\n"]+)', re.MULTILINE)


def table(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any, limit: int = NAME_MAX) -> str:
    """The value if it is text (or a number), cut to ``limit`` characters, else ``""``."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float) or number(value) is not None:
        return str(value)[:limit]
    return value[:limit].encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else ""


def number(value: Any) -> int | None:
    """The value if it is a whole number of sensible size, else ``None``."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else None


def rows(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def read_facts(type: str, payload: Any, diff: str | None = None) -> EventFacts:
    """The facts of one event of GitHub's shapes, or of the flat envelope older producers send.

    ``diff`` names the changed files where the payload does not, as that of a pull request never does.
    """
    body = table(payload)
    if "event_type" in body and "repository" not in body:
        return _flat(type, body)
    thing, host = _thing(type, body), _host(body)
    repository = table(body.get("repository"))
    full_name = text(repository.get("full_name")) or text(table(body.get("organization")).get("login"))
    sender = table(body.get("sender"))
    said = table(body.get("comment")) or table(body.get("review"))
    author = table(said.get("user")) or table(thing.get("user")) or table(thing.get("author")) or sender
    ref = text(body.get("ref"))
    subject_number = number(thing.get("number")) if "number" in thing else number(body.get("number"))
    head, base = table(thing.get("head")), table(thing.get("base"))
    return EventFacts(
        type=type,
        action=text(body.get("action"), 60),
        host=host,
        repository=full_name,
        repository_id=number(repository.get("id")) or 0,
        subject=_subject(full_name, subject_number, ref, "!" if host == GITLAB and _is_pull(type, thing) else "#"),
        number=subject_number,
        title=_title(type, body, thing),
        body=text(thing.get("body"), BODY_MAX) or text(thing.get("description"), BODY_MAX),
        author=text(author.get("login")) or text(table(body.get("pusher")).get("name")),
        author_is_bot=text(sender.get("type")) == "Bot" or text(sender.get("login")).endswith("[bot]"),
        sender=text(sender.get("login")),
        apps=_apps(said or thing),
        marked=is_marked(said["body"]) if isinstance(said.get("body"), str) else False,
        labels=tuple(name for label in rows(thing.get("labels"))[:100] if (name := text(table(label).get("name")))),
        files=_files(body) or _files_of_diff(diff or "") or _listed(table(body.get("legacy")).get("files")),
        additions=number(thing.get("additions")),
        deletions=number(thing.get("deletions")),
        changed_files=number(thing.get("changed_files")),
        head_sha=text(head.get("sha"), 64) or text(body.get("after"), 64) or text(thing.get("head_sha"), 64),
        base_sha=text(base.get("sha"), 64) or text(body.get("before"), 64),
        ref=ref or text(head.get("ref")) or text(thing.get("head_branch")),
        draft=thing.get("draft") is True,
        deleted_ref=body.get("deleted") is True or text(body.get("after")) == ZERO_SHA,
        url=text(thing.get("html_url")) or text(body.get("compare")) or text(repository.get("html_url")),
        extra=_extra(type, body, thing),
    )


def _apps(made: Mapping[str, Any]) -> tuple[str, ...]:
    """Ids and slug of the App through which something was said or run."""
    app = table(made.get("performed_via_github_app")) or table(made.get("app"))
    return tuple(name for key in ("id", "client_id", "slug") if (name := text(app.get(key))))


def supersede_version(type: str, payload: Any) -> tuple[str, int] | None:
    """Key and version (ms) of the head an event is about, or ``None`` when it does not move a head.

    Only head-changing actions of one pull request and pushes of one ref replace one another; labels and comments never do.
    """
    body = table(payload)
    repository = table(body.get("repository"))
    place: int | str = number(repository.get("id")) or text(repository.get("full_name"))
    if not place:
        return None
    if (host := _host(body)) != GITHUB:
        place = f"{host}:{place}"  # each host counts its repositories from one
    if type == "pull_request" and text(body.get("action")) in HEAD_CHANGING:
        pull = table(body.get("pull_request"))
        own, version = number(pull.get("number")) or number(body.get("number")), _time_ms(pull.get("updated_at"))
        return (f"pr:{place}:{own}", version) if own and version else None
    if type == "push" and text(body.get("ref")).startswith("refs/heads/"):
        version = _time_ms(repository.get("pushed_at")) or _time_ms(table(body.get("head_commit")).get("timestamp"))
        return (f"push:{place}:{text(body.get('ref'), 200).replace(' ', '_')}", version) if version else None
    return None


def _time_ms(value: Any) -> int | None:
    seconds = number(value)
    if seconds is not None:
        return seconds * 1000 if 0 < seconds < 10**11 else seconds if 0 < seconds <= LATEST_MS else None
    try:
        return round(datetime.fromisoformat(value).timestamp() * 1000) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None


_THINGS = (
    "pull_request", "issue", "discussion", "release", "workflow_run", "check_run", "check_suite", "workflow_job", "deployment",
    "alert", "security_advisory", "head_commit", "member", "milestone", "package",
)  # fmt: skip


def _thing(type: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object an event is about."""
    for name in (type, *_THINGS):
        found = table(body.get(name))
        if found:
            return found
    return {}


def _host(body: Mapping[str, Any]) -> str:
    """The host a payload is from, as the receiver wrote into it; GitHub's are kept as they came."""
    host = text(table(body.get("gitbridge")).get("host")) or GITHUB
    return host if host in (GITHUB, GITLAB, GITEA) else OTHER_HOST


def _is_pull(type: str, thing: Mapping[str, Any]) -> bool:
    return type.startswith("pull_request") or "pull_request" in thing


def _subject(repository: str, subject_number: int | None, ref: str, mark: str = "#") -> str:
    """As people write it; GitLab counts merge requests and issues apart."""
    if subject_number is not None:
        return f"{repository}{mark}{subject_number}"
    return f"{repository}@{ref.removeprefix('refs/heads/').removeprefix('refs/')}" if ref else repository


def _title(type: str, body: Mapping[str, Any], thing: Mapping[str, Any]) -> str:
    candidates = (
        thing.get("title"),
        thing.get("display_title"),
        thing.get("name"),
        thing.get("tag_name"),
        thing.get("message"),
        thing.get("summary"),
        table(thing.get("security_advisory")).get("summary"),
        table(thing.get("rule")).get("description"),
        thing.get("secret_type_display_name"),
    )
    found = next((line for value in candidates if (line := text(value, TITLE_MAX))), "")
    return found.split("\n", 1)[0] or " ".join(part for part in (type.replace("_", " "), text(body.get("action"))) if part)


def _files(body: Mapping[str, Any]) -> tuple[ChangedFile, ...]:
    """Files named by a push's commits, each once, in the state the last commit left it in."""
    found: dict[str, ChangedFile] = {}
    for commit in rows(body.get("commits"))[:2_048]:
        for key, status in (("added", "added"), ("modified", "modified"), ("removed", "removed")):
            for path in rows(table(commit).get(key)):
                if (name := text(path)) and (name in found or len(found) < FILES_MAX):
                    found[name] = ChangedFile(name, status)
    return tuple(found.values())


def _files_of_diff(diff: str) -> tuple[ChangedFile, ...]:
    """Files a diff names, both names of a moved one; none of a diff too large to be read whole, lest a part stand for all."""
    if not diff or len(diff) > DIFF_MAX:
        return ()
    pairs = GIT_HEADER.findall(diff)
    if len(pairs) != diff.startswith("diff --git ") + diff.count("\ndiff --git "):
        return ()
    names = dict.fromkeys(name for pair in pairs or PLAIN_HEADER.findall(diff) for name in pair if name.strip() != "/dev/null")
    return tuple(ChangedFile(text(name.strip())) for name in names) if len(names) <= FILES_MAX else ()


def _listed(value: Any) -> tuple[ChangedFile, ...]:
    """Files of a list of names or of objects with a ``path`` or ``filename``."""
    names = (text(table(item).get("path")) or text(table(item).get("filename")) or text(item) for item in rows(value)[:FILES_MAX])
    return tuple(ChangedFile(name) for name in names if name)


def _extra(type: str, body: Mapping[str, Any], thing: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []

    def add(label: str, value: Any) -> None:
        if line := text(value, EXTRA_MAX):
            found.append((label, line))

    add("comment", table(body.get("comment")).get("body"))
    add("file", table(body.get("comment")).get("path"))
    add("review", table(body.get("review")).get("body"))
    add("review state", table(body.get("review")).get("state"))
    add("label", table(body.get("label")).get("name"))
    add("conclusion", thing.get("conclusion"))
    add("status", thing.get("status") if type.startswith(("workflow", "check")) else body.get("state"))
    add("branch", thing.get("head_branch"))
    add("output", table(thing.get("output")).get("title"))
    add("output", table(thing.get("output")).get("summary"))
    for advisory in (thing, table(thing.get("security_advisory")), table(thing.get("rule"))):
        add("severity", advisory.get("severity"))
    for commit in rows(body.get("commits"))[: EXTRA_COUNT - len(found)]:
        add("commit", table(commit).get("message"))
    return tuple(found[:EXTRA_COUNT])


def _flat(type: str, body: Mapping[str, Any]) -> EventFacts:
    """The flat envelope: ``event_type, repo, user, message, files``."""
    repo, message = text(body.get("repo")), text(body.get("message"), BODY_MAX)
    metadata = table(body.get("metadata"))
    own = number(metadata.get("number"))
    return EventFacts(
        type=type,
        action=text(body.get("action"), 60) or text(metadata.get("action"), 60),
        repository=repo,
        subject=_subject(repo, own, text(metadata.get("ref"))),
        number=own,
        title=message.split("\n", 1)[0][:TITLE_MAX] or type.replace("_", " "),
        body=message,
        author=text(body.get("user")) or text(table(body.get("user")).get("login")),
        files=_listed(body.get("files")),
        ref=text(metadata.get("ref")),
        head_sha=text(metadata.get("sha"), 64),
    )
