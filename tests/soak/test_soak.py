"""Storm after storm, for long: memory stays flat, no task is left behind, and every sum agrees with every other.

The short form runs with the other tests. The long one is behind the marker: ``GITBRIDGE_SOAK_EVENTS=100000 pytest -m soak tests/soak``.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.settings.model import RedisSettings, RetentionSettings, Settings
from gitbridge_console.settings.routing import BreakerSettings, CacheSettings, RetrySettings
from gitbridge_console.simulator.profiles import FaultRates, Latency, Profiles, ServiceProfile, Storm
from gitbridge_console.simulator.server import demo_settings, serve_services
from gitbridge_console.simulator.service import SimulatedService

pytestmark = pytest.mark.anyio

SOAK_EVENTS = int(os.environ.get("GITBRIDGE_SOAK_EVENTS", "100000"))  # read at import: no test sees the environment
TOGETHER = 40
PATIENCE_S = 120.0
EVERYDAY = FaultRates(server_error=0.03, rate_limited=0.02, overloaded=0.02, cut=0.02, invalid_json=0.02, retry_after_s=0.1)
STORMS = (
    Storm(1.0, 2.0, 7.0, faults=FaultRates(server_error=0.8)),
    Storm(3.0, 4.0, 7.0, faults=FaultRates(rate_limited=0.7, retry_after_s=0.3)),
    Storm(5.0, 6.0, 7.0, faults=FaultRates(cut=0.4, overloaded_midstream=0.3)),
)
MODELS = {"claude": ("anthropic", "claude-sonnet-5-5"), "grok": ("xai", "grok-4.7"), "chatgpt": ("openai", "gpt-6.1-sol")}


def stormy() -> Profiles:
    """Three services that answer at once, each with its storms at another time."""
    return {
        name: ServiceProfile(vendor, (model,), Latency(0.0), EVERYDAY, STORMS[turn:] + STORMS[:turn])  # type: ignore[arg-type]
        for turn, (name, (vendor, model)) in enumerate(MODELS.items())
    }


def hasty(settings: Settings, valkey_url: str) -> Settings:
    """Every wait short, every seat waited for, and little kept of what is over."""
    kinds = {name: kind.model_copy(update={"grace_s": PATIENCE_S, "deadline_s": PATIENCE_S}) for name, kind in settings.kinds.items()}
    update = {
        "kinds": kinds,
        "redis": RedisSettings(url=valkey_url),
        "retry": RetrySettings(backoff_base_s=0.01, backoff_cap_s=0.05),
        "breaker": BreakerSettings(open_base_s=0.1, open_cap_s=0.5, ramp_s=0.5),
        "cache": CacheSettings(enabled=False),
        "retention": RetentionSettings(finished_max=2_000, dead_max=2_000),
    }
    return settings.model_copy(update=update)


@dataclass
class Tally:
    """What the store's records say, added up as events end."""

    states: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    """Attempts without a response, which a service may never have got: a kept connection that a storm had closed."""
    tokens: Counter[str] = field(default_factory=Counter)
    cost_micro: Counter[str] = field(default_factory=Counter)

    def add(self, event: EventDetail) -> None:
        self.states[event.state] += 1
        for attempt in (attempt for task in event.tasks for attempt in task.attempts):
            self.attempts[attempt.provider] += 1
            self.unanswered[attempt.provider] += attempt.http_status is None
            self.tokens[attempt.provider] += (attempt.tokens_in or 0) + (attempt.tokens_out or 0)
            self.cost_micro[attempt.provider] += round((attempt.cost_usd or 0.0) * 1_000_000)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def one_event(session: Session, number: int, tally: Tally) -> None:
    body = {
        "action": "opened",
        "issue": {"number": number, "title": f"Totals are off, case {number}", "body": "By a cent.", "user": {"login": "kim"}},
        "repository": {"id": 1, "full_name": "acme/shop"},
        "sender": {"login": "kim", "type": "User"},
    }
    submitted = await session.operations.submit(IncomingEvent(f"soak-{number}", "issues", json.dumps(body).encode(), "test"))
    tally.add(await session.operations.wait_finished(submitted.id, PATIENCE_S))


async def soak(events: int, valkey_url: str, namespace: str, folder: Path, requests: Counter[str]) -> tuple[Tally, list[int]]:
    """Run them all; the tally, and the resident memory at the 20 % and the 100 % mark."""
    tally, marks, numbers = Tally(), list[int](), iter(range(events))

    async def worker(session: Session) -> None:
        for number in numbers:
            await one_event(session, number, tally)
            if sum(tally.states.values()) == events // 5:
                marks.append(resident_bytes())

    async with serve_services(11, stormy()) as urls:
        settings = hasty(demo_settings(Settings(namespace=namespace), urls, folder), valkey_url)
        async with open_session(settings, role="engine", engine=True) as session:
            assert session.engine is not None
            await session.engine.ready.wait()
            await asyncio.gather(*(worker(session) for _ in range(TOGETHER)))
            marks.append(resident_bytes())
            assert all(state.in_flight == 0 and not state.begun for state in session.engine.router.states.values())
            await session.store.metrics.flush()
            window = await session.store.metrics.read(minutes=24 * 60)
    assert sum(tally.states.values()) == events
    assert set(tally.states) <= {"resolved", "failed", "awaiting_approval"}
    assert tally.states["resolved"] + tally.states["awaiting_approval"] > 0.5 * events
    assert tally.attempts == {name: provider.calls_15m for name, provider in window.providers.items()}
    for name, attempts in tally.attempts.items():
        assert attempts - tally.unanswered[name] <= requests[name] <= attempts
    assert sum(tally.unanswered.values()) <= 0.01 * sum(tally.attempts.values())
    assert tally.tokens == {name: provider.tokens_in + provider.tokens_out for name, provider in window.providers.items()}
    assert tally.cost_micro == {name: round((provider.cost_usd or 0.0) * 1_000_000) for name, provider in window.providers.items()}
    return tally, marks


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The simulator's log: how many requests each service got."""
    seen: Counter[str] = Counter()
    plan = SimulatedService.plan

    def counted(service: SimulatedService, ask: Any) -> Any:
        seen[service.name] += 1
        return plan(service, ask)

    monkeypatch.setattr(SimulatedService, "plan", counted)
    return seen


async def _checked(events: int, valkey_url: str, namespace: str, tmp_path: Path, requests: Counter[str]) -> list[int]:
    before = asyncio.all_tasks()
    tally, marks = await soak(events, valkey_url, namespace, tmp_path, requests)
    assert sum(tally.attempts.values()) > 2 * events
    assert {task.get_name() for task in asyncio.all_tasks() - before} == set()
    return marks


async def test_through_storms_all_sums_agree_and_no_task_is_left(
    valkey_url: str, namespace: str, tmp_path: Path, requests: Counter[str]
) -> None:
    await _checked(100, valkey_url, namespace, tmp_path, requests)


@pytest.mark.soak
async def test_through_storms_for_long_memory_stays_flat(valkey_url: str, namespace: str, tmp_path: Path, requests: Counter[str]) -> None:
    early, late = await _checked(SOAK_EVENTS, valkey_url, namespace, tmp_path, requests)
    assert late <= 1.1 * early, f"{early >> 20} MiB at 20 %, {late >> 20} MiB at the end"
