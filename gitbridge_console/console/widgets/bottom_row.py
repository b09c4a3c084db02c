"""The one permanent bottom row: hints, messages, the ``:`` prompt, the ``/`` filter and every confirmation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from gitbridge_console.console.text import clip, safe
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.widgets.line_cache import LineCache, Look, strip_of

INPUT_MAX = 300
MESSAGE_S = 6.0
HISTORY_MAX = 50
CHOICES_MAX = 8
HOLD_S = 1.0
"""Of who types, the next key comes sooner; who has read that something was refused, takes longer."""
TYPED = frozenset({"enter", "backspace", "tab"})


@dataclass(slots=True)
class Question:
    """Something typed in answer to ``label``. ``wanted``: only this text is taken. ``yes_no``: one key decides."""

    label: str
    done: Callable[[str], None]
    text: str = ""
    wanted: str = ""
    yes_no: bool = False
    required: bool = False
    complete: Sequence[str] | Callable[[str], Sequence[str]] = ()
    """What tab completes to: whole answers, or a function from what was typed to them."""
    typed: Callable[[str], None] | None = None
    """Told of every change while typing."""
    moved: Callable[[int], None] | None = None
    """Told of up and down, where there is no history."""
    dropped: Callable[[], None] | None = None
    """Told when it is given up."""
    history: list[str] | None = None
    at: int = 0


class BottomRow(Widget):
    """While something is asked the application hands every key here; focus and layout stay as they are."""

    DEFAULT_CSS = """
    BottomRow { dock: bottom; height: 1; }
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives monotonic seconds."""
        super().__init__(id="bottom")
        self._clock = clock
        self._held_until = -math.inf
        self._instead = ""
        self._hints: list[tuple[str, str, bool]] = []
        self._crumb = ""
        self._message: Cell | None = None
        self._question: Question | None = None
        self._styles_cache = LineCache(self._draw_line)

    @property
    def asking(self) -> bool:
        """Whether keys are being typed here."""
        return self._question is not None

    def set_hints(self, hints: list[tuple[str, str, bool]], crumb: str = "") -> None:
        """Keys worth knowing, what for, whether they are out of use here; and where the operator is."""
        if (hints, crumb) != (self._hints, self._crumb):
            self._hints, self._crumb = hints, crumb
            self.refresh()

    def say(self, text: str, tone: str = "") -> None:
        """Show a message for a while."""
        self._message = Cell(f" {safe(text)}", tone)
        self.set_timer(MESSAGE_S, self._forget(self._message))
        self.refresh()

    def refuse(self, text: str) -> None:
        """Say that something was not done."""
        self.say(text, "warn")
        self.hold(text)

    def hold(self, instead: str) -> None:
        """A key asked nothing this time, but did what is said ``instead``: a text typed on for its question is not taken for keys."""
        self._instead, self._held_until = instead, self._clock() + HOLD_S

    def holds(self, event: events.Key | events.Paste) -> bool:
        """Whether this belongs to such a text, and is dropped: it came right after that key, or after the last of the text."""
        typed = isinstance(event, events.Paste) or event.is_printable or event.key in TYPED
        if not typed or self._clock() >= self._held_until:
            self._held_until = -math.inf
            return False
        self._held_until = self._clock() + HOLD_S
        self.say(f"{self._instead}; what was typed since is dropped", "warn")
        return True

    def _forget(self, message: Cell) -> Callable[[], None]:
        def forget() -> None:
            if self._message is message:
                self._message = None
                self.refresh()

        return forget

    def ask(self, question: Question) -> None:
        """Ask; a question that was open before is dropped."""
        self._held_until = -math.inf
        self._question = question
        question.at = len(question.history or ())
        self.refresh()

    def drop(self) -> None:
        """Forget the open question."""
        self._question = None
        self.refresh()

    def take(self, event: events.Key) -> None:
        """Type, complete, answer or give up."""
        question = self._question
        if question is None:
            return
        if event.key in ("escape", "ctrl+c"):
            self.drop()
            if question.dropped is not None:
                question.dropped()
            else:
                self.say("not done", "dim")
        elif question.yes_no:
            self.drop()
            if event.character in ("y", "Y"):
                question.done("y")
            elif event.character in ("n", "N") or event.key == "enter":
                self.say("not done", "dim")
            else:
                self.refuse("not done")
        elif event.key == "enter":
            self._answer(question)
        else:
            before = question.text
            self._edit(question, event)
            if question.typed is not None and question.text != before:
                question.typed(question.text)
            self.refresh()

    def paste(self, text: str) -> None:
        """Pasted text is cleaned and becomes one line; it cannot answer yes."""
        if self._question is not None and not self._question.yes_no:
            self._question.text = (self._question.text + safe(text))[:INPUT_MAX]
            self.refresh()

    def _answer(self, question: Question) -> None:
        text = question.text.strip()
        if question.wanted and text != question.wanted:
            self.say(f"that is not {question.wanted}: not done", "warn")
        elif question.required and not text:
            return
        if question.history is not None and text:
            question.history.append(text)
            del question.history[:-HISTORY_MAX]
        self.drop()
        if not question.wanted or text == question.wanted:
            question.done(text)

    def _edit(self, question: Question, event: events.Key) -> None:
        history = question.history or []
        if event.key == "backspace":
            question.text = question.text[:-1]
        elif event.key == "ctrl+u":
            question.text = ""
        elif event.key in ("up", "down") and history:
            question.at = max(0, min(len(history), question.at + (-1 if event.key == "up" else 1)))
            question.text = history[question.at] if question.at < len(history) else ""
        elif event.key in ("up", "down") and question.moved is not None:
            question.moved(-1 if event.key == "up" else 1)
        elif event.key == "tab":
            question.text = _common_start(fitting(question)) or question.text
        elif event.is_printable and event.character:
            question.text = (question.text + event.character)[:INPUT_MAX]

    def render_line(self, y: int) -> Strip:
        """The row as it stands."""
        return strip_of(self, self._draw_line, y)

    def _draw_line(self, y: int, look: Look) -> list[Segment]:
        return look.palette.cut(self._line(), self.size.width, look.base)

    def _line(self) -> Line:
        question = self._question
        if question is not None:
            label = f" {safe(question.label)} "
            room = max(10, self.size.width - len(label) - 14)
            shown = question.text if len(question.text) < room else "…" + question.text[-room + 1 :]
            tail = Cell("" if question.yes_no else f"   {_choices(question) or 'esc cancel'}", "dim")
            return line(Cell(label, "accent"), Cell("" if question.yes_no else f"{shown}_", "strong"), tail)
        if self._message is not None:
            return line(self._message)
        crumb = f" {clip(self._crumb, max(20, self.size.width // 3))}  "
        return line(Cell(crumb, "dim"), *fitting_hints(self._hints, self.size.width - cell_len(crumb)))


def fitting(question: Question) -> list[str]:
    """What tab may complete the text to."""
    offered = question.complete(question.text) if callable(question.complete) else question.complete
    return [word for word in offered if word.startswith(question.text)]


def _choices(question: Question) -> str:
    """The next words that may follow, once something was typed or little can follow."""
    offered = fitting(question)
    if not offered or offered == [question.text] or (not question.text and len(offered) > CHOICES_MAX):
        return ""
    begun = question.text.rpartition(" ")[0]
    words = [word[len(begun) :].strip() for word in offered[:CHOICES_MAX]]
    return "tab: " + "  ".join(words) + ("  …" if len(offered) > CHOICES_MAX else "")


def fitting_hints(hints: Sequence[tuple[str, str, bool]], width: int) -> list[Cell]:
    """As many hints as fit whole; those out of use are grey. The last two, which lead to all others, stay longest."""
    first, last = list(hints[:-2]), list(hints[-2:])
    while first and sum(map(_hint_width, (*first, *last))) > width:
        first.pop()
    return [
        cell
        for key, word, off in (*first, *last)
        for cell in (Cell(f"{key} ", "dim" if off else "accent"), Cell(f"{word}  ", "dim" if off else ""))
    ]


def _hint_width(hint: tuple[str, str, bool]) -> int:
    return len(hint[0]) + len(hint[1]) + 3


def _common_start(words: Sequence[str]) -> str:
    if not words:
        return ""
    low, high = min(words), max(words)
    for n, char in enumerate(low):
        if n >= len(high) or high[n] != char:
            return low[:n]
    return low
