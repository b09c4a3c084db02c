"""Fault profiles: what comes with the program, and files written by hand."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from gitbridge_console.simulator.profile_file import ProfileError, load_profiles
from gitbridge_console.simulator.profiles import FAULT_NAMES, FaultRates, Latency, Storm, named_profiles
from gitbridge_console.simulator.seeds import seeded


def test_named_profiles_have_the_three_services() -> None:
    """none has no faults, calm stays under two per cent, only storm has storms."""
    named = named_profiles()
    assert set(named) == {"none", "calm", "storm"}
    assert all(profile.faults.total == 0 for profile in named["none"].values())
    assert all(0 < profile.faults.total < 0.02 for profile in named["calm"].values())
    assert all(profile.storms for profile in named["storm"].values())
    assert all(not profile.storms for profile in named["calm"].values())


@pytest.mark.parametrize("name", ["claude", "grok", "chatgpt"])
def test_latency_is_short_and_bounded(name: str) -> None:
    """Medians of 0.5 to 0.9 s and a p99 of about 3 s at most."""
    latency = named_profiles()["none"][name].latency
    rng = seeded("latency", name)
    draws = sorted(latency.sample_s(rng) for _ in range(4_000))
    assert 0.45 < statistics.median(draws) < 0.95
    assert draws[int(0.99 * len(draws))] < 3.0
    assert Latency(0.0).sample_s(rng, 5.0) == 0.0


def test_faults_come_at_their_rates() -> None:
    """Each fault befalls about the share of requests its rate says."""
    rates = FaultRates(server_error=0.2, stall=0.1)
    rng = seeded("rates")
    drawn = [rates.draw(rng) for _ in range(5_000)]
    assert 0.17 < drawn.count("server_error") / 5_000 < 0.23
    assert 0.08 < drawn.count("stall") / 5_000 < 0.12
    assert set(drawn) == {None, "server_error", "stall"}
    assert "retry_after_s" not in FAULT_NAMES


def test_storms_come_and_go_and_come_again() -> None:
    """grok is three times slower from 25 to 45 s of every 120 s."""
    grok = named_profiles()["storm"]["grok"]
    assert [grok.weather(at)[1] for at in (0.0, 24.9, 25.0, 44.9, 45.0, 150.0)] == [1.0, 1.0, 3.0, 3.0, 1.0, 3.0]
    claude = named_profiles()["storm"]["claude"]
    assert claude.weather(75.0)[0].server_error > 0.5
    assert claude.weather(10.0)[0] == claude.faults
    assert Storm(1.0, 2.0).covers(1.5)
    assert not Storm(1.0, 2.0).covers(121.5)


def test_a_file_changes_what_it_names(tmp_path: Path) -> None:
    """What the file does not mention stays as in its base."""
    file = tmp_path / "f.toml"
    file.write_text(
        'base = "none"\n[grok]\nlatency = { median_s = 0.1 }\nfaults = { server_error = 0.25 }\n'
        "[[grok.storms]]\nfrom_s = 5\nuntil_s = 9\nevery_s = 20\nslowdown = 2\nfaults = { rate_limited = 1, retry_after_s = 4 }\n"
    )
    profiles = load_profiles(str(file))
    grok = profiles["grok"]
    assert (grok.latency.median_s, grok.latency.sigma, grok.faults.server_error) == (0.1, 0.40, 0.25)
    assert grok.storms[0].faults == FaultRates(rate_limited=1, retry_after_s=4)
    assert grok.weather(26.0)[1] == 2.0
    assert profiles["claude"] == named_profiles()["none"]["claude"]
    assert load_profiles("storm") == named_profiles()["storm"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[grok.faults]\nserver_error = 3", "grok.faults.server_error: Input should be less than or equal to 1"),
        ("[grok.faults]\nserver_eror = 0.1", "grok.faults.server_eror: Unexpected keyword argument"),
        ("[grok.faults]\nserver_error = 0.6\ncut = 0.6", "grok.faults: the rates add up to more than 1"),
        ("[gork]\n", "gork: no such service: use claude, grok, chatgpt"),
        ("grok = 1", "grok: must be a table"),
        ('base = "wild"', "base: must be one of none, calm, storm, not 'wild'"),
        ("[[grok.storms]]\nfrom_s = 9\nuntil_s = 5", "grok.storms.0.until_s: must be later than from_s"),
        ("[[grok.storms]]\nfrom_s = 1\nuntil_s = 5\nevery_s = 3", "grok.storms.0.every_s: must not be shorter than until_s"),
        ("[[grok.storms]]\nfrom_s = 'x'\nuntil_s = 5", "grok.storms.0.from_s: Input should be a valid number"),
        ("= broken", "Invalid"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    """The line names the file and the key."""
    file = tmp_path / "f.toml"
    file.write_text(text)
    with pytest.raises(ProfileError) as caught:
        load_profiles(str(file))
    assert str(caught.value).startswith(f"{file}: {told}")
    assert "\n" not in str(caught.value)


def test_a_word_that_is_nothing_is_told(tmp_path: Path) -> None:
    """Neither a name nor a file; too large; not text."""
    with pytest.raises(ProfileError, match="no such fault profile: use none, calm, storm"):
        load_profiles("hurricane")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 300_000)
    with pytest.raises(ProfileError, match="larger than"):
        load_profiles(str(large))
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="utf-8"):
        load_profiles(str(binary))
