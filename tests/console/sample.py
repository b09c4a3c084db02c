"""A made-up fleet for the console's tests: busy, partly broken, and with text that wants to harm a terminal."""

from __future__ import annotations

from typing import Any

from sample_decisions import HOSTILE, SHA, decision

from gitbridge_console.domain.event_views import (
    AuditEntry,
    DecisionSummary,
    ErrorDetail,
    EventDetail,
    EventSummary,
    JobSummary,
    TaskDetail,
    TimelineEntry,
)
from gitbridge_console.domain.snapshots import (
    Alert,
    BreakerStatus,
    EngineStatus,
    ErrorStatus,
    FleetSnapshot,
    LaneStatus,
    LogLine,
    PauseInfo,
    Percentiles,
    ProviderStatus,
    RateLimitStatus,
    RetryBudgetStatus,
    StoreStatus,
)
from gitbridge_console.domain.tasks import Attempt

AT = "2026-11-22T21:14:03.250Z"


def lane(ready: int = 0, waiting: int = 0, leased: int = 0, oldest: float | None = None, **more: Any) -> LaneStatus:
    """A lane whose ready work is spread over the priorities."""
    high = ready // 10
    by = {"critical": min(ready, 1), "high": high, "normal": max(0, ready - high - min(ready, 1)), "low": 0, "bulk": 0}
    return LaneStatus(depth=ready, by_priority=by, waiting=waiting, leased=leased, oldest_age_s=oldest, **more)


def providers() -> dict[str, ProviderStatus]:
    """One well, one slow, one whose circuit is open."""
    return {
        "claude": ProviderStatus(
            state="ok",
            model="claude-sonnet-5-5",
            api="anthropic",
            in_flight=4,
            limit=8,
            limit_max=16,
            rate_limits={
                "requests": RateLimitStatus(limit=50, remaining=0, opens_at="2026-11-22T21:14:04.000Z", source="settings"),
                "output_tokens": RateLimitStatus(limit=80_000, remaining=3_120),
            },
            retry_budget=RetryBudgetStatus(tokens=8.4, repeats=2, calls=31),
            calls={"1m": 31, "15m": 442},
            latency_ms=Percentiles(p50=2_140, p95=4_820, p99=7_900),
            errors=ErrorStatus(rate=0.004, by_class={"overloaded": 2}),
            availability=0.999,
            tokens={"in": 1_204_332, "out": 88_410},
            cost_usd=4.9381,
            latency_trend_ms=(4100, 4300, 4200, 4600, 4400, 4500, 4900, 4700, 4600, 4800, 4700, 4900, 4800, 4750, 4820),
        ),
        "grok": ProviderStatus(
            state="slow",
            reason="p95 is 3.1 times what is usual for it",
            model="grok-4.7",
            api="responses",
            in_flight=6,
            limit=6,
            calls={"1m": 18, "15m": 297},
            latency_ms=Percentiles(p50=5_300, p95=18_400, p99=27_000),
            errors=ErrorStatus(rate=0.081, by_class={"rate_limit": 17, "silent": 7}),
            availability=0.93,
            tokens={"in": 804_112, "out": 70_233},
            cost_usd=1.2093,
            gate_until="2026-11-22T21:14:20.000Z",
            latency_trend_ms=(6000, 6100, 6400, 7000, 7300, 9100, 9800, 11000, 12400, 13000, 14100, 15800, 17000, 17900, 18400),
        ),
        "chatgpt": ProviderStatus(
            state="open",
            since="2026-11-22T21:11:40.000Z",
            reason="5 failures in a row: HTTP 503 upstream connect error; next probe at 21:14:40",
            model="gpt-6.1-sol",
            api="responses",
            in_flight=0,
            limit=8,
            calls={"1m": 0, "15m": 61},
            latency_ms=Percentiles(p50=3_900, p95=9_300, p99=9_800),
            errors=ErrorStatus(rate=0.61, by_class={"transient": 30, "broken_stream": 7}),
            availability=0.39,
            tokens={"in": 90_412, "out": 7_120},
            cost_usd=None,
            breaker=BreakerStatus(
                state="open", failures=5, next_probe="2026-11-22T21:14:40.000Z", causes=("transient", "transient", HOSTILE)
            ),
            latency_trend_ms=(3800, 3900, 4000, 3900, 4200, 5100, 8000, 9000, 9300, 9300, None, None, None, None, None),
        ),
    }


