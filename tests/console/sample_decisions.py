"""Decisions for the console's tests, made by the real ``ConsensusManager`` from made-up answers: rich, torn, growing, huge."""

from __future__ import annotations

from typing import Any

from gitbridge_console.consensus.manager import ConsensusInput, ConsensusManager
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Basis, Decision, Edit, Verification
from gitbridge_console.domain.events import Kind
from gitbridge_console.settings.routing import KindSettings

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07[red]fix[/red] \u202egnp.exe\u2066 \u200btitle\u2028a\nb \ud800 Z\u0300\u0301\u0302\u0303\u0304\u0305 \x9b31m"
)
"""Escape codes, markup, direction overrides, line ends, a lone surrogate and a heap of accents."""

SHA = "3f9c1e2a77b0d4c8e1f0a9b2c3d4e5f60718293a"
MODELS = {"claude": "claude-sonnet-5-5", "grok": "grok-4.7", "chatgpt": "gpt-6.1-sol"}
COSTS = {"claude": 0.0365, "chatgpt": 0.0412}


def finding(title: str, severity: str, path: str, line: int, body: str = "", **more: Any) -> dict[str, Any]:
    """One finding of an answer."""
    return {
        "path": path,
        "start_line": line,
        "end_line": line + 2,
        "category": "bug",
        "title": title,
        "body": body or f"{path} has it from line {line} on, {severity}.",
        "evidence": "total = round(sum(lines), 2)",
        "severity": severity,
        "confidence": "medium",
    } | more


def answer(provider: str, verdict: str | None, findings: list[dict[str, Any]], **more: Any) -> Answer:
    """A provider's answer; without a verdict it has none."""
    number = list(MODELS).index(provider) + 1 if provider in MODELS else 4
    given: dict[str, Any] = {
        "task_id": f"00000412.{number}",
        "provider": provider,
        "model": MODELS.get(provider, "model-1"),
        "status": AnswerStatus.OK,
        "verdict": verdict,
        "payload": {"findings": findings, "summary": f"{len(findings)} things to look at.", "verdict": verdict} if verdict else None,
        "latency_ms": 4_100.0 * number,
        "tokens_in": 9_120,
        "tokens_out": 611,
        "cost_usd": COSTS.get(provider),
        "prompt": "code_review@1",
    }
    return Answer(**(given | more))


def decide(answers: list[Answer], basis: Basis | None = None, **policy: Any) -> Decision:
    """What the real manager makes of them."""
    return ConsensusManager().decide(
        ConsensusInput(
            event_id="00000412",
            run=1,
            kind=Kind.CODE_REVIEW,
            policy=KindSettings(
                **({"seats": min(8, max(2, len(answers))), "quorum": 2, "strategy": "policy", "approval": "operator"} | policy)
            ),
            answers=tuple(answers),
            created_at="2026-11-22T21:12:02.000Z",
            decision_id="00000412-1",
            basis=basis or Basis(),
        )
    )


TAX = "tax is rounded twice, in the line and in total()"
CART = "cart.items may be None when the cart is empty"
LOCK = "remove the lock around the cache refresh"


def panel() -> list[Answer]:
    """Two ask for changes, one comments; they differ on a severity and want opposite things of one lock."""
    claude = [
        finding(TAX, "critical", "tax/sale.py", 88),
        finding(CART, "medium", "api/cart.py", 31),
        finding(LOCK, "medium", "api/cache.py", 12, "Remove the lock: it is held while the network is asked."),
        finding("name sum shadows a builtin", "nit", "tax/sale.py", 140),
        finding("docstring says cents, value is euros", "low", "tax/report.py", 9),
    ]
    chatgpt = [
        finding("tax rounded twice: per line and in total()", "medium", "tax/sale.py", 88),
        finding("cart.items is None for an empty cart, TypeError", "high", "api/cart.py", 31),
        finding("ALTER TABLE takes a lock on orders for minutes", "critical", "db/0042_tax.sql", 7, evidence="ALTER TABLE orders ADD tax"),
        finding("password is logged", "high", "auth/none.py", 400),
    ]
    grok = [
        finding("cart.items can be None on empty cart", "medium", "api/cart.py", 30),
        finding("add a lock around the cache refresh writes", "medium", "api/cache.py", 12, "Add a lock: two workers refresh at once."),
        finding(HOSTILE, "high", "web/" + "購物車" * 20 + ".py", 7),
    ]
    return [
        answer("claude", "request_changes", claude),
        answer("grok", "comment", grok, payload={"findings": grok, "summary": HOSTILE, "verdict": "comment"}),
        answer("chatgpt", "request_changes", chatgpt),
    ]


def basis() -> Basis:
    """What was checked and said beside the answers: one claim verified, one finding not in the diff, one accepted, one dismissed."""
    return Basis(
        checked=True,
        unsupported={"chatgpt#3": "auth/none.py is not in the diff"},
        usual=(0.08, 0.29),
        verifications=(
            Verification(provider="claude", words={"chatgpt#2": "real"}, quotes={"chatgpt#2": "ALTER TABLE orders ADD tax"}),
            Verification(provider="grok", words={"chatgpt#2": "cannot_tell"}),
        ),
        edits=(
            Edit(at="2026-11-22T21:13:00.000Z", by="ana", word="accept", findings=("claude#4",), note="seen it too"),
            Edit(at="2026-11-22T21:13:20.000Z", by="ana", word="dismiss", findings=("claude#3",)),
        ),
    )


def decision() -> Decision:
    """A rich one: a 2:1 split with everything findings can be."""
    return decide(panel(), basis()).model_copy(update={"needs_operator": True})


def torn() -> Decision:
    """Six seats: three verdicts for three votes, one late, one invalid, one that abstained."""
    return decide(
        [
            answer("claude", "request_changes", [finding(TAX, "high", "tax/sale.py", 88)]),
            answer("grok", "comment", [finding("tax is rounded in two places", "low", "tax/sale.py", 90)], vendor="xai"),
            answer("chatgpt", "approve", [], vendor="xai"),
            answer(
                "mistral", "request_changes", [finding(CART, "high", "api/cart.py", 31)], late=True, reason="it came 4 s after the deadline"
            ),
            answer("llama", None, [], status=AnswerStatus.INVALID, reason="no JSON in the answer, not after a repair either"),
            answer("qwen", None, [], status=AnswerStatus.ABSTAIN, reason="the diff is generated code"),
        ],
        strategy="majority",
    )


def growing() -> Decision:
    """What the first answer alone would give, while two are still out."""
    out = [answer(name, None, [], status=AnswerStatus.PENDING, latency_ms=34_000.0, cost_usd=None) for name in ("grok", "chatgpt")]
    return decide([panel()[0], *out])


def huge(findings: int = 60, providers: int = 8) -> Decision:
    """As many findings and providers as there may be, with words that are wide, long or hostile."""
    words = ("購物車是空的", HOSTILE, "x" * 500, "cart None")
    answers = [
        answer(
            f"provider{n}",
            ("request_changes", "comment", "approve")[n % 3],
            [
                finding(
                    f"{words[(f + n) % 4]} {f * 7919 + n % 2}",
                    ("critical", "high", "medium", "low", "nit")[f % 5],
                    f"p{f}/{'深' * 60}.py",
                    f,
                )
                for f in range(findings // (1 + n % 3))
            ],
            task_id=f"00000412.{n}",
        )
        for n in range(providers)
    ]
    return decide(answers)
