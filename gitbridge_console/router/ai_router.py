"""``AIRouter``: who may be asked, who should be, and what came of it."""

from __future__ import annotations

import itertools
import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.providers.base import Provider
from gitbridge_console.router.breaker import Admission, BreakerState
from gitbridge_console.router.latency import FALL, RISE
from gitbridge_console.router.provider_pool import Build, ProviderPool
from gitbridge_console.router.provider_state import ProviderState
from gitbridge_console.router.retry_budget import RepeatCap
from gitbridge_console.router.selection import Scored, Selection, Standing, choose, scored
from gitbridge_console.router.standings import Standings, too_small
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings

logger = logging.getLogger(__name__)

ERROR_ALPHA = 0.2
DEFAULT_GATE_S = 5.0
FORCED_LOOK_S = 30.0
"""How often to look again while an operator holds a breaker open."""

LAG_S = 0.25
"""When the loop is late by more, calls in flight time out together: one time-out in as long a time is counted, the rest is our doing."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether a call may be made now; if not, why, and when to look again (``None``: not before an operator acts)."""

    open: bool
    reason: str = ""
    retry_in_s: float | None = None

    @property
    def shut_for_s(self) -> float:
        """Zero while it is open, infinite where nobody knows."""
        return 0.0 if self.open else math.inf if self.retry_in_s is None else self.retry_in_s


@dataclass(frozen=True, slots=True)
class Call:
    """Leave to make one call, and to whom its outcome is told; outlives a change of settings."""

    state: ProviderState
    admission: Admission
    number: int


