"""Tells the code host how far events are, where that is wanted: in turns, one engine at a time, and never in an event's way.

What is told follows from the states in the store, so nothing is lost with an engine, and states that pass quickly are told as one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from gitbridge_console.actions.posts import Post, change_of, find_own
from gitbridge_console.actions.progress import progress_request, stage_of, watchable
from gitbridge_console.actions.record import is_of_run, request_at
from gitbridge_console.actions.requests import ActionRequest
from gitbridge_console.domain.events import EventFacts, EventState
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.host_board import EVERYWHERE, HostBoard
from gitbridge_console.store.outbox import OutboxStore
from gitbridge_console.store.progress import ProgressStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

EVERY_S = 3.0
TURN_S = 15.0
AT_ONCE = 50
"""Events looked at in one turn."""
TRIES_MAX, PAUSE_MAX_S = 100, 300.0
"""Tries with longer and longer pauses before the host is not told any more: what stays as pending on a commit may block a merge."""
SHARE = 2
"""Of what may be written in a minute or an hour, one part in so many at most: what was decided goes first."""


class NoPlace(Exception):
    """Nothing more can be written in this turn."""


class ProgressTeller:
    """Watches events and tells of them."""

    def __init__(
        self,
        store: ProgressStore,
        reader: EventReader,
        outbox: OutboxStore,
        board: HostBoard,
        api: GitHubApi,
        trouble: StoreTrouble,
        settings: Callable[[], Settings],
        *,
        engine: str,
    ) -> None:
        self._store = store
        self._reader = reader
        self._outbox = outbox
        self._board = board
        self._api = api
        self._trouble = trouble
        self._settings = settings
        self._engine = engine
        self._cursor = 0

    @property
    def wanted(self) -> bool:
        """Whether anything is told at all."""
        own = self._settings().actions
        return own.progress != "none" and not own.dry_run

    async def watch(self, event_id: str, facts: EventFacts, kind: str) -> None:
        """An event was routed. Raises nothing: no event fails because nobody can be told of it."""
        about = watchable(facts, kind) if self.wanted else None
        if about is None:
            return
        try:
            await self._store.watch(event_id, about)
        except STORE_AWAY as error:
            self._trouble.report(error)

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            if not self.wanted or not self._api.auth.available:
                continue
            try:
                await self.turn()
            except STORE_AWAY as error:
                self._trouble.report(error)
            except Exception:
                logger.exception("telling the host how far events are failed for a reason nobody foresaw; it is tried again")

    async def turn(self) -> None:
        """One look at the next events, if it is this engine's turn and nothing holds publishing back."""
        if not await self._store.take_turn(self._engine, TURN_S):
            return
        held = await self._board.look()
        refused = {fault.scope for fault in held.faults}
        if EVERYWHERE in refused or held.closed_until_ms is not None:
            return
        self._cursor, watched = await self._store.watched(self._cursor, AT_ONCE)
        ends_at = asyncio.get_running_loop().time() + TURN_S / 2
        try:
            for event_id, about in watched.items():
                if about["repository"] in refused:
                    continue
                others = {name: one for name, one in watched.items() if name != event_id and one["key"] == about["key"]}
                await self._tell(event_id, about, others)
                if asyncio.get_running_loop().time() > ends_at:
                    return
        except NoPlace:
            return

    async def _tell(self, event_id: str, about: dict[str, Any], others: Mapping[str, dict[str, Any]]) -> None:
        """``others`` are events about the same head, such as a pull request's that was reopened."""
        header = await self._reader.find_event(event_id)
        if header is None:
            await self._store.keep(event_id, None)
            return
        stage = stage_of(header["state"])
        if stage == about.get("said") or about.get("after", 0) > time.time():
            return
        policy = self._settings().kinds.get(about["kind"])
        how = self._settings().actions.progress
        # What was never said to be queued need not be ended.
        if how == "none" or (stage == "done" and "said" not in about):
            await self._store.keep(event_id, None if stage == "done" else about)
            return
        if header["state"] == EventState.SUPERSEDED and await self._left_to_another(others, about):
            await self._store.keep(event_id, None)
            return
        by_action = await self._said_by_action(event_id, header) if policy is not None and policy.action == how else None
        if by_action is not None and (stage != "done" or not about.get("late")):
            # The action of the kind says the end itself, and nothing may be told after it.
            await self._store.keep(event_id, None if stage == "done" else about)
            return
        end = header.get("verdict") or header["state"].replace("_", " ")
        try:
            request = by_action or progress_request(about, stage, how, end if stage == "done" else "")
            number = await self._write(event_id, header["state"], request, about)
        except (HostProblem, KeyError) as problem:
            logger.info("the host could not be told that %s is %s: %s", event_id, stage, problem)
            await self._store.keep(event_id, _tried(about, problem))
            return
        if stage == "done":
            await self._store.keep(event_id, None)
            return
        # An action that was begun meanwhile may have said the end before this was read.
        late = {"late": True} if await self._said_by_action(event_id, header) is not None else {}
        known = {name: value for name, value in about.items() if name not in ("tries", "after")}
        await self._store.keep(event_id, {**known, "said": stage, "id": number, **late})

    async def _left_to_another(self, others: Mapping[str, dict[str, Any]], about: Mapping[str, Any]) -> bool:
        """Whether an event about the same head is still on its way: it is not done there, and that one says the end, however soon."""
        for name, its in others.items():
            header = await self._reader.find_event(name)
            if header is not None and stage_of(header["state"]) != "done":
                its |= {"said": its.get("said", ""), "id": its.get("id", about.get("id"))}
                await self._store.keep(name, its)
                return True
        return False

    async def _said_by_action(self, event_id: str, header: Mapping[str, str]) -> ActionRequest | None:
        """The request with which the action of this run says the end, once it is begun; ``None`` while it is not, or does not come."""
        record = await self._outbox.read(event_id)
        if record is None or not is_of_run(record, int(header.get("run", 1))):
            return None
        finished = stage_of(header["state"]) == "done"
        return request_at(record, 0) if not finished or record["writes"][0]["state"] == "done" else None

    async def _write(self, event_id: str, state: str, request: ActionRequest, about: Mapping[str, Any]) -> int | None:
        """Write it; returns the host's number of it."""
        own = self._settings().actions
        if (known := about.get("id")) is not None and request.path.endswith("/check-runs"):
            post: Post | None = Post(int(known), "", same=False)
        else:
            post = await find_own(self._api, request, f"<!-- gitbridge:{about['key']} -->")
        bounds: dict[str, Any] = {"per_minute": max(1, own.writes_per_minute // SHARE), "per_hour": max(1, own.writes_per_hour // SHARE)}
        wait_s = await self._board.reserve(self._api.auth.fingerprint, spacing_s=own.spacing_s, **bounds)
        if 0 < wait_s <= EVERY_S:
            await asyncio.sleep(wait_s)
            wait_s = await self._board.reserve(self._api.auth.fingerprint, spacing_s=own.spacing_s, **bounds)
        if wait_s > 0:
            raise NoPlace
        if ((await self._reader.find_event(event_id)) or {}).get("state") != state:
            raise NoPlace  # what was to be told is not true any more
        sent = change_of(request, post) if post is not None else request
        try:
            reply = await self._api.call(sent.method, sent.path, sent.body)
        except HostProblem as problem:
            if problem.limit:
                await self._board.close(self._api.auth.fingerprint, problem.retry_in_s or 60.0, doubling=problem.limit == "secondary")
                raise NoPlace from None
            raise
        answered = reply.data.get("id") if isinstance(reply.data, dict) else None
        return answered if isinstance(answered, int) else None


def _tried(about: Mapping[str, Any], problem: Exception) -> dict[str, Any] | None:
    """What is kept of an event that the host could not be told of; ``None``: it is given up."""
    tries = int(about.get("tries", 0)) + 1
    # Nobody knows whether that one was read: if it was, it must not be the last word.
    maybe = {"said": about.get("said", ""), "late": True} if getattr(problem, "unknown", False) else {}
    after = round(time.time() + min(PAUSE_MAX_S, EVERY_S * 2 ** min(tries, 16)))
    return {**about, **maybe, "tries": tries, "after": after} if tries < TRIES_MAX else None
