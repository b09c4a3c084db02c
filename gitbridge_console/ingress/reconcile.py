"""Reconcile: ask GitHub which deliveries of our webhooks never arrived, and have them sent again.

GitHub does not repeat a delivery by itself, and forgets it after three days. Each run lists what was delivered since the last
one, sets aside what arrived or is known here, and asks for the rest again, oldest first, within bounds. How far it has looked,
and what is still missing, is stored together, so a run that is cut short, by the host's limits or by a crash, loses nothing.
"""

from __future__ import annotations

import asyncio
import fnmatch
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from gitbridge_console.domain.deliveries import (
    HANDLED,
    HookDelivery,
    HookReport,
    MissedDelivery,
    ReconcileReport,
    next_since,
    read_delivery,
    still_missing,
)
from gitbridge_console.domain.facts import number, rows, table, text
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.settings.hosts import ReconcileSettings
from gitbridge_console.store.reconcile_store import Progress, ReconcileStore, Tried

logger = logging.getLogger(__name__)

HOOK_PAGES_MAX = 3
OPEN_MAX = 2_000
"""Missing deliveries of one webhook that are remembered one by one."""
GONE = frozenset({400, 404, 410, 422})
"""The host's answers to a delivery that it does not have any more."""
BUSY = "another process reconciles at the moment"


class LockLost(Exception):
    """Somebody else has taken over: this process stood still for too long."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook of ours: what it is called in reports, and where its deliveries are listed."""

    name: str
    path: str


@dataclass(slots=True)
class _Run:
    """What one run may still do."""

    apply: bool
    remember: bool
    now_ms: int
    tried: dict[str, Tried]
    room: int
    before_first: Callable[[], Awaitable[object]] | None
    stopped: HostProblem | None = None


