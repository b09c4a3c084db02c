"""``:`` commands, palette, help and keys agree, for they come from one table; and what each command does."""

from __future__ import annotations

import click
import pytest
from driving import Driver, driving
from sample import fleet

from gitbridge_console.console.actions import ACTIONS, actions_for
from gitbridge_console.console.commands import BY_WORD, COMMANDS, WORDS, completions
from gitbridge_console.console.screens.docs import TopicScreen
from gitbridge_console.console.screens.doctor import DoctorScreen
from gitbridge_console.console.screens.event import EventScreen
from gitbridge_console.console.screens.help import help_lines
from gitbridge_console.console.screens.palette import PaletteScreen, palette_rows
from gitbridge_console.console.screens.provider import ProviderScreen
from gitbridge_console.domain.events import Priority

pytestmark = pytest.mark.anyio

SCOPES = ("pulse", "queue", "providers", "failures", "consensus", "log", "fleet", "docs", "bulk", "groups", "event", "provider")


async def command(d: Driver, text: str) -> None:
    await d.press("colon")
    await d.type(text)


@pytest.mark.parametrize("scope", SCOPES)
def test_help_palette_and_hints_name_the_actions_of_a_screen_and_no_others(scope: str) -> None:
    known = {action.id for action in actions_for(scope)}
    shown = "\n".join(line.plain for line in help_lines(scope))
    assert {action.id for action in ACTIONS if f":{action.id}\n" in shown + "\n"} == known
    rows = {row.id for row in palette_rows(actions_for(scope), "")}
    assert {row for row in rows if not row.startswith(":")} == known
    assert {command.word for command in COMMANDS if f":{command.word}" in rows} >= {"queue", "docs"}


def test_every_command_stands_for_an_action_and_hides_no_actions_name() -> None:
    ids = {action.id for action in ACTIONS}
    assert {command.action for command in COMMANDS} <= ids
    assert set(WORDS.values()) <= ids
    assert not ({*BY_WORD, *WORDS} & ids)
    assert len(BY_WORD) == len(COMMANDS)


def test_commands_are_words_of_the_command_line() -> None:
    """But for those that steer the screen itself."""
    from gitbridge_console.cli import root

    screen_only = {
        "pulse",
        "queue",
        "providers",
        "failures",
        "consensus",
        "log",
        "fleet",
        "event",
        "provider",
        "filter",
        "approve",
        "reject",
    }
    own = {command.word for command in COMMANDS} - screen_only - {"theme", "span", "refresh"}
    assert own <= set(root.list_commands(click.Context(root)))


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("pause grok bill in dispute", ("pause", ["grok"], "bill in dispute")),
        ("resume grok", ("resume", ["grok"])),
        ("drain chatgpt key expires", ("drain", "chatgpt", "key expires")),
        ("breaker claude open looking into it", ("breaker", "claude", "open", "looking into it")),
        ("prioritize 3e9.1 high", ("prioritize", ["3e9.1"], Priority.HIGH)),
    ],
)
async def test_a_command_with_its_reason_is_done_at_once(text: str, write: tuple[object, ...]) -> None:
    async with driving() as d:
        await command(d, text)
        assert d.writes == [write]


@pytest.mark.parametrize(
    ("text", "asks", "write"),
    [
        ("replay 3e9 3ea the fix is out", "replay 2 events", ("replay", ["3e9", "3ea"], "the fix is out")),
        ("cancel 3e9 obsolete", "cancel 3e9", ("cancel", ["3e9"], "obsolete")),
        ("approve 3e9", "approve 3e9", ("approve", "3e9")),
        ("reject 3e9 wrong head", "reject 3e9", ("reject", "3e9")),
        ("failover claude chatgpt too slow", "from claude to chatgpt", ("failover", "claude", "chatgpt", "too slow")),
    ],
)
async def test_a_command_that_weighs_more_asks_first(text: str, asks: str, write: tuple[object, ...]) -> None:
    async with driving() as d:
        await command(d, text)
        assert asks in d.bottom
        assert d.writes == []
        count = d.bottom.split("type ")[-1].split(" ")[0] if "type " in d.bottom else ""
        await (d.type(count) if count else d.press("y"))
        assert d.writes == [write]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("paus grok", "no command paus, did you mean pause?"),
        ("pause grk", "no lane grk, did you mean grok?"),
        ("replay", "name an event by its id"),
        ("approve 3e9 3ea", "one at a time"),
        ("breaker grok shut", "say open, close or reset"),
        ("span 2y", "say one of 5m, 15m, 1h, 6h, 24h"),
        ("refresh often", "say how many seconds"),
        ("prioritize 3e9 urgent", "urgent"),
        ("filter 'open", "no closing quotation"),
        ("finding.accept", "works on: event"),
        ("theme nosuch", "no theme nosuch"),
        ("failures nosuch=1", "unknown filter key 'nosuch'"),
    ],
)
async def test_what_cannot_be_done_is_one_line_that_says_how(text: str, told: str) -> None:
    async with driving() as d:
        await command(d, text)
        assert told in " ".join((d.bottom, d.shown()))
        assert d.writes == []


