"""Whatever an engine dies of and whatever the host does, there is at most one review with a marker, and in the end exactly one."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from redis.asyncio import Redis

from gitbridge_console.settings.model import Settings
from tests.actions.desk import MARKER, SHA, Desk
from tests.actions.github_wire import (
    BROKEN_AFTER,
    BROKEN_BEFORE,
    CUT_AFTER,
    CUT_BEFORE,
    SILENT_AFTER,
    TOKEN,
    UNAUTHORIZED,
    Fault,
    WiredHost,
)

pytestmark = pytest.mark.anyio

_numbers = itertools.count(1)
FAULTS: tuple[Fault | None, ...] = (None, CUT_AFTER, CUT_BEFORE, SILENT_AFTER, BROKEN_AFTER, BROKEN_BEFORE, UNAUTHORIZED)


class Crash(BaseException):
    """An engine is gone."""


class Dying:
    """Ends an engine before or after the n-th thing it asks of the store or the host."""

    def __init__(self, desk: Desk, at: int, *, after: bool) -> None:
        self._left, self._after = at, after
        for place, name in ((desk.store, "intend"), (desk.api, "call"), (desk.board, "reserve"), (desk.queue, "hand_on")):
            setattr(place, name, self._wrapped(getattr(place, name)))

    def _wrapped(self, call: Any) -> Any:
        async def counted(*args: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                raise Crash
            reply = await call(*args, **more)
            if self._left == 0:
                raise Crash
            return reply

        return counted


async def engine(desk: Desk, deaths: list[tuple[int, bool]], ids: list[str]) -> None:
    """Works until the events are through; dies as told, and is started again."""
    while True:
        own = desk.again()
        if deaths:
            Dying(own, deaths[0][0], after=deaths[0][1])
        try:
            await own.settle(*ids)
        except Crash:
            deaths.pop(0)
            continue
        finally:
            await own.aclose()
        return


deaths = st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=3)


@examples(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(faults=st.lists(st.sampled_from(FAULTS), max_size=4), first=deaths, second=deaths, events=st.integers(1, 2))
async def test_at_most_one_review_per_marker_and_one_in_the_end(
    client: Redis,
    publishing: Settings,
    github: WiredHost,
    desk: Desk,
    namespace: str,
    faults: list[Fault | None],
    first: list[tuple[int, bool]],
    second: list[tuple[int, bool]],
    events: int,
) -> None:
    github.host.posts.clear()
    github.faults(*faults)
    own = Desk(client, f"{namespace}-{next(_numbers)}", publishing, lambda: TOKEN)
    own.hasty()
    ids = [await own.event(f"d{n}") for n in range(events)]
    await asyncio.gather(engine(own, [*first], ids), engine(own, [*second], ids))
    await own.aclose()
    reviews = github.host.of("reviews")
    assert [review["body"].splitlines()[-1] for review in reviews] == [MARKER]
    assert reviews[0]["commit_id"] == SHA
