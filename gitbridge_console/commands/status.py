"""``status``: the fleet in one page of text or one JSON document."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable

import click

from gitbridge_console.commands.output import JSON_OPTION, no_terminal, plain, print_json, print_json_line, seconds, table
from gitbridge_console.commands.running import prepare, with_operations
from gitbridge_console.domain.snapshots import CacheStatus, FleetSnapshot, LaneStatus, ProviderStatus, ReceiverStatus
from gitbridge_console.operations.operations import Operations


@click.command()
@JSON_OPTION
@click.option("--watch", is_flag=True, help="Again and again, every console.refresh_s; with --json one document a line.")
@click.pass_context
def status(ctx: click.Context, as_json: bool, watch: bool) -> None:
    """Lanes, providers, events and alerts, now."""
    refresh_s = prepare(ctx).console.refresh_s

    async def look(operations: Operations) -> None:
        while True:
            snapshot = await operations.status()
            if watch and as_json:
                print_json_line(snapshot)
                sys.stdout.flush()
            elif as_json:
                print_json(snapshot)
            else:
                if watch and not no_terminal():
                    click.clear()
                click.echo(as_text(snapshot))
            if not watch:
                return
            await asyncio.sleep(refresh_s)

    with_operations(ctx, look)


def show_once(ctx: click.Context) -> int:
    """The page of ``--once``."""
    click.echo(as_text(with_operations(ctx, lambda operations: operations.status())))
    return 0


def as_text(snapshot: FleetSnapshot) -> str:
    """The page."""
    return "\n\n".join(part for part in _parts(snapshot) if part)


def _parts(snapshot: FleetSnapshot) -> Iterable[str]:
    rates, store = snapshot.rates, snapshot.store
    yield (
        f"{snapshot.namespace} at {snapshot.at}, store {plain(store.url)} {'ok' if store.ok else 'AWAY'}, "
        f"{len(snapshot.engines)} engines, in {rates.get('in_per_s', 0):.1f}/s, out {rates.get('out_per_s', 0):.1f}/s"
    )
    yield "\n".join(f"{alert.level.upper()}: {plain(alert.text)}" for alert in snapshot.alerts)
    yield table(
        ("LANE", "READY", "WAITING", "LEASED", "OLDEST", "NOTE"),
        (
            (
                name,
                lane.depth,
                lane.waiting,
                lane.leased,
                seconds(lane.oldest_age_s),
                _lane_note(lane),
            )
            for name, lane in snapshot.lanes.items()
        ),
    )
    yield table(
        ("PROVIDER", "STATE", "IN FLIGHT", "15 MIN", "P50", "P95", "ERRORS", "NOTE"),
        (_provider_row(name, provider) for name, provider in snapshot.providers.items()),
    )
    events = ", ".join(f"{state} {count}" for state, count in snapshot.events.items() if count)
    yield f"events: {events or 'none'}; quarantined {snapshot.quarantined}, duplicates {snapshot.duplicates}, refused {snapshot.refused}"
    if (last := snapshot.reconcile) is not None:
        yield f"reconcile {last.at}: {last.missed} missed, {last.asked} asked for again" + (f"; {last.problem}" if last.problem else "")
    if snapshot.legacy is not None and (snapshot.legacy.waiting or snapshot.legacy.processing):
        yield f"legacy list: {snapshot.legacy.waiting:,} of {snapshot.legacy.max_waiting:,} wait, {snapshot.legacy.processing} under way"
    if snapshot.receivers:
        yield table(("RECEIVER", "SPOOLED", "BYTES", "OLDEST", "BEAT"), map(_receiver_row, snapshot.receivers))
    if snapshot.cache.hit_rate is not None:
        yield _cache_line(snapshot.cache)
    if snapshot.overload.step != "normal":
        yield f"overload: {snapshot.overload.step.replace('_', ' ')}: {snapshot.overload.reason}"


def _receiver_row(receiver: ReceiverStatus) -> tuple[object, ...]:
    spool = receiver.spool
    if spool is None:
        return (plain(receiver.id), "no spool", "", "", seconds(receiver.beat_age_s))
    return (plain(receiver.id), spool.records, spool.bytes, seconds(spool.oldest_age_s), seconds(receiver.beat_age_s))


def _cache_line(cache: CacheStatus) -> str:
    saved = "" if cache.saved_usd is None else f", ${cache.saved_usd:.4f} saved"
    looked_up = cache.hits + cache.misses
    return f"answer cache in 15 min: {cache.hits} of {looked_up} questions known already, {cache.waits} waits for one in flight{saved}"


def _lane_note(lane: LaneStatus) -> str:
    held = f"{lane.held} held back: their repository has its share" if lane.held else ""
    batched = f"{lane.batched} wait for a batch" if lane.batched else ""
    paused = f"paused by {lane.paused.by}: {lane.paused.reason}" if lane.paused else ""
    draining = f"draining by {lane.draining.by}: {lane.draining.reason}" if lane.draining else ""
    return "; ".join(filter(None, (paused, draining, held, batched)))


def _provider_row(name: str, provider: ProviderStatus) -> tuple[object, ...]:
    latency = provider.latency_ms
    return (
        name,
        provider.state,
        f"{provider.in_flight}/{provider.limit}",
        provider.calls.get("15m", 0),
        _ms(latency.p50),
        _ms(latency.p95),
        f"{100 * provider.errors.rate:.0f} %",
        provider.reason,
    )


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"
