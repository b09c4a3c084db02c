"""Keeps what this engine knows of the providers' health and what the fleet knows in step."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.breaker import BreakerState, Forced
from gitbridge_console.router.guards import Question, Refusal
from gitbridge_console.router.last_words import write_last_words
from gitbridge_console.router.provider_state import ProviderState
from gitbridge_console.store.provider_board import BoardEntry, ProviderBoard
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
STORE_S = 0.25
"""How long the fleet's word is waited for before a probe; without it each engine goes by what it knows itself."""

PROBE_MARGIN_S = 5.0
"""A probe's place is kept so much longer than the attempt may take."""

PROBED_ELSEWHERE_S = 1.0


@dataclass(slots=True)
class _Mark:
    """What of one provider's state was told and heard already."""

    state: ProviderState
    epoch: int = 0
    transitions: int = 0
    gate_until: float = 0.0
    disabled_at_ms: float = 0.0
    word_at_ms: int = 0
    began_ms: int | None = None
    """Server time when this engine first looked; being disabled from before is not taken over, it sees for itself."""


class BoardKeeper:
    """Tells the board at once, hears from it once a second. While the store is away nothing is lost: it is told later."""

    def __init__(
        self, board: ProviderBoard, router: AIRouter, trouble: StoreTrouble, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._board = board
        self._router = router
        self._trouble = trouble
        self._clock = clock
        self._marks: dict[str, _Mark] = {}
        self._news = asyncio.Event()

    def news(self) -> None:
        """Something became known of a provider."""
        self._news.set()

    async def run(self) -> None:
        """Keep in step until cancelled."""
        while True:
            try:
                await self.turn()
            except STORE_AWAY as error:
                self._trouble.report(error)
                await asyncio.sleep(LOOK_EVERY_S)
            except Exception:
                # Whatever the store answered, calls go on by what this engine knows itself.
                logger.exception("the fleet's provider states could not be kept in step for a reason nobody foresaw; it goes on")
                await asyncio.sleep(LOOK_EVERY_S)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Obey what an operator said, tell what is new here, then take over what is new elsewhere.

        A word comes first: what it made void is not told any more.

        Raises:
            redis.exceptions.RedisError: the store is away; what was not told stays to be told.
        """
        self._news.clear()
        states = dict(self._router.states)
        self._marks = {name: self._marks[name] for name in states if name in self._marks}
        for name, state in states.items():
            mark = self._marks.get(name)
            if mark is None or mark.state is not state:
                self._marks[name] = _Mark(state)
        now_ms, entries = await self._board.read(states)
        for name, entry in entries.items():
            self._heed(name, self._marks[name], entry, now_ms)
        for name in states:
            await self._tell(name, self._marks[name])
        for name, entry in entries.items():
            self._hear(name, self._marks[name], entry, now_ms)

    async def _tell(self, name: str, mark: _Mark) -> None:
        state, now = mark.state, self._clock()
        breaker, transitions = state.breaker, state.breaker.transitions
        if transitions != mark.transitions:
            if breaker.state is BreakerState.OPEN:
                logger.warning("%s: circuit breaker opened after %s", name, ", ".join(breaker.causes))
                mark.epoch = await self._board.opened(
                    name, mark.epoch, breaker.openings, max(0.0, breaker.open_until - now), breaker.causes
                )
            elif breaker.state is BreakerState.CLOSED:
                logger.warning("%s: circuit breaker closed again", name)
                # Its number is heard, not taken over here: of a closing that came too late it is that of an opening since.
                await self._board.closed(name, mark.epoch, breaker.openings)
            mark.transitions = transitions
        gate_until, disabled_at_ms = state.gate_until, state.disabled_at_ms
        if gate_until > max(mark.gate_until, now):
            await self._board.gated(name, gate_until - now)
            mark.gate_until = gate_until
        if state.disabled and not state.disabled_alone and disabled_at_ms != mark.disabled_at_ms:
            await self._board.disabled(name, state.disabled)
            mark.disabled_at_ms = disabled_at_ms

    def _heed(self, name: str, mark: _Mark, entry: BoardEntry, now_ms: int) -> None:
        if mark.began_ms is None:
            mark.began_ms, mark.word_at_ms = now_ms, entry.word_at_ms
        elif entry.word_at_ms > mark.word_at_ms:
            mark.word_at_ms = entry.word_at_ms
            self._obey(name, mark, entry, self._clock(), now_ms)

    def _hear(self, name: str, mark: _Mark, entry: BoardEntry, now_ms: int) -> None:
        state, now = mark.state, self._clock()
        breaker = state.breaker
        breaker.forced = Forced(entry.forced_by, entry.forced_why, entry.forced_at_ms) if entry.forced_by else None
        if entry.epoch > mark.epoch and breaker.transitions == mark.transitions:
            mark.epoch = entry.epoch
            if entry.open:
                breaker.adopt_open(now, max(0.0, (entry.until_ms - now_ms) / 1000), entry.openings, list(entry.causes))
            elif breaker.state is not BreakerState.CLOSED:
                breaker.adopt_closed(now, entry.openings)
        gate_until = now + (entry.gate_ms - now_ms) / 1000
        if entry.gate_ms and gate_until > state.gate_until:
            state.gate_until = mark.gate_until = gate_until
        if entry.disabled and not state.disabled and entry.disabled_at_ms >= (mark.began_ms or 0):
            state.disabled, state.disabled_at_ms = entry.disabled, float(entry.disabled_at_ms)
            mark.disabled_at_ms = state.disabled_at_ms

    def _obey(self, name: str, mark: _Mark, entry: BoardEntry, now: float, now_ms: int) -> None:
        state = mark.state
        logger.warning("%s: circuit breaker: an operator said %s", name, entry.word)
        if entry.word == "open":
            return
        if entry.word == "reset":
            state.breaker.reset(now)
            state.disabled, state.disabled_at_ms, state.gate_until, state.error = "", 0.0, 0.0, 0.0
            self._router.reopen(name)
            mark.gate_until = 0.0
            mark.began_ms = min(entry.word_at_ms, now_ms)
        else:
            state.breaker.close(now)
        mark.transitions, mark.epoch = state.breaker.transitions, max(mark.epoch, entry.epoch)


@dataclass(frozen=True, slots=True)
class _Probe:
    board: ProviderBoard
    trouble: StoreTrouble
    name: str
    token: str

    async def settle(self, outcome: Outcome | None) -> None:
        """Free the place, whatever came of the probe."""
        try:
            async with asyncio.timeout(STORE_S):
                await self.board.give_probe_back(self.name, self.token)
        except STORE_AWAY as error:
            # Its place is free again when the lease is over.
            self.trouble.report(error)


class ProbeGuard:
    """While a breaker tries whether its provider is back, one engine of the fleet asks, and once at a time."""

    def __init__(
        self, board: ProviderBoard, router: AIRouter, trouble: StoreTrouble, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._board = board
        self._router = router
        self._trouble = trouble
        self._clock = clock

    async def reserve(self, question: Question) -> _Probe | Refusal | None:
        """Take the fleet's place for a probe, if the call would be one; without the store each engine probes for itself."""
        name = question.provider
        state = self._router.states.get(name)
        if state is None or not state.breaker.probing(self._clock()):
            return None
        probe = _Probe(self._board, self._trouble, name, uuid4().hex)
        try:
            async with asyncio.timeout(STORE_S):
                taken = await self._board.take_probe(name, probe.token, state.settings.timeout_total_s + PROBE_MARGIN_S)
        except STORE_AWAY as error:
            # The place may be ours all the same.
            self._trouble.report(error)
            return probe
        except asyncio.CancelledError:
            await write_last_words(probe.settle(None), self._trouble)
            raise
        if not taken:
            # Else every new event would get a seat here, to see whether it is back.
            state.breaker.probed_elsewhere(self._clock() + PROBED_ELSEWHERE_S)
            return Refusal("another engine tries whether it is back", PROBED_ELSEWHERE_S)
        return probe
