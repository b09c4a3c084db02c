"""A decision as lines of plain text: who said what, how likely it is, what was made of it. Outside text is made harmless."""

from __future__ import annotations

from collections.abc import Iterable

from gitbridge_console.commands.output import plain
from gitbridge_console.consensus.agreement import chance_word
from gitbridge_console.domain.decisions import Agreement, Cluster, Conflict, Decision, Edit


def decision_lines(decision: Decision) -> Iterable[str]:
    """All of it, the verdict first."""
    agreement = decision.agreement
    yield f"{decision.id}  {decision.kind}  {decision.state.value}  {plain(decision.verdict)}"
    seats = f"{decision.answered} of {decision.seats} seats answered, quorum {decision.quorum}"
    yield f"{agreement.verdict_k} of {agreement.verdict_n} votes, {seats}, {decision.strategy}, rules {decision.rules}"
    if agreement.findings_total:
        yield f"{agreement.findings_confirmed} of {agreement.findings_total} findings confirmed{_band(agreement)}"
    if decision.needs_operator:
        yield "an operator is asked: `decisions approve`, `decisions reject` or `decisions amend`"
    for flag in decision.flags:
        yield f"mind: {plain(flag, 300)}"
    for line in decision.rationale:
        yield f"because {plain(line)}"
    for answer in decision.answers:
        late = ", late" if answer.late else ""
        yield f"  {answer.provider}: {answer.status.value}{late} {plain(answer.verdict or '-')} {plain(answer.reason, 120)}".rstrip()
    for cluster in decision.clusters:
        yield from _cluster(cluster)
    for conflict in decision.conflicts:
        yield _conflict(conflict)
    for vote in decision.dissent:
        yield f"  dissent {plain(vote.get('provider', ''))}: {plain(vote.get('verdict', ''))}, {plain(vote.get('why', ''), 160)}"
    for edit in (*decision.basis.edits, *decision.feedback):
        yield _edit(edit)


def _band(agreement: Agreement) -> str:
    if agreement.share is None or not agreement.band or agreement.usual is None:
        return ""
    low, high = agreement.usual
    whose = "this repository" if agreement.own_history else "published reviews"
    return f"; agreement {agreement.band} ({agreement.share:.2f}; {low:.2f} to {high:.2f} is usual for {whose})"


def _cluster(cluster: Cluster) -> Iterable[str]:
    place = f"{plain(cluster.path)}:{cluster.line} " if cluster.path else ""
    likely = f", {chance_word(cluster.real)} {cluster.real:.2f}" if cluster.supported and cluster.real else ""
    word = f", {cluster.word} by an operator" if cluster.word else ""
    standing = "" if cluster.supported else ", unsupported"
    head = f"  finding {cluster.id} [{cluster.severity}] {cluster.k} of {cluster.n}, {cluster.tier}{likely}{standing}{word}"
    yield f"{head}: {place}{plain(cluster.title, 120)}"
    for member in cluster.members:
        who, severity, why = plain(member.get("provider", "")), plain(member.get("severity", "")), member.get("unsupported")
        note = f" (no vote: {plain(why, 120)})" if why else ""
        yield f"      {who}: {severity} {plain(member.get('title', ''), 120)}{note}"
    for who, answer in cluster.verified.items():
        yield f"      {plain(who)}, asked about it: {answer.replace('_', ' ')}"


def _conflict(conflict: Conflict) -> str:
    positions = ", ".join(f"{plain(who)}: {plain(what, 80)}" for who, what in conflict.positions.items())
    other = f"; or {', '.join(conflict.alternatives)}" if conflict.alternatives else ""
    head = f"  conflict {conflict.type} on {plain(conflict.subject)} ({positions})"
    return f"{head}: {plain(conflict.resolution)} (by {plain(conflict.resolved_by, 120)}){other}"


def _edit(edit: Edit) -> str:
    about = ", ".join(map(plain, edit.findings))
    return f"  {plain(edit.by)} at {edit.at}: {edit.word} {plain(edit.value)} {about}".rstrip() + (
        f", {plain(edit.note, 200)}" if edit.note else ""
    )
