"""``quarantine``."""

from __future__ import annotations

import click

from gitbridge_console.commands.output import JSON_OPTION, REASON, plain, print_changes, print_json, print_json_line, say, table
from gitbridge_console.commands.running import with_operations


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
