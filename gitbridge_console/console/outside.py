"""Other programs on our terminal: a shell, the operator's editor. The engine has its own thread and runs on meanwhile."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textual.app import SuspendNotSupported

from gitbridge_console.console.changed_cells import FrugalApp

EDITORS = ("VISUAL", "EDITOR")
FALLBACK_EDITOR = "vi"


_running: list[subprocess.Popen[bytes]] = []


class NoTerminal(Exception):
    """There is no terminal to hand over, or the program is not there; one line that says which."""


def run_on_terminal(app: FrugalApp, command: list[str], note: str = "") -> int:
    """Hand the terminal to a program and take it back when it ends; returns its exit code.

    What is painted while our driver is stopped would wait for its writer for ever, so nothing is until then.

    Raises:
        NoTerminal: see there.
    """
    try:
        with app.suspend(), app.batch_update():
            if note:
                print(note, flush=True)
            with _interrupts_are_theirs(), subprocess.Popen(command) as program:
                _running.append(program)
                try:
                    return program.wait()
                finally:
                    _running.remove(program)
    except SuspendNotSupported:
        raise NoTerminal("there is no terminal to hand over") from None
    except OSError as error:
        raise NoTerminal(f"{command[0]}: {error.strerror or error}") from None
    finally:
        app.drawn.forget()


def hang_up() -> None:
    """Tell the program that has our terminal that it is gone, since the console is to end and waits for it."""
    for program in _running.copy():
        program.send_signal(signal.SIGHUP)


@contextmanager
def _interrupts_are_theirs() -> Iterator[None]:
    """Ctrl-C in an editor is for the editor. A handler, since what is ignored would stay so in the program."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def shell_command() -> list[str]:
    """The operator's own shell."""
    return [os.environ.get("SHELL") or "/bin/sh"]


def edit_text(app: FrugalApp, text: str, suffix: str) -> str | None:
    """Let the operator edit a text in a private file; what it is then, or ``None`` when it is as before.

    Raises:
        NoTerminal: the editor could not be run.
    """
    editor = next((os.environ[name] for name in EDITORS if os.environ.get(name)), FALLBACK_EDITOR)
    with tempfile.TemporaryDirectory(prefix="gitbridge-") as folder:
        # A folder of our own, which only its owner can enter: editors leave backups beside the file.
        path = Path(folder) / f"payload{suffix}"
        path.write_text(text, "utf-8")
        code = run_on_terminal(app, [*shlex.split(editor), str(path)])
        if code:
            raise NoTerminal(f"{editor} ended with {code}: nothing is changed")
        edited = path.read_text("utf-8", "replace")
    return None if edited == text else edited
