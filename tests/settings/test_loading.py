"""How the layers of the settings add up, and what a mistake looks like."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.settings import Settings, SettingsError, load_settings
from gitbridge_console.settings.defaults_file import commented_defaults
from gitbridge_console.settings.files import line_of
from gitbridge_console.settings.notes import NOTES, TABLES, model_keys
from gitbridge_console.settings.shown import as_toml, shown, without_passwords


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, which is also where the process stands."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def problems(home: Path, text: str = "", **env: str) -> tuple[str, ...]:
    write(home / "gitbridge.toml", text)
    with pytest.raises(SettingsError) as caught:
        load_settings(env={"HOME": str(home), **env})
    return caught.value.problems


def test_without_anything_the_defaults_hold(home: Path) -> None:
    loaded = load_settings(env={"HOME": str(home)})
    assert loaded.settings == Settings()
    assert loaded.files == ()
    assert loaded.origins == {}


def test_later_layers_win_and_each_value_knows_its_origin(home: Path) -> None:
    user = write(home / "x" / "gitbridge" / "gitbridge.toml", "[queue]\nlease_s = 1\ndrain_s = 1\nmax_waiting = 1\nexpires_s = 1\n")
    write(home / "gitbridge.toml", "[queue]\ndrain_s = 2\nmax_waiting = 2\nexpires_s = 2\n")
    env = {"XDG_CONFIG_HOME": str(home / "x"), "GITBRIDGE_QUEUE__MAX_WAITING": "3", "GITBRIDGE_QUEUE__EXPIRES_S": "3"}
    loaded = load_settings(env=env, overrides={"queue.expires_s": 4})
    queue = loaded.settings.queue
    assert (queue.lease_s, queue.drain_s, queue.max_waiting, queue.expires_s) == (1, 2, 3, 4)
    assert loaded.origins == {
        "queue.lease_s": str(user),
        "queue.drain_s": "gitbridge.toml",
        "queue.max_waiting": "GITBRIDGE_QUEUE__MAX_WAITING",
        "queue.expires_s": "command line",
    }


def test_config_takes_the_place_of_the_file_here(home: Path) -> None:
    write(home / "gitbridge.toml", "namespace = 'here'")
    other = write(home / "other.toml", "namespace = 'other'")
    assert load_settings(other, env={"HOME": str(home)}).settings.namespace == "other"


def test_a_provider_table_changes_only_what_it_names(home: Path) -> None:
    write(home / "gitbridge.toml", "[providers.claude]\nmodel = 'm'\n[kinds.code_review]\nquorum = 1\n")
    settings = load_settings(env={"HOME": str(home)}).settings
    assert settings.providers["claude"] == Settings().providers["claude"].model_copy(update={"model": "m"})
    assert list(settings.providers) == ["claude", "grok", "chatgpt"]
    assert settings.kinds["code_review"].prefer == ("claude", "grok")


def test_the_environment_carries_numbers_switches_lists_and_tables(home: Path) -> None:
    env = {
        "HOME": str(home),
        "GITBRIDGE_CONSOLE__MOUSE": "true",
        "GITBRIDGE_INGRESS__SECRET_ENV": "ONE, TWO",
        "GITBRIDGE_KINDS__GENERAL__PREFER": '["claude"]',
        "GITBRIDGE_PROVIDERS__LOCAL": '{"api": "chat", "model": "m", "base_url": "http://h/v1"}',
        "GITBRIDGE_RULES": '[{"when": {"type": "push"}, "kind": "general"}]',
        "GITBRIDGE_REDIS__URL": "",
    }
    settings = load_settings(env=env).settings
    assert settings.console.mouse is True
    assert settings.ingress.secret_env == ("ONE", "TWO")
    assert settings.kinds["general"].prefer == ("claude",)
    assert settings.providers["local"].model == "m"
    assert settings.rules[0].when.type == "push"
    assert settings.redis.url is None


def test_variables_that_hold_secrets_are_not_settings(home: Path) -> None:
    write(home / "gitbridge.toml", "[providers.claude]\napi_key_env = 'GITBRIDGE_CLAUDE'\n")
    env = {
        "HOME": str(home),
        "GITBRIDGE_WEBHOOK_SECRET": "s",
        "GITBRIDGE_OLD_SECRET": "s",
        "GITBRIDGE_CLAUDE": "s",
        "GITBRIDGE_GITHUB_TOKEN": "s",
    }
    assert load_settings(env=env).origins == {"providers.claude.api_key_env": "gitbridge.toml"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[queue]\n\nmax_waitin = 3\n", "gitbridge.toml:3: queue.max_waitin: unknown key `max_waitin`; did you mean `max_waiting`?"),
        ("[queu]\nlease_s = 3\n", "gitbridge.toml:1: queu: unknown key `queu`; did you mean `queue`?"),
        ("[queue]\nlease_s = 'long'\n", "gitbridge.toml:2: queue.lease_s: should be a valid number, not 'long'"),
        (
            "[kinds.code_reveiw]\nseats = 2\n",
            "gitbridge.toml:1: kinds.code_reveiw: unknown name `code_reveiw`; did you mean `code_review`?",
        ),
        ("[kinds.general]\nquorum = 2\n", "gitbridge.toml:1: kinds.general: quorum 2 is more than the 1 seats"),
        ("[providers.local]\napi = 'chat'\nbase_url = 'http://h'\n", "gitbridge.toml:1: providers.local.model: is missing"),
        ("x = = 1\n", "gitbridge.toml:1: not TOML: Invalid value (column 5)"),
    ],
)
def test_a_mistake_is_one_line_with_place_key_and_way_out(home: Path, text: str, expected: str) -> None:
    assert expected in problems(home, text)


def test_every_mistake_is_told_at_once(home: Path) -> None:
    assert len(problems(home, "namspace = 'x'\n[queue]\nlease_s = 0\n", GITBRIDGE_RETRY__ATTEMPTS_MAX="many", GITBRIDGE_FOO="1")) == 4


def test_a_mistake_in_the_environment_names_the_variable(home: Path) -> None:
    assert problems(home, GITBRIDGE_QUEUE__LEASE_S="x") == ("GITBRIDGE_QUEUE__LEASE_S: queue.lease_s: should be a valid number, not 'x'",)
    assert problems(home, GITBRIDGE_RULES="[") == ("GITBRIDGE_RULES: not JSON: Expecting value: line 1 column 2 (char 1)",)


def test_a_table_where_a_value_belongs_is_refused_in_words(home: Path) -> None:
    (line,) = problems(home, "[namespace]\nx = 1\n")
    assert line == "gitbridge.toml:1: namespace: should be a valid string"


def test_a_url_with_a_password_never_shows_up_in_a_mistake(home: Path) -> None:
    lines = problems(home, "[providers.claude]\nbase_url = 'ftp://ana:hunter22@host'\n")
    assert "hunter22" not in "".join(lines)


@pytest.mark.parametrize(("content", "told"), [(b"\xff\xfe", "not UTF-8"), (b"#" * (1024 * 1024 + 1), "larger than")])
def test_a_file_that_is_no_text_or_huge_is_refused(home: Path, content: bytes, told: str) -> None:
    path = home / "own.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=told):
        load_settings(path, env={"HOME": str(home)})


def test_a_named_file_has_to_be_there(home: Path) -> None:
    with pytest.raises(SettingsError, match=re.escape("nowhere.toml: No such file or directory")):
        load_settings("nowhere.toml", env={"HOME": str(home)})


def test_the_commented_file_says_nothing_until_a_line_is_uncommented(home: Path) -> None:
    write(home / "gitbridge.toml", commented_defaults())
    assert load_settings(env={"HOME": str(home)}).settings == Settings()


def test_every_line_of_the_commented_file_is_true() -> None:
    """Without their marks the lines are TOML, and what they say are the defaults."""
    lines = [line.removeprefix("# ") for line in commented_defaults().splitlines() if re.match(r"# (\[|[a-z_]+ = )", line)]
    lines = lines[: lines.index("[[rules]]")]
    tree = tomllib.loads("\n".join(line for line in lines if "# (not set)" not in line))
    assert tree["providers"].pop("local")["api"] == "chat"
    assert tree.pop("budgets") == {"claude": {"warn_fraction": 0.8}}, "an example: there is none by default"
    assert tree["alerts"].pop("webhooks") == {"ops": {"url_env": "GITBRIDGE_ALERTS_URL", "format": "slack"}}, "an example, too"
    assert set(tree["kinds"]["code_review"].pop("prompts")) == {"strict"}, "an example, too"
    assert Settings.model_validate(tree) == Settings()
    assert tree["queue"] == Settings().queue.model_dump()


def test_every_key_has_a_note_and_every_note_a_key() -> None:
    assert {(table, key) for table, notes in NOTES.items() for key in notes} == set(model_keys())
    assert set(TABLES) == set(NOTES)


def test_what_is_shown_reads_back_as_the_same_settings(home: Path) -> None:
    rule = "[[rules]]\nwhen = { type = 'push', paths = 'docs/**' }\nkind = 'documentation'\n"
    provider = "[providers.'a-b']\napi = 'chat'\nmodel = 'ü\"\\\\'\nbase_url = 'http://h'\n"
    write(home / "gitbridge.toml", rule + provider)
    settings = load_settings(env={"HOME": str(home)}).settings
    assert Settings.model_validate(tomllib.loads(as_toml(shown(settings)))) == settings


def test_shown_lines_tell_their_origin() -> None:
    text = as_toml(shown(Settings()), {"queue.lease_s": "gitbridge.toml"})
    assert re.search(r"^lease_s = 30.0 +# gitbridge.toml$", text, re.M)
    assert re.search(r"^drain_s = 20.0 +# built in$", text, re.M)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("redis://ana:p@ss:w@host:1/0", "redis://ana:***@host:1/0"),
        ("rediss://:secret@host", "rediss://:***@host"),
        ("unix:///run/s?db=0&password=abc", "unix:///run/s?db=0&password=***"),
        ("https://host/a:b@c", "https://host/a:b@c"),
    ],
)
def test_passwords_of_urls_are_masked(text: str, clean: str) -> None:
    assert without_passwords(text) == clean


KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
TREES = st.dictionaries(KEYS, st.dictionaries(KEYS, st.integers(), min_size=1, max_size=4), max_size=4)


@given(TREES)
def test_the_line_of_a_key_is_found_in_whatever_is_written(tree: dict[str, dict[str, int]]) -> None:
    text = as_toml(tree)
    lines = text.splitlines()
    for table, values in tree.items():
        for key, value in values.items():
            number = line_of(text, (table, key))
            assert number is not None
            assert lines[number - 1] == f"{key} = {value}"
