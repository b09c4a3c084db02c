"""Bytes in words."""

from __future__ import annotations


def mebibytes(n: int) -> str:
    """``12 MiB``, or kibibytes below one."""
    return f"{n / 2**20:,.0f} MiB" if n >= 2**20 else f"{n / 2**10:,.0f} KiB"
