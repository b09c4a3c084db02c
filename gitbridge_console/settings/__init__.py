"""Typed settings: a TOML file, the environment, the command line; checked as a whole, swapped as a whole."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitbridge_console.settings.errors import SettingsError
    from gitbridge_console.settings.holder import SettingsHolder
    from gitbridge_console.settings.loading import LoadedSettings, load_settings
    from gitbridge_console.settings.model import Settings
    from gitbridge_console.settings.reload import SettingsWatcher, fingerprint

__all__ = ["LoadedSettings", "Settings", "SettingsError", "SettingsHolder", "SettingsWatcher", "fingerprint", "load_settings"]

_PLACES = {
    "LoadedSettings": "loading",
    "Settings": "model",
    "SettingsError": "errors",
    "SettingsHolder": "holder",
    "SettingsWatcher": "reload",
    "fingerprint": "reload",
    "load_settings": "loading",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: the models cost 0.2 s, and the console's first frame is drawn before them."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
