"""GitHub as it answers, and as it does not: diffs are bounded, the token goes nowhere else, every refusal has a meaning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from wire import Connection, Received, ScriptedServer, scripted_server

from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.github import GitHubClient
from gitbridge_console.hosts.github_api import API_VERSION, GitHubApi
from gitbridge_console.settings.model import GitHubSettings

pytestmark = pytest.mark.anyio

TOKEN = "ghp_0123456789abcdefghij"
DIFF = b"diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
SHA = "a" * 40


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
async def github(server: ScriptedServer) -> AsyncIterator[GitHubClient]:
    settings = GitHubSettings(base_url=f"{server.origin}/api/v3", timeout_s=0.5, timeout_connect_s=0.5)
    api = GitHubApi(lambda: settings, lambda: TOKEN)
    yield GitHubClient(api)
    await api.aclose()


def answers(server: ScriptedServer, status: int, body: bytes = DIFF, **headers: str) -> list[Received]:
    """The server says the same to everything; what it was asked is in the list."""
    asked: list[Received] = []

    async def script(connection: Connection, request: Received) -> None:
        asked.append(request)
        await connection.whole(status, body, {name.replace("_", "-"): value for name, value in headers.items()})

    server.script = script
    return asked


async def refused(github: GitHubClient) -> HostProblem:
    with pytest.raises(HostProblem) as caught:
        await github.pull_diff("acme/shop", 7, 1_000)
    assert TOKEN not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("said", "head"), [(b'{"head": {"sha": "abc"}}', "abc"), (b'{"head": null}', ""), (b"[]", "")])
async def test_the_head_a_pull_request_has_by_now(server: ScriptedServer, github: GitHubClient, said: bytes, head: str) -> None:
    asked = answers(server, 200, said, content_type="application/json")
    assert await github.pull_head("acme/shop", 7) == head
    assert asked[0].path == "/api/v3/repos/acme/shop/pulls/7"


async def test_a_pull_requests_diff_is_asked_for_as_a_diff_with_token_and_version(server: ScriptedServer, github: GitHubClient) -> None:
    asked = answers(server, 200)
    found = await github.pull_diff("acme/shop", 7, 1_000)
    assert (found.raw, found.cut) == (DIFF, False)
    (request,) = asked
    assert (request.method, request.path) == ("GET", "/api/v3/repos/acme/shop/pulls/7")
    assert request.headers["accept"] == "application/vnd.github.diff"
    assert request.headers["authorization"] == f"token {TOKEN}"
    assert request.headers["x-github-api-version"] == API_VERSION


async def test_two_commits_are_compared_and_a_first_one_is_shown(server: ScriptedServer, github: GitHubClient) -> None:
    asked = answers(server, 200)
    await github.compare_diff("acme/shop", "b" * 40, SHA, 1_000)
    await github.compare_diff("acme/shop", "", SHA, 1_000)
    assert [request.path.removeprefix("/api/v3/repos/acme/shop/") for request in asked] == [f"compare/{'b' * 40}...{SHA}", f"commits/{SHA}"]


@pytest.mark.parametrize(
    ("repository", "base", "head"), [("../x", "", SHA), ("acme/shop/..", "", SHA), ("acme/shop", "", "HEAD"), ("acme/shop", "?x", SHA)]
)
async def test_only_names_that_are_names_become_part_of_an_address(
    server: ScriptedServer, github: GitHubClient, repository: str, base: str, head: str
) -> None:
    asked = answers(server, 200)
    with pytest.raises(HostProblem, match="the event names no"):
        await github.compare_diff(repository, base, head, 1_000)
    assert asked == []


async def test_a_diff_without_end_is_cut_and_the_connection_closed(server: ScriptedServer, github: GitHubClient) -> None:
    async def endless(connection: Connection, request: Received) -> None:
        await connection.head(200, {"content-type": "text/plain"})
        while True:
            await connection.chunk(b"+more\n" * 1_000)

    server.script = endless
    found = await github.pull_diff("acme/shop", 7, 20_000)
    assert (len(found.raw), found.cut) == (20_001, True)


@pytest.mark.parametrize(
    ("status", "headers", "why", "retry_in_s", "credential"),
    [
        (401, {}, "refuses the token", None, True),
        (403, {}, "shows nothing", None, False),
        (403, {"retry_after": "7"}, "rate limit", 7.0, False),
        (429, {"retry_after": "nan"}, "rate limit", 60.0, False),
        (429, {"retry_after": "999999"}, "rate limit", 3_600.0, False),
        (404, {}, "shows nothing", None, False),
        (500, {}, "is unwell", 0.0, False),
        (503, {"retry_after": "3"}, "is unwell", 3.0, False),
        (418, {}, "refuses (418)", None, False),
    ],
)
async def test_every_refusal_has_a_meaning_whatever_its_body_is(
    server: ScriptedServer, github: GitHubClient, status: int, headers: dict[str, str], why: str, retry_in_s: float | None, credential: bool
) -> None:
    for body, kind in (
        (b'{"message": "no"}', "application/json"),
        (b"<html>\x1b[31m", "text/html"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
    ):
        answers(server, status, body, content_type=kind, **headers)
        problem = await refused(github)
        assert why in str(problem)
        assert (problem.retry_in_s, problem.credential) == (retry_in_s, credential)


async def test_a_spent_limit_is_waited_for_until_it_is_there_again(server: ScriptedServer, github: GitHubClient) -> None:
    limits = {"x_ratelimit_limit": "60", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "99999999999", "x_ratelimit_used": "60"}
    answers(server, 403, b'{"message": "limit"}', content_type="application/json", **limits)
    assert (await refused(github)).retry_in_s == 3_600.0


async def test_silence_and_a_cut_answer_are_asked_again(server: ScriptedServer, github: GitHubClient) -> None:
    async def silent(connection: Connection, request: Received) -> None:
        await connection.silence()

    async def cut(connection: Connection, request: Received) -> None:
        await connection.head(200, {}, length=5_000)
        connection.reset()

    for script in (silent, cut):
        server.script = script
        assert (await refused(github)).retry_in_s == 0.0


async def test_a_redirect_is_followed_at_home_only(server: ScriptedServer, github: GitHubClient) -> None:
    asked: list[str] = []

    async def moved(connection: Connection, request: Received) -> None:
        asked.append(request.path)
        if request.path.endswith("/pulls/7"):
            await connection.whole(301, b"", {"location": f"{server.origin}/api/v3/repositories/1/pulls/7?renamed"})
        else:
            await connection.whole(200, DIFF, {})

    server.script = moved
    assert (await github.pull_diff("acme/shop", 7, 1_000)).raw == DIFF
    assert len(asked) == 2
    answers(server, 302, b"", location="https://evil.example/")
    assert "redirects elsewhere" in str(await refused(github))


async def test_a_diff_that_is_too_large_for_the_host_is_put_together_from_its_files(server: ScriptedServer, github: GitHubClient) -> None:
    async def large(connection: Connection, request: Received) -> None:
        if "/files" not in request.path:
            await connection.json(406, {"message": "Sorry, the diff exceeded the maximum number of lines (20000)"})
            return
        files: list[dict[str, Any]] = [
            {"filename": "x.py", "status": "modified", "patch": "@@ -1 +1 @@\n-x = 1\n+x = 2"},
            {"filename": "logo.png", "status": "added"},
        ]
        await connection.json(200, files)

    server.script = large
    found = await github.pull_diff("acme/shop", 7, 10_000)
    assert found.raw == DIFF + b"diff --git a/logo.png b/logo.png\nnew file mode 100644\n"
    assert not found.cut
