"""What a panel does not agree on is there under its name: on screen at every width, in ``decisions show``, and in the log of decisions."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from gitbridge_console.commands.decision_text import decision_lines
from gitbridge_console.console.views.event import event_lines
from gitbridge_console.domain.decisions import AnswerStatus
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.settings.model import Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader
from tests.consensus.panels import finding
from tests.router.panel import Panel, with_kind

pytestmark = pytest.mark.anyio

WIDTHS = (78, 118, 198)
BOTH = finding("roundTax rounds twice", "medium", 8)
REMOVE, ADD = finding("Remove the lock in roundTax", "medium", 30), finding("Add a lock in roundTax", "medium", 30)

Answers = Callable[[Panel], Awaitable[None]]


async def two_to_one(panel: Panel) -> None:
    await panel.says("claude", "request_changes", findings=[BOTH])
    await panel.says("grok", "request_changes", findings=[BOTH])
    await panel.says("chatgpt", "approve")


async def three_ways(panel: Panel) -> None:
    for lane, verdict in (("claude", "request_changes"), ("grok", "comment"), ("chatgpt", "approve")):
        await panel.says(lane, verdict, findings=[BOTH] if verdict != "approve" else [])


async def one_late(panel: Panel) -> None:
    await panel.says("claude", "comment")
    await panel.says("grok", "comment")
    await panel.due_now()


async def one_invalid(panel: Panel) -> None:
    await panel.says("claude", "comment")
    await panel.says("grok", "comment")
    await panel.fails("chatgpt", "invalid_output", AnswerStatus.INVALID)


async def one_abstains(panel: Panel) -> None:
    await panel.says("claude", "comment")
    await panel.says("grok", "comment")
    await panel.says("chatgpt", "abstain", AnswerStatus.ABSTAIN)


async def lone_critical(panel: Panel) -> None:
    await panel.says("claude", "request_changes", findings=[finding("orders are locked by ALTER", "critical", 7)])
    await panel.says("grok", "comment")
    await panel.says("chatgpt", "comment")


async def contradiction(panel: Panel) -> None:
    await panel.says("claude", "comment", findings=[REMOVE])
    await panel.says("grok", "comment", findings=[ADD])
    await panel.says("chatgpt", "comment")


CASES: list[tuple[Answers, str, dict[str, str], str]] = [
    (two_to_one, "verdict", {"claude": "request_changes", "grok": "request_changes", "chatgpt": "approve"}, "2 of 3 votes"),
    (three_ways, "verdict", {"claude": "request_changes", "grok": "comment", "chatgpt": "approve"}, "1 of 3 votes"),
    (one_late, "missing", {"chatgpt": "pending"}, "2 of 3 seats answered"),
    (one_invalid, "missing", {"chatgpt": "invalid"}, "chatgpt: invalid"),
    (one_abstains, "missing", {"chatgpt": "abstain"}, "3 of 3 seats answered"),
    (lone_critical, "lone", {"claude": "critical"}, "[critical] 1 of 3"),
    (contradiction, "contradiction", {"claude": "remove lock", "grok": "add lock"}, "listed side by side"),
]


@pytest.fixture
def panel(client: Redis, namespace: str, settings: Settings, queue: RedisEventQueue) -> Panel:
    reader, metrics = EventReader(client, queue.keys), Metrics(client, namespace)
    router = AIRouter(settings, dict.fromkeys(settings.providers), seed=1)
    made = Panel(queue, reader, router, metrics, settings)
    made.settings = with_kind(settings, seats=3, prefer=("claude", "grok", "chatgpt"), reserve=(), strategy="majority", verify=False)
    return made


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.mark.parametrize(("answers", "type", "positions", "told"), CASES, ids=[case[0].__name__ for case in CASES])
async def test_it_stands_under_its_name_wherever_one_looks(
    panel: Panel, answers: Answers, type: str, positions: dict[str, str], told: str
) -> None:
    await panel.open(lanes=("claude", "grok", "chatgpt"))
    await answers(panel)
    decision = await panel.decision()
    (found,) = [conflict for conflict in decision.conflicts if conflict.type == type]
    assert found.positions == positions
    assert found.alternatives

    text = "\n".join(decision_lines(decision))
    assert f"conflict {type} on" in text
    assert told in text

    event = await panel.shown()
    for width in WIDTHS:
        lines = [line.plain for line in event_lines(event, width)]
        assert type in "\n".join(lines), f"not on screen at {width} columns"
        assert max(map(len, lines)) <= width

    records = [record async for _, _, record in panel.queue.log.records()]
    (record,) = [record for record in records if record["type"] == "decision"]
    assert [conflict["type"] for conflict in record["decision"]["conflicts"]].count(type) == 1
    assert json.loads(json.dumps(record))["event"]["id"] == panel.id


async def test_an_answer_that_comes_too_late_is_kept_and_changes_nothing(panel: Panel) -> None:
    await panel.open(lanes=("claude", "grok", "chatgpt"))
    late = await panel.claim("chatgpt")
    await panel.queue.begin(late)
    await one_late(panel)
    decision = await panel.decision()
    payload: dict[str, Any] = {"findings": [], "summary": "s", "verdict": "request_changes", "abstain_reason": None}
    await panel.settle(late, "request_changes", payload)
    event = await panel.shown()
    assert event.decision == decision
    (seat,) = [task for task in event.tasks if task.provider == "chatgpt"]
    assert seat.answer is not None
    assert seat.answer.verdict == "request_changes"
