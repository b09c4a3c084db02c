"""Puts the Lua scripts together and runs them on the server.

Each file in ``scripts/`` is one transition: the body of a function of its own ``ARGV``, with the functions of ``_work.lua``
and ``_lib.lua`` in scope. A script that runs alone is that function, called once; a *group* is several of them, any
number of transitions of one partition in one round trip: what they read is asked for together and what they change is
written together. A transition that fails in a group fails alone.

All of them are one library of functions, loaded once a server (``FUNCTION LOAD``) and called by ``FCALL``: as a script the
text would define its hundred functions anew at every call, which takes longer than most transitions. Its name holds the
hash of its text, so programs of several versions get along. Where a server has no functions (before version 7) or does
not let us load any, and in a Cluster, the same text runs as a script, by ``EVALSHA``.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError

from gitbridge_console.store.clients import cluster_of
from gitbridge_console.store.durability import DiskWait

logger = logging.getLogger(__name__)

GROWING = frozenset({"accept", "replay", "bulk_replay", "restore_events"})
"""What may be refused when the server is at ``maxmemory``; all else must work there, to let what was accepted move on."""

FIRST_WITH_FLAGS = 7
"""Major server version that has functions, and understands a script's ``#!lua flags=…`` line."""

IN_TURN_MAX = 2
"""Groups of a series that are under way at once: one the server works on, one that it finds when it is through with that."""

ENTRIES = {
    "accept": ("run_group", ""),
    "commit": ("run_group", "'allow-oom'"),
    "one": ("run_one", "'allow-oom'"),
    "grow": ("run_one", ""),
}
"""What can be called on the server: a group that may be refused at ``maxmemory`` and one that may not, single scripts of both sorts."""


def _text(name: str) -> str:
    return resources.files("gitbridge_console.store").joinpath("scripts", f"{name}.lua").read_text("utf-8")


def script_names() -> list[str]:
    """Every transition there is."""
    folder = resources.files("gitbridge_console.store").joinpath("scripts")
    return sorted(entry.name.removesuffix(".lua") for entry in folder.iterdir() if entry.name.endswith(".lua") and entry.name[0] != "_")


@cache
def _body() -> str:
    """Everything but how it is called."""
    transitions = [f"transitions.{name} = function(ARGV)\n{_text(name)}end\n" for name in script_names()]
    return "".join([_text("_work"), _text("_lib"), "local transitions = {}\n", *transitions, _text("_run")])


@cache
def library_name() -> str:
    """The library's name on the server, which tells one text from another."""
    return f"gitbridge_{hashlib.sha256((_body() + _text('_pace')).encode()).hexdigest()[:12]}"


@cache
def library_source() -> str:
    """The library as ``FUNCTION LOAD`` takes it."""
    entries = [
        f"redis.register_function{{function_name = '{library_name()}_{entry}', flags = {{{flags}}}, callback = at_its_pace({run})}}\n"
        for entry, (run, flags) in ENTRIES.items()
    ]
    return "".join([f"#!lua name={library_name()}\n", _body(), _text("_pace"), *entries])


@cache
def script_source(entry: str, server_major: int) -> str:
    """The same as a script."""
    run, flags = ENTRIES[entry]
    first = "" if server_major < FIRST_WITH_FLAGS else "#!lua flags=allow-oom\n" if flags else "#!lua\n"
    return f"{first}{_body()}return {run}(KEYS, ARGV)\n"


@cache
def _ways(entry: str, server_major: int) -> tuple[tuple[str, str], ...]:
    """How an entry can be called, the first choice first."""
    source = script_source(entry, server_major)
    by_hash = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
    return ("FCALL", f"{library_name()}_{entry}"), ("EVALSHA", by_hash), ("EVAL", source)


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _is_not_loaded(reply: Any) -> bool:
    """Whether the server does not know what it was to run."""
    return isinstance(reply, NoScriptError) or (isinstance(reply, ResponseError) and str(reply).startswith("Function not found"))


