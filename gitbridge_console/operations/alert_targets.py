"""Hands one message about an alert to one receiver: a program of the operator's choice, or a webhook, signed where a secret is named."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from gitbridge_console.actions.signing import NoSecret, key_of, signed_headers
from gitbridge_console.domain.alert_bodies import body_of, plain_body
from gitbridge_console.domain.alerting import Message
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.operators import AlertSettings, AlertWebhookSettings, unsafe_url

if TYPE_CHECKING:
    import httpx2

COMMAND = "command"
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME", "TMPDIR")
"""Of the environment only this reaches the program: the rest holds keys."""

STDERR_MAX = 300
KILL_WAIT_S = 2.0


class NotDelivered(Exception):
    """A receiver did not take a message; one line that says why, without a secret."""


def targets_of(alerts: AlertSettings) -> tuple[str, ...]:
    """The names of all receivers."""
    return (*((COMMAND,) if alerts.command else ()), *(f"webhook {name}" for name in alerts.webhooks))


async def deliver(target: str, message: Message, settings: Settings, env: Mapping[str, str] | None = None) -> None:
    """Hand a message over. A repetition has the same id, by which a receiver tells it.

    Raises:
        NotDelivered: it was not taken, or nobody knows.
    """
    env = os.environ if env is None else env
    if target == COMMAND:
        await _run(settings.alerts, plain_body(message, settings.namespace), env)
        return
    webhook = settings.alerts.webhooks.get(target.removeprefix("webhook "))
    if webhook is None:
        raise NotDelivered("there is no such receiver any more")
    await _post(webhook, message, settings.namespace, env)


async def _run(alerts: AlertSettings, document: Mapping[str, object], env: Mapping[str, str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            *alerts.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={name: env[name] for name in PASSED_ON if name in env},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise NotDelivered(f"{alerts.command[0]}: {getattr(error, 'strerror', None) or error}") from None
    try:
        async with asyncio.timeout(alerts.command_timeout_s):
            said = await _talk(process, json.dumps(document).encode("ascii") + b"\n")
    except TimeoutError:
        _kill(process)
        raise NotDelivered(f"{alerts.command[0]} did not end within {alerts.command_timeout_s:g} s and was killed") from None
    finally:
        await _end(process)
    if process.returncode:
        tail = f": {said}" if said else ""
        raise NotDelivered(f"{alerts.command[0]} ended with {process.returncode}{tail}")


async def _talk(process: asyncio.subprocess.Process, text: bytes) -> str:
    """Give it the message, and keep the beginning of what it complains about; the rest is read and dropped, so that it can go on."""
    assert process.stdin is not None
    assert process.stderr is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it need not read
        process.stdin.write(text)
        await process.stdin.drain()
        process.stdin.close()
    said = b""
    while chunk := await process.stderr.read(4096):
        said += chunk[: STDERR_MAX - len(said)]
    await process.wait()
    return " ".join(said.decode("utf-8", "replace").split())


def _kill(process: asyncio.subprocess.Process) -> None:
    """End it and what it started. Only while something of it is known to run: its number may be another's afterwards."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


async def _end(process: asyncio.subprocess.Process) -> None:
    """It does not outlive its message."""
    if process.returncode is None:
        _kill(process)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), KILL_WAIT_S)


async def _post(webhook: AlertWebhookSettings, message: Message, namespace: str, env: Mapping[str, str]) -> None:
    import httpx2

    url = webhook.url or _named(webhook.url_env, env)
    if problem := unsafe_url(url):
        raise NotDelivered(problem)
    routing_key = _named(webhook.routing_key_env, env) if webhook.routing_key_env else ""
    body = body_of(message, namespace, webhook.format, routing_key)
    headers = {"content-type": "application/json"}
    if webhook.secret_env:
        try:
            key = key_of(_named(webhook.secret_env, env))
        except NoSecret as error:
            raise NotDelivered(f"{webhook.secret_env}: {error}") from None
        headers |= signed_headers(key, message.id, int(time.time()), body)
    try:
        async with (
            asyncio.timeout(webhook.timeout_s),
            httpx2.AsyncClient(follow_redirects=False, timeout=webhook.timeout_s, headers={"user-agent": "gitbridge-console"}) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            _judge(response)
    except (TimeoutError, httpx2.TimeoutException):
        raise NotDelivered(f"no answer within {webhook.timeout_s:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # The error's own words may hold the address, which may be a secret.
        raise NotDelivered(f"cannot be reached: {type(error).__name__}") from None


def _judge(response: httpx2.Response) -> None:
    if not 200 <= response.status_code < 300:
        raise NotDelivered(f"it answered {response.status_code}")


def _named(name: str, env: Mapping[str, str]) -> str:
    found = env.get(name, "").strip()
    if not found:
        raise NotDelivered(f"the environment has no {name}")
    return found
