"""Gathers what a decision depends on beside the answers: the diff they are held against, and what became of earlier findings."""

from __future__ import annotations

from collections.abc import Sequence

from gitbridge_console.consensus.agreement import quartiles
from gitbridge_console.consensus.clusters import findings_of
from gitbridge_console.consensus.support import Support, check
from gitbridge_console.domain.decisions import Answer, Basis
from gitbridge_console.domain.events import Kind
from gitbridge_console.settings.model import Settings
from gitbridge_console.sources.diffs import parse_unified_diff
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.outcomes import OutcomeStore
from gitbridge_console.store.records import ClaimedJob

WITH_FINDINGS = frozenset({Kind.CODE_REVIEW, Kind.PUSH_REVIEW})


def with_vendors(answers: Sequence[Answer], settings: Settings) -> tuple[Answer, ...]:
    """The answers with who stands behind each, as the settings have it now."""
    vendors = {name: provider.vendor for name, provider in settings.providers.items()}
    return tuple(answer.model_copy(update={"vendor": vendors.get(answer.provider, "")}) for answer in answers)


async def read_basis(
    job: ClaimedJob, kind: Kind, answers: Sequence[Answer], queue: RedisEventQueue, outcomes: OutcomeStore, settings: Settings
) -> Basis:
    """The basis of one event's decision, as the store has it now.

    Raises:
        redis.exceptions.RedisError: the store is away.
        PayloadDamaged: the stored diff cannot be read.
    """
    known = await outcomes.read(job.header.get("rp", ""), kind.value)
    support = Support(False, {}, {})
    if kind in WITH_FINDINGS and any(findings_of(answer) for answer in answers):
        diff = (await queue.load(job)).diff
        if diff:
            support = check(answers, parse_unified_diff(diff, settings.sources))
    return Basis(
        checked=support.checked,
        unsupported=support.unsupported,
        places=support.places,
        outcomes=known.chances,
        usual=quartiles(known.history),
        reliability=known.reliability,
    )
