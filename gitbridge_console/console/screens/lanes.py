"""Pulse and Providers: lanes, their health, and holding them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Horizontal

from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.listing import TableScreen
from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Row, line
from gitbridge_console.console.views.fleet import (
    LANE_COLUMNS,
    PROVIDER_COLUMNS,
    alert_lines,
    count_lines,
    first_run_lines,
    lane_rows,
    log_lines,
    provider_rows,
    trends,
)
from gitbridge_console.console.views.provider import provider_detail
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.chart import Chart
from gitbridge_console.console.widgets.lines import Lines, Page
from gitbridge_console.console.widgets.row_table import RowTable
from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.snapshots import BreakerWord, FleetSnapshot

TALL = 32
"""Lines from which there is room for more than the most urgent; as in the style sheet."""


class LaneScreen(TableScreen):
    """A table whose rows are lanes or providers, which can be paused."""

    def action_open(self) -> None:
        """From a lane to its work."""
        if self.table.current is not None:
            self.console.pending_filter = self.table.current.id
            self.app.call_later(self.console.action_mode, "queue")

    def action_pause(self) -> None:
        """Pause or resume the lane under the cursor; the last healthy provider wants its name typed."""
        row, snapshot = self.table.current, self.console.snapshot
        if row is None or snapshot is None or not self.may_write():
            return
        pause_lane(self, row.id, snapshot)


def pause_lane(screen: TableScreen, lane: str, snapshot: FleetSnapshot) -> None:
    """Ask for what a pause needs, then pause; a paused lane is resumed."""
    status = snapshot.lanes.get(lane)
    if status is not None and status.paused is not None:
        screen.write(lambda door: door.resume([lane]), f"resume {lane}")
        return
    waiting = status.depth + status.waiting if status is not None else 0
    question = Question(
        f"pause {lane} ({waiting} wait, {status.leased if status else 0} in hand), why?",
        lambda reason: screen.write(lambda door: door.pause([lane], reason), f"pause {lane}"),
        required=True,
        history=screen.console.reason_history,
    )
    confirm_for_last_healthy(screen, lane, snapshot, question, "pause it")


def confirm_for_last_healthy(
    screen: TableScreen, name: str, snapshot: FleetSnapshot, question: Question, deed: str, *, needed: bool = True
) -> None:
    """Ask the question; where it is about the last healthy provider, its name must be typed first."""
    healthy = [other for other, provider in snapshot.providers.items() if provider.state in ("ok", "slow", "limited", "half_open")]
    if needed and healthy == [name]:
        text = f"{name} is the last healthy provider. Type {name} to {deed}:"
        screen.bottom.ask(Question(text, lambda _: screen.bottom.ask(question), wanted=name))
    else:
        screen.bottom.ask(question)


class PulseScreen(LaneScreen):
    """The fleet at a glance."""

    scope = "pulse"
    BINDINGS = bindings_for("pulse")

    def make_table(self) -> RowTable:
        """Lanes."""
        return RowTable(LANE_COLUMNS, empty="no lanes yet", id="lanes")

    def body(self) -> ComposeResult:
        """Alerts, lanes, charts, counts, log."""
        yield Lines(id="alerts")
        with Horizontal(id="pulse"):
            with Container(id="left"):
                yield self.make_table()
                with Container(id="charts"):
                    yield Chart("p95 ms", id="latency")
                    yield Chart("open events", id="depth")
                    yield Chart("failed calls %", id="errors")
                yield Lines(id="first-run")
                yield Lines(id="counts")
            with Container(id="right"):
                yield Lines(id="right-title")
                yield Lines(id="log")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fill everything from one picture."""
        tall = self.size.height >= TALL
        alerts = alert_lines(snapshot, 3 if tall else 1)
        self.query_one("#alerts", Lines).set_lines(alerts)
        self.query_one("#alerts", Lines).styles.height = len(alerts) + (1 if tall else 0)
        self.set_rows(lane_rows(snapshot, ascii_mode=self.console.ascii_mode))
        self.table.styles.height = min(12, len(self.all_rows)) + 1
        first_run = first_run_lines(snapshot)
        self.query_one("#first-run", Lines).set_lines(first_run)
        self.set_class(bool(first_run), "-first-run")
        counts = count_lines(snapshot)
        self.query_one("#counts", Lines).set_lines(counts)
        self.query_one("#counts", Lines).styles.height = len(counts) + 1 if tall else 2
        self.query_one("#latency", Chart).set_series(*trends(snapshot, self.console.latency_history))
        self.query_one("#depth", Chart).set_series({"open": tuple(self.console.depth_history)})
        self.query_one("#errors", Chart).set_series({"failed": [None if v is None else 100 * v for v in self.console.error_history]})
        self.query_one("#right-title", Lines).set_lines([line(Cell("RECENT", "dim"))])
        self.query_one("#log", Lines).set_lines(log_lines(snapshot.log, 60 if tall else 4))


