"""What commands share: settings and log set up, the door opened for one errand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.logs import set_up_logging
from gitbridge_console.commands.options import Options
from gitbridge_console.commands.output import say
from gitbridge_console.operations.places import state_dir
from gitbridge_console.settings.model import Settings

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations

T = TypeVar("T")


def log_path(options: Options, settings: Settings) -> Path | None:
    """The log file of this run; ``None`` where ``--log-file -`` asks for stderr."""
    if options.log_file == "-":
        return None
    return Path(options.log_file).expanduser() if options.log_file else state_dir(settings) / "gitbridge.log"


def prepare(ctx: click.Context, *, to_stderr: bool = False) -> Settings:
    """Read the settings and start the log. A log that cannot be written is said once and does not stop the command.

    Raises:
        SettingsError: the settings are wrong.
    """
    options = options_of(ctx)
    settings = options.load().settings
    path = log_path(options, settings)
    try:
        set_up_logging(settings, path, to_stderr=to_stderr or path is None)
    except OSError as error:
        say(f"no log: {path}: {error.strerror or error}")
        set_up_logging(settings, None, to_stderr=to_stderr)
    return settings


def with_operations(ctx: click.Context, errand: Callable[[Operations], Awaitable[T]]) -> T:
    """Open the store, run ``errand`` at the operator's door, close.

    Raises:
        OperationError: what the door answered instead.
        SettingsError: the settings are wrong.
    """
    from gitbridge_console.operations.session import open_session

    settings = prepare(ctx)

    async def run() -> T:
        async with open_session(settings, role="cli", engine=False, read_only=settings.read_only) as session:
            return await errand(session.operations)

    return asyncio.run(run())
