"""The consensus in lines: what is seen at which width, that signs say what colours say, and that nothing overflows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from sample import event
from sample_decisions import CART, HOSTILE, LOCK, SHA, TAX, answer, decide, decision, finding, growing, huge, panel, torn

from gitbridge_console.console.text import to_ascii
from gitbridge_console.console.views.cells import Line, cut, line
from gitbridge_console.console.views.consensus import Look, Picture, chosen, consensus_picture, marked, visible
from gitbridge_console.console.views.event import event_picture
from gitbridge_console.console.views.originals import answer_page, finding_page
from gitbridge_console.domain.decisions import AnswerStatus, Basis, Cluster, Decision, Edit, conflict_letters

LOOK = Look(subject="acme/shop#412", title="Round tax per line", head_sha=SHA)
DECISIONS = {"rich": decision(), "torn": torn(), "growing": growing(), "huge": huge(), "empty": decide([])}


def shown(found: Decision, width: int = 78, look: Look = LOOK) -> str:
    return "\n".join(part.plain for part in consensus_picture(found, width, look).lines)


def row_of(title: str, found: Decision, width: int = 198, look: Look = LOOK) -> Line:
    return next(part for part in consensus_picture(found, width, look).lines if title[:20] in part.plain and "/" in part.plain[:14])


def number_of(title: str, found: Decision) -> Cluster:
    return next(cluster for cluster in found.clusters if cluster.title == title)


def test_the_head_says_what_at_which_head_and_how_much_of_the_panel_stands_behind_it() -> None:
    first = shown(decision()).split("\n")[0]
    assert first.startswith("acme/shop#412  Round tax per line")
    assert first.endswith("head 3f9c1e2  COMPLETE 3/3")


def test_a_panel_that_lacks_votes_says_how_many() -> None:
    one_gone = [*panel()[:2], answer("chatgpt", None, [], status=AnswerStatus.TIMEOUT, reason="no answer in 120 s")]
    assert "PARTIAL 2 of 2, third missing" in shown(decide(one_gone))
    assert "missing x   chatgpt: no answer in 120 s" in shown(decide(one_gone))
    assert "PARTIAL 3 of 3, 3 missing" in shown(torn())
    lonely = shown(decide([panel()[0], *(one_gone[2].model_copy(update={"provider": name}) for name in ("grok", "chatgpt"))]))
    assert "DEGRADED 1 of 2 votes needed" in lonely
    assert "FAILED 0/1" in shown(decide([one_gone[2]], quorum=1))


def test_the_table_has_a_column_for_each_provider_and_one_for_the_consensus() -> None:
    lines = shown(decision()).split("\n")
    at = next(n for n, text in enumerate(lines) if "CONSENSUS" in text)
    assert lines[at].split() == ["CHATGPT", "CLAUDE", "GROK", "CONSENSUS"]
    assert lines[at + 1].split("  ")[0] == "verdict !"
    assert lines[at + 1].endswith("REQUEST CHANGES 2/3")
    assert "4.1s $0.0365" in lines[at + 2]
    assert lines[at + 3].split()[:4] == ["findings", "4", "5", "3"]
    assert lines[at + 3].endswith("4 of 7 confirmed")


def test_agreement_is_never_one_bare_percentage_and_says_whose_history_it_is_held_against() -> None:
    assert "agreement   verdict 2/3 · findings usual for this repo (A .24, usual .08–.29)" in shown(decision())
    assert "findings high for reviews" in shown(torn())
    assert "all clear, nobody found anything" in shown(decide([answer(name, "approve", []) for name in ("claude", "grok")]))


def test_who_said_it_who_was_silent_abstained_or_failed_is_told_by_glyphs() -> None:
    lines = shown(torn()).split("\n")
    head = next(text for text in lines if "k/n" in text)
    row = next(text for text in lines if "tax/sale.py" in text)
    marks = {name: row[head.index(name)] for name in ("Ch", "Cl", "Gr", "Ll", "Mi", "Qw")}
    assert marks == {"Ch": "·", "Cl": "●", "Gr": "●", "Ll": "x", "Mi": "x", "Qw": "?"}


def test_what_is_said_by_style_is_said_by_a_sign_too() -> None:
    accepted, dismissed = "docstring says cents", "name sum shadows"
    rich = decision()
    assert row_of(accepted, rich).plain[3] == "✓"
    assert row_of(dismissed, rich).plain[3] == "-"
    assert "struck" in {part.tone for part in row_of(dismissed, rich).parts}
    unsupported = row_of("password is logged", rich, look=Look(unfolded=True))
    assert unsupported.plain[3] == "-"
    assert row_of(TAX, rich).plain[3] == "!"


def test_everything_of_ours_has_an_ascii_form_of_the_same_width() -> None:
    for text in ("●○·?x~!✓-…", "│─┼▸→", "▸ 4 unconfirmed"):
        assert to_ascii(text).isascii()
        assert len(to_ascii(text)) == len(text)
    assert to_ascii("●○·?x~!✓") == "#o.?x~!+"


def test_chances_are_words_with_their_number() -> None:
    text = shown(decision(), 118)
    for word in ("likely .82", "even .50", "doubtful .16"):
        assert word in text


def test_a_conflict_stands_below_its_finding_with_what_was_made_of_it_and_the_other_ways() -> None:
    lines = shown(decision(), 118).split("\n")
    at = next(n for n, text in enumerate(lines) if "tax is rounded" in text)
    assert "severity  chatgpt medium, claude critical  → high (median, critical counts as high)  or: strictest, operator" in lines[at + 1]
    lone = next(n for n, text in enumerate(lines) if "ALTER TABLE" in text)
    assert "claude real, grok cannot tell" in lines[lone + 1]


def test_the_other_ways_are_shown_under_the_cursor_only_where_there_is_little_room() -> None:
    away = shown(decision())
    here = shown(decision(), look=Look(cursor=number_of(TAX, decision()).refs[0]))
    assert "or: strictest, operator" not in away
    assert "or: strictest, operator" in here


def test_a_contradiction_is_shown_side_by_side() -> None:
    lines = shown(decision(), 118).split("\n")
    at = next(n for n, text in enumerate(lines) if "contradiction" in text)
    assert "remove lock" in lines[at + 1].split("│")[0]
    assert "add lock" in lines[at + 1].split("│")[1]
    assert LOCK[:20] in lines[at + 2]


def test_flags_and_the_call_for_an_operator_come_first() -> None:
    lines = shown(decision()).split("\n")
    assert lines[1].startswith("! an operator decides: O approve and post")
    assert "! 3 votes, 2 vendors" in shown(torn()).split("\n")[1]


def test_what_is_unconfirmed_or_unsupported_folds_into_one_line_and_unfolds() -> None:
    votes = [*panel()[:2], answer("chatgpt", "request_changes", panel()[2].payload["findings"][:2])]  # type: ignore[index]
    found = decide(votes, Basis(checked=True, unsupported={"claude#0": "tax/sale.py is not in the diff"}))
    folded, unfolded = shown(found), shown(found, look=Look(unfolded=True))
    assert "▸ 2 unconfirmed (1/3): 1 low, 1 nit" in folded
    assert "name sum shadows" not in folded
    assert "name sum shadows" in unfolded
    assert "▸" not in unfolded
    assert "▸ 1 unsupported (auth/none.py is not in the diff)" in shown(decision())


def test_nothing_is_folded_where_nothing_else_would_be_left() -> None:
    two = [answer("claude", "comment", [finding(TAX, "low", "a.py", 1)]), answer("grok", "approve", [])]
    assert "tax is rounded" in shown(decide(two))
    three = [two[0], answer("grok", "comment", [finding(CART, "low", "b.py", 1)])]
    spoken = Basis(edits=(Edit(at="", by="ana", word="accept", findings=("claude#0",)),))
    assert "cart.items" in shown(decide(three, spoken))


@pytest.mark.parametrize(("width", "columns", "sayings"), [(78, 0, False), (97, 0, False), (98, 3, False), (155, 3, False), (156, 3, True)])
def test_the_form_follows_the_width(width: int, columns: int, sayings: bool) -> None:
    text = shown(decision(), width)
    heads = next(row for row in text.split("\n") if "CONSENSUS" in row)
    assert heads.count("│") == columns
    assert ('"tax rounded twice: per' in text) == sayings


def test_below_sixty_columns_a_finding_is_one_line() -> None:
    assert "!H 2/3 CC· sale.py:88 tax is rounded" in shown(decision(), 56)


def test_a_panel_too_large_for_columns_is_told_by_lines_and_glyphs() -> None:
    text = shown(huge(), 78)
    assert text.count("PROVIDER") == 8
    assert "●●" in text


def test_while_it_grows_it_says_that_nothing_is_decided_and_how_long_who_is_out() -> None:
    text = shown(growing(), look=Look(preview=True))
    assert "SO FAR, NOT DECIDED  1 of 3 answered" in text
    assert "… 34s" in text
    assert "CONSENSUS" not in text
    assert "missing" not in text
    assert "dissent" not in text
    assert "tax is rounded" in text
    nobody = decide([answer(name, None, [], status=AnswerStatus.PENDING) for name in ("claude", "grok")])
    assert "NO VOTE" in shown(nobody, look=Look(preview=True))
    assert "nothing found" not in shown(nobody, look=Look(preview=True))


def test_the_cursor_holds_on_to_its_finding_when_numbers_change() -> None:
    rich = decision()
    name = number_of(TAX, rich).refs[1]
    look = Look(cursor=name, marked=frozenset({name}))
    edited = decide(panel(), rich.basis.model_copy(update={"edits": (Edit(at="", by="ana", word="dismiss", findings=("claude#0",)),)}))
    before, after = chosen(rich, look), chosen(edited, look)
    assert before is not None
    assert after is not None
    assert (before.title, before.id != after.id) == (after.title, True)
    assert marked(edited, look) == [after]


def test_without_its_finding_the_cursor_is_on_the_first() -> None:
    first = chosen(decision(), Look(cursor="gone#9"))
    assert first is not None
    assert first.id == visible(decision(), LOOK)[0].id
    assert chosen(decide([]), LOOK) is None


def test_an_open_finding_shows_every_word_said_of_it() -> None:
    rich = decision()
    tax = "\n".join(part.plain for part in finding_page(number_of(TAX, rich), rich, 100))
    for word in ("CLAUDE", "CHATGPT", "evidence: total = round", "score", "same file", "severity  chatgpt medium", "not said by: grok"):
        assert word in tax
    lock = next(cluster for cluster in rich.clusters if cluster.title.startswith("ALTER"))
    lone = "\n".join(part.plain for part in finding_page(lock, rich, 100))
    assert 'claude: real  "ALTER TABLE orders ADD tax"' in lone
    accepted = next(cluster for cluster in rich.clusters if cluster.word == "accepted")
    assert "ana accept   seen it too" in "\n".join(part.plain for part in finding_page(accepted, rich, 100))


def test_an_original_answer_is_not_blended_with_any_other() -> None:
    grok = "\n".join(part.plain for part in answer_page(panel()[1], "2 of 3", 100))
    assert "ORIGINAL ANSWER 2 of 3  GROK" in grok
    assert "cart.items can be None" in grok
    assert TAX not in grok
    assert "\x1b" not in grok
    late = torn().answers[4]
    assert "after the deadline and has no vote" in "\n".join(part.plain for part in answer_page(late, "5 of 6", 80))


def test_conflicts_have_a_letter_for_each_type() -> None:
    assert conflict_letters(decision().conflicts) == "VSL2CU"
    assert conflict_letters(torn().conflicts) == "VSM3"
    assert conflict_letters(()) == ""


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(DECISIONS)), st.integers(1, 240), st.booleans(), st.integers(0, 70))
def test_no_line_is_wider_than_asked(name: str, width: int, unfolded: bool, at: int) -> None:
    found = DECISIONS[name]
    cluster = found.clusters[at % len(found.clusters)] if found.clusters else None
    look = Look(cursor=cluster.refs[0] if cluster else "", unfolded=unfolded, preview=name == "growing")
    picture: Picture = event_picture(event(), found, width, look)
    pages = [list(picture.lines)] if width > 6 else [list(consensus_picture(found, width, LOOK).lines)]
    pages += [finding_page(cluster, found, width)] if cluster else []
    pages += [answer_page(reply, "1 of 1", width) for reply in found.answers[:1]]
    for page in pages:
        for part in page:
            assert cell_len(part.plain) <= width
            assert "\x1b" not in part.plain
            assert "\n" not in part.plain
    if cluster and cluster.id in picture.places and width >= 20:
        assert picture.lines[picture.places[cluster.id]].chosen


@given(st.lists(st.text("ab 購", max_size=20), max_size=4), st.integers(0, 40))
def test_a_cut_line_fits_and_begins_as_before(parts: list[str], width: int) -> None:
    whole = line(*parts)
    short = cut(whole, width)
    assert cell_len(short.plain) <= width
    assert whole.plain.startswith(short.plain.removesuffix("…").rstrip())


def test_hostile_words_stay_words() -> None:
    text = shown(decision(), 198)
    assert "[red]fix[/red]" in text
    assert not set(HOSTILE) & set("\x1b\x07\x9b\u202e") & set(text)
