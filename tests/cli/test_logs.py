"""The log: bounded, private, and without secrets."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from gitbridge_console.commands.logs import Redactor, known_secrets, set_up_logging
from gitbridge_console.settings import Settings


def test_known_secrets_come_from_what_the_settings_name(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("file-secret\n")
    settings = Settings.model_validate(
        {
            "providers": {
                **Settings().model_dump()["providers"],
                "x": {"api": "chat", "model": "m", "base_url": "http://h", "api_key_file": str(file)},
            }
        }
    )
    env = {
        "ANTHROPIC_API_KEY": "key-of-claude",
        "GITBRIDGE_WEBHOOK_SECRET": "hook-secret",
        "GITHUB_TOKEN": "token-value",
        "PATH": "/bin",
        "MY_SECRET": "abc",
    }
    assert known_secrets(settings, env) == {"file-secret", "key-of-claude", "hook-secret", "token-value"}


@pytest.mark.parametrize(
    "text",
    [
        "key-of-claude",
        "sk-ant-api03-abcdefgh",
        "Authorization: Bearer abc.def.ghi",
        "redis://ana:abc.def.ghi@host",
        "ghp_abcdefghijklmnop",
        "xai-abcdefgh1234",
    ],
)
def test_secrets_are_taken_out(text: str) -> None:
    clean = Redactor(["key-of-claude"])(f"before {text} after")
    assert "***" in clean
    for secret in ("key-of-claude", "abcdefgh", "abc.def.ghi"):
        assert secret not in clean
    assert clean.startswith("before ")


def test_the_file_is_private_and_its_lines_are_harmless(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "own.log"
    set_up_logging(Settings(), path)
    logging.getLogger("gitbridge_console.x").warning("hostile \x1b[31m\nsecond line")
    logging.getLogger("gitbridge_console.x").debug("not at this level")
    logging.getLogger("httpx2").info("request line of a library")
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert text.endswith("WARNING gitbridge_console.x: hostile �[31m\n    second line\n")
    assert len(text.splitlines()) == 2


def test_json_lines_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-claude")
    path = tmp_path / "own.jsonl"
    set_up_logging(Settings(), path)
    try:
        raise ValueError("with key-of-claude in it")
    except ValueError:
        logging.getLogger("gitbridge_console.x").exception("it failed")
    entry = json.loads(path.read_text())
    assert entry["level"] == "error"
    assert entry["message"] == "it failed"
    assert entry["traceback"].endswith("ValueError: with *** in it")


def test_a_log_that_cannot_be_written_is_said_once(bare) -> None:
    (bare.folder / "file").write_text("")
    result = bare("demo", "--headless", "--duration", "0.1s", "--rate", "1/s", "--log-file", str(bare.folder / "file" / "x.log"))
    assert result.err.startswith("no log: ")
    assert len(result.err.splitlines()) == 1
