"""One engine's desk in the ``act`` lane: events with a decision, published to the simulated host until nothing more happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from gitbridge_console.actions import outbox
from gitbridge_console.actions.outbox import Outbox
from gitbridge_console.actions.outgoing_webhook import OutgoingWebhook
from gitbridge_console.domain.decisions import Agreement, Answer, AnswerStatus, Cluster, Decision, DecisionState
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.router.act_stage import ActionStage
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.host_board import HostBoard
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.outbox import OutboxStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob

SHA = "a" * 40
MARKER = f"<!-- gitbridge:acme/shop#7:code_review:{SHA} -->"
PATIENCE_S = 20.0


def pull(number: int = 7, sha: str = SHA) -> dict[str, Any]:
    return {
        "action": "opened",
        "number": number,
        "pull_request": {"number": number, "head": {"sha": sha}},
        "repository": {"id": 1, "full_name": "acme/shop"},
    }


def decided(event_id: str, run: int = 1, **changes: Any) -> Decision:
    members = tuple(
        {"provider": name, "title": "Off by one", "severity": "high", "body": "It is.", "index": 0} for name in ("claude", "grok")
    )
    found = Cluster(id=1, tier="same", k=2, n=2, severity="high", path="src/a.py", line=11, title="Off by one", members=members)
    votes = tuple(
        Answer(task_id=f"{event_id}.{n}", provider=name, status=AnswerStatus.OK, verdict="request_changes", vendor=name)
        for n, name in enumerate(("claude", "grok"), 1)
    )
    values: dict[str, Any] = {
        "id": f"{event_id}-{run}",
        "event_id": event_id,
        "run": run,
        "created_at": "2026-11-22T21:00:00Z",
        "kind": "code_review",
        "state": DecisionState.COMPLETE,
        "strategy": "majority",
        "verdict": "request_changes",
        "seats": 2,
        "quorum": 2,
        "answered": 2,
        "agreement": Agreement(verdict_k=2, verdict_n=2),
        "clusters": (found,),
        "answers": votes,
    }
    return Decision(**(values | changes))


class Desk:
    """Engine, store and settings of one test. ``again()`` gives another engine on the same store."""

    def __init__(self, client: Redis, namespace: str, settings: Settings, token: Callable[[], str | None]) -> None:
        self.client, self.namespace, self.token = client, namespace, token
        self.settings = settings
        self.queue = RedisEventQueue(client, Keys(namespace), queue=settings.queue)
        self.reader = EventReader(client, self.queue.keys)
        self.store = OutboxStore(client, self.queue.partitions)
        self.board = HostBoard(client, self.queue.keys, "github")
        self.api = GitHubApi(lambda: self.settings.hosts.github, lambda: self.token())
        self.webhook = OutgoingWebhook(lambda: self.settings.actions)
        self.outbox = Outbox(self.api, self.webhook, self.store, self.board, lambda: self.settings)
        metrics = Metrics(client, namespace)
        self.stage = ActionStage(self.queue, self.reader, metrics, lambda: self.settings, self.store, self.outbox)

    def again(self) -> Desk:
        return Desk(self.client, self.namespace, self.settings, self.token)

    def use(self, **actions: Any) -> None:
        """Other settings of actions."""
        own = self.settings.actions.model_copy(update=actions)
        self.settings = self.settings.model_copy(update={"actions": own})

    def hasty(self) -> None:
        """Give calls little time, so that a test can wait until one cannot be under way any more."""
        outbox.FRESH_S = 0.2
        github = self.settings.hosts.github.model_copy(update={"timeout_s": 0.3, "timeout_connect_s": 0.3, "timeout_total_s": 0.4})
        self.settings = self.settings.model_copy(update={"hosts": self.settings.hosts.model_copy(update={"github": github})})

    def kind(self, action: str, kind: str = "code_review") -> None:
        """Another action for a kind."""
        own = self.settings.kinds[kind].model_copy(update={"action": action})  # type: ignore[index]
        self.settings = self.settings.model_copy(update={"kinds": {**self.settings.kinds, kind: own}})

    async def event(self, delivery: str = "d1", payload: dict[str, Any] | None = None, type: str = "pull_request", **decision: Any) -> str:
        """An event that was decided and comes to ``act``."""
        body = json.dumps(payload or pull()).encode()
        made = await self.queue.enqueue(IncomingEvent(delivery, type, body, "test"), lane="act", repository="acme/shop")
        await self.decide(made.id, **decision)
        return made.id

    async def decide(self, event_id: str, run: int = 1, **decision: Any) -> None:
        await self.client.set(self.queue.keys.decision(event_id), decided(event_id, run, **decision).model_dump_json())

    async def claim(self) -> ClaimedJob | None:
        jobs = (await self.queue.claim("act", 1)).jobs
        return jobs[0] if jobs else None

    async def once(self) -> bool:
        """Work on one job, if there is one."""
        job = await self.claim()
        if job is not None:
            await self.stage.work(job)
        return job is not None

    async def settle(self, *ids: str) -> None:
        """Work until these events are finished or await an operator."""
        async with asyncio.timeout(PATIENCE_S):
            while not all([(await self.reader.find_event(one) or {}).get("st") == "settled" for one in ids]):
                if not await self.once():
                    await self.queue.recover()
                    await asyncio.sleep(0.005)

    async def shown(self, event_id: str) -> EventDetail:
        found = await self.reader.event_detail(event_id)
        assert found is not None
        return found

    async def waiting(self) -> int:
        return int(await self.client.zcard(self.queue.keys.waiting("act")))

    async def aclose(self) -> None:
        await self.api.aclose()
        await self.webhook.aclose()
