"""Calls to GitHub as a token and as an App: who asks, what a refusal means, what may have been done nevertheless."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import jwt
import pytest
from wire import Connection, Received, ScriptedServer, scripted_server

from gitbridge_console.hosts import github_problems
from gitbridge_console.hosts.base import HostProblem, HostReply
from gitbridge_console.hosts.github_api import API_VERSION, GitHubApi
from gitbridge_console.hosts.github_problems import retry_after_s
from gitbridge_console.settings.model import GitHubSettings
from tests.hosts.app_key import app_key

pytestmark = pytest.mark.anyio

TOKEN = "ghp_0123456789abcdefghij"
REVIEWS = "/repos/acme/shop/pulls/7/reviews"
PREFIX = "/api/v3"


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
async def client_of(server: ScriptedServer) -> AsyncIterator[Callable[..., GitHubApi]]:
    made: list[GitHubApi] = []

    def build(token: str | None = TOKEN, **more: object) -> GitHubApi:
        values = {"base_url": f"{server.origin}{PREFIX}", "timeout_s": 0.5, "timeout_connect_s": 0.5, "timeout_total_s": 2.0, **more}
        settings = GitHubSettings.model_validate(values)
        made.append(GitHubApi(lambda: settings, lambda: token))
        return made[-1]

    yield build
    for one in made:
        await one.aclose()


class Apps:
    """The part of GitHub that gives tokens to Apps; ``live`` are those it still knows."""

    def __init__(self, lives_s: float = 3600.0) -> None:
        self.live: list[str] = []
        self.asked: list[tuple[str, str, str]] = []
        self.lives_s = lives_s

    async def script(self, connection: Connection, request: Received) -> None:
        shown = request.headers["authorization"]
        self.asked.append((request.method, request.path.removeprefix(PREFIX), shown.partition(" ")[0]))
        if request.path.endswith("/installation"):
            claims = jwt.decode(shown.removeprefix("bearer "), app_key()[1], algorithms=["RS256"])
            assert claims["iss"] == "12345"
            await connection.json(200, {"id": 9})
        elif request.path.endswith("/installations/9/access_tokens"):
            self.live.append(f"ghs_{len(self.asked)}")
            ends = datetime.fromtimestamp(time.time() + self.lives_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            await connection.json(201, {"token": self.live[-1], "expires_at": ends})
        elif shown.removeprefix("token ") in self.live or shown.startswith("bearer"):
            await connection.json(200, {"ok": True})
        else:
            await connection.json(401, {"message": "Bad credentials"})


@pytest.fixture
def as_app(server: ScriptedServer, client_of: Callable[..., GitHubApi], tmp_path: Path) -> tuple[Apps, GitHubApi]:
    key = tmp_path / "app.pem"
    key.write_bytes(app_key()[0])
    apps = Apps()
    server.script = apps.script
    return apps, client_of(None, app_id="12345", app_key_file=str(key))


async def problem_in(call: object) -> HostProblem:
    with pytest.raises(HostProblem) as caught:
        await call  # type: ignore[misc]
    assert TOKEN not in str(caught.value)
    return caught.value


async def test_a_write_carries_token_version_and_body_once(server: ScriptedServer, client_of: Callable[..., GitHubApi]) -> None:
    async def created(connection: Connection, request: Received) -> None:
        await connection.json(201, {"id": 77})

    server.script = created
    assert await client_of().call("POST", REVIEWS, {"body": "größer"}) == HostReply(201, {"id": 77})
    (request,) = server.received
    assert (request.method, request.path, request.body) == ("POST", PREFIX + REVIEWS, {"body": "größer"})
    assert request.headers["authorization"] == f"token {TOKEN}"
    assert request.headers["x-github-api-version"] == API_VERSION


async def test_a_list_is_read_page_by_page_and_not_beyond_its_bound(server: ScriptedServer, client_of: Callable[..., GitHubApi]) -> None:
    async def pages(connection: Connection, request: Received) -> None:
        n = int(request.path.partition("page=")[2] or 1)
        await connection.json(200, [n], {"link": f'<{server.origin}{PREFIX}/repositories/1/hooks?page={n + 1}>; rel="next"'})

    server.script = pages
    found = [reply async for reply in client_of().pages("/repos/acme/shop/hooks", pages_max=3)]
    assert [reply.data for reply in found] == [[1], [2], [3]]
    assert found[-1].next_page == "/repositories/1/hooks?page=4"


async def test_a_next_page_elsewhere_is_not_asked_for(server: ScriptedServer, client_of: Callable[..., GitHubApi]) -> None:
    async def elsewhere(connection: Connection, request: Received) -> None:
        await connection.json(200, [], {"link": '<https://evil.example/x>; rel="next"'})

    server.script = elsewhere
    with pytest.raises(HostProblem, match="elsewhere"):
        _ = [reply async for reply in client_of().pages("/repos/acme/shop/hooks", pages_max=3)]


async def test_an_app_is_given_a_token_for_the_account_and_keeps_it(as_app: tuple[Apps, GitHubApi]) -> None:
    apps, github = as_app
    await github.call("GET", "/repos/acme/shop/pulls/7")
    await github.call("GET", "/repos/Acme/other/pulls/8")
    await github.call("GET", "/app/hook/deliveries")
    assert apps.asked == [
        ("GET", "/repos/acme/shop/installation", "bearer"),
        ("POST", "/app/installations/9/access_tokens", "bearer"),
        ("GET", "/repos/acme/shop/pulls/7", "token"),
        ("GET", "/repos/Acme/other/pulls/8", "token"),
        ("GET", "/app/hook/deliveries", "bearer"),
    ]


async def test_an_organisation_is_asked_with_a_token_of_its_own(as_app: tuple[Apps, GitHubApi]) -> None:
    apps, github = as_app
    await github.call("GET", "/orgs/acme/hooks/1/deliveries?per_page=100")
    assert apps.asked[0] == ("GET", "/orgs/acme/installation", "bearer")


async def test_pages_named_by_a_number_are_asked_with_the_token_of_the_first(
    as_app: tuple[Apps, GitHubApi], server: ScriptedServer
) -> None:
    apps, github = as_app

    async def script(connection: Connection, request: Received) -> None:
        if "page=2" not in request.path and request.path.endswith("/comments"):
            await connection.json(200, [1], {"link": f'<{server.origin}{PREFIX}/repositories/1/comments?page=2>; rel="next"'})
        else:
            await apps.script(connection, request)

    server.script = script
    assert [reply.data async for reply in github.pages("/repos/acme/shop/comments", pages_max=5)] == [[1], {"ok": True}]


async def test_a_token_that_ended_is_renewed_once_and_the_call_repeated(as_app: tuple[Apps, GitHubApi]) -> None:
    apps, github = as_app
    await github.call("POST", REVIEWS, {})
    apps.live.clear()
    apps.asked.clear()
    assert (await github.call("POST", REVIEWS, {})).data == {"ok": True}
    assert [path for _, path, _ in apps.asked].count(REVIEWS) == 2


async def test_a_token_that_is_about_to_end_is_renewed_before(as_app: tuple[Apps, GitHubApi]) -> None:
    apps, github = as_app
    apps.lives_s = 200.0
    await github.call("GET", "/repos/acme/shop/pulls/7")
    await github.call("GET", "/repos/acme/shop/pulls/7")
    assert len(apps.live) == 2


async def test_an_app_that_is_refused_again_is_a_fault_of_the_credential(as_app: tuple[Apps, GitHubApi], server: ScriptedServer) -> None:
    apps, github = as_app

    async def script(connection: Connection, request: Received) -> None:
        if request.path.endswith("/reviews"):
            await connection.json(401, {"message": "Bad credentials"})
        else:
            await apps.script(connection, request)

    server.script = script
    problem = await problem_in(github.call("POST", REVIEWS, {}))
    assert (problem.credential, problem.unknown) == (True, False)
    assert len(apps.live) == 2


async def test_where_an_app_is_not_installed_it_says_so(as_app: tuple[Apps, GitHubApi], server: ScriptedServer) -> None:
    async def script(connection: Connection, request: Received) -> None:
        await connection.json(404, {"message": "Not Found"})

    server.script = script
    problem = await problem_in(as_app[1].call("GET", "/repos/acme/shop/pulls/7"))
    assert (str(problem), problem.credential) == ("the App is not installed for acme/shop", True)


@pytest.mark.parametrize(
    "content", [None, b"no key at all", b"-----BEGIN RSA PRIVATE KEY-----\nSECRETSECRET\n-----END RSA PRIVATE KEY-----"]
)
async def test_a_key_that_is_none_is_told_without_its_words(
    client_of: Callable[..., GitHubApi], tmp_path: Path, content: bytes | None
) -> None:
    key = tmp_path / "app.pem"
    if content is not None:
        key.write_bytes(content)
    problem = await problem_in(client_of(app_id="1", app_key_file=str(key)).call("GET", "/app"))
    assert problem.credential
    assert "app_key_file" in str(problem)
    assert "SECRET" not in str(problem)


async def test_only_an_app_may_ask_as_one(client_of: Callable[..., GitHubApi]) -> None:
    assert "only an App" in str(await problem_in(client_of().call("GET", "/app/hook/deliveries")))


async def test_its_own_name_is_asked_for_once(
    server: ScriptedServer, client_of: Callable[..., GitHubApi], as_app: tuple[Apps, GitHubApi]
) -> None:
    apps, app = as_app

    async def names(connection: Connection, request: Received) -> None:
        apps.asked.append((request.method, request.path.removeprefix(PREFIX), ""))
        await connection.json(200, {"slug": "bridge"} if request.path.endswith("/app") else {"login": "octo"})

    server.script = names
    person = client_of()
    assert [await person.own_login(), await person.own_login()] == ["octo", "octo"]
    assert [await app.own_login(), await app.own_login()] == ["bridge[bot]", "bridge[bot]"]
    assert [path for _, path, _ in apps.asked] == ["/user", "/app"]


NO_HOUR = "29 Nov 2026 99999999999999999999:00:00 GMT"


@pytest.mark.parametrize(("date", "wait_s"), [("Sun, 29 Nov 2026 13:00:00 GMT", 90.0), ("yesterday", 1.0), (NO_HOUR, 1.0)])
def test_a_spent_limit_is_waited_for_by_the_hosts_clock(date: str, wait_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    reset = datetime(2026, 11, 29, 13, 1, 30, tzinfo=UTC).timestamp()
    monkeypatch.setattr(github_problems, "time", SimpleNamespace(time=lambda: reset + 600))
    assert retry_after_s({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(round(reset)), "date": date}) == wait_s


SPENT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}


@pytest.mark.parametrize(
    ("status", "headers", "message", "limit", "retry_in_s"),
    [
        (403, {"retry-after": "7"}, "You have exceeded a secondary rate limit. Please wait", "secondary", 7.0),
        (403, {}, "You have exceeded a secondary rate limit. Please wait", "secondary", 60.0),
        (403, {"x-ratelimit-remaining": "4000"}, "You have triggered an abuse detection mechanism", "secondary", 60.0),
        (429, {}, "slow down", "secondary", 60.0),
        (403, SPENT, "API rate limit exceeded for user ID 1.", "primary", 3_600.0),
        (429, SPENT, "API rate limit exceeded", "primary", 3_600.0),
        (403, {}, "Must have admin rights to Repository.", "", None),
    ],
)
async def test_limits_are_told_apart_with_headers_and_without(
    server: ScriptedServer,
    client_of: Callable[..., GitHubApi],
    status: int,
    headers: dict[str, str],
    message: str,
    limit: str,
    retry_in_s: float | None,
) -> None:
    async def refuse(connection: Connection, request: Received) -> None:
        await connection.json(status, {"message": message}, headers)

    server.script = refuse
    problem = await problem_in(client_of().call("POST", REVIEWS, {}))
    assert (problem.limit, problem.retry_in_s, problem.unknown) == (limit, retry_in_s, False)


async def test_a_missing_permission_is_a_fault_of_the_token(server: ScriptedServer, client_of: Callable[..., GitHubApi]) -> None:
    async def refuse(connection: Connection, request: Received) -> None:
        await connection.json(403, {"message": "Resource not accessible by personal access token"})

    server.script = refuse
    problem = await problem_in(client_of().call("POST", REVIEWS, {}))
    assert (problem.credential, str(problem)) == (True, "the token lacks a permission for this (403)")


async def test_the_hosts_words_on_a_refusal_are_one_short_printable_line(
    server: ScriptedServer, client_of: Callable[..., GitHubApi]
) -> None:
    async def refuse(connection: Connection, request: Received) -> None:
        errors = ["Line could not be resolved\x1b[31m\n", {"message": "x" * 900}, {"code": "missing"}, 7]
        await connection.json(422, {"message": "Validation Failed", "errors": errors})

    server.script = refuse
    problem = await problem_in(client_of().call("POST", REVIEWS, {}))
    assert problem.said.startswith("Validation Failed; Line could not be resolved [31m ; xxx")
    assert len(problem.said) <= 200
    assert problem.said.isprintable()
    assert (problem.status, problem.retry_in_s, problem.unknown) == (422, None, False)


async def test_a_write_whose_answer_is_lost_may_have_been_done(server: ScriptedServer, client_of: Callable[..., GitHubApi]) -> None:
    async def cut(connection: Connection, request: Received) -> None:
        await connection.head(201, {}, length=5_000)
        connection.reset()

    async def silent(connection: Connection, request: Received) -> None:
        await connection.silence()

    async def broken(connection: Connection, request: Received) -> None:
        await connection.json(502, {"message": "Server Error"})

    async def garbled(connection: Connection, request: Received) -> None:
        await connection.whole(201, b'{"id": ', {"content-type": "application/json"})

    for script in (cut, silent, broken, garbled):
        server.script = script
        for method in ("POST", "GET"):
            problem = await problem_in(client_of().call(method, REVIEWS))
            assert (problem.unknown, problem.retry_in_s) == (method == "POST", 0.0), script.__name__


async def test_nobody_there_means_that_nothing_was_done(client_of: Callable[..., GitHubApi]) -> None:
    github = client_of(base_url="http://127.0.0.1:9")
    problem = await problem_in(github.call("POST", REVIEWS, {}))
    assert (problem.unknown, problem.retry_in_s) == (False, 0.0)


async def test_an_answer_that_drips_is_given_up_when_its_time_is_over(server: ScriptedServer, client_of: Callable[..., GitHubApi]) -> None:
    async def drip(connection: Connection, request: Received) -> None:
        await connection.head(200, {"content-type": "application/json"})
        while True:
            await connection.chunk(b" " * 10)

    server.script = drip
    problem = await problem_in(client_of(timeout_total_s=0.2).call("GET", REVIEWS))
    assert "in time" in str(problem) or "larger than" in str(problem)
