"""Bulk operations as they are shown: what one would do, and how far one is."""

from __future__ import annotations

from pydantic import Field

from gitbridge_console.domain.snapshots import View


class BulkPlan(View):
    """What an operation would do, counted before anything is done. ``token`` is what it is applied by; empty where nothing was kept."""

    token: str = ""
    kind: str
    deed: str
    filter: str
    count: int
    looked: int
    exact: bool = True
    """``False``: there is more than was looked at, and only ``count`` of it is planned."""
    estimate: int
    """All there are, extrapolated where not all was looked at."""
    ineligible: dict[str, int] = Field(default_factory=dict)
    by_state: dict[str, int] = Field(default_factory=dict)
    by_kind: dict[str, int] = Field(default_factory=dict)
    sample: tuple[str, ...] = ()
    """The first few, a line each."""
    pointless: int = 0
    """Of a replay: those with a newer head, which will end superseded without asking anybody."""
    pointless_exact: bool = True
    calls: int = 0
    """Calls to providers it will make, as far as the settings tell."""
    cost_usd: float | None = None
    """What they will cost at the price of the last 15 minutes' calls; ``None`` where that is not known."""
    rate_per_s: float = 0.0
    takes_s: float = 0.0


class BulkStatus(View):
    """One bulk operation. ``done``, ``skipped``, ``failed``, ``left`` and ``dropped`` always add up to ``planned``."""

    id: str
    kind: str
    deed: str
    filter: str
    state: str
    by: str
    host: str = ""
    reason: str = ""
    planned: int
    most: int | None = None
    done: int = 0
    skipped: int = 0
    failed: int = 0
    left: int = 0
    dropped: int = 0
    """Not looked at any more: it was cancelled, or its maximum was reached."""
    skips: dict[str, int] = Field(default_factory=dict)
    """Skipped and failed ones by reason."""
    skipped_ids: tuple[tuple[str, str], ...] = ()
    """The first of them with their reasons."""
    rate_per_s: float = 0.0
    speed_per_s: float = 0.0
    """How fast it went over the last seconds."""
    eta_s: float | None = None
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    engine: str = ""
    note: str = ""
    """Why it does not move, where that is known."""

    @property
    def over(self) -> int:
        """How many came to something."""
        return self.done + self.skipped + self.failed

    @property
    def share(self) -> float:
        """How much of it is over, 0 to 1; one that was cancelled stays where it stood."""
        if self.state == "finished" or not self.planned:
            return 1.0
        return self.over / self.planned
