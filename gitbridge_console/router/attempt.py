"""One attempt: ask the provider once, check what came back, and put it on record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gitbridge_console.domain.answers import AnswerError, ParsedAnswer, parse_answer
from gitbridge_console.domain.decisions import Answer, AnswerStatus
from gitbridge_console.domain.events import Ask, Kind
from gitbridge_console.domain.failures import Failure, FailureClass, Verdict
from gitbridge_console.domain.tasks import Attempt
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.providers.base import ProviderError, ProviderReply, Spent, Usage
from gitbridge_console.router.ai_router import AIRouter, Call
from gitbridge_console.router.prompts import BuiltPrompt

STATUS_OF_FAILURE = {
    FailureClass.SILENT: AnswerStatus.TIMEOUT,
    FailureClass.NEUTRAL: AnswerStatus.TIMEOUT,
    FailureClass.RATE_LIMIT: AnswerStatus.RATE_LIMITED,
    FailureClass.POLICY: AnswerStatus.REFUSED,
    FailureClass.INVALID_OUTPUT: AnswerStatus.INVALID,
}

GIVEN_UP = "given up by us before it was answered: its lease was lost, nobody wanted it any more, or the engine stopped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one attempt came to. ``headers`` are the rate-limit headers of the response, ``sent_at_ms`` when it was asked.

    ``text`` is the answer as it came, where one did.
    """

    attempt: Attempt
    prompt: BuiltPrompt
    parsed: ParsedAnswer | None
    failure: Failure | None
    sent_at_ms: float
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


async def make_attempt(
    router: AIRouter,
    name: str,
    kind: Kind | Ask,
    call: Call,
    prompt: BuiltPrompt,
    timeout_s: float,
    given_up: Callable[[Outcome], None] | None = None,
) -> Outcome:
    """Ask the provider ``name``, within ``timeout_s``, and tell ``router`` how it went. Raises only what is no fault of the provider.

    ``given_up`` hears what an attempt came to that was cancelled after its question may have been sent: it was billed as well.
    """
    state = call.state
    assert state.provider is not None, "the gate lets no call through without a provider"
    sent_at_ms, clock = time.time() * 1000, time.monotonic()
    reply: ProviderReply | None = None
    parsed: ParsedAnswer | None = None
    failure: Failure | None = None
    usage, ttft_ms, headers, spent = Usage(), None, dict[str, str](), Spent()
    try:
        reply = await state.provider.ask(replace(prompt.request, spent=spent), timeout_s=timeout_s)
        usage, ttft_ms, headers = reply.usage, reply.ttft_ms, reply.headers
        parsed = parse_answer(kind, reply.text)
    except ProviderError as error:
        failure, usage, ttft_ms, headers = error.failure, error.usage, error.ttft_ms, error.headers
    except AnswerError as error:
        failure = Failure(FailureClass.INVALID_OUTPUT, str(error), http_status=200, request_id=reply.request_id if reply else None)
    except BaseException as error:
        # Cancelled, or a fault of our own: it says nothing about the provider, and its place must be free again.
        router.cancelled(call)
        if given_up is not None and spent.sent and isinstance(error, asyncio.CancelledError):
            failure = Failure(FailureClass.NEUTRAL, GIVEN_UP, http_status=spent.http_status, request_id=spent.request_id)
            latency_s = time.monotonic() - clock
            attempt = _record(name, state.settings.model, prompt, sent_at_ms, latency_s, spent.usage, spent.ttft_ms, None, failure)
            given_up(Outcome(attempt.model_copy(update={"verdict": Verdict.CANCELLED}), prompt, None, failure, sent_at_ms, spent.headers))
        raise
    latency_s = time.monotonic() - clock
    if failure is None:
        ttft_s = None if ttft_ms is None else ttft_ms / 1000
        router.succeeded(call, latency_s, kind=kind.value, ttft_s=ttft_s, tokens_out=usage.output_tokens)
    else:
        router.failed(call, failure)
    attempt = _record(name, state.settings.model, prompt, sent_at_ms, latency_s, usage, ttft_ms, reply, failure)
    return Outcome(attempt, prompt, parsed, failure, sent_at_ms, headers, reply.text if reply else "")


def _record(
    name: str,
    model: str,
    prompt: BuiltPrompt,
    sent_at_ms: float,
    latency_s: float,
    usage: Usage,
    ttft_ms: float | None,
    reply: ProviderReply | None,
    failure: Failure | None,
) -> Attempt:
    """What is kept of an attempt; the verdict of one that failed is found later."""
    return Attempt(
        provider=name,
        model=reply.model if reply else model,
        started_at=iso_from_ms(sent_at_ms),
        latency_ms=round(latency_s * 1000, 1),
        ttft_ms=None if ttft_ms is None else round(ttft_ms, 1),
        outcome="ok" if failure is None else failure.cls.value,
        verdict=Verdict.OK,
        message="" if failure is None else failure.message,
        http_status=reply.http_status if reply else failure.http_status if failure else None,
        request_id=reply.request_id if reply else failure.request_id if failure else None,
        tokens_in=usage.input_tokens,
        tokens_out=usage.output_tokens,
        tokens_cached=usage.cached_tokens,
        cost_usd=usage.cost_usd,
        prompt=prompt.prompt_id,
    )


def usable_answer(task_id: str, outcome: Outcome) -> Answer:
    """The answer of an attempt that succeeded."""
    parsed, attempt = outcome.parsed, outcome.attempt
    assert parsed is not None
    return Answer(
        task_id=task_id,
        provider=attempt.provider,
        model=attempt.model,
        status=AnswerStatus.ABSTAIN if parsed.abstained else AnswerStatus.OK,
        verdict=parsed.verdict,
        payload=parsed.payload,
        reason=parsed.reason or "",
        latency_ms=attempt.latency_ms,
        tokens_in=attempt.tokens_in,
        tokens_out=attempt.tokens_out,
        cost_usd=attempt.cost_usd,
        prompt=outcome.prompt.prompt_id,
        order_seed=outcome.prompt.order_seed,
    )


def no_answer(task_id: str, name: str, failure: Failure, attempt: Attempt | None = None) -> Answer:
    """What stands in the place of an answer that never came; ``attempt`` is the last one made, if any was."""
    made = attempt.model_dump(include={"model", "latency_ms", "tokens_in", "tokens_out", "cost_usd"}) if attempt else {}
    status = STATUS_OF_FAILURE.get(failure.cls, AnswerStatus.ERROR)
    return Answer(task_id=task_id, provider=name, status=status, reason=failure.message, **made)
