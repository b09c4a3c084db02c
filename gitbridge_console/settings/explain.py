"""Turns what pydantic says about a setting into one line for the person who wrote it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.tree import Path, dotted

_SHOWN_VALUE_MAX = 60


def known_keys(path: Path) -> tuple[str, ...]:
    """The keys a table may have; empty where names are free or there is no such table."""
    here: Any = Settings
    for key in path:
        here = _below(here, key)
    if get_origin(here) is dict:
        return tuple(str(word) for word in get_args(get_args(here)[0]))
    return tuple(here.model_fields) if isinstance(here, type) and issubclass(here, BaseModel) else ()


def _below(here: Any, key: str) -> Any:
    if isinstance(here, type) and issubclass(here, BaseModel):
        field = here.model_fields.get(key)
        return field.annotation if field is not None else None
    if get_origin(here) is dict:
        return get_args(here)[1]
    if get_origin(here) is tuple:
        return get_args(here)[0]
    return None


def nearest(word: str, known: tuple[str, ...]) -> str:
    """``; did you mean `x`?`` or the keys there are, or nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; it can have {', '.join(known)}" if known else ""


def explain(error: Mapping[str, Any]) -> tuple[Path, str]:
    """Path and line of one of pydantic's errors. Values of keys that may hold a secret never appear."""
    path = tuple(str(part) for part in error["loc"] if part != "[key]")
    kind, message = error["type"], str(error["msg"])
    if kind == "extra_forbidden":
        return path, f"unknown key `{path[-1]}`{nearest(path[-1], known_keys(path[:-1]))}"
    if kind == "missing":
        return path, "is missing"
    if error["loc"] and error["loc"][-1] == "[key]":
        return path, f"unknown name `{path[-1]}`{nearest(path[-1], known_keys(path[:-1]))}"
    text = message.removeprefix("Value error, ").partition(", unable to parse")[0]
    text = text.removeprefix("Input should be ")
    if text != message and not message.startswith("Value error"):
        text = f"should be {text}"
    value = error.get("input")
    if isinstance(value, str | int | float) and "url" not in dotted(path) and not message.startswith("Value error"):
        text += f", not {_shown(value)}"
    return path, text


def _shown(value: str | int | float) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_VALUE_MAX else shown[:_SHOWN_VALUE_MAX] + "…"
