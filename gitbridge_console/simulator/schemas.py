"""Reads what shape of answer a request asks for, and makes an answer keep to it."""

from __future__ import annotations

import random
from typing import Any

MAX_DEPTH = 12


def kind_of_schema(schema: dict[str, Any], name: str = "") -> str | None:
    """The kind of question behind an answer schema, told by its fields (not every wire format carries a name)."""
    fields = set(schema.get("properties", {}))
    if {"claims", "verdict"} <= fields:
        return "verify"
    if {"reasons", "verdict"} <= fields:
        return "arbiter"
    if {"findings", "release_note"} <= fields:
        return "push_review"
    if {"findings", "summary"} <= fields:
        return "code_review"
    if "edits" in fields:
        return "documentation"
    if {"labels", "suggested_reply"} <= fields:
        return "issue_triage"
    if {"summary", "verdict"} <= fields:
        return "general"
    known = ("push_review", "code_review", "documentation", "issue_triage", "general", "verify", "arbiter")
    return next((kind for kind in known if kind in name.lower().replace("-", "_")), None)


def conform(value: Any, schema: dict[str, Any], rng: random.Random) -> Any:
    """``value`` cut down and filled up so that it satisfies the schema (objects, arrays, enums, ``$ref``, ``anyOf``)."""
    return _conform(value, schema, schema.get("$defs", {}), rng, 0)


_NOTHING = object()


def _conform(value: Any, schema: dict[str, Any], defs: dict[str, Any], rng: random.Random, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return None
    if ref := schema.get("$ref"):
        return _conform(value, defs.get(str(ref).rsplit("/", 1)[-1], {}), defs, rng, depth + 1)
    if options := schema.get("anyOf") or schema.get("allOf"):
        return _conform(value, _option(value, options), defs, rng, depth + 1)
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        return value if value in choices else rng.choice(choices)
    kind = schema.get("type")
    if isinstance(kind, list):
        return _conform(value, {**schema, "type": _type_of(value, kind)}, defs, rng, depth + 1)
    if kind == "object":
        given = value if isinstance(value, dict) else {}
        return {key: _conform(given.get(key, _NOTHING), part, defs, rng, depth + 1) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        items = value if isinstance(value, list) else []
        return [_conform(item, schema.get("items", {}), defs, rng, depth + 1) for item in items]
    return _scalar(value, kind)


def _scalar(value: Any, kind: Any) -> Any:
    if kind == "null":
        return None
    if kind == "boolean":
        return value if isinstance(value, bool) else False
    if kind == "integer":
        return value if isinstance(value, int) and not isinstance(value, bool) else 0
    if kind == "number":
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.5
    if kind == "string":
        return value if isinstance(value, str) else "simulated"
    return None if value is _NOTHING else value


def _option(value: Any, options: list[dict[str, Any]]) -> dict[str, Any]:
    nullable = next((option for option in options if option.get("type") == "null"), None)
    if nullable and (value is None or value is _NOTHING):
        return nullable
    return next((option for option in options if option.get("type") != "null"), options[0])


def _type_of(value: Any, kinds: list[str]) -> str:
    if "null" in kinds and (value is None or value is _NOTHING):
        return "null"
    return next((kind for kind in kinds if kind != "null"), "null")
