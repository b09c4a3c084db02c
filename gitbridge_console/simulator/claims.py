"""What simulated services answer when they are asked about the answers of others: is a claim real, which verdict holds."""

from __future__ import annotations

import random
import re
from typing import Any

from gitbridge_console.simulator.difftext import added_lines
from gitbridge_console.simulator.reviewers import Latent, latent_faults, temper_of

_CLAIM = re.compile(r"(?m)^(\d{1,2})\. (.+?):(\d+|\?) (.+)$")
_ANSWER = re.compile(r"(?m)^Answer ([A-H]): ([a-z_]+)$")
NEAR_LINES = 3
WORDS_SHARED = 2


def verify(prompt: str, provider: str, seed: int, rng: random.Random) -> dict[str, Any]:
    """Claims that name a fault that is there are found real, mostly; others not, mostly."""
    faults = latent_faults(added_lines(prompt), seed)
    _, _, listed = prompt.rpartition("\nClaims:\n")
    claims = []
    for number, path, line, title in _CLAIM.findall(listed):
        fault = next((fault for fault in faults if _is_about(fault, path, line, title)), None)
        right = rng.random() < temper_of(provider).skill
        word = "cannot_tell" if not right and rng.random() < 0.5 else "real" if (fault is not None) is right else "not_real"
        claims.append({"claim": int(number), "quote": fault.line.text.strip() if fault and word == "real" else "", "verdict": word})
    return {"claims": claims, "verdict": "answered", "abstain_reason": None}


def _is_about(fault: Latent, path: str, line: str, title: str) -> bool:
    if fault.line.path != path or not line.isdecimal() or abs(int(line) - fault.line.number) > NEAR_LINES:
        return False
    said = set(re.findall(r"[a-z]{4,}", title.lower()))
    return any(len(said & set(re.findall(r"[a-z]{4,}", wording.lower()))) >= WORDS_SHARED for wording in fault.flaw.titles)


def arbitrate(prompt: str, provider: str, seed: int, rng: random.Random) -> dict[str, Any]:
    """One of the verdicts given: the most named, now and then another."""
    verdicts = [verdict for _, verdict in _ANSWER.findall(prompt)]
    if not verdicts:
        return {"reasons": "", "verdict": "abstain", "abstain_reason": "no answers were shown"}
    usual = max(sorted(set(verdicts)), key=verdicts.count)
    verdict = usual if rng.random() < temper_of(provider).skill else rng.choice(verdicts)
    return {"reasons": "The findings named first decide it.", "verdict": verdict, "abstain_reason": None}
