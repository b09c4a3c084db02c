"""The text of a review or comment, in Markdown, bounded, with a hidden marker as its last line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gitbridge_console.actions.outside_text import code, one_line, quoted
from gitbridge_console.domain.decisions import AnswerStatus, Cluster, Conflict, Decision

BODY_MAX = 65_000
"""Characters of one body; the host's own limit is 65,536."""
TITLE_MAX = 200
TEXT_MAX = 4_000
FINDINGS_MAX = 50
_VOTELESS = {
    AnswerStatus.ABSTAIN: "abstained",
    AnswerStatus.REFUSED: "refused",
    AnswerStatus.TIMEOUT: "timed out",
    AnswerStatus.PENDING: "no answer yet",
}


def summary_body(decision: Decision, marker: str, *, findings: Sequence[Cluster] | None = None) -> str:
    """The whole text: verdict, who said what, findings, disagreement. Cut at whole blocks to fit, never within one.

    ``findings`` leaves out those that are published beside their line; by default all are listed.
    """
    listed = decision.clusters if findings is None else findings
    blocks = [
        _heading(decision),
        _table(decision),
        *([quoted(decision.summary, TEXT_MAX)] if decision.summary.strip() else []),
        *_findings(listed, len(decision.clusters)),
        *_disagreement(decision),
    ]
    return fit(blocks, marker)


def fit(blocks: Iterable[str], marker: str) -> str:
    """Join blocks as far as they fit, say if some were left out, and close with the marker."""
    ending = f"\n\n{marker}"
    left_out = "\n\n_Some of it is left out here for length._"
    room = BODY_MAX - len(ending) - len(left_out)
    text = ""
    for block in blocks:
        part = f"\n\n{block}" if text else block
        if len(part) > room:
            return text + left_out + ending
        text += part
        room -= len(part)
    return text + ending


def finding_text(cluster: Cluster) -> str:
    """One finding beside its line: severity, title, who says so, and the words of the first who does."""
    first = cluster.members[0] if cluster.members else {}
    body = str(first.get("body", ""))
    head = f"**{one_line(cluster.severity, 20)}** · {one_line(cluster.title, TITLE_MAX)} ({_who(cluster)})"
    return f"{head}\n\n{quoted(body, TEXT_MAX)}" if body.strip() else head


def _who(cluster: Cluster) -> str:
    names = dict.fromkeys(str(member.get("provider", "")) for member in cluster.members)
    return f"{', '.join(one_line(name, 40) for name in names if name) or 'panel'}; {cluster.k} of {cluster.n}"


def _heading(decision: Decision) -> str:
    agreement = decision.agreement
    votes = f"{agreement.verdict_k} of {agreement.verdict_n}"
    told = "one answer" if decision.seats == 1 else f"{votes} votes"
    state = "" if decision.state.value == "complete" else f" · {decision.state.value}: {decision.answered} of {decision.seats} answered"
    return f"### GitBridge: {one_line(decision.verdict, 60)}\n\n{told} · strategy {one_line(decision.strategy, 60)}{state}"


def _table(decision: Decision) -> str:
    rows = [
        f"| {one_line(answer.provider, 40)} | {one_line(answer.model, 80)} | {one_line(_vote(answer.status, answer.verdict), 60)} |"
        for answer in decision.answers
    ]
    return "\n".join(["| Reviewer | Model | Verdict |", "| --- | --- | --- |", *rows])


def _vote(status: AnswerStatus, verdict: str | None) -> str:
    return verdict if status is AnswerStatus.OK and verdict else _VOTELESS.get(status, status.value.replace("_", " "))


def _findings(listed: Sequence[Cluster], total: int) -> Iterator[str]:
    beside = total - len(listed)
    if beside:
        yield f"{beside} of {total} findings are beside their lines."
    if listed:
        yield "**Findings**"
    for cluster in listed[:FINDINGS_MAX]:
        place = code(f"{cluster.path}:{cluster.line}" if cluster.line > 0 else cluster.path, 300)
        yield f"- {f'{place} · ' if place else ''}{finding_text(cluster).replace(chr(10), chr(10) + '  ')}"
    if len(listed) > FINDINGS_MAX:
        yield f"_and {len(listed) - FINDINGS_MAX} more_"


def _disagreement(decision: Decision) -> Iterator[str]:
    lines = [_conflict(conflict) for conflict in decision.conflicts[:20]]
    lines += [
        f"- {one_line(vote.get('provider', ''), 40)} voted {one_line(vote.get('verdict', ''), 60)}: {one_line(vote.get('why', ''), 500)}"
        for vote in decision.dissent[:8]
    ]
    if lines:
        yield "**Disagreement**\n\n" + "\n".join(lines)


def _conflict(conflict: Conflict) -> str:
    positions = ", ".join(f"{one_line(name, 40)}: {one_line(position, 120)}" for name, position in list(conflict.positions.items())[:8])
    return f"- {one_line(conflict.type, 40)}, {one_line(conflict.subject, 200)} ({positions}); {one_line(conflict.resolution, 200)}"
