"""One event: differences first, then tasks, attempts, answers, action, timeline."""

from __future__ import annotations

from textual.app import ComposeResult

from gitbridge_console.console.screens.base import FleetScreen, bindings_for
from gitbridge_console.console.screens.listing import ask_priority, next_priority, set_priority
from gitbridge_console.console.text import safe
from gitbridge_console.console.views.event import event_lines
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.snapshots import FleetSnapshot


class EventScreen(FleetScreen):
    """The way down from every list."""

    scope = "event"
    BINDINGS = bindings_for("event")

    def __init__(self, event_id: str) -> None:
        super().__init__()
        self.event_id = event_id
        self.event: EventDetail | None = None
        self._with_payload = False

    def body(self) -> ComposeResult:
        """One long page."""
        yield Page(id="page")

    def on_mount(self) -> None:
        """Keys scroll the page."""
        self.query_one(Page).focus()

    def crumb(self) -> str:
        """Which event."""
        return f"{self.console.current_mode} > {safe(self.event.subject) if self.event else short_id(self.event_id)}"

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch it anew."""
        with_payload = self._with_payload
        self.look(lambda door: door.show_event(self.event_id, payload=with_payload), self._show, group="event", about=str(with_payload))

    def _show(self, event: EventDetail) -> None:
        self.event = event
        self.query_one(Page).set_lines(event_lines(event, self.query_one(Page).content_size.width))

    def action_payload(self) -> None:
        """Show or hide the payload."""
        self._with_payload = not self._with_payload
        self.console.paint()

    def action_replay(self) -> None:
        """Replay it, after y/N."""
        if self.may_write():
            self.confirm(
                f"replay {short_id(self.event_id)}",
                lambda: self.write(lambda door: door.replay([self.event_id], "from the console"), "replay"),
            )

    def action_cancel(self) -> None:
        """Cancel it, after y/N."""
        if self.may_write():
            self.confirm(
                f"cancel {short_id(self.event_id)}",
                lambda: self.write(lambda door: door.cancel([self.event_id], "from the console"), "cancel"),
            )

    def action_approve(self) -> None:
        """Approve it, after y/N."""
        if self.may_write():
            self.confirm(f"approve {short_id(self.event_id)}", lambda: self.write(lambda door: door.approve(self.event_id), "approve"))

    def action_reject(self) -> None:
        """Reject it, after y/N."""
        if self.may_write():
            self.confirm(f"reject {short_id(self.event_id)}", lambda: self.write(lambda door: door.reject(self.event_id), "reject"))

    def action_priority(self, step: int) -> None:
        """One class up or down."""
        if self.event is not None and self.may_write():
            to = next_priority(self.event.priority, step)
            if to is None:
                self.bottom.say(f"{self.event.priority} is the {'highest' if step < 0 else 'lowest'} priority", "dim")
            else:
                set_priority(self, [self.event_id], to)

    def action_priority_set(self) -> None:
        """Set the class by name."""
        if self.may_write():
            ask_priority(self, [self.event_id])
