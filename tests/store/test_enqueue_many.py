"""Many events handed in at once fare as each would have alone."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.settings.model import QueueSettings, SheddingSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.partition import MANY_MAX
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import BackPressure, Enqueued, PayloadTooLarge
from tests.headers import header

pytestmark = pytest.mark.anyio


def event(delivery: str, payload: bytes = b"{}", **more: object) -> IncomingEvent:
    return IncomingEvent(delivery, "push", payload, "test", **more)  # type: ignore[arg-type]


async def test_all_are_there_in_their_order_and_look_like_any_other(queue: RedisEventQueue) -> None:
    found = await queue.enqueue_many([event(f"d{n}", json.dumps({"n": n}).encode()) for n in range(2 * MANY_MAX + 3)])
    assert [outcome.status for outcome in found if isinstance(outcome, Enqueued)] == ["new"] * (2 * MANY_MAX + 3)
    alone = await queue.enqueue(event("alone", b'{"n": -1}'))
    many, one = await header(queue, found[0].id), await header(queue, alone.id)  # type: ignore[union-attr]
    assert many.keys() == one.keys()
    assert many | {"dl": "", "ms": "", "rx": "", "sz": ""} == one | {"dl": "", "ms": "", "rx": "", "sz": ""}
    claimed = [job for _ in range(9) for job in (await queue.claim("route", 32)).jobs]
    assert [json.loads(job.payload)["n"] for job in claimed] == [*range(2 * MANY_MAX + 3), -1]
    stats = await queue.stats()
    assert stats.counters["to:received"] == stats.states["received"] == 2 * MANY_MAX + 4
    sizes = [int((await header(queue, job.id))["sz"]) for job in claimed]
    assert stats.bytes_by_state["received"] == sum(sizes)


async def test_a_delivery_is_accepted_once_wherever_it_stands_beside_itself(queue: RedisEventQueue) -> None:
    before = await queue.enqueue(event("known"))
    found = await queue.enqueue_many([event("a"), event("known"), event("a"), event("b"), event('"odd"'), event('"odd"')])
    assert [outcome.status for outcome in found] == ["new", "duplicate", "duplicate", "new", "new", "duplicate"]  # type: ignore[union-attr]
    assert found[1].id == before.id  # type: ignore[union-attr]
    assert found[2].id == found[0].id  # type: ignore[union-attr]


async def test_what_had_failed_runs_again_among_new_ones(queue: RedisEventQueue) -> None:
    await queue.enqueue(event("dead"))
    (job,) = (await queue.claim("route", 1)).jobs
    await queue.hand_on(job, "", EventState.FAILED, why="internal")
    found = await queue.enqueue_many([event("a"), event("dead"), event("b")])
    assert [outcome.status for outcome in found] == ["new", "requeued", "new"]  # type: ignore[union-attr]
    stats = await queue.stats()
    assert (stats.states["received"], stats.states["failed"]) == (3, 0)
    assert len((await queue.claim("route", 9)).jobs) == 3


async def test_what_has_more_of_its_own_keeps_it(queue: RedisEventQueue, client: Redis) -> None:
    long = "x" * 100
    plain, urgent, named = await queue.enqueue_many([event("a"), event("b", priority=Priority.CRITICAL, diff="+1"), event(long)])
    (first, *_) = (await queue.claim("route", 3)).jobs
    assert (first.id, first.diff, first.header["pin"]) == (urgent.id, "+1", "1")  # type: ignore[union-attr]
    detail = await EventReader(client, queue.keys).event_detail(named.id)  # type: ignore[union-attr]
    assert detail is not None
    assert detail.delivery == long
    assert isinstance(plain, Enqueued)


async def test_at_the_limit_each_is_judged_by_itself(client: Redis, namespace: str) -> None:
    never = SheddingSettings(enabled=False)
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(max_waiting=3), shedding=never)
    found = await queue.enqueue_many([event(f"d{n}") for n in range(5)])
    assert [type(outcome) for outcome in found] == [Enqueued] * 3 + [BackPressure] * 2
    assert (await queue.stats()).counters["refused"] == 2


@pytest.mark.parametrize("known", [False, True])
async def test_their_order_is_kept_where_the_server_has_not_got_the_scripts_or_has_forgotten_them(
    namespace: str, start_server: Callable[..., str], connect_to: Callable[[str], Redis], known: bool
) -> None:
    queue = RedisEventQueue(connect_to(start_server()), Keys(namespace))
    if known:
        await queue.enqueue_many([event("first", b'{"n": -1}')])
        await queue.client.execute_command("FUNCTION", "FLUSH")
    await queue.enqueue_many([event(f"d{n}", json.dumps({"n": n}).encode()) for n in range(4 * MANY_MAX)])

    claimed = [job for _ in range(13) for job in (await queue.claim("route", 32)).jobs]
    assert [json.loads(job.payload)["n"] for job in claimed] == [*([-1] if known else []), *range(4 * MANY_MAX)]


async def test_one_that_is_too_large_stops_all_before_anything_is_stored(client: Redis, namespace: str) -> None:
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(payload_max_bytes=1024))
    with pytest.raises(PayloadTooLarge):
        await queue.enqueue_many([event("a"), event("b", b"x" * 1025)])
    assert not (await queue.stats()).counters


async def test_what_is_alike_is_one_transition(queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    scripts = queue.partitions[0]._scripts
    run_in_turn = scripts.run_in_turn

    def noted(name: str, next_group: Callable[[], Sequence[bytes] | None], *more: Any) -> AsyncGenerator[Any, None]:
        def passed_on() -> Sequence[bytes] | None:
            group = next_group()
            if group is not None:
                calls.append(json.loads(group[0])[0])
            return group

        return run_in_turn(name, passed_on, *more)

    monkeypatch.setattr(scripts, "run_in_turn", noted)
    await queue.enqueue_many([*(event(f"d{n}") for n in range(5)), event("e", priority=Priority.LOW), event("f"), event("g")])
    assert calls[0] == ["bounds", "enqueue_all", "enqueue", "enqueue_all"]
