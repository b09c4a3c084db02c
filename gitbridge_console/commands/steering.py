"""The commands that change what the fleet does: pause, drain, resume, failover, breaker, prioritize, cancel, replay."""

from __future__ import annotations

from pathlib import Path

import click

from gitbridge_console.commands.filters import event_filter
from gitbridge_console.commands.output import JSON_OPTION, REASON, print_changes
from gitbridge_console.commands.running import with_operations
from gitbridge_console.commands.words import DURATION
from gitbridge_console.domain.event_views import ChangeReport
from gitbridge_console.domain.events import Priority
from gitbridge_console.domain.snapshots import BreakerWord
from gitbridge_console.operations.errors import Refused
from gitbridge_console.operations.operations import REPLAY_MAX, Operations


@click.command()
@click.argument("lanes", nargs=-1, required=True, metavar="LANE...")
@click.option("--for", "for_s", type=DURATION, metavar="15m", help="Resume by itself after this.")
@REASON
@JSON_OPTION
@click.pass_context
def pause(ctx: click.Context, lanes: tuple[str, ...], for_s: float | None, reason: str, as_json: bool) -> None:
    """Hold lanes (a provider, or fetch, route, decide, act): they take work in and give none out."""
    print_changes(with_operations(ctx, lambda operations: operations.pause(lanes, reason, for_s)), "paused", as_json=as_json)


@click.command()
@click.argument("provider")
@REASON
@JSON_OPTION
@click.pass_context
def drain(ctx: click.Context, provider: str, reason: str, as_json: bool) -> None:
    """Give a provider no new seats; what waits for it is finished. `resume` ends it."""
    print_changes(with_operations(ctx, lambda operations: operations.drain(provider, reason)), "draining", as_json=as_json)


@click.command()
@click.argument("lanes", nargs=-1, required=True, metavar="LANE...")
@JSON_OPTION
@click.pass_context
def resume(ctx: click.Context, lanes: tuple[str, ...], as_json: bool) -> None:
    """Let lanes go on, paused or draining."""
    print_changes(with_operations(ctx, lambda operations: operations.resume(lanes)), "resumed", as_json=as_json)


@click.command()
@click.argument("provider")
@click.option("--to", required=True, metavar="PROVIDER", help="Who takes over.")
@REASON
@JSON_OPTION
@click.pass_context
def failover(ctx: click.Context, provider: str, to: str, reason: str, as_json: bool) -> None:
    """Move a provider's waiting tasks to another one; priority and age are kept."""
    print_changes(with_operations(ctx, lambda operations: operations.failover(provider, to, reason)), "moved", as_json=as_json)


@click.command()
@click.argument("provider")
@click.argument("word", type=click.Choice(["open", "close", "reset"]), metavar="open|close|reset")
@REASON
@JSON_OPTION
@click.pass_context
def breaker(ctx: click.Context, provider: str, word: BreakerWord, reason: str, as_json: bool) -> None:
    """Hold a provider's circuit breaker open until further notice, close it, or reset all that is held against the provider.

    A reset also lifts a rate gate and a provider that was disabled for its key or quota.
    """
    done = {"open": "held open", "close": "closed", "reset": "reset"}[word]
    print_changes(with_operations(ctx, lambda operations: operations.breaker(provider, word, reason)), done, as_json=as_json)


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--to", "word", required=True, type=click.Choice([priority.label for priority in Priority]), help="The new priority.")
@click.option("--front", is_flag=True, help="Ahead of everything else of that priority.")
@JSON_OPTION
@click.pass_context
def prioritize(ctx: click.Context, ids: tuple[str, ...], word: str, front: bool, as_json: bool) -> None:
    """Give events or single tasks another priority; their age is kept."""
    report = with_operations(ctx, lambda operations: operations.prioritize(ids, Priority.parse(word), front=front))
    print_changes(report, f"now {word}", as_json=as_json)


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@REASON
@JSON_OPTION
@click.pass_context
def cancel(ctx: click.Context, ids: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Cancel unfinished events and their seats, those in flight included."""
    print_changes(with_operations(ctx, lambda operations: operations.cancel(ids, reason)), "cancelled", as_json=as_json)


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="ID...|FILTER")
@click.option("--plan", is_flag=True, help="Only say what would be replayed.")
@click.option("--max", "most", type=click.IntRange(1, 5000), default=1000, show_default=True, help="Of a FILTER, at most so many.")
@click.option("--yes", is_flag=True, help="Do not ask before replaying what a FILTER found.")
@click.option("--edit", metavar="FILE", help="Replay one event with the payload of FILE, as a new event that names the old one.")
@REASON
@JSON_OPTION
@click.pass_context
def replay(
    ctx: click.Context, words: tuple[str, ...], plan: bool, most: int, yes: bool, edit: str | None, reason: str, as_json: bool
) -> None:
    """Run finished events again under their ids, named one by one or by a FILTER like `state=failed error=timeout`."""
    if edit is not None:
        _replay_edited(ctx, words, edit, reason, as_json=as_json)
        return
    by_filter = any("=" in word for word in words)
    ids = _found(ctx, words, most) if by_filter else list(words)
    if plan or (by_filter and not ids):
        print_changes(ChangeReport(changed=0, unchanged=len(ids), ids=tuple(ids)), "planned, nothing replayed", as_json=as_json)
        return
    if by_filter and not yes:
        raise Refused(f"{len(ids)} events would be replayed: look with --plan, confirm with --yes")

    async def run(operations: Operations) -> ChangeReport:
        reports = [await operations.replay(ids[start : start + REPLAY_MAX], reason) for start in range(0, len(ids), REPLAY_MAX)]
        return ChangeReport(
            changed=sum(report.changed for report in reports),
            unchanged=sum(report.unchanged for report in reports),
            ids=tuple(name for report in reports for name in report.ids),
            notes=tuple(note for report in reports for note in report.notes),
        )

    print_changes(with_operations(ctx, run), "replayed", as_json=as_json)


def _replay_edited(ctx: click.Context, words: tuple[str, ...], edit: str, reason: str, *, as_json: bool) -> None:
    if len(words) != 1 or "=" in words[0]:
        raise click.UsageError("--edit replays one event: name its id")
    try:
        payload = Path(edit).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{edit}: {error.strerror or error}") from None
    print_changes(with_operations(ctx, lambda operations: operations.replay_edited(words[0], payload, reason)), "made", as_json=as_json)


def _found(ctx: click.Context, words: tuple[str, ...], most: int) -> list[str]:
    wanted = event_filter(words, {})
    return [event.id for event in with_operations(ctx, lambda operations: operations.list_events(wanted, most))]
