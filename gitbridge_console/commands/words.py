"""Words of the command line that mean a quantity or a moment."""

from __future__ import annotations

import re

import click

DURATION_MAX_S = 366 * 86400.0
_PER_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def span_s(text: str) -> float:
    """Seconds of ``90``, ``15m`` or ``2d``, above zero and at most a year.

    Raises:
        ValueError: not such a span.
    """
    from gitbridge_console.domain.filters import duration_s

    value = duration_s(text)
    if not 0 < value <= DURATION_MAX_S:
        raise ValueError(f"{text!r} is not above zero and at most a year")
    return value


def rate_per_s(text: str) -> float:
    """Events per second of ``4``, ``4/s``, ``90/m``.

    Raises:
        ValueError: not a rate above zero.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:/\s*([smh]))?", text.strip().lower())
    value = float(found[1]) / _PER_S[found[2] or "s"] if found else 0.0
    if not 0 < value <= 10_000:
        raise ValueError(f"{text!r} is not a rate: write 4/s or 90/m")
    return value


class Duration(click.ParamType):  # type: ignore[type-arg]
    """An option like ``--for 15m``, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, or say how to write it."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return span_s(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Rate(click.ParamType):  # type: ignore[type-arg]
    """An option like ``--rate 4/s``."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it, or say how to write it."""
        if isinstance(value, int | float):
            return float(value)
        try:
            return rate_per_s(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = Duration()
RATE = Rate()
