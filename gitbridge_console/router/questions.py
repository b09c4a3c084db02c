"""What a task asks its provider: its event's question, or one about the panel's answers, with what was wrong with the last answer."""

from __future__ import annotations

import json

from gitbridge_console.domain.events import Ask, Kind
from gitbridge_console.domain.facts import read_facts
from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.router.prompts import BuiltPrompt, build_request, template_for
from gitbridge_console.router.second_round import written_about
from gitbridge_console.settings.model import Settings
from gitbridge_console.sources.diffs import material_from
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.records import ClaimedJob


def asks(job: ClaimedJob) -> Ask | None:
    """What a task of the second round asks; ``None`` for a seat of the panel."""
    word = job.header.get("q")
    return Ask(word) if word else None


async def make_question(job: ClaimedJob, queue: RedisEventQueue, settings: Settings, max_output_tokens: int) -> BuiltPrompt:
    """The question of a claimed task. The store is asked only for what a seat of the first round of most events does not need.

    Raises:
        redis.exceptions.RedisError: the store is away.
    """
    facts = read_facts(job.event["ty"], json.loads(job.payload), job.diff)
    material = material_from(facts, job.diff, settings.sources)
    about, repair, form = "", "", asks(job)
    if form is not None:
        about = written_about(form, await queue.question(job))
    if job.number(f"ca:{job.lane}") and (last := await queue.last_attempt(job)) is not None:
        repair = last.message if last.outcome == FailureClass.INVALID_OUTPUT and last.provider == job.lane else ""
    if form is not None:
        return build_request(form, facts, material, job.lane, max_output_tokens, about, repair)
    kind = Kind(job.header["kind"])
    own = template_for(kind, settings.kinds[kind.value], await queue.asked_prompt(job))
    return build_request(kind, facts, material, job.lane, max_output_tokens, about, repair, own)
