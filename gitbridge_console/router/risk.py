"""How much depends on a change: light ones need fewer reviewers, risky ones all there are. Told by paths and size, without I/O.

Two reviewers differ in some finding on nearly every pull request, so asking one more only on disagreement saves nothing with
reviews; what saves is not to ask everybody about a lock file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from gitbridge_console.domain.events import ChangedFile, EventFacts, Material
from gitbridge_console.router.classifier import DOCS, glob_match
from gitbridge_console.settings.routing import KindSettings

Risk = Literal["", "light", "risky"]

GENERATED = (
    "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "poetry.lock", "pdm.lock", "uv.lock",
    "Pipfile.lock", "Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock", "mix.lock", "pubspec.lock", "flake.lock", "*.min.js", "*.snap",
)  # fmt: skip
"""Files that tools write."""


def all_named(material: Material, facts: EventFacts) -> bool:
    """Whether no file of a change is missing from its material."""
    return not material.files_missing and (facts.changed_files or 0) <= len(material.files)


def risk_of(files: Sequence[ChangedFile], policy: KindSettings, *, whole: bool = True) -> tuple[Risk, str]:
    """Which tier a change is in, and why; nothing is said of one whose files are not known. It is light only if ``whole``."""
    for file in files:
        for glob in policy.risky_paths:
            if glob_match(file.path, glob):
                return "risky", f"{file.path} is a risky path"
    if not files or not whole:
        return "", ""
    if all(any(glob_match(file.path, glob) for glob in (*DOCS, *GENERATED)) for file in files):
        return "light", "documentation and generated files only"
    lines = sum(file.additions + file.deletions for file in files)
    if 0 < lines <= policy.light_lines_max:
        return "light", f"{lines} lines"
    return "", ""


def policy_for(policy: KindSettings, risk: str) -> KindSettings:
    """The policy of a kind for a change of this risk: its seats, and a quorum that fits them."""
    seats = {"light": policy.seats_light, "risky": policy.seats_risky}.get(risk) or policy.seats
    return policy if seats == policy.seats else policy.model_copy(update={"seats": seats, "quorum": min(policy.quorum, seats)})
