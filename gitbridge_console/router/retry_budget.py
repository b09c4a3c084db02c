"""How much may be asked twice: a budget per provider and one over all; the clock is handed in.

Per provider as gRPC throttles retries (proposal A6): a failure costs a token, a success earns a fifth of one, and with
half of them gone nothing is repeated. Over all, repeated calls are at most a fifth of the requests of the last minute,
as Finagle's retry budget has it, with a floor so that little traffic may retry at all.
"""

from __future__ import annotations

from collections import deque

TOKENS_MAX = 10.0
TOKENS_NEEDED = TOKENS_MAX / 2
TOKENS_PER_SUCCESS = 0.2

SHARE = 0.2
FLOOR = 3
WINDOW_S = 60.0
SLICE_S = 1.0


class RetryTokens:
    """The budget of one provider."""

    def __init__(self) -> None:
        self.tokens = TOKENS_MAX

    @property
    def may_repeat(self) -> bool:
        """Whether it may be asked again for the same task, or beside another provider."""
        return self.tokens > TOKENS_NEEDED

    def succeeded(self) -> None:
        """A call went well."""
        self.tokens = min(TOKENS_MAX, self.tokens + TOKENS_PER_SUCCESS)

    def failed(self) -> None:
        """A call failed in a way that counts."""
        self.tokens = max(0.0, self.tokens - 1.0)


class RepeatCap:
    """Repeated calls against all calls of one engine, over a minute. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._slices: deque[list[float]] = deque()
        self._calls = self._repeats = 0

    def called(self, now: float) -> None:
        """A request was sent."""
        self._slice(now)[1] += 1
        self._calls += 1

    def repeated(self, now: float) -> None:
        """Leave was taken for a call that repeats another."""
        self._slice(now)[2] += 1
        self._repeats += 1

    def may_repeat(self, now: float) -> bool:
        """Whether one more fits."""
        self._forget(now)
        return self._repeats + 1 <= max(float(FLOOR), SHARE * self._calls)

    def counts(self, now: float) -> tuple[int, int]:
        """Calls and repeated calls of the last minute."""
        self._forget(now)
        return self._calls, self._repeats

    def _slice(self, now: float) -> list[float]:
        self._forget(now)
        if not self._slices or now - self._slices[-1][0] >= SLICE_S:
            self._slices.append([now, 0, 0])
        return self._slices[-1]

    def _forget(self, now: float) -> None:
        while self._slices and now - self._slices[0][0] >= WINDOW_S:
            _, calls, repeats = self._slices.popleft()
            self._calls -= int(calls)
            self._repeats -= int(repeats)
