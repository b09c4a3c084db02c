"""The event screen's findings: moving over them, looking at answers, and an operator's word on them, by their keys."""

from __future__ import annotations

from typing import Any

import pytest
from driving import Driver, driving
from sample import event
from sample_decisions import LOCK, TAX, decision, growing

from gitbridge_console.console.screens.event import EventScreen
from gitbridge_console.console.views.consensus import chosen
from gitbridge_console.domain.decisions import Cluster, Decision
from gitbridge_console.domain.event_views import EventDetail

pytestmark = pytest.mark.anyio


def screen_of(d: Driver) -> EventScreen:
    assert isinstance(d.screen, EventScreen)
    return d.screen


def under_cursor(d: Driver) -> Cluster:
    screen = screen_of(d)
    assert screen.decision is not None
    found = chosen(screen.decision, screen.look_at)
    assert found is not None
    return found


def number(beginning: str) -> int:
    return next(cluster.id for cluster in decision().clusters if cluster.title.startswith(beginning))


async def test_the_cursor_goes_from_finding_to_finding_and_beyond_them_the_page_scrolls() -> None:
    async with driving(size=(120, 60)) as d:
        await d.press("5", "enter")
        count = len(decision().clusters) - 1  # the unsupported one is folded
        for n in range(1, count + 1):
            assert under_cursor(d).id == n
            await d.press("j")
        assert under_cursor(d).id == count
        await d.press("k")
        assert under_cursor(d).id == count - 1


async def test_on_a_small_screen_the_finding_under_the_cursor_comes_into_sight() -> None:
    async with driving() as d:
        await d.press("5", "enter", "j", "j", "j", "j")
        assert under_cursor(d).id == 5
        assert "ALTER TABLE" in d.shown()


async def test_enter_opens_a_finding_and_esc_closes_it_before_it_leaves_the_event() -> None:
    async with driving() as d:
        await d.press("5", "enter", "j", "enter")
        assert "FINDING 2" in d.shown()
        assert "CLAUDE" in d.shown()
        await d.press("escape")
        assert "k/n" in d.shown()
        assert isinstance(d.screen, EventScreen)
        await d.press("escape")
        assert not isinstance(d.screen, EventScreen)


async def test_coming_back_from_a_finding_it_is_in_sight_again() -> None:
    async with driving() as d:
        await d.press("5", "enter", "j", "j", "j", "j", "enter", "j", "j", "escape")
        assert under_cursor(d).id == 5
        assert "> 5!  CRIT" in d.shown()


async def test_tab_goes_through_the_original_answers_and_o_between_one_and_the_consensus() -> None:
    async with driving() as d:
        await d.press("5", "enter")
        for name in ("CHATGPT", "CLAUDE", "GROK"):
            await d.press("tab")
            assert "ORIGINAL ANSWER" in d.shown()
            assert name in d.shown()
        await d.press("tab")
        assert "CONSENSUS" in d.shown()
        await d.press("tab", "tab", "o")
        assert "CONSENSUS" in d.shown()
        await d.press("o")
        assert "ORIGINAL ANSWER 2 of 3" in d.shown()
        await d.press("q")
        assert "CONSENSUS" in d.shown()


@pytest.mark.parametrize(("key", "word"), [("A", "accept"), ("D", "dismiss"), ("U", "restore")])
async def test_a_capital_letter_says_a_word_on_the_finding_under_the_cursor_at_once(key: str, word: str) -> None:
    async with driving() as d:
        await d.press("5", "enter", "j", key)
        assert d.writes == [(word, [number(TAX)], "")]
        assert f"{word} finding 2: 1 changed" in d.bottom


async def test_marked_findings_are_meant_together_and_the_marks_are_gone_afterwards() -> None:
    async with driving(size=(120, 50)) as d:
        await d.press("5", "enter", "space", "space")
        assert "2 marked" in d.screen.crumb()
        await d.press("J")
        assert d.writes == [("join", [1, 2], "")]
        assert "join 2 findings: 2 changed" in d.bottom
        assert "marked" not in d.screen.crumb()


async def test_joining_wants_two_and_splitting_two_providers() -> None:
    async with driving(size=(120, 50)) as d:
        await d.press("5", "enter", "J")
        assert "mark two or more" in d.bottom
        await d.press("j", "j", "j", "X")
        assert "cannot be split" in d.bottom
        assert d.writes == []
        await d.press("k", "X")
        assert d.writes == [("split", [number(LOCK)], "")]


