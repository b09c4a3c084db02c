"""Batch APIs of the simulated services: Anthropic's Message Batches, and OpenAI's files and batches."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitbridge_console.simulator.bodies import read_body, read_upload
from gitbridge_console.simulator.seeds import seeded
from gitbridge_console.simulator.service import BadAsk, SimulatedService
from gitbridge_console.simulator.wire import Wire

KEPT_MAX = 64
"""Batches and files of one service that are remembered; the oldest go first."""

T = TypeVar("T")


@dataclass(slots=True)
class Batch:
    """One batch. ``outcomes`` has what became of each request, once it ended: its answer, or ``failed``, ``expired``, ``cancelled``."""

    id: str
    path: str
    requests: dict[str, dict[str, Any]]
    made_at: float
    ends_at: float
    metadata: Any = None
    cancelled: bool = False
    outcomes: dict[str, dict[str, Any] | str] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether its results can be read."""
        return bool(self.outcomes)

    def count(self, *words: str) -> int:
        """How many requests ended so; ``succeeded`` for those with an answer."""
        return sum((outcome if isinstance(outcome, str) else "succeeded") in words for outcome in self.outcomes.values())


class Batches:
    """The batches of one service. Not thread-safe: it belongs to one event loop."""

    def __init__(self, service: SimulatedService, wires: Mapping[str, Wire], seed: int, clock: Callable[[], float] = time.time) -> None:
        self._service = service
        self._wires = wires
        self._clock = clock
        self._chance: random.Random = seeded("batches", seed, service.name)
        self.all: dict[str, Batch] = {}
        self.files: dict[str, bytes] = {}

    def make(self, path: str, requests: dict[str, dict[str, Any]], metadata: Any = None) -> Batch:
        """Take a batch.

        Raises:
            BadAsk: there is nothing in it, or no such API.
        """
        if not requests or path not in self._wires:
            raise BadAsk("A batch needs at least one request to an API there is.")
        now = self._clock()
        batch_id = f"{'msgbatch' if path == '/v1/messages' else 'batch'}_{self._chance.getrandbits(96):024x}"
        made = Batch(batch_id, path, requests, now, now + self._service.profile.batches.delay_s, metadata)
        return _keep(self.all, made.id, made)

    def find(self, batch_id: str) -> Batch:
        """A batch as it is by now.

        Raises:
            BadAsk: there is none of that name.
        """
        batch = self.all.get(batch_id)
        if batch is None:
            raise BadAsk(f"No batch found with id '{batch_id[:100]}'.", status=404)
        if not batch.ended and (batch.cancelled or self._clock() >= batch.ends_at):
            batch.outcomes = {name: self._outcome(batch, body) for name, body in batch.requests.items()}
        return batch

    def newest_first(self) -> list[Batch]:
        """Every batch as it is by now."""
        return [self.find(batch_id) for batch_id in reversed(self.all)]

    def keep_file(self, content: bytes) -> str:
        """Keep a file; returns its name."""
        name = f"file-{self._chance.getrandbits(96):024x}"
        _keep(self.files, name, content)
        return name

    def _outcome(self, batch: Batch, body: dict[str, Any]) -> dict[str, Any] | str:
        if batch.cancelled:
            return "cancelled"
        life, at = self._service.profile.batches, self._chance.random()
        if at < life.failed + life.expired:
            return "failed" if at < life.failed else "expired"
        wire = self._wires[batch.path]
        try:
            return wire.whole(self._service.plan(wire.read(body)))
        except BadAsk:
            return "failed"


def _keep(kept: dict[str, T], name: str, what: T) -> T:
    kept[name] = what
    while len(kept) > KEPT_MAX:
        del kept[next(iter(kept))]
    return what


def anthropic_routes(batches: Batches, wire: Wire) -> list[Route]:
    """``/v1/messages/batches`` and what is below it."""
    base = "/v1/messages/batches"

    def shown(batch: Batch) -> dict[str, Any]:
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if batch.ended else "in_progress",
            "request_counts": {
                "processing": 0 if batch.ended else len(batch.requests),
                "succeeded": batch.count("succeeded"),
                "errored": batch.count("failed"),
                "canceled": batch.count("cancelled"),
                "expired": batch.count("expired"),
            },
            "created_at": dt.datetime.fromtimestamp(batch.made_at, dt.UTC).isoformat(),
            "expires_at": dt.datetime.fromtimestamp(batch.made_at + 86_400, dt.UTC).isoformat(),
            "results_url": f"{base}/{batch.id}/results" if batch.ended else None,
        }

    def line(name: str, outcome: dict[str, Any] | str) -> dict[str, Any]:
        if isinstance(outcome, dict):
            return {"custom_id": name, "result": {"type": "succeeded", "message": outcome}}
        if outcome == "failed":
            return {"custom_id": name, "result": {"type": "errored", "error": wire.error(500, "Internal server error")}}
        return {"custom_id": name, "result": {"type": "canceled" if outcome == "cancelled" else outcome}}

    async def make(request: Request) -> Response:
        given = (await read_body(request)).get("requests")
        wanted = {str(one["custom_id"]): dict(one["params"]) for one in given} if isinstance(given, list) else {}
        return JSONResponse(shown(batches.make("/v1/messages", wanted)))

    async def everything(request: Request) -> Response:
        return JSONResponse({"data": [shown(batch) for batch in batches.newest_first()], "has_more": False})

    async def one(request: Request) -> Response:
        return JSONResponse(shown(batches.find(request.path_params["id"])))

    async def results(request: Request) -> Response:
        batch = batches.find(request.path_params["id"])
        if not batch.ended:
            raise BadAsk("The batch has not ended yet.", status=404)
        return _lines(line(name, outcome) for name, outcome in batch.outcomes.items())

    async def cancel(request: Request) -> Response:
        batches.find(request.path_params["id"]).cancelled = True
        return JSONResponse(shown(batches.find(request.path_params["id"])))

    return [
        Route(base, _safe(make, wire), methods=["POST"]),
        Route(base, _safe(everything, wire), methods=["GET"]),
        Route(base + "/{id}", _safe(one, wire), methods=["GET"]),
        Route(base + "/{id}/results", _safe(results, wire), methods=["GET"]),
        Route(base + "/{id}/cancel", _safe(cancel, wire), methods=["POST"]),
    ]


