"""The steps of a bulk operation, for whoever holds it: the next piece, its end, and what it came to."""

from __future__ import annotations

import logging

from gitbridge_console.domain.audit import Actor, Intent, Outcome
from gitbridge_console.domain.bulk import CHUNK_MAX, TICK_S, BulkState, chunk
from gitbridge_console.store.bulk_operations import BulkStore
from gitbridge_console.store.bulk_records import BulkRecord
from gitbridge_console.store.durability import NotDurable
from gitbridge_console.store.journal import AuditContended, AuditJournal

logger = logging.getLogger(__name__)

HOLD_S = 5.0
"""Whoever holds an operation and was not heard of for so long has lost it to another."""


async def piece(bulk: BulkStore, record: BulkRecord, fence: int, rate_per_s: float) -> int | None:
    """Do what is due in one tick; returns how many entries that were, ``None`` when nothing more is to be done."""
    sums, _ = await bulk.sums(record.id)
    most_left = None if record.most is None else record.most - sums.over
    if not sums.left or (most_left is not None and most_left <= 0):
        return None
    wanted = chunk(rate_per_s, sums.left, most_left)
    looked = 0
    for place, left in enumerate(sums.lefts):
        if left and looked < wanted:
            came, held = await bulk.step(record, fence, place, wanted - looked)
            if not held:
                break  # another one has it: the next hold says so
            looked += came.over
    return looked


async def finish(bulk: BulkStore, record: BulkRecord) -> bool:
    """End an operation of which nothing is to be done any more; whether it was this call that ended it."""
    sums, _ = await bulk.sums(record.id)
    note = f"its maximum of {record.most:,} was reached" if sums.left and record.most is not None else ""
    return await bulk.turn(record.id, BulkState.FINISHED, BulkState.RUNNING, note=note) == BulkState.RUNNING


async def tell(bulk: BulkStore, journal: AuditJournal, record: BulkRecord, host: str) -> None:
    """What it came to, for the log and the audit, by whoever brought it to its end; by another engine where that one died over it."""
    if not await bulk.may_tell(record.id):
        return
    await bulk.drop_left(record.id)
    sums, _ = await bulk.sums(record.id)
    result = f"{sums.done} done, {sums.skipped} skipped, {sums.failed} failed, {sums.dropped} not done"
    logger.info("bulk operation %s is over: %s", record.id, result)
    about = f"{record.id}: {record.deed.words}"
    try:
        entry = await journal.begin(Intent(Actor(record.by, host), "bulk end", about, record.reason, record.filter, record.planned))
        await journal.end(entry, Outcome(result, sums.done))
    except AuditContended as error:
        logger.warning("the end of bulk operation %s is not in the audit yet: %s", record.id, error)
        return
    except NotDurable as error:
        logger.warning("the end of bulk operation %s is in the audit, but not confirmed on disk: %s", record.id, error)
    await bulk.told(record.id)


async def do_now(bulk: BulkStore, journal: AuditJournal, record: BulkRecord, owner: str) -> None:
    """Do all of it at once, unless another one holds it or does so meanwhile."""
    while True:
        state, fence = await bulk.hold(record.id, owner, HOLD_S)
        if state != BulkState.RUNNING:
            return
        if await piece(bulk, record, fence, CHUNK_MAX / TICK_S) is None:
            if await finish(bulk, record):
                await tell(bulk, journal, record, owner.partition("/")[0])
            return
