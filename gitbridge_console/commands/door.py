"""The HTTP door of a session, and the watch over its settings: what runs beside an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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


async def serve_webhooks(session: Session, host: str, port: int, stop: asyncio.Event, say: Callable[[str], None]) -> None:
    """Receive webhooks until ``stop`` is set.

    Raises:
        OperationError: the address cannot be listened on.
    """
    from gitbridge_console.ingress.exposition import exposition
    from gitbridge_console.ingress.secrets import check_ingress
    from gitbridge_console.ingress.server import CannotListen, serve_ingress
    from gitbridge_console.ingress.webhook import build_ingress_app

    operations = session.operations

    async def ready() -> dict[str, Any]:
        snapshot = await operations.status()
        return {"ready": snapshot.store.ok, "engines": len(snapshot.engines)}

    async def metrics() -> bytes:
        return exposition(await operations.status())

    app = build_ingress_app(session.holder, operations.take_in, ready, metrics, come_again=(OperationError,))
    settings = session.holder.current.ingress
    warning = check_ingress(settings)
    if warning:
        say(warning)
    try:
        await serve_ingress(
            app,
            host,
            port,
            stop,
            lambda host, port: say(f"listening on http://{host}:{port}/webhook"),
            max_connections=settings.max_connections,
        )
    except CannotListen as error:
        raise OperationError(str(error)) from None


def watch_settings(holder: SettingsHolder, options: Options, say: Callable[[str], None] | None = None) -> SettingsWatcher:
    """A watcher that reads the same files, variables and options again when a file was edited."""
    return SettingsWatcher(holder, options.load().watched, options.reload, on_problem=say)
