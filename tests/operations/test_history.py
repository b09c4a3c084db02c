"""What operators can ask of the past."""

from __future__ import annotations

import pytest

from gitbridge_console.operations.errors import NotFound, Usage
from gitbridge_console.operations.operations import Operations

pytestmark = pytest.mark.anyio


async def test_history_is_bounded_to_a_day(door: Operations) -> None:
    assert (await door.history(900)).span_s == 900
    for span_s in (0, 100_000):
        with pytest.raises(Usage, match="history goes from a minute to 24 hours back"):
            await door.history(span_s)


async def test_a_provider_without_a_past_has_an_empty_story_and_a_stranger_none(door: Operations) -> None:
    story = await door.provider_story("grok")
    assert (story.attempts, story.turns, story.choices) == ((), (), ())
    with pytest.raises(NotFound, match="no provider grk, did you mean grok"):
        await door.provider_story("grk")


async def test_an_operators_word_to_a_breaker_is_part_of_its_story(door: Operations) -> None:
    await door.breaker("grok", "open", "bill in dispute")
    (turn,) = (await door.provider_story("grok")).turns
    assert (turn.what, turn.why) == ("held open", "bill in dispute")
