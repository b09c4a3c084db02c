"""The engine: builds the parts, runs the lanes, stops cleanly."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from gitbridge_console import __version__
from gitbridge_console.actions.outbox import Outbox
from gitbridge_console.actions.outgoing_webhook import OutgoingWebhook
from gitbridge_console.domain.audit import Actor, Intent, Outcome
from gitbridge_console.domain.events import GITEA, GITHUB, GITLAB, STAGE_LANES
from gitbridge_console.hosts.base import DiffHost
from gitbridge_console.hosts.gitea import GiteaClient
from gitbridge_console.hosts.github import GitHubClient
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.hosts.gitlab import GitLabClient
from gitbridge_console.hosts.tokens import TokenSource
from gitbridge_console.ingress.legacy_list import pump
from gitbridge_console.ingress.legacy_watch import watch
from gitbridge_console.ingress.reconcile import Reconciler
from gitbridge_console.ingress.reconcile_keeper import ReconcileKeeper
from gitbridge_console.providers.registry import import_sdks
from gitbridge_console.router.act_stage import ActionStage
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.answer_cache import AnswerCache
from gitbridge_console.router.audit_keeper import AuditKeeper
from gitbridge_console.router.batch_keeper import BatchKeeper
from gitbridge_console.router.batches import BatchDesk
from gitbridge_console.router.board_keeper import BoardKeeper, ProbeGuard
from gitbridge_console.router.budgets import BudgetGuard
from gitbridge_console.router.bulk_runner import BulkRunner
from gitbridge_console.router.daemon_thread import in_daemon_thread
from gitbridge_console.router.dead_letters import DeadLetterKeeper
from gitbridge_console.router.decision_stage import DecisionStage
from gitbridge_console.router.discovery import Discovery
from gitbridge_console.router.event_router import EventRouter
from gitbridge_console.router.hedger import Hedger
from gitbridge_console.router.intake import Intake
from gitbridge_console.router.lane import Lane, Work
from gitbridge_console.router.lane_failover import LaneFailover
from gitbridge_console.router.lane_room import LaneRoom
from gitbridge_console.router.leases import LeaseKeeper
from gitbridge_console.router.loop_lag import LoopLag
from gitbridge_console.router.overload import Overload
from gitbridge_console.router.progress import ProgressTeller
from gitbridge_console.router.provider_pool import client_or_problem
from gitbridge_console.router.rate_limits import RateLimiter
from gitbridge_console.router.task_processor import TaskProcessor
from gitbridge_console.router.upkeep import BEAT_S, Upkeep
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.reload import fingerprint
from gitbridge_console.settings.routing import ProviderSettings
from gitbridge_console.sources.changes import ChangeSource
from gitbridge_console.sources.refusals import Refusals
from gitbridge_console.store.fleet import Beat
from gitbridge_console.store.legacy import legacy_warnings
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.store import Store, open_legacy
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

LEGACY_FILL = 0.8
"""Fill of the queue from which entries stay in the legacy list: they keep there, webhooks do not."""


class Engine:
    """Runs every lane of one process. Build it inside a running loop."""

    def __init__(self, store: Store, holder: SettingsHolder, *, state_dir: Path, role: str = "engine") -> None:
        self.store = store
        self.role = role
        self.id = f"{socket.gethostname()[:40]}-{os.getpid()}"
        self._holder = holder
        self._wanted = self._applied = holder.current
        self.intake = Intake(store.queue, store.metrics, lambda: holder.current.rules)
        self._lag = LoopLag()
        clients = {name: client_or_problem(name, own) for name, own in holder.current.providers.items()}
        self.router = AIRouter(holder.current, clients, lag_s=self._lag, on_news=self._news)
        self._board = BoardKeeper(store.providers, self.router, store.trouble)
        self.limits = RateLimiter(store.rate_limits, self._provider_settings, changed=self._poke)
        self.router.room = self.limits.room
        self.router.reopen = self.limits.reopen
        self._budgets = BudgetGuard(store.budgets, store.trouble, holder)
        self.router.hold = self._budgets.hold
        self._batches = BatchKeeper(
            store.batches,
            store.queue,
            self.router,
            store.metrics,
            self._budgets,
            store.trouble,
            lambda: holder.current.batches,
            engine=self.id,
        )
        self._discovery = Discovery(self.router, store.providers, store.trouble, lambda: holder.current.health)
        self.leases = LeaseKeeper(store.queue, store.trouble, store.wakeups)
        token = TokenSource(lambda: holder.current.hosts.github)
        self._github = GitHubApi(lambda: holder.current.hosts.github, token)
        self._gitlab = GitLabClient(lambda: holder.current.hosts.gitlab)
        self._gitea = GiteaClient(lambda: holder.current.hosts.gitea)
        hosts: dict[str, DiffHost] = {GITHUB: GitHubClient(self._github), GITLAB: self._gitlab, GITEA: self._gitea}
        changes = ChangeSource(hosts, store.diffs, store.trouble, Refusals(store.github, store.trouble), holder)
        self._progress = ProgressTeller(
            store.progress, store.reader, store.outbox, store.github, self._github, store.trouble, holder, engine=self.id
        )
        self._events = EventRouter(store.queue, self.router, store.metrics, holder, lambda: self.overload, changes, self._progress.watch)
        cache = AnswerCache(store.answers, store.metrics, store.trouble, lambda: holder.current.cache)
        hedger = Hedger(
            store.queue, self.router, store.metrics, store.trouble, lambda: holder.current.hedging, may_hedge=self.router.may_hedge
        )
        desk = BatchDesk(store.batches, store.trouble, holder)
        guards = (ProbeGuard(store.providers, self.router, store.trouble), self._budgets, self.limits)
        self._tasks = TaskProcessor(
            store.queue,
            self.router,
            store.metrics,
            store.trouble,
            holder,
            guards=guards,
            cache=cache,
            batches=desk,
            hedger=hedger,
        )
        failover = LaneFailover(store.queue, store.fleet, self.router, holder, engine=self.id)
        self._upkeep = Upkeep(store, holder, self.router, self.limits, self._budgets, failover, beat=self._beat)
        self._decide = DecisionStage(store.queue, store.reader, self.router, store.outcomes, store.metrics, holder)
        self._webhook = OutgoingWebhook(lambda: holder.current.actions)
        outbox = Outbox(self._github, self._webhook, store.outbox, store.github, holder)
        self._act = ActionStage(store.queue, store.reader, store.metrics, holder, store.outbox, outbox)
        reconciler = Reconciler(self._github, store.reconcile, lambda: holder.current.reconcile)
        self._reconcile = ReconcileKeeper(reconciler, store.inbox, store.trouble, lambda: holder.current.reconcile, self._audit_reconcile)
        self._dead_letters = DeadLetterKeeper(store, state_dir, lambda: holder.current.retention, engine=self.id)
        self._bulk = BulkRunner(store.bulk, store.journal, store.trouble, engine=self.id)
        self._audit = AuditKeeper(store, state_dir, lambda: holder.current.retention, engine=self.id)
        self._lanes: dict[str, Lane] = {}
        self._stop = asyncio.Event()
        self._drained = asyncio.Event()
        self.ready = asyncio.Event()

    @property
    def overload(self) -> Overload:
        """Which step of cutting work down is in force."""
        return self._upkeep.overload

    def stop(self) -> None:
        """Ask the engine to finish what is in hand and end; :meth:`run` returns then. Call from its own loop."""
        self._stop.set()

    def _news(self) -> None:
        self._board.news()

    async def run(self) -> None:
        """Work until :meth:`stop`: then claim nothing more, finish within ``queue.drain_s``, hand the rest back."""
        background = [asyncio.create_task(coroutine, name=name) for name, coroutine in self._background()]
        lanes: set[asyncio.Task[None]] = set()
        self._lag.start()
        try:
            if not await self._import_sdks():
                return
            background.append(asyncio.create_task(self._discovery.run(), name="discovery"))
            background.append(asyncio.create_task(self._batches.run(), name="batches"))
            self._start_lanes(lanes)
            self.ready.set()
            while not self._stop.is_set():
                await self._tick(lanes)
        finally:
            await self._drain(lanes)
            # Said as well as cancelled: a loop that misses its cancellation ends by itself.
            self._drained.set()
            self.leases.stop()
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            await self._leave()
            self._lag.stop()

    async def _import_sdks(self) -> bool:
        """Load what the configured providers need before the first call is timed; ``False`` when stopped meanwhile.

        It takes some seconds, and no import can be cut short: the thread is left to itself then, and the process may end without it.
        """
        apis = {state.settings.api for state in self.router.states.values() if state.provider is not None}
        loading = in_daemon_thread(partial(import_sdks, apis))
        stopping = asyncio.create_task(self._stop.wait())
        waiting: set[asyncio.Future[Any]] = {loading, stopping}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if loading.done():
            loading.result()
        loading.cancel()
        return not self._stop.is_set()

    def _background(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        jobs: list[tuple[str, Coroutine[Any, Any, None]]] = [
            ("leases", self.leases.run()),
            ("wakeups", self.store.wakeups.listen()),
            ("upkeep", self._upkeep.run(self._drained)),
            ("provider board", self._board.run()),
            # Apart from the upkeep: a slow disk must hold up neither recovery nor heartbeat.
            ("dead letters", self._dead_letters.run()),
            ("bulk operations", self._bulk.run()),
            ("reconcile", self._reconcile.run(self._stop)),
            ("progress", self._progress.run()),
            ("audit", self._audit.run()),
        ]
        if self._holder.current.legacy.enabled and not legacy_warnings(self._holder.current.redis.url, self._holder.current.legacy):
            jobs.append(("legacy", self._legacy()))
        return jobs

    def _handlers(self) -> dict[str, Work]:
        stages: tuple[Work, ...] = (self._events.fetch, self._events.route, self._decide.work, self._act.work)
        return {**dict(zip(STAGE_LANES, stages, strict=True)), **dict.fromkeys(self.router.states, self._tasks.work)}

    def _slots(self, name: str) -> Callable[[], int]:
        if name in STAGE_LANES:
            return lambda: self._holder.current.queue.stage_concurrency
        return lambda: self.router.slots(name, self._lanes[name].active if name in self._lanes else 0)

    def _provider_settings(self, name: str) -> ProviderSettings | None:
        return state.settings if (state := self.router.states.get(name)) is not None else None

    def _poke(self, name: str) -> None:
        if (lane := self._lanes.get(name)) is not None:
            lane.poke()

    def _repository_max(self, name: str) -> Callable[[], int]:
        """The cap holds where calls take long; a stage is quickly through with anybody's events."""
        return (lambda: 0) if name in STAGE_LANES else lambda: self._holder.current.queue.repository_max

    def _shut_for_s(self, name: str) -> Callable[[], float]:
        return (lambda: 0.0) if name in STAGE_LANES else lambda: self.router.gate(name).shut_for_s

    def _room(self, name: str) -> Callable[[int], tuple[int, float]] | None:
        if name == "act":
            return self._act.room
        return None if name in STAGE_LANES else LaneRoom(name, self.limits, self.router, self._holder)

    def _start_lanes(self, running: set[asyncio.Task[None]]) -> None:
        for name, work in self._handlers().items():
            if name in self._lanes:
                continue
            lane = Lane(
                name,
                work,
                queue=self.store.queue,
                leases=self.leases,
                wakeups=self.store.wakeups,
                trouble=self.store.trouble,
                slots=self._slots(name),
                on_claim=self._note_claim,
                payloads=name != "decide",
                repository_max=self._repository_max(name),
                shut_for_s=self._shut_for_s(name),
                room=self._room(name),
            )
            self._lanes[name] = lane
            task = asyncio.create_task(lane.run(), name=f"lane {name}")
            running.add(task)
            task.add_done_callback(self._ended(name, lane, running))

    def _ended(self, name: str, lane: Lane, running: set[asyncio.Task[None]]) -> Callable[[asyncio.Task[None]], None]:
        """A lane that ended by a fault is said, and started again at the next beat."""

        def ended(task: asyncio.Task[None]) -> None:
            running.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                logger.critical("lane %s ended by a fault and is started again", name, exc_info=error)
                if self._lanes.get(name) is lane:
                    del self._lanes[name]

        return ended

    def _note_claim(self, job: ClaimedJob) -> None:
        if job.number("dv") == 1 and not job.is_task:
            self.store.metrics.record_value("queue_latency", max(0, job.claimed_ms - job.received_ms))

    async def _tick(self, lanes: set[asyncio.Task[None]]) -> None:
        """Sleep until stopped or for a beat; then take over new settings."""
        try:
            async with asyncio.timeout(BEAT_S):
                await self._stop.wait()
        except TimeoutError:
            try:
                await self._take_over()
                self._start_lanes(lanes)
            except Exception:
                logger.exception("new settings could not be taken over whole; what holds is said by status")

    async def _take_over(self) -> None:
        """Make new settings hold for providers and lanes, or try again what did not; everything else reads the holder anyway."""
        new, old = self._holder.current, self._wanted
        if new is not old:
            self._wanted = new
            self.store.queue.use(new.queue, new.retry, new.retention, new.shedding)
            for name in await self.router.apply(new, old, client_or_problem):
                if name in self._lanes:
                    self._lanes.pop(name).stop()
        elif self.router.unbuilt:
            await self.router.retry(new, client_or_problem)
        else:
            await self.router.renew_keys(new, client_or_problem)
            await self.router.close_retired()
            return
        before, self._applied = self._applied, new.model_copy(update={"providers": self.router.holding()})
        if fingerprint(self._applied) != fingerprint(before):
            logger.info("settings %s hold now", fingerprint(self._applied))

    def _beat(self) -> Beat:
        return Beat(
            id=self.id,
            host=socket.gethostname(),
            role=self.role,
            version=__version__,
            settings=fingerprint(self._applied),
            providers={name: self.router.describe(name) | {"rate_limits": self.limits.describe(name)} for name in self.router.states},
        )

    async def _audit_reconcile(self) -> Callable[[str], Awaitable[None]]:
        journal = self.store.journal
        by = Actor("engine", self.id)
        entry = await journal.begin(Intent(by, "reconcile", "missed deliveries", "reconcile.every_s, reconcile.apply"))
        return lambda result: journal.end(entry, Outcome(result))

    def _has_room(self) -> bool:
        return self.overload.fill < LEGACY_FILL

    async def _legacy(self) -> None:
        async with open_legacy(self._holder.current, self.store) as legacy, asyncio.TaskGroup() as tasks:
            tasks.create_task(watch(legacy, self.store.inbox, self.store.trouble, self._stop))
            tasks.create_task(pump(legacy, self.intake.submit, self.store.queue.quarantine, self._stop, has_room=self._has_room))

    async def _drain(self, lanes: set[asyncio.Task[None]]) -> None:
        for lane in self._lanes.values():
            lane.stop()
        if not lanes:
            return
        _, late = await asyncio.wait(lanes, timeout=self._holder.current.queue.drain_s)
        if late:
            logger.warning(
                "%d jobs did not finish within queue.drain_s and are handed back", sum(lane.active for lane in self._lanes.values())
            )
        for task in late:
            task.cancel()
        for result in await asyncio.gather(*late, return_exceptions=True):
            if isinstance(result, Exception):
                logger.error("a lane did not stop cleanly", exc_info=result)

    async def _leave(self) -> None:
        for goodbye in (self.store.metrics.flush, partial(self.store.fleet.leave, self.id)):
            try:
                await goodbye()
            except STORE_AWAY as error:
                self.store.trouble.report(error)
            except Exception:
                logger.exception("the store did not take the engine's goodbye for a reason nobody foresaw")
        for host in (self._github, self._gitlab, self._gitea):
            await host.aclose()
        await self._webhook.aclose()
        await self.router.aclose()