class ScriptRunner:
    """Runs the scripts of one partition; loads what the server has not seen (or forgot by a restart)."""

    def __init__(self, client: Redis, tag: str, server_major: int = FIRST_WITH_FLAGS) -> None:
        self._client: Any = client  # execute_command has no types
        self._tag = tag
        self._major = server_major
        self._clustered = cluster_of(client) is not None
        self._known = False
        """Whether the server has had the scripts; it may forget them."""
        # In a Cluster the client would ask a server for the keys of each FCALL; those of a script it knows by itself.
        self._functions = server_major >= FIRST_WITH_FLAGS and not self._clustered

    async def run(self, name: str, *args: str | bytes | int | float) -> Any:
        """Run a script and return its raw reply.

        Raises:
            redis.exceptions.RedisError: the server is away, out of memory or refuses.
        """
        return await self._call("grow" if name in GROWING else "one", [name, *args], None)

    async def run_group(self, name: str, transitions: Sequence[tuple[str, Sequence[Any]]], disk: DiskWait | None = None) -> list[Any]:
        """Run transitions as the group ``accept`` or ``commit``; per transition its reply, or the exception it ended with.

        Raises:
            NotDurable: ``disk`` waits and they are not confirmed there.
            redis.exceptions.RedisError: as :meth:`run`.
        """
        replies: list[Any] = await self._call(name, packed(transitions), disk)
        return replies

    def command(self, entry: str, transitions: Sequence[tuple[str, Sequence[Any]]]) -> tuple[Any, ...]:
        """What :meth:`run_group` would send first, for somebody else to send."""
        way = _ways(entry, self._major)[0 if self._functions else 1]
        return (*way, 1, self._tag, *packed(transitions))

    async def run_in_turn(
        self, name: str, next_group: Callable[[], Sequence[bytes] | None], disk: DiskWait | None = None
    ) -> AsyncGenerator[Any, None]:
        """Run groups that :func:`packed` made, in their order: for each the replies, or the error it ended with.

        The next group is asked for and sent while the server works on the one before, over one connection. It ends when there is
        none and everything was answered.

        Raises:
            NotDurable: as :meth:`run_group`.
            redis.exceptions.RedisError: the server is away.
        """
        one_by_one = self._clustered or (disk is not None and disk.waits)
        # The first has the scripts loaded, where they are not.
        while (one_by_one or not self._known) and (group := next_group()) is not None:
            yield await self._answer(name, group, disk)
        if one_by_one:
            return
        pool = self._client.connection_pool
        connection = await pool.get_connection()
        way = (*_ways(name, self._major)[0 if self._functions else 1], 1, self._tag)
        sent: deque[Sequence[bytes]] = deque()
        try:
            while True:
                while len(sent) < IN_TURN_MAX and (group := next_group()) is not None:
                    await connection.send_command(*way, *group)
                    sent.append(group)
                if not sent:
                    return
                for answer in await self._next_answers(connection, name, sent):
                    yield answer
        finally:
            if sent:
                await connection.disconnect(nowait=True)
            await pool.release(connection)

    async def _next_answers(self, connection: Any, name: str, sent: deque[Sequence[bytes]]) -> list[Any]:
        """The next answer; where it is that the scripts are not there any more, those of all that was sent, in their order."""
        replies = [await _reply(connection)]
        if _is_not_loaded(replies[0]):
            replies += [await _reply(connection) for _ in range(len(sent) - 1)]
        done = [sent.popleft() for _ in replies]
        pairs = zip(done, replies, strict=True)
        return [await self._answer(name, group, None) if _is_not_loaded(reply) else reply for group, reply in pairs]

    async def _answer(self, name: str, group: Sequence[bytes], disk: DiskWait | None) -> Any:
        try:
            return await self._call(name, group, disk)
        except ResponseError as error:
            return error

    async def _call(self, entry: str, args: Sequence[Any], disk: DiskWait | None) -> Any:
        for command in _ways(entry, self._major)[0 if self._functions else 1 :]:
            reply = await self._send(disk, *command, 1, self._tag, *args)
            if isinstance(reply, NoScriptError):
                continue
            if _is_not_loaded(reply):
                if await self._load():
                    reply = await self._send(disk, *command, 1, self._tag, *args)
                else:
                    continue
            break
        if isinstance(reply, Exception):
            raise reply
        self._known = True
        return reply

    async def _load(self) -> bool:
        """Load the library. A server that is full may take it later; one that refuses it for another reason is not asked again."""
        try:
            await self._client.execute_command("FUNCTION", "LOAD", "REPLACE", library_source())
        except OutOfMemoryError:
            return False
        except ResponseError as error:
            logger.warning("the server does not take our functions (%s); the same runs as scripts, which costs it more", error)
            self._functions = False
            return False
        return True

    async def _send(self, disk: DiskWait | None, *command: Any) -> Any:
        """Send a command; the error it ended with is returned. With ``disk`` it waits, on the same connection, until it is on disk."""
        if disk is not None and disk.waits:
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.execute_command(*command)
                (reply,) = await disk.execute(pipe)
            return reply
        try:
            if self._clustered:
                return await self._client.execute_command(*command)
            return await self._exchange(command)
        except ResponseError as error:
            return error

    async def _exchange(self, command: Sequence[Any]) -> Any:
        """Without what the client does around a command of its own: counting, timing, and callbacks for what it would repeat."""
        pool = self._client.connection_pool
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(connection.pack_command(*command))
            return await connection.read_response()
        finally:
            await pool.release(connection)


_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def packed(transitions: Sequence[tuple[str, Sequence[Any]]]) -> list[bytes]:
    """Transitions as a group takes them: JSON, with the place of each binary argument instead of it; those follow."""
    sent = [b""]
    asked: list[list[Any]] = [[name for name, _ in transitions]]
    for _, args in transitions:
        own = [*args]
        for n, arg in enumerate(own):
            if isinstance(arg, bytes):
                sent.append(arg)
                own[n] = (len(sent),)
        asked.append(own)
    # What is no text (a lone half of a surrogate pair) would fail the whole group.
    sent[0] = _as_json(asked).encode("utf-8", "replace")
    return sent
