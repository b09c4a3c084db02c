"""The commands that steer lanes and providers: pause, drain, resume, breaker."""

from __future__ import annotations

import click

from gitbridge_console.commands.output import JSON_OPTION, REASON, print_changes
from gitbridge_console.commands.running import with_operations
from gitbridge_console.commands.words import DURATION
from gitbridge_console.domain.snapshots import BreakerWord


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
