"""The simulated services, asked by the vendors' own clients over a loopback port."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import stat
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from simulator_samples import DIFF, SCHEMAS

from gitbridge_console.settings.model import RedisSettings, Settings
from gitbridge_console.simulator.profiles import QUIET, FaultRates, Latency, Profiles, Storm, named_profiles
from gitbridge_console.simulator.server import DEMO_KEY, ServicesError, ServicesThread, demo_settings, serve_services
from gitbridge_console.simulator.service import Ask, SimulatedService
from gitbridge_console.simulator.services import Closing

pytestmark = pytest.mark.anyio

SYSTEM = "You review changes. " * 100
QUICK = httpx2.Timeout(2.0, connect=2.0)


def at_once(faults: FaultRates | None = None, **more: Any) -> Profiles:
    """The three services without any latency, with the same faults each."""
    return {name: replace(profile, latency=Latency(0.0), faults=faults or FaultRates(), **more) for name, profile in QUIET.items()}


def claude_at(urls: dict[str, str], timeout: httpx2.Timeout = QUICK) -> anthropic.AsyncAnthropic:
    """A client as the product builds it."""
    return anthropic.AsyncAnthropic(api_key="k", base_url=urls["claude"], max_retries=0, timeout=timeout)


def openai_at(urls: dict[str, str], name: str, timeout: httpx2.Timeout = QUICK) -> openai.AsyncOpenAI:
    """A client as the product builds it."""
    return openai.AsyncOpenAI(api_key="k", base_url=urls[name], max_retries=0, timeout=timeout)


MODELS = {"grok": "grok-4.7", "chatgpt": "gpt-6.1-sol", "claude": "claude-sonnet-5-5"}


def message_body(kind: str = "code_review", **more: Any) -> dict[str, Any]:
    """Arguments of ``messages.create``."""
    return {
        "model": MODELS["claude"],
        "max_tokens": 4_000,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": DIFF}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMAS[kind]}},
        **more,
    }


def response_body(name: str, kind: str = "code_review", **more: Any) -> dict[str, Any]:
    """Arguments of ``responses.create``."""
    form = {"type": "json_schema", "name": kind, "strict": True, "schema": SCHEMAS[kind]}
    return {"model": MODELS[name], "instructions": SYSTEM, "input": DIFF, "text": {"format": form}, **more}


def chat_body(name: str, kind: str = "code_review", **more: Any) -> dict[str, Any]:
    """Arguments of ``chat.completions.create``."""
    form = {"type": "json_schema", "json_schema": {"name": kind, "strict": True, "schema": SCHEMAS[kind]}}
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": [{"type": "text", "text": DIFF}]}]
    return {"model": MODELS[name], "messages": messages, "response_format": form, **more}


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """Services without latency and faults, in their own thread."""
    with ServicesThread(1, at_once()) as found:
        yield found


@asynccontextmanager
async def faulty(**rates: float) -> AsyncIterator[dict[str, str]]:
    """Services on which every request meets the faults given."""
    async with serve_services(1, at_once(FaultRates(**rates))) as found:
        yield found


def check_review(text: str) -> None:
    """The text is a structured review."""
    answer = json.loads(text)
    assert set(answer) == {"findings", "summary", "verdict", "abstain_reason"}


async def test_anthropic_streams(urls: dict[str, str]) -> None:
    """Events in the vendor's order; stop reason, usage, request id and limits are there; the second call reads the cache."""
    async with claude_at(urls) as client:
        for call in (1, 2):
            raw = await client.messages.with_raw_response.create(**message_body(), stream=True)
            assert raw.headers["request-id"].startswith("req_")
            assert int(raw.headers["anthropic-ratelimit-requests-remaining"]) > 0
            assert raw.headers["anthropic-ratelimit-input-tokens-reset"].endswith("Z")
            events = [event async for event in await raw.parse()]
            kinds = list(dict.fromkeys(event.type for event in events))
            assert kinds == [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop",
            ]
            check_review("".join(event.delta.text for event in events if event.type == "content_block_delta"))
            assert events[-2].delta.stop_reason == "end_turn"
            assert events[-2].usage.output_tokens > 10
            assert events[0].message.usage.cache_read_input_tokens == (0 if call == 1 else len(SYSTEM) // 4)
            assert events[0].message.usage.input_tokens > 100
        async with client.messages.stream(**message_body("general")) as stream:
            assert (await stream.get_final_message()).stop_reason == "end_turn"


async def test_anthropic_whole_and_models(urls: dict[str, str]) -> None:
    """The same without a stream; the models are listed."""
    async with claude_at(urls) as client:
        message = await client.messages.create(**message_body())
        check_review(message.content[0].text)
        assert message.stop_reason == "end_turn"
        assert message.usage.output_tokens > 10
        assert MODELS["claude"] in [model.id async for model in client.models.list()]
        cut = await client.messages.create(**message_body(max_tokens=5))
        assert cut.stop_reason == "max_tokens"


@pytest.mark.parametrize("name", ["grok", "chatgpt"])
async def test_responses_stream(urls: dict[str, str], name: str) -> None:
    """The helper that checks the order of events accepts the stream; the raw one carries headers and usage."""
    async with openai_at(urls, name) as client:
        async with client.responses.stream(**response_body(name)) as stream:
            final = await stream.get_final_response()
        check_review(final.output_text)
        assert final.status == "completed"
        raw = await client.responses.with_raw_response.create(**response_body(name), stream=True)
        assert raw.headers["x-request-id"].startswith("req_")
        assert int(raw.headers["x-ratelimit-remaining-requests"]) > 0
        assert ("x-ratelimit-reset-requests" in raw.headers) == (name == "chatgpt")
        events = [event async for event in raw.parse()]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        usage = events[-1].response.usage
        assert usage.input_tokens_details.cached_tokens == len(SYSTEM) // 4 < usage.input_tokens
        assert (getattr(usage, "cost_in_usd_ticks", 0) > 0) == (name == "grok")


@pytest.mark.parametrize("name", ["grok", "chatgpt"])
async def test_responses_whole_and_models(urls: dict[str, str], name: str) -> None:
    """Without a stream, from a list of messages; cut by the token limit; models."""
    async with openai_at(urls, name) as client:
        parts = [{"role": "developer", "content": SYSTEM}, {"role": "user", "content": [{"type": "input_text", "text": DIFF}]}]
        response = await client.responses.create(**response_body(name, input=parts))
        check_review(response.output_text)
        cut = await client.responses.create(**response_body(name, max_output_tokens=16))
        assert cut.status == "incomplete"
        assert cut.incomplete_details.reason == "max_output_tokens"
        async with client.responses.stream(**response_body(name, "issue_triage", max_output_tokens=16)) as stream:
            kinds = [event.type async for event in stream]
        assert kinds[-1] == "response.incomplete"
        assert MODELS[name] in [model.id async for model in client.models.list()]


@pytest.mark.parametrize("name", ["grok", "chatgpt"])
async def test_chat(urls: dict[str, str], name: str) -> None:
    """Chat completions, whole and streamed, with and without usage."""
    async with openai_at(urls, name) as client:
        whole = await client.chat.completions.create(**chat_body(name, "push_review"))
        assert json.loads(whole.choices[0].message.content)["risk"] in ("none", "low", "medium", "high")
        assert whole.usage.prompt_tokens > 100
        stream = await client.chat.completions.create(**chat_body(name), stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        check_review("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
        assert chunks[-2].choices[0].finish_reason == "stop"
        assert chunks[-1].usage.total_tokens > 100
        bare = [chunk async for chunk in await client.chat.completions.create(**chat_body(name), stream=True)]
        assert all(chunk.usage is None for chunk in bare)


async def test_two_runs_answer_alike(urls: dict[str, str]) -> None:
    """Another instance with the same seed gives the same text."""
    async with serve_services(1, at_once()) as others, claude_at(urls) as one, claude_at(others) as two:
        texts = [(await client.messages.create(**message_body())).content[0].text for client in (one, two)]
    assert texts[0] == texts[1]


async def test_server_error_and_overloaded() -> None:
    """500, and 529 or 503 with the vendors' codes; an error body names its request."""
    async with faulty(server_error=1) as urls, claude_at(urls) as claude, openai_at(urls, "grok") as grok:
        with pytest.raises(anthropic.InternalServerError) as caught:
            await claude.messages.create(**message_body(), stream=True)
        assert (caught.value.status_code, caught.value.type) == (500, "api_error")
        assert caught.value.request_id.startswith("req_")
        with pytest.raises(openai.InternalServerError):
            await grok.responses.create(**response_body("grok"), stream=True)
    async with faulty(overloaded=1) as urls, claude_at(urls) as claude, openai_at(urls, "grok") as grok:
        with pytest.raises(anthropic.InternalServerError) as caught:
            await claude.messages.create(**message_body(), stream=True)
        assert (caught.value.status_code, caught.value.type) == (529, "overloaded_error")
        with pytest.raises(openai.InternalServerError) as refused:
            await grok.chat.completions.create(**chat_body("grok"))
        assert (refused.value.status_code, refused.value.code) == (503, "server_is_overloaded")


async def test_rate_limited_says_when() -> None:
    """429 with Retry-After and nothing remaining."""
    async with faulty(rate_limited=1, retry_after_s=7) as urls, claude_at(urls) as claude, openai_at(urls, "chatgpt") as chatgpt:
        with pytest.raises(anthropic.RateLimitError) as caught:
            await claude.messages.create(**message_body())
        assert caught.value.response.headers["retry-after"] == "7"
        assert caught.value.response.headers["anthropic-ratelimit-requests-remaining"] == "0"
        with pytest.raises(openai.RateLimitError) as refused:
            await chatgpt.responses.create(**response_body("chatgpt"), stream=True)
        assert refused.value.response.headers["retry-after"] == "7"
        assert refused.value.code == "rate_limit_exceeded"


async def test_a_real_limit_is_kept() -> None:
    """With requests_per_minute the third request of a minute is refused, with the rest of the minute to wait."""
    async with serve_services(1, at_once(requests_per_minute=2)) as urls, openai_at(urls, "chatgpt") as client:
        for _ in range(2):
            await client.responses.create(**response_body("chatgpt"))
        with pytest.raises(openai.RateLimitError) as caught:
            await client.responses.create(**response_body("chatgpt"))
        assert 0 < float(caught.value.response.headers["retry-after"]) <= 60


async def test_cut_streams_and_bodies(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """The connection ends in the middle, and nothing is printed or logged about it."""
    with caplog.at_level(logging.WARNING):
        async with faulty(cut=1) as urls, claude_at(urls) as claude, openai_at(urls, "grok") as grok:
            with pytest.raises(httpx2.RemoteProtocolError):
                _ = [event async for event in await claude.messages.create(**message_body(), stream=True)]
            with pytest.raises(openai.APIConnectionError):
                _ = [event async for event in await grok.responses.create(**response_body("grok"), stream=True)]
            with pytest.raises(openai.APIConnectionError):
                await grok.chat.completions.create(**chat_body("grok"))
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_stall_and_silence() -> None:
    """A stall begins to answer and then says nothing; silence never begins. The services still stop at once."""
    brief = httpx2.Timeout(0.2, connect=2.0)
    async with faulty(stall=1) as urls, claude_at(urls, brief) as claude, openai_at(urls, "grok", brief) as grok:
        stream = aiter(await claude.messages.create(**message_body(), stream=True))
        while (await anext(stream)).type != "content_block_delta":
            pass
        with pytest.raises((httpx2.ReadTimeout, anthropic.APITimeoutError)):
            _ = [event async for event in stream]
        with pytest.raises(openai.APITimeoutError):
            await grok.responses.create(**response_body("grok"))
    async with faulty(silence=1) as urls, claude_at(urls, brief) as claude:
        with pytest.raises(anthropic.APITimeoutError):
            await claude.messages.create(**message_body(), stream=True)
    async with faulty(silence=1) as urls, claude_at(urls) as claude:
        waiting = asyncio.create_task(claude.messages.create(**message_body(), stream=True))
        await asyncio.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 1.5
    with pytest.raises(anthropic.APIError):
        await waiting


async def test_hangs_end_by_themselves() -> None:
    """After hang_s a silence becomes a 504 and a stall a cut."""
    async with faulty(silence=1, hang_s=0.02) as urls, claude_at(urls) as claude:
        with pytest.raises(anthropic.InternalServerError) as caught:
            await claude.messages.create(**message_body(), stream=True)
        assert caught.value.status_code == 504
    async with faulty(stall=1, hang_s=0.02) as urls, openai_at(urls, "grok") as grok:
        with pytest.raises(openai.APIConnectionError):
            _ = [event async for event in await grok.responses.create(**response_body("grok"), stream=True)]


async def test_overloaded_in_the_middle_of_a_stream() -> None:
    """A stream that began with 200 ends with the vendor's error event; without a stream it is the plain status."""
    async with faulty(overloaded_midstream=1) as urls, claude_at(urls) as claude, openai_at(urls, "chatgpt") as chatgpt:
        with pytest.raises(anthropic.APIStatusError) as caught:
            _ = [event async for event in await claude.messages.create(**message_body(), stream=True)]
        assert (caught.value.status_code, caught.value.type) == (200, "overloaded_error")
        with pytest.raises(openai.APIError, match="overloaded"):
            _ = [event async for event in await chatgpt.chat.completions.create(**chat_body("chatgpt"), stream=True)]
        events = [event async for event in await chatgpt.responses.create(**response_body("chatgpt"), stream=True)]
        assert (events[-1].type, events[-1].code) == ("error", "server_is_overloaded")
        with pytest.raises(anthropic.InternalServerError):
            await claude.messages.create(**message_body())


async def test_invalid_json() -> None:
    """A complete answer whose text is not JSON."""
    async with faulty(invalid_json=1) as urls, claude_at(urls) as claude:
        message = await claude.messages.create(**message_body())
        assert message.stop_reason == "end_turn"
        with pytest.raises(json.JSONDecodeError):
            json.loads(message.content[0].text)


async def test_refusal() -> None:
    """Each API says no in its own way."""
    async with faulty(refusal=1) as urls, claude_at(urls) as claude, openai_at(urls, "grok") as grok:
        async with claude.messages.stream(**message_body()) as stream:
            message = await stream.get_final_message()
        assert message.stop_reason == "refusal"
        assert message.stop_details.type == "refusal"
        async with grok.responses.stream(**response_body("grok")) as responses:
            final = await responses.get_final_response()
        assert final.output[0].content[0].type == "refusal"
        chat = await grok.chat.completions.create(**chat_body("grok"))
        assert chat.choices[0].message.refusal
        assert chat.choices[0].message.content is None
        chunks = [chunk async for chunk in await grok.chat.completions.create(**chat_body("grok"), stream=True)]
        assert "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks)


async def test_bad_requests_get_the_vendors_errors(urls: dict[str, str]) -> None:
    """No key, no such model, no question, no JSON."""
    async with claude_at(urls) as claude, openai_at(urls, "grok") as grok:
        with pytest.raises(anthropic.NotFoundError):
            await claude.messages.create(**message_body(model="claude-0"))
        with pytest.raises(openai.NotFoundError) as caught:
            await grok.responses.create(**response_body("grok", model="grok-0"))
        assert caught.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError):
            await grok.responses.create(model=MODELS["grok"], input=[])
        with pytest.raises(anthropic.BadRequestError):
            await claude.messages.create(**message_body(messages=[]))
        with pytest.raises(openai.BadRequestError):
            await grok.chat.completions.create(**chat_body("grok", max_completion_tokens=-1))
    async with httpx2.AsyncClient(headers={"authorization": "Bearer k"}) as http:
        address = urls["claude"] + "/v1/messages"
        assert (await http.post(address, json={}, headers={"authorization": ""})).status_code == 401
        assert (await http.post(address, content=b"{")).status_code == 400
        assert (await http.post(address, json=[])).json()["error"]["type"] == "invalid_request_error"
        assert (await http.post(address, json={"messages": [1], "max_tokens": 1})).status_code == 400
        assert (await http.post(address, json={"messages": [{"role": "user", "content": 5}], "max_tokens": 1})).status_code == 400


async def test_latency_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first token comes after its share of the time, the rest is spread over the stream."""
    asked: list[float] = []
    really_wait = Closing.wait

    async def wait(closing: Closing, seconds: float) -> None:
        asked.append(seconds)
        await really_wait(closing, seconds)

    monkeypatch.setattr(Closing, "wait", wait)
    profiles = {name: replace(profile, latency=Latency(0.3, 0.0, 0.5)) for name, profile in QUIET.items()}
    async with serve_services(1, profiles) as urls, openai_at(urls, "grok") as client:
        began, times = time.monotonic(), []
        async for event in await client.responses.create(**response_body("grok"), stream=True):
            if event.type == "response.output_text.delta":
                times.append(time.monotonic() - began)
    before_first, between = asked[:2], asked[2:]
    assert sum(before_first) == pytest.approx(0.15)
    assert between == pytest.approx([0.15 / len(times)] * len(times))
    assert times[0] > 0.14, "the waits were waited out"
    assert times[-1] > 0.25


def test_storms_follow_the_clock() -> None:
    """The same service is well before a storm and refuses within it."""
    now = 100.0
    profile = replace(at_once()["grok"], storms=(Storm(10.0, 20.0, 60.0, faults=FaultRates(rate_limited=1)),))
    service = SimulatedService("grok", profile, 1, clock=lambda: now)
    ask = Ask("grok-4.7", "", "hello", None, "", False, 100)
    faults = []
    for now in (105.0, 115.0, 125.0, 175.0):  # noqa: B007
        faults.append(service.plan(ask).fault)
    assert faults == [None, "rate_limited", None, "rate_limited"]


def test_thread_starts_and_stops_cleanly() -> None:
    """No thread is left; stopping twice, or without a start, does no harm."""
    before = set(threading.enumerate())
    services = ServicesThread(1, at_once())
    services.stop()
    assert set(services.start()) == {"claude", "grok", "chatgpt"}
    services.stop()
    services.stop()
    assert set(threading.enumerate()) == before


def test_a_thread_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line instead of a hang."""

    def refuse(self: object, address: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("gitbridge_console.simulator.server.socket.socket.bind", refuse, raising=False)
    with pytest.raises(ServicesError, match="no loopback port"):
        ServicesThread(1, at_once()).start()


def test_demo_settings_leave_nothing_of_the_outside(tmp_path: Path) -> None:
    """Loopback providers, a private dummy key, the embedded store, no legacy list, dry run."""
    outside = Settings(redis=RedisSettings(url="redis://production:6379"), namespace="mine")
    urls = {"claude": "http://127.0.0.1:1/claude", "grok": "http://127.0.0.1:1/grok/v1", "chatgpt": "http://127.0.0.1:1/chatgpt/v1"}
    state = tmp_path / "demo"
    for _ in range(2):
        settings = demo_settings(outside, urls, state)
    assert settings.redis.url is None
    assert settings.state_dir == str(state)
    assert not settings.legacy.enabled
    assert settings.actions.dry_run
    assert settings.namespace == "mine"
    for name, provider in settings.providers.items():
        assert provider.base_url == urls[name]
        assert provider.api_key_env is None
        assert Path(str(provider.api_key_file)).read_text() == DEMO_KEY
        assert provider.model in named_profiles()["none"][name].models
    assert stat.S_IMODE(os.stat(state / "demo-key").st_mode) == 0o600
    Settings.model_validate(settings.model_dump())
