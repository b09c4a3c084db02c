"""``reconcile``: which deliveries never arrived, and asking for them again."""

from __future__ import annotations

from collections.abc import Iterator

import click

from gitbridge_console.commands.output import JSON_OPTION, plain, print_json, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.deliveries import HookReport, MissedDelivery, ReconcileReport


@click.command()
@click.option("--apply", "apply", is_flag=True, help="Have GitHub send again what is missing; without, it is only listed.")
@JSON_OPTION
@click.pass_context
def reconcile(ctx: click.Context, apply: bool, as_json: bool) -> int:
    """List deliveries that never arrived, as GitHub tells of the webhooks in [reconcile]; --apply has them sent again.

    Exit code 1 when a webhook could not be looked at, or a delivery was refused or given up.
    """
    report = with_operations(ctx, lambda operations: operations.reconcile(apply=apply))
    if as_json:
        print_json(report)
    else:
        click.echo("\n".join(_lines(report)))
    return 1 if report.problems or report.count("refused", "given_up") else 0


def _lines(report: ReconcileReport) -> Iterator[str]:
    for hook in report.hooks:
        yield _summary(hook)
        if hook.missed:
            rows = (
                (one.first_at, plain(one.event), plain(one.guid), one.attempts, plain(one.status), _outcome(one)) for one in hook.missed
            )
            yield table(("FIRST", "EVENT", "DELIVERY", "TRIES", "GITHUB SAYS", "NOW"), rows)
    found = report.count("found")
    if found:
        yield f"{found} would be asked for again: reconcile --apply"


def _summary(hook: HookReport) -> str:
    if hook.problem and not hook.listed:
        return f"{plain(hook.hook)}: {plain(hook.problem)}"
    late = f", {hook.known} called failed but here" if hook.known else ""
    rest = "" if hook.complete else "; there is more, the next run goes on"
    trouble = f"; {plain(hook.problem)}" if hook.problem else ""
    return f"{plain(hook.hook)}: {hook.listed} attempts since {hook.since}, {len(hook.missed)} missed{late}{rest}{trouble}"


def _outcome(one: MissedDelivery) -> str:
    return one.outcome.replace("_", " ") + (f": {plain(one.why)}" if one.why else "")
