"""Where keys come from and which class stands behind an entry of the settings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gitbridge_console.providers.claude import ClaudeProvider
from gitbridge_console.providers.errors import MissingKey
from gitbridge_console.providers.openai_chat import ChatCompletionsProvider
from gitbridge_console.providers.openai_responses import ChatGPTProvider, GrokProvider
from gitbridge_console.providers.registry import build_provider, key_problem, resolve_key
from gitbridge_console.settings.routing import ProviderSettings, default_providers

PROVIDERS = default_providers()


def _with(name: str, **changes: object) -> ProviderSettings:
    return PROVIDERS[name].model_copy(update=changes)


def test_a_key_from_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("  from-file\n")
    settings = _with("claude", api_key_file=str(file))
    assert resolve_key(settings) == "from-file"
    monkeypatch.setenv("ANTHROPIC_API_KEY", " from-env ")
    assert resolve_key(settings) == "from-env"
    assert key_problem("claude", settings) is None


def test_a_missing_key_says_what_to_set() -> None:
    assert resolve_key(PROVIDERS["claude"]) is None
    assert key_problem("claude", PROVIDERS["claude"]) == "no key: set ANTHROPIC_API_KEY or providers.claude.api_key_file"
    nameless = _with("chatgpt", api_key_env=None)
    assert key_problem("chatgpt", nameless) == "no key: set providers.chatgpt.api_key_env or providers.chatgpt.api_key_file"
    assert key_problem("claude", _with("claude", api_key_env=None)) is not None


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "is empty"), (b"x" * 9000, "larger than"), (b"a b", "cannot be sent"), ("schlüssel".encode(), "cannot be sent")],
)
def test_unusable_key_files(tmp_path: Path, content: bytes, part: str) -> None:
    file = tmp_path / "{key}"
    file.write_bytes(content)
    settings = _with("grok", api_key_env=None, api_key_file=str(file))
    problem = key_problem("grok", settings)
    assert resolve_key(settings) is None
    assert problem is not None
    assert part in problem
    assert "\n" not in problem


def test_a_key_file_that_is_not_there(tmp_path: Path) -> None:
    problem = key_problem("grok", _with("grok", api_key_file=str(tmp_path / "no")))
    assert problem == f"no key: providers.grok.api_key_file {tmp_path / 'no'} cannot be read: No such file or directory"


def test_a_local_server_needs_no_key() -> None:
    local = ProviderSettings(api="chat", model="m", base_url="http://127.0.0.1:11434/v1")
    assert key_problem("local", local) is None
    assert resolve_key(local)


@pytest.mark.parametrize("key", ["", None])
def test_no_provider_without_a_key(key: str | None) -> None:
    with pytest.raises(MissingKey, match="ANTHROPIC_API_KEY"):
        build_provider("claude", PROVIDERS["claude"], key)
    with pytest.raises(MissingKey):
        ClaudeProvider("claude", PROVIDERS["claude"], "")


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("claude", {}, ClaudeProvider),
        ("chatgpt", {}, ChatGPTProvider),
        ("grok", {}, GrokProvider),
        ("grok", {"base_url": "http://127.0.0.1:1/v1"}, GrokProvider),
        ("grok", {"api": "chat"}, ChatCompletionsProvider),
        ("chatgpt", {"api": "chat"}, ChatCompletionsProvider),
    ],
)
def test_the_class_for_an_entry(name: str, changes: dict[str, object], expected: type) -> None:
    provider = build_provider(name, _with(name, **changes), "k" * 20)
    assert type(provider) is expected
    assert (provider.name, provider.model) == (name, PROVIDERS[name].model)


def test_nothing_heavy_is_imported_before_the_first_question() -> None:
    code = (
        "import sys; from gitbridge_console.providers.registry import build_provider; "
        "from gitbridge_console.settings.model import default_providers as d; "
        "[build_provider(n, s, 'k' * 20) for n, s in d().items()]; "
        "print(sorted({'anthropic', 'openai', 'genai_prices', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_first_question_loads_the_sdk_beside_the_loop() -> None:
    code = (
        "import asyncio, sys; from gitbridge_console.providers.base import ProviderError; "
        "from gitbridge_console.providers.registry import build_provider; "
        "from gitbridge_console.settings.model import ProviderSettings as S; "
        "p = build_provider('x', S(api='chat', model='m', base_url='http://127.0.0.1:1/v1'), 'k' * 20)\n"
        "async def main():\n"
        "    try: await p.list_models()\n"
        "    except ProviderError as error: print(error.failure.cls, 'openai' in sys.modules, 'anthropic' in sys.modules)\n"
        "    await p.aclose()\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "transient True False"
