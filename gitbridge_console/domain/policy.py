"""What a task does after a failed attempt: a pure function of the failure and of what has been tried."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gitbridge_console.domain.failures import Failure, Verdict


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """Bounds on the calls of one task; times in seconds."""

    attempts_max: int
    attempts_per_provider_max: int
    backoff_base_s: float
    backoff_cap_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """What happens next; ``delay_s`` is how long the task waits in its lane before that."""

    verdict: Verdict
    delay_s: float = 0.0


def backoff_s(limits: RetryLimits, failures: int, jitter: float) -> float:
    """Full jitter, ``U(0, min(cap, base * 2**n))`` as gRPC's A6 has it; ``jitter`` is the uniform draw from 0 to 1."""
    return jitter * min(limits.backoff_cap_s, limits.backoff_base_s * math.pow(2, min(failures - 1, 30)))


def next_step(
    failure: Failure,
    limits: RetryLimits,
    *,
    calls: int,
    calls_here: int,
    candidates: bool,
    remaining_s: float,
    jitter: float,
    may_repeat: bool = True,
) -> Step:
    """Decide what follows an attempt that failed.

    ``calls`` and ``calls_here`` count requests sent for this task, to all providers and to this one, the failed one
    included; ``candidates`` says whether another provider could take the task; ``remaining_s`` is the time to the
    event's deadline; ``may_repeat`` says whether the retry budgets let the same provider be asked again soon. Where nobody else
    can take the task, a provider in trouble is asked again after the longest wait. Never waits past the deadline nor after the last
    attempt.
    """
    rule = failure.rule
    if calls >= limits.attempts_max:
        return Step(Verdict.GIVE_UP)
    repeatable = calls_here <= rule.same_provider_retries and calls_here < limits.attempts_per_provider_max
    if may_repeat and repeatable:
        delay_s = max(backoff_s(limits, calls_here, jitter), failure.retry_after_s or 0.0)
        if delay_s < remaining_s:
            return Step(Verdict.RETRY, delay_s)
    if rule.other_provider and candidates and remaining_s > 0:
        return Step(Verdict.DISABLE if rule.disables else Verdict.FAIL_OVER)
    if rule.gates and calls_here < limits.attempts_per_provider_max:
        delay_s = failure.retry_after_s if failure.retry_after_s is not None else limits.backoff_cap_s
        if delay_s < remaining_s:
            return Step(Verdict.PARK, delay_s)
    # Trouble of the service passes: where nobody else can take the task it is asked again, but not at once.
    passes = rule.other_provider and rule.breaker_weight > 0 and calls_here < limits.attempts_per_provider_max
    if passes and (delay_s := max(limits.backoff_cap_s, failure.retry_after_s or 0.0)) < remaining_s:
        return Step(Verdict.PARK, delay_s)
    return Step(Verdict.GIVE_UP)
