"""What a receiver of alerts is sent, in the shape it knows: ours, Slack's incoming webhooks, PagerDuty's Events API v2."""

from __future__ import annotations

import json
from typing import Any, Literal

from gitbridge_console.domain.alerting import Message
from gitbridge_console.domain.timestamps import iso_from_ms

BodyFormat = Literal["plain", "slack", "pagerduty"]
SIGNS = {"open": "opened", "worse": "worse", "reminder": "still there", "close": "over", "test": "a test"}
SUMMARY_MAX = 1024
"""Longest summary PagerDuty takes."""


def plain_body(message: Message, namespace: str) -> dict[str, Any]:
    """Ours, also what a command gets on stdin."""
    return {
        "id": message.id,
        "namespace": namespace,
        "condition": message.key,
        "kind": message.kind,
        "level": message.level,
        "text": message.text,
        "at": iso_from_ms(message.at_ms),
        "since": iso_from_ms(message.since_ms),
    }


def _slack(message: Message, namespace: str) -> dict[str, Any]:
    text = f"{_head(message, namespace)}: {message.text}"
    for sign, word in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, word)  # so that no text from outside becomes a link or calls a whole channel
    return {"text": text}


def _pagerduty(message: Message, namespace: str, routing_key: str) -> dict[str, Any]:
    return {
        "routing_key": routing_key,
        "event_action": "resolve" if message.kind == "close" else "trigger",
        "dedup_key": f"gitbridge:{namespace}:{message.key}",
        "payload": {
            "summary": f"{namespace}: {message.text}"[:SUMMARY_MAX],
            "source": f"gitbridge:{namespace}",
            "severity": "critical" if message.level == "critical" else "warning",
            "timestamp": iso_from_ms(message.at_ms),
            "component": message.key.partition(":")[2] or "fleet",
            "class": message.key.partition(":")[0],
            "custom_details": plain_body(message, namespace),
        },
    }


def _head(message: Message, namespace: str) -> str:
    return f"{namespace} {message.level} {SIGNS[message.kind]} ({message.key})"


def body_of(message: Message, namespace: str, form: BodyFormat, routing_key: str = "") -> bytes:
    """The bytes to be sent."""
    documents = {
        "plain": lambda: plain_body(message, namespace),
        "slack": lambda: _slack(message, namespace),
        "pagerduty": lambda: _pagerduty(message, namespace, routing_key),
    }
    return json.dumps(documents[form](), separators=(",", ":")).encode("ascii")
