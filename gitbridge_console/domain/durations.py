"""How long, in words."""

from __future__ import annotations


def age(seconds: float | None) -> str:
    """How old something is, for people: ``4s``, ``12m05``, ``3h05``, ``2d04``."""
    if seconds is None:
        return "-"
    seconds = max(0, round(seconds))
    if seconds < 100:
        return f"{seconds}s"
    minutes, s = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m{s:02d}"
    hours, m = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h{m:02d}"
    return f"{hours // 24}d{hours % 24:02d}"
