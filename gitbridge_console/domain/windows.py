"""Parts of long lists: what a screen shows of a million rows, and what one bounded step of a search found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window(Generic[T]):
    """Rows ``first`` and following of ``total``. ``followed``: where the row that was asked after stands now, ``None`` when it is gone."""

    rows: tuple[T, ...]
    first: int
    total: int
    followed: int | None = None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where a search goes on: the last entry looked at in each sorted set, as (score, name), and how many that were."""

    places: Mapping[str, tuple[float, bytes]] = field(default_factory=dict)
    looked: int = 0


@dataclass(frozen=True, slots=True)
class SearchStep(Generic[T]):
    """What one step found, in order; ``looked`` of about ``total`` entries have been looked at; ``next`` is ``None`` at the end."""

    rows: tuple[T, ...]
    looked: int
    total: int
    next: Bookmark | None