def openai_routes(batches: Batches, wire: Wire) -> list[Route]:
    """``/v1/files`` and ``/v1/batches``."""

    def shown(batch: Batch) -> dict[str, Any]:
        answered = [_answered(name, outcome, wire) for name, outcome in batch.outcomes.items()]
        good = [one for one in answered if one["error"] is None and one["response"]["status_code"] == 200]
        status = "cancelled" if batch.cancelled else "expired" if batch.count("expired") else "completed"
        made: dict[str, Any] = {
            "id": batch.id,
            "object": "batch",
            "endpoint": batch.path,
            "input_file_id": "file-in",
            "completion_window": "24h",
            "created_at": int(batch.made_at),
            "status": status if batch.ended else "in_progress",
            "request_counts": {"total": len(batch.requests), "completed": len(good), "failed": len(answered) - len(good)},
            "metadata": batch.metadata,
        }
        bad = [one for one in answered if one not in good]
        for what, lines in (("output", good), ("error", bad)):
            made[f"{what}_file_id"] = f"file-{batch.id}-{what}" if lines else None
            if lines:
                _keep(batches.files, f"file-{batch.id}-{what}", bytes(_lines(lines).body))
        return made

    async def upload(request: Request) -> Response:
        content = await read_upload(request)
        about = {"object": "file", "bytes": len(content), "created_at": 1, "filename": "batch.jsonl", "purpose": "batch"}
        return JSONResponse({"id": batches.keep_file(content), **about})

    async def download(request: Request) -> Response:
        content = batches.files.get(request.path_params["id"])
        if content is None:
            raise BadAsk("No such file.", status=404)
        return Response(content, media_type="application/octet-stream")

    async def make(request: Request) -> Response:
        body = await read_body(request)
        raw = batches.files.get(str(body.get("input_file_id")))
        if raw is None:
            raise BadAsk("No such file.", param="input_file_id")
        lines = [json.loads(line) for line in raw.splitlines() if line.strip()]
        wanted = {str(line["custom_id"]): dict(line["body"]) for line in lines}
        return JSONResponse(shown(batches.make(str(body.get("endpoint")), wanted, body.get("metadata"))))

    async def everything(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [shown(batch) for batch in batches.newest_first()], "has_more": False})

    async def one(request: Request) -> Response:
        return JSONResponse(shown(batches.find(request.path_params["id"])))

    async def cancel(request: Request) -> Response:
        batches.find(request.path_params["id"]).cancelled = True
        return JSONResponse(shown(batches.find(request.path_params["id"])))

    return [
        Route("/v1/files", _safe(upload, wire), methods=["POST"]),
        Route("/v1/files/{id}/content", _safe(download, wire), methods=["GET"]),
        Route("/v1/batches", _safe(make, wire), methods=["POST"]),
        Route("/v1/batches", _safe(everything, wire), methods=["GET"]),
        Route("/v1/batches/{id}", _safe(one, wire), methods=["GET"]),
        Route("/v1/batches/{id}/cancel", _safe(cancel, wire), methods=["POST"]),
    ]


def _answered(name: str, outcome: dict[str, Any] | str, wire: Wire) -> dict[str, Any]:
    line: dict[str, Any] = {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None}
    if outcome in ("expired", "cancelled"):
        return line | {"error": {"code": f"batch_{outcome}", "message": "This request could not be executed before the batch ended."}}
    body = outcome if isinstance(outcome, dict) else wire.error(500, "Internal server error")
    return line | {"response": {"status_code": 200 if isinstance(outcome, dict) else 500, "request_id": f"req_{name}", "body": body}}


def _lines(lines: Any) -> Response:
    return Response(b"\n".join(json.dumps(line).encode() for line in lines), media_type="application/x-jsonl")


def _safe(endpoint: Callable[[Request], Awaitable[Response]], wire: Wire) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint, with bad requests refused as the service would."""

    async def ask(request: Request) -> Response:
        try:
            return await endpoint(request)
        except BadAsk as error:
            return JSONResponse(wire.error(error.status, str(error), param=error.param), status_code=error.status)
        except (ValueError, KeyError, TypeError):
            return JSONResponse(wire.error(400, "The batch could not be read."), status_code=400)

    return ask
