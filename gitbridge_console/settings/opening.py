"""The few settings the first frame is drawn with, read without the models; everything is checked as a whole right after it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gitbridge_console.settings.files import candidate_files, read_file

PREFIX = "GITBRIDGE_"
SECONDS_MAX = 7 * 86_400
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class OpeningConsole(NamedTuple):
    """As :class:`~gitbridge_console.settings.model.ConsoleSettings`, with its defaults."""

    theme: str = "gitbridge-dark"
    mouse: bool = False
    ascii: bool = False


class OpeningQueue(NamedTuple):
    """As :class:`~gitbridge_console.settings.model.QueueSettings`."""

    drain_s: float = 20.0


class Opening(NamedTuple):
    """What the first frame needs. A value of the wrong kind is left at its default here and refused by the check that follows."""

    console: OpeningConsole = OpeningConsole()
    queue: OpeningQueue = OpeningQueue()


def opening_settings(
    config: Path | str | None = None, env: Mapping[str, str] | None = None, overrides: Mapping[str, Any] | None = None
) -> Opening:
    """Read the same layers as :func:`~gitbridge_console.settings.loading.load_settings`, but only these keys of them.

    Raises:
        SettingsError: a file cannot be read, or is not TOML.
    """
    env = os.environ if env is None else env
    asked = Path(config).expanduser() if config is not None else None
    found: dict[str, Any] = {}
    for path in dict.fromkeys(candidate_files(asked, env)):
        if path == asked or path.is_file():
            tree = read_file(path)
            for table in ("console", "queue"):
                if isinstance(values := tree.get(table), dict):
                    found |= {f"{table}.{key}": value for key, value in values.items()}
    found |= dict(_variables(env))
    found |= overrides or {}
    return Opening(
        OpeningConsole(
            theme=_text(found.get("console.theme"), OpeningConsole().theme),
            mouse=_switch(found.get("console.mouse")),
            ascii=_switch(found.get("console.ascii")),
        ),
        OpeningQueue(_seconds(found.get("queue.drain_s"), 20.0)),
    )


def _variables(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in env.items():
        if name.startswith(PREFIX) and value:
            yield name.removeprefix(PREFIX).lower().replace("__", "."), value


def _text(value: object, usual: str) -> str:
    return value if isinstance(value, str) else usual


def _switch(value: object) -> bool:
    return value if isinstance(value, bool) else _SWITCH.get(value.lower(), False) if isinstance(value, str) else False


def _seconds(value: object, usual: float) -> float:
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else usual
    except ValueError:
        return usual
    return seconds if 0 < seconds <= SECONDS_MAX else usual