def fleet(**changes: Any) -> FleetSnapshot:
    """The whole picture; ``changes`` replace fields."""
    picture = FleetSnapshot(
        at=AT,
        namespace="prod-eu",
        store=StoreStatus(url="unix:///run/gitbridge/valkey.sock", ok=True, memory_bytes=48_211_000),
        lanes={
            "fetch": lane(0, 0, 1, 0.4),
            "route": lane(3, 0, 2, 1.2),
            "claude": lane(41, 2, 4, 22),
            "grok": lane(212, 6, 6, 191),
            "chatgpt": lane(38, 0, 0, 143),
            "decide": lane(0, 29, 1, 64),
            "act": lane(12, 0, 0, 902, paused=PauseInfo(by="ana", reason="release freeze", since="2026-11-22T20:58:59.000Z")),
        },
        providers=providers(),
        events={
            "received": 5,
            "ignored": 1_204,
            "routed": 261,
            "parked": 2,
            "consensus_pending": 29,
            "awaiting_approval": 2,
            "resolved": 18_442,
            "failed": 37,
            "superseded": 310,
            "shed": 0,
            "cancelled": 4,
        },
        totals={"received": 20_296, "resolved": 18_442, "ignored": 1_204, "failed": 37, "superseded": 310, "cancelled": 4},
        rates={"in_per_s": 0.8, "out_per_s": 0.5},
        queue_latency_ms=Percentiles(p50=1.1, p95=3.2, p99=4.8),
        routing_latency_ms=Percentiles(p50=31, p95=74, p99=96),
        engines=(EngineStatus(id="e1", host="ops-1", role="console", beat_age_s=0.6, version="0.1.0", settings="ab12"),),
        quarantined=3,
        duplicates=18,
        alerts=(
            Alert(
                level="critical",
                code="provider_open",
                text="chatgpt open: 5 failures in a row: HTTP 503 upstream connect error; next probe at 21:14:40",
                since=AT,
                jump="providers",
            ),
            Alert(level="warning", code="old_work", text="act: oldest has waited 15m02", since=AT, jump="queue"),
            Alert(level="warning", code="quarantine", text="3 in quarantine: could not be read as events", since=AT, jump="failures"),
        ),
        consensus={"complete": 911, "partial": 33, "degraded": 8, "failed": 3, "split": 41},
        log=(
            LogLine(at="2026-11-22T21:11:40.100Z", level="error", what="breaker", id="chatgpt", text="opened after 5 failures"),
            LogLine(at="2026-11-22T21:12:02.000Z", level="info", what="resolved", id="00000412", text="acme/shop#412 request changes 2/2"),
            LogLine(at="2026-11-22T21:13:10.000Z", level="warning", what="failed", id="00000977", text=HOSTILE),
            LogLine(at="2026-11-22T21:13:40.000Z", level="warning", what="gate", id="grok", text="rate limit, closed for 40 s"),
            LogLine(at="2026-11-22T21:14:01.000Z", level="info", what="resolved", id="00000991", text="acme/api push main ok 2/2"),
        ),
        max_waiting=10_000,
    )
    return picture.model_copy(update=changes)


def calm() -> FleetSnapshot:
    """Nothing is wrong."""
    well = providers()["claude"]
    return fleet(
        alerts=(),
        providers={name: well for name in ("claude", "grok", "chatgpt")},
        lanes={name: lane(2, 0, 1, 1.0) for name in fleet().lanes},
        events=fleet().events | {"failed": 0, "parked": 0, "awaiting_approval": 0},
    )


