"""From pictures to rows and lines, without a screen."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from sample import AT, HOSTILE, audit, calm, decision, decisions, event, failures, first_run, fleet, jobs, store_away

from gitbridge_console.console.views.cells import Cell, Column, Line, Row, line, millis, money, percent, sparkline, wrap
from gitbridge_console.console.views.event import event_lines, payload_lines
from gitbridge_console.console.views.filtering import filter_rows
from gitbridge_console.console.views.fleet import (
    alert_lines,
    count_lines,
    first_run_lines,
    flow_point,
    flow_rates,
    lane_rows,
    log_lines,
    provider_rows,
)
from gitbridge_console.console.views.header import HeaderState, header_line, tabs_line
from gitbridge_console.console.views.limits import limit_lines
from gitbridge_console.console.views.log import log_rows
from gitbridge_console.console.views.provider import provider_detail
from gitbridge_console.console.views.tables import decision_rows, event_rows, job_rows
from gitbridge_console.console.views.ways_in import ways_in_lines
from gitbridge_console.domain.durations import age
from gitbridge_console.domain.snapshots import LegacyStatus, ReceiverStatus, ReconcileStatus, SpoolStatus


def texts(rows: Iterable[Row]) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in rows]


def plain(lines: Iterable[Line]) -> str:
    return "\n".join(part.plain for part in lines)


def assert_harmless(text: str) -> None:
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\ud800" not in text


def test_every_lane_has_a_row_and_its_state_in_words() -> None:
    """Stages too; a state is never told by colour alone."""
    rows = {row[0]: row for row in texts(lane_rows(fleet()))}
    assert list(rows) == ["fetch", "route", "claude", "grok", "chatgpt", "decide", "act"]
    assert [rows[name][1] for name in ("claude", "grok", "chatgpt", "act")] == ["ok", "SLOW", "OPEN", "PAUSED"]
    assert rows["act"][-1] == "ana: release freeze"
    assert rows["grok"][2:6] == ["212", "6", "6", "3m11"]


def test_alerts_come_worst_first_and_say_how_many_there_are() -> None:
    """One line when there is room for one."""
    [only] = alert_lines(fleet(), 1)
    assert only.plain.startswith("!! 1 of 3  chatgpt open")
    assert len(alert_lines(fleet(), 3)) == 3
    assert plain(alert_lines(calm(), 3)) == "all well"
    assert "Connection refused" in plain(alert_lines(store_away(), 3))


def test_header_says_what_is_vital_and_leaves_out_what_does_not_fit() -> None:
    """Depth, errors and latency come first."""
    state = HeaderState("pulse", demo=True, read_only=True, rates=(1.5, 0.5))
    full = header_line(fleet(), state, 200).plain
    assert "DEMO" in full
    assert "READ-ONLY" in full
    assert "open 297" in full
    assert "in 1.5/s  out 0.5/s" in full
    assert full.endswith("every 1s")
    narrow = header_line(fleet(), state, 60).plain
    assert cell_len(narrow) <= 60
    assert "open 297" in narrow
    assert "every" not in narrow
    assert "starting…" in header_line(None, state, 80).plain


def test_header_owns_up_to_old_data() -> None:
    """With the store away, and when no new picture comes."""
    assert "STORE AWAY, picture is 44s old" in header_line(store_away(), HeaderState("pulse", age_s=44), 120).plain
    assert "picture is 30s old" in header_line(fleet(), HeaderState("pulse", age_s=30), 120).plain
    assert "old" not in header_line(fleet(), HeaderState("pulse", age_s=30, frozen=True), 120).plain
    assert "old" not in header_line(fleet(), HeaderState("pulse", age_s=1), 120).plain


def test_tabs_count_what_waits_for_the_operator() -> None:
    """The mode in front stands in brackets."""
    shown = tabs_line(fleet(), "queue").plain
    assert "[2 Queue]" in shown
    assert "4 Failures 37" in shown
    assert "5 Consensus 2" in shown
    narrow = tabs_line(fleet(), "queue", 78).plain
    assert "4 Fail 37  5 Cons 2" in narrow
    assert cell_len(narrow) <= 78


def test_counts_put_what_is_wrong_in_front() -> None:
    """A narrow line loses the rest."""
    assert plain(count_lines(fleet())).startswith("EVENTS  failed 37  parked 2  awaiting approval 2")
    assert "none yet" in plain(count_lines(first_run()))


def test_first_run_names_each_missing_key_and_offers_the_demo() -> None:
    """And says nothing once one provider has a key."""
    shown = plain(first_run_lines(first_run()))
    for key in ("ANTHROPIC_API_KEY", "XAI_API_KEY", "OPENAI_API_KEY", "gitbridge-console demo"):
        assert key in shown
    assert first_run_lines(fleet()) == []


def test_provider_rows_and_detail_hold_health_limits_and_cost() -> None:
    """An unknown price is called unknown."""
    rows = {row[0]: row for row in texts(provider_rows(fleet()))}
    assert rows["grok"][3] == "6/6"
    assert rows["chatgpt"][-1] == "unknown"
    snapshot = fleet()
    detail = plain(provider_detail("chatgpt", snapshot.providers["chatgpt"], snapshot.lanes["chatgpt"]))
    assert "next probe 21:14:40" in detail
    assert "transient 30" in detail
    assert_harmless(detail)


def test_flow_comes_from_two_pictures() -> None:
    """Events in and out between them, by their own times."""
    first = fleet()
    later = fleet(at="2026-11-22T21:14:13.250Z", totals=first.totals | {"received": 20_316, "resolved": 18_447})
    assert flow_rates(flow_point(first), flow_point(later)) == (2.0, 0.5)


def test_lists_keep_identity_and_show_no_hostile_text() -> None:
    """Rows are found again by id; what came from outside is clean."""
    tables = [job_rows(jobs()), event_rows(failures()), decision_rows(decisions()), log_rows(fleet().log, audit())]
    for rows in tables:
        assert len({row.id for row in rows}) == len(rows)
        assert_harmless(str(texts(rows)))
    assert texts(job_rows(jobs()))[-1][3] == "in 12s"
    assert texts(decision_rows(decisions()))[0][2] == "OPERATOR"
    assert_harmless(plain(log_lines(fleet().log, 10)))
    assert log_lines(fleet().log, 0) == []


@pytest.mark.parametrize("width", [45, 58, 78, 97, 98, 158, 198])
def test_event_page_fits_and_is_clean(width: int) -> None:
    """At every width, with everything an event can have."""
    lines = event_lines(event(payload=True), width)
    shown = plain(lines)
    assert_harmless(shown)
    assert all(cell_len(part.plain) <= width for part in lines)
    for word in ("REQUEST CHANGES 2/3", "TASKS", "ACTION", "TIMELINE", "PAYLOAD", "dry run", "tax is roun"):
        assert word in shown
    assert ("│ CLAUDE" in shown) == (width >= 98)


def test_event_without_decision_or_tasks_still_shows() -> None:
    """Just received."""
    bare = event().model_copy(update={"tasks": (), "decision": None, "action": None, "timeline": (), "routing": (), "error": None})
    assert "no tasks yet" in plain(event_lines(bare, 80))


def test_what_was_not_sent_because_the_head_moved_says_what_else_can_be_done() -> None:
    conflict = {"type": "stale", "resolution": "nothing is sent", "alternatives": ["replay", "post as outdated"]}
    stale = event().model_copy(update={"action": {"type": "review", "requests": [], "reason": "stale", "conflict": conflict}})
    assert "! stale → nothing is sent  or: replay, post as outdated" in plain(event_lines(stale, 100))


def test_a_parked_event_says_when_its_next_chance_comes() -> None:
    """And only then."""
    waiting = event().model_copy(update={"state": "parked", "next_chance": "2026-11-22T21:04:05Z"})
    assert "next chance" in plain(event_lines(waiting, 80))
    assert "next chance" not in plain(event_lines(event(), 80))


def test_a_hedge_is_told_from_a_seat_and_unknown_tokens_from_none() -> None:
    """Two tasks of one seat, one of them cancelled under way."""
    first, *rest = event().tasks
    lost = first.attempts[0].model_copy(update={"outcome": "neutral", "verdict": "cancelled", "tokens_in": 1000, "tokens_out": None})
    hedge = first.model_copy(update={"id": f"{event().id}.9", "hedge_of": first.id, "attempts": (lost,)})
    shown = plain(event_lines(event().model_copy(update={"tasks": (first, *rest, hedge)}), 120))
    assert "(hedge of " in shown
    assert "1,000+? tokens" in shown


def test_one_answer_is_not_called_consensus() -> None:
    """Kinds with a single seat."""
    single = event().model_copy(update={"decision": decision().model_copy(update={"seats": 1})})
    assert "ONE ANSWER" in plain(event_lines(single, 80))


def test_payload_is_bounded_and_need_not_be_json() -> None:
    """Rubbish is shown as it is, cleaned."""
    assert "more lines" in plain(payload_lines("[" + ",".join("1" for _ in range(900)) + "]"))
    assert_harmless(plain(payload_lines(HOSTILE)))


COLUMNS = (Column("LANE", 9), Column("STATE", 9))
ROWS = [Row(n, (Cell(n), Cell(s))) for n, s in (("claude", "ok"), ("grok", "SLOW"), ("act", "PAUSED"))]


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ("", "claude grok act"),
        ("GRO", "grok"),
        ("!claude", "grok act"),
        ("lane=a", "claude act"),
        ("a state=pau", "act"),
        ("http://x=1", ""),
        ("provider=gr*k", "grok"),
        ("!state=ok", "grok act"),
    ],
)
def test_filter(wanted: str, left: str) -> None:
    """Words anywhere, ``column=text``, inverted by ``!``."""
    assert [row.id for row in filter_rows(ROWS, COLUMNS, wanted)] == left.split()


def test_filter_names_the_columns_there_are() -> None:
    """A wrong one is no silent empty list."""
    with pytest.raises(ValueError, match="there is no size: ask for lane, state"):
        filter_rows(ROWS, COLUMNS, "size=3")


@given(st.lists(st.text("ab 購", max_size=40), max_size=4), st.integers(8, 60))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(parts: list[str], width: int) -> None:
    """Whatever the width."""
    whole = line(*parts)
    lines = wrap(whole, width)
    assert all(cell_len(part.plain) <= width for part in lines)
    assert "".join(part.plain for part in lines).replace(" ", "") == whole.plain.replace(" ", "")


def test_numbers_for_people() -> None:
    """Ages, durations, shares, money, bars."""
    assert [age(s) for s in (None, 0, 99, 191, 11_100, 200_000)] == ["-", "0s", "99s", "3m11", "3h05", "2d07"]
    assert [millis(v) for v in (None, 840.2, 2_400)] == ["-", "840ms", "2.4s"]
    assert [percent(v) for v in (None, 0.004, 0.61)] == ["-", "0.4%", "61%"]
    assert [money(v) for v in (None, 4.9381, 0.0365)] == ["unknown", "$4.94", "$0.0365"]
    assert sparkline((1, None, 2), 5) == "  ▁ █"
    assert sparkline((1, 2), 2, ascii_mode=True) == "_@"
    assert sparkline((), 3) == "   "


def test_views_need_no_textual() -> None:
    code = "import sys, gitbridge_console.console.views.event, gitbridge_console.console.views.fleet; sys.exit('textual' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_providers_limits_say_how_much_when_and_who_says_so() -> None:
    lines = limit_lines(fleet().providers["claude"])
    text = ["".join(part if isinstance(part, str) else part.text for part in found.parts) for found in lines]
    assert text[0].startswith("rate limit   50 requests a minute used up, next call at ")
    assert text[1] == "rate limits  80k output tokens a minute  (headers)"
    assert text[2] == "retry budget 8.4 of 10 tokens, 2 of 31 calls repeated in 1 min"


def test_the_fleet_tells_how_events_come_in_and_what_is_kept_back() -> None:
    receivers = (
        ReceiverStatus(id="door-1", host="a", beat_age_s=0.4, spool=SpoolStatus(max_bytes=2**30)),
        ReceiverStatus(
            id="door-2", host="b", beat_age_s=0.4, spool=SpoolStatus(records=12, bytes=3 * 2**20, max_bytes=2**30, oldest_age_s=40.0)
        ),
        ReceiverStatus(id="door-3", host="c", beat_age_s=9.0, spool=SpoolStatus(failure="No space left on device\x1b[2J")),
        ReceiverStatus(id="door-4", host="d", beat_age_s=0.4),
    )
    legacy = LegacyStatus(at=AT, waiting=12, processing=2, max_waiting=10_000)
    reconcile = ReconcileStatus(at=AT, missed=3, asked=2, given_up=1)
    snapshot = fleet().model_copy(update={"receivers": receivers, "legacy": legacy, "reconcile": reconcile})
    told = [row.plain.rstrip() for row in ways_in_lines(snapshot)]
    assert told[0] == "WAYS IN"
    assert "door-1 ok" in told[1]
    assert "spool empty" in told[1]
    assert "SPOOLED 12 (3 MiB of 1,024 MiB, the oldest 40s)" in told[2]
    assert "door-3 LATE" in told[3]
    assert "SPOOL FAILS: No space left on device" in told[3]
    assert "\x1b" not in told[3]
    assert "no spool" in told[4]
    assert "legacy list 12 of 10,000 wait, 2 under way" in told[5]
    assert "3 missed, 2 asked for again, 1 given up" in told[6]
    away = snapshot.model_copy(update={"legacy": LegacyStatus(at=AT, problem="WRONGTYPE")})
    assert "NOT READ: WRONGTYPE" in ways_in_lines(away)[5].plain
    assert ways_in_lines(fleet().model_copy(update={"receivers": (), "legacy": None, "reconcile": None})) == []
