"""Findings that say the same are found to say the same, whoever spoke first."""

from __future__ import annotations

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
    assert (found := edge(one, near)) is not None
    assert (found.tier, found.gap, found.same_path) == ("same", 1, True)
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


@given(st.lists(statement, max_size=10, unique_by=lambda s: (s.provider, s.index)))
def test_one_more_voice_takes_nobodys_confirmation_away(statements: list[Statement]) -> None:
    before = sum(len(group.providers) >= 2 for group in merge(statements))
    echo = [Statement("zed", n, *_said(s)) for n, s in enumerate(statements)]
    assert sum(len(group.providers) >= 2 for group in merge([*statements, *echo])) >= before


def _said(statement: Statement) -> tuple[Any, ...]:
    return statement.title, statement.path, statement.start_line, statement.end_line, statement.category


@given(st.lists(statement, max_size=14, unique_by=lambda s: (s.provider, s.index)))
def test_nothing_is_lost_or_doubled(statements: list[Statement]) -> None:
    members = [member for group in merge(statements) for member in group.members]
    assert sorted(members, key=repr) == sorted(statements, key=repr)
