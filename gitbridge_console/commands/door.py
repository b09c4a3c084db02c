"""The HTTP door of a session, and the watch over its settings: what runs beside an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from gitbridge_console.commands.options import Options
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.settings.holder import SettingsHolder
from gitbridge_console.settings.reload import SettingsWatcher

if TYPE_CHECKING:
    from gitbridge_console.operations.session import Session


def address(listen: str) -> tuple[str, int]:
    """Host and port of ``--listen``.

    Raises:
        click.UsageError: it is not HOST:PORT.
    """
    from gitbridge_console.ingress.server import parse_listen

    try:
        return parse_listen(listen)
    except ValueError as error:
        raise click.UsageError(f"--listen: {error}") from None


async def serve_webhooks(
    holder: SettingsHolder, session: Callable[[], Session | None], host: str, port: int, stop: asyncio.Event, say: Callable[[str], None]
) -> None:
    """Receive webhooks until ``stop`` is set. While ``session`` gives none, deliveries are spooled.

    Raises:
        OperationError: the address cannot be listened on, or the spool cannot be used.
    """
    from gitbridge_console.ingress.secrets import check_ingress
    from gitbridge_console.ingress.server import CannotListen, serve_ingress
    from gitbridge_console.operations.receiver import Receiver, open_spool

    settings = holder.current.ingress
    receiver = Receiver(holder, session, await open_spool(holder.current))
    if warning := check_ingress(settings):
        say(warning)
    running = asyncio.create_task(receiver.run(), name="receiver")
    ended = asyncio.Event()
    running.add_done_callback(lambda _: ended.set())
    stopping = asyncio.create_task(_first(stop, ended), name="receiver-stop")
    over = asyncio.Event()
    stopping.add_done_callback(lambda _: over.set())
    try:
        await serve_ingress(
            receiver.app(), host, port, over, lambda host, port: say(f"listening on http://{host}:{port}/webhook"), settings
        )
    except CannotListen as error:
        raise OperationError(str(error)) from None
    finally:
        stopping.cancel()
        await receiver.close(running)


async def _first(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def watch_settings(holder: SettingsHolder, options: Options, say: Callable[[str], None] | None = None) -> SettingsWatcher:
    """A watcher that reads the same files, variables and options again when a file was edited."""
    return SettingsWatcher(holder, options.load().watched, options.reload, on_problem=say)
