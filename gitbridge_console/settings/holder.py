"""Where the settings in force are kept: one frozen object, swapped whole."""

from __future__ import annotations

from gitbridge_console.settings.model import Settings


class SettingsHolder:
    """``holder.current`` is what holds now. Reading and swapping are atomic, from any thread."""

    def __init__(self, settings: Settings) -> None:
        self.current = settings
        self.problem: str | None = None
        """Why the newest edit of the file was not taken, ``None`` when it was."""

    def __call__(self) -> Settings:
        return self.current
