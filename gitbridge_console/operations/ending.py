"""How a process ends: one owner, from before the first thing is opened until after the last is closed.

A signal and an operator who quits ask for the same end, at any moment and as often as they like: claim nothing more, finish what is
in hand within ``queue.drain_s``, hand the rest back, close the store, shut the embedded server down where nobody else uses it. Only
the first asking counts. The watchdog is the last resort: it ends a process that has not ended by itself in time.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from gitbridge_console.settings.model import Settings
    from gitbridge_console.settings.opening import Opening

logger = logging.getLogger(__name__)

CLOSE_S = 10.0
"""Beyond ``queue.drain_s``: for handing back, closing the store and shutting the embedded server down."""

SCREEN_S = 3.0
"""Once the store is closed, how long a terminal may take to let the process go. A stuck one never does."""

LAST_WORDS_S = 1.0
"""How long the watchdog waits for its line to reach the log."""

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)

_LOOK_EVERY_S = 0.05


def limit_s(settings: Settings | Opening) -> float:
    """Seconds an end may take before the watchdog makes it."""
    return settings.queue.drain_s + CLOSE_S


def leave_store_later(settings: Settings) -> None:
    """See to it that an embedded server is shut down although this process, which may be its last user, is ended by force now."""
    if settings.redis.url is None:
        from gitbridge_console.operations.places import state_dir
        from gitbridge_console.store.last_user import leave_later

        leave_later(state_dir(settings))


class Ending:
    """A context around the whole life of a process. Main thread only; what is told runs in the watchdog's thread.

    A handler of the main thread may interrupt it anywhere, so it takes no lock: it writes a byte into a pipe, which the watchdog reads.
    It is not a handler of a loop either, since a stalled terminal holds the loop of the console.
    """

    def __init__(self, limit_s: Callable[[], float], *, keep_ignored: bool = False) -> None:
        """``limit_s`` is asked when the end begins. ``keep_ignored`` leaves signals alone that ``nohup`` or a shell's ``&`` ignores."""
        self.received: signal.Signals | None = None
        """The signal that asked first; ``None`` where none did, or after an operator had asked."""
        self._limit_s = limit_s
        self._keep_ignored = keep_ignored
        self._signalled = self._quit = False
        self._lock = threading.Lock()
        self._begun = False
        self._told: list[Callable[[], None]] = []
        self._last: list[Callable[[], None]] = []
        self._closed: Callable[[], bool] = lambda: False
        self._asking = threading.Event()
        self._over = threading.Event()
        self._before: dict[signal.Signals, object] = {}
        self._pipe: tuple[int, int] = (-1, -1)
        self._watchdog = threading.Thread(target=self._watch, name="ending", daemon=True)

    @property
    def asked(self) -> bool:
        """Whether the process is to end."""
        return self._quit or self.received is not None

    @property
    def code(self) -> int:
        """The exit code of an end that was asked for: 128 and the number of the signal, as shells have it, else 0."""
        return 0 if self.received is None else 128 + self.received

    def ask(self) -> None:
        """Begin the end, as a signal would."""
        self._quit = True
        self._wake()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the end is asked for and told; returns whether it was within ``timeout_s``."""
        return self._asking.wait(timeout_s)

    def tell(self, then: Callable[[], None]) -> None:
        """Call ``then`` once when the end begins, or now if it has. It must not block."""
        with self._lock:
            if not self._begun:
                self._told.append(then)
                return
        then()

    def closed_when(self, closed: Callable[[], bool]) -> None:
        """Say how to see that nothing is open any more but the screen, which then gets :data:`SCREEN_S`."""
        self._closed = closed

    def at_last(self, then: Callable[[], None]) -> None:
        """Call ``then`` before the watchdog ends the process; never otherwise. It must not block. The last one named runs first."""
        self._last.insert(0, then)

    def __enter__(self) -> Self:
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        self._watchdog.start()
        for number in SIGNALS:
            if not (self._keep_ignored and signal.getsignal(number) is signal.SIG_IGN):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._wake()
        self._watchdog.join()
        for number, handler in self._before.items():
            # After a signal the process is on its way out, and what is repeated must not reach what ends the interpreter.
            signal.signal(number, signal.SIG_IGN if self._signalled else handler)  # type: ignore[arg-type]  # as signal.signal gave it
        for end in self._pipe:
            os.close(end)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        if not self.asked:
            self.received = signal.Signals(number)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of earlier askings: it is awake
            os.write(self._pipe[1], b"!")

    def _watch(self) -> None:
        os.read(self._pipe[0], 1)
        if self._over.is_set():
            return
        deadline = time.monotonic() + self._limit_s()
        self._begin()
        closed_at: float | None = None
        while not self._over.wait(_LOOK_EVERY_S):
            now = time.monotonic()
            if closed_at is None and self._closed():
                closed_at = now
            if closed_at is not None and now - closed_at > SCREEN_S:
                self._end("everything is closed, but the terminal takes nothing: the process is ended")
            elif now > deadline:
                self._end("the process did not end in time and is ended")

    def _begin(self) -> None:
        if self.received is not None:
            _say(logging.INFO, f"{self.received.name}: finishing what is in hand")
        with self._lock:
            self._begun, told = True, self._told
        for then in told:
            _do(then)
        self._asking.set()

    def _end(self, why: str) -> None:
        """The watchdog's last act."""
        for then in self._last:
            _do(then)
        _say(logging.ERROR, why).join(LAST_WORDS_S)
        os._exit(self.code or 1)


def _do(then: Callable[[], None]) -> None:
    try:
        then()
    except Exception as error:
        _say(logging.ERROR, f"a step of the ending failed: {error!r}")


def _say(level: int, text: str) -> threading.Thread:
    """Log it from a thread of its own: the log may go to the stuck terminal, or somebody may hold its lock for ever."""
    saying = threading.Thread(target=logger.log, args=(level, "%s", text), daemon=True)
    saying.start()
    return saying
