"""GitLab's payloads in the shape of GitHub's, so that one reader serves all. Pure and total: nothing is made up, nothing raised.

Shapes: https://docs.gitlab.com/user/project/integrations/webhook_events/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from gitbridge_console.domain.events import GITLAB
from gitbridge_console.domain.facts import number, rows, table, text

BOT = re.compile(r"(?:project|group)_\d+_bot(?:_[0-9a-f]+)?|service_account_\w+|ghost")
"""Accounts behind access tokens and service accounts; GitLab's payloads do not say so otherwise."""
_UTC = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC")
_REVIEWS = {"approved": "submitted", "approval": "submitted", "unapproved": "dismissed", "unapproval": "dismissed"}
_CONCLUSIONS = {"success": "success", "failed": "failure", "canceled": "cancelled", "skipped": "skipped"}
Rewritten = tuple[str, dict[str, Any]]


def github_shape(payload: Mapping[str, Any]) -> Rewritten | None:
    """GitHub's name of the event and its payload, ``None`` for kinds that nothing is known to answer.

    The payload itself stays under ``gitlab``.
    """
    rewrite = _KINDS.get(text(payload.get("object_kind")))
    found = rewrite(payload) if rewrite is not None else None
    if found is None:
        return None
    type, body = found
    return type, body | common(payload)


