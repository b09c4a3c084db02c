"""The ``fetch`` stage: an event without a diff gets it, or goes on without and says why; it is never lost."""

from __future__ import annotations

import asyncio
import json

import pytest

from gitbridge_console.domain.events import EventFacts, IncomingEvent
from gitbridge_console.hosts.base import HostDiff, HostProblem
from gitbridge_console.hosts.github import GitHubClient
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.operations.host_alerts import host_alerts
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.event_router import EventRouter
from gitbridge_console.settings.model import GitHubSettings, Settings, SourceSettings
from gitbridge_console.sources.changes import Change, ChangeSource
from gitbridge_console.sources.refusals import TOLD_EVERY_S, Refusals
from gitbridge_console.store.answer_cache import AnswerCacheStore
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.host_board import HostBoard
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import StoreTrouble

pytestmark = pytest.mark.anyio

DIFF = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
PULL = {
    "action": "opened",
    "number": 7,
    "pull_request": {
        "number": 7,
        "title": "Tax",
        "head": {"sha": "a" * 40},
        "base": {"sha": "b" * 40},
        "updated_at": "2026-11-22T21:00:00Z",
    },
    "repository": {"id": 1, "full_name": "acme/shop"},
}


class Host(GitHubClient):
    """A host that says what it is told to."""

    available = True

    def __init__(self) -> None:
        super().__init__(GitHubApi(GitHubSettings, lambda: None))
        self.asked = 0
        self.head = "a" * 40
        self.says: HostDiff | HostProblem = HostDiff(DIFF.encode())

    async def pull_diff(self, repository: str, number: int, max_bytes: int) -> HostDiff:
        self.asked += 1
        if isinstance(self.says, HostProblem):
            raise self.says
        return self.says

    async def pull_head(self, repository: str, number: int) -> str:
        return self.head


class Fetch:
    """The stage, taken by hand step by step."""

    def __init__(self, queue: RedisEventQueue, router: AIRouter, metrics: Metrics, reader: EventReader, settings: Settings) -> None:
        self.queue, self.router, self.metrics, self.reader, self.host = queue, router, metrics, reader, Host()
        self.settings = settings.model_copy(update={"sources": SourceSettings(backoff_s=0.01)})
        self.cache = AnswerCacheStore(queue.client, queue.keys.diffs)
        self.board, self.time_s = HostBoard(queue.client, queue.keys, "github"), 0.0
        self.events = EventRouter(queue, router, metrics, lambda: self.settings, changes=self.source())

    def events_with(self, change: Change) -> EventRouter:
        """The stage with a source that always says the same."""
        source = self.source()

        async def find(facts: EventFacts) -> Change:
            return change

        source.find = find  # type: ignore[method-assign]
        return EventRouter(self.queue, self.router, self.metrics, lambda: self.settings, changes=source)

    def source(self) -> ChangeSource:
        refusals = Refusals(self.board, StoreTrouble(), lambda: self.time_s)
        return ChangeSource({"github": self.host}, self.cache, StoreTrouble(), refusals, lambda: self.settings)

    async def submit(self, delivery: str = "d1", diff: str | None = None) -> str:
        event = IncomingEvent(delivery, "pull_request", json.dumps(PULL).encode(), "test", diff=diff)
        return (await self.queue.enqueue(event, lane="route" if diff else "fetch")).id

    async def claim(self, lane: str = "fetch") -> ClaimedJob:
        for _ in range(2_000):
            if jobs := (await self.queue.claim(lane, 1)).jobs:
                return jobs[0]
        raise AssertionError(f"nothing comes due in {lane}")

    async def note(self, event_id: str) -> str:
        event = await self.reader.event_detail(event_id)
        assert event is not None
        return event.material_note


@pytest.fixture
def fetch(queue: RedisEventQueue, router: AIRouter, metrics: Metrics, reader: EventReader, settings: Settings) -> Fetch:
    return Fetch(queue, router, metrics, reader, settings)


async def test_the_diff_is_fetched_and_stays_with_the_event(fetch: Fetch) -> None:
    event = await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    routed = await fetch.claim("route")
    assert routed.diff == DIFF
    assert await fetch.note(event) == ""


async def test_the_diff_of_a_later_head_does_not_pass_for_that_of_the_event(fetch: Fetch) -> None:
    event = await fetch.submit()
    fetch.host.head = "c" * 40
    await fetch.events.fetch(await fetch.claim())
    assert (await fetch.claim("route")).diff is None
    assert (await fetch.note(event)).endswith("no diff: the pull request has another head by now")
    fetch.host.head = "a" * 40
    await fetch.submit("d2")
    await fetch.events.fetch(await fetch.claim())
    assert (await fetch.claim("route")).diff == DIFF, "nothing wrong was kept for the next who asks"


async def test_equal_changes_are_fetched_once(fetch: Fetch) -> None:
    for delivery in ("d1", "d2"):
        await fetch.submit(delivery)
        await fetch.events.fetch(await fetch.claim())
        assert (await fetch.claim("route")).diff == DIFF
    assert fetch.host.asked == 1


async def test_a_host_that_is_away_is_asked_again_and_then_the_review_goes_on_without(fetch: Fetch) -> None:
    fetch.host.says = HostProblem("the host does not answer in time", retry_in_s=0.0)
    event = await fetch.submit()
    for _ in range(fetch.settings.sources.attempts_max):
        await fetch.events.fetch(await fetch.claim())
    assert (await fetch.claim("route")).diff is None
    assert fetch.host.asked == 3
    assert "metadata only" in await fetch.note(event)
    assert "the host does not answer in time" in await fetch.note(event)


