"""Settings of bulk operations."""

from __future__ import annotations

from pydantic import Field

from gitbridge_console.settings.table import Table


class BulkSettings(Table):
    """Bounds of bulk operations."""

    rate_per_s: float = Field(50.0, gt=0, le=500)
    rate_max_per_s: float = Field(500.0, gt=0, le=500)
    events_max: int = Field(250_000, ge=1, le=1_000_000)
    plan_keep_s: float = Field(900.0, ge=10, le=86_400)
