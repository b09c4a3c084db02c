"""Trouble that comes and goes is told once a minute at most, and its end only where its beginning was."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.store.spell import REPORT_EVERY_S, Spell
from gitbridge_console.store.trouble import StoreTrouble


def test_a_long_spell_is_told_at_its_beginning_once_a_minute_and_at_its_end() -> None:
    spell = Spell()
    assert [now for now in range(150) if spell.seen(now)] == [0, 60, 120]
    assert (spell.since, spell.count, spell.last_s) == (0, 150, 149)
    assert spell.over()
    assert (spell.since, spell.count) == (None, 0)
    assert not spell.over(), "it was over before"


def test_one_that_flickers_is_told_once() -> None:
    spell, told = Spell(), []
    for now in range(50):
        told.append((spell.seen(now), spell.over()))
    assert told == [(True, True)] + [(False, False)] * 49


def test_a_short_spell_keeps_quiet_about_a_long_one_for_less_than_a_minute() -> None:
    spell = Spell()
    assert spell.seen(0.0)
    assert spell.over()
    assert [now for now in range(30, 100) if spell.seen(now)] == [60]
    assert spell.over()


@given(st.lists(st.tuples(st.floats(0.0, 50.0), st.booleans())))
def test_beginnings_are_a_minute_apart_and_no_more_ends_are_told_than_these(steps: list[tuple[float, bool]]) -> None:
    spell, now, begun, ended = Spell(), 0.0, [], 0
    for after_s, there in steps:
        now += after_s
        if there:
            begun += [now] if spell.seen(now) else []
        else:
            ended += spell.over()
    assert all(later - earlier >= REPORT_EVERY_S for earlier, later in itertools.pairwise(begun))
    assert ended <= len(begun)


def test_a_call_that_was_given_up_is_told_in_words(caplog: pytest.LogCaptureFixture) -> None:
    StoreTrouble().report(TimeoutError())
    assert "does not answer (no answer in time)" in caplog.text
