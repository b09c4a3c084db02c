"""``alerts``: what is wrong, who has seen it, who is told; tried out."""

from __future__ import annotations

import click

from gitbridge_console.commands.output import JSON_OPTION, plain, print_changes, print_json, say, table
from gitbridge_console.commands.running import with_operations
from gitbridge_console.commands.words import DURATION
from gitbridge_console.domain.alert_views import AlertsReport
from gitbridge_console.domain.alerting import key_of
from gitbridge_console.domain.timestamps import iso_from_ms


@click.group(invoke_without_command=True)
@JSON_OPTION
@click.pass_context
def alerts(ctx: click.Context, as_json: bool) -> None:
    """What is wrong now, and how those who are told outside the terminal took it."""
    if ctx.invoked_subcommand is not None:
        return
    report = with_operations(ctx, lambda operations: operations.list_alerts())
    if as_json:
        print_json(report)
    else:
        _print(report)


def _print(report: AlertsReport) -> None:
    rows = []
    for alert in report.alerts:
        key = key_of(alert)
        words = [
            f"seen by {alert.acked_by}" if alert.acked_by else "",
            f"silenced until {alert.silenced_until}" if alert.silenced_until else "",
        ]
        told = f"told {report.told[key]}" if key in report.told else ""
        rows.append((alert.level, key, alert.since, "; ".join(filter(None, (told, *words))) or "-", alert.text))
    if rows:
        click.echo(table(("LEVEL", "CONDITION", "SINCE", "STATE", "TEXT"), rows, last_width=160))
    say(f"{len(rows)} alerts" if rows else "all well")
    for name, silence in report.silences.items():
        say(f"silenced: {plain(name)} until {iso_from_ms(silence['until_ms'])} by {plain(silence['by'])}: {plain(silence['reason'])}")
    for target in report.targets:
        trouble = f", last error: {plain(target.last_error)}" if target.last_error else ""
        gone = f", given up {target.given_up}" if target.given_up else ""
        say(f"{plain(target.name)}: delivered {target.delivered}, waiting {target.waiting}{gone}{trouble}")
    if not report.targets:
        say("nobody is told outside the terminal: set alerts.command or [alerts.webhooks.NAME]")


@alerts.command()
@click.argument("code")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the audit.")
@JSON_OPTION
@click.pass_context
def ack(ctx: click.Context, code: str, reason: str, as_json: bool) -> None:
    """Say that a condition was seen, by its name or code: no reminders and no bell for it until it is over."""
    print_changes(with_operations(ctx, lambda operations: operations.ack_alert(code, reason)), "acknowledged", as_json=as_json)


@alerts.command()
@click.argument("code")
@click.option("--for", "for_s", type=DURATION, metavar="1h", help="How long nobody is told of it.")
@click.option("--end", is_flag=True, help="End a silence instead.")
@click.option("--reason", default="", metavar="TEXT", help="Kept in the audit; needed to begin one.")
@JSON_OPTION
@click.pass_context
def silence(ctx: click.Context, code: str, for_s: float | None, end: bool, reason: str, as_json: bool) -> None:
    """Tell nobody of a condition, by its name or code, for a time."""
    if end == (for_s is not None) or for_s == 0:
        raise click.UsageError("say for how long with --for 1h, or --end")
    done = "no longer silenced" if end else "silenced"
    print_changes(with_operations(ctx, lambda operations: operations.silence_alert(code, for_s or 0.0, reason)), done, as_json=as_json)


@alerts.command()
@JSON_OPTION
@click.pass_context
def test(ctx: click.Context, as_json: bool) -> int:
    """Send a message to every receiver now, from this process; exit code 1 when one did not take it."""
    found = with_operations(ctx, lambda operations: operations.test_alerts())
    if as_json:
        print_json({name: {"delivered": not why, "error": why} for name, why in found.items()})
    else:
        for name, why in found.items():
            click.echo(f"{plain(name)}: {plain(why) or 'delivered'}")
    return int(any(found.values()))
