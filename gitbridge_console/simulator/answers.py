"""Answers of the simulated services: plausible, structured as the request asks, and the same for the same question."""

from __future__ import annotations

import hashlib
import json
import random
import re
from typing import Any

from gitbridge_console.simulator.claims import arbitrate, verify
from gitbridge_console.simulator.difftext import AddedLine, added_lines, paths_in
from gitbridge_console.simulator.reviewers import review, temper_of, worst
from gitbridge_console.simulator.schemas import conform, kind_of_schema
from gitbridge_console.simulator.seeds import seeded

DOC_SUFFIXES = (".md", ".rst", ".txt", ".adoc")
DEFAULT_LABELS = ("bug", "documentation", "enhancement", "question", "good first issue")
_ALLOWED = re.compile(
    r"(?im)^.*\b(?:allowed|existing|available|known)\b[^:\n]{0,40}\blabels?\b[^:\n]{0,40}:\s*(\S.*)$|^.*\blabels?\s+allowed\s*:\s*(\S.*)$"
)
_ALARM = re.compile(r"(?i)\b(failure|timed_out|startup_failure|action_required)\b")
_WORDS = {
    "bug": ("crash", "error", "fail", "broken", "wrong", "regression", "panic", "500", "leak", "hang"),
    "docs": ("docs", "readme", "typo", "documentation", "example", "guide"),
    "feature": ("add ", "support", "feature", "allow", "would be nice", "option"),
    "question": ("how ", "why ", "what ", "?"),
    "spam": ("http://", "cheap", "crypto", "winner"),
}


def answer_text(*, prompt: str, schema: dict[str, Any] | None, schema_name: str, provider: str, seed: int) -> str:
    """The JSON text a service answers with, or plain words when no schema was asked for."""
    rng = seeded("answer", seed, provider, content_key(prompt))
    if schema is None:
        return f"Simulated answer of {provider}: {rng.choice(('noted.', 'nothing to add.', 'this looks fine.'))}"
    kind = kind_of_schema(schema, schema_name)
    makers = {
        "code_review": _code_review,
        "push_review": _push_review,
        "documentation": _documentation,
        "issue_triage": _issue_triage,
        "general": _general,
        "verify": verify,
        "arbiter": arbitrate,
    }
    answer = makers[kind](prompt, provider, seed, rng) if kind else {}
    return json.dumps(conform(answer, schema, rng), ensure_ascii=False)


def content_key(prompt: str) -> str:
    """A hash of what is asked. Lines count, their order does not, for file order differs from service to service."""
    lines = sorted(line.strip() for line in prompt.splitlines() if line.strip())
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _code_review(prompt: str, provider: str, seed: int, rng: random.Random) -> dict[str, Any]:
    lines = added_lines(prompt)
    if reason := _abstains(lines, provider, rng):
        return {"findings": [], "summary": "", "verdict": "abstain", "abstain_reason": reason}
    findings = review(lines, provider, seed, content_key(prompt))
    rank = worst(findings)
    verdict = "request_changes" if rank >= 3 or (rank == 2 and rng.random() < 0.35) else "comment" if rank >= 1 else "approve"
    return {"findings": findings, "summary": _summary(lines, findings), "verdict": verdict, "abstain_reason": None}


def _push_review(prompt: str, provider: str, seed: int, rng: random.Random) -> dict[str, Any]:
    lines = added_lines(prompt)
    empty = {"findings": [], "breaking_change": False, "release_note": "", "risk": "none"}
    if reason := _abstains(lines, provider, rng):
        return {**empty, "verdict": "abstain", "abstain_reason": reason}
    findings = review(lines, provider, seed, content_key(prompt))
    rank = worst(findings)
    return {
        "findings": findings,
        "breaking_change": rank >= 3 and rng.random() < 0.3,
        "release_note": _summary(lines, findings),
        "risk": ("none", "none", "low", "medium", "high", "high")[rank + 1],
        "verdict": "alert" if rank >= 3 else "ok",
        "abstain_reason": None,
    }


def _abstains(lines: list[AddedLine], provider: str, rng: random.Random) -> str | None:
    if not lines:
        return "no diff was shown, only what changed by name" if rng.random() < 0.6 else None
    if rng.random() < temper_of(provider).abstains:
        return "the change cannot be judged without the code around it"
    return None


def _summary(lines: list[AddedLine], findings: list[dict[str, Any]]) -> str:
    paths = list(dict.fromkeys(line.path for line in lines))
    if not paths:
        return "Nothing but the description could be looked at."
    shown = ", ".join(paths[:3]) + (" and others" if len(paths) > 3 else "")
    return f"Changes {shown}; {len(findings) or 'no'} point{'s' if len(findings) != 1 else ''} to look at."


