"""What the settings about operators mean: who may do what, and what they are told."""

from __future__ import annotations

OPERATOR_NOTES: dict[str, dict[str, str]] = {
    "alerts": {
        "queue_fill": "Share of queue.max_waiting, from 0 to 1",
        "oldest_age_s": "Age of the oldest job of a lane, in seconds",
        "error_rate": "Share of failed calls of a provider in 15 minutes, from 0 to 1",
        "clear_share": "Share of these thresholds under which a condition is over, from 0 to 1",
        "open_after_s": "How long a condition must last before anybody is told, in seconds",
        "close_after_s": "How long it must be gone before it counts as over, in seconds",
        "interval_s": "Least time between two messages about one condition, in seconds",
        "repeat_s": "After how many seconds a condition nobody acknowledged is told again; 0: never",
        "least_level": "The least level that is told outside the terminal: warning or critical",
        "command": "Program and arguments, run without a shell for each message, which it gets as JSON on stdin; empty: none",
        "command_timeout_s": "Longest run of that program, in seconds",
        "tries_max": "How often a message is tried for one receiver before it is given up",
        "retry_base_s": "Wait before the second try, in seconds; doubled for each further one",
        "retry_cap_s": "Longest wait between two tries, in seconds",
        "check_every_s": "Seconds between two looks of the engine that delivers for the fleet",
        "webhooks": "Receivers over HTTP by name, each a table `alerts.webhooks.NAME`; see `docs alerts`",
    },
    "alerts.webhooks.NAME": {
        "url": "Its address, https unless it is this host",
        "url_env": "Environment variable that holds the address, where the address is a secret",
        "format": "Shape of the body: plain, slack or pagerduty",
        "secret_env": "Environment variable that holds the secret messages are signed with; empty: unsigned",
        "routing_key_env": "Environment variable that holds PagerDuty's integration key",
        "timeout_s": "Longest wait for its answer, in seconds",
    },
    "roles": {
        "admin": "May do everything",
        "operator": "May steer, replay, cancel and judge; may not destroy for good",
        "viewer": "May look",
        "default": "The role of whoever no list names; not set: admin while all lists are empty, else viewer",
    },
}
