"""Doctor asks the code host who we are, and says what an App may not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from wire import Connection, Received, ScriptedServer, scripted_server

from gitbridge_console.operations.host_checks import check_hosts
from gitbridge_console.settings.model import Settings
from tests.hosts.app_key import app_key

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


def settings(server: ScriptedServer, *, dry_run: bool = False, **github: Any) -> Settings:
    kinds = {kind: {"action": "none"} for kind in Settings().kinds} | {"code_review": {"action": "review"}}
    own = {"base_url": server.origin, "token_env": "THE_TOKEN", **github}
    return Settings.model_validate({"actions": {"dry_run": dry_run}, "hosts": {"github": own}, "kinds": kinds})


async def test_a_token_is_asked_for_its_name_and_nothing_is_written(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def user(connection: Connection, request: Received) -> None:
        await connection.json(200, {"login": "octo"})

    server.script = user
    monkeypatch.setenv("THE_TOKEN", "ghp_1")
    (check,) = await check_hosts(settings(server))
    assert (check.level, check.text) == ("ok", f"{server.origin} answers octo")
    assert [request.method for request in server.received] == ["GET"]


@pytest.mark.parametrize(("dry_run", "level"), [(False, "fail"), (True, "warn")])
async def test_a_refused_token_fails_only_where_something_is_published(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, dry_run: bool, level: str
) -> None:
    async def refuse(connection: Connection, request: Received) -> None:
        await connection.json(401, {"message": "Bad credentials"})

    server.script = refuse
    monkeypatch.setenv("THE_TOKEN", "ghp_1")
    (check,) = await check_hosts(settings(server, dry_run=dry_run))
    assert (check.level, check.text) == (level, "the host refuses the token (401); it says: Bad credentials")


async def test_without_a_credential_it_is_said_only_where_something_is_published(server: ScriptedServer) -> None:
    assert await check_hosts(settings(server, dry_run=True)) == []
    (check,) = await check_hosts(settings(server))
    assert (check.level, check.text) == ("fail", "there is neither a token nor an App")


async def test_an_app_that_lacks_a_permission_is_told(server: ScriptedServer, tmp_path: Path) -> None:
    async def app(connection: Connection, request: Received) -> None:
        await connection.json(200, {"slug": "bridge", "permissions": {"pull_requests": "read"}})

    server.script = app
    (tmp_path / "key.pem").write_bytes(app_key()[0])
    (check,) = await check_hosts(settings(server, app_id="1", app_key_file=str(tmp_path / "key.pem")))
    assert (check.level, check.text) == ("fail", "bridge[bot] may not write pull_requests")


async def test_a_receiver_needs_a_secret(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = settings(server, dry_run=True).model_dump()
    tree["kinds"]["general"]["action"] = "webhook"
    (check,) = await check_hosts(Settings.model_validate(tree))
    assert check.level == "warn"
    tree["actions"]["webhook_url"] = "https://hooks.example/x"
    (check,) = await check_hosts(Settings.model_validate(tree))
    assert (check.level, check.text) == ("fail", "there is no secret to sign with")
    monkeypatch.setenv("GITBRIDGE_OUTGOING_SECRET", "short")
    (check,) = await check_hosts(Settings.model_validate(tree))
    assert (check.level, check.text) == ("fail", "the secret has less than 16 bytes")


async def test_check_runs_without_an_app_are_said(server: ScriptedServer) -> None:
    tree = settings(server, dry_run=True).model_dump()
    tree["actions"]["progress"] = "check_run"
    (check,) = await check_hosts(Settings.model_validate(tree))
    assert (check.level, check.text) == ("warn", "only an App may make them")
