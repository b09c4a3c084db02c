"""Many events from the screen: all that match are marked, the plan is read and confirmed, and the bar is followed."""

from __future__ import annotations

import pytest
from driving import Driver, driving
from sample import jobs

from gitbridge_console.console.screens.bulk import BulkScreen
from gitbridge_console.domain.bulk import BulkKind, Deed, Selection
from gitbridge_console.domain.events import Priority

pytestmark = pytest.mark.anyio

WIDE = (120, 40)


async def with_many(d: Driver, key: str = "4") -> None:
    """Three hundred rows that match a filter, all of them marked."""
    d.fleet.door.failures = [row.model_copy(update={"id": f"{n:08x}"}) for n in range(300) for row in d.fleet.door.failures[:1]]
    d.fleet.door.jobs = [row.model_copy(update={"id": f"{n:08x}.1", "lane": "grok"}) for n in range(300) for row in jobs()[:1]]
    await d.press(key, "slash")
    await d.type("provider=grok" if key == "2" else "repo=*")
    await d.press("asterisk")


async def test_all_that_match_are_planned_by_their_filter_and_confirmed_by_their_number() -> None:
    async with driving(size=WIDE) as d:
        await with_many(d)
        await d.press("R")
        deed, chosen = d.fleet.door.planned or (None, None)
        assert deed == Deed(BulkKind.REPLAY)
        assert chosen == Selection("repo=*", states=("failed", "parked", "shed"))
        assert isinstance(d.screen, BulkScreen)
        text = d.shown()
        assert "replay: 10,000 of 12,000 looked at" in text
        assert "20,000 calls to providers, cost $12.50" in text
        assert "left out 7: it is resolved" in text
        assert "3 have a newer head" in text
        assert "replay 10,000, $12.50, 3m20? type 10000 to do it" in d.bottom
        await d.type("9999")
        assert d.writes == []
        assert "not done" in d.bottom
        await d.press("b", "A")
        assert "type 40" in d.bottom, "what was planned stays in the list and can be applied from there"
        await d.type("40")
        await d.type("grok is back")
        assert d.writes == [("apply_bulk", "op9", "grok is back")]


async def test_marks_set_one_by_one_mean_these_rows() -> None:
    async with driving() as d:
        await with_many(d)
        await d.press("space", "R")
        _, chosen = d.fleet.door.planned or (None, None)
        assert chosen is not None
        assert len(chosen.ids) == 299
        assert "type 299 to do it" in d.bottom


async def test_a_priority_for_many_and_tasks_moved_to_another_provider() -> None:
    async with driving() as d:
        await with_many(d, "2")
        await d.press("minus")
        assert "by its name" in d.bottom
        await d.press("equals_sign")
        await d.type("low")
        assert d.fleet.door.planned == (Deed(BulkKind.PRIORITIZE, to="low"), Selection("provider=grok", lane="*"))
    async with driving() as d:
        await with_many(d, "2")
        await d.press("M")
        await d.type("")
        deed, chosen = d.fleet.door.planned or (None, None)
        assert deed is not None
        assert (deed.kind, deed.lane, chosen) == (BulkKind.FAILOVER, "grok", Selection("provider=grok"))


async def test_what_was_moved_away_is_planned_to_come_back() -> None:
    for keys in (("3", "T"), ("3", "enter", "T")):
        async with driving() as d:
            await d.press(*keys)
            deed, chosen = d.fleet.door.planned or (None, None)
            assert (deed, chosen) == (Deed(BulkKind.FAILBACK, lane="claude"), Selection())
    async with driving() as d:
        await d.press("colon")
        await d.type("failover grok back it is well")
        assert d.fleet.door.planned == (Deed(BulkKind.FAILBACK, lane="grok"), Selection())


