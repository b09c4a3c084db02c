"""The flat envelope of older producers, rewritten in the shape of a code host's payload so that one reader serves all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FILES_MAX = 3_000


def github_payload(event_type: str, action: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """A payload that says what ``repo``, ``user``, ``message``, ``files`` and ``timestamp`` of the entry say.

    Fields of another type than expected are left out; nothing is made up. The entry itself is kept under ``legacy``.
    """
    repo, user, message = (_text(entry.get(name)) for name in ("repo", "user", "message"))
    files = _files(entry.get("files"))
    metadata = entry.get("metadata")
    hints: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    payload: dict[str, Any] = {"legacy": dict(entry)}
    if action:
        payload["action"] = action
    if repo:
        owner, _, name = repo.rpartition("/")
        payload["repository"] = {"full_name": repo, "name": name, "owner": {"login": owner}}
    person = {"login": user} if user else {}
    if user:
        payload["sender"] = person
    title, _, rest = message.partition("\n")
    number = next((n for key in ("number", "pr_number", "issue_number") if type(n := hints.get(key)) is int and n > 0), None)
    item: dict[str, Any] = {"title": title, "body": rest.strip(), "user": person}
    if number is not None:
        item["number"] = payload["number"] = number
    if event_type == "push":
        payload |= _push(message, person, files, entry, hints)
    elif event_type.startswith("pull_request"):
        head = {"sha": sha} if (sha := _text(hints.get("head_sha") or hints.get("sha"))) else {}
        payload["pull_request"] = item | {"head": head, "changed_files": len(files)} if files else item | {"head": head}
    elif event_type.startswith("issue"):
        payload["issue"] = item
    return payload


def _push(message: str, person: dict[str, Any], files: list[str], entry: Mapping[str, Any], hints: Mapping[str, Any]) -> dict[str, Any]:
    sha = _text(hints.get("head_sha") or hints.get("sha") or hints.get("commit"))
    commit: dict[str, Any] = {
        "id": sha,
        "message": message,
        "timestamp": _text(entry.get("timestamp")),
        "modified": files,
        "author": person,
    }
    found: dict[str, Any] = {"commits": [commit], "head_commit": commit}
    if sha:
        found["after"] = sha
    if ref := _text(hints.get("ref") or hints.get("branch")):
        found["ref"] = ref if ref.startswith("refs/") else f"refs/heads/{ref}"
    return found


def _files(value: object) -> list[str]:
    """Paths of a list of names or of objects with a ``path`` or ``filename``."""
    rows = value[:FILES_MAX] if isinstance(value, list) else []
    names = (row.get("path") or row.get("filename") if isinstance(row, dict) else row for row in rows)
    return [name for name in names if isinstance(name, str) and name]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
