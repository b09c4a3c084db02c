"""One provider's answer as it gave it, and one finding with everything said of it. Nothing here is blended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gitbridge_console.consensus.clusters import findings_of
from gitbridge_console.console.text import safe
from gitbridge_console.console.views.cells import Cell, Line, clock, cut, line, wrap
from gitbridge_console.console.views.conflicts import conflict_lines, disputed, numbers_of
from gitbridge_console.console.views.findings import SEVERITY_TONES, chance_text, place_of, signs
from gitbridge_console.console.views.panel import decimal, head_of, words
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Cluster, Decision

PARAGRAPHS_MAX = 60
TEXT_MAX = 20_000
"""Lines and characters of one text that are shown."""

LISTS = ("findings", "edits")
QUOTED = ("body", "problem", "evidence", "suggestion")


def answer_page(answer: Answer, place: str, width: int) -> list[Line]:
    """One provider's original answer; ``place`` says which of how many it is."""
    head = head_of(answer)
    lines = [
        line(Cell(f"ORIGINAL ANSWER {place}  ", "head"), Cell(head.name, "strong"), Cell(f"  {safe(answer.model)}", "dim")),
        line(Cell(head.verdict.text, head.verdict.tone or "strong"), f"  {head.cost}", Cell(f"  {_source(answer)}", "dim")),
    ]
    if answer.late:
        lines.append(line(Cell("it came after the deadline and has no vote", "warn")))
    if answer.reason:
        lines += _text(answer.reason, "warn" if answer.status is not AnswerStatus.ABSTAIN else "dim")
    payload = answer.payload or {}
    for number, finding in enumerate(findings_of(answer), 1):
        lines += [line(""), *_finding(number, finding)]
    rest = {name: value for name, value in payload.items() if name not in LISTS and value not in (None, "", [])}
    if rest:
        lines.append(line(""))
        for name, value in list(rest.items())[:30]:
            lines += _named(name, value)
    return _fitting(lines, width)


def _source(answer: Answer) -> str:
    tokens = (
        f"{answer.tokens_in if answer.tokens_in is not None else '?'}+{answer.tokens_out if answer.tokens_out is not None else '?'} tokens"
    )
    vendor = f", vendor {safe(answer.vendor)}" if answer.vendor else ""
    return f"{tokens}, prompt {safe(answer.prompt) or 'unknown'}{vendor}"


def _finding(number: int, finding: Mapping[str, Any]) -> list[Line]:
    severity = str(finding.get("severity", ""))
    more = [f"{name} {safe(str(finding[name]))}" for name in ("category", "confidence", "section") if finding.get(name)]
    return [
        line(
            f"{number:>3} ",
            Cell(f"{safe(severity)} ", SEVERITY_TONES.get(severity, "")),
            Cell(f"{_where(finding)}  ", "dim"),
            Cell(safe(str(finding.get("title", ""))), "strong"),
            Cell(f"  {', '.join(more)}" if more else "", "dim"),
        ),
        *_quoted(finding),
    ]


def _quoted(finding: Mapping[str, Any]) -> Iterable[Line]:
    for name in QUOTED:
        if text := str(finding.get(name) or ""):
            if name == "body":
                yield from _text(text, "")
            else:
                yield from _text(f"{name}: {text}", "dim")


def _where(finding: Mapping[str, Any]) -> str:
    path, start, end = (finding.get(name) or "" for name in ("path", "start_line", "end_line"))
    lines = "" if not start else f":{start}" if start == end or not end else f":{start}-{end}"
    return safe(f"{path}{lines}") or "no file"


def _named(name: str, value: object) -> list[Line]:
    if isinstance(value, list | tuple):
        value = ", ".join(str(part) for part in value[:50])
    first, *more = safe(str(value)[:TEXT_MAX], lines=True).split("\n")[:PARAGRAPHS_MAX]
    return [line(Cell(f"{words(name)}: ", "dim"), first), *(line(f"      {text}") for text in more)]


def _text(text: str, tone: str) -> list[Line]:
    return [line(Cell(f"      {row}", tone)) for row in safe(text[:TEXT_MAX], lines=True).split("\n")[:PARAGRAPHS_MAX]]


def _fitting(lines: Iterable[Line], width: int) -> list[Line]:
    return [cut(part, width) for whole in lines for part in wrap(whole, width)]


