"""How far an action has come, in words, from what is stored of it. Outside text in it stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def how_far(action: Mapping[str, Any]) -> str:
    """One line: why nothing was sent, what would be, or what was posted and where it can be seen."""
    if reason := action.get("reason"):
        return str(reason)
    if action.get("draft"):
        return f"approving it {'keeps' if action.get('dry_run') else 'posts'} exactly this"
    if action.get("dry_run"):
        return "dry run: this is what would be sent"
    writes = [write for write in action.get("writes", ()) if isinstance(write, Mapping)]
    told = (" ".join(filter(None, (str(write.get("note") or write.get("state")), str(write.get("url") or "")))) for write in writes)
    return "; ".join(told) or "sent"
