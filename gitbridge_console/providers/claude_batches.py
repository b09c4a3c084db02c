"""Anthropic's Message Batches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gitbridge_console.providers.base import BatchState, ProviderError, ProviderReply, ProviderRequest
from gitbridge_console.providers.batched import LISTED_MAX, Batches, id_of
from gitbridge_console.providers.classify import one_line
from gitbridge_console.providers.collector import count, table

if TYPE_CHECKING:
    from gitbridge_console.providers.claude import ClaudeProvider

PATH = "/v1/messages/batches"
CLOCK_SKEW_S = 120.0
COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


class ClaudeBatches(Batches):
    """One JSON document in, lines of JSON out. A batch has no name of ours here, so one is found again by when it was made and its size."""

    keeps_marks = False

    def __init__(self, provider: ClaudeProvider) -> None:
        super().__init__(provider)
        self._claude = provider

    async def submit(self, mark: str, requests: Mapping[str, ProviderRequest]) -> str:
        """See BatchProvider."""
        body = {"requests": [{"custom_id": name, "params": self._claude.parameters(request)} for name, request in requests.items()]}
        return id_of((await self._json("post", PATH, body=body)).get("id"))

    async def find(self, mark: str, names: Collection[str], since_s: float, known: Collection[str] = ()) -> str | None:
        """See BatchProvider. A batch that has not ended tells only how many requests it has."""
        listed = (await self._json("get", PATH, options={"params": {"limit": LISTED_MAX}})).get("data")
        for batch in map(table, listed if isinstance(listed, list) else []):
            made = _epoch_s(batch.get("created_at"))
            if made is None or made < since_s - CLOCK_SKEW_S or _counts(batch)[0] != len(names) or batch.get("id") in known:
                continue
            batch_id = id_of(batch.get("id"))
            if batch.get("processing_status") != "ended" or not set(names).isdisjoint(await self.results(batch_id)):
                return batch_id
        return None

    async def state(self, batch_id: str) -> BatchState:
        """See BatchProvider."""
        batch = await self._json("get", f"{PATH}/{batch_id}")
        total, open_ = _counts(batch)
        return BatchState(batch_id, batch.get("processing_status") == "ended", total, total - open_)

    async def results(self, batch_id: str) -> dict[str, ProviderReply | ProviderError]:
        """See BatchProvider."""
        import httpx2

        response = await self._call(lambda client: client.get(f"{PATH}/{batch_id}/results", cast_to=httpx2.Response))
        return await self._read(response.content, lambda line: self._result(table(line.get("result"))))

    async def cancel(self, batch_id: str) -> None:
        """See BatchProvider."""
        await self._json("post", f"{PATH}/{batch_id}/cancel")

    def _result(self, result: dict[str, Any]) -> ProviderReply | ProviderError:
        kind = result.get("type")
        if kind == "succeeded":
            message = table(result.get("message"))
            request_id = message.get("id")
            return self._reply(_as_events(message), one_line(request_id, 128) if isinstance(request_id, str) else None)
        if kind == "errored":
            # Errors are nested once more here than in the body of an error response.
            body = table(result.get("error"))
            return self._refused(body if body.get("error") else {"error": body}, None, None)
        return self._expired(f"the batch ended before this request was answered ({one_line(str(kind), 30)})")


def _as_events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What a stream of this message would have said."""
    yield {"type": "message_start", "message": message}
    blocks = message.get("content")
    for block in blocks if isinstance(blocks, list) else []:
        if table(block).get("type") == "text":
            yield {"type": "content_block_delta", "delta": {"type": "text_delta", "text": table(block).get("text")}}
    end = {"stop_reason": message.get("stop_reason"), "stop_details": message.get("stop_details")}
    yield {"type": "message_delta", "delta": end, "usage": message.get("usage")}
    yield {"type": "message_stop"}


def _counts(batch: dict[str, Any]) -> tuple[int, int]:
    """All requests of a batch, and those still under way."""
    counts = table(batch.get("request_counts"))
    return sum(count(counts.get(name)) or 0 for name in COUNTS), count(counts.get("processing")) or 0


def _epoch_s(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None
