"""``bulk``: operations over many events, which the fleet does whoever looks on; and ``flush``."""

from __future__ import annotations

from typing import Any

import click

from gitbridge_console.commands.bulk_plans import bulk_options, carry_out, follow, need_reason, status_lines, status_table
from gitbridge_console.commands.output import JSON_OPTION, REASON, plain, print_changes, print_json, print_json_line, say
from gitbridge_console.commands.running import with_operations
from gitbridge_console.commands.words import RATE
from gitbridge_console.domain.bulk import BulkKind, Deed, Selection


@click.group()
def bulk() -> None:
    """Operations over many events: list, show, apply, pause, resume or cancel them."""


@bulk.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.pass_context
def list_bulk(ctx: click.Context, as_json: bool) -> None:
    """Operations that are kept, newest first: planned, under way and ended ones."""
    found = with_operations(ctx, lambda operations: operations.list_bulk())
    if as_json:
        for status in found:
            print_json_line(status)
        return
    click.echo(status_table(found))
    say(f"{len(found)} operations")


@bulk.command()
@click.argument("op_id", metavar="OP")
@click.option("--watch", is_flag=True, help="Again and again until it is over; with --json one document a line.")
@JSON_OPTION
@click.pass_context
def show(ctx: click.Context, op_id: str, watch: bool, as_json: bool) -> int:
    """How far one is, how fast it goes, and what it skipped for which reason."""
    if watch:
        return follow(ctx, op_id, as_json=as_json)
    status = with_operations(ctx, lambda operations: operations.show_bulk(op_id))
    if as_json:
        print_json(status)
        return 0
    click.echo("\n".join(status_lines(status)))
    for job_id, why in status.skipped_ids:
        click.echo(f"    {plain(job_id)}  {plain(why)}")
    return 0


@bulk.command("apply")
@click.argument("op_id", metavar="TOKEN")
@click.option("--rate", type=RATE, metavar="50/s", help="So fast; default: bulk.rate_per_s.")
@click.option("--max", "most", type=click.IntRange(min=1), metavar="N", help="At most so many, the oldest first.")
@REASON
@JSON_OPTION
@click.pass_context
def apply_plan(ctx: click.Context, op_id: str, rate: float | None, most: int | None, reason: str, as_json: bool) -> None:
    """Set to work what `--plan` planned, here or on the console."""
    status = with_operations(ctx, lambda operations: operations.apply_bulk(op_id, reason, rate_per_s=rate, most=most))
    if as_json:
        print_json(status)
    else:
        click.echo(status.id)
        say(f"{status.deed}: {status.planned:,} at {status.rate_per_s:g}/s; `bulk show {status.id} --watch` follows it")


@bulk.command()
@click.argument("op_id", metavar="OP")
@JSON_OPTION
@click.pass_context
def pause(ctx: click.Context, op_id: str, as_json: bool) -> None:
    """Have it stand still."""
    print_changes(with_operations(ctx, lambda operations: operations.pause_bulk(op_id)), "paused", as_json=as_json)


@bulk.command()
@click.argument("op_id", metavar="OP")
@JSON_OPTION
@click.pass_context
def resume(ctx: click.Context, op_id: str, as_json: bool) -> None:
    """Let it go on where it stood."""
    print_changes(with_operations(ctx, lambda operations: operations.resume_bulk(op_id)), "resumed", as_json=as_json)


@bulk.command()
@click.argument("op_id", metavar="OP")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the audit.")
@JSON_OPTION
@click.pass_context
def cancel(ctx: click.Context, op_id: str, reason: str, as_json: bool) -> None:
    """End it where it stands; what was done stays done."""
    print_changes(with_operations(ctx, lambda operations: operations.cancel_bulk(op_id, reason)), "cancelled", as_json=as_json)


@click.command()
@click.argument("lane")
@click.option("--confirm", "typed", metavar="LANE", help="The lane's name once more, in place of typing it.")
@click.option("--reason", metavar="TEXT", help="Kept in the audit.")
@bulk_options
@JSON_OPTION
@click.pass_context
def flush(
    ctx: click.Context,
    lane: str,
    typed: str | None,
    reason: str | None,
    plan: bool,
    yes: bool,
    rate: float | None,
    most: int | None,
    watch: bool,
    as_json: bool,
) -> int:
    """Cancel every event of which a job waits in a lane. They stay, are listed by `state=cancelled`, and can be replayed."""
    if not plan:
        need_reason(reason)
    if yes or (typed is not None and typed != lane):
        raise click.UsageError(f"a flush is not confirmed by --yes: type the lane's name, --confirm {lane}")
    how: dict[str, Any] = {"rate": rate, "most": most, "watch": watch, "as_json": as_json, "wanted": lane}
    return carry_out(ctx, Deed(BulkKind.FLUSH, lane=lane), Selection(), reason=reason, plan=plan, yes=typed == lane, **how)
