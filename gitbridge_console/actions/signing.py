"""Signing what goes out, as Standard Webhooks says: an id, a time and an HMAC-SHA256 over both and the body. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"
SECRET_MIN_BYTES = 16
"""The specification asks for 24 to 64 bytes; shorter than this is surely a mistake."""


class NoSecret(ValueError):
    """There is no secret that a message could be signed with; the words do not hold it."""


def key_of(secret: str) -> bytes:
    """The key behind a secret as it is handed out: base64 after ``whsec_``, else the bytes themselves.

    Raises:
        NoSecret: it is too short, or no base64 where it says so.
    """
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise NoSecret("what follows whsec_ is no base64") from None
    else:
        key = secret.encode()
    if len(key) < SECRET_MIN_BYTES:
        raise NoSecret(f"the secret has less than {SECRET_MIN_BYTES} bytes")
    return key


def signed_headers(key: bytes, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """Headers of one message; a repetition carries the same id, so that the receiver can tell it."""
    signature = hmac.new(key, f"{message_id}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{base64.b64encode(signature).decode('ascii')}",
    }
