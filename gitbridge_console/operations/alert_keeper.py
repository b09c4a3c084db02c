"""Tells people outside the terminal of alerts. Every engine is ready to; the fleet elects one, so that nobody is told twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from gitbridge_console.domain.alerting import AlertBook, Message, Rules, delivered, failed, in_force, step, without
from gitbridge_console.domain.snapshots import Alert
from gitbridge_console.operations.alert_targets import NotDelivered, deliver, targets_of
from gitbridge_console.operations.errors import OperationError
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.operators import AlertSettings
from gitbridge_console.store.replies import server_now_ms
from gitbridge_console.store.store import Store
from gitbridge_console.store.trouble import STORE_AWAY

logger = logging.getLogger(__name__)

AT_ONCE = 8
"""Deliveries at the same time."""

Conditions = Callable[[], Awaitable[tuple[Sequence[Alert], Sequence[Alert]]]]
"""What is wrong now, by the thresholds as they are and by the relaxed ones."""


def rules_of(alerts: AlertSettings) -> Rules:
    """The times of the settings."""
    return Rules(
        open_after_s=alerts.open_after_s,
        close_after_s=alerts.close_after_s,
        interval_s=alerts.interval_s,
        repeat_s=alerts.repeat_s,
        least_level=alerts.least_level,
    )


class AlertKeeper:
    """One engine's part in it."""

    def __init__(self, store: Store, settings: Callable[[], Settings], conditions: Conditions) -> None:
        self._store = store
        self._alerts = store.alerts
        self._settings = settings
        self._conditions = conditions

    async def run(self) -> None:
        """Look now and then until cancelled; the election is given up then, so that the next one need not wait."""
        try:
            while True:
                try:
                    await self.tick()
                except STORE_AWAY as error:
                    self._store.trouble.report(error)
                except OperationError as error:
                    logger.warning("alerts could not be looked at: %s", error)
                except Exception:
                    logger.exception("alerts could not be delivered for a reason nobody foresaw; it goes on")
                await asyncio.sleep(self._settings().alerts.check_every_s)
        finally:
            try:
                await self._alerts.lock.leave()
            except STORE_AWAY as error:
                self._store.trouble.report(error)

    async def tick(self) -> bool:
        """Look once, and deliver what is due; ``False`` where another engine is the elected one.

        Where nobody is to be told, conditions are followed all the same: what operators said about them ends with them.
        What is to be told is in the store before anybody is told, and what was taken after: a crash between the two tells once more,
        under the same id.

        Raises:
            redis.exceptions.RedisError: the store is away.
            OperationError: the fleet cannot be looked at.
        """
        settings = self._settings()
        targets = targets_of(settings.alerts)
        if not (fence := await self._alerts.lock.hold()):
            return False
        strict, relaxed = await self._conditions()
        now_ms = await server_now_ms(self._store.client)
        acked, silences, _ = await self._alerts.said()
        book = step(
            without(await self._alerts.read(), targets),
            strict,
            relaxed,
            now_ms,
            rules_of(settings.alerts),
            targets=targets,
            silences=silences,
            acked=acked,
        )
        if not await self._alerts.write(book, fence):
            return False
        await self._tidy(book, acked, {name for name, silence in silences.items() if not in_force(silence, now_ms)})
        return await self._send(book, settings, now_ms, fence)

    async def _tidy(self, book: AlertBook, acked: dict[str, dict[str, str]], over: set[str]) -> None:
        """Forget acknowledgements of what is over, and silences whose time is."""
        known = {condition.key for condition in book.conditions}
        await self._alerts.forget(acked=[key for key in acked if key not in known], silenced=sorted(over))

    async def _send(self, book: AlertBook, settings: Settings, now_ms: int, fence: int) -> bool:
        due = [(message, target) for message in book.outbox for target, at in message.due_ms.items() if at <= now_ms]
        for start in range(0, len(due), AT_ONCE):
            # Prolonged before each batch: whoever was elected meanwhile sends the rest.
            if await self._alerts.lock.hold() != fence:
                return False
            some = due[start : start + AT_ONCE]
            results = await asyncio.gather(*(self._try(message, target, settings) for message, target in some))
            alerts = settings.alerts
            for (message, target), why in zip(some, results, strict=True):
                if not why:
                    book = delivered(book, message.id, target, now_ms)
                    continue
                book = failed(
                    book,
                    message.id,
                    target,
                    why,
                    now_ms,
                    tries_max=alerts.tries_max,
                    base_s=alerts.retry_base_s,
                    cap_s=alerts.retry_cap_s,
                )
            if not await self._alerts.write(book, fence):
                return False
        return True

    async def _try(self, message: Message, target: str, settings: Settings) -> str:
        """Why it was not delivered; empty where it was."""
        try:
            await deliver(target, message, settings)
        except NotDelivered as error:
            logger.warning("alert %s (%s) was not delivered to %s: %s", message.key, message.kind, target, error)
            return str(error)
        logger.info("alert %s (%s) delivered to %s", message.key, message.kind, target)
        return ""
