"""Keeps every engine's calls together within a provider's limits: reserved before a call, settled after it.

Limits come from the settings and from the headers of every response. What they have left is kept in the store, for the
whole fleet; while it does not answer, each engine goes on with its part of every limit. Nothing here ever waits for a
limit to open: work that may not be done now stays in its lane.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gitbridge_console.domain.rate_limits import Advertised, Amounts, Dimension, closed_for_s, read_headers
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.guards import Question, Refusal
from gitbridge_console.router.known_limits import KnownLimits, asked_to_wait_s, used_by
from gitbridge_console.settings.routing import ProviderSettings
from gitbridge_console.store.rate_limits import RateLimitStore, Ruling
from gitbridge_console.store.spell import Spell
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

ANSWER_S = 0.25
"""How long the store may take to answer before an engine goes on alone."""

TRY_AGAIN_S = 1.0
"""How often a store that is away is asked again, by one call."""

CLOCK_STEP_MS = 60_000
"""An answer this much older than the last one is not late: the store's clock was set back, or another server took over."""

MOST = 1_000_000
"""Stands for any number of calls, where there is no limit."""


class _Ticket:
    """What was set aside for one call. ``taken`` is empty where nothing was; ``at_ms`` is the store's clock, 0 when it was away."""

    def __init__(self, limiter: RateLimiter, known: KnownLimits, needs: Amounts, taken: Amounts, at_ms: float) -> None:
        self._limiter = limiter
        self.known = known
        self.needs = needs
        self.taken = taken
        self.at_ms = at_ms
        known.reserved += 1

    async def settle(self, outcome: Outcome | None) -> None:
        """Give back what was not used, and learn from the headers."""
        await self._limiter.settle(self, outcome)