async def test_a_flush_wants_the_name_of_the_lane() -> None:
    async with driving() as d:
        await d.press("2", "X")
        assert "Type grok to cancel all that waits there" in d.bottom
        await d.type("claude")
        assert d.writes == []
        await d.press("escape", "escape", "X")
        await d.type("grok")
        await d.type("made by a loop")
        assert d.writes == [("apply_bulk", "op9", "made by a loop")]


async def test_bars_are_shown_and_steered() -> None:
    async with driving(size=WIDE) as d:
        await d.press("b")
        text = d.shown()
        assert "op8" in text
        assert "42%" in text
        assert "198/s" in text
        assert "\x1b" not in text
        await d.press("P")
        assert d.writes == [("pause_bulk", "op9")]
        await d.press("j", "enter")
        assert "0000001a00  it was replayed since" in d.shown()
        await d.press("C", "y")
        await d.press("tab", "j", "P")
        assert d.writes[1:] == [("cancel_bulk", "op8"), ("resume_bulk", "op7")]
        await d.press("A")
        assert "only what is planned can be applied" in d.bottom


async def test_by_a_command_with_a_filter_or_the_marks() -> None:
    async with driving() as d:
        await d.press("4", "colon")
        await d.type("replay state=failed repo=acme/* the fix is out")
        assert d.fleet.door.planned == (Deed(BulkKind.REPLAY), Selection("state=failed repo=acme/*"))
        await d.type("10000")
        assert d.writes == [("apply_bulk", "op9", "the fix is out")], "the reason was given already"
    async with driving(read_only=True) as d:
        await d.press("4", "colon")
        await d.type("flush grok")
        assert "read-only" in d.bottom
        assert d.fleet.door.planned is None


async def test_a_saved_filter_is_put_in_and_one_is_saved_by_name() -> None:
    async with driving() as d:
        await d.press("4", "slash")
        await d.type("@night")
        assert d.screen.filter == "state=failed error=silent"  # type: ignore[attr-defined]
        await d.press("colon")
        await d.type("filters save late")
        assert d.writes == [("save_filter", "late", "state=failed error=silent")]
        await d.press("colon")
        await d.type("filters keep it")
        assert "save NAME" in d.bottom


async def test_a_look_that_takes_long_says_how_far_it_is_and_can_be_stopped() -> None:
    async with driving() as d:
        await with_many(d)
        look = None

        async def slow(deed: Deed, chosen: Selection, *, progress: object = None, **options: object) -> object:
            nonlocal look
            look = d.screen.planning
            assert look is not None
            look.progress(2_000, 200_000)
            d.screen.draw_crumb()
            assert "looked at 2,000 of 200,000  esc stops" in d.bottom
            d.screen.stop_planning()
            look.progress(4_000, 200_000)
            raise AssertionError("it was stopped")

        d.fleet.door.plan_bulk = slow  # type: ignore[method-assign, assignment]
        await d.press("R")
        assert "stopped: replay was not planned" in d.bottom
        assert not isinstance(d.screen, BulkScreen)


async def test_an_event_is_handed_in_again_with_another_panel_and_priority() -> None:
    async with driving() as d:
        await d.press("5", "enter", "W")
        await d.press("ctrl+u")
        await d.type("grok,chatgpt")
        await d.press("ctrl+u")
        await d.type("critical")
        await d.type("a second opinion")
        assert d.writes == [("replay_edited", "00000412", None, "a second opinion", ["grok", "chatgpt"], Priority.CRITICAL)]
        await d.press("W")
        await d.press("enter")
        await d.press("enter")
        assert "nothing is changed" in d.bottom


async def test_an_event_is_handed_in_again_with_another_version_of_its_prompt() -> None:
    async with driving() as d:
        d.fleet.door.prompts = ("shipped", "strict")
        await d.press("5", "enter", "W")
        await d.press("enter")
        await d.press("enter")
        assert "with the prompt:" in d.bottom
        await d.press("ctrl+u")
        await d.type("strict")
        await d.type("the shipped one is too mild")
        assert d.writes == [("replay_edited", "00000412", None, "the shipped one is too mild", [], None, "strict")]
