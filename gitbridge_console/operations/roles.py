"""Who may do what: one table from operation to least role, and the rule that gives a person a role.

A role keeps honest people from mistakes. Whoever can run programs of their own with the store's credentials is kept out by the
store alone: see ``docs roles`` for the ACL file of each role.
"""

from __future__ import annotations

import functools
import grp
import os
import pwd
import time
from collections.abc import Callable, Collection
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitbridge_console.domain.audit import Actor
    from gitbridge_console.settings.operators import RoleSettings


class Role(IntEnum):
    """From the least to the most."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """As people and settings write it."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Role:
        """Inverse of :attr:`word`.

        Raises:
            KeyError: there is no such role.
        """
        return cls[word.upper()]


LEAST: dict[str, Role] = {
    "submit": Role.OPERATOR,
    "pause": Role.OPERATOR,
    "resume": Role.OPERATOR,
    "drain": Role.OPERATOR,
    "failover": Role.OPERATOR,
    "breaker": Role.OPERATOR,
    "prioritize": Role.OPERATOR,
    "replay": Role.OPERATOR,
    "cancel": Role.OPERATOR,
    "approve": Role.OPERATOR,
    "reject": Role.OPERATOR,
    "decision": Role.OPERATOR,
    "undo": Role.OPERATOR,
    "quarantine retry": Role.OPERATOR,
    "reconcile": Role.OPERATOR,
    "quarantine drop": Role.ADMIN,
    "alerts": Role.OPERATOR,
    "bulk": Role.OPERATOR,
    "bulk flush": Role.ADMIN,
    "flush": Role.ADMIN,
    "backup": Role.OPERATOR,
    "filter": Role.OPERATOR,
    "restore": Role.ADMIN,
}
"""The operator's role is for what can be undone, done again, or is the daily word on a decision; what destroys for good is the admin's.

An operation of several words (``breaker reset``, ``decision accept``) goes by all of them, or else by the first.
"""


def least_role(what: str) -> Role:
    """The least role for an operation; for one that is not in the table the highest."""
    return LEAST.get(what) or LEAST.get(what.partition(" ")[0]) or Role.ADMIN


GROUPS_KEPT_S = 60.0
"""How long the groups of an account are remembered: a directory service may be slow, and roles are looked up at every write."""


def groups_of(name: str) -> Collection[str]:
    """The system groups of an account; none for one the system does not know."""
    return _groups(name, int(time.monotonic() / GROUPS_KEPT_S))


@functools.lru_cache(maxsize=64)
def _groups(name: str, spell: int) -> frozenset[str]:
    try:
        numbers = os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
    except (KeyError, OSError):
        return frozenset()
    found = set()
    for number in numbers:
        try:
            found.add(grp.getgrgid(number).gr_name)
        except KeyError:
            continue
    return frozenset(found)


def role_of(actor: Actor, roles: RoleSettings, groups: Callable[[str], Collection[str]] = groups_of) -> Role:
    """The role of whoever sits there.

    Who logged in counts before the account whose rights the process has: both are the kernel's word. Where the kernel does not know
    who logged in, ``SUDO_USER`` is a claim of the environment, which anybody can set: it may lower the role, never raise it.
    """
    named = bool(roles.admin or roles.operator or roles.viewer)
    default = Role.parse(roles.default or ("viewer" if named else "admin"))

    def given(name: str) -> Role | None:
        own = [role for role, names in _lists(roles) if name and name in names]
        through_group = [role for role, names in _lists(roles) if any(n[1:] in groups(name) for n in names if n.startswith("%"))]
        return max(own or through_group, default=None)

    role = given(actor.login) or given(actor.account) or default
    if not actor.login and actor.sudo_user:
        role = min(role, given(actor.sudo_user) or default)
    return role


def _lists(roles: RoleSettings) -> tuple[tuple[Role, tuple[str, ...]], ...]:
    return (Role.ADMIN, roles.admin), (Role.OPERATOR, roles.operator), (Role.VIEWER, roles.viewer)
