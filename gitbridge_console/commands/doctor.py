"""``doctor``: is everything here that a run needs? One line per check, with what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict

import click

from gitbridge_console import __version__
from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.options import Options
from gitbridge_console.commands.output import JSON_OPTION, plain, print_json
from gitbridge_console.commands.running import as_interrupt
from gitbridge_console.operations.checks import Check, check_place, check_settings
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.operations.host_checks import check_hosts
from gitbridge_console.operations.session import open_session
from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.model import Settings


@click.command()
@JSON_OPTION
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> int:
    """Check this installation; exit code 1 when something fails."""
    checks = list(_all(options_of(ctx)))
    failed = any(check.level == "fail" for check in checks)
    if as_json:
        print_json({"ok": not failed, "version": __version__, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            todo = f" -> {plain(check.todo)}" if check.todo else ""
            click.echo(f"{check.level:<4}  {check.name:<18} {plain(check.text)}{todo}")
    return int(failed)


def _all(options: Options) -> Iterator[Check]:
    yield from check_place()
    try:
        loaded = options.load()
    except SettingsError as error:
        for problem in error.problems:
            yield Check("settings", "fail", problem, "correct it; config check reads it again")
        return
    yield Check("settings", "ok", ", ".join(str(path) for path in loaded.files) or "built-in defaults, no file")
    yield from check_settings(loaded.settings)
    with as_interrupt():
        hosts = asyncio.run(check_hosts(loaded.settings))
        store = asyncio.run(_store(loaded.settings))
    yield from hosts
    yield store


async def _store(settings: Settings) -> Check:
    try:
        async with open_session(settings, role="cli", engine=False, read_only=True) as session:
            snapshot = await session.operations.status()
    except OperationError as error:
        return Check("store", "fail", str(error), "start the server, or correct redis.url")
    return Check("store", "ok", f"{snapshot.store.url} answers, namespace {snapshot.namespace}, {len(snapshot.engines)} engines")
