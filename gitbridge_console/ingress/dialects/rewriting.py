"""Writing a payload that was rewritten into GitHub's shape."""

from __future__ import annotations

import json
from typing import Any

from gitbridge_console.ingress.dialects.base import NotUnderstood


def as_text(body: dict[str, Any]) -> bytes:
    """JSON text of a payload.

    Raises:
        NotUnderstood: it is nested so deeply that it can be read but not written.
    """
    try:
        return json.dumps(body, separators=(",", ":")).encode()
    except RecursionError:
        raise NotUnderstood("the payload is nested too deeply") from None
