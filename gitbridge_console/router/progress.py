"""Tells the code host how far events are, where that is wanted: in turns, one engine at a time, and never in an event's way.

What is told follows from the states in the store, so nothing is lost with an engine, and states that pass quickly are told as one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from gitbridge_console.actions.posts import change_of, find_own
from gitbridge_console.actions.progress import progress_request, stage_of, watchable
from gitbridge_console.actions.requests import ActionRequest
from gitbridge_console.domain.events import EventFacts
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.host_board import HostBoard
from gitbridge_console.store.progress import ProgressStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

EVERY_S = 3.0
TURN_S = 15.0
AT_ONCE = 50
"""Events looked at in one turn."""
TRIES_MAX = 5
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
        board: HostBoard,
        api: GitHubApi,
        trouble: StoreTrouble,
        settings: Callable[[], Settings],
        *,
        engine: str,
    ) -> None:
        self._store = store
        self._reader = reader
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
        if (held := await self._board.look()).faults or held.closed_until_ms is not None:
            return
        self._cursor, watched = await self._store.watched(self._cursor, AT_ONCE)
        ends_at = asyncio.get_running_loop().time() + TURN_S / 2
        try:
            for event_id, about in watched.items():
                await self._tell(event_id, about)
                if asyncio.get_running_loop().time() > ends_at:
                    return
        except NoPlace:
            return

    async def _tell(self, event_id: str, about: dict[str, Any]) -> None:
        header = await self._reader.find_event(event_id)
        if header is None:
            await self._store.keep(event_id, None)
            return
        stage = stage_of(header["state"])
        if stage == about.get("said"):
            return
        policy = self._settings().kinds.get(about["kind"])
        how = self._settings().actions.progress
        # What was never said to be queued need not be ended, and the action of its kind says the end itself.
        if how == "none" or (stage == "done" and ("said" not in about or (policy is not None and policy.action == how))):
            await self._store.keep(event_id, None if stage == "done" else about)
            return
        end = header.get("verdict") or header["state"].replace("_", " ")
        try:
            request = progress_request(about, stage, how, end if stage == "done" else "")
            await self._write(request, about)
        except (HostProblem, KeyError) as problem:
            tries = int(about.get("tries", 0)) + 1
            logger.info("the host could not be told that %s is %s: %s", event_id, stage, problem)
            await self._store.keep(event_id, {**about, "tries": tries} if tries < TRIES_MAX else None)
            return
        await self._store.keep(event_id, None if stage == "done" else {**about, "said": stage})

    async def _write(self, request: ActionRequest, about: Mapping[str, Any]) -> None:
        own = self._settings().actions
        post = await find_own(self._api, request, f"<!-- gitbridge:{about['key']} -->")
        bounds = {"per_minute": max(1, own.writes_per_minute // SHARE), "per_hour": max(1, own.writes_per_hour // SHARE)}
        wait_s = await self._board.reserve(self._api.auth.fingerprint, spacing_s=own.spacing_s, **bounds)
        if 0 < wait_s <= EVERY_S:
            await asyncio.sleep(wait_s)
            wait_s = await self._board.reserve(self._api.auth.fingerprint, spacing_s=own.spacing_s, **bounds)
        if wait_s > 0:
            raise NoPlace
        sent = change_of(request, post) if post is not None else request
        try:
            await self._api.call(sent.method, sent.path, sent.body)
        except HostProblem as problem:
            if problem.limit:
                await self._board.close(self._api.auth.fingerprint, problem.retry_in_s or 60.0, doubling=problem.limit == "secondary")
                raise NoPlace from None
            raise
