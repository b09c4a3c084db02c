"""Styles are made once, and a picture is drawn once: at the start, and when a screen comes up for the first time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from driving import make_app
from fakes import FakeFleet
from textual._compositor import Compositor
from textual.color import Color
from textual.css import stylesheet
from textual.theme import BUILTIN_THEMES

from gitbridge_console.console.modes import import_the_rest
from gitbridge_console.console.styled_once import StyledOnceScreen


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[Any]]:
    """How often each source of rules was parsed."""
    found: Counter[Any] = Counter()
    parse = stylesheet.parse

    def counting(scope: str, css: str, read_from: Any, **options: Any) -> Any:
        found[read_from[1], options["tie_breaker"]] += 1  # a base class of two widgets may stand at two ranks
        return parse(scope, css, read_from, **options)

    monkeypatch.setattr(stylesheet, "parse", counting)
    return found


def styles_of(screen: Any) -> dict[str, Any]:
    """What the style sheet makes of each widget, in the order of the tree; the order of a widget's rules says nothing."""
    return {
        f"{n} {type(widget).__name__}": sorted(map(str, widget._css_styles.get_rules().items()))
        for n, widget in enumerate(screen.walk_children())
    }


@pytest.mark.anyio
async def test_rules_are_parsed_once_however_many_screens_are_entered(parsed: Counter[Any]) -> None:
    import_the_rest()
    app = make_app(FakeFleet())
    async with app.run_test(size=(120, 40)) as pilot:
        app.paint()
        for key in "2345678":
            await pilot.press(key)
            await pilot.pause()
    assert {source: times for source, times in parsed.items() if times > 1} == {}
    assert ("ConsoleApp.CSS", 0) in parsed


@pytest.mark.anyio
@pytest.mark.parametrize("size", [(50, 12), (80, 24), (120, 40), (200, 60), (200, 20), (70, 50)])
@pytest.mark.parametrize("key", ["1", "2", "3", "7"])
async def test_a_screen_that_came_up_is_styled_as_one_that_was_styled_again(size: tuple[int, int], key: str) -> None:
    app = make_app(FakeFleet())
    async with app.run_test(size=size) as pilot:
        app.paint()
        await pilot.press(key)
        await pilot.pause()
        found = styles_of(app.screen)
        app.refresh_css(animate=False)
        await pilot.pause()
        assert found == styles_of(app.screen)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["ansi-dark", "textual-light"])
async def test_a_theme_that_was_put_on_before_the_start_is_on_as_one_that_was_changed_to(name: str) -> None:
    early, late = make_app(FakeFleet()), make_app(FakeFleet())
    early.open_in(BUILTIN_THEMES[name])
    async with early.run_test(size=(80, 24)), late.run_test(size=(80, 24)) as pilot:
        late.theme = name
        await pilot.pause()
        for app in (early, late):
            assert app.current_theme.name == name
        assert (early.classes, early.theme_variables) == (late.classes, late.theme_variables)
        assert [vars(one) for one in early._filters] == [vars(one) for one in late._filters]
        assert styles_of(early.screen) == styles_of(late.screen)


@pytest.mark.anyio
async def test_nothing_is_drawn_while_updates_are_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    render, app = Compositor.render_update, make_app(FakeFleet())

    def counting(self: Compositor, *given: Any, **named: Any) -> Any:
        drawn.append(app._batch_count)
        return render(self, *given, **named)

    monkeypatch.setattr(Compositor, "render_update", counting)
    async with app.run_test(size=(80, 24)) as pilot:
        app.paint()
        await pilot.press("2")
        await pilot.pause(0.2)
    assert drawn
    assert set(drawn) == {0}


@pytest.mark.anyio
async def test_a_screen_that_comes_back_after_another_theme_wears_it() -> None:
    app = make_app(FakeFleet())
    async with app.run_test(size=(80, 24)) as pilot:
        app.paint()
        first = app.screen
        assert isinstance(first, StyledOnceScreen)
        await pilot.press("2")
        await pilot.pause()
        app.theme = "textual-light"
        await pilot.pause()
        await pilot.press("1")
        await pilot.pause()
        assert app.screen is first
        assert first.styles.background == Color.parse(app.theme_variables["background"])
