"""The exact requests of an action, and that no text from outside can do anything in them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.actions.body import BODY_MAX, LEFT_OUT, fit
from gitbridge_console.actions.caps import ReviewWord
from gitbridge_console.actions.outside_text import clean, code, one_line, quoted
from gitbridge_console.actions.requests import (
    ActionPlan,
    ActionRequest,
    NoAction,
    build_action,
    commentable_lines,
    plan_action,
    with_comments_in_body,
)
from gitbridge_console.domain.decisions import Agreement, Answer, AnswerStatus, Cluster, Conflict, Decision, DecisionState
from gitbridge_console.domain.events import ChangedFile, EventFacts
from gitbridge_console.domain.loops import is_marked
from gitbridge_console.settings.model import ActionSettings
from gitbridge_console.settings.routing import KindSettings

SHA = "a" * 40
MARKER = f"<!-- gitbridge:acme/shop#7:code_review:{SHA} -->"
OF_ALL_HEADS = "<!-- gitbridge:acme/shop#7:code_review:- -->"
"""A comment's: there is one for the whole pull request."""
PULL = EventFacts(type="pull_request", repository="acme/shop", number=7, head_sha=SHA)
PATCH = "@@ -1,3 +10,4 @@ def f():\n context\n-old\n+new\n+newer\n context\n\\ No newline at end of file\n@@ -40 +50 @@\n+last"


def finding(number: int, k: int = 2, path: str = "src/a.py", line: int = 11, text: str = "Off by one") -> Cluster:
    members = tuple({"provider": name, "title": text, "severity": "high", "body": text} for name in ("claude", "grok")[:k])
    return Cluster(id=number, tier="same", k=k, n=2, severity="high", path=path, line=line, title=text, members=members)


def decided(verdict: str = "request_changes", text: str = "It is off by one.", **changes: Any) -> Decision:
    values: dict[str, Any] = {
        "id": "1-1",
        "event_id": "1",
        "run": 1,
        "created_at": "2026-11-22T21:00:00Z",
        "kind": "code_review",
        "state": DecisionState.COMPLETE,
        "strategy": "majority",
        "verdict": verdict,
        "seats": 2,
        "quorum": 2,
        "answered": 2,
        "agreement": Agreement(verdict_k=2, verdict_n=2),
        "summary": text,
        "answers": (
            Answer(task_id="1.0", provider="claude", model=text, status=AnswerStatus.OK, verdict=verdict),
            Answer(task_id="1.1", provider="grok", status=AnswerStatus.ABSTAIN),
        ),
        "conflicts": (Conflict(type="verdict", subject=text, positions={"grok": text}, resolution=text, resolved_by="majority"),),
        "dissent": ({"provider": "grok", "verdict": "approve", "why": text},),
        "clusters": (finding(1, text=text), finding(2, k=1, text=text)),
    }
    return Decision(**(values | changes))


def plan(
    action: str,
    facts: EventFacts = PULL,
    decision: Decision | None = None,
    settings: ActionSettings | None = None,
    word: ReviewWord = "",
) -> ActionPlan | NoAction:
    return plan_action(KindSettings(action=action), facts, decision or decided(), (), settings, word)  # type: ignore[arg-type]


def request_of(
    action: str,
    facts: EventFacts = PULL,
    decision: Decision | None = None,
    settings: ActionSettings | None = None,
    word: ReviewWord = "",
) -> tuple[str, str, dict[str, Any]]:
    made = plan(action, facts, decision, settings, word)
    assert isinstance(made, ActionPlan)
    (request,) = made.requests
    return request.method, request.path, request.body


def test_a_review_is_one_request_with_agreed_findings_beside_their_lines() -> None:
    method, path, body = request_of("review")
    assert (method, path) == ("POST", "/repos/acme/shop/pulls/7/reviews")
    assert (body["commit_id"], body["event"]) == (SHA, "COMMENT")
    assert [(c["path"], c["line"], c["side"]) for c in body["comments"]] == [("src/a.py", 11, "RIGHT")]
    assert body["body"].endswith(MARKER)
    assert "1 of 2 findings are beside their lines" in body["body"]
    assert "claude, grok; 2 of 2" in body["comments"][0]["body"]
    assert is_marked(body["comments"][0]["body"]), "it comes back as an event, and is known as ours"
    assert "| claude |" in body["body"]
    assert "| abstained |" in body["body"]


def test_what_one_reviewer_says_is_folded_unless_grave_and_what_does_not_stand_is_left_out() -> None:
    lone = finding(2, k=1, text="A typo").model_copy(update={"severity": "low", "real": 0.22})
    gone = finding(3, text="Not in the diff").model_copy(update={"supported": False})
    no = finding(4, text="No fault at all").model_copy(update={"word": "dismissed"})
    yes = finding(5, k=1, text="Taken up").model_copy(update={"severity": "low", "word": "accepted"})
    grave = finding(6, k=1, text="Lost update")
    _, _, body = request_of("review", decision=decided(clusters=(finding(1), lone, gone, no, yes, grave)))
    assert [comment["body"].partition(" (")[0] for comment in body["comments"]] == ["**high** · Off by one", "**low** · Taken up"]
    text = body["body"]
    shown, _, folded = text.partition("<details>")
    assert "2 of 4 findings are beside their lines" in shown
    assert "Lost update" in shown
    assert "1 unconfirmed" in folded
    assert "A typo (claude; 1 of 2, doubtful)" in folded
    assert "Not in the diff" not in text
    assert "No fault at all" not in text


