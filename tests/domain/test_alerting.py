"""When a condition becomes a message: told once it has lasted, ended once it is quiet, and never twice within an interval."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.alert_bodies import body_of
from gitbridge_console.domain.alerting import (
    CONDITIONS_MAX,
    OUTBOX_MAX,
    SILENCE_MAX_S,
    AlertBook,
    Message,
    Rules,
    Silence,
    delivered,
    failed,
    silenced,
    step,
    without,
)
from gitbridge_console.domain.snapshots import Alert

RULES = Rules(open_after_s=10, close_after_s=60, interval_s=300, repeat_s=0, least_level="warning")


def alert(code: str = "provider_open", about: str = "grok", level: str = "critical", text: str = "grok open") -> Alert:
    return Alert(level=level, code=code, text=text, since="2026-11-22T21:00:00Z", about=about)


def test_a_clock_that_was_ahead_keeps_nobody_waiting_once_it_is_set_right() -> None:
    night = Night()
    night.now_s = 1_000_000
    for _ in range(4):
        night.look([alert()])
    assert [kind for _, kind in night.said] == ["open"]
    night.now_s = 1_000
    night.look([alert()])
    for _ in range(100):
        night.look([])
    assert [kind for _, kind in night.said] == ["open", "close"]


def test_a_message_that_waits_by_a_clock_that_was_ahead_is_due_at_once() -> None:
    ahead = {"at_ms": 1_000_000, "since_ms": 990_000, "due_ms": {"ops": 1_005_000}}
    book = AlertBook(outbox=(Message.model_validate({"id": "m", "key": "k", "kind": "open", "level": "critical", "text": "t"} | ahead),))
    (message,) = step(book, [], [], 5_000, RULES, targets=("ops",), silences={}, acked=()).outbox
    assert message.due_ms == {"ops": 5_000}


def test_a_silence_from_a_clock_that_was_ahead_is_over() -> None:
    key, now_ms = alert().key, 1_000_000
    longest = {key: Silence(until_ms=now_ms + round(SILENCE_MAX_S * 1000), by="ana")}
    assert silenced(key, longest, now_ms) is not None
    assert silenced(key, longest, now_ms - 5_000) is not None, "a clock may be set back a little"
    assert silenced(key, longest, now_ms - 3 * 86_400_000) is None


class Night:
    """A book that goes through time, a look every five seconds; ``said`` holds (second, kind) of every message."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.book = AlertBook()
        self.now_s = 1_000
        self.said: list[tuple[int, str]] = []
        self.silences: dict[str, Silence] = {}
        self.acked: list[str] = []

    def look(self, strict: Iterable[Alert], relaxed: Iterable[Alert] = (), *, step_s: int = 5) -> None:
        before = {message.id for message in self.book.outbox}
        self.book = step(
            self.book,
            strict,
            relaxed,
            self.now_s * 1000,
            self.rules,
            targets=("ops",),
            silences=self.silences,
            acked=self.acked,
        )
        for message in self.book.outbox:
            if message.id not in before:
                self.said.append((self.now_s - 1_000, message.kind))
                self.book = delivered(self.book, message.id, "ops", self.now_s * 1000)
        self.now_s += step_s

    def go_on(self, for_s: int, *there: Alert) -> None:
        for _ in range(for_s // 5):
            self.look(there)


def test_a_condition_is_told_once_it_has_lasted_and_ended_once_it_is_gone_for_good() -> None:
    night = Night()
    night.go_on(400, alert())
    night.go_on(100)
    assert night.said == [(10, "open"), (460, "close")]
    night.go_on(400)
    assert night.book.conditions == (), "and then it is forgotten"


def test_what_does_not_last_is_told_to_nobody() -> None:
    night = Night()
    for _ in range(20):
        night.look([alert()])
        night.look([])
    assert night.said == []


def test_a_flapping_provider_is_opened_once_and_closed_once() -> None:
    night = Night()
    for _ in range(40):
        night.go_on(30, alert())
        night.go_on(30)
    assert night.said == [(10, "open")]
    night.go_on(120)
    assert [kind for _, kind in night.said] == ["open", "close"]


def test_within_an_interval_a_condition_is_told_once_whatever_it_does() -> None:
    night = Night()
    night.go_on(15, alert())
    night.go_on(100)
    assert night.said == [(10, "open")], "it is over, but its interval is not"
    night.go_on(400)
    assert night.said == [(10, "open"), (310, "close")]


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.booleans()), max_size=60))
def test_no_two_messages_of_a_condition_are_nearer_than_an_interval_and_they_take_turns(spells: list[tuple[int, bool, bool]]) -> None:
    night = Night()
    for looks, there, grave in spells:
        night.go_on(5 * looks, *([alert(level="critical" if grave else "warning")] if there else []))
    times = [at for at, _ in night.said]
    assert all(later - earlier >= 300 for earlier, later in itertools.pairwise(times))
    turns = [kind for _, kind in night.said if kind in ("open", "close")]
    assert turns == ["open", "close"] * (len(turns) // 2) + ["open"] * (len(turns) % 2)


def test_at_the_edge_of_a_threshold_a_condition_holds_until_it_is_well_below() -> None:
    night = Night()
    night.go_on(400, alert())
    for _ in range(60):
        night.look([], [alert()])
    assert night.said == [(10, "open")], "below the threshold, but not by enough"
    night = Night()
    night.look([], [alert()])
    assert night.book.conditions == (), "and it does not begin there"


def test_what_gets_worse_is_told_again_and_what_gets_better_is_not() -> None:
    night = Night()
    night.go_on(400, alert(level="warning"))
    night.go_on(400, alert(level="critical"))
    night.go_on(400, alert(level="warning"))
    assert [kind for _, kind in night.said] == ["open", "worse"]


def test_a_silenced_condition_is_not_opened_and_one_that_was_open_is_closed_all_the_same() -> None:
    night = Night()
    night.silences = {"provider_open": Silence(until_ms=(night.now_s + 600) * 1000, by="ana")}
    night.go_on(500, alert())
    assert night.said == []
    night.go_on(200, alert())
    assert night.said == [(600, "open")], "it is still there when the silence ends"
    night.silences = {"provider_open:grok": Silence(until_ms=(night.now_s + 9000) * 1000, by="ana")}
    night.go_on(600)
    assert [kind for _, kind in night.said] == ["open", "close"]


def test_a_condition_nobody_has_seen_is_told_again_where_that_is_wanted() -> None:
    night = Night(RULES.model_copy(update={"repeat_s": 600.0}))
    night.go_on(1300, alert())
    assert night.said == [(10, "open"), (610, "reminder"), (1210, "reminder")]
    night.acked = ["provider_open:grok"]
    night.go_on(2000, alert())
    assert len(night.said) == 3


def test_what_somebody_has_seen_is_not_opened_and_its_end_is_told_to_those_who_heard_of_it() -> None:
    night = Night()
    night.acked = ["provider_open:grok"]
    night.go_on(400, alert())
    assert night.said == []
    night = Night()
    night.go_on(20, alert())
    night.acked = ["provider_open:grok"]
    night.go_on(400)
    assert [kind for _, kind in night.said] == ["open", "close"]


def test_where_nobody_is_to_be_told_conditions_are_followed_and_told_once_somebody_is() -> None:
    def later(book: AlertBook, now_s: int, *targets: str) -> AlertBook:
        return step(book, [alert()], [], now_s * 1000, RULES, targets=targets, silences={}, acked=())

    book = later(later(AlertBook(), 0), 400)
    assert ([condition.key for condition in book.conditions], book.outbox) == (["provider_open:grok"], ())
    told = later(book, 405, "ops")
    assert [message.kind for message in told.outbox] == ["open"]
    alone = step(told, [], [], 900_000, RULES, targets=(), silences={}, acked=())
    assert alone.conditions == (), "nobody waits for its end"


def test_warnings_are_left_to_the_screen_where_only_what_is_critical_is_to_be_told() -> None:
    night = Night(RULES.model_copy(update={"least_level": "critical"}))
    night.go_on(400, alert(level="warning"))
    assert night.said == []


def waiting(night: Night) -> AlertBook:
    """A book with one message that nobody has taken yet."""
    return step(
        AlertBook(), [alert()], [], 0, RULES.model_copy(update={"open_after_s": 0.0}), targets=("ops", "pager"), silences={}, acked=()
    )


def test_a_receiver_that_is_down_is_tried_again_ever_later_and_then_given_up() -> None:
    book, now, waits = waiting(Night()), 0, []
    for _ in range(4):
        (message,) = book.outbox
        book = failed(book, message.id, "ops", "it answered 503", now, tries_max=5, base_s=5, cap_s=15)
        waits.append((book.outbox[0].due_ms["ops"] - now) / 1000)
        now = book.outbox[0].due_ms["ops"]
    assert waits == [5, 10, 15, 15]
    book = failed(book, message.id, "ops", "it answered 503", now, tries_max=5, base_s=5, cap_s=15)
    assert (book.targets["ops"].given_up, book.targets["ops"].last_error) == (1, "it answered 503")
    assert set(book.outbox[0].due_ms) == {"pager"}, "the other one still waits"
    book = delivered(book, message.id, "pager", now)
    assert (book.outbox, book.targets["pager"].delivered) == ((), 1)
    assert delivered(book, message.id, "pager", now).outbox == ()


def test_a_receiver_that_was_taken_out_of_the_settings_is_waited_for_no_more() -> None:
    assert set(without(waiting(Night()), ["ops"]).outbox[0].due_ms) == {"ops"}
    assert without(waiting(Night()), []).outbox == ()


def test_everything_is_bounded_and_what_is_given_up_is_counted() -> None:
    many = [alert("old_work", f"lane{n}") for n in range(CONDITIONS_MAX + 50)]
    rules = RULES.model_copy(update={"open_after_s": 0.0})
    book = step(AlertBook(), many, [], 0, rules, targets=("ops",), silences={}, acked=())
    assert len(book.conditions) == CONDITIONS_MAX
    assert len(book.outbox) == OUTBOX_MAX
    assert book.targets["ops"].given_up == CONDITIONS_MAX - OUTBOX_MAX


def message(kind: str = "open", text: str = "grok <!channel> & co open") -> Message:
    return Message.model_validate(
        {"id": "gb-1", "key": "provider_open:grok", "kind": kind, "level": "critical", "text": text, "at_ms": 1_000, "since_ms": 0}
    )


def test_bodies_are_what_receivers_know() -> None:
    assert alert().key == "provider_open:grok"
    plain = json.loads(body_of(message(), "prod", "plain"))
    assert (plain["condition"], plain["kind"], plain["since"]) == ("provider_open:grok", "open", "1970-01-01T00:00:00.000Z")
    slack = json.loads(body_of(message(), "prod", "slack"))
    assert slack == {"text": "prod critical opened (provider_open:grok): grok &lt;!channel&gt; &amp; co open"}
    opened = json.loads(body_of(message(), "prod", "pagerduty", "key"))
    closed = json.loads(body_of(message("close", "x" * 5000), "prod", "pagerduty", "key"))
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"] == "gitbridge:prod:provider_open:grok"
    assert (opened["routing_key"], opened["payload"]["severity"], opened["payload"]["component"]) == ("key", "critical", "grok")
    assert len(closed["payload"]["summary"]) == 1024
