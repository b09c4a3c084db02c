"""What a command prints: data on stdout, talk on stderr, text from outside made harmless."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
REASON = click.option("--reason", required=True, metavar="TEXT", help="Kept in the audit.")


def no_terminal() -> str:
    """Why nobody could see a screen that is drawn here; empty where it can be."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "stdin or stdout is none"
    return "TERM is not set, or dumb" if os.environ.get("TERM", "") in {"", "dumb"} else ""


def say(text: str) -> None:
    """A remark to the person, on stderr."""
    click.echo(text, err=True)


def plain(text: object, width: int | None = None) -> str:
    """Outside text on one line: no control characters, no invisible direction marks, at most ``width`` characters."""
    cleaned = "".join(_harmless(char) for char in str(text))
    if width is not None and len(cleaned) > width:
        return cleaned[: max(0, width - 1)] + "…"
    return cleaned


def _harmless(char: str) -> str:
    if char in "\t\n\r":
        return " "
    return "�" if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else char


def print_json(document: Any) -> None:
    """One indented JSON document. Characters outside ASCII are escaped, so no terminal can be steered by it."""
    import json

    click.echo(json.dumps(_plain_data(document), indent=2))


def print_json_line(document: Any) -> None:
    """One JSON document on one line."""
    import json

    click.echo(json.dumps(_plain_data(document), separators=(",", ":")))


def _plain_data(document: Any) -> Any:
    if hasattr(document, "model_dump"):
        return document.model_dump(mode="json", by_alias=True)
    if isinstance(document, dict):
        return {key: _plain_data(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [_plain_data(item) for item in document]
    return document


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, last_width: int = 60) -> str:
    """Columns padded to their widest cell; the last one is cut at ``last_width``."""
    lines = [list(headers), *([plain(cell, last_width if index == len(row) - 1 else 40) for index, cell in enumerate(row)] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(headers))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def seconds(value: float | None) -> str:
    """A span for people: ``0.4s``, ``41s``, ``3m20s``, ``2h05m``, ``3d04h``."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f}s"
    whole = round(value)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def print_changes(report: Any, done: str, *, as_json: bool) -> None:
    """What an operation changed: ids on stdout, the rest as talk."""
    if as_json:
        print_json(report)
        return
    for name in report.ids:
        click.echo(plain(name))
    say(f"{done}: {report.changed}" + (f", left alone: {report.unchanged}" if report.unchanged else ""))
    for note in report.notes:
        say(f"  {plain(note)}")
