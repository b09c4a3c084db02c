"""What the three wire formats have in common once events arrive: collecting text, usage and how the answer ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from gitbridge_console.domain.failures import FailureClass
from gitbridge_console.providers.errors import AnswerTooLarge

MAX_ANSWER_CHARS = 4_000_000
LONGEST_WORD = 100
TICKS_PER_USD = 10_000_000_000
"""xAI states the exact price of a call in ticks of 1e-10 USD."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a stream that came to its end is no usable answer."""

    cls: FailureClass
    message: str
    code: str | None = None


class Collector(ABC):
    """Base of the collectors: one per answer, fed with every event.

    ``started`` turns true with the first sign of generated output (reasoning included), ``progress`` counts events that
    are more than a sign of life, ``done`` says that the service has closed its answer.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.started = False
        self.progress = 0
        self.done = False
        self.model = ""
        self.stop_reason = ""
        self.refusal: list[str] = []
        self.input_tokens: int | None = None
        self.output_tokens: int | None = None
        self.cached_tokens: int | None = None
        self.exact_cost_usd: float | None = None

    @abstractmethod
    def feed(self, event: dict[str, Any]) -> None:
        """Take one event.

        Raises:
            EventError: it reports an error.
            AnswerTooLarge: the answer is larger than ``MAX_ANSWER_CHARS``.
        """

    def text(self) -> str:
        """The answer so far."""
        return mended("".join(self.parts))

    def ending(self) -> Ending | None:
        """Why the answer cannot be used although the stream ended properly, or ``None`` where it can."""
        if self.refusal:
            reason = mended("".join(self.refusal)).strip()
            return Ending(FailureClass.POLICY, f"the service refused to answer{': ' + reason if reason else ''}", "refusal")
        if not self.stop_reason:
            return Ending(FailureClass.BROKEN_STREAM, "the stream ended before the answer was complete")
        return self.ending_of_reason(self.stop_reason) or self._emptiness()

    @abstractmethod
    def ending_of_reason(self, reason: str) -> Ending | None:
        """What this service's stop reason means, where it is not good."""

    def add_text(self, text: object) -> None:
        """Add a piece of the answer."""
        if isinstance(text, str) and text:
            self.size += len(text)
            if self.size > MAX_ANSWER_CHARS:
                raise AnswerTooLarge(f"the answer is longer than {MAX_ANSWER_CHARS} characters")
            self.parts.append(text)

    def add_refusal(self, text: object) -> None:
        """Add a piece of a refusal."""
        if isinstance(text, str) and len(self.refusal) < LONGEST_WORD:
            self.refusal.append(text)

    def note_model(self, model: object) -> None:
        """Remember which model answers."""
        if isinstance(model, str) and model:
            self.model = model[:LONGEST_WORD]

    def note_ticks(self, usage: dict[str, Any]) -> None:
        """Remember the exact price, where the service tells it."""
        ticks = usage.get("cost_in_usd_ticks")
        if isinstance(ticks, int | float) and not isinstance(ticks, bool) and 0 <= ticks < 1e16:
            self.exact_cost_usd = ticks / TICKS_PER_USD

    def _emptiness(self) -> Ending | None:
        if any(part.strip() for part in self.parts):
            return None
        return Ending(FailureClass.INVALID_OUTPUT, f"the answer is empty (the service stopped with {self.stop_reason!r})")


def cut_off(reason: str) -> Ending:
    """The answer hit the limit on its length."""
    text = "the answer was cut off at the limit on output tokens; raise max_output_tokens of this provider"
    return Ending(FailureClass.INVALID_OUTPUT, text, reason)


def table(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def count(value: object) -> int | None:
    """A token count, or ``None`` for anything that is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12 else None


def mended(text: str) -> str:
    """The text with halves of surrogate pairs joined, or replaced where they have no other half."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
