"""What a terminal was before the console, and putting it back when the console cannot: it may be stuck, or gone."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import time
from typing import Any

RESTORE = b"\x18\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[0m\n"
"""Cancels a sequence that was cut, leaves the other screen, shows the cursor, takes mouse, paste and colours back."""

RESTORE_S = 2.0
"""How long the terminal gets for that."""


class TerminalState:
    """The terminal on stdin and stderr, as it is when this is made."""

    def __init__(self) -> None:
        self._modes: list[Any] | None = None
        with contextlib.suppress(OSError, ValueError, termios.error):
            self._modes = termios.tcgetattr(sys.stdin.fileno())

    def watch(self) -> None:
        """End this process as a hang-up does when the terminal is gone, from now on.

        The kernel tells only who has the terminal in that moment. A shell or an editor of ours may have it, and take the word with it.
        """
        if self._modes is not None:
            terminal = os.dup(sys.stdin.fileno())
            threading.Thread(target=_wait_for_hang_up, args=(terminal,), name="terminal", daemon=True).start()

    def restore(self) -> None:
        """Put it back without waiting for a terminal that takes nothing. For the watchdog: the process draws nothing after this.

        What nobody has read is thrown away: it only stands in front of what puts the terminal right. A thread that is stuck in
        writing holds the terminal's lock; it is interrupted, and goes on into nowhere.
        """
        with contextlib.suppress(OSError, ValueError, termios.error):
            if self._modes is not None:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._modes)
            screen = sys.stderr.fileno()
            terminal = os.dup(screen)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, screen)
            os.set_blocking(terminal, False)
            try:
                _interrupt_others()
                _write(terminal)
            finally:
                os.set_blocking(terminal, True)  # the shell has the same one


def _wait_for_hang_up(terminal: int) -> None:
    """Asked for no event, the kernel answers when there will be none any more."""
    poll = select.poll()
    poll.register(terminal, 0)
    gone = any(event & select.POLLHUP for _, event in poll.poll())
    os.close(terminal)
    if gone:
        os.kill(os.getpid(), signal.SIGHUP)


def _interrupt_others() -> None:
    """The handler of :class:`Ending` is in place and has nothing more to do: what is left of the signal is an interrupted write."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.ident is not None:
            signal.pthread_kill(thread.ident, signal.SIGTERM)


def _write(terminal: int) -> None:
    deadline = time.monotonic() + RESTORE_S
    left = RESTORE
    while left and time.monotonic() < deadline:
        termios.tcflush(terminal, termios.TCOFLUSH)
        try:
            left = left[os.write(terminal, left) :]
        except BlockingIOError:
            time.sleep(0.005)
