"""Decides the free fields of an answer one by one: labels by vote, priorities by median, texts by choice, never blended."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from gitbridge_console.domain.decisions import Answer
from gitbridge_console.domain.events import Kind

RISKS = ("none", "low", "medium", "high")
PRIORITIES = ("p0", "p1", "p2", "p3")


def decide_fields(kind: Kind, votes: Sequence[Answer], verdict: str) -> tuple[dict[str, Any], str]:
    """The decided fields of a kind, and the summary of the vote that stands closest to the outcome."""
    payloads = [vote.payload or {} for vote in votes]
    fields: dict[str, Any] = {}
    if kind is Kind.ISSUE_TRIAGE:
        fields = {
            "kind": most_common([str(p["kind"]) for p in payloads]),
            "labels": by_majority([p["labels"] for p in payloads]),
            "components": by_majority([p["components"] for p in payloads]),
            "priority": median_word([str(p["priority"]) for p in payloads], PRIORITIES),
            "duplicate_of": by_majority([p["duplicate_of"] for p in payloads]),
        }
    elif kind is Kind.PUSH_REVIEW:
        fields = {
            "risk": median_word([str(p["risk"]) for p in payloads], RISKS),
            "breaking_change": 2 * sum(bool(p["breaking_change"]) for p in payloads) >= len(payloads),
        }
    closest = next((vote for vote in votes if vote.verdict == verdict), votes[0] if votes else None)
    payload = (closest.payload if closest else None) or {}
    text = payload.get("summary") or payload.get("suggested_reply") or payload.get("release_note") or ""
    return fields, str(text)


def by_majority(lists: Sequence[Sequence[Any]]) -> list[Any]:
    """Items that more than half of the voters name, the most named first; one voter alone is believed."""
    counts = Counter(item for items in lists for item in dict.fromkeys(items))
    return [item for item, count in sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0]))) if 2 * count > len(lists)]


def most_common(words: Sequence[str]) -> str:
    """The word named most; alphabetical among equals."""
    counts = Counter(words)
    return min(counts, key=lambda word: (-counts[word], word))


def median_word(words: Sequence[str], order: Sequence[str]) -> str:
    """The middle of ordered words; of two middles the one that comes first in ``order``."""
    return order[statistics.median_low([order.index(word) for word in words])]
