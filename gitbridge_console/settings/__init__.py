"""Typed settings: a TOML file, the environment, the command line; checked as a whole, swapped as a whole."""

from __future__ import annotations

from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.loading import LoadedSettings, load_settings
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.reload import SettingsWatcher, fingerprint

__all__ = ["LoadedSettings", "Settings", "SettingsError", "SettingsHolder", "SettingsWatcher", "fingerprint", "load_settings"]
