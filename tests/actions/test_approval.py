"""What an operator approves is what is posted, to the letter; what only an operator may do is refused to everybody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gitbridge_console.actions.caps import ReviewWord
from gitbridge_console.actions.requests import TEXT_LIMIT
from gitbridge_console.domain.decisions import Answer, AnswerStatus
from gitbridge_console.domain.events import EventState
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.drafts import text_in
from gitbridge_console.operations.errors import Refused, Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.router.decision_stage import digest_of
from gitbridge_console.settings.model import LegacySettings, RedisSettings, Settings
from gitbridge_console.store.store import Store, open_store
from tests.actions.desk import MARKER, Desk, decided
from tests.actions.github_wire import UNAUTHORIZED, WiredHost

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(desk: Desk, valkey_url: str, tmp_path: Path) -> AsyncIterator[Store]:
    settings = Settings(namespace=desk.namespace, redis=RedisSettings(url=valkey_url), legacy=LegacySettings(enabled=False))
    async with open_store(settings, tmp_path) as opened:
        yield opened


@pytest.fixture
def door(desk: Desk, store: Store) -> Operations:
    return Operations(store, lambda: desk.settings, actor=Actor("ana", "ops-3"))


async def awaiting(desk: Desk, delivery: str = "d1") -> str:
    """An event that awaits approval of what its panel decided."""
    one = await desk.event(delivery)
    job = await desk.claim()
    assert job is not None
    decision = decided(one)
    await desk.queue.hand_on(job, "", EventState.AWAITING_APPROVAL, decision=decision.model_dump_json(), header=digest_of(decision))
    return one


async def test_the_draft_is_what_is_posted(desk: Desk, github: WiredHost, door: Operations) -> None:
    one = await awaiting(desk)
    draft = await door.draft(one)
    assert (await door.show_event(one)).action == {**draft, "draft": True}
    desk.use(may_block=True)
    await door.approve(one)
    await desk.settle(one)
    (review,) = github.host.of("reviews")
    assert {name: review[name] for name in draft["requests"][0]["body"]} == draft["requests"][0]["body"]
    event = await desk.shown(one)
    assert event.action is not None
    assert event.action["approved_by"] == "ana"


async def test_what_is_approved_does_not_change_with_the_settings(desk: Desk, github: WiredHost, door: Operations) -> None:
    one = await awaiting(desk)
    draft = await door.draft(one)
    await door.approve(one)
    desk.kind("comment")
    await desk.settle(one)
    assert [review["body"] for review in github.host.of("reviews")] == [draft["requests"][0]["body"]["body"]]


async def test_an_edited_text_is_posted_cleaned_and_with_our_marker_only(desk: Desk, github: WiredHost, door: Operations) -> None:
    one = await awaiting(desk)
    text = "Thanks, @octo!\r\n\x1b[31mTwo\u202e things:\n\n\t`x`\n<!-- gitbridge:other/repo#1:code_review:- -->"
    await door.approve(one, text=text, note="kinder")
    await desk.settle(one)
    (review,) = github.host.of("reviews")
    assert review["body"] == f"Thanks, @octo!\n[31mTwo things:\n\n\t`x`\n\n{MARKER}"
    (entry,) = [entry for entry in await door.list_audit() if entry.what == "approve"]
    assert (entry.reason, entry.result) == ("kinder", "approved, with another text")


@pytest.mark.parametrize(("text", "why"), [("  \n", "empty"), (MARKER, "empty"), ("x" * (TEXT_LIMIT + 1), "the host takes")])
async def test_a_text_that_cannot_be_posted_is_refused_and_nothing_is_approved(desk: Desk, door: Operations, text: str, why: str) -> None:
    one = await awaiting(desk)
    with pytest.raises(Usage, match=why):
        await door.approve(one, text=text)
    assert (await desk.shown(one)).state == "awaiting_approval"


async def test_a_text_that_an_operator_wrote_replaces_that_of_an_earlier_review_to_the_letter(
    desk: Desk, github: WiredHost, door: Operations
) -> None:
    await desk.settle(await desk.event("d0"))
    one = await awaiting(desk)
    await door.approve(one, text="Please look at line 11.")
    await desk.settle(one)
    (review,) = github.host.of("reviews")
    assert review["body"] == f"Please look at line 11.\n\n{MARKER}"


@pytest.mark.parametrize(("word", "state"), [("approve", "APPROVED"), ("request_changes", "CHANGES_REQUESTED")])
async def test_a_review_that_only_commented_is_not_taken_for_the_one_an_operator_wants(
    desk: Desk, github: WiredHost, door: Operations, word: ReviewWord, state: str
) -> None:
    await desk.settle(await desk.event("d0"))
    for delivery in ("d1", "d2"):
        one = await awaiting(desk, delivery)
        await door.approve(one, word=word)
        await desk.settle(one)
    assert [review["state"] for review in github.host.of("reviews")] == ["COMMENTED", state], "and that one is not repeated"


async def test_only_an_operators_word_makes_a_review_an_approval(desk: Desk, github: WiredHost, door: Operations) -> None:
    one = await awaiting(desk)
    await door.approve(one, word="approve")
    await desk.settle(one)
    assert [review["event"] for review in github.host.of("reviews")] == ["APPROVE"]


async def test_an_approval_that_no_operator_gave_is_not_sent_whatever_the_store_says(
    desk: Desk, github: WiredHost, door: Operations
) -> None:
    one = await awaiting(desk)
    await door.approve(one, word="approve")
    stored = await desk.store.read(one)
    assert stored is not None
    del stored["approved_by"]
    await desk.client.set(desk.queue.keys.action(one), json.dumps(stored))
    await desk.settle(one)
    assert github.writes() == []
    assert "needs an operator" in (await desk.shown(one)).reason


async def test_changes_are_requested_where_it_is_allowed_and_two_vendors_say_so(desk: Desk, github: WiredHost) -> None:
    same = tuple(
        Answer(task_id=f"x.{n}", provider=name, vendor="one", status=AnswerStatus.OK, verdict="request_changes")
        for n, name in enumerate(("claude", "claude2"), 1)
    )
    await desk.settle(await desk.event("d1"))
    github.host.posts.clear()
    desk.use(request_changes=True)
    await desk.settle(await desk.event("d2", answers=same))
    assert [review["event"] for review in github.host.of("reviews")] == ["COMMENT"]
    github.host.posts.clear()
    await desk.settle(await desk.event("d3"))
    assert [review["event"] for review in github.host.of("reviews")] == ["REQUEST_CHANGES"]


async def test_what_was_decided_anew_meanwhile_is_not_approved(desk: Desk, door: Operations) -> None:
    one = await awaiting(desk)
    seen = await door.show_decision(one)
    await door.amend(one, "comment", "milder")
    with pytest.raises(Refused, match="another by now"):
        await door.approve(one, seen=seen)


async def test_a_rejected_one_posts_nothing(desk: Desk, github: WiredHost, door: Operations) -> None:
    one = await awaiting(desk)
    await door.reject(one)
    assert (await desk.shown(one)).state == "resolved"
    assert github.asked == []


async def test_what_the_host_refused_can_be_approved_with_another_text(desk: Desk, github: WiredHost, door: Operations) -> None:
    github.host.heads.pop(("acme/shop", 7))
    desk.use(expires_s=0.001)
    one = await desk.event()
    await desk.settle(one)
    assert (await desk.shown(one)).state == "awaiting_approval"
    github.host.heads["acme/shop", 7] = "a" * 40
    desk.use(expires_s=3600.0)
    await door.approve(one, text="Shorter.")
    await desk.settle(one)
    assert [review["body"] for review in github.host.of("reviews")] == [f"Shorter.\n\n{MARKER}"]


async def test_a_refused_token_is_an_alert_and_resuming_act_tries_at_once(desk: Desk, github: WiredHost, door: Operations) -> None:
    desk.use(park_check_s=3600.0)
    github.fault = lambda method, path: UNAUTHORIZED
    ids = [await desk.event(f"d{n}") for n in range(2)]
    for _ in ids:
        await desk.once()
    (alert,) = [alert for alert in (await door.status()).alerts if alert.code == "host_credential"]
    assert alert.level == "critical"
    assert "the host refuses the token (401); 2 wait in act" in alert.text
    github.fault = lambda method, path: None
    report = await door.resume(["act"])
    assert report.notes == ("act: 1 faults of credentials are forgotten, 2 actions are tried now",)
    await desk.settle(*ids)
    assert [alert for alert in (await door.status()).alerts if alert.code == "host_credential"] == []
    assert len(github.host.of("reviews")) == 1


async def test_without_a_text_there_is_nothing_to_edit(desk: Desk, door: Operations) -> None:
    desk.kind("status")
    one = await awaiting(desk)
    assert text_in(await door.draft(one)) == ""
    with pytest.raises(Usage, match="no text to edit"):
        await door.approve(one, text="x")
    with pytest.raises(Usage, match="is for reviews"):
        await door.approve(one, word="approve")
