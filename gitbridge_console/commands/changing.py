"""The commands that change events, named by their ids or found by a FILTER: replay, cancel, prioritize, failover.

A few are done at once. More than that, or whatever is given a rate, the fleet does piece by piece as a bulk operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitbridge_console.commands.bulk_plans import bulk_options, carry_out, is_filter, need_reason
from gitbridge_console.commands.filters import event_filter, filter_line, filter_options, put_in_saved
from gitbridge_console.commands.output import JSON_OPTION, print_changes, say
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.domain.event_views import ChangeReport
from gitbridge_console.domain.events import Priority
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.operations.operations import REPLAY_MAX

if TYPE_CHECKING:
    from gitbridge_console.operations.operations import Operations

PRIORITIES = click.Choice([priority.label for priority in Priority])
REASON_OPTION = click.option("--reason", metavar="TEXT", help="Kept in the audit; a plan needs none.")


@click.command()
@click.argument("words", nargs=-1, metavar="ID...|[FILTER]...")
@filter_options
@click.option("--edit", metavar="FILE", help="Replay one event with the payload of FILE, as a new event that names the old one.")
@click.option("--panel", metavar="A,B", help="Have these providers asked, as a new event that names the old one.")
@click.option("--priority", type=PRIORITIES, help="With this priority, as a new event that names the old one.")
@click.option("--prompt", metavar="VERSION", help="With this version of its kind's prompt, as a new event that names the old one.")
@REASON_OPTION
@bulk_options
@JSON_OPTION
@click.pass_context
def replay(
    ctx: click.Context,
    /,
    words: tuple[str, ...],
    edit: str | None,
    panel: str | None,
    priority: str | None,
    prompt: str | None,
    **given: Any,
) -> int:
    """Run finished events again under their ids, named one by one or by a FILTER like `state=failed error=timeout`."""
    if (edit, panel, priority, prompt) != (None, None, None, None):
        return _edited(ctx, words, edit, panel, priority, prompt, **given)
    return _change(ctx, Deed(BulkKind.REPLAY), words, given, "replayed", lambda door, ids, reason: door.replay(ids, reason))


@click.command()
@click.argument("words", nargs=-1, metavar="ID...|[FILTER]...")
@filter_options
@REASON_OPTION
@bulk_options
@JSON_OPTION
@click.pass_context
def cancel(ctx: click.Context, /, words: tuple[str, ...], **given: Any) -> int:
    """Cancel unfinished events and their seats, those in flight included, named one by one or by a FILTER."""
    return _change(ctx, Deed(BulkKind.CANCEL), words, given, "cancelled", lambda door, ids, reason: door.cancel(ids, reason))


@click.command()
@click.argument("words", nargs=-1, metavar="ID...|[FILTER]...")
@filter_options
@click.option("--to", "word", required=True, type=PRIORITIES, help="The new priority.")
@click.option("--front", is_flag=True, help="Ahead of everything else of that priority.")
@REASON_OPTION
@bulk_options
@JSON_OPTION
@click.pass_context
def prioritize(ctx: click.Context, /, words: tuple[str, ...], word: str, front: bool, **given: Any) -> int:
    """Give events or single tasks another priority; their age is kept. By a FILTER it needs a reason."""
    deed = Deed(BulkKind.PRIORITIZE, to=word, front=front)
    to = Priority.parse(word)
    return _change(ctx, deed, words, given, f"now {word}", lambda door, ids, reason: door.prioritize(ids, to, front=front))


@click.command()
@click.argument("provider")
@click.argument("words", nargs=-1, metavar="[FILTER]...")
@click.option("--to", metavar="PROVIDER", help="Who takes over; default: the healthy one with the least to do.")
@click.option("--back", is_flag=True, help="Bring back what such moves took away from PROVIDER and was not asked since.")
@REASON_OPTION
@bulk_options
@JSON_OPTION
@click.pass_context
def failover(
    ctx: click.Context,
    provider: str,
    words: tuple[str, ...],
    to: str | None,
    back: bool,
    reason: str | None,
    plan: bool,
    yes: bool,
    rate: float | None,
    most: int | None,
    watch: bool,
    as_json: bool,
) -> int:
    """Move a provider's waiting tasks to another one, all or those a FILTER finds, or bring them back; priority and age are kept."""
    if not plan:
        need_reason(reason)
    if back and to is not None:
        raise click.UsageError("--back returns each task to where it came from: --to says nothing then")
    words = put_in_saved(ctx, words)
    target = "" if back else to or _least_busy(ctx, provider)
    if back or words or plan or rate is not None or most is not None:
        event_filter(words, {})
        deed = Deed(BulkKind.FAILBACK if back else BulkKind.FAILOVER, to=target, lane=provider)
        chosen = Selection(filter_line(words, {}))
        how: dict[str, Any] = {"rate": rate, "most": most, "watch": watch, "as_json": as_json}
        return carry_out(ctx, deed, chosen, reason=reason, plan=plan, yes=yes, **how)
    report = with_operations(ctx, lambda operations: operations.failover(provider, target, need_reason(reason)))
    print_changes(report, f"moved to {target}", as_json=as_json)
    return 0


