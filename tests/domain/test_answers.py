"""Answers: schemas every API accepts, and a parse ladder that lets nothing unbounded or ill-formed through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.answers import FINDINGS_MAX, MODELS, NOT_ON_THE_WIRE, AnswerError, parse_answer, schema_for
from gitbridge_console.domain.events import Kind

FINDING = {
    "path": "a.py",
    "start_line": 3,
    "end_line": 3,
    "category": "bug",
    "title": "t",
    "body": "b",
    "evidence": "e",
    "severity": "low",
    "confidence": "low",
}
REVIEW = {"findings": [FINDING], "summary": "s", "verdict": "comment", "abstain_reason": None}


def objects(node: Any) -> list[dict[str, Any]]:
    own = [node] if isinstance(node, dict) and node.get("type") == "object" else []
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return own + [found for child in children for found in objects(child)]


@pytest.mark.parametrize("kind", list(Kind))
def test_schemas_are_closed_complete_and_without_bounds(kind: Kind) -> None:
    name, schema = schema_for(kind)
    assert name == f"{kind.value}_answer"
    for node in objects(schema):
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])
        assert not (node.keys() & NOT_ON_THE_WIRE)
    assert list(schema["properties"])[-2:] == ["verdict", "abstain_reason"]


def test_findings_keep_a_field_called_title() -> None:
    assert "title" in schema_for(Kind.CODE_REVIEW)[1]["$defs"]["Finding"]["properties"]


@pytest.mark.parametrize("wrap", ["{}", " {} \n", "```json\n{}\n```", "Here you are: {} I hope it helps {{x}}", "{{not this}} {}"])
def test_the_object_is_found_inside_other_text(wrap: str) -> None:
    parsed = parse_answer(
        Kind.CODE_REVIEW,
        wrap.replace("{{", "\x01").replace("}}", "\x02").replace("{}", json.dumps(REVIEW)).replace("\x01", "{").replace("\x02", "}"),
    )
    assert parsed.payload == REVIEW
    assert parsed.repaired is (wrap.strip() != "{}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("no json here", "JSON"),
        (json.dumps({**REVIEW, "verdict": "merge it"}), "verdict"),
        (json.dumps({k: v for k, v in REVIEW.items() if k != "summary"}), "summary: Field required"),
        (json.dumps({**REVIEW, "extra": 1}), "extra"),
        ("[" * 100_000, "JSON"),
        ("x" * 500_000, "500,000 characters"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(AnswerError, match=said) as error:
        parse_answer(Kind.CODE_REVIEW, text)
    assert "\n" not in str(error.value)


def test_too_many_findings_are_cut_by_severity_and_keep_their_order() -> None:
    many = [{**FINDING, "title": f"t{n}", "severity": "critical" if n == 29 else "low"} for n in range(30)]
    findings = parse_answer(Kind.CODE_REVIEW, json.dumps({**REVIEW, "findings": many})).payload["findings"]
    assert len(findings) == FINDINGS_MAX
    assert findings[-1]["title"] == "t29"


def test_texts_and_numbers_are_bounded() -> None:
    wild = {**FINDING, "title": "t" * 9_000, "body": "b" * 90_000, "start_line": -5}
    (finding,) = parse_answer(Kind.CODE_REVIEW, json.dumps({**REVIEW, "findings": [wild]})).payload["findings"]
    assert (len(finding["title"]), len(finding["body"]), finding["start_line"]) == (400, 6_000, 0)


def test_a_triage_names_only_labels_of_the_closed_list() -> None:
    """An issue that talks a reviewer into naming a label must not get one that starts something."""
    triage = {
        "kind": "bug",
        "labels": [" Needs Info", "deploy-to-production", "BUG", "bug"],
        "components": [],
        "priority": "p2",
        "duplicate_of": [],
        "needs_info": [],
        "suggested_reply": "",
        "verdict": "triaged",
        "abstain_reason": None,
    }
    assert parse_answer(Kind.ISSUE_TRIAGE, json.dumps(triage)).payload["labels"] == ["bug", "needs info"]


def test_an_abstention_carries_its_reason() -> None:
    parsed = parse_answer(Kind.GENERAL, json.dumps({"summary": "", "verdict": "abstain", "abstain_reason": "cannot see it"}))
    assert (parsed.abstained, parsed.reason) == (True, "cannot see it")


@given(st.sampled_from(list(MODELS)), st.text(max_size=300))
def test_no_text_raises_anything_else(kind: Kind, text: str) -> None:
    try:
        parse_answer(kind, text)
    except AnswerError:
        return
