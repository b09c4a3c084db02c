"""One vocabulary for everything that can go wrong with a provider, and what follows from it.

The classes and their consequences are the table of the routing design (section 5.2): provider code is read before
message, message before status, status before exception class; quota before rate limit, since both are 429.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """Why an attempt gave no usable answer."""

    TRANSIENT = "transient"
    SILENT = "silent"
    OVERLOADED = "overloaded"
    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    CREDENTIAL = "credential"
    MODEL_GONE = "model_gone"
    TOO_LARGE = "too_large"
    POLICY = "policy"
    CALLER_FAULT = "caller_fault"
    BROKEN_STREAM = "broken_stream"
    INVALID_OUTPUT = "invalid_output"
    NEUTRAL = "neutral"
    # Not of a provider but of the event as a whole:
    NO_PROVIDER = "no_provider"
    NO_QUORUM = "no_quorum"
    EXPIRED = "expired"
    POISON = "poison"
    INTERNAL = "internal"

    @classmethod
    def known(cls, name: str) -> FailureClass:
        """The class of a name that was stored; ``INTERNAL`` where another version stored one that this one does not know."""
        try:
            return cls(name)
        except ValueError:
            return cls.INTERNAL


class Verdict(StrEnum):
    """What the router does after an attempt."""

    OK = "ok"
    RETRY = "retry"
    FAIL_OVER = "fail_over"
    PARK = "park"
    DISABLE = "disable"
    GIVE_UP = "give_up"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class FailureRule:
    """Consequences of one failure class.

    ``same_provider_retries`` is how often the same provider may be asked again; ``other_provider`` whether the
    reserve may be; ``breaker_weight`` what it adds to the circuit breaker (0: does not count).
    """

    same_provider_retries: int
    other_provider: bool
    breaker_weight: float
    disables: bool = False
    gates: bool = False


RULES: dict[FailureClass, FailureRule] = {
    FailureClass.TRANSIENT: FailureRule(1, True, 1.0),
    FailureClass.SILENT: FailureRule(0, True, 1.0),
    FailureClass.OVERLOADED: FailureRule(0, True, 1.0),
    FailureClass.RATE_LIMIT: FailureRule(0, True, 0.0, gates=True),
    FailureClass.QUOTA: FailureRule(0, True, 0.0, disables=True),
    FailureClass.CREDENTIAL: FailureRule(0, True, 0.0, disables=True),
    FailureClass.MODEL_GONE: FailureRule(0, True, 0.0, disables=True),
    FailureClass.TOO_LARGE: FailureRule(0, True, 0.0),
    FailureClass.POLICY: FailureRule(0, False, 0.0),
    FailureClass.CALLER_FAULT: FailureRule(0, False, 0.0),
    FailureClass.BROKEN_STREAM: FailureRule(1, True, 1.0),
    FailureClass.INVALID_OUTPUT: FailureRule(1, True, 0.5),
    FailureClass.NEUTRAL: FailureRule(0, False, 0.0),
}
"""Rule per class an attempt can end in. A stall inside a stream is ``SILENT``: it is not restarted on the same provider."""

ERROR_CODES: dict[FailureClass, str] = {
    FailureClass.NO_PROVIDER: "ERR_ROUTING_001",
    FailureClass.TRANSIENT: "ERR_ROUTING_002",
    FailureClass.BROKEN_STREAM: "ERR_ROUTING_002",
    FailureClass.SILENT: "ERR_ROUTING_003",
    FailureClass.RATE_LIMIT: "ERR_ROUTING_004",
    FailureClass.OVERLOADED: "ERR_ROUTING_004",
    FailureClass.QUOTA: "ERR_ROUTING_005",
    FailureClass.CREDENTIAL: "ERR_ROUTING_005",
    FailureClass.MODEL_GONE: "ERR_ROUTING_005",
    FailureClass.TOO_LARGE: "ERR_ROUTING_006",
    FailureClass.CALLER_FAULT: "ERR_ROUTING_006",
    FailureClass.POLICY: "ERR_ROUTING_007",
    FailureClass.INVALID_OUTPUT: "ERR_ROUTING_008",
    FailureClass.NO_QUORUM: "ERR_ROUTING_009",
    FailureClass.EXPIRED: "ERR_ROUTING_009",
    FailureClass.POISON: "ERR_ROUTING_010",
    FailureClass.INTERNAL: "ERR_ROUTING_010",
    FailureClass.NEUTRAL: "ERR_ROUTING_010",
}
"""The stable code of each class, in logs and JSON output."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A classified failure of one attempt. ``retry_after_s`` is what the provider asked for, already validated."""

    cls: FailureClass
    message: str
    http_status: int | None = None
    provider_code: str | None = None
    request_id: str | None = None
    retry_after_s: float | None = None

    @property
    def code(self) -> str:
        """The ``ERR_ROUTING_…`` code."""
        return ERROR_CODES[self.cls]

    @property
    def rule(self) -> FailureRule:
        """What follows from it."""
        return RULES[self.cls]
