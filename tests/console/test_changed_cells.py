"""What is sent: the cells that changed and no others; and what the terminal shows after it is what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from driving import Clock
from fakes import FakeFleet
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from sample import fleet
from textual.driver import Driver
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.console.changed_cells import ChangedCells, Drawn, cells_of
from gitbridge_console.domain.snapshots import FleetSnapshot, LogLine, Percentiles
from gitbridge_console.settings.model import Settings

STYLES = (Style(), Style(bold=True), Style(color="#ff0000", bgcolor="#101010"), Style(color="#00ff00", bgcolor="#101010", reverse=True))
WALK = ("1", "2", "j", "enter", "escape", "3", "enter", "q", "4", "5", "enter", "6", "7", "8", "question_mark", "1")
CODE = re.compile(r"\x1b\[(?P<row>\d+);(?P<column>\d+)H|\x1b\[(?P<style>[\d;]*)m|(?P<text>[^\x1b])", re.DOTALL)


class Screen:
    """A terminal that knows as much as is sent to it: moves, styles and characters."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, str]] = {}

    def take(self, sent: str) -> int:
        """Draw; returns how many cells were written."""
        row = column = written = 0
        style = ""
        assert CODE.sub("", sent) == ""
        for found in CODE.finditer(sent):
            if found["row"]:
                row, column = int(found["row"]) - 1, int(found["column"]) - 1
            elif found["style"] is not None:
                style = "" if found["style"] == "0" else found["style"].removeprefix("0;")
            else:
                width = len(cells_of(Strip([Segment(found["text"])])).texts)
                if not width:
                    before = self.cells[row, column - 1]
                    self.cells[row, column - 1] = (before[0] + found["text"], before[1])
                    continue
                self.cells[row, column] = (found["text"], style)
                for n in range(1, width):
                    self.cells[row, column + n] = ("", style)
                column, written = column + width, written + width
        assert style == "", "a style was left on"
        return written


def shown(strip: Strip, colours: ColorSystem = ColorSystem.TRUECOLOR) -> dict[int, tuple[str, str]]:
    """What a terminal shows after the whole strip was drawn."""
    return {n: (text, Strip.render_ansi(style, colours)) for n, (text, style) in enumerate(zip(*cells_of(strip), strict=True))}


texts = st.text(st.sampled_from("ab ─█漢é"), min_size=0, max_size=6)
strips = st.lists(st.tuples(texts, st.sampled_from(STYLES)), max_size=6).map(
    lambda parts: Strip([Segment(text, style) for text, style in parts]).adjust_cell_length(24, STYLES[0])
)


@given(st.lists(st.lists(strips, min_size=2, max_size=2), min_size=1, max_size=5))
def test_the_terminal_shows_what_was_meant_whatever_came_before(pictures: list[list[Strip]]) -> None:
    drawn, screen = Drawn(), Screen()
    for picture in pictures:
        screen.take(drawn.changes(iter((y, 0, strip) for y, strip in enumerate(picture)), ColorSystem.TRUECOLOR))
        for y, strip in enumerate(picture):
            assert {x: cell for (row, x), cell in screen.cells.items() if row == y} == shown(strip)


def send(drawn: Drawn, *texts: str) -> str:
    pieces = ((y, 0, Strip([Segment(text, STYLES[2])])) for y, text in enumerate(texts))
    return drawn.changes(pieces, ColorSystem.TRUECOLOR)


def test_only_what_changed_is_sent() -> None:
    drawn = Drawn()
    send(drawn, "12:00:00 open 7   in 2.0/s                        every 1s")
    assert send(drawn, "12:00:00 open 7   in 2.0/s                        every 1s") == ""
    sent = send(drawn, "12:00:01 open 8   in 2.0/s                        every 1s")
    assert Screen().take(sent) == len("1 open 8")
    assert len(sent) < 60


def test_what_somebody_else_drew_over_is_sent_again() -> None:
    drawn = Drawn()
    whole = send(drawn, "as before")
    drawn.forget()
    assert send(drawn, "as before") == whole


def test_a_wide_character_is_never_sent_by_half() -> None:
    drawn = Drawn()
    send(drawn, "漢a")
    assert Screen().take(send(drawn, "漢b")) == 1
    assert Screen().take(send(drawn, "字b")) == 2


