"""What GitHub's refusals mean. Pure: a status, headers and a body in, a :class:`HostProblem` out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from gitbridge_console.hosts.base import HostProblem

RETRY_AFTER_MAX_S = 3_600.0
WITHOUT_RETRY_AFTER_S = 60.0
"""What GitHub asks for where a limit names no time: a minute at least."""
SAID_MAX = 200
_SECONDARY = ("secondary rate limit", "secondary-rate-limit", "abuse detection")


def problem_of(
    status: int, headers: Mapping[str, str], body: bytes, *, shown: Literal["none", "token", "jwt"], writing: bool = False
) -> HostProblem:
    """The meaning of an answer that is no success. ``shown`` is the credential it was given; ``writing``: it was to change something."""
    said = _read(body)
    wait_s = retry_after_s(headers)
    if limit := _limit(status, headers, said, wait_s):
        named = "secondary rate limit" if limit == "secondary" else "rate limit"
        return HostProblem(f"the host's {named} is reached", retry_in_s=wait_s or WITHOUT_RETRY_AFTER_S, status=status, limit=limit)
    words = _words(said)
    if status == 401 and shown != "none":
        what = "token" if shown == "token" else "App's id or key"
        return HostProblem(f"the host refuses the {what} ({status})", credential=True, status=status, said=words)
    if status == 403 and shown != "none" and "not accessible by" in words.lower():
        return HostProblem(f"the token lacks a permission for this ({status})", credential=True, status=status, said=words)
    if status in (401, 403, 404):
        return HostProblem(
            f"the host shows nothing ({status}): without access to this repository, or it is gone", status=status, said=words
        )
    if status >= 500:
        return HostProblem(f"the host is unwell ({status})", retry_in_s=wait_s or 0.0, status=status, unknown=writing)
    return HostProblem(f"the host refuses ({status})", status=status, said=words)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by ``retry-after``, or until a spent limit is there again; bounded."""
    try:
        if "retry-after" in headers:
            wait_s = float(headers["retry-after"])
        elif headers.get("x-ratelimit-remaining") == "0":
            wait_s = float(headers["x-ratelimit-reset"]) - _host_time(headers)
        else:
            return None
    except (ValueError, KeyError):
        return None
    return min(RETRY_AFTER_MAX_S, max(1.0, wait_s)) if math.isfinite(wait_s) else None


def _host_time(headers: Mapping[str, str]) -> float:
    """The host's own clock where it says so: by one that is ahead of it, a spent limit would be asked for again and again."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (ValueError, OverflowError, KeyError):
        return time.time()


def _limit(status: int, headers: Mapping[str, str], said: Mapping[str, Any], wait_s: float | None) -> Literal["", "primary", "secondary"]:
    """Which limit is reached. A secondary one may come without any header; then only the words tell it from a missing right."""
    if status not in (403, 429):
        return ""
    words = f"{said.get('message', '')} {said.get('documentation_url', '')}".lower()
    if any(word in words for word in _SECONDARY):
        return "secondary"
    if headers.get("x-ratelimit-remaining") == "0":
        return "primary"
    return "secondary" if status == 429 or wait_s is not None else ""


def _read(body: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _words(said: Mapping[str, Any]) -> str:
    """The message and its errors as one printable line: outside text, to be told apart from ours."""
    parts = [said.get("message")]
    errors = said.get("errors")
    for error in errors[:3] if isinstance(errors, list) else ():
        parts.append(error if isinstance(error, str) else error.get("message") or error.get("code") if isinstance(error, dict) else None)
    text = "; ".join(part[:SAID_MAX] for part in parts if isinstance(part, str))
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:SAID_MAX]
