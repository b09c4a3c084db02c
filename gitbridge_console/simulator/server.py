"""Runs the simulated services on a loopback port, in this loop or in a thread of their own, and points settings at them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from pathlib import Path

from gitbridge_console.settings.model import ActionSettings, GitHubSettings, HostSettings, LegacySettings, RedisSettings, Settings
from gitbridge_console.settings.operators import RoleSettings
from gitbridge_console.settings.routing import ProviderSettings, default_kinds
from gitbridge_console.simulator.code_host import CodeHost
from gitbridge_console.simulator.profiles import Profiles, named_profiles

log = logging.getLogger(__name__)

DEMO_KEY = "demo-key"
DEMO_LOGIN = "gitbridge-demo"
HOST_PATH = "github"
START_LIMIT_S = 10.0


class ServicesError(RuntimeError):
    """The simulated services could not be started or stopped; the message is one line."""


@contextlib.asynccontextmanager
async def serve_services(seed: int = 0, profiles: Profiles | None = None, host: CodeHost | None = None) -> AsyncIterator[dict[str, str]]:
    """Serve in the current loop and yield each service's base URL; default profiles: ``calm``.

    A code host is served beside them, and told its ``origin``.

    Raises:
        ServicesError: no loopback port could be opened.
    """
    from starlette.routing import Mount

    from gitbridge_console.simulator.asgi import quiet_server
    from gitbridge_console.simulator.services import base_url, build_app

    profiles = profiles if profiles is not None else named_profiles()["calm"]
    app = build_app(profiles, seed)
    if host is not None:
        from gitbridge_console.simulator.code_host_app import host_routes

        app.router.routes.append(Mount(f"/{HOST_PATH}", routes=host_routes(host)))
    listener = _listen()
    server = quiet_server(app)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="simulated services")
    try:
        await _started(server, task)
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if host is not None:
            host.origin = f"{origin}/{HOST_PATH}"
        yield {name: base_url(origin, name, profile) for name, profile in profiles.items()}
    finally:
        app.state.closing.event.set()
        server.should_exit = True
        await asyncio.wait([task])
        listener.close()


async def _started(server: object, task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(START_LIMIT_S):
        while not getattr(server, "started", False):
            if task.done():
                raise ServicesError("the simulated services ended before they were ready") from task.exception()
            await asyncio.sleep(0.005)


def _listen() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.bind(("127.0.0.1", 0))
    except OSError as error:
        listener.close()
        raise ServicesError(f"no loopback port for the simulated services: {error.strerror}") from error
    return listener


class ServicesThread:
    """The simulated services in a thread with a loop of its own, so that they and the engine do not slow each other's loop.

    ``with ServicesThread(seed, profiles) as urls:`` or :meth:`start` and :meth:`stop`; usable once.
    """

    def __init__(self, seed: int = 0, profiles: Profiles | None = None, host: CodeHost | None = None) -> None:
        self._seed = seed
        self._profiles = profiles
        self._host = host
        self._ready: Future[dict[str, str]] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="simulated-services", daemon=True)

    def start(self) -> dict[str, str]:
        """Start and return each service's base URL.

        Raises:
            ServicesError: they did not come up.
        """
        self._thread.start()
        try:
            return self._ready.result(START_LIMIT_S + 5)
        except ServicesError:
            raise
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ServicesError(f"the simulated services did not start: {error}") from error

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop and wait for the thread; answers under way are cut. Safe to call twice, or without a start."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stop.set)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                log.warning("simulated services still running after %.0f s; left to end with the process", timeout_s)

    def __enter__(self) -> dict[str, str]:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # whatever ended the thread is told to whoever waits for it, or logged
            if not self._ready.done():
                self._ready.set_exception(error)
            else:
                log.error("simulated services ended: %s", error)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with serve_services(self._seed, self._profiles, self._host) as urls:
            self._ready.set_result(urls)
            await self._stop.wait()


def demo_settings(settings: Settings, urls: dict[str, str], state_dir: Path, host_url: str = "") -> Settings:
    """Settings for a demonstration: the same, but nothing of the outside world is left in them.

    The providers are the simulated ones, with a dummy key in a file of ``state_dir`` (so that no key of the environment is
    ever read) and short limits to match their short latencies; the store is the embedded one in ``state_dir``; no legacy
    list is read; actions publish to the simulated code host at ``host_url``, and only pretend where there is none; whoever runs it may do
    everything in it.
    """
    key_file = _write_key(state_dir)
    providers = {name: _demo_provider(name, url, key_file) for name, url in urls.items()}
    return settings.model_copy(
        update={
            "state_dir": str(state_dir),
            "redis": RedisSettings(),
            "legacy": LegacySettings(enabled=False),
            "roles": RoleSettings(),
            "providers": providers,
            "kinds": default_kinds(),
            "actions": ActionSettings(dry_run=not host_url, spacing_s=0.0, writes_per_minute=10_000, writes_per_hour=50_000),
            "hosts": HostSettings(github=GitHubSettings(base_url=host_url, token_env="", token_file=str(key_file)) if host_url else NOBODY),
        }
    )


NOBODY = GitHubSettings(base_url="http://127.0.0.1:9", token_env="")


def _demo_provider(name: str, url: str, key_file: Path) -> ProviderSettings:
    profile = named_profiles()["none"].get(name)
    return ProviderSettings(
        api="anthropic" if profile is not None and profile.vendor == "anthropic" else "responses",
        model=profile.models[0] if profile is not None else "simulated-1",
        base_url=url,
        api_key_file=str(key_file),
        timeout_connect_s=2.0,
        timeout_first_token_s=8.0,
        timeout_stall_s=4.0,
        timeout_total_s=20.0,
    )


def _write_key(state_dir: Path) -> Path:
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / "demo-key"
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(DEMO_KEY)
    return path
