"""The screen: the console with an engine inside, or over a fleet that runs elsewhere."""

from __future__ import annotations

import asyncio
import gc
import logging
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from gitbridge_console.commands.held_log import hold_log
from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.output import no_terminal, say
from gitbridge_console.operations.ending import Ending, limit_s
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.operations.thread import EngineThread
from gitbridge_console.settings.holder import UnreadSettings
from gitbridge_console.settings.opening import opening_settings

if TYPE_CHECKING:
    from gitbridge_console.settings.model import Settings
    from gitbridge_console.settings.opening import Opening

logger = logging.getLogger(__name__)

QUIET_S = 1.0
"""How long an ending may take before it is said."""


def open_console(ctx: click.Context, *, observe: bool, listen: str | None, snapshot: str | None) -> int:
    """Start the engine's thread, show the screen until the operator quits, stop cleanly. Where nothing can be drawn, print the status.

    Without a door to open, the settings are read and checked after the first frame: that takes half the time of a start. What is
    wrong with them then ends the console, and is said once the terminal is free.

    Raises:
        click.UsageError: there is a door to open, but no terminal to draw on.
        SettingsError: the settings are wrong.
        OperationError: the store cannot be used.
    """
    place = _address(listen) if listen else None
    if snapshot is None and (why := no_terminal()):
        if place is not None:
            raise click.UsageError(f"the console needs a terminal ({why}); without one use ingress or worker --listen")
        say(f"no terminal to draw on ({why}): this is the report of status, and no engine was started; worker runs one")
        from gitbridge_console.commands.status import show_once

        return show_once(ctx)
    remarks: list[str] = []

    def read() -> Settings:
        from gitbridge_console.commands.running import prepare

        return prepare(ctx, tell=remarks.append)

    holder, options = UnreadSettings(read), options_of(ctx)
    if place is not None or snapshot is not None:
        holder.read()
        opening: Settings | Opening = holder.current
    else:
        opening = opening_settings(options.config, overrides=options.overrides)
        hold_log()
        # Nothing is thrown away before the first frame: looking for it would take a tenth of the start. The application goes on with it.
        gc.disable()
    with Ending(lambda: limit_s(holder.known or opening)) as ending:
        fleet = EngineThread(holder, role="console", engine=not observe)
        fleet.end_with(ending)
        fleet.begin(lambda _: _watch(fleet, ctx))
        try:
            code = _open(fleet, ending, opening, place, snapshot)
        finally:
            finish(ending, fleet)
            with suppress(OSError):  # the terminal may be gone
                for remark in remarks:
                    say(remark)
    if fleet.failed is not None:
        raise fleet.failed
    return code


def _open(fleet: EngineThread, ending: Ending, opening: Settings | Opening, place: tuple[str, int] | None, snapshot: str | None) -> int:
    try:
        if place is not None or snapshot is not None:
            fleet.wait_open()
        if place is not None:
            receive(fleet, *place)
    except (OperationError, CancelledError):
        if ending.asked:  # what was being opened is closed already
            return ending.code
        raise
    return show(fleet, ending, opening, snapshot)


def finish(ending: Ending, fleet: EngineThread) -> None:
    """Stop the fleet. It is said when that takes a while, since nothing is on the screen any more."""
    ending.ask()
    if not fleet.stop(QUIET_S):
        known = fleet.holder.known
        with suppress(OSError):  # the terminal may be gone
            if known is not None:
                say(f"finishing what is in hand, in {known.queue.drain_s:.0f} s at most; the rest is handed back")
        fleet.stop()


async def _watch(fleet: EngineThread, ctx: click.Context) -> None:
    """Take over edits of the settings files."""
    from gitbridge_console.commands.door import watch_settings

    await watch_settings(fleet.holder, options_of(ctx)).run()


def _address(listen: str) -> tuple[str, int]:
    from gitbridge_console.commands.door import address

    return address(listen)


def receive(fleet: EngineThread, host: str, port: int) -> None:
    """Open the HTTP door on the engine's loop and wait until it listens.

    Raises:
        OperationError: the address cannot be listened on.
    """
    from concurrent.futures import FIRST_COMPLETED, Future, wait

    from gitbridge_console.commands.door import serve_webhooks

    open_now: Future[None] = Future()

    def note(text: str) -> None:
        logger.info("%s", text)
        if text.startswith("listening") and not open_now.done():
            open_now.set_result(None)

    session = fleet.session
    serving = fleet.call(lambda _: serve_webhooks(fleet.holder, lambda: session, host, port, asyncio.Event(), note))
    wait({open_now, serving}, return_when=FIRST_COMPLETED)
    if serving.done():
        serving.result()


def show(fleet: EngineThread, ending: Ending, settings: Settings | Opening, snapshot: str | None = None, *, demo: bool = False) -> int:
    """The screen over a fleet; its exit code."""
    if ending.asked:
        return ending.code
    from gitbridge_console.console.run import run_console, save_snapshot

    if snapshot is not None:
        try:
            if save_snapshot(fleet, fleet.holder.current, snapshot, ending):
                click.echo(snapshot)
        except OSError as error:
            raise OperationError(f"{snapshot}: {error.strerror or error}") from None
        return ending.code
    return run_console(fleet, settings, ending, demo=demo)
