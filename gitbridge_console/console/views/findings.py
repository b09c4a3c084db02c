"""Findings as rows: who said it and who did not, in a line each, as a grid of providers, or with their words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from gitbridge_console.consensus.agreement import chance_word
from gitbridge_console.consensus.conflicts import GRAVE
from gitbridge_console.console.text import clip, fit, safe
from gitbridge_console.console.views.cells import Cell, Line, line
from gitbridge_console.console.views.panel import decimal, grid_line, words
from gitbridge_console.domain.answers import SEVERITIES
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Cluster, Decision

SEVERITY_TONES = {"critical": "bad", "high": "bad", "medium": "warn", "low": "", "nit": "dim"}
SEVERITY_WORDS = {"critical": "CRIT", "high": "HIGH", "medium": "MED", "low": "LOW", "nit": "NIT"}
MARKS_MAX = 18
"""Cells that glyphs with room for names above them may take; beyond that they stand close."""
REAL = 12
"""Cells of ``doubtful .16``."""
REAL_LEFT_MIN = 58
"""Cells left of a grid from which the chance is given as a word too."""
PREFIX = 6
"""Cells of cursor, number and signs."""
SAYING_LINES = 2
ROW_MAX = 400
"""Cells no screen is wider than; longer titles are cut before they are laid out."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How the rows are to be shown: where the cursor stands, what is marked, and which findings have conflicts."""

    cursor: int = 0
    """Number of a finding, 0 for none."""
    marked: frozenset[int] = frozenset()
    disputed: frozenset[int] = frozenset()


def initials(providers: Sequence[str]) -> dict[str, str]:
    """The shortest beginnings, of one length, that tell the providers of a panel apart: ``Cl``, ``Ch``, ``Gr``."""
    names = {name: safe(name) for name in providers}
    longest = max((len(name) for name in names.values()), default=1)
    length = next((n for n in range(1, longest) if len({name[:n].lower() for name in names.values()}) == len(names)), longest)
    return {name: shown[:length].capitalize() for name, shown in names.items()}


def mark(cluster: Cluster, answer: Answer) -> str:
    """``●`` said it, ``~`` probably the same, ``-`` said without support, ``·`` silent, ``?`` abstained, ``x`` failed or late.

    ``○`` stands for one who is still out.
    """
    if answer.late:
        return "x"
    if answer.status is AnswerStatus.OK:
        own = [member for member in cluster.members if member.get("provider") == answer.provider]
        if not own:
            return "·"
        if all("unsupported" in member for member in own):
            return "-"
        return "~" if cluster.tier == "probable" else "●"
    if answer.status is AnswerStatus.PENDING:
        return "○"
    return "?" if answer.status in (AnswerStatus.ABSTAIN, AnswerStatus.REFUSED) else "x"


def signs(cluster: Cluster, disputed: frozenset[int]) -> str:
    """``✓`` accepted, ``-`` without support or dismissed, ``!`` in conflict, ``~`` probably the same."""
    word = "✓" if cluster.word == "accepted" else "" if cluster.stands else "-"
    return word + ("!" if cluster.id in disputed else "") + ("~" if cluster.tier == "probable" else "")


def chance_text(cluster: Cluster) -> str:
    """``likely .82``; empty where nobody's word stands or it was not worked out."""
    return f"{chance_word(cluster.real)} {decimal(cluster.real)}" if cluster.real and cluster.stands else ""


def place_of(cluster: Cluster) -> str:
    """``tax/sale.py:88``."""
    return f"{safe(cluster.path)}:{cluster.line}" if cluster.path and cluster.line else safe(cluster.path) or "no file"


def tail(text: str, width: int) -> str:
    """The end of a path in exactly ``width`` cells: there it says most."""
    if cell_len(text) <= width:
        return fit(text, width)
    kept = text[-max(0, width - 1) :] if width > 1 else ""
    while cell_len(kept) >= width and kept:
        kept = kept[1:]
    return fit(f"…{kept}", width)


def tone_of(cluster: Cluster, tone: str) -> str:
    """The tone, or struck where the finding does not stand."""
    return tone if cluster.stands else "struck"


def _prefix(cluster: Cluster, shown: Shown) -> Cell:
    at = "*" if cluster.id in shown.marked else ">" if cluster.id == shown.cursor else " "
    return Cell(f"{at}{cluster.id:>2}{fit(signs(cluster, shown.disputed), 3)}")


def _severity(cluster: Cluster) -> Cell:
    word = SEVERITY_WORDS.get(cluster.severity, safe(cluster.severity).upper()[:4])
    return Cell(f"{fit(word, 4)} ", tone_of(cluster, SEVERITY_TONES.get(cluster.severity, "")))


