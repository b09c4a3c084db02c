"""One event: the consensus with its findings, each original answer, then tasks, attempts, action and timeline."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from gitbridge_console.console import steering
from gitbridge_console.console.outside import NoTerminal, edit_text
from gitbridge_console.console.screens.base import bindings_for
from gitbridge_console.console.screens.judging import JudgingScreen
from gitbridge_console.console.text import safe
from gitbridge_console.console.views.consensus import Picture, chosen, finding_name, visible
from gitbridge_console.console.views.event import event_picture
from gitbridge_console.console.views.originals import answer_page, finding_page
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.bulk import Selection
from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.snapshots import FleetSnapshot

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations


def is_draft(event: EventDetail) -> bool:
    """Whether its action is what an operator is to approve."""
    return bool(event.action and event.action.get("draft"))


class EventScreen(JudgingScreen):
    """The way down from every list. In front is the consensus, one finding of it, or one provider's original answer."""

    scope = "event"
    BINDINGS = bindings_for("event")

    def __init__(self, event_id: str) -> None:
        super().__init__()
        self.event_id = event_id
        self._with_payload = False
        self._opened = False
        """Whether the finding under the cursor is open."""
        self._answer: int | None = None
        """Number of the original answer that is in front."""
        self._last_answer = 0
        self._posted: tuple[Decision | None, str] | None = None
        """The text the operator made of what would be posted, and of which decision."""
        self._places: dict[int, int] = {}
        self._drawn: tuple[object, ...] = ()
        """What the lines on the page were made from."""

    def body(self) -> ComposeResult:
        """One long page."""
        yield Page(id="page")

    def on_mount(self) -> None:
        """Keys scroll the page."""
        self.page.focus()

    def crumb(self) -> str:
        """Which event, and what of it."""
        name = safe(self.event.subject) if self.event else short_id(self.event_id)
        marks = f", {len(self.look_at.marked)} marked" if self.look_at.marked else ""
        return f"{self.console.current_mode} > {name}{marks}"

    def show(self, snapshot: FleetSnapshot) -> None:
        """Fetch it anew."""
        with_payload, text = self._with_payload, self.text_to_post

        async def fetch(door: Operations) -> tuple[EventDetail, Decision | None]:
            event = await door.show_event(self.event_id, payload=with_payload)
            if text is not None and is_draft(event):
                event = event.model_copy(update={"action": await door.draft(event.id, text=text) | {"draft": True}})
            return event, await door.preview(event)

        self.look(fetch, self._show, group="event", about=f"{with_payload} {hash(text)}")

    def _show(self, found: tuple[EventDetail, Decision | None]) -> None:
        self.event, preview = found
        self.decision = preview or self.event.decision
        self.look_at = replace(self.look_at, preview=preview is not None)
        self.draw()

    def draw(self) -> None:
        """Show what is in front, as it stands."""
        if self.event is None:
            return
        width = self.page.content_size.width
        decision = self.decision
        cluster = chosen(decision, self.look_at) if decision else None
        if cluster is not None and not self.look_at.cursor:
            self.look_at = replace(self.look_at, cursor=finding_name(cluster))
        if decision is None:
            self._opened, self._answer = False, None
        made_from = (self.event, decision, self.look_at, self._opened, self._answer, width)
        if made_from == self._drawn:
            return
        self._drawn = made_from
        if decision is not None and self._answer is not None and decision.answers:
            at = self._answer % len(decision.answers)
            picture = Picture(tuple(answer_page(decision.answers[at], f"{at + 1} of {len(decision.answers)}", width)), {})
        elif decision is not None and self._opened and cluster is not None:
            picture = Picture(tuple(finding_page(cluster, decision, width)), {})
        else:
            picture = event_picture(self.event, decision, width, self.look_at)
        self._places = picture.places
        self.page.set_lines(picture.lines)

    def _turn_to(self, *, opened: bool = False, answer: int | None = None) -> None:
        """Put something else in front, from its top."""
        self._opened, self._answer = opened, answer
        self.draw()
        self.page.scroll_to(y=0, animate=False, immediate=True)

    def step_back(self) -> bool:
        """From a finding or an answer to the consensus."""
        if not self._opened and self._answer is None:
            return False
        self._turn_to()
        self._reveal()
        return True

    @property
    def findings_in_front(self) -> bool:
        """Not while an original answer is: what is written then would be about a finding nobody sees."""
        return self._answer is None

    def _reveal(self) -> None:
        cluster = chosen(self.decision, self.look_at) if self.decision else None
        if cluster is not None and cluster.id in self._places:
            first = self._places[cluster.id]
            later = [at for at in self._places.values() if at > first]
            self.page.reveal(first, min(later, default=first + 2) - 1)

    def action_cursor(self, step: int) -> None:
        """From finding to finding while the one under the cursor is in sight; beyond them, and elsewhere, by lines."""
        rows = visible(self.decision, self.look_at) if self.decision and self._places else []
        here = chosen(self.decision, self.look_at) if self.decision else None
        at = next((n for n, cluster in enumerate(rows) if here is not None and cluster.id == here.id), None)
        if at is None or not 0 <= at + step < len(rows) or not self.page.shows(self._places[rows[at].id]):
            super().action_cursor(step)
            return
        self.look_at = replace(self.look_at, cursor=finding_name(rows[at + step]))
        self.draw()
        self._reveal()

    def action_open(self) -> None:
        """Open the finding under the cursor, or close it."""
        cluster = chosen(self.decision, self.look_at) if self.decision else None
        if self.step_back():
            return
        if cluster is None:
            self.bottom.say("there is no finding to open", "dim")
        else:
            self._turn_to(opened=True)

    def action_answer(self, step: int) -> None:
        """The next original answer; after the last the consensus."""
        count = len(self.decision.answers) if self.decision else 0
        if not count:
            self.bottom.say("there are no answers yet", "dim")
            return
        to = 0 if self._answer is None else self._answer + step
        self._last_answer = to if to < count else 0
        self._turn_to(answer=to if to < count else None)

    def action_original(self) -> None:
        """Between the consensus and the original answer looked at last."""
        if self._answer is not None:
            self._turn_to()
        elif self.decision and self.decision.answers:
            self._turn_to(answer=self._last_answer % len(self.decision.answers))
        else:
            self.bottom.say("there are no answers yet", "dim")

    def action_fold(self) -> None:
        """Show or hide what is unconfirmed or unsupported."""
        self.look_at = replace(self.look_at, unfolded=not self.look_at.unfolded)
        self.draw()

    def action_payload(self) -> None:
        """Show or hide the payload."""
        self._with_payload = not self._with_payload
        self.console.paint()

    @property
    def text_to_post(self) -> str | None:
        """What the operator made of the text; only for the decision it was made of."""
        seen = self.event.decision if self.event is not None else None
        return self._posted[1] if self._posted is not None and self._posted[0] == seen else None

    def action_editor(self) -> None:
        """In the operator's editor: what would be posted, while that awaits approval; else the payload."""

        def edit(event: EventDetail) -> None:
            if is_draft(event):
                self._edit_draft(event)
                return
            changed = self._edited(event.payload_text or "", ".json", "the payload is as it was")
            if changed is not None and self.may_write():
                self._hand_in(changed.encode())

        self.fetch(lambda door: door.show_event(self.event_id, payload=True), edit, group="editor")

    def _edited(self, text: str, suffix: str, unchanged: str) -> str | None:
        """A text as the operator changed it; ``None`` where it is as before, or could not be edited, which is said."""
        try:
            changed = edit_text(self.console, text, suffix)
        except NoTerminal as error:
            self.bottom.say(str(error), "warn")
            return None
        self.console.action_redraw()
        if changed is None:
            self.bottom.say(unchanged, "dim")
        return changed

    def _edit_draft(self, event: EventDetail) -> None:
        # Late, for the first frame must not wait for what it imports.
        from gitbridge_console.operations.drafts import text_in

        text = self.text_to_post or text_in(event.action or {})
        if not text:
            self.bottom.say("there is no text to edit in what would be posted", "dim")
            return
        if not self.may_write() or (changed := self._edited(text, ".md", "the text is as it was")) is None:
            return

        def keep(draft: dict[str, Any]) -> None:
            self._posted = (event.decision, changed)
            self._show((event.model_copy(update={"action": draft | {"draft": True}}), None))
            self.bottom.say("changed: O approves and posts it so, e changes it again", "accent")

        # What cannot be posted is said now, not when it is approved.
        self.fetch(lambda door: door.draft(event.id, text=changed), keep, group="draft")

    def _hand_in(self, payload: bytes) -> None:
        def write(why: str) -> None:
            self.write(lambda door: door.replay_edited(self.event_id, payload, why), "hand in edited")

        label = f"hand the changed payload ({len(payload):,} bytes) in as a new event, why?"
        self.bottom.ask(Question(label, write, required=True, history=self.console.reason_history))

    def action_hand_in(self) -> None:
        """Hand it in again as a new event: who is asked, with which priority and prompt, and why."""
        event = self.event
        if event is not None and self.may_write():
            self.fetch(lambda door: door.prompt_versions(event.kind), lambda versions: self._ask_anew(event, versions), group="prompts")

    def _ask_anew(self, event: EventDetail, versions: tuple[str, ...]) -> None:
        """``versions`` of its kind's prompt, the one that is asked now first."""
        providers = list(self.console.snapshot.providers) if self.console.snapshot is not None else []
        panel = ",".join(dict.fromkeys(task.seat for task in event.tasks if task.seat in providers))

        def with_panel(names: str) -> None:
            seats = [] if names == panel else names.split(",")
            words = [priority.label for priority in Priority]
            ask = Question("with the priority:", lambda word: with_priority(seats, word), text=event.priority, complete=words)
            self.bottom.ask(ask)

        def with_priority(seats: list[str], word: str) -> None:
            try:
                to = None if word in ("", event.priority) else Priority.parse(word)
            except ValueError as error:
                self.bottom.say(str(error), "warn")
                return
            if len(versions) < 2:
                with_prompt(seats, to, "")
                return
            ask = Question("with the prompt:", lambda word: with_prompt(seats, to, word), text=versions[0], complete=list(versions))
            self.bottom.ask(ask)

        def with_prompt(seats: list[str], to: Priority | None, version: str) -> None:
            prompt = "" if version in versions[:1] else version
            if not seats and to is None and not prompt:
                self.bottom.say("nothing is changed: R replays it", "dim")
                return
            self.bottom.ask(Question("hand it in anew, why?", lambda why: write(seats, to, prompt, why), required=True))

        def write(seats: list[str], to: Priority | None, prompt: str, why: str) -> None:
            self.write(lambda door: door.replay_edited(event.id, None, why, panel=seats, priority=to, prompt=prompt), "hand in anew")

        self.bottom.ask(Question("ask (providers, apart by commas):", with_panel, text=panel, complete=providers))

    def events_here(self) -> list[str]:
        """This one."""
        return [self.event_id]

    def priorities_here(self) -> dict[str, str]:
        """Its own."""
        return {self.event_id: self.event.priority} if self.event is not None else {}

    def action_replay(self) -> None:
        """Replay it, after y/N."""
        if self.may_write():
            steering.replay(self, Selection(ids=(self.event_id,)), self.console.snapshot)

    def action_cancel(self) -> None:
        """Cancel it, after y/N."""
        if self.may_write():
            steering.cancel(self, Selection(ids=(self.event_id,)))

    def action_priority(self, step: int) -> None:
        """One class up or down."""
        if self.event is not None and self.may_write():
            to = steering.next_priority(self.event.priority, step)
            if to is None:
                self.bottom.say(f"{self.event.priority} is the {'highest' if step < 0 else 'lowest'} priority", "dim")
            else:
                steering.set_priority(self, self.priorities_here(), to)

    def action_priority_set(self) -> None:
        """Set the class by name."""
        if self.may_write():
            steering.ask_priority(self, self.priorities_here() or {self.event_id: ""})
