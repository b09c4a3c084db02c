"""Which deliveries never arrived, from what their host lists of its attempts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.deliveries import HookDelivery, missed, next_since, read_delivery, still_missing

ROW = {
    "id": 12345678,
    "guid": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
    "delivered_at": "2026-11-22T10:00:00Z",
    "redelivery": False,
    "duration": 0.27,
    "status": "OK",
    "status_code": 200,
    "event": "issues",
    "action": "opened",
}


def test_a_row_as_github_writes_it() -> None:
    read = read_delivery(ROW)
    assert read == HookDelivery(12345678, str(ROW["guid"]), 1_795_341_600_000, True, "OK", "issues", "opened")


@pytest.mark.parametrize(
    ("change", "ok"),
    [
        ({"status": "Invalid HTTP Response: 503", "status_code": 503}, False),
        ({"status": "failed to connect to host", "status_code": 502}, False),
        ({"status": "timed out", "status_code": 0}, False),
        ({"status": "Accepted", "status_code": 202}, True),
        ({"status": None, "status_code": None}, False),
        ({"action": None}, True),
    ],
)
def test_what_counts_as_delivered(change: dict[str, Any], ok: bool) -> None:
    read = read_delivery(ROW | change)
    assert read is not None
    assert read.ok is ok


@pytest.mark.parametrize(
    "row", [None, [], {}, ROW | {"id": "x"}, ROW | {"guid": ""}, ROW | {"delivered_at": "soon"}, ROW | {"delivered_at": None}]
)
def test_a_row_that_names_nothing_is_none(row: Any) -> None:
    assert read_delivery(row) is None


def test_one_successful_attempt_is_enough_and_the_newest_failed_one_is_repeated() -> None:
    tries = [
        HookDelivery(1, "lost", 100, False, "503", "push"),
        HookDelivery(4, "lost", 300, False, "502", "push"),
        HookDelivery(2, "saved", 100, False),
        HookDelivery(3, "saved", 200, True),
        HookDelivery(5, "young", 901, False),
        HookDelivery(6, "older", 50, False),
    ]
    found = missed(tries, before_ms=900)
    assert [(one.guid, one.attempt, one.attempts, one.status) for one in found] == [("older", 6, 1, ""), ("lost", 4, 2, "502")]


deliveries = st.lists(
    st.builds(HookDelivery, id=st.integers(1, 50), guid=st.sampled_from("abcdef"), at_ms=st.integers(0, 1_000), ok=st.booleans()),
    max_size=30,
)


@given(deliveries, st.integers(0, 1_000))
def test_nothing_that_arrived_is_asked_for_and_nothing_settled_is_left_out(tries: list[HookDelivery], before_ms: int) -> None:
    # Attempts have numbers of their own: the last one of a number stands, as the host would list it.
    tries = list({(one.guid, one.id): one for one in tries}.values())
    found = {one.guid: one for one in missed(tries, before_ms=before_ms)}
    for guid in {one.guid for one in tries}:
        own = [one for one in tries if one.guid == guid]
        settled, arrived = max(one.at_ms for one in own) <= before_ms, any(one.ok for one in own)
        assert (guid in found) == (settled and not arrived)
        if guid in found:
            assert found[guid].attempt in {one.id for one in own}
            assert found[guid].attempts == len(own)


@given(deliveries, st.integers(0, 1_000), st.sets(st.sampled_from("abcdef")))
def test_the_next_look_begins_before_everything_that_is_open(tries: list[HookDelivery], before_ms: int, still_open: set[str]) -> None:
    since = next_since(tries, still_open, since_ms=0, before_ms=before_ms)
    assert since <= before_ms
    assert all(one.at_ms > since for one in tries if one.guid in still_open)


@given(deliveries)
def test_oldest_first_whatever_the_order_of_the_list(tries: list[HookDelivery]) -> None:
    tries = list({one.id: one for one in tries}.values())
    order = [one.guid for one in missed(tries, before_ms=1_000)]
    assert order == [one.guid for one in missed(tries[::-1], before_ms=1_000)]


@given(deliveries, deliveries, st.integers(0, 1_000))
def test_looking_in_two_parts_finds_what_one_look_finds(older: list[HookDelivery], newer: list[HookDelivery], before_ms: int) -> None:
    # The first look saw everything up to a moment, the second what came later.
    first = list({one.id: one for one in older if one.at_ms <= 500}.values())
    later = list({one.id: one for one in newer if one.at_ms > 500 and one.id not in {old.id for old in first}}.values())
    before_ms = max(before_ms, 500)
    arrived_before = {one.guid for one in first if one.ok}
    in_parts = still_missing(still_missing((), first, before_ms=500), later, before_ms=before_ms)
    at_once = missed([*first, *later], before_ms=before_ms)
    settled = {one.guid for one in in_parts if one.outcome != "waiting"}
    # What arrived before is known here by then; the host's failed repetition of it is set aside by that.
    assert settled - arrived_before == {one.guid for one in at_once}
    assert [one.first_at for one in in_parts] == sorted(one.first_at for one in in_parts)
