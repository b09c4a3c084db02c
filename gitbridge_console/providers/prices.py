"""What a call cost. Prices of the settings come first, then the table shipped with genai-prices; nothing is ever fetched."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gitbridge_console.providers.clients import host_of
from gitbridge_console.settings.routing import ProviderSettings

MILLION = 1_000_000
DAY_S = 86_400

VENDOR_OF_HOST = (("anthropic.com", "anthropic"), ("openai.com", "openai"), ("x.ai", "x-ai"))
VENDOR_OF_MODEL = (("claude-", "anthropic"), ("gpt-", "openai"), ("grok-", "x-ai"))


@dataclass(frozen=True, slots=True)
class Rate:
    """USD per million tokens. From more input tokens than a step's start on, its price holds for all tokens of the call."""

    base: float
    steps: tuple[tuple[int, float], ...] = ()

    def at(self, input_tokens: int) -> float:
        """The price for a call with so much input."""
        price = self.base
        for start, higher in self.steps:
            if input_tokens > start:
                price = higher
        return price


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of one model; ``cached`` is ``None`` where cached input costs as much as other input."""

    given: Rate
    made: Rate
    cached: Rate | None


def cost_usd(
    settings: ProviderSettings, model: str, input_tokens: int | None, output_tokens: int | None, cached_tokens: int | None
) -> float | None:
    """Cost of one call in USD, or ``None`` where the tokens or the price are not known.

    ``input_tokens`` includes the cached ones. A count that is missing beside a known one is taken as none.
    """
    if input_tokens is None and output_tokens is None:
        return None
    rates = _rates(settings, model)
    if rates is None:
        return None
    given, made = input_tokens or 0, output_tokens or 0
    cached = min(cached_tokens or 0, given)
    total = (given - cached) * rates.given.at(given) + made * rates.made.at(given)
    total += cached * (rates.cached or rates.given).at(given)
    return total / MILLION


def _rates(settings: ProviderSettings, model: str) -> Rates | None:
    own_in, own_out, own_cached = settings.price_input_usd_per_mtok, settings.price_output_usd_per_mtok, settings.price_cached_usd_per_mtok
    listed: Rates | None = None
    if own_in is None or own_out is None:
        day = int(time.time() // DAY_S)
        listed = listed_rates(settings.api, settings.base_url, model, day)
        if listed is None and model != settings.model:
            listed = listed_rates(settings.api, settings.base_url, settings.model, day)
        if listed is None:
            return None
        if own_in is None and own_out is None and own_cached is None:
            return listed
    given = Rate(own_in) if own_in is not None else listed.given if listed else None
    made = Rate(own_out) if own_out is not None else listed.made if listed else None
    if given is None or made is None:
        return None
    listed_cached = listed.cached if listed and own_in is None else None
    return Rates(given, made, Rate(own_cached) if own_cached is not None else listed_cached)


@lru_cache(maxsize=256)
def listed_rates(api: str, base_url: str, model: str, day: int) -> Rates | None:
    """Prices of a model as genai-prices lists them on that day (days since 1970, so that dated changes take effect)."""
    from datetime import UTC, datetime

    from genai_prices.data_snapshot import get_snapshot

    vendor = _vendor(api, base_url, model)
    if vendor is None:
        return None
    try:
        _, info = get_snapshot().find_provider_model(model, None, vendor, None)
    except LookupError:
        return None
    prices = info.get_prices(datetime.fromtimestamp(day * DAY_S, UTC))
    given, made = _rate(getattr(prices, "input_mtok", None)), _rate(getattr(prices, "output_mtok", None))
    if given is None or made is None:
        return None
    return Rates(given, made, _rate(getattr(prices, "cache_read_mtok", None)))


def _vendor(api: str, base_url: str, model: str) -> str | None:
    """Whose price list holds: by host, else (a proxy, a simulation) by the vendor's own API and model name."""
    host = host_of(base_url)
    for domain, vendor in VENDOR_OF_HOST:
        if host == domain or host.endswith(f".{domain}"):
            return vendor
    if api == "chat":
        return None
    return next((vendor for prefix, vendor in VENDOR_OF_MODEL if model.startswith(prefix)), None)


def _rate(price: Any) -> Rate | None:
    if price is None:
        return None
    if not hasattr(price, "tiers"):
        return Rate(float(price))
    return Rate(float(price.base), tuple((int(tier.start), float(tier.price)) for tier in price.tiers))
