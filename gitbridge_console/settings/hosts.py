"""Settings of the code hosts beside GitHub's own, and of what all of them share."""

from __future__ import annotations

from pydantic import Field, field_validator

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
