"""An operator's word on a decision: findings accepted, dismissed, joined, split and weighed anew, the verdict, what is posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gitbridge_console.consensus.strategies import CAUTION
from gitbridge_console.console.screens.pages import PageScreen
from gitbridge_console.console.views.consensus import Look, chosen, finding_name, is_named, marked
from gitbridge_console.console.views.tables import short_id
from gitbridge_console.console.widgets.bottom_row import Question
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decisions import Cluster, Decision, EditWord
from gitbridge_console.domain.event_views import ChangeReport, EventDetail
from gitbridge_console.domain.events import EventState, Kind
from gitbridge_console.operations.errors import Refused

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations


class JudgingScreen(PageScreen):
    """A screen with a decision whose findings a cursor moves over."""

    event_id = ""

    def __init__(self) -> None:
        super().__init__()
        self.event: EventDetail | None = None
        self.decision: Decision | None = None
        """The event's own, or what its panel would decide so far."""
        self.look_at = Look()

    def draw(self) -> None:
        """Show it as it stands."""
        raise AssertionError("a screen with a decision draws it")

    @property
    def findings_in_front(self) -> bool:
        """Whether the finding under the cursor is on the screen."""
        return True

    @property
    def text_to_post(self) -> str | None:
        """A text that takes the place of the one that would be posted."""
        return None

    def _judged(self) -> Decision | None:
        """The decision, if it may be judged now; says so when not."""
        if not self.may_write():
            return None
        if self.decision is None or self.look_at.preview:
            self.bottom.say("nothing is decided yet", "warn")
            return None
        return self.decision

    def _meant(self, decision: Decision) -> list[Cluster]:
        """The marked findings, else the one under the cursor; says so when there is none."""
        if not self.findings_in_front:
            self.bottom.say("this is an original answer: o goes back to the findings", "warn")
            return []
        here = chosen(decision, self.look_at)
        found = marked(decision, self.look_at) or ([here] if here is not None else [])
        if not found:
            self.bottom.say("there is no finding here", "warn")
        return found

    def action_mark(self) -> None:
        """Mark or unmark the finding under the cursor and go on to the next."""
        here = chosen(self.decision, self.look_at) if self.decision else None
        if here is not None and self.findings_in_front:
            others = frozenset(name for name in self.look_at.marked if not is_named(here, name))
            self.look_at = replace(self.look_at, marked=others if others != self.look_at.marked else others | {finding_name(here)})
            self.draw()
            self.action_cursor(1)

    def action_edit(self, word: EditWord) -> None:
        """Accept, dismiss, restore or split the findings meant, or join the marked ones."""
        decision = self._judged()
        found = self._meant(decision) if decision is not None else []
        if decision is None or not found:
            return
        if word == "join" and len(found) < 2:
            self.bottom.say("mark two or more findings with space, then J joins them", "warn")
        elif word == "split" and all(len({member["provider"] for member in cluster.members}) < 2 for cluster in found):
            self.bottom.say("one provider's finding cannot be split", "warn")
        else:
            self._edit(decision, word, found)

    def action_severity(self) -> None:
        """Ask for another severity of the findings meant."""
        decision = self._judged()
        found = self._meant(decision) if decision is not None else []
        if decision is None or not found:
            return

        def set_it(severity: str) -> None:
            if severity in SEVERITIES:
                self._edit(decision, "severity", found, severity)
            else:
                self.bottom.say(f"no severity of that name: there are {', '.join(SEVERITIES)}", "warn")

        label = f"severity of {_named(found)} ({', '.join(SEVERITIES)}):"
        self.bottom.ask(Question(label, set_it, complete=SEVERITIES, required=True))

    def _edit(self, decision: Decision, word: EditWord, found: Sequence[Cluster], value: str = "") -> None:
        names = {name for cluster in found for name in cluster.refs}

        async def edit(door: Operations) -> ChangeReport:
            # Numbers change with every edit; what the operator meant goes by the findings' names.
            now = await door.show_decision(decision.id)
            numbers = [cluster.id for cluster in now.clusters if names & set(cluster.refs)]
            if now.run != decision.run or not numbers:
                raise Refused("the event was decided anew meanwhile: look again")
            after = await door.edit_decision(now.id, word, numbers, value=value, seen=now)
            return ChangeReport(changed=len(numbers), ids=(after.event_id,))

        self.look_at = replace(self.look_at, marked=frozenset())
        self.write(edit, f"{word} {_named(found)}", about=" ".join(sorted(names)))

    def action_verdict(self) -> None:
        """Ask for another verdict, and why."""
        decision = self._judged()
        if decision is None:
            return
        known = sorted(CAUTION[Kind(decision.kind)])

        def set_it(verdict: str) -> None:
            if verdict not in known:
                self.bottom.say(f"no verdict of that name: there are {', '.join(known)}", "warn")
                return
            self.bottom.ask(
                Question(
                    f"{verdict}, why?",
                    lambda note: self.write(lambda door: door.amend(self.event_id, verdict, note), f"verdict {verdict}"),
                    required=True,
                    history=self.console.reason_history,
                )
            )

        self.bottom.ask(Question(f"verdict ({', '.join(known)}):", set_it, complete=known, required=True))

    def action_approve(self) -> None:
        """Approve and post it, after y/N."""
        if self._waits() and self.may_write():
            seen, text = self.event.decision if self.event else None, self.text_to_post
            label = f"approve {short_id(self.event_id)} and post{'' if text is None else ' the changed text'}"
            self.confirm(label, lambda: self.write(lambda door: door.approve(self.event_id, seen=seen, text=text), "approve"))

    def action_reject(self) -> None:
        """Reject it, after y/N."""
        if self._waits() and self.may_write():
            self.confirm(f"reject {short_id(self.event_id)}", lambda: self.write(lambda door: door.reject(self.event_id), "reject"))

    def _waits(self) -> bool:
        """Whether it waits for an operator, as far as is seen; says so when not."""
        if self.event is None:
            self.refuse("the event is still being read: nothing is done")
            return False
        if self.event.state != EventState.AWAITING_APPROVAL:
            self.refuse(waits_for_nobody(self.event_id, self.event.state))
            return False
        return True


def waits_for_nobody(event_id: str, state: str = "") -> str:
    """What is said where there is nothing to approve or reject."""
    return f"{short_id(event_id)} does not wait for an operator{f', it is {state}' if state else ''}: nothing is done"


def _named(found: Sequence[Cluster]) -> str:
    return f"finding {found[0].id}" if len(found) == 1 else f"{len(found)} findings"
