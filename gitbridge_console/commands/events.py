"""``events list``, ``events show``, ``events diff`` and ``events export``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gitbridge_console.commands.exporting import export_lines
from gitbridge_console.commands.filters import event_filter, filter_options, put_in_saved
from gitbridge_console.commands.output import JSON_OPTION, plain, print_json, print_json_line, say, seconds, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.action_words import how_far
from gitbridge_console.domain.event_diff import differences
from gitbridge_console.domain.event_views import EventDetail, EventSummary, TaskDetail

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations


@click.group()
def events() -> None:
    """List events, show one, compare two, or export them."""


@events.command("list")
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@filter_options
@click.option("--limit", type=click.IntRange(1, 5000), default=100, show_default=True, help="At most so many.")
@click.option("--before", metavar="ID", help="The next page: those that came in before this event, among all there are.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.pass_context
def list_events(
    ctx: click.Context, /, words: tuple[str, ...], limit: int, before: str | None, as_json: bool, **options: str | None
) -> None:
    """Events that match, newest first. A FILTER is like `state=failed provider=grok repo=acme/*`."""
    wanted = event_filter(put_in_saved(ctx, words), options)

    async def run(operations: Operations) -> list[EventSummary]:
        return await (operations.page_events(wanted, limit, before) if before else operations.list_events(wanted, limit))

    found = with_operations(ctx, run)
    if as_json:
        for event in found:
            print_json_line(event)
        return
    rows = (
        (
            event.id,
            event.state,
            event.priority,
            event.kind,
            seconds(event.age_s),
            event.repository,
            event.subject,
            event.error_class or event.title,
        )
        for event in found
    )
    click.echo(table(("ID", "STATE", "PRIORITY", "KIND", "AGE", "REPOSITORY", "SUBJECT", "ABOUT"), rows))
    say(f"{len(found)} events" + (f"; --before {found[-1].id} shows the next ones" if len(found) == limit else ""))


@events.command()
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@filter_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.pass_context
def groups(ctx: click.Context, /, words: tuple[str, ...], as_json: bool, **options: str | None) -> None:
    """Failed and shed events by class of error, panel and kind: how many, and the one that died last."""
    wanted = event_filter(put_in_saved(ctx, words), options)
    found = with_operations(ctx, lambda operations: operations.dead_groups(wanted))
    if as_json:
        for group in found:
            print_json_line(asdict(group))
        return
    rows = ((group.count, group.error, group.providers, group.kind, group.newest, group.example) for group in found)
    click.echo(table(("COUNT", "ERROR", "PROVIDERS", "KIND", "NEWEST", "EXAMPLE"), rows))
    say(f"{sum(group.count for group in found)} dead letters in {len(found)} groups")


@events.command()
@click.argument("event_id", metavar="ID")
@click.option("--payload", is_flag=True, help="With the payload as it came.")
@JSON_OPTION
@click.pass_context
def show(ctx: click.Context, event_id: str, payload: bool, as_json: bool) -> None:
    """All of one event, down to attempts and answers."""
    event = with_operations(ctx, lambda operations: operations.show_event(event_id, payload=payload))
    if as_json:
        print_json(event)
    else:
        click.echo("\n".join(_lines(event)))


@events.command()
@click.argument("event_id", metavar="ID")
@click.argument("other", metavar="[OTHER]", default="")
@click.pass_context
def diff(ctx: click.Context, event_id: str, other: str) -> int:
    """What differs between an event and the one it was made from, or OTHER; as diff(1) prints it. Exit code 1 when something does."""
    before, after = with_operations(ctx, lambda operations: operations.compare_events(event_id, other))
    lines = list(differences(before, after))
    for line in lines:
        click.echo(plain(line))
    if not lines:
        say(f"{before.id} and {after.id} do not differ")
    return int(bool(lines))


@events.command()
@click.argument("file", metavar="FILE.jsonl|-")
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@filter_options
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_context
def export(ctx: click.Context, /, file: str, words: tuple[str, ...], force: bool, **options: str | None) -> int:
    """Write events that match with all that is kept of them, payloads included, one JSON document a line; - is stdout."""
    wanted = event_filter(put_in_saved(ctx, words), options)
    unreadable = 0

    def tell(problem: str) -> None:
        nonlocal unreadable
        unreadable += 1
        say(plain(problem, 200))

    count = export_lines(ctx, file, lambda operations: operations.export_events(wanted, tell), force=force)
    say(f"{count} events exported" + (f", {unreadable} could not be read" if unreadable else ""))
    return 1 if unreadable else 0


def _lines(event: EventDetail) -> Iterable[str]:
    yield f"{event.id}  {event.state}  {event.kind or '-'}  {event.priority}  run {event.run}"
    yield f"{event.type} {plain(event.repository)} {plain(event.subject)}: {plain(event.title, 100)}"
    yield f"delivery {plain(event.delivery)}, received {event.received_at}"
    if event.reason:
        yield f"reason: {plain(event.reason)}"
    if event.error is not None:
        yield f"error: {event.error.code} {event.error.cls}: {plain(event.error.message)}"
    if event.next_chance is not None:
        yield f"next chance: {event.next_chance}"
    for line in event.routing:
        yield f"routing: {plain(line)}"
    for task in event.tasks:
        yield from _task_lines(task)
    if event.decision is not None:
        agreement = event.decision.agreement
        yield (
            f"decision {event.decision.id}: {plain(event.decision.verdict)} "
            f"({agreement.verdict_k} of {agreement.verdict_n}, {event.decision.strategy}, {event.decision.state.value})"
        )
    if event.action is not None:
        also = f"; decisions draft {event.id} shows it" if event.action.get("draft") else ""
        yield f"action: {plain(event.action.get('type', ''))}, {plain(how_far(event.action), 400)}{also}"
    yield "timeline:"
    for entry in event.timeline:
        yield f"  {entry.at}  {plain(entry.what)}  {plain(entry.by)}"
    if event.payload_text is not None:
        yield "payload:"
        yield from (plain(line) for line in event.payload_text.splitlines())


def _task_lines(task: TaskDetail) -> Iterable[str]:
    seat = f" (hedge of {task.hedge_of})" if task.hedge_of else "" if task.seat == task.provider else f" (for {task.seat})"
    yield f"seat {task.id}  {task.provider}{seat}  {task.state}"
    for attempt in task.attempts:
        cost = "cost unknown" if attempt.cost_usd is None else f"${attempt.cost_usd:.4f}"
        note = f": {plain(attempt.message, 120)}" if attempt.message else ""
        yield f"  {attempt.started_at}  {attempt.model}  {attempt.outcome} -> {attempt.verdict}  {attempt.latency_ms:.0f} ms  {cost}{note}"
    if task.answer is not None:
        yield f"  answer: {task.answer.status.value} {plain(task.answer.verdict or '-')} {plain(task.answer.reason, 120)}".rstrip()
