"""The deliveries of a run: varied, heads of one pull request that replace each other, some out of order, some delivered twice."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.facts import supersede_version
from gitbridge_console.simulator.traffic import TrafficGenerator

SHUFFLED_WITHIN = 6
"""Deliveries that may overtake one another, so that an older head sometimes comes after a newer one."""

REDELIVERED_WITHIN = 60
EVENTS_PER_S = 0.5
"""By the clock of the payloads: slow enough that two heads seldom carry the same second."""


@dataclass(frozen=True, slots=True)
class Deliveries:
    """``events`` in the order of submitting, the repeated ones included; ``heads`` maps a delivery to its subject and version."""

    events: Sequence[IncomingEvent]
    distinct: int
    heads: Mapping[str, tuple[str, int]]


def deliveries(count: int, seed: int, duplicates_share: float) -> Deliveries:
    """``count`` different deliveries and a share of repetitions; the same for the same seed."""
    chance = random.Random(seed)
    traffic = TrafficGenerator(seed, rate_per_s=EVENTS_PER_S)
    made = [traffic.next()[0] for _ in range(count)]
    heads = {event.delivery: head for event in made if (head := supersede_version(event.type, json.loads(event.payload))) is not None}
    placed = [(place + chance.uniform(0, SHUFFLED_WITHIN), event) for place, event in enumerate(made)]
    for place, event in enumerate(made):
        if chance.random() < duplicates_share:
            placed.append((place + chance.uniform(1, REDELIVERED_WITHIN), event))
    placed.sort(key=lambda pair: pair[0])
    return Deliveries([event for _, event in placed], count, heads)
