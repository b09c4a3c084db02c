"""GitLab: a secret token in ``X-Gitlab-Token``, or a signature of Standard Webhooks where a signing token is set.

Which header names the delivery: ``Idempotency-Key`` (GitLab 17.4) stays the same when a delivery is sent again.
``X-Gitlab-Webhook-UUID`` is made anew for every request, and ``X-Gitlab-Event-UUID`` is shared by all that one event caused,
so neither will do; older servers' deliveries are known by the hash of their body, which a repetition keeps.
https://docs.gitlab.com/user/project/integrations/webhooks/#delivery-headers
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gitbridge_console.domain.events import GITLAB
from gitbridge_console.domain.facts import text as text_of
from gitbridge_console.ingress.dialects.base import DELIVERY, EVENT_TYPE, Delivery, NotUnderstood, required
from gitbridge_console.ingress.dialects.rewriting import as_text
from gitbridge_console.ingress.gitlab_payload import common, github_shape

EVENT_HEADER, TOKEN_HEADER, KEY_HEADER = "X-Gitlab-Event", "X-Gitlab-Token", "Idempotency-Key"
_ANY = re.compile(r"[\x20-\x7e]{1,100}")
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")
SECRET_PREFIX = b"whsec_"
TOLERANCE_S = 300
"""How far a signed time may be from ours, as Standard Webhooks has it."""


class GitLabDialect:
    """See :class:`gitbridge_console.ingress.dialects.base.Dialect`."""

    name = GITLAB
    source = f"webhook:{GITLAB}"
    headers = frozenset({EVENT_HEADER.lower(), TOKEN_HEADER.lower(), KEY_HEADER.lower(), *SIGNED})

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def speaks(self, headers: Mapping[str, str]) -> bool:
        """Every delivery names its event; the other headers are not GitLab's alone."""
        return EVENT_HEADER.lower() in headers

    def unproven(self, headers: Mapping[str, str]) -> str | None:
        """A token or a signature will do; a signature from another time is none."""
        if headers.get(TOKEN_HEADER.lower()):
            return None
        if any(not headers.get(name) for name in SIGNED):
            return f"{TOKEN_HEADER} is missing, and so is a signature: set a secret or signing token for the webhook"
        return None if self._in_time(headers) else "webhook-timestamp is more than five minutes from this receiver's clock"

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[bytes]) -> bool:
        """Whether the token is one of the secrets, or the signature is the body's under one of them."""
        token = headers.get(TOKEN_HEADER.lower(), "").encode("latin-1", "replace")
        tokens = [hmac.compare_digest(secret, token) for secret in secrets if secret and token]
        given = [word.encode("latin-1", "replace") for word in headers.get("webhook-signature", "").split()[:10]]
        signed = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode("latin-1", "replace") + body
        right = [_signature(key, signed) for secret in secrets for key in _keys(secret)] if given and self._in_time(headers) else []
        signatures = [hmac.compare_digest(one, other) for one in right for other in given]
        return any((*tokens, *signatures))

    def read(self, headers: Mapping[str, str], payload: dict[str, Any], text: bytes) -> Delivery:
        """The event in GitHub's shape, GitLab's own payload kept within."""
        required(headers, EVENT_HEADER, _ANY)
        kind = text_of(payload.get("object_kind")) or text_of(payload.get("event_name"))
        if not EVENT_TYPE.fullmatch(kind):
            raise NotUnderstood("the payload names no object_kind: custom webhook templates are not read")
        delivery = f"{GITLAB}:{_delivery(headers, text)}"
        found = github_shape(payload)
        type, body = found or (kind, common(payload))
        return Delivery(delivery, type, as_text(body), known=found is not None)

    def _in_time(self, headers: Mapping[str, str]) -> bool:
        stamp = headers.get("webhook-timestamp", "")
        return stamp.isascii() and stamp.isdecimal() and len(stamp) < 12 and abs(self._clock() - int(stamp)) <= TOLERANCE_S


def _delivery(headers: Mapping[str, str], text: bytes) -> str:
    key = headers.get(KEY_HEADER.lower()) or headers.get("webhook-id", "")
    if not key:
        return hashlib.sha256(text).hexdigest()
    if not DELIVERY.fullmatch(key) or len(key) > 80:
        raise NotUnderstood(f"{KEY_HEADER} is not usable")
    return key


def _keys(secret: bytes) -> list[bytes]:
    """What a signing token may stand for: itself, and after ``whsec_`` the bytes that follow in base64."""
    keys = [secret] if secret else []
    if secret.startswith(SECRET_PREFIX):
        try:
            keys.append(base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True))
        except binascii.Error:
            return keys
    return [key for key in keys if key]


def _signature(key: bytes, signed: bytes) -> bytes:
    return b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
