"""Webhook signatures: HMAC-SHA256 over the raw body, as code hosts send them in ``X-Hub-Signature-256``."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "sha256="


def sign(body: bytes, secret: bytes) -> str:
    """The header value for a body."""
    return PREFIX + hmac.new(secret, body, hashlib.sha256).hexdigest()


def verify(body: bytes, header: str | None, secrets: Iterable[bytes]) -> bool:
    """Whether the header is the body's signature under any of the secrets (several while one is being replaced).

    Every secret is tried and compared in constant time. Empty secrets never match. SHA-1 is not accepted.
    """
    given = (header or "").strip().encode("utf-8", "replace")
    matches = [hmac.compare_digest(sign(body, secret).encode(), given) for secret in secrets if secret]
    return any(matches)
