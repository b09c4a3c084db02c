"""``decisions``: what the services agreed on, and the operator's word where one is awaited."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gitbridge_console.actions.caps import REVIEW_WORDS, ReviewWord
from gitbridge_console.commands.decision_text import decision_lines
from gitbridge_console.commands.exporting import export_lines
from gitbridge_console.commands.filters import event_filter, filter_options
from gitbridge_console.commands.output import JSON_OPTION, print_changes, print_json, print_json_line, say, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.drafts import text_in
from gitbridge_console.operations.operations import Operations
from gitbridge_console.operations.recompute import Recomputed

TEXT_MAX_BYTES = 1_000_000
"""Bytes read of a text; the host takes far less, and what is too long is said."""

REVIEW_WORD = click.option("--as", "word", type=click.Choice(REVIEW_WORDS), help="What the review is to be. Only an operator can approve.")


def read_text(name: str) -> str:
    """The whole of a text file, or of stdin where it is ``-``."""
    try:
        raw = sys.stdin.buffer.read(TEXT_MAX_BYTES + 1) if name == "-" else _bounded(name)
        text = raw.decode("utf-8")
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise click.UsageError(f"{name} is no UTF-8 text") from None
    if len(raw) > TEXT_MAX_BYTES:
        raise click.UsageError(f"{name} has more than {TEXT_MAX_BYTES:,} bytes")
    return text


def _bounded(name: str) -> bytes:
    with Path(name).open("rb") as file:
        return file.read(TEXT_MAX_BYTES + 1)


@click.group()
def decisions() -> None:
    """List, show, recompute, amend, approve or reject decisions."""


@decisions.command("list")
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@filter_options
@click.option("--limit", type=click.IntRange(1, 5000), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.pass_context
def list_decisions(ctx: click.Context, /, words: tuple[str, ...], limit: int, as_json: bool, **options: str | None) -> None:
    """The newest decisions, of events that match. A FILTER is like `state=awaiting_approval kind=code_review`."""
    wanted = event_filter(words, options)
    found = with_operations(ctx, lambda operations: operations.list_decisions(limit, wanted))
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
        click.echo("\n".join(decision_lines(decision)))


@decisions.command()
@click.argument("event_id", metavar="ID")
@REVIEW_WORD
@JSON_OPTION
@click.pass_context
def draft(ctx: click.Context, event_id: str, word: ReviewWord | None, as_json: bool) -> None:
    """The exact text that approving an event would post, for reading and for `approve --edit FILE`; --json has the whole requests."""
    found = with_operations(ctx, lambda operations: operations.draft(event_id, word=word or ""))
    if as_json:
        print_json({name: found[name] for name in ("type", "dry_run", "marker", "requests", "reason")})
    elif found["reason"]:
        say(f"nothing would be posted: {found['reason']}")
    elif text := text_in(found):
        click.echo(text)
    else:
        say(f"a {found['type']} posts no text; --json has the requests")


@decisions.command()
@click.argument("event_id", metavar="ID")
@click.option("--edit", metavar="FILE", help="Post this text instead; - is stdin.")
@REVIEW_WORD
@click.option("--note", default="", metavar="TEXT", help="Kept in the audit.")
@JSON_OPTION
@click.pass_context
def approve(ctx: click.Context, event_id: str, edit: str | None, word: ReviewWord | None, note: str, as_json: bool) -> None:
    """Let an event that awaits approval act: what `draft` shows is what is posted."""
    text = None if edit is None else read_text(edit)
    report = with_operations(ctx, lambda operations: operations.approve(event_id, note, text=text, word=word or ""))
    print_changes(report, "approved", as_json=as_json)


@decisions.command()
@click.argument("event_id", metavar="ID")
@click.option("--note", default="", metavar="TEXT", help="Kept in the audit.")
@JSON_OPTION
@click.pass_context
def reject(ctx: click.Context, event_id: str, note: str, as_json: bool) -> None:
    """Resolve an event that awaits approval without acting."""
    print_changes(with_operations(ctx, lambda operations: operations.reject(event_id, note)), "rejected", as_json=as_json)


@decisions.command()
@click.argument("event_id", metavar="ID")
@click.option("--verdict", required=True, metavar="V", help="One of the verdicts of the event's kind.")
@click.option("--note", required=True, metavar="TEXT", help="Kept with the decision and in the audit.")
@JSON_OPTION
@click.pass_context
def amend(ctx: click.Context, event_id: str, verdict: str, note: str, as_json: bool) -> None:
    """Choose the verdict of an event that awaits approval; approving it stays a step of its own."""
    print_changes(with_operations(ctx, lambda operations: operations.amend(event_id, verdict, note)), "amended", as_json=as_json)


@decisions.command()
@click.argument("words", nargs=-1, metavar="ID... | FILTER")
@filter_options
@click.option("--strategy", required=True, metavar="S", help="majority, policy, strictest, single:NAME, ...")
@click.option("--with-late", is_flag=True, help="With answers that came after it was decided.")
@click.option("--limit", type=click.IntRange(1, 1000), default=200, show_default=True, help="At most so many, the newest.")
@JSON_OPTION
@click.pass_context
def recompute(
    ctx: click.Context, /, words: tuple[str, ...], strategy: str, with_late: bool, limit: int, as_json: bool, **options: str | None
) -> None:
    """What another strategy would have decided from the same answers. Asks no service and changes nothing."""
    ids = [word for word in words if "=" not in word]
    wanted = event_filter([word for word in words if "=" in word], options)
    if ids and wanted != EventFilter():
        raise click.UsageError("give ids or a FILTER, not both")

    async def run(operations: Operations) -> list[Recomputed]:
        chosen = ids or [row.event_id for row in await operations.list_decisions(limit, wanted)]
        return await operations.recompute(chosen, strategy, with_late=with_late)

    found = with_operations(ctx, run)
    if as_json:
        print_json([{"decided": each.decided, "would_be": each.would_be, "differs": each.differs} for each in found])
        return
    rows = (
        (each.decided.id, each.decided.strategy, each.decided.verdict, each.would_be.verdict, "; ".join(each.differs)) for each in found
    )
    click.echo(table(("ID", "STRATEGY", "DECIDED", "WOULD BE", "WHAT DIFFERS"), rows, last_width=160))
    say(f"{sum(bool(each.differs) for each in found)} of {len(found)} would have been decided otherwise by {strategy}")


@decisions.command()
@click.argument("file", metavar="FILE.jsonl")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_context
def export(ctx: click.Context, file: str, force: bool) -> None:
    """Write the log of decisions, one record a line with its hash; `audit --verify --file FILE` checks it anywhere. - is stdout."""
    count = export_lines(ctx, file, lambda operations: operations.export_decisions(), force=force, counts=lambda line: b'"record":' in line)
    say(f"{count} records exported")
