"""Where the log goes while nobody knows yet where it goes."""

from __future__ import annotations

import logging
from collections import deque

HELD_MAX = 200


class HeldLog(logging.Handler):
    """Keeps at most :data:`HELD_MAX` records, until :func:`~gitbridge_console.commands.logs.set_up_logging` passes them on."""

    ours = True

    def __init__(self) -> None:
        super().__init__()
        self.records: deque[logging.LogRecord] = deque(maxlen=HELD_MAX)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it; the oldest goes first."""
        self.records.append(record)


def hold_log() -> None:
    """From now on nothing is written to stderr for want of a log: it is held."""
    logging.getLogger().addHandler(HeldLog())
