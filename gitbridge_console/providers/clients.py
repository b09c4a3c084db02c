"""SDK clients that use exactly the key, address and limits of the settings, whatever the environment says.

Both SDKs read more from the environment than they are given: organisation, project and free headers. What is meant for
one service must not reach another, so all of that is taken out again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gitbridge_console.settings.routing import ProviderSettings

if TYPE_CHECKING:
    import anthropic
    import httpx2
    import openai

OPENAI_HOST = "api.openai.com"

SPARE_CONNECTIONS = 2
"""Beside those for calls: one to look at the service, one that is just being closed."""

FROM_ENVIRONMENT = (
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
)
"""What the HTTP library takes from the environment, by design, and can fail on."""


def host_of(base_url: str) -> str:
    """The host name of a base URL, lower case; empty where it has none."""
    try:
        return (urlsplit(base_url).hostname or "").lower()
    except ValueError:
        return ""


def anthropic_client(settings: ProviderSettings, key: str) -> anthropic.AsyncAnthropic:
    """A client for the Messages API. A base URL that ends in ``/v1``, which the SDK adds by itself, is understood."""
    import anthropic

    timeout = _timeout(settings)
    client = anthropic.AsyncAnthropic(
        api_key=key,
        base_url=settings.base_url.rstrip("/").removesuffix("/v1"),
        max_retries=0,
        timeout=timeout,
        http_client=anthropic.DefaultAsyncHttpxClient(**_transport(settings, timeout)),
        open_telemetry=False,
    )
    client._custom_headers = {}  # what ANTHROPIC_CUSTOM_HEADERS put there; the SDK has no public way to refuse it
    return client


def openai_client(settings: ProviderSettings, key: str) -> openai.AsyncOpenAI:
    """A client for OpenAI or anything compatible; only OpenAI itself is told the organisation and project."""
    import openai

    timeout = _timeout(settings)
    client = openai.AsyncOpenAI(
        api_key=key,
        admin_api_key="",
        webhook_secret="",
        base_url=settings.base_url,
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultAsyncHttpxClient(**_transport(settings, timeout)),
    )
    if host_of(settings.base_url) != OPENAI_HOST:
        client.organization = None
        client.project = None
    client._custom_headers = {}  # what OPENAI_CUSTOM_HEADERS put there; as above
    return client


def unbuildable(error: Exception) -> str:
    """One line about a client that could not be built. The error's own words may quote a proxy's password, so they stay out."""
    named = [name for name in FROM_ENVIRONMENT if os.environ.get(name)]
    hint = f"check {', '.join(named)} in the environment" if named else "check base_url and the system's certificates"
    return f"no client for the service ({type(error).__name__}): {hint}"


def _transport(settings: ProviderSettings, timeout: httpx2.Timeout) -> dict[str, Any]:
    from gitbridge_console.providers.transport import client_options

    return client_options(timeout, connections=settings.max_concurrency + SPARE_CONNECTIONS, keepalive_s=settings.keepalive_s)


def _timeout(settings: ProviderSettings) -> httpx2.Timeout:
    """Connecting and waiting for a free connection are limited here; reading is limited by the attempt, this is only a net."""
    import httpx2

    connect_s = settings.timeout_connect_s
    return httpx2.Timeout(settings.timeout_total_s + connect_s, connect=connect_s, pool=connect_s)
