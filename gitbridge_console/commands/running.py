"""What commands share: settings and log set up, the door opened for one errand."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

import click

from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.logs import set_up_logging
from gitbridge_console.commands.options import Options
from gitbridge_console.commands.output import say
from gitbridge_console.operations.places import state_dir

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations
    from gitbridge_console.settings.model import Settings

T = TypeVar("T")


def log_path(options: Options, settings: Settings) -> Path | None:
    """The log file of this run; ``None`` where ``--log-file -`` asks for stderr."""
    if options.log_file == "-":
        return None
    return Path(options.log_file).expanduser() if options.log_file else state_dir(settings) / "gitbridge.log"


def prepare(ctx: click.Context, *, to_stderr: bool = False, tell: Callable[[str], None] = say) -> Settings:
    """Read the settings and start the log. A log that cannot be written is told once and does not stop the command.

    Raises:
        SettingsError: the settings are wrong.
    """
    options = options_of(ctx)
    settings = options.load().settings
    path = log_path(options, settings)
    try:
        set_up_logging(settings, path, to_stderr=to_stderr or path is None)
    except OSError as error:
        tell(f"no log: {path}: {error.strerror or error}")
        set_up_logging(settings, None, to_stderr=to_stderr)
    return settings


@contextmanager
def as_interrupt() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP do what Ctrl-C does, so that whoever is the last user of an embedded server shuts it down.

    Raises:
        click.exceptions.Exit: one of them ended the block; 128 and its number.
    """
    received: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        received.append(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # So a shell's `&` has it, and then nobody took Ctrl-C over who would end the work more gently.
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        if before[number] is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        if not received:
            raise
        raise click.exceptions.Exit(128 + received[0]) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def with_operations(ctx: click.Context, errand: Callable[[Operations], Awaitable[T]]) -> T:
    """Open the store, run ``errand`` at the operator's door, close.

    Raises:
        OperationError: what the door answered instead.
        SettingsError: the settings are wrong.
        click.exceptions.Exit: a signal ended it.
    """
    from gitbridge_console.operations.session import open_session

    settings = prepare(ctx)

    async def run() -> T:
        async with open_session(settings, role="cli", engine=False, read_only=settings.read_only) as session:
            return await errand(session.operations)

    with as_interrupt():
        return asyncio.run(run())
