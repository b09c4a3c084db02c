"""The measured processes' side: rounds of calls on request, over stdin and stdout. Imports nothing of the product's.

A line ``{"calls": N, "together": K, "wait_ms": M}`` is answered by one line: CPU seconds of this process per call and the
latency of each call in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

Ask = Callable[[int], Awaitable[None]]


async def measure(ask: Ask, calls: int, together: int, wait_ms: int) -> dict[str, object]:
    """``calls`` calls, ``together`` at a time."""
    numbers, latencies = iter(range(calls)), list[float]()

    async def worker(turn: int) -> None:
        await asyncio.sleep(wait_ms / 1000 * turn / together)
        for _ in numbers:
            started = time.perf_counter()
            await ask(wait_ms)
            latencies.append((time.perf_counter() - started) * 1000)

    cpu = time.process_time()
    await asyncio.gather(*(worker(turn) for turn in range(together)))
    return {"cpu_s": (time.process_time() - cpu) / calls, "latencies_ms": latencies}


async def obey(ask: Ask) -> None:
    """Do as the lines of stdin say, until they end."""
    loop = asyncio.get_running_loop()
    print(json.dumps("ready"), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await measure(ask, **json.loads(line))), flush=True)
