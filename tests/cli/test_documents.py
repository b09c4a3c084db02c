"""What the README and the shipped documents say is true of the program."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gitbridge_console import cli as entry
from gitbridge_console.domain.failures import ERROR_CODES
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.notes import NOTES, TABLES
from gitbridge_console.settings.shown import toml_value

ROOT = Path(entry.__file__).parent.parent
DOCS = Path(entry.__file__).parent / "docs"


def text_of(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")


def commands_in(text: str) -> set[tuple[str, ...]]:
    """Every command line of the code blocks, as the words before the first option or argument."""
    blocks = re.findall(r"^```\n(.*?)^```", text, re.M | re.S)
    found = set()
    for line in "\n".join(blocks).splitlines():
        for words in re.findall(r"gitbridge-console((?: [a-z]+)*)", line):
            found.add(tuple(words.split()))
    return found


def exists(words: tuple[str, ...]) -> bool:
    import click

    here: click.Command = entry.root
    with click.Context(entry.root) as ctx:
        for word in words:
            if not isinstance(here, click.Group):
                return True
            below = here.get_command(ctx, word)
            if below is None:
                return False
            here = below
    return True


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted(DOCS.glob("*.md"))], ids=lambda path: path.name)
def test_every_command_that_is_mentioned_exists(path: Path) -> None:
    assert [words for words in commands_in(path.read_text("utf-8")) if not exists(words)] == []


def test_every_command_is_documented() -> None:
    documented = {words[0] for words in commands_in(text_of("commands")) if words}
    assert documented == set(entry.COMMANDS)


def test_every_long_option_in_the_documents_exists() -> None:
    import click

    known = {"--help"}

    def collect(command: click.Command, ctx: click.Context) -> None:
        known.update(option for parameter in command.params for option in parameter.opts)
        for name in command.list_commands(ctx) if isinstance(command, click.Group) else ():
            collect(command.get_command(ctx, name), ctx)

    with click.Context(entry.root) as ctx:
        collect(entry.root, ctx)
    for path in (DOCS / "commands.md", DOCS / "troubleshooting.md", ROOT / "README.md"):
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text("utf-8"))) <= known, path.name


def test_the_readme_starts_with_how_to_try_and_how_to_test_it() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    first, second = re.findall(r"^```\n(.*?)\n```", text, re.M | re.S)[:2]
    assert first == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/gitbridge-console demo"
    assert second == "python3 -m venv .venv && .venv/bin/pip install '.[test]' && .venv/bin/pytest"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["scripts"] == {"gitbridge-console": "gitbridge_console.cli:main"}
    assert any(word.startswith("pytest>") for word in project["optional-dependencies"]["test"])


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\(([^)]+\.md)\)", text):
        assert (ROOT / target).is_file()


def test_every_setting_is_documented_with_its_default() -> None:
    text = text_of("configuration")
    defaults = Settings().model_dump(mode="json")
    for table, notes in NOTES.items():
        assert TABLES[table] in text
        for key, note in notes.items():
            row = re.search(rf"^\| `{key}` \| (.+?) \| {re.escape(note)} \|$", text, re.M)
            assert row is not None, f"{table}.{key} is not in configuration.md, or not with its note"
            inside = defaults if not table else defaults.get(table)
            value = inside.get(key) if isinstance(inside, dict) else None
            if value is not None:
                assert row[1] == f"`{toml_value(value)}`", f"{table}.{key}"


def test_built_in_providers_and_kinds_are_documented() -> None:
    text, settings = text_of("configuration"), Settings()
    for name, provider in settings.providers.items():
        assert f"| `{name}` | `{provider.api}` | `{provider.model}` | `{provider.base_url}` | `{provider.api_key_env}` |" in text
    for kind, policy in settings.kinds.items():
        who = f"{', '.join(policy.prefer)} | {', '.join(policy.reserve)}"
        assert f"| `{kind}` | {policy.seats} | {who} | {policy.quorum} | `{policy.strategy}` | `{policy.action}` |" in text


def test_every_error_code_is_documented_with_its_classes() -> None:
    text = text_of("error-codes")
    for cls, code in ERROR_CODES.items():
        row = re.search(rf"^\| `{code}` \| ([^|]+) \|", text, re.M)
        assert row is not None
        assert f"`{cls.value}`" in row[1]
