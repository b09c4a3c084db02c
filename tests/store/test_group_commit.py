"""Group commit: at once when idle, together when busy, and nobody pays for another's fault."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.store import scripts_loader
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.group_commit import BYTES_MAX, FLIGHTS_MAX, LEFT, TOGETHER_MAX, GroupCommit, Transition
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.partition import WEIGHTS
from gitbridge_console.store.records import RoutePlan
from tests.claims import claim_all
from tests.headers import header

pytestmark = pytest.mark.anyio


class Server:
    """Answers each load when told to."""

    def __init__(self) -> None:
        self.loads: list[list[Transition]] = []
        self.answers: list[asyncio.Future[Any]] = []
        self.arrived = asyncio.Condition()

    async def send(self, load: list[Transition]) -> list[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with self.arrived:
            self.loads.append(load)
            self.answers.append(answer)
            self.arrived.notify_all()
        reply = await answer
        if isinstance(reply, Exception):
            raise reply
        return [reply] * len(load) if not isinstance(reply, list) else reply

    async def has(self, loads: int) -> None:
        async with asyncio.timeout(5), self.arrived:
            await self.arrived.wait_for(lambda: len(self.loads) >= loads)


async def test_what_is_asked_for_at_the_same_moment_leaves_together_at_once() -> None:
    server = Server()
    group = GroupCommit(server.send)
    first = [group.submit("settle", (n,)) for n in range(3)]
    await server.has(1)
    assert server.loads == [[("settle", (0,)), ("settle", (1,)), ("settle", (2,))]]
    server.answers[0].set_result([10, 11, 12])
    assert await asyncio.gather(*first) == [10, 11, 12]


async def test_while_round_trips_are_under_way_the_next_ones_gather() -> None:
    server = Server()
    group = GroupCommit(server.send)
    for n in range(FLIGHTS_MAX):
        group.submit("a", (n,))
        await server.has(n + 1)
    later = [group.submit("b", (n,)) for n in range(5)]
    await asyncio.sleep(0)
    assert len(server.loads) == FLIGHTS_MAX
    server.answers[0].set_result(0)
    await server.has(FLIGHTS_MAX + 1)
    assert [args for _, args in server.loads[-1]] == [(0,), (1,), (2,), (3,), (4,)]
    for answer in server.answers[1:]:
        answer.set_result(1)
    assert await asyncio.gather(*later) == [1] * 5


async def test_a_load_is_bounded_in_number_and_in_bytes_but_never_empty() -> None:
    server = Server()
    group = GroupCommit(server.send)
    large = b"x" * (BYTES_MAX + 1)
    for args in (*((n,) for n in range(TOGETHER_MAX + 1)), (large,), (large,)):
        group.submit("a", args)
    seen = 0
    while seen < TOGETHER_MAX + 3:
        await server.has(len(server.answers) + (seen == 0))
        for load, answer in zip(server.loads, server.answers, strict=True):
            if not answer.done():
                assert 1 <= len(load) <= TOGETHER_MAX
                assert sum(args[0] is large for _, args in load) <= 1
                seen += len(load)
                answer.set_result(0)
        await asyncio.sleep(0)


async def test_an_error_reaches_its_own_caller_and_a_lost_round_trip_all_of_it() -> None:
    server = Server()
    group = GroupCommit(server.send)
    one, other = group.submit("a", ()), group.submit("b", ())
    await server.has(1)
    server.answers[0].set_result([ResponseError("no"), 7])
    assert await other == 7
    with pytest.raises(ResponseError):
        await one
    both = [group.submit("a", ()), group.submit("b", ())]
    await server.has(2)
    server.answers[1].set_result(RedisConnectionError("gone"))
    assert [type(result) for result in await asyncio.gather(*both, return_exceptions=True)] == [RedisConnectionError] * 2


async def test_a_caller_that_gives_up_harms_nobody() -> None:
    server = Server()
    group = GroupCommit(server.send)
    gone, stays = group.submit("a", ()), group.submit("b", ())
    await server.has(1)
    gone.cancel()
    server.answers[0].set_result([1, 2])
    assert await stays == 2
    with pytest.raises(asyncio.CancelledError):
        await gone


async def test_what_nobody_waits_for_when_it_could_leave_is_not_sent() -> None:
    server = Server()
    group = GroupCommit(server.send)
    under_way = [asyncio.create_task(group.run("a", (n,))) for n in range(2)]
    await server.has(2)
    waiting = [asyncio.create_task(group.run("b", (n,))) for n in range(3)]
    await asyncio.sleep(0)
    for task in (under_way[0], waiting[0], waiting[2]):
        task.cancel()
    await server.has(3)
    assert server.loads[2] == [("b", (1,))]
    last = asyncio.create_task(group.run("c", ()))
    await asyncio.sleep(0)
    last.cancel()
    for answer in server.answers[1:]:
        answer.set_result([0])
    await asyncio.gather(*under_way, *waiting, last, return_exceptions=True)
    assert len(server.loads) == 3


async def test_one_alone_leaves_in_its_own_turn_and_those_behind_it_together() -> None:
    server = Server()
    group = GroupCommit(server.send)
    tasks = [asyncio.create_task(group.run("a", (n,))) for n in range(4)]
    await server.has(2)
    assert server.loads == [[("a", (0,))], [("a", (1,)), ("a", (2,)), ("a", (3,))]]
    server.answers[0].set_result([ResponseError("no")])
    server.answers[1].set_result([11, 12, 13])
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[0], ResponseError)
    assert found[1:] == [11, 12, 13]
    again = asyncio.create_task(group.run("b", ()))
    await server.has(3)
    server.answers[2].set_result([LEFT])
    await server.has(4)
    server.answers[3].set_result([20])
    assert await again == 20, "what there was no time for is asked for once more"


async def test_what_a_call_left_goes_before_what_came_since_but_for_those_who_gave_up() -> None:
    server = Server()
    group = GroupCommit(server.send)
    first = [group.submit("a", (n,)) for n in range(4)]
    await server.has(1)
    for n in range(FLIGHTS_MAX - 1):
        group.submit("b", (n,))
        await server.has(2 + n)
    last = group.submit("c", ())
    first[2].cancel()
    server.answers[0].set_result([10, LEFT, LEFT, LEFT])
    await server.has(FLIGHTS_MAX + 1)
    assert server.loads[-1] == [("a", (1,)), ("a", (3,)), ("c", ())]
    server.answers[-1].set_result([11, 13, 20])
    assert await asyncio.gather(first[0], first[1], first[3], last) == [10, 11, 13, 20]
    for answer in server.answers[1:-1]:
        answer.set_result(0)


async def test_a_transition_that_fails_inside_a_script_leaves_those_beside_it_done(queue: RedisEventQueue) -> None:
    for name in ("d1", "d2"):
        await queue.enqueue(IncomingEvent(name, "push", b"{}", "test"))
    bad, good = (await queue.claim("route", 2)).jobs
    await queue.client.set(queue.keys.about(bad.id), "not a hash")
    ends = [queue.hand_on(job, "", EventState.RESOLVED, texts={"reason": "done"}) for job in (bad, good)]
    results = await asyncio.gather(*ends, return_exceptions=True)
    assert isinstance(results[0], ResponseError)
    assert results[1] is True
    assert (await queue.stats()).counters["to:resolved"] == 1
    assert (await header(queue, bad.id))["st"] == "leased", "what failed is held as before, and is taken back when its lease runs out"


async def calls_of_scripts(client: Redis) -> int:
    return int((await client.info("commandstats"))["cmdstat_fcall"]["calls"])


async def test_what_is_dear_shares_a_call_with_fewer(client: Redis, namespace: str) -> None:
    """Routes of many events at the same moment take several calls: one for all would hold the server up."""
    queue = RedisEventQueue(client, Keys(namespace))
    await queue.enqueue_many([IncomingEvent(f"d{n}", "pull_request", b"{}", "test") for n in range(32)])
    jobs = await claim_all(queue, "route", 32)
    plan = RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), 2, 15, 120, 3600)
    before = await calls_of_scripts(client)
    assert {outcome for outcome, _ in await asyncio.gather(*(queue.route(job, plan) for job in jobs))} == {"routed"}
    assert await calls_of_scripts(client) - before >= -(-32 // (TOGETHER_MAX // WEIGHTS["route"]))


def test_only_transitions_have_weights() -> None:
    scripts = {file.stem for file in Path(scripts_loader.__file__).parent.joinpath("scripts").glob("*.lua")}
    assert set(WEIGHTS) <= scripts
