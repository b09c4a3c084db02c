"""A chain of hashed records: whatever is altered, removed, moved or put in is found, and where."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.hash_chain import End, Link, canonical, check_chain, link_hash

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(st.text(max_size=4), VALUES, max_size=4)


def chain(*records: dict[str, Any], anchor: End | None = None) -> tuple[list[Link], End, End]:
    """The links of these records, with anchor and head."""
    last = anchor or End()
    links = []
    for record in records:
        body = canonical(record)
        links.append(Link(last.seq + 1, last.hash, link_hash(last.hash, body), body))
        last = End(links[-1].seq, links[-1].hash)
    return links, anchor or End(), last


FIVE = tuple({"n": n, "verdict": "comment"} for n in range(5))


@given(RECORDS)
def test_equal_records_have_equal_hashes_whatever_the_order_of_their_keys(record: dict[str, Any]) -> None:
    backwards = dict(reversed(list(record.items())))
    assert canonical(record) == canonical(backwards)
    assert canonical(json.loads(canonical(record))) == canonical(record), "read back and written again it is the same"


@given(st.lists(RECORDS, min_size=1, max_size=6), st.data())
def test_whatever_is_altered_is_found(records: list[dict[str, Any]], data: st.DataObject) -> None:
    links, anchor, head = chain(*records)
    assert check_chain(links, anchor, head) == ""
    at = data.draw(st.integers(0, len(links) - 1))
    body = bytearray(links[at].body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    links[at] = replace(links[at], body=bytes(body))
    assert check_chain(links, anchor, head).startswith(f"entry {at + 1} was altered")


def test_what_is_altered_and_hashed_anew_breaks_the_next() -> None:
    links, anchor, head = chain(*FIVE)
    body = canonical({"n": 2, "verdict": "approve"})
    links[2] = replace(links[2], body=body, hash=link_hash(links[2].prev, body))
    assert check_chain(links, anchor, head) == "entry 4 does not follow the entry before it: one of the two was replaced"


@pytest.mark.parametrize(
    ("kept", "problem"),
    [
        ((0, 1, 3, 4), "entry 3 is missing"),
        ((0, 4), "entries 2 to 4 are missing"),
        ((1, 2, 3, 4), "entry 1 is missing"),
        ((0, 2, 1, 3, 4), "entries 2 and 3 stand in the wrong order"),
        ((0, 4, 2, 3, 1), "entries 2 and 5 stand in the wrong order"),
        ((0, 1, 1, 2, 3, 4), "entry 2 stands behind entry 2"),
        ((0, 1, 2), "entries 4 to 5 are missing at the end"),
        ((), "entries 1 to 5 are missing at the end"),
    ],
)
def test_what_is_gone_or_moved_is_found_and_where(kept: tuple[int, ...], problem: str) -> None:
    links, anchor, head = chain(*FIVE)
    assert check_chain([links[n] for n in kept], anchor, head) == problem


def test_two_that_took_each_others_place_are_named() -> None:
    links, anchor, head = chain(*FIVE)
    links[1], links[2] = replace(links[2], seq=2), replace(links[1], seq=3)
    assert check_chain(links, anchor, head) == "entries 2 and 3 stand in the wrong order"


def test_a_chain_goes_on_from_where_it_was_trimmed() -> None:
    links, _, head = chain(*FIVE)
    anchor = End(links[1].seq, links[1].hash)
    assert check_chain(links[2:], anchor, head) == ""
    assert check_chain(links[3:], anchor, head) == "entry 3 is missing"
    assert check_chain([], head, head) == ""


def test_another_chain_of_the_same_length_is_not_this_one() -> None:
    _, anchor, head = chain(*FIVE)
    other, _, _ = chain(*({"n": n} for n in range(5)))
    assert check_chain(other, anchor, head) == "the chain ends with entry 5, not with the one that was written last"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_word_for_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"n": value})
