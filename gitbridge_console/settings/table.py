"""What every table of the settings is made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]


PositiveSeconds = Annotated[float, Field(gt=0, le=7 * 86400)]


PriorityWord = Literal["critical", "high", "normal", "low", "bulk"]


KindName = Literal["code_review", "push_review", "documentation", "issue_triage", "general"]


class Table(BaseModel):
    """Base of every table of the file: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
