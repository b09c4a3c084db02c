"""Makes styles once and the first picture once. The only place that knows from the inside when Textual makes them again.

It parses the style sheet anew when a theme is put on before the first frame, and whenever a mode is entered for the first time, twice;
a screen that comes up is styled for no size, then for its own, and again because it is in front; and what is drawn while updates are
held back is thrown away. Together that was a third of a start. ``tests/console/test_styled_once.py`` counts.
"""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.events import ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.theme import Theme
from textual.widget import AwaitMount


class StyledOnce(App[int]):
    """An application whose styles are made again only for another theme or another size."""

    def open_in(self, theme: Theme) -> None:
        """Put a theme on before it runs, when nothing was drawn with another."""
        self.register_theme(theme)
        self.set_reactive(App.theme, theme.name)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())
        others = {name: False for name in self.classes if name.startswith("-theme-")}
        modes = {"-dark-mode": theme.dark, "-light-mode": not theme.dark}
        self.update_classes(others | {f"-theme-{theme.name}": True} | modes, update=False)

    def _get_screen(self, screen: Screen[Any] | str) -> tuple[Screen[Any], AwaitMount]:
        if isinstance(screen, StyledOnceScreen) and not screen.is_running:
            screen.size_is(self.size)
        found, mounted = super()._get_screen(screen)
        if found._css_update_count < 0:
            found._css_update_count = self._css_update_count
        return found, mounted


class StyledOnceScreen(Screen[None]):
    """A screen that knows its size before it is styled."""

    def __init__(self) -> None:
        super().__init__()
        self._is_new = True

    def size_is(self, size: Size) -> None:
        """Take the classes of that size."""
        for room, breakpoints in ((size.width, self.HORIZONTAL_BREAKPOINTS), (size.height, self.VERTICAL_BREAKPOINTS)):
            for name in self._get_breakpoint_classes(room, breakpoints or []):
                self.set_class(True, name, update=False)

    def _on_screen_resume(self, event: ScreenResume) -> None:
        """Goes before Textual's own handler."""
        event.refresh_styles = not self._is_new
        self._is_new = False

    def _compositor_refresh(self) -> None:
        if self.app._batch_count:
            return
        whole = self.size.region in self._compositor._dirty_regions
        super()._compositor_refresh()
        if whole:
            self._repaint_required = False
