"""From a GitLab's or Gitea's delivery at the door to the panel: stored once, diff fetched from that host, asked like any other."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from gitbridge_console.actions.progress import watchable
from gitbridge_console.actions.requests import NoAction, plan_action
from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.events import GITEA, GITHUB, GITLAB, EventFacts, IncomingEvent
from gitbridge_console.hosts.base import HostDiff
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.keeper import Keeper
from gitbridge_console.ingress.webhook import build_ingress_app
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.event_router import EventRouter
from gitbridge_console.router.intake import Intake
from gitbridge_console.settings.model import Settings
from gitbridge_console.sources.changes import ChangeSource
from gitbridge_console.sources.refusals import Refusals
from gitbridge_console.store.answer_cache import AnswerCacheStore
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.host_board import HostBoard
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.trouble import StoreTrouble
from tests.ingress.hosts_payloads import gitea_pull, merge_request

pytestmark = pytest.mark.anyio

SECRET = "a-long-webhook-secret"
DIFF = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"


class OneHost:
    """Says who it is in what it gives."""

    def __init__(self, name: str, available: bool = True) -> None:
        self.name, self.available = name, available
        self.asked: list[tuple[str, int]] = []

    async def pull_diff(self, repository: str, number: int, max_bytes: int) -> HostDiff:
        self.asked.append((repository, number))
        return HostDiff(DIFF.encode())

    async def pull_head(self, repository: str, number: int) -> str:
        return ""

    async def compare_diff(self, repository: str, base: str, head: str, max_bytes: int) -> HostDiff:
        raise AssertionError("nothing was pushed")


def gitlab_delivery(payload: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    return json.dumps(payload).encode(), {"X-Gitlab-Event": "Merge Request Hook", "X-Gitlab-Token": SECRET, "Idempotency-Key": "k-1"}


def gitea_delivery(payload: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(payload).encode()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    own = {"X-Gitea-Event": "pull_request", "X-Gitea-Delivery": "u-1", "X-Gitea-Signature": digest}
    return body, own | {"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "u-1", "X-Hub-Signature-256": f"sha256={digest}"}


class Way:
    """Door, store, fetch and route in a row."""

    def __init__(self, queue: RedisEventQueue, router: AIRouter, metrics: Metrics, settings: Settings, hosts: dict[str, OneHost]) -> None:
        counters = Counters()
        keeper = Keeper(Intake(queue, metrics).submit, lambda: settings.ingress, counters)
        self.app = build_ingress_app(lambda: settings, keeper, counters, self._ready, self._metrics)
        refusals = Refusals(HostBoard(queue.client, queue.keys, "github"), StoreTrouble())
        changes = ChangeSource(hosts, AnswerCacheStore(queue.client, queue.keys.diffs), StoreTrouble(), refusals, lambda: settings)
        self.events, self.queue = EventRouter(queue, router, metrics, lambda: settings, changes=changes), queue

    async def _ready(self) -> dict[str, Any]:
        return {"ready": True}

    async def _metrics(self) -> bytes:
        return b""

    async def post(self, delivery: tuple[bytes, dict[str, str]], **more: str) -> httpx2.Response:
        body, headers = delivery
        transport = httpx2.ASGITransport(app=self.app, client=("192.0.2.1", 4000))
        async with httpx2.AsyncClient(transport=transport, base_url="http://receiver") as client:
            return await client.post("/webhook", content=body, headers=headers | {"Content-Type": "application/json"} | more)

    async def fetch_and_route(self) -> None:
        await self.events.fetch((await self.queue.claim("fetch", 1)).jobs[0])
        await self.events.route((await self.queue.claim("route", 1)).jobs[0])


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITBRIDGE_WEBHOOK_SECRET", SECRET)


@pytest.mark.parametrize(
    ("name", "delivery", "place"),
    [(GITLAB, gitlab_delivery(merge_request()), "acme/tools/shop"), (GITEA, gitea_delivery(gitea_pull()), "acme/shop")],
)
async def test_the_whole_way_in(
    queue: RedisEventQueue,
    router: AIRouter,
    metrics: Metrics,
    reader: EventReader,
    settings: Settings,
    name: str,
    delivery: tuple[bytes, dict[str, str]],
    place: str,
) -> None:
    hosts = {one: OneHost(one) for one in (GITHUB, GITLAB, GITEA)}
    way = Way(queue, router, metrics, settings, hosts)
    first = await way.post(delivery)
    assert (first.status_code, first.json()["status"]) == (202, "new")
    assert (await way.post(delivery)).json()["status"] == "duplicate"
    await way.fetch_and_route()
    assert {one: host.asked for one, host in hosts.items() if host.asked} == {name: [(place, 7)]}
    event = await reader.event_detail(first.json()["id"])
    assert event is not None
    assert (event.kind, event.state, event.repository) == ("code_review", "routed", place)
    assert event.subject in {"acme/tools/shop!7", "acme/shop#7"}


async def test_a_wrong_proof_stores_nothing(queue: RedisEventQueue, router: AIRouter, metrics: Metrics, settings: Settings) -> None:
    way = Way(queue, router, metrics, settings, {})
    wrong = [
        await way.post(gitlab_delivery(merge_request()), **{"X-Gitlab-Token": "guessed"}),
        await way.post(gitea_delivery(gitea_pull()), **{"X-Gitea-Signature": "0" * 64}),
    ]
    assert [answer.status_code for answer in wrong] == [401, 401]
    assert (await queue.stats(["fetch"])).lanes["fetch"].ready == 0


async def test_without_a_client_for_the_host_it_is_said_and_reviewed_all_the_same(
    queue: RedisEventQueue, router: AIRouter, metrics: Metrics, reader: EventReader, settings: Settings
) -> None:
    hosts = {GITHUB: OneHost(GITHUB), GITLAB: OneHost(GITLAB, available=False)}
    way = Way(queue, router, metrics, settings, hosts)
    event_id = (await way.post(gitlab_delivery(merge_request()))).json()["id"]
    await way.fetch_and_route()
    event = await reader.event_detail(event_id)
    assert event is not None
    assert event.state == "routed"
    assert "no client for this host, set hosts.gitlab" in event.material_note
    assert not hosts[GITHUB].asked


@pytest.mark.parametrize("host", ["bitbucket", "model_fields", "__class__", "x" * 500])
async def test_a_host_nobody_knows_is_no_trouble(
    queue: RedisEventQueue, router: AIRouter, metrics: Metrics, reader: EventReader, settings: Settings, host: str
) -> None:
    way = Way(queue, router, metrics, settings, {GITHUB: OneHost(GITHUB)})
    payload = json.dumps(gitea_pull() | {"gitbridge": {"host": host}}).encode()
    event_id = (await Intake(queue, metrics).submit(IncomingEvent("d-1", "pull_request", payload, "test"))).id
    await way.fetch_and_route()
    event = await reader.event_detail(event_id)
    assert event is not None
    assert event.state == "routed"
    assert event.material_note.endswith("no diff: no client for this host")


@pytest.mark.parametrize("action", ["review", "comment", "labels", "status", "check_run"])
def test_nothing_is_published_where_nobody_writes(settings: Settings, action: str) -> None:
    policy = settings.kinds["code_review"].model_copy(update={"action": action})
    facts = EventFacts(type="pull_request", host=GITLAB, repository="acme/shop", number=7, head_sha="a" * 40)
    decision = Decision.model_construct(state="complete", verdict="approve", kind="code_review", clusters=())
    plan = plan_action(policy, facts, decision)
    assert isinstance(plan, NoAction)
    assert "gitlab" in plan.reason


def test_no_commit_of_another_host_is_marked_at_github() -> None:
    facts = EventFacts(type="pull_request", host=GITHUB, repository="acme/shop", number=7, head_sha="a" * 40)
    assert watchable(facts, "code_review") is not None
    assert watchable(replace(facts, host=GITLAB), "code_review") is None
