"""An engine in a process of its own, for a test that kills it: ``mortal.py URL NAMESPACE SETTINGS EVENT intent|nowhere``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.settings.model import Settings
from tests.actions.desk import Desk
from tests.actions.github_wire import TOKEN


async def main(url: str, namespace: str, settings: str, event: str, dies_at: str) -> None:
    client = Redis.from_url(url)
    desk = Desk(client, namespace, Settings.model_validate_json(settings), lambda: TOKEN)
    call = desk.api.call

    async def killed_before(method: str, *args: Any, **more: Any) -> Any:
        if method == "POST" and dies_at == "intent":
            os.kill(os.getpid(), signal.SIGKILL)
        return await call(method, *args, **more)

    desk.api.call = killed_before  # type: ignore[method-assign]
    await desk.settle(event)
    await desk.aclose()
    await client.aclose()


asyncio.run(main(*sys.argv[1:]))
