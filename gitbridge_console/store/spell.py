"""How trouble that comes and goes is told: when it begins, once a minute while it lasts, and when it is over; however often it flickers."""

from __future__ import annotations

REPORT_EVERY_S = 60.0


class Spell:
    """One kind of trouble. Times are seconds of the caller's monotonic clock."""

    def __init__(self) -> None:
        self.since: float | None = None
        """When it began; ``None`` while there is none."""
        self.last_s = 0.0
        """When it was seen last."""
        self.count = 0
        """How often, since it began."""
        self._told_at: float | None = None
        self._told = False

    def seen(self, now: float) -> bool:
        """It is there. Whether to say so: not within a minute of the last time, be that of a spell before."""
        self.count += 1
        self.last_s = now
        if self.since is None:
            self.since = now
        if self._told_at is not None and now - self._told_at < REPORT_EVERY_S:
            return False
        self._told_at, self._told = now, True
        return True

    def over(self) -> bool:
        """It is gone. Whether to say so: where its beginning was not told, nor is its end."""
        told, self._told = self._told, False
        self.since, self.count = None, 0
        return told
