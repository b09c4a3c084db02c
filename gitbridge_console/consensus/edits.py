"""An operator's word on a decision: what it does to the groups of findings and to the verdict. Nothing is blended or lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from gitbridge_console.consensus.matching import Group, Statement
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decisions import Edit, finding_ref

WORDS: dict[str, Literal["", "accepted", "dismissed"]] = {"accept": "accepted", "dismiss": "dismissed", "restore": ""}


def _ref(statement: Statement) -> str:
    return finding_ref(statement.provider, statement.index)


def regroup(groups: Sequence[Group], edits: Iterable[Edit]) -> list[Group]:
    """Groups as an operator joined and split them, in the order it was done."""
    found = list(groups)
    for edit in edits:
        if edit.word == "join":
            found = _joined(found, frozenset(edit.findings))
        elif edit.word == "split":
            found = _split(found, frozenset(edit.findings))
    return found


def _joined(groups: list[Group], refs: frozenset[str]) -> list[Group]:
    """One group of all that have a member named; a provider may be in it with several of its findings."""
    meant = [group for group in groups if refs & {_ref(member) for member in group.members}]
    if len(meant) < 2:
        return groups
    members = tuple(sorted((m for group in meant for m in group.members), key=lambda s: (s.provider, s.index)))
    joined = Group(members, "joined", tuple(match for group in meant for match in group.matches))
    return [joined if group is meant[0] else group for group in groups if group is meant[0] or group not in meant]


def _split(groups: list[Group], refs: frozenset[str]) -> list[Group]:
    """Each group with a member named falls into one for each provider."""
    found: list[Group] = []
    for group in groups:
        if not refs & {_ref(member) for member in group.members} or len(group.providers) < 2:
            found.append(group)
            continue
        for provider in sorted(group.providers):
            found.append(Group(tuple(m for m in group.members if m.provider == provider), "lone"))
    return found


def word_on(refs: Iterable[str], edits: Sequence[Edit]) -> Literal["", "accepted", "dismissed"]:
    """What was last said of a group with these findings."""
    own = set(refs)
    return next((WORDS[edit.word] for edit in reversed(edits) if edit.word in WORDS and own & set(edit.findings)), "")


def severity_of(refs: Iterable[str], edits: Sequence[Edit]) -> str | None:
    """The severity last given to a group with these findings."""
    own = set(refs)
    return next(
        (edit.value for edit in reversed(edits) if edit.word == "severity" and edit.value in SEVERITIES and own & set(edit.findings)), None
    )


def chosen_verdict(edits: Sequence[Edit]) -> Edit | None:
    """The last verdict an operator chose."""
    return next((edit for edit in reversed(edits) if edit.word == "verdict"), None)
