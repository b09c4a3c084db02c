"""Running actions: in this version as a dry run, which keeps the exact requests instead of sending them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gitbridge_console.actions.requests import NoAction, plan_action
from gitbridge_console.domain.decisions import Decision
from gitbridge_console.domain.events import ChangedFile, EventFacts
from gitbridge_console.settings.model import ActionSettings
from gitbridge_console.settings.routing import KindSettings


class ActionsNotAvailable(Exception):
    """Sending was asked for and this version cannot; nothing was sent."""


def check_actions(settings: ActionSettings) -> str | None:
    """What is wrong with the settings of actions, in one line, ``None`` when nothing is. To be asked before starting."""
    if settings.dry_run:
        return None
    return "actions.dry_run = false is not available in this version: leave it at true and publish from the stored requests"


class ActionRunner:
    """Carries out what was decided."""

    async def run(
        self, policy: KindSettings, facts: EventFacts, decision: Decision, settings: ActionSettings, files: Sequence[ChangedFile] = ()
    ) -> dict[str, Any]:
        """The record of an action: ``type``, ``dry_run``, ``marker``, ``requests`` and, where there are none, the ``reason``.

        Raises:
            ActionsNotAvailable: the settings ask for sending.
        """
        if problem := check_actions(settings):
            raise ActionsNotAvailable(problem)
        plan = plan_action(policy, facts, decision, files)
        if isinstance(plan, NoAction):
            return {"type": policy.action, "dry_run": True, "requests": [], "marker": "", "reason": plan.reason}
        return {
            "type": plan.type,
            "dry_run": True,
            "requests": [request.record() for request in plan.requests],
            "marker": plan.marker,
            "reason": "",
        }
