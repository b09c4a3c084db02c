"""``alerts`` on the command line."""

from __future__ import annotations

import pytest

from tests.operations.receiver import receiving


def test_alerts_are_listed_acknowledged_silenced_and_told_to_nobody_where_nobody_is_set(cli) -> None:
    cli("pause", "claude", "--reason", "maintenance")
    shown = cli("alerts")
    assert "paused:claude" in shown.out
    assert "nobody is told outside the terminal" in shown.err
    assert cli("alerts", "ack", "paused", "--reason", "seen").out.split() == ["paused:claude"]
    assert cli("alerts", "silence", "no_engine", "--for", "1h", "--reason", "planned").code == 0
    report = cli("alerts", "--json").json
    by_code = {alert["code"]: alert for alert in report["alerts"]}
    assert by_code["paused"]["acked_by"]
    assert by_code["no_engine"]["silenced_until"]
    assert report["silences"]["no_engine"]["reason"] == "planned"
    assert "silenced: no_engine until" in cli("alerts").err
    assert cli("alerts", "silence", "no_engine", "--end").code == 0
    assert cli("alerts", "--json").json["silences"] == {}
    assert [entry["what"] for entry in cli("audit", "--json").lines] == ["alerts silence", "alerts silence", "alerts ack", "pause"]


def test_words_that_mean_nothing_are_said(cli) -> None:
    assert cli("alerts", "ack", "no_such").code == 4
    assert cli("alerts", "silence", "paused").code == 2
    assert cli("alerts", "silence", "paused", "--for", "1h", "--end").code == 2
    assert cli("alerts", "silence", "paused", "--for", "1h").code == 2, "a silence needs a reason"
    assert cli("alerts", "test").code == 4
    assert cli("--read-only", "alerts", "ack", "paused").code == 4


def test_a_test_reaches_every_receiver_and_says_who_did_not_take_it(cli) -> None:
    with receiving() as receiver:
        (cli.folder / "gitbridge.toml").write_text(f"[alerts.webhooks.ops]\nurl = '{receiver.url}'\nformat = 'slack'\n")
        ran = cli("alerts", "test")
        assert (ran.code, ran.out) == (0, "webhook ops: delivered\n")
        assert "a test by" in receiver.documents[0]["text"]
        receiver.answers = [500]
        ran = cli("alerts", "test", "--json")
        assert (ran.code, ran.json) == (1, {"webhook ops": {"delivered": False, "error": "it answered 500"}})


def test_variables_that_hold_an_address_or_a_secret_are_no_settings(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("GITBRIDGE_OPS_HOOK", receiver.url)
        monkeypatch.setenv("GITBRIDGE_OPS_SIGN", "a secret that is long enough")
        (cli.folder / "gitbridge.toml").write_text(
            "[alerts.webhooks.ops]\nurl_env = 'GITBRIDGE_OPS_HOOK'\nsecret_env = 'GITBRIDGE_OPS_SIGN'\n"
        )
        assert cli("alerts", "test").out == "webhook ops: delivered\n"
        assert receiver.got[0][0]["webhook-signature"].startswith("v1,")
    shown = cli("config", "show")
    assert "long enough" not in shown.out


def test_addresses_and_keys_that_cannot_be_are_settings_errors(cli) -> None:
    for table, why in (
        ("url = 'http://example.com'", "must be https"),
        ("format = 'slack'", "name its address once"),
        ("url = 'https://events.pagerduty.com/v2/enqueue'\nformat = 'pagerduty'", "routing_key_env"),
    ):
        (cli.folder / "gitbridge.toml").write_text(f"[alerts.webhooks.ops]\n{table}\n")
        ran = cli("alerts")
        assert ran.code == 2
        assert why in ran.err
