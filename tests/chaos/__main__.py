"""``python -m tests.chaos``: one run, and what it came to."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import fields, replace
from types import FrameType

from tests.chaos.harness import run
from tests.chaos.plan import LONG, SHORT


def _words() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser("python -m tests.chaos", description="Trouble the queue and count what it lost; must be nothing.")
    words.add_argument("--short", action="store_true", help="start from the short plan instead of the long one")
    words.add_argument("--json", action="store_true", help="the report as JSON")
    for item in fields(LONG):
        kind = type(getattr(LONG, item.name))
        shown = f"{getattr(LONG, item.name)}, short {getattr(SHORT, item.name)}"
        words.add_argument(f"--{item.name.replace('_', '-')}", type=kind, metavar="N", help=f"default {shown}")
    return words


def _end(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> int:
    """Run what the words say; 1 when anything was found wrong."""
    given = _words().parse_args()
    signal.signal(signal.SIGTERM, _end)
    changes = {item.name: value for item in fields(LONG) if (value := getattr(given, item.name)) is not None}
    report = run(replace(SHORT if given.short else LONG, **changes), lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps(report.record(), indent=2) if given.json else report.text(), end="")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
