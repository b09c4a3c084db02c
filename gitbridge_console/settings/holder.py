"""Where the settings in force are kept: one frozen object, swapped whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitbridge_console.settings.model import Settings


class SettingsHolder:
    """``holder.current`` is what holds now. Reading and swapping are atomic, from any thread."""

    def __init__(self, settings: Settings) -> None:
        self.current = settings
        self.problem: str | None = None
        """Why the newest edit of the file was not taken, ``None`` when it was."""

    def __call__(self) -> Settings:
        return self.current

    @property
    def known(self) -> Settings | None:
        """As ``current``; ``None`` where nobody has read them yet."""
        return self.current

    def read(self) -> None:
        """Have the settings; here they were given."""


class UnreadSettings(SettingsHolder):
    """Settings that are read by whoever needs them first, once: there is no ``current`` before :meth:`read`."""

    def __init__(self, read: Callable[[], Settings]) -> None:
        self.problem = None
        self._read = read

    @property
    def known(self) -> Settings | None:
        """As ``current``; ``None`` where nobody has read them yet."""
        return getattr(self, "current", None)

    def read(self) -> None:
        """Have the settings.

        Raises:
            SettingsError: they are wrong.
        """
        if self.known is None:
            self.current = self._read()
