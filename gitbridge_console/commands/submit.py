"""``submit``: events by hand, from a file or a pipe."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import click

from gitbridge_console.commands.output import plain, print_json, print_json_line, say
from gitbridge_console.commands.running import prepare, with_operations
from gitbridge_console.commands.words import DURATION
from gitbridge_console.domain.event_records import RecordError, decode
from gitbridge_console.domain.events import EventState, IncomingEvent, Priority
from gitbridge_console.operations.operations import Operations

RECORD_FACTOR = 8
"""How much longer than its payload a line may be: escapes, the diff, attempts and answers."""


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option("--type", "event_type", metavar="TYPE", help="Event type of the code host, such as pull_request; needed without --records.")
@click.option("--diff", metavar="FILE", help="Unified diff of the change; nothing is fetched then.")
@click.option("--delivery", metavar="ID", help="Delivery id; one that was seen before is a duplicate. Default: a new one.")
@click.option("--priority", type=click.Choice([priority.label for priority in Priority]), help="In place of what the rules say.")
@click.option("--lines", is_flag=True, help="Each line of FILE is an event.")
@click.option("--records", is_flag=True, help="Each line is an event as `events export` and dead letter files hold it.")
@click.option("--wait", is_flag=True, help="Until the event is finished or awaits an operator.")
@click.option("--timeout", "timeout_s", type=DURATION, default=300.0, metavar="5m", help="How long --wait waits; default 5m.")
@click.option("--json", "as_json", is_flag=True, help="JSON: one document, with --lines one a line.")
@click.pass_context
def submit(
    ctx: click.Context, /, file: str, lines: bool, records: bool, wait: bool, timeout_s: float, as_json: bool, **words: str | None
) -> int:
    """Hand in an event: its payload as JSON in FILE, or on stdin with -."""
    if (lines or records) and words["delivery"]:
        raise click.UsageError("--delivery names one event and cannot go with --lines or --records")
    if records and (lines or words["event_type"] or words["diff"]):
        raise click.UsageError("with --records each line says its own type and diff")
    if not (records or words["event_type"]):
        raise click.UsageError("Missing option '--type'.")
    most = prepare(ctx).queue.payload_max_bytes
    diff = _read_text(words["diff"]) if words["diff"] else None

    async def run(operations: Operations) -> int:
        worst = 0
        for number, raw in _payloads(file, lines or records, most * RECORD_FACTOR if records else most):
            try:
                event = _recorded(raw, words) if records else _event(raw, diff, words)
            except RecordError as error:
                result: dict[str, Any] = {"id": "", "status": "unreadable", "error": str(error)}
            else:
                result = await _handed_in(operations, event, number)
                if wait and result["status"] != "quarantined":
                    detail = await operations.wait_finished(result["id"], timeout_s)
                    result["event"] = detail.model_dump(mode="json", by_alias=True)
            _print(result, as_json=as_json, lines=lines or records)
            failed = result["status"] in {"quarantined", "unreadable"} or result.get("event", {}).get("state") == EventState.FAILED
            worst = max(worst, int(failed))
        return worst

    return with_operations(ctx, run)


def _recorded(line: bytes, words: dict[str, str | None]) -> IncomingEvent:
    event = decode(line).incoming()
    return replace(event, priority=Priority.parse(words["priority"])) if words["priority"] else event


async def _handed_in(operations: Operations, event: IncomingEvent, number: int) -> dict[str, Any]:
    try:
        result = await operations.submit(event)
    except Exception:
        # The store takes no more, or is gone, which is said by whoever called; of many lines one wants to know where to go on.
        if number > 1:
            say(f"stopped at line {number:,}: those before it were handed in")
        raise
    document: dict[str, Any] = {"id": result.id, "status": result.status}
    return document | {"error": result.error} if result.error else document


def _event(payload: bytes, diff: str | None, words: dict[str, str | None]) -> IncomingEvent:
    priority = words["priority"]
    return IncomingEvent(
        delivery=words["delivery"] or f"submit-{uuid.uuid4()}",
        type=words["event_type"] or "",
        payload=payload,
        source="submit",
        priority=Priority.parse(priority) if priority else None,
        diff=diff,
    )


def _print(document: dict[str, Any], *, as_json: bool, lines: bool) -> None:
    if as_json:
        (print_json_line if lines else print_json)(document)
        return
    if document["id"]:
        click.echo(document["id"])
    state = f", {document['event']['state']}" if "event" in document else ""
    error = f": {plain(document['error'], 200)}" if "error" in document else ""
    say(f"{document['status']}{state}{error}")


def _payloads(file: str, lines: bool, most: int) -> Iterator[tuple[int, bytes]]:
    """The payloads of a file with the numbers of their lines, one byte over ``most`` at the longest: the store says what is too large."""
    if file == "-":
        yield from _split(sys.stdin.buffer, lines, most)
        return
    try:
        with Path(file).open("rb") as opened:
            yield from _split(opened, lines, most)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror or error}") from None


def _split(opened: BinaryIO, lines: bool, most: int) -> Iterator[tuple[int, bytes]]:
    if not lines:
        yield 1, opened.read(most + 1)
        return
    number = 0
    while line := opened.readline(most + 1):
        rest = line
        number += 1
        while rest and not rest.endswith(b"\n"):
            rest = opened.readline(most + 1)
        if line.strip():
            yield number, line.strip()


def _read_text(name: str) -> str:
    try:
        return Path(name).read_text("utf-8", "replace")
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror or error}") from None
