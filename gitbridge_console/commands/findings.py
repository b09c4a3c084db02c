"""``finding``: an operator's word on single findings of a decision, by the numbers that ``decisions show`` gives them."""

from __future__ import annotations

import click

from gitbridge_console.commands.decision_text import decision_lines
from gitbridge_console.commands.output import JSON_OPTION, print_json
from gitbridge_console.commands.running import with_operations
from gitbridge_console.domain.decisions import EDIT_WORDS, EditWord

WORDS = tuple(word for word in EDIT_WORDS if word != "verdict")
USAGE = "N accept|dismiss|restore | N severity WORD | join N,M | split N"


class Word(click.ParamType):  # type: ignore[type-arg]
    """A word or a number; the words are offered by completion."""

    name = "word"
    choices = WORDS


@click.command()
@click.argument("decision_id", metavar="DECISION")
@click.argument("words", nargs=-1, required=True, type=Word(), metavar="N WORD | WORD N,M")
@click.option("--note", default="", metavar="TEXT", help="Kept with the decision and in the audit.")
@JSON_OPTION
@click.pass_context
def finding(ctx: click.Context, decision_id: str, words: tuple[str, ...], note: str, as_json: bool) -> None:
    """Say what findings are: `finding ID 2 accept`, `2 dismiss`, `2 restore`, `2 severity low`, `join 2,5`, `split 2`."""
    word, numbers, value = parse(words)
    decision = with_operations(ctx, lambda door: door.edit_decision(decision_id, word, numbers, value=value, note=note))
    if as_json:
        print_json(decision)
    else:
        click.echo("\n".join(decision_lines(decision)))


def parse(words: tuple[str, ...]) -> tuple[EditWord, list[int], str]:
    """What is to be done with which findings; the word may stand before or after the numbers.

    Raises:
        click.UsageError: it means nothing.
    """
    named = [word for word in words if word in WORDS]
    if len(named) != 1:
        raise click.UsageError(f"say what the finding is: {USAGE}")
    rest = [part for given in words if given not in WORDS for part in given.split(",") if part]
    numbers = [int(part) for part in rest if part.isascii() and part.isdecimal() and len(part) < 6]
    others = [part for part in rest if not part.isdecimal()]
    if not numbers or len(others) != (named[0] == "severity") or len(numbers) + len(others) != len(rest):
        raise click.UsageError(f"which findings, and what of them: {USAGE}")
    return named[0], numbers, others[0] if others else ""
