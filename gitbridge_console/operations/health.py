"""Asking providers now, whatever the engines know: each once, all at the same time."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import Sequence

from gitbridge_console.domain.provider_health import HealthFinding
from gitbridge_console.domain.timestamps import iso_from_ms
from gitbridge_console.operations.errors import NotFound
from gitbridge_console.providers.registry import import_sdks
from gitbridge_console.router.health import look_at
from gitbridge_console.router.provider_pool import client_or_problem
from gitbridge_console.settings.model import Settings


def check_providers(settings: Settings, names: Sequence[str]) -> None:
    """Whether all of them are configured.

    Raises:
        NotFound: one is not; the line names one that is like it.
    """
    unknown = [name for name in names if name not in settings.providers]
    if unknown:
        near = difflib.get_close_matches(unknown[0], settings.providers, 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(settings.providers)}"
        raise NotFound(f"no provider {', '.join(unknown)}; {hint}")


async def ask_now(settings: Settings, names: Sequence[str]) -> dict[str, HealthFinding]:
    """A finding for each name, in the given order, or for all that are switched on; takes ``health.timeout_s`` and the loading of SDKs.

    Raises:
        NotFound: there is no such provider.
    """
    check_providers(settings, names)
    names = list(names) or [name for name, own in settings.providers.items() if own.enabled]
    await asyncio.to_thread(import_sdks, {settings.providers[name].api for name in names})
    found = await asyncio.gather(*(_ask(settings, name) for name in names))
    return dict(zip(names, found, strict=True))


async def _ask(settings: Settings, name: str) -> HealthFinding:
    own = settings.providers[name]
    client = client_or_problem(name, own)
    if isinstance(client, str):
        return HealthFinding(ok=False, at=iso_from_ms(time.time() * 1000), ms=0.0, reason=client)
    try:
        finding, _ = await look_at(client, own.model, timeout_s=settings.health.timeout_s)
    finally:
        await client.aclose()
    return finding
