"""One provider: latency, errors, breaker, limits, cost, what it was asked lately, and why it was chosen or not."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult

from gitbridge_console.console import steering
from gitbridge_console.console.screens.base import FleetScreen, bindings_for
from gitbridge_console.console.screens.lanes import Charts
from gitbridge_console.console.screens.pages import PageScreen
from gitbridge_console.console.spans import words_of
from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import line, wrap
from gitbridge_console.console.views.charts import error_lines, latency_lines
from gitbridge_console.console.views.provider import provider_detail
from gitbridge_console.console.views.story import story_lines
from gitbridge_console.console.widgets.chart import Chart
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.history import ProviderStory
from gitbridge_console.domain.snapshots import FleetSnapshot

LABELS = 14
"""Columns of the words in front of what they stand for; what is wrapped goes on behind them."""


class ProviderScreen(PageScreen):
    """The way down from the providers; tab goes on to the next one."""

    scope = "provider"
    BINDINGS = bindings_for("provider")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.provider = name
        self._story: ProviderStory | None = None
        self._story_of = ""

    def body(self) -> ComposeResult:
        """Charts where there is room, and the page."""
        with Charts(id="charts"):
            yield Chart(id="chart0", classes="chart")
            yield Chart(id="chart1", classes="chart")
        yield Page(id="page")

    def on_mount(self) -> None:
        """Keys scroll it."""
        self.page.focus()

    def crumb(self) -> str:
        """Which one."""
        return f"{self.console.current_mode} > {safe(self.provider)}"

    def show(self, snapshot: FleetSnapshot) -> None:
        """All that is known."""
        if self.provider not in snapshot.providers:
            return
        name = self.provider
        self.look(lambda door: door.provider_story(name), self._tell, group="story", about=name)
        history = self.console.look_back(self)
        # How long each answer took and why calls failed is in the fleet's own history only, from its first minute.
        whole = self.console.history or history
        past, told_by = history.providers.get(name), whole.providers.get(name)
        if past is not None and told_by is not None:
            latency, errors = self.query(Chart)
            latency.set_view(f"{safe(name)} ms", latency_lines(safe(name), past), f"-{words_of(history.span_s)}")
            errors.set_view("failed calls by class", error_lines(told_by), f"-{words_of(whole.span_s)}")
        page = self.page
        detail = provider_detail(name, snapshot.providers[name], snapshot.lanes.get(name))
        told = self._story if self._story_of == name else None
        rest = story_lines(told, told_by, page.content_size.width, span=words_of(whole.span_s), ascii_mode=self.console.ascii_mode)
        page.set_lines([part for row in (*detail, line(""), *rest) for part in wrap(row, page.content_size.width, LABELS)])

    def _tell(self, story: ProviderStory) -> None:
        self._story, self._story_of = story, self.provider

    def lane_here(self) -> str | None:
        """This one."""
        return self.provider

    def action_next(self) -> None:
        """The next provider, from the first again after the last."""
        names = list(self.console.snapshot.providers) if self.console.snapshot is not None else []
        if self.provider in names:
            self.provider = names[(names.index(self.provider) + 1) % len(names)]
            self.page.scroll_to(y=0, animate=False)
            self.console.paint()

    def action_check(self) -> None:
        """Ask it for its list of models, now."""
        self.check_provider(self.provider)

    def action_pause(self) -> None:
        """Pause or resume it."""
        self._steer(steering.pause_or_resume)

    def action_failover(self) -> None:
        """Move what waits for it to another one."""
        self._steer(steering.failover)

    def action_failback(self) -> None:
        """Plan to bring back what was moved away from it."""
        self._steer(steering.failback)

    def action_drain(self) -> None:
        """Drain it, or end that."""
        self._steer(steering.drain)

    def action_breaker(self) -> None:
        """Hold its breaker open, or reset what is held against it."""
        self._steer(steering.breaker)

    def _steer(self, act: Callable[[FleetScreen, str, FleetSnapshot], None]) -> None:
        if self.console.snapshot is not None and self.may_write():
            act(self, self.provider, self.console.snapshot)
