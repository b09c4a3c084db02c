"""The store's clock, by which what comes earlier is told from what comes later."""

from __future__ import annotations

from redis.asyncio import Redis

from gitbridge_console.store.replies import server_now_ms


async def the_next_millisecond(client: Redis) -> None:
    """Until the store's clock shows another millisecond: what is written in the same one has no order in time."""
    before = await server_now_ms(client)
    while await server_now_ms(client) <= before:
        pass
