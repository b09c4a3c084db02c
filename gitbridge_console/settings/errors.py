"""What is wrong with the settings, one line each."""

from __future__ import annotations

from collections.abc import Sequence


class SettingsError(Exception):
    """The settings cannot be used. Every line names where the trouble is, what it is and, where possible, the way out."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
