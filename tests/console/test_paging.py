"""Lists longer than anybody can hold: windows, searches in steps, marks, sorting up to a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from driving import Driver, driving, settle
from sample import jobs, store_away

from gitbridge_console.console.screens import paging
from gitbridge_console.console.views.cells import Row
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.domain.event_views import JobSummary
from gitbridge_console.domain.windows import SearchStep

pytestmark = pytest.mark.anyio

MANY = 5_000


async def open_queue(d: Driver, count: int = MANY) -> None:
    d.fleet.door.jobs = jobs(count)
    await d.press("2")


async def test_only_a_window_of_a_long_queue_is_held_and_the_end_is_a_key_away() -> None:
    async with driving() as d:
        await open_queue(d)
        assert d.table.total == MANY
        assert len(d.table.rows) < 400
        assert d.table.windowed
        await d.press("G")
        assert d.table.index == MANY - 1
        assert d.table.current is not None
        assert d.table.current.id == d.fleet.door.jobs[-1].id
        assert "5,000 of 5,000" in d.screen.crumb()
        await d.press("g")
        assert d.table.current.id == d.fleet.door.jobs[0].id


async def test_a_page_down_finds_its_rows_there_already() -> None:
    async with driving() as d:
        await open_queue(d)
        asked = d.fleet.door.asked.count("jobs")
        await d.pilot.press("pagedown")
        assert d.table.current is not None
        assert "…\n" not in d.shown()
        assert d.fleet.door.asked.count("jobs") <= asked + 1


async def test_the_cursor_follows_its_row_through_a_queue_that_moves() -> None:
    """Fifty jobs were claimed meanwhile; the row is the same, its number another."""
    async with driving() as d:
        await open_queue(d)
        for _ in range(3):
            await d.press("pagedown")
        here, at = d.table.current, d.table.index
        assert here is not None
        d.fleet.door.jobs = d.fleet.door.jobs[50:]
        await d.press("2")
        assert d.table.current is not None
        assert d.table.current.id == here.id
        assert d.table.index == at - 50


async def test_a_row_that_is_gone_leaves_the_cursor_where_it_was() -> None:
    async with driving() as d:
        await open_queue(d)
        await d.press("j", "j", "j")
        d.fleet.door.jobs = [*d.fleet.door.jobs[:3], *d.fleet.door.jobs[4:]]
        await d.press("2")
        assert d.table.index == 3
        assert d.table.total == MANY - 1


async def test_a_filter_given_while_the_store_was_away_is_looked_for_when_it_is_back() -> None:
    async with driving() as d:
        await open_queue(d, 60)
        there, d.fleet.snapshot = d.fleet.snapshot, store_away()
        await d.press("slash")
        await d.type("provider=grok")
        assert not d.table.rows
        d.fleet.snapshot = there
        await settle(d.pilot)
        assert {row.cells[1].text for row in d.table.rows} == {"grok"}


async def test_where_nothing_matches_the_filter_is_said_and_no_event_is_shown_beside() -> None:
    async with driving(size=(120, 40)) as d:
        await open_queue(d, 60)
        assert d.screen.query_one("#detail", Page).lines
        await d.press("slash")
        await d.type("provider=nobody")
        await settle(d.pilot)
        assert "Nothing matches /provider=nobody" in d.shown()
        assert not d.screen.query_one("#detail", Page).lines
        await d.press("escape")
        assert d.table.total == 60


async def test_what_was_found_is_counted_while_it_is_looked_for_anew() -> None:
    """With every picture: until it is here, what was found before holds."""
    async with driving() as d:
        await open_queue(d, 60)
        await d.press("slash")
        await d.type("provider=grok")
        known = d.screen.crumb()
        assert "found" in known
        d.app.paint()
        d.screen.draw_crumb()
        assert d.screen.crumb() == known


def make_steps_last(d: Driver, seconds: float) -> None:
    search = d.fleet.door.job_search

    async def slow(*asked: Any) -> SearchStep[JobSummary]:
        d.clock.now += seconds
        return await search(*asked)

    d.fleet.door.job_search = slow  # type: ignore[method-assign]


async def filter_by_grok(d: Driver) -> None:
    await open_queue(d)
    await d.press("slash")
    await d.type("provider=grok")
    while d.screen.gathering:  # type: ignore[attr-defined]
        await settle(d.pilot)


async def test_a_filter_searches_step_by_step_and_says_how_far_it_is() -> None:
    async with driving() as d:
        d.fleet.door.step = 1_000
        make_steps_last(d, 1.0)
        await filter_by_grok(d)
        assert d.fleet.door.asked.count("job search") == 5
        assert "looked at 5,000 of 5,000" in d.screen.crumb()
        assert {row.cells[1].text for row in d.table.rows} == {"grok"}
        await d.press("escape")
        assert d.table.total == MANY
        assert d.table.windowed


async def test_a_long_search_is_made_anew_after_ten_times_what_it_took_and_lists_what_it_found_until_then() -> None:
    async with driving() as d:
        d.fleet.door.step = 1_000
        make_steps_last(d, 1.0)
        await filter_by_grok(d)
        d.fleet.door.jobs = jobs(MANY // 2)
        d.clock.now += 49.0
        await settle(d.pilot)
        assert d.fleet.door.asked.count("job search") == 5
        given, set_rows = [], d.table.set_rows

        def note(rows: Sequence[Row]) -> None:
            given.append(rows)
            set_rows(rows)

        d.table.set_rows = note  # type: ignore[method-assign]
        d.clock.now += 1.0
        await settle(d.pilot)
        assert d.fleet.door.asked.count("job search") == 8
        assert len(given) == 1, "nothing of it before all of it is there"
        assert "looked at 2,500 of 2,500" in d.screen.crumb()


async def test_after_a_write_a_long_search_is_made_anew_at_once() -> None:
    async with driving() as d:
        d.fleet.door.step = 1_000
        make_steps_last(d, 1.0)
        await filter_by_grok(d)
        await d.press("minus")
        assert d.writes
        assert d.fleet.door.asked.count("job search") == 10


async def test_a_write_while_a_long_search_is_made_anew_has_it_made_once_more() -> None:
    """Some of it was read before the write."""
    async with driving() as d:
        d.fleet.door.step = 1_000
        make_steps_last(d, 1.0)
        await filter_by_grok(d)
        search = d.fleet.door.job_search

        async def written_meanwhile(*asked: Any) -> SearchStep[JobSummary]:
            d.fleet.door.job_search = search  # type: ignore[method-assign]
            d.screen.wrote()
            return await search(*asked)

        d.fleet.door.job_search = written_meanwhile  # type: ignore[method-assign]
        d.clock.now += 50.0
        await settle(d.pilot)
        await settle(d.pilot)
        assert d.fleet.door.asked.count("job search") == 15


async def test_a_search_that_was_stopped_is_not_made_anew() -> None:
    async with driving() as d:
        d.fleet.door.step = 1
        await open_queue(d)
        d.screen.set_filter("provider=grok")
        while not d.table.rows:
            await d.pilot.pause()
        assert d.screen.step_back()
        assert "stopped" in d.bottom
        asked = d.fleet.door.asked.count("job search")
        d.clock.now += 3_600.0
        await settle(d.pilot)
        assert d.fleet.door.asked.count("job search") <= asked + 1, "but for the step that was under way"


async def test_a_short_filtered_list_is_looked_at_anew_with_every_picture() -> None:
    async with driving() as d:
        await open_queue(d, 60)
        await d.press("slash")
        await d.type("provider=grok")
        d.fleet.door.jobs = jobs(30)
        await d.press("2")
        await d.press("2")
        assert "of 30" in d.screen.crumb()


async def test_a_search_ends_at_its_bound_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "FOUND_MAX", 300)
    async with driving() as d:
        await open_queue(d)
        await d.press("slash")
        await d.type("kind=code_review")
        while d.screen.gathering and len(d.table.rows) < 300:  # type: ignore[attr-defined]
            await settle(d.pilot)
        assert len(d.table.rows) == 300
        assert "the first 300 found are listed" in d.bottom


async def test_sorting_a_long_list_sorts_what_could_be_gathered_and_undoing_it_shows_all_again() -> None:
    async with driving() as d:
        await open_queue(d, 90)
        await d.press("l", "l", "s")
        lanes = [row.cells[1].text for row in d.table.rows]
        assert lanes == sorted(lanes)
        assert "90 found" in d.screen.crumb()
        await d.press("s")
        await d.press("2")
        assert "1 of 90" in d.screen.crumb()


async def test_all_that_match_are_marked_but_never_a_list_that_is_not_known() -> None:
    async with driving() as d:
        await open_queue(d)
        await d.press("asterisk")
        assert "narrow them with /" in d.bottom
        assert d.table.marked == set()
        await d.press("slash")
        await d.type("provider=grok")
        while d.screen.gathering:  # type: ignore[attr-defined]
            await settle(d.pilot)
        await d.press("asterisk")
        assert len(d.table.marked) == len(d.table.rows) > 1_000
        await d.press("C")
        assert d.fleet.door.planned == (Deed(BulkKind.CANCEL), Selection("provider=grok", lane="*")), "so many are a bulk operation"


async def test_a_range_of_marks_and_esc_gives_it_up() -> None:
    async with driving() as d:
        await open_queue(d, 60)
        await d.press("j", "v", "j", "j", "v")
        assert len(d.table.marked) == 3
        await d.press("escape")
        assert d.table.marked == set()
        await d.press("v", "j", "C")
        assert "cancel 2 events" in d.bottom, "a range not ended yet counts"


async def test_marks_survive_scrolling_away() -> None:
    async with driving() as d:
        await open_queue(d)
        await d.press("space", "G", "space")
        assert len(d.screen.events_here()) == 2


async def test_a_filter_that_makes_no_sense_leaves_the_list_as_it_is() -> None:
    async with driving() as d:
        await open_queue(d)
        await d.press("slash")
        await d.type("state=nosuch")
        assert "unknown state 'nosuch'" in d.bottom
        assert d.table.total == MANY
