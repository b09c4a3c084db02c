"""What is refused before a byte of a body is read: by source, by what the headers say, and for want of a proof."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from gitbridge_console.ingress.addresses import contains, networks, read_address, sender, source_key
from gitbridge_console.ingress.body import Rejected, media_type
from gitbridge_console.ingress.dialects.base import Dialect
from gitbridge_console.ingress.source_limits import SourceLimits
from gitbridge_console.settings.ingress import IngressSettings

READ_ONCE = frozenset({"content-type", "content-length", "content-encoding", "transfer-encoding", "host"})
"""Headers that decide how a request is read, beside those of its dialect: twice is an attempt at two readings."""
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request whose body is worth reading. ``signed``: it brings a proof that has to hold."""

    media_type: str
    signed: bool


def admit(
    request: Request,
    headers: Mapping[str, str],
    dialect: Dialect,
    settings: IngressSettings,
    secrets: Sequence[bytes],
    limits: SourceLimits,
) -> Admitted:
    """Check everything but the body.

    Raises:
        Rejected: 429 too much from one source, 403 not from a network that may send, 400, 415 or 401 by its headers, 503 no
            secret is configured.
    """
    _check_source(request, settings, limits)
    _check_once(request, dialect.headers | READ_ONCE)
    if "transfer-encoding" in headers and "content-length" in headers:
        raise Rejected(400, "content-length and transfer-encoding are both there", "headers")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Rejected(415, "compressed bodies are not accepted: send it as it was signed", "content_encoding")
    kind = media_type(headers.get("content-type", ""))
    unproven = dialect.unproven(headers)
    if unproven is not None and settings.allow_unsigned_loopback and _from_this_host(request):
        return Admitted(kind, signed=False)
    if not secrets:
        raise Rejected(503, "no webhook secret is configured on this receiver", "no_secret")
    if unproven is not None:
        raise Rejected(401, unproven, "unsigned")
    return Admitted(kind, signed=True)


def _check_source(request: Request, settings: IngressSettings, limits: SourceLimits) -> None:
    peer = request.client.host if request.client else ""
    address = sender(peer, request.headers.getlist("x-forwarded-for"), networks(settings.trusted_proxies))
    wait_s = limits.take(source_key(address), settings.source_requests_per_s)
    if wait_s:
        raise Rejected(429, "too many requests from this source", "rate", retry_after_s=max(1, math.ceil(wait_s)))
    allowed = networks(settings.source_networks)
    if allowed and (address is None or not contains(allowed, address)):
        raise Rejected(
            403, "this source may not send here", "source", detail=f"{address or 'no address'} is not in ingress.source_networks"
        )


def _check_once(request: Request, names: frozenset[str]) -> None:
    seen: set[str] = set()
    for raw, _ in request.headers.raw:
        name = raw.decode("latin-1").lower()
        if name in names and name in seen:
            raise Rejected(400, f"{name} is there twice", "headers")
        seen.add(name)


def _from_this_host(request: Request) -> bool:
    """Whether the sender itself is on this host; a proxy on this host forwards for others and says so in a header."""
    if any(name in request.headers for name in FORWARDED):
        return False
    address = read_address(request.client.host if request.client else "")
    return address is not None and address.is_loopback