def common(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What every event has: where it happened, who did it, and which host says so."""
    project = table(payload.get("project"))
    login = text(table(payload.get("user")).get("username")) or text(payload.get("user_username"))
    repository = {
        "id": number(project.get("id")) or number(payload.get("project_id")),
        "name": text(project.get("name")),
        "full_name": text(project.get("path_with_namespace")),
        "html_url": text(project.get("web_url")),
        "default_branch": text(project.get("default_branch")),
    }
    return {
        "repository": repository,
        "sender": {"login": login, "type": "Bot" if BOT.fullmatch(login) else "User"},
        "gitbridge": {"host": GITLAB},
        "gitlab": dict(payload),
    }


def _merge_request(payload: Mapping[str, Any]) -> Rewritten:
    attributes, changes = table(payload.get("object_attributes")), table(payload.get("changes"))
    word = text(attributes.get("action"))
    pull = _pull(attributes, payload) | {"labels": _labels(payload.get("labels") or attributes.get("labels"))}
    if word in _REVIEWS:
        review = {"state": "approved", "user": {"login": text(table(payload.get("user")).get("username"))}, "body": ""}
        return "pull_request_review", {"action": _REVIEWS[word], "review": review, "pull_request": pull}
    return "pull_request", {"action": _merge_action(word, attributes, changes), "number": pull["number"], "pull_request": pull}


def _merge_action(word: str, attributes: Mapping[str, Any], changes: Mapping[str, Any]) -> str:
    """GitLab says ``update`` of whatever changed; only new commits bring an ``oldrev``."""
    if word == "update":
        if text(attributes.get("oldrev")):
            return "synchronize"
        draft = table(changes.get("draft"))
        if draft.get("previous") is True and draft.get("current") is False:
            return "ready_for_review"
        return "labeled" if "labels" in changes else "edited"
    return {"open": "opened", "reopen": "reopened", "close": "closed", "merge": "closed"}.get(word, word)


def _pull(merge: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """A merge request as a pull request. Who opened it is known only where that is who acts now."""
    user, author_id = table(payload.get("user")), number(merge.get("author_id"))
    author = {"login": text(user.get("username"))} if author_id is not None and author_id == number(user.get("id")) else {"id": author_id}
    return {
        "number": number(merge.get("iid")),
        "title": text(merge.get("title"), 500),
        "body": text(merge.get("description"), 100_000),
        "user": author,
        "state": "open" if merge.get("state") == "opened" else text(merge.get("state")),
        "merged": merge.get("state") == "merged",
        "draft": merge.get("draft") is True or merge.get("work_in_progress") is True,
        "labels": _labels(merge.get("labels")),
        "head": {"sha": text(table(merge.get("last_commit")).get("id"), 64), "ref": text(merge.get("source_branch"))},
        "base": {"ref": text(merge.get("target_branch"))},
        "updated_at": _time(merge.get("updated_at")),
        "html_url": text(merge.get("url")),
    }


def _push(payload: Mapping[str, Any]) -> Rewritten:
    """A push of a branch or a tag. Of more than twenty commits the payload holds the newest only: their files are not all files."""
    commits = [table(commit) for commit in rows(payload.get("commits"))]
    total, after = number(payload.get("total_commits_count")), text(payload.get("after"), 64)
    head = next((commit for commit in reversed(commits) if commit.get("id") == after), commits[-1] if commits else None)
    if total is not None and total > len(commits):
        commits = [{key: value for key, value in commit.items() if key not in ("added", "modified", "removed")} for commit in commits]
    body: dict[str, Any] = {"ref": text(payload.get("ref")), "before": text(payload.get("before"), 64), "after": after, "commits": commits}
    if head is not None:
        body["head_commit"] = {**head, "timestamp": _time(head.get("timestamp"))}
    body["pusher"] = {"name": text(payload.get("user_username")) or text(payload.get("user_name"))}
    return "push", body


def _issue(payload: Mapping[str, Any]) -> Rewritten:
    attributes, changes = table(payload.get("object_attributes")), table(payload.get("changes"))
    word = text(attributes.get("action"))
    action = {"open": "opened", "reopen": "reopened", "close": "closed"}.get(word, word)
    if word == "update":
        action = "edited" if {"title", "description"} & changes.keys() else "labeled" if "labels" in changes else "updated"
    issue = _item(attributes, payload) | {"labels": _labels(payload.get("labels") or attributes.get("labels"))}
    return "issues", {"action": action, "issue": issue}


def _note(payload: Mapping[str, Any]) -> Rewritten | None:
    note = table(payload.get("object_attributes"))
    if note.get("system") is True:
        return None  # what GitLab itself notes down: "added 1 commit"
    action = {"create": "created", "update": "edited"}.get(text(note.get("action")) or "create", text(note.get("action")))
    position = table(note.get("position"))
    comment = {
        "id": number(note.get("id")),
        "body": note.get("note") if isinstance(note.get("note"), str) else "",
        "user": {"login": text(table(payload.get("user")).get("username"))},
        "html_url": text(note.get("url")),
        "path": text(position.get("new_path")),
        "commit_id": text(note.get("commit_id"), 64),
    }
    body: dict[str, Any] = {"action": action, "comment": comment}
    merge, issue = table(payload.get("merge_request")), table(payload.get("issue"))
    if merge and (position or text(note.get("line_code"))):
        return "pull_request_review_comment", body | {"pull_request": _pull(merge, payload)}
    if merge:
        pull = _pull(merge, payload)
        return "issue_comment", body | {"issue": pull | {"pull_request": {"html_url": pull["html_url"]}}}
    if issue:
        return "issue_comment", body | {"issue": _item(issue, payload)}
    return ("commit_comment", body) if table(payload.get("commit")) else None


def _item(issue: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    user, author_id = table(payload.get("user")), number(issue.get("author_id"))
    return {
        "number": number(issue.get("iid")),
        "title": text(issue.get("title"), 500),
        "body": text(issue.get("description"), 100_000),
        "user": {"login": text(user.get("username"))} if author_id == number(user.get("id")) else {"id": author_id},
        "labels": _labels(issue.get("labels")),
        "html_url": text(issue.get("url")),
    }


def _release(payload: Mapping[str, Any]) -> Rewritten:
    action = {"create": "published", "update": "edited", "delete": "deleted"}.get(text(payload.get("action")), text(payload.get("action")))
    release = {
        "name": text(payload.get("name"), 500),
        "tag_name": text(payload.get("tag")),
        "body": text(payload.get("description"), 100_000),
        "html_url": text(payload.get("url")),
    }
    return "release", {"action": action, "release": release}


def _pipeline(payload: Mapping[str, Any]) -> Rewritten:
    run = table(payload.get("object_attributes"))
    conclusion = _CONCLUSIONS.get(text(run.get("status")))
    return "workflow_run", {
        "action": "completed" if conclusion else "in_progress",
        "workflow_run": {
            "id": number(run.get("id")),
            "name": text(run.get("name")) or "pipeline",
            "head_branch": text(run.get("ref")),
            "head_sha": text(run.get("sha"), 64),
            "status": text(run.get("status")),
            "conclusion": conclusion,
            "html_url": text(run.get("url")),
        },
    }


def _labels(value: Any) -> list[dict[str, str]]:
    return [{"name": name} for label in rows(value)[:100] if (name := text(table(label).get("title")))]


def _time(value: Any) -> str:
    """A time as ISO 8601; GitLab writes some as ``2015-03-01 20:12:53 UTC``."""
    return _UTC.sub(r"\1T\2Z", text(value, 40))


_KINDS: dict[str, Callable[[Mapping[str, Any]], Rewritten | None]] = {
    "merge_request": _merge_request,
    "push": _push,
    "tag_push": _push,
    "issue": _issue,
    "work_item": _issue,
    "note": _note,
    "release": _release,
    "pipeline": _pipeline,
}