async def test_commands_that_look() -> None:
    async with driving(size=(120, 40)) as d:
        await command(d, "docs queue")
        assert isinstance(d.screen, TopicScreen)
        await command(d, "doctor")
        assert isinstance(d.screen, DoctorScreen)
        assert "state folder" in d.shown()
        await command(d, "event 3e9")
        assert isinstance(d.screen, EventScreen)
        await command(d, "provider grok")
        assert isinstance(d.screen, ProviderScreen)
        await command(d, "span 6h")
        assert d.app.span == "6h"
        await command(d, "refresh 0.5s")
        assert d.app.refresh_s == 0.5
        await command(d, "theme high-contrast")
        assert d.app.theme == "high-contrast"
        await command(d, "health claude")
        assert "claude answers in 123 ms" in d.bottom
        await command(d, "decisions round")
        assert d.app.current_mode == "consensus"
        await command(d, "filter since=1h")
        assert "/since=1h" in d.screen.crumb()


async def test_a_command_takes_what_the_cursor_is_on() -> None:
    async with driving() as d:
        await d.press("3", "j")
        await command(d, "pause maintenance")
        assert d.writes == [("pause", [d.screen.lane_here()], "maintenance")]


async def test_read_only_refuses_commands_that_write_before_they_are_read() -> None:
    async with driving(read_only=True) as d:
        await command(d, "pause grok why")
        assert d.bottom.strip() == "read-only: not done"
        await command(d, "failures")
        assert d.app.current_mode == "failures"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("fai", {"failures", "failover"}),
        ("pause g", {"pause grok"}),
        ("failover grok cl", {"failover grok claude"}),
        ("breaker grok r", {"breaker grok reset"}),
        ("queue st", {"queue state="}),
        ("queue kind=code_review state=fa", {"queue kind=code_review state=failed"}),
        ("span 1", {"span 15m", "span 1h"}),
        ("theme high", {"theme high-contrast", "theme high-contrast-light"}),
        ("docs thr", set()),
        ("event 3", set()),
        ("nosuch x", set()),
    ],
)
async def test_tab_completes_words_and_what_follows_them(typed: str, offered: set[str]) -> None:
    async with driving() as d:
        found = set(completions(d.screen, typed))
        assert offered <= found
        assert offered or not found


async def test_what_may_follow_is_shown_while_typing() -> None:
    async with driving(size=(120, 40)) as d:
        await d.press("colon", *"pause", "space")
        assert "tab: claude  grok  chatgpt" in d.bottom


async def test_the_palette_finds_by_a_few_letters_and_does_it_on_the_screen_beneath() -> None:
    async with driving() as d:
        await d.press("2", "ctrl+p")
        assert isinstance(d.screen, PaletteScreen)
        await d.press(*"freez")
        assert d.screen.table.rows[0].id == "view.freeze"
        await d.press("enter")
        assert not isinstance(d.screen, PaletteScreen)
        assert d.app.frozen
        await d.press("f", "ctrl+p", *"failover", "enter")
        assert "to:" in d.bottom
        await d.press("escape", "ctrl+p", "down", "down", "up", "escape")
        assert d.app.current_mode == "queue"
        assert not isinstance(d.screen, PaletteScreen)


async def test_a_command_of_the_palette_that_wants_words_is_begun() -> None:
    async with driving() as d:
        await d.press("ctrl+p", *":refresh", "enter")
        assert ":refresh" in d.bottom.replace(" ", "").replace("_", "")
        await d.press("2", "enter")
        assert d.app.refresh_s == 2


async def test_undo_gives_back_what_was_there() -> None:
    async with driving() as d:
        await d.press("2", "j", "minus")
        (name, ids, to) = d.writes[-1]
        assert name == "prioritize"
        was = fleet() and d.screen.priorities_here()[ids[0]]
        await d.press("u")
        assert d.writes[-1] == ("prioritize", ids, Priority.parse(was))
        assert to != d.writes[-1][2]
        await d.press("u")
        assert "nothing to undo" in d.bottom
        await command(d, "pause grok why")
        await d.press("u")
        assert d.writes[-1] == ("resume", ["grok"])


async def test_undo_is_over_after_a_while() -> None:
    from driving import Clock

    clock = Clock()
    async with driving(clock=clock) as d:
        await command(d, "pause grok why")
        clock.now += 31
        await d.press("u")
        assert "nothing to undo" in d.bottom
        assert [write[0] for write in d.writes] == ["pause"]
