"""Questions of bulk events wait for a batch: put on the pile one by one, answered hours later at half price."""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gitbridge_console.domain.answers import AnswerError, parse_answer
from gitbridge_console.domain.events import Kind, Priority
from gitbridge_console.domain.failures import Verdict
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.providers.base import ProviderReply, ProviderRequest, Usage
from gitbridge_console.router.attempt import Outcome
from gitbridge_console.router.prompts import BuiltPrompt
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.routing import KindSettings
from gitbridge_console.store.batches import BatchStore
from gitbridge_console.store.records import ClaimedJob
from gitbridge_console.store.trouble import STORE_AWAY, StoreTrouble

logger = logging.getLogger(__name__)

KEEP_MARGIN_S = 86_400.0
"""How much longer than its deadline anything of a batch is kept."""


WAITED = "bt"
"""Field of a task that waited for a batch once: its answer may be there, whatever the settings and its priority are by now."""


def goes_by_batch(settings: Settings, policy: KindSettings, priority: Priority) -> bool:
    """Whether an event's questions wait for batches: bulk, and with providers all of which take them.

    With one that answers at once the decision would be made long before a batch is back.
    """
    names = dict.fromkeys((*policy.prefer, *policy.reserve))
    own = [settings.providers[name] for name in names if settings.providers[name].enabled]
    return priority is Priority.BULK and bool(own) and all(provider.batches for provider in own)


@dataclass(frozen=True, slots=True)
class OnThePile:
    """The question waits for a batch; its task is not needed before ``look_in_s`` seconds have passed, or it is hastened."""

    look_in_s: float


class BatchDesk:
    """Before a call: has a batch answered it, does it wait for one, or is it asked live?"""

    def __init__(self, store: BatchStore, trouble: StoreTrouble, settings: Callable[[], Settings]) -> None:
        self._store = store
        self._trouble = trouble
        self._settings = settings

    async def hand_in(self, job: ClaimedJob, policy: KindSettings, prompt: BuiltPrompt) -> Outcome | OnThePile | None:
        """The answer, or that it is waited for; ``None``: ask live. With the store away, or without room, questions are asked live."""
        settings = self._settings()
        willing, own = goes_by_batch(settings, policy, job.priority), settings.batches
        if not willing and not job.header.get(WAITED):
            return None
        try:
            found = await self._store.take(job.lane, job.id)
            if found is not None:
                return read_result(found, job, prompt)
            if not willing:
                return None
            waits = await self._store.collect(
                job.lane,
                job.id,
                written_request(prompt.request),
                tasks_max=own.max_requests,
                bytes_max=own.max_bytes,
                open_max=own.open_max,
                live_after_s=own.deadline_s,
                keep_s=own.deadline_s + KEEP_MARGIN_S,
            )
        except STORE_AWAY as error:
            self._trouble.report(error)
            return None
        except zlib.error:
            logger.warning("what a batch answered to %s cannot be read; it is asked live", job.id)
            return None
        return OnThePile(own.deadline_s) if waits else None

    async def came(self, job: ClaimedJob) -> bool:
        """Whether a batch has brought something for a task that waits."""
        try:
            return await self._store.take(job.lane, job.id) is not None
        except STORE_AWAY as error:
            self._trouble.report(error)
        except zlib.error:
            return True
        return False

    async def settled(self, job: ClaimedJob) -> None:
        """The answer is in its place: the copy for it may go; else it goes by itself."""
        try:
            await self._store.forget(job.lane, job.id)
        except STORE_AWAY as error:
            self._trouble.report(error)


def written_request(request: ProviderRequest) -> bytes:
    """A question as it waits in the store."""
    fields = {name: getattr(request, name) for name in ("system", "prompt", "schema", "schema_name", "max_output_tokens")}
    return json.dumps(fields).encode("utf-8", "surrogatepass")


def read_request(raw: bytes) -> ProviderRequest:
    """Inverse of :func:`written_request`.

    Raises:
        ValueError, TypeError: it is none.
    """
    return ProviderRequest(**json.loads(raw))


def written_result(reply: ProviderReply, waited_ms: float) -> bytes:
    """What a batch answered, as it waits for its task."""
    body = {"text": reply.text, "model": reply.model, "request_id": reply.request_id, "waited_ms": waited_ms, "usage": asdict(reply.usage)}
    return json.dumps(body).encode()


def read_result(raw: bytes, job: ClaimedJob, prompt: BuiltPrompt) -> Outcome | None:
    """What a batch answered as the outcome of its task; ``None`` where it is to be asked live."""
    try:
        body = json.loads(raw) if raw else None
        if body is None:
            return None
        text, usage = str(body["text"]), Usage(**body["usage"])
        parsed = parse_answer(Kind(job.header["kind"]), text)
        waited_ms = float(body["waited_ms"])
    except (ValueError, KeyError, TypeError, AnswerError):
        return None
    now_ms = time.time() * 1000
    attempt = Attempt(
        provider=job.lane,
        model=str(body.get("model", "")),
        started_at=iso_from_ms(now_ms - waited_ms),
        latency_ms=round(waited_ms, 1),
        outcome="ok",
        verdict=Verdict.OK,
        http_status=200,
        request_id=body.get("request_id"),
        tokens_in=usage.input_tokens,
        tokens_out=usage.output_tokens,
        tokens_cached=usage.cached_tokens,
        cost_usd=usage.cost_usd,
        batch=True,
        prompt=prompt.prompt_id,
    )
    return Outcome(attempt, prompt, parsed, None, now_ms, text=text)
