"""How the simulated services behave: how fast they are, what goes wrong and when.

The latencies are made for a lively demonstration, not taken from a vendor: medians between half a second and a second,
99 of 100 answers within three. Real services are slower by a factor of five to ten.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

Rate = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=3600)]
Vendor = Literal["anthropic", "openai", "xai"]
STRICT = ConfigDict(extra="forbid", strict=False)


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of a whole answer: lognormal around ``median_s``, of which ``ttft_share`` passes before the first token."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    median_s: Seconds = 0.7
    sigma: Annotated[float, Field(ge=0, le=3)] = 0.35
    ttft_share: Rate = 0.45
    cap_s: Seconds = 8.0

    def sample_s(self, rng: random.Random, slowdown: float = 1.0) -> float:
        """One draw, in seconds, never above ``cap_s`` times the slowdown."""
        if self.median_s == 0:
            return 0.0
        return float(min(self.cap_s, self.median_s * rng.lognormvariate(0.0, self.sigma)) * slowdown)


@dataclass(frozen=True, slots=True)
class FaultRates:
    """Share of requests that each fault befalls; at most one fault per request. Times are in seconds."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    server_error: Rate = 0.0
    rate_limited: Rate = 0.0
    overloaded: Rate = 0.0
    overloaded_midstream: Rate = 0.0
    stall: Rate = 0.0
    cut: Rate = 0.0
    invalid_json: Rate = 0.0
    refusal: Rate = 0.0
    silence: Rate = 0.0
    retry_after_s: Seconds = 3.0
    hang_s: Seconds = 60.0
    """How long a stall or a silence lasts when the client does not give up first."""

    def draw(self, rng: random.Random) -> str | None:
        """The name of the fault that befalls one request, or ``None``. One number is used whatever the rates are."""
        at = rng.random()
        for name in FAULT_NAMES:
            at -= getattr(self, name)
            if at < 0:
                return name
        return None

    @property
    def total(self) -> float:
        """Share of requests to which anything happens; above 1 makes no sense."""
        return float(sum(getattr(self, name) for name in FAULT_NAMES))


FAULT_NAMES = tuple(item.name for item in fields(FaultRates) if not item.name.endswith("_s"))


@dataclass(frozen=True, slots=True)
class Storm:
    """A stretch of bad weather, in seconds since the services started; with ``every_s`` it comes again and again."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    from_s: Seconds
    until_s: Seconds
    every_s: Seconds = 0.0
    slowdown: Annotated[float, Field(ge=0.01, le=1000)] = 1.0
    faults: FaultRates | None = None

    def covers(self, since_start_s: float) -> bool:
        """Whether the storm rages at that moment."""
        at = since_start_s % self.every_s if self.every_s else since_start_s
        return self.from_s <= at < self.until_s


@dataclass(frozen=True, slots=True)
class BatchLife:
    """What becomes of batches: they end after ``delay_s``, with a share of requests that failed or expired."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    delay_s: Seconds = 20.0
    failed: Rate = 0.0
    expired: Rate = 0.0


@dataclass(frozen=True, slots=True)
class ServiceProfile:
    """One simulated service. ``vendor`` decides which wire formats, headers and error bodies it speaks.

    With ``requests_per_minute`` above 0 the service refuses what goes beyond it; 0 only advertises a generous limit.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    vendor: Vendor = "openai"
    models: tuple[str, ...] = ("simulated-1",)
    latency: Latency = Latency()
    faults: FaultRates = FaultRates()
    storms: tuple[Storm, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    batches: BatchLife = BatchLife()

    def weather(self, since_start_s: float) -> tuple[FaultRates, float]:
        """Fault rates and slowdown at that moment: those of the first storm that covers it, else the everyday ones."""
        for storm in self.storms:
            if storm.covers(since_start_s):
                return storm.faults or self.faults, storm.slowdown
        return self.faults, 1.0


Profiles = dict[str, ServiceProfile]

QUIET: Profiles = {
    "claude": ServiceProfile("anthropic", ("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"), Latency(0.85, 0.35, 0.45)),
    "grok": ServiceProfile("xai", ("grok-4.7", "grok-4.3"), Latency(0.55, 0.40, 0.35)),
    "chatgpt": ServiceProfile("openai", ("gpt-6.1-sol", "gpt-6-luna", "gpt-6.2-sol"), Latency(0.65, 0.35, 0.50)),
}
"""The three services on a day when nothing goes wrong."""

CALM_FAULTS = FaultRates(
    server_error=0.003,
    rate_limited=0.002,
    overloaded=0.002,
    overloaded_midstream=0.0005,
    stall=0.0005,
    cut=0.0015,
    invalid_json=0.002,
    refusal=0.0005,
    silence=0.0005,
    retry_after_s=2.0,
)

STORMS: dict[str, tuple[Storm, ...]] = {
    "claude": (Storm(70.0, 90.0, 120.0, faults=FaultRates(server_error=0.7, overloaded=0.1, overloaded_midstream=0.05)),),
    "grok": (Storm(25.0, 45.0, 120.0, slowdown=3.0),),
    "chatgpt": (Storm(45.0, 65.0, 120.0, faults=FaultRates(rate_limited=0.6, cut=0.05, retry_after_s=6.0)),),
}


def named_profiles() -> dict[str, Profiles]:
    """The profiles that come with the program: ``none`` (no faults), ``calm`` (under 2 %) and ``storm``."""
    calm = {name: replace(profile, faults=CALM_FAULTS) for name, profile in QUIET.items()}
    storm = {name: replace(profile, storms=STORMS[name]) for name, profile in calm.items()}
    return {"none": dict(QUIET), "calm": calm, "storm": storm}
