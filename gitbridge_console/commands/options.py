"""What the options that hold for every command add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gitbridge_console.settings.loading import LoadedSettings


@dataclass(slots=True)
class Options:
    """The global options. ``overrides`` maps dotted settings keys to what the command line says they are."""

    config: str | None = None
    log_file: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    loaded: LoadedSettings | None = None

    def reload(self) -> LoadedSettings:
        """Read the settings now.

        Raises:
            SettingsError: something in them is wrong.
        """
        from gitbridge_console.settings.loading import load_settings

        return load_settings(self.config, overrides=self.overrides)

    def load(self) -> LoadedSettings:
        """The settings of this run, read once."""
        if self.loaded is None:
            self.loaded = self.reload()
        return self.loaded
