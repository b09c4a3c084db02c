"""Payloads as GitLab, Gitea and Forgejo send them, cut down to what is read and what stands beside it."""

from __future__ import annotations

import copy
from typing import Any

HEAD, BASE = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7", "95790bf891e76fee5e1747ab589903a6a1f80f22"
ADA = {"id": 51, "name": "Ada", "username": "ada", "avatar_url": None, "email": "[REDACTED]"}
PROJECT = {
    "id": 15,
    "name": "Shop",
    "web_url": "https://gitlab.example/acme/tools/shop",
    "git_http_url": "https://gitlab.example/acme/tools/shop.git",
    "namespace": "Tools",
    "path_with_namespace": "acme/tools/shop",
    "default_branch": "main",
}
MERGE: dict[str, Any] = {
    "id": 99,
    "iid": 7,
    "title": "Tax per line",
    "description": "Rounds each line.",
    "author_id": 51,
    "source_branch": "tax",
    "target_branch": "main",
    "state": "opened",
    "draft": False,
    "work_in_progress": False,
    "updated_at": "2026-11-22 10:00:00 UTC",
    "last_commit": {"id": HEAD, "message": "tax", "timestamp": "2026-11-22T09:59:00+00:00"},
    "labels": [{"id": 1, "title": "bug"}],
    "url": "https://gitlab.example/acme/tools/shop/-/merge_requests/7",
}


def merge_request(action: str = "open", changes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": ADA,
        "project": PROJECT,
        "repository": {"name": "Shop", "homepage": PROJECT["web_url"]},
        "object_attributes": copy.deepcopy(MERGE) | {"action": action} | more,
        "labels": [{"id": 1, "title": "bug"}],
        "changes": changes or {},
    }


def gitlab_push(ref: str = "refs/heads/main", **more: Any) -> dict[str, Any]:
    commits = [
        {"id": BASE, "message": "one", "timestamp": "2026-11-22T09:00:00+00:00", "added": ["a.py"], "modified": [], "removed": []},
        {"id": HEAD, "message": "two", "timestamp": "2026-11-22T10:00:00+00:00", "added": [], "modified": ["b.py"], "removed": []},
    ]
    return {
        "object_kind": "tag_push" if ref.startswith("refs/tags/") else "push",
        "before": BASE,
        "after": HEAD,
        "ref": ref,
        "checkout_sha": HEAD,
        "user_id": 51,
        "user_name": "Ada",
        "user_username": "ada",
        "project_id": 15,
        "project": PROJECT,
        "commits": commits,
        "total_commits_count": 2,
    } | more


def gitlab_issue(action: str = "open", changes: dict[str, Any] | None = None) -> dict[str, Any]:
    attributes = {
        "id": 301,
        "iid": 23,
        "title": "It crashes",
        "description": "Often.",
        "author_id": 51,
        "state": "opened",
        "action": action,
    }
    return {
        "object_kind": "issue",
        "user": ADA,
        "project": PROJECT,
        "object_attributes": attributes,
        "labels": [{"id": 2, "title": "urgent"}],
        "changes": changes or {},
    }


def gitlab_note(about: str, body: str = "I see", user: dict[str, Any] = ADA, **more: Any) -> dict[str, Any]:
    things: dict[str, dict[str, Any]] = {
        "merge_request": MERGE,
        "issue": {"iid": 23, "title": "It crashes", "author_id": 51},
        "commit": {"id": HEAD, "message": "two"},
        "snippet": {"id": 5, "title": "x"},
    }
    note = {"id": 1244, "note": body, "noteable_type": about, "system": False, "action": "create", "url": "https://gitlab.example/n/1"}
    return {"object_kind": "note", "user": user, "project": PROJECT, "object_attributes": note | more, about: things[about]}


GITEA_ADA = {"id": 3, "login": "ada", "username": "ada", "full_name": "Ada", "email": "ada@example.com"}
GITEA_REPOSITORY = {
    "id": 15,
    "name": "shop",
    "full_name": "acme/shop",
    "html_url": "https://git.example/acme/shop",
    "owner": {"login": "acme"},
}
GITEA_PULL: dict[str, Any] = {
    "id": 9,
    "number": 7,
    "title": "Tax per line",
    "body": "Rounds each line.",
    "user": GITEA_ADA,
    "labels": [{"id": 1, "name": "bug"}],
    "state": "open",
    "draft": False,
    "html_url": "https://git.example/acme/shop/pulls/7",
    "additions": 3,
    "deletions": 1,
    "changed_files": 1,
    "head": {"label": "tax", "ref": "tax", "sha": HEAD},
    "base": {"label": "main", "ref": "main", "sha": BASE},
    "merge_base": BASE,
    "updated_at": "2026-11-22T10:00:00Z",
}


def gitea_pull(action: str = "opened", changes: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "action": action,
        "number": 7,
        "changes": changes,
        "pull_request": copy.deepcopy(GITEA_PULL) | more,
        "repository": GITEA_REPOSITORY,
        "sender": GITEA_ADA,
        "commit_id": "",
        "review": None,
    }


def gitea_push(**more: Any) -> dict[str, Any]:
    commit = {"id": HEAD, "message": "two", "timestamp": "2026-11-22T10:00:00Z", "added": ["a.py"], "removed": [], "modified": ["b.py"]}
    return {
        "ref": "refs/heads/main",
        "before": BASE,
        "after": HEAD,
        "compare_url": f"https://git.example/acme/shop/compare/{BASE}...{HEAD}",
        "commits": [commit],
        "total_commits": 1,
        "head_commit": commit,
        "repository": GITEA_REPOSITORY,
        "pusher": GITEA_ADA,
        "sender": GITEA_ADA,
    } | more
