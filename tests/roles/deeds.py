"""Every operation of the table of roles, as a call at the door and as words of the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.operations.operations import Operations
from tests.roles.conftest import PULL_REQUEST, Stock

Deed = Callable[[Operations, Stock], Awaitable[Any]]

DEEDS: dict[str, Deed] = {
    "submit": lambda door, stock: door.submit(IncomingEvent("new", "pull_request", PULL_REQUEST, "test")),
    "pause": lambda door, stock: door.pause(["claude"], "matrix"),
    "resume": lambda door, stock: door.resume(["claude"]),
    "drain": lambda door, stock: door.drain("grok", "matrix"),
    "failover": lambda door, stock: door.failover("grok", "chatgpt", "matrix"),
    "breaker": lambda door, stock: door.breaker("grok", "reset", "matrix"),
    "prioritize": lambda door, stock: door.prioritize([stock.waiting], Priority.HIGH, front=True),
    "cancel": lambda door, stock: door.cancel([stock.waiting], "matrix"),
    "replay": lambda door, stock: door.replay([stock.failed], "matrix"),
    "decision": lambda door, stock: door.edit_decision(stock.decided, "dismiss", [1], note="matrix"),
    "approve": lambda door, stock: door.approve(stock.decided, "matrix"),
    "reject": lambda door, stock: door.reject(stock.decided, "matrix"),
    "alerts": lambda door, stock: door.silence_alert("paused", 60, "matrix"),
    "filter": lambda door, stock: door.save_filter("night", "state=failed"),
    "quarantine retry": lambda door, stock: door.retry_quarantined(stock.quarantined, event_type="push"),
    "quarantine drop": lambda door, stock: door.drop_quarantined(stock.quarantined, "matrix"),
}

WORDS: dict[str, tuple[str, ...]] = {
    "submit": ("submit", "payload.json", "--type", "pull_request"),
    "pause": ("pause", "claude", "--reason", "matrix"),
    "resume": ("resume", "claude"),
    "drain": ("drain", "grok", "--reason", "matrix"),
    "failover": ("failover", "grok", "--to", "chatgpt", "--reason", "matrix"),
    "breaker": ("breaker", "grok", "reset", "--reason", "matrix"),
    "prioritize": ("prioritize", "1", "--to", "high"),
    "cancel": ("cancel", "1", "--reason", "matrix"),
    "replay": ("replay", "1", "--reason", "matrix"),
    "decision": ("finding", "1", "1", "dismiss"),
    "approve": ("decisions", "approve", "1"),
    "reject": ("decisions", "reject", "1"),
    "alerts": ("alerts", "silence", "paused", "--for", "1h", "--reason", "matrix"),
    "filter": ("filters", "save", "night", "state=failed"),
    "quarantine retry": ("quarantine", "retry", "1-1", "--type", "push"),
    "quarantine drop": ("quarantine", "drop", "1-1", "--reason", "matrix"),
}

NO_DEED_YET = {"undo", "bulk", "bulk flush", "flush", "backup", "restore", "reconcile"}
"""Of the table: names of families, what is only asked for on the screen, where
the deeds above are what it does, and what needs a code host."""
