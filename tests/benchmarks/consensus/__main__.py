"""``python -m tests.benchmarks.consensus FILE.json [--json]``: our matching, votes and chances against labelled reviews."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.benchmarks.consensus.labelled import measure

GOALS = {
    "pair_f1": ("at least", 0.78),
    "vote_f1": ("at least", 0.50),
    "brier": ("at most", 0.165),
    "union_recall": ("at least", 0.68),
    "merge_3x60_ms": ("at most", 50),
}


def main() -> None:
    """Print the table, or one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.consensus", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    try:
        found = measure(given.file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        parser.error(f"{given.file} cannot be read as labelled reviews: {type(error).__name__}: {error}")
    if given.as_json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        goal = GOALS.get(name)
        print(f"{name:16} {value:>9}" + (f"   goal: {goal[0]} {goal[1]}" if goal else ""))
    print(f"votes beat the best single reviewer of {found['panels_won']} of {found['panels']} panels")


if __name__ == "__main__":
    main()
