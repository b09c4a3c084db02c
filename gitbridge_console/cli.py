"""The entry point ``gitbridge-console``: what commands there are, and what every mishap looks like to the person at the keyboard."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from gitbridge_console import __version__
from gitbridge_console.commands.lazy import LazyGroup
from gitbridge_console.commands.options import Options
from gitbridge_console.commands.words import DURATION

PROGRAM = "gitbridge-console"
INTERRUPTED = 130
BROKEN_PIPE = 141

_AT = "gitbridge_console.commands"
COMMANDS = {
    "demo": (f"{_AT}.demo", "demo", "Everything at once with simulated AI services; needs no key, no network, no server."),
    "worker": (f"{_AT}.services", "worker", "Run the engine without a screen."),
    "ingress": (f"{_AT}.services", "ingress", "Receive webhooks over HTTP."),
    "submit": (f"{_AT}.submit", "submit", "Hand in an event from a file or stdin."),
    "status": (f"{_AT}.status", "status", "Lanes, providers, events and alerts, now."),
    "events": (f"{_AT}.events", "events", "List events, show one, group what failed, compare two, or export them."),
    "filters": (f"{_AT}.saved", "filters", "Keep filters under names."),
    "decisions": (f"{_AT}.decisions", "decisions", "List, show, recompute, amend, approve or reject decisions."),
    "finding": (f"{_AT}.findings", "finding", "Accept, dismiss, join or split findings of a decision."),
    "pause": (f"{_AT}.steering", "pause", "Hold lanes: they take work in and give none out."),
    "drain": (f"{_AT}.steering", "drain", "Give a provider no new seats; what waits is finished."),
    "resume": (f"{_AT}.steering", "resume", "Let lanes go on."),
    "failover": (f"{_AT}.changing", "failover", "Move a provider's waiting tasks to another one."),
    "health": (f"{_AT}.health", "health", "Ask each provider now."),
    "breaker": (f"{_AT}.steering", "breaker", "Hold a provider's circuit breaker open, close or reset it."),
    "prioritize": (f"{_AT}.changing", "prioritize", "Give events or tasks another priority."),
    "cancel": (f"{_AT}.changing", "cancel", "Cancel unfinished events."),
    "replay": (f"{_AT}.changing", "replay", "Run finished events again."),
    "bulk": (f"{_AT}.bulk", "bulk", "Operations over many events: list, show, apply, pause, resume, cancel."),
    "flush": (f"{_AT}.bulk", "flush", "Cancel all that waits in a lane; it can be replayed."),
    "quarantine": (f"{_AT}.records", "quarantine", "What came in and could not be read as an event; hand it in again or drop it."),
    "backup": (f"{_AT}.backup", "backup", "Write the namespace to a file."),
    "restore": (f"{_AT}.backup", "restore", "Put a backup into an empty namespace."),
    "reconcile": (f"{_AT}.reconcile", "reconcile", "Find deliveries that never arrived; --apply has them sent again."),
    "audit": (f"{_AT}.audit", "audit", "Who changed what, and why; searched, checked, exported."),
    "alerts": (f"{_AT}.alerts", "alerts", "What is wrong and who is told of it; acknowledge, silence, test."),
    "config": (f"{_AT}.config", "config", "Write, check or show the settings."),
    "doctor": (f"{_AT}.doctor", "doctor", "Check this installation and say what to do."),
    "paths": (f"{_AT}.about", "paths", "Where files are kept."),
    "docs": (f"{_AT}.about", "docs", "Read the documentation here."),
    "completion": (f"{_AT}.completion", "completion", "Print a completion script for a shell."),
}


def _override(key: str) -> Any:
    """A callback that notes an option as a setting."""

    def note(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        if value is not None and value is not False:
            ctx.find_root().ensure_object(Options).overrides[key] = value
        return value

    return note


def _keep(name: str) -> Any:
    """A callback that notes an option as it is."""

    def note(ctx: click.Context, _: click.Parameter, value: Any) -> Any:
        if value is not None:
            setattr(ctx.find_root().ensure_object(Options), name, value)
        return value

    return note


def _everywhere() -> list[click.Option]:
    return [
        click.Option(
            ["--config"], metavar="FILE", expose_value=False, callback=_keep("config"), help="Settings file in place of ./gitbridge.toml."
        ),
        click.Option(
            ["--redis"], metavar="URL", expose_value=False, callback=_override("redis.url"), help="The store; without it, the embedded one."
        ),
        click.Option(
            ["--state-dir"],
            metavar="DIR",
            expose_value=False,
            callback=_override("state_dir"),
            help="Folder of the embedded store and the log.",
        ),
        click.Option(
            ["--namespace"], metavar="NAME", expose_value=False, callback=_override("namespace"), help="Prefix of every key in the store."
        ),
        click.Option(["--read-only"], is_flag=True, expose_value=False, callback=_override("read_only"), help="Refuse every change."),
        click.Option(
            ["--log-level"],
            type=click.Choice(["debug", "info", "warning", "error"]),
            expose_value=False,
            callback=_override("log_level"),
            help="How much is logged.",
        ),
        click.Option(
            ["--log-file"],
            metavar="FILE",
            expose_value=False,
            callback=_keep("log_file"),
            help="Log there instead of in the state folder; - for stderr.",
        ),
    ]


def screen_options(command: Any) -> Any:
    """Options of whatever opens the screen."""
    for option in reversed(
        (
            click.option("--theme", metavar="T", expose_value=False, callback=_override("console.theme"), help="Colours."),
            click.option(
                "--ascii", is_flag=True, expose_value=False, callback=_override("console.ascii"), help="Draw with ASCII characters only."
            ),
            click.option("--no-color", is_flag=True, help="No colours; NO_COLOR does the same."),
            click.option("--mouse", is_flag=True, expose_value=False, callback=_override("console.mouse"), help="Take the mouse."),
            click.option(
                "--refresh",
                type=DURATION,
                metavar="S",
                expose_value=False,
                callback=_override("console.refresh_s"),
                help="Seconds between pictures.",
            ),
        )
    ):
        command = option(command)
    return command


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    everywhere=_everywhere(),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, prog_name=PROGRAM)
@screen_options
@click.option("--observe", is_flag=True, help="Only look: run no engine here.")
@click.option("--listen", metavar="HOST:PORT", help="Receive webhooks as well.")
@click.option("--once", is_flag=True, help="Print the status once instead of opening the screen.")
@click.option("--snapshot", metavar="FILE.svg", type=click.Path(dir_okay=False), help="Save a picture of the screen and end.")
@click.pass_context
def root(ctx: click.Context, no_color: bool, observe: bool, listen: str | None, once: bool, snapshot: str | None) -> int | None:
    """Route code-host events to several AI services, let them agree, and steer it all from one terminal.

    Without a command the console opens, with an engine inside.
    """
    ctx.ensure_object(Options)
    if no_color:
        os.environ["NO_COLOR"] = "1"
    if ctx.invoked_subcommand is not None:
        return None
    if once:
        from gitbridge_console.commands.status import show_once

        return show_once(ctx)
    from gitbridge_console.commands.console import open_console

    return open_console(ctx, observe=observe, listen=listen, snapshot=snapshot)


def run(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say and return the exit code. Nothing a person did or a machine suffered ends in a traceback on screen."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if (odd := next((word for word in words if not _is_text(word) and not os.path.lexists(word)), None)) is not None:
        shown = odd.encode("utf-8", "replace").decode("ascii", "replace")[:60]
        click.echo(f"{PROGRAM}: {shown!r} is no UTF-8 text, and no file that is there", err=True)
        return 2
    try:
        with root.make_context(PROGRAM, words) as ctx:
            result = root.invoke(ctx)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        click.echo(f"{PROGRAM}: {' '.join(error.format_message().split())}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return BROKEN_PIPE
    except Exception as error:
        return _report(error)


def _is_text(word: str) -> bool:
    """Whether a word of the command line can be stored and shown: bytes that are no UTF-8 come in as halves of surrogate pairs."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _report(error: Exception) -> int:
    """Known trouble is told by its own lines; anything else by one line, and the log gets the traceback."""
    from gitbridge_console.operations.errors import OperationError
    from gitbridge_console.settings.errors import SettingsError

    if isinstance(error, SettingsError):
        for problem in error.problems:
            click.echo(f"{PROGRAM}: {problem}", err=True)
        return error.exit_code
    if isinstance(error, OperationError):
        click.echo(f"{PROGRAM}: {' '.join(error.message.split())}", err=True)
        return error.exit_code
    logging.getLogger(__name__).error("unexpected end", exc_info=error)
    where = next(
        (own.baseFilename for own in logging.getLogger().handlers if getattr(own, "ours", False) and hasattr(own, "baseFilename")), None
    )
    hint = f"; details in {where}" if where else ""
    click.echo(f"{PROGRAM}: unexpected {type(error).__name__}, this is a fault of the program{hint}", err=True)
    return 1


def _close_stdout() -> None:
    """Whoever read our output has gone: what is still buffered goes nowhere, and the interpreter's last flush stays quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def main() -> NoReturn:
    """The console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
