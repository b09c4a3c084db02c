"""The audit from the operator's side: searched, checked and exported."""

from __future__ import annotations

from collections.abc import AsyncIterator

from gitbridge_console.domain.audit import FORMAT, AuditFilter
from gitbridge_console.domain.chain_lines import ChainReport, head_line, link_line
from gitbridge_console.domain.event_views import AuditEntry
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.store.journal import AuditBooks


class AuditOperations(Door):
    """Part of the door."""

    async def list_audit(self, limit: int = 100, wanted: AuditFilter | None = None) -> list[AuditEntry]:
        """Operators' writes that match, newest first; it looks back as far as the audit goes."""
        async with self._asking():
            return await self._store.journal.newest(limit, wanted)

    async def verify_audit(self) -> ChainReport:
        """Check the chain of the audit."""
        async with self._asking():
            return await self._store.journal.verify()

    async def audit_books(self) -> AuditBooks:
        """What left the audit, and where to."""
        async with self._asking():
            return await self._store.journal.books()

    async def export_audit(self) -> AsyncIterator[bytes]:
        """The audit as lines: where its chain begins and ends now, then its records. Newlines included.

        Raises:
            OperationError: entries were trimmed meanwhile, so that some may be missing.
        """
        async with self._asking():
            chain = self._store.journal.chain
            anchor, head = await chain.ends()
            yield head_line(chain.name, anchor, head, FORMAT)
            async for link in chain.links():
                if link.seq > head.seq:
                    break
                yield link_line(chain.name, link)
            if (await chain.ends())[0] != anchor:
                raise OperationError("the oldest entries were exported by an engine meanwhile: export again")
