"""Several sorted sets read as one list, against the same list sorted in memory."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gitbridge_console.domain.windows import Bookmark
from gitbridge_console.store import merged_sets
from gitbridge_console.store.merged_sets import MergedSets

pytestmark = pytest.mark.anyio

BAND = 2**43
SCORES = st.one_of(st.integers(0, 4), st.integers(0, 5).map(lambda n: n * BAND + 7), st.integers(0, 6 * BAND))
SETS = st.lists(st.dictionaries(st.integers(0, 60).map(lambda n: b"%03d" % n), SCORES, max_size=40), max_size=4)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def stored(client: Redis, prefix: str, sets: list[dict[bytes, int]]) -> list[str]:
    """Write the sets, each name made its own by its set's number; returns their keys."""
    keys = []
    for n, members in enumerate(sets):
        keys.append(f"{prefix}:{uuid4().hex}:{n}")
        if members:
            await client.zadd(keys[-1], {b"%d/%s" % (n, name): score for name, score in members.items()})
    return keys


def in_memory(sets: list[dict[bytes, int]], *, descending: bool) -> list[tuple[int, bytes]]:
    return sorted(((score, b"%d/%s" % (n, name)) for n, members in enumerate(sets) for name, score in members.items()), reverse=descending)


@FEW
@given(sets=SETS, first=st.integers(0, 120), count=st.integers(1, 60), descending=st.booleans())
async def test_a_window_is_that_part_of_the_sorted_list(
    client: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch, sets: list[dict[bytes, int]], first: int, count: int, descending: bool
) -> None:
    monkeypatch.setattr(merged_sets, "NEAR", 0)
    merged = MergedSets(client, await stored(client, namespace, sets), descending=descending)
    expected = in_memory(sets, descending=descending)
    assert await merged.total() == len(expected)
    assert [(round(e.score), e.name) for e in await merged.window(first, count)] == expected[first : first + count]


@FEW
@given(sets=SETS, count=st.integers(1, 30), descending=st.booleans())
async def test_steps_together_see_everything_once_and_in_order(
    client: Redis, namespace: str, monkeypatch: pytest.MonkeyPatch, sets: list[dict[bytes, int]], count: int, descending: bool
) -> None:
    monkeypatch.setattr(merged_sets, "LEAST_PER_SET", 2)
    merged = MergedSets(client, await stored(client, namespace, sets), descending=descending)
    seen, bookmark, steps = [], Bookmark(), 0
    while bookmark is not None:
        entries, bookmark = await merged.after(bookmark, count)
        seen += [(round(entry.score), entry.name) for entry in entries]
        steps += 1
        assert steps < 300
    assert seen == in_memory(sets, descending=descending)


@FEW
@given(sets=SETS.filter(lambda sets: any(sets)), descending=st.booleans(), any_one=st.integers(0, 10_000))
async def test_every_entry_knows_its_place(
    client: Redis, namespace: str, sets: list[dict[bytes, int]], descending: bool, any_one: int
) -> None:
    keys = await stored(client, namespace, sets)
    merged = MergedSets(client, keys, descending=descending)
    expected = in_memory(sets, descending=descending)
    at = any_one % len(expected)
    name = expected[at][1]
    names: Mapping[str, bytes] = dict.fromkeys(keys, name)
    assert await merged.place_of(names) == at
    assert await merged.place_of(dict.fromkeys(keys, b"nobody")) is None


async def test_a_place_among_many_costs_few_round_trips(client: Redis, namespace: str) -> None:
    """Ten thousand entries in four sets, six classes of priority: counted in commands, since time is a benchmark's matter."""
    sets = [{b"%05d" % n: (n % 6) * BAND + 1_700_000_000_000 + n for n in range(k, 10_000, 4)} for k in range(4)]
    merged = MergedSets(client, await stored(client, namespace, sets))
    before = (await client.info("stats"))["total_commands_processed"]
    window = await merged.window(7_777, 50)
    assert (await client.info("stats"))["total_commands_processed"] - before < 1_200
    assert [(round(e.score), e.name) for e in window] == in_memory(sets, descending=False)[7_777:7_827]


async def test_no_sets_are_an_empty_list(client: Redis) -> None:
    merged = MergedSets(client, [])
    assert await merged.total() == 0
    assert await merged.window(0, 10) == []
    assert await merged.after(Bookmark(), 10) == ([], None)