class RateLimiter:
    """The guard of all providers' rate limits in one engine."""

    def __init__(
        self,
        store: RateLimitStore,
        settings: Callable[[str], ProviderSettings | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[str], None] = lambda name: None,
    ) -> None:
        """``settings`` gives a provider's table; ``changed`` is told a provider that had no room, when that may be otherwise."""
        self._store = store
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._known: dict[str, KnownLimits] = {}
        self._spell = Spell()
        self._try_again_at: float | None = None
        self.engines = 1
        """How many engines share the limits, as far as is known: each goes on with so large a part when the store is away."""

    async def reserve(self, question: Question) -> _Ticket | Refusal | None:
        """Set aside one request, its tokens and the longest answer it may get; without a limit, only listen to the response."""
        known = self._look_up(question.provider)
        if known is None:
            return None
        needs = {
            Dimension.REQUESTS: 1.0,
            Dimension.INPUT: float(question.tokens_in),
            Dimension.OUTPUT: float(question.tokens_out),
            Dimension.TOKENS: float(question.tokens_in + question.tokens_out),
        }
        if not known.paces:
            return _Ticket(self, known, needs, {}, 0.0)
        known.needs = needs
        wait_s, which = known.buckets.wait_s(needs, self._clock())
        at_ms = 0.0
        if wait_s <= 0:
            ruling = await self._ask(known, needs)
            if ruling is None:
                wait_s, which = self._take_alone(known, needs)
            else:
                wait_s, which, at_ms = ruling.wait_s, ruling.which, ruling.at_ms
        if wait_s > 0:
            return Refusal(known.reason(which), wait_s)
        ticket = _Ticket(self, known, needs, {name: needs[name] for name in known.paces}, at_ms)
        self._tell(known)
        return ticket

    async def settle(self, ticket: _Ticket, outcome: Outcome | None) -> None:
        """Book what a call really took; ``None``: it was never made, or cancelled, and then it may have been sent already."""
        known = ticket.known
        known.reserved -= 1
        heard = read_headers(outcome.headers, time.time()) if outcome is not None and outcome.headers else {}
        self._learn(known, heard)
        if not known.paces:
            return
        used = ticket.taken if outcome is None and _cancelled() else used_by(ticket.needs, outcome)
        back = {name: ticket.taken.get(name, 0.0) - used.get(name, 0.0) for name in known.paces}
        left = {name: said.remaining for name, said in heard.items() if said.remaining is not None}
        closed_s = max(closed_for_s(heard.values()), asked_to_wait_s(outcome))
        if known.alone:
            self._settle_alone(ticket, back, left, closed_s)
        elif any(back.values()) or left or closed_s:
            await self._settle_shared(ticket, back, left, closed_s)
        self._tell(known)

    async def look(self) -> None:
        """Hear of what other engines gave back, where calls wait for it here; once a beat."""
        for known in list(self._known.values()):
            if known.paces and known.buckets.wait_s(known.needs, self._clock())[0] > 0:
                await self._ask(known, {})
                self._tell(known)

    def room(self, name: str, claimed: int = 0) -> tuple[int, float]:
        """How many calls of ``name`` may begin now, beside ``claimed`` jobs in hand, and else in how many seconds one may.

        A guess by what was heard last; the store decides. Infinite seconds: when a claimed job has reserved, which is told.
        """
        known = self._look_up(name)
        if known is None or not known.paces:
            return MOST, 0.0
        now = self._clock()
        wait_s, _ = known.buckets.wait_s(known.needs, now)
        fits = 0 if wait_s > 0 else known.buckets.how_often(known.needs, now, MOST) - max(0, claimed - known.reserved)
        if fits > 0:
            return fits, 0.0
        known.wanted = True
        return 0, wait_s or math.inf

    def reopen(self, name: str) -> None:
        """Forget a wait that a response asked for, by an operator's word; the store has forgotten it already."""
        if (known := self._look_up(name)) is not None:
            known.buckets.reopen()
            self._tell(known)

    def describe(self, name: str) -> dict[str, dict[str, Any]]:
        """The limits of a provider for its status; see :meth:`KnownLimits.describe`."""
        known = self._look_up(name)
        return {} if known is None else known.describe(self._clock(), time.time() * 1000)

    def _look_up(self, name: str) -> KnownLimits | None:
        settings = self._settings(name)
        known = self._known.get(name)
        if settings is None:
            self._known.pop(name, None)
            return None
        if known is None or known.settings.model != settings.model:
            known = self._known[name] = KnownLimits(name, settings)
            known.reckon(self._clock(), self.engines)
        elif known.settings is not settings:
            known.settings = settings
            known.reckon(self._clock(), self.engines)
        return known

    def _learn(self, known: KnownLimits, heard: Mapping[Dimension, Advertised]) -> None:
        limits = {name: said.limit for name, said in heard.items() if said.limit is not None}
        if limits.items() <= known.advertised.items():
            return
        known.advertised.update(limits)
        known.reckon(self._clock(), self.engines)

    async def _ask(self, known: KnownLimits, needs: Amounts) -> Ruling | None:
        """Reserve in the store; ``None`` while it is away."""
        if not self._to_be_asked():
            return None
        now = self._clock()
        tops = {name: bucket.level_at(now) for name, bucket in known.buckets.all.items()} if known.alone else {}
        ruling = await self._answer(self._store.reserve(known.provider, known.settings.model, known.paces, needs, tops))
        if ruling is not None:
            if known.alone:
                known.alone = False
                known.reckon(self._clock(), self.engines)
            self._hear(known, ruling)
        return ruling

    def _to_be_asked(self) -> bool:
        """Whether the store is there, or it is time for one call to see whether it is back."""
        now = self._clock()
        if self._try_again_at is not None:
            if now < self._try_again_at:
                return False
            self._try_again_at = now + TRY_AGAIN_S
        return True

    async def _answer(self, asked: Awaitable[Ruling]) -> Ruling | None:
        """The store's answer, if it comes in time. Nothing that goes wrong with it is a reason to fail a call."""
        try:
            async with asyncio.timeout(ANSWER_S):
                ruling = await asked
        except STORE_AWAY as error:
            if self._spell.seen(self._clock()):
                text = " ".join(str(error).split())[:200] or "no answer in time"
                logger.warning(
                    "rate limits: the store does not answer (%s); this engine keeps to 1/%d of each until it does", text, self.engines
                )
        except Exception:
            # A script that fails would fail for every call; keeping to a part of the limits is always right.
            if self._spell.seen(self._clock()):
                logger.exception("rate limits: the store answered in a way nobody foresaw; this engine keeps to 1/%d", self.engines)
        else:
            self._try_again_at = None
            if self._spell.over():
                logger.warning("rate limits: the store answers again; they are shared by the fleet")
            return ruling
        self._try_again_at = self._clock() + TRY_AGAIN_S
        return None

    def _hear(self, known: KnownLimits, ruling: Ruling) -> None:
        late_ms = known.heard_at_ms - ruling.at_ms
        if known.alone or 0 < late_ms < CLOCK_STEP_MS:
            return
        known.heard_at_ms = ruling.at_ms
        now = self._clock()
        for name, level in ruling.levels.items():
            if (bucket := known.buckets.all.get(name)) is not None:
                bucket.set(level, now)
        if ruling.which is None and ruling.wait_s > 0:
            known.buckets.close(now + ruling.wait_s)

    def _take_alone(self, known: KnownLimits, needs: Amounts) -> tuple[float, Dimension | None]:
        now = self._clock()
        if not known.alone:
            known.alone = True
            # Others may be answered, and use the whole: nothing is let through before this engine has asked once more.
            known.buckets.divide(self.engines, now)
            known.rest(now + TRY_AGAIN_S)
        wait_s, which = known.buckets.wait_s(needs, now)
        if wait_s <= 0:
            known.buckets.change({name: -need for name, need in needs.items()}, now)
        return wait_s, which

    async def _settle_shared(self, ticket: _Ticket, back: Amounts, left: Amounts, closed_s: float) -> None:
        known, ruling = ticket.known, None
        if self._to_be_asked():
            alone = ticket.taken and not ticket.at_ms
            asked = self._store.settle(
                known.provider,
                known.settings.model,
                known.paces,
                {} if alone else back,
                reserved_at_ms=ticket.at_ms,
                remaining=left,
                closed_s=closed_s,
            )
            ruling = await self._answer(asked)
        if ruling is not None:
            self._hear(known, ruling)
        else:
            self._settle_alone(ticket, {}, left, closed_s)

    def _tell(self, known: KnownLimits) -> None:
        if known.wanted:
            known.wanted = False
            self._changed(known.provider)

    def _settle_alone(self, ticket: _Ticket, back: Amounts, left: Amounts, closed_s: float) -> None:
        now, buckets = self._clock(), ticket.known.buckets
        if ticket.taken and not ticket.at_ms:
            buckets.change(back, now)
        buckets.at_most(left, now)
        if closed_s:
            buckets.close(now + closed_s)


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
