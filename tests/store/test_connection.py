"""Connections: nothing is sent twice, bad servers are refused in one line, passwords are never shown."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, BusyLoadingError, ReadOnlyError, ResponseError

from gitbridge_console.settings.model import RedisSettings
from gitbridge_console.store.connection import STORE_AWAY_ERRORS, StoreUnavailable, check_server, connect, make_client, redact_url
from tests.ports import free_port

GOOD_INFO = {
    "redis_version": "7.2.4",
    "redis_mode": "standalone",
    "role": "master",
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
    "aof_enabled": "1",
}


@asynccontextmanager
async def listening(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], port: int = 0) -> AsyncIterator[int]:
    """A server on loopback whose connections have all ended when the block has."""
    conversations: list[asyncio.Task[None]] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.create_task(converse(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*conversations)


@asynccontextmanager
async def server_saying(info: dict[str, str], *, hang_on: bytes = b"none") -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers INFO with these facts, CONFIG GET with everysec and all else with OK; remembers what it was sent."""
    heard: list[bytes] = []
    text = "".join(f"{name}:{value}\r\n" for name, value in info.items()).encode()
    answers = {
        b"INFO": b"$%d\r\n%s\r\n" % (len(text), text),
        b"CONFIG": b"*2\r\n$11\r\nappendfsync\r\n$8\r\neverysec\r\n",
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                words.append((await reader.readexactly(size + 2))[:-2])
            heard.append(b" ".join(words))
            if words[0].upper() != hang_on:
                writer.write(answers.get(words[0].upper(), b"+OK\r\n"))

    async with listening(serve) as port:
        yield f"redis://127.0.0.1:{port}/0", heard


async def info_of(info: dict[str, str]) -> object:
    async with server_saying(info) as (url, _):
        client = make_client(RedisSettings(url=url))
        try:
            return await check_server(client, url)
        finally:
            await client.aclose()


@pytest.mark.anyio
async def test_a_good_server_is_described(valkey_url: str) -> None:
    async with connect(RedisSettings(url=valkey_url), "unused") as store:
        assert store.info.major >= 7
        assert store.info.policy == "noeviction"
        assert store.embedded is None
        assert store.shown_url == valkey_url
        assert store.info.warnings == ("the append-only file is off: accepted events are lost when the server stops",)
        other = store.new_client(socket_timeout_s=None)
        assert await other.ping()
        await other.aclose()


@pytest.mark.anyio
async def test_without_a_url_the_embedded_server_is_used() -> None:
    with tempfile.TemporaryDirectory(prefix="gbc-") as folder:
        async with connect(RedisSettings(), Path(folder) / "state") as store:
            await store.client.set("k", b"\x00\xff")
            assert await store.client.get("k") == b"\x00\xff"
            assert store.info.append_only
            assert store.info.warnings == ()
            assert store.embedded is not None
        assert not (Path(folder) / "state" / "store" / "sock").exists()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"redis_version": "6.0.16"}, "6.2 or later"),
        ({"redis_mode": "sentinel"}, "is a Sentinel"),
        ({"redis_mode": "cluster"}, "is a node of a Cluster"),
        ({"role": "slave"}, "read-only replica"),
        ({"maxmemory": "1000", "maxmemory_policy": "volatile-lru"}, "set it to noeviction"),
    ],
)
async def test_a_server_that_would_lose_work_is_refused(change: dict[str, str], words: str) -> None:
    with pytest.raises(StoreUnavailable, match=words):
        await info_of(GOOD_INFO | change)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"maxmemory_policy": "allkeys-lru"}, "before setting a memory limit"),
        ({"aof_enabled": "0"}, "append-only file is off"),
        ({"aof_last_write_status": "err"}, "cannot write its append-only file"),
    ],
)
async def test_what_an_operator_should_mend_is_said(change: dict[str, str], words: str | None) -> None:
    info = await info_of(GOOD_INFO | change)
    warnings = info.warnings  # type: ignore[attr-defined]
    assert (not warnings) if words is None else words in warnings[0]


