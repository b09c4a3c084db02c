"""The HTTP door: ``POST /webhook``, ``GET /healthz``, ``/readyz`` and ``/metrics``.

A delivery is checked in the order of what it costs: headers, body, signature, JSON. It is answered 202 only once it
is stored, since code hosts do not send again by themselves.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.ingress.body import BodyReader, Rejected, in_thread_if_large, media_type, read_payload
from gitbridge_console.ingress.dialects import dialect_of
from gitbridge_console.ingress.dialects.base import Delivery, Dialect, NotUnderstood
from gitbridge_console.ingress.secrets import SecretSource
from gitbridge_console.settings.model import IngressSettings, Settings
from gitbridge_console.store.records import BackPressure, PayloadTooLarge
from gitbridge_console.store.unavailable import STORE_AWAY_ERRORS

logger = logging.getLogger(__name__)

COME_AGAIN: tuple[type[Exception], ...] = (BackPressure, *STORE_AWAY_ERRORS)
STORE_TIMEOUT_S = 8.0
"""Code hosts cut the connection after 10 s; a delivery that was stored all the same is a duplicate when it comes again."""
RETRY_AFTER_S = 10
PROBE_TIMEOUT_S = 5.0
READ_ONCE = frozenset({"content-type", "content-length", "content-encoding"})
"""Headers that decide how a request is read, beside those of its dialect: twice is an attempt at two readings."""
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Submitted(Protocol):
    """What became of a submitted event."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> str: ...


Submit = Callable[[IncomingEvent], Awaitable[Submitted]]


def build_ingress_app(
    settings: Callable[[], Settings],
    submit: Submit,
    ready: Callable[[], Awaitable[dict[str, Any]]],
    metrics_text: Callable[[], Awaitable[bytes]],
    *,
    come_again: tuple[type[Exception], ...] = (),
) -> Starlette:
    """The ASGI application.

    ``ready`` tells the parts of readiness; ``{"ready": false, …}`` or an error answers 503. ``come_again`` names
    further exceptions of ``submit`` that mean "not now" beside those of the store.
    """
    door = _Door(settings, submit, ready, metrics_text, (*COME_AGAIN, *come_again))
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
        submit: Submit,
        ready: Callable[[], Awaitable[dict[str, Any]]],
        metrics_text: Callable[[], Awaitable[bytes]],
        come_again: tuple[type[Exception], ...],
    ) -> None:
        self._settings = settings
        self._submit = submit
        self._ready = ready
        self._metrics_text = metrics_text
        self._come_again = come_again
        self._bodies = BodyReader()
        self._secrets = SecretSource(lambda: settings().ingress)

    async def webhook(self, request: Request) -> Response:
        try:
            return await self._take(request)
        except Rejected as refusal:
            headers = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
            if refusal.status in {408, 413}:
                # The rest of the body is not read, so the connection cannot be used again.
                headers["Connection"] = "close"
            logger.info("delivery refused: %d %s", refusal.status, refusal.message)
            return JSONResponse({"error": refusal.message}, refusal.status, headers)

    async def _take(self, request: Request) -> Response:
        settings = self._settings().ingress
        headers = dict(request.headers)
        dialect = dialect_of(headers)
        _check_once(request, dialect.headers | READ_ONCE)
        kind = media_type(headers.get("content-type", ""))
        secrets = self._secrets.current()
        proven = _check_before_reading(request, settings, secrets, dialect.unproven(headers))
        body = await self._bodies.read(request, max_bytes=settings.max_body_bytes, timeout_s=settings.body_timeout_s)
        try:
            delivery = await in_thread_if_large(len(body), _understand, dialect, headers, body, kind, secrets if proven else None)
            return await self._accept(dialect, delivery)
        finally:
            self._bodies.release(len(body))

    async def _accept(self, dialect: Dialect, delivery: Delivery) -> Response:
        if delivery.ping:
            return JSONResponse({"status": "pong"})
        event = IncomingEvent(delivery=delivery.id, type=delivery.type, payload=delivery.payload, source=dialect.source)
        result = await self._store(event)
        return JSONResponse({"id": result.id, "status": result.status}, 202)

    async def _store(self, event: IncomingEvent) -> Submitted:
        try:
            async with asyncio.timeout(STORE_TIMEOUT_S):
                return await self._submit(event)
        except PayloadTooLarge:
            raise Rejected(413, "the payload is over queue.payload_max_bytes") from None
        except TimeoutError:
            raise Rejected(503, "the store did not answer in time", retry_after_s=RETRY_AFTER_S) from None
        except self._come_again as error:
            logger.warning("delivery %s is not stored: %s", event.delivery, " ".join(str(error).split()))
            raise Rejected(503, "not stored: try again later", retry_after_s=RETRY_AFTER_S) from None
        except Exception:
            # Whatever it is, the sender gets an answer without internals, and the log gets the rest.
            logger.exception("delivery %s could not be stored", event.delivery)
            raise Rejected(500, "not stored: internal error") from None

    async def healthz(self, request: Request) -> Response:
        """The process lives and its loop turns."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Whether a delivery sent now would be stored."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                parts = await self._ready()
        except Exception as error:
            logger.warning("not ready: %s", " ".join(str(error).split()) or type(error).__name__)
            return JSONResponse({"ready": False}, 503)
        return JSONResponse(parts, 200 if parts.get("ready", True) else 503)

    async def metrics(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                return Response(await self._metrics_text(), media_type=METRICS_TYPE)
        except Exception as error:
            logger.warning("no metrics: %s", " ".join(str(error).split()) or type(error).__name__)
            return Response(b"", 503)


def _understand(dialect: Dialect, headers: Mapping[str, str], body: bytes, kind: str, secrets: tuple[bytes, ...] | None) -> Delivery:
    """The delivery of a body, proven first where it claims to be signed.

    Raises:
        Rejected: 401 the proof does not hold, 400 it is not what the host sends.
    """
    if secrets is not None and not dialect.verify(body, headers, secrets):
        raise Rejected(401, "the signature does not match")
    text, payload = read_payload(body, kind)
    try:
        return dialect.read(headers, payload, text)
    except NotUnderstood as error:
        raise Rejected(400, str(error)) from None


def _check_once(request: Request, names: frozenset[str]) -> None:
    seen: set[str] = set()
    for raw, _ in request.headers.raw:
        name = raw.decode("latin-1").lower()
        if name in names and name in seen:
            raise Rejected(400, f"{name} is there twice")
        seen.add(name)


def _check_before_reading(request: Request, settings: IngressSettings, secrets: tuple[bytes, ...], unproven: str | None) -> bool:
    """Refuse before the body is read what cannot be accepted whatever its body is; whether there is a proof to verify.

    Raises:
        Rejected: 503 no secret is configured, 401 unsigned.
    """
    if unproven is not None and settings.allow_unsigned_loopback and _from_this_host(request):
        return False
    if not secrets:
        raise Rejected(503, "no webhook secret is configured on this receiver")
    if unproven is not None:
        raise Rejected(401, unproven)
    return True


def _from_this_host(request: Request) -> bool:
    """Whether the sender itself is on this host; a proxy on this host forwards for others and says so in a header."""
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip")):
        return False
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
