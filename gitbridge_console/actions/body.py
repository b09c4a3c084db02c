"""The text of a review or comment, in Markdown, bounded, with a hidden marker as its last line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gitbridge_console.actions.outside_text import code, one_line, quoted
from gitbridge_console.consensus.agreement import chance_word
from gitbridge_console.domain.decisions import AnswerStatus, Cluster, Conflict, Decision

BODY_MAX = 65_000
"""Characters of one body; the host's own limit is 65,536."""
TITLE_MAX = 200
TEXT_MAX = 4_000
FINDINGS_MAX = 50
FLAGS_MAX = 3
BESIDE = re.compile(r"\d+ of \d+ findings are beside their lines\.")
"""What the text says of comments that are not in it."""
LEFT_OUT = "_Some of it is left out here for length._"
_VOTELESS = {
    AnswerStatus.ABSTAIN: "abstained",
    AnswerStatus.REFUSED: "refused",
    AnswerStatus.TIMEOUT: "timed out",
    AnswerStatus.PENDING: "no answer yet",
}


def summary_body(decision: Decision, marker: str, *, findings: Sequence[Cluster] | None = None, of: str = "") -> str:
    """The whole text: verdict, who said what, findings, disagreement. Cut at whole blocks to fit, never within one.

    ``findings`` leaves out those that are published beside their line; by default all are listed. ``of`` is the commit it is
    about, where that does not follow from where it stands.
    """
    standing = [cluster for cluster in decision.clusters if cluster.stands]
    listed = standing if findings is None else [cluster for cluster in findings if cluster.stands]
    blocks = [
        _heading(decision) + (f" · of {of[:12]}" if of else ""),
        *(f"> **Mind:** {one_line(flag, 300)}" for flag in decision.flags[:FLAGS_MAX]),
        _table(decision),
        *([quoted(decision.summary, TEXT_MAX)] if decision.summary.strip() else []),
        *_findings(listed, len(standing)),
        *_disagreement(decision),
    ]
    return fit(blocks, marker)


def fit(blocks: Iterable[str], marker: str) -> str:
    """Join blocks as far as they fit, say if some were left out, and close with the marker."""
    ending = f"\n\n{marker}"
    left_out = f"\n\n{LEFT_OUT}"
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
    likely = f", {chance_word(cluster.real)}" if cluster.real else ""
    accepted = ", accepted by an operator" if cluster.word == "accepted" else ""
    asked = [one_line(name, 40) for name, word in cluster.verified.items() if word == "real"]
    likely += f", found real by {', '.join(asked)} when asked" if asked else ""
    return f"{', '.join(one_line(name, 40) for name in names if name) or 'panel'}; {cluster.k} of {cluster.n}{likely}{accepted}"


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
    shown = [cluster for cluster in listed if not is_folded(cluster)][:FINDINGS_MAX]
    folded = [cluster for cluster in listed if is_folded(cluster)][:FINDINGS_MAX]
    if shown:
        yield "**Findings**"
    yield from map(_item, shown)
    if folded:
        # One block, for half of it would leave the fold open.
        heads = "\n".join(_item(cluster, with_text=False) for cluster in folded)
        yield f"<details><summary>{len(folded)} unconfirmed: one reviewer each, and not grave</summary>\n\n{heads}\n\n</details>"
    if len(listed) > len(shown) + len(folded):
        yield f"_and {len(listed) - len(shown) - len(folded)} more_"


def is_folded(cluster: Cluster) -> bool:
    """Whether a finding is only told with its title: one voice, and nothing grave. Five of six such are false alarms."""
    return not cluster.confirmed and cluster.severity not in ("critical", "high") and cluster.n > 1


def _item(cluster: Cluster, with_text: bool = True) -> str:
    place = code(f"{cluster.path}:{cluster.line}" if cluster.line > 0 else cluster.path, 300)
    text = finding_text(cluster)
    text = text.replace("\n", "\n  ") if with_text else text.partition("\n")[0]
    return f"- {f'{place} · ' if place else ''}{text}"


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
