"""The screen: the console with an engine inside, or over a fleet that runs elsewhere."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import click

from gitbridge_console.commands.door import address, serve_webhooks, watch_settings
from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.running import prepare
from gitbridge_console.operations.thread import EngineThread
from gitbridge_console.settings.holder import SettingsHolder

logger = logging.getLogger(__name__)


def open_console(ctx: click.Context, *, observe: bool, listen: str | None, snapshot: str | None) -> int:
    """Start the engine's thread, show the screen until the operator quits, stop cleanly.

    Raises:
        click.UsageError: there is no terminal to draw on.
        OperationError: the store cannot be used.
    """
    place = address(listen) if listen else None
    if snapshot is None:
        need_terminal()
    holder = SettingsHolder(prepare(ctx))
    settings = holder.current
    fleet = EngineThread(holder, role="console", engine=not observe, read_only=settings.read_only)
    watcher = watch_settings(holder, options_of(ctx))
    fleet.begin(lambda _: watcher.run())
    try:
        if place is not None:
            fleet.wait_open()
            receive(fleet, *place)
        elif snapshot is not None:
            fleet.wait_open()
        code = show(fleet, snapshot)
    finally:
        fleet.stop()
    if fleet.failed is not None:
        raise fleet.failed
    return code


def receive(fleet: EngineThread, host: str, port: int) -> None:
    """Open the HTTP door on the engine's loop and wait until it listens.

    Raises:
        OperationError: the address cannot be listened on.
    """
    from concurrent.futures import FIRST_COMPLETED, Future, wait

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


def show(fleet: EngineThread, snapshot: str | None = None, *, demo: bool = False) -> int:
    """The screen over a running fleet; its exit code."""
    from gitbridge_console.console.run import run_console, save_snapshot

    settings = fleet.holder.current
    if snapshot is not None:
        save_snapshot(fleet, settings, snapshot)
        click.echo(snapshot)
        return 0
    return run_console(fleet, settings, demo=demo)


def need_terminal() -> None:
    """Refuse to draw where nobody could see it.

    Raises:
        click.UsageError: stdin or stdout is no terminal, or a dumb one.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("the console needs a terminal; without one use status, worker or demo --headless")
    if os.environ.get("TERM", "") in {"", "dumb"}:
        raise click.UsageError("the console needs a terminal that can move its cursor (TERM is not set, or dumb)")
