"""One file of dead letters. Everything here blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gitbridge_console.domain.event_records import EventRecord, Receipt, RecordError, encode, receipt, verify
from gitbridge_console.router.export_file import ExportFailed, ExportFile

FOLDER = "dead-letters"


class DeadLetterFile(ExportFile):
    """A file of events, each with what proves that it was written whole."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(folder, name)
        self.receipts: list[Receipt] = []

    def add(self, record: EventRecord, *, at_ms: int, by: str) -> None:
        """Write one letter.

        Raises:
            ExportFailed: no room.
        """
        line = encode(record, at_ms=at_ms, by=by)
        self.write(line)
        self.receipts.append(receipt(record, line))

    def finish(self) -> None:
        """Bring it to the disk, close it, read it back and hold every line against what was to be written.

        Raises:
            ExportFailed: the disk refused, or what is there differs.
        """
        self.close_and_check(self._hold_against)

    def _hold_against(self, lines: Iterator[bytes]) -> None:
        try:
            verify(lines, self.receipts)
        except RecordError as error:
            raise ExportFailed(f"{self.path.name} does not hold what was written: {error}") from error
