"""What every operation goes through: who asks, whether it may be done, the audit, and one family of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from gitbridge_console.domain.events import STAGE_LANES
from gitbridge_console.operations.actor import Actor, current_actor
from gitbridge_console.operations.errors import BackPressure, NotConfirmed, NotFound, Refused, StoreAway, Usage
from gitbridge_console.router.intake import Intake
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.durability import NotDurable
from gitbridge_console.store.records import BackPressure as QueueBackPressure
from gitbridge_console.store.store import Store
from gitbridge_console.store.trouble import STORE_AWAY, is_full


@dataclass(slots=True)
class _Record:
    """What a write came to, for the audit."""

    result: str = "done"


class Door:
    """Base of the operations: asks the store, and writes with an entry in the audit before and after."""

    def __init__(self, store: Store, settings: Callable[[], Settings], *, actor: Actor | None = None, read_only: bool = False) -> None:
        self._store = store
        self._settings = settings
        self._actor = actor or current_actor()
        self._read_only = read_only
        self._intake = Intake(store.queue, store.metrics, lambda: settings().rules)

    @property
    def read_only(self) -> bool:
        """Whether every write is refused."""
        return self._read_only or self._settings().read_only

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            yield
        except NotDurable as error:
            raise NotConfirmed(str(error)) from error
        except QueueBackPressure as error:
            raise BackPressure(f"BACKPRESSURE: {error}") from error
        except STORE_AWAY as error:
            what = "is full" if is_full(error) else "does not answer"
            raise StoreAway(f"the store {what}: {' '.join(str(error).split())[:200]}") from error

    @asynccontextmanager
    async def _writing(self, what: str, target: str, reason: str = "") -> AsyncIterator[_Record]:
        if self.read_only:
            raise Refused(f"read-only: {what} {target} was not done")
        async with self._asking():
            journal = self._store.journal
            entry = await journal.begin(who=self._actor.who, host=self._actor.host, what=what, target=target, reason=reason)
            record = _Record()
            try:
                yield record
            except Exception as error:
                # Why it failed is the news; that the audit could not be completed is not.
                with suppress(NotDurable, *STORE_AWAY):
                    await journal.end(entry, f"failed: {' '.join(str(error).split())}")
                raise
            await journal.end(entry, record.result)

    @property
    def lanes(self) -> tuple[str, ...]:
        """Every lane there can be: stages and configured providers."""
        return (*STAGE_LANES, *self._settings().providers)

    def _known_lanes(self, lanes: Sequence[str]) -> list[str]:
        unknown = [lane for lane in lanes if lane not in self.lanes]
        if unknown:
            raise NotFound(f"no lane {', '.join(unknown)}; there are {', '.join(self.lanes)}")
        if not lanes:
            raise Usage("name at least one lane")
        return list(lanes)