def first_run() -> FleetSnapshot:
    """No provider has a key."""
    names = {"claude": "ANTHROPIC_API_KEY", "grok": "XAI_API_KEY", "chatgpt": "OPENAI_API_KEY"}
    return fleet(
        lanes={name: lane() for name in fleet().lanes},
        providers={
            name: ProviderStatus(state="no_key", reason=f"set {key} in the environment", model=p.model, api=p.api, limit=p.limit)
            for (name, key), p in zip(names.items(), providers().values(), strict=True)
        },
        events={},
        totals={},
        alerts=tuple(
            Alert(level="warning", code="provider_no_key", text=f"{name}: set {key} in the environment", since=AT)
            for name, key in names.items()
        ),
        log=(),
        consensus={},
        quarantined=0,
    )


def store_away() -> FleetSnapshot:
    """The store has not answered for 42 seconds."""
    last = fleet()
    error = "the store does not answer: Connection refused"
    return last.model_copy(update={"store": last.store.model_copy(update={"ok": False, "age_s": 42.0, "error": error})})


def jobs(count: int = 60) -> list[JobSummary]:
    """Leased, ready and waiting work of three lanes."""
    out = []
    for n in range(count):
        place = "leased" if n < 6 else "waiting" if n > count - 5 else "ready"
        lane_name = ("grok", "claude", "chatgpt")[n % 3]
        event_id = f"{1000 + n:08d}"
        out.append(
            JobSummary(
                id=f"{event_id}.{n % 2}",
                event_id=event_id,
                lane=lane_name,
                place=place,
                priority=("critical", "high", "normal", "normal", "low", "bulk")[min(5, n // 4)],
                age_s=240 - 3 * n,
                due_in_s=12.0 if place == "waiting" else None,
                tries=n % 3,
                kind=("code_review", "documentation", "issue_triage")[n % 3],
                repository="acme/shop",
                subject=f"acme/shop#{400 + n}",
            )
        )
    return out


def failures() -> list[EventSummary]:
    """Failed and parked events, one with a hostile title."""
    rows = [
        ("00000977", "failed", "transient", HOSTILE, "gave up after 4 calls: HTTP 503"),
        ("00000969", "failed", "no_quorum", "Round tax per line", "1 of 2 answers"),
        ("00000951", "failed", "credential", "Bump urllib3 to 3.1", "HTTP 401 from grok"),
        ("00000948", "failed", "invalid_output", "購物車為空時不要崩潰", "answer does not fit the schema"),
        ("00000930", "parked", "", "Add retry to the webhook sender", "no provider can take it now"),
    ]
    return [
        EventSummary(
            id=event_id,
            delivery=f"d-{event_id}",
            type="pull_request",
            repository="acme/shop",
            subject=f"acme/shop#{int(event_id)}",
            title=title,
            kind="code_review",
            priority="normal",
            state=state,
            received_at=f"2026-11-22T21:0{n}:11.000Z",
            age_s=600 - 60 * n,
            run=1 + n % 2,
            reason=reason,
            error_class=error,
        )
        for n, (event_id, state, error, title, reason) in enumerate(rows)
    ]


def decisions() -> list[DecisionSummary]:
    """Agreement, dissent, and one that wants an operator."""
    rows = [
        ("00000412", "complete", "request_changes", "2/3", "4 of 7 confirmed", "VSL2CU", "usual", True, "Round tax per line"),
        ("00000991", "complete", "ok", "2/2", "", "", "all clear", False, "main: 3 commits"),
        ("00000987", "partial", "comment", "1/2", "0 of 2 confirmed", "M", "low", False, HOSTILE),
        ("00000981", "degraded", "approve", "1/1", "", "M2", "", True, "Fix typo"),
        ("00000975", "failed", "none", "0/2", "", "M3", "", False, "Speed up import"),
    ]
    return [
        DecisionSummary(
            id=f"{event_id}-1",
            event_id=event_id,
            created_at=f"2026-11-22T21:1{3 - n if n < 4 else 0}:09.000Z",
            kind="code_review",
            repository="acme/shop",
            subject=f"acme/shop#{int(event_id)}",
            title=title,
            state=state,
            verdict=verdict,
            agreement=agreement,
            findings=findings,
            conflicts=len(conflicts),
            conflict_types=conflicts,
            band=band,
            needs_operator=operator,
        )
        for n, (event_id, state, verdict, agreement, findings, conflicts, band, operator, title) in enumerate(rows)
    ]


def audit() -> list[AuditEntry]:
    """Operators' writes, newest first."""
    return [
        AuditEntry(
            at="2026-11-22T21:05:00.000Z",
            who="ben",
            host="ops-1",
            what="replay",
            target="00000951",
            reason="key renewed",
            result="1 of 1 replayed",
        ),
        AuditEntry(
            at="2026-11-22T20:58:59.000Z", who="ana", host="ops-1", what="pause", target="act", reason="release freeze", result="done"
        ),
    ]


def event(event_id: str = "00000412", *, payload: bool = False) -> EventDetail:
    """One event with everything there can be."""

    def attempt(provider: str, outcome: str, verdict: str, message: str = "", status: int | None = 200) -> Attempt:
        return Attempt(
            provider=provider,
            model=providers()[provider].model,
            started_at="2026-11-22T21:11:41.000Z",
            latency_ms=4_100,
            outcome=outcome,
            verdict=verdict,
            message=message,
            http_status=status,
            tokens_in=9_120,
            tokens_out=611,
            cost_usd=0.0365 if provider == "claude" else None,
        )

    answers = decision().answers
    return EventDetail(
        id=event_id,
        delivery="8f1b2c3d-0000",
        type="pull_request",
        action_name="opened",
        repository="acme/shop",
        subject="acme/shop#412",
        title="Round tax per line " + HOSTILE,
        author="mallory",
        url="https://github.example/acme/shop/pull/412",
        head_sha=SHA,
        kind="code_review",
        priority="high",
        state="awaiting_approval",
        received_at="2026-11-22T21:11:39.000Z",
        timeline=(
            TimelineEntry(at="2026-11-22T21:11:39.000Z", what="received", by="ingress"),
            TimelineEntry(at="2026-11-22T21:11:39.400Z", what="routed to claude, grok, chatgpt", by="e1"),
            TimelineEntry(at="2026-11-22T21:12:02.000Z", what="awaiting_approval " + HOSTILE, by="e1"),
        ),
        tasks=(
            TaskDetail(
                id=f"{event_id}.1",
                provider="claude",
                seat="claude",
                state="succeeded",
                deliveries=1,
                calls=1,
                attempts=(attempt("claude", "ok", "ok"),),
                answer=answers[0],
            ),
            TaskDetail(
                id=f"{event_id}.2",
                provider="grok",
                seat="chatgpt",
                state="succeeded",
                deliveries=2,
                calls=2,
                attempts=(attempt("chatgpt", "transient", "fail_over", "HTTP 503 " + HOSTILE, 503), attempt("grok", "ok", "ok")),
                answer=answers[1],
            ),
        ),
        decision=decision(),
        action={
            "type": "review",
            "dry_run": True,
            "requests": [
                {
                    "method": "POST",
                    "path": "/repos/acme/shop/pulls/412/reviews",
                    "body": {
                        "commit_id": SHA,
                        "event": "COMMENT",
                        "body": "## 2 of 2 reviewers ask for changes\n" + HOSTILE.replace("\ud800", ""),
                    },
                }
            ],
        },
        error=ErrorDetail(cls="transient", code="ERR_ROUTING_002", message="HTTP 503 from chatgpt") if event_id == "00000977" else None,
        routing=("claude: chosen, healthy, load 0.5", "chatgpt: chosen, then moved to grok: circuit open"),
        payload_text='{"action": "opened", "number": 412, "title": "[bold]Round[/bold] tax"}' if payload else None,
    )
