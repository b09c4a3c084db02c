"""The simulated code host answers as the real one does, over HTTP, and is all that a demo publishes to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gitbridge_console.domain.events import IncomingEvent
from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github_api import GitHubApi
from gitbridge_console.hosts.tokens import TokenSource
from gitbridge_console.settings.model import Settings
from gitbridge_console.simulator.code_host import CodeHost
from gitbridge_console.simulator.code_host_app import know_head
from gitbridge_console.simulator.profiles import named_profiles
from gitbridge_console.simulator.server import DEMO_KEY, DEMO_LOGIN, demo_settings, serve_services

pytestmark = pytest.mark.anyio

PULL = {"number": 7, "pull_request": {"head": {"sha": "a" * 40}}, "repository": {"full_name": "acme/shop"}}


async def test_a_demo_publishes_to_it_and_to_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITBRIDGE_GITHUB_TOKEN", "a-real-one")
    host = CodeHost(tokens={DEMO_KEY: DEMO_LOGIN})
    know_head(host, IncomingEvent("d1", "pull_request", json.dumps(PULL).encode(), "test"))
    outside = Settings.model_validate({"actions": {"webhook_url": "https://hooks.example"}, "hosts": {"github": {"anonymous": True}}})
    async with serve_services(1, named_profiles()["none"], host) as urls:
        settings = demo_settings(outside, urls, tmp_path, host.origin)
        github = settings.hosts.github
        assert (settings.actions.dry_run, settings.actions.webhook_url, github.anonymous) == (False, "", False)
        api = GitHubApi(lambda: github, TokenSource(lambda: github))
        assert await api.own_login() == DEMO_LOGIN
        assert (await api.call("GET", "/repos/acme/shop/pulls/7")).data["head"]["sha"] == "a" * 40
        made = (await api.call("POST", "/repos/acme/shop/pulls/7/reviews", {"body": "größer"})).data
        assert (made["body"], made["user"]["login"]) == ("größer", DEMO_LOGIN)
        for _ in range(40):
            await api.call("POST", "/repos/acme/shop/issues/7/comments", {"body": "x"})
        pages = [len(reply.data) async for reply in api.pages("/repos/acme/shop/issues/7/comments?per_page=30", pages_max=5)]
        assert pages == [30, 10]
        with pytest.raises(HostProblem, match="404"):
            await api.call("GET", "/repos/acme/shop/pulls/8")
        await api.aclose()


async def test_without_it_a_demo_only_pretends(tmp_path: Path) -> None:
    settings = demo_settings(Settings(), {}, tmp_path)
    assert settings.actions.dry_run
    assert settings.hosts.github.base_url.startswith("http://127.0.0.1:")
    assert TokenSource(lambda: settings.hosts.github)() is None


@pytest.mark.parametrize("payload", [b"{", b"[]", b'{"repository": 7}', b"{}"])
async def test_what_is_no_pull_request_tells_it_nothing(payload: bytes) -> None:
    host = CodeHost()
    know_head(host, IncomingEvent("d1", "pull_request", payload, "test"))
    know_head(host, IncomingEvent("d2", "push", json.dumps(PULL).encode(), "test"))
    assert host.heads == {}
