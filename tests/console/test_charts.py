"""What charts show: series of the fleet's history, or of what this console has seen."""

from __future__ import annotations

import pytest
from driving import Clock, driving
from sample import fleet
from sample_history import history, provider

from gitbridge_console.console.screens.provider import ProviderScreen
from gitbridge_console.console.seen import Seen
from gitbridge_console.console.spans import SPANS, next_span, words_of
from gitbridge_console.console.views.charts import CHARTS, error_lines, histogram_lines, steps_known
from gitbridge_console.console.widgets.chart import Chart
from gitbridge_console.domain.history import FleetHistory, History, ProviderHistory

BY_NAME = {view.name: view for view in CHARTS}


def lines(name: str, past: History) -> dict[str, tuple[float | None, ...]]:
    return dict(BY_NAME[name].lines(past))


def test_each_chart_has_lines_from_a_full_history() -> None:
    for view in CHARTS:
        assert view.lines(history(900)), view.name


def test_no_chart_invents_anything_from_an_empty_one() -> None:
    for view in CHARTS:
        assert dict(view.lines(History(900, 60, providers={"grok": ProviderHistory()}))) == {}, view.name
    assert steps_known(None) == steps_known(History(900, 60)) == 0


def test_failed_calls_are_a_share_and_none_where_nobody_was_asked() -> None:
    past = History(180, 60, providers={"grok": ProviderHistory(calls=(10, 0, None), failed=(5, 0, None))})
    assert lines("errors", past) == {"grok": (50.0, None, None)}


def test_rates_are_by_minute_and_hour_whatever_the_step() -> None:
    fleet_past = FleetHistory(received=(300, None), finished=(150, 75))
    past = History(600, 300, fleet_past, {"grok": ProviderHistory(cost_usd=(0.5, None))})
    assert lines("flow", past) == {"in": (60, None), "finished": (30, 15)}
    assert lines("cost", past) == {"grok": (6.0, None)}


def test_completion_is_of_all_that_came_until_then_and_never_more_than_all() -> None:
    past = History(240, 60, FleetHistory(received=(None, 10, 10, 0), finished=(None, 5, 10, 30)))
    assert lines("completed", past) == {"finished": (None, 50.0, 75.0, 100.0)}


def test_the_fullest_lanes_are_shown() -> None:
    depth = {f"lane{n}": (float(n), 0.0) for n in range(7)}
    assert list(lines("depth", History(120, 60, FleetHistory(depth=depth)))) == ["lane6", "lane5", "lane4", "lane3"]
    assert list(lines("depth", History(120, 60, FleetHistory(depth={"a": (0.0,), "b": (None,)})))) == ["a"]


def test_the_most_frequent_errors_come_first() -> None:
    assert list(error_lines(provider(0, sick=True))) == ["timeout", "rate limit"]


def test_a_histogram_has_few_bars_which_count_every_answer() -> None:
    past = ProviderHistory(histogram=(*((float(n), n) for n in range(1, 60)), (float("inf"), 3)))
    bars = histogram_lines(past, 60)
    assert len(bars) <= 14
    assert sum(int(bar.parts[-1].text.replace(",", "")) for bar in bars) == sum(range(1, 60)) + 3
    assert all(bar.plain.isascii() for bar in histogram_lines(past, 60, ascii_mode=True))
    assert "no answer" in histogram_lines(ProviderHistory(), 60)[0].plain


def test_spans_have_an_end_either_way() -> None:
    assert [next_span(span, 1) for span in SPANS] == ["15m", "1h", "6h", "24h", "24h"]
    assert next_span("5m", -1) == "5m"
    assert [words_of(seconds) for seconds in (*SPANS.values(), 90)] == [*SPANS, "90s"]


def test_what_this_console_saw_has_the_shape_of_a_history() -> None:
    seen = Seen()
    assert steps_known(seen.history(1.0)) == 0
    for _ in range(400):
        seen.add(fleet())
    past = seen.history(1.0)
    assert len(past.fleet.received) == 300
    assert past.providers["grok"].p95_ms[-1] == fleet().providers["grok"].latency_ms.p95
    assert past.fleet.depth["claude"][-1] is not None


