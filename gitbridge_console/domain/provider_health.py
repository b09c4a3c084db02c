"""What asking a service for its list of models tells: whether it answers, takes the key, and offers the configured model."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

NEAREST_MAX = 3


class HealthFinding(BaseModel):
    """One look at a service. ``ms`` is the round trip, ``reason`` one line that says what is wrong, empty when nothing is.

    ``model`` is ``offered``, ``not_listed`` (which an alias may be and still answer) or ``unknown``, where the service has no
    list or could not be asked; ``nearest`` are similar names of the list.
    """

    model_config = ConfigDict(frozen=True)

    ok: bool
    at: str
    ms: float
    reason: str = ""
    failure: str = ""
    """Class of the failure, empty when there was none."""
    model: str = "unknown"
    nearest: tuple[str, ...] = ()
    models: int = 0


def offers(model: str, listed: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Whether ``model`` is on the list of a service (``offered``, ``not_listed`` or, without a list, ``unknown``), and names like it."""
    if not listed:
        return "unknown", ()
    if model in listed:
        return "offered", ()
    return "not_listed", tuple(difflib.get_close_matches(model, listed, NEAREST_MAX, cutoff=0.5))