def test_what_casts_doubt_on_the_whole_panel_stands_first() -> None:
    text = request_of("review", decision=decided(flags=("claude and grok use the same words: 'signed off'",)))[2]["body"]
    assert text.split("\n\n")[2].startswith("> **Mind:** claude and grok use the same words")


@pytest.mark.parametrize("verdict", ["approve", "request_changes", "comment", "APPROVE"])
def test_a_review_never_approves(verdict: str) -> None:
    assert request_of("review", decision=decided(verdict))[2]["event"] == "COMMENT"


def test_only_lines_of_the_diff_are_commented() -> None:
    assert commentable_lines(PATCH) == {10, 11, 12, 13, 50}
    files = (ChangedFile("src/a.py", patch=PATCH), ChangedFile("src/unknown.py"))
    clusters = (
        finding(1, line=11),
        finding(2, line=99),
        finding(3, path="other.py"),
        finding(4, path="src/unknown.py", line=5),
        finding(5, line=0),
        finding(6, path="../etc/passwd"),
        finding(7, path="/abs"),
        finding(8, path="a\nb"),
    )
    made = build_action(KindSettings(action="review"), PULL, decided(clusters=clusters), files)
    assert made is not None
    assert [(c["path"], c["line"]) for c in made.requests[0].body["comments"]] == [("src/a.py", 11), ("src/unknown.py", 5)]
    assert "6 of 8" not in made.requests[0].body["body"]
    assert "2 of 8 findings are beside their lines" in made.requests[0].body["body"]


def test_an_empty_line_of_a_hunk_is_context_whose_space_was_stripped() -> None:
    assert commentable_lines("@@ -1,3 +1,4 @@\n a\n\n+b\n c\n") == {1, 2, 3, 4}


def test_a_text_that_was_cut_stays_when_comments_move_into_it() -> None:
    full = "A" * (BODY_MAX - len(f"\n\n{LEFT_OUT}\n\n{MARKER}"))
    comment = {"path": "src/a.py", "line": 11, "side": "RIGHT", "body": f"Off by one\n\n{MARKER}"}
    cut = ActionRequest("POST", "/reviews", {"body": fit([full, "B"], MARKER), "comments": [comment]})
    assert with_comments_in_body(cut).body == {"body": f"{full}\n\n{LEFT_OUT}\n\n{MARKER}", "comments": []}


def test_comments_go_to_the_issue_or_the_commit() -> None:
    assert request_of("comment")[1] == "/repos/acme/shop/issues/7/comments"
    push = EventFacts(type="push", repository="acme/shop", head_sha=SHA)
    assert request_of("comment", push)[1] == f"/repos/acme/shop/commits/{SHA}/comments"
    discussion = EventFacts(type="discussion", repository="acme/shop", number=7)
    assert plan("comment", discussion) == NoAction("there is neither an issue nor a commit to comment on")


def test_labels_are_bounded_names() -> None:
    issue = EventFacts(type="issues", repository="acme/shop", number=3)
    wild = ["bug", "bug", " a \n b ", "", "x" * 60, 7, "c\x07d", *[f"n{n}" for n in range(20)]]
    _, path, body = request_of("labels", issue, decided(kind="issue_triage", fields={"labels": wild}))
    assert path == "/repos/acme/shop/issues/3/labels"
    assert body["labels"][:3] == ["bug", "a b", "cd"]
    assert len(body["labels"]) == 10
    for fields in ({}, {"labels": "bug"}, {"labels": []}):
        assert plan("labels", issue, decided(fields=fields)) == NoAction("no labels were decided")


@pytest.mark.parametrize(
    ("verdict", "state"), [("approve", "success"), ("ok", "success"), ("alert", "failure"), ("needs_update", "failure"), ("?", "error")]
)
def test_a_status_says_what_was_decided_and_fails_only_where_it_may_block(verdict: str, state: str) -> None:
    decision = decided(verdict, state=DecisionState.PARTIAL, answered=1)
    assert request_of("status", decision=decision)[2]["state"] == "success"
    _, path, body = request_of("status", decision=decision, settings=ActionSettings(may_block=True))
    assert path == f"/repos/acme/shop/statuses/{SHA}"
    assert body == {"state": state, "context": "gitbridge/code_review", "description": f"{verdict} (2 of 2), partial: 1 of 2 answered"}


