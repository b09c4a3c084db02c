"""The HTTP door: ``POST /webhook``, ``GET /healthz``, ``/readyz`` and ``/metrics``.

A delivery is checked in the order of what it costs: source, headers, body, proof of origin, JSON. It is answered 202 only
once it is stored or on disk, since code hosts do not send again by themselves.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.ingress.admission import admit
from gitbridge_console.ingress.body import BodyReader, Rejected, in_thread_if_large, read_payload
from gitbridge_console.ingress.counters import Counters
from gitbridge_console.ingress.dialects import dialect_of
from gitbridge_console.ingress.dialects.base import Delivery, Dialect, NotUnderstood
from gitbridge_console.ingress.keeper import Keeper
from gitbridge_console.ingress.secrets import SecretSource
from gitbridge_console.ingress.source_limits import SourceLimits
from gitbridge_console.settings.model import Settings

logger = logging.getLogger(__name__)

PROBE_TIMEOUT_S = 5.0
FLOOD_REPORT_EVERY_S = 60.0
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ENDS_THE_CONNECTION = {"Connection": "close"}
"""What is left of a body that was not read must not be taken for the next request."""


def build_ingress_app(
    settings: Callable[[], Settings],
    keeper: Keeper,
    counters: Counters,
    ready: Callable[[], Awaitable[dict[str, Any]]],
    metrics_text: Callable[[], Awaitable[bytes]],
) -> Starlette:
    """The ASGI application. ``ready`` tells the parts of readiness; ``{"ready": false, …}`` or an error answers 503."""
    door = _Door(settings, keeper, counters, ready, metrics_text)
    return Starlette(
        routes=[
            Route("/webhook", door.webhook, methods=["POST"]),
            Route("/healthz", door.healthz, methods=["GET"]),
            Route("/readyz", door.readyz, methods=["GET"]),
            Route("/metrics", door.metrics, methods=["GET"]),
        ]
    )


class _Door:
    def __init__(
        self,
        settings: Callable[[], Settings],
        keeper: Keeper,
        counters: Counters,
        ready: Callable[[], Awaitable[dict[str, Any]]],
        metrics_text: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._settings = settings
        self._keeper = keeper
        self._counters = counters
        self._ready = ready
        self._metrics_text = metrics_text
        self._bodies = BodyReader()
        self._limits = SourceLimits()
        self._flood_said_at: float | None = None
        self._secrets = SecretSource(lambda: settings().ingress)

    async def webhook(self, request: Request) -> Response:
        began = time.perf_counter()
        try:
            return await self._take(request)
        except Rejected as refusal:
            self._counters.refused.labels(str(refusal.status), refusal.reason).inc()
            self._say(request, refusal)
            headers = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
            if not getattr(request.state, "body_was_read", False):
                headers |= ENDS_THE_CONNECTION
                if refusal.status != 408:
                    await self._bodies.discard(request)
            return JSONResponse({"error": refusal.message}, refusal.status, headers)
        finally:
            self._counters.seconds.observe(time.perf_counter() - began)

    def _say(self, request: Request, refusal: Rejected) -> None:
        """One line in the log; of those who send too much, one a minute, or they would fill it."""
        if refusal.status == 429:
            now = time.monotonic()
            if self._flood_said_at is not None and now - self._flood_said_at < FLOOD_REPORT_EVERY_S:
                return
            self._flood_said_at = now
        level = logging.WARNING if refusal.status >= 500 else logging.INFO
        detail = f" ({refusal.detail})" if refusal.detail else ""
        sender = request.client.host if request.client else "unknown"
        logger.log(level, "delivery from %s refused: %d %s%s", sender, refusal.status, refusal.message, detail)

    async def _take(self, request: Request) -> Response:
        settings = self._settings().ingress
        headers = dict(request.headers)
        dialect = dialect_of(headers)
        secrets = self._secrets.current()
        admitted = admit(request, headers, dialect, settings, secrets, self._limits)
        body = await self._bodies.read(request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
        request.state.body_was_read = True
        try:
            self._counters.sizes.observe(len(body))
            delivery = await in_thread_if_large(
                len(body), _understand, dialect, headers, body, admitted.media_type, secrets if admitted.signed else None
            )
            return await self._accept(dialect, delivery)
        finally:
            self._bodies.release(len(body))

    async def _accept(self, dialect: Dialect, delivery: Delivery) -> Response:
        if delivery.ping:
            self._counters.deliveries.labels(dialect.name, "ping").inc()
            return JSONResponse({"status": "pong"})
        if not delivery.known and not self._ruled(delivery.type):
            self._counters.deliveries.labels(dialect.name, "ignored").inc()
            logger.info(
                "delivery %s ignored: %s sends no event %s that is known, and no rule names it", delivery.id, dialect.name, delivery.type
            )
            return JSONResponse({"status": "ignored"}, 202)
        event = IncomingEvent(delivery=delivery.id, type=delivery.type, payload=delivery.payload, source=dialect.source)
        kept = await self._keeper.keep(event)
        self._counters.deliveries.labels(dialect.name, kept.status).inc()
        return JSONResponse({"id": kept.id, "status": kept.status} if kept.id else {"status": kept.status}, 202)

    def _ruled(self, event_type: str) -> bool:
        """Whether a rule of the settings names the type."""
        return any(rule.when.type is not None and fnmatchcase(event_type, rule.when.type) for rule in self._settings().rules)

    async def healthz(self, request: Request) -> Response:
        """The process lives and its loop turns."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether a delivery sent now would be answered with a 202."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                parts = await self._ready()
        except Exception as error:
            logger.warning("not ready: %s", " ".join(str(error).split()) or type(error).__name__)
            return JSONResponse({"ready": False}, 503)
        return JSONResponse(parts, 200 if parts.get("ready", True) else 503)

    async def metrics(self, request: Request) -> Response:
        """The receiver's own numbers always, those of the fleet while the store answers."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                fleet = await self._metrics_text()
        except Exception as error:
            logger.warning("no metrics of the fleet: %s", " ".join(str(error).split()) or type(error).__name__)
            fleet = STORE_DOWN
        return Response(self._counters.exposition() + fleet, media_type=METRICS_TYPE)


STORE_DOWN = b"# HELP gitbridge_store_up Whether the store answers\n# TYPE gitbridge_store_up gauge\ngitbridge_store_up 0.0\n"


def _understand(dialect: Dialect, headers: Mapping[str, str], body: bytes, kind: str, secrets: Sequence[bytes] | None) -> Delivery:
    """The delivery of a body, proven first where it claims to be signed.

    Raises:
        Rejected: 401 the proof does not hold, 400 it is not what the host sends.
    """
    if secrets is not None and not dialect.verify(body, headers, secrets):
        raise Rejected(401, "the signature does not match", "signature")
    text, payload = read_payload(body, kind)
    try:
        return dialect.read(headers, payload, text)
    except NotUnderstood as error:
        raise Rejected(400, str(error), "headers") from None
