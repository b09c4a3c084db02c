"""``health``: ask the providers now. It needs no store, so it works on the night the store does not."""

from __future__ import annotations

import asyncio

import click

from gitbridge_console.commands.output import JSON_OPTION, print_json, table
from gitbridge_console.commands.running import prepare
from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.operations.health import ask_now


@click.command()
@click.argument("providers", nargs=-1, metavar="[PROVIDER...]")
@JSON_OPTION
@click.pass_context
def health(ctx: click.Context, providers: tuple[str, ...], as_json: bool) -> int:
    """Ask each provider for its list of models: does it answer, take the key, offer the model? Costs no tokens.

    Exit code 1 when one of them is not well.
    """
    found = asyncio.run(ask_now(prepare(ctx), providers))
    if as_json:
        print_json(found)
    else:
        click.echo(
            table(("PROVIDER", "HEALTH", "MS", "MODEL", "NOTE"), (_row(name, finding) for name, finding in found.items()), last_width=120)
        )
    return 0 if found and all(finding.ok for finding in found.values()) else 1


def _row(name: str, finding: HealthFinding) -> tuple[object, ...]:
    word = "ok" if finding.ok else finding.failure or "not asked"
    return name, word, f"{finding.ms:.0f}", finding.model.replace("_", " "), finding.reason
