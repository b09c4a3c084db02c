"""The policies compared: four that others use, written down from their sources, and ours, which is the product's own code."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable

from gitbridge_console.domain.rate_limits import Dimension
from gitbridge_console.router.ai_router import AIRouter, Call
from gitbridge_console.router.known_limits import ONE_REQUEST, KnownLimits
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings, ProviderSettings
from tests.benchmarks.selection.world import NAMES, PER_MINUTE, TOKENS, TTFT_SHARE, Policy, Reply

Clock = Callable[[], float]


class Random:
    """Anybody, with equal chances."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.clock = clock
        self.random = random.Random(seed)
        self.in_flight = dict.fromkeys(NAMES, 0)

    def choose(self, tried: tuple[str, ...]) -> str | None:
        """See Policy."""
        left = [name for name in NAMES if name not in tried]
        return self.pick(left) if left else None

    def pick(self, left: list[str]) -> str:
        """One of those that are left."""
        return self.random.choice(left)

    def started(self, name: str) -> object:
        """See Policy."""
        self.in_flight[name] += 1
        return None

    def ended(self, token: object, name: str, reply: Reply) -> None:
        """See Policy."""
        self.in_flight[name] -= 1
        self.learn(name, reply)

    def learn(self, name: str, reply: Reply) -> None:
        """What a policy remembers of an attempt."""


class LeastInFlight(Random):
    """Who has the fewest calls under way."""

    def pick(self, left: list[str]) -> str:
        """See Random."""
        return min(left, key=lambda name: (self.in_flight[name], self.random.random()))


class LowestLatency(Random):
    """The lowest mean of the last ten good answers, as LiteLLM's ``latency-based-routing`` has it; the unknown first."""

    def __init__(self, clock: Clock, seed: int) -> None:
        super().__init__(clock, seed)
        self.last: dict[str, deque[float]] = {name: deque(maxlen=10) for name in NAMES}

    def pick(self, left: list[str]) -> str:
        """See Random."""
        return min(left, key=lambda name: (sum(self.last[name]) / max(1, len(self.last[name])), self.random.random()))

    def learn(self, name: str, reply: Reply) -> None:
        """See Random."""
        if reply.failure is None:
            self.last[name].append(reply.latency_s)


class PeakEwma(Random):
    """The better of two by peak EWMA times calls under way, as Finagle's ``PeakEwma`` with its time constant of 10 s."""

    tau_s = 10.0
    penalty = float(2**31)

    def __init__(self, clock: Clock, seed: int) -> None:
        super().__init__(clock, seed)
        self.cost = dict.fromkeys(NAMES, 0.0)
        self.at = dict.fromkeys(NAMES, 0.0)

    def pick(self, left: list[str]) -> str:
        """See Random."""
        return min(self.random.sample(left, min(2, len(left))), key=self.load)

    def load(self, name: str) -> float:
        """Reading decays the cost towards zero."""
        self.observe(name, 0.0)
        if self.cost[name] == 0 and self.in_flight[name]:
            return self.penalty + self.in_flight[name]
        return self.cost[name] * (self.in_flight[name] + 1)

    def observe(self, name: str, latency_s: float) -> None:
        """Up at once, down slowly."""
        now = self.clock()
        kept = math.exp(-(now - self.at[name]) / self.tau_s)
        self.at[name] = now
        self.cost[name] = latency_s if latency_s > self.cost[name] else self.cost[name] * kept + latency_s * (1 - kept)

    def learn(self, name: str, reply: Reply) -> None:
        """See Random."""
        self.observe(name, reply.latency_s)


class Ours:
    """:class:`AIRouter` as the engine has it, its clock handed in: gate, breaker, score, exploration, and the limiter's buckets."""

    def __init__(self, clock: Clock, seed: int) -> None:
        own = ProviderSettings(api="chat", model="m", base_url="http://127.0.0.1", max_concurrency=64)
        settings = Settings(providers=dict.fromkeys(NAMES, own), kinds={"general": KindSettings(seats=1, quorum=1, prefer=NAMES)})
        self.policy = settings.kinds["general"]
        self.clock = clock
        self.limits = {name: KnownLimits(name, own) for name in NAMES}
        self.router = AIRouter(settings, {name: object() for name in NAMES}, clock=clock, seed=seed)  # type: ignore[misc]
        self.router.room = self.room

    def room(self, name: str) -> tuple[int, float]:
        """As the engine's limiter says it."""
        wait_s, _ = self.limits[name].buckets.wait_s(ONE_REQUEST, self.clock())
        return (0, wait_s) if wait_s > 0 else (1, 0.0)

    def choose(self, tried: tuple[str, ...]) -> str | None:
        """A new request as the route stage does, one that failed or may not be sent now as the task processor does."""
        if not tried:
            lanes = self.router.select(self.policy, kind="general").lanes
            if not lanes or self.room(lanes[0])[0]:
                return next(iter(lanes), None)
            tried = lanes
        others = self.router.candidates(self.policy, tried, kind="general")
        return next((name for name in others if self.room(name)[0]), None)

    def started(self, name: str) -> Call:
        """See Policy."""
        call = self.router.begin(name, 50.0)
        assert call is not None, "who was chosen may be asked"
        self.limits[name].buckets.change({Dimension.REQUESTS: -1.0}, self.clock())
        return call

    def ended(self, token: object, name: str, reply: Reply) -> None:
        """See Policy."""
        assert isinstance(token, Call)
        self._hear(self.limits[name], reply)
        if reply.failure is not None:
            self.router.failed(token, reply.failure)
        else:
            self.router.succeeded(token, reply.latency_s, kind="general", ttft_s=reply.latency_s * TTFT_SHARE, tokens_out=TOKENS)

    def _hear(self, known: KnownLimits, reply: Reply) -> None:
        """What the headers of the response say."""
        if reply.remaining is None:
            return
        now = self.clock()
        if not known.advertised:
            known.advertised[Dimension.REQUESTS] = float(PER_MINUTE)
            known.reckon(now, 1)
        known.buckets.at_most({Dimension.REQUESTS: float(reply.remaining)}, now)


POLICIES: dict[str, Callable[[Clock, int], Policy]] = {
    "random": Random,
    "least in flight": LeastInFlight,
    "lowest latency": LowestLatency,
    "P2C peak EWMA": PeakEwma,
    "ours": Ours,
}
