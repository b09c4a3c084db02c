"""A shell in a window of tmux: keys go in as from a keyboard, and what is read is what an operator sees."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

LOOK_AGAIN_S = 0.1
SAID_MAX = 20


class Window:
    """One window of a tmux server of its own, with a shell in it."""

    def __init__(self, socket: Path, size: tuple[int, int], env: Mapping[str, str], folder: Path) -> None:
        self._tmux = ["tmux", "-u", "-S", str(socket), "-f", "/dev/null"]
        shell = ["-x", str(size[0]), "-y", str(size[1]), "-c", str(folder), "/bin/sh"]
        outside = {name: text for name, text in os.environ.items() if name not in ("TMUX", "TMUX_PANE")}
        self._run("new-session", "-d", *shell, env=outside | {"PS1": "$ ", "ENV": ""} | env)

    def _run(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run([*self._tmux, *words], env=env, capture_output=True, text=True, timeout=20, check=True)
        return done.stdout

    def screen(self) -> str:
        """What is on it."""
        return self._run("capture-pane", "-p")

    def sees(self, what: Callable[[str], bool], within_s: float) -> str:
        """Look until that is so; returns the screen it was so on.

        Raises:
            TimeoutError: it was not; with the screen as it is now, and what the bottom row said before.
        """
        end, said = time.monotonic() + within_s, [""]
        while not what(screen := self.screen()):
            if (row := screen.rstrip("\n").rpartition("\n")[2]) != said[-1]:
                said.append(row)
            if time.monotonic() > end:
                raise TimeoutError("\n".join((screen, "what the bottom row said:", *said[-SAID_MAX:])))
            time.sleep(LOOK_AGAIN_S)
        return screen

    def press(self, key: str) -> None:
        """Press one key, by tmux's name of it."""
        self._run("send-keys", key)

    def type(self, text: str) -> None:
        """Type a text."""
        self._run("send-keys", "-l", text)

    @property
    def pid(self) -> int:
        """The shell's process."""
        return int(self._run("display-message", "-p", "#{pane_pid}"))

    def close(self) -> None:
        """End it, with everything in it; whatever runs there is hung up on."""
        with contextlib.suppress(subprocess.CalledProcessError):  # it has ended by itself
            self._run("kill-server")


@contextlib.contextmanager
def window(folder: Path, size: tuple[int, int], env: Mapping[str, str]) -> Iterator[Window]:
    """A window for a while. Its socket is in ``folder``."""
    opened = Window(folder / "tmux", size, env, folder)
    try:
        yield opened
    finally:
        opened.close()
