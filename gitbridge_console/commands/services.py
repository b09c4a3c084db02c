"""``worker`` and ``ingress``: processes without a screen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import click

from gitbridge_console.commands.door import address, serve_webhooks, watch_settings
from gitbridge_console.commands.lazy import options_of
from gitbridge_console.commands.output import JSON_OPTION, print_json, say
from gitbridge_console.commands.running import prepare
from gitbridge_console.commands.words import DURATION
from gitbridge_console.operations.drain import wait_drained
from gitbridge_console.operations.ending import Ending, leave_store_later, limit_s
from gitbridge_console.operations.errors import EndedEarly
from gitbridge_console.operations.receiver import LateSession
from gitbridge_console.operations.session import Session, open_session
from gitbridge_console.settings.holder import SettingsHolder

STORE_FIRST_S = 1.0
"""How long the door stays shut for the store to open: what comes in meanwhile would only be spooled."""


@click.command()
@click.option("--drain", is_flag=True, help="End once nothing is claimable or due within --drain-wait.")
@click.option("--drain-wait", type=DURATION, default=30.0, metavar="S", help="How far --drain looks ahead; default 30s.")
@click.option("--listen", metavar="HOST:PORT", help="Receive webhooks as well.")
@JSON_OPTION
@click.pass_context
def worker(ctx: click.Context, drain: bool, drain_wait: float, listen: str | None, as_json: bool) -> int:
    """Run the engine without a screen; as many as wanted, on any host. SIGTERM finishes what is in hand."""
    place = address(listen) if listen else None
    holder = SettingsHolder(prepare(ctx, to_stderr=True))

    async def work(stop: asyncio.Event) -> int:
        async with open_session(holder, role="worker", engine=True, stop=stop) as session:
            say("working; stop with Ctrl-C or SIGTERM")
            beside = _beside(ctx, session.holder, lambda: session, place, stop)
            try:
                if not drain:
                    await _until(stop, beside)
                    return 0
                summary = await wait_drained(session, drain_wait, stop)
            finally:
                await _end(beside)
        _print_summary(summary, as_json=as_json)
        return 0 if summary["drained"] else 1

    return run_service(work, holder)


@click.command()
@click.option("--listen", required=True, metavar="HOST:PORT", help="Where; :PORT is this host only.")
@click.pass_context
def ingress(ctx: click.Context, listen: str) -> int:
    """Receive webhooks: POST /webhook, and GET /healthz, /readyz, /metrics."""
    place = address(listen)
    holder = SettingsHolder(prepare(ctx, to_stderr=True))

    async def work(stop: asyncio.Event) -> int:
        if not holder.current.ingress.spool_max_bytes:
            # Without a spool there is nothing to be done before the store can be used.
            async with open_session(holder, role="ingress", engine=False, stop=stop) as session:
                return await _serve(ctx, holder, lambda: session, place, stop)
        late, leave = LateSession(holder, "ingress"), asyncio.Event()
        opened = asyncio.Event()
        opening = asyncio.create_task(late.run(leave, opened, say), name="session")
        opening.add_done_callback(lambda _: opened.set())
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(STORE_FIRST_S):
                    await opened.wait()
            return await _serve(ctx, holder, lambda: late.current, place, stop, opening)
        finally:
            leave.set()
            await opening

    return run_service(work, holder)


def run_service(work: Callable[[asyncio.Event], Awaitable[int]], holder: SettingsHolder) -> int:
    """Run ``work(stop)`` until it ends by itself, or until a signal has set ``stop`` and it has ended; returns its exit code."""
    with Ending(lambda: limit_s(holder.current), keep_ignored=True) as ending:
        ending.at_last(lambda: leave_store_later(holder.current))

        async def run() -> int:
            loop, stop = asyncio.get_running_loop(), asyncio.Event()

            def end() -> None:
                with suppress(RuntimeError):  # the loop has ended by itself
                    loop.call_soon_threadsafe(stop.set)

            ending.tell(end)
            try:
                return await work(stop)
            except EndedEarly:
                return 0

        return asyncio.run(run())


async def _serve(
    ctx: click.Context,
    holder: SettingsHolder,
    session: Callable[[], Session | None],
    place: tuple[str, int],
    stop: asyncio.Event,
    *watched: asyncio.Task[None],
) -> int:
    beside = _beside(ctx, holder, session, place, stop)
    try:
        await _until(stop, [*beside, *watched])
    finally:
        await _end(beside)
    return 0


def _beside(
    ctx: click.Context,
    holder: SettingsHolder,
    session: Callable[[], Session | None],
    place: tuple[str, int] | None,
    stop: asyncio.Event,
) -> list[asyncio.Task[None]]:
    watcher = watch_settings(holder, options_of(ctx), say)
    tasks = [asyncio.create_task(watcher.run(), name="settings")]
    if place is not None:
        tasks.append(asyncio.create_task(serve_webhooks(holder, session, *place, stop, say), name="ingress"))
    return tasks


async def _until(stop: asyncio.Event, beside: list[asyncio.Task[None]]) -> None:
    """Until told to stop, or until one of the others ends: that is trouble, and it is raised."""
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait({waiting, *beside}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in done - {waiting}:
        task.result()


async def _end(beside: list[asyncio.Task[None]]) -> None:
    """The watch ends at once; the HTTP door finishes the requests it has in hand."""
    for task in beside:
        if task.get_name() != "ingress" or not task.done():
            task.cancel()
    for task in beside:
        with suppress(asyncio.CancelledError):
            await task


def _print_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    finished = ", ".join(f"{name} {count}" for name, count in summary["finished"].items()) or "nothing to do"
    left = ", ".join(f"{name} {value}" for name, value in summary["left"].items() if value) or "nothing"
    say(f"{'drained' if summary['drained'] else 'interrupted'}: {finished}; left: {left}")
