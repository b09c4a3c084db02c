"""Whatever happens in whatever order: every job is in exactly the place its header says, and no accepted event is lost."""

from __future__ import annotations

import asyncio
import itertools
import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from redis.asyncio import Redis

from tests.store.queue_model import QueueModel

_numbers = itertools.count(1)


async def _fuzz(client: Redis, namespace: str, seed: int, steps: int) -> QueueModel:
    model = QueueModel(client, namespace, seed)
    done: list[str] = []
    for _ in range(steps):
        done.append(await model.step())
        try:
            await model.audit()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, after {len(done)} steps, {done[-6:]}: {error}") from error
    return model


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(8))
async def test_the_invariants_hold_after_every_step(client: Redis, namespace: str, seed: int) -> None:
    model = await _fuzz(client, namespace, seed, 600)
    came = model.counts
    assert all((came["claimed"], came["stale"], came["superseded"], came["shed"] + came["refused"], came["hedged"])), (
        f"never came there: {came}"
    )


@pytest.mark.soak
@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(100, 140))
async def test_the_invariants_hold_over_sixty_thousand_steps(client: Redis, namespace: str, seed: int) -> None:
    await _fuzz(client, namespace, seed, 1500)


def test_the_invariants_hold_however_hypothesis_turns_it(valkey_url: str) -> None:
    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.runner = asyncio.Runner()
            self.client = Redis.from_url(valkey_url)
            self.model = QueueModel(self.client, f"h{os.getpid()}-{next(_numbers)}", 0)

        @rule(name=st.sampled_from(sorted(set(QueueModel.STEPS))), seed=st.integers(0, 2**16))
        def step(self, name: str, seed: int) -> None:
            self.model.random.seed(seed)
            self.runner.run(getattr(self.model, name)())
            self.runner.run(self.model.audit())

        def teardown(self) -> None:
            self.runner.run(self.client.aclose())
            self.runner.close()

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Machine, settings=settings(max_examples=25, stateful_step_count=50, deadline=None, suppress_health_check=checks)
    )
