"""What status says of a provider's limits when several engines tell."""

from __future__ import annotations

from typing import Any

from gitbridge_console.domain.snapshots import ProviderStatus, RateLimitStatus
from gitbridge_console.operations.status import build_snapshot
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.fleet import Beat
from gitbridge_console.store.metrics_window import MetricsWindow
from gitbridge_console.store.records import QueueStats
from gitbridge_console.store.server_watch import ServerState


def claude(*views: dict[str, Any]) -> ProviderStatus:
    """Status of claude as told by so many engines."""
    common = {"state": "ok", "in_flight": 1, "limit": 8, "limit_max": 16}
    beats = [Beat(f"e{n}", "h", "engine", "1", "s", {"claude": common | view}) for n, view in enumerate(views)]
    stats = QueueStats(now_ms=0, lanes={}, states={}, counters={}, pauses={}, bytes_by_state={})
    window, server = MetricsWindow(minutes=15), ServerState(1, None)
    return build_snapshot(Settings(), stats, window, beats, (), store_url="unix", server=server, quarantined=0).providers["claude"]


def test_limits_on_calls_at_once_add_up_and_those_of_the_fleet_do_not() -> None:
    requests = {"limit": 60, "remaining": 2, "opens_at": None, "source": "headers"}
    fewer = requests | {"remaining": 0, "opens_at": "2026-11-23T12:00:01.000Z"}
    output = {"limit": 8000, "remaining": 5, "opens_at": None, "source": "settings"}
    told = claude({"rate_limits": {"requests": requests}}, {"rate_limits": {"requests": fewer, "output_tokens": output}})
    assert (told.in_flight, told.limit, told.limit_max) == (2, 16, 32)
    assert told.rate_limits == {"requests": RateLimitStatus(**fewer), "output_tokens": RateLimitStatus(**output)}


def test_the_retry_budget_shown_is_the_emptiest_and_repetitions_are_summed() -> None:
    told = claude(
        {"retry_budget": {"tokens": 9.2, "repeats": 1, "calls": 10}}, {"retry_budget": {"tokens": 3.0, "repeats": 2, "calls": 20}}
    )
    assert told.retry_budget.model_dump() == {"tokens": 3.0, "repeats": 3, "calls": 30}


def test_an_engine_of_an_older_version_says_nothing_of_them() -> None:
    told = claude({})
    assert (told.rate_limits, told.retry_budget.tokens) == ({}, 10.0)
