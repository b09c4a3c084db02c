"""GitLab and Gitea as they answer: diffs are bounded, tokens stay at home, what a host cannot give is said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from wire import Connection, Received, ScriptedServer, scripted_server

from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.hosts.gitea import GiteaClient
from gitbridge_console.hosts.gitlab import GitLabClient
from gitbridge_console.settings.hosts import GiteaSettings, GitLabSettings
from gitbridge_console.settings.model import SourceSettings
from gitbridge_console.sources.diffs import parse_unified_diff

pytestmark = pytest.mark.anyio

TOKEN = "glpat-0123456789abcdef"
DIFF = b"diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
SHA, BASE = "a" * 40, "b" * 40
FILES: list[dict[str, Any]] = [
    {"old_path": "x.py", "new_path": "x.py", "diff": "@@ -1 +1 @@\n-x = 1\n+x = 2\n", "new_file": False, "deleted_file": False},
    {"old_path": "n.py", "new_path": "n.py", "diff": "@@ -0,0 +1 @@\n+n\n", "new_file": True},
    {"old_path": "d.py", "new_path": "d.py", "diff": "@@ -1 +0,0 @@\n-d\n", "deleted_file": True},
    {"old_path": "o.py", "new_path": "m.py", "diff": "", "renamed_file": True},
]
Answers = dict[str, tuple[int, Any]]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    place = tmp_path / "token"
    place.write_text(f"{TOKEN}\n")
    return str(place)


@pytest.fixture
async def gitlab(server: ScriptedServer, token_file: str) -> AsyncIterator[GitLabClient]:
    settings = GitLabSettings(base_url=f"{server.origin}/api/v4", token_env="", token_file=token_file, timeout_s=0.5, timeout_connect_s=0.5)
    client = GitLabClient(lambda: settings)
    yield client
    await client.aclose()


@pytest.fixture
async def gitea(server: ScriptedServer, token_file: str) -> AsyncIterator[GiteaClient]:
    settings = GiteaSettings(base_url=f"{server.origin}/api/v1", token_env="", token_file=token_file, timeout_s=0.5, timeout_connect_s=0.5)
    client = GiteaClient(lambda: settings)
    yield client
    await client.aclose()


def answers(server: ScriptedServer, by_path: Answers) -> list[Received]:
    """The server answers each path as told, what it does not know with 404; what it was asked is in the list."""
    asked: list[Received] = []

    async def script(connection: Connection, request: Received) -> None:
        asked.append(request)
        status, said = by_path.get(request.path, (404, {"message": "404 Not found"}))
        if isinstance(said, bytes):
            await connection.whole(status, said, {"content-type": "text/plain"})
        else:
            await connection.json(status, said)

    server.script = script
    return asked


PROJECT = "/api/v4/projects/acme%2Ftools%2Fshop"


async def test_a_merge_request_is_asked_for_by_its_projects_full_path(server: ScriptedServer, gitlab: GitLabClient) -> None:
    asked = answers(server, {f"{PROJECT}/merge_requests/7/raw_diffs": (200, DIFF)})
    found = await gitlab.pull_diff("acme/tools/shop", 7, 1_000)
    assert (found.raw, found.cut) == (DIFF, False)
    assert asked[0].headers["private-token"] == TOKEN
    assert (await gitlab.pull_diff("acme/tools/shop", 7, 10)).cut
    answers(server, {f"{PROJECT}/merge_requests/7": (200, {"iid": 7, "sha": SHA})})
    assert await gitlab.pull_head("acme/tools/shop", 7) == SHA


async def test_an_older_gitlab_gives_files_which_are_put_together(server: ScriptedServer, gitlab: GitLabClient) -> None:
    answers(server, {f"{PROJECT}/merge_requests/7/diffs?per_page=100&page=1": (200, FILES)})
    found = await gitlab.pull_diff("acme/tools/shop", 7, 10_000)
    assert found.raw.startswith(DIFF)
    assert not found.cut
    read = parse_unified_diff(found.raw.decode(), SourceSettings())
    assert [(file.path, file.status) for file in read.files] == [
        ("x.py", "modified"),
        ("n.py", "added"),
        ("d.py", "removed"),
        ("m.py", "renamed"),
    ]


async def test_files_over_gitlabs_limits_make_it_a_part(server: ScriptedServer, gitlab: GitLabClient) -> None:
    large = [*FILES, {"new_path": "big.py", "diff": "", "too_large": True}]
    answers(server, {f"{PROJECT}/repository/commits/{SHA}/diff?per_page=100&page=1": (200, large)})
    assert (await gitlab.compare_diff("acme/tools/shop", "", SHA, 10_000)).cut


async def test_two_commits_are_compared_straight(server: ScriptedServer, gitlab: GitLabClient) -> None:
    path = f"{PROJECT}/repository/compare?from={BASE}&to={SHA}&straight=true"
    answers(server, {path: (200, {"diffs": FILES[:1], "compare_timeout": False})})
    assert (await gitlab.compare_diff("acme/tools/shop", BASE, SHA, 10_000)).raw == DIFF
    answers(server, {path: (200, {"diffs": [], "compare_timeout": True})})
    with pytest.raises(HostProblem, match="in time"):
        await gitlab.compare_diff("acme/tools/shop", BASE, SHA, 10_000)


@pytest.mark.parametrize("repository", ["", "shop", "acme/../shop", "acme//shop", "acme/shop?x", "acme/sh op"])
async def test_no_odd_name_becomes_part_of_an_address(
    server: ScriptedServer, gitlab: GitLabClient, gitea: GiteaClient, repository: str
) -> None:
    asked = answers(server, {})
    for client in (gitlab, gitea):
        with pytest.raises(HostProblem, match="usable"):
            await client.pull_diff(repository, 7, 1_000)
        with pytest.raises(HostProblem):
            await client.compare_diff("acme/shop", BASE, "../../x", 1_000)
    assert not asked


@pytest.mark.parametrize(("status", "retry", "credential"), [(401, None, True), (404, None, False), (429, 60.0, False), (500, 0.0, False)])
async def test_refusals_have_a_meaning_and_never_the_token(
    server: ScriptedServer, gitea: GiteaClient, status: int, retry: float | None, credential: bool
) -> None:
    answers(server, {"/api/v1/repos/acme/shop/pulls/7.diff": (status, {"message": TOKEN})})
    with pytest.raises(HostProblem) as caught:
        await gitea.pull_diff("acme/shop", 7, 1_000)
    assert (caught.value.retry_in_s, caught.value.credential) == (retry, credential)
    assert TOKEN not in str(caught.value)


async def test_gitea_gives_the_diff_of_a_pull_request_and_of_a_single_commit(server: ScriptedServer, gitea: GiteaClient) -> None:
    place = "/api/v1/repos/acme/shop"
    compare = f"{place}/compare/{BASE}...{SHA}"
    asked = answers(
        server,
        {
            f"{place}/pulls/7.diff": (200, DIFF),
            f"{place}/git/commits/{SHA}.diff": (200, DIFF),
            compare: (200, {"total_commits": 1, "commits": []}),
        },
    )
    assert (await gitea.pull_diff("acme/shop", 7, 1_000)).raw == DIFF
    assert asked[0].headers["authorization"] == f"token {TOKEN}"
    assert (await gitea.compare_diff("acme/shop", BASE, SHA, 1_000)).raw == DIFF
    assert (await gitea.compare_diff("acme/shop", "", SHA, 1_000)).raw == DIFF
    answers(server, {f"{place}/pulls/7": (200, {"number": 7, "head": {"sha": SHA}})})
    assert await gitea.pull_head("acme/shop", 7) == SHA
    answers(server, {compare: (200, {"total_commits": 2})})
    with pytest.raises(HostProblem, match="several commits"):
        await gitea.compare_diff("acme/shop", BASE, SHA, 1_000)


async def test_a_redirect_elsewhere_and_silence(server: ScriptedServer, gitlab: GitLabClient) -> None:
    async def elsewhere(connection: Connection, request: Received) -> None:
        await connection.whole(302, b"", {"location": "https://evil.example/"})

    async def silent(connection: Connection, request: Received) -> None:
        await connection.silence()

    for script, words in ((elsewhere, "redirects elsewhere"), (silent, "in time")):
        server.script = script
        with pytest.raises(HostProblem, match=words):
            await gitlab.pull_diff("acme/shop", 7, 1_000)


def test_without_address_or_token_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITBRIDGE_GITLAB_TOKEN", raising=False)
    assert not GitLabClient(GitLabSettings).available
    assert GitLabClient(lambda: GitLabSettings(anonymous=True)).available
    assert not GiteaClient(lambda: GiteaSettings(anonymous=True)).available
