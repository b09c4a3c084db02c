"""What goes over the link, byte by byte: nothing when nothing changes, a row when a row does."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.benchmarks.console.terminal import Terminal
from tests.orphans import wait_until

HERE = Path(__file__).parent
QUIET_S = 0.4
SIZES = [(80, 24), (200, 60)]
ROW_BYTES = {(80, 24): 200, (200, 60): 350}
HEADER_ROWS = {1, 2}

Started = Callable[..., Terminal]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """Starts ``drawn.py`` at a size; it has drawn the Pulse when this returns."""
    terminals: list[Terminal] = []

    def start(size: tuple[int, int], *words: str) -> Terminal:
        env = {"PYTHONPATH": f"{HERE}:{HERE.parent.parent}", "HOME": str(tmp_path), "NO_COLOR": ""}
        terminal = Terminal([sys.executable, str(HERE / "drawn.py"), str(tmp_path), *words], size, env)
        terminals.append(terminal)
        terminal.until("claude")
        return terminal

    yield start
    for terminal in terminals:
        terminal.close()


def settled(terminal: Terminal) -> int:
    """Bytes drawn until nothing more comes."""
    before = len(terminal.drawn)
    while terminal.read(QUIET_S):
        continue
    return len(terminal.drawn) - before


@pytest.mark.parametrize("size", SIZES)
def test_one_changed_row(started: Started, size: tuple[int, int]) -> None:
    terminal = started(size)
    terminal.press("2")

    def bytes_of_a_change() -> int:
        start = len(terminal.drawn)
        terminal.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: terminal.read(0.1) or len(terminal.drawn) > start, 20, "the change was not drawn")
        settled(terminal)
        return len(terminal.drawn) - start

    settled(terminal)
    for _ in range(2):  # where there is room for it, the first brings the detail of the row under the cursor
        bytes_of_a_change()
    for _ in range(3):
        assert 0 < bytes_of_a_change() <= ROW_BYTES[size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("screen", ["1", "2", "3"])
def test_nothing_changes_and_nothing_is_sent_but_the_clock(started: Started, tmp_path: Path, size: tuple[int, int], screen: str) -> None:
    """Ten pictures of the same fleet; then ten while the age in the header grows."""
    terminal = started(size, "ticking")
    pictures = tmp_path / "pictures"

    def drawn_while_ten_are_painted() -> bytes:
        start, until = len(terminal.drawn), pictures.stat().st_size + 10
        wait_until(lambda: terminal.read(0.1) * 0 or pictures.stat().st_size >= until, 30, "it does not paint")
        return terminal.drawn[start:]

    terminal.press(screen)
    drawn_while_ten_are_painted()
    settled(terminal)
    assert drawn_while_ten_are_painted() == b""
    (tmp_path / "clock").touch()
    ticking = drawn_while_ten_are_painted()
    rows = {int(row) for row in re.findall(rb"\x1b\[(\d+);\d+H", ticking)}
    assert rows <= HEADER_ROWS
