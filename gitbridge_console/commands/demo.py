"""``demo``: all of it on a throw-away store."""

from __future__ import annotations

import os

import click

from gitbridge_console.cli import screen_options
from gitbridge_console.commands.console import show
from gitbridge_console.commands.options import Options
from gitbridge_console.commands.output import JSON_OPTION, no_terminal
from gitbridge_console.commands.running import prepare
from gitbridge_console.commands.words import DURATION, RATE
from gitbridge_console.operations.ending import Ending, limit_s
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.simulator.demo import DemoOptions, run_headless, running_demo
from gitbridge_console.simulator.profile_file import ProfileError
from gitbridge_console.simulator.server import ServicesError


@click.command()
@click.option("--rate", type=RATE, default=4.0, metavar="N/s", help="Events per second; default 4/s.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed makes the same events and answers.")
@click.option("--faults", default="calm", show_default=True, metavar="none|calm|storm|FILE", help="How the simulated services fail.")
@click.option("--duration", type=DURATION, metavar="S", help="Stop making events after this; headless: end (default 20s).")
@click.option("--headless", is_flag=True, help="No screen: run, then print a report.")
@screen_options
@JSON_OPTION
@click.pass_context
def demo(
    ctx: click.Context, rate: float, seed: int, faults: str, duration: float | None, headless: bool, as_json: bool, no_color: bool
) -> int:
    """Everything at once with simulated AI services and made-up events; needs no key, no network, no server."""
    if as_json and not headless:
        raise click.UsageError("--json goes with --headless")
    if "redis.url" in ctx.find_root().ensure_object(Options).overrides:
        raise click.UsageError("the demo has a store of its own and leaves no trace in another: leave --redis out")
    if no_color:
        os.environ["NO_COLOR"] = "1"
    if not headless and (why := no_terminal()):
        raise click.UsageError(f"the demo needs a terminal ({why}); without one use demo --headless")
    settings = prepare(ctx)
    options = DemoOptions(rate_per_s=rate, seed=seed, faults=faults, duration_s=duration)
    try:
        with Ending(lambda: limit_s(settings)) as ending:
            if headless:
                return run_headless(settings, options, ending, as_json=as_json, write=lambda text: click.echo(text, nl=False))
            with running_demo(settings, options, ending) as fleet:
                return show(fleet, ending, fleet.holder.current, demo=True)
    except ProfileError as error:
        raise click.UsageError(str(error)) from None
    except ServicesError as error:
        raise OperationError(str(error)) from None
