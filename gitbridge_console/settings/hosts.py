"""Settings of the code hosts beside GitHub's own, and of what all of them share."""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from gitbridge_console.settings.table import PositiveSeconds, Table


class OurselvesSettings(Table):
    """Who we are on a code host, so that what we publish is not answered when it comes back."""

    own_logins: tuple[str, ...] = ()
    own_apps: tuple[str, ...] = ()
    answered_bots: tuple[str, ...] = ()

    @field_validator("own_logins", "own_apps", "answered_bots", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        listed = (value,) if isinstance(value, (str, int)) else value
        return tuple(str(one) for one in listed) if isinstance(listed, (list, tuple)) else listed


class ReadingSettings(OurselvesSettings):
    """A host that is only read: diffs of changes that came without one. The token is named, never written here."""

    base_url: str
    token_env: str
    token_file: str = ""
    anonymous: bool = False
    timeout_connect_s: PositiveSeconds = 5.0
    timeout_s: PositiveSeconds = 15.0


class GitLabSettings(ReadingSettings):
    """GitLab, its own or one of yours."""

    base_url: str = Field("https://gitlab.com/api/v4", pattern=r"^https?://[^\s@]+$")
    token_env: str = "GITBRIDGE_GITLAB_TOKEN"


class GiteaSettings(ReadingSettings):
    """Gitea or Forgejo. Nobody's server is the obvious one: without ``base_url`` none is asked."""

    base_url: str = Field("", pattern=r"^(https?://[^\s@]+)?$")
    token_env: str = "GITBRIDGE_GITEA_TOKEN"


class ReconcileSettings(Table):
    """Asking GitHub which deliveries never arrived. Nothing is asked while no repository, organisation or App is named."""

    repositories: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    app: bool = False
    hook_url: str = ""
    every_s: float = Field(0.0, ge=0, le=7 * 86_400.0)
    apply: bool = False
    max_age_s: float = Field(3 * 86_400.0, gt=0, le=7 * 86_400.0)
    settle_s: float = Field(60.0, ge=0, le=86_400.0)
    pages_max: int = Field(30, ge=1, le=1_000)
    redeliveries_max: int = Field(100, ge=1, le=10_000)
    attempts_max: int = Field(3, ge=1, le=100)
    spacing_s: float = Field(1.0, ge=0, le=30.0)

    @field_validator("repositories", "organizations", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("repositories")
    @classmethod
    def _full_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}/[A-Za-z0-9_.-]{1,100}", name):
                raise ValueError(f"{name!r} is no repository: write OWNER/NAME")
        return names

    @field_validator("organizations")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}", name):
                raise ValueError(f"{name!r} is no organisation's name")
        return names

    @model_validator(mode="after")
    def _which_hook(self) -> ReconcileSettings:
        if (self.repositories or self.organizations) and not self.hook_url:
            raise ValueError("hook_url must say which of their webhooks is this program's, as in https://ci.example/webhook")
        return self

    @property
    def configured(self) -> bool:
        """Whether there is anything to ask about."""
        return bool(self.repositories or self.organizations or self.app)
