"""Frozen views of alerts: what ``alerts --json`` prints."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gitbridge_console.domain.snapshots import Alert, View


class AlertTarget(View):
    """A receiver of alerts outside the terminal, and how it took what it was sent."""

    name: str
    waiting: int = 0
    delivered: int = 0
    given_up: int = 0
    last_ok: str | None = None
    last_error: str = ""


class AlertsReport(View):
    """``alerts --json``: what is wrong, since when people were told of it, what is silenced, and the receivers."""

    alerts: tuple[Alert, ...] = ()
    told: dict[str, str] = Field(default_factory=dict)
    silences: dict[str, dict[str, Any]] = Field(default_factory=dict)
    targets: tuple[AlertTarget, ...] = ()
