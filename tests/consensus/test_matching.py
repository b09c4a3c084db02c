"""Findings that say the same are found to say the same, whoever spoke first."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.consensus.matching import Group, Statement, edge, jaccard, line_gap, merge, normal_path, tokens

WORDS = ["cart", "items", "total", "roundTax", "None", "empty", "lock", "retry", "getUser", "timeout", "cache", "index"]


def say(provider: str, title: str, index: int = 0, **place: Any) -> Statement:
    return Statement(provider, index, title, **place)


def test_tokens_split_identifiers_and_drop_filler() -> None:
    assert tokens("The getUserName method may return None") == {"getusername", "get", "user", "name", "return", "none"}
    assert tokens("retries retry_count") == {"retrie", "retry", "count", "retry_count"}


def test_jaccard_of_nothing_is_nothing() -> None:
    assert jaccard(frozenset(), frozenset()) == 0


@pytest.mark.parametrize(("raw", "normal"), [("a/src/x.py", "src/x.py"), ("./src/X.py", "src/x.py"), ("b/a/x.py", "a/x.py"), ("a", "a")])
def test_paths_of_diffs_are_normalised(raw: str, normal: str) -> None:
    assert normal_path(raw) == normal


def test_line_gap() -> None:
    a = say("x", "t", start_line=10, end_line=12)
    assert line_gap(a, say("y", "t", start_line=11)) == 0
    assert line_gap(a, say("y", "t", start_line=17)) == 5
    assert line_gap(a, say("y", "t")) is None


def test_near_lines_of_one_file_need_little_likeness_and_another_file_needs_much() -> None:
    one = say("claude", "cart.items is None when the cart is empty", path="api/cart.py", start_line=31)
    near = say("grok", "empty list not handled in checkout flow", path="api/cart.py", start_line=32)
    far = say("grok", "empty list not handled in checkout flow", path="web/view.py", start_line=32)
    assert (edge(one, near) or ("none",))[0] == "same"
    assert edge(one, far) is None


def test_two_that_agree_and_one_that_does_not() -> None:
    groups = merge(
        [
            say("claude", "roundTax rounds twice", path="tax.py", start_line=8),
            say("chatgpt", "tax is rounded twice by roundTax", path="tax.py", start_line=9),
            say("grok", "missing index on orders", path="db.sql", start_line=1),
        ]
    )
    assert [(sorted(group.providers), group.tier) for group in groups] == [(["grok"], "lone"), (["chatgpt", "claude"], "same")]


def test_one_provider_that_says_it_twice_has_one_voice() -> None:
    (group,) = merge([say("claude", "cache timeout is never set", 0), say("claude", "cache timeout never set here", 1)])
    assert len(group.members) == 2
    assert group.providers == {"claude"}


def test_the_same_words_about_two_files_are_two_findings() -> None:
    title = "user input reaches the query unescaped"
    places = [("a.py", 4), ("b.py", 90)]
    groups = merge([say(who, title, n, path=path, start_line=line) for who in ("claude", "grok") for n, (path, line) in enumerate(places)])
    assert [({m.path for m in group.members}, len(group.providers), group.tier) for group in groups] == [
        ({"a.py"}, 2, "same"),
        ({"b.py"}, 2, "same"),
    ]


def test_a_cluster_holds_one_group_of_each_provider() -> None:
    groups = merge(
        [say("claude", "cart total wrong", 0), say("grok", "cart total wrong for empty cart", 0), say("grok", "lock retry missing", 1)]
    )
    assert sorted(len(group.providers) for group in groups) == [1, 2]


statement = st.builds(
    Statement,
    provider=st.sampled_from(["claude", "grok", "chatgpt"]),
    index=st.integers(0, 50),
    title=st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join),
    path=st.sampled_from(["", "a.py", "b.py"]),
    start_line=st.integers(0, 60),
    category=st.sampled_from(["bug", "test"]),
)


def shape(groups: list[Group]) -> set[tuple[frozenset[Statement], str]]:
    return {(frozenset(group.members), group.tier) for group in groups}


@given(st.lists(statement, max_size=14, unique_by=lambda s: (s.provider, s.index)), st.randoms())
def test_the_order_of_arrival_changes_nothing(statements: list[Statement], random: Any) -> None:
    shuffled = list(statements)
    random.shuffle(shuffled)
    assert shape(merge(statements)) == shape(merge(shuffled))


@given(st.lists(statement, max_size=14, unique_by=lambda s: (s.provider, s.index)))
def test_nothing_is_lost_or_doubled(statements: list[Statement]) -> None:
    members = [member for group in merge(statements) for member in group.members]
    assert sorted(members, key=repr) == sorted(statements, key=repr)


def labelled_reviews() -> dict[str, Any]:
    for folder in Path(__file__).resolve().parents:
        path = folder / "shared" / "data" / "consensus" / "martian_crb_opus45.json"
        if path.is_file():
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
            return found
    pytest.skip("the labelled reviews are not here")


def test_on_real_reviews_two_of_three_beat_the_single_reviewer() -> None:
    """F1 of findings that two of three reviewers share, over every panel of ten real tools."""
    data = labelled_reviews()
    golden = sum(len(pull["golden"]) for pull in data["prs"])
    by_tool = [defaultdict(list) for _ in data["prs"]]
    for n, pull in enumerate(data["prs"]):
        for finding in pull["findings"]:
            by_tool[n][finding["tool"]].append(finding)
    tools = sorted({tool for pull in by_tool for tool in pull} - {"graphite", "kg"})

    def groups(panel: tuple[str, ...]) -> Iterator[tuple[int, int, set[int]]]:
        for n, pull in enumerate(by_tool):
            for group in merge([Statement(tool, i, f["text"]) for tool in panel for i, f in enumerate(pull[tool])]):
                yield n, len(group.providers), {g for m in group.members for g in pull[m.provider][m.index]["golden"]}

    def f1(chosen: list[tuple[int, int, set[int]]]) -> float:
        hits = sum(bool(found) for _, _, found in chosen)
        covered = len({(n, g) for n, _, found in chosen for g in found})
        precision, recall = hits / max(1, len(chosen)), covered / golden
        return 2 * precision * recall / (precision + recall) if hits else 0.0

    single = {tool: f1(list(groups((tool,)))) for tool in tools}
    scores, won = [], 0
    for panel in itertools.combinations(tools, 3):
        score = f1([group for group in groups(panel) if group[1] >= 2])
        scores.append(score)
        won += score > max(single[tool] for tool in panel)
    assert sum(scores) / len(scores) >= 0.50
    assert won > len(scores) / 2
