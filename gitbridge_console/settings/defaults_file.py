"""The file ``config init`` writes: every key, commented out, at its default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.notes import EXAMPLES, NOTES, TABLES
from gitbridge_console.settings.routing import BudgetSettings
from gitbridge_console.settings.shown import toml_value

_HEAD = """\
# Settings of GitBridge Console. Every line below is commented out and shows the default: remove the # of what you change
# (and of the [table] above it). `gitbridge-console config check` reads it, `config show --origins` tells what holds and why.
#
# No secret belongs in this file: API keys and webhook secrets stay in environment variables or files, and are named here.
"""

_RULE = """\
# [[rules]]
# when = { type = "pull_request", action = ["opened", "synchronize"], paths = ["docs/**", "*.md"] }
# kind = "documentation"
# priority = "low"
"""

_KEYMAP = """\
# [keymap]
# "lane.pause" = "ctrl+x"
"""

_WEBHOOK = """\
# [alerts.webhooks.ops]
# url_env = "GITBRIDGE_ALERTS_URL"
# format = "slack"
"""

_LOCAL = """\
# Any OpenAI-compatible server is a provider too:
# [providers.local]
# api = "chat"
# base_url = "http://127.0.0.1:11434/v1"
# model = "qwen3-coder"
"""


_PROMPTS = """\
# A kind may have versions of its question of your own, each a name and its text:
# [kinds.code_review.prompts]
# strict = "Review the change of this pull request as the last person who reads it before it is deployed. ..."
"""


def commented_defaults() -> str:
    """The text of the file; every ``# key = value`` line is valid TOML without its mark."""
    tree = Settings().model_dump(mode="json")
    parts = [_HEAD, _table("", tree)]
    for name, value in tree.items():
        if name in {"providers", "kinds", "hosts"}:
            parts.extend(_table(f"{name}.{inner}", table, first=inner == next(iter(value))) for inner, table in value.items())
            if name == "providers":
                parts.append(_LOCAL)
            elif name == "kinds":
                parts.append(_PROMPTS)
        elif name == "budgets":
            # There is none by default: an example for the first provider shows what one would look like.
            parts.append(_table(f"budgets.{next(iter(tree['providers']))}", BudgetSettings().model_dump(mode="json")))
        elif name == "keymap":
            # There is none by default either.
            parts.append(f"# {TABLES['keymap']}.\n{_KEYMAP}")
        elif name == "rules":
            parts.append(f"# {TABLES['rules']}.\n{_RULE}")
        elif isinstance(value, Mapping):
            parts.append(_table(name, value))
            if name == "alerts":
                parts.append(f"# {TABLES['alerts.webhooks.NAME']}, such as:\n{_WEBHOOK}")
    return "\n".join(parts)


def _table(name: str, values: Mapping[str, Any], *, first: bool = True) -> str:
    return "\n".join(_lines(name, values, first)) + "\n"


def _lines(name: str, values: Mapping[str, Any], explained: bool) -> Iterator[str]:
    above, _, own_name = name.partition(".")
    kind = {"providers": "providers.NAME", "kinds": "kinds.KIND", "budgets": "budgets.NAME"}.get(above, name)
    if name:
        if explained:
            yield f"# {TABLES[kind]}."
        yield f"# [{name}]"
    for key, note in NOTES[kind].items():
        value = values[key]
        if isinstance(value, Mapping):
            continue
        text = toml_value(value) if value is not None else EXAMPLES.get(f"{name}.{key}".strip("."), EXAMPLES.get(key, ""))
        line = f"# {key} = {text.replace('NAME', own_name)}"
        remark = "(not set) " if value is None else ""
        remark += note if explained else ""
        yield f"{line:<52}  # {remark.strip()}" if remark else line
