"""``config``: write, check and show the settings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.output import JSON_OPTION, print_json, say
from gitbridge_console.commands.whole_file import replaced_whole
from gitbridge_console.operations.errors import Refused
from gitbridge_console.settings.defaults_file import commented_defaults
from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.files import FILE_NAME, user_file
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.reload import fingerprint
from gitbridge_console.settings.shown import as_toml, shown
from gitbridge_console.store.acl import ROLES, acl_lines


@click.group()
def config() -> None:
    """Write, check or show the settings."""


@config.command()
@click.option("--here", is_flag=True, help=f"Write ./{FILE_NAME} instead of the file of this user.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_context
def init(ctx: click.Context, here: bool, force: bool) -> None:
    """Write a file with every key, its default and its meaning; --config FILE names another place."""
    asked = options_of(ctx).config
    path = Path(asked).expanduser() if asked else Path(FILE_NAME) if here else user_file(os.environ)
    if path.exists() and not force:
        raise Refused(f"{path} is there already: --force replaces it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_whole(path) as file:
            file.write(commented_defaults().encode())
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror or error}"]) from None
    click.echo(path)


@config.command()
@JSON_OPTION
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> int:
    """Read all settings as a run would; every problem on a line of its own, exit code 2 if there are any."""
    try:
        loaded = options_of(ctx).load()
    except SettingsError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": list(error.problems)})
        return error.exit_code
    files = [str(path) for path in loaded.files]
    if as_json:
        print_json({"ok": True, "problems": [], "files": files, "fingerprint": fingerprint(loaded.settings)})
    else:
        say(f"ok: {', '.join(files) or 'no file, built-in defaults'}; fingerprint {fingerprint(loaded.settings)}")
    return 0


@config.command()
@click.option("--origins", is_flag=True, help="With where each value comes from.")
@JSON_OPTION
@click.pass_context
def show(ctx: click.Context, origins: bool, as_json: bool) -> None:
    """The settings that hold, as TOML. Passwords in URLs are masked; other secrets are never in them."""
    loaded = options_of(ctx).load()
    tree = shown(loaded.settings)
    if as_json:
        print_json({"settings": tree, "origins": dict(loaded.origins)} if origins else tree)
    else:
        click.echo(as_toml(tree, loaded.origins if origins else None), nl=False)


@config.command()
def schema() -> None:
    """The JSON schema of the settings file, for editors."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))


@config.command()
@click.argument("role", required=False, type=click.Choice(ROLES), metavar="[viewer|operator|admin]")
@click.pass_context
def acl(ctx: click.Context, role: str | None) -> None:
    """Print the store's users of the roles as lines of an ACL file, for the namespace of the settings; all of them, or one.

    They are off and have no password: `ACL SETUSER NAME on >PASSWORD` on the server switches one on.
    """
    settings = options_of(ctx).load().settings
    lines = acl_lines(settings.namespace, (settings.legacy.events_key, settings.legacy.processing_key) if settings.legacy.enabled else ())
    for name in (role,) if role else ROLES:
        click.echo(lines[name])
