"""What works on every screen: alerts, the bell, following the log, finding text, copying, files, shell and editor."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from driving import Driver, driving
from fakes import FakeDoor, with_body
from sample import calm, fleet
from textual.app import App

from gitbridge_console.console import outside
from gitbridge_console.console.alerting import rings, title_of
from gitbridge_console.console.app import ConsoleApp
from gitbridge_console.console.clipboard import OSC52_MAX, for_clipboard, write_text
from gitbridge_console.console.outside import NoTerminal
from gitbridge_console.console.views.fleet import alert_lines
from gitbridge_console.console.widgets.lines import Page
from gitbridge_console.domain.alerting import key_of
from gitbridge_console.domain.event_views import EventDetail
from gitbridge_console.operations.errors import Usage
from gitbridge_console.settings.model import ConsoleSettings, Settings

pytestmark = pytest.mark.anyio


async def test_a_jumps_to_what_each_alert_is_about() -> None:
    async with driving() as d:
        alerts = fleet().alerts
        for n, alert in enumerate(alerts, 1):
            await d.press("a")
            assert d.app.current_mode == alert.jump
            assert f"alert {n} of {len(alerts)}" in d.bottom
    async with driving(calm()) as d:
        await d.press("a")
        assert "all is well" in d.bottom


async def test_the_bell_rings_once_for_a_new_critical_alert_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[bool] = []
    monkeypatch.setattr(App, "bell", lambda self: rung.append(True))
    async with driving(calm()) as d:
        d.app.rings = Settings(console=ConsoleSettings(bell=True)).console.bell
        d.fleet.snapshot = fleet()
        await d.press("1")
        assert rung == [True]
        d.fleet.snapshot = fleet().model_copy(update={"at": "2026-11-22T21:14:09Z"})
        await d.press("1")
        assert rung == [True]
        d.app.rings = False
        d.fleet.snapshot = calm()
        await d.press("1")
        d.fleet.snapshot = fleet()
        await d.press("1")
        assert rung == [True]


async def test_the_log_shows_levels_and_stays_at_the_newest_line_or_not() -> None:
    async with driving() as d:
        await d.press("6")
        everything = d.table.total
        await d.press("i")
        warnings = d.table.total
        await d.press("i")
        assert everything > warnings >= d.table.total > 0
        assert any(row.id.startswith("a") for row in d.table.rows), "operators' writes always"
        assert "error only" in d.screen.crumb()
        await d.press("i", "t")
        assert "following" not in d.screen.crumb()
        at = d.table.current
        assert at is not None
        newer = fleet().log[-1].model_copy(update={"at": "2026-11-22T23:59:59Z", "text": "newer"})
        d.fleet.snapshot = fleet().model_copy(update={"log": (*fleet().log, newer)})
        await d.press("6")
        assert d.table.current is not None
        assert d.table.current.id == at.id
        await d.press("t")
        assert d.table.index == 0


async def test_a_text_is_found_on_a_page_line_after_line() -> None:
    async with driving() as d:
        await d.press("5", "enter", "slash")
        await d.type("claude")
        first = d.bottom
        assert "claude: line" in first
        await d.press("n")
        assert d.bottom != first
        await d.press("slash", "ctrl+u")
        await d.type("no such text")
        assert "stands nowhere here" in d.bottom


async def test_a_row_goes_to_the_clipboard_and_nobody_claims_it_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    async with driving() as d:
        monkeypatch.setattr(d.app, "copy_to_clipboard", sent.append)
        await d.press("3", "y")
        assert sent[0].startswith("claude")
        assert "sent to the terminal's clipboard" in d.bottom
        await d.press("5", "enter", "y")
        assert "\x1b" not in sent[1]
        assert len(sent[1].splitlines()) > 10


def test_no_more_is_sent_than_terminals_take() -> None:
    text, cut = for_clipboard("é" * 80_000)
    assert cut
    assert len(base64.b64encode(text.encode())) < 100_000
    assert len(text.encode()) <= OSC52_MAX
    assert for_clipboard("short") == ("short", False)


async def test_a_list_is_written_to_a_private_file_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    async with driving() as d:
        for told in ("bytes written: ", "not written (File exists): "):
            await d.press("3", "w", "ctrl+u")
            await d.type(str(path))
            assert told in d.bottom.replace("…", "")
    assert path.read_text("utf-8").startswith("PROVIDER\tSTATE")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(OSError, match="No such file"):
        write_text(tmp_path / "none" / "x", "")


async def test_without_a_terminal_there_is_no_shell_and_no_editor() -> None:
    async with driving() as d:
        await d.press("ctrl+z")
        assert "no terminal to hand over" in d.bottom
        await d.press("5", "enter", "e")
        assert "no terminal to hand over" in d.bottom


async def test_a_payload_changed_in_the_editor_is_handed_in_again_for_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def edit(app: object, command: list[str], note: str = "") -> int:
        path = Path(command[-1])
        assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0
        path.write_text(json.dumps({"edited": True}), "utf-8")
        return 0

    monkeypatch.setattr(outside, "run_on_terminal", edit)
    async with driving() as d:
        await d.press("5", "enter", "e")
        assert "as a new event, why?" in d.bottom
        await d.type("wrong branch")
        ((name, _, payload, why),) = d.writes
        assert (name, payload, why) == ("replay_edited", b'{"edited": true}', "wrong branch")


async def test_a_payload_left_as_it_was_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "run_on_terminal", lambda app, command, note="": 0)
    async with driving() as d:
        await d.press("5", "enter", "e")
        assert "the payload is as it was" in d.bottom
        assert d.writes == []


def page_text(d: Driver) -> str:
    """The whole page, beyond what fits on the screen too."""
    page = d.screen.query_one(Page)
    return "\n".join("".join(segment.text for segment in page.render_line(n)) for n in range(page.virtual_size.height))


def awaiting(door: FakeDoor) -> None:
    """What approving the event would post is shown with it."""
    shown = door.event

    def event(event_id: str, **more: Any) -> EventDetail:
        found = shown(event_id, **more)
        return found.model_copy(update={"action": with_body(found.action or {}, "As *is*.\n\n<!-- gitbridge:x -->") | {"draft": True}})

    door.event = event  # type: ignore[assignment]


async def test_what_would_be_posted_is_edited_shown_and_approved_so(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def edit(app: object, command: list[str], note: str = "") -> int:
        path = Path(command[-1])
        found.append(path.read_text("utf-8"))
        path.write_text("Kinder.\n", "utf-8")
        return 0

    monkeypatch.setattr(outside, "run_on_terminal", edit)
    async with driving() as d:
        awaiting(d.fleet.door)
        await d.press("5", "enter")
        await d.press("e")
        assert found == ["As *is*."], "without the marker, which is not the operator's"
        assert "O approves and posts it so" in d.bottom
        await d.press("G")
        assert "│ Kinder." in page_text(d)
        await d.press("O")
        assert "and post the changed text" in d.bottom
        await d.press("y")
        ((name, _, text),) = d.writes
        assert (name, text) == ("approve", "Kinder.\n")


async def test_what_cannot_be_posted_is_said_when_it_is_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "run_on_terminal", lambda app, command, note="": Path(command[-1]).write_text("", "utf-8") * 0)
    async with driving() as d:
        awaiting(d.fleet.door)
        await d.press("5", "enter")
        d.fleet.door.refuse = Usage("the text is empty")
        await d.press("e")
        assert "the text is empty" in d.bottom
        d.fleet.door.refuse = None
        await d.press("O", "y")
        assert [len(write) for write in d.writes] == [2], "approved as it was"


async def test_an_editor_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "run_on_terminal", lambda app, command, note="": 1)
    monkeypatch.setenv("EDITOR", "ed --silent")
    monkeypatch.delenv("VISUAL", raising=False)
    async with driving() as d:
        with pytest.raises(NoTerminal, match="ed --silent ended with 1: nothing is changed"):
            outside.edit_text(d.app, "text", ".json")


async def test_the_audit_is_searched_on_screen_and_enter_shows_all_of_a_write() -> None:
    async with driving() as d:
        await d.press("6")
        everything = d.table.total
        await d.press("/", *"who=ana", "enter")
        assert (d.table.total, d.table.current is not None and d.table.current.cells[2].text) == (1, "pause")
        await d.press("enter")
        shown = d.screen.plain_text(whole=True)
        assert "release freeze" in shown
        assert "result" in shown
        await d.press("escape")
        await d.press("escape")
        assert d.table.total == everything
        await d.press("/", *"whom=ana")
        await d.pilot.press("enter")
        await d.pilot.pause()
        assert "did you mean 'who'" in d.bottom
        await d.press("1", "6")
        assert d.table.total == everything, "a filter that makes no sense leaves what is shown"
        await d.press("/", *"who=fleet", "enter")
        assert 0 < d.table.total < everything


async def test_the_alert_that_was_jumped_to_is_acknowledged_and_silenced() -> None:
    async with driving() as d:
        first, second = (key_of(alert) for alert in fleet().alerts[:2])
        await d.press("K")
        await d.press("a")
        await d.press("a")
        await d.press("K")
        assert d.writes == [("ack", first, ""), ("ack", second, "")]
        await d.press("H")
        assert f"silence {second} for" in d.bottom
        await d.press("enter")
        await d.press(*"planned", "enter")
        assert d.writes[-1] == ("silence", second, 3600.0, "planned")
        await d.press("colon")
        await d.type("alerts silence paused 2h release")
        await d.press("colon")
        await d.type("alerts ack old_work seen it")
        assert d.writes[-2:] == [("silence", "paused", 7200.0, "release"), ("ack", "old_work", "seen it")]
        await d.press("colon")
        await d.type("alerts silence paused for-ever")
        assert "no duration" in d.bottom
        await d.press("colon")
        await d.type("alerts hush paused")
        assert "alerts ack or alerts silence" in d.bottom
        await d.press("colon")
        await d.type("alerts")
        assert d.app.current_mode == "fleet"
    async with driving(calm()) as d:
        await d.press("K")
        assert "all is well" in d.bottom
        assert d.writes == []


async def test_what_was_seen_or_silenced_is_said_in_the_row_rings_no_bell_and_stands_in_no_title() -> None:
    first, *rest = fleet().alerts
    loud = fleet().model_copy(update={"alerts": (first.model_copy(update={"level": "critical"}), *rest)})
    seen = loud.model_copy(update={"alerts": (loud.alerts[0].model_copy(update={"acked_by": "ana"}), *rest)})
    hushed = loud.model_copy(update={"alerts": (loud.alerts[0].model_copy(update={"silenced_until": "2026-11-22T22:00:00.000Z"}),)})
    assert rings(calm(), loud)
    assert not rings(loud, loud)
    assert not rings(calm(), hushed)
    assert "(seen by ana)" in "\n".join(line.plain for line in alert_lines(seen, 9))
    assert "(silenced until 22:00:00 UTC)" in "\n".join(line.plain for line in alert_lines(hushed, 9))
    assert title_of("prod", hushed.alerts) == "\x1b]2;all well - GitBridge prod\x07"
    hostile = (first.model_copy(update={"text": "grok \x1b]0;x\x07 \u202e open" + "x" * 500}),)
    title = title_of("prod", hostile)
    assert title.startswith("\x1b]2;(1!) grok")
    assert title.endswith("\x07")
    assert len(title) <= 90
    assert all(" " <= char <= "~" for char in title[4:-1]), "nothing from outside steers the terminal"


async def test_the_title_is_set_where_that_is_wanted_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(ConsoleApp, "_to_terminal", lambda self, sequence: written.append(sequence))
    async with driving(calm()) as d:
        await d.press("1")
        assert written == []
        d.app.settings = Settings(console=ConsoleSettings(title=True))
        d.fleet.snapshot = fleet()
        await d.press("1")
        d.fleet.snapshot = calm().model_copy(update={"at": "2026-11-22T21:14:09Z"})
        await d.press("1")
    assert written[0].startswith("\x1b[22;2t\x1b]2;(")
    assert [written[1].startswith("\x1b]2;all well"), *written[2:]] == [True, "\x1b[23;2t"]
