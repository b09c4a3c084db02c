"""The outbox: what was decided is published once, whatever breaks on the way. Each step is stored before the next one is taken.

For each write, in this order:

1. *Claimed*: the intent is stored under the job's fence, and nobody else may call with the same marker for as long as a call can last.
2. *Looked*: a post of ours with the marker is not there yet, or is changed instead; the head is still the one that was reviewed.
3. *Paced*: the fleet's next place for a write is taken. There is none: the job goes back to its lane, with the time.
4. *Sent*: under the fence, stored anew a moment before.
5. *Noted*: the host's id is stored, and the marker is free.

Who dies in between leaves the marker held until no call of theirs can be under way any more; whoever takes the job up then looks
first. Nothing here sleeps: what has to wait is handed back.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gitbridge_console.actions.caps import may_send
from gitbridge_console.actions.outgoing_webhook import OutgoingWebhook
from gitbridge_console.actions.posts import Post, change_of, find_own, web_address
from gitbridge_console.actions.record import is_out, marked, next_write, request_at, with_request
from gitbridge_console.actions.requests import with_comments_in_body
from gitbridge_console.domain.events import EventFacts
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.host_board import EVERYWHERE, HostBoard
from gitbridge_console.store.outbox import OutboxStore
from gitbridge_console.store.records import ClaimedJob

logger = logging.getLogger(__name__)

FRESH_S = 5.0
"""A call is begun within this time of storing its intent, or the intent is stored anew."""
MARGIN_S = 2.0
NOT_YET = "its turn to be published has not come"
NO_CREDENTIAL = "there is neither a token nor an App: set hosts.github.token_env, token_file or app_id"


@dataclass(frozen=True, slots=True)
class Done:
    """Everything is published, or it is sure that it is not to be; ``record`` says which."""

    record: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """It goes on later; the record is stored already."""

    delay_s: float
    why: str
    pace_s: float = 0.0
    """Seconds for which nothing of this host can go out, where that is known and short."""


@dataclass(frozen=True, slots=True)
class Stuck:
    """The host will not take it as it is; an operator decides."""

    record: dict[str, Any]
    why: str


Step = Done | Wait | Stuck


class Outbox:
    """Publishes actions, a step at a time."""

    def __init__(
        self,
        api: GitHubApi,
        webhook: OutgoingWebhook,
        store: OutboxStore,
        board: HostBoard,
        settings: Callable[[], Settings],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._webhook = webhook
        self._store = store
        self._board = board
        self._settings = settings
        self._clock = clock

    async def advance(self, job: ClaimedJob, record: dict[str, Any], facts: EventFacts) -> Step:
        """Take an action as far as it goes now.

        Raises:
            FenceVoid: somebody else works on it.
            redis.exceptions.RedisError: the store is away; whatever was sent is found again by its marker.
        """
        while (number := next_write(record)) is not None:
            age_s = (job.claimed_ms - int(record["since_ms"])) / 1000
            if age_s > self._settings().actions.expires_s:
                last = record.get("reason") or "it could not be published"
                return Stuck(record, f"given up after {age_s / 3600:.0f} h: {last}")
            write = _Write(self, job, record, number, facts)
            step = await (write.to_webhook() if record["type"] == "webhook" else write.to_github())
            if not isinstance(step, Done):
                return step
            record = step.record
        return Done(record)


class _Write:
    """One write of an action, from the intent to the host's id."""

    def __init__(self, outbox: Outbox, job: ClaimedJob, record: dict[str, Any], number: int, facts: EventFacts) -> None:
        self._api, self._webhook = outbox._api, outbox._webhook
        self._store, self._board = outbox._store, outbox._board
        self._settings = outbox._settings()
        self._clock = outbox._clock
        self._job = job
        self._record = record
        self._number = number
        self._facts = facts
        self._request = request_at(record, number)
        self._marker = str(record["marker"]) or f"{self._request.method} {self._request.path} {job.id}"

    async def to_github(self) -> Step:
        """Publish it on GitHub."""
        own, who = self._settings.actions, self._api.auth.fingerprint
        if not self._api.auth.available:
            return await self._park(HostProblem(NO_CREDENTIAL, credential=True))
        # A backlog must not spend on looking what the host lets us ask.
        if not is_out(self._record) and (wait_s := await self._place(who, take=False)) > 0:
            return await self._later(wait_s, NOT_YET, pace_s=wait_s)
        wait_s, healed = await self._board.may_try(who, self._facts.repository, own.park_check_s)
        if healed:
            await self._store.wake()
        if wait_s > 0:
            return await self._later(wait_s * (1 + random.random() / 10), "the code host refuses the credential; see the alerts")
        if not may_send(self._request.body, approved=bool(self._record.get("approved_by")), settings=own):
            return await self._refused("what approves, requests changes or blocks needs an operator, or the settings to allow it")
        if (held_s := await self._intend()) > 0:
            return Wait(held_s + MARGIN_S / 2, "a call with the same marker may still be under way")
        try:
            post = await find_own(self._api, self._request, self._marker)
            if post is not None and post.same:
                return await self._went_through(post.id, post.url, "was there already")
            if moved := await self._moved_head():
                return await self._ended(marked(self._record, self._number, "refused", note=moved))
        except HostProblem as problem:
            return await self._not_done(problem)
        if (wait_s := await self._place(who)) > 0:
            return await self._later(wait_s, NOT_YET, pace_s=wait_s)
        return await self._send(post)

    async def _place(self, who: str, *, take: bool = True) -> float:
        """Take the fleet's next place for a write, or only look; 0, or the seconds until there may be one."""
        own = self._settings.actions
        bounds = {"per_minute": own.writes_per_minute, "per_hour": own.writes_per_hour}
        return await self._board.reserve(who, spacing_s=own.spacing_s, **bounds, take=take)

    async def to_webhook(self) -> Step:
        """Tell the receiver; it knows a repetition by its id, so nothing has to be looked for."""
        if (held_s := await self._intend()) > 0:
            return Wait(held_s, "it may be under way still")
        message_id = f"msg_{self._job.id}_{self._record['run']}"
        try:
            status = await self._webhook.send(message_id, self._request.path, self._request.body)
        except HostProblem as problem:
            if problem.credential:
                return await self._later(self._settings.actions.park_check_s, str(problem))
            if problem.retry_in_s is None:
                return await self._refused(str(problem))
            return await self._later(self._backoff(problem), str(problem))
        return await self._ended(marked(self._record, self._number, "done", id=message_id, note=f"webhook answered {status}"))

    async def _send(self, post: Post | None) -> Step:
        """The call itself, with the intent stored a moment before it."""
        request = self._request
        if post is not None:
            request = change_of(request, post, exactly=bool(self._record.get("approved_by")))
        tries = int(self._record["writes"][self._number].get("tries", 0)) + 1
        self._record = marked(self._record, self._number, "intended", tries=tries)
        asked_at = self._clock()
        if (held_s := await self._intend()) > 0:
            return Wait(held_s, "a call with the same marker may still be under way")
        if self._clock() - asked_at > FRESH_S:
            # This process stood still meanwhile: whether the job is still its own is not known any more.
            return Wait(MARGIN_S, "the engine stood still; it is tried again")
        try:
            reply = await self._api.call(request.method, request.path, request.body)
        except HostProblem as problem:
            return await self._not_done(problem, sent=True)
        answer = reply.data if isinstance(reply.data, dict) else {}
        number = answer.get("id") if isinstance(answer.get("id"), int) else (post.id if post is not None else None)
        if await self._board.heal(self._api.auth.fingerprint, self._facts.repository):
            await self._store.wake()
        return await self._went_through(number, web_address(answer), "changed" if post is not None else "posted")

    async def _intend(self) -> float:
        """Store what is about to be done; 0, or the seconds for which somebody else may be at it."""
        return await self._store.intend(self._job, self._record, self._marker, self._hold_s)

    @property
    def _hold_s(self) -> float:
        """How long a call can be under way after its intent was stored."""
        settings = self._settings
        total_s = settings.actions.webhook_timeout_s if self._record["type"] == "webhook" else settings.hosts.github.timeout_total_s
        return FRESH_S + total_s + MARGIN_S

    async def _moved_head(self) -> str:
        """Why it is not to be published, where the pull request has another head by now; else empty.

        Raises:
            HostProblem: the host does not say.
        """
        if not self._facts.type.startswith("pull_request") or self._facts.number is None or not self._facts.head_sha:
            return ""
        pull = (await self._api.call("GET", f"/repos/{self._facts.repository}/pulls/{self._facts.number}")).data
        head = pull.get("head") if isinstance(pull, dict) else None
        sha = head.get("sha") if isinstance(head, dict) else None
        if not isinstance(sha, str) or not sha:
            raise HostProblem("the host's answer names no head commit", retry_in_s=0.0)
        if sha != self._facts.head_sha:
            return f"not published: the head moved from {self._facts.head_sha[:12]} to {sha[:12]} meanwhile"
        return ""

    async def _went_through(self, number: int | None, url: str, how: str) -> Step:
        what = {"review": "review", "comment": "comment", "check_run": "check run"}.get(self._record["type"], self._record["type"])
        note = f"{what} {number} {how}" if number is not None else f"{what} {how}"
        return await self._ended(marked(self._record, self._number, "done", id=number, url=url, note=note))

    async def _ended(self, record: dict[str, Any]) -> Step:
        """Note how it went, and free the marker."""
        record = {**record, "reason": ""}
        await self._store.intend(self._job, record, self._marker, 0.0)
        return Done(record)

    async def _not_done(self, problem: HostProblem, *, sent: bool = False) -> Step:
        """What follows from the host's refusal, or from its silence."""
        own = self._settings.actions
        if problem.credential:
            return await self._park(problem)
        if problem.limit:
            wait_s = await self._board.close(self._api.auth.fingerprint, problem.retry_in_s or 60.0, doubling=problem.limit == "secondary")
            return await self._later(wait_s, str(problem), pace_s=wait_s)
        delay_s = self._backoff(problem)
        if problem.unknown:
            why = f"{problem}; whether it was done is looked up before it is tried again"
            self._record = {**self._record, "reason": why}
            await self._intend()
            return Wait(max(self._hold_s, delay_s), why)
        if problem.retry_in_s is not None:
            return await self._later(delay_s, str(problem))
        if sent and problem.status == 422 and self._request.body.get("comments"):
            self._record = with_request(self._record, self._number, with_comments_in_body(self._request))
            return await self._later(own.spacing_s, "the host refuses a comment beside a line; all go into the text")
        if not sent and problem.status in (403, 404) and not await self._sees_the_repository():
            return await self._park(problem)
        said = f"; it says: {problem.said}" if problem.said else ""
        return await self._refused(f"{problem}{said}")

    async def _sees_the_repository(self) -> bool:
        """Whether only the thing itself is gone: that is no fault of the credential."""
        try:
            await self._api.call("GET", f"/repos/{self._facts.repository}")
        except HostProblem:
            return False
        return True

    async def _park(self, problem: HostProblem) -> Step:
        """The credential is at fault: everybody waits, and one tries now and then."""
        own = self._settings.actions
        scope = EVERYWHERE if problem.status == 401 or not problem.status else self._facts.repository
        if await self._board.fault(self._api.auth.fingerprint, scope, str(problem), own.park_check_s):
            where = "" if scope == EVERYWHERE else f" for {scope}"
            logger.error("nothing is published%s: %s; what was decided waits in act", where, problem)
        return await self._later(own.park_check_s, f"waits in act: {problem}")

    async def _refused(self, why: str) -> Step:
        record = {**marked(self._record, self._number, "refused", note=why), "reason": why}
        await self._store.intend(self._job, record, self._marker, 0.0)
        return Stuck(record, why)

    async def _later(self, delay_s: float, why: str, *, pace_s: float = 0.0) -> Step:
        """Nothing is under way: free the marker, and go on at that time."""
        self._record = {**self._record, "reason": why}
        await self._store.intend(self._job, self._record, self._marker, 0.0)
        return Wait(max(0.05, delay_s), why, pace_s)

    def _backoff(self, problem: HostProblem) -> float:
        """Seconds to wait, longer each time and never the same for all."""
        own = self._settings.actions
        failed = int(self._record["writes"][self._number].get("failed", 0))
        self._record = marked(self._record, self._number, self._record["writes"][self._number]["state"], failed=failed + 1)
        most = min(own.retry_cap_s, own.retry_s * 2 ** min(failed, 16))
        return float(max(problem.retry_in_s or 0.0, most * (0.5 + random.random() / 2)))
