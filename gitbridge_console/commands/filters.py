"""The filter of event lists, as options and as words."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from gitbridge_console.domain.filters import EventFilter

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    ("state", "S", "Events in this state."),
    ("kind", "K", "Of this kind."),
    ("provider", "P", "With a seat at this provider."),
    ("error", "CLASS", "That failed with this class."),
    ("repo", "R", "Of repositories like this (acme/*)."),
    ("subject", "TEXT", "About this subject."),
    ("since", "T", "Received since (2h, 2026-11-22T21:00)."),
    ("until", "T", "Received until."),
    ("text", "TEXT", "With these words in title, subject, reason or error."),
)


def filter_options(command: F) -> F:
    """Add ``--state``, ``--kind`` and the others; they arrive as keyword arguments of their names."""
    for name, metavar, text in reversed(_OPTIONS):
        command = click.option(f"--{name}", metavar=metavar, help=text)(command)
    return command


def filter_line(words: Sequence[str], options: dict[str, str | None]) -> str:
    """Free words (``state=failed repo=acme/*``) and options as one line."""
    return " ".join([*words, *(f"{name}={shlex.quote(value)}" for name, value in options.items() if value)])


def put_in_saved(ctx: click.Context, words: Sequence[str]) -> tuple[str, ...]:
    """The words with what ``@name`` stands for put in; the store is asked only where there is such a word."""
    if not any(word.startswith("@") for word in words):
        return tuple(words)
    from gitbridge_console.commands.running import with_operations

    return tuple([with_operations(ctx, lambda operations: operations.expand_filter(" ".join(words)))])


def event_filter(words: Sequence[str], options: dict[str, str | None]) -> EventFilter:
    """The filter of free words and options together.

    Raises:
        click.UsageError: a word means nothing.
    """
    try:
        return EventFilter.parse(filter_line(words, options))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
