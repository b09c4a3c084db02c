"""A backlog of actions is not claimed over and over while the next write cannot go out."""

from __future__ import annotations

from gitbridge_console.router.act_stage import AT_ONCE, SHUT_MAX_S, ActRoom


def test_the_lane_is_shut_until_the_next_write_can_go_out() -> None:
    now = 100.0
    room = ActRoom(lambda: now)
    assert room(0) == (AT_ONCE, 1.0)
    assert room(AT_ONCE)[0] == 0
    room.shut(1.0)
    room.shut(0.5)
    assert room(0) == (0, 1.0)
    now = 101.0
    assert room(1)[0] == AT_ONCE - 1


def test_a_long_wait_is_for_each_job_by_itself_so_that_other_hosts_are_not_held_up() -> None:
    room = ActRoom(lambda: 100.0)
    room.shut(SHUT_MAX_S + 1)
    room.shut(0.0)
    assert room(0)[0] == AT_ONCE