class AIRouter(ProviderPool):
    """Holds the providers, their health, and the choice between them."""

    def __init__(
        self,
        settings: Settings,
        providers: Mapping[str, Provider | str],
        *,
        clock: Callable[[], float] = time.monotonic,
        lag_s: Callable[[], float] = lambda: 0.0,
        on_news: Callable[[], None] = lambda: None,
        seed: int | None = None,
    ) -> None:
        """``providers`` maps each configured name to its client, or to the line that says why it has none.

        ``lag_s`` tells by how much the event loop was late a moment ago, in seconds; ``on_news`` is called when something
        became known of a provider that the rest of the fleet should know.
        """
        self._lag_s = lag_s
        self._on_news = on_news
        self._clock = clock
        self.paused: frozenset[str] = frozenset()
        self.no_new_seats: Mapping[str, str] = {}
        """Providers that get no seats by an operator's will, each with the reason: draining, or paused for too long."""
        self.hold: Callable[[str], Gate | None] = lambda name: None
        """The closed gate of a provider that is well but may not be asked, its budget being spent; set by who knows."""
        self.room: Callable[[str], tuple[int, float]] = lambda name: (1, 0.0)
        """How many calls its rate limits let a provider have now, and else in how many seconds one; set by who knows them."""
        self.reopen: Callable[[str], None] = lambda name: None
        """Forgets how long a provider asked to be left alone after a rate limit; set by who knows it."""
        self._standings = Standings()
        self._numbers = itertools.count(1)
        self._selection = settings.selection
        self.repeats = RepeatCap()
        super().__init__(settings, providers, random.Random(seed))

    async def apply(self, new: Settings, old: Settings, build: Build) -> list[str]:
        """See ProviderPool."""
        self._selection = new.selection
        gone = await super().apply(new, old, build)
        self._standings.latencies.keep({state.service for state in self.states.values()})
        return gone

    def gate(self, name: str) -> Gate:
        """Whether ``name`` may be called now. The only place that says so, for seats, failover and attempts alike.

        An operator's pause is a hold on the lane, enforced by the claim itself; see :meth:`select`.
        """
        state = self.states.get(name)
        if state is None:
            return Gate(False, "not configured")
        if not state.settings.enabled:
            return Gate(False, "switched off in the settings")
        if state.provider is None:
            return Gate(False, state.problem)
        if state.disabled:
            return Gate(False, state.disabled)
        if (held := self.hold(name)) is not None:
            return held
        now = self._clock()
        if (forced := state.breaker.forced) is not None:
            return Gate(False, f"circuit breaker held open by {forced.by}: {forced.why}", FORCED_LOOK_S)
        if now < state.gate_until:
            return Gate(False, f"rate limited for {state.gate_until - now:.1f} s more", state.gate_until - now)
        if not state.breaker.would_admit(now):
            wait_s = max(0.5, state.breaker.open_until - now)
            return Gate(False, f"circuit breaker {state.breaker.state} after {', '.join(state.breaker.causes) or 'failures'}", wait_s)
        return Gate(True)

    def slots(self, name: str, active: int) -> int:
        """How many tasks of its lane may be in hand here, of which ``active`` are.

        While its circuit is not closed, one that was not asked yet: the others would only be put back.
        """
        state = self.states.get(name)
        if state is None:
            return 0
        limit = state.concurrency.limit
        if state.breaker.state is BreakerState.CLOSED:
            return limit
        return min(limit, active + 1 if active <= state.in_flight else active)

    def too_small(self, name: str, tokens: int) -> str:
        """Why a question of so many tokens and its answer do not fit the provider's context; ``""`` when they do, or it is gone."""
        return too_small(self.states[name].settings, tokens) if name in self.states else ""

    def score(self, name: str, policy: KindSettings, *, tokens: int = 0, kind: str = "") -> float:
        """What ``name`` scores when nobody else is considered; lower is better (see :mod:`~gitbridge_console.router.selection`)."""
        (only,) = scored([self._standing(name, policy, tokens, kind)])
        return only.score

    def select(
        self,
        policy: KindSettings,
        seats: int | None = None,
        *,
        tokens: int = 0,
        kind: str = "",
        priority: Priority = Priority.NORMAL,
    ) -> Selection:
        """Choose a panel for a new event among preferred and reserve providers; ``seats`` of the policy, or fewer.

        ``tokens`` is the size of the question; who cannot read it, or not for the money, gets no seat. Nothing is tried out
        on an event of critical ``priority``.

        A paused provider keeps the seats it is preferred for (they wait in its lane, as a pause promises) but gets none
        as a reserve.
        """
        order = list(dict.fromkeys((*policy.prefer, *policy.reserve)))
        barred: list[Standing] = []
        chances: list[float] = []
        eligible: list[Standing] = []
        for name in order:
            gate = self.gate(name)
            if name in self.states and (unfit := self._unfit(name, policy, tokens, kind)):
                barred.append(Standing(name, "", False, barred=unfit))
            elif name in self.no_new_seats:
                barred.append(Standing(name, "", False, barred=self.no_new_seats[name]))
            elif not gate.open:
                barred.append(Standing(name, "", False, barred=gate.reason))
                if gate.retry_in_s is not None:
                    chances.append(gate.retry_in_s)
            elif name in self.paused and name not in policy.prefer:
                barred.append(Standing(name, "", False, barred="paused by an operator, and only in reserve"))
            else:
                eligible.append(self._standing(name, policy, tokens, kind))
        explore = 0.0 if priority is Priority.CRITICAL else self._selection.explore
        panel = choose(self._ranked(eligible, policy), barred, policy.seats if seats is None else seats, self._random, explore=explore)
        lines = tuple(f"{name}: {panel.reasons[name]}" for name in order)
        lanes = tuple(name for name in order if name in panel.chosen)
        too_large = bool(order) and all(name in self.states and self.too_small(name, tokens) for name in order)
        return Selection(lanes, lines, min(chances) if chances else None, too_large)

    def candidates(self, policy: KindSettings, exclude: Sequence[str], *, tokens: int = 0, kind: str = "") -> list[str]:
        """Who could take over a task, best first: eligible, not paused or draining, fit for ``tokens``, not in ``exclude``."""
        unwanted = {*exclude, *self.paused, *self.no_new_seats}
        order = (name for name in dict.fromkeys((*policy.prefer, *policy.reserve)) if name not in unwanted)
        names = [name for name in order if self.gate(name).open and not self._unfit(name, policy, tokens, kind)]
        return [one.standing.name for one in self._ranked([self._standing(name, policy, tokens, kind) for name in names], policy)]

    def _ranked(self, standings: Sequence[Standing], policy: KindSettings) -> list[Scored]:
        return scored(standings, cost_weight=self._selection.cost_weight, cost_limited=policy.max_cost_usd is not None)

    def _unfit(self, name: str, policy: KindSettings, tokens: int, kind: str) -> str:
        return self._standings.unfit(self.states[name], policy, tokens, kind)

    def _standing(self, name: str, policy: KindSettings, tokens: int, kind: str) -> Standing:
        calls, wait_s = self.room(name)
        # Infinite says "as soon as a call that was claimed has reserved", which is next.
        wait_s = wait_s if calls <= 0 and math.isfinite(wait_s) else 0.0
        return self._standings.of(self.states[name], policy, tokens, kind, now=self._clock(), wait_s=wait_s)

    def begin(self, name: str, timeout_s: float) -> Call | None:
        """Take leave for one call; ``None`` when the gate closed in between. Each call ends in one of the three below."""
        if not self.gate(name).open:
            return None
        state = self.states[name]
        admission = state.breaker.admit(self._clock(), timeout_s + 5.0)
        if admission is None:
            return None
        state.in_flight += 1
        self.repeats.called(self._clock())
        call = Call(state, admission, next(self._numbers))
        state.begun[call.number] = self._clock()
        return call

    def succeeded(
        self, call: Call, latency_s: float, *, kind: str = "", ttft_s: float | None = None, tokens_out: int | None = None
    ) -> None:
        """A usable answer came back, of ``tokens_out`` tokens, the first of them after ``ttft_s``."""
        state, now = call.state, self._clock()
        state.concurrency.succeeded(state.in_flight, latency_s)
        state.retries.succeeded()
        self._over(call)
        if state.finding is not None and not state.finding.ok:
            state.finding = None  # it answers: what an earlier look found is over
        before = state.breaker.transitions
        state.breaker.succeeded(call.admission, now, latency_s)
        self._standings.latencies.learn(state.service, kind, latency_s, ttft_s, tokens_out)
        state.latency_s = _ewma(state.latency_s, latency_s, RISE if latency_s > (state.latency_s or 0) else FALL)
        state.usual_latency_s = _ewma(state.usual_latency_s, latency_s, 0.01)
        self._note_error(state, 0.0, now)
        if state.breaker.transitions != before:
            self._on_news()

    def failed(self, call: Call, failure: Failure) -> None:
        """The call failed."""
        state, now = call.state, self._clock()
        self._over(call)
        rule = failure.rule
        before = state.breaker.transitions
        weight = 0.0 if failure.cls is FailureClass.SILENT and self._is_our_lag(state, now) else rule.breaker_weight
        state.concurrency.failed(failure, now)
        state.breaker.failed(call.admission, now, failure.cls.value, weight)
        if rule.gates:
            wait_s = failure.retry_after_s if failure.retry_after_s is not None else DEFAULT_GATE_S
            state.gate_until = max(state.gate_until, now + wait_s)
        if rule.disables:
            self._disable(state, failure)
        if weight > 0:
            state.retries.failed()
            self._note_error(state, 1.0, now)
        if rule.gates or rule.disables or state.breaker.transitions != before:
            self._on_news()

    def looked(self, state: ProviderState, finding: HealthFinding, failure: Failure | None) -> None:
        """Somebody looked at the service instead of asking it: what is wrong counts as one failed call would, what is well proves little.

        A good look neither closes a breaker nor counts as its probe: that a list is given does not mean that questions are answered.
        """
        state.finding = finding
        if failure is None:
            return
        if failure.cls is FailureClass.CREDENTIAL:
            self._disable(state, failure)
            self._on_news()
        elif failure.rule.breaker_weight > 0 and state.breaker.state is BreakerState.CLOSED:
            before = state.breaker.transitions
            admission = state.breaker.admit(self._clock(), 0.0)
            if admission is not None:
                state.breaker.failed(admission, self._clock(), failure.cls.value, failure.rule.breaker_weight)
            if state.breaker.transitions != before:
                self._on_news()

    def _disable(self, state: ProviderState, failure: Failure) -> None:
        state.disabled = f"{failure.cls.value}: {failure.message}"
        state.disabled_at_ms = time.time() * 1000
        state.disabled_alone = failure.cls is FailureClass.CREDENTIAL

    def _is_our_lag(self, state: ProviderState, now: float) -> bool:
        counted = now - state.silent_at >= LAG_S or self._lag_s() <= LAG_S
        if counted:
            state.silent_at = now
        return not counted

    def cancelled(self, call: Call) -> None:
        """The call was given up by us: says nothing about the provider."""
        self._over(call)
        call.state.breaker.neutral(call.admission)

    def may_repeat(self, name: str) -> bool:
        """Whether the retry budgets let a call to ``name`` be repeated, there or as a hedge; see :meth:`repeated`."""
        state = self.states.get(name)
        return state is not None and state.retries.may_repeat and self.repeats.may_repeat(self._clock())

    may_hedge = may_repeat

    def repeated(self) -> None:
        """A call was decided on that repeats one: a retry, a hedge, or a failover after the first."""
        self.repeats.repeated(self._clock())

    def _over(self, call: Call) -> None:
        call.state.in_flight -= 1
        call.state.heard_at = self._clock()
        call.state.begun.pop(call.number, None)

    def _note_error(self, state: ProviderState, value: float, now: float) -> None:
        decayed = state.error_now(now)
        state.error = decayed + ERROR_ALPHA * (value - decayed)
        state.error_at = now

    def describe(self, name: str) -> dict[str, Any]:
        """Fields of this provider's status that only its engine knows, ready for the heartbeat."""
        calls, repeats = self.repeats.counts(self._clock())
        budget = {"tokens": round(self.states[name].retries.tokens, 1), "repeats": repeats, "calls": calls}
        fields = self.states[name].describe(self._clock()) | {"retry_budget": budget}
        if fields["state"] in ("ok", "slow") and (held := self.hold(name)) is not None:
            fields |= {"state": "limited", "reason": held.reason}
        return fields


def _ewma(old: float | None, value: float, alpha: float) -> float:
    return value if old is None else old + alpha * (value - old)
