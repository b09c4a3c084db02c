"""Simulated reviewers: a change has faults that are really there, and each service sees its own part of them.

A rater model in the manner of Dawid and Skene: the faults are latent and depend on the change alone, each has a difficulty
that all reviewers share (so their misses are correlated), and each reviewer has a skill and a rate of false alarms. What a
reviewer says is settled by (seed, change, reviewer): asking again gives the same answer.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, replace
from typing import Any

from gitbridge_console.simulator.catalogue import GENERIC, SPECIFIC, Flaw, identifier
from gitbridge_console.simulator.difftext import AddedLine
from gitbridge_console.simulator.seeds import seeded

SEVERITIES = ("nit", "low", "medium", "high", "critical")
MAX_PER_FILE = 4
MAX_FINDINGS = 12


@dataclass(frozen=True, slots=True)
class Temper:
    """What a reviewer is like: chance to see an easy fault, false alarms per change, and how harshly it rates (steps)."""

    skill: float
    false_alarms: float
    harshness: float
    abstains: float = 0.02


TEMPERS = {
    "claude": Temper(0.90, 0.45, 0.10),
    "grok": Temper(0.80, 0.90, 0.35, abstains=0.03),
    "chatgpt": Temper(0.84, 0.60, -0.10),
}


@dataclass(frozen=True, slots=True)
class Latent:
    """A fault that is really there. ``difficulty`` runs from 0 (everyone sees it) to 1."""

    flaw: Flaw
    line: AddedLine
    difficulty: float


def temper_of(provider: str) -> Temper:
    """The reviewer's own temper, or one drawn from its name."""
    rng = seeded("temper", provider)
    return TEMPERS.get(provider) or Temper(rng.uniform(0.7, 0.9), rng.uniform(0.3, 1.0), rng.uniform(-0.3, 0.3))


def latent_faults(lines: list[AddedLine], seed: int) -> list[Latent]:
    """The true faults of a change. They depend on each file's own lines only, so the order of the files does not matter."""
    by_path: dict[str, list[AddedLine]] = {}
    for line in lines:
        by_path.setdefault(line.path, []).append(line)
    faults: list[Latent] = []
    for path in sorted(by_path):
        faults += _faults_of_file(path, by_path[path], seed)
    return faults


def _faults_of_file(path: str, lines: list[AddedLine], seed: int) -> list[Latent]:
    digest = hashlib.sha256("\n".join(line.text for line in lines).encode("utf-8", "surrogatepass")).hexdigest()
    rng = seeded("latent", seed, path, digest)
    found: list[Latent] = []
    for line in lines:
        if not identifier(line.text) or len(found) >= MAX_PER_FILE:
            continue
        specific = [flaw for flaw in SPECIFIC if flaw.pattern.search(line.text)]
        if specific and rng.random() < 0.85:
            found.append(Latent(specific[0], line, rng.uniform(0.0, 0.75)))
        elif rng.random() < 0.05 and (generic := _fitting(GENERIC, line, rng)):
            found.append(Latent(generic, line, rng.uniform(0.4, 1.0)))
    return found


def _fitting(flaws: tuple[Flaw, ...], line: AddedLine, rng: random.Random) -> Flaw | None:
    fitting = [flaw for flaw in flaws if flaw.pattern.search(line.text)]
    return rng.choice(fitting) if fitting else None


def review(lines: list[AddedLine], provider: str, seed: int, key: str) -> list[dict[str, Any]]:
    """What one reviewer reports, most severe first: faults it saw, in its words, and a few that are not there."""
    temper = temper_of(provider)
    rng = seeded("review", seed, key, provider)
    faults = latent_faults(lines, seed)
    seen = [fault for fault in faults if rng.random() < temper.skill * (1.0 - 0.55 * fault.difficulty)]
    taken = {fault.line for fault in faults}
    free = [line for line in lines if line not in taken and identifier(line.text)]
    alarms = int(temper.false_alarms) + (rng.random() < temper.false_alarms % 1)
    for line in rng.sample(free, min(len(free), alarms)) if rng.random() < 0.6 else []:
        if flaw := _fitting(GENERIC, line, rng):
            seen.append(Latent(flaw, line, 1.0))
    paths = sorted({line.path for line in lines})
    findings = [_finding(fault, temper, rng, paths) for fault in seen[:MAX_FINDINGS]]
    return sorted(findings, key=lambda item: -SEVERITIES.index(item["severity"]))


def _finding(fault: Latent, temper: Temper, rng: random.Random, paths: list[str]) -> dict[str, Any]:
    line = _misplaced(fault.line, rng, paths)
    start = max(1, line.number + rng.choice((0, 0, 0, 0, -1, 1)))
    words = {"it": identifier(fault.line.text), "where": fault.line.function or line.path.rsplit("/", 1)[-1]}
    return {
        "path": line.path,
        "start_line": start,
        "end_line": start + rng.choice((0, 0, 1, 2)),
        "category": fault.flaw.category,
        "title": rng.choice(fault.flaw.titles).format(**words),
        "body": fault.flaw.why,
        "evidence": fault.line.text.strip() if rng.random() < 0.97 else f"{words['it']} = …",
        "severity": _jittered(fault.flaw.severity, temper.harshness, rng),
        "confidence": rng.choices(("high", "medium", "low"), (5, 3, 1) if fault.difficulty < 0.8 else (1, 2, 3))[0],
    }


def _misplaced(line: AddedLine, rng: random.Random, paths: list[str]) -> AddedLine:
    """Now and then a reviewer names the wrong file, or the right one by its last part only."""
    chance = rng.random()
    if chance < 0.02 and len(paths) > 1:
        return replace(line, path=rng.choice(paths))
    if chance < 0.05:
        return replace(line, path=line.path.rsplit("/", 1)[-1])
    return line


def _jittered(severity: str, harshness: float, rng: random.Random) -> str:
    step = rng.choices((-1, 0, 1), (max(0.02, 0.15 - harshness / 2), 0.7, max(0.02, 0.15 + harshness / 2)))[0]
    return SEVERITIES[min(4, max(0, SEVERITIES.index(severity) + step))]


def worst(findings: list[dict[str, Any]], key: str = "severity") -> int:
    """Rank of the most severe finding: 0 (nit) to 4 (critical), -1 without findings."""
    return max((SEVERITIES.index(item[key]) for item in findings), default=-1)