class Reconciler:
    """Looks and asks. One process of the fleet at a time."""

    def __init__(
        self,
        api: GitHubApi,
        store: ReconcileStore,
        settings: Callable[[], ReconcileSettings],
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._store = store
        self._settings = settings
        self._clock = clock
        self._sleep = sleep

    async def run(
        self, *, apply: bool, remember: bool = True, before_first: Callable[[], Awaitable[object]] | None = None
    ) -> ReconcileReport:
        """Look at every webhook; with ``apply`` have sent again what is missing, and call ``before_first`` before the first of these.

        Without ``remember`` nothing is stored at all, and the next run looks at the same again.

        Raises:
            redis.exceptions.RedisError: the store is away.
        """
        now_ms = round(self._clock() * 1000)
        at = iso_from_ms(now_ms)
        if not await self._store.lock.hold():
            return ReconcileReport(at=at, applied=apply, problem=BUSY)
        try:
            tried = await self._fresh_tried(now_ms, forget=apply and remember)
            run = _Run(apply, apply or remember, now_ms, tried, self._settings().redeliveries_max, before_first)
            hooks = [report async for report in self._all(run)]
        except LockLost:
            return ReconcileReport(at=at, applied=apply, problem=BUSY)
        finally:
            await self._store.lock.leave()
        stopped = run.stopped
        return ReconcileReport(at=at, applied=apply, hooks=tuple(hooks), retry_in_s=stopped.retry_in_s if stopped else None)

    async def _all(self, run: _Run) -> AsyncIterator[HookReport]:
        settings = self._settings()
        places = [f"/repos/{name}" for name in settings.repositories] + [f"/orgs/{name}" for name in settings.organizations]
        for place in places:
            name = place.partition("/")[2].partition("/")[2]
            try:
                hooks = await self._hooks(place, name, settings.hook_url)
            except HostProblem as problem:
                yield _failed(name, problem, run)
            else:
                for hook in hooks:
                    if run.stopped is None:
                        yield await self._look(hook, run)
                if not hooks:
                    yield HookReport(hook=name, complete=False, problem=f"no webhook of {name} has the address {settings.hook_url}")
            if run.stopped is not None:
                return
        if settings.app:
            yield await self._look(Hook("app", "/app/hook/deliveries"), run)

    async def _hooks(self, place: str, name: str, url: str) -> list[Hook]:
        found = []
        async for reply in self._api.pages(f"{place}/hooks?per_page=100", pages_max=HOOK_PAGES_MAX):
            for row in rows(reply.data):
                own, address = number(table(row).get("id")), text(table(table(row).get("config")).get("url"), 2_000)
                if own is not None and fnmatch.fnmatchcase(address, url):
                    found.append(Hook(f"{name} hook {own}", f"{place}/hooks/{own}/deliveries"))
        return found

    async def _look(self, hook: Hook, run: _Run) -> HookReport:
        settings = self._settings()
        await self._hold()
        progress = await self._store.progress(hook.name)
        floor_ms = run.now_ms - round(settings.max_age_s * 1000)
        since_ms, before_ms = max(progress.since_ms, floor_ms), run.now_ms - round(settings.settle_s * 1000)
        try:
            deliveries, rest = await self._list(hook, progress, since_ms, floor_ms)
        except HostProblem as problem:
            return _failed(hook.name, problem, run)
        found = still_missing(progress.open, deliveries, before_ms=before_ms)
        known = await self._store.known([one.guid for one in found])
        done = [await self._settle(hook, one, iso_from_ms(floor_ms), run) for one in found if one.guid not in known]
        if run.remember:
            still_open = [one for one in done if one.outcome not in HANDLED]
            # Too many to be remembered one by one: the next look begins before them.
            since = next_since(deliveries, (one.guid for one in still_open[OPEN_MAX:]), since_ms=since_ms, before_ms=before_ms)
            progress = replace(rest, since_ms=rest.since_ms or since, open=tuple(still_open[:OPEN_MAX]))
            await self._store.keep(hook.name, progress)
            await self._store.forget_tried([guid for guid in known if guid in run.tried])
        return HookReport(
            hook=hook.name,
            since=iso_from_ms(since_ms),
            listed=len(deliveries),
            known=len(known),
            missed=tuple(done),
            complete=not rest.resume,
            problem=str(run.stopped) if run.stopped is not None else "",
        )

    async def _list(self, hook: Hook, progress: Progress, since_ms: int, floor_ms: int) -> tuple[list[HookDelivery], Progress]:
        """Deliveries since then, newest first, and where the next run goes on if there were too many for this one."""
        pages_left = self._settings().pages_max
        found, pages, rest = await self._pages(hook, f"{hook.path}?per_page=100", since_ms, pages_left)
        pages_left -= pages
        back_ms = max(progress.resume_since_ms, floor_ms) if progress.resume else since_ms
        if not rest and progress.resume and pages_left > 0:
            try:
                older, _, rest = await self._pages(hook, progress.resume, back_ms, pages_left)
            except HostProblem as problem:
                if problem.status not in GONE:
                    raise
                # The host has forgotten the place: the next run begins there from the top.
                return found, Progress(since_ms=back_ms)
            found += older
        elif not rest and progress.resume:
            rest = progress.resume
        return found, Progress(resume=rest, resume_since_ms=min(back_ms, since_ms) if rest else 0)

    async def _pages(self, hook: Hook, page: str, since_ms: int, pages_max: int) -> tuple[list[HookDelivery], int, str]:
        found: list[HookDelivery] = []
        for pages in range(1, pages_max + 1):
            await self._hold()
            reply = await self._api.call("GET", page, as_for=hook.path)
            read = [delivery for row in rows(reply.data) if (delivery := read_delivery(row)) is not None]
            found += [delivery for delivery in read if delivery.at_ms > since_ms]
            page = reply.next_page
            if not page or not read or min(delivery.at_ms for delivery in read) <= since_ms:
                return found, pages, ""
        return found, pages_max, page

    async def _settle(self, hook: Hook, one: MissedDelivery, oldest_at: str, run: _Run) -> MissedDelivery:
        """Have one sent again, if it may be."""
        settings = self._settings()
        if one.first_at < oldest_at:
            return one.model_copy(update={"outcome": "given_up", "why": "it is older than reconcile.max_age_s"})
        if one.outcome == "waiting":
            return one
        tried = run.tried.get(one.guid, Tried(0, 0))
        if tried.times and run.now_ms - tried.at_ms < settings.settle_s * 1000:
            return one.model_copy(update={"outcome": "waiting", "why": "it was asked for a moment ago"})
        if tried.times >= settings.attempts_max:
            why = f"it was asked for {tried.times} times and never arrived"
            return one.model_copy(update={"outcome": "given_up", "why": why})
        if not run.apply:
            return one
        if run.stopped is not None or run.room <= 0:
            why = str(run.stopped) if run.stopped is not None else f"{settings.redeliveries_max} were asked for in this run"
            return one.model_copy(update={"outcome": "left", "why": why})
        return await self._ask_again(hook, one, tried, run)

    async def _ask_again(self, hook: Hook, one: MissedDelivery, before: Tried, run: _Run) -> MissedDelivery:
        if run.room < self._settings().redeliveries_max:
            await self._sleep(self._settings().spacing_s)
        elif run.before_first is not None:
            await run.before_first()
        await self._hold()
        run.room -= 1
        await self._store.note_tried(one.guid, Tried(before.times + 1, run.now_ms))
        try:
            await self._api.call("POST", f"{hook.path}/{one.attempt}/attempts")
        except HostProblem as problem:
            if problem.status in GONE:
                # A token without the right gets the answer of a delivery that is gone: neither may be forgotten at once.
                why = f"{problem}; or the token lacks the right to write webhooks"
                return one.model_copy(update={"outcome": "refused", "why": why})
            run.stopped = problem
            if not problem.unknown:
                await self._put_back(one.guid, before)
            return one.model_copy(update={"outcome": "left", "why": str(problem)})
        return one.model_copy(update={"outcome": "asked"})

    async def _put_back(self, guid: str, before: Tried) -> None:
        """It was not asked for after all."""
        if before.times:
            await self._store.note_tried(guid, before)
        else:
            await self._store.forget_tried([guid])

    async def _fresh_tried(self, now_ms: int, *, forget: bool) -> dict[str, Tried]:
        """What was asked for within the time in which the host remembers it; the rest is forgotten."""
        tried = await self._store.tried()
        oldest_ms = now_ms - round(self._settings().max_age_s * 1000)
        if forget:
            await self._store.forget_tried([guid for guid, one in tried.items() if one.at_ms < oldest_ms])
        return {guid: one for guid, one in tried.items() if one.at_ms >= oldest_ms}

    async def _hold(self) -> None:
        if not await self._store.lock.hold():
            raise LockLost


def _failed(name: str, problem: HostProblem, run: _Run) -> HookReport:
    """A webhook that could not be looked at. What concerns the credential or a limit will concern the next one too."""
    if problem.limit or problem.credential or problem.retry_in_s is not None:
        run.stopped = problem
    return HookReport(hook=name, complete=False, problem=str(problem))
