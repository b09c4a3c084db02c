"""Settings of the code hosts beside GitHub's own, and of what all of them share."""

from __future__ import annotations

from pydantic import field_validator

from gitbridge_console.settings.table import Table


class OurselvesSettings(Table):
    """Who we are on a code host, so that what we publish is not answered when it comes back."""

    own_logins: tuple[str, ...] = ()
    own_apps: tuple[str, ...] = ()
    answered_bots: tuple[str, ...] = ()

    @field_validator("own_logins", "own_apps", "answered_bots", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        listed = (value,) if isinstance(value, (str, int)) else value
        return tuple(str(one) for one in listed) if isinstance(listed, (list, tuple)) else listed
