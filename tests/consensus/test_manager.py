"""From answers to a decision, by every strategy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.consensus.clusters import merged_severity, rank
from gitbridge_console.consensus.fields import by_majority, median_word, most_common
from gitbridge_console.consensus.manager import decision_state
from gitbridge_console.consensus.strategies import STRATEGIES, Panel, apply_strategy
from gitbridge_console.domain.decisions import Answer, AnswerStatus, Arbitration, Basis, DecisionState
from gitbridge_console.domain.events import Kind
from tests.consensus.panels import VERDICTS, decide, finding, no_vote, vote


def test_two_to_one_with_the_dissent_on_record() -> None:
    decision = decide(vote("claude", "request_changes"), vote("grok", "comment"), vote("chatgpt", "request_changes"))
    assert (decision.verdict, decision.state) == ("request_changes", DecisionState.COMPLETE)
    assert (decision.agreement.verdict_k, decision.agreement.verdict_n) == (2, 3)
    assert decision.dissent == ({"provider": "grok", "verdict": "comment", "why": "grok says comment"},)
    (conflict,) = [c for c in decision.conflicts if c.type == "verdict"]
    assert conflict.positions == {"claude": "request_changes", "grok": "comment", "chatgpt": "request_changes"}


def test_a_tie_goes_to_the_most_cautious_and_says_so() -> None:
    decision = decide(vote("claude", "approve"), vote("grok", "request_changes"))
    assert decision.verdict == "request_changes"
    assert any("tie" in line for line in decision.rationale)


def test_confirmed_findings_come_first_in_the_words_of_one() -> None:
    decision = decide(
        vote("claude", "request_changes", [finding("roundTax rounds twice", "critical"), finding("typo in name", "nit", 90)]),
        vote("grok", "comment", [finding("tax rounded twice in roundTax", "medium", 9)]),
    )
    first, second = decision.clusters
    assert (first.k, first.n, first.tier, first.severity, first.title) == (
        2,
        2,
        "same",
        "high",
        "roundTax rounds twice",
    )
    assert (second.k, second.tier) == (1, "lone")
    assert (decision.agreement.findings_confirmed, decision.agreement.findings_total) == (1, 2)
    assert [c.positions for c in decision.conflicts if c.type == "severity"] == [{"claude": "critical", "grok": "medium"}]


def test_a_lone_grave_finding_is_flagged() -> None:
    decision = decide(vote("claude", "request_changes", [finding(severity="critical")]), vote("grok", "approve"))
    assert "lone" in {c.type for c in decision.conflicts}


def test_a_lone_finding_is_that_of_who_stands_behind_it() -> None:
    """Not of who said the same without it being in the diff; of two of one vendor it is both's."""
    votes = [
        vote("claude", findings=[finding(severity="critical")]),
        vote("grok", findings=[finding(severity="critical")]),
        vote("chatgpt"),
    ]
    (lone,) = [c for c in decide(*votes, basis=Basis(checked=True, unsupported={"claude#0": "nowhere"})).conflicts if c.type == "lone"]
    assert lone.positions == {"grok": "critical"}
    of_one = [vote.model_copy(update={"vendor": "acme"}) for vote in votes[:2]]
    (lone,) = [c for c in decide(*of_one, votes[2]).conflicts if c.type == "lone"]
    assert set(lone.positions) == {"claude", "grok"}


def test_votes_that_do_not_fit_their_findings_are_flagged_and_stand() -> None:
    decision = decide(vote("claude", "request_changes"), vote("grok", "approve", [finding(severity="critical")]))
    flagged = {c.subject: c.positions for c in decision.conflicts if c.type == "verdict_evidence"}
    assert set(flagged) == {"claude", "grok"}


@pytest.mark.parametrize("status", [s for s in AnswerStatus if s is not AnswerStatus.OK])
def test_whatever_is_no_vote_adds_none(status: AnswerStatus) -> None:
    decision = decide(vote("claude", "comment"), vote("grok", "comment"), no_vote("chatgpt", status))
    assert decision.agreement.verdict_n == 2
    assert [c.subject for c in decision.conflicts if c.type == "missing"] == ["chatgpt"]


@pytest.mark.parametrize(
    ("seats", "answered", "votes", "quorum", "state"),
    [
        (2, 2, 2, 2, DecisionState.COMPLETE),
        (3, 2, 2, 2, DecisionState.PARTIAL),
        (2, 2, 1, 2, DecisionState.DEGRADED),
        (2, 1, 1, 2, DecisionState.DEGRADED),
        (2, 2, 0, 2, DecisionState.FAILED),
        (1, 1, 1, 1, DecisionState.COMPLETE),
    ],
)
def test_how_much_of_the_panel_stands_behind_it(seats: int, answered: int, votes: int, quorum: int, state: DecisionState) -> None:
    assert decision_state(seats, answered, votes, quorum) is state


