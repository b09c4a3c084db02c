"""Made-up traffic: repeatable, believable, hostile now and then, and fed in at its rate."""

from __future__ import annotations

import asyncio
import collections
import datetime as dt
import json
import logging
import re
import time
import uuid

import pytest

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.simulator.cast import BOTS, HOSTILE_TITLES, PEOPLE, REPOS
from gitbridge_console.simulator.feed import feed
from gitbridge_console.simulator.traffic import TrafficGenerator

COUNT = 1_500


@pytest.fixture(scope="module")
def events() -> list[IncomingEvent]:
    """A long stretch of traffic."""
    traffic = TrafficGenerator(7)
    return [traffic.next()[0] for _ in range(COUNT)]


def test_same_seed_same_bytes() -> None:
    """Events, gaps and times repeat; another seed or start differs."""
    start = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    first, again, other = (TrafficGenerator(seed, start=start) for seed in (7, 7, 8))
    ours = [first.next() for _ in range(200)]
    assert ours == [again.next() for _ in range(200)]
    assert ours != [other.next() for _ in range(200)]
    later = TrafficGenerator(7)
    assert later.next()[0].payload != ours[0][0].payload
    with pytest.raises(ValueError, match="rate_per_s"):
        TrafficGenerator(1, rate_per_s=0)


def test_gaps_are_exponential_around_the_rate() -> None:
    """On average as many events a second as asked for."""
    traffic = TrafficGenerator(1, rate_per_s=4.0)
    gaps = [traffic.next()[1] for _ in range(3_000)]
    assert 0.22 < sum(gaps) / len(gaps) < 0.28
    assert min(gaps) >= 0


def test_the_mix_is_that_of_a_busy_host(events: list[IncomingEvent]) -> None:
    """Every type turns up, and 55 to 68 of 100 deliveries are worth a review."""
    kinds = collections.Counter((event.type, json.loads(event.payload).get("action")) for event in events)
    types = {kind for kind, _ in kinds}
    assert types == {"pull_request", "push", "issues", "issue_comment", "release", "workflow_run", "check_run", "ping", "star"}
    reviewable = [("pull_request", "opened"), ("pull_request", "synchronize"), ("push", None), ("issues", "opened")]
    assert 0.55 < sum(kinds[kind] for kind in reviewable) / COUNT < 0.68
    assert kinds[("pull_request", "closed")] > 20
    assert kinds[("issues", "labeled")] > 10


def test_payloads_look_like_github(events: list[IncomingEvent]) -> None:
    """What a reader relies on is there and fits together."""
    repos = {repo.full_name: repo.id for repo in REPOS}
    senders = set()
    for event in events:
        payload = json.loads(event.payload)
        uuid.UUID(event.delivery)
        assert repos[payload["repository"]["full_name"]] == payload["repository"]["id"]
        senders.add(payload["sender"]["login"])
        assert event.source == "demo"
        if event.type == "pull_request":
            pull = payload["pull_request"]
            assert re.fullmatch(r"[0-9a-f]{40}", pull["head"]["sha"])
            assert pull["number"] == payload["number"]
            assert dt.datetime.fromisoformat(pull["updated_at"]) >= dt.datetime.fromisoformat(pull["created_at"])
            assert event.diff is not None
            assert pull["changed_files"] == event.diff.count("diff --git ")
            assert pull["additions"] == len(re.findall(r"^\+(?!\+\+ )", event.diff, re.MULTILINE))
        if event.type == "push":
            assert payload["after"] == payload["head_commit"]["id"]
    assert senders == {*PEOPLE, *BOTS}
    assert len({event.delivery for event in events}) == COUNT


def test_hunk_headers_count_their_lines(events: list[IncomingEvent]) -> None:
    """Each hunk has as many old and new lines as its header says."""
    for diff in filter(None, (event.diff for event in events[:400])):
        for hunk in re.split(r"^diff --git .*\n", diff, flags=re.MULTILINE)[1:]:
            head, *lines = hunk[hunk.index("@@") :].rstrip("\n").split("\n")
            numbers = re.match(r"@@ -\d+,(\d+) \+\d+,(\d+) @@", head)
            assert numbers
            assert int(numbers[1]) == sum(line[:1] in " -" for line in lines)
            assert int(numbers[2]) == sum(line[:1] in " +" for line in lines)


def test_a_pull_request_keeps_its_story_straight(events: list[IncomingEvent]) -> None:
    """A synchronize starts from the head last seen; nothing happens to a pull request after it was closed."""
    heads: dict[str, str] = {}
    closed: set[str] = set()
    for event in events:
        payload = json.loads(event.payload)
        if event.type != "pull_request":
            continue
        url, head = payload["pull_request"]["html_url"], payload["pull_request"]["head"]["sha"]
        assert url not in closed
        assert (payload["action"] == "opened") == (url not in heads)
        if payload["action"] == "synchronize":
            assert payload["before"] == heads[url] != head
        heads[url] = head
        if payload["action"] == "closed":
            closed.add(url)


def test_some_titles_mean_harm(events: list[IncomingEvent]) -> None:
    """Hostile text and bots, docs-only changes and more than one script of letters are in the mix."""
    titles = {json.loads(event.payload).get("pull_request", {}).get("title") for event in events}
    assert len(titles & set(HOSTILE_TITLES)) >= 5
    docs_only = [
        event
        for event in events
        if event.diff and set(re.findall(r"^\+\+\+ b/(\S+)", event.diff, re.MULTILINE)) <= {"README.md", "CHANGELOG.md"}
    ]
    assert docs_only


@pytest.mark.anyio
async def test_feed_keeps_the_rate_and_ends_in_time() -> None:
    """About rate times duration events arrive, in the order of the generator, and the call ends when it should."""
    got: list[IncomingEvent] = []

    async def submit(event: IncomingEvent) -> None:
        got.append(event)

    began = time.monotonic()
    accepted = await feed(submit, 200.0, 3, 0.5, asyncio.Event(), start=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert 0.45 < time.monotonic() - began < 2.0
    assert accepted == len(got)
    assert 50 < accepted < 160
    twin = TrafficGenerator(3, start=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), rate_per_s=200.0)
    assert got == [twin.next()[0] for _ in got]


@pytest.mark.anyio
async def test_feed_survives_refusals_and_stops(caplog: pytest.LogCaptureFixture) -> None:
    """Refused events are counted and logged once, not once each; ``stop`` ends the feed."""
    stop = asyncio.Event()
    seen = 0

    async def submit(event: IncomingEvent) -> None:
        nonlocal seen
        seen += 1
        if seen == 40:
            stop.set()
        if seen % 2:
            raise RuntimeError("queue is full")

    with caplog.at_level(logging.WARNING):
        accepted = await feed(submit, 2_000.0, 3, None, stop)
    assert accepted == 20
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[1].startswith("19 made-up event(s) not accepted; the last: RuntimeError: queue is full")