@pytest.mark.anyio
async def test_a_command_whose_answer_is_late_is_not_sent_again() -> None:
    async with server_saying(GOOD_INFO, hang_on=b"EVALSHA") as (url, heard):
        client = make_client(RedisSettings(url=url, socket_timeout_s=0.1))
        with pytest.raises(STORE_AWAY_ERRORS):
            await client.evalsha("0" * 40, 0)
        await client.aclose()
        assert [line for line in heard if line.startswith(b"EVALSHA")] == [b"EVALSHA " + b"0" * 40 + b" 0"]


@pytest.mark.anyio
async def test_a_server_that_comes_a_moment_later_is_connected() -> None:
    """Connecting is tried again: a listener that opens between the attempts is reached."""
    port = free_port()
    client = make_client(RedisSettings(url=f"redis://127.0.0.1:{port}"))
    pending = asyncio.create_task(client.ping())
    await asyncio.sleep(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.strip().upper() in {b"PING", b"SETINFO", b"SELECT"}:
                writer.write(b"+PONG\r\n")

    async with listening(serve, port):
        assert await pending
        await client.aclose()


@pytest.mark.anyio
async def test_commands_are_packed_as_the_library_would(client: Redis, valkey_url: str) -> None:
    own = make_client(RedisSettings(url=valkey_url))
    await own.set("packed", "ü \r\n$3")
    await own.hset("packed-hash", mapping={"int": 5, "float": 1.5, "bytes": b"\x00\r\n"})
    pipeline = own.pipeline(transaction=True)
    pipeline.append("packed", "!")
    pipeline.config_get("port")
    assert (await pipeline.execute())[1] == {"port": "0"}
    assert await client.get("packed") == "ü \r\n$3!".encode()
    assert await client.hgetall("packed-hash") == {b"int": b"5", b"float": b"1.5", b"bytes": b"\x00\r\n"}
    await own.aclose()


@pytest.mark.anyio
@pytest.mark.parametrize(
    "url",
    ["http://u:geheim@host", "redis://u:geheim@[broken", "redis://:geheim@127.0.0.1:1/0", "unix:///nowhere/s?password=geheim", ""],
)
async def test_errors_are_one_line_without_the_password(url: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        async with connect(RedisSettings(url=url or None, connect_timeout_s=1), "/dev/null/x"):
            pytest.fail("there is no such server")
    assert "geheim" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://:geheim@127.0.0.1:1/0", r"^redis://:\*\*\*@127.0.0.1:1/0 does not answer \(connection refused\): start it, or"),
        ("unix:///nowhere/s", r"^unix:///nowhere/s does not answer \(no such file or directory\): start it, or name another"),
    ],
)
async def test_a_server_that_is_not_there_is_said_in_words_with_what_to_do(url: str, why: str) -> None:
    with pytest.raises(StoreUnavailable, match=why):
        async with connect(RedisSettings(url=url, connect_timeout_s=1), "/dev/null/x"):
            pytest.fail("there is no such server")


def test_a_client_needs_a_url() -> None:
    with pytest.raises(StoreUnavailable, match="no Redis URL"):
        make_client(RedisSettings())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://ops:s3cret@h:6380/0", "redis://ops:***@h:6380/0"),
        ("rediss://:p%40ss@h/1", "rediss://:***@h/1"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://h/0?password=x&db=3", "redis://h/0?password=***&db=3"),
        ("unix:///run/a b.sock?db=0", "unix:///run/a b.sock?db=0"),
        ("unix://:pw@/run/s", "unix://:***@/run/s"),
        ("nonsense", "(unreadable URL)"),
        ("redis://h:notaport", "(unreadable URL)"),
    ],
)
def test_redaction(url: str, shown: str) -> None:
    assert redact_url(url) == shown


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="*/?#"), min_size=4))
def test_no_password_survives_redaction(password: str) -> None:
    assert f":{password}@" not in redact_url(f"redis://user:{password}@host:6379/0")


def test_away_is_not_refused() -> None:
    assert isinstance(BusyLoadingError(), STORE_AWAY_ERRORS)
    assert isinstance(ReadOnlyError(), STORE_AWAY_ERRORS)
    assert isinstance(AuthenticationError(), STORE_AWAY_ERRORS)
    assert not isinstance(ResponseError(), STORE_AWAY_ERRORS)
