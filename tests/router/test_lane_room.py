"""How many jobs a lane may claim when its provider's limits are used up."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.lane_room import LOOK_S, LaneRoom
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings


class Told:
    """Says of each provider what it is told to."""

    def __init__(self) -> None:
        self.says: dict[str, tuple[int, float]] = {}

    def room(self, name: str, claimed: int = 0) -> tuple[int, float]:
        return self.says.get(name, (9, 0.0))


@pytest.fixture
def limits() -> Told:
    return Told()


@pytest.fixture
def room(router: AIRouter, settings: Settings, limits: Any, clock: Any) -> LaneRoom:
    router.room = limits.room
    return LaneRoom("grok", limits, router, lambda: settings, clock=clock)


def test_what_the_limits_leave_may_be_claimed(room: LaneRoom, limits: Told) -> None:
    limits.says["grok"] = (4, 0.0)
    assert room(0) == (4, 0.0)


def test_a_limit_that_opens_within_a_second_is_waited_for(room: LaneRoom, limits: Told) -> None:
    limits.says["grok"] = (0, 0.9)
    assert room(0) == (0, 0.9)


def test_for_a_longer_one_one_job_at_a_time_is_looked_at_if_another_could_take_it(room: LaneRoom, limits: Told, clock: Any) -> None:
    limits.says["grok"] = (0, 30.0)
    assert room(0) == (1, 0.0)
    assert room(0) == (0, LOOK_S)
    clock.now += LOOK_S
    assert room(0) == (1, 0.0)


def test_where_the_others_are_at_their_limits_too_it_waits(room: LaneRoom, limits: Told) -> None:
    limits.says |= {"grok": (0, 30.0), "claude": (0, 5.0), "chatgpt": (0, 1.0)}
    assert room(0) == (0, 30.0)


def test_claimed_jobs_that_have_not_reserved_yet_are_waited_for_and_move_nothing(room: LaneRoom, limits: Told) -> None:
    limits.says["grok"] = (0, math.inf)
    assert room(3) == (0, math.inf)


def test_a_provider_of_another_kind_is_no_help(router: AIRouter, settings: Settings, limits: Any, clock: Any) -> None:
    alone = settings.model_copy(update={"kinds": {"general": KindSettings(seats=1, quorum=1, prefer=("grok",))}})
    limits.says["grok"] = (0, 30.0)
    assert LaneRoom("grok", limits, router, lambda: alone, clock=clock)(0) == (0, 30.0)