class ProvidersScreen(LaneScreen):
    """Providers and everything known of the one under the cursor."""

    scope = "providers"
    BINDINGS = bindings_for("providers")

    def make_table(self) -> RowTable:
        """Providers."""
        return RowTable(PROVIDER_COLUMNS, empty="no providers are configured", id="providers")

    def action_check(self) -> None:
        """Ask the provider under the cursor for its list of models, now."""
        if self.table.current is None:
            return
        name = self.table.current.id

        def tell(found: dict[str, HealthFinding]) -> None:
            finding = found[name]
            word = f"answers in {finding.ms:.0f} ms, model {finding.model.replace('_', ' ')}" if finding.ok else "is not well"
            self.bottom.say(f"{name} {word}" + (f": {safe(finding.reason)}" if finding.reason else ""), "good" if finding.ok else "bad")

        self.bottom.say(f"asking {name} ...")
        self.fetch(lambda door: door.health([name]), tell, group="check")

    def action_breaker(self) -> None:
        """Hold the breaker of the provider under the cursor open; where something is held against it already, reset that."""
        row, snapshot = self.table.current, self.console.snapshot
        if row is None or snapshot is None or not self.may_write() or (provider := snapshot.providers.get(row.id)) is None:
            return
        name = row.id
        held = provider.breaker.state != "closed" or provider.state in ("disabled", "limited")
        word: BreakerWord = "reset" if held else "open"
        ask = f"reset {name} (now {provider.state})" if held else f"hold the breaker of {name} open ({provider.in_flight} in flight)"
        confirm_for_last_healthy(
            self,
            name,
            snapshot,
            Question(
                f"{ask}, why?",
                lambda reason: self.write(lambda door: door.breaker(name, word, reason), f"breaker {word} {name}"),
                required=True,
                history=self.console.reason_history,
            ),
            "hold it open",
            needed=not held,
        )

    def body(self) -> ComposeResult:
        """Table above, detail below, and where there is room the latencies."""
        yield self.make_table()
        yield Page(id="detail")
        yield Chart("p95 ms", id="latency")

    def show(self, snapshot: FleetSnapshot) -> None:
        """Rows and the detail of the chosen one."""
        self.set_rows(provider_rows(snapshot))
        self.table.styles.height = min(12, len(self.all_rows)) + 1
        self._detail(self.table.current, snapshot)
        self.query_one("#latency", Chart).set_series(*trends(snapshot, self.console.latency_history))

    def on_row_table_moved(self) -> None:
        """Another provider, another detail."""
        if self.console.snapshot is not None:
            self._detail(self.table.current, self.console.snapshot)

    def _detail(self, row: Row | None, snapshot: FleetSnapshot) -> None:
        if row is not None and row.id in snapshot.providers:
            self.query_one("#detail", Page).set_lines(
                [line(""), *provider_detail(row.id, snapshot.providers[row.id], snapshot.lanes.get(row.id))]
            )
