"""Long lists, a window or a bounded step of a search at a time, however many rows there are."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.domain.event_views import EventSummary, JobSummary
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.windows import Bookmark, SearchStep, Window
from gitbridge_console.operations.door import Door

WINDOW_MAX = 1_000
"""Most rows of one window."""
STEP_MAX = 2_000
"""Most rows one step of a search looks at."""


class Listings(Door):
    """Jobs in the order of claiming, events by when they changed last."""

    async def list_jobs(self, lane: str | None = None, limit: int = 200) -> list[JobSummary]:
        """What is worked on, ready and waiting, in the order of claiming."""
        return list((await self.job_window(lane, 0, limit)).rows)

    async def job_window(self, lane: str | None, first: int, count: int, follow: str = "") -> Window[JobSummary]:
        """Jobs from place ``first`` on, of one lane or all; ``follow`` asks where a job stands now."""
        lanes = self.lanes if lane is None else self._known_lanes([lane])
        async with self._asking():
            return await self._store.reader.job_window(lanes, max(0, first), min(count, WINDOW_MAX), follow)

    async def job_search(self, lane: str | None, wanted: EventFilter, bookmark: Bookmark, count: int = STEP_MAX) -> SearchStep[JobSummary]:
        """Look at about ``count`` more jobs for those whose event matches."""
        lanes = self.lanes if lane is None else self._known_lanes([lane])
        async with self._asking():
            return await self._store.reader.job_search(lanes, wanted, bookmark, min(count, STEP_MAX))

    async def event_window(self, states: Sequence[str], first: int, count: int, follow: str = "") -> Window[EventSummary]:
        """Events in some states from place ``first`` on, those that changed last first."""
        async with self._asking():
            return await self._store.reader.event_window(states, max(0, first), min(count, WINDOW_MAX), follow)

    async def event_search(
        self, states: Sequence[str], wanted: EventFilter, bookmark: Bookmark, count: int = STEP_MAX
    ) -> SearchStep[EventSummary]:
        """Look at about ``count`` more events in some states for those that match."""
        async with self._asking():
            return await self._store.reader.event_search(states, wanted, bookmark, min(count, STEP_MAX))
