"""View models: what the screens say, without a screen."""

from __future__ import annotations

import pytest
from still_fleet import DECISIONS, EVENT, FAILED, HOSTILE, JOBS, provider, snapshot

from gitbridge_console.console.actions import ACTIONS, COMMANDS, actions_for, hints_for
from gitbridge_console.console.screens.base import MODES
from gitbridge_console.console.screens.help import help_lines
from gitbridge_console.console.views.cells import Line, age, millis, money, percent, sparkline
from gitbridge_console.console.views.event import event_lines, initials, mark
from gitbridge_console.console.views.fleet import (
    alert_lines,
    count_lines,
    first_run_lines,
    flow_point,
    flow_rates,
    header_line,
    lane_rows,
    log_lines,
    provider_detail,
    provider_rows,
)
from gitbridge_console.console.views.tables import decision_rows, event_rows, job_rows, log_rows, short_id
from gitbridge_console.console.widgets.bottom_row import fitting_hints
from gitbridge_console.console.widgets.chart import draw
from gitbridge_console.console.widgets.row_table import layout_columns
from gitbridge_console.domain.snapshots import FleetSnapshot, StoreStatus


def texts(lines: list[Line]) -> str:
    return "\n".join(line.plain for line in lines)


def test_every_screen_shows_outside_text_as_harmless_text() -> None:
    picture = snapshot()
    shown = [
        texts(event_lines(EVENT, 80)),
        texts(event_lines(EVENT, 160)),
        texts(log_lines(picture.log, 20)),
        *(
            cell.text
            for rows in (job_rows(JOBS), event_rows(FAILED), decision_rows(DECISIONS), log_rows(picture.log, []))
            for row in rows
            for cell in row.cells
        ),
    ]
    for text in shown:
        for char in ("\x1b", "\x9b", "\u202e", "\x00", "\x07"):
            assert char not in text
    assert "[bold]markup[/bold]" in shown[0]
    assert HOSTILE not in shown[0]


def test_lanes_say_in_words_what_is_wrong() -> None:
    rows = {row.id: [cell.text for cell in row.cells] for row in lane_rows(snapshot())}
    assert rows["grok"][1] == "OPEN"
    assert rows["chatgpt"][1] == "PAUSED"
    assert rows["claude"][:5] == ["claude", "SLOW", "12", "3", "4"]
    assert rows["grok"][8] == "61%"


def test_the_worst_alert_comes_first_and_the_rest_is_counted() -> None:
    assert texts(alert_lines(snapshot(), 1)) == "!! grok open: circuit breaker open after transient, silent  (+2 more)"
    assert texts(alert_lines(snapshot(alerts=()), 3)) == "all well"
    away = snapshot(store=StoreStatus(url="unix", ok=False, age_s=12.0, error="connection refused"))
    assert "connection refused" in texts(alert_lines(away, 1))
    assert "STORE AWAY, picture is 12s old" in header_line(away, {}, None).plain


def test_without_any_key_it_says_how_to_set_one_and_offers_the_demo() -> None:
    keyless = snapshot(providers={"claude": provider("no_key", reason="no key: set ANTHROPIC_API_KEY")})
    text = texts(first_run_lines(keyless))
    assert "ANTHROPIC_API_KEY" in text
    assert "gitbridge-console demo" in text
    assert first_run_lines(snapshot()) == []


def test_the_provider_page_has_breaker_errors_and_unknown_cost() -> None:
    picture = snapshot()
    text = texts(provider_detail("grok", picture.providers["grok"], picture.lanes["grok"]))
    for part in ("OPEN", "next probe 21:00:12", "transient 200, silent 45", "612 ready"):
        assert part in text
    assert [cell.text for cell in provider_rows(picture)[2].cells][-1] == "unknown"


def test_differences_are_unified_when_narrow_and_side_by_side_when_wide() -> None:
    narrow, wide = texts(event_lines(EVENT, 80)), texts(event_lines(EVENT, 140))
    assert "Ch● Cl● Grx" in narrow
    assert "FINDINGS" in wide
    assert "│ CLAUDE" in wide
    assert "= critical 88 tax rounded" in wide
    for text in (narrow, wide):
        assert "waits for an operator" in text
        assert "POST /repos/acme/shop/pulls/412/reviews" in text
        assert "transient → fail over" in text


def test_marks_tell_who_said_it_without_colour() -> None:
    decision = EVENT.decision
    assert decision is not None
    assert [mark(decision.clusters[1], answer) for answer in decision.answers] == ["·", "●", "x"]


def test_numbers_for_people() -> None:
    assert [age(n) for n in (None, 4, 125, 7500, 200_000)] == ["-", "4s", "2m05", "2h05", "2d07"]
    assert [millis(n) for n in (None, 840.4, 2400)] == ["-", "840ms", "2.4s"]
    assert [percent(n) for n in (None, 0.004, 0.61)] == ["-", "0.4%", "61%"]
    assert [money(n) for n in (None, 0.0123, 12.25)] == ["unknown", "$0.0123", "$12.25"]
    assert short_id("0000001a00.2") == "1a00.2"


