"""What calls cost."""

from __future__ import annotations

import pytest
from genai_prices import Usage, calc_price

from gitbridge_console.providers.prices import cost_usd
from gitbridge_console.settings.routing import ProviderSettings, default_providers

PROVIDERS = default_providers()


@pytest.mark.parametrize(
    ("name", "vendor", "model"),
    [
        ("claude", "anthropic", "claude-sonnet-5-5"),
        ("claude", "anthropic", "claude-haiku-5-5"),
        ("claude", "anthropic", "claude-sonnet-5-5-20260901"),
        ("chatgpt", "openai", "gpt-6.1-sol"),
        ("grok", "x-ai", "grok-4.7"),
    ],
)
@pytest.mark.parametrize("tokens", [(1_000, 100, 200), (0, 0, 0), (100_000, 7, 0), (100_001, 7, 0), (200_001, 9, 5), (300_000, 9, 300_000)])
def test_our_arithmetic_is_that_of_the_price_list(name: str, vendor: str, model: str, tokens: tuple[int, int, int]) -> None:
    given, made, cached = tokens
    usage = Usage(input_tokens=given, output_tokens=made, cache_read_tokens=cached)
    expected = calc_price(usage, model, provider_id=vendor).total_price
    assert cost_usd(PROVIDERS[name], model, given, made, cached) == pytest.approx(float(expected), abs=1e-12)


def _settings(**values: object) -> ProviderSettings:
    return ProviderSettings.model_validate({"api": "chat", "model": "local", "base_url": "http://127.0.0.1:1/v1", **values})


def test_prices_of_the_settings_come_first() -> None:
    own = PROVIDERS["claude"].model_copy(update={"price_input_usd_per_mtok": 10.0, "price_output_usd_per_mtok": 20.0})
    assert cost_usd(own, own.model, 1_000_000, 1_000_000, None) == pytest.approx(30.0)
    cached = own.model_copy(update={"price_cached_usd_per_mtok": 1.0})
    assert cost_usd(cached, own.model, 1_000_000, 0, 500_000) == pytest.approx(5.5)


def test_a_part_of_the_prices_in_the_settings_is_completed_from_the_list() -> None:
    own = PROVIDERS["claude"].model_copy(update={"price_output_usd_per_mtok": 20.0})
    assert cost_usd(own, own.model, 1_000_000, 1_000_000, None) == pytest.approx(2.0 + 20.0)


def test_an_unknown_price_is_unknown_and_not_zero() -> None:
    assert cost_usd(_settings(), "local", 10, 10, 0) is None
    assert cost_usd(_settings(price_input_usd_per_mtok=1.0), "local", 10, 10, 0) is None
    assert cost_usd(PROVIDERS["chatgpt"], "gpt-99", None, None, None) is None
    unknown = PROVIDERS["chatgpt"].model_copy(update={"model": "gpt-99"})
    assert cost_usd(unknown, "gpt-99", 10, 10, 0) is None


def test_a_model_the_list_does_not_know_is_priced_as_the_one_asked_for() -> None:
    asked = PROVIDERS["chatgpt"]
    assert cost_usd(asked, "some-alias", 1000, 0, 0) == cost_usd(asked, asked.model, 1000, 0, 0)


def test_a_service_elsewhere_is_priced_by_its_model() -> None:
    simulated = PROVIDERS["claude"].model_copy(update={"base_url": "http://127.0.0.1:1/claude"})
    assert cost_usd(simulated, simulated.model, 1_000_000, 0, 0) == pytest.approx(2.0)
    assert cost_usd(simulated, "local-model", 1_000_000, 0, 0) == pytest.approx(2.0)
