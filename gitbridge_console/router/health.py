"""Asks a service for its list of models: a question that costs no tokens and shows whether address, key and model are right."""

from __future__ import annotations

import time

from gitbridge_console.domain.failures import Failure, FailureClass
from gitbridge_console.domain.provider_health import HealthFinding, offers
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.providers.base import Provider, ProviderError

NO_LIST = {403: "this key may not see its list of models", 404: "it has no list of models", 405: "it has no list of models"}
"""A service is not unwell for having no list, nor for keeping it from a key that may only ask questions."""


async def look_at(provider: Provider, model: str, *, timeout_s: float) -> tuple[HealthFinding, Failure | None]:
    """Ask once, for at most ``timeout_s`` seconds; the failure says what a router should make of it, ``None``: nothing."""
    at, started = iso_from_ms(time.time() * 1000), time.monotonic()
    listed: list[str] = []
    failure: Failure | None = None
    try:
        listed = await provider.list_models(timeout_s=timeout_s)
    except ProviderError as error:
        failure = error.failure
    ms = round((time.monotonic() - started) * 1000, 1)
    if failure is not None and (failure.http_status in NO_LIST or failure.cls is FailureClass.INVALID_OUTPUT):
        why = NO_LIST.get(failure.http_status or 0, "its list of models has no known shape")
        return HealthFinding(ok=True, at=at, ms=ms, reason=f"it answers; {why}"), None
    if failure is not None:
        return HealthFinding(ok=False, at=at, ms=ms, reason=failure.message, failure=failure.cls.value), failure
    word, nearest = offers(model, listed)
    reason = ""
    if word == "not_listed":
        reason = f"model {model} is not on its list" + (f"; like it are {', '.join(nearest)}" if nearest else "")
    return HealthFinding(ok=True, at=at, ms=ms, reason=reason, model=word, nearest=nearest, models=len(listed)), None
