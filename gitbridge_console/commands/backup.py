"""``backup`` and ``restore``: a namespace in one file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitbridge_console.commands.output import JSON_OPTION, plain, print_json, say
from gitbridge_console.commands.running import with_operations
from gitbridge_console.commands.whole_file import replaced_whole
from gitbridge_console.operations.errors import OperationError, Refused

if TYPE_CHECKING:
    from gitbridge_console.operations.backup import BackupFacts
    from gitbridge_console.operations.operations import Operations

TOLD_EVERY_S = 2.0


def _teller(what: str) -> Callable[[int, int], None]:
    """Says now and then how far it is, and how fast it goes."""
    begun = told_at = time.monotonic()

    def tell(events: int, of: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TOLD_EVERY_S:
            told_at = time.monotonic()
            all_of_them = f" of {of:,}" if of else ""
            say(f"{events:,}{all_of_them} events {what}, {events / (told_at - begun):,.0f}/s ...")

    return tell


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@JSON_OPTION
@click.pass_context
def backup(ctx: click.Context, file: Path, force: bool, as_json: bool) -> None:
    """Write events, tasks, decisions, audit and switches of the namespace to FILE; nothing is paused meanwhile."""
    if file.exists() and not (force and file.is_file()):
        raise Refused(f"{file} is there already: --force replaces it" if file.is_file() else f"{file} is there and no file")

    async def run(operations: Operations) -> BackupFacts:
        with replaced_whole(file) as target:
            async for piece in operations.backup(_teller("written")):
                target.write(piece)
        return await operations.check_backup(file)

    try:
        facts = with_operations(ctx, run)
    except OSError as error:
        raise OperationError(f"{file}: {error.strerror or error}; no backup was written") from None
    _tell(facts, f"written to {file} and read back", as_json=as_json)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Only read the file to its end.")
@JSON_OPTION
@click.pass_context
def restore(ctx: click.Context, file: Path, check: bool, as_json: bool) -> None:
    """Put a backup into an empty namespace. It may be run again where it broke off; a file that is not whole changes nothing."""
    if check:
        _tell(with_operations(ctx, lambda operations: operations.check_backup(file)), "it is whole", as_json=as_json)
        return
    facts = with_operations(ctx, lambda operations: operations.restore(file, _teller("restored")))
    _tell(facts, "restored", as_json=as_json)


def _tell(facts: BackupFacts, done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(facts))
        return
    click.echo(f"{facts.events} events and {facts.keys} keys of namespace {plain(facts.namespace)}, made {facts.at}")
    say(f"{done}; SHA-256 {facts.digest}")
