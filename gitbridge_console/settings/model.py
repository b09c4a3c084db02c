"""The settings, typed and frozen. Units stand in the names; every bound an operator may want to move is here."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from gitbridge_console.settings.bulk import BulkSettings
from gitbridge_console.settings.hosts import GiteaSettings, GitLabSettings, OurselvesSettings, ReconcileSettings
from gitbridge_console.settings.ingress import IngressSettings
from gitbridge_console.settings.operators import AlertSettings, RoleSettings
from gitbridge_console.settings.routing import (
    BatchSettings,
    BreakerSettings,
    BudgetSettings,
    CacheSettings,
    HealthSettings,
    HedgingSettings,
    KindSettings,
    ProviderSettings,
    RetrySettings,
    SelectionSettings,
    default_kinds,
    default_providers,
)
from gitbridge_console.settings.table import Fraction, KindName, PositiveSeconds, PriorityWord, Table

Durability = Literal["everysec", "always", "waitaof"]
PROVIDER_NAME = r"^[a-z][a-z0-9_-]{0,31}$"
RESERVED_LANES = frozenset({"fetch", "route", "decide", "act"})


class RedisSettings(Table):
    """Where the store is. Without ``url`` the embedded server in the state folder is used."""

    url: str | None = None
    socket_timeout_s: PositiveSeconds = 4.0
    connect_timeout_s: PositiveSeconds = 5.0
    max_connections: int = Field(64, ge=4, le=4096)
    durability: Durability = "everysec"


class ActionSettings(Table):
    """What a decision may do outside, and how fast. ``dry_run`` stores and shows the exact request instead of sending it."""

    dry_run: bool = True
    request_changes: bool = False
    may_block: bool = False
    progress: Literal["none", "status", "check_run"] = "none"
    spacing_s: float = Field(1.0, ge=0, le=3600)
    writes_per_minute: int = Field(80, ge=1, le=10_000)
    writes_per_hour: int = Field(500, ge=1, le=50_000)
    retry_s: float = Field(5.0, gt=0, le=3600)
    retry_cap_s: float = Field(300.0, gt=0, le=3600)
    park_check_s: PositiveSeconds = 60.0
    expires_s: PositiveSeconds = 86_400.0
    webhook_url: str = Field("", pattern=r"^(https?://[^\s@]+)?$")
    webhook_secret_env: str = "GITBRIDGE_OUTGOING_SECRET"
    webhook_secret_file: str = ""
    webhook_timeout_s: PositiveSeconds = 10.0

    @field_validator("webhook_url")
    @classmethod
    def _https_unless_loopback(cls, url: str) -> str:
        if url.startswith("http://") and not re.match(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)", url):
            raise ValueError("the receiver must be at https:// unless it is on this host")
        return url


class QueueSettings(Table):
    """Bounds of the queue."""

    lease_s: PositiveSeconds = 30.0
    drain_s: PositiveSeconds = 20.0
    pause_hold_s: float = Field(0.0, ge=0)
    aging_ms: int = Field(0, ge=0)
    max_waiting: int = Field(10_000, ge=1)
    memory_soft_bytes: int = Field(1024**3, ge=0)
    memory_hard_bytes: int = Field(2 * 1024**3, ge=0)
    repository_max: int = Field(0, ge=0, le=10_000)
    partitions: int = Field(1, ge=1, le=256)
    payload_max_bytes: int = Field(25 * 1024 * 1024, ge=1024)
    expires_s: PositiveSeconds = 86_400.0
    park_check_s: PositiveSeconds = 15.0
    stage_concurrency: int = Field(16, ge=1, le=256)

    @model_validator(mode="after")
    def _soft_below_hard(self) -> QueueSettings:
        if self.memory_hard_bytes and self.memory_soft_bytes > self.memory_hard_bytes:
            raise ValueError(f"memory_soft_bytes {self.memory_soft_bytes} is more than memory_hard_bytes {self.memory_hard_bytes}")
        return self


class SheddingSettings(Table):
    """What gives way when there is more work than can be done in time, in this order: seats, then events."""

    enabled: bool = True
    least_priority: Literal["high", "normal", "low", "bulk"] = "low"
    smaller_panel_fill: Fraction = 0.7
    single_seat_fill: Fraction = 0.85
    max_wait_s: PositiveSeconds = 3600.0

    @model_validator(mode="after")
    def _in_order(self) -> SheddingSettings:
        if self.single_seat_fill < self.smaller_panel_fill:
            raise ValueError(f"single_seat_fill {self.single_seat_fill} is less than smaller_panel_fill {self.smaller_panel_fill}")
        return self


class RetentionSettings(Table):
    """How long finished things are kept. Failed and shed events beyond their bounds are exported to files before they go."""

    finished_s: PositiveSeconds = 7 * 86_400.0
    finished_max: int = Field(50_000, ge=100)
    finished_bytes: int = Field(512 * 1024**2, ge=0)
    dead_max: int = Field(20_000, ge=100)
    dead_s: float = Field(30 * 86_400.0, ge=0, le=3650 * 86_400.0)
    delivery_ids_s: PositiveSeconds = 4 * 86_400.0
    event_log_max: int = Field(10_000, ge=100)
    audit_max: int = Field(100_000, ge=1000)
    audit_s: float = Field(365 * 86_400.0, ge=0, le=3650 * 86_400.0)
    decision_log_max: int = Field(10_000, ge=10)
    decision_log_bytes: int = Field(64 * 1024**2, ge=1024**2)
    quarantine_max: int = Field(1_000, ge=10)
    metrics_s: PositiveSeconds = 26 * 3600.0


class LegacySettings(Table):
    """The Redis list older producers push to. ``url`` absent: the same server as the store."""

    enabled: bool = True
    url: str | None = None
    events_key: str = "gitbridge:events"
    processing_key: str = "gitbridge:processing"
    max_waiting: int = Field(10_000, ge=1)
    max_entry_bytes: int = Field(25 * 1024 * 1024, ge=1024)


class SourceSettings(Table):
    """Bounds on what a provider is shown of a change."""

    max_diff_bytes: int = Field(200_000, ge=1_000)
    max_files: int = Field(300, ge=1)
    max_file_bytes: int = Field(60_000, ge=500)
    mirrors: dict[str, str] = Field(default_factory=dict)
    """Folders of git repositories on this host by patterns of repository names; ``{owner}`` and ``{name}`` stand for its parts."""
    attempts_max: int = Field(3, ge=1, le=10)
    deadline_s: PositiveSeconds = 300.0
    backoff_s: float = Field(2.0, gt=0, le=300)
    git_timeout_s: PositiveSeconds = 20.0
    cache_s: PositiveSeconds = 7 * 86_400.0
    cache_max_bytes: int = Field(32 * 1024**2, ge=0)

    @field_validator("mirrors")
    @classmethod
    def _absolute(cls, mirrors: dict[str, str]) -> dict[str, str]:
        for pattern, place in mirrors.items():
            if not place.startswith(("/", "~/")):
                raise ValueError(f"the mirror of {pattern} must be an absolute path, not {place!r}")
        return mirrors


class GitHubSettings(OurselvesSettings):
    """GitHub, or a GitHub Enterprise server. The token, or the key of an App, is named, never written here; see ``docs actions``."""

    base_url: str = Field("https://api.github.com", pattern=r"^https?://[^\s@]+$")
    token_env: str = "GITBRIDGE_GITHUB_TOKEN"
    token_file: str = ""
    app_id: str = Field("", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    app_key_file: str = ""
    anonymous: bool = False
    timeout_connect_s: PositiveSeconds = 5.0
    timeout_s: PositiveSeconds = 15.0
    timeout_total_s: PositiveSeconds = 40.0

    @model_validator(mode="after")
    def _app_has_a_key(self) -> GitHubSettings:
        if bool(self.app_id) != bool(self.app_key_file):
            raise ValueError("an App needs both app_id and app_key_file")
        return self


class HostSettings(Table):
    """Code hosts."""

    github: GitHubSettings = GitHubSettings()
    gitlab: GitLabSettings = GitLabSettings()
    gitea: GiteaSettings = GiteaSettings()


class ConsoleSettings(Table):
    """The terminal application."""

    theme: str = "gitbridge-dark"
    refresh_s: float = Field(1.0, ge=0.2, le=60)
    mouse: bool = False
    ascii: bool = False
    bell: bool = False
    title: bool = False


class RuleMatch(Table):
    """Conditions of a routing rule; all that are given must hold. ``paths`` holds when *every* changed file matches one."""

    type: str | None = None
    action: tuple[str, ...] | None = None
    repository: str | None = None
    paths: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    author: str | None = None
    bot: bool | None = None
    draft: bool | None = None
    min_changed_lines: int | None = Field(None, ge=0)
    max_changed_lines: int | None = Field(None, ge=0)

    @field_validator("action", "paths", "labels", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


class Rule(Table):
    """First match wins: gives the kind (or ignores, with ``reason``) and, where given, the priority."""

    when: RuleMatch = RuleMatch()
    kind: KindName | None = None
    priority: PriorityWord | None = None
    ignore: bool = False
    reason: str = ""

    @model_validator(mode="after")
    def _does_something(self) -> Rule:
        if not self.ignore and self.kind is None:
            raise ValueError("a rule needs `kind` or `ignore = true`")
        return self


class Settings(Table):
    """Everything configurable. One frozen object; a reload swaps it whole."""

    namespace: str = Field("gitbridge", pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    state_dir: str | None = None
    read_only: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    redis: RedisSettings = RedisSettings()
    providers: dict[str, ProviderSettings] = Field(default_factory=default_providers)
    kinds: dict[KindName, KindSettings] = Field(default_factory=default_kinds)
    selection: SelectionSettings = SelectionSettings()
    retry: RetrySettings = RetrySettings()
    hedging: HedgingSettings = HedgingSettings()
    breaker: BreakerSettings = BreakerSettings()
    health: HealthSettings = HealthSettings()
    cache: CacheSettings = CacheSettings()
    batches: BatchSettings = BatchSettings()
    budgets: dict[str, BudgetSettings] = Field(default_factory=dict)
    actions: ActionSettings = ActionSettings()
    queue: QueueSettings = QueueSettings()
    shedding: SheddingSettings = SheddingSettings()
    retention: RetentionSettings = RetentionSettings()
    bulk: BulkSettings = BulkSettings()
    ingress: IngressSettings = IngressSettings()
    legacy: LegacySettings = LegacySettings()
    sources: SourceSettings = SourceSettings()
    hosts: HostSettings = HostSettings()
    reconcile: ReconcileSettings = ReconcileSettings()
    console: ConsoleSettings = ConsoleSettings()
    keymap: dict[str, str] = Field(default_factory=dict)
    alerts: AlertSettings = AlertSettings()
    roles: RoleSettings = RoleSettings()
    rules: tuple[Rule, ...] = ()

    @field_validator("keymap", mode="before")
    @classmethod
    def _keys_by_the_whole_name(cls, value: object) -> object:
        """``[keymap.lane] pause = "x"`` says the same as ``"lane.pause" = "x"``."""
        if not isinstance(value, dict):
            return value
        flat: dict[str, object] = {}
        for name, keys in value.items():
            flat |= {f"{name}.{last}": word for last, word in keys.items()} if isinstance(keys, dict) else {name: keys}
        return flat

    @model_validator(mode="after")
    def _names_hold_together(self) -> Settings:
        for name in self.providers:
            if not re.match(PROVIDER_NAME, name) or name in RESERVED_LANES:
                raise ValueError(
                    f"provider name {name!r} must be lower-case letters, digits, - or _ and none of {', '.join(sorted(RESERVED_LANES))}"
                )
        for name in self.budgets:
            if name not in self.providers:
                raise ValueError(f"budgets.{name} is for no provider: there are {', '.join(self.providers)}")
        for kind, policy in self.kinds.items():
            for name in (*policy.prefer, *policy.reserve):
                if name not in self.providers:
                    raise ValueError(
                        f"kinds.{kind} names provider {name!r}, which [providers] does not have (it has {', '.join(self.providers)})"
                    )
        return self
