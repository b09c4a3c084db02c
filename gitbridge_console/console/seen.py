"""What this console has seen itself, picture by picture: charts of the first minutes, before the fleet has kept enough of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitbridge_console.domain.history import History, ProviderHistory, Series
    from gitbridge_console.domain.snapshots import FleetSnapshot


POINTS_MAX = 300


class Seen:
    """The last pictures, as far as charts need them."""

    def __init__(self) -> None:
        self._pictures: deque[FleetSnapshot] = deque(maxlen=POINTS_MAX)

    def __len__(self) -> int:
        return len(self._pictures)

    def add(self, snapshot: FleetSnapshot) -> None:
        """Another picture; of old ones the log is dropped."""
        self._pictures.append(snapshot.model_copy(update={"log": (), "alerts": (), "engines": ()}))

    def history(self, step_s: float) -> History:
        """As the fleet would tell it, a step for each picture; rates of calls are those of the last 15 minutes."""
        from gitbridge_console.domain.history import FleetHistory, History

        newest = self._pictures[-1] if self._pictures else None
        names = list(newest.providers) if newest else []
        lanes = list(newest.lanes) if newest else []
        step = max(1, round(step_s))
        return History(
            span_s=round(len(self._pictures) * step_s),
            step_s=step,
            fleet=FleetHistory(
                received=self._each(lambda p: step * p.rates.get("in_per_s", 0.0)),
                finished=self._each(lambda p: step * p.rates.get("out_per_s", 0.0)),
                routing_p95_ms=self._each(lambda p: p.routing_latency_ms.p95),
                queue_p95_ms=self._each(lambda p: p.queue_latency_ms.p95),
                depth={lane: self._depth(lane) for lane in lanes},
            ),
            providers={name: self._provider(name) for name in names},
        )

    def _each(self, value: Callable[[FleetSnapshot], float | None]) -> Series:
        return tuple(value(picture) for picture in self._pictures)

    def _depth(self, lane: str) -> Series:
        found = (picture.lanes.get(lane) for picture in self._pictures)
        return tuple(None if status is None else status.depth + status.waiting + status.leased + status.held for status in found)

    def _provider(self, name: str) -> ProviderHistory:
        from gitbridge_console.domain.history import ProviderHistory

        found = [picture.providers.get(name) for picture in self._pictures]
        return ProviderHistory(
            calls=tuple(None if p is None else p.calls.get("15m", 0) for p in found),
            failed=tuple(None if p is None else p.errors.rate * p.calls.get("15m", 0) for p in found),
            p50_ms=tuple(None if p is None else p.latency_ms.p50 for p in found),
            p95_ms=tuple(None if p is None else p.latency_ms.p95 for p in found),
        )
