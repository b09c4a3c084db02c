"""``demo``: everything at once on a throw-away store: simulated AI services and code host, made-up events, the real engine in between."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitbridge_console.domain.decisions import AnswerStatus
from gitbridge_console.domain.events import STAGE_LANES, EventState, IncomingEvent
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.operations.ending import Ending
from gitbridge_console.operations.operations import Operations
from gitbridge_console.operations.thread import EngineThread
from gitbridge_console.router.intake import SubmitResult
from gitbridge_console.settings.model import Settings
from gitbridge_console.simulator.code_host import CodeHost
from gitbridge_console.simulator.code_host_app import know_head
from gitbridge_console.simulator.demo_folder import demo_folder
from gitbridge_console.simulator.feed import feed
from gitbridge_console.simulator.profile_file import load_profiles
from gitbridge_console.simulator.server import DEMO_KEY, DEMO_LOGIN, ServicesThread, demo_settings

logger = logging.getLogger(__name__)

SETTLED_AFTER_S = 5.0
"""Age from which an event of the demo should be finished; the report says how many are."""

REPORT_MAX = 5_000
FINISHED = ("resolved", "ignored", "superseded")


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What ``demo`` was asked for. ``duration_s`` ``None``: until the operator quits."""

    rate_per_s: float = 4.0
    seed: int = 7
    faults: str = "calm"
    duration_s: float | None = None


@contextmanager
def running_demo(settings: Settings, options: DemoOptions, ending: Ending) -> Iterator[EngineThread]:
    """The demo's fleet, with events coming in until the block ends. Nothing of it is left behind afterwards.

    Raises:
        OperationError: the store cannot be started.
        ServicesError: the simulated services cannot.
    """
    gone = threading.Event()
    ending.closed_when(gone.is_set)
    try:
        with demo_folder() as folder:
            yield from _running(settings, options, ending, folder)
    finally:
        gone.set()


def _running(settings: Settings, options: DemoOptions, ending: Ending, folder: Path) -> Iterator[EngineThread]:
    host = CodeHost(tokens={DEMO_KEY: DEMO_LOGIN})
    services = ServicesThread(options.seed, load_profiles(options.faults), host)
    stop = threading.Event()
    try:
        urls = services.start()
        own = demo_settings(settings, urls, folder, host.origin)
        fleet = EngineThread(own, role="demo")
        fleet.end_with(ending)
        ending.tell(stop.set)
        try:
            fleet.start()
            feeder = threading.Thread(target=_feed, args=(fleet, host, options, stop), name="made-up events", daemon=True)
            feeder.start()
            try:
                yield fleet
            finally:
                stop.set()
                feeder.join(5.0)
        finally:
            ending.ask()
            fleet.stop()
    finally:
        services.stop()


def _feed(fleet: EngineThread, host: CodeHost, options: DemoOptions, stop: threading.Event) -> None:
    def submit(event: IncomingEvent) -> Awaitable[SubmitResult]:
        know_head(host, event)
        return asyncio.wrap_future(fleet.call(lambda door: door.take_in(event)))

    async def run() -> None:
        ended = asyncio.Event()
        watcher = asyncio.create_task(_set_when(stop, ended))
        try:
            await feed(
                submit,
                options.rate_per_s,
                options.seed,
                options.duration_s,
                ended,
            )
        finally:
            watcher.cancel()

    asyncio.run(run())


async def _set_when(source: threading.Event, target: asyncio.Event) -> None:
    """Carry a thread's event over to a loop."""
    while not source.is_set():  # noqa: ASYNC110 - the source is no asyncio event
        await asyncio.sleep(0.1)
    target.set()


def run_headless(
    settings: Settings, options: DemoOptions, ending: Ending, *, as_json: bool, write: Callable[[str], Any] = sys.stdout.write
) -> int:
    """Run the demo without a screen for ``duration_s`` (default 20 s), print a report, return the exit code.

    Where the end is asked for before, there is no report.
    """
    duration_s = options.duration_s or 20.0
    with running_demo(settings, options, ending) as fleet:
        if ending.wait(duration_s):
            return ending.code
        report = fleet.call(lambda door: make_report(door, options, duration_s)).result(30.0)
    write(json.dumps(report, indent=2) + "\n" if as_json else as_text(report))
    return 0 if report["sum_exact"] else 1


async def make_report(door: Operations, options: DemoOptions, duration_s: float) -> dict[str, Any]:
    """Count what came of the events, from the store alone."""
    events = await door.list_events(EventFilter(), REPORT_MAX)
    states = Counter(event.state for event in events)
    lanes = Counter(event.lane for event in events if event.lane in STAGE_LANES)
    old = [event for event in events if event.age_s > SETTLED_AFTER_S]
    settled = Counter(event.state for event in old)
    finished = sum(settled[state] for state in FINISHED)
    answers: Counter[int] = Counter()
    asked = 0
    for row in await door.list_decisions(REPORT_MAX):
        if row.kind.endswith("_review") and row.needs_operator:
            asked += 1
        elif row.kind.endswith("_review"):
            decision = await door.show_decision(row.event_id)
            answers[sum(answer.status in (AnswerStatus.OK, AnswerStatus.ABSTAIN) for answer in decision.answers)] += 1
    snapshot = await door.status()
    at_rest = sum(count for state, count in states.items() if state in FINISHED or state in _RESTING)
    return {
        "seed": options.seed,
        "duration_s": duration_s,
        "rate_per_s": options.rate_per_s,
        "faults": options.faults,
        "received": len(events),
        "events": {state.value: states[state] for state in EventState},
        "older_than_5s": {
            "events": len(old),
            "finished": finished,
            "share": round(finished / len(old), 4) if old else 1.0,
            **{state: settled[state] for state in FINISHED},
            "rest": {state: count for state, count in settled.items() if state not in FINISHED},
        },
        "in_lanes": {lane: lanes[lane] for lane in STAGE_LANES},
        "sum_exact": at_rest + sum(lanes.values()) == len(events),
        "reviews_decided": {
            "total": sum(answers.values()),
            "from_answers": {str(n): answers[n] for n in sorted(answers)},
            "left_to_operator": asked,
        },
        "providers": {
            name: {
                "state": status.state,
                "calls": status.calls,
                "latency_ms": status.latency_ms.model_dump(),
                "errors": status.errors.model_dump(),
                "cost_usd": status.cost_usd,
            }
            for name, status in snapshot.providers.items()
        },
    }


_RESTING = ("awaiting_approval", "failed", "shed", "cancelled")


def as_text(report: dict[str, Any]) -> str:
    """The report for people."""
    old = report["older_than_5s"]
    lines = [
        f"received {report['received']} events in {report['duration_s']:.0f} s (seed {report['seed']}, faults {report['faults']})",
        "states    " + ", ".join(f"{name} {count}" for name, count in report["events"].items() if count),
        f"settled   {old['finished']} of {old['events']} older than 5 s ({100 * old['share']:.1f} %)",
        "in lanes  " + (", ".join(f"{lane} {count}" for lane, count in report["in_lanes"].items() if count) or "none"),
        "reviews   " + (", ".join(f"{count} from {n} answers" for n, count in report["reviews_decided"]["from_answers"].items()) or "none"),
    ]
    for name, provider in report["providers"].items():
        latency = provider["latency_ms"]
        p50, p95 = (f"{latency[key]:.0f} ms" if latency[key] is not None else "-" for key in ("p50", "p95"))
        lines.append(f"{name:<9} {provider['state']}, {provider['calls']['15m']} calls, p50 {p50}, p95 {p95}")
    return "\n".join(lines) + "\n"