@pytest.mark.parametrize(
    ("said", "merged"),
    [
        (["critical"], "critical"),
        (["critical", "critical"], "critical"),
        (["critical", "medium"], "high"),
        (["critical", "nit", "nit"], "high"),
        (["high", "medium"], "high"),
        (["high", "nit"], "medium"),
        (["low", "high", "medium"], "medium"),
    ],
)
def test_severity_is_the_median_and_one_critical_keeps_it_high(said: list[str], merged: str) -> None:
    assert merged_severity([rank(word) for word in said]) == merged


@pytest.mark.parametrize("bad", [{"payload": None}, {"verdict": "abstain"}, {"verdict": "merge it"}, {"verdict": None}])
def test_an_answer_that_calls_itself_ok_but_holds_no_vote_counts_for_nothing(bad: dict[str, Any]) -> None:
    decision = decide(vote("claude"), vote("grok"), vote("chatgpt").model_copy(update=bad))
    assert (decision.agreement.verdict_n, decision.verdict) == (2, "comment")
    assert [(c.subject, c.positions) for c in decision.conflicts if c.type == "missing"] == [("chatgpt", {"chatgpt": "invalid"})]


def test_below_quorum_an_operator_decides() -> None:
    decision = decide(vote("claude"), no_vote("grok", AnswerStatus.TIMEOUT))
    assert decision.state is DecisionState.DEGRADED
    assert decision.needs_operator


def test_one_seat_is_one_answer_never_a_consensus() -> None:
    answer = Answer(task_id="e.1", provider="grok", status=AnswerStatus.OK, verdict="noted", payload={"summary": "s"}, cost_usd=0.01)
    decision = decide(answer, kind=Kind.GENERAL, seats=1, quorum=1)
    assert decision.state is DecisionState.COMPLETE
    assert not decision.needs_operator
    assert decision.rationale[0].startswith("one answer")
    assert decision.cost_usd == 0.01


def test_nobody_voted() -> None:
    decision = decide(no_vote("claude", AnswerStatus.ERROR), no_vote("grok", AnswerStatus.INVALID))
    assert (decision.state, decision.verdict, decision.cost_usd) == (DecisionState.FAILED, "none", None)


def test_triage_decides_field_by_field() -> None:
    def triage(provider: str, labels: list[str], priority: str) -> Answer:
        payload = {
            "kind": "bug",
            "labels": labels,
            "components": [],
            "priority": priority,
            "duplicate_of": [],
            "needs_info": [],
            "suggested_reply": "r",
        }
        return Answer(task_id=provider, provider=provider, status=AnswerStatus.OK, verdict="triaged", payload=payload)

    decision = decide(
        triage("a", ["bug", "tax"], "p1"), triage("b", ["bug"], "p3"), triage("c", ["bug", "ui"], "p2"), kind=Kind.ISSUE_TRIAGE
    )
    assert decision.fields["labels"] == ["bug"]
    assert decision.fields["priority"] == "p2"
    (conflict,) = [c for c in decision.conflicts if c.type == "field"]
    assert (conflict.subject, conflict.resolution) == ("priority", "p2")
    assert conflict.positions == {"a": "p1", "b": "p3", "c": "p2"}
    assert decision.summary == "r"


def test_push_risk_is_the_middle_one() -> None:
    def push(provider: str, risk: str, breaking: bool) -> Answer:
        payload = {"findings": [], "risk": risk, "breaking_change": breaking, "release_note": ""}
        return Answer(task_id=provider, provider=provider, status=AnswerStatus.OK, verdict="ok", payload=payload)

    decision = decide(push("a", "none", False), push("b", "high", True), push("c", "low", True), kind=Kind.PUSH_REVIEW)
    assert decision.fields == {"risk": "low", "breaking_change": True}


@pytest.mark.parametrize(
    ("strategy", "verdict", "operator"),
    [
        ("majority", "comment", False),
        ("weighted", "comment", False),
        ("strictest", "request_changes", False),
        ("unanimous", "request_changes", True),
        ("operator", "comment", True),
        ("single:claude", "request_changes", False),
        ("single:nobody", "comment", True),
        ("policy", "comment", False),
        ("confidence", "comment", False),
        ("cost_aware", "comment", False),
        ("latency_aware", "comment", False),
        ("hybrid", "comment", False),
    ],
)
def test_strategies_on_one_split_panel(strategy: str, verdict: str, operator: bool) -> None:
    decision = decide(
        vote("claude", "request_changes", [finding(severity="medium")], cost_usd=0.05, latency_ms=900),
        vote("grok", "comment", cost_usd=0.01, latency_ms=400),
        vote("chatgpt", "comment", cost_usd=0.02, latency_ms=500),
        strategy=strategy,
    )
    assert (decision.verdict, decision.needs_operator) == (verdict, operator)


def test_policy_asks_for_changes_only_when_a_grave_finding_is_confirmed() -> None:
    both = [vote(name, "comment", [finding(severity="high")]) for name in ("claude", "grok")]
    assert decide(*both, strategy="policy").verdict == "request_changes"
    assert decide(both[0], vote("grok", "comment"), strategy="policy").verdict == "comment"
    assert decide(vote("claude", "approve"), vote("grok", "approve"), strategy="policy").verdict == "approve"
    assert decide(vote("claude", "approve"), vote("grok", "comment"), strategy="policy").verdict == "comment"


