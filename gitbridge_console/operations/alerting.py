"""Alerts from the operator's side: what is known of them, seen, hushed, and tried out."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from gitbridge_console.domain.alert_views import AlertsReport, AlertTarget
from gitbridge_console.domain.alerting import SILENCE_MAX_S, Message, Silence, in_force, named_by, silenced
from gitbridge_console.domain.event_views import ChangeReport
from gitbridge_console.domain.snapshots import Alert, FleetSnapshot
from gitbridge_console.domain.timestamps import iso_from_ms, ms_from_iso
from gitbridge_console.operations.alert_targets import NotDelivered, deliver, targets_of
from gitbridge_console.operations.door import Door
from gitbridge_console.operations.errors import NotFound, Refused, Usage
from gitbridge_console.store.alert_book import SAID_MAX
from gitbridge_console.store.replies import server_now_ms

UNDELIVERED = "alert_undelivered"

Acked = Mapping[str, Mapping[str, Any]]


class AlertOperations(Door):
    """Part of the door."""

    @abstractmethod
    async def status(self) -> FleetSnapshot:
        """The fleet as it is."""

    async def list_alerts(self) -> AlertsReport:
        """What is wrong now, who has seen it, what is hushed, and how the receivers took what they were sent."""
        snapshot = await self.status()
        async with self._asking():
            book, (_, silences, _) = await asyncio.gather(self._store.alerts.read(), self._store.alerts.said())
            now_ms = await server_now_ms(self._store.client)
        told = {condition.key: condition for condition in book.conditions}
        waiting = {name: sum(name in message.due_ms for message in book.outbox) for name in targets_of(self._settings().alerts)}
        return AlertsReport(
            alerts=snapshot.alerts,
            told={key: iso_from_ms(condition.told_ms) for key, condition in told.items() if condition.told},
            silences={name: one.model_dump() for name, one in silences.items() if in_force(one, now_ms)},
            targets=tuple(
                AlertTarget(
                    name=name,
                    waiting=count,
                    delivered=state.delivered if state else 0,
                    given_up=state.given_up if state else 0,
                    last_ok=iso_from_ms(state.last_ok_ms) if state and state.last_ok_ms else None,
                    last_error=state.last_error if state else "",
                )
                for name, count in waiting.items()
                for state in (book.targets.get(name),)
            ),
        )

    async def ack_alert(self, code: str, reason: str = "") -> ChangeReport:
        """Say that somebody has seen a condition, by its name or its code: no reminders and no bell for it until it is over."""
        snapshot = await self.status()
        keys = [alert.key for alert in snapshot.alerts if named_by(code, alert.key)]
        if not keys:
            there = ", ".join(alert.key for alert in snapshot.alerts) or "none"
            raise NotFound(f"no alert {code[:60]}; there are {there}")
        async with self._writing("alerts ack", ", ".join(keys), reason, planned=len(keys)) as record:
            at = iso_from_ms(await server_now_ms(self._store.client))
            for key in keys:
                if not await self._store.alerts.acknowledge(key, {"by": self._actor.who, "at": at}):
                    raise Refused(f"{SAID_MAX} acknowledgements are kept at most: wait until some of these conditions are over")
            record.affected, record.after = len(keys), dict.fromkeys(keys, "acknowledged")
        return ChangeReport(changed=len(keys), ids=tuple(keys))

    async def silence_alert(self, code: str, for_s: float, reason: str) -> ChangeReport:
        """Tell nobody of a condition, by its name or its code, for a time; 0 ends that."""
        name = code.strip()
        if not name or len(name) > 100:
            raise Usage("name the alert by its code, as `alerts` shows it")
        if for_s and not reason.strip():
            raise Usage("say why: a silence needs a reason")
        if for_s > SILENCE_MAX_S:
            raise Usage(f"at most {SILENCE_MAX_S / 86_400:.0f} days: what never matters should not be an alert")
        async with self._writing("alerts silence", name, reason, planned=1) as record:
            _, before, _ = await self._store.alerts.said()
            now_ms = await server_now_ms(self._store.client)
            was = before.get(name)
            record.before = {name: iso_from_ms(was.until_ms)} if was is not None and in_force(was, now_ms) else {}
            if not for_s:
                record.affected = await self._store.alerts.forget(silenced=[name])
                return ChangeReport(changed=record.affected, unchanged=1 - record.affected, ids=(name,) if record.affected else ())
            silence = Silence(until_ms=now_ms + round(for_s * 1000), by=self._actor.who, reason=reason[:200])
            if not await self._store.alerts.silence(name, silence):
                raise Refused(f"{SAID_MAX} silences are kept at most: end some")
            record.affected, record.after = 1, {name: iso_from_ms(silence.until_ms)}
        return ChangeReport(changed=1, ids=(name,), notes=(f"until {iso_from_ms(silence.until_ms)}",))

    async def test_alerts(self) -> Mapping[str, str]:
        """Send a message to every receiver of the settings, from this process; name to what went wrong, empty where nothing did."""
        settings = self._settings()
        targets = targets_of(settings.alerts)
        if not targets:
            raise NotFound("nobody is told outside the terminal: set alerts.command or [alerts.webhooks.NAME]")
        async with self._writing("alerts test", ", ".join(targets), planned=len(targets)) as record:
            now_ms = await server_now_ms(self._store.client)
            text = f"a test by {self._actor.who}: if you read this, alerts reach you"
            about = {"key": "test", "level": "warning", "text": text, "at_ms": now_ms, "since_ms": now_ms}

            async def attempt(target: str, kind: str) -> str:
                message = Message.model_validate({"id": f"gb-test-{now_ms:x}-{kind}", "kind": kind, **about})
                try:
                    await deliver(target, message, settings)
                except NotDelivered as error:
                    return str(error)
                return ""

            found = dict(zip(targets, await asyncio.gather(*(attempt(target, "test") for target in targets)), strict=True))
            # A service that keeps incidents is told that this one is over.
            for target in targets:
                webhook = settings.alerts.webhooks.get(target.removeprefix("webhook "))
                if webhook is not None and webhook.format == "pagerduty" and not found[target]:
                    found[target] = await attempt(target, "close")
            record.affected = sum(not why for why in found.values())
            record.result = "; ".join(f"{target}: {why or 'delivered'}" for target, why in found.items())
        return found


def with_words(snapshot: FleetSnapshot, acked: Acked, silences: Mapping[str, Silence], trouble: Mapping[str, str]) -> FleetSnapshot:
    """A picture whose alerts say who has seen them and until when they are silenced, what nobody has seen first among its like.

    Receivers that did not take their messages are an alert as well, which is told nowhere but on the screen.
    """
    at_ms = ms_from_iso(snapshot.at)
    found = [
        Alert(level="warning", code=UNDELIVERED, text=f"alerts do not reach {name}: {why}", since=snapshot.at, jump="fleet", about=name)
        for name, why in trouble.items()
    ]
    for alert in snapshot.alerts:
        key = alert.key
        hush = silenced(key, silences, at_ms)
        more = {"acked_by": str(acked.get(key, {}).get("by", "")), "silenced_until": iso_from_ms(hush.until_ms) if hush else ""}
        found.append(alert.model_copy(update=more))
    found.sort(key=lambda alert: (alert.level != "critical", bool(alert.acked_by or alert.silenced_until)))
    return snapshot.model_copy(update={"alerts": tuple(found)})