def _documentation(prompt: str, provider: str, seed: int, rng: random.Random) -> dict[str, Any]:
    lines = added_lines(prompt)
    docs = sorted({p for p in paths_in(prompt) if p.endswith(DOC_SUFFIXES)}) or ["README.md"]
    if rng.random() < temper_of(provider).abstains:
        return {"edits": [], "summary": "", "verdict": "abstain", "abstain_reason": "the pages this refers to were not shown"}
    edits = _doc_edits(lines, docs, provider, seed, rng)
    verdict = "needs_update" if worst(edits) >= 1 else "up_to_date"
    return {"edits": edits, "summary": _summary(lines, edits), "verdict": verdict, "abstain_reason": None}


def _doc_edits(lines: list[AddedLine], docs: list[str], provider: str, seed: int, rng: random.Random) -> list[dict[str, Any]]:
    truth = seeded("docs", seed, *docs)
    skill = temper_of(provider).skill
    wordings = {
        "outdated": ("The command in `{page}` is outdated", "`{page}` still shows the outdated command"),
        "missing": ("`{page}` misses the new option", "The new option is missing from `{page}`"),
        "broken_link": ("Broken link in `{page}`", "A link of `{page}` leads nowhere"),
        "unclear": ("The order of steps in `{page}` is unclear", "Unclear which of the steps in `{page}` comes first"),
    }
    edits = []
    for page in docs[:4]:
        problem, hard, severity = truth.choice(list(wordings)), truth.random(), truth.choice(("low", "low", "medium", "nit"))
        if truth.random() < 0.6 and rng.random() < skill * (1 - 0.5 * hard):
            headings = [line.text.lstrip("# ") for line in lines if line.path == page and line.text.startswith("#")]
            title = rng.choice(wordings[problem]).format(page=page)
            section = headings[0] if headings else "Usage"
            suggestion = "Say which version it holds for and show one complete example."
            edits.append(
                {"path": page, "section": section, "problem": problem, "title": title, "suggestion": suggestion, "severity": severity}
            )
    return edits


def _issue_triage(prompt: str, provider: str, seed: int, rng: random.Random) -> dict[str, Any]:
    allowed = allowed_labels(prompt)
    body = _ALLOWED.sub("", prompt).lower()
    scores = {kind: sum(body.count(word) for word in words) for kind, words in _WORDS.items()}
    kind = max(scores, key=lambda name: scores[name]) if any(scores.values()) else "unclear"
    if rng.random() < 0.12:
        kind = rng.choice(("question", "chore", "unclear"))
    wanted = {"bug": "bug", "docs": "doc", "feature": "enhancement", "question": "question"}.get(kind, "")
    labels = [label for label in allowed if wanted and wanted in label.lower()][:1]
    labels += [label for label in allowed if label not in labels and rng.random() < 0.08][:1]
    short = rng.random() < 0.25
    urgent = kind == "bug" and any(word in body for word in ("crash", "data loss", "panic", "security"))
    return {
        "kind": kind,
        "labels": labels,
        "components": [path.split("/")[0] for path in paths_in(prompt)[:1]],
        "priority": rng.choice(("p0", "p1", "p1")) if urgent else rng.choice(("p2", "p2", "p3")),
        "duplicate_of": [],
        "needs_info": ["version and platform"] if short else [],
        "suggested_reply": "Thank you. Which version and platform is this?" if short else "Thank you, this is on the list.",
        "verdict": "needs_info" if short else "triaged",
        "abstain_reason": None,
    }


def allowed_labels(prompt: str) -> list[str]:
    """The closed list of labels a prompt gives, or the usual ones."""
    match = _ALLOWED.search(prompt)
    if not match:
        return list(DEFAULT_LABELS)
    return [label for part in re.split(r"[,;]", match[1] or match[2]) if (label := part.strip(" `'\"[]."))] or list(DEFAULT_LABELS)


def _general(prompt: str, provider: str, seed: int, rng: random.Random) -> dict[str, Any]:
    if rng.random() < temper_of(provider).abstains:
        return {"summary": "", "verdict": "abstain", "abstain_reason": "the event says too little"}
    alarming = _ALARM.search(prompt) is not None
    verdict = "attention" if alarming and rng.random() < 0.85 else "noted"
    return {
        "summary": "Somebody should look at this." if verdict == "attention" else "Routine, no action needed.",
        "verdict": verdict,
        "abstain_reason": None,
    }
