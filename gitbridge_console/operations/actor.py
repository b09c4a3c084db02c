"""Who is at the keyboard, for the audit."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A person and where they sit: ``ana`` on ``ops-3 (ssh from 10.0.0.7)``."""

    who: str
    host: str


def current_actor(env: Mapping[str, str] | None = None) -> Actor:
    """The person behind this process: who became root by sudo, else the login; with the address an SSH session came from."""
    env = os.environ if env is None else env
    try:
        login = getpass.getuser()
    except (KeyError, OSError):
        login = f"uid {os.getuid()}"
    who = env.get("SUDO_USER") or login
    if who != login:
        who = f"{who} as {login}"
    host = socket.gethostname()
    origin = env.get("SSH_CONNECTION", "").split(" ")[0]
    return Actor(who, f"{host} (ssh from {origin})" if origin else host)
