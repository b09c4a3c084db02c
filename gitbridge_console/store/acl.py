"""A store user for each role, as lines of a server's ACL file, made of the same key names the program uses.

Three things are guarded: a viewer's user changes no key at all, an operator's cannot take entries out of the audit, and nobody's
reaches outside the namespace, or the server's own administration. Needs Redis 7 or any Valkey, for rights by key and command.
"""

from __future__ import annotations

from collections.abc import Mapping

from gitbridge_console.settings.model import LegacySettings
from gitbridge_console.store.keys import Keys

ROLES = ("viewer", "operator", "admin")
LEGACY_KEYS = (LegacySettings().events_key, LegacySettings().processing_key)
_COMMON = (
    "+@connection -@dangerous -@admin -@scripting +info +time +eval +evalsha +script|load +fcall +multi +exec +discard"
    " +subscribe +unsubscribe"
)
"""Views are partly scripts. A script may do what its caller may, so a viewer's change nothing.

Functions are called by all and loaded by the admin's user only: whoever may replace them has others run what he wrote, with their rights.
Where none are loaded, the same runs as scripts.
"""

_LOOK = f"+@read {_COMMON}"
_CHANGE = f"+@read +@write +publish {_COMMON}"
_APPEND = "+eval +xadd +xlen +xrange +xrevrange +hmget +hset"


def acl_lines(namespace: str = "gitbridge", legacy: tuple[str, ...] = LEGACY_KEYS) -> Mapping[str, str]:
    """Role to its line. The users are off and have no password: ``ACL SETUSER NAME on >PASSWORD`` switches one on."""
    keys = Keys(namespace)
    partition = keys.tag.replace("00", "[0-9a-f][0-9a-f]")
    wake = " ".join(f"&{channel.replace('00', '[0-9a-f][0-9a-f]')}" for channel in (keys.wake, keys.lost))
    all_keys = f"{{{namespace}:*"
    steered = [
        f"{partition}:*",
        partition,
        keys.provider_board("*").removesuffix("board") + "*",
        f"{keys.outcomes}*",
        f"{{{namespace}:metrics:*}}:*",
        f"{{{namespace}:ctl}}:*",
        f"{keys.alerts}:*",
        f"{keys.host('*')}*",
    ]
    user = {role: f"user {namespace}-{role} off resetpass resetkeys resetchannels -@all" for role in ROLES}
    return {
        "viewer": f"{user['viewer']} %R~{all_keys} ~{partition} {wake} {_LOOK}",
        "operator": " ".join(
            [
                user["operator"],
                f"%R~{all_keys}",
                *(f"~{pattern}" for pattern in steered),
                f"{wake} {_CHANGE}",
                f"(~{keys.audit}* {_APPEND})",
            ]
        ),
        "admin": " ".join(
            [
                user["admin"],
                f"~{all_keys}",
                *(f"~{key}" for key in legacy),
                f"{wake} {_CHANGE} +client|unblock +config|get +function|load",
            ]
        ),
    }
