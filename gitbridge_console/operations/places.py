"""Where a process keeps its files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from gitbridge_console.settings.model import Settings


def state_dir(settings: Settings) -> Path:
    """The folder that holds the embedded store, the log and exported dead letters."""
    return Path(settings.state_dir).expanduser() if settings.state_dir else Path(platformdirs.user_state_dir("gitbridge"))


def spool_dir(settings: Settings) -> Path:
    """The folder in which a receiver keeps deliveries the store did not take yet."""
    own = settings.ingress.spool_dir
    return Path(own).expanduser() if own else state_dir(settings) / "spool"