def test_sparklines_have_their_width_and_gaps() -> None:
    assert sparkline((None, 1.0, 2.0), 5) == "   ▁█"
    assert sparkline((1.0, 3.0), 2, ascii_mode=True) == "_@"
    assert sparkline((None,), 3) == "   "


def test_rates_come_from_two_pictures() -> None:
    first = flow_point(snapshot())
    later = flow_point(snapshot(at="2026-11-22T21:00:10.000Z", totals={"received": 1440, "resolved": 1234}))
    assert flow_rates(first, later) == (4.0, 3.0)


def test_before_the_first_picture_the_header_says_so() -> None:
    assert "starting" in header_line(None, {"DEMO": True}, None).plain


def test_columns_give_way_in_their_order() -> None:
    from gitbridge_console.console.views.fleet import LANE_COLUMNS

    wide, narrow, tiny = (layout_columns(LANE_COLUMNS, width) for width in (120, 79, 60))
    assert 0 not in wide
    assert sum(wide) + len(wide) - 1 == 120
    assert [LANE_COLUMNS[n].title for n, width in enumerate(narrow) if not width] == ["/MIN"]
    assert [LANE_COLUMNS[n].title for n, width in enumerate(tiny) if not width] == ["P95", "/MIN", "TREND"]


@pytest.mark.parametrize("ascii_mode", [False, True])
def test_a_chart_has_exactly_its_size(ascii_mode: bool) -> None:
    text = draw({"claude": [1.0, None, 5.0, 900.0], "grok": [None, None, 3.0, 2.0]}, 60, 8, ascii_mode=ascii_mode, span="-15m")
    rows = text.split("\n")
    assert len(rows) == 8
    assert max(len(row) for row in rows) <= 60
    assert "now" in rows[-1]
    assert not ascii_mode or text.isascii()


def test_no_data_is_no_chart() -> None:
    assert draw({"claude": [None, None]}, 60, 8, ascii_mode=False) == ""


def test_help_footer_and_commands_come_from_one_table() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)
    for scope in (*MODES, "event"):
        shown = texts(help_lines(scope))
        for action in actions_for(scope):
            assert action.title in shown
        keys = [key for action in actions_for(scope) for key in action.keys.split(",")]
        assert len(set(keys)) == len(keys), f"two actions of {scope} share a key"
        hints = {key for key, _ in hints_for(scope, read_only=False)}
        assert hints <= {key for action in actions_for(scope) for key in action.shown_keys.split(" ")}
    assert all(name in COMMANDS for name in (*MODES, "q", "help", "lane.pause"))


def test_capital_letters_and_signs_write_and_nothing_else_does() -> None:
    for action in ACTIONS:
        keys = action.keys.split(",")
        capital = any((len(key) == 1 and key.isupper()) or key in ("plus", "minus", "equals_sign") for key in keys)
        looks = action.id in ("row.last", "row.reverse")
        assert action.write == (capital and not looks)


def test_read_only_hides_writes_from_the_hints() -> None:
    assert not {"P", "R", "X"} & {key for key, _ in hints_for("queue", read_only=True)}


def test_an_empty_fleet_has_no_rows_and_no_crash() -> None:
    empty = FleetSnapshot(at="2026-11-22T21:00:00.000Z", namespace="x", store=StoreStatus(url="unix", ok=True))
    assert lane_rows(empty) == []


def test_providers_with_one_initial_are_told_apart() -> None:
    assert initials(["claude", "chatgpt", "grok"]) == {"claude": "Cl", "chatgpt": "Ch", "grok": "Gr"}
    assert initials(["claude", "grok"]) == {"claude": "C", "grok": "G"}
    assert initials(["local", "local-eu"]) == {"local": "Local", "local-eu": "Local-"}
    assert initials(["claude", "claude"]) == {"claude": "C"}
    assert initials([]) == {}


def test_what_wants_the_operator_is_counted_first() -> None:
    shown = count_lines(snapshot(events={"resolved": 9120, "consensus_pending": 604, "failed": 37}))[0].plain
    assert shown.startswith("EVENTS  failed 37")


def test_a_share_near_all_is_not_shown_as_all() -> None:
    assert [percent(rate) for rate in (0.998, 1.0, 0.61)] == ["99.8%", "100%", "61%"]


def test_a_picture_that_stopped_coming_is_said_to_be_old() -> None:
    assert "NO NEWS" not in header_line(snapshot(), {}, None, old_s=3.0).plain
    assert "NO NEWS for 42s" in header_line(snapshot(), {}, None, old_s=42.0).plain


def test_help_stays_in_the_bottom_row_when_room_is_short() -> None:
    hints = hints_for("queue", read_only=False)
    assert fitting_hints(hints, 400) == hints
    assert [word for _, word in fitting_hints(hints, 40)][-2:] == ["command", "help"]
    assert len(fitting_hints(hints, 0)) == 2


def test_a_log_line_keeps_its_identity_when_older_ones_go() -> None:
    log = snapshot().log
    assert {row.id for row in log_rows(log[1:], [])} <= {row.id for row in log_rows(log, [])}
