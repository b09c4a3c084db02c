"""Two reviewers who want opposite things of one place: told by their verbs, for sameness of words says nothing here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gitbridge_console.consensus.matching import NEAR_LINES, normal_path, tokens
from gitbridge_console.domain.decisions import Cluster

OPPOSITES = (
    ("add", "remove"),
    ("add", "drop"),
    ("add", "delete"),
    ("insert", "remove"),
    ("keep", "remove"),
    ("keep", "drop"),
    ("keep", "delete"),
    ("restore", "remove"),
    ("enable", "disable"),
    ("allow", "forbid"),
    ("allow", "reject"),
    ("increase", "decrease"),
    ("raise", "lower"),
    ("extract", "inline"),
    ("widen", "narrow"),
    ("catch", "propagate"),
)
_FORMS = re.compile(r"[a-z]+")
_ENDINGS = ("ing", "ed", "es", "s", "d", "")
SENTENCES, BODY_MAX = 2, 600
"""What is to be done stands at the beginning of a finding's text."""


def contradictions(clusters: Sequence[Cluster]) -> Iterable[tuple[Cluster, Cluster, dict[str, str]]]:
    """Pairs of findings of different providers about one place that ask for the opposite, with what each wants."""
    said = [
        (cluster, member, Asked.of(str(member.get("title", "")), str(member.get("body", ""))))
        for cluster in clusters
        if cluster.stands
        for member in cluster.members
        if "unsupported" not in member
    ]
    seen: set[tuple[int, int]] = set()
    for (one, a, a_asks), (other, b, b_asks) in itertools.combinations(said, 2):
        pair = (one.id, other.id)
        if a["provider"] == b["provider"] or pair in seen or not _one_place(a, b):
            continue
        wishes = opposite(a_asks, b_asks)
        if wishes is not None:
            seen.add(pair)
            yield one, other, {str(a["provider"]): wishes[0], str(b["provider"]): wishes[1]}


def _one_place(a: dict[str, Any], b: dict[str, Any]) -> bool:
    path = normal_path(str(a.get("path", "")))
    starts = int(a.get("start_line") or 0), int(b.get("start_line") or 0)
    if not path or path != normal_path(str(b.get("path", ""))) or not all(starts):
        return False
    ends = max(starts[0], int(a.get("end_line") or 0)), max(starts[1], int(b.get("end_line") or 0))
    return max(starts) - min(ends) <= NEAR_LINES


@dataclass(frozen=True, slots=True)
class Asked:
    """What a finding asks for: by verb the words of the sentences it stands in, and the text they come from."""

    wishes: Mapping[str, frozenset[str]]
    text: str

    @classmethod
    def of(cls, title: str, body: str) -> Asked:
        """Read a finding's title and the beginning of its body."""
        sentences = [title, *re.split(r"(?<=[.!?])\s", body[:BODY_MAX])[:SENTENCES]]
        wishes: dict[str, frozenset[str]] = {}
        for sentence in sentences:
            words = tokens(sentence)
            for word in _FORMS.findall(sentence.lower()):
                verb = _verb(word)
                if verb is not None:
                    wishes[verb] = wishes.get(verb, frozenset()) | {w for w in words if _verb(w) is None}
        return cls(wishes, " ".join(sentences).lower())


def opposite(a: Asked, b: Asked) -> tuple[str, str] | None:
    """What each of two findings asks for, ``("remove lock", "add lock")``, where that is the opposite about the same thing."""
    for left, right in (*OPPOSITES, *((y, x) for x, y in OPPOSITES)):
        common = a.wishes.get(left, frozenset()) & b.wishes.get(right, frozenset())
        # One that speaks of both, "remove this and add that", is no opposite of the other.
        if common and left not in b.wishes and right not in a.wishes:
            thing = min(common, key=lambda word: (a.text.find(word), word))
            return f"{left} {thing}", f"{right} {thing}"
    return None


VERBS = frozenset(itertools.chain.from_iterable(OPPOSITES))


def _verb(word: str) -> str | None:
    for ending in _ENDINGS:
        if word.endswith(ending):
            stem = word[: len(word) - len(ending)] if ending else word
            for form in (stem, f"{stem}e", stem[:-1] if len(stem) > 2 and stem[-1:] == stem[-2:-1] else stem):
                if form in VERBS:
                    return form
    return None
