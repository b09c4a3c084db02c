"""The log of decisions from the operator's side: is it whole, and out it goes as lines of JSON that can be checked without a store."""

from __future__ import annotations

from collections.abc import AsyncIterator

from gitbridge_console.domain.chain_lines import ChainReport, head_line, link_line
from gitbridge_console.operations.door import Door

FORMAT = "gitbridge-decisions/1"


class ChainOperations(Door):
    """Part of the door."""

    async def verify_decisions(self) -> list[ChainReport]:
        """Check every chain of the log of decisions."""
        async with self._asking():
            return await self._store.queue.log.verify()

    async def export_decisions(self) -> AsyncIterator[bytes]:
        """The log as lines, chain by chain: where each begins and ends, then its records. Newlines included."""
        async with self._asking():
            for report in await self._store.queue.log.verify():
                yield head_line(report.name, report.anchor, report.head, FORMAT)
            async for name, link in self._store.queue.log.links():
                yield link_line(name, link)