@pytest.mark.parametrize("step_s", [0.25, 1.0, 4.0])
def test_events_a_minute_are_those_of_a_minute_however_often_the_console_looks(step_s: float) -> None:
    seen = Seen()
    for _ in range(3):
        seen.add(fleet().model_copy(update={"rates": {"in_per_s": 5.0, "out_per_s": 4.0}}))
    assert lines("flow", seen.history(step_s)) == {"in": (300.0,) * 3, "finished": (240.0,) * 3}


@pytest.mark.anyio
async def test_the_fleets_history_is_asked_for_every_few_seconds_and_at_once_for_another_span() -> None:
    clock = Clock()
    async with driving(size=(120, 40), clock=clock) as d:
        assert d.fleet.door.asked.count("history") == 1
        await d.press("1")
        assert d.fleet.door.asked.count("history") == 1
        clock.now += 6
        await d.press("1")
        assert d.fleet.door.asked.count("history") == 2
        await d.press("greater_than_sign")
        assert d.app.span == "1h"
        assert d.app.history is not None
        assert d.app.history.span_s == 3_600
        assert d.screen.query_one("#chart0", Chart).span == "-1h"


@pytest.mark.anyio
async def test_charts_are_drawn_anew_every_few_seconds_however_often_there_is_a_picture() -> None:
    """What was seen here grows with every picture, and so would its span."""
    clock = Clock()
    async with driving(size=(120, 40), clock=clock) as d:
        d.fleet.door.past = False
        d.app.forget_history()
        spans = []
        for _ in range(12):
            clock.now += 1.0
            d.fleet.snapshot = fleet()
            await d.press("1")
            spans.append(d.screen.query_one("#chart0", Chart).span)
        assert 2 <= len(set(spans)) <= 4
        assert spans == sorted(spans, key=spans.index)


@pytest.mark.anyio
async def test_until_there_are_minutes_what_was_seen_here_is_drawn() -> None:
    async with driving(size=(120, 40)) as d:
        d.fleet.door.past = False
        d.app.forget_history()
        await d.press("1")
        assert d.screen.query_one("#chart0", Chart).span != "-15m"


@pytest.mark.anyio
async def test_z_shows_the_other_charts() -> None:
    async with driving(size=(120, 40)) as d:
        titles = [d.screen.query_one("#chart0", Chart).title]
        for _ in range(3):
            await d.press("z")
            titles.append(d.screen.query_one("#chart0", Chart).title)
        assert titles == [CHARTS[n].title for n in (0, 2, 4, 6)]


@pytest.mark.anyio
async def test_a_provider_tells_its_story_and_tab_goes_on_to_the_next() -> None:
    async with driving(size=(120, 60)) as d:
        await d.press("3", "enter")
        assert isinstance(d.screen, ProviderScreen)
        first = d.screen.provider
        shown = d.shown()
        for part in ("HOW LONG ANSWERS TOOK", "opened", "held open by ana", "timeout", "its circuit breaker is open"):
            assert part in d.screen.page.lines.__repr__() or part in shown, part
        assert "\x1b" not in "".join(line.plain for line in d.screen.page.lines)
        await d.press("tab")
        assert d.screen.provider != first
        await d.press("q")
        assert d.app.current_mode == "providers"


@pytest.mark.anyio
async def test_how_long_answers_took_and_why_calls_failed_is_told_from_the_fleets_first_minute() -> None:
    minute = ProviderHistory(p95_ms=(700,), errors={"timeout": (3,)}, histogram=((500.0, 40), (1_000.0, 2)))
    async with driving(size=(120, 60)) as d:
        await d.press("3")
        assert d.app.snapshot is not None
        name = next(iter(d.app.snapshot.providers))
        d.app.history, d.app._past = History(900, 60, FleetHistory(received=(40,)), {name: minute}), None
        await d.press("enter")
        assert isinstance(d.screen, ProviderScreen)
        assert d.screen.provider == name
        page = "\n".join(one.plain for one in d.screen.page.lines)
        latency, errors = d.screen.query(Chart)

        assert "no answer in this time" not in page
        assert "HOW LONG ANSWERS TOOK, 15m" in page
        assert latency.span != "-15m", "the lines are of what was seen here"
        assert errors.span == "-15m"
        assert "one point so far" in errors.lines[1].plain
