"""What commands that may change many events share: the plan, the question, and following what the fleet makes of it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gitbridge_console.commands.output import plain, print_json, print_json_line, say, seconds, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.commands.words import RATE
from gitbridge_console.domain.bulk import AT_ONCE_MAX, ENDED, BulkState, Deed, Selection, bar
from gitbridge_console.domain.bulk_views import BulkPlan, BulkStatus
from gitbridge_console.operations.errors import Refused

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations

F = TypeVar("F", bound=Callable[..., Any])

BAR_WIDTH = 30
LOOK_EVERY_S = 1.0
TOLD_EVERY_S = 1.0
"""How often a look over a long list says how far it is."""
REASONS_SHOWN = 8


def bulk_options(command: F) -> F:
    """Add what every command over a FILTER takes: ``--plan``, ``--yes``, ``--rate``, ``--max``, ``--watch``."""
    for option in reversed(
        (
            click.option("--plan", is_flag=True, help="Only say what would be done."),
            click.option("--yes", is_flag=True, help="Do not ask before doing it."),
            click.option("--rate", type=RATE, metavar="50/s", help="Have the fleet do it so fast; default: bulk.rate_per_s."),
            click.option("--max", "most", type=click.IntRange(min=1), metavar="N", help="At most so many, the oldest first."),
            click.option("--watch", is_flag=True, help="Follow it until it is over."),
        )
    ):
        command = option(command)
    return command


def is_filter(words: Iterable[str], options: dict[str, str | None]) -> bool:
    """Whether a FILTER was given rather than ids."""
    return any("=" in word for word in words) or any(options.values())


def need_reason(reason: str | None) -> str:
    """The reason, which a plan alone does not need.

    Raises:
        click.UsageError: there is none.
    """
    if not (reason or "").strip():
        raise click.UsageError("Missing option '--reason'.")
    return reason or ""


def planned(ctx: click.Context, deed: Deed, chosen: Selection, *, rate: float | None, most: int | None) -> BulkPlan:
    """Ask for the plan, saying how far the look is while it takes long."""
    told_at = 0.0

    async def run(operations: Operations) -> BulkPlan:
        clock = asyncio.get_running_loop().time

        def progress(looked: int, total: int) -> None:
            nonlocal told_at
            if looked < total and clock() - told_at >= TOLD_EVERY_S:
                told_at = clock()
                say(f"looked at {looked:,} of {total:,} ...")

        return await operations.plan_bulk(deed, chosen, rate_per_s=rate, most=most, progress=progress)

    return with_operations(ctx, run)


def confirm(plan: BulkPlan, wanted: str, *, yes: bool) -> None:
    """Have it confirmed: by ``--yes``, or on a terminal by typing ``wanted``.

    Raises:
        Refused: it was not.
    """
    if yes:
        return
    if sys.stdin.isatty() and sys.stdout.isatty():
        for line in plan_lines(plan):
            say(line)
        typed = click.prompt(f"type {wanted} to do it", default="", show_default=False, err=True)
        if typed.strip() == wanted:
            return
        raise Refused(f"that is not {wanted}: nothing was done")
    raise Refused(f"{plan.count} would be done ({plan.deed}): look with --plan, confirm with --yes")


def carry_out(
    ctx: click.Context,
    deed: Deed,
    chosen: Selection,
    *,
    reason: str | None,
    plan: bool,
    yes: bool,
    rate: float | None,
    most: int | None,
    watch: bool,
    as_json: bool,
    wanted: str = "",
) -> int:
    """Plan it, and show the plan or have it confirmed and set to work. ``wanted`` is typed to confirm it; default: how many there are."""
    found = planned(ctx, deed, chosen, rate=rate, most=most)
    if plan or not found.count:
        show_plan(found, as_json=as_json)
        return 0
    confirm(found, wanted or str(found.count), yes=yes)
    return apply(ctx, found, need_reason(reason), rate=rate, as_json=as_json, watch=watch)


def show_plan(plan: BulkPlan, *, as_json: bool) -> None:
    """Print a plan: the ids of its first events on stdout, or all of it as JSON."""
    if as_json:
        print_json(plan)
        return
    for line in plan_lines(plan):
        say(line)
    for name in plan.sample:
        click.echo(plain(name, 160))
    if plan.count > len(plan.sample):
        say(f"and {plan.count - len(plan.sample):,} more")
    if plan.token:
        say(f"`bulk apply {plan.token} --reason TEXT` does it, for a while from now")


def apply(ctx: click.Context, plan: BulkPlan, reason: str, *, rate: float | None, as_json: bool, watch: bool) -> int:
    """Set a plan to work: a few are done at once, of more it is said by which id they go on, or they are followed to their end."""
    if not plan.count:
        show_plan(plan, as_json=as_json)
        return 0
    at_once = rate is None and plan.count <= AT_ONCE_MAX

    async def run(operations: Operations) -> BulkStatus:
        if not plan.token:
            raise Refused(f"{plan.count} were planned, but nothing may be written here")
        status = await operations.apply_bulk(plan.token, reason, rate_per_s=rate)
        return await operations.do_bulk_now(status.id) if at_once else status

    status = with_operations(ctx, run)
    if watch:
        return follow(ctx, status.id, as_json=as_json)
    if as_json:
        print_json(status)
    else:
        click.echo(status.id)
        for line in status_lines(status) if at_once else ():
            say(line)
        if status.state not in ENDED:
            say(f"{status.deed}: {status.planned:,} at {status.rate_per_s:g}/s by the fleet")
            say(f"`bulk show {status.id} --watch` follows it")
    return 1 if status.failed else 0


def follow(ctx: click.Context, op_id: str, *, as_json: bool) -> int:
    """Show an operation again and again until it is over or stands still; exit code 1 when some of it failed."""

    async def run(operations: Operations) -> BulkStatus:
        while True:
            status = await operations.show_bulk(op_id)
            if as_json:
                print_json_line(status)
                sys.stdout.flush()
            else:
                click.echo(bar_line(status))
            if status.state in ENDED or status.state in (BulkState.PAUSED, BulkState.PLANNED):
                return status
            await asyncio.sleep(LOOK_EVERY_S)

    status = with_operations(ctx, run)
    if not as_json:
        for line in status_lines(status)[1:]:
            say(line)
    return 1 if status.failed else 0


def plan_lines(plan: BulkPlan) -> list[str]:
    """A plan for people."""
    more = "" if plan.exact else f" of about {plan.estimate:,}"
    lines = [f"{plan.deed}: {plan.count:,}{more} of {plan.looked:,} looked at ({plain(plan.filter)}); takes {seconds(plan.takes_s)}"]
    if plan.calls:
        cost = "cost not known yet" if plan.cost_usd is None else f"about ${plan.cost_usd:,.2f}"
        lines.append(f"  {plan.calls:,} calls to providers, {cost}")
    if plan.pointless:
        about = "" if plan.pointless_exact else "about "
        lines.append(f"  {about}{plan.pointless:,} have a newer head: they end superseded and nobody is asked")
    if plan.by_kind:
        lines.append("  " + ", ".join(f"{kind} {count:,}" for kind, count in plan.by_kind.items()))
    lines += [f"  left out: {count:,}: {plain(why)}" for why, count in list(plan.ineligible.items())[:REASONS_SHOWN]]
    return lines


def bar_line(status: BulkStatus, *, ascii_only: bool = False) -> str:
    """``op3 running  ███░░ 42 %  4,200 of 10,000  198/s  29s left``."""
    left = f"  {seconds(status.eta_s)} left" if status.eta_s is not None else ""
    speed = f"  {status.speed_per_s:g}/s" if status.speed_per_s else ""
    drawn = bar(status.share, BAR_WIDTH, ascii_only=ascii_only)
    return f"{status.id} {status.state:<9} {drawn} {100 * status.share:3.0f} %  {status.over:,} of {status.planned:,}{speed}{left}"


def status_lines(status: BulkStatus) -> list[str]:
    """One operation for people, its bar first."""
    most = "" if status.most is None else f", {status.most:,} at most"
    lines = [
        bar_line(status),
        f"  {status.deed}, {plain(status.filter)}, at {status.rate_per_s:g}/s{most}",
        f"  by {plain(status.by)} on {plain(status.host)}: {plain(status.reason)}",
        f"  {status.done:,} done, {status.skipped:,} skipped, {status.failed:,} failed, {status.left:,} left, {status.dropped:,} not done",
    ]
    if status.note:
        lines.append(f"  {plain(status.note)}")
    if status.engine:
        lines.append(f"  held by engine {plain(status.engine)}")
    elif status.state == BulkState.RUNNING and not status.note:
        lines.append("  no engine holds it yet; it begins when one runs")
    lines += [f"  skipped {count:,}: {plain(why)}" for why, count in list(status.skips.items())[:REASONS_SHOWN]]
    return lines


def status_table(found: Iterable[BulkStatus]) -> str:
    """Operations as rows."""
    rows = (
        (
            one.id,
            one.state,
            one.deed,
            f"{100 * one.share:.0f} %",
            one.planned,
            one.done,
            one.skipped,
            one.left,
            seconds(one.eta_s),
            one.filter,
        )
        for one in found
    )
    return table(("ID", "STATE", "WHAT", "OVER", "PLANNED", "DONE", "SKIPPED", "LEFT", "TIME", "FILTER"), rows)
