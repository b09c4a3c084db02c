"""What operators say of decisions: it holds, it is learned from, two at once lose nothing, and what was done stays done."""

from __future__ import annotations

import asyncio

import pytest

from gitbridge_console.consensus.manager import ConsensusManager, input_of
from gitbridge_console.consensus.strategies import STRATEGIES
from gitbridge_console.domain.decisions import Basis, Decision
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.errors import NotFound, Refused, Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.router.decision_stage import digest_of
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.store import Store
from tests.consensus.panels import decide, finding, vote

pytestmark = pytest.mark.anyio

GRAVE = finding("roundTax rounds twice", "high")
OTHER = finding("cart may be None", "high", 60)
PLAN = RoutePlan("code_review", Priority.NORMAL, ("claude", "grok"), quorum=2, grace_s=0, deadline_s=60, expires_s=600)


def panel(event_id: str, basis: Basis | None = None) -> Decision:
    found = decide(
        vote("claude", "request_changes", [GRAVE, OTHER]),
        vote("grok", "comment", [GRAVE]),
        vote("chatgpt", "comment"),
        strategy="policy",
        basis=basis,
    )
    return found.model_copy(update={"event_id": event_id, "id": f"{event_id}-1"})


async def decided(store: Store, state: EventState = EventState.AWAITING_APPROVAL, delivery: str = "d1") -> str:
    """An event whose panel decided as above, and that stands in ``state``."""
    event = await store.queue.enqueue(IncomingEvent(delivery, "pull_request", b'{"repository": {"full_name": "acme/shop"}}', "test"))
    (job,) = (await store.queue.claim("fetch", 1)).jobs or (await store.queue.claim("route", 1)).jobs
    await store.queue.hand_on(job, "route", EventState.RECEIVED)
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.route(job, PLAN)
    await store.client.zadd(store.queue.keys.waiting("decide"), {event.id: 1})
    (job,) = (await store.queue.claim("decide", 1)).jobs
    decision = panel(event.id)
    await store.queue.hand_on(job, "", state, decision=decision.model_dump_json(), header=digest_of(decision))
    return event.id


async def number_of(door: Operations, event: str, title: str) -> int:
    return next(c.id for c in (await door.show_decision(event)).clusters if c.title == title)


async def chances(store: Store) -> dict[str, tuple[int, int]]:
    return (await store.outcomes.read("any", "code_review")).chances


async def test_an_edit_decides_anew_and_stands_in_lists_timeline_and_audit(door: Operations, store: Store) -> None:
    event = await decided(store)
    assert (await door.show_decision(event)).verdict == "request_changes"
    after = await door.edit_decision(event, "dismiss", [await number_of(door, event, "roundTax rounds twice")], note="known")
    assert after.verdict == "comment"
    assert await door.show_decision(event) == after
    assert (await door.list_decisions())[0].verdict == "comment"
    assert "dismiss  claude#0, grok#0 known".replace("  ", " ") in [
        " ".join(e.what.split()) for e in (await door.show_event(event)).timeline
    ]
    (entry,) = [entry for entry in await door.list_audit() if entry.what == "decision dismiss"]
    assert (entry.reason, entry.result) == ("known", "dismiss claude#0, grok#0")


async def test_what_is_stored_can_be_decided_anew_from_itself(door: Operations, store: Store) -> None:
    event = await decided(store)
    await door.edit_decision(event, "accept", [await number_of(door, event, "cart may be None")])
    after = await door.edit_decision(event, "severity", [await number_of(door, event, "cart may be None")], value="critical")
    assert ConsensusManager().decide(input_of(after)) == after


async def test_words_are_learned_from_and_the_last_one_counts(door: Operations, store: Store) -> None:
    event = await decided(store)
    first = await number_of(door, event, "roundTax rounds twice")
    await door.edit_decision(event, "accept", [first])
    assert await chances(store) == {"2/3": (1, 1)}
    await door.edit_decision(event, "dismiss", [await number_of(door, event, "roundTax rounds twice")])
    assert await chances(store) == {"2/3": (0, 1)}
    await door.edit_decision(event, "restore", [await number_of(door, event, "roundTax rounds twice")])
    assert await chances(store) == {"2/3": (0, 0)}
    assert (await store.outcomes.read("any", "code_review")).reliability == {"claude": (0.0, 0.0), "grok": (0.0, 0.0)}


