"""The log of decisions from the operator's side: is it whole, and out it goes as lines of JSON that can be checked without a store."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from gitbridge_console.domain.hash_chain import ChainCheck, End, Link, canonical
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.store.decision_log import ChainReport

FORMAT = "gitbridge-decisions/1"


class ChainOperations(Door):
    """Part of the door."""

    async def verify_decisions(self) -> list[ChainReport]:
        """Check every chain of the log of decisions."""
        async with self._asking():
            try:
                return await self._store.queue.log.verify()
            except zlib.error as error:
                raise OperationError(f"a record of the log of decisions cannot be read: {error}") from error

    async def export_decisions(self) -> AsyncIterator[bytes]:
        """The log as lines, chain by chain: where each begins and ends, then its records. Newlines included."""
        async with self._asking():
            for report in await self._store.queue.log.verify():
                yield _line({"chain": report.name, "anchor": _end(report.anchor), "head": _end(report.head), "format": FORMAT})
            async for name, link, record in self._store.queue.log.records():
                yield _line({"chain": name, "seq": link.seq, "prev": link.prev, "hash": link.hash, "record": record})


def _end(end: End) -> dict[str, Any]:
    return {"seq": end.seq, "hash": end.hash}


def _line(document: dict[str, Any]) -> bytes:
    return canonical(document) + b"\n"


def verify_lines(lines: Iterable[bytes]) -> list[ChainReport]:
    """Check an exported log, a line at a time.

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
            raise ValueError(f"line {number} is no line of an exported log of decisions: {type(error).__name__}") from None
    if not ends:
        raise ValueError("it holds no chain")
    return [ChainReport(name, check.count, *ends[name], check.end(ends[name][1])) for name, check in checks.items()]
