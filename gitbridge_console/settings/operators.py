"""Settings about operators: who may do what, and what they are told."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from gitbridge_console.settings.table import Fraction, PositiveSeconds, Table

RECEIVERS_MAX = 10


class AlertWebhookSettings(Table):
    """One receiver of alerts over HTTP. Secrets, and URLs that are secrets, are named, never written here."""

    url: str = Field("", pattern=r"^(https?://[^\s@]+)?$")
    url_env: str = ""
    format: Literal["plain", "slack", "pagerduty"] = "plain"
    secret_env: str = ""
    routing_key_env: str = ""
    timeout_s: PositiveSeconds = 5.0

    @model_validator(mode="after")
    def _one_place(self) -> AlertWebhookSettings:
        if bool(self.url) == bool(self.url_env):
            raise ValueError("name its address once, by url or by url_env")
        if self.url and (problem := unsafe_url(self.url)):
            raise ValueError(problem)
        if self.format == "pagerduty" and not self.routing_key_env:
            raise ValueError("PagerDuty needs routing_key_env, the variable that holds the integration's key")
        return self


def unsafe_url(url: str) -> str:
    """Why nothing is sent to an address; empty where it is https, or this host itself."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "the address cannot be read"
    if parts.scheme == "https" and host:
        return ""
    if parts.scheme == "http" and host in ("localhost", "127.0.0.1", "::1"):
        return ""
    return "an address must be https, or http on this host itself"


class AlertSettings(Table):
    """Thresholds of the alerts row, and who is told of it outside the terminal."""

    queue_fill: Fraction = 0.8
    oldest_age_s: PositiveSeconds = 300.0
    error_rate: Fraction = 0.25
    clear_share: Fraction = 0.9
    open_after_s: float = Field(10.0, ge=0, le=86_400)
    close_after_s: float = Field(60.0, ge=0, le=86_400)
    interval_s: float = Field(300.0, ge=0, le=7 * 86_400)
    repeat_s: float = Field(0.0, ge=0, le=7 * 86_400)
    least_level: Literal["warning", "critical"] = "warning"
    command: tuple[str, ...] = ()
    command_timeout_s: PositiveSeconds = 10.0
    tries_max: int = Field(8, ge=1, le=50)
    retry_base_s: float = Field(5.0, gt=0, le=3600)
    retry_cap_s: float = Field(300.0, gt=0, le=86_400)
    check_every_s: float = Field(5.0, ge=0.2, le=300)
    webhooks: dict[str, AlertWebhookSettings] = Field(default_factory=dict)

    @field_validator("webhooks")
    @classmethod
    def _few(cls, webhooks: dict[str, AlertWebhookSettings]) -> dict[str, AlertWebhookSettings]:
        if len(webhooks) > RECEIVERS_MAX:
            raise ValueError(f"{len(webhooks)} receivers, at most {RECEIVERS_MAX}")
        return webhooks

    @property
    def relaxed(self) -> AlertSettings:
        """The thresholds under which a condition that is there is over: further off, so that it does not come and go at the edge."""
        return self.model_copy(
            update={
                "queue_fill": self.queue_fill * self.clear_share,
                "oldest_age_s": self.oldest_age_s * self.clear_share,
                "error_rate": self.error_rate * self.clear_share,
            }
        )


class RoleSettings(Table):
    """Who may do what, by names of accounts and, with ``%`` in front, of system groups. A name counts before a group."""

    admin: tuple[str, ...] = ()
    operator: tuple[str, ...] = ()
    viewer: tuple[str, ...] = ()
    default: Literal["viewer", "operator", "admin"] | None = None

    @property
    def given(self) -> bool:
        """Whether anybody has a role of their own."""
        return bool(self.admin or self.operator or self.viewer or self.default)

    @field_validator("admin", "operator", "viewer")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name.removeprefix("%").strip() or any(char.isspace() for char in name):
                raise ValueError(f"{name!r} is no name: write an account as ana, a group as %ops")
        return names
