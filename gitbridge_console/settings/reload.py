"""Hot reload: an edited file takes hold within seconds, a bad edit changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.loading import LoadedSettings
from gitbridge_console.settings.model import Settings

logger = logging.getLogger(__name__)

INTERVAL_S = 2.0
FIXED = ("namespace", "state_dir", "redis")
"""What a running process keeps until it is started again: where its store is."""
NEEDS_RESTART = (*FIXED, "legacy", "ingress", "queue", "retention")
"""What is (at least in part) read once at the start; an edit is taken, and the log says so."""

_LOCAL = {"namespace", "state_dir", "redis", "legacy", "log_level", "read_only", "console", "roles"}
"""What may differ between processes of one fleet without being drift; also where a URL may hold a password."""
_LOCAL_IN_PROVIDERS = {"api_key_env", "api_key_file", "base_url"}

Stamp = tuple[tuple[int, int, int] | None, ...]


def fingerprint(settings: Settings) -> str:
    """Twelve hex digits that are equal where two processes route, decide and act alike. Nothing secret goes in."""
    tree = settings.model_dump(mode="json", exclude=_LOCAL)
    for provider in tree["providers"].values():
        for key in _LOCAL_IN_PROVIDERS:
            provider.pop(key, None)
    text = json.dumps(tree, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class SettingsWatcher:
    """Looks at the files every ``interval_s`` and swaps the holder's settings when they were edited."""

    def __init__(
        self,
        holder: SettingsHolder,
        files: Sequence[Path],
        load: Callable[[], LoadedSettings],
        *,
        interval_s: float = INTERVAL_S,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_problem: Callable[[str], None] | None = None,
        on_change: Callable[[Settings], None] | None = None,
    ) -> None:
        self._holder = holder
        self._files = tuple(files)
        self._load = load
        self._interval_s = interval_s
        self._sleep = sleep
        self._on_problem = on_problem
        self._on_change = on_change
        self._seen = self._stamp()

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._sleep(self._interval_s)
            self.check()

    def check(self) -> bool:
        """Look once; true when new settings were taken over."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        try:
            loaded = self._load()
        except SettingsError as error:
            self._refuse(error)
            return False
        return self._take(loaded.settings)

    def _take(self, new: Settings) -> bool:
        old = self._holder.current
        self._holder.problem = None
        kept = new.model_copy(update={key: getattr(old, key) for key in FIXED})
        waiting = [key for key in NEEDS_RESTART if getattr(new, key) != getattr(old, key)]
        if waiting:
            logger.warning("settings: an edit of %s takes hold fully when the process is started again", ", ".join(waiting))
        if kept == old:
            return False
        self._holder.current = kept
        logger.info("settings: read again, now %s", fingerprint(kept))
        if self._on_change is not None:
            self._on_change(kept)
        return True

    def _refuse(self, error: SettingsError) -> None:
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        problem = f"{error.problems[0]}{more}; the settings from before still hold"
        self._holder.problem = problem
        logger.error("settings: %s", problem)
        if self._on_problem is not None:
            self._on_problem(problem)

    def _stamp(self) -> Stamp:
        return tuple(_stamp(path) for path in self._files)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