@pytest.mark.parametrize(
    ("action", "facts", "decision", "reason"),
    [
        ("none", PULL, decided(), "no action"),
        ("review", PULL, decided("none"), "nothing was decided"),
        ("review", PULL, decided(state=DecisionState.FAILED), "nothing was decided"),
        ("review", EventFacts(type="pull_request", repository="acme/../x", number=7), decided(), "repository"),
        ("review", EventFacts(type="pull_request", repository="acme/..", number=7), decided(), "repository"),
        ("review", PULL, decided(kind="x -->"), "kind"),
        ("review", EventFacts(type="issues", repository="a/b", number=7, head_sha=SHA), decided(), "no pull request"),
        ("review", EventFacts(type="pull_request", repository="a/b", number=7, head_sha="main"), decided(), "head commit"),
        ("status", EventFacts(type="push", repository="a/b", head_sha="x/../y"), decided(), "head commit"),
        ("labels", EventFacts(type="push", repository="a/b"), decided(), "no issue"),
    ],
)
def test_where_there_is_nothing_to_do_the_reason_is_told(action: str, facts: EventFacts, decision: Decision, reason: str) -> None:
    made = plan(action, facts, decision)
    assert isinstance(made, NoAction)
    assert reason in made.reason
    assert build_action(KindSettings(action=action), facts, decision) is None  # type: ignore[arg-type]


HOSTILE = (
    "<!-- gitbridge:acme/shop#7:code_review:x -->\n@octocat fixes #1 `` ``` | [x](javascript:alert(1)) ![i](http://e/p.png)"
    "\n/lgtm\n\u202egnp\x1b[31m &commat;all"
)


def test_hostile_text_does_nothing_anywhere() -> None:
    folded = finding(3, k=1, text=HOSTILE).model_copy(update={"severity": "low"})
    clusters = (finding(1, text=HOSTILE), finding(2, k=1, text=HOSTILE), folded)
    decision = decided(text=HOSTILE, strategy=HOSTILE, clusters=clusters, flags=(HOSTILE,))
    for action in ("review", "comment"):
        _, _, body = request_of(action, decision=decision)
        texts = [body["body"], *(comment["body"] for comment in body.get("comments", []))]
        assert body["body"].count("<!--") == body["body"].count("-->") == 1
        for text in texts:
            for own in ("<details><summary>", "</summary>", "</details>"):
                assert text.count(own) <= 1
                text = text.replace(own, "")
            harmless(text.removesuffix(MARKER).removesuffix(OF_ALL_HEADS))


def harmless(text: str) -> None:
    """Nothing in the text pings, refers, links, commands, opens a tag or ends its place."""
    assert "<" not in text
    assert not re.search(r"@[^\u200b\s]", text)
    assert not re.search(r"#\d", text)
    assert not re.search(r"(?i)(https?|javascript):[^\u200b\s]", text)
    assert not re.search(r"(?i)\bwww\.", text)
    assert not re.search(r"(?m)^[\s>]*/\w", text)
    assert not re.search(r"(?<!\\)!?(?<!\\)\[", text)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


@given(st.text(max_size=300))
def test_any_text_on_one_line_is_harmless(text: str) -> None:
    line = one_line(text, 200)
    harmless(line)
    assert "\n" not in line
    assert not re.search(r"(?<!\\)[`|*_~]", line.replace("\\\\", ""))


@given(st.text(max_size=300))
def test_any_text_in_a_quote_stays_in_it(text: str) -> None:
    block = quoted(text, 200)
    assert all(line.startswith(">") for line in block.split("\n"))
    harmless(block.replace(">", ""))


@given(st.text(max_size=300))
def test_any_text_in_a_code_span_stays_in_it(text: str) -> None:
    span = code(text, 200)
    assert span == "" or (span[0] == span[-1] == "`" and len(span) > 2)
    assert not {"`", "\n", "|"} & set(span[1:-1])


@given(st.text(max_size=300), st.integers(1, 100))
def test_text_is_bounded(text: str, limit: int) -> None:
    assert len(clean(text, limit)) <= limit


def test_ordinary_text_stays_readable() -> None:
    assert one_line("Use x.get(), not x[0] (see PEP 8)", 100) == r"Use x.get(), not x\[0\] (see PEP 8)"
    assert quoted("one\r\n\r\ntwo", 100) == "> one\n>\n> two"
    assert code("", 10) == ""


def test_a_body_never_outgrows_the_host() -> None:
    many = tuple(finding(n, k=1, text="\u00fc@" * 3000) for n in range(60))
    _, _, body = request_of("comment", decision=decided(clusters=many, text="y" * 100_000))
    assert len(body["body"]) <= BODY_MAX
    assert "left out here for length" in body["body"]
    assert body["body"].endswith(OF_ALL_HEADS)
    few = tuple(finding(n, k=1, text="x") for n in range(60))
    assert "and 10 more" in request_of("comment", decision=decided(clusters=few))[2]["body"]


def test_one_seat_is_one_answer_and_no_consensus() -> None:
    decision = decided("ok", kind="general", seats=1, agreement=Agreement(verdict_k=1, verdict_n=1), clusters=(), summary="")
    text = request_of("comment", decision=decision)[2]["body"]
    assert "one answer" in text
    assert "votes" not in text


def test_the_same_event_gives_the_same_marker_whatever_the_run() -> None:
    plans = [build_action(KindSettings(action="review"), PULL, decided(run=run, text=str(run))) for run in (1, 2)]
    assert {made.marker for made in plans if made} == {MARKER}
