"""The simulated services as one ASGI application, each under a path of its own name.

``claude`` with vendor anthropic answers at ``/claude/v1/messages``; ``grok`` (xai) and ``chatgpt`` (openai) answer at
``/grok/v1/responses`` and ``/grok/v1/chat/completions``; all of them at ``…/v1/models``. The
batch APIs of the first and the last are there too. Any non-empty key is accepted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import Send

from gitbridge_console.simulator import wire_anthropic, wire_openai
from gitbridge_console.simulator.batches import Batches, anthropic_routes, openai_routes
from gitbridge_console.simulator.bodies import read_body
from gitbridge_console.simulator.profiles import ServiceProfile
from gitbridge_console.simulator.service import BadAsk, Plan, SimulatedService
from gitbridge_console.simulator.wire import Wire
from gitbridge_console.simulator.wire_chat import ChatWire
from gitbridge_console.simulator.wire_responses import ResponsesWire

_FAILED = {
    "server_error": (500, "Internal server error"),
    "rate_limited": (429, "Rate limit reached: too many requests in this minute. Please slow down."),
}


class CutOff(Exception):
    """The connection is to be closed in the middle of the answer."""


@dataclass(slots=True)
class Closing:
    """Ends every wait at once when the services stop. Made anew for each application; bound to the loop that first waits."""

    event: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            CutOff: the services stop.
        """
        if seconds > 0:
            try:
                await asyncio.wait_for(self.event.wait(), seconds)
            except TimeoutError:
                return
        if self.event.is_set():
            raise CutOff

    async def wait_unless_gone(self, seconds: float, request: Request) -> None:
        """Let time pass, but no longer than the client is there."""
        waits = [asyncio.ensure_future(request.receive()), asyncio.ensure_future(self.event.wait())]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()


class _CuttableResponse(StreamingResponse):
    """A streamed response that ends without its last chunk on CutOff, so that the server closes the connection."""

    async def stream_response(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for chunk in self.body_iterator:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except CutOff:
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Endpoint:
    """One API of one service."""

    def __init__(self, service: SimulatedService, wire: Wire, closing: Closing) -> None:
        self._service = service
        self._wire = wire
        self._closing = closing

    async def __call__(self, request: Request) -> Response:
        try:
            ask = self._wire.read(await read_body(request))
            plan = self._service.plan(ask)
        except BadAsk as error:
            return JSONResponse(self._wire.error(error.status, str(error), param=error.param), status_code=error.status)
        fault = plan.fault
        if fault == "silence" or (fault == "stall" and not ask.stream):
            await self._closing.wait_unless_gone(plan.faults.hang_s, request)
            return self._failed(plan, 504, "The request timed out")
        if fault in _FAILED:
            return self._failed(plan, *_FAILED[fault])
        if fault == "overloaded" or (fault == "overloaded_midstream" and not ask.stream):
            return self._failed(plan, self._wire.overloaded_status, "Overloaded")
        if ask.stream:
            return _CuttableResponse(self._stream(plan), headers=self._wire.headers(plan), media_type="text/event-stream")
        return _CuttableResponse(self._whole(plan), headers=self._wire.headers(plan), media_type="application/json")

    def _failed(self, plan: Plan, status: int, message: str) -> Response:
        return JSONResponse(self._wire.error(status, message, request_id=plan.request_id), status, self._wire.headers(plan))

    async def _whole(self, plan: Plan) -> AsyncIterator[bytes]:
        await self._closing.wait(plan.total_s)
        body = json.dumps(self._wire.whole(plan)).encode()
        if plan.fault == "cut":
            yield body[: len(body) // 2]
            raise CutOff
        yield body

    async def _stream(self, plan: Plan) -> AsyncIterator[bytes]:
        await self._closing.wait(plan.first_token_s / 2)
        yield b"".join(self._wire.opening(plan))
        await self._closing.wait(plan.first_token_s / 2)
        pieces = plan.pieces()
        gap_s = (plan.total_s - plan.first_token_s) / len(pieces)
        for index, piece in enumerate(pieces):
            if index == len(pieces) // 2 and plan.fault == "overloaded_midstream":
                yield b"".join(self._wire.overloaded_event(plan))
                return
            if index == len(pieces) // 2:
                await self._trouble(plan)
            yield self._wire.delta(plan, piece, index)
            await self._closing.wait(gap_s)
        yield b"".join(self._wire.closing(plan, len(pieces)))

    async def _trouble(self, plan: Plan) -> None:
        """What may happen to the connection in the middle of a stream."""
        if plan.fault == "stall":
            await self._closing.wait(plan.faults.hang_s)
        if plan.fault in ("stall", "cut"):
            raise CutOff


def _routes(service: SimulatedService, closing: Closing, seed: int) -> list[Route]:
    profile = service.profile

    async def models(request: Request) -> Response:
        if profile.vendor == "anthropic":
            return JSONResponse(wire_anthropic.model_list(profile.models))
        return JSONResponse(wire_openai.model_list(profile.models, profile.vendor))

    wires: dict[str, Wire] = (
        {"/v1/messages": wire_anthropic.MessagesWire()}
        if profile.vendor == "anthropic"
        else {"/v1/responses": ResponsesWire(profile.vendor), "/v1/chat/completions": ChatWire(profile.vendor)}
    )
    asks = [Route(path, _Endpoint(service, wire, closing).__call__, methods=["POST"]) for path, wire in wires.items()]
    return [*asks, *_batch_routes(service, wires, seed), Route("/v1/models", models, methods=["GET"])]


def _batch_routes(service: SimulatedService, wires: dict[str, Wire], seed: int) -> list[Route]:
    batches = Batches(service, wires, seed)
    if service.profile.vendor == "anthropic":
        return anthropic_routes(batches, wires["/v1/messages"])
    return openai_routes(batches, wires["/v1/responses"]) if service.profile.vendor == "openai" else []


def build_app(profiles: dict[str, ServiceProfile], seed: int = 0) -> Starlette:
    """The application. ``app.state.services`` has each service by name, ``app.state.closing`` ends every wait."""
    closing = Closing()
    services = {name: SimulatedService(name, profile, seed) for name, profile in profiles.items()}
    app = Starlette(routes=[Mount(f"/{name}", routes=_routes(service, closing, seed)) for name, service in services.items()])
    app.state.services = services
    app.state.closing = closing
    return app


def base_url(origin: str, name: str, profile: ServiceProfile) -> str:
    """The base URL a provider's settings need: Anthropic's client adds ``/v1`` by itself, OpenAI's does not."""
    return f"{origin}/{name}" if profile.vendor == "anthropic" else f"{origin}/{name}/v1"