def _least_busy(ctx: click.Context, provider: str) -> str:
    """The healthy provider with the least to do, but for that one.

    Raises:
        OperationError: there is none.
    """
    snapshot = with_operations(ctx, lambda operations: operations.status())
    waiting = {
        name: snapshot.lanes[name].depth + snapshot.lanes[name].waiting if name in snapshot.lanes else 0
        for name, status in snapshot.providers.items()
        if name != provider and status.state in ("ok", "slow")
    }
    if not waiting:
        raise OperationError("no other provider is well now: name one by --to")
    target = min(waiting, key=lambda name: waiting[name])
    say(f"{target} takes over: it is well and has {waiting[target]} waiting")
    return target


Doing = Callable[["Operations", list[str], str], Awaitable[ChangeReport]]


def _change(ctx: click.Context, deed: Deed, words: tuple[str, ...], given: dict[str, Any], done: str, at_once: Doing) -> int:
    """Do it at once to a few ids; plan, confirm and hand over what a filter finds, or what is too much for one call."""
    options = {name: given.pop(name) for name in ("state", "kind", "provider", "error", "repo", "subject", "since", "until", "text")}
    words = put_in_saved(ctx, words)
    plan, by_filter = given["plan"], is_filter(words, options)
    if not words and not by_filter:
        raise click.UsageError("name events by their ids, or give a FILTER like state=failed")
    if by_filter:
        event_filter(words, options)
    needs_reason = by_filter or deed.kind is not BulkKind.PRIORITIZE
    reason = given["reason"] or "" if plan or not needs_reason else need_reason(given["reason"])
    if not by_filter and not plan and given["rate"] is None and len(words) <= REPLAY_MAX:
        print_changes(with_operations(ctx, lambda operations: at_once(operations, list(words), reason)), done, as_json=given["as_json"])
        return 0
    chosen = Selection(filter_line(words, options)) if by_filter else Selection(ids=words)
    return carry_out(ctx, deed, chosen, **given)


def _edited(
    ctx: click.Context,
    words: tuple[str, ...],
    edit: str | None,
    panel: str | None,
    priority: str | None,
    prompt: str | None,
    **given: Any,
) -> int:
    if len(words) != 1 or "=" in words[0]:
        raise click.UsageError("--edit, --panel, --priority and --prompt replay one event: name its id")
    reason = need_reason(given["reason"])
    payload = None
    if edit is not None:
        try:
            payload = Path(edit).read_bytes()
        except OSError as error:
            raise click.UsageError(f"{edit}: {error.strerror or error}") from None
    seats, to = (panel or "").split(","), Priority.parse(priority) if priority else None
    changed: dict[str, Any] = {"panel": seats, "priority": to, "prompt": prompt or ""}
    report = with_operations(ctx, lambda operations: operations.replay_edited(words[0], payload, reason, **changed))
    print_changes(report, "made", as_json=given["as_json"])
    return 0
