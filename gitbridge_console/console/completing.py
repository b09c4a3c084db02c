"""What tab completes to: names the fleet knows, and the words of a filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitbridge_console.console.spans import SPANS
from gitbridge_console.domain.events import STAGE_LANES, EventState, Kind, Priority
from gitbridge_console.domain.filters import KEYS

if TYPE_CHECKING:
    from gitbridge_console.console.screens.base import FleetScreen


def known_words(screen: FleetScreen, what: str, last: str) -> Sequence[str]:
    """Words of a sort."""
    snapshot = screen.console.snapshot
    providers = list(snapshot.providers) if snapshot else []
    return {
        "provider": providers,
        "lane": [*providers, *STAGE_LANES],
        "priority": [priority.label for priority in Priority],
        "breaker": ["open", "close", "reset"],
        "theme": screen.console.theming.names,
        "topic": screen.console.topics(),
        "span": list(SPANS),
        "filter": filter_words(last, providers),
    }[what]


def filter_words(last: str, providers: Sequence[str]) -> list[str]:
    """What may follow in a filter: its keys, then the values of the key that was begun."""
    values = {"state": [state.value for state in EventState], "kind": [kind.value for kind in Kind], "provider": list(providers)}
    key, equals, _ = last.partition("=")
    return [f"{key}={value}" for value in values.get(key, [])] if equals else [f"{name}=" for name in KEYS]
