"""One simulated service, apart from its wire format: what it answers, how long that takes, what goes wrong, what it bills."""

from __future__ import annotations

import hashlib
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gitbridge_console.simulator.answers import answer_text
from gitbridge_console.simulator.profiles import FaultRates, ServiceProfile
from gitbridge_console.simulator.seeds import seeded

CHARS_PER_TOKEN = 4
ADVERTISED_REQUESTS = 60_000
ADVERTISED_TOKENS = 600_000_000
WINDOW_S = 60.0
PROMPTS_REMEMBERED = 256
REFUSAL = "I cannot help with this request."


class BadAsk(ValueError):
    """A request no real service would accept; the message and status are what it would say."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request asks for, whatever wire format it came in."""

    model: str
    system: str
    prompt: str
    schema: dict[str, Any] | None
    schema_name: str
    stream: bool
    max_tokens: int
    include_usage: bool = True


@dataclass(frozen=True, slots=True)
class Bill:
    """Tokens of one call. ``input_tokens`` includes the cached ones."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left in the current minute."""

    limit: int
    remaining: int
    tokens_limit: int
    tokens_remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How one request will go. ``ending`` is ``stop``, ``length`` or ``refusal``; times are seconds."""

    text: str
    ending: str
    fault: str | None
    faults: FaultRates
    first_token_s: float
    total_s: float
    bill: Bill
    quota: Quota
    request_id: str
    model: str
    created: int
    include_usage: bool = True
    serial: int = 0

    def pieces(self, limit: int = 12) -> list[str]:
        """The text in at most ``limit`` pieces, as a stream would bring it."""
        size = max(16, -(-len(self.text) // limit))
        return [self.text[at : at + size] for at in range(0, len(self.text), size)] or [""]


class SimulatedService:
    """Decides about every request of one service. Not thread-safe: it belongs to one event loop."""

    def __init__(self, name: str, profile: ServiceProfile, seed: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.profile = profile
        self.requests = 0
        self._seed = seed
        self._clock = clock
        self._started = clock()
        self._chance: random.Random = seeded("service", seed, name)
        self._window_start = self._started
        self._window_requests = 0
        self._window_tokens = 0
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def plan(self, ask: Ask) -> Plan:
        """Settle the course of one request.

        Raises:
            BadAsk: the model is not one of the profile's.
        """
        if ask.model not in self.profile.models:
            raise BadAsk(f"The model `{ask.model}` does not exist or you do not have access to it.", status=404, param="model")
        faults, slowdown = self.profile.weather(self._clock() - self._started)
        fault = faults.draw(self._chance)
        total_s = self.profile.latency.sample_s(self._chance, slowdown)
        request_id = f"{self._chance.getrandbits(96):024x}"
        self.requests += 1
        text, ending = self._answer(ask, fault)
        bill = self._bill(ask, text)
        quota = self._count(bill)
        if self.profile.requests_per_minute and self._window_requests > self.profile.requests_per_minute:
            fault, faults = "rate_limited", replace(faults, retry_after_s=quota.reset_s)
        if fault == "rate_limited":
            quota = replace(quota, remaining=0)
        return Plan(
            text=text,
            ending=ending,
            fault=fault,
            faults=faults,
            first_token_s=total_s * self.profile.latency.ttft_share,
            total_s=total_s,
            bill=bill,
            quota=quota,
            request_id=request_id,
            model=ask.model,
            created=int(time.time()),
            include_usage=ask.include_usage,
            serial=self.requests,
        )

    def _answer(self, ask: Ask, fault: str | None) -> tuple[str, str]:
        if fault == "refusal":
            return REFUSAL, "refusal"
        text = answer_text(prompt=ask.prompt, schema=ask.schema, schema_name=ask.schema_name, provider=self.name, seed=self._seed)
        if fault == "invalid_json":
            return text[: max(1, len(text) * 2 // 3)] + " …", "stop"
        if len(text) > ask.max_tokens * CHARS_PER_TOKEN:
            return text[: ask.max_tokens * CHARS_PER_TOKEN], "length"
        return text, "stop"

    def _bill(self, ask: Ask, text: str) -> Bill:
        system_tokens = len(ask.system) // CHARS_PER_TOKEN
        total = system_tokens + len(ask.prompt) // CHARS_PER_TOKEN + 12
        return Bill(total, len(text) // CHARS_PER_TOKEN + 3, system_tokens if self._seen_before(ask.system) else 0)

    def _seen_before(self, system: str) -> bool:
        digest = hashlib.sha256(system.encode("utf-8", "surrogatepass")).digest()
        seen = digest in self._known
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > PROMPTS_REMEMBERED:
            self._known.popitem(last=False)
        return seen

    def _count(self, bill: Bill) -> Quota:
        now = self._clock()
        if now - self._window_start >= WINDOW_S:
            self._window_start, self._window_requests, self._window_tokens = now, 0, 0
        self._window_requests += 1
        self._window_tokens += bill.input_tokens + bill.output_tokens
        limit = self.profile.requests_per_minute or ADVERTISED_REQUESTS
        return Quota(
            limit=limit,
            remaining=max(0, limit - self._window_requests),
            tokens_limit=ADVERTISED_TOKENS,
            tokens_remaining=max(0, ADVERTISED_TOKENS - self._window_tokens),
            reset_s=max(0.1, WINDOW_S - (now - self._window_start)),
        )
