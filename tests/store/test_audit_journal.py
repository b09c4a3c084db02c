"""The audit in a real store: one chain however many write, bounded, searched, and what was tampered with is found and located."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.domain.audit import UNFINISHED, Actor, AuditFilter, Intent, Outcome
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.fleet_lock import FleetLock
from gitbridge_console.store.journal import AuditJournal
from gitbridge_console.store.keys import Keys

pytestmark = pytest.mark.anyio

ANA = Actor("ana", "ops-3 (ssh from 192.0.2.9)", account="ana", login="ana", ssh="192.0.2.9", tty="/dev/pts/3", role="operator")


def journal_of(client: Redis, namespace: str, keep: int = 1000) -> AuditJournal:
    return AuditJournal(client, Keys(namespace), keep=lambda: keep)


async def written(journal: AuditJournal, what: str, target: str = "claude", actor: Actor = ANA, **more: Any) -> str:
    entry = await journal.begin(Intent(actor, what, target, more.pop("reason", "test"), **more))
    await journal.end(entry, Outcome("done", 1, {target: "open"}, {target: what}))
    return entry


async def test_a_write_is_there_before_it_runs_and_whole_after_it(client: Redis, namespace: str) -> None:
    journal = journal_of(client, namespace)
    entry = await journal.begin(Intent(ANA, "replay", "12 events", "outage over", "state=failed provider=grok", 12, {"failed": 12}))
    (begun,) = await journal.newest()
    assert (begun.what, begun.filter, begun.planned, begun.result) == ("replay", "state=failed provider=grok", 12, UNFINISHED)
    assert (begun.who, begun.login, begun.ssh, begun.tty, begun.role) == ("ana", "ana", "192.0.2.9", "/dev/pts/3", "operator")
    await journal_of(client, namespace).end(entry, Outcome("11 of 12 replayed", 11, after={"received": 11}))
    (ended,) = await journal.newest()
    assert (ended.result, ended.affected, ended.before, ended.after) == ("11 of 12 replayed", 11, {"failed": 12}, {"received": 11})


async def test_many_hands_make_one_chain(client: Redis, namespace: str) -> None:
    journals = [journal_of(client, namespace) for _ in range(8)]
    await asyncio.gather(*(written(journal, "pause", f"lane{n}") for n, journal in enumerate(journals)))
    report = await journals[0].verify()
    assert (report.entries, report.head.seq, report.problem) == (16, 16, "")
    assert sorted(entry.target for entry in await journals[0].newest()) == [f"lane{n}" for n in range(8)]
    assert {entry.result for entry in await journals[0].newest()} == {"done"}


async def rewrite(client: Redis, journal: AuditJournal, change: Callable[[list[Any]], list[Any]]) -> None:
    """Replace the stream by what ``change`` makes of its entries, as somebody with a shell could."""
    entries = change(await client.xrange(journal.chain.stream))
    await client.delete(journal.chain.stream)
    for entry_id, fields in entries:
        await client.xadd(journal.chain.stream, fields, id=entry_id)


def tampered(entries: list[Any]) -> list[Any]:
    fields = entries[4][1]
    fields[b"r"] = fields[b"r"].replace(b"grok", b"none")
    return entries


def damaged(entries: list[Any]) -> list[Any]:
    entries[4][1][b"r"] = b"\x00" * 9
    return entries


def removed(entries: list[Any]) -> list[Any]:
    return entries[:4] + entries[5:]


def first_removed(entries: list[Any]) -> list[Any]:
    return entries[2:]


def reordered(entries: list[Any]) -> list[Any]:
    (one, its), (other, others) = entries[2], entries[4]
    return [*entries[:2], (one, others), entries[3], (other, its), *entries[5:]]


def cut(entries: list[Any]) -> list[Any]:
    return entries[:-2]


def put_in(entries: list[Any]) -> list[Any]:
    return [*entries, (b"9-1", entries[0][1])]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (tampered, "entry 5 was altered: its hash is not that of what it says"),
        (damaged, "entry 5 was altered: its hash is not that of what it says"),
        (removed, "entry 5 is missing"),
        (first_removed, "entries 1 to 2 are missing"),
        (reordered, "entries 3 and 5 stand in the wrong order"),
        (cut, "entries 7 to 8 are missing at the end"),
        (put_in, "entry 9 does not follow the entry before it: one of the two was replaced"),
    ],
)
async def test_what_was_tampered_with_is_found_and_located(
    client: Redis, namespace: str, change: Callable[[list[Any]], list[Any]], problem: str
) -> None:
    journal = journal_of(client, namespace)
    for lane in ("claude", "chatgpt", "grok", "route"):
        await written(journal, "pause", lane)
    assert (await journal.verify()).problem == ""
    await rewrite(client, journal, change)
    assert (await journal.verify()).problem == problem
    assert await journal.newest(), "what is left can still be read"


async def test_a_chain_that_grows_and_is_trimmed_while_it_is_checked_holds(client: Redis, namespace: str) -> None:
    journal = journal_of(client, namespace)
    for n in range(150):
        await written(journal, "pause", f"lane{n}")

    async def meanwhile() -> None:
        for n in range(60):
            await written(journal, "resume", f"lane{n}")
            await journal.trim(2 * n, "somewhere.jsonl.gz")

    work = asyncio.create_task(meanwhile())
    reports = []
    while not work.done():
        reports.append(await journal.verify())
    await work
    assert {report.problem for report in [*reports, await journal.verify()]} == {""}
    assert (await journal.books()).exported == 118


async def test_nobody_exports_and_the_audit_is_bounded_all_the_same_and_says_what_went(client: Redis, namespace: str) -> None:
    journal = journal_of(client, namespace, keep=5)
    for n in range(20):
        await written(journal, "pause", f"lane{n}")
    report = await journal.verify()
    assert (report.entries, report.anchor.seq, report.head.seq, report.problem) == (10, 30, 40, "")
    assert (await journal.books()).lost == 30


async def test_a_head_that_is_gone_stops_no_operator_and_the_chain_goes_on(client: Redis, namespace: str) -> None:
    journal = journal_of(client, namespace)
    await written(journal, "pause")
    await client.delete(journal.chain.ends_key)
    await written(journal, "resume")
    report = await journal.verify()
    assert (report.head.seq, report.problem) == (4, "")


async def test_the_search_goes_as_far_back_as_the_audit(client: Redis, namespace: str) -> None:
    journal = journal_of(client, namespace)
    await written(journal, "breaker open", "grok", reason="burning money")
    for n in range(250):
        await written(journal, "prioritize", f"{n:010x}", Actor("bo", "ops-4"))

    async def found(line: str) -> list[str]:
        return [entry.what for entry in await journal.newest(5, AuditFilter.parse(line))]

    assert await found("who=ana") == ["breaker open"]
    assert await found("provider=grok what=breaker*") == ["breaker open"]
    assert await found("burning") == ["breaker open"]
    assert await found("!who=bo") == ["breaker open"]
    assert await found("who=bo since=1h text=00000000f9") == ["prioritize"]
    assert await found("since=2100-01-01") == []
    assert len(await found("until=2100-01-01")) == 5


@pytest.mark.parametrize(
    ("line", "wrong"),
    [("whom=ana", "did you mean 'who'"), ("since=soon", "no time"), ("who='ana", "quotation"), ("state=failed", "the audit is asked for")],
)
def test_a_filter_says_what_is_wrong_with_it(line: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        AuditFilter.parse(line)


async def test_what_is_kept_of_a_state_has_a_bound_and_says_what_was_left_out(client: Redis, namespace: str) -> None:
    journal = journal_of(client, namespace)
    entry = await journal.begin(Intent(ANA, "cancel", "many", before={f"{n:010x}": "failed" for n in range(500)}))
    await journal.end(entry, Outcome("done"))
    (kept,) = await journal.newest()
    assert 100 < len(kept.before) < 200
    assert kept.before["…"] == f"{501 - len(kept.before)} more"


async def test_one_holds_a_lock_at_a_time_and_a_new_owner_has_a_greater_fence(client: Redis, namespace: str) -> None:
    key = f"{{{namespace}}}:lock"
    first, second = (FleetLock(BoundedWrites(client), key, ttl_s=60) for _ in range(2))
    held = await first.hold()
    assert held > 0
    assert await first.hold() == held, "prolonged, it is the same"
    assert await second.hold() == 0
    await second.leave()
    assert await first.hold() == held, "nobody gives up what is not his"
    await first.leave()
    assert await second.hold() > held
