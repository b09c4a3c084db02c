"""Server-sent events from bytes, incrementally and bounded (the part of the HTML standard, 9.2.6, that services use)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gitbridge_console.providers.errors import AnswerTooLarge

MAX_EVENT_BYTES = 8 * 1024 * 1024
DONE: dict[str, Any] = {"type": "[DONE]"}
"""Stands for OpenAI's end mark, which is no JSON."""


class EventReader:
    """Give it the chunks of a body, get the parsed events. Comments, ids and retry times are dropped."""

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Events completed by this chunk, each parsed only when it is its turn, so that a broken one takes none along.

        Raises:
            AnswerTooLarge: one event is larger than ``MAX_EVENT_BYTES``.
            ValueError: the data of an event is not a JSON object.
        """
        self._size += len(chunk)
        if self._size > MAX_EVENT_BYTES:
            raise AnswerTooLarge(f"an event of the stream is larger than {MAX_EVENT_BYTES >> 20} MiB")
        if b"\n" not in chunk:
            self._partial.append(chunk)
            return
        if self._partial:
            chunk = b"".join((*self._partial, chunk))
        *lines, rest = chunk.split(b"\n")
        self._partial = [rest] if rest else []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:])
            elif line in (b"", b"\r") and self._data:
                yield self._event()
        self._size = len(rest) + sum(map(len, self._data))

    def finish(self) -> Iterator[dict[str, Any]]:
        """The last event of a body that ended without the blank line after it.

        Raises:
            ValueError: it is not complete.
        """
        return self.feed(b"\n\n")

    def _event(self) -> dict[str, Any]:
        data = b"\n".join(self._data)
        self._data = []
        if data.strip() == b"[DONE]":
            return DONE
        event = json.loads(data.decode())
        if not isinstance(event, dict):
            raise json.JSONDecodeError("an event that is not an object", "", 0)
        return event
