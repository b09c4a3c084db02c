"""The FILTER language."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.domain.event_views import EventSummary
from gitbridge_console.domain.filters import EventFilter, duration_s, moment_ms
from gitbridge_console.domain.timestamps import iso_from_ms, ms_from_iso

NOW = 1_795_341_600_000


def summary(**more: Any) -> EventSummary:
    own = {
        "id": "0000000100",
        "delivery": "d",
        "type": "pull_request",
        "repository": "acme/shop",
        "subject": "acme/shop#7",
        "title": "Round tax",
        "kind": "code_review",
        "priority": "normal",
        "state": "failed",
        "received_at": iso_from_ms(NOW - 60_000),
        "age_s": 60.0,
        "error_class": "silent",
    }
    return EventSummary.model_validate(own | more)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "state=failed",
        "kind=code_review repo=ACME/*",
        "error=timeout",
        "provider=grok",
        "subject=shop#7 since=2m",
        "until=10s",
        "round tax",
        'text="round tax"',
        "!state=resolved",
        "since=2026-11-22",
    ],
)
def test_what_matches(line: str) -> None:
    assert EventFilter.parse(line, now_ms=NOW).matches(summary(), ("claude", "grok"))


@pytest.mark.parametrize(
    "line", ["state=resolved", "repo=other/*", "error=quota", "provider=chatgpt", "since=30s", "until=2m", "cart", "!state=failed"]
)
def test_what_does_not(line: str) -> None:
    assert not EventFilter.parse(line, now_ms=NOW).matches(summary(), ("claude", "grok"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stat=failed", "unknown filter key 'stat', did you mean 'state'"),
        ("state=faild", "unknown state 'faild', did you mean 'failed'"),
        ("error=tiemout", "did you mean 'timeout'"),
        ("since=yesterday", "is no time"),
        ('text="open', "no closing quotation"),
        ("inverted=1", "unknown filter key 'inverted'"),
        ("now_ms=1", "unknown filter key"),
        ("cls=1", "unknown filter key"),
        ("since=" + "9" * 400, "is no time"),
        ("state=failed state=shed", "state is given twice"),
        ("repo=a/b repository=a/c", "repository is given twice"),
        ("until=1h age=2h", "until is given twice"),
        ("text=tax cart", "text= is given, and words without = too: cart"),
    ],
)
def test_mistakes_are_named_with_the_nearest_word(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        EventFilter.parse(line)


def test_durations_and_moments() -> None:
    assert [duration_s(word) for word in ("90", "15m", "2h", "1.5d")] == [90, 900, 7200, 129_600]
    assert moment_ms("1h", NOW) == NOW - 3_600_000
    assert moment_ms("2026-11-22T10:00:00+02:00", NOW) == ms_from_iso("2026-11-22T08:00:00Z")
    with pytest.raises(ValueError, match="no duration"):
        duration_s("soon")
    with pytest.raises(ValueError, match="offset"):
        ms_from_iso("2026-11-22T10:00:00")


@given(
    line=st.lists(
        st.sampled_from(
            [
                "state=failed",
                "state=resolved",
                "kind=code_review",
                "kind=general",
                "error=timeout",
                "error=quota",
                "since=30s",
                "since=2m",
                "until=10s",
                "until=2m",
                "id=0100",
                "id=0200",
                "repo=acme/*",
                "round",
            ]
        ),
        max_size=4,
        unique_by=lambda part: part.partition("=")[0],
    ),
    inverted=st.booleans(),
)
def test_what_a_header_rules_out_does_not_match(line: list[str], inverted: bool) -> None:
    wanted, event = EventFilter.parse("!" * inverted + " ".join(line), now_ms=NOW), summary()
    header = {"state": event.state, "kind": event.kind, "error": event.error_class, "received_ms": NOW - 60_000}
    if wanted.rules_out(event.id, **header):  # type: ignore[arg-type]
        assert not wanted.matches(event, ("claude", "grok"))
    elif not inverted and not {"repo=acme/*", "round"} & set(line):
        assert wanted.matches(event, ("claude", "grok")), "nothing else was asked for, so the header alone decides"
