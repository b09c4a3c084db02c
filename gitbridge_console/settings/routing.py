"""Settings of routing: the providers, and what rules calls to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gitbridge_console.settings.table import Fraction, KindName, PositiveSeconds, Table


class ProviderSettings(Table):
    """One AI service. The key itself is never here, only the name of where it is."""

    api: Literal["anthropic", "responses", "chat"]
    model: str = Field(min_length=1)
    base_url: str = Field(pattern=r"^https?://")
    api_key_env: str | None = None
    api_key_file: str | None = None
    enabled: bool = True
    batches: bool = False
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


RISKY_PATHS = (
    "**/auth/**", "**/authentication/**", "**/security/**", "**/crypto/**", "**/migrations/**", "**/payment*/**", "**/billing/**",
    ".github/workflows/**", ".gitlab-ci.yml", "**/Dockerfile", "**/*.tf", "**/permissions/**",
)  # fmt: skip
"""What a mistake in costs more than elsewhere."""


PromptVersion = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,19}$")]
PromptText = Annotated[str, Field(min_length=1, max_length=16_000)]
SHIPPED = "shipped"
"""The version of every prompt that comes with the program."""


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
    action: Literal["none", "comment", "review", "status", "check_run", "labels", "webhook"] = "none"
    approval: Literal["auto", "operator"] = "auto"
    max_cost_usd: float | None = Field(None, gt=0, le=1_000)
    verify: bool = False
    """Whether the other reviewers are asked about a grave finding that only one of them made."""
    arbiter: str = Field("", pattern=r"^([a-z][a-z0-9_-]*)?$")
    """The provider that is asked, twice, where verdicts differ; empty: nobody."""
    cascade: bool = False
    """Whether one provider more is asked where votes differ so that its vote could decide."""
    seats_light: int = Field(0, ge=0, le=8)
    seats_risky: int = Field(0, ge=0, le=8)
    """Seats for changes that are light (documentation, lock files, a few lines) or touch risky paths; 0: as many as ``seats``."""
    light_lines_max: int = Field(10, ge=0, le=10_000)
    risky_paths: tuple[str, ...] = RISKY_PATHS
    prompt: PromptVersion = SHIPPED
    """Which version of the question is asked."""
    prompts: dict[PromptVersion, PromptText] = Field(default_factory=dict, max_length=20)
    """Own versions of it, by name. What all questions begin with, which declares outside text data, is not among them."""

    @property
    def prompt_versions(self) -> tuple[str, ...]:
        """Every version there is."""
        return (SHIPPED, *self.prompts)

    @model_validator(mode="after")
    def _prompt_is_there(self) -> KindSettings:
        if SHIPPED in self.prompts:
            raise ValueError(f"prompts.{SHIPPED} is the name of the version that comes with the program: take another")
        if empty := [name for name, text in self.prompts.items() if not text.strip()]:
            raise ValueError(f"prompts.{empty[0]} has no text")
        if self.prompt not in self.prompt_versions:
            raise ValueError(f"prompt {self.prompt!r} is none of its versions: there are {', '.join(self.prompt_versions)}")
        return self

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


class BatchSettings(Table):
    """Questions of bulk events that go together, at half price, for providers with ``batches = true``."""

    max_wait_s: PositiveSeconds = 300.0
    max_requests: int = Field(500, ge=1, le=50_000)
    max_bytes: int = Field(32 * 1024**2, ge=10_000, le=180 * 1024**2)
    open_max: int = Field(4, ge=1, le=100)
    poll_s: PositiveSeconds = 60.0
    deadline_s: PositiveSeconds = 26 * 3600.0


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
        "code_review": KindSettings(
            seats=2,
            seats_risky=3,
            prefer=("claude", "grok"),
            reserve=("chatgpt",),
            quorum=2,
            strategy="policy",
            action="review",
            verify=True,
        ),
        "push_review": KindSettings(
            seats=2, prefer=("claude", "grok"), reserve=("chatgpt",), quorum=2, action="status", verify=True, cascade=True
        ),
        "documentation": KindSettings(seats=2, prefer=("chatgpt", "claude"), reserve=("grok",), quorum=2, action="comment", cascade=True),
        "issue_triage": KindSettings(seats=2, prefer=("grok", "chatgpt"), reserve=("claude",), quorum=2, action="labels", cascade=True),
        "general": KindSettings(seats=1, prefer=("grok",), reserve=("claude", "chatgpt"), quorum=1, action="none"),
    }
