"""A fleet that stands still: the same picture every time, with text in it that means harm."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from gitbridge_console.domain.decisions import Agreement, Answer, AnswerStatus, Cluster, Conflict, Decision, DecisionState
from gitbridge_console.domain.snapshots import (
    Alert,
    AuditEntry,
    BreakerStatus,
    ChangeReport,
    DecisionSummary,
    ErrorStatus,
    EventDetail,
    EventSummary,
    FleetSnapshot,
    JobSummary,
    LaneStatus,
    LogLine,
    PauseInfo,
    Percentiles,
    ProviderStatus,
    StoreStatus,
    TaskDetail,
    TimelineEntry,
)
from gitbridge_console.domain.tasks import Attempt

T = TypeVar("T")

AT = "2026-11-22T21:00:00.000Z"
HOSTILE = "\x1b[31mred\x1b]0;owned\x07 [bold]markup[/bold] \u202egnp.exe\u2069 e\u0301\u0301\u0301\u0301 \x00\x9b2J"
"""Escape codes, a window title, Rich markup, a direction override, a heap of accents and raw control bytes."""

TREND = (None, None, None, 800.0, 900.0, 850.0, 1200.0, 2400.0, 2000.0, 1500.0, 1000.0, 900.0, 950.0, 880.0, 860.0)


def lane(*counts: int, **more: Any) -> LaneStatus:
    by_priority = dict(zip(("critical", "high", "normal", "low", "bulk"), counts or (0,) * 5, strict=True))
    return LaneStatus.model_validate({"depth": sum(counts), "by_priority": by_priority} | more)


def provider(state: str = "ok", **more: Any) -> ProviderStatus:
    own: dict[str, Any] = {
        "state": state,
        "model": "model-1",
        "api": "responses",
        "in_flight": 2,
        "limit": 16,
        "calls": {"1m": 31, "15m": 402},
        "latency_ms": Percentiles(p50=840.0, p95=2400.0, p99=5100.0),
        "errors": ErrorStatus(rate=0.004, by_class={"transient": 2}),
        "availability": 0.996,
        "tokens": {"in": 120_000, "out": 9_000},
        "cost_usd": 1.2345,
        "latency_trend_ms": TREND,
    }
    return ProviderStatus.model_validate(own | more)


def snapshot(**more: Any) -> FleetSnapshot:
    """A fleet in trouble: Grok is open, ChatGPT is paused."""
    own: dict[str, Any] = {
        "at": AT,
        "namespace": "prod-eu",
        "store": StoreStatus(url="unix", ok=True),
        "lanes": {
            "fetch": lane(),
            "route": lane(0, 1, 2, 0, 0, leased=1, oldest_age_s=0.4),
            "claude": lane(0, 1, 9, 2, 0, waiting=3, leased=4, oldest_age_s=41.0),
            "grok": lane(3, 80, 400, 129, 0, waiting=7, oldest_age_s=252.0),
            "chatgpt": lane(0, 0, 98, 0, 0, paused=PauseInfo(by="ana", reason="maintenance", since=AT), oldest_age_s=75.0),
            "decide": lane(waiting=44),
            "act": lane(),
        },
        "providers": {
            "claude": provider("slow", reason="2.4 s an answer, usually 0.8 s"),
            "grok": provider(
                "open",
                reason="circuit breaker open after transient, transient, silent",
                since=AT,
                errors=ErrorStatus(rate=0.61, by_class={"transient": 200, "silent": 45}),
                breaker=BreakerStatus(state="open", failures=5, next_probe="2026-11-22T21:00:12.000Z", causes=("transient", "silent")),
            ),
            "chatgpt": provider("paused", reason="paused by ana: maintenance", cost_usd=None),
        },
        "events": {"received": 3, "routed": 40, "consensus_pending": 44, "resolved": 1204, "failed": 37, "awaiting_approval": 2},
        "totals": {"received": 1400, "resolved": 1204},
        "rates": {"in_per_s": 4.2, "out_per_s": 3.9},
        "alerts": (
            Alert(level="critical", code="provider_open", text="grok open: circuit breaker open after transient, silent", since=AT),
            Alert(level="warning", code="old_work", text="grok: oldest has waited 252 s", since=AT),
            Alert(level="warning", code="paused", text="chatgpt paused by ana: maintenance (98 wait)", since=AT),
        ),
        "consensus": {"complete": 1100, "partial": 60, "degraded": 7, "failed": 37, "split": 210},
        "log": tuple(
            LogLine(
                at=f"2026-11-22T20:59:{n:02d}.000Z",
                level=("info", "warning", "error")[n % 3],
                what="resolved",
                id=f"000000{n:02d}00",
                text=HOSTILE if n == 39 else "noted",
            )
            for n in range(20, 40)
        ),
        "max_waiting": 10_000,
    }
    return FleetSnapshot.model_validate(own | more)


JOBS = [
    JobSummary(
        id=f"00000a{n:02d}00.1",
        event_id=f"00000a{n:02d}00",
        lane=("claude", "grok")[n % 2],
        place=("leased", "ready", "waiting")[min(n, 2)],
        priority="normal",
        age_s=60.0 * n,
        due_in_s=9.0 if n > 1 else None,
        kind="code_review",
        repository="acme/shop",
        subject=f"acme/shop#{n} {HOSTILE if n == 3 else ''}",
    )
    for n in range(8)
]

FAILED = [
    EventSummary(
        id=f"00000b{n:02d}00",
        delivery="d",
        type="pull_request",
        repository="acme/shop",
        subject=f"acme/shop#{n}",
        title=HOSTILE if n == 0 else "Round tax per line",
        kind="code_review",
        priority="normal",
        state="failed",
        received_at=AT,
        age_s=30.0,
        error_class="silent",
        error_code="ERR_ROUTING_003",
    )
    for n in range(4)
]

DECISIONS = [
    DecisionSummary(
        id=f"00000c{n:02d}00-1",
        event_id=f"00000c{n:02d}00",
        created_at=AT,
        kind="code_review",
        repository="acme/shop",
        subject=f"acme/shop#{n}",
        title=HOSTILE if n == 1 else "Round tax per line",
        state=("complete", "degraded")[n % 2],
        verdict="request_changes",
        agreement="2/3",
        findings="1 of 3 confirmed",
        conflicts=n,
        needs_operator=n % 2 == 1,
    )
    for n in range(5)
]


def answer(name: str, verdict: str | None, status: AnswerStatus = AnswerStatus.OK, **more: Any) -> Answer:
    payload = {"findings": [], "summary": f"{name} thinks so"} if verdict else None
    own = {"task_id": f"e.{name}", "model": "model-1", "latency_ms": 900.0, "cost_usd": 0.01, "prompt": "code_review@1.1"}
    return Answer.model_validate(own | {"provider": name, "status": status, "verdict": verdict, "payload": payload} | more)


def member(name: str, severity: str, title: str) -> dict[str, Any]:
    return {"provider": name, "index": 0, "severity": severity, "title": title, "path": "tax/sale.py", "start_line": 88}


def cluster(number: int, severity: str, line: int, *members: dict[str, Any]) -> Cluster:
    tier = "same" if len(members) > 1 else "lone"
    title = str(members[0]["title"])
    return Cluster(
        id=number, tier=tier, k=len(members), n=2, severity=severity, path="tax/sale.py", line=line, title=title, members=members
    )


DECISION = Decision(
    id="d1",
    event_id="00000b0000",
    run=1,
    created_at=AT,
    kind="code_review",
    state=DecisionState.PARTIAL,
    strategy="policy",
    verdict="request_changes",
    seats=3,
    quorum=2,
    answered=2,
    agreement=Agreement(verdict_k=1, verdict_n=2, findings_confirmed=1, findings_total=2),
    clusters=(
        cluster(1, "high", 88, member("claude", "critical", "tax rounded twice"), member("chatgpt", "medium", HOSTILE)),
        cluster(2, "low", 102, member("claude", "low", "name shadows builtin")),
    ),
    conflicts=(
        Conflict(
            type="verdict",
            subject="verdict",
            positions={"claude": "request_changes", "chatgpt": "comment"},
            resolution="request_changes",
            resolved_by="policy",
        ),
    ),
    rationale=("2 votes, quorum 2", "R1: #1 is high and confirmed by 2 of 2"),
    answers=(answer("chatgpt", "comment"), answer("claude", "request_changes"), answer("grok", None, AnswerStatus.TIMEOUT, reason=HOSTILE)),
    needs_operator=True,
    cost_usd=0.02,
)

ATTEMPTS = (
    Attempt(
        provider="grok",
        model="grok-4.7",
        started_at=AT,
        latency_ms=120.0,
        outcome="transient",
        verdict="fail_over",
        message=HOSTILE,
        http_status=500,
    ),
    Attempt(
        provider="chatgpt",
        model="gpt-6.1-sol",
        started_at=AT,
        latency_ms=900.0,
        outcome="ok",
        verdict="ok",
        http_status=200,
        tokens_in=900,
        tokens_out=120,
        cost_usd=0.01,
    ),
)

EVENT = EventDetail(
    id="00000b0000",
    delivery="d",
    type="pull_request",
    action_name="opened",
    repository="acme/shop",
    subject="acme/shop#412",
    title=HOSTILE,
    author="kim",
    kind="code_review",
    priority="normal",
    state="awaiting_approval",
    reason="the head of a pull request changed",
    received_at=AT,
    timeline=(TimelineEntry(at=AT, what="received", by="webhook"), TimelineEntry(at=AT, what=f"routed: {HOSTILE}", by="router")),
    tasks=(TaskDetail(id="00000b0000.1", provider="chatgpt", seat="grok", state="succeeded", deliveries=2, calls=2, attempts=ATTEMPTS),),
    decision=DECISION,
    action={
        "type": "review",
        "dry_run": True,
        "reason": "",
        "requests": [{"method": "POST", "path": "/repos/acme/shop/pulls/412/reviews", "body": {"event": "COMMENT", "body": HOSTILE}}],
    },
    routing=("claude: chosen: score 0.50, preferred",),
)


class StillDoor:
    """Answers every question with the same data and remembers every write."""

    def __init__(self) -> None:
        self.writes: list[tuple[Any, ...]] = []

    async def list_jobs(self, lane: str | None = None, limit: int = 200) -> list[JobSummary]:
        return JOBS

    async def list_events(self, wanted: Any = None, limit: int = 100) -> list[EventSummary]:
        return FAILED if wanted is None or wanted.state == "failed" else []

    async def list_decisions(self, limit: int = 100) -> list[DecisionSummary]:
        return DECISIONS

    async def list_audit(self, limit: int = 100) -> list[AuditEntry]:
        return [AuditEntry(at=AT, who="ana", host="ops-3", what="pause", target="chatgpt", reason="maintenance", result="done")]

    async def show_event(self, event_id: str, *, payload: bool = False) -> EventDetail:
        return EVENT.model_copy(update={"payload_text": '{"title": "x"}' if payload else None})

    def __getattr__(self, name: str) -> Callable[..., Awaitable[ChangeReport]]:
        async def write(*args: Any, **more: Any) -> ChangeReport:
            self.writes.append((name, *args, *more.values()))
            return ChangeReport(changed=1)

        return write


class StillFleet:
    """Satisfies the console's ``Fleet``; an operation is over before ``call`` returns."""

    def __init__(self, picture: FleetSnapshot | None = None) -> None:
        self.snapshot: FleetSnapshot | None = picture if picture is not None else snapshot()
        self.door: Any = StillDoor()
        self.stopped = False

    def call(self, operation: Callable[[Any], Awaitable[T]]) -> concurrent.futures.Future[T]:
        async def run() -> T:
            return await operation(self.door)

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(lambda: asyncio.run(run()))
        return future

    def request_stop(self) -> None:
        self.stopped = True
