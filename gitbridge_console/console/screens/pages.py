"""Screens with a page of lines: scrolling, and finding a text on it."""

from __future__ import annotations

from gitbridge_console.console.screens.base import FleetScreen
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.lines import Page


class PageScreen(FleetScreen):
    """A screen with one page that keys scroll."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = ""
        """What was looked for last."""

    @property
    def page(self) -> Page:
        """The page."""
        return self.query_one(Page)

    def plain_text(self, *, whole: bool) -> str:
        """The page as text."""
        return "\n".join(line.plain.rstrip() for line in self.page.lines) + "\n"

    def action_cursor(self, step: int) -> None:
        """Scroll by lines."""
        self.page.scroll_relative(y=step, animate=False)

    def action_page(self, direction: int) -> None:
        """Scroll by screens."""
        self.page.scroll_relative(y=direction * max(1, self.page.size.height - 2), animate=False)

    def action_edge(self, direction: int) -> None:
        """To the first or last line."""
        self.page.scroll_to(y=self.page.max_scroll_y if direction > 0 else 0, animate=False)

    def action_find(self) -> None:
        """Look for a text on the page."""
        self.bottom.ask(Question("find:", self._find, text=self.wanted))

    def _find(self, text: str) -> None:
        self.wanted = text
        self.page.wanted = text.lower()
        self.page.refresh()
        if text:
            self._go_to(int(self.page.scroll_offset.y))

    def action_find_next(self) -> None:
        """The next line it stands in, from the top again after the last."""
        if self.wanted:
            self._go_to(int(self.page.scroll_offset.y) + 1)
        else:
            self.bottom.say("/ looks for a text first", "dim")

    def _go_to(self, start: int) -> None:
        places = self.page.places()
        if not places:
            self.bottom.say(f"{self.wanted} stands nowhere here", "warn")
            return
        at = next((n for n, place in enumerate(places) if place >= start), 0)
        self.page.scroll_to(y=places[at], animate=False, immediate=True)
        self.bottom.say(f"{self.wanted}: line {places[at] + 1}, {at + 1} of {len(places)}   n next", "dim")
