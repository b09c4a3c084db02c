"""Settings in the environment: ``GITBRIDGE_REDIS__URL=…`` sets ``redis.url``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.tree import Path

PREFIX = "GITBRIDGE_"
SECRET_NAME = re.compile(r"(SECRET|TOKEN|KEY|PASSWORD)(_[A-Z0-9]+)?$")
"""Variables that hold a secret some setting may name, such as ``GITBRIDGE_WEBHOOK_SECRET``; they are no settings themselves."""


def settings_in(env: Mapping[str, str], secret_names: frozenset[str] = frozenset()) -> Iterator[tuple[str, Path, Any]]:
    """Variable, path and value of every setting in the environment. An empty variable counts as not set.

    ``secret_names`` are variables that files name as places of a secret.

    Raises:
        SettingsError: a list or table is not JSON.
    """
    for name in sorted(env):
        if not name.startswith(PREFIX) or not env[name] or name in secret_names:
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        kind = kind_at(path)
        if kind is None and "__" not in name and SECRET_NAME.search(name):
            continue
        yield name, path, _value(name, env[name], kind)


def kind_at(path: Path) -> Any:
    """The type annotation of the setting at ``path``, ``None`` where there is no such setting."""
    here: Any = Settings
    for key in path:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(key)
            if field is None:
                return None
            here = field.annotation
        elif get_origin(here) is dict:
            here = get_args(here)[1]
        else:
            return None
    return here


def _value(name: str, text: str, kind: Any) -> Any:
    """Numbers and switches are left as text for the model to read; lists and tables are JSON, a list of words may use commas."""
    origins = {get_origin(option) or option for option in (kind, *get_args(kind))}
    is_list = tuple in origins and get_origin(kind) is not dict
    is_table = get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel))
    if is_table or (is_list and text.lstrip().startswith("[")):
        try:
            return json.loads(text)
        except ValueError as error:
            raise SettingsError([f"{name}: not JSON: {error}"]) from None
    if is_list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return text
