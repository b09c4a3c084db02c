"""What a run of the chaos test does, how often, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gitbridge_console.settings.model import LegacySettings, QueueSettings, RedisSettings, Settings
from gitbridge_console.settings.routing import BreakerSettings, ProviderSettings, RetrySettings
from gitbridge_console.simulator.profiles import Latency, Profiles, ServiceProfile

STAGE_SLOTS, PROVIDER_SLOTS = 4, 2
"""Few, so that lanes are seldom empty when a stub comes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Times in seconds; the faults go on until every event is acknowledged and each kind of fault happened ``*_min`` times."""

    events: int = 400
    seed: int = 7
    engines: int = 4
    open_max: int = 60
    """Undecided events at which submitting waits: there is always work to be killed in, and never so much that the end takes long."""
    lease_s: float = 2.0
    duplicates_share: float = 0.1
    kill_every_s: float = 2.0
    kills_min: int = 4
    stub_every_s: float = 0.5
    stubs_min: int = 10
    freeze_every_s: float = 3.0
    freeze_for_s: float = 4.0
    freezes_min: int = 2
    late_writes_min: int = 10
    server_kills: int = 2
    server_down_s: float = 1.0
    chaos_limit_s: float = 300.0
    settle_limit_s: float = 120.0


SHORT = Plan()
LONG = replace(
    SHORT,
    events=5000,
    kill_every_s=5.0,
    kills_min=20,
    stubs_min=100,
    freeze_every_s=6.0,
    freezes_min=10,
    late_writes_min=200,
    server_down_s=2.0,
    chaos_limit_s=1800.0,
    settle_limit_s=600.0,
)


def services() -> Profiles:
    """Three simulated services that answer fast and without faults.

    All speak the same API, so that an engine has one SDK to import and a killed one is replaced in a second.
    """
    quick = Latency(median_s=0.3, sigma=0.5, cap_s=1.5)
    return {
        "claude": ServiceProfile("openai", latency=quick),
        "grok": ServiceProfile("xai", latency=quick),
        "chatgpt": ServiceProfile("openai", latency=quick),
    }


def settings_for(plan: Plan, redis_url: str, urls: dict[str, str], folder: Path) -> Settings:
    """Settings of the whole fleet.

    A job may be claimed as often as the settings allow, so that no amount of killing makes a poison pill of it; circuits
    close soon, since a call cut short by a freeze says nothing about a service.
    """
    key = folder / "key"
    key.write_text("chaos", "utf-8")
    return Settings(
        namespace="chaos",
        state_dir=str(folder / "state"),
        redis=RedisSettings(url=redis_url, socket_timeout_s=4.0, connect_timeout_s=2.0),
        providers={
            name: ProviderSettings(
                api="responses",
                model="simulated-1",
                base_url=url,
                api_key_file=str(key),
                timeout_connect_s=5.0,
                timeout_first_token_s=15.0,
                timeout_total_s=30.0,
                max_concurrency=PROVIDER_SLOTS,
            )
            for name, url in urls.items()
        },
        retry=RetrySettings(deliveries_max=100, attempts_max=20, attempts_per_provider_max=10, backoff_base_s=0.05, backoff_cap_s=0.5),
        breaker=BreakerSettings(consecutive_failures=20, open_base_s=1.0, open_cap_s=2.0),
        queue=QueueSettings(lease_s=plan.lease_s, drain_s=2.0, park_check_s=1.0, max_waiting=1_000_000, stage_concurrency=STAGE_SLOTS),
        legacy=LegacySettings(enabled=False),
    )
