"""A whole engine publishes: from the event that comes in to the review at the host; and a paused act sends nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.operations.session import open_session
from gitbridge_console.settings.model import RedisSettings, Settings
from gitbridge_console.simulator.code_host import CodeHost
from gitbridge_console.simulator.profiles import named_profiles
from gitbridge_console.simulator.server import DEMO_KEY, DEMO_LOGIN, demo_settings, serve_services
from tests.actions.desk import SHA

pytestmark = pytest.mark.anyio

DIFF = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1,2 @@\n-x = 1\n+x = 2\n+y = None\n"
PATIENCE_S = 60.0


def pull(number: int) -> dict[str, Any]:
    return {
        "action": "opened",
        "number": number,
        "pull_request": {"number": number, "title": "t", "head": {"sha": SHA}, "base": {"sha": "b" * 40}, "user": {"login": "octo"}},
        "repository": {"id": 1, "full_name": "acme/shop"},
    }


async def test_reviews_go_out_one_after_the_other_and_none_while_act_is_paused(valkey_url: str, namespace: str, tmp_path: Path) -> None:
    host = CodeHost(tokens={DEMO_KEY: DEMO_LOGIN})
    async with serve_services(7, named_profiles()["none"], host) as urls:
        settings = demo_settings(Settings(namespace=namespace), urls, tmp_path, host.origin)
        kinds = {name: kind.model_copy(update={"action": "comment", "approval": "auto"}) for name, kind in settings.kinds.items()}
        actions = settings.actions.model_copy(update={"spacing_s": 0.2, "progress": "status"})
        own = settings.model_copy(update={"redis": RedisSettings(url=valkey_url), "kinds": kinds, "actions": actions})
        async with open_session(own, role="engine", engine=True) as session:
            door = session.operations
            await door.pause(["act"], "look first")
            ids = []
            for number in (7, 8, 9):
                host.know("acme/shop", number, SHA)
                event = IncomingEvent(f"d{number}", "pull_request", json.dumps(pull(number)).encode(), "test", diff=DIFF)
                ids.append((await door.submit(event)).id)

            async def shown() -> list[EventDetail]:
                return [await door.show_event(one) for one in ids]

            async def until(done: Any) -> list[EventDetail]:
                async with asyncio.timeout(PATIENCE_S):
                    while not done(found := await shown()):
                        await asyncio.sleep(0.02)
                return found

            await until(lambda found: all(event.decision is not None for event in found))
            for one in [event.id for event in await shown() if event.state == "awaiting_approval"]:
                await door.approve(one)
            assert host.of("comments") == []
            assert (await door.status()).lanes["act"].depth == 3
            await door.resume(["act"])
            events = await until(lambda found: all(event.state == "resolved" for event in found))
    comments = host.of("comments")
    assert sorted(comment["_place"] for comment in comments) == [f"acme/shop/issues/{n}/comments" for n in (7, 8, 9)]
    urls_told = {event.action["writes"][0]["url"] for event in events if event.action is not None}
    assert urls_told == {comment["html_url"] for comment in comments}
