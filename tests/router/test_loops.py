"""Our own words come in as events like any other, end as ignored, and a list says why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.domain.facts import read_facts
from gitbridge_console.domain.filters import EventFilter
from gitbridge_console.router.ai_router import AIRouter
from gitbridge_console.router.classifier import classify, ourselves
from gitbridge_console.router.event_router import EventRouter
from gitbridge_console.router.intake import Intake
from gitbridge_console.settings.model import GitHubSettings, HostSettings, Rule, RuleMatch, Settings
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.reader import EventReader

KEEN = Rule(when=RuleMatch(type="issue_comment"), kind="general", reason="every comment is answered")


def comment(login: str, kind: str = "User") -> dict[str, Any]:
    user = {"login": login, "type": kind}
    return {
        "action": "created",
        "issue": {"number": 7, "title": "Tax"},
        "comment": {"body": "I see", "user": user},
        "repository": {"id": 1, "full_name": "acme/shop"},
        "sender": user,
    }


def test_the_app_we_ask_as_is_us() -> None:
    asked_as = HostSettings(github=GitHubSettings(app_id="Iv1.Abc", app_key_file="/nowhere.pem", own_apps=("77",)))
    assert ourselves(asked_as, "github").apps == {"iv1.abc", "77"}
    run = {"action": "completed", "check_run": {"conclusion": "failure", "app": {"id": 5, "client_id": "Iv1.Abc", "slug": "desk"}}}
    assert classify(read_facts("check_run", run), (), ourselves(asked_as, "github")).rule == "loop"
    assert not classify(read_facts("check_run", run)).ignored


@pytest.mark.anyio
async def test_no_rule_makes_us_answer_ourselves(
    queue: RedisEventQueue, router: AIRouter, metrics: Metrics, reader: EventReader, settings: Settings
) -> None:
    github = GitHubSettings(own_logins=("review-desk", ""), answered_bots=("dependabot[bot]",))
    settings = settings.model_copy(update={"hosts": HostSettings(github=github), "rules": (KEEN,)})
    intake, events = Intake(queue, metrics), EventRouter(queue, router, metrics, lambda: settings)
    ids = {}
    for login, kind in (("review-desk", "User"), ("renovate[bot]", "Bot"), ("dependabot[bot]", "Bot"), ("ada", "User"), ("", "User")):
        payload = json.dumps(comment(login, kind)).encode()
        ids[(await intake.submit(IncomingEvent(f"d-{login}", "issue_comment", payload, "test"))).id] = login
        job = (await queue.claim("route", 1)).jobs[0]
        if (ending := await events.route(job)) is not None:
            await queue.conclude([job], ending)
    ignored = {ids[event.id]: event for event in await reader.list_events(EventFilter(state="ignored"))}
    assert set(ignored) == {"review-desk", "renovate[bot]"}
    detail = await reader.event_detail(next(id for id, login in ids.items() if login == "review-desk"))
    assert detail is not None
    assert detail.timeline[-1].what.startswith("ignored")
    assert "review-desk is us" in detail.timeline[-1].what
