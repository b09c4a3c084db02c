"""Who gets a seat: a pure function of how every provider stands at this moment.

Eligibility comes first, then the lowest score of

    latency x load x (1 + 8 x errors) x cost factor / (weight x preference x ramp)

over all of them; of more than eight, of two drawn at random for each seat (Mitzenmacher, "The power of two choices in
randomized load balancing", 2001). Now and then somebody who does not score best gets a seat, since an idle provider's
latency is never learned anew otherwise. The parameters were tried by ``tests/benchmarks/selection``.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

ERROR_WEIGHT = 8.0
"""A provider all of whose calls fail must look nine times worse: fast failures would otherwise look like speed."""

OVERDUE = 2.5
"""A call in flight says that its provider takes at least a third of the time it has waited: a slow one is known before it answers."""

LOAD_SLOPE, LOAD_FULL, LOAD_BEND = 0.3, 2.0, 8
"""Load counts little while there is room, since a remote model hardly slows down with what one customer asks; at the limit
it counts double, since more would wait."""

PREFERRED_WEIGHT = 4.0
"""A preferred provider must look four times worse than a reserve before the reserve gets its seat."""

UNKNOWN_LATENCY_S = 2.0
"""Assumed while nothing is known of anybody; of one among several, that it is as fast as the fastest, so that it is tried."""

COST_FACTOR_BOUNDS = (0.25, 4.0)
"""A free model is not infinitely good, nor a dear one infinitely bad."""

ALL_COMPARED_MAX = 8
"""With more providers than this, two drawn at random are compared for each seat."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one provider stands. ``latency_s`` and ``cost_usd`` are expected of this question, ``None`` where nothing is known."""

    name: str
    vendor: str
    preferred: bool
    latency_s: float | None = None
    oldest_s: float = 0.0
    """How long the oldest call in flight has been waiting."""
    in_flight: int = 0
    limit: int = 1
    errors: float = 0.0
    """Decayed share of failures, 0 to 1."""
    cost_usd: float | None = None
    weight: float = 1.0
    probing: bool = False
    """It is tried again after it was away, and must get an event to be tried with: by its score alone it might never."""
    ramp: float = 1.0
    """Share of its weight that it has back after its circuit closed."""
    wait_s: float = 0.0
    """How long its rate limits would hold the call back."""
    barred: str = ""
    """Why it may not be asked at all."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A provider that may be asked, and what its score is made of."""

    standing: Standing
    score: float
    assumed_s: float
    cost_limited: bool

    def line(self) -> str:
        """The factors, short: ``score 0.66 (2.3 s, load 3/16, errors 2 %, $0.031, weight 4)``."""
        s = self.standing
        factors = [f"{self.assumed_s:.1f} s{' assumed' if s.latency_s is None else ''}"]
        if s.oldest_s / OVERDUE >= self.assumed_s > 0:
            factors.append(f"a call waits {s.oldest_s:.0f} s")
        if s.wait_s > 0:
            factors.append(f"limits hold it back {s.wait_s:.1f} s")
        factors += [f"load {s.in_flight}/{s.limit}", f"errors {s.errors:.0%}".replace("%", " %")]
        cost = "cost unknown" if s.cost_usd is None else f"${s.cost_usd:.3f}"
        factors.append(f"{cost}, passes max_cost_usd" if self.cost_limited and s.cost_usd is None else cost)
        factors.append(f"weight {weight_of(s):g}")
        if s.ramp < 1:
            factors.append(f"back at {s.ramp:.0%}".replace("%", " %"))
        return f"score {self.score:.2f} ({', '.join(factors)})"


