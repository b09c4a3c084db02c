"""Deliveries that never arrived are found at GitHub and asked for again: once, oldest first, within bounds, none forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from wire import scripted_server

from gitbridge_console.domain.deliveries import MissedDelivery, ReconcileReport
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.ingress.reconcile import BUSY, Reconciler
from gitbridge_console.ingress.reconcile_keeper import ReconcileKeeper
from gitbridge_console.settings.hosts import ReconcileSettings
from gitbridge_console.settings.model import GitHubSettings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.inbox_board import RECONCILE, InboxBoard
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.reconcile_store import ReconcileStore
from gitbridge_console.store.trouble import StoreTrouble
from tests.hosts.app_key import app_key
from tests.ingress.hook_host import HOOK_URL, TOKEN, HookHost

pytestmark = pytest.mark.anyio

HOUR = 3_600.0


@pytest.fixture
async def host() -> AsyncIterator[HookHost]:
    async with scripted_server() as server:
        yield HookHost(server)


class Desk:
    """A reconciler, its settings and its clock in the hands of a test."""

    def __init__(self, host: HookHost, client: Redis, namespace: str) -> None:
        self.host = host
        self.settings = ReconcileSettings(repositories=("acme/shop",), hook_url=HOOK_URL, spacing_s=0)
        self.github = GitHubSettings(base_url=host.url, timeout_s=2.0, timeout_connect_s=2.0)
        self.api = GitHubApi(lambda: self.github, lambda: TOKEN)
        self.store = ReconcileStore(client, [Keys(namespace)])
        self.slept: list[float] = []
        self.reconciler = Reconciler(self.api, self.store, lambda: self.settings, clock=lambda: host.now, sleep=self._sleep)

    async def _sleep(self, for_s: float) -> None:
        self.slept.append(for_s)

    def set(self, **changes: Any) -> None:
        self.settings = self.settings.model_copy(update=changes)

    async def run(self, *, apply: bool = True, remember: bool = True) -> ReconcileReport:
        return await self.reconciler.run(apply=apply, remember=remember)

    async def missed(self, **how: bool) -> dict[str, MissedDelivery]:
        return {one.guid: one for hook in (await self.run(**how)).hooks for one in hook.missed}


@pytest.fixture
async def desk(host: HookHost, client: Redis, namespace: str) -> AsyncIterator[Desk]:
    made = Desk(host, client, namespace)
    yield made
    await made.api.aclose()


async def test_looking_changes_nothing(desk: Desk, host: HookHost, client: Redis) -> None:
    host.tried("arrived", 3 * HOUR, 202)
    host.tried("lost", 2 * HOUR)
    for _ in range(2):
        report = await desk.run(apply=False, remember=False)
        (hook,) = report.hooks
        assert (hook.hook, hook.listed, [one.guid for one in hook.missed], hook.complete) == ("acme/shop hook 9", 2, ["lost"], True)
        assert (hook.missed[0].outcome, hook.missed[0].event, hook.missed[0].status) == (
            "found",
            "pull_request",
            "failed to connect to host",
        )
    assert not host.repeated
    assert not await client.exists(desk.store._key)


async def test_what_is_missing_is_asked_for_oldest_first_and_once(desk: Desk, host: HookHost, queue: RedisEventQueue) -> None:
    host.tried("arrived", 5 * HOUR, 202)
    second = host.tried("lost-2", 2 * HOUR)
    host.tried("lost-1", 4 * HOUR)
    latest = host.tried("lost-1", 3 * HOUR, 503)
    host.tried("timed-out", 1 * HOUR)
    host.tried("too-young", 10)
    await queue.enqueue(IncomingEvent("timed-out", "push", b"{}", "webhook"))
    report = await desk.run()
    assert host.repeated == [latest, second]
    assert (report.count("asked"), report.hooks[0].known) == (2, 1)
    assert len(desk.slept) == 1, "they are spaced"
    host.now += 600
    host.tried("news", 300, 202)
    again = await desk.missed()
    assert set(again) == {"too-young"}, "what arrived at the second attempt is not missing"


async def test_a_clock_that_is_ahead_of_the_hosts_skips_nothing(desk: Desk, host: HookHost) -> None:
    desk.reconciler._clock = lambda: host.now + 600
    host.tried("arrived", 60, 202)
    await desk.run()
    host.now += 120
    host.tried("lost", 60)
    host.now += 120
    assert set(await desk.missed()) == {"lost"}


async def test_each_run_reads_only_what_is_new(desk: Desk, host: HookHost) -> None:
    host.page = 10
    for n in range(95):
        host.tried(f"d{n}", 10_000 - 100 * n, 202)
    await desk.run()
    assert host.pages_read == 10
    host.now += 600
    host.tried("new", 300, 202)
    await desk.run()
    assert host.pages_read == 11


async def test_a_run_asks_for_so_many_and_the_next_goes_on(desk: Desk, host: HookHost) -> None:
    attempts = [host.tried(f"lost-{n}", 10_000 - 100 * n) for n in range(5)]
    desk.set(redeliveries_max=2)
    outcomes = [one.outcome for one in (await desk.missed()).values()]
    assert outcomes == ["asked", "asked", "left", "left", "left"]
    for _ in range(2):
        host.now += 600
        await desk.run()
    assert host.repeated == attempts


async def test_what_was_asked_for_and_has_not_come_is_waited_for_then_asked_again_then_given_up(desk: Desk, host: HookHost) -> None:
    host.arrives = lambda row: _never()
    host.tried("lost", HOUR)
    assert (await desk.missed())["lost"].outcome == "asked"
    host.now += 30
    assert (await desk.missed())["lost"].outcome == "waiting", "its second attempt is too young to be judged"
    for _ in range(2):
        host.now += 600
        assert (await desk.missed())["lost"].outcome == "asked"
    host.now += 600
    given_up = (await desk.missed())["lost"]
    assert given_up.outcome == "given_up"
    assert "3 times" in given_up.why
    host.now += 600
    assert not await desk.missed(), "then it is let go of"
    assert len(host.repeated) == 3


async def _never() -> int:
    return 0


async def test_a_crash_right_after_the_intent_is_made_up_for_later(desk: Desk, host: HookHost, monkeypatch: pytest.MonkeyPatch) -> None:
    class Crash(BaseException):
        pass

    host.tried("lost", HOUR)
    call = desk.api.call

    async def die(method: str, path: str, *more: Any, **how: Any) -> Any:
        if method == "POST":
            raise Crash
        return await call(method, path, *more, **how)

    monkeypatch.setattr(desk.api, "call", die)
    with pytest.raises(Crash):
        await desk.run()
    monkeypatch.undo()
    host.now += 30
    assert (await desk.missed())["lost"].outcome == "waiting"
    host.now += 60
    assert (await desk.missed())["lost"].outcome == "asked"
    assert len(host.repeated) == 1


async def test_a_limit_ends_the_run_and_nothing_is_forgotten(desk: Desk, host: HookHost) -> None:
    desk.set(attempts_max=1)
    host.tried("lost-1", 2 * HOUR)
    host.tried("lost-2", HOUR)
    host.refusal = (403, {"message": "You have exceeded a secondary rate limit."}, {"retry-after": "90"})
    report = await desk.run()
    assert [one.outcome for one in report.hooks[0].missed] == ["left", "left"]
    assert report.retry_in_s == 90.0
    assert "secondary rate limit" in report.problems[0]
    assert sum(1 for method, _ in host.asked if method == "POST") == 1
    host.refusal, host.now = None, host.now + 600
    assert [one.outcome for one in (await desk.missed()).values()] == ["asked", "asked"]


async def test_a_refused_token_is_said_and_no_further_webhook_is_tried(desk: Desk, host: HookHost) -> None:
    desk.set(repositories=("acme/shop", "acme/till"))
    host.refusal = (401, {"message": "Bad credentials"}, {})
    report = await desk.run()
    assert report.problems == ("the host refuses the token (401)",)
    assert len(host.asked) == 1
    assert TOKEN not in report.model_dump_json()


async def test_what_github_does_not_send_again_is_given_up_only_after_some_tries(desk: Desk, host: HookHost) -> None:
    host.gone.add(host.tried("lost", 2 * HOUR))
    outcomes = []
    for _ in range(5):
        outcomes += [(one.outcome, "right to write webhooks" in one.why) for one in (await desk.missed()).values()]
        host.now += 600
    assert outcomes == [*[("refused", True)] * 3, ("given_up", False)], "a token without the right gets the same answer"


async def test_a_list_too_long_for_one_run_is_gone_on_with_by_the_next(desk: Desk, host: HookHost) -> None:
    host.page = 10
    desk.set(pages_max=3)
    for n in range(95):
        host.tried(f"d{n}", 50_000 - 100 * n, 0 if n % 30 == 0 else 202)
    seen: list[str] = []
    complete = False
    for _ in range(10):
        report = await desk.run()
        (hook,) = report.hooks
        seen += [one.guid for one in hook.missed if one.outcome == "asked"]
        complete = hook.complete
        host.now += 600
        if complete:
            break
    assert complete
    assert sorted(seen) == ["d0", "d30", "d60", "d90"]
    assert host.pages_read <= 25


async def test_what_is_left_in_the_old_part_of_a_long_list_is_not_forgotten(desk: Desk, host: HookHost) -> None:
    host.page = 10
    desk.set(pages_max=4, redeliveries_max=1)
    for n in range(75):
        host.tried(f"d{n}", 50_000 - 100 * n, 0 if n < 4 else 202)
    for _ in range(12):
        await desk.run()
        host.now += 600
    assert sorted(row["guid"] for row in host.rows if row["redelivery"]) == ["d0", "d1", "d2", "d3"]


async def test_a_place_in_the_list_that_github_has_forgotten_is_looked_for_from_the_top(desk: Desk, host: HookHost) -> None:
    host.page = 10
    desk.set(pages_max=2)
    for n in range(45):
        host.tried(f"d{n}", 50_000 - 100 * n, 202)
    first = (await desk.run()).hooks[0]
    assert not first.complete
    progress = await desk.store.progress(first.hook)
    host.rows = [row for row in host.rows if f"v1_{row['id']}" not in progress.resume]
    lost = host.tried("lost", 49_000)
    desk.set(pages_max=30)
    for _ in range(2):
        host.now += 600
        await desk.run()
    assert host.repeated == [lost]


async def test_one_process_at_a_time(desk: Desk, host: HookHost, client: Redis, namespace: str) -> None:
    host.tried("lost", HOUR)
    other = ReconcileStore(client, [Keys(namespace)])
    assert await other.lock.hold()
    report = await desk.run()
    assert (report.problem, report.hooks, host.asked) == (BUSY, (), [])
    await other.lock.leave()
    assert (await desk.run()).count("asked") == 1


async def test_only_our_own_webhook_is_looked_at(desk: Desk, host: HookHost) -> None:
    host.hooks[0]["config"]["url"] = "https://elsewhere.example/"
    report = await desk.run()
    assert report.problems == (f"no webhook of acme/shop has the address {HOOK_URL}",)
    desk.set(hook_url="https://*.example/*", repositories=(), organizations=("acme",))
    report = await desk.run()
    assert [hook.hook for hook in report.hooks] == ["acme hook 9", "acme hook 8"]
    assert ("GET", "/orgs/acme/hooks/9/deliveries?per_page=100") in host.asked


async def test_the_webhook_of_an_app_is_asked_as_the_app(desk: Desk, host: HookHost, tmp_path: Path) -> None:
    place = tmp_path / "app.pem"
    place.write_bytes(app_key()[0])
    desk.github = desk.github.model_copy(update={"app_id": "12345", "app_key_file": str(place)})
    desk.set(repositories=(), app=True)
    attempt = host.tried("lost", HOUR)
    assert (await desk.missed())["lost"].outcome == "asked"
    assert host.asked == [("GET", "/app/hook/deliveries?per_page=100"), ("POST", f"/app/hook/deliveries/{attempt}/attempts")]
    assert host.server.received[0].headers["authorization"].startswith("bearer ey")


class Journal:
    def __init__(self) -> None:
        self.entries: list[str] = []

    async def begin(self) -> Callable[[str], Any]:
        async def end(result: str) -> None:
            self.entries.append(result)

        return end


async def test_the_engine_looks_at_the_start_and_then_when_it_is_time(desk: Desk, host: HookHost, client: Redis, namespace: str) -> None:
    board, journal, stop = InboxBoard(client, Keys(namespace)), Journal(), asyncio.Event()
    await board.put(RECONCILE, applied=False, missed=0, asked=0, given_up=0, problem="")
    desk.set(every_s=HOUR, apply=True)
    host.tried("lost", HOUR)
    keeper = ReconcileKeeper(
        desk.reconciler, board, StoreTrouble(), lambda: desk.settings, journal.begin, look_again_s=0.01, start_again_s=0
    )
    task = asyncio.create_task(keeper.run(stop))
    async with asyncio.timeout(20):
        while not journal.entries:
            await asyncio.sleep(0.01)
        told = (await board.read())[RECONCILE]
        assert (told["asked"], told["missed"], told["applied"]) == (1, 1, True)
        pages = host.pages_read
        for _ in range(5):
            await asyncio.sleep(0.02)
        assert host.pages_read == pages, "it is not time yet"
        desk.set(every_s=0.01)
        while host.pages_read < pages + 2:
            await asyncio.sleep(0.01)
    stop.set()
    await task
    assert journal.entries == ["1 deliveries asked for again"], "a run that asks for nothing needs no entry"


async def test_what_is_not_configured_is_not_looked_at(desk: Desk, host: HookHost, client: Redis, namespace: str) -> None:
    desk.settings = ReconcileSettings(every_s=0.01)
    board, stop = InboxBoard(client, Keys(namespace)), asyncio.Event()
    keeper = ReconcileKeeper(desk.reconciler, board, StoreTrouble(), lambda: desk.settings, Journal().begin, look_again_s=0.001)
    task = asyncio.create_task(keeper.run(stop))
    for _ in range(20):
        await asyncio.sleep(0.001)
    stop.set()
    await task
    assert not host.asked


@pytest.mark.parametrize(
    "wrong",
    [{"repositories": ["acme"], "hook_url": HOOK_URL}, {"repositories": ["acme/shop"]}, {"organizations": ["a/b"], "hook_url": HOOK_URL}],
)
def test_settings_that_name_nothing_usable_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"OWNER/NAME|hook_url|organisation"):
        ReconcileSettings(**wrong)
