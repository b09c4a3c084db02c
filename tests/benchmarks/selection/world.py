"""The simulated services, and one run of one policy against them in virtual time.

Three services answer in lognormal times with medians of 6, 4 and 5 s; the second one, B, has the fault of the scenario from
the tenth to the fifteenth minute of thirty, or all the time where it is limited. A request whose attempt failed goes to
another service at once. Nothing sleeps: the clock jumps to the next thing that happens.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gitbridge_console.domain.failures import Failure, FailureClass

NAMES = ("a", "b", "c")
MEDIAN_S = {"a": 6.0, "b": 4.0, "c": 5.0}
SIGMA = 0.5
"""Of the lognormal distribution: the slowest of a hundred answers takes about three times as long as the median."""

TTFT_SHARE, TOKENS = 0.25, 600
MINUTES, FAULT = 30.0, (600.0, 900.0)
SLOW_FACTOR = 10.0
FAIL_S = 0.1
LOOK_AGAIN_S = 1.0
PER_MINUTE = 30


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is wrong with B, and how many requests come a second."""

    name: str
    fault: str
    rate: float


SCENARIOS = (
    Scenario("slow B, 0.3/s", "slow", 0.3),
    Scenario("slow B, 3/s", "slow", 3.0),
    Scenario("fast-failing B, 3/s", "failing", 3.0),
    Scenario("B limited to 30/min, 3/s", "limited", 3.0),
    Scenario("no fault, 3/s", "", 3.0),
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What one attempt comes to. ``remaining`` requests of the limit and seconds to the next one, where there is a limit."""

    latency_s: float
    failure: Failure | None = None
    remaining: int | None = None
    reset_s: float = 0.0


class Policy(Protocol):
    """A way to choose among the services; told when an attempt starts and how it ended."""

    def choose(self, tried: tuple[str, ...]) -> str | None:
        """Who is asked next, none of ``tried``; ``None``: nobody now."""
        ...

    def started(self, name: str) -> object:
        """An attempt starts; what is returned comes back with its end."""
        ...

    def ended(self, token: object, name: str, reply: Reply) -> None:
        """It ended."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """Of one run: how long each request took in seconds, failed attempts per request, share of attempts B got in the fault."""

    latencies_s: tuple[float, ...]
    wasted: float
    share_b: float


class World:
    """The services, with B's fault."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._fault = scenario.fault
        self._random = random.Random(f"{scenario.name}:{seed}:answers")
        self._level, self._level_at = float(PER_MINUTE), 0.0

    def ask(self, name: str, now: float) -> Reply:
        """What an attempt that starts now comes to."""
        latency_s = MEDIAN_S[name] * math.exp(self._random.gauss(0.0, SIGMA))
        if name != "b":
            return Reply(latency_s)
        if self._fault == "limited":
            return self._limited(latency_s, now)
        if not FAULT[0] <= now < FAULT[1]:
            return Reply(latency_s)
        if self._fault == "failing":
            return Reply(FAIL_S, Failure(FailureClass.TRANSIENT, "made up"))
        return Reply(latency_s * (SLOW_FACTOR if self._fault == "slow" else 1.0))

    def _limited(self, latency_s: float, now: float) -> Reply:
        """A bucket that refills continuously, as the services say theirs do."""
        per_s = PER_MINUTE / 60
        self._level = min(float(PER_MINUTE), self._level + (now - self._level_at) * per_s)
        self._level_at = now
        if self._level < 1:
            wait_s = (1 - self._level) / per_s
            return Reply(FAIL_S, Failure(FailureClass.RATE_LIMIT, "made up", retry_after_s=wait_s), 0, wait_s)
        self._level -= 1
        return Reply(latency_s, None, int(self._level), max(0.0, (1 - self._level) / per_s))


def run(scenario: Scenario, make: Callable[[Callable[[], float], int], Policy], seed: int) -> Result:
    """Thirty minutes of requests, each brought to its answer."""
    now, numbers, queue = [0.0], itertools.count(), list[tuple[float, int, Callable[[], None]]]()
    world, policy = World(scenario, seed), make(lambda: now[0], seed)
    arrivals = random.Random(f"{scenario.name}:{seed}:arrivals")
    done: list[float] = []
    attempts, failures, in_fault, in_fault_b = 0, 0, 0, 0

    def later(delay_s: float, act: Callable[[], None]) -> None:
        heapq.heappush(queue, (now[0] + delay_s, next(numbers), act))

    def attempt(since: float, tried: tuple[str, ...]) -> None:
        nonlocal attempts, in_fault, in_fault_b
        name = policy.choose(tried) or (policy.choose(()) if tried else None)
        if name is None:
            later(LOOK_AGAIN_S, lambda: attempt(since, ()))
            return
        attempts += 1
        if scenario.fault == "limited" or FAULT[0] <= now[0] < FAULT[1]:
            in_fault, in_fault_b = in_fault + 1, in_fault_b + (name == "b")
        token, reply = policy.started(name), world.ask(name, now[0])
        later(reply.latency_s, lambda: end(since, tried, name, token, reply))

    def end(since: float, tried: tuple[str, ...], name: str, token: object, reply: Reply) -> None:
        nonlocal failures
        policy.ended(token, name, reply)
        if reply.failure is None:
            done.append(now[0] - since)
            return
        failures += 1
        attempt(since, (*tried, name))

    at = 0.0
    while (at := at + arrivals.expovariate(scenario.rate)) < MINUTES * 60:
        heapq.heappush(queue, (at, next(numbers), lambda since=at: attempt(since, ())))  # type: ignore[misc]
    while queue:
        now[0], _, act = heapq.heappop(queue)
        act()
    return Result(tuple(done), failures / len(done), in_fault_b / max(1, in_fault))
