"""What operators of other routers complain of, as they would see it: requests that reach a service, and what they are told."""

from __future__ import annotations

import asyncio

import pytest
from services import ENDED, TOTAL_S, Fleet, Opener, answered_by, attempts_of, tokens
from wire import Connection, Received, Script, Wire, begin, refusing

from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.routing import BreakerSettings, RetrySettings

pytestmark = pytest.mark.anyio


def unwell(wire: Wire) -> Script:
    return refusing(wire, 500, None, "api_error" if wire.api == "anthropic" else "server_error", "unwell")


def spent(wire: Wire) -> Script:
    """The quota is used up, as each service says it."""
    if wire.api == "anthropic":
        return refusing(wire, 429, "enforced_spend_limit_reached", "rate_limit_error", "You have reached your specified API usage limits")
    return refusing(wire, 429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota")


async def alerts(fleet: Fleet) -> list[str]:
    """Codes of what wants the operator."""
    settings = fleet.engine._holder.current
    return [alert.code for alert in (await Operations(fleet.store, lambda: settings).status()).alerts]


async def until_alert(fleet: Fleet, code: str) -> None:
    async with asyncio.timeout(10):
        while code not in await alerts(fleet):
            await asyncio.sleep(0.05)


async def test_of_25_events_against_a_service_that_only_fails_five_reach_it(open_fleet: Opener, wire: Wire) -> None:
    once, long = RetrySettings(attempts_per_provider_max=1), BreakerSettings(open_base_s=60)
    async with open_fleet(reserve=False, retry=once, breaker=long) as fleet:
        fleet.preferred.does(unwell(wire))
        for _ in range(5):
            assert (await fleet.one()).state == "failed"
        rest = [await fleet.submit() for _ in range(20)]
        async with asyncio.timeout(10):
            while {(await fleet.shown(event_id)).state for event_id in rest} != {"parked"}:
                await asyncio.sleep(0.05)
        assert fleet.preferred.requests == 5
        await until_alert(fleet, "provider_open")


async def test_what_only_fails_is_hardly_asked_where_there_is_a_reserve(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet(retry=RetrySettings(attempts_per_provider_max=1), breaker=BreakerSettings(open_base_s=60)) as fleet:
        fleet.preferred.does(unwell(wire))
        for _ in range(25):
            assert answered_by(await fleet.one()) == "reserve"
        assert fleet.preferred.requests <= 5
        assert fleet.reserve.requests == 25


async def test_three_retries_are_four_requests_and_no_more(open_fleet: Opener, wire: Wire) -> None:
    retry = RetrySettings(attempts_max=4, attempts_per_provider_max=2, backoff_base_s=0.05, backoff_cap_s=0.1)
    async with open_fleet(retry=retry) as fleet:
        fleet.preferred.does(unwell(wire))
        fleet.reserve.does(unwell(fleet.reserve.wire))
        event = await fleet.one()
        assert event.state == "failed"
        assert fleet.requests == (2, 2)
        assert len(attempts_of(event)) == 4


async def test_a_spent_quota_is_no_rate_limit_it_disables_alerts_and_is_never_tried_again(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(spent(wire))
        event = await fleet.one()
        assert attempts_of(event)[0] == ("preferred", "quota", "disable")
        for _ in range(3):
            assert answered_by(await fleet.one()) == "reserve"
        assert fleet.requests == (1, 4)
        await until_alert(fleet, "provider_disabled")


async def test_an_error_within_a_stream_that_began_well_is_a_failure(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:

        async def overloaded(connection: Connection, request: Received) -> None:
            await begin(connection, wire, wire.opening, *(wire.delta(piece) for piece in tokens("overloaded")[:30]), wire.overloaded, b"")

        fleet.preferred.does(overloaded)
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "overloaded", "fail_over"), ("reserve", "ok", "ok")]
        assert answered_by(event) == "reserve"


async def test_a_drip_that_never_stalls_ends_by_the_limit_on_the_whole(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:

        async def drips(connection: Connection, request: Received) -> None:
            await begin(connection, wire, wire.opening)
            for piece in tokens("dripping") * 10:
                await connection.chunk(wire.delta(piece))
                await asyncio.sleep(0.1)

        fleet.preferred.does(drips)
        event = await fleet.one()
        assert attempts_of(event)[0] == ("preferred", "silent", "fail_over")
        (task,) = event.tasks
        assert task.attempts[0].latency_ms == pytest.approx(TOTAL_S * 1000, rel=0.2)


async def test_a_page_of_html_with_status_200_is_no_answer(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:

        async def page(connection: Connection, request: Received) -> None:
            await connection.whole(200, b"<html>login</html>", {"content-type": "text/html"})

        fleet.preferred.does(page)
        event = await fleet.one()
        assert attempts_of(event)[0][1] == "invalid_output"
        assert answered_by(event) == "reserve"


async def test_an_empty_answer_is_no_answer(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:

        async def empty(connection: Connection, request: Received) -> None:
            await begin(connection, wire, wire.opening, wire.closing(wire.good), b"")

        fleet.preferred.does(empty)
        event = await fleet.one()
        assert attempts_of(event)[0][1] == "invalid_output"
        assert answered_by(event) == "reserve"


async def test_when_everybody_is_held_back_work_waits_with_the_time_of_the_next_chance_and_is_done_then(
    open_fleet: Opener, wire: Wire
) -> None:
    async with open_fleet(reserve=False) as fleet:
        fleet.preferred.does(
            refusing(
                wire,
                429,
                None if wire.api == "anthropic" else "rate_limit_exceeded",
                "rate_limit_error",
                "slow down",
                {"retry-after": "1.5"},
            ),
            fleet.preferred.well,
        )
        first = await fleet.submit()
        async with asyncio.timeout(10):
            while not fleet.preferred.arrivals or fleet.engine.router.gate("preferred").open:
                await asyncio.sleep(0.005)
        second = await fleet.submit()
        async with asyncio.timeout(10):
            while (waits := await fleet.shown(second)).state != "parked":
                assert waits.state not in ENDED
                await asyncio.sleep(0.005)
        assert waits.next_chance is not None
        for event_id in (first, second):
            assert answered_by(await fleet.ended(event_id)) == "preferred"
        early, *later = fleet.preferred.arrivals
        assert all(at - early >= 1.4 for at in later)
        assert fleet.preferred.requests == 3


async def test_a_pause_takes_effect_on_the_next_pick_of_new_events_and_of_failovers(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        await fleet.store.queue.pause("reserve", by="ana", reason="maintenance")
        async with asyncio.timeout(10):
            while "reserve" not in fleet.engine.router.paused:
                await asyncio.sleep(0.02)
        fleet.preferred.does(unwell(wire))
        event = await fleet.one()
        assert event.state == "failed"
        assert fleet.reserve.requests == 0


async def test_a_pause_holds_new_events_and_the_next_attempt_of_those_under_way(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet(reserve=False) as fleet:
        queue, sick = fleet.store.queue, unwell(wire)

        async def fails_while_somebody_pauses_it(connection: Connection, request: Received) -> None:
            await queue.pause("preferred", by="ana", reason="maintenance")
            await sick(connection, request)

        fleet.preferred.does(fails_while_somebody_pauses_it, fleet.preferred.well)
        under_way = await fleet.submit()
        async with asyncio.timeout(10):
            while not (await fleet.shown(under_way)).tasks or not (await fleet.shown(under_way)).tasks[0].attempts:
                await asyncio.sleep(0.01)
        new = await fleet.submit()
        async with asyncio.timeout(10):
            while (lane := (await queue.stats()).lanes["preferred"]).ready + lane.waiting < 2:
                await asyncio.sleep(0.01)
        assert fleet.preferred.requests == 1
        await queue.resume("preferred", by="ana")
        for event_id in (under_way, new):
            assert answered_by(await fleet.ended(event_id)) == "preferred"
        assert fleet.preferred.requests == 3