def test_two_providers_of_one_vendor_are_one_voice() -> None:
    two = [vote(name, "request_changes", [finding()], vendor="acme") for name in ("a", "b")]
    decision = decide(*two, vote("c", "approve"), strategy="policy")
    (cluster,) = decision.clusters
    assert (cluster.k, cluster.vendors, cluster.confirmed) == (2, 1, False)
    assert decision.verdict == "comment"
    assert decision.flags == ("3 votes, 2 vendors",)
    assert decide(*two, vote("c", "approve"), strategy="majority").rationale[-1].startswith("tie")


@pytest.mark.parametrize(("right", "wrong", "verdict"), [(29.0, 0.0, "comment"), (45.0, 5.0, "request_changes"), (10.0, 40.0, "comment")])
def test_a_record_of_thirty_judged_findings_weighs_a_vote(right: float, wrong: float, verdict: str) -> None:
    basis = Basis(reliability={"claude": (right, wrong)})
    panel = [vote("claude", "request_changes"), vote("grok", "comment"), vote("chatgpt", "comment")]
    assert decide(*panel, strategy="weighted", basis=basis).verdict == verdict
    assert decide(*panel, strategy="majority", basis=basis).verdict == "comment", "records weigh only where that is asked for"


def test_an_arbiter_that_says_the_same_in_both_orders_decides_and_else_an_operator_does() -> None:
    split = [vote("claude", "request_changes"), vote("grok", "approve")]
    firm, wavering = (
        Basis(arbitration=Arbitration(provider="chatgpt", verdicts=said)) for said in (("approve",) * 2, ("approve", "request_changes"))
    )
    decided = decide(*split, basis=firm)
    assert (decided.verdict, decided.needs_operator) == ("approve", False)
    assert [c.resolved_by for c in decided.conflicts if c.type == "verdict"] == ["arbiter"]
    assert decide(*split, basis=wavering).needs_operator
    assert decide(split[0], vote("grok", "request_changes"), basis=firm).verdict == "request_changes", "nothing to arbitrate"


def test_an_arbiter_changes_the_proposal_but_an_operator_decides_where_the_strategy_says_so() -> None:
    firm = Basis(arbitration=Arbitration(provider="chatgpt", verdicts=("approve", "approve")))
    decided = decide(vote("claude", "request_changes"), vote("grok", "approve"), strategy="operator", basis=firm)
    assert (decided.verdict, decided.needs_operator) == ("approve", True)


def test_an_arbiter_that_names_no_verdict_of_the_kind_decided_nothing_and_is_not_said_to_have() -> None:
    odd = Basis(arbitration=Arbitration(provider="chatgpt", verdicts=("Answer A", "Answer A")))
    decided = decide(vote("claude", "request_changes"), vote("grok", "approve"), basis=odd)
    assert (decided.verdict, decided.needs_operator) == ("request_changes", True)
    assert [c.resolved_by for c in decided.conflicts if c.type == "verdict"] == ["majority"]
    assert decided.rationale[-1] == "the arbiter chatgpt decided nothing: 'Answer A' is no verdict of a code_review"


def test_an_unknown_strategy_is_named() -> None:
    with pytest.raises(ValueError, match="unknown strategy 'magic'"):
        apply_strategy("magic", Panel(Kind.GENERAL, (vote("a"),), ()))


def test_the_more_confident_side_wins_under_confidence() -> None:
    sure = vote("claude", "request_changes", [finding(confidence="high")])
    unsure = vote("grok", "approve", [finding("something else entirely", line=70, confidence="low")])
    assert decide(sure, unsure, strategy="confidence").verdict == "request_changes"


votes = st.lists(st.sampled_from(VERDICTS), min_size=1, max_size=5).map(lambda words: [vote(f"p{n}", word) for n, word in enumerate(words)])


@given(votes, st.sampled_from(sorted(STRATEGIES)), st.randoms())
def test_the_order_of_answers_changes_no_decision(panel: list[Answer], strategy: str, random: Any) -> None:
    shuffled = list(panel)
    random.shuffle(shuffled)
    assert decide(*panel, strategy=strategy) == decide(*shuffled, strategy=strategy)


@given(votes)
def test_one_more_vote_for_what_was_decided_changes_nothing(panel: list[Answer]) -> None:
    verdict = decide(*panel).verdict
    assert decide(*panel, vote("zed", verdict)).verdict == verdict


@given(votes, st.sampled_from([s for s in AnswerStatus if s is not AnswerStatus.OK]))
def test_an_answer_without_a_vote_changes_no_verdict(panel: list[Answer], status: AnswerStatus) -> None:
    with_it = decide(*panel, no_vote("zed", status))
    assert (with_it.verdict, with_it.agreement) == (decide(*panel).verdict, decide(*panel).agreement)


def test_field_votes() -> None:
    assert by_majority([["b", "a"], ["a"], ["c"]]) == ["a"]
    assert most_common(["b", "a", "b"]) == "b"
    assert median_word(["low", "high"], ("none", "low", "medium", "high")) == "low"