async def test_a_host_that_comes_back_in_between_is_heard(fetch: Fetch) -> None:
    fetch.host.says = HostProblem("the host is unwell (500)", retry_in_s=0.0)
    await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    fetch.host.says = HostDiff(DIFF.encode())
    await fetch.events.fetch(await fetch.claim())
    assert (await fetch.claim("route")).diff == DIFF


async def test_a_limit_that_lasts_longer_than_the_event_may_wait_is_not_waited_for(fetch: Fetch) -> None:
    fetch.host.says = HostProblem("the host's rate limit is reached", retry_in_s=3_000.0)
    event = await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    assert (await fetch.claim("route")).diff is None
    assert "rate limit" in await fetch.note(event)


async def test_what_would_be_refused_again_is_not_asked_again(fetch: Fetch) -> None:
    fetch.host.says = HostProblem("the host refuses the token (401)", credential=True)
    event = await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    assert (await fetch.claim("route")).diff is None
    assert (fetch.host.asked, "refuses the token" in await fetch.note(event)) == (1, True)


async def test_a_diff_longer_than_the_bound_is_cut_and_that_is_said(fetch: Fetch) -> None:
    fetch.settings = fetch.settings.model_copy(update={"sources": SourceSettings(max_diff_bytes=1_000)})
    fetch.host.says = HostDiff((DIFF + "+more\n" * 400).encode()[:1_001], cut=True)
    event = await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    assert "the diff was cut at 1,000 bytes" in await fetch.note(event)


async def test_what_came_with_the_event_is_not_asked_for(fetch: Fetch) -> None:
    await fetch.submit(diff=DIFF)
    assert (await fetch.claim("route")).diff == DIFF
    assert fetch.host.asked == 0


async def test_a_stale_fence_attaches_nothing(fetch: Fetch) -> None:
    event = await fetch.submit()
    job = await fetch.claim()
    await fetch.queue.cancel([event], by="ana")
    await fetch.events.fetch(job)
    assert await fetch.queue.client.exists(fetch.queue.keys.diff(event)) == 0


async def test_while_another_engine_fetches_it_is_waited_for_and_asked_once(fetch: Fetch) -> None:
    facts = EventFacts("pull_request", repository="acme/shop", number=7, head_sha="a" * 40, base_sha="b" * 40)
    arrived, go_on = asyncio.Event(), asyncio.Event()
    answer = fetch.host.pull_diff

    async def slowly(repository: str, number: int, max_bytes: int) -> HostDiff:
        arrived.set()
        await go_on.wait()
        return await answer(repository, number, max_bytes)

    fetch.host.pull_diff = slowly  # type: ignore[method-assign]
    other = fetch.source()
    first = asyncio.create_task(other.find(facts))
    await arrived.wait()
    for of_an_engine in (other, fetch.source()):
        waits = await of_an_engine.find(facts)
        assert (waits.diff, waits.retry_in_s, waits.asked) == (None, 1.0, False), "of the same engine or another"
    go_on.set()
    assert (await first).diff == DIFF
    assert (await fetch.source().find(facts)).diff == DIFF
    assert fetch.host.asked == 1


async def test_waiting_for_who_fetches_it_already_is_no_attempt(fetch: Fetch) -> None:
    fetch.events = fetch.events_with(Change(note="it is being fetched for another event", retry_in_s=0.0, asked=False))
    await fetch.submit()
    for _ in range(2 * fetch.settings.sources.attempts_max):
        await fetch.events.fetch(await fetch.claim())
    fetch.events = fetch.events_with(Change(DIFF))
    await fetch.events.fetch(await fetch.claim())
    assert (await fetch.claim("route")).diff == DIFF


async def test_nobody_to_ask_asks_nobody(fetch: Fetch) -> None:
    fetch.host.available = False
    event = await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    assert fetch.host.asked == 0
    assert await fetch.note(event) == "metadata only: no diff and no file list was available"


REFUSED = HostProblem("the host refuses the token (401)", credential=True, status=401)


async def unread(fetch: Fetch) -> list[str]:
    return [alert.text for alert in host_alerts(await fetch.board.look(), {}, "now")]


async def test_a_token_that_is_refused_for_diffs_is_an_alert_until_one_can_be_read(fetch: Fetch) -> None:
    fetch.host.says = REFUSED
    await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    alert = "github: no diffs, the host refuses the token (401); reviewers see descriptions only: mend hosts.github"
    assert await unread(fetch) == [alert]
    assert await fetch.board.may_try("who", "acme/shop", 60.0) == (0.0, False), "publishing is not held back by it"
    fetch.host.says = HostDiff(DIFF.encode())
    await fetch.submit("d2")
    await fetch.events.fetch(await fetch.claim())
    assert await unread(fetch) == []


async def test_an_engine_that_starts_anew_takes_the_alert_of_the_one_before_away(fetch: Fetch) -> None:
    await fetch.board.unread("github", "acme/shop", "the token lacks a permission for this (403)", 60.0)
    await fetch.board.unread("github", "acme/till", "the token lacks a permission for this (403)", 60.0)
    await fetch.submit()
    await fetch.events.fetch(await fetch.claim())
    assert [text.split(":")[0] for text in await unread(fetch)] == ["github for acme/till"]


async def test_refusals_are_logged_once_a_minute_and_not_once_an_event(fetch: Fetch, caplog: pytest.LogCaptureFixture) -> None:
    fetch.host.says = REFUSED
    for number in range(4):
        fetch.time_s += TOLD_EVERY_S / 2
        await fetch.submit(f"d{number}")
        await fetch.events.fetch(await fetch.claim())
    assert len([record for record in caplog.records if "no diffs of github can be read" in record.message]) == 2
