"""Sixteen things a service does wrong, over each wire: what reaches whom, what is on record, and that the event is decided.

The preferred service has the fault, its reserve is well unless the test says otherwise. Time-outs are scaled down.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from services import STALL_S, TOTAL_S, Fleet, Opener, answered_by, attempts_of, cut_after, tokens
from wire import Connection, Received, Script, Wire, begin, refusing, sse

from gitbridge_console.settings.routing import RetrySettings

pytestmark = pytest.mark.anyio

OK = ("reserve", "ok", "ok")


def rate_limited(wire: Wire, **headers: str) -> Script:
    return refusing(wire, 429, "rate_limit_exceeded" if wire.api != "anthropic" else None, "rate_limit_error", "slow down", headers)


def unwell(wire: Wire, status: int) -> Script:
    return refusing(wire, status, None, "api_error" if wire.api == "anthropic" else "server_error", "unwell")


async def resets(connection: Connection, request: Received) -> None:
    connection.reset()


async def says_nothing(connection: Connection, request: Received) -> None:
    await connection.silence()


def starts_and_says_nothing(wire: Wire) -> Script:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening)
        await connection.silence()

    return script


def stalls(wire: Wire) -> Script:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, *(wire.delta(piece) for piece in tokens("stalled")[:30]))
        await connection.silence()

    return script


def malformed(wire: Wire) -> Script:
    async def script(connection: Connection, request: Received) -> None:
        pieces = tokens("malformed")
        await begin(connection, wire, wire.opening, *(wire.delta(piece) for piece in pieces[:30]))
        await connection.chunk(sse('{"type": "content_block_delta", "choices": [{"delta"'))
        await connection.chunk(b"".join(wire.delta(piece) for piece in pieces[30:]) + wire.closing(wire.good))
        await connection.chunk(b"")

    return script


def never_says_why_it_ended(wire: Wire) -> Script:
    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, wire, wire.opening, *(wire.delta(piece) for piece in tokens("unended")), b"")

    return script


async def test_01_a_rate_limit_with_a_time_to_wait_is_answered_by_the_reserve_at_once(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(rate_limited(wire, **{"retry-after": "2"}), fleet.preferred.well)
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "rate_limit", "fail_over"), OK]
        assert answered_by(event) == "reserve"
        assert fleet.requests == (1, 1)
        gate = fleet.engine.router.gate("preferred")
        assert gate.retry_in_s is not None
        assert 1.0 < gate.retry_in_s <= 2.2


async def test_02_while_a_rate_limit_lasts_nobody_asks(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(rate_limited(wire, **{"retry-after": "30"}))
        for _ in range(4):
            assert answered_by(await fleet.one()) == "reserve"
        assert fleet.requests == (1, 4)


async def test_03_one_500_is_tried_again_there_and_the_reserve_is_left_alone(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(unwell(wire, 500), fleet.preferred.well)
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "transient", "retry"), ("preferred", "ok", "ok")]
        assert answered_by(event) == "preferred"
        assert fleet.requests == (2, 0)


async def test_04_a_503_that_stays_goes_to_the_reserve_after_one_retry(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(unwell(wire, 503))
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "transient", "retry"), ("preferred", "transient", "fail_over"), OK]
        assert fleet.requests == (2, 1)


async def test_05_a_tcp_reset_is_tried_again_once(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(resets)
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "transient", "retry"), ("preferred", "transient", "fail_over"), OK]
        assert fleet.requests == (2, 1)


async def test_06_no_response_at_all_is_given_up_and_not_waited_for_twice(open_fleet: Opener) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(says_nothing)
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "silent", "fail_over"), OK]
        assert fleet.requests == (1, 1)
        await asyncio.wait_for(fleet.preferred.server.connections[-1].client_left.wait(), 5)


async def test_07_a_first_token_that_does_not_come_in_time_is_no_answer(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(starts_and_says_nothing(wire))
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "silent", "fail_over"), OK]
        assert fleet.requests == (1, 1)


async def test_08_a_stream_cut_at_40_of_60_tokens_leaves_nothing_of_itself_in_the_answer(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(cut_after(wire, 40, tokens("cut")))
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "broken_stream", "retry"), ("preferred", "broken_stream", "fail_over"), OK]
        assert answered_by(event) == "reserve"
        assert fleet.requests == (2, 1)


async def test_09_a_stall_is_given_up_after_its_limit_and_not_tried_again_there(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(stalls(wire))
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "silent", "fail_over"), OK]
        (task,) = event.tasks
        assert fleet.requests == (1, 1)
        assert STALL_S * 1000 <= task.attempts[0].latency_ms < TOTAL_S * 1000
        await asyncio.wait_for(fleet.preferred.server.connections[-1].client_left.wait(), 5)


async def test_10_a_malformed_event_breaks_the_answer(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(malformed(wire))
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "broken_stream", "retry"), ("preferred", "broken_stream", "fail_over"), OK]
        assert answered_by(event) == "reserve"
        assert fleet.requests == (2, 1)


async def test_11_an_end_without_a_reason_is_no_end(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(never_says_why_it_ended(wire))
        event = await fleet.one()
        outcomes = attempts_of(event)
        assert [verdict for *_, verdict in outcomes] == ["retry", "fail_over", "ok"]
        assert {outcome for _, outcome, _ in outcomes[:2]} <= {"broken_stream", "invalid_output"}
        assert answered_by(event) == "reserve"
        assert fleet.requests == (2, 1)


async def test_12_too_long_for_its_context_is_not_sent_there_again(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        text = (
            "prompt is too long: 250000 tokens > 200000 maximum" if wire.api == "anthropic" else "maximum context length is 128000 tokens"
        )
        code = None if wire.api == "anthropic" else "context_length_exceeded"
        fleet.preferred.does(refusing(wire, 400, code, "invalid_request_error", text))
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "too_large", "fail_over"), OK]
        assert fleet.requests == (1, 1)


async def test_13_what_a_content_filter_refused_is_not_taken_elsewhere(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:

        async def filtered(connection: Connection, request: Received) -> None:
            await begin(connection, wire, wire.opening, wire.delta("I can"), wire.closing(wire.filtered), b"")

        fleet.preferred.does(filtered)
        event = await fleet.one()
        assert attempts_of(event) == [("preferred", "policy", "give_up")]
        (task,) = event.tasks
        assert task.answer is not None
        assert task.answer.status == "refused"
        assert event.decision is not None
        assert event.decision.verdict == "none"
        assert event.reason == "every reviewer abstained or refused; nothing is done"
        assert fleet.requests == (1, 0)


async def test_14_a_reserve_that_rejects_the_request_ends_it_with_both_on_record(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(unwell(wire, 503))
        fleet.reserve.does(refusing(fleet.reserve.wire, 400, "invalid_value", "invalid_request_error", "unknown field"))
        event = await fleet.one()
        assert attempts_of(event)[2:] == [("reserve", "caller_fault", "give_up")]
        assert event.state == "failed"
        assert fleet.requests == (2, 1)


async def test_15_an_outage_with_20_events_across_it_loses_none_and_is_not_hammered(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        for _ in range(5):
            assert answered_by(await fleet.one()) == "preferred"
        fleet.preferred.does(unwell(wire, 503))
        ids = [await fleet.submit() for _ in range(10)]
        for event_id in ids:
            assert answered_by(await fleet.ended(event_id)) == "reserve"
        # Ten came at once, before anybody could know: those in flight, and then a probe at a time.
        during = fleet.preferred.requests - 5
        assert 1 <= during <= 16
        fleet.preferred.does(fleet.preferred.well)
        for _ in range(5):
            answered_by(await fleet.one())
        before = fleet.preferred.requests
        await back(fleet)
        assert fleet.preferred.requests >= before


async def back(fleet: Fleet) -> None:
    """Until the preferred service is taken to be well again and gets events: they are what it is tried with."""
    async with asyncio.timeout(20):
        while fleet.engine.router.describe("preferred")["breaker"]["state"] != "closed" or fleet.preferred.requests == 0:
            await fleet.one()


async def test_16_a_failover_is_accounted_to_who_was_asked_and_the_answer_to_who_gave_it(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet() as fleet:
        fleet.preferred.does(cut_after(wire, 40, tokens("cut")))
        event = await fleet.one()
        (task,) = event.tasks
        assert len(task.attempts) == sum(fleet.requests) == 3
        broken, _, good = task.attempts
        assert good.cost_usd == pytest.approx(1000 * 1e-6 + 100 * 1e-5)
        if wire.api == "anthropic":
            assert broken.tokens_in == 1000
            assert broken.cost_usd is not None
            assert broken.cost_usd >= 1000 * 1e-6 - 1e-9
        else:
            assert (broken.tokens_in, broken.cost_usd) == (None, None), "these services tell at the end; unknown is not nothing"
        assert task.answer is not None
        assert (task.answer.provider, task.answer.cost_usd) == ("reserve", good.cost_usd)
        async with asyncio.timeout(5):
            while True:
                window = (await fleet.store.metrics.read()).providers
                if "reserve" in window and window["preferred"].calls_15m == 2:
                    break
                await asyncio.sleep(0.05)
        assert window["reserve"].calls_15m == 1
        assert window["reserve"].cost_usd == pytest.approx(good.cost_usd)
        assert window["preferred"].errors_by_class == {"broken_stream": 2}


async def test_nothing_waits_after_the_last_attempt(open_fleet: Opener, wire: Wire) -> None:
    async with open_fleet(retry=RetrySettings(backoff_base_s=0.05, backoff_cap_s=8)) as fleet:
        fleet.preferred.does(unwell(wire, 503))
        fleet.reserve.does(unwell(fleet.reserve.wire, 503))
        event = await fleet.one()
        assert [verdict for *_, verdict in attempts_of(event)] == ["retry", "fail_over", "retry", "give_up"]
        assert fleet.requests == (2, 2)
        assert time.monotonic() - fleet.reserve.arrivals[-1] < 4.0, "half of the longest wait"