def finding_page(cluster: Cluster, decision: Decision, width: int) -> list[Line]:
    """All that was said of one finding: by those who made it, by those asked about it, by operators, and why it is one finding."""
    verdict = "confirmed" if cluster.confirmed else "unconfirmed" if cluster.supported else "unsupported"
    stands = {"accepted": ", accepted by an operator", "dismissed": ", dismissed by an operator"}.get(cluster.word, "")
    lines = [
        line(
            Cell(f"FINDING {cluster.id} {signs(cluster, disputed(decision))}  ", "head"),
            Cell(f"{safe(cluster.severity).upper()}  ", SEVERITY_TONES.get(cluster.severity, "")),
            Cell(f"{cluster.k}/{cluster.n} {verdict}{stands}", "strong"),
            f"  {chance_text(cluster)}",
            Cell(f"  {place_of(cluster)}  {safe(cluster.category)}", "dim"),
        ),
        line(Cell(safe(cluster.title), "strong" if cluster.stands else "struck")),
    ]
    for member in cluster.members:
        lines += [line(""), *_member(member)]
    silent = [safe(answer.provider) for answer in decision.answers if answer.provider not in {m.get("provider") for m in cluster.members}]
    if silent:
        lines += [line(""), line(Cell(f"not said by: {', '.join(silent)}", "dim"))]
    for title, rows in (
        ("WHY THESE ARE TAKEN FOR ONE", _parts(cluster)),
        ("WHAT OTHERS MADE OF IT, NOT KNOWING WHO SAID IT", _verified(cluster, decision)),
        ("OPERATORS' WORDS", _edits(cluster, decision)),
        ("CONFLICTS", _conflicts(cluster, decision, width)),
    ):
        if rows:
            lines += [line(""), line(Cell(title, "head")), *rows]
    return _fitting(lines, width)


def _member(member: Mapping[str, Any]) -> list[Line]:
    name = Cell(f"{safe(str(member.get('provider', ''))).upper()} ", "head")
    first, *more = _finding(int(member.get("index", 0)) + 1, member)
    lines = [line(name, *first.parts), *more]
    if "unsupported" in member:
        lines.append(line(Cell(f"      - has no vote: {safe(str(member['unsupported']))}", "warn")))
    return lines


def _parts(cluster: Cluster) -> list[Line]:
    if cluster.tier == "joined" and not cluster.parts:
        return [line("  an operator joined them")]
    return [
        line(
            f"  {safe(str(part.get('a', '')))} {'~' if part.get('tier') == 'probable' else '='} {safe(str(part.get('b', '')))}  ",
            f"score {_number(part.get('score'))}: words {_number(part.get('similarity'))}",
            ", same file" if part.get("same_path") else ", another file",
            f", {part['gap']} lines apart" if isinstance(part.get("gap"), int) else "",
            ", same category" if part.get("same_category") else "",
        )
        for part in cluster.parts
    ]


def _number(value: object) -> str:
    return decimal(float(value)) if isinstance(value, int | float) else "?"


def _verified(cluster: Cluster, decision: Decision) -> list[Line]:
    lines = []
    for asked in decision.basis.verifications:
        for ref in cluster.refs:
            if ref in asked.words:
                quote = f'  "{safe(asked.quotes[ref])}"' if asked.quotes.get(ref) else ""
                heard = "" if asked.trusted else f"  not counted: {safe(asked.reason)}"
                lines.append(line(f"  {safe(asked.provider)}: ", Cell(words(asked.words[ref]), "strong"), quote, Cell(heard, "warn")))
    known = {asked.provider for asked in decision.basis.verifications}
    return lines + [line(f"  {safe(who)}: {words(word)}") for who, word in cluster.verified.items() if who not in known]


def _edits(cluster: Cluster, decision: Decision) -> list[Line]:
    return [
        line(
            Cell(f"  {clock(edit.at)} ", "dim"),
            Cell(f"{safe(edit.by)} ", "strong"),
            f"{edit.word} {safe(edit.value)}",
            Cell(f"  {safe(edit.note)}", "dim"),
        )
        for edit in (*decision.basis.edits, *decision.feedback)
        if set(edit.findings) & set(cluster.refs)
    ]


def _conflicts(cluster: Cluster, decision: Decision, width: int) -> list[Line]:
    return [
        part for conflict in decision.conflicts if cluster.id in numbers_of(conflict) for part in conflict_lines(conflict, decision, width)
    ]