async def test_what_was_changed_since_it_was_looked_at_is_not_approved(door: Operations, store: Store) -> None:
    event = await decided(store)
    seen = await door.show_decision(event)
    await door.amend(event, "approve", "hotfix")
    with pytest.raises(Refused, match="another by now: look again"):
        await door.approve(event, seen=seen)
    await door.approve(event, seen=await door.show_decision(event))


async def test_what_was_acted_on_stands_and_can_still_be_judged(door: Operations, store: Store) -> None:
    event = await decided(store, EventState.RESOLVED)
    after = await door.edit_decision(event, "dismiss", [1])
    assert (after.verdict, after.clusters[0].word, len(after.feedback)) == ("request_changes", "dismissed", 1)
    assert await chances(store) == {"2/3": (0, 1)}
    for word, value in (("severity", "low"), ("split", ""), ("verdict", "approve")):
        with pytest.raises(Refused, match="is resolved: what was decided"):
            await door.edit_decision(event, word, [] if word == "verdict" else [1], value=value)  # type: ignore[arg-type]


async def test_a_verdict_is_chosen_and_approving_stays_a_step_of_its_own(door: Operations, store: Store) -> None:
    event = await decided(store)
    report = await door.amend(event, "approve", "hotfix")
    assert report.notes == (f"{event}-1 is approve",)
    assert (await door.show_event(event)).state == "awaiting_approval"
    await door.approve(event)
    with pytest.raises(Refused, match="what was decided"):
        await door.amend(event, "comment")


@pytest.mark.parametrize(
    ("word", "numbers", "value", "error", "why"),
    [
        ("accept", [9], "", NotFound, "has no finding 9, it has 1 to 2"),
        ("accept", [], "", Usage, "accept what"),
        ("join", [1], "", Usage, "two findings or more"),
        ("split", [2], "", Usage, "several reviewers"),
        ("severity", [1], "awful", Usage, "awful is no severity: use one of critical"),
        ("verdict", [], "merge", Usage, "merge is no verdict of a code_review: use one of request_changes"),
    ],
)
async def test_an_edit_that_makes_no_sense_says_why(
    door: Operations, store: Store, word: str, numbers: list[int], value: str, error: type[Exception], why: str
) -> None:
    event = await decided(store)
    with pytest.raises(error, match=why):
        await door.edit_decision(event, word, numbers, value=value)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await door.edit_decision("77", "accept", [1])


async def test_two_operators_at_once_lose_nothing(door: Operations, store: Store) -> None:
    event = await decided(store)
    await asyncio.gather(*(door.edit_decision(event, "severity", [1], value=value) for value in ("low", "medium", "nit")))
    assert len((await door.show_decision(event)).basis.edits) == 3


async def test_numbers_read_from_another_decision_touch_nothing(door: Operations, store: Store) -> None:
    event = await decided(store)
    seen = await door.show_decision(event)
    await door.edit_decision(event, "split", [1], seen=seen)
    with pytest.raises(Refused, match="look again"):
        await door.edit_decision(event, "dismiss", [1], seen=seen)


async def test_another_strategy_is_tried_on_what_was_decided_without_changing_it(door: Operations, store: Store) -> None:
    event = await decided(store)
    before = await door.show_decision(event)
    for strategy in STRATEGIES:
        (tried,) = await door.recompute([event], strategy)
        assert tried.would_be.strategy == strategy
        assert bool(tried.differs) is ((tried.would_be.verdict, tried.would_be.needs_operator) != (before.verdict, before.needs_operator))
    (majority,) = await door.recompute([event], "majority")
    assert majority.differs == ("request_changes would be comment",)
    assert await door.show_decision(event) == before
    with pytest.raises(Usage, match="unknown strategy 'magic'"):
        await door.recompute([event], "magic")


async def test_decisions_are_listed_by_what_their_events_are(door: Operations, store: Store) -> None:
    waiting = await decided(store)
    await decided(store, EventState.RESOLVED, "d2")
    assert [row.event_id for row in await door.list_decisions(wanted=EventFilter(state="awaiting_approval"))] == [waiting]
    assert len(await door.list_decisions()) == 2
