"""Puts the Lua scripts together and runs them by hash.

Each file in ``scripts/`` is one transition: the body of a function of its own ``ARGV``, with the functions of ``_lib.lua``
in scope. A script that runs alone is that function, called once; a *group* is several of them in one script, which runs
any number of transitions of one partition in one round trip. What fails in a group fails alone. A bulk operation is one
script that calls other transitions, event by event.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from gitbridge_console.store.durability import DiskWait

GROUPS = {
    "accept": ("enqueue",),
    "commit": ("claim", "begin", "extend", "hand_on", "hedge", "record", "release", "retry", "route", "settle", "widen"),
}
"""Transitions that are sent together. Operators' scripts run alone: they are rare and some are long."""

BULK = {"bulk": ("cancel", "reprioritize", "reseat"), "bulk_replay": ("replay",)}
"""Transitions that ``bulk.lua`` calls: replays apart from the others, for they alone need room."""

GROWING = frozenset({"accept", "replay", "bulk_replay", "restore_event"})
"""What may be refused when the server is at ``maxmemory``; all else must work there, to let what was accepted move on."""

FIRST_WITH_FLAGS = 7
"""Major server version that understands a script's ``#!lua flags=…`` line."""

_RUN_ONE = """
local ok, reply = pcall(%s, ARGV)
finish()
if ok then return reply end
return type(reply) == 'table' and reply or redis.error_reply(tostring(reply))
"""

_RUN_GROUP = """
local replies, i = {}, 1
while i <= #ARGV do
  local last = i + 1 + tonumber(ARGV[i + 1])
  local ok, reply = pcall(transitions[ARGV[i]], {unpack(ARGV, i + 2, last)})
  if not ok and type(reply) ~= 'table' then reply = redis.error_reply(tostring(reply)) end
  replies[#replies + 1] = reply
  i = last + 1
end
finish()
return replies
"""


@cache
def _text(name: str) -> str:
    return resources.files("gitbridge_console.store").joinpath("scripts", f"{name}.lua").read_text("utf-8")


@cache
def script_source(name: str, server_major: int) -> str:
    """Full text of a script or group for a server of that major version."""
    flags = "" if server_major < FIRST_WITH_FLAGS else "#!lua\n" if name in GROWING else "#!lua flags=allow-oom\n"
    parts = GROUPS.get(name) or BULK.get(name, ())
    bodies = [f"transitions.{part} = function(ARGV)\n{_text(part)}end\n" for part in parts]
    head = "".join([flags, _text("_lib"), "local transitions = {}\n" if parts else "", *bodies])
    if name in GROUPS:
        return head + _RUN_GROUP
    return f"{head}local function {name}(ARGV)\n{_text('bulk' if name in BULK else name)}end\n{_RUN_ONE % name}"


class ScriptRunner:
    """Runs scripts of one partition by ``EVALSHA``; loads a script the server has not seen (or forgot by a restart)."""

    def __init__(self, client: Redis, tag: str, server_major: int = FIRST_WITH_FLAGS) -> None:
        self._client: Any = client  # execute_command has no types
        self._tag = tag
        self._major = server_major
        self._hashes: dict[str, str] = {}

    def digest(self, name: str) -> str:
        """SHA-1 by which the server knows the script."""
        found = self._hashes.get(name)
        if found is None:
            source = script_source(name, self._major)
            found = self._hashes[name] = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        return found

    async def run(self, name: str, *args: str | bytes | int | float) -> Any:
        """Run a script and return its raw reply.

        Raises:
            redis.exceptions.RedisError: the server is away, out of memory or refuses.
        """
        try:
            return await self._client.execute_command("EVALSHA", self.digest(name), 1, self._tag, *args)
        except NoScriptError:
            return await self._client.execute_command("EVAL", script_source(name, self._major), 1, self._tag, *args)

    async def run_group(self, name: str, transitions: Sequence[tuple[str, Sequence[Any]]], disk: DiskWait | None = None) -> list[Any]:
        """Run transitions of a group in their order; per transition its reply, or the exception it ended with.

        Raises:
            NotDurable: ``disk`` waits and they are not confirmed there.
            redis.exceptions.RedisError: as :meth:`run`.
        """
        flat: list[Any] = []
        for transition, args in transitions:
            flat.append(transition)
            flat.append(len(args))
            flat.extend(args)
        replies: list[Any] = await (self.run(name, *flat) if disk is None or not disk.waits else self._run_to_disk(name, flat, disk))
        return replies

    async def _run_to_disk(self, name: str, args: Sequence[Any], disk: DiskWait) -> Any:
        """As :meth:`run`, then wait on the same connection until it is on disk: one wait for the whole group."""
        reply: Any = None
        for command, script in (("EVALSHA", self.digest(name)), ("EVAL", script_source(name, self._major))):
            async with self._client.pipeline(transaction=False) as pipe:
                pipe.execute_command(command, script, 1, self._tag, *args)
                (reply,) = await disk.execute(pipe)
            if not isinstance(reply, NoScriptError):
                break
        if isinstance(reply, Exception):
            raise reply
        return reply
