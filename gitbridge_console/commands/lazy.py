"""A group of commands whose modules are imported when they are used, and options that may stand before or after the command."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from gitbridge_console.commands.options import Options


class LazyGroup(click.Group):
    """``commands`` maps a name to its module, the attribute in it, and the line for the list of commands.

    Every option of ``everywhere`` is understood before and after the name of a command, as people type it.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str, str]], everywhere: Sequence[click.Option], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = dict(lazy)
        self._everywhere = everywhere
        self._loaded: dict[str, click.Command] = {}
        self.params.extend(everywhere)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table, which is that of use."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command."""
        if cmd_name not in self._lazy:
            return None
        if cmd_name not in self._loaded:
            module, attribute, _ = self._lazy[cmd_name]
            command = getattr(importlib.import_module(module), attribute)
            self._accept_everywhere(command)
            self._loaded[cmd_name] = command
        return self._loaded[cmd_name]

    def _accept_everywhere(self, command: click.Command) -> None:
        if isinstance(command, click.Group):
            for below in command.commands.values():
                self._accept_everywhere(below)
        own = {name for parameter in command.params for name in parameter.opts}
        for option in self._everywhere:
            if not own & set(option.opts):
                command.params.append(_hidden(option))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in self._lazy.items()])


def _hidden(option: click.Option) -> click.Option:
    return click.Option(
        [*option.opts],
        type=option.type,
        is_flag=option.is_flag,
        default=None,
        expose_value=False,
        hidden=True,
        callback=option.callback,
        help=option.help,
    )


def options_of(ctx: click.Context) -> Options:
    """What was asked for on the whole command line."""
    return ctx.find_root().ensure_object(Options)
