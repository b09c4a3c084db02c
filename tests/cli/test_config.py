"""``config`` and ``doctor``."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest


def test_init_writes_a_private_file_that_checks(bare) -> None:
    result = bare("config", "init")
    path = Path(result.out.strip())
    assert path == bare.folder / ".config" / "gitbridge" / "gitbridge.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert bare("config", "check").code == 0
    assert tomllib.loads(path.read_text()) == {}


def test_init_does_not_overwrite_without_force(bare) -> None:
    target = bare.folder / "own.toml"
    target.write_text("mine")
    refused = bare("config", "init", "--config", str(target))
    assert refused.code == 3
    assert target.read_text() == "mine"
    assert bare("config", "init", "--force", "--config", str(target)).code == 0
    assert target.read_text() != "mine"
    assert [path.name for path in target.parent.glob(".own*")] == []


def test_init_here_and_where_nothing_can_be_written(bare) -> None:
    assert bare("config", "init", "--here").out == "gitbridge.toml\n"
    (bare.folder / "file").write_text("")
    result = bare("config", "init", "--config", str(bare.folder / "file" / "x.toml"))
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_check_tells_problems_in_words_and_in_json(bare) -> None:
    (bare.folder / "gitbridge.toml").write_text('[actions]\nwebhook_url = "http://hooks.example"\n')
    assert "the receiver must be at https://" in bare("config", "check").err
    document = bare("config", "check", "--json")
    assert document.code == 2
    assert document.json["ok"] is False


def test_show_masks_passwords_and_tells_origins(bare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITBRIDGE_REDIS__URL", "redis://ana:hunter22@host/0")
    for words in (["--origins"], ["--json"], ["--json", "--origins"], []):
        out = bare("config", "show", *words).out
        assert "redis://ana:***@host/0" in out
        assert "hunter22" not in out
    assert "# GITBRIDGE_REDIS__URL" in bare("config", "show", "--origins").out
    assert bare("config", "show", "--json", "--origins").json["origins"]["redis.url"] == "GITBRIDGE_REDIS__URL"


def test_schema_is_a_json_schema_of_the_file(bare) -> None:
    assert "providers" in bare("config", "schema").json["properties"]


def test_doctor_finds_what_is_missing_and_says_what_to_do(bare) -> None:
    result = bare("doctor", "--json")
    checks = {check["name"]: check for check in result.json["checks"]}
    assert result.code == 0
    assert checks["store"]["level"] == "ok"
    assert checks["provider claude"]["level"] == "warn"
    assert "ANTHROPIC_API_KEY" in checks["provider claude"]["text"]
    assert checks["providers"]["todo"]


def test_doctor_sees_keys_and_never_shows_them(bare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-verysecretkey")
    out = bare("doctor").out
    assert "ok    provider claude" in out
    assert "verysecretkey" not in out


def test_doctor_fails_on_wrong_settings_and_on_a_store_that_is_away(bare) -> None:
    assert bare("doctor", "--redis", "redis://127.0.0.1:1/0").code == 1
    (bare.folder / "gitbridge.toml").write_text("nosuch = 1")
    result = bare("doctor")
    assert result.code == 1
    assert "fail  settings" in result.out


def test_doctor_looks_at_the_terminal(bare, monkeypatch: pytest.MonkeyPatch) -> None:
    from gitbridge_console.operations import checks

    monkeypatch.setattr(checks.sys.stdout, "isatty", lambda: True, raising=False)
    for env, name, level in (
        ({"TERM": "dumb"}, "terminal", "fail"),
        ({"TERM": "xterm-256color", "COLUMNS": "200", "LINES": "50"}, "terminal", "ok"),
        ({"TERM": "xterm", "COLUMNS": "40", "LINES": "10"}, "terminal", "warn"),
        ({"TERM": "tmux-256color"}, "colours", "ok"),
        ({"TERM": "linux"}, "colours", "warn"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "colours", "warn"),
    ):
        with monkeypatch.context() as patch:
            for key, value in env.items():
                patch.setenv(key, value)
            assert {check.name: check.level for check in checks.check_place()}[name] == level
