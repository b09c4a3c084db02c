"""The operator's door: what can be seen and done, who did it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.domain.rate_limits import Dimension, Pace
from gitbridge_console.domain.snapshots import BreakerWord
from gitbridge_console.operations.actor import Actor, current_actor
from gitbridge_console.operations.errors import BackPressure, NotFound, OperationError, Refused, Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.router.questions import make_question
from gitbridge_console.settings.model import QueueSettings, Settings
from gitbridge_console.store.fleet import Beat
from gitbridge_console.store.records import RoutePlan
from gitbridge_console.store.store import Store

pytestmark = pytest.mark.anyio

PULL_REQUEST = {
    "action": "opened",
    "number": 7,
    "pull_request": {"title": "Round tax per line", "user": {"login": "kim"}, "head": {"sha": "a" * 40}},
    "repository": {"id": 1, "full_name": "acme/shop"},
}


def event(delivery: str = "d1", *, diff: str | None = "diff --git a/x b/x\n", body: Any = PULL_REQUEST, **more: Any) -> IncomingEvent:
    return IncomingEvent(delivery, "pull_request", json.dumps(body).encode(), "test", diff=diff, **more)


async def fail(store: Store, event_id: str, kind: str = "") -> None:
    (job,) = (await store.queue.claim("route", 1)).jobs
    assert job.id == event_id
    await store.queue.hand_on(
        job, "", EventState.FAILED, why="silent", header={"err": "silent", "kind": kind}, texts={"error": "nobody home"}
    )


async def test_a_submitted_event_is_listed_with_what_an_operator_wants_to_know(door: Operations) -> None:
    result = await door.submit(event())
    assert result.status == "new"
    (row,) = await door.list_events()
    assert (row.id, row.repository, row.subject, row.title, row.state, row.lane) == (
        result.id,
        "acme/shop",
        "acme/shop#7",
        "Round tax per line",
        "received",
        "route",
    )


async def test_without_a_diff_a_pull_request_passes_through_fetch(door: Operations) -> None:
    await door.submit(event(diff=None))
    (job,) = await door.list_jobs()
    assert (job.lane, job.place, job.subject) == ("fetch", "ready", "acme/shop#7")


@pytest.mark.parametrize("body", [b"not json", b'["a list"]', b'"text"', b"\xff\xfe", b"[" * 5000])
async def test_what_cannot_be_read_goes_to_quarantine_and_blocks_nothing(door: Operations, body: bytes) -> None:
    result = await door.submit(IncomingEvent("d1", "push", body, "test"))
    assert result.status == "quarantined"
    (entry,) = await door.list_quarantine()
    assert entry.id == result.id
    assert entry.size == len(body)
    assert "payload" in entry.error


async def test_show_takes_an_id_without_leading_zeros(door: Operations) -> None:
    result = await door.submit(event())
    shown = await door.show_event(result.id.lstrip("0"), payload=True)
    assert shown.id == result.id
    assert json.loads(shown.payload_text or "")["number"] == 7
    with pytest.raises(NotFound):
        await door.show_event("ffff00")


async def test_pause_holds_a_lane_until_resume_and_both_are_audited(door: Operations) -> None:
    await door.pause(["claude"], "maintenance", for_s=900)
    status = await door.status()
    pause = status.lanes["claude"].paused
    assert pause is not None
    assert (pause.by, pause.reason, status.providers["claude"].state) == ("ana", "maintenance", "paused")
    assert pause.until is not None
    report = await door.resume(["claude", "grok"])
    assert (report.changed, report.notes) == (1, ("grok was neither paused nor draining",))
    written = [(entry.what, entry.target, entry.who, entry.host) for entry in await door.list_audit()]
    assert written == [("resume", "claude, grok", "ana", "ops-3"), ("pause", "claude", "ana", "ops-3")]


async def test_a_pause_without_an_end_says_what_becomes_of_new_seats(door: Operations) -> None:
    for_good = await door.pause(["claude", "decide"], "maintenance")
    assert for_good.notes == ("its new seats wait too, drain gives it none",)
    assert (await door.pause(["claude"], "maintenance", for_s=900)).notes == ()
    assert (await door.pause(["decide"], "a stage has no seats")).notes == ()


async def test_drain_is_shown_and_audited_and_ended_by_resume(door: Operations, store: Store) -> None:
    await door.submit(event())
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.route(job, RoutePlan("code_review", Priority.NORMAL, ("claude",), 1, 15, 120, 3600))
    assert (await door.drain("claude", "contract ends")).changed == 1
    status = await door.status()
    drain = status.lanes["claude"].draining
    assert drain is not None
    assert (drain.by, drain.reason, drain.until, status.lanes["claude"].paused) == ("ana", "contract ends", None, None)
    assert status.providers["claude"].state == "draining"
    assert status.providers["claude"].reason.startswith("draining by ana: contract ends")
    assert "claude draining by ana: contract ends (1 left)" in [alert.text for alert in status.alerts if alert.code == "draining"]
    assert len((await store.queue.claim("claude", 1)).jobs) == 1, "what waits is finished"
    await door.pause(["claude"], "and stop")
    assert (await door.status()).providers["claude"].state == "paused"
    report = await door.resume(["claude"])
    assert report.changed == 1
    status = await door.status()
    assert (status.lanes["claude"].draining, status.lanes["claude"].paused) == (None, None)
    assert [(entry.what, entry.target) for entry in await door.list_audit()][-1] == ("drain", "claude")


async def test_a_drain_needs_a_reason_and_a_provider(door: Operations) -> None:
    with pytest.raises(Usage, match="reason"):
        await door.drain("claude", " ")
    with pytest.raises(Usage, match="stage"):
        await door.drain("route", "x")
    with pytest.raises(NotFound):
        await door.drain("cloud", "x")


async def test_a_provider_the_settings_switch_off_is_no_alert(door: Operations, store: Store, settings: Settings) -> None:
    off = {"in_flight": 0, "limit": 4, "reason": "switched off in the settings", "since": None, "state": "disabled", "gate_until": None}
    view = {**off, "breaker": {"state": "closed", "next_probe": None}}
    await store.fleet.beat(Beat(id="e", host="h", role="engine", version="1", settings="x", providers={"grok": view, "claude": view}))
    grok = settings.providers["grok"].model_copy(update={"enabled": False})
    switched = settings.model_copy(update={"providers": {**settings.providers, "grok": grok}})
    alerts = (await Operations(store, lambda: switched).status()).alerts
    assert [alert.text.partition(" ")[0] for alert in alerts if alert.code == "provider_disabled"] == ["claude"]


async def test_status_says_when_parked_work_has_its_next_chance(door: Operations, store: Store) -> None:
    await door.submit(event())
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.hand_on(job, "route", EventState.PARKED, delay_s=60)
    soon = "2026-11-22T21:00:30Z"
    view = {"in_flight": 0, "limit": 4, "reason": "", "since": None, "breaker": {"state": "open", "next_probe": "2026-11-22T21:01:00Z"}}
    views = {"claude": {**view, "state": "limited", "gate_until": soon}, "grok": {**view, "state": "open", "gate_until": None}}
    await store.fleet.beat(Beat(id="e", host="h", role="engine", version="1", settings="x", providers=views))
    status = await door.status()
    assert status.next_chance == soon
    assert any(soon in alert.text for alert in status.alerts if alert.code == "parked")
    await door.cancel([job.id], "x")
    assert (await door.status()).next_chance is None


async def test_a_pause_needs_a_reason_and_a_lane_that_exists(door: Operations) -> None:
    with pytest.raises(Usage, match="reason"):
        await door.pause(["claude"], "  ")
    with pytest.raises(NotFound, match="no lane cloud; there are fetch, route"):
        await door.pause(["cloud"], "x")


async def test_prioritize_and_list_in_the_new_order(door: Operations) -> None:
    first = (await door.submit(event("d1"))).id
    second = (await door.submit(event("d2"))).id
    report = await door.prioritize([second], Priority.CRITICAL)
    assert (report.changed, report.ids) == (1, (second,))
    assert [job.id for job in await door.list_jobs("route")] == [second, first]
    again = await door.prioritize([second, "ffffffff00"], Priority.CRITICAL)
    assert (again.changed, again.unchanged) == (0, 2)


async def test_a_failed_event_is_found_by_filter_and_replayed(door: Operations, store: Store) -> None:
    result = await door.submit(event())
    await fail(store, result.id)
    (row,) = await door.list_events(EventFilter.parse("state=failed error=timeout repo=acme/*"))
    assert (row.error_class, row.error_code) == ("silent", "")
    detail = await door.show_event(result.id)
    assert detail.error is not None
    assert detail.error.model_dump(by_alias=True) == {"class": "silent", "code": "ERR_ROUTING_003", "message": "nobody home"}
    report = await door.replay([result.id, "ffffffff00"], "provider is back")
    assert (report.changed, report.notes) == (1, ("ffffffff00: no such event",))
    assert (await door.show_event(result.id)).run == 2
    with pytest.raises(NotFound):
        await door.replay(["ffffffff00"], "x")


async def test_cancel_ends_an_event_and_says_what_it_left_alone(door: Operations) -> None:
    result = await door.submit(event())
    assert (await door.cancel([result.id], "not wanted")).changed == 1
    again = await door.cancel([result.id], "not wanted")
    assert (again.changed, again.notes) == (0, (f"{result.id}: is cancelled; it is finished already",))


async def test_failover_moves_tasks_and_keeps_those_whose_panel_has_the_target(door: Operations, store: Store) -> None:
    for delivery, lanes in [("d1", ("claude", "grok")), ("d2", ("claude",))]:
        await door.submit(event(delivery))
        (job,) = (await store.queue.claim("route", 1)).jobs
        await store.queue.route(job, RoutePlan("code_review", Priority.NORMAL, lanes, 1, 15, 120, 3600))
    report = await door.failover("claude", "grok", "claude is slow")
    assert (report.changed, report.unchanged) == (1, 1)
    with pytest.raises(Usage):
        await door.failover("claude", "route", "x")


async def test_approval(door: Operations, store: Store) -> None:
    result = await door.submit(event())
    with pytest.raises(Refused, match="is received, not awaiting approval"):
        await door.approve(result.id)
    (job,) = (await store.queue.claim("route", 1)).jobs
    await store.queue.hand_on(job, "", EventState.AWAITING_APPROVAL)
    assert (await door.approve(result.id, "looks right")).changed == 1
    assert [row.lane for row in await door.list_jobs()] == ["act"]


async def test_a_reset_ends_the_wait_that_a_rate_limit_asked_for(store: Store, door: Operations, settings: Settings) -> None:
    model, paces = settings.providers["claude"].model, {Dimension.REQUESTS: Pace(1.0, 5.0)}
    await store.rate_limits.settle("claude", model, paces, {}, closed_s=600)
    words: tuple[tuple[BreakerWord, int], ...] = (("close", 600), ("reset", 0))
    for word, wait_s in words:
        await door.breaker("claude", word, "the provider raised it")
        assert (await store.rate_limits.reserve("claude", model, paces, {})).wait_s == pytest.approx(wait_s, abs=60)


async def test_a_word_to_a_breaker_is_audited_with_what_it_was_and_wants_a_reason_and_a_provider(door: Operations) -> None:
    with pytest.raises(Usage, match="reason"):
        await door.breaker("claude", "open", " ")
    with pytest.raises(NotFound, match="no provider cluade; did you mean claude"):
        await door.breaker("cluade", "open", "x")
    assert (await door.breaker("claude", "open", "bill in dispute")).notes == ("it was closed",)
    held = (await door.status()).providers["claude"]
    assert (held.state, held.reason) == ("open", "circuit breaker held open by ana: bill in dispute"), "though no engine runs"
    assert held.breaker.forced_by == "ana"
    assert (await door.breaker("claude", "reset", "settled")).notes == ("it was held open",)
    audit = await door.list_audit()
    assert [(entry.what, entry.target, entry.reason, entry.result) for entry in audit] == [
        ("breaker reset", "claude", "settled", "it was held open"),
        ("breaker open", "claude", "bill in dispute", "it was closed"),
    ]


async def test_read_only_refuses_every_write_and_changes_nothing(store: Store, settings: Settings, door: Operations) -> None:
    result = await door.submit(event())
    viewer = Operations(store, lambda: settings, actor=Actor("vic", "ops-3"), read_only=True)
    writes = [
        lambda: viewer.pause(["claude"], "x"),
        lambda: viewer.resume(["claude"]),
        lambda: viewer.prioritize([result.id], Priority.HIGH),
        lambda: viewer.replay([result.id], "x"),
        lambda: viewer.cancel([result.id], "x"),
        lambda: viewer.failover("claude", "grok", "x"),
        lambda: viewer.breaker("claude", "open", "x"),
        lambda: viewer.approve(result.id),
        lambda: viewer.reject(result.id),
        lambda: viewer.submit(event("d2")),
    ]
    for write in writes:
        with pytest.raises(Refused, match="read-only"):
            await write()
    assert await door.list_audit() == []
    assert (await viewer.show_event(result.id)).state == "received"


async def test_back_pressure_is_said_in_so_many_words(store: Store, settings: Settings) -> None:
    store.queue.settings = QueueSettings(max_waiting=1)
    door = Operations(store, lambda: settings, actor=Actor("ana", "ops-3"))
    await door.submit(event("d1"))
    with pytest.raises(BackPressure, match="BACKPRESSURE: 1 events are undecided"):
        await door.submit(event("d2"))


async def test_status_counts_lanes_and_states_and_says_that_no_engine_runs(door: Operations) -> None:
    await door.submit(event("d1"))
    await door.submit(event("d1"))
    status = await door.status()
    assert list(status.lanes) == ["fetch", "route", "claude", "grok", "chatgpt", "decide", "act"]
    assert status.lanes["route"].depth == 1
    assert status.lanes["route"].by_priority == {"critical": 0, "high": 0, "normal": 1, "low": 0, "bulk": 0}
    assert (status.events["received"], status.duplicates, status.totals) == (1, 1, {"received": 1})
    assert [alert.code for alert in status.alerts] == ["no_engine", "store_warning"]


async def test_waiting_for_an_event_has_an_end(door: Operations) -> None:
    result = await door.submit(event())
    with pytest.raises(OperationError, match="still received"):
        await door.wait_finished(result.id, 0.0)


def test_the_actor_is_who_came_by_sudo_and_where_ssh_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = tmp_path / "loginuid"
    monkeypatch.setattr("gitbridge_console.operations.actor.LOGIN_UID", noted)
    env = {"SUDO_USER": "kim", "SSH_CONNECTION": "192.0.2.9 5022 192.0.2.1 22", "USER": "eve", "LOGNAME": "eve"}
    actor = current_actor(env)
    assert actor.who.startswith("kim as ")
    assert (actor.login, actor.sudo_user, actor.ssh) == ("", "kim", "192.0.2.9")
    assert actor.host.endswith("(ssh from 192.0.2.9)")
    noted.write_text("4294967295")
    assert current_actor(env).login == "", "nobody logged in, as the kernel says it"
    noted.write_text("0")
    assert current_actor(env).login == "root"
    assert not current_actor(env).who.startswith("kim"), "where the kernel knows who logged in, the environment is not believed"


async def test_an_event_is_asked_again_with_another_version_of_its_prompt(store: Store, settings: Settings) -> None:
    policy = settings.kinds["code_review"].model_copy(update={"prompts": {"strict": "Be strict."}})
    own = settings.model_copy(update={"kinds": {**settings.kinds, "code_review": policy}})
    door = Operations(store, lambda: own, actor=Actor("ana", "ops-3"))
    old = (await door.submit(event(diff="diff\n"))).id
    await fail(store, old)
    with pytest.raises(Usage, match="never routed"):
        await door.replay_edited(old, None, "strictly", prompt="strict")
    await door.replay([old], "once more")
    await fail(store, old, kind="code_review")
    with pytest.raises(Usage, match="there are shipped, strict"):
        await door.replay_edited(old, None, "strictly", prompt="lax")
    assert await door.prompt_versions("code_review") == ("shipped", "strict")
    for changed in (1, 0):
        report = await door.replay_edited(old, None, "strictly", prompt="strict")
        assert report.changed == changed
    (entry,) = [entry for entry in await door.list_audit(3) if entry.affected == 1 and entry.what == "replay"][:1]
    assert "with prompt strict" in entry.target
    (job,) = (await store.queue.claim("route", 1)).jobs
    assert (job.id,) == report.ids
    await store.queue.route(job, RoutePlan("code_review", Priority.NORMAL, ("claude",), 1, 1.0, 600.0, 600.0))
    (seat,) = (await store.queue.claim("claude", 1)).jobs
    # An engine whose settings do not have that version asks it all the same.
    question = await make_question(seat, store.queue, settings, 1000)
    assert question.request.system.endswith("\n\nBe strict.")
    assert question.prompt_id.startswith("code_review@1.strict-")


async def test_an_edited_payload_makes_a_new_event_once_and_each_names_the_other(door: Operations, store: Store) -> None:
    old = (await door.submit(event())).id
    with pytest.raises(Refused, match="received"):
        await door.replay_edited(old, b"{}", "typo in the payload")
    await fail(store, old)
    edited = json.dumps({**PULL_REQUEST, "number": 8}).encode()
    for changed in (1, 0):
        report = await door.replay_edited(old, edited, "the number was wrong")
        assert report.changed == changed
    (new,) = report.ids
    shown, before = await door.show_event(new, payload=True), await door.show_event(old, payload=True)
    assert (shown.lineage["edited_from"], before.lineage["edits"]) == (old, [new])
    assert shown.payload_text == edited.decode()
    assert before.payload_text == json.dumps(PULL_REQUEST), "the old payload is never overwritten"
    assert before.state == "failed"
    with pytest.raises(Usage, match="not JSON"):
        await door.replay_edited(old, b"{", "another try")
    with pytest.raises(NotFound):
        await door.replay_edited("ff00", b"{}", "nobody")
