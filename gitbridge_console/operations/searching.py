"""Filters under names, pages of what matches, and dead letters by what went wrong."""

from __future__ import annotations

import re

from gitbridge_console.domain.dead_letters import DEAD_STATES, DeadGroup, DeadGroups
from gitbridge_console.domain.event_views import ChangeReport, EventSummary
from gitbridge_console.domain.filters import SAVED, EventFilter
from gitbridge_console.domain.windows import Bookmark
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import NotFound, Usage
from gitbridge_console.operations.listings import STEP_MAX
from gitbridge_console.store.keys import expand_id
from gitbridge_console.store.replies import server_now_ms

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
FILTERS_MAX = 100
FILTER_TEXT_MAX = 300


class SearchOperations(Door):
    """What helps to find things again."""

    async def page_events(self, wanted: EventFilter, limit: int, before: str) -> list[EventSummary]:
        """Events that match and came in before the one of id ``before``, newest first, looked for among all there are."""
        found: list[EventSummary] = []
        async with self._asking():
            now = await server_now_ms(self._store.client)
            async for event_id in self._store.records.matching(wanted, before=expand_id(before)):
                found += [row for row, _ in await self._store.reader.summaries([event_id], now)]
                if len(found) >= limit:
                    break
        return found

    async def dead_groups(self, wanted: EventFilter | None = None) -> list[DeadGroup]:
        """Failed and shed events by class of error, panel and kind, the largest group first, each with its newest example."""
        groups = DeadGroups()
        mark: Bookmark | None = Bookmark()
        async with self._asking():
            while mark is not None and mark.looked < self._settings().bulk.events_max:
                step = await self._store.reader.panel_search(DEAD_STATES, wanted or EventFilter(), mark, STEP_MAX)
                groups.add(step.rows)
                mark = step.next
        return groups.largest_first()

    async def saved_filters(self) -> dict[str, str]:
        """Filters that were saved, by name."""
        async with self._asking():
            return await self._store.filters.all()

    async def save_filter(self, name: str, text: str) -> ChangeReport:
        """Keep a filter under a name, for everybody; ``@name`` stands for it wherever a filter is given."""
        if not NAME.fullmatch(name):
            raise Usage(f"{name[:40]!r} is no name: lower-case letters, digits, - and _, at most 40")
        if not text.strip() or len(text) > FILTER_TEXT_MAX:
            raise Usage(f"a filter has 1 to {FILTER_TEXT_MAX} characters")
        if SAVED.search(text):
            raise Usage("a saved filter cannot name another one")
        try:
            EventFilter.parse(text)
        except ValueError as error:
            raise Usage(str(error)) from None
        async with self._writing("filter save", name, filter=text) as record:
            known = await self._store.filters.all()
            if name not in known and len(known) >= FILTERS_MAX:
                raise Usage(f"{len(known)} filters are saved, at most {FILTERS_MAX}: drop one first")
            record.before, record.after, record.affected = {name: known.get(name)}, {name: text}, 1
            await self._store.filters.save(name, text)
        return ChangeReport(changed=1, ids=(name,))

    async def drop_filter(self, name: str) -> ChangeReport:
        """Forget a filter."""
        async with self._writing("filter drop", name[:40]) as record:
            if not await self._store.filters.drop(name):
                raise NotFound(f"no filter {name[:40]} is saved")
            record.affected = 1
        return ChangeReport(changed=1, ids=(name,))

    async def expand_filter(self, text: str) -> str:
        """The filter with what its ``@name`` words stand for."""
        if SAVED.search(text) is None:
            return text
        known = await self.saved_filters()

        def put_in(found: re.Match[str]) -> str:
            if found[1] not in known:
                raise NotFound(f"no filter {found[1]} is saved; there are {', '.join(known) or 'none'}")
            return known[found[1]]

        return SAVED.sub(put_in, text)
