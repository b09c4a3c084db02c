"""GitHub-shaped pieces of payloads. Pure functions of what is given, so that the same traffic gives the same bytes."""

from __future__ import annotations

import json
from typing import Any

from gitbridge_console.simulator.cast import LABELS, Repo

WEB = "https://github.com"
API = "https://api.github.com"


def encode(payload: dict[str, Any]) -> bytes:
    """The payload as compact UTF-8 JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def user(login: str) -> dict[str, Any]:
    """An account; logins ending in ``[bot]`` are bots."""
    number = 4_000_000 + sum(ord(letter) * 131**place for place, letter in enumerate(login)) % 9_000_000
    return {
        "login": login,
        "id": number,
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
        "html_url": f"{WEB}/{login.removesuffix('[bot]')}",
        "url": f"{API}/users/{login}",
    }


def repository(repo: Repo, at: str) -> dict[str, Any]:
    """A repository."""
    return {
        "id": repo.id,
        "name": repo.name,
        "full_name": repo.full_name,
        "private": False,
        "owner": {**user(repo.owner), "type": "Organization"},
        "html_url": f"{WEB}/{repo.full_name}",
        "url": f"{API}/repos/{repo.full_name}",
        "default_branch": "main",
        "fork": False,
        "language": repo.languages[0],
        "updated_at": at,
        "pushed_at": at,
    }


def common(repo: Repo, sender: str, at: str) -> dict[str, Any]:
    """What every delivery carries."""
    return {
        "repository": repository(repo, at),
        "organization": {"login": repo.owner, "id": repo.id // 10_000},
        "sender": user(sender),
        "installation": {"id": 48_000_000 + repo.id},
    }


def label(name: str) -> dict[str, Any]:
    """A label."""
    number = 900_000 + (LABELS.index(name) if name in LABELS else len(LABELS))
    return {"id": number, "name": name, "color": "5319e7", "default": False, "description": ""}


def reference(repo: Repo, ref: str, sha: str, at: str) -> dict[str, Any]:
    """The head or base of a pull request."""
    return {"label": f"{repo.owner}:{ref}", "ref": ref, "sha": sha, "user": user(repo.owner), "repo": repository(repo, at)}


def commit(sha: str, message: str, login: str, at: str, files: list[str], repo: Repo) -> dict[str, Any]:
    """A commit of a push."""
    person = {"name": login, "email": f"{login}@users.noreply.github.com", "username": login}
    return {
        "id": sha,
        "tree_id": sha[::-1],
        "distinct": True,
        "message": message,
        "timestamp": at,
        "url": f"{WEB}/{repo.full_name}/commit/{sha}",
        "author": person,
        "committer": person,
        "added": [],
        "removed": [],
        "modified": files,
    }


def issue(repo: Repo, number: int, title: str, body: str, author: str, labels: list[str], at: str) -> dict[str, Any]:
    """An issue."""
    return {
        "id": repo.id * 10_000 + number,
        "number": number,
        "title": title,
        "body": body,
        "state": "open",
        "locked": False,
        "user": user(author),
        "labels": [label(name) for name in labels],
        "assignees": [],
        "comments": 0,
        "created_at": at,
        "updated_at": at,
        "closed_at": None,
        "author_association": "MEMBER",
        "html_url": f"{WEB}/{repo.full_name}/issues/{number}",
        "url": f"{API}/repos/{repo.full_name}/issues/{number}",
    }
