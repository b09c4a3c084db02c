"""The entry point: options before and after, mishaps in one line, nothing of a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gitbridge_console import cli as entry
from gitbridge_console.commands.words import rate_per_s, span_s

PROGRAM = [sys.executable, "-m", "gitbridge_console.cli"]
ROOT = Path(entry.__file__).parent.parent


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)}


def test_help_names_every_command(bare) -> None:
    text = bare("--help").out
    assert all(f"  {name} " in text for name in entry.COMMANDS)


@pytest.mark.parametrize("name", list(entry.COMMANDS))
def test_every_command_explains_itself(bare, name: str) -> None:
    result = bare(name, "--help")
    assert result.code == 0
    assert result.out.startswith(f"Usage: gitbridge-console {name}")


def test_version(bare) -> None:
    assert bare("--version").out == "gitbridge-console, version 0.1.0\n"


def test_a_wrong_word_is_one_line_and_exit_code_2(bare) -> None:
    for words in (["nosuch"], ["pause"], ["pause", "claude"], ["--nosuch"], ["events", "list", "--limit", "0"], ["events", "nosuch"]):
        result = bare(*words)
        assert result.code == 2
        assert len(result.err.splitlines()) == 1


def test_global_options_hold_before_and_after_the_command(bare) -> None:
    before = bare("--namespace", "one", "config", "show", "--json").json
    after = bare("config", "show", "--json", "--namespace", "one").json
    assert before == after
    assert before["namespace"] == "one"


def test_options_of_the_screen_are_settings(bare) -> None:
    shown = bare("--ascii", "--mouse", "--theme", "t", "--refresh", "5", "config", "show", "--json").json
    assert shown["console"] == {"theme": "t", "refresh_s": 5.0, "mouse": True, "ascii": True, "bell": False, "title": False}


def test_wrong_settings_are_told_line_by_line(bare) -> None:
    (bare.folder / "gitbridge.toml").write_text("namspace = 'x'\n[queue]\nlease_s = 0\n")
    result = bare("status")
    assert result.code == 2
    assert result.err.splitlines() == [
        "gitbridge-console: gitbridge.toml:3: queue.lease_s: should be greater than 0, not 0",
        "gitbridge-console: gitbridge.toml:1: namspace: unknown key `namspace`; did you mean `namespace`?",
    ]


def test_the_unforeseen_is_one_line_and_the_traceback_goes_to_the_log(bare, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("nobody foresaw sk-ant-verysecretkey")

    monkeypatch.setattr("gitbridge_console.operations.session.open_session", fail)
    result = bare("status")
    log = bare.folder / "state" / "gitbridge.log"
    assert result.code == 1
    assert result.err == f"gitbridge-console: unexpected ZeroDivisionError, this is a fault of the program; details in {log}\n"
    text = log.read_text()
    assert "ZeroDivisionError: nobody foresaw ***" in text
    assert "Traceback" in text
    assert log.stat().st_mode & 0o777 == 0o600


def test_interrupting_is_quiet(bare, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gitbridge_console.operations.session.open_session", interrupt)
    result = bare("status")
    assert (result.code, result.out, result.err) == (130, "", "")


def test_a_reader_that_goes_away_is_no_trouble(tmp_path: Path) -> None:
    """`docs configuration` is longer than a pipe's buffer would hide."""
    with subprocess.Popen(
        [*PROGRAM, "config", "schema"], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert told == b""
    assert process.returncode == 141


def heed_ctrl_c() -> None:
    """What a shell starts in the background ignores ctrl+c, and what that starts as well."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_watching_ends_quietly_with_ctrl_c(tmp_path: Path, valkey_url: str, namespace: str) -> None:
    words = ["status", "--watch", "--json", "--redis", valkey_url, "--namespace", namespace, "--state-dir", str(tmp_path)]
    with subprocess.Popen(
        [*PROGRAM, *words],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["store"]["ok"] is True
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == ""
    assert process.returncode == 130


def test_a_worker_ends_cleanly_on_sigterm(tmp_path: Path, valkey_url: str, namespace: str) -> None:
    words = ["worker", "--redis", valkey_url, "--namespace", namespace, "--listen", "127.0.0.1:0"]
    with subprocess.Popen([*PROGRAM, *words], cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("listening on"):
                break
        process.send_signal(signal.SIGTERM)
        told = process.stderr.read()
    assert process.returncode == 0
    assert "Traceback" not in told


def test_without_a_terminal_the_console_prints_the_status(cli) -> None:
    """Whoever wanted an engine is told how to have one."""
    result = cli()
    assert result.code == 0
    assert "LANE" in result.out
    assert result.out.splitlines()[1:] == cli("--once").out.splitlines()[1:]
    assert "no terminal to draw on (stdin or stdout is none)" in result.err
    assert "worker runs one" in result.err


def test_what_cannot_go_on_without_a_terminal_says_what_can(bare) -> None:
    for words, instead in ((("demo",), "demo --headless"), (("--listen", "127.0.0.1:0"), "ingress or worker --listen")):
        result = bare(*words)
        assert result.code == 2
        assert f"needs a terminal (stdin or stdout is none); without one use {instead}" in result.err


def test_a_snapshot_that_cannot_be_written_is_one_line(cli, tmp_path: Path) -> None:
    result = cli("--snapshot", str(tmp_path / "nowhere" / "x.svg"))
    assert result.code == 1
    assert result.err.strip().endswith("nowhere/x.svg: No such file or directory")


def test_docs_lists_and_prints_topics(bare) -> None:
    topics = [line.split()[0] for line in bare("docs").out.splitlines()]
    assert topics == [
        "actions",
        "alerts",
        "architecture",
        "backup",
        "bulk",
        "commands",
        "configuration",
        "consensus",
        "console",
        "durability",
        "error-codes",
        "hosts",
        "ingress",
        "provider-integration",
        "queue",
        "roles",
        "routing",
        "runbook",
        "themes",
        "troubleshooting",
    ]
    assert bare("docs", "error-codes").out.startswith("# Error codes")
    assert bare("docs", "nosuch").code == 4


def test_paths_and_their_json(bare) -> None:
    assert bare("paths", "--json").json["state"] == str(bare.folder / "state")
    assert str(bare.folder / "state" / "gitbridge.log") in bare("paths").out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_command(bare, shell: str) -> None:
    script = bare("completion", shell).out
    assert all(name in script for name in entry.COMMANDS)
    if program := shutil.which(shell):
        done = subprocess.run([program, "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.stderr == ""


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_completion_completes(bare) -> None:
    ask = 'COMP_WORDS=(gitbridge-console {}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _gitbridge_console; echo "${{COMPREPLY[*]}}"'
    script = bare("completion", "bash").out
    for words, expected in (("ev", "events"), ("events li", "list"), ("events list --pro", "--provider"), ("completion f", "fish")):
        done = subprocess.run(["bash"], input=script + ask.format(words), capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]


def test_spans_and_rates() -> None:
    assert (span_s("90"), span_s("15m"), rate_per_s("4/s"), rate_per_s("90/m")) == (90, 900, 4, 1.5)
    for read, word in ((span_s, "0"), (span_s, "soon"), (span_s, "500d"), (rate_per_s, "0"), (rate_per_s, "x/s")):
        with pytest.raises(ValueError, match=word):
            read(word)


def test_a_headless_demo_reports_what_came_of_its_events(bare) -> None:
    result = bare("demo", "--headless", "--duration", "4s", "--rate", "8/s", "--faults", "none", "--json")
    assert result.code == 0
    assert result.json["received"] > 10
    assert result.json["sum_exact"] is True


def test_a_fault_profile_that_is_not_there_is_a_wrong_word(bare) -> None:
    result = bare("demo", "--headless", "--faults", "nowhere.toml")
    assert result.code == 2
    assert "no such fault profile" in result.err


def test_the_demo_takes_no_other_store_than_its_own(bare) -> None:
    result = bare("--redis", "redis://127.0.0.1:1/0", "demo", "--headless")
    assert result.code == 2
    assert "leave --redis out" in result.err