class Line:
    """What an application sends, frame by frame."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent = ""
        real = ConsoleApp._display

        def display(app: ConsoleApp, screen: object, update: object) -> None:
            inner: list[object] = []
            monkeypatch.setattr("textual.app.App._display", lambda app, screen, update: inner.append(update))
            real(app, screen, update)  # type: ignore[arg-type]
            for one in inner:
                if isinstance(one, ChangedCells):
                    self.sent += one.render_segments(app.console)

        monkeypatch.setattr(ConsoleApp, "_display", display)

    def take(self) -> str:
        """What came since the last call."""
        sent, self.sent = self.sent, ""
        return sent


def second(n: int) -> FleetSnapshot:
    """The fleet after so many seconds of steady traffic: times go on, counts move, every other second a line is logged."""
    picture = fleet()
    info = {"level": "info", "what": "resolved", "text": "dry run: nothing was sent"}
    lines = [LogLine(at=f"2026-11-22T21:14:{at % 60:02d}.000Z", id=f"{at:08x}", **info) for at in range(0, n, 2)]
    lanes = {
        name: lane.model_copy(update={"depth": lane.depth + (n * 7 + len(name)) % 5, "oldest_age_s": (lane.oldest_age_s or 0) + n})
        for name, lane in picture.lanes.items()
    }
    late = Percentiles(p50=2_000 + 90 * (n % 7), p95=9_000 + 130 * (n % 5))
    providers = {
        name: provider.model_copy(
            update={
                "latency_ms": late,
                "calls": {"1m": 20 + n % 4, "15m": 400 + n},
            }
        )
        for name, provider in picture.providers.items()
    }
    events = picture.events | {"resolved": picture.events.get("resolved", 0) + 2 * n}
    at = f"2026-11-22T21:14:{n % 60:02d}.250Z"
    return picture.model_copy(
        update={"at": at, "lanes": lanes, "providers": providers, "events": events, "log": (*picture.log, *lines)[-60:]}
    )


@pytest.mark.anyio
@pytest.mark.parametrize(("size", "most"), [((80, 24), 1_500), ((200, 60), 6_000)])
async def test_a_pulse_in_steady_traffic_stays_within_its_budget(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], most: int) -> None:
    """Bytes a second at 1 Hz over 30 seconds of the same made-up traffic, charts every five seconds."""
    line, clock, made_up = Line(monkeypatch), Clock(), FakeFleet()
    app = ConsoleApp(made_up, Settings(), painting=False, clock=clock)
    async with app.run_test(size=size) as pilot:
        for n in range(3):
            made_up.snapshot = second(n)
            app.paint()
            await pilot.pause()
        line.take()
        for n in range(3, 33):
            clock.now += 1.0
            made_up.snapshot = second(n)
            app.paint()
            await app.workers.wait_for_complete()
            await pilot.pause()
        sent = line.take()
    assert 0 < len(sent.encode()) / 30 <= most


@pytest.mark.anyio
@pytest.mark.parametrize("happened", [lambda: Resize(Size(80, 24), Size(80, 24)), Driver.SignalResume])
async def test_after_somebody_else_had_the_terminal_everything_is_sent(
    monkeypatch: pytest.MonkeyPatch, happened: Callable[[], Message]
) -> None:
    """A process that was stopped finds an empty terminal, or another program's picture."""
    line, screen = Line(monkeypatch), Screen()
    app = ConsoleApp(FakeFleet(), Settings(), painting=False, clock=Clock())
    async with app.run_test(size=(80, 24)) as pilot:
        app.paint()
        await pilot.pause()
        line.take()
        app.post_message(happened())
        await pilot.pause()
        screen.take(line.take())
        colours = app.console._color_system or ColorSystem.TRUECOLOR
        assert differing(screen, app.screen._compositor.render_strips(), colours) == {}


@pytest.mark.anyio
async def test_the_size_that_was_told_before_the_first_picture_has_nothing_sent_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver tells it at the start, and the telling is read after the first picture is out."""
    line, told = Line(monkeypatch), Resize(Size(80, 24), Size(80, 24))
    app = ConsoleApp(FakeFleet(), Settings(), painting=False, clock=Clock())
    async with app.run_test(size=(80, 24)) as pilot:
        app.paint()
        await pilot.pause()
        assert line.take()
        app.post_message(told)
        await pilot.pause()
        assert line.take() == ""


@pytest.mark.anyio
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_through_all_screens_the_terminal_shows_what_the_compositor_wants(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    line, screen, made_up = Line(monkeypatch), Screen(), FakeFleet()
    app = ConsoleApp(made_up, Settings(), painting=False, clock=Clock())
    async with app.run_test(size=size) as pilot:
        for n, key in enumerate(WALK):
            made_up.snapshot = second(n)
            await pilot.press(key)
            app.paint()
            await app.workers.wait_for_complete()
            await pilot.pause()
            screen.take(line.take())
            colours = app.console._color_system or ColorSystem.TRUECOLOR
            assert differing(screen, app.screen._compositor.render_strips(), colours) == {}, key


def differing(screen: Screen, strips: Sequence[Strip], colours: ColorSystem) -> dict[int, tuple[str, str]]:
    """Rows that look different from what they should, as (shown, wanted)."""
    found: dict[int, tuple[str, str]] = {}
    for y, strip in enumerate(strips):
        wanted = shown(strip, colours)
        now = {x: screen.cells.get((y, x)) for x in wanted}
        if now != wanted:
            found[y] = ("".join((cell or ("?", ""))[0] for cell in now.values()), "".join(cell[0] for cell in wanted.values()))
    return found
