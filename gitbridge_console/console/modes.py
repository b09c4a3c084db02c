"""The eight screens by their mode. Only the first is imported before the first frame; the others when they are wanted, or soon after it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from textual.screen import Screen

from gitbridge_console.console.screens.lanes import PulseScreen

_LATER = {
    "queue": ("work", "QueueScreen"),
    "providers": ("providers", "ProvidersScreen"),
    "failures": ("work", "FailuresScreen"),
    "consensus": ("work", "ConsensusScreen"),
    "log": ("log", "LogScreen"),
    "fleet": ("fleet", "FleetListScreen"),
    "docs": ("docs", "DocsScreen"),
}


def _maker(mode: str) -> Callable[[], Screen[Any]]:
    def make() -> Screen[Any]:
        module, name = _LATER[mode]
        screen: Screen[Any] = getattr(import_module(f"gitbridge_console.console.screens.{module}"), name)()
        return screen

    return make


MODES: dict[str, str | Callable[[], Screen[Any]]] = {
    "pulse": PulseScreen,
    "queue": _maker("queue"),
    "providers": _maker("providers"),
    "failures": _maker("failures"),
    "consensus": _maker("consensus"),
    "log": _maker("log"),
    "fleet": _maker("fleet"),
    "docs": _maker("docs"),
}


def import_the_rest() -> None:
    """Have every screen ready, so that the first key to one of them does not wait for its module; for a thread, after the first frame."""
    for module, _ in _LATER.values():
        import_module(f"gitbridge_console.console.screens.{module}")
    import_module("gitbridge_console.console.commands")
