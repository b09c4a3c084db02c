"""Answers: the shape asked for, the same for the same question, and agreeing now and then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from simulator_samples import DIFF, SCHEMAS

from gitbridge_console.simulator.answers import allowed_labels, answer_text
from gitbridge_console.simulator.catalogue import identifier
from gitbridge_console.simulator.difftext import added_lines, paths_in
from gitbridge_console.simulator.reviewers import latent_faults
from gitbridge_console.simulator.schemas import conform, kind_of_schema
from gitbridge_console.simulator.seeds import seeded
from gitbridge_console.simulator.traffic import TrafficGenerator

PROVIDERS = ("claude", "grok", "chatgpt")


def ask(kind: str, prompt: str, provider: str = "claude", seed: int = 1) -> dict[str, Any]:
    """One answer, parsed."""
    answer: dict[str, Any] = json.loads(answer_text(prompt=prompt, schema=SCHEMAS[kind], schema_name="", provider=provider, seed=seed))
    return answer


def fits(value: Any, schema: dict[str, Any], defs: dict[str, Any]) -> bool:
    """Whether a value keeps to a schema of the subset used here."""
    if "$ref" in schema:
        return fits(value, defs[schema["$ref"].rsplit("/", 1)[-1]], defs)
    if "anyOf" in schema:
        return any(fits(value, option, defs) for option in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if schema["type"] == "object":
        return set(value) == set(schema["required"]) and all(fits(value[key], part, defs) for key, part in schema["properties"].items())
    if schema["type"] == "array":
        return all(fits(item, schema["items"], defs) for item in value)
    return isinstance(value, {"string": str, "integer": int, "boolean": bool, "null": type(None)}[schema["type"]])


@pytest.fixture(scope="module")
def diffs() -> list[str]:
    """Some fifty changes of the made-up traffic."""
    traffic = TrafficGenerator(5)
    return [event.diff for event, _ in (traffic.next() for _ in range(120)) if event.diff]


@pytest.mark.parametrize("kind", SCHEMAS)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_answers_have_the_shape_asked_for(kind: str, provider: str, diffs: list[str]) -> None:
    """Every kind, every service, on diffs and on next to nothing."""
    schema = SCHEMAS[kind]
    for prompt in [*diffs[:15], "", "no diff at all", "@@ -1 +1 @@\n+x"]:
        answer = ask(kind, prompt, provider)
        assert fits(answer, schema, schema.get("$defs", {}))
        assert (answer["verdict"] == "abstain") == (answer["abstain_reason"] is not None)


def test_the_same_question_has_the_same_answer() -> None:
    """Seed, question and service settle it; the order of the files does not."""
    assert ask("code_review", DIFF) == ask("code_review", DIFF)
    head, first, second = DIFF.partition("diff --git a/src")[0], *DIFF.partition("diff --git a/deploy")[::2]
    turned = head + "diff --git a/deploy" + second + first.removeprefix(head)
    latent = {(fault.flaw.name, fault.line.path, fault.line.number) for fault in latent_faults(added_lines(DIFF), 1)}
    assert latent == {(fault.flaw.name, fault.line.path, fault.line.number) for fault in latent_faults(added_lines(turned), 1)}
    assert any(ask("code_review", DIFF, provider) != ask("code_review", DIFF, "claude") for provider in PROVIDERS)


def test_findings_are_found_by_one_two_or_three(diffs: list[str]) -> None:
    """Services overlap without being copies, and their evidence stands in the diff nearly always."""
    shared = {1: 0, 2: 0, 3: 0}
    quoted = []
    for diff in diffs:
        answers = [ask("code_review", diff, provider) for provider in PROVIDERS]
        lines = [{finding["evidence"] for finding in answer["findings"]} for answer in answers]
        for line in set().union(*lines):
            shared[sum(line in found for found in lines)] += 1
        quoted += [finding["evidence"] in diff for answer in answers for finding in answer["findings"]]
    assert min(shared.values()) >= 5
    assert sum(quoted) / len(quoted) > 0.9


def test_verdict_follows_the_findings(diffs: list[str]) -> None:
    """A critical or high finding never goes with an approval."""
    for diff in diffs:
        answer = ask("code_review", diff, "grok")
        severe = any(finding["severity"] in ("critical", "high") for finding in answer["findings"])
        assert not severe or answer["verdict"] == "request_changes"
        push = ask("push_review", diff, "grok")
        assert (push["verdict"] == "alert") == any(finding["severity"] in ("critical", "high") for finding in push["findings"])


def test_without_a_diff_nothing_is_found() -> None:
    """Metadata alone gives no findings, and often an abstention."""
    answers = [ask("code_review", f"pull request number {number}") for number in range(30)]
    assert all(not answer["findings"] for answer in answers)
    assert 5 < sum(answer["verdict"] == "abstain" for answer in answers) < 28


def test_a_failed_run_wants_attention() -> None:
    """Most services look up when a run failed, none when it went well."""
    verdicts = [ask("general", "conclusion: failure", provider, seed)["verdict"] for provider in PROVIDERS for seed in range(10)]
    assert verdicts.count("attention") > 15
    assert ask("general", "conclusion: success")["verdict"] != "attention"


def test_labels_come_from_the_list_in_the_prompt() -> None:
    """A closed list is kept to; without one the usual labels serve."""
    prompt = "Allowed labels: kind/bug, area/web\n\nIt crashes with an error, crash on start"
    seen = {label for provider in PROVIDERS for seed in range(30) for label in ask("issue_triage", prompt, provider, seed)["labels"]}
    assert seen <= {"kind/bug", "area/web"}
    assert "kind/bug" in seen
    assert "bug" in allowed_labels("nothing said")


def test_lines_are_numbered_on_the_new_side() -> None:
    """Paths come from file headers, or from a line before the hunk."""
    lines = [(line.path, line.number, line.function) for line in added_lines(DIFF)]
    assert lines[:3] == [("src/orders/store.py", number, "find") for number in (11, 12, 13)]
    assert lines[3] == ("deploy/run.py", 2, "")
    bare = added_lines(
        "### File: lib/a.go (modified)\n```diff\n@@ -3,2 +3,3 @@ func Run()\n \tx\n+\ty := 1\n```\nand lib/b.go\n@@ -0,0 +1 @@\n+z"
    )
    assert [(line.path, line.number, line.function) for line in bare] == [("lib/a.go", 4, "Run"), ("lib/b.go", 1, "")]
    assert paths_in("see docs/a.md, docs/a.md and b.py") == ["docs/a.md", "b.py"]
    assert identifier("+ return self") == ""


def test_unknown_shapes_are_filled_by_the_schema() -> None:
    """A question of another shape still gets an answer that fits it."""
    schema = {
        "type": "object",
        "properties": {
            "holds": {"type": "boolean"},
            "count": {"type": "integer"},
            "share": {"type": "number"},
            "why": {"type": ["string", "null"]},
            "word": {"const": "x"},
            "pick": {"enum": ["a", "b"]},
            "list": {"type": "array", "items": {"type": "string"}},
            "gone": {"type": "null"},
            "any": {},
        },
    }
    answer = json.loads(answer_text(prompt="p", schema=schema, schema_name="verify", provider="claude", seed=1))
    assert answer.pop("pick") in ("a", "b")
    assert answer == {"holds": False, "count": 0, "share": 0.5, "why": None, "word": "x", "list": [], "gone": None, "any": None}
    assert kind_of_schema({}, "push-review.v1") == "push_review"
    assert kind_of_schema({}, "other") is None
    loop = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert conform({}, loop, seeded()) is None
    assert "claude" in answer_text(prompt="p", schema=None, schema_name="", provider="claude", seed=1)
