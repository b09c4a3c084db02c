"""``audit``: operators' writes, searched, checked and exported."""

from __future__ import annotations

import gzip
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import click

from gitbridge_console.commands.exporting import export_lines
from gitbridge_console.commands.output import plain, print_json, print_json_line, say, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.audit import AuditFilter
from gitbridge_console.domain.chain_lines import ChainReport, verify_lines
from gitbridge_console.domain.event_views import AuditEntry
from gitbridge_console.domain.filters import moment_ms
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.operations.operations import Operations
from gitbridge_console.store.journal import AuditBooks


@click.command()
@click.argument("words", nargs=-1, metavar="[FILTER]")
@click.option("--since", metavar="T", help="From this moment on (2h, 2026-11-22T21:00Z).")
@click.option("--limit", type=click.IntRange(1, 5000), default=100, show_default=True, help="At most so many.")
@click.option("--verify", is_flag=True, help="Check the hash chains of the audit and of the log of decisions instead.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="With --verify: an exported file; no store is asked.")
@click.option("--export", metavar="FILE.jsonl", help="Write the whole audit with its hashes instead; - is stdout.")
@click.option("--force", is_flag=True, help="With --export: replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line; with --verify one document.")
@click.pass_context
def audit(
    ctx: click.Context,
    words: tuple[str, ...],
    since: str | None,
    limit: int,
    verify: bool,
    path: Path | None,
    export: str | None,
    force: bool,
    as_json: bool,
) -> int:
    """Who changed what, and why; newest first. FILTER: who= what= target= reason= result= since= until= or words, as in `who=ana pause`."""
    if path is not None and not verify:
        raise click.UsageError("--file goes with --verify")
    if force and export is None:
        raise click.UsageError("--force goes with --export")
    if (words or since) and (verify or export is not None):
        raise click.UsageError("a chain is checked and exported whole: leave FILTER and --since out")
    if verify and export is not None:
        raise click.UsageError("--verify or --export, one at a time")
    if export is not None:
        lines = export_lines(ctx, export, lambda operations: operations.export_audit(), force=force)
        say(f"{lines - 1} records exported; `audit --verify --file` checks them anywhere")
        return 0
    if verify:
        reports, books = (_of_file(path), AuditBooks()) if path else with_operations(ctx, _check)
        return _tell(reports, books, as_json=as_json)
    wanted = _filter(words, since)
    return _list(with_operations(ctx, lambda operations: operations.list_audit(limit, wanted)), as_json=as_json)


def _filter(words: Sequence[str], since: str | None) -> AuditFilter:
    try:
        wanted = AuditFilter.parse(" ".join(words))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        return replace(wanted, since_ms=moment_ms(since, round(time.time() * 1000))) if since else wanted
    except ValueError as error:
        raise click.UsageError(f"--since: {error}") from None


async def _check(operations: Operations) -> tuple[list[ChainReport], AuditBooks]:
    return [*await operations.verify_decisions(), await operations.verify_audit()], await operations.audit_books()


def _list(found: Sequence[AuditEntry], *, as_json: bool) -> int:
    if as_json:
        for entry in found:
            print_json_line(entry)
        return 0
    rows = ((e.n, e.at, e.who, e.role, e.host, e.what, e.target, _counted(e), e.reason) for e in found)
    click.echo(table(("N", "AT", "WHO", "ROLE", "HOST", "WHAT", "TARGET", "RESULT", "REASON"), rows))
    say(f"{len(found)} entries")
    return 0


def _counted(entry: AuditEntry) -> str:
    """The result, with how many of how many where that is known and not said already."""
    if entry.planned is None or entry.affected is None or entry.planned == entry.affected:
        return entry.result
    return f"{entry.result} ({entry.affected} of {entry.planned})"


def _of_file(path: Path) -> list[ChainReport]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return verify_lines(file)
    except (OSError, EOFError) as error:
        raise OperationError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    except ValueError as error:
        raise OperationError(f"{path}: {error}") from None


def _tell(reports: Sequence[ChainReport], books: AuditBooks, *, as_json: bool) -> int:
    """Say what checking the chains came to; the exit code is 1 where one does not hold."""
    broken = [report for report in reports if report.problem]
    if as_json:
        print_json({"ok": not broken, "chains": [asdict(report) for report in reports], "audit": asdict(books)})
        return int(bool(broken))
    for report in reports:
        kept = f"{report.anchor.seq + 1} to {report.head.seq}" if report.head.seq > report.anchor.seq else "none"
        click.echo(f"{plain(report.name)}: entries {kept}, head {report.head.hash or '-'}: {plain(report.problem) or 'holds'}")
    if books.exported:
        say(f"{books.exported:,} older entries of the audit were exported, last to audit/{plain(books.file)} in an engine's state folder")
    if books.lost:
        say(f"{books.lost:,} older entries of the audit went without being exported: no engine ran that could")
    if broken:
        say(f"{', '.join(plain(report.name) for report in broken)}: tampered with, or damaged")
    else:
        say("nothing was altered since it was written; note the heads elsewhere: who can write the whole chain anew is found by them only")
    return int(bool(broken))
