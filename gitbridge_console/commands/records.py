"""``quarantine`` and ``audit``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from gitbridge_console.commands.output import JSON_OPTION, REASON, plain, print_changes, print_json, print_json_line, say, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.chain_lines import ChainReport, verify_lines
from gitbridge_console.domain.filters import moment_ms
from gitbridge_console.domain.timestamps import ms_from_iso
from gitbridge_console.operations.errors import OperationError


@click.group()
def quarantine() -> None:
    """What came in and could not be read as an event."""


@quarantine.command("list")
@click.option("--limit", type=click.IntRange(1, 5000), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.pass_context
def list_quarantine(ctx: click.Context, limit: int, as_json: bool) -> None:
    """The entries, newest first."""
    found = with_operations(ctx, lambda operations: operations.list_quarantine(limit))
    if as_json:
        for entry in found:
            print_json_line(entry)
        return
    click.echo(table(("ID", "AT", "SOURCE", "BYTES", "ERROR"), ((e.id, e.at, e.source, e.size, e.error) for e in found)))
    say(f"{len(found)} in quarantine")


@quarantine.command()
@click.argument("entry_id", metavar="ID")
@JSON_OPTION
@click.pass_context
def show(ctx: click.Context, entry_id: str, as_json: bool) -> None:
    """One entry, with the beginning of what came in."""
    entry = with_operations(ctx, lambda operations: operations.show_quarantined(entry_id))
    if as_json:
        print_json(entry)
        return
    click.echo(f"{entry.id}  {entry.at}  from {plain(entry.source)}  {entry.size} bytes")
    click.echo(f"error: {plain(entry.error)}")
    click.echo(plain(entry.sample))


@quarantine.command()
@click.argument("entry_id", metavar="ID")
@click.option("--type", "event_type", metavar="TYPE", help="Event type, such as pull_request; needed where none was recorded.")
@click.option("--delivery", metavar="ID", help="Delivery id it came with; default: one made of the entry's id.")
@JSON_OPTION
@click.pass_context
def retry(ctx: click.Context, entry_id: str, event_type: str | None, delivery: str | None, as_json: bool) -> None:
    """Hand in again what came in; the entry goes only when it is accepted as an event."""
    result = with_operations(
        ctx, lambda operations: operations.retry_quarantined(entry_id, event_type=event_type or None, delivery=delivery or None)
    )
    if as_json:
        print_json({"id": result.id, "status": result.status, "entry": entry_id})
        return
    click.echo(result.id)
    say(f"{result.status}; {plain(entry_id)} left the quarantine")


@quarantine.command()
@click.argument("entry_id", metavar="ID")
@REASON
@JSON_OPTION
@click.pass_context
def drop(ctx: click.Context, entry_id: str, reason: str, as_json: bool) -> None:
    """Remove an entry for good."""
    print_changes(with_operations(ctx, lambda operations: operations.drop_quarantined(entry_id, reason)), "dropped", as_json=as_json)


@click.command()
@click.option("--since", metavar="T", help="From this moment on (2h, 2026-11-22T21:00Z).")
@click.option("--limit", type=click.IntRange(1, 5000), default=100, show_default=True, help="At most so many.")
@click.option("--verify", is_flag=True, help="Check the hash chains of the log of decisions instead.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="With --verify: a file of `decisions export`; no store is asked.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line; with --verify one document.")
@click.pass_context
def audit(ctx: click.Context, since: str | None, limit: int, verify: bool, path: Path | None, as_json: bool) -> int:
    """Who changed what, and why; newest first."""
    if path is not None and not verify:
        raise click.UsageError("--file goes with --verify")
    if verify:
        reports = _of_file(path) if path else with_operations(ctx, lambda operations: operations.verify_decisions())
        return _tell(reports, as_json=as_json)
    earliest = _since_ms(since) if since else None
    found = with_operations(ctx, lambda operations: operations.list_audit(limit))
    if earliest is not None:
        found = [entry for entry in found if ms_from_iso(entry.at) >= earliest]
    if as_json:
        for entry in found:
            print_json_line(entry)
        return 0
    click.echo(
        table(
            ("AT", "WHO", "HOST", "WHAT", "TARGET", "RESULT", "REASON"),
            ((e.at, e.who, e.host, e.what, e.target, e.result, e.reason) for e in found),
        )
    )
    say(f"{len(found)} entries")
    return 0


def _of_file(path: Path) -> list[ChainReport]:
    try:
        with path.open("rb") as file:
            return verify_lines(file)
    except OSError as error:
        raise OperationError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise OperationError(f"{path}: {error}") from None


def _tell(reports: Sequence[ChainReport], *, as_json: bool) -> int:
    """Say what checking the chains came to; the exit code is 1 where one does not hold."""
    broken = [report for report in reports if report.problem]
    if as_json:
        print_json({"ok": not broken, "chains": [asdict(report) for report in reports]})
        return int(bool(broken))
    for report in reports:
        kept = f"{report.anchor.seq + 1} to {report.head.seq}" if report.head.seq > report.anchor.seq else "none"
        click.echo(f"{plain(report.name)}: entries {kept}, head {report.head.hash or '-'}: {plain(report.problem) or 'holds'}")
    if broken:
        say("the log of decisions was tampered with, or damaged")
    else:
        say("nothing was altered since it was written; note the heads elsewhere: who can write the whole chain anew is found by them only")
    return int(bool(broken))


def _since_ms(text: str) -> int:
    try:
        return moment_ms(text, round(time.time() * 1000))
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None
