"""Asking the others about a grave finding only one reviewer made: which claims, among which decoys, and what came of it.

Claims are shown without names and in an order of their own for each provider, mixed with decoys: made of real titles put to
places they do not belong. Who calls a decoy real says yes to everything, and is not listened to.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gitbridge_console.consensus.matching import NEAR, jaccard, normal_path, tokens
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decisions import Cluster, Decision, Verification, VerifyWord

CLAIMS_MAX = 6
"""Claims of one question; more grave lone findings than that are a flood, and the most severe are asked about."""

DECOYS = 2
DECOY = "decoy#"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is asked about. ``ref`` is the finding's name, or one that begins with ``decoy#``."""

    ref: str
    path: str
    line: int
    title: str


Settled = Literal["", "real", "not_real", "unsettled"]


def verdict_on(cluster: Cluster) -> Settled:
    """What those asked made of a claim: more said real than not, or the other way; nothing where nobody was asked."""
    if not cluster.verified:
        return ""
    counts = Counter(cluster.verified.values())
    if counts["real"] > counts["not_real"]:
        return "real"
    return "not_real" if counts["not_real"] > counts["real"] else "unsettled"


def claims_for(provider: str, decision: Decision, lone: Sequence[Cluster]) -> tuple[Claim, ...]:
    """The claims one provider is asked about: those that neither it nor another of its vendor made, with decoys, in an order of its own."""
    vendors = {answer.provider: answer.vendor or answer.provider for answer in decision.answers}
    own = vendors.get(provider, provider)
    others = [cluster for cluster in lone if all(vendors.get(member["provider"], member["provider"]) != own for member in cluster.members)]
    others = sorted(others, key=lambda cluster: SEVERITIES.index(cluster.severity))[:CLAIMS_MAX]
    if not others:
        return ()
    claims = [Claim(cluster.refs[0], cluster.path, cluster.line, cluster.title) for cluster in others]
    order = random.Random(f"{decision.event_id}:{provider}")
    claims += _decoys(decision, order)
    order.shuffle(claims)
    return tuple(claims)


def _decoys(decision: Decision, order: random.Random) -> list[Claim]:
    """Titles of findings under files of others of which nobody said anything like it; none where there is no such file."""
    places = sorted({(cluster.path, cluster.line) for cluster in decision.clusters if cluster.path})
    titles = [cluster for cluster in decision.clusters if cluster.path]
    made: list[Claim] = []
    order.shuffle(titles)
    for cluster in titles:
        if len(made) == DECOYS:
            break
        like = [other for other in titles if other.title == cluster.title or jaccard(tokens(other.title), tokens(cluster.title)) >= NEAR]
        said_of = {normal_path(str(member.get("path", ""))) for other in like for member in other.members}
        elsewhere = [place for place in places if normal_path(place[0]) not in said_of]
        if elsewhere:
            path, line = order.choice(elsewhere)
            made.append(Claim(f"{DECOY}{len(made)}", path, line, cluster.title))
    return made


def read_verification(provider: str, asked: Sequence[Claim], payload: Mapping[str, Any] | None, reason: str = "") -> Verification:
    """What an answer to a question about claims says; ``payload`` is ``None`` where there was none."""
    words: dict[str, VerifyWord] = {}
    quotes: dict[str, str] = {}
    for row in (payload or {}).get("claims") or ():
        number = row.get("claim")
        if isinstance(number, int) and 1 <= number <= len(asked):
            ref = asked[number - 1].ref
            words.setdefault(ref, row["verdict"])
            quotes.setdefault(ref, str(row.get("quote", ""))[:400])
    fooled = any(word == "real" for ref, word in words.items() if ref.startswith(DECOY))
    own = {ref: word for ref, word in words.items() if not ref.startswith(DECOY)}
    said = {ref: quotes[ref] for ref in own}
    why = "it called a decoy real" if fooled else reason
    return Verification(provider=provider, words=own, quotes=said, trusted=not fooled, reason=why)
