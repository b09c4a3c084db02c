"""Edits of decisions where something else happens at the same time, and what another strategy makes of what is stored."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.consensus.manager import ConsensusManager, input_of
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Basis, Decision, Edit, Verification
from gitbridge_console.domain.events import EventState, IncomingEvent
from gitbridge_console.domain.tasks import TaskState
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.errors import NotFound, OperationError, Refused, Usage
from gitbridge_console.operations.judged import judgements
from gitbridge_console.operations.operations import Operations
from gitbridge_console.router.decision_stage import digest_of
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.store import Store
from tests.consensus.panels import decide, edit, finding, vote
from tests.headers import header
from tests.operations.test_decisions import GRAVE, OTHER, PLAN, chances, decided, number_of, panel

pytestmark = pytest.mark.anyio

BODY = b'{"action": "opened", "number": 7, "repository": {"full_name": "acme/shop"}, "pull_request": {"number": 7, "head": {"sha": "%s"}}}'


async def replaced(store: Store, event: str, decision: Decision) -> Decision:
    """Another decision in the place of an event's own."""
    decision = decision.model_copy(update={"event_id": event, "id": f"{event}-1"})
    await store.client.set(store.queue.keys.decision(event), decision.model_dump_json())
    return decision


@pytest.fixture
def rival(store: Store, settings: Settings) -> Operations:
    return Operations(store, lambda: settings, actor=Actor("bo", "ops-4"))


def comes_first(monkeypatch: pytest.MonkeyPatch, store: Store, rival: Any) -> None:
    """``rival()`` is done between the moment the next edit is read and the moment it is written."""
    write = store.queue.amend

    async def late(*args: Any, **more: Any) -> str:
        monkeypatch.setattr(store.queue, "amend", write)
        await rival()
        return await write(*args, **more)

    monkeypatch.setattr(store.queue, "amend", late)


