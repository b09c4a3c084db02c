"""What a console that looks costs of a core while a fleet does nothing, something and much, in rounds.

The pace of a machine changes by a quarter within minutes, so what is compared is measured one right after the other: every round
has all phases, ratios are those of a round, and what is reported are medians of the rounds. Two consoles run all the while, one for
each of two stores: in ``fresh`` events wait and nothing was ever measured, ``lived`` is the one that has traffic and its history.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import NamedTuple

from tests.benchmarks.console.producer import fill
from tests.benchmarks.console.terminal import Terminal, read_all

WAITING = 5_000
RATES = (100, 1_000)
SETTLE_S, MEASURE_S = 4.0, 20.0
"""Four times as long as charts stand."""
ROUNDS = 3


class Round(NamedTuple):
    """Percent of a core, by the rate of the traffic; 0: there is none now."""

    never: float
    """No traffic, in a fleet that never had any."""
    lived: Mapping[int, float]
    """The fleet that has it."""
    beside: Mapping[int, float]
    """The one that never had any, while the other has it: what the machine itself makes dearer meanwhile."""

    @property
    def spread(self) -> float:
        """The dearest phase to the cheapest, none left out."""
        spent = [self.never, *self.lived.values()]
        return max(spent) / min(spent)

    @property
    def spread_beside(self) -> float:
        """As :attr:`spread`, each phase to what the fleet that never had traffic costs in the same moment, on the same busy machine."""
        shares = [1.0, self.lived[0] / self.never, *(self.lived[rate] / self.beside[rate] for rate in RATES)]
        return max(shares) / min(shares)

    @property
    def traffic_ratio(self) -> float:
        """The dearer traffic to the same fleet at rest."""
        return max(self.lived[rate] for rate in RATES) / self.lived[0]


@contextmanager
def traffic(env: Mapping[str, str], folder: str, rate: int, seconds: float) -> Iterator[list[float]]:
    """Traffic by a process of its own; the rate it reached is in the list afterwards."""
    reached: list[float] = []
    if not rate:
        yield reached
        return
    words = [sys.executable, "-m", "tests.benchmarks.console.producer", folder, str(rate), str(seconds)]
    producer = subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, **env})
    try:
        yield reached
        assert producer.stdout is not None
        reached.append(float(producer.stdout.read()))
    finally:
        producer.terminate()
        producer.wait()


def rounds(console: Sequence[str], env: Mapping[str, str], folder: str, count: int = ROUNDS) -> dict[str, float]:
    """The medians of ``count`` rounds at 200x60 and 1 Hz; the first rounds' fleet has had traffic before."""
    places = {name: f"{folder}/{name}" for name in ("fresh", "lived")}
    for place in places.values():
        asyncio.run(fill(place, WAITING))
    with traffic(env, places["lived"], RATES[-1], 10.0):
        pass
    fresh, lived = (Terminal([*console, "--state-dir", place, "--observe"], (200, 60), env) for place in places.values())
    with closing(fresh), closing(lived):
        for terminal in (fresh, lived):
            terminal.until("claude")
        read_all((fresh, lived), SETTLE_S)
        found: list[Round] = []
        reached = dict.fromkeys(RATES, 0.0)
        for _ in range(count):
            spent: dict[int, list[float]] = {}
            for rate in (0, *RATES):
                with traffic(env, places["lived"], rate, SETTLE_S + MEASURE_S + 1.0) as rates:
                    read_all((fresh, lived), SETTLE_S)
                    spent[rate] = percents(fresh, lived)
                if rates:
                    reached[rate] = rates[0]
            by_rate = {rate: both[1] for rate, both in spent.items()}
            found.append(Round(spent[0][0], by_rate, {rate: both[0] for rate, both in spent.items() if rate}))
    median = statistics.median
    return {
        **{f"reached_per_s_{rate}": n for rate, n in reached.items()},
        "cpu_percent_0": median(one.never for one in found),
        "cpu_percent_0_lived": median(one.lived[0] for one in found),
        **{f"cpu_percent_{rate}": median(one.lived[rate] for one in found) for rate in RATES},
        **{f"cpu_percent_0_beside_{rate}": median(one.beside[rate] for one in found) for rate in RATES},
        "cpu_spread": median(one.spread for one in found),
        "cpu_spread_beside": median(one.spread_beside for one in found),
        "cpu_traffic_ratio": median(one.traffic_ratio for one in found),
    }


def percents(*terminals: Terminal) -> list[float]:
    """What each spends of a core in :data:`MEASURE_S`."""
    before = [terminal.cpu_s() for terminal in terminals]
    seconds = read_all(terminals, MEASURE_S)
    return [100 * (terminal.cpu_s() - spent) / seconds for terminal, spent in zip(terminals, before, strict=True)]
