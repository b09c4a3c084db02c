"""Who is at the keyboard, for the audit and for roles.

What the kernel says (whose rights the process has, who logged in) can be relied on; the environment is kept beside it as a claim.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Mapping
from pathlib import Path

from gitbridge_console.domain.audit import Actor

__all__ = ["Actor", "current_actor", "login_of"]

LOGIN_UID = Path("/proc/self/loginuid")
"""Set once when somebody logs in, kept by the kernel through ``su`` and ``sudo``; Linux with PAM only."""

NO_LOGIN = 2**32 - 1


def current_actor(env: Mapping[str, str] | None = None) -> Actor:
    """The person behind this process: who logged in, else who became another by sudo, else the account; and where they sit."""
    env = os.environ if env is None else env
    account, login = account_of(os.geteuid()), login_of(LOGIN_UID)
    sudo_user = _text(env.get("SUDO_USER", ""))
    who = login or sudo_user or account
    if who != account:
        who = f"{who} as {account}"
    host = _text(socket.gethostname())
    origin = _text(env.get("SSH_CONNECTION", "")).split(" ")[0]
    return Actor(
        who,
        f"{host} (ssh from {origin})" if origin else host,
        account=account,
        login=login,
        sudo_user=sudo_user,
        ssh=origin,
        tty=_terminal(),
    )


def _text(found: str) -> str:
    """Without bytes that are no UTF-8, which could not be stored."""
    return found.encode("utf-8", "replace").decode()


def account_of(uid: int) -> str:
    """The name of an account by its number, never by the environment."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def login_of(path: Path) -> str:
    """Who logged in, as the kernel noted it; empty where it did not."""
    try:
        uid = int(path.read_text("ascii"))
    except (OSError, ValueError):
        return ""
    return "" if uid == NO_LOGIN else account_of(uid)


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        try:
            return os.ttyname(descriptor)
        except OSError:
            continue
    return ""
