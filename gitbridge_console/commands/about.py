"""``paths`` and ``docs``."""

from __future__ import annotations

import os
import sys
from importlib import resources
from pathlib import Path

import click

from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.output import JSON_OPTION, print_json, say
from gitbridge_console.commands.running import log_path
from gitbridge_console.operations.manual import read_topic, topics
from gitbridge_console.operations.places import spool_dir, state_dir
from gitbridge_console.router.audit_keeper import FOLDER as AUDIT_FOLDER
from gitbridge_console.router.dead_letter_file import FOLDER
from gitbridge_console.settings.files import FILE_NAME, SYSTEM_FILE, user_file


@click.command()
@JSON_OPTION
@click.pass_context
def paths(ctx: click.Context, as_json: bool) -> None:
    """Where files are kept."""
    options = options_of(ctx)
    loaded = options.load()
    state = state_dir(loaded.settings)
    found = {
        "settings read": ", ".join(str(path) for path in loaded.files) or "none",
        "settings of this host": str(SYSTEM_FILE),
        "settings of this user": str(user_file(os.environ)),
        "settings of this folder": str(Path(FILE_NAME).absolute()),
        "state": str(state),
        "embedded store": str(state / "store"),
        "dead letters": str(state / FOLDER),
        "spool of deliveries": str(spool_dir(loaded.settings)),
        "exported audit": str(state / AUDIT_FOLDER),
        "log": str(log_path(options, loaded.settings) or "stderr"),
        "program": str(resources.files("gitbridge_console")),
        "Grafana dashboard": str(resources.files("gitbridge_console") / "docs" / "grafana.json"),
    }
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(f"{name:<24} {path}" for name, path in found.items()))


@click.command()
@click.argument("topic", required=False)
def docs(topic: str | None) -> None:
    """Read the documentation here: a TOPIC, or the list of them."""
    if topic is None:
        for name, title in topics().items():
            click.echo(f"{name:<24} {title}")
        say("read one with: gitbridge-console docs TOPIC")
        return
    text = read_topic(topic)
    if sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        click.echo(text)
