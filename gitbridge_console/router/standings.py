"""How a provider stands for one question: what is known of it, put into the terms that selection compares."""

from __future__ import annotations

from gitbridge_console.providers.prices import cost_usd
from gitbridge_console.router.latency import LatencyTable
from gitbridge_console.router.provider_state import ProviderState
from gitbridge_console.router.selection import Standing, over_budget
from gitbridge_console.settings.routing import KindSettings, ProviderSettings

USUAL_ANSWER_TOKENS = 1_000
"""Assumed of an answer's length, for its price, before a model has given one."""


def too_small(own: ProviderSettings, tokens: int) -> str:
    """Why a question of so many tokens and its answer do not fit the provider's context; ``""`` when they do."""
    if tokens + own.max_output_tokens <= own.context_tokens:
        return ""
    return f"about {tokens:,} tokens and {own.max_output_tokens:,} of answer do not fit its context of {own.context_tokens:,}"


class Standings:
    """Knows how long each model takes for each kind of question, and from that and the price list what an answer costs."""

    def __init__(self) -> None:
        self.latencies = LatencyTable()

    def unfit(self, state: ProviderState, policy: KindSettings, tokens: int, kind: str) -> str:
        """Why the question cannot be read, or not for what a seat may cost; ``""`` when it can."""
        small = too_small(state.settings, tokens)
        if small or policy.max_cost_usd is None:
            return small
        return over_budget(self._cost_usd(state, tokens, kind), policy.max_cost_usd)

    def of(self, state: ProviderState, policy: KindSettings, tokens: int, kind: str, *, now: float, wait_s: float) -> Standing:
        """How the provider stands; ``now`` is the router's clock, ``wait_s`` how long its rate limits hold calls back."""
        known = self.latencies.of(state.service, kind)
        return Standing(
            state.name,
            state.settings.vendor or state.name,
            state.name in policy.prefer,
            latency_s=known.expected_s if known is not None else None,
            oldest_s=state.oldest_s(now),
            in_flight=state.in_flight,
            limit=state.concurrency.limit,
            errors=state.error_now(now),
            cost_usd=self._cost_usd(state, tokens, kind),
            weight=state.settings.weight,
            probing=state.name in policy.prefer and state.breaker.probing(now),
            ramp=state.breaker.share(now),
            wait_s=wait_s,
        )

    def _cost_usd(self, state: ProviderState, tokens: int, kind: str) -> float | None:
        """What a question of so many tokens costs with an answer of the usual length."""
        own, known = state.settings, self.latencies.of(state.service, kind)
        answer = min(own.max_output_tokens, round(known.tokens) if known is not None else USUAL_ANSWER_TOKENS)
        return cost_usd(own, own.model, tokens, answer, None)
