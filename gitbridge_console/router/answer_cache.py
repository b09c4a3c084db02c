"""Equal questions are asked once: whoever asks first holds the question, the others wait in their lane for its answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from gitbridge_console.domain.answers import AnswerError, parse_answer
from gitbridge_console.domain.events import Kind
from gitbridge_console.domain.failures import Verdict
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.last_words import write_last_words
from gitbridge_console.router.prompts import BuiltPrompt
from gitbridge_console.settings.routing import CacheSettings, ProviderSettings
from gitbridge_console.store.answer_cache import AnswerCacheStore
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

STORE_S = 0.25
"""How long the cache is waited for; without it the question is simply asked."""

LEASE_MARGIN_S = 5.0
LOOK_AGAIN_S = 1.0
"""How long a task rests in its lane while another one asks the same."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Somebody asks the same right now."""

    look_again_in_s: float


@dataclass(frozen=True, slots=True)
class Asking:
    """The question is ours to ask. Ends in :meth:`done`, whatever came of it."""

    cache: AnswerCache | None
    key: str = ""
    holder: str = ""

    async def done(self, outcome: Outcome | None) -> None:
        """Keep a usable answer for others; with anything else, or ``None``, let them ask. Raises nothing of the store's."""
        if self.cache is not None:
            await self.cache.done(self.key, self.holder, outcome)


class AnswerCache:
    """Before a call: is its answer known, or being asked for? After it: keep what it gave."""

    def __init__(self, store: AnswerCacheStore, metrics: Metrics, trouble: StoreTrouble, settings: Callable[[], CacheSettings]) -> None:
        self._store = store
        self._metrics = metrics
        self._trouble = trouble
        self._settings = settings

    async def look(self, job: ClaimedJob, own: ProviderSettings, prompt: BuiltPrompt, timeout_s: float) -> Outcome | Wait | Asking:
        """The answer that is known, or who asks. A replay asks anew, and its answer takes the place of the old one."""
        settings = self._settings()
        if not settings.enabled:
            return Asking(None)
        key = question_key(job.lane, own, prompt)
        asking = Asking(self, key, job.id)
        if job.event.get("run", "1") != "1":
            return asking
        try:
            async with asyncio.timeout(STORE_S):
                found = await self._store.look(key, job.id, timeout_s + LEASE_MARGIN_S)
        except STORE_AWAY as error:
            # The question may be ours all the same.
            self._trouble.report(error)
            return asking
        except asyncio.CancelledError:
            await write_last_words(asking.done(None), self._trouble)
            raise
        except zlib.error:
            found = b""
        if isinstance(found, bytes):
            known = _read(found, job, prompt)
            if known is not None:
                outcome, paid_usd = known
                self._metrics.count("cache_hits")
                if paid_usd is not None:
                    self._metrics.count("cache_saved_usd_millionths", round(paid_usd * 1_000_000))
                return outcome
            logger.warning("an answer kept for %s cannot be read and is asked for anew", job.lane)
            return asking
        if found > 0:
            self._metrics.count("cache_shared")
            return Wait(min(found, LOOK_AGAIN_S))
        self._metrics.count("cache_misses")
        return asking

    async def done(self, key: str, holder: str, outcome: Outcome | None) -> None:
        """What :meth:`Asking.done` says."""
        settings = self._settings()
        answer = _written(outcome) if outcome is not None else b""
        try:
            async with asyncio.timeout(STORE_S):
                if answer and len(answer) <= settings.max_answer_bytes:
                    await self._store.keep(key, holder, answer, ttl_s=settings.ttl_s, max_bytes=settings.max_bytes)
                else:
                    await self._store.free(key, holder)
        except STORE_AWAY as error:
            # The question is free again when its lease is over.
            self._trouble.report(error)


def question_key(name: str, own: ProviderSettings, prompt: BuiltPrompt) -> str:
    """What makes two questions equal: who is asked, by which model and address, and every word of the question."""
    request = prompt.request
    parts = (name, own.api, own.base_url, own.model, prompt.prompt_id, request.schema_name, str(request.max_output_tokens))
    digest = hashlib.sha256()
    for part in (*parts, json.dumps(request.schema, sort_keys=True), request.system, request.prompt):
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


def _written(outcome: Outcome) -> bytes:
    """What is kept of an answer; nothing of a failure, of an abstention, or of what came from the cache itself."""
    if outcome.parsed is None or outcome.parsed.abstained or outcome.attempt.cached or not outcome.text:
        return b""
    return json.dumps({"text": outcome.text, "attempt": outcome.attempt.model_dump()}).encode()


def _read(raw: bytes, job: ClaimedJob, prompt: BuiltPrompt) -> tuple[Outcome, float | None] | None:
    """The answer as an outcome of this task, and what it cost when it was asked for."""
    try:
        body = json.loads(raw)
        text = str(body["text"])
        asked = Attempt.model_validate(body["attempt"])
        parsed = parse_answer(Kind(job.header["kind"]), text)
    except (ValueError, KeyError, TypeError, AnswerError):
        return None
    now_ms = time.time() * 1000
    attempt = asked.model_copy(
        update={
            "provider": job.lane,
            "started_at": iso_from_ms(now_ms),
            "latency_ms": 0.0,
            "ttft_ms": None,
            "verdict": Verdict.OK,
            "tokens_in": 0,
            "tokens_out": 0,
            "tokens_cached": None,
            "cost_usd": 0.0,
            "cached": True,
            "prompt": prompt.prompt_id,
        }
    )
    return Outcome(attempt, prompt, parsed, None, now_ms, text=text), asked.cost_usd
