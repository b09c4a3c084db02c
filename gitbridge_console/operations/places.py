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
