"""Dead letters in groups: what went wrong most stands on top, and enter goes to the events of it."""

from __future__ import annotations

import pytest
from driving import driving

from gitbridge_console.console.screens.groups import GroupsScreen
from gitbridge_console.console.screens.work import FailuresScreen
from gitbridge_console.console.views.groups import group_filter
from gitbridge_console.domain.dead_letters import DeadGroup
from gitbridge_console.domain.filters import EventFilter

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (DeadGroup("silent", "grok", "code_review", 3, "1", ""), "error=silent kind=code_review provider=grok"),
        (DeadGroup("silent", "claude, grok", "code_review", 3, "1", ""), "error=silent kind=code_review"),
        (DeadGroup("shed", "-", "-", 3, "1", ""), "state=shed"),
        (DeadGroup("failed", "-", "general", 3, "1", ""), "state=failed kind=general"),
    ],
)
def test_a_group_is_found_again_by_a_filter(group: DeadGroup, words: str) -> None:
    assert group_filter(group) == words


async def test_the_largest_group_stands_on_top_and_opens_as_a_filtered_list() -> None:
    async with driving(size=(120, 40)) as d:
        await d.press("4", "d")
        assert isinstance(d.screen, GroupsScreen)
        text = d.shown()
        assert "39 in 3 groups" in text
        assert text.index("silent") < text.index("shed") < text.index("overloaded")
        assert "\x1b" not in text
        await d.press("enter")
        assert isinstance(d.screen, FailuresScreen)
        assert d.screen.filter == "error=silent kind=code_review provider=grok"
        assert EventFilter.parse(d.screen.filter).error == "silent"


async def test_counting_is_not_repeated_with_every_picture() -> None:
    async with driving(size=(120, 40)) as d:
        await d.press("4", "d")
        d.app.paint()
        d.app.paint()
        assert d.fleet.door.asked.count("groups") == 1