def _votes(cluster: Cluster) -> Cell:
    return Cell(f"{cluster.k}/{cluster.n} ", "strong" if cluster.confirmed else "")


def unified_head(answers: Sequence[Answer], width: int) -> Line:
    """Titles of the columns of :func:`unified_row`."""
    names, _, place, claim = _columns(answers, width)
    return line(Cell(f"{'  #':<{PREFIX}}sev  k/n {names} {fit('where', place)} {fit('claim', claim)} real?", "dim"))


def _columns(answers: Sequence[Answer], width: int) -> tuple[str, int, int, int]:
    """Names above the glyphs, cells of each glyph (0: one, standing close), and the widths of place and claim."""
    short = list(initials([answer.provider for answer in answers]).values())
    each = max((cell_len(name) for name in short), default=1)
    if (each + 1) * len(short) - 1 > MARKS_MAX:
        names, each = "".join(name[:1] for name in short), 0
    else:
        names = " ".join(fit(name, each) for name in short)
    rest = width - PREFIX - 5 - 4 - cell_len(names) - 1 - 1 - 1 - REAL
    place = max(8, min(18, rest // 2), min(30, rest * 2 // 5))
    return names, each, place, max(1, rest - place)


def unified_row(cluster: Cluster, answers: Sequence[Answer], width: int, shown: Shown) -> Line:
    """One finding in a line: number, severity, k of n, a glyph for each provider, place, claim, chance."""
    _, each, place, claim = _columns(answers, width)
    glyphs = [mark(cluster, answer) for answer in answers]
    marks = "".join(glyphs) if each == 0 else " ".join(fit(glyph, each) for glyph in glyphs)
    return line(
        _prefix(cluster, shown),
        _severity(cluster),
        _votes(cluster),
        f"{marks} ",
        Cell(f"{tail(place_of(cluster)[-ROW_MAX:], place)} ", tone_of(cluster, "dim")),
        Cell(f"{fit(safe(cluster.title[:ROW_MAX]), claim)} ", tone_of(cluster, "")),
        Cell(chance_text(cluster), "" if cluster.confirmed else "dim"),
    )


def tiny_row(cluster: Cluster, answers: Sequence[Answer], width: int, shown: Shown) -> Line:
    """One finding where there is room for little: ``!H 2/3 CGx sale.py:88 tax rounded twice``."""
    letters = "".join(_letter(cluster, answer) for answer in answers)
    severity = SEVERITY_WORDS.get(cluster.severity, "?")[:1]
    at = "*" if cluster.id in shown.marked else ">" if cluster.id == shown.cursor else ""
    place = place_of(cluster).rpartition("/")[2]
    return line(
        f"{at}{signs(cluster, shown.disputed)}",
        Cell(severity, SEVERITY_TONES.get(cluster.severity, "")),
        f" {cluster.k}/{cluster.n} {letters} ",
        Cell(f"{clip(place[:ROW_MAX], max(6, width // 3))} ", tone_of(cluster, "dim")),
        Cell(safe(cluster.title[:ROW_MAX]), tone_of(cluster, "")),
    )


def _letter(cluster: Cluster, answer: Answer) -> str:
    glyph = mark(cluster, answer)
    return safe(answer.provider)[:1].upper() if glyph in "●~" else glyph


def grid_rows(cluster: Cluster, answers: Sequence[Answer], left: int, column: int, shown: Shown, *, sayings: bool) -> list[Line]:
    """One finding as a row of the grid; with ``sayings`` each provider's own words below its rating."""
    spoken = chance_text(cluster)
    real = fit(spoken, REAL) if left >= REAL_LEFT_MIN else fit(spoken.rpartition(" ")[2], 4)
    rest = left - PREFIX - 5 - 4 - cell_len(real) - 2
    place = max(min(18, rest // 2), min(34, rest * 2 // 5))
    own = [
        _prefix(cluster, shown),
        _severity(cluster),
        _votes(cluster),
        Cell(f"{tail(place_of(cluster)[-ROW_MAX:], place)} ", tone_of(cluster, "dim")),
        Cell(f"{fit(safe(cluster.title[:ROW_MAX]), max(1, rest - place))} ", tone_of(cluster, "strong" if cluster.confirmed else "")),
        Cell(real, "" if cluster.confirmed else "dim"),
    ]
    rows = [grid_line(own, [_rating(cluster, answer) for answer in answers], left, column)]
    if sayings:
        said = [_saying(cluster, answer, column) for answer in answers]
        for n in range(max((len(part) for part in said), default=0)):
            rows.append(grid_line([], [part[n] if n < len(part) else Cell("") for part in said], left, column))
    return rows


def _own(cluster: Cluster, answer: Answer) -> list[dict[str, Any]]:
    return [member for member in cluster.members if member.get("provider") == answer.provider]


def _rating(cluster: Cluster, answer: Answer) -> Cell:
    """``= critical 88-91``; of one that did not say it the glyph, with what it made of it when asked."""
    own = _own(cluster, answer)
    if answer.status is not AnswerStatus.OK or not own:
        asked = cluster.verified.get(answer.provider)
        return Cell(mark(cluster, answer) + (f" asked: {words(asked)}" if asked else ""), "dim")
    more = f" +{len(own) - 1}" if len(own) > 1 else ""
    if "unsupported" in own[0]:
        return Cell(f"- {_where(own[0])}{more}", "struck")
    return Cell(f"{'~' if cluster.tier == 'probable' else '='} {_where(own[0])}{more}", tone_of(cluster, ""))


def _where(member: Mapping[str, Any]) -> str:
    start, end = member.get("start_line") or 0, member.get("end_line") or 0
    lines = "" if not start else f" {start}-{end}" if isinstance(end, int) and end > start else f" {start}"
    return f"{safe(str(member.get('severity', '')))}{lines}"


def _saying(cluster: Cluster, answer: Answer, column: int) -> list[Cell]:
    said = " ".join(f'"{safe(str(m.get("title", ""))[:ROW_MAX])}"' for m in _own(cluster, answer))
    rows: list[Cell] = []
    while said and len(rows) < SAYING_LINES:
        last = len(rows) == SAYING_LINES - 1
        row = clip(said, column) if last or cell_len(said) <= column else _first_words(said, column)
        rows.append(Cell(row, tone_of(cluster, "dim")))
        said = "" if last else said[len(row) :].lstrip()
    return rows


def _first_words(text: str, width: int) -> str:
    """As many whole words as fit, at least a part of the first."""
    taken = clip(text, width, ellipsis="")
    at = taken.rfind(" ")
    return taken[:at] if at > 0 else taken


def split_folded(decision: Decision, disputed: frozenset[int]) -> tuple[list[Cluster], list[Cluster]]:
    """Findings that are shown, and those folded away: unconfirmed ones of little weight that nobody disputes, and unsupported ones.

    Nothing is folded where nothing else would be left; what an operator spoke of does not count as that, else a first word would make the
    other findings disappear.
    """
    shown: list[Cluster] = []
    folded: list[Cluster] = []
    for cluster in decision.clusters:
        (folded if _is_unconfirmed(cluster, disputed) or _is_unsupported(cluster) else shown).append(cluster)
    return (shown, folded) if any(not cluster.word for cluster in shown) else (list(decision.clusters), [])


def _is_unconfirmed(cluster: Cluster, disputed: frozenset[int]) -> bool:
    settled = cluster.confirmed or cluster.word or cluster.verified or cluster.id in disputed
    return cluster.supported and cluster.n > 1 and not settled and cluster.severity not in GRAVE


def _is_unsupported(cluster: Cluster) -> bool:
    return not cluster.supported and not cluster.word


def fold_lines(folded: Sequence[Cluster], width: int, key: str = "") -> list[Line]:
    """``▸ 4 unconfirmed (1/3): 2 low, 2 nit   ▸ 1 unsupported``, and by which key they unfold."""
    unconfirmed = [cluster for cluster in folded if cluster.supported]
    unsupported = [cluster for cluster in folded if not cluster.supported]
    parts = []
    if unconfirmed:
        counts = Counter(cluster.severity for cluster in unconfirmed)
        order = sorted(counts, key=lambda word: SEVERITIES.index(word) if word in SEVERITIES else len(SEVERITIES))
        said = ", ".join(f"{counts[word]} {safe(word)}" for word in order)
        votes = "/".join(str(part) for part in (unconfirmed[0].k, unconfirmed[0].n))
        parts.append(f"▸ {len(unconfirmed)} unconfirmed ({votes}): {said}")
    if unsupported:
        reasons = Counter(str(member["unsupported"]) for cluster in unsupported for member in cluster.members if "unsupported" in member)
        why = f" ({safe(reasons.most_common(1)[0][0])})" if reasons else ""
        parts.append(f"▸ {len(unsupported)} unsupported{why}")
    parts += [f"{key} unfolds"] if key else []
    joined = "   ".join(parts)
    if cell_len(joined) <= width:
        return [line(Cell(joined, "dim"))] if parts else []
    return [line(Cell(clip(part, width), "dim")) for part in parts]
