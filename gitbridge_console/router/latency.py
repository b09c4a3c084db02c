"""How long a model takes to answer a kind of question, learned from its good answers alone.

Two numbers are kept, the time to the first token and the seconds for each token of output, so that one long answer does
not make a model look slow. Both rise quickly and fall slowly, as Finagle's and tower's peak EWMA do, but they do not
decay while nobody asks: what decays towards zero makes a provider that is never asked look like the fastest.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

RISE, FALL = 0.3, 0.2
"""Weight of a new value that is above, or below, what is known."""

LENGTH_ALPHA = 0.1
"""Weight of a new answer's length: how much a model writes changes with the questions, not with its health."""

ANY_KIND = ""
"""The row that every answer of a model goes into: what is expected of a kind it was never asked."""

Service = tuple[str, str]
"""Provider and model."""


@dataclass(slots=True)
class LearnedLatency:
    """Of one model and kind. Seconds, seconds per token, tokens."""

    ttft_s: float
    token_s: float
    tokens: float

    @property
    def expected_s(self) -> float:
        """Seconds to a whole answer of the usual length."""
        return self.ttft_s + self.token_s * self.tokens

    def learn(self, latency_s: float, ttft_s: float, tokens: int | None) -> None:
        """Take in one good answer; where its length is not known, it is taken to be the usual one."""
        length = max(1, tokens) if tokens is not None else self.tokens
        token_s = max(0.0, latency_s - ttft_s) / length
        self.ttft_s += (RISE if ttft_s > self.ttft_s else FALL) * (ttft_s - self.ttft_s)
        self.token_s += (RISE if token_s > self.token_s else FALL) * (token_s - self.token_s)
        self.tokens += LENGTH_ALPHA * (length - self.tokens)


class LatencyTable:
    """What is known of each (provider, model, kind). Bounded: the kinds are few, and :meth:`keep` leaves only configured services."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Service, str], LearnedLatency] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def learn(self, service: Service, kind: str, latency_s: float, ttft_s: float | None = None, tokens: int | None = None) -> None:
        """Take in a good answer that took ``latency_s``; without ``ttft_s`` no part of it is laid to its length."""
        first_s = latency_s if ttft_s is None else min(max(0.0, ttft_s), latency_s)
        for row in {kind, ANY_KIND}:
            known = self._rows.get((service, row))
            if known is not None:
                known.learn(latency_s, first_s, tokens)
                continue
            length = max(1, tokens or 1)
            self._rows[service, row] = LearnedLatency(first_s, (latency_s - first_s) / length, length)

    def of(self, service: Service, kind: str) -> LearnedLatency | None:
        """What is known of a model for a kind, else of the model at all, else ``None``."""
        return self._rows.get((service, kind)) or self._rows.get((service, ANY_KIND))

    def keep(self, services: Collection[Service]) -> None:
        """Forget everybody else: they are gone from the settings."""
        self._rows = {key: row for key, row in self._rows.items() if key[0] in services}