async def test_a_severity_is_asked_for_by_name() -> None:
    async with driving() as d:
        await d.press("5", "enter", "E")
        await d.type("grave")
        assert "no severity of that name" in d.bottom
        await d.press("E")
        await d.type("high")
        assert d.writes == [("severity", [1], "high")]


async def test_another_verdict_wants_its_name_and_a_reason() -> None:
    async with driving() as d:
        await d.press("5", "enter", "V")
        await d.type("maybe")
        assert "no verdict of that name" in d.bottom
        await d.press("V")
        await d.type("comment")
        assert d.writes == []
        await d.type("the tax is right")
        assert d.writes == [("amend", "00000412", "comment", "the tax is right")]


async def test_approving_asks_first() -> None:
    async with driving() as d:
        await d.press("5", "enter", "O")
        assert "approve 412 and post? y/N" in d.bottom
        await d.press("n")
        assert d.writes == []
        await d.press("O", "y")
        assert d.writes == [("approve", "00000412")]


@pytest.mark.parametrize("key", ["O", "N"])
async def test_what_waits_for_nobody_any_more_is_not_asked_about(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with driving() as d:

        async def show_event(event_id: str, *, payload: bool = False) -> EventDetail:
            return event(event_id, payload=payload).model_copy(update={"state": "resolved"})

        monkeypatch.setattr(d.fleet.door, "show_event", show_event)
        await d.press("5", "enter", key, "y")
        assert "412 does not wait for an operator, it is resolved: nothing is done" in d.bottom
        assert d.writes == []


async def test_what_is_meant_goes_by_names_when_the_numbers_changed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driving() as d:
        await d.press("5", "enter", "j")
        turned = decision().model_copy(
            update={"clusters": tuple(c.model_copy(update={"id": 100 - c.id}) for c in decision().clusters)},
        )

        async def now(_: str) -> Decision:
            return turned

        monkeypatch.setattr(d.fleet.door, "show_decision", now)
        await d.press("A")
        assert d.writes == [("accept", [98], "")]


async def test_a_decision_made_anew_meanwhile_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driving() as d:
        await d.press("5", "enter")

        async def now(_: str) -> Decision:
            return decision().model_copy(update={"run": 2})

        monkeypatch.setattr(d.fleet.door, "show_decision", now)
        await d.press("A")
        assert d.writes == []
        assert "decided anew" in d.bottom


async def test_nothing_is_written_while_an_original_answer_is_in_front() -> None:
    async with driving() as d:
        await d.press("5", "enter", "tab", "A", "D", "X")
        assert d.writes == []
        assert "o goes back" in d.bottom


def pending(event_id: str, *, payload: bool = False) -> EventDetail:
    return event(event_id, payload=payload).model_copy(update={"state": "consensus_pending", "decision": None})


async def test_a_panel_at_work_shows_what_is_there_so_far_and_grows() -> None:
    async with driving() as d:
        d.fleet.door.event, d.fleet.door.growing = pending, growing()
        await d.press("5", "enter", "j")
        assert "SO FAR, NOT DECIDED" in d.shown()
        name = under_cursor(d).refs[0]
        await d.press("A")
        assert d.writes == []
        assert "nothing is decided yet" in d.bottom
        d.fleet.door.event, d.fleet.door.growing = event, None
        await d.press("tab", "tab", "tab", "tab")
        assert "COMPLETE 3/3" in d.shown()
        assert name in under_cursor(d).refs


async def test_only_lines_that_changed_are_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with driving(size=(120, 40)) as d:
        await d.press("5", "enter")
        drawn: list[Any] = []
        monkeypatch.setattr("gitbridge_console.console.widgets.lines.draw_again", lambda widget, *regions: drawn.extend(regions))
        screen_of(d).draw()
        assert drawn == []
        screen_of(d).action_cursor(1)
        assert len(drawn) == 2


async def test_folds_open_with_a_key() -> None:
    async with driving(size=(120, 50)) as d:
        await d.press("5", "enter")
        assert "1 unsupported" in d.shown()
        assert "auth/none.py:400" not in d.shown()
        await d.press("z")
        assert "auth/none.py:400" in d.shown()


async def test_an_event_without_findings_says_so() -> None:
    async with driving() as d:
        d.fleet.door.event = pending
        await d.press("5", "enter", "enter")
        assert "no finding" in d.bottom
        await d.press("tab")
        assert "no answers yet" in d.bottom
        await d.press("o", "space", "z", "j", "k")
        assert d.writes == []
