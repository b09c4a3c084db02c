"""The operator's own keys: laid over the table, or left out with a word about why."""

from __future__ import annotations

import pytest
from driving import make_app, settle
from fakes import FakeFleet

from gitbridge_console.console.actions import ACTIONS
from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.console.keymap import lay_over
from gitbridge_console.settings.model import Settings


def keys_of(name: str, keymap: dict[str, str]) -> str:
    actions, _ = lay_over(ACTIONS, keymap)
    return next(action.keys for action in actions if action.id == name)


def test_an_action_gets_the_keys_that_are_named() -> None:
    assert keys_of("lane.pause", {"lane.pause": "ctrl+x"}) == "ctrl+x"
    assert keys_of("row.down", {"row.down": "j, down ,ctrl+n"}) == "j,down,ctrl+n"
    assert keys_of("view.freeze", {"view.freeze": "#"}) == "number_sign"
    assert lay_over(ACTIONS, {}) == (ACTIONS, [])


@pytest.mark.parametrize(
    ("keymap", "told"),
    [
        ({"lane.paus": "x"}, "keymap: there is no action lane.paus, did you mean lane.pause?"),
        ({"lane.pause": "f"}, "keymap.lane.pause: f is view.freeze already on the same screen"),
        ({"lane.pause": "hyper+x"}, "keymap.lane.pause: there is no key hyper+x"),
        ({"lane.pause": "alt+x"}, "keymap.lane.pause: alt+x does not come through every terminal: use no alt"),
        ({"lane.pause": "ctrl+i"}, "keymap.lane.pause: ctrl+i never arrives here, terminals take it (tab)"),
        ({"lane.pause": " "}, "keymap.lane.pause: no key is named"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(keymap: dict[str, str], told: str) -> None:
    actions, problems = lay_over(ACTIONS, keymap)
    assert problems == [told]
    assert actions == ACTIONS


def test_two_screens_may_use_one_key_for_two_things() -> None:
    actions, problems = lay_over(ACTIONS, {"finding.mark": "x", "log.follow": "x"})
    assert problems == []
    assert {action.id for action in actions if action.keys == "x"} == {"finding.mark", "log.follow"}


def test_the_settings_take_a_table_of_names_or_of_tables() -> None:
    assert Settings.model_validate({"keymap": {"lane.pause": "x", "row": {"down": "j"}}}).keymap == {"lane.pause": "x", "row.down": "j"}


@pytest.mark.anyio
async def test_keys_hints_and_help_follow_the_keymap_and_its_faults_are_said() -> None:
    settings = Settings(keymap={"view.freeze": "ctrl+x", "nosuch": "x"})
    app = ConsoleApp(FakeFleet(), settings, painting=False, clock=make_app(FakeFleet()).clock)
    async with app.run_test() as pilot:
        await settle(pilot)
        assert "there is no action nosuch" in app.screen.bottom.render_line(0).text  # type: ignore[attr-defined]
        assert ("ctrl+x", "freeze", False) in app.hints("pulse")
        await pilot.press("f")
        assert not app.frozen
        await pilot.press("ctrl+x")
        assert app.frozen
