"""Values of HTTP headers, read as what they mean; whatever makes no sense is ``None``. Pure."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
GO_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def number(text: str | None) -> float | None:
    """A finite number."""
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def seconds_until(text: str, now: float) -> float | None:
    """Seconds from the Unix time ``now``, of a duration in Go's notation (``6m0s``, ``100ms``), a number or an RFC 3339 time."""
    pieces = GO_DURATION.findall(text)
    if pieces and "".join(amount + unit for amount, unit in pieces) == text:
        wait_s = sum(float(amount) * GO_UNIT_S[unit] for amount, unit in pieces)
        return wait_s if math.isfinite(wait_s) else None
    plain = number(text)
    if plain is not None:
        return plain
    try:
        date = datetime.fromisoformat(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return None
