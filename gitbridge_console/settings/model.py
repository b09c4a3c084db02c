"""The settings, typed and frozen. Units stand in the names; every bound an operator may want to move is here."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveSeconds = Annotated[float, Field(gt=0, le=7 * 86400)]
PriorityWord = Literal["critical", "high", "normal", "low", "bulk"]
KindName = Literal["code_review", "push_review", "documentation", "issue_triage", "general"]
Durability = Literal["everysec", "always", "waitaof"]
PROVIDER_NAME = r"^[a-z][a-z0-9_-]{0,31}$"
RESERVED_LANES = frozenset({"fetch", "route", "decide", "act"})


class Table(BaseModel):
    """Base of every table of the file: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RedisSettings(Table):
    """Where the store is. Without ``url`` the embedded server in the state folder is used."""

    url: str | None = None
    socket_timeout_s: PositiveSeconds = 4.0
    connect_timeout_s: PositiveSeconds = 5.0
    max_connections: int = Field(64, ge=4, le=4096)
    durability: Durability = "everysec"


class ProviderSettings(Table):
    """One AI service. The key itself is never here, only the name of where it is."""

    api: Literal["anthropic", "responses", "chat"]
    model: str = Field(min_length=1)
    base_url: str = Field(pattern=r"^https?://")
    api_key_env: str | None = None
    api_key_file: str | None = None
    enabled: bool = True
    vendor: str = ""
    """Who stands behind it; two providers of one vendor are not two votes. Default: the provider's own name."""
    timeout_connect_s: PositiveSeconds = 5.0
    timeout_first_token_s: PositiveSeconds = 15.0
    timeout_stall_s: PositiveSeconds = 10.0
    timeout_total_s: PositiveSeconds = 50.0
    max_concurrency: int = Field(16, ge=1, le=256)
    keepalive_s: PositiveSeconds = 60.0
    max_output_tokens: int = Field(8_192, ge=256, le=200_000)
    context_tokens: int = Field(180_000, ge=1_000)
    requests_per_minute: int = Field(0, ge=0)
    input_tokens_per_minute: int = Field(0, ge=0)
    output_tokens_per_minute: int = Field(0, ge=0)
    weight: float = Field(1.0, gt=0, le=100)
    price_input_usd_per_mtok: float | None = Field(None, ge=0)
    price_output_usd_per_mtok: float | None = Field(None, ge=0)
    price_cached_usd_per_mtok: float | None = Field(None, ge=0)


class KindSettings(Table):
    """How one kind of event is asked and decided."""

    seats: int = Field(2, ge=1, le=8)
    prefer: tuple[str, ...] = ()
    reserve: tuple[str, ...] = ()
    quorum: int = Field(2, ge=1, le=8)
    deadline_s: PositiveSeconds = 120.0
    grace_s: float = Field(15.0, ge=0, le=3600)
    strategy: str = Field(
        "majority",
        pattern=r"^(majority|policy|weighted|strictest|unanimous|confidence|cost_aware|latency_aware|hybrid|operator|single:[a-z][a-z0-9_-]*)$",
    )
    action: Literal["none", "comment", "review", "status", "labels"] = "none"
    approval: Literal["auto", "operator"] = "auto"
    max_cost_usd: float | None = Field(None, gt=0, le=1_000)

    @model_validator(mode="after")
    def _quorum_fits(self) -> KindSettings:
        if self.quorum > self.seats:
            raise ValueError(f"quorum {self.quorum} is more than the {self.seats} seats")
        return self


class SelectionSettings(Table):
    """How providers are compared when seats are given."""

    explore: float = Field(0.03, ge=0, le=0.5)
    cost_weight: float = Field(0.25, ge=0, le=4)


class RetrySettings(Table):
    """How often one task may call providers, and how long it waits in between (full jitter)."""

    attempts_max: int = Field(4, ge=1, le=20)
    attempts_per_provider_max: int = Field(2, ge=1, le=10)
    deliveries_max: int = Field(8, ge=2, le=100)
    """Claims of one job after which it is given up as a poison pill."""
    backoff_base_s: float = Field(0.5, gt=0, le=60)
    backoff_cap_s: float = Field(8.0, gt=0, le=600)
    lane_hold_s: float = Field(5.0, ge=0, le=86_400)


class HedgingSettings(Table):
    """When a second provider is asked because the first takes long. Off while ``kinds`` is empty."""

    kinds: tuple[KindName, ...] = ()
    samples_min: int = Field(50, ge=10, le=500)
    percentile: float = Field(95.0, ge=50, le=99.9)
    share_max: Fraction = 0.05


class BreakerSettings(Table):
    """Circuit breaker of each provider and model."""

    consecutive_failures: int = Field(5, ge=1, le=100)
    window_s: PositiveSeconds = 60.0
    calls_min: int = Field(10, ge=1, le=10_000)
    failure_rate: float = Field(0.5, gt=0, le=1)
    slow_rate: float = Field(0.8, gt=0, le=1)
    slow_factor: float = Field(3.0, ge=1, le=100)
    open_base_s: PositiveSeconds = 15.0
    open_cap_s: PositiveSeconds = 300.0
    successes_to_close: int = Field(2, ge=1, le=20)
    ramp_s: float = Field(30.0, ge=0, le=3600)