@dataclass(frozen=True, slots=True)
class Panel:
    """Who was chosen, and one reason for each provider considered, by name."""

    chosen: tuple[str, ...]
    reasons: dict[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """The panel of an event, in the order of the settings. ``reasons`` has one line for each provider considered."""

    lanes: tuple[str, ...]
    reasons: tuple[str, ...]
    next_chance_s: float | None = None
    too_large: bool = False
    """No provider of this kind reads so much, whenever it is asked."""


def weight_of(standing: Standing) -> float:
    """The operator's weight, preference included."""
    return standing.weight * (PREFERRED_WEIGHT if standing.preferred else 1.0)


def load_factor(in_flight: int, limit: int) -> float:
    """1 when idle, ``LOAD_FULL`` at the limit, and no more than one and a half times that beyond it."""
    share = min(1.25, in_flight / max(1, limit))
    return 1 + LOAD_SLOPE * share + (LOAD_FULL - 1 - LOAD_SLOPE) * share**LOAD_BEND


def cost_factor(cost_usd: float | None, usual_usd: float | None, weight: float) -> float:
    """How much the price moves a score: 1 at the usual price and where the price is unknown; ``weight`` 0 switches it off."""
    if cost_usd is None or not usual_usd:
        return 1.0
    low, high = COST_FACTOR_BOUNDS
    return float(min(high, max(low, cost_usd / usual_usd)) ** weight)


def over_budget(cost_usd: float | None, most_usd: float | None) -> str:
    """Why a call is too dear for its seat; ``""`` when it is not, or nobody knows."""
    if cost_usd is None or most_usd is None or cost_usd <= most_usd:
        return ""
    return f"about ${cost_usd:.3f}, and a seat may cost ${most_usd:.3f}"


def scored(standings: Sequence[Standing], *, cost_weight: float = 0.0, cost_limited: bool = False) -> list[Scored]:
    """Those who may be asked, best first; between equals the order given decides, which is the order of the settings."""
    eligible = [standing for standing in standings if not standing.barred]
    fastest_s = min((s.latency_s for s in eligible if s.latency_s is not None), default=UNKNOWN_LATENCY_S)
    costs = [s.cost_usd for s in eligible if s.cost_usd is not None]
    usual_usd = median(costs) if costs else None
    result = []
    for s in eligible:
        assumed_s = max(fastest_s if s.latency_s is None else s.latency_s, s.oldest_s / OVERDUE)
        load, errors = load_factor(s.in_flight, s.limit), 1 + ERROR_WEIGHT * s.errors
        price = cost_factor(s.cost_usd, usual_usd, cost_weight)
        score = (assumed_s + s.wait_s) * load * errors * price / (weight_of(s) * s.ramp)
        result.append(Scored(s, score, assumed_s, cost_limited))
    return sorted(result, key=_rank)


def _rank(one: Scored) -> tuple[bool, float]:
    return (not one.standing.probing, one.score)


def choose(ranked: Sequence[Scored], barred: Sequence[Standing], seats: int, draw: random.Random, *, explore: float = 0.0) -> Panel:
    """Fill ``seats`` from the providers ``ranked`` best first, no vendor twice.

    With probability ``explore`` the last seat is drawn from all that could have it: no reserve takes the seat of a preferred
    provider that way, since an operator's order is not ours to try out. ``barred`` only adds reasons.
    """
    left, panel = list(ranked), list[Scored]()
    while left and len(panel) < seats:
        pick = left[0] if len(ranked) <= ALL_COMPARED_MAX else min(draw.sample(left, min(2, len(left))), key=_rank)
        panel.append(pick)
        left = [one for one in left if one.standing.vendor != pick.standing.vendor]
    explored: Scored | None = None
    if panel and left and not panel[-1].standing.probing and explore > 0 and draw.random() < explore:
        last = panel[-1]
        pool = [last, *(one for one in left if one.standing.preferred >= last.standing.preferred)]
        panel[-1] = draw.choice(pool)
        explored = panel[-1] if panel[-1] is not last else None
    vendors = {one.standing.vendor for one in panel}
    reasons = {standing.name: standing.barred for standing in barred}
    for one in ranked:
        if one in panel:
            which = "preferred" if one.standing.preferred else "from the reserve"
            tried = ", to see whether it is back" if one.standing.probing else ", to see how it does now" if one is explored else ""
            why = f"chosen, {which}{tried}"
        else:
            why = "not needed" + (f", {one.standing.vendor} has a seat" if one.standing.vendor in vendors else "")
        reasons[one.standing.name] = f"{why}: {one.line()}"
    return Panel(tuple(one.standing.name for one in panel), reasons)
