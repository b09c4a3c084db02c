"""Stub workers: each claims from a few lanes and dies by SIGKILL with the leases in its hands.

One process forks them, so that a worker every half second costs no imports. It prints a JSON line for each that died and
ends when whoever started it is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import time
import traceback

from gitbridge_console.domain.events import STAGE_LANES
from gitbridge_console.settings.model import QueueSettings, RedisSettings
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS

JOBS_MAX, ROUNDS = 4, 10
BLIND_SHARE = 1 / 3
"""Stubs that die at a random moment of the claim, mostly before they see its reply: leases nobody ever knew of."""

ENOUGH_SHARE = 0.7
"""How likely a stub that holds something dies before it claims from the next lane."""

BLIND_WITHIN_S = 0.02
STORE_AWAY, CHILD_LIMIT_S = 3, 10


async def claim_and_die(url: str, namespace: str, lease_s: float, lanes: list[str], report: int) -> None:
    """Claim, write the ids to the pipe ``report``, die. Returns only when the store is away.

    Raises:
        One of ``STORE_AWAY_ERRORS``.
    """
    client = make_client(RedisSettings(url=url, socket_timeout_s=2.0, connect_timeout_s=1.0))
    queue = RedisEventQueue(client, Keys(namespace), queue=QueueSettings(lease_s=lease_s))
    if random.random() < BLIND_SHARE:
        asyncio.get_running_loop().call_later(random.uniform(0, BLIND_WITHIN_S), os.kill, os.getpid(), signal.SIGKILL)
    held: list[str] = []
    for lane in [lane for _ in range(ROUNDS) for lane in random.sample(lanes, len(lanes))]:
        held.extend(job.id for job in (await queue.claim(lane, random.randint(1, JOBS_MAX))).jobs)
        if held and random.random() < ENOUGH_SHARE:
            break
    os.write(report, json.dumps(held).encode())
    os.kill(os.getpid(), signal.SIGKILL)


def one(url: str, namespace: str, lease_s: float, lanes: list[str]) -> dict[str, object]:
    """Let one stub live and die; says by which signal, and which jobs it knew to hold (``None``: it died before it could tell)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(CHILD_LIMIT_S)
        random.seed()
        try:
            asyncio.run(claim_and_die(url, namespace, lease_s, lanes, writing))
        except STORE_AWAY_ERRORS:
            os._exit(STORE_AWAY)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    status = os.waitpid(child, 0)[1]
    return {
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0,
        "held": json.loads(told) if told else None,
    }


def main() -> None:
    """Fork stubs until killed, or until the parent is gone."""
    words = argparse.ArgumentParser()
    words.add_argument("--redis", required=True)
    words.add_argument("--namespace", required=True)
    words.add_argument("--lease-s", type=float, required=True)
    words.add_argument("--every-s", type=float, required=True)
    words.add_argument("--providers", nargs="+", required=True)
    given = words.parse_args()
    parent = os.getppid()
    while os.getppid() == parent:
        started = time.monotonic()
        print(json.dumps(one(given.redis, given.namespace, given.lease_s, [*STAGE_LANES, *given.providers])), flush=True)
        time.sleep(max(0.0, started + given.every_s - time.monotonic()))


if __name__ == "__main__":
    main()
