"""How things went: what the charts are drawn from, and the story of one provider."""

from __future__ import annotations

import asyncio
import difflib

from gitbridge_console.domain.events import EventState
from gitbridge_console.domain.history import History, ProviderStory
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import NotFound, Usage

SPAN_MAX_S = 24 * 3600
ATTEMPTS_MAX = 50
TURNS_MAX = 50
EVENTS_LOOKED_AT = 40
"""Newest events whose routing is asked why a provider got a seat or none."""


class HistoryOperations(Door):
    """Looks back; nothing here writes."""

    async def history(self, span_s: int) -> History:
        """The last ``span_s`` seconds in steps, of the whole fleet.

        Raises:
            Usage: longer than a day, or nothing at all.
        """
        if not 60 <= span_s <= SPAN_MAX_S:
            raise Usage(f"history goes from a minute to {SPAN_MAX_S // 3600} hours back")
        async with self._asking():
            return await self._store.history.read(span_s, self._settings().providers)

    async def provider_story(self, name: str) -> ProviderStory:
        """What a provider was asked lately, what its breaker did, and why it got a seat or none."""
        known = self._settings().providers
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise NotFound(f"no provider {name[:60]}" + (f", did you mean {near[0]}?" if near else ""))
        async with self._asking():
            attempts, turns, events = await asyncio.gather(
                self._store.attempts.newest(name, ATTEMPTS_MAX),
                self._store.providers.turns(name, TURNS_MAX),
                self._store.reader.event_window([state.value for state in EventState], 0, EVENTS_LOOKED_AT),
            )
            routing = await self._store.reader.routing_of([event.id for event in events.rows])
        choices = [(event, line.partition(": ")[2]) for event, lines in routing.items() for line in lines if line.startswith(f"{name}: ")]
        return ProviderStory(attempts=attempts, turns=turns, choices=tuple(choices))
