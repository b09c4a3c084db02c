"""Making outside text safe to publish: it may say anything and do nothing.

Findings are written by AI services that read what strangers wrote. Published as it is, such text could ping people,
close issues, command bots, forge markers, smuggle links or break out of its place in the page.
"""

from __future__ import annotations

import re
import unicodedata

APART = "\u200b"
"""Zero-width space: invisible, and what keeps ``@name`` from being a mention."""

_MARKUP = re.compile(r"([\\`*_\[\]|~#])")
_MENTION = re.compile(r"@(?=\S)")
_REFERENCE = re.compile(r"(#|\bGH-)(?=\d)", re.IGNORECASE)
_SCHEME = re.compile(r"(https?|ftp|mailto|xmpp|javascript|data):(?=\S)", re.IGNORECASE)
_WWW = re.compile(r"\bwww\.", re.IGNORECASE)
_COMMAND = re.compile(r"^(\s*)/(?=\S)", re.MULTILINE)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def clean(text: str, limit: int) -> str:
    """Plain text without control, direction and invisible characters, at most ``limit`` characters; lines end in LF."""
    kept = _printable(text[: limit * 4].replace("\t", " "), "\n")
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def plain(text: str) -> str:
    """An operator's own Markdown, whole: without control, direction and invisible characters; tabs stay, for code."""
    return _printable(text, "\n\t")


def _printable(text: str, spared: str) -> str:
    unified = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    return "".join(char for char in unified if char in spared or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"})


def one_line(text: str, limit: int) -> str:
    """Outside text as harmless Markdown on one line; fit for a table cell, a heading or a list item."""
    return _harmless(" ".join(clean(text, limit).split()))


def quoted(text: str, limit: int) -> str:
    """Outside text as a block quote: every line is marked, so none can start a block of its own."""
    lines = [_harmless(line.strip()) for line in clean(text, limit).strip().split("\n")]
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def code(text: str, limit: int) -> str:
    """Outside text as a code span, where nothing has a meaning; it cannot end the span itself."""
    inner = " ".join(clean(text, limit).split()).replace("`", "'").replace("|", "¦")
    return f"`{inner}`" if inner else ""


def _harmless(line: str) -> str:
    apart = _COMMAND.sub(rf"\1{APART}/", line)
    for pattern, replacement in ((_SCHEME, rf"\1:{APART}"), (_WWW, f"www{APART}."), (_REFERENCE, rf"\1{APART}"), (_MENTION, f"@{APART}")):
        apart = pattern.sub(replacement, apart)
    return _MARKUP.sub(r"\\\1", apart.translate(_ENTITIES))
