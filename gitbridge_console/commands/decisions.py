"""``decisions``: what the services agreed on, and the operator's word where one is awaited."""

from __future__ import annotations

from collections.abc import Iterable

import click

from gitbridge_console.commands.output import JSON_OPTION, plain, print_changes, print_json, print_json_line, say, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.decisions import Decision


@click.group()
def decisions() -> None:
    """List, show, approve or reject decisions."""


@decisions.command("list")
@click.option("--limit", type=click.IntRange(1, 5000), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.pass_context
def list_decisions(ctx: click.Context, limit: int, as_json: bool) -> None:
    """The newest decisions."""
    found = with_operations(ctx, lambda operations: operations.list_decisions(limit))
    if as_json:
        for decision in found:
            print_json_line(decision)
        return
    rows = (
        (
            row.id,
            row.event_id,
            row.state,
            row.verdict,
            row.agreement,
            row.kind,
            row.repository,
            row.subject,
            "operator!" if row.needs_operator else "",
        )
        for row in found
    )
    click.echo(table(("ID", "EVENT", "STATE", "VERDICT", "VOTES", "KIND", "REPOSITORY", "SUBJECT", "WANTS"), rows))
    say(f"{len(found)} decisions")


@decisions.command()
@click.argument("decision_id", metavar="ID")
@JSON_OPTION
@click.pass_context
def show(ctx: click.Context, decision_id: str, as_json: bool) -> None:
    """One decision, by its own id or its event's."""
    decision = with_operations(ctx, lambda operations: operations.show_decision(decision_id))
    if as_json:
        print_json(decision)
    else:
        click.echo("\n".join(_lines(decision)))


def _lines(decision: Decision) -> Iterable[str]:
    agreement = decision.agreement
    yield f"{decision.id}  {decision.kind}  {decision.state.value}  {plain(decision.verdict)}"
    seats = f"{decision.answered} of {decision.seats} seats answered, quorum {decision.quorum}"
    yield f"{agreement.verdict_k} of {agreement.verdict_n} votes, {seats}, {decision.strategy}"
    if decision.needs_operator:
        yield "an operator is asked: `decisions approve` or `decisions reject`"
    for line in decision.rationale:
        yield f"because {plain(line)}"
    for answer in decision.answers:
        yield f"  {answer.provider}: {answer.status.value} {plain(answer.verdict or '-')} {plain(answer.reason, 120)}".rstrip()
    for cluster in decision.clusters:
        place = f"{plain(cluster.path)}:{cluster.line} " if cluster.path else ""
        yield f"  finding {cluster.id} [{cluster.severity}] {cluster.k} of {cluster.n}, {cluster.tier}: {place}{plain(cluster.title, 120)}"
    for conflict in decision.conflicts:
        yield f"  conflict {conflict.type} on {plain(conflict.subject)}: {plain(conflict.resolution)} (by {conflict.resolved_by})"
    for vote in decision.dissent:
        yield f"  dissent {plain(vote.get('provider', ''))}: {plain(vote.get('verdict', ''))}, {plain(vote.get('why', ''), 160)}"


@decisions.command()
@click.argument("event_id", metavar="ID")
@click.option("--note", default="", metavar="TEXT", help="Kept in the audit.")
@JSON_OPTION
@click.pass_context
def approve(ctx: click.Context, event_id: str, note: str, as_json: bool) -> None:
    """Let an event that awaits approval act."""
    print_changes(with_operations(ctx, lambda operations: operations.approve(event_id, note)), "approved", as_json=as_json)


@decisions.command()
@click.argument("event_id", metavar="ID")
@click.option("--note", default="", metavar="TEXT", help="Kept in the audit.")
@JSON_OPTION
@click.pass_context
def reject(ctx: click.Context, event_id: str, note: str, as_json: bool) -> None:
    """Resolve an event that awaits approval without acting."""
    print_changes(with_operations(ctx, lambda operations: operations.reject(event_id, note)), "rejected", as_json=as_json)
