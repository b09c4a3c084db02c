"""Writing lines from the store to a file that is replaced whole, or to stdout."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import click

from gitbridge_console.commands.running import with_operations
from gitbridge_console.commands.whole_file import replaced_whole
from gitbridge_console.operations.errors import OperationError, Refused
from gitbridge_console.operations.operations import Operations


def export_lines(
    ctx: click.Context,
    file: str,
    lines: Callable[[Operations], AsyncIterator[bytes]],
    *,
    force: bool,
    counts: Callable[[bytes], bool] = lambda line: True,
) -> int:
    """Write all of ``lines`` to ``file`` (``-`` is stdout); returns how many of them ``counts`` says are of the thing exported.

    Raises:
        Refused: the file is there, and ``force`` was not given or it is no file.
        OperationError: what the door answered, or the file cannot be written; then nothing was.
    """
    path = None if file == "-" else Path(file)
    if path is not None and path.exists() and not (force and path.is_file()):
        raise Refused(f"{path} is there already: --force replaces it" if path.is_file() else f"{path} is there and no file")

    async def copy(operations: Operations, target: BinaryIO) -> int:
        count = 0
        async for line in lines(operations):
            target.write(line)
            count += counts(line)
        return count

    async def run(operations: Operations) -> int:
        if path is None:
            return await copy(operations, sys.stdout.buffer)
        with replaced_whole(path) as target:
            return await copy(operations, target)

    try:
        return with_operations(ctx, run)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OperationError(f"{file}: {error.strerror or error}; nothing was exported") from None
