"""A hash chain as lines of JSON that can be checked anywhere: where it begins and ends, then its records. Newlines included."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gitbridge_console.domain.hash_chain import ChainCheck, End, Link, canonical


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What checking one chain came to; ``problem`` is empty where it holds."""

    name: str
    entries: int
    anchor: End
    head: End
    problem: str


def head_line(name: str, anchor: End, head: End, form: str) -> bytes:
    """The line a chain begins with; ``form`` names what its records are."""
    return canonical({"chain": name, "anchor": _end(anchor), "head": _end(head), "format": form}) + b"\n"


def link_line(name: str, link: Link) -> bytes:
    """One record with its hashes; ``null`` for one that is damaged, which whoever checks the lines will find."""
    try:
        record = json.loads(link.body)
    except ValueError:
        record = None
    document = {"chain": name, "seq": link.seq, "prev": link.prev, "hash": link.hash, "record": record}
    return canonical(document) + b"\n"


def _end(end: End) -> dict[str, Any]:
    return {"seq": end.seq, "hash": end.hash}


def verify_lines(lines: Iterable[bytes]) -> list[ChainReport]:
    """Check exported chains, a line at a time.

    Raises:
        ValueError: it is none; the message says which line.
    """
    checks: dict[str, ChainCheck] = {}
    ends: dict[str, tuple[End, End]] = {}
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            name = str(document["chain"])
            if "record" in document:
                link = Link(int(document["seq"]), str(document["prev"]), str(document["hash"]), canonical(document["record"]))
                checks[name].add(link)
            else:
                anchor, head = (End(int(document[end]["seq"]), str(document[end]["hash"])) for end in ("anchor", "head"))
                checks[name], ends[name] = ChainCheck(anchor), (anchor, head)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"line {number} is no line of an exported chain: {type(error).__name__}") from None
    if not ends:
        raise ValueError("it holds no chain")
    return [ChainReport(name, check.count, *ends[name], check.end(ends[name][1])) for name, check in checks.items()]
