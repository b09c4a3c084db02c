"""Loads the Lua scripts and runs them by hash, one round trip each."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

GROWING = frozenset({"enqueue", "replay"})
"""Scripts that may be refused when the server is at ``maxmemory``; all others must work there, to let what was accepted move on."""

FIRST_WITH_FLAGS = 7
"""Major server version that understands a script's ``#!lua flags=…`` line."""


@cache
def _text(name: str) -> str:
    return resources.files("gitbridge_console.store").joinpath("scripts", f"{name}.lua").read_text("utf-8")


@cache
def script_source(name: str, server_major: int) -> str:
    """Full text of a script for a server of that major version, shared functions in front."""
    flags = "" if name in GROWING or server_major < FIRST_WITH_FLAGS else "#!lua flags=allow-oom\n"
    return flags + _text("_lib") + _text(name)


class ScriptRunner:
    """Runs scripts of one partition by ``EVALSHA``; loads a script the server has not seen (or forgot by a restart)."""

    def __init__(self, client: Redis, tag: str, server_major: int = FIRST_WITH_FLAGS) -> None:
        self._client = client
        self._tag = tag
        self._major = server_major
        self._hashes: dict[str, str] = {}

    async def run(self, name: str, *args: str | bytes | int | float) -> Any:
        """Run a script and return its raw reply.

        Raises:
            redis.exceptions.RedisError: the server is away, out of memory or refuses.
        """
        digest = self._hashes.get(name)
        if digest is None:
            source = script_source(name, self._major)
            digest = self._hashes[name] = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self._client.evalsha(digest, 1, self._tag, *args)
        except NoScriptError:
            return await self._client.eval(script_source(name, self._major), 1, self._tag, *args)