class HealthSettings(Table):
    """Looking at providers by asking for their list of models: at the start, on changes, and while they are idle."""

    enabled: bool = True
    idle_s: PositiveSeconds = 60.0
    timeout_s: PositiveSeconds = 10.0


class CacheSettings(Table):
    """Answers kept for the next time the very same question is to be asked."""

    enabled: bool = True
    ttl_s: PositiveSeconds = 6 * 3600.0
    max_bytes: int = Field(64 * 1024**2, ge=0)
    max_answer_bytes: int = Field(256 * 1024, ge=1024)


class BudgetSettings(Table):
    """What one provider's calls may take in a day (UTC); ``None``: no limit."""

    usd_per_day: float | None = Field(None, ge=0)
    tokens_per_day: int | None = Field(None, ge=0)
    warn_fraction: Fraction = 0.8


class ActionSettings(Table):
    """What a decision may do outside. ``dry_run`` stores and shows the exact request instead of sending it."""

    dry_run: bool = True


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
    quarantine_max: int = Field(1_000, ge=10)
    metrics_s: PositiveSeconds = 26 * 3600.0


class IngressSettings(Table):
    """The HTTP door. Secrets are named, never written here."""

    secret_env: tuple[str, ...] = ("GITBRIDGE_WEBHOOK_SECRET",)
    secret_files: tuple[str, ...] = ()
    allow_unsigned_loopback: bool = False
    max_body_bytes: int = Field(25 * 1024 * 1024, ge=1024)
    body_timeout_s: PositiveSeconds = 20.0
    max_connections: int = Field(256, ge=1)


class LegacySettings(Table):
    """The Redis list older producers push to. ``url`` absent: the same server as the store."""

    enabled: bool = True
    url: str | None = None
    events_key: str = "gitbridge:events"
    processing_key: str = "gitbridge:processing"
    max_entry_bytes: int = Field(25 * 1024 * 1024, ge=1024)


class SourceSettings(Table):
    """Bounds on what a provider is shown of a change."""

    max_diff_bytes: int = Field(200_000, ge=1_000)
    max_files: int = Field(300, ge=1)
    max_file_bytes: int = Field(60_000, ge=500)


class ConsoleSettings(Table):
    """The terminal application."""

    theme: str = "gitbridge-dark"
    refresh_s: float = Field(1.0, ge=0.2, le=60)
    mouse: bool = False
    ascii: bool = False


class AlertSettings(Table):
    """Thresholds of the alerts row."""

    queue_fill: Fraction = 0.8
    oldest_age_s: PositiveSeconds = 300.0
    error_rate: Fraction = 0.25


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


def default_providers() -> dict[str, ProviderSettings]:
    """The three services of the plan."""
    return {
        "claude": ProviderSettings(
            api="anthropic", model="claude-sonnet-5-5", base_url="https://api.anthropic.com", api_key_env="ANTHROPIC_API_KEY"
        ),
        "grok": ProviderSettings(api="responses", model="grok-4.7", base_url="https://api.x.ai/v1", api_key_env="XAI_API_KEY"),
        "chatgpt": ProviderSettings(
            api="responses", model="gpt-6.1-sol", base_url="https://api.openai.com/v1", api_key_env="OPENAI_API_KEY"
        ),
    }


def default_kinds() -> dict[KindName, KindSettings]:
    """The plan's routes: reviews by Claude and Grok, documentation by ChatGPT and Claude, the rest by Grok."""
    return {
        "code_review": KindSettings(seats=2, prefer=("claude", "grok"), reserve=("chatgpt",), quorum=2, strategy="policy", action="review"),
        "push_review": KindSettings(seats=2, prefer=("claude", "grok"), reserve=("chatgpt",), quorum=2, action="status"),
        "documentation": KindSettings(seats=2, prefer=("chatgpt", "claude"), reserve=("grok",), quorum=2, action="comment"),
        "issue_triage": KindSettings(seats=2, prefer=("grok", "chatgpt"), reserve=("claude",), quorum=2, action="labels"),
        "general": KindSettings(seats=1, prefer=("grok",), reserve=("claude", "chatgpt"), quorum=1, action="none"),
    }


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
    budgets: dict[str, BudgetSettings] = Field(default_factory=dict)
    actions: ActionSettings = ActionSettings()
    queue: QueueSettings = QueueSettings()
    shedding: SheddingSettings = SheddingSettings()
    retention: RetentionSettings = RetentionSettings()
    ingress: IngressSettings = IngressSettings()
    legacy: LegacySettings = LegacySettings()
    sources: SourceSettings = SourceSettings()
    console: ConsoleSettings = ConsoleSettings()
    alerts: AlertSettings = AlertSettings()
    rules: tuple[Rule, ...] = ()

    @model_validator(mode="after")
    def _names_hold_together(self) -> Settings:
        import re

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
