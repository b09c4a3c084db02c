"""OpenAI's Batch API: a file of requests in, a file of answers and one of errors out."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from gitbridge_console.providers.base import BatchState, ProviderError, ProviderReply, ProviderRequest
from gitbridge_console.providers.batched import LISTED_MAX, Batches, id_of
from gitbridge_console.providers.classify import one_line
from gitbridge_console.providers.collector import count, table

if TYPE_CHECKING:

    class Asks(Protocol):
        """A provider that can say what the body of a request is."""

        def parameters(self, request: ProviderRequest) -> dict[str, Any]:
            """The body."""
            ...


MARK = "gitbridge"
"""Name of the metadata field that holds our mark."""

ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class OpenAIBatches(Batches):
    """Batches carry our mark in their metadata, so one that was handed in is found again for sure."""

    keeps_marks = True

    def __init__(self, provider: Any, endpoint: str) -> None:
        super().__init__(provider)
        self._asks: Asks = provider
        self._endpoint = endpoint

    async def submit(self, mark: str, requests: Mapping[str, ProviderRequest]) -> str:
        """See BatchProvider."""
        lines = (
            json.dumps({"custom_id": name, "method": "POST", "url": self._endpoint, "body": self._asks.parameters(request)})
            for name, request in requests.items()
        )
        content = "\n".join(lines).encode()

        async def hand_in(client: Any) -> Any:
            file = await client.files.create(file=(f"{mark}.jsonl", content), purpose="batch")
            return await client.batches.create(
                input_file_id=id_of(file.id), endpoint=self._endpoint, completion_window="24h", metadata={MARK: mark}
            )

        return id_of((await self._call(hand_in)).id)

    async def find(self, mark: str, names: Collection[str], since_s: float, known: Collection[str] = ()) -> str | None:
        """See BatchProvider."""
        body = await self._json("get", "/batches", options={"params": {"limit": LISTED_MAX}})
        listed = body.get("data")
        for batch in listed if isinstance(listed, list) else []:
            if table(table(batch).get("metadata")).get(MARK) == mark:
                return id_of(table(batch).get("id"))
        return None

    async def state(self, batch_id: str) -> BatchState:
        """See BatchProvider."""
        batch = await self._json("get", f"/batches/{batch_id}")
        counts = table(batch.get("request_counts"))
        total = count(counts.get("total")) or 0
        done = (count(counts.get("completed")) or 0) + (count(counts.get("failed")) or 0)
        return BatchState(batch_id, batch.get("status") in ENDED, total, done)

    async def results(self, batch_id: str) -> dict[str, ProviderReply | ProviderError]:
        """See BatchProvider."""
        batch = await self._json("get", f"/batches/{batch_id}")
        found: dict[str, ProviderReply | ProviderError] = {}
        for field in ("error_file_id", "output_file_id"):
            file_id = batch.get(field)
            if isinstance(file_id, str) and file_id:
                found |= await self._read(await self._file(id_of(file_id)), self._result)
        return found

    async def cancel(self, batch_id: str) -> None:
        """See BatchProvider."""
        await self._call(lambda client: client.batches.cancel(batch_id))

    async def _file(self, file_id: str) -> bytes:
        async def read(client: Any) -> bytes:
            content: bytes = (await client.files.content(file_id)).content
            return content

        return await self._call(read)

    def _result(self, line: dict[str, Any]) -> ProviderReply | ProviderError:
        response, error = table(line.get("response")), table(line.get("error"))
        if not response:
            return self._expired(f"the batch ended before this request was answered ({one_line(str(error.get('code')), 60)})")
        status, body = count(response.get("status_code")) or 200, table(response.get("body"))
        given = response.get("request_id")
        request_id = one_line(given, 128) if isinstance(given, str) else None
        if status >= 400 or body.get("error"):
            return self._refused(body, status, request_id)
        return self._reply(_as_events(body), request_id)


def _as_events(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a stream of this answer would have said, by either API."""
    if body.get("object") != "chat.completion":
        yield {"type": "response.completed", "response": body}
        return
    choices = body.get("choices")
    choice = table(choices[0]) if isinstance(choices, list) and choices else {}
    delta = {"delta": choice.get("message"), "finish_reason": choice.get("finish_reason")}
    yield {"model": body.get("model"), "choices": [delta], "usage": body.get("usage")}
    yield {"type": "[DONE]"}
