"""Where metrics are kept. Each scope, a provider or the whole fleet, has a tag of its own."""

from __future__ import annotations

FLEET = "_fleet"
"""Scope of what belongs to no provider; no provider's name can start with an underscore."""

PENDING_MINUTES_MAX = 15
"""Minutes an engine keeps in memory while the store is away; older ones are dropped. No minute is added to later than that."""


def minute_key(namespace: str, scope: str, minute: int) -> str:
    """Hash of one provider (or :data:`FLEET`) and one minute since the epoch."""
    return f"{{{namespace}:metrics:{scope}}}:{minute}"


def hour_key(namespace: str, provider: str, hour: int) -> str:
    """Hash of one provider and one hour since the epoch: calls that were judged, and those it was not there for."""
    return f"{{{namespace}:metrics:{provider}}}:h{hour}"


def providers_key(namespace: str) -> str:
    """Set of the providers that have metrics."""
    return f"{{{namespace}:metrics:{FLEET}}}:providers"
