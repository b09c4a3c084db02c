"""What an operator says of a decision holds, is on record, and can be taken back."""

from __future__ import annotations

from gitbridge_console.consensus.manager import ConsensusManager, input_of
from gitbridge_console.domain.decisions import Basis, Decision, Edit
from tests.consensus.panels import decide, edit, finding, vote

GRAVE = finding("roundTax rounds twice", "high")
OTHER = finding("cart may be None", "high", 60)


def panel(*edits: Edit, strategy: str = "policy") -> Decision:
    return decide(
        vote("claude", "request_changes", [GRAVE, OTHER]),
        vote("grok", "comment", [GRAVE]),
        vote("chatgpt", "comment"),
        strategy=strategy,
        basis=Basis(edits=edits),
    )


def test_a_finding_that_is_dismissed_counts_for_nothing_and_comes_last() -> None:
    decision = panel(edit("dismiss", "claude#0"))
    assert decision.verdict == "comment"
    assert [(c.title, c.word) for c in decision.clusters] == [("cart may be None", ""), ("roundTax rounds twice", "dismissed")]
    assert panel(edit("dismiss", "claude#0"), edit("restore", "claude#0")).verdict == "request_changes"


def test_a_lone_finding_that_is_accepted_counts_as_confirmed() -> None:
    decision = panel(edit("dismiss", "claude#0"), edit("accept", "claude#1", note="seen it in production"))
    assert decision.verdict == "request_changes"
    assert any("an operator accepted it" in why for why in decision.rationale)
    assert not [c for c in decision.conflicts if c.type == "lone"]


def test_findings_are_joined_and_split_without_blending_their_words() -> None:
    split = panel(edit("split", "grok#0"))
    assert [(sorted({m["provider"] for m in c.members}), c.tier) for c in split.clusters if "roundTax" in c.title] == [
        (["claude"], "lone"),
        (["grok"], "lone"),
    ]
    assert split.verdict == "comment"
    joined = panel(edit("split", "grok#0"), edit("join", "claude#0", "grok#0"))
    (again,) = [c for c in joined.clusters if "roundTax" in c.title]
    assert (again.k, again.tier, again.title) == (2, "joined", GRAVE["title"])
    assert joined.verdict == "request_changes"


def test_a_severity_can_be_put_right() -> None:
    decision = panel(edit("severity", "claude#0", value="low"))
    assert next(c for c in decision.clusters if "roundTax" in c.title).severity == "low"
    assert decision.verdict == "comment"


def test_a_verdict_an_operator_chose_holds_and_says_who_chose_it() -> None:
    decision = panel(edit("verdict", value="approve", note="hotfix"), strategy="unanimous")
    assert (decision.verdict, decision.needs_operator) == ("approve", False)
    assert "ana chose it: hotfix" in decision.rationale
    assert [c.resolved_by for c in decision.conflicts if c.type == "verdict"] == ["operator"]
    assert panel(edit("verdict", value="no such verdict")).verdict == "request_changes"


def test_edits_that_meet_nothing_do_nothing() -> None:
    bare = panel()
    for useless in (edit("join", "claude#0"), edit("split", "zed#4"), edit("accept", "zed#4"), edit("severity", "claude#0", value="awful")):
        assert panel(useless).clusters == bare.clusters


def test_a_decision_can_be_made_anew_from_what_it_holds() -> None:
    decision = panel(edit("accept", "claude#1"), edit("severity", "claude#0", value="medium"))
    assert ConsensusManager().decide(input_of(decision)) == decision
    reread = Decision.model_validate_json(decision.model_dump_json())
    assert ConsensusManager().decide(input_of(reread)) == decision


def test_another_strategy_is_tried_on_the_same_answers() -> None:
    decision = panel()
    tried = {name: ConsensusManager().recompute(decision, name).verdict for name in ("policy", "majority", "strictest", "single:grok")}
    assert tried == {"policy": "request_changes", "majority": "comment", "strictest": "request_changes", "single:grok": "comment"}


def test_a_late_answer_counts_only_where_that_is_asked_for() -> None:
    decision = decide(vote("claude", "comment"), vote("grok", "approve", late=True), vote("chatgpt", "approve"))
    assert (decision.verdict, decision.agreement.verdict_n, decision.answered) == ("comment", 2, 2)
    folded = ConsensusManager().recompute(decision, "majority", with_late=True)
    assert (folded.verdict, folded.agreement.verdict_n) == ("approve", 3)
