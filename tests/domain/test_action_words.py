"""What was done, or would be, in one line."""

from __future__ import annotations

from typing import Any

import pytest

from gitbridge_console.domain.action_words import how_far


@pytest.mark.parametrize(
    ("action", "told"),
    [
        ({"dry_run": True, "requests": []}, "dry run: this is what would be sent"),
        ({"dry_run": True, "reason": "this kind has no action"}, "this kind has no action"),
        ({"dry_run": False, "draft": True}, "approving it posts exactly this"),
        ({"dry_run": True, "draft": True}, "approving it keeps exactly this"),
        ({"dry_run": False, "writes": [{"state": "done", "note": "review 7 posted", "url": "https://x"}]}, "review 7 posted https://x"),
        ({"dry_run": False, "writes": [{"state": "intended"}]}, "intended"),
        ({"dry_run": False, "writes": ["damaged"]}, "sent"),
        ({}, "sent"),
    ],
)
def test_how_far_an_action_has_come(action: dict[str, Any], told: str) -> None:
    assert how_far(action) == told
