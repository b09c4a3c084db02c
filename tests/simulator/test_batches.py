"""The batch APIs of the simulated services, asked by the product's own providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from simulator_samples import DIFF, SCHEMAS

from gitbridge_console.providers.base import BatchProvider, ProviderError, ProviderReply, ProviderRequest
from gitbridge_console.providers.registry import build_provider
from gitbridge_console.settings.routing import ProviderSettings
from gitbridge_console.simulator.profiles import QUIET, BatchLife, Profiles
from gitbridge_console.simulator.server import serve_services

pytestmark = pytest.mark.anyio

APIS = [("claude", "anthropic", "claude-sonnet-5-5"), ("chatgpt", "responses", "gpt-6.1-sol"), ("chatgpt", "chat", "gpt-6.1-sol")]
QUESTIONS = {f"q-{n}": ProviderRequest(f"You review. {n}", DIFF, SCHEMAS["code_review"], "code_review", 4_000) for n in range(20)}


def living(life: BatchLife) -> Profiles:
    return {name: replace(profile, batches=life) for name, profile in QUIET.items()}


@asynccontextmanager
async def batches_at(url: str, api: str, model: str) -> AsyncIterator[BatchProvider]:
    own = ProviderSettings.model_validate({"api": api, "model": model, "base_url": url, "api_key_env": "SIMULATED_KEY"})
    provider = build_provider("simulated", own, "k")
    try:
        yield provider.batches()  # type: ignore[attr-defined]
    finally:
        await provider.aclose()


@pytest.mark.parametrize(("name", "api", "model"), APIS)
async def test_a_batch_is_taken_found_again_and_answered(name: str, api: str, model: str) -> None:
    async with serve_services(1, living(BatchLife(delay_s=0.0))) as urls, batches_at(urls[name], api, model) as batches:
        assert await batches.find("mark", QUESTIONS, 0.0) is None
        batch_id = await batches.submit("mark", QUESTIONS)
        assert await batches.find("mark", QUESTIONS, 0.0) == batch_id
        state = await batches.state(batch_id)
        assert (state.ended, state.total, state.done) == (True, 20, 20)
        results = await batches.results(batch_id)
    assert set(results) == set(QUESTIONS)
    assert all(isinstance(result, ProviderReply) and result.text and result.usage.output_tokens for result in results.values())


@pytest.mark.parametrize(("name", "api", "model"), APIS)
async def test_some_requests_fail_and_some_expire(name: str, api: str, model: str) -> None:
    async with (
        serve_services(1, living(BatchLife(delay_s=0.0, failed=0.3, expired=0.3))) as urls,
        batches_at(urls[name], api, model) as batches,
    ):
        results = await batches.results(await batches.submit("mark", QUESTIONS))
    failed = [result for result in results.values() if isinstance(result, ProviderError)]
    assert 4 <= len(failed) <= 18
    assert len({error.failure.message for error in failed}) == 2


@pytest.mark.parametrize(("name", "api", "model"), APIS)
async def test_a_batch_takes_its_time_unless_it_is_cancelled(name: str, api: str, model: str) -> None:
    async with serve_services(1, living(BatchLife(delay_s=3_600.0))) as urls, batches_at(urls[name], api, model) as batches:
        batch_id = await batches.submit("mark", QUESTIONS)
        assert not (await batches.state(batch_id)).ended
        await batches.cancel(batch_id)
        async with asyncio.timeout(5):
            assert (await batches.state(batch_id)).ended
        results = await batches.results(batch_id)
    assert all(isinstance(result, ProviderError) for result in results.values())
    assert set(results) == set(QUESTIONS)


async def test_what_is_no_batch_is_refused_as_the_service_would() -> None:
    async with serve_services(1, living(BatchLife())) as urls:
        for name, api, model in APIS:
            async with batches_at(urls[name], api, model) as batches:
                with pytest.raises(ProviderError) as refused:
                    await batches.submit("mark", {})
                assert refused.value.failure.http_status == 400
                with pytest.raises(ProviderError) as missing:
                    await batches.state("batch_x")
                assert missing.value.failure.http_status == 404
