"""What the settings about operators mean: who may do what, and what they are told."""

from __future__ import annotations

OPERATOR_NOTES: dict[str, dict[str, str]] = {
    "alerts": {
        "queue_fill": "Share of queue.max_waiting, from 0 to 1",
        "oldest_age_s": "Age of the oldest job of a lane, in seconds",
        "error_rate": "Share of failed calls of a provider in 15 minutes, from 0 to 1",
    },
    "roles": {
        "admin": "May do everything",
        "operator": "May steer, replay, cancel and judge; may not destroy for good",
        "viewer": "May look",
        "default": "The role of whoever no list names; not set: admin while all lists are empty, else viewer",
    },
}
