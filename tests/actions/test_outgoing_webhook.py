"""A receiver of the operator's choice is told what was decided: signed, again when it was away, never elsewhere."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError
from wire import Connection, Received, ScriptedServer, scripted_server

from gitbridge_console.actions import outgoing_webhook
from gitbridge_console.actions.signing import NoSecret, key_of, signed_headers
from gitbridge_console.settings.model import ActionSettings
from tests.actions.desk import Desk

pytestmark = pytest.mark.anyio

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as running:
        yield running


@pytest.fixture
def telling(desk: Desk, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("GITBRIDGE_OUTGOING_SECRET", SECRET)
    desk.kind("webhook")
    desk.use(webhook_url=f"{receiver.origin}/hooks?x=1", webhook_timeout_s=5.0)
    return desk


def answers(receiver: ScriptedServer, *statuses: int) -> None:
    """One each, then 204."""
    left = list(statuses)

    async def script(connection: Connection, request: Received) -> None:
        await connection.whole(left.pop(0) if left else 204, b"", {"location": f"{receiver.origin}/elsewhere"})

    receiver.script = script


def test_the_example_of_the_specification_is_signed_as_it_says() -> None:
    body = b'{"test": 2432232314}'
    headers = signed_headers(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["whsec_!!", "whsec_c2hvcnQ=", "short", ""])
def test_a_secret_that_is_none_is_told_without_its_words(secret: str) -> None:
    with pytest.raises(NoSecret) as caught:
        key_of(secret)
    assert not secret or secret not in str(caught.value)


async def test_a_decision_is_told_signed_and_in_one_message(telling: Desk, receiver: ScriptedServer) -> None:
    answers(receiver)
    one = await telling.event()
    await telling.settle(one)
    (request,) = receiver.received
    assert (request.method, request.path) == ("POST", "/hooks?x=1")
    told = request.body["data"]
    assert (request.body["type"], told["repository"], told["verdict"], told["votes"]) == (
        "gitbridge.decision",
        "acme/shop",
        "request_changes",
        {"for": 2, "of": 2},
    )
    own = request.headers
    content = f"{own['webhook-id']}.{own['webhook-timestamp']}.".encode() + request.raw_body
    expected = base64.b64encode(hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), content, hashlib.sha256).digest()).decode()
    assert own["webhook-signature"] == f"v1,{expected}"
    assert (await telling.shown(one)).timeline[-1].what == "resolved: webhook answered 204"


async def test_a_receiver_that_is_away_is_told_again_under_the_same_id(telling: Desk, receiver: ScriptedServer) -> None:
    answers(receiver, 503, 429)
    await telling.settle(await telling.event())
    assert len(receiver.received) == 3
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


@pytest.mark.parametrize(("status", "why"), [(302, "refuses (302)"), (410, "refuses (410)"), (400, "refuses (400)")])
async def test_a_refusal_waits_for_an_operator_and_a_redirect_is_one(
    telling: Desk, receiver: ScriptedServer, status: int, why: str
) -> None:
    answers(receiver, status)
    one = await telling.event()
    await telling.settle(one)
    assert len(receiver.received) == 1
    event = await telling.shown(one)
    assert event.state == "awaiting_approval"
    assert why in event.reason


async def test_without_a_secret_nothing_is_sent_and_the_message_waits(
    telling: Desk, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(receiver)
    monkeypatch.delenv("GITBRIDGE_OUTGOING_SECRET")
    one = await telling.event()
    await telling.once()
    assert receiver.received == []
    assert "there is no secret to sign with" in (await telling.shown(one)).reason
    monkeypatch.setenv("GITBRIDGE_OUTGOING_SECRET", SECRET)
    await telling.settle(one)
    assert len(receiver.received) == 1


async def test_a_message_that_is_too_large_is_not_sent(telling: Desk, receiver: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(receiver)
    monkeypatch.setattr(outgoing_webhook, "BODY_MAX", 200)
    one = await telling.event()
    await telling.settle(one)
    assert receiver.received == []
    assert "more than 200" in (await telling.shown(one)).reason


@pytest.mark.parametrize(
    "url", ["http://hooks.example/x", "ftp://hooks.example", "https://user@hooks.example/", "http://127.0.0.1.evil.example/"]
)
def test_only_https_or_this_host_is_told(url: str) -> None:
    with pytest.raises(ValidationError):
        ActionSettings(webhook_url=url)


@pytest.mark.parametrize("url", ["", "https://hooks.example/x", "http://127.0.0.1:8080/x", "http://localhost/", "http://[::1]:9/x"])
def test_these_are_taken(url: str) -> None:
    assert ActionSettings(webhook_url=url).webhook_url == url
