"""``filters``: filters under names, for everybody who uses the namespace."""

from __future__ import annotations

import click

from gitbridge_console.commands.output import JSON_OPTION, print_changes, print_json, say, table
from gitbridge_console.commands.running import with_operations


@click.group()
def filters() -> None:
    """Keep filters under names; @NAME stands for one wherever a FILTER is given."""


@filters.command("list")
@JSON_OPTION
@click.pass_context
def list_filters(ctx: click.Context, as_json: bool) -> None:
    """Those there are."""
    found = with_operations(ctx, lambda operations: operations.saved_filters())
    if as_json:
        print_json(found)
        return
    click.echo(table(("NAME", "FILTER"), found.items()))
    say(f"{len(found)} filters")


@filters.command()
@click.argument("name")
@click.argument("words", nargs=-1, required=True, metavar="FILTER...")
@JSON_OPTION
@click.pass_context
def save(ctx: click.Context, name: str, words: tuple[str, ...], as_json: bool) -> None:
    """Keep one, in place of one of that name."""
    print_changes(with_operations(ctx, lambda operations: operations.save_filter(name, " ".join(words))), "saved", as_json=as_json)


@filters.command()
@click.argument("name")
@JSON_OPTION
@click.pass_context
def drop(ctx: click.Context, name: str, as_json: bool) -> None:
    """Forget one."""
    print_changes(with_operations(ctx, lambda operations: operations.drop_filter(name)), "dropped", as_json=as_json)
