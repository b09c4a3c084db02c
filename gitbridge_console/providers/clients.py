"""SDK clients that use exactly the key, address and limits of the settings, whatever the environment says.

Both SDKs read more from the environment than they are given: organisation, project and free headers. What is meant for
one service must not reach another, so all of that is taken out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitbridge_console.settings.model import ProviderSettings

if TYPE_CHECKING:
    import anthropic
    import httpx2
    import openai

OPENAI_HOST = "api.openai.com"


def host_of(base_url: str) -> str:
    """The host name of a base URL, lower case; empty where it has none."""
    try:
        return (urlsplit(base_url).hostname or "").lower()
    except ValueError:
        return ""


def anthropic_client(settings: ProviderSettings, key: str) -> anthropic.AsyncAnthropic:
    """A client for the Messages API. A base URL that ends in ``/v1``, which the SDK adds by itself, is understood."""
    import anthropic

    client = anthropic.AsyncAnthropic(
        api_key=key,
        base_url=settings.base_url.rstrip("/").removesuffix("/v1"),
        max_retries=0,
        timeout=_timeout(settings),
        open_telemetry=False,
    )
    client._custom_headers = {}  # what ANTHROPIC_CUSTOM_HEADERS put there; the SDK has no public way to refuse it
    return client


def openai_client(settings: ProviderSettings, key: str) -> openai.AsyncOpenAI:
    """A client for OpenAI or anything compatible; only OpenAI itself is told the organisation and project."""
    import openai

    client = openai.AsyncOpenAI(
        api_key=key,
        admin_api_key="",
        webhook_secret="",
        base_url=settings.base_url,
        max_retries=0,
        timeout=_timeout(settings),
    )
    if host_of(settings.base_url) != OPENAI_HOST:
        client.organization = None
        client.project = None
    client._custom_headers = {}  # what OPENAI_CUSTOM_HEADERS put there; as above
    return client


def _timeout(settings: ProviderSettings) -> httpx2.Timeout:
    """Connecting and waiting for a free connection are limited here; reading is limited by the attempt, this is only a net."""
    import httpx2

    connect_s = settings.timeout_connect_s
    return httpx2.Timeout(settings.timeout_total_s + connect_s, connect=connect_s, pool=connect_s)
