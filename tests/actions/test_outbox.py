"""What was decided is published once: whatever is cut, refused or limited, and wherever an engine dies."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from gitbridge_console.actions import outbox
from gitbridge_console.store import host_board
from tests.actions.desk import MARKER, SHA, Desk, decided, pull
from tests.actions.github_wire import (
    BROKEN_AFTER,
    BROKEN_BEFORE,
    CUT_AFTER,
    CUT_BEFORE,
    FORBIDDEN,
    LIMITED,
    LIMITED_SILENTLY,
    SILENT_AFTER,
    TOKEN,
    UNAUTHORIZED,
    Fault,
    WiredHost,
)

pytestmark = pytest.mark.anyio


async def test_a_review_with_comments_beside_lines_is_posted_in_one_request(desk: Desk, github: WiredHost) -> None:
    one = await desk.event()
    await desk.settle(one)
    (review,) = github.host.of("reviews")
    assert (review["event"], review["commit_id"], review["body"].splitlines()[-1]) == ("COMMENT", SHA, MARKER)
    assert [(comment["path"], comment["line"]) for comment in review["comments"]] == [("src/a.py", 11)]
    event = await desk.shown(one)
    assert event.state == "resolved"
    assert event.action is not None
    assert event.action["writes"] == [
        {"state": "done", "tries": 1, "id": review["id"], "url": review["html_url"], "note": f"review {review['id']} posted"}
    ]
    assert event.timeline[-1].what == f"resolved: review {review['id']} posted"
    assert len(github.writes()) == 1


@pytest.mark.parametrize(
    "fault", [CUT_AFTER, CUT_BEFORE, SILENT_AFTER, BROKEN_AFTER, BROKEN_BEFORE], ids=lambda fault: f"{fault.how}-{fault.done}"
)
async def test_a_review_whose_answer_is_lost_is_looked_up_before_it_is_repeated(desk: Desk, github: WiredHost, fault: Fault) -> None:
    desk.hasty()
    github.faults(fault)
    one = await desk.event()
    await desk.settle(one)
    assert len(github.host.of("reviews")) == 1
    assert len(github.writes()) == (1 if fault.done else 2)
    assert (await desk.shown(one)).state == "resolved"


async def test_in_between_it_waits_in_the_lane_and_says_why(desk: Desk, github: WiredHost) -> None:
    github.faults(CUT_AFTER)
    one = await desk.event()
    await desk.once()
    event = await desk.shown(one)
    assert event.state == "consensus_pending"
    assert "looked up before it is tried again" in event.reason
    assert await desk.waiting() == 1
    assert event.action is not None
    assert event.action["writes"][0]["state"] == "intended"


async def test_a_replay_finds_the_review_and_posts_none(desk: Desk, github: WiredHost) -> None:
    one = await desk.event()
    await desk.settle(one)
    two = await desk.event("d2")
    await desk.settle(two)
    assert len(github.host.of("reviews")) == 1
    assert len(github.writes()) == 1
    assert "was there already" in (await desk.shown(two)).timeline[-1].what


async def test_a_replay_with_another_outcome_changes_the_text_of_the_review(desk: Desk, github: WiredHost) -> None:
    await desk.settle(await desk.event())
    two = await desk.event("d2", summary="On second thoughts.")
    await desk.settle(two)
    (review,) = github.host.of("reviews")
    assert "On second thoughts." in review["body"]
    assert [path.partition("/pulls/7/")[2] for path in github.writes()] == ["reviews", f"reviews/{review['id']}"]


async def test_a_review_that_is_changed_tells_what_a_new_one_would_say_beside_lines_in_its_text(desk: Desk, github: WiredHost) -> None:
    one = await desk.event()
    await desk.settle(one)
    (found,) = decided(one).clusters
    for delivery in ("d2", "d3"):
        await desk.settle(await desk.event(delivery, clusters=(found, found.model_copy(update={"id": 2, "line": 40, "title": "A leak"}))))
    (review,) = github.host.of("reviews")
    assert [(comment["path"], comment["line"]) for comment in review["comments"]] == [("src/a.py", 11)], "comments cannot be added to it"
    assert "`src/a.py:40` · **high** · A leak" in review["body"]
    assert "beside their lines" not in review["body"]
    assert len(github.writes()) == 2, "the second time it says so already"


async def test_a_comment_is_changed_in_its_place(desk: Desk, github: WiredHost) -> None:
    desk.kind("comment")
    await desk.settle(await desk.event())
    await desk.settle(await desk.event("d2", summary="On second thoughts."))
    (comment,) = github.host.of("comments")
    assert "On second thoughts." in comment["body"]
    assert github.writes()[-1] == f"/repos/acme/shop/issues/comments/{comment['id']}"


async def test_a_pull_request_has_one_comment_however_often_it_is_pushed_to(desk: Desk, github: WiredHost) -> None:
    desk.kind("comment")
    for n, letter in enumerate("abc"):
        github.host.heads["acme/shop", 7] = letter * 40
        await desk.settle(await desk.event(f"d{n}", pull(sha=letter * 40)))
    (comment,) = github.host.of("comments")
    assert "of cccccccccccc" in comment["body"], "it says which commit it is about"
    assert comment["body"].endswith("<!-- gitbridge:acme/shop#7:code_review:- -->")
    assert github.writes()[1:] == [f"/repos/acme/shop/issues/comments/{comment['id']}"] * 2


async def test_a_push_is_commented_on_its_commit(desk: Desk, github: WiredHost) -> None:
    desk.kind("comment")
    push = {"ref": "refs/heads/main", "after": SHA, "repository": {"id": 1, "full_name": "acme/shop"}}
    for delivery, more in (("d1", {}), ("d2", {"summary": "On second thoughts."})):
        await desk.settle(await desk.event(delivery, push, "push", **more))
    (comment,) = github.host.of("comments")
    assert comment["_place"] == f"acme/shop/commits/{SHA}/comments"
    assert github.writes()[-1] == f"/repos/acme/shop/comments/{comment['id']}"


async def test_a_marker_that_somebody_else_wrote_is_no_post_of_ours(desk: Desk, github: WiredHost) -> None:
    github.host.tokens["theirs"] = "mallory"
    github.host.answer("POST", "/repos/acme/shop/pulls/7/reviews", "token theirs", f'{{"body": "x\\n\\n{MARKER}"}}'.encode())
    await desk.settle(await desk.event())
    assert [review["user"]["login"] for review in github.host.of("reviews")] == ["mallory", "bridge"]


async def test_an_own_post_is_found_on_a_later_page(desk: Desk, github: WiredHost) -> None:
    desk.hasty()
    for n in range(150):
        github.host.answer("POST", "/repos/acme/shop/pulls/7/reviews", f"token {TOKEN}", f'{{"body": "older {n}"}}'.encode())
    github.faults(CUT_AFTER)
    await desk.settle(await desk.event())
    assert sum(MARKER in review["body"] for review in github.host.of("reviews")) == 1


async def test_a_head_that_moved_is_not_commented(desk: Desk, github: WiredHost) -> None:
    github.host.heads["acme/shop", 7] = "b" * 40
    one = await desk.event()
    await desk.settle(one)
    event = await desk.shown(one)
    assert github.writes() == []
    assert event.state == "resolved"
    assert event.reason == f"not published: the head moved from {'a' * 12} to {'b' * 12} meanwhile"
    assert event.action is not None
    assert event.action["reason"] == event.reason


@pytest.mark.parametrize("known", [False, True], ids=["the host says so", "its event is here"])
async def test_a_review_whose_answer_was_lost_is_told_though_the_head_moved_meanwhile(desk: Desk, github: WiredHost, known: bool) -> None:
    desk.hasty()
    github.faults(CUT_AFTER)
    payload = pull()
    payload["pull_request"]["updated_at"] = "2026-11-22T21:00:00Z"
    one = await desk.event(payload=payload)
    await desk.once()
    github.host.heads["acme/shop", 7] = "b" * 40
    if known:
        await desk.client.set(desk.queue.keys.newest_head("pr:1:7"), "0000009900 1900000000000")
    await desk.settle(one)
    (review,) = github.host.of("reviews")
    event = await desk.shown(one)
    assert event.timeline[-1].what == f"resolved: review {review['id']} was there already", "it was published, and is told so"
    assert len(github.writes()) == 1


async def test_while_nothing_can_be_written_the_host_is_asked_nothing(desk: Desk, github: WiredHost) -> None:
    desk.use(writes_per_minute=1)
    for n in (1, 2, 3, 4):
        github.host.heads["acme/shop", n] = SHA
        await desk.event(f"d{n}", pull(n))
    await desk.once()
    asked = len(github.asked)
    for _ in range(3):
        await desk.once()
    assert len(github.asked) == asked, "a backlog must not spend what the host lets us ask"
    assert await desk.waiting() == 3


@pytest.mark.parametrize("action", ["status", "check_run"])
async def test_what_may_not_block_any_more_when_its_turn_comes_does_not(desk: Desk, github: WiredHost, action: str) -> None:
    github.host.tokens[TOKEN] = f"{github.host.slug}[bot]"
    desk.kind(action)
    desk.use(may_block=True)
    github.faults(LIMITED)
    one = await desk.event()
    await desk.once()
    desk.use(may_block=False)
    await desk.settle(one)
    assert not github.host.statuses
    assert not github.host.of("check-runs")
    event = await desk.shown(one)
    assert (event.state, "needs an operator" in event.reason) == ("awaiting_approval", True)


async def test_a_line_the_host_does_not_take_moves_all_comments_into_the_text(desk: Desk, github: WiredHost) -> None:
    github.host.bad_lines = {11}
    one = await desk.event()
    await desk.settle(one)
    (review,) = github.host.of("reviews")
    assert review["comments"] == []
    assert "`src/a.py:11` · **high** · Off by one" in review["body"]
    assert "beside their lines" not in review["body"], "none is"
    assert review["body"].endswith(MARKER)
    assert len(github.writes()) == 2


async def test_what_the_host_will_not_take_waits_for_an_operator(desk: Desk, github: WiredHost) -> None:
    own = {"message": "Unprocessable Entity", "errors": ["Can not approve your own pull request"]}
    github.fault = lambda method, path: Fault("answer", status=422, body=own) if method == "POST" else None
    one = await desk.event()
    await desk.settle(one)
    event = await desk.shown(one)
    assert event.state == "awaiting_approval"
    assert "Can not approve your own pull request" in event.reason
    assert len(github.writes()) == 2, "once with its comments, once without"


@pytest.mark.parametrize(("fault", "least_s"), [(LIMITED, 1.0), (LIMITED_SILENTLY, 60.0)])
async def test_a_secondary_limit_holds_everything_back_for_as_long_as_it_says(
    desk: Desk, github: WiredHost, fault: Fault, least_s: float
) -> None:
    github.faults(fault)
    await desk.event()
    await desk.event("d2", pull(8))
    github.host.heads["acme/shop", 8] = SHA
    for _ in range(2):
        assert await desk.once()
    assert len(github.writes()) == 1
    keys = desk.queue.keys
    now = float((await desk.client.time())[0])
    due = [score / 1000 - now for _, score in await desk.client.zrange(keys.waiting("act"), 0, -1, withscores=True)]
    assert len(due) == 2
    assert min(due) > least_s - 1.1


async def test_limits_met_again_and_again_are_waited_for_longer_each_time(desk: Desk) -> None:
    waits = [await desk.board.close("me", 60.0, doubling=True) for _ in range(4)]
    assert [round(wait) for wait in waits] == [60, 120, 240, 480]
    await desk.board.heal("me", "acme/shop")
    assert await desk.board.close("me", 1.0, doubling=True) > 400, "what is closed already is not opened"


async def test_writes_are_apart_by_the_time_set_over_all_engines(desk: Desk, github: WiredHost) -> None:
    desk.use(spacing_s=0.3)
    other = desk.again()
    ids = []
    for number in (7, 8, 9):
        github.host.heads["acme/shop", number] = SHA
        ids.append(await desk.event(f"d{number}", pull(number)))
    await asyncio.gather(desk.settle(*ids), other.settle(*ids))
    await other.aclose()
    assert len(github.host.of("reviews")) == 3
    # By the store's clock, which gives the places; how long each then took to arrive is the machine's business.
    places = await desk.client.zrange(f"{desk.queue.keys.host('github')}:sent:{desk.api.auth.fingerprint}", 0, -1, withscores=True)
    times = [at for _, at in places]
    assert len(times) == 3
    assert all(later - earlier >= 300 for earlier, later in itertools.pairwise(times))


@pytest.mark.parametrize("bound", ["writes_per_minute", "writes_per_hour"])
async def test_no_more_than_so_many_writes_go_out_in_a_minute_or_an_hour(desk: Desk, github: WiredHost, bound: str) -> None:
    desk.use(**{bound: 2})
    for number in (7, 8, 9):
        github.host.heads["acme/shop", number] = SHA
        await desk.event(f"d{number}", pull(number))
        await desk.once()
    assert len(github.writes()) == 2
    ((_, due),) = await desk.client.zrange(desk.queue.keys.waiting("act"), 0, -1, withscores=True)
    span_s = 60 if bound == "writes_per_minute" else 3600
    assert span_s - 10 < due / 1000 - float((await desk.client.time())[0]) <= span_s + 1


@pytest.mark.parametrize(("fault", "scope"), [(UNAUTHORIZED, "*"), (FORBIDDEN, "acme/shop")])
async def test_a_refused_token_parks_actions_until_it_is_mended(desk: Desk, github: WiredHost, fault: Fault, scope: str) -> None:
    desk.use(park_check_s=3600.0)
    github.fault = lambda method, path: fault
    ids = [await desk.event(f"d{n}") for n in range(3)]
    for _ in range(3):
        await desk.once()
    (said,) = await desk.board.faults()
    assert said.scope == scope
    assert await desk.waiting() == 3
    asked = len(github.asked)
    assert asked <= 2, "one of them found out, the others did not have to"
    github.fault = lambda method, path: None
    assert await desk.board.forget_faults() == 1
    await desk.store.wake()
    await desk.settle(*ids)
    assert len(github.host.of("reviews")) == 1


async def test_one_action_tries_a_refused_token_now_and_then(desk: Desk, github: WiredHost) -> None:
    github.fault = lambda method, path: UNAUTHORIZED
    one = await desk.event()
    for _ in range(3):
        await desk.once()
    github.fault = lambda method, path: None
    await desk.settle(one)
    assert await desk.board.faults() == ()
    assert len(github.host.of("reviews")) == 1


async def test_what_is_gone_waits_for_an_operator_and_holds_nobody_up(desk: Desk, github: WiredHost) -> None:
    github.host.heads["acme/shop", 8] = SHA
    gone = await desk.event("d1", pull(9))
    there = await desk.event("d2", pull(8))
    await desk.settle(gone, there)
    assert ((await desk.shown(gone)).state, (await desk.shown(there)).state) == ("awaiting_approval", "resolved")
    assert await desk.board.faults() == ()


async def test_a_repository_the_token_does_not_see_is_a_fault_of_the_token(desk: Desk, github: WiredHost) -> None:
    github.host.heads.clear()
    await desk.event()
    await desk.once()
    (said,) = await desk.board.faults()
    assert said.scope == "acme/shop"
    assert await desk.waiting() == 1


async def test_a_fault_nobody_tries_again_is_forgotten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_board, "STALE_MS", -60_000)
    monkeypatch.setattr(host_board, "FAULTS_MAX", 1)
    assert await desk.board.fault("me", "acme/shop", "refused", 0.0)
    assert await desk.board.faults() == ()
    assert await desk.board.fault("me", "acme/other", "refused", 3600.0), "there is room again"
    assert [fault.scope for fault in await desk.board.faults()] == ["acme/other"]


async def test_another_token_is_tried_at_once(desk: Desk, github: WiredHost) -> None:
    desk.use(park_check_s=3600.0)
    desk.token = lambda: "ghp_wrong"
    ids = [await desk.event(f"d{n}") for n in range(2)]
    for _ in ids:
        await desk.once()
    assert await desk.waiting() == 2
    desk.token = lambda: TOKEN
    assert await desk.store.wake() == 2
    await desk.settle(*ids)


async def test_without_any_credential_nothing_is_asked_and_it_is_said(desk: Desk, github: WiredHost) -> None:
    desk.token = lambda: None
    await desk.event()
    await desk.once()
    assert github.asked == []
    (said,) = await desk.board.faults()
    assert "neither a token nor an App" in said.text


async def test_what_cannot_be_published_in_time_waits_for_an_operator(desk: Desk, github: WiredHost) -> None:
    github.fault = lambda method, path: BROKEN_BEFORE
    one = await desk.event()
    await desk.once()
    desk.use(expires_s=0.001)
    await desk.settle(one)
    event = await desk.shown(one)
    assert event.state == "awaiting_approval"
    assert "given up after" in event.reason
    assert "is unwell (500)" in event.reason


async def test_a_dry_run_that_begins_meanwhile_stops_what_was_not_sent(desk: Desk, github: WiredHost) -> None:
    github.faults(LIMITED)
    one = await desk.event()
    await desk.once()
    desk.use(dry_run=True)
    await desk.store.wake()
    await desk.settle(one)
    assert github.host.of("reviews") == []
    event = await desk.shown(one)
    assert event.action is not None
    assert event.action["reason"].endswith("then the dry run began")


async def test_labels_statuses_and_check_runs(desk: Desk, github: WiredHost) -> None:
    desk.kind("labels")
    await desk.settle(await desk.event(fields={"labels": ["bug"]}))
    assert github.host.labels == {("acme/shop", 7): ["bug"]}
    desk.kind("status")
    await desk.settle(await desk.event("d2"))
    assert [(one["state"], one["description"]) for one in github.host.statuses] == [("success", "request_changes (2 of 2)")]
    github.host.tokens[TOKEN] = f"{github.host.slug}[bot]"
    other = desk.again()
    other.kind("check_run")
    for delivery in ("d3", "d4"):
        await other.settle(await other.event(delivery))
    await other.aclose()
    (run,) = github.host.of("check-runs")
    assert (run["status"], run["conclusion"], run["head_sha"]) == ("completed", "neutral", SHA)
    assert run["external_id"] in MARKER


class Crash(BaseException):
    """The engine is gone: nothing after this line runs."""


STEPS = ("after the first intent", "after the look", "before the call", "after the call", "after the record")


@pytest.mark.parametrize("step", STEPS)
async def test_wherever_an_engine_dies_the_next_one_posts_exactly_once(
    desk: Desk, github: WiredHost, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.hasty()
    one = await desk.event()
    dying = desk.again()
    intents = 0
    intend, call, find_own = dying.store.intend, dying.api.call, outbox.find_own

    async def crash_after_intend(*args: Any) -> float:
        nonlocal intents
        held = await intend(*args)
        intents += 1
        if (step, intents) in {("after the first intent", 1), ("before the call", 2), ("after the record", 3)}:
            raise Crash
        return held

    async def crash_after_call(method: str, *args: Any, **more: Any) -> Any:
        reply = await call(method, *args, **more)
        if step == "after the call" and method == "POST":
            raise Crash
        return reply

    async def crash_after_look(*args: Any) -> Any:
        found = await find_own(*args)
        if step == "after the look":
            raise Crash
        return found

    monkeypatch.setattr(dying.store, "intend", crash_after_intend)
    monkeypatch.setattr(dying.api, "call", crash_after_call)
    job = await dying.claim()
    assert job is not None
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "find_own", crash_after_look)
        with pytest.raises(Crash):
            await dying.stage.work(job)
    await dying.aclose()
    await desk.settle(one)
    assert len(github.host.of("reviews")) == 1
    assert len(github.writes()) == 1


async def test_an_engine_that_lost_the_job_does_not_post(desk: Desk, github: WiredHost) -> None:
    """A zombie: it stood still until its lease was gone, and another engine published meanwhile."""
    one = await desk.event()
    zombie = desk.again()
    job = await zombie.claim()
    assert job is not None
    await desk.settle(one)
    await zombie.stage.work(job)
    await zombie.aclose()
    assert len(github.host.of("reviews")) == 1
    assert (await desk.shown(one)).state == "resolved"


async def test_an_engine_that_stood_still_after_its_intent_does_not_post(desk: Desk, github: WiredHost) -> None:
    desk.hasty()
    now = 0.0

    def clock() -> float:
        return now

    slow = desk.again()
    slow.outbox._clock = clock
    intend = slow.store.intend

    async def stall(*args: Any) -> float:
        nonlocal now
        now += 60.0
        return await intend(*args)

    slow.store.intend = stall  # type: ignore[method-assign]
    one = await desk.event()
    assert await slow.once()
    assert github.writes() == []
    await slow.aclose()
    await desk.settle(one)
    assert len(github.writes()) == 1


async def test_two_events_with_one_marker_are_not_published_side_by_side(desk: Desk, github: WiredHost) -> None:
    other = desk.again()
    ids = [await desk.event("d1"), await desk.event("d2")]
    await asyncio.gather(desk.settle(*ids), other.settle(*ids))
    await other.aclose()
    assert len(github.host.of("reviews")) == 1
