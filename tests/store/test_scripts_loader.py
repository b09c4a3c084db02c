"""The scripts run as functions where the server takes them, else as scripts; what they are given arrives as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.scripts_loader import ScriptRunner, library_name, packed

pytestmark = pytest.mark.anyio


async def calls(client: Redis, command: str) -> int:
    found = (await client.info("commandstats")).get(f"cmdstat_{command}", {"calls": 0})
    return int(found["calls"])


async def through(queue: RedisEventQueue) -> None:
    await queue.enqueue(IncomingEvent("d1", "push", b"\x00\xff", "test", diff="+ü"))
    (job,) = (await queue.claim("route", 1)).jobs
    assert (job.payload, job.diff) == (b"\x00\xff", "+ü")
    assert await queue.hand_on(job, "", EventState.RESOLVED)


async def test_they_are_loaded_once_and_called_as_functions(start_server: Callable[..., str], connect_to: Callable[[str], Redis]) -> None:
    client = connect_to(start_server())
    for n in range(2):
        await through(RedisEventQueue(client, Keys(f"t{n}")))
    libraries = await client.execute_command("FUNCTION", "LIST")
    assert library_name().encode() in str(libraries).encode()
    assert await calls(client, "function|load") == 1
    assert (await calls(client, "evalsha"), await calls(client, "eval")) == (0, 0)


READ_COLLECTOR = """#!lua name=collector
redis.register_function('collector', function()
  return {collectgarbage('setstepmul', 1), math.ceil(collectgarbage('count'))}
end)"""
MEMORY_KB = 1_000
"""Twice what the functions take with as much garbage as they may have; the calls below take three times as much."""


@pytest.mark.parametrize("together", [1, 32])
async def test_garbage_of_the_functions_goes_as_fast_as_it_comes(
    together: int, start_server: Callable[..., str], connect_to: Callable[[str], Redis]
) -> None:
    client = connect_to(start_server())
    queue = RedisEventQueue(client, Keys("t"))
    await client.execute_command("FUNCTION", "LOAD", READ_COLLECTOR)
    for n in range(0, 640, together):
        await queue.enqueue_many([IncomingEvent(f"d{n + k}", "push", b"{}", "test") for k in range(together)])
    step, memory_kb = await client.execute_command("FCALL", "collector", 0)
    assert step == 1, "what the collector does by itself is the least it can"
    assert memory_kb < MEMORY_KB


async def test_garbage_goes_where_every_call_is_waited_for(start_server: Callable[..., str], connect_to: Callable[[str], Redis]) -> None:
    client = connect_to(start_server())
    queue = RedisEventQueue(client, Keys("t"))
    await client.execute_command("FUNCTION", "LOAD", READ_COLLECTOR)
    for n in range(640):
        await queue.enqueue(IncomingEvent(f"d{n}", "push", b"{}", "test"))
        await queue.claim("route", 1)
    _, memory_kb = await client.execute_command("FCALL", "collector", 0)
    assert memory_kb < MEMORY_KB


async def test_functions_that_are_gone_are_loaded_again(start_server: Callable[..., str], connect_to: Callable[[str], Redis]) -> None:
    client = connect_to(start_server())
    queue = RedisEventQueue(client, Keys("t"))
    await queue.enqueue(IncomingEvent("d0", "push", b"{}", "test"))
    await client.execute_command("FUNCTION", "FLUSH", "SYNC")
    assert len((await queue.claim("route", 1)).jobs) == 1
    assert await calls(client, "function|load") == 2


async def test_where_no_functions_may_be_loaded_the_same_runs_as_scripts(
    start_server: Callable[..., str], connect_to: Callable[[str], Redis]
) -> None:
    url = start_server()
    await connect_to(url).execute_command("ACL", "SETUSER", "default", "-function")
    client = connect_to(url)
    queue = RedisEventQueue(client, Keys("t"))
    await through(queue)
    assert (await queue.stats()).states["resolved"] == 1
    assert await calls(client, "function|load") <= 1, "who is not allowed does not ask again and again"


async def test_an_old_server_is_not_asked_for_functions(client: Redis, namespace: str) -> None:
    await through(RedisEventQueue(client, Keys(namespace), server_major=6))


async def test_a_full_server_that_does_not_know_them_yet_still_moves_what_it_has(
    start_server: Callable[..., str], connect_to: Callable[[str], Redis]
) -> None:
    client = connect_to(start_server("--maxmemory-policy", "noeviction"))
    queue = RedisEventQueue(client, Keys("t"))
    await queue.enqueue(IncomingEvent("d1", "push", b"{}", "test"))
    await client.execute_command("FUNCTION", "FLUSH", "SYNC")
    await client.config_set("maxmemory", 1)
    with pytest.raises(OutOfMemoryError):
        await client.set("x", "y")
    (job,) = (await queue.claim("route", 1)).jobs
    assert await queue.hand_on(job, "", EventState.RESOLVED)


async def test_arguments_of_every_sort_arrive(client: Redis, namespace: str) -> None:
    runner = ScriptRunner(client, Keys(namespace).tag)
    (reply,) = await runner.run_group("commit", [("settle", ("0000000100.1", "1", "failed", "", "", "", "none", "half \ud800 of a pair"))])
    assert reply == 0
    with pytest.raises(ResponseError):
        await runner.run("pause", "pause")


def test_binary_arguments_follow_the_text() -> None:
    text, *binary = packed([("a", ("x", b"\x00", 1)), ("b", (b"\xff",))])
    assert text == b'[["a","b"],["x",[2],1],[[3]]]'
    assert binary == [b"\x00", b"\xff"]
