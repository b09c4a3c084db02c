"""Makes text from outside safe to show: no escape codes, no direction tricks, no markup, no endless lines."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len, set_cell_size

ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?|[PX^_][^\x1b]{0,4096}(?:\x1b\\)?|[@-Z\\-_a-z0-9=>]?)"
)
UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
COMBINING_MAX = 2
TAB = "    "
SCAN_MAX = 200_000


ONE_CELL_EACH = re.compile("[ -~\u2010-\u2027\u2190-\u21ff\u2500-\u25fc\u2800-\u28ff]*")
"""ASCII, and most else that is shown: our own signs, boxes, bars, and the dots of charts."""


def safe(text: str, *, lines: bool = False) -> str:
    """The text without anything a terminal would act on.

    Controls and line ends become spaces (with ``lines`` true, line ends stay), escape sequences and invisible or
    direction-changing characters vanish, and at most two combining marks follow a character.
    """
    if text.isascii() and text.isprintable():
        return text[:SCAN_MAX]  # nearly all text: nothing in it is looked for below
    text = ESCAPES.sub("", text[:SCAN_MAX].replace("\r\n", "\n").replace("\t", TAB))
    text = UNSEEN.sub("", text)
    out: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if char == "\n" or category in ("Zl", "Zp"):
            out.append("\n" if lines else " ")
        elif category in ("Cc", "Cs"):
            out.append(" " if category == "Cc" else "\ufffd")
        elif category in ("Mn", "Me"):
            marks += 1
            if marks <= COMBINING_MAX and out:
                out.append(char)
            continue
        elif category == "Cf":
            continue
        elif category in ("Cn", "Co"):
            out.append("\ufffd")
        else:
            out.append(char)
        marks = 0
    return "".join(out)


def width_of(text: str) -> int:
    """Cells the text takes. Only signs that are seldom are looked up."""
    return len(text) if (text.isascii() and text.isprintable()) or ONE_CELL_EACH.fullmatch(text) else cell_len(text)


def clip(text: str, width: int, *, ellipsis: str = "…") -> str:
    """The text in at most ``width`` cells, ending in an ellipsis where it was cut."""
    if width <= 0:
        return ""
    if width_of(text) <= width:
        return text
    keep = width - width_of(ellipsis)
    return set_cell_size(text, keep).rstrip() + ellipsis if keep > 0 else set_cell_size(text, width)


def fit(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """The text in exactly ``width`` cells."""
    room = width - width_of(text)
    if room < 0:
        text = clip(text, width, ellipsis=ellipsis)
        room = width - width_of(text)
    return " " * room + text if right else text + " " * room


ASCII_SIGNS = str.maketrans(
    {
        "…": "~",
        "●": "#",
        "○": "o",
        "·": ".",
        "▸": ">",
        "│": "|",
        "─": "-",
        "┼": "+",
        "→": ">",
        "×": "x",
        "✓": "+",
        "▲": "^",
        "▼": "v",
        "—": "-",
        "–": "-",
    }
)


def to_ascii(text: str) -> str:
    """Our own signs as ASCII; whatever else is beyond it becomes as many ``?`` as it is wide."""
    return "".join(char if char < "\x7f" else "?" * cell_len(char) for char in text.translate(ASCII_SIGNS))
