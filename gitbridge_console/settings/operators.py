"""Settings about operators: who may do what, and what they are told."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from gitbridge_console.settings.table import Fraction, PositiveSeconds, Table


class AlertSettings(Table):
    """Thresholds of the alerts row."""

    queue_fill: Fraction = 0.8
    oldest_age_s: PositiveSeconds = 300.0
    error_rate: Fraction = 0.25


class RoleSettings(Table):
    """Who may do what, by names of accounts and, with ``%`` in front, of system groups. A name counts before a group."""

    admin: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    viewer: tuple[str, ...] = ()
    default: Literal["viewer", "operator", "admin"] | None = None

    @field_validator("admin", "operator", "viewer")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name.removeprefix("%").strip() or any(char.isspace() for char in name):
                raise ValueError(f"{name!r} is no name: write an account as ana, a group as %ops")
        return names
