"""Alerts outside the terminal: one deliverer in the fleet, real receivers on this host, and what operators say to it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitbridge_console.domain.alerting import AlertBook
from gitbridge_console.domain.snapshots import Alert
from gitbridge_console.operations import alert_keeper
from gitbridge_console.operations.actor import Actor
from gitbridge_console.operations.alert_keeper import AlertKeeper
from gitbridge_console.operations.errors import NotFound, Usage
from gitbridge_console.operations.operations import Operations
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.operators import AlertSettings, AlertWebhookSettings
from gitbridge_console.store.store import Store, open_store
from tests.operations.receiver import Receiver, receiving

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


class Clock:
    """The store's clock, moved by hand."""

    now_ms = 1_000_000_000_000

    async def __call__(self, client: object) -> int:
        return self.now_ms

    def on(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(alert_keeper, "server_now_ms", found)
    return found


def told_by(settings: Settings, **alerts: Any) -> Settings:
    return settings.model_copy(update={"alerts": AlertSettings(**alerts)})


def webhook(receiver: Receiver, **more: Any) -> dict[str, AlertWebhookSettings]:
    return {"ops": AlertWebhookSettings(url=receiver.url, **more)}


OPEN = Alert(level="critical", code="provider_open", text="grok open: 5 failures", since="2026-11-22T21:00:00Z", about="grok")


class Fleet:
    """Conditions, by hand."""

    def __init__(self) -> None:
        self.alerts: tuple[Alert, ...] = ()

    async def __call__(self) -> tuple[tuple[Alert, ...], tuple[Alert, ...]]:
        return self.alerts, self.alerts


def keeper(store: Store, settings: Settings, fleet: Fleet) -> AlertKeeper:
    return AlertKeeper(store, lambda: settings, fleet)


async def test_a_flapping_provider_gives_one_open_and_one_close_message_whoever_of_the_fleet_delivers(
    store: Store, settings: Settings, receiver: Receiver, clock: Clock, tmp_path: Path
) -> None:
    settings, fleet = told_by(settings, webhooks=webhook(receiver)), Fleet()
    async with open_store(settings, tmp_path) as other:
        keepers = keeper(store, settings, fleet), keeper(other, settings, fleet)
        for n in range(60):
            fleet.alerts = (OPEN,) if n % 4 < 2 else ()
            if n == 30:
                await store.alerts.lock.leave()  # the elected one goes; the other takes over in the middle
                assert await keepers[1].tick()
            assert sum(await asyncio.gather(*(one.tick() for one in keepers))) == 1, "one of them is elected"
            clock.on(10)
        fleet.alerts = ()
        for _ in range(10):
            await asyncio.gather(*(one.tick() for one in keepers))
            clock.on(10)
    assert [(found["kind"], found["condition"]) for found in receiver.documents] == [
        ("open", "provider_open:grok"),
        ("close", "provider_open:grok"),
    ]


async def test_a_receiver_that_is_down_is_tried_again_given_up_in_the_end_and_seen_in_status(
    store: Store, door: Operations, settings: Settings, receiver: Receiver, clock: Clock
) -> None:
    settings, fleet = told_by(settings, webhooks=webhook(receiver), open_after_s=0.0, tries_max=3, retry_base_s=10.0), Fleet()
    fleet.alerts, receiver.answers = (OPEN,), [503]
    one = keeper(store, settings, fleet)
    for _ in range(2):
        await one.tick()
        assert len(receiver.got) == 1, "not before its time"
    (found,) = [alert for alert in (await door.status()).alerts if alert.code == "alert_undelivered"]
    assert found.text == "alerts do not reach webhook ops: it answered 503"
    clock.on(10)
    await one.tick()
    clock.on(20)
    await one.tick()
    assert len({headers.get("user-agent") for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1, "a repetition is the same message under the same id"
    book = await store.alerts.read()
    assert (len(receiver.got), book.outbox, book.targets["webhook ops"].given_up) == (3, (), 1)
    receiver.answers = [200]
    fleet.alerts = ()
    for _ in range(8):
        clock.on(60)
        await one.tick()
    assert receiver.documents[-1]["kind"] == "close"
    assert [alert for alert in (await door.status()).alerts if alert.code == "alert_undelivered"] == [], "it was reached since"


async def test_words_that_cannot_be_read_stop_nobody(store: Store, door: Operations) -> None:
    tag = store.keys.alerts
    await store.client.hset(f"{tag}:acked", mapping={"no_engine": "{", "paused": "[1]"})
    await store.client.hset(f"{tag}:silenced", mapping={"no_engine": '{"until_ms": "soon"}'})
    await store.client.hset(f"{tag}:book", mapping={"book": "rubbish", "trouble": "]"})
    assert [alert.acked_by for alert in (await door.status()).alerts if alert.code == "no_engine"] == [""]
    assert (await door.list_alerts()).silences == {}


async def test_a_deliverer_that_was_replaced_writes_nothing(store: Store, settings: Settings, tmp_path: Path) -> None:
    fence = await store.alerts.lock.hold()
    await store.alerts.lock.leave()
    async with open_store(settings, tmp_path) as other:
        later = await other.alerts.lock.hold()
        assert later > fence > 0
        assert await other.alerts.write(AlertBook(next_id=7), later)
        assert not await store.alerts.write(AlertBook(next_id=3), fence)
        assert (await store.alerts.read()).next_id == 7


async def test_a_message_is_signed_as_standard_webhooks_says(
    store: Store, settings: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_SECRET", SECRET)
    settings = told_by(settings, webhooks=webhook(receiver, secret_env="ALERT_SECRET"))
    door = Operations(store, lambda: settings, actor=Actor("ana", "ops-3"))
    assert await door.test_alerts() == {"webhook ops": ""}
    ((headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(b"twenty-four bytes of key", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert receiver.documents[0]["kind"] == "test"
    (entry,) = await door.list_audit()
    assert (entry.what, entry.affected, SECRET in entry.model_dump_json()) == ("alerts test", 1, False)


@pytest.mark.parametrize(
    ("answers", "more", "why"),
    [
        ([500], {}, "it answered 500"),
        ([302], {}, "it answered 302"),
        ([200], {"secret_env": "NO_SUCH"}, "the environment has no NO_SUCH"),
        ([200], {"secret_env": "TOO_SHORT"}, "less than 16 bytes"),
    ],
)
async def test_what_is_not_taken_is_said_and_no_redirect_is_followed(
    store: Store,
    settings: Settings,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[int],
    more: dict[str, str],
    why: str,
) -> None:
    monkeypatch.setenv("TOO_SHORT", "short")
    receiver.answers = answers
    settings = told_by(settings, webhooks=webhook(receiver, **more))
    found = await Operations(store, lambda: settings, actor=Actor("ana", "ops-3")).test_alerts()
    assert why in found["webhook ops"]
    assert len(receiver.got) <= 1


@pytest.mark.parametrize(
    "url",
    ["http://example.com/x", "http://127.0.0.1.example.com/", "ftp://127.0.0.1/", "http://169.254.169.254/", "http://user@127.0.0.1/"],
)
def test_an_address_that_is_neither_https_nor_this_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"https|pattern"):
        AlertWebhookSettings(url=url)


async def test_an_address_from_the_environment_is_held_to_the_same(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", "http://example.com/secret-path")
    settings = told_by(settings, webhooks={"ops": AlertWebhookSettings(url_env="HOOK", format="slack")})
    found = await Operations(store, lambda: settings, actor=Actor("ana", "ops-3")).test_alerts()
    assert found == {"webhook ops": "an address must be https, or http on this host itself"}


SCRIPTS = {
    "takes it": ("import json,sys; json.dump(json.load(sys.stdin), open(sys.argv[1], 'w'))", ""),
    "does not read": ("pass", ""),
    "fails": ("import sys; sys.stderr.write('no\\nroute' + 'x' * 100_000); sys.exit(3)", "ended with 3: no route"),
    "leaves something behind": ("import subprocess; subprocess.Popen(['sleep', '60'])", "did not end within 2 s and was killed"),
    "hangs": ("import subprocess,sys,time; subprocess.Popen(['sleep', '60']); time.sleep(60)", "did not end within 2 s and was killed"),
}


@pytest.mark.parametrize("name", SCRIPTS)
async def test_a_program_gets_the_message_on_stdin_without_a_shell_and_without_our_keys(
    name: str, store: Store, settings: Settings, tmp_path: Path
) -> None:
    script, why = SCRIPTS[name]
    out = tmp_path / "it's a $(file)"
    settings = told_by(settings, command=(sys.executable, "-c", script, str(out)), command_timeout_s=2.0 if "killed" in why else 30.0)
    found = await Operations(store, lambda: settings, actor=Actor("ana", "ops-3")).test_alerts()
    assert why in found["command"] if why else found["command"] == ""
    if name == "takes it":
        assert json.loads(out.read_text())["text"].startswith("a test by ana")


async def test_a_program_that_is_not_there_is_said(store: Store, settings: Settings) -> None:
    settings = told_by(settings, command=("/no/such/program",))
    found = await Operations(store, lambda: settings, actor=Actor("ana", "ops-3")).test_alerts()
    assert found == {"command": "/no/such/program: No such file or directory"}


async def test_an_alert_is_acknowledged_and_silenced_by_name_or_code_and_that_is_shown(
    store: Store, door: Operations, settings: Settings, clock: Clock
) -> None:
    await door.pause(["claude"], "maintenance")
    await door.pause(["grok"], "maintenance")
    assert (await door.ack_alert("paused:claude", "seen")).ids == ("paused:claude",)
    await door.silence_alert("no_engine", 3600, "planned")
    shown = {f"{alert.code}:{alert.about}": (alert.acked_by, bool(alert.silenced_until)) for alert in (await door.status()).alerts}
    assert shown["paused:claude"] == ("ana", False)
    assert shown["paused:grok"] == ("", False)
    assert shown["no_engine:"] == ("", True)
    report = await door.list_alerts()
    assert (list(report.silences), report.targets) == (["no_engine"], ())
    assert (await door.ack_alert("paused")).changed == 2
    assert (await door.silence_alert("no_engine", 0, "")).changed == 1
    assert (await door.silence_alert("no_engine", 0, "")).changed == 0
    assert not any(alert.silenced_until for alert in (await door.status()).alerts)
    assert [entry.what for entry in await door.list_audit()][:3] == ["alerts silence", "alerts silence", "alerts ack"]
    with pytest.raises(NotFound, match="there are"):
        await door.ack_alert("no_such")
    with pytest.raises(Usage, match="say why"):
        await door.silence_alert("paused", 60, " ")
    with pytest.raises(Usage, match="30 days"):
        await door.silence_alert("paused", 1e9, "for ever")
    with pytest.raises(NotFound, match="nobody is told"):
        await door.test_alerts()


@pytest.mark.parametrize("told", [True, False], ids=["somebody is told", "nobody is told"])
async def test_words_about_what_is_over_are_forgotten(
    store: Store, settings: Settings, receiver: Receiver, clock: Clock, told: bool
) -> None:
    webhooks = webhook(receiver) if told else {}
    settings, fleet = told_by(settings, webhooks=webhooks, interval_s=0.0, close_after_s=0.0, open_after_s=0.0), Fleet()
    fleet.alerts = (OPEN,)
    one = keeper(store, settings, fleet)
    await one.tick()
    await store.alerts.acknowledge("provider_open:grok", {"by": "ana", "at": "now"})
    await one.tick()
    assert (await store.alerts.said())[0] != {}
    fleet.alerts = ()
    for _ in range(4):
        clock.on(10)
        await one.tick()
    assert (await store.alerts.said())[0] == {}, "when it comes again, nobody has seen it"
    assert [found["kind"] for found in receiver.documents] == (["open", "close"] if told else [])


async def test_a_real_condition_of_the_fleet_is_told_by_its_engine(
    valkey_url: str, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    from gitbridge_console.operations.session import open_session

    settings = told_by(settings, webhooks=webhook(receiver), open_after_s=0.0, check_every_s=0.2)
    settings = settings.model_copy(update={"state_dir": str(tmp_path)})
    async with open_session(settings, role="engine", engine=True) as session:
        await session.operations.pause(["claude"], "maintenance")
        async with asyncio.timeout(20):
            while not any(found["condition"] == "paused:claude" for found in receiver.documents):
                await asyncio.sleep(0.05)
    told = [found for found in receiver.documents if found["condition"] == "paused:claude"]
    assert (len(told), told[0]["kind"], told[0]["level"]) == (1, "open", "warning")


def test_relaxed_thresholds_are_further_off() -> None:
    assert AlertSettings().relaxed.error_rate == pytest.approx(0.225)
