"""What leaves the screen as text: to the terminal's clipboard, or to a file."""

from __future__ import annotations

import os
from pathlib import Path

OSC52_MAX = 74_000
"""Bytes a terminal takes by OSC 52: most stop at 100 kB of base64, which is 74,994 bytes of text."""
FILE_MAX = 16 * 1024 * 1024


def for_clipboard(text: str) -> tuple[str, bool]:
    """What of a text can be sent, and whether something was left out."""
    raw = text.encode("utf-8")
    return (raw[:OSC52_MAX].decode("utf-8", "ignore"), True) if len(raw) > OSC52_MAX else (text, False)


def write_text(path: Path, text: str) -> int:
    """Write a new file that only its owner can read; returns its bytes.

    Raises:
        OSError: it is there already, or cannot be written.
    """
    raw = text.encode("utf-8")[:FILE_MAX]
    descriptor = os.open(path.expanduser(), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
    return len(raw)
