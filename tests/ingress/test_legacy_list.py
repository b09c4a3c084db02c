"""The list of older producers: both envelopes, nothing lost, nothing blocked, nothing twice."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from gitbridge_console.domain.events import IncomingEvent, Priority
from gitbridge_console.ingress import legacy_list
from gitbridge_console.ingress.legacy_list import MalformedEntry, parse_envelope, pump, read_priority
from gitbridge_console.settings.model import LegacySettings, RedisSettings
from gitbridge_console.store.connection import make_client
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.keys import Keys
from gitbridge_console.store.legacy import LegacyStore
from gitbridge_console.store.records import BackPressure, PayloadTooLarge

ENVELOPE_A = {
    "event": "pull_request",
    "payload": {"action": "opened", "number": 7},
    "metadata": {"queue_key": "gitbridge:events", "enqueued_at": "2026-01-01T00:00:00Z", "priority": "high", "retry_count": 0},
}
ENVELOPE_B = {
    "event_type": "push",
    "repo": "acme/shop",
    "user": "ada",
    "message": "Fix rounding\n\nand more",
    "files": ["a.py", {"path": "b.py"}, 7],
    "timestamp": "2026-01-01T00:00:00Z",
    "retry_count": 0,
    "metadata": {"branch": "main", "sha": "a" * 40},
}


def raw(entry: object) -> bytes:
    return json.dumps(entry).encode()


def test_the_first_envelope() -> None:
    event = parse_envelope(raw(ENVELOPE_A))
    assert (event.type, event.source, event.priority) == ("pull_request", "legacy", Priority.HIGH)
    assert json.loads(event.payload) == ENVELOPE_A["payload"]
    assert event.delivery == hashlib.sha256(raw(ENVELOPE_A)).hexdigest()


def test_a_payload_that_is_a_text_and_an_event_with_its_action() -> None:
    event = parse_envelope(raw({"event": "Pull_Request:opened", "payload": '{"number": 7}'}))
    assert (event.type, event.priority) == ("pull_request", None)
    assert json.loads(event.payload) == {"number": 7, "action": "opened"}


def test_the_flat_envelope_becomes_a_push() -> None:
    event = parse_envelope(raw(ENVELOPE_B))
    payload = json.loads(event.payload)
    assert event.type == "push"
    assert payload["repository"]["full_name"] == "acme/shop"
    assert payload["sender"]["login"] == "ada"
    assert payload["ref"] == "refs/heads/main"
    assert payload["after"] == "a" * 40
    assert payload["commits"][0]["modified"] == ["a.py", "b.py"]
    assert payload["legacy"] == ENVELOPE_B


@pytest.mark.parametrize(
    ("event_type", "field"), [("issues.opened", "issue"), ("pull_request", "pull_request"), ("issue_comment", "issue")]
)
def test_the_flat_envelope_becomes_what_it_is_about(event_type: str, field: str) -> None:
    entry = {"event_type": event_type, "user": "ada", "message": "Title\nBody", "files": ["x"], "metadata": {"number": 5}}
    payload = json.loads(parse_envelope(raw(entry)).payload)
    assert payload[field]["title"] == "Title"
    assert payload[field]["body"] == "Body"
    assert payload["number"] == 5
    assert payload.get("action") == ("opened" if "." in event_type else None)


def test_the_flat_envelope_with_nothing_but_a_type() -> None:
    assert json.loads(parse_envelope(b'{"event_type": "deploy", "repo": 7, "files": {}}').payload)["legacy"]["repo"] == 7
    assert parse_envelope(b'{"event_type": "pull_request", "metadata": []}').priority is None


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "list"),
        (b"{}", "neither"),
        (b'{"event": "x", "payload": [1]}', "not an object"),
        (b'{"event": "x", "payload": "not json"}', "not JSON"),
        (b'{"event": 5, "payload": {}}', "`event`"),
        (b'{"event_type": ""}', "`event_type`"),
        (b'{"event": "x", "payload": {"a": Infinity}}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_neither_says_why(entry: bytes, why: str) -> None:
    with pytest.raises(MalformedEntry, match=why):
        parse_envelope(entry)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
FIELDS = ["event", "payload", "metadata", "event_type", "repo", "user", "message", "files", "timestamp"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_any_object_is_read_or_refused(entry: dict[str, Any]) -> None:
    try:
        event = parse_envelope(raw(entry))
    except MalformedEntry:
        return
    assert isinstance(json.loads(event.payload), dict)


@given(st.binary(max_size=200))
def test_any_bytes_that_are_no_object_are_refused_in_one_line(entry: bytes) -> None:
    with pytest.raises(MalformedEntry) as caught:
        parse_envelope(b"?" + entry)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "priority"),
    [
        ("critical", Priority.CRITICAL),
        (" Urgent ", Priority.CRITICAL),
        ("medium", Priority.NORMAL),
        ("bulk", Priority.BULK),
        (0, Priority.CRITICAL),
        (2, Priority.NORMAL),
        ("1", Priority.HIGH),
        (99, Priority.BULK),
        (100, Priority.CRITICAL),
        (250, Priority.HIGH),
        (10**9, Priority.BULK),
        (-1, None),
        (True, None),
        (1.5, None),
        ("whatever", None),
        (None, None),
        ([], None),
    ],
)
def test_priorities_as_words_and_numbers(value: object, priority: Priority | None) -> None:
    assert read_priority({"priority": value}) is priority
    assert read_priority(value) is None


@pytest.fixture
async def lists(client: Redis, namespace: str) -> LegacyStore:
    return LegacyStore(client, LegacySettings(events_key=f"{namespace}:events", processing_key=f"{namespace}:processing"))


@asynccontextmanager
async def pumping(source: LegacyStore, submit: Callable[[IncomingEvent], Awaitable[object]], queue: RedisEventQueue) -> AsyncIterator[None]:
    """The pump, running until the block ends."""
    stop = asyncio.Event()
    task = asyncio.create_task(pump(source, submit, queue.quarantine, stop, come_again=(LookupError,)))
    try:
        yield
    finally:
        stop.set()
        await task


async def lengths(client: Redis, namespace: str) -> tuple[int, int]:
    return await client.llen(f"{namespace}:events"), await client.llen(f"{namespace}:processing")


@pytest.mark.anyio
async def test_entries_are_stored_in_order_and_removed(client: Redis, namespace: str, lists: LegacyStore, queue: RedisEventQueue) -> None:
    entries = [raw(ENVELOPE_A | {"metadata": {"n": n}}) for n in range(3)]
    for entry in entries:
        await client.lpush(f"{namespace}:events", entry)
    assert await lists.waiting() == 3
    stored: list[str] = []
    finished = asyncio.Event()

    async def submit(event: IncomingEvent) -> object:
        result = await queue.enqueue(event)
        stored.append(event.delivery)
        if len(stored) == 3:
            finished.set()
        return result

    async with pumping(lists, submit, queue):
        await finished.wait()
    assert stored == [hashlib.sha256(entry).hexdigest() for entry in entries]
    assert await lengths(client, namespace) == (0, 0)
    assert (await queue.stats(["route"])).lanes["route"].ready == 3


@pytest.mark.anyio
async def test_what_cannot_be_read_never_blocks(client: Redis, namespace: str, lists: LegacyStore, queue: RedisEventQueue) -> None:
    lists.max_entry_bytes = 500
    huge = raw({"event": "x", "payload": {"a": "x" * 1000}})
    await client.rpush(
        f"{namespace}:events", raw(ENVELOPE_A), raw({"event": "boom", "payload": {}}), raw({"event": "big", "payload": {}}), huge, b"junk"
    )
    finished = asyncio.Event()

    async def submit(event: IncomingEvent) -> object:
        if event.type == "boom":
            raise RuntimeError("nobody foresaw this")
        if event.type == "big":
            raise PayloadTooLarge("over the limit")
        finished.set()
        return await queue.enqueue(event)

    async with pumping(lists, submit, queue):
        await finished.wait()
    assert await lengths(client, namespace) == (0, 0)
    entries = await client.xrange(queue.keys.quarantine)
    assert [fields[b"source"] for _, fields in entries] == [b"legacy"] * 4
    reasons = b" ".join(fields[b"error"] for _, fields in entries)
    for words in (b"not JSON", b"legacy.max_entry_bytes", b"RuntimeError", b"over the limit"):
        assert words in reasons


@pytest.mark.anyio
@pytest.mark.parametrize("refusal", [BackPressure("full"), LookupError("a caller's own")])
async def test_a_full_queue_leaves_entries_where_they_are(
    client: Redis, namespace: str, lists: LegacyStore, queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    monkeypatch.setattr(legacy_list, "PAUSE_FIRST_S", 0.01)
    await client.lpush(f"{namespace}:events", raw(ENVELOPE_A), raw(ENVELOPE_B))
    refusals, seen = 3, []
    finished = asyncio.Event()

    async def submit(event: IncomingEvent) -> object:
        nonlocal refusals
        seen.append(event.type)
        assert await client.llen(f"{namespace}:processing") == 1
        if refusals:
            refusals -= 1
            raise refusal
        if len(seen) == 5:
            finished.set()
        return await queue.enqueue(event)

    async with pumping(lists, submit, queue):
        await finished.wait()
    assert seen == ["pull_request"] * 4 + ["push"], "the order is kept"
    assert await lengths(client, namespace) == (0, 0)


@pytest.mark.anyio
async def test_a_crash_between_storing_and_removing_does_not_store_twice(client: Redis, namespace: str, queue: RedisEventQueue) -> None:
    now = 0.0
    names = LegacySettings(events_key=f"{namespace}:events", processing_key=f"{namespace}:processing")
    sweeper = LegacyStore(client, names, clock=lambda: now)
    await client.lpush(f"{namespace}:processing", raw(ENVELOPE_A))
    await queue.enqueue(parse_envelope(raw(ENVELOPE_A)))
    assert await sweeper.sweep() == 0, "perhaps someone is working on it"
    now = 61.0
    assert await sweeper.sweep() == 1
    assert await lengths(client, namespace) == (1, 0)
    finished = asyncio.Event()
    results: list[str] = []

    async def submit(event: IncomingEvent) -> object:
        results.append((await queue.enqueue(event)).status)
        finished.set()
        return None

    async with pumping(sweeper, submit, queue):
        await finished.wait()
    assert results == ["duplicate"]
    assert await lengths(client, namespace) == (0, 0)


@pytest.mark.anyio
async def test_one_sweeper_at_a_time(client: Redis, namespace: str) -> None:
    now = 0.0
    names = LegacySettings(events_key=f"{namespace}:events", processing_key=f"{namespace}:processing")
    first, second = (LegacyStore(client, names, clock=lambda: now) for _ in range(2))
    await client.lpush(names.processing_key, b"left")
    assert await first.sweep() == await second.sweep() == 0
    now = 100.0
    assert await second.sweep() == 0
    assert 0 < await client.pttl(f"{names.processing_key}:sweeper") <= 45_000, "its lock ends by itself if it dies"
    assert await first.sweep() == 1
    assert not await first.give_back(b"left"), "it is no longer in processing"


@pytest.mark.anyio
async def test_a_key_that_is_no_list_or_a_server_that_is_away_only_makes_it_wait(
    client: Redis,
    namespace: str,
    lists: LegacyStore,
    queue: RedisEventQueue,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = asyncio.Event()
    waits = 0

    async def pause(event: asyncio.Event, for_s: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 6:
            event.set()

    monkeypatch.setattr(legacy_list, "_pause", pause)
    await client.set(f"{namespace}:events", "no list")
    await pump(lists, queue.enqueue, queue.quarantine, stop)
    assert waits == 6
    assert "WRONGTYPE" in caplog.text
    waits = 0
    stop.clear()
    gone = make_client(RedisSettings(url="unix:///nowhere/at-all", socket_timeout_s=0.2))
    monkeypatch.setattr("gitbridge_console.store.patient_connection.CONNECT_DELAYS_S", ())
    await pump(LegacyStore(gone, LegacySettings()), queue.enqueue, queue.quarantine, stop)
    assert waits == 6
    await gone.aclose()


@pytest.mark.anyio
async def test_at_the_servers_memory_limit_it_waits_and_says_so_once(
    start_server: Callable[..., str],
    connect_to: Callable[[str], Redis],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = connect_to(start_server())
    queue, lists = RedisEventQueue(client, Keys("t")), LegacyStore(client, LegacySettings())
    await client.lpush(LegacySettings().events_key, raw(ENVELOPE_A))
    await client.config_set("maxmemory-policy", "noeviction")
    await client.config_set("maxmemory", "1mb")
    stop, waits = asyncio.Event(), 0

    async def pause(event: asyncio.Event, for_s: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 6:
            await client.config_set("maxmemory", "0")
        if not await client.llen(LegacySettings().events_key):
            event.set()

    monkeypatch.setattr(legacy_list, "_pause", pause)
    monkeypatch.setattr(legacy_list, "SWEEP_EVERY_S", 0.0)
    await pump(lists, queue.enqueue, queue.quarantine, stop, has_room=lambda: False)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "used memory > 'maxmemory'" in caplog.text


@pytest.mark.anyio
async def test_a_queue_without_room_for_it_lets_one_entry_through_at_each_look(
    client: Redis, namespace: str, lists: LegacyStore, queue: RedisEventQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(legacy_list, "PAUSE_FIRST_S", 0.01)
    monkeypatch.setattr(legacy_list, "PAUSE_MAX_S", 0.01)
    await client.lpush(f"{namespace}:events", *(raw(ENVELOPE_A | {"metadata": {"n": n}}) for n in range(3)))
    finished, stop, pauses, taken = asyncio.Event(), asyncio.Event(), 0, 0
    real_pause = legacy_list._pause

    async def pause(event: asyncio.Event, for_s: float) -> None:
        nonlocal pauses
        pauses += 1
        await real_pause(event, for_s)

    async def submit(event: IncomingEvent) -> object:
        nonlocal taken
        taken += 1
        assert pauses >= taken, "it pauses between any two"
        if taken == 3:
            finished.set()
        return await queue.enqueue(event)

    monkeypatch.setattr(legacy_list, "_pause", pause)
    task = asyncio.create_task(pump(lists, submit, queue.quarantine, stop, has_room=lambda: False))
    async with asyncio.timeout(20):
        await finished.wait()
    stop.set()
    await task
    assert await lengths(client, namespace) == (0, 0)


class Crash(BaseException):
    """The process is gone: nothing after this line runs."""


@pytest.mark.anyio
@pytest.mark.parametrize("entry", [raw(ENVELOPE_A), raw(ENVELOPE_B), b"junk"], ids=["first", "flat", "junk"])
@pytest.mark.parametrize("step", ["taken", "stored", "removed"])
async def test_a_crash_after_any_step_loses_nothing_and_stores_nothing_twice(
    client: Redis, namespace: str, queue: RedisEventQueue, entry: bytes, step: str
) -> None:
    now = 0.0
    names = LegacySettings(events_key=f"{namespace}:events", processing_key=f"{namespace}:processing")

    class Dying(LegacyStore):
        async def done(self, raw: bytes) -> None:
            if step == "stored":
                raise Crash
            await super().done(raw)
            raise Crash

    async def submit(event: IncomingEvent) -> object:
        if step == "taken":
            raise Crash
        return await queue.enqueue(event)

    async def quarantine(raw: bytes, *, source: str, error: str) -> object:
        if step == "taken":
            raise Crash
        return await queue.quarantine(raw, source=source, error=error)

    await client.lpush(names.events_key, entry)
    with pytest.raises(Crash):
        await pump(Dying(client, names), submit, quarantine, asyncio.Event())
    assert await lengths(client, namespace) == ((0, 0) if step == "removed" else (0, 1))

    await client.delete(f"{names.processing_key}:sweeper")  # the lock of the dead ends by itself; not waited for here
    survivor = LegacyStore(client, names, clock=lambda: now)
    await survivor.sweep()
    now = 61.0
    await survivor.sweep()
    stop = asyncio.Event()
    task = asyncio.create_task(pump(survivor, queue.enqueue, queue.quarantine, stop))
    async with asyncio.timeout(20):
        while await lengths(client, namespace) != (0, 0):
            await asyncio.sleep(0.005)
    stop.set()
    await task
    stored, kept = (await queue.stats(["route"])).lanes["route"].ready, await client.xlen(queue.keys.quarantine)
    if entry == b"junk":
        assert (stored, kept >= 1) == (0, True), "what cannot be read is kept at least once"
    else:
        assert (stored, kept) == (1, 0)
