"""What the screens look like at the three sizes they are laid out for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from driving import make_app, settle
from fakes import FakeFleet
from sample import event, first_run, fleet
from sample_decisions import growing, torn
from textual.pilot import Pilot

from gitbridge_console.console.themes import shipped_folder
from gitbridge_console.domain.event_views import EventDetail

SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x60": (200, 60)}
SCREENS = {
    "pulse": "1",
    "queue": "2",
    "providers": "3",
    "failures": "4",
    "consensus": "5",
    "event": "5 enter",
    "log": "6",
    "fleet": "7",
    "docs": "8",
    "provider": "3 j enter",
}


def pressing(keys: str) -> Callable[[Pilot[Any]], Any]:
    """Press keys and let everything settle."""

    async def run(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pilot.press(*keys.split())
        await settle(pilot)

    return run


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", SCREENS)
def test_screen(snap_compare: Any, screen: str, size: str) -> None:
    """A busy fleet with one provider away."""
    app = make_app(FakeFleet(fleet()))
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing(SCREENS[screen]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", SCREENS)
def test_screen_without_colour(snap_compare: Any, screen: str, size: str) -> None:
    """State is in the words."""
    app = make_app(FakeFleet(fleet()), no_color=True)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=pressing(SCREENS[screen]))


@pytest.mark.parametrize(
    ("name", "keys"), [("palette", "2 ctrl+p p a u"), ("help", "2 question_mark"), ("prompt", "colon p a u s e space")]
)
def test_ways_to_an_action(snap_compare: Any, name: str, keys: str) -> None:
    """Palette, help and a command being typed."""
    assert snap_compare(make_app(FakeFleet(fleet())), terminal_size=SIZES["80x24"], run_before=pressing(keys))


def pending(event_id: str, *, payload: bool = False) -> EventDetail:
    return event(event_id, payload=payload).model_copy(update={"state": "consensus_pending", "decision": None, "action": None})


def split_three_ways(event_id: str, *, payload: bool = False) -> EventDetail:
    return event(event_id, payload=payload).model_copy(update={"decision": torn()})


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", ["growing", "torn"])
def test_event_whose_panel(snap_compare: Any, case: str, size: str) -> None:
    """A panel that is still at work, and one of six that is torn."""
    busy = FakeFleet(fleet())
    busy.door.event = pending if case == "growing" else split_three_ways
    busy.door.growing = growing() if case == "growing" else None
    assert snap_compare(make_app(busy), terminal_size=SIZES[size], run_before=pressing("5 enter"))


@pytest.mark.parametrize(("name", "keys"), [("finding", "5 enter j enter"), ("answer", "5 enter tab tab")])
def test_down_from_the_consensus(snap_compare: Any, name: str, keys: str) -> None:
    """One finding with all that was said of it; one original answer."""
    assert snap_compare(make_app(FakeFleet(fleet())), terminal_size=SIZES["120x40"], run_before=pressing(keys))


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_folder().glob("*.toml") if path.stem != "gitbridge-dark"))
def test_pulse_in_other_themes(snap_compare: Any, name: str) -> None:
    """The same in other colours."""
    assert snap_compare(make_app(FakeFleet(fleet()), theme=name), terminal_size=(80, 24), run_before=pressing("1"))


def test_chooser_of_themes(snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is tried on; whoever runs this has no themes of their own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert snap_compare(make_app(FakeFleet(fleet())), terminal_size=SIZES["120x40"], run_before=pressing("ctrl+t k"))


def test_first_run(snap_compare: Any) -> None:
    """No keys yet."""
    assert snap_compare(make_app(FakeFleet(first_run())), terminal_size=(80, 24), run_before=pressing("1"))


def test_confirmation_in_the_bottom_row(snap_compare: Any) -> None:
    """Nothing else on the screen moves."""
    assert snap_compare(make_app(FakeFleet(fleet())), terminal_size=(80, 24), run_before=pressing("4 space space R"))


def test_the_screenshot_of_the_readme_is_a_screen_the_tests_have_rendered() -> None:
    here = Path(__file__).parent
    rendered = here / "__snapshots__" / "test_snapshots" / "test_screen[pulse-120x40].svg"
    shipped = here.parent.parent / "gitbridge_console" / "docs" / "screenshot.svg"
    assert shipped.read_bytes() == rendered.read_bytes()