async def test_an_edit_that_came_second_is_made_anew_on_the_same_findings(
    door: Operations, rival: Operations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await decided(store)
    comes_first(monkeypatch, store, lambda: rival.edit_decision(event, "severity", [1], "medium"))
    after = await door.edit_decision(event, "accept", [1])
    assert [(word.by, word.word, word.findings) for word in after.basis.edits] == [
        ("bo", "severity", ("claude#0", "grok#0")),
        ("ana", "accept", ("claude#0", "grok#0")),
    ]


async def test_a_number_that_means_another_finding_by_now_touches_nothing(
    door: Operations, rival: Operations, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await decided(store)
    comes_first(monkeypatch, store, lambda: rival.edit_decision(event, "dismiss", [1]))
    with pytest.raises(Refused, match="look again"):
        await door.edit_decision(event, "dismiss", [1])
    stored = await door.show_decision(event)
    assert [word.by for word in stored.basis.edits] == ["bo"]
    assert [cluster.word for cluster in stored.clusters if cluster.title == OTHER["title"]] == [""]


async def test_an_event_that_runs_anew_has_no_decision_to_edit(door: Operations, store: Store) -> None:
    event = await decided(store, EventState.RESOLVED)
    await door.replay([event], "again")
    for word, numbers in (("accept", [1]), ("split", [1])):
        with pytest.raises(NotFound, match="runs anew"):
            await door.edit_decision(event, word, numbers)  # type: ignore[arg-type]
    assert await door.list_decisions() == []
    assert await chances(store) == {}


async def test_what_was_approved_and_waits_to_be_done_is_judged_but_not_changed(door: Operations, store: Store) -> None:
    event = await decided(store)
    await door.approve(event)
    with pytest.raises(Refused, match="is acting"):
        await door.edit_decision(event, "severity", [1], "low")
    after = await door.edit_decision(event, "dismiss", [1])
    assert (after.verdict, after.clusters[0].word, after.basis.edits) == ("request_changes", "dismissed", ())


async def test_a_decision_that_cannot_be_read_is_said_to_be_so(door: Operations, store: Store) -> None:
    event = await decided(store)
    await store.client.set(store.queue.keys.decision(event), "{}")
    with pytest.raises(OperationError, match="cannot be read"):
        await door.edit_decision(event, "accept", [1])


async def test_an_edit_of_an_earlier_run_is_refused(door: Operations, store: Store) -> None:
    event = await decided(store)
    with pytest.raises(NotFound):
        await door.edit_decision(f"{event}-2", "accept", [1])
    assert (await door.edit_decision(f"{event}-1", "accept", [1])).clusters[0].word == "accepted"


async def test_the_bytes_of_an_event_are_counted_as_its_decision_grows_and_shrinks(door: Operations, store: Store) -> None:
    event = await decided(store)
    for word in ("split", "join", "split", "join"):
        numbers = [c.id for c in (await door.show_decision(event)).clusters if c.title == GRAVE["title"]]
        await door.edit_decision(event, word, numbers)  # type: ignore[arg-type]
    keys, client = store.queue.keys, store.client
    before = panel(event).model_dump_json()
    grown = len((await door.show_decision(event)).model_dump_json()) - len(before)
    counted = int((await header(store.queue, event))["sz"])
    assert int(await client.hget(keys.bytes_by_state, "awaiting_approval") or 0) == counted
    other = await decided(store, delivery="d2")
    assert counted - int((await header(store.queue, other))["sz"]) == grown


async def test_words_on_findings_that_are_split_and_joined_are_booked_as_what_stands(door: Operations, store: Store) -> None:
    event = await decided(store)
    await door.edit_decision(event, "accept", [await number_of(door, event, GRAVE["title"])])
    await door.edit_decision(event, "split", [await number_of(door, event, GRAVE["title"])])
    assert {key: row for key, row in (await chances(store)).items() if row[1]} == {"1/3": (2, 2)}
    parts = [c for c in (await door.show_decision(event)).clusters if c.title == GRAVE["title"]]
    after = await door.edit_decision(event, "dismiss", [next(c.id for c in parts if c.members[0]["provider"] == "grok")])
    assert {key: row for key, row in (await chances(store)).items() if row[1]} == {"1/3": (1, 2)}
    assert sum(judgements(after).values()) == 2
    right = (await store.outcomes.read("any", "code_review")).reliability
    assert {name: tuple(map(round, row)) for name, row in right.items()} == {"claude": (1, 0), "grok": (0, 1)}


async def test_a_finding_without_support_that_is_accepted_counts_for_who_made_it(door: Operations, store: Store) -> None:
    event = await decided(store)
    await replaced(store, event, panel(event, Basis(checked=True, unsupported={"claude#1": "its path is not in the diff"})))
    await door.edit_decision(event, "accept", [await number_of(door, event, OTHER["title"])])
    assert await chances(store) == {"0/3": (1, 1)}
    assert (await store.outcomes.read("any", "code_review")).reliability == {"claude": (1.0, 0.0)}


def open_claim(**policy: Any) -> Decision:
    """A critical finding of one reviewer that the others, asked about it, could not tell."""
    unsure = Verification(provider="grok", words={"claude#0": "cannot_tell"})
    votes = vote("claude", "comment", [finding("the lock is never released", "critical")]), vote("grok", "comment", [OTHER])
    return decide(*votes, strategy="majority", verify=True, basis=Basis(verifications=(unsure,)), **policy)


async def test_a_critical_finding_nobody_could_settle_stays_with_the_operator_until_it_is_judged(door: Operations, store: Store) -> None:
    event = await decided(store)
    await replaced(store, event, open_claim().model_copy(update={"needs_operator": True}))
    (same,) = await door.recompute([event], "majority")
    assert same.differs == ()
    after = await door.edit_decision(event, "severity", [await number_of(door, event, OTHER["title"])], "low")
    assert after.needs_operator
    assert "nobody could confirm or refute the critical finding #1: an operator decides" in after.rationale
    after = await door.edit_decision(event, "dismiss", [await number_of(door, event, "the lock is never released")])
    assert not after.needs_operator


async def test_what_was_said_after_it_was_done_makes_no_strategy_decide_otherwise(door: Operations, store: Store) -> None:
    event = await decided(store, EventState.RESOLVED)
    await door.edit_decision(event, "accept", [await number_of(door, event, OTHER["title"])])
    (same,) = await door.recompute([event], "policy")
    assert same.differs == ()


async def with_a_seat_missing(store: Store, answer: dict[str, Any], *others: Answer) -> str:
    """An event with a diff that was decided without grok, whose answer came afterwards."""
    diff = "diff --git a/tax.py b/tax.py\n--- a/tax.py\n+++ b/tax.py\n@@ -8 +8 @@\n-e\n+evidence(e)\n"
    event = await store.queue.enqueue(IncomingEvent("d1", "pull_request", BODY % (b"a" * 40), "test", diff=diff))
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.route(job, PLAN)
    (task,) = (await store.queue.claim("grok", 1)).jobs
    await store.queue.begin(task)
    await store.client.zadd(store.queue.keys.waiting("decide"), {event.id: 1})
    (job,) = (await store.queue.claim("decide", 1)).jobs
    out = Answer(task_id=task.id, provider="grok", status=AnswerStatus.PENDING, reason="no answer by the deadline")
    decision = decide(*others, out, strategy="policy", quorum=1, basis=Basis(checked=True))
    decision = decision.model_copy(update={"event_id": event.id, "id": f"{event.id}-1"})
    await store.queue.hand_on(job, "", EventState.AWAITING_APPROVAL, decision=decision.model_dump_json(), header=digest_of(decision))
    late = vote("grok", "request_changes", [answer]).model_copy(update={"task_id": task.id})
    await store.queue.settle_task(task, TaskState.SUCCEEDED, answer=late.model_dump_json(), vote=True)
    return event.id


async def test_an_answer_that_came_too_late_is_folded_in_only_where_that_is_asked_for(door: Operations, store: Store) -> None:
    event = await with_a_seat_missing(store, finding(evidence="evidence(e)"), vote("claude", "comment", [finding()]))
    (without,) = await door.recompute([event], "policy")
    assert without.differs == ()
    (folded,) = await door.recompute([event], "policy", with_late=True)
    assert folded.differs == ("comment would be request_changes", "0 findings confirmed would be 1")
    assert folded.would_be.agreement.verdict_n == 2
    assert await door.show_decision(event) == folded.decided


async def test_a_late_finding_is_held_against_the_diff_like_any_other(door: Operations, store: Store) -> None:
    event = await with_a_seat_missing(store, finding(path="elsewhere.py"), vote("claude", "comment", [finding()]))
    (folded,) = await door.recompute([event], "policy", with_late=True)
    assert folded.would_be.basis.unsupported == {"grok#0": "its path is not in the diff"}
    assert folded.would_be.agreement.findings_confirmed == 0


async def test_what_would_be_done_otherwise_is_said_too(door: Operations, store: Store) -> None:
    event = await with_a_seat_missing(store, finding(evidence="evidence(e)"))
    (folded,) = await door.recompute([event], "majority", with_late=True)
    assert folded.differs == ("none would be request_changes", "action none would be review")


@pytest.mark.parametrize("strategy", ["magic", "single:", "single:No Such", "majority\n"])
async def test_a_strategy_that_cannot_be_is_refused_before_anything_is_read(door: Operations, strategy: str) -> None:
    with pytest.raises(Usage, match="unknown strategy"):
        await door.recompute(["77"], strategy)


REFS = ("claude#0", "claude#1", "grok#0", "chatgpt#0", "zed#7")
edits = st.lists(
    st.builds(
        edit,
        st.sampled_from(["accept", "dismiss", "restore", "join", "split", "severity", "verdict"]),
        st.sampled_from(REFS),
        st.sampled_from(REFS),
        value=st.sampled_from([*SEVERITIES, "approve", "comment", ""]),
    ),
    max_size=8,
)


@given(edits)
def test_a_decision_with_any_edits_is_read_back_and_decided_anew_as_it_was(said: list[Edit]) -> None:
    stored = panel("e", Basis(edits=tuple(said))).model_dump_json()
    read = Decision.model_validate_json(stored)
    assert ConsensusManager().decide(input_of(read)) == read
    words = Counter(cluster.word for cluster in read.clusters if cluster.word)
    assert sum(judgements(read).values()) == sum(words.values())
    assert sorted(ref for cluster in read.clusters for ref in cluster.refs) == ["claude#0", "claude#1", "grok#0"]
