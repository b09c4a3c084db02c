"""What every operation goes through: who asks, whether it may be done, the audit, and one family of errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from gitbridge_console.domain.audit import Intent, Outcome
from gitbridge_console.domain.events import STAGE_LANES
from gitbridge_console.operations.actor import Actor, current_actor
from gitbridge_console.operations.errors import BackPressure, NotConfirmed, NotFound, OperationError, Refused, StoreAway, Usage
from gitbridge_console.operations.roles import Role, least_role, role_of
from gitbridge_console.router.intake import Intake
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.durability import NotDurable
from gitbridge_console.store.journal import AuditContended
from gitbridge_console.store.records import BackPressure as QueueBackPressure
from gitbridge_console.store.store import Store
from gitbridge_console.store.trouble import STORE_AWAY, STORE_REFUSES, is_forbidden, is_full
from gitbridge_console.store.unavailable import full_text


@dataclass(slots=True)
class WriteRecord:
    """What a write came to, for the audit: filled by whoever makes it. ``entry`` is its number in the audit."""

    entry: str
    result: str = "done"
    affected: int | None = None
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def outcome(self, result: str | None = None) -> Outcome:
        """As the audit keeps it."""
        return Outcome(self.result if result is None else result, self.affected, self.before, self.after)


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

    @property
    def role(self) -> Role:
        """The role of whoever uses this door, by the settings as they are now."""
        return role_of(self._actor, self._settings().roles)

    def _allow(self, what: str, target: str) -> None:
        """Let a write pass.

        Raises:
            Refused: all is read-only here, or the role is not enough.
        """
        if self.read_only:
            raise Refused(f"read-only: {what} {target} was not done")
        if (role := self.role) < (least := least_role(what)):
            raise Refused(f"{self._actor.who} is {role.word} here and {what} needs {least.word}: {target} was left as it is")

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            yield
        except NotDurable as error:
            raise NotConfirmed(str(error)) from error
        except QueueBackPressure as error:
            raise BackPressure(f"BACKPRESSURE: {error}") from error
        except STORE_AWAY as error:
            if is_full(error):
                raise BackPressure(f"BACKPRESSURE: {full_text(error)}; try again when there is room") from error
            raise StoreAway(f"the store does not answer: {' '.join(str(error).split())[:200]}") from error
        except AuditContended as error:
            raise OperationError(f"{error}: try again") from error
        except STORE_REFUSES as error:
            if is_forbidden(error):
                raise Refused(f"the store's user may not do this: {' '.join(str(error).split())[:200]}") from error
            raise

    @asynccontextmanager
    async def _writing(
        self,
        what: str,
        target: str,
        reason: str = "",
        *,
        filter: str = "",
        planned: int | None = None,
        before: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[WriteRecord]:
        """A write: refused where it may not be made, in the audit before it runs, and after it with what the block noted.

        ``what`` is looked up in :data:`~gitbridge_console.operations.roles.LEAST`. ``filter`` is what the things were found by,
        ``planned`` how many they are, ``before`` what is known of them already; the block adds to ``before`` what only the
        write itself can tell.
        """
        self._allow(what, target)
        async with self._asking():
            journal = self._store.journal
            by = replace(self._actor, role=self.role.word)
            entry = await journal.begin(Intent(by, what, target, reason, filter, planned, before or {}))
            record = WriteRecord(entry)
            try:
                yield record
            except Exception as error:
                # Why it failed is the news; that the audit could not be completed is not.
                with suppress(NotDurable, AuditContended, *STORE_AWAY):
                    await journal.end(entry, record.outcome(f"failed: {' '.join(str(error).split())}"))
                raise
            await journal.end(entry, record.outcome())

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
