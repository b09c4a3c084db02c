"""Particular shapes of streams: reasoning, refusals, text that comes late, exact costs, hostile events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import ANSWER, ANTHROPIC, QUESTION, RESPONSE, RESPONSES, Builder, Connection, Received, ScriptedServer, answering, begin, sse

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.base import ProviderError
from gitbridge_console.providers.claude import MessageCollector
from gitbridge_console.providers.collector import Collector, mended
from gitbridge_console.providers.errors import AnswerTooLarge, EventError
from gitbridge_console.providers.openai_chat import ChatCollector
from gitbridge_console.providers.openai_responses import ResponseCollector
from gitbridge_console.providers.sse import DONE, MAX_EVENT_BYTES, EventReader


def _fed(collector: Collector, *events: dict[str, object]) -> Collector:
    for event in events:
        collector.feed(event)
    return collector


def test_thinking_is_generation_but_no_answer() -> None:
    thinking = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}
    assert _fed(MessageCollector(), thinking).started
    assert _fed(MessageCollector(), thinking).text() == ""
    assert _fed(ChatCollector(), {"choices": [{"delta": {"reasoning_content": "hm"}}]}).started
    assert _fed(ResponseCollector(), {"type": "response.reasoning_summary_text.delta", "delta": "hm"}).started


def test_refusals_are_told_with_their_reason() -> None:
    stop = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "could enable harm"}}
    chat = {"choices": [{"delta": {"refusal": "I cannot."}, "finish_reason": "stop"}]}
    collectors = [
        _fed(MessageCollector(), {"type": "message_delta", "delta": stop}),
        _fed(ChatCollector(), chat),
        _fed(ResponseCollector(), {"type": "response.refusal.delta", "delta": "I cannot."}),
        _fed(
            ResponseCollector(),
            {
                "type": "response.completed",
                "response": {"status": "completed", "output": [{"content": [{"type": "refusal", "refusal": "I cannot."}]}]},
            },
        ),
    ]
    for collector in collectors:
        ending = collector.ending()
        assert ending is not None
        assert ending.cls is FailureClass.POLICY
        assert "cannot" in ending.message or "harm" in ending.message


def test_a_full_context_window_is_too_large() -> None:
    ending = _fed(MessageCollector(), {"type": "message_delta", "delta": {"stop_reason": "model_context_window_exceeded"}}).ending()
    assert ending is not None
    assert ending.cls is FailureClass.TOO_LARGE


def test_text_that_comes_only_with_the_end_is_read() -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": ANSWER}]}]
    event = {"type": "response.completed", "response": {"status": "completed", "output": output}}
    collector = _fed(ResponseCollector(), event)
    assert (collector.text(), collector.ending()) == (ANSWER, None)


def test_a_failed_response_is_an_error() -> None:
    failed = {**RESPONSE, "error": {"code": "server_error", "message": "oops"}, "usage": {"input_tokens": 5, "output_tokens": 1}}
    collector = ResponseCollector()
    with pytest.raises(EventError):
        collector.feed({"type": "response.failed", "response": failed})
    assert collector.input_tokens == 5


@pytest.mark.anyio
async def test_xais_exact_cost_wins(server: ScriptedServer, build: Builder) -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "cost_in_usd_ticks": 1_234_500_000}
    end = {"type": "response.completed", "response": {**RESPONSE, "status": "completed", "model": "grok-4.7", "usage": usage}}

    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, RESPONSES, RESPONSES.delta(ANSWER), sse(end), b"")

    server.script = script
    reply = await build(RESPONSES, "grok").ask(QUESTION, timeout_s=10)
    assert reply.usage.cost_usd == pytest.approx(0.12345)
    roles = [message["role"] for message in server.received[0].body["input"]]
    assert roles == ["system", "user"]


@pytest.mark.anyio
async def test_a_reasoning_model_may_take_its_time_after_the_first_thought(server: ScriptedServer, build: Builder) -> None:
    thought = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}

    async def script(connection: Connection, request: Received) -> None:
        await begin(connection, ANTHROPIC, ANTHROPIC.opening, sse(thought))
        await connection.silence()

    server.script = script
    with pytest.raises(ProviderError) as caught:
        await build(ANTHROPIC, timeout_first_token_s=0.05, timeout_stall_s=0.1).ask(QUESTION, timeout_s=10)
    assert "stalled" in caught.value.failure.message


@pytest.mark.anyio
async def test_a_base_url_with_version_is_understood(server: ScriptedServer, build: Builder) -> None:
    server.script = answering(ANTHROPIC)
    await build(ANTHROPIC, base_url=f"{server.origin}/v1/").ask(QUESTION, timeout_s=10)
    assert server.received[0].path == "/v1/messages"


KEYS = ["type", "delta", "usage", "choices", "message", "response", "output", "content", "text", "stop_reason", "finish_reason", "model"]
TYPES = ["content_block_delta", "message_delta", "message_start", "response.completed", "response.created", "response.output_text.delta", 1]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(TYPES),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5), max_size=4))
def test_no_event_breaks_a_collector(events: list[dict[str, object]]) -> None:
    for kind in (MessageCollector, ResponseCollector, ChatCollector):
        collector = _fed(kind(), *events)
        collector.text().encode()
        collector.ending()


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=8), max_size=3), max_size=5), st.data())
def test_events_survive_any_cutting(events: list[dict[str, str]], data: st.DataObject) -> None:
    whole = b"".join(b": note\nevent: x\n" + sse(json.dumps(event)) for event in events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    reader, found = EventReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += reader.feed(whole[start:end])
    assert found + list(reader.finish()) == events


def test_data_over_several_lines_is_one_event() -> None:
    assert list(EventReader().feed(b'data: {"a":\ndata: 1}\n\ndata: [DONE]\n\n')) == [{"a": 1}, DONE]


def test_a_broken_event_takes_none_along_that_came_before_it() -> None:
    events = EventReader().feed(b'data: {"a": 1}\n\ndata: {broken\n\n')
    assert next(events) == {"a": 1}
    with pytest.raises(json.JSONDecodeError):
        next(events)


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"data: " + b"x" * 65_530 + b"\n"])
def test_an_endless_event_is_refused(piece: bytes) -> None:
    reader = EventReader()
    for _ in range(MAX_EVENT_BYTES // 65_536 - 1):
        assert list(reader.feed(piece)) == []
    with pytest.raises(AnswerTooLarge):
        list(reader.feed(piece * 2))


@pytest.mark.parametrize(
    ("text", "expected"), [("plain", "plain"), ("größer", "größer"), ("\ud83d\ude00", "😀"), ("a\ud800b", "a\ufffdb"), ("\udc00", "\ufffd")]
)
def test_mended(text: str, expected: str) -> None:
    assert mended(text) == expected
