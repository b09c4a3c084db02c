"""The version of the question that an operator chose for one event, as it travels with the event."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptChoice:
    """Of which kind the question is, the version's name and its text (none of the shipped one).

    The text goes along: an engine asks what was chosen, whatever its own settings say by then.
    """

    kind: str
    version: str
    text: str = ""

    @property
    def line(self) -> str:
        """As it is stored."""
        return f"{self.kind} {self.version}\n{self.text}"

    @classmethod
    def read(cls, stored: str) -> PromptChoice | None:
        """Inverse of :attr:`line`; ``None`` where nothing was chosen."""
        head, _, text = stored.partition("\n")
        kind, _, version = head.partition(" ")
        return cls(kind, version, text) if version else None
