"""What a code host sends."""

from __future__ import annotations

from typing import Any


def pull_request(number: int = 7, **more: Any) -> dict[str, Any]:
    """Somebody opens a pull request; ``more`` replaces parts of it."""
    return {
        "action": "opened",
        "number": number,
        "pull_request": {
            "number": number,
            "title": "Round tax per line",
            "user": {"login": "kim", "type": "User"},
            "head": {"sha": f"{number:040d}"},
            "base": {"sha": "b" * 40},
            "updated_at": "2026-11-22T10:00:00Z",
        },
        "repository": {"id": 1, "full_name": "acme/shop"},
        "sender": {"login": "kim", "type": "User"},
        **more,
    }
