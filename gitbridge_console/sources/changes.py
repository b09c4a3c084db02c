"""Where the diff of a change comes from: the event itself, a mirror on this host, the code host; kept for the next who asks."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from gitbridge_console.domain.events import GITHUB, EventFacts
from gitbridge_console.domain.names import NO_COMMIT
from gitbridge_console.hosts.base import DiffHost, HostDiff, HostProblem
from gitbridge_console.settings.model import Settings
from gitbridge_console.sources.mirrors import mirror_diff, mirror_of
from gitbridge_console.sources.refusals import Refusals
from gitbridge_console.store.answer_cache import AnswerCacheStore
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

ASK_S = 45.0
"""How long one may take over a diff that others wait for, drips of a slow host included."""


@dataclass(frozen=True, slots=True)
class Change:
    """What came of looking for a diff. Without one ``note`` says why; ``retry_in_s`` when it may be there, ``None``: never."""

    diff: str | None = None
    note: str = ""
    retry_in_s: float | None = None
    asked: bool = True
    """False while somebody else asks for the same one: that is no attempt."""


class ChangeSource:
    """Asks whoever may have the diff of an event, best first; equal changes are fetched once."""

    def __init__(
        self,
        hosts: Mapping[str, DiffHost],
        cache: AnswerCacheStore,
        trouble: StoreTrouble,
        refusals: Refusals,
        settings: Callable[[], Settings],
    ) -> None:
        self._hosts = hosts
        self._refusals = refusals
        self._cache = cache
        self._trouble = trouble
        self._settings = settings

    async def find(self, facts: EventFacts) -> Change:
        """The diff of an event, or why there is none. Raises nothing: a review without a diff is better than none."""
        settings = self._settings()
        mirror = mirror_of(settings.sources.mirrors, facts.repository)
        host = self._hosts.get(facts.host)
        if host is not None and not host.available:
            host = None
        if mirror is None and host is None:
            # What GitHub's token is for is said by `doctor`; of other hosts people may not know that they are read at all.
            advice = f", set hosts.{facts.host}" if facts.host in self._hosts else ""
            return Change(note="" if facts.host == GITHUB else f"no diff: no client for this host{advice}")
        if not facts.head_sha:
            return Change(note="no diff: the event names no head commit")
        what = (facts.host, facts.type, facts.repository, facts.number, facts.base_sha, facts.head_sha, settings.sources.max_diff_bytes)
        key = hashlib.sha256(repr(what).encode()).hexdigest()
        holder = uuid4().hex  # two events of one engine ask for the same diff as well
        known = await self._look(key, holder)
        if isinstance(known, bytes):
            return Change(known.decode("utf-8", "replace"))
        if known > 0:
            return Change(note="it is being fetched for another event", retry_in_s=min(1.0, known), asked=False)
        try:
            async with asyncio.timeout(ASK_S):
                found = await self._ask(facts, mirror, host)
        except TimeoutError:
            await self._free(key, holder)
            return Change(note=f"no diff: it took longer than {ASK_S:g} s", retry_in_s=0.0)
        except HostProblem as problem:
            await self._free(key, holder)
            if problem.credential:
                await self._refusals.refused(facts.host, facts.repository, problem)
            return Change(note=f"no diff: {problem}", retry_in_s=problem.retry_in_s)
        await self._keep(key, holder, found.raw)
        part = found.cut and len(found.raw) <= settings.sources.max_diff_bytes
        return Change(found.raw.decode("utf-8", "replace"), "the host gave only a part of the diff" if part else "")

    async def _ask(self, facts: EventFacts, mirror: Path | None, host: DiffHost | None) -> HostDiff:
        own = self._settings().sources
        size = own.max_diff_bytes
        base = "" if NO_COMMIT.fullmatch(facts.base_sha) else facts.base_sha
        is_pull = facts.type.startswith("pull_request") and facts.number is not None
        if mirror is not None and is_pull and not base:
            # From nothing to its head a mirror would show the last commit only, and that would pass for all of it.
            mirror = None
            if host is None:
                raise HostProblem("the event names no base commit for the mirror to begin at")
        if mirror is not None:
            try:
                return await mirror_diff(mirror, base, facts.head_sha, size, own.git_timeout_s)
            except HostProblem as problem:
                if host is None:
                    raise
                logger.info("%s: %s; the code host is asked", facts.subject, problem)
        assert host is not None, "without a mirror there is a host"
        if is_pull and facts.number:
            found = await host.pull_diff(facts.repository, facts.number, size)
            await self._same_head(facts, facts.number, host)
        else:
            found = await host.compare_diff(facts.repository, base, facts.head_sha, size)
        await self._refusals.works(facts.host, facts.repository)
        return found

    async def _same_head(self, facts: EventFacts, number: int, host: DiffHost) -> None:
        """A host gives the diff of the head there is by now, which is not to pass for that of an event of before."""
        head = await host.pull_head(facts.repository, number) if facts.head_sha else ""
        if head and head != facts.head_sha:
            raise HostProblem("the pull request has another head by now")

    async def _look(self, key: str, holder: str) -> bytes | float:
        try:
            return await self._cache.look(key, holder, ASK_S)
        except zlib.error:
            return 0.0
        except STORE_AWAY as error:
            self._trouble.report(error)
            return 0.0

    async def _keep(self, key: str, holder: str, raw: bytes) -> None:
        own = self._settings().sources
        try:
            await self._cache.keep(key, holder, raw, ttl_s=own.cache_s, max_bytes=own.cache_max_bytes)
        except STORE_AWAY as error:
            self._trouble.report(error)

    async def _free(self, key: str, holder: str) -> None:
        try:
            await self._cache.free(key, holder)
        except STORE_AWAY as error:
            self._trouble.report(error)
