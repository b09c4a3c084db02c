"""Who has which role, and that nobody becomes another by what they can set themselves."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.operations.actor import Actor, current_actor
from gitbridge_console.operations.roles import Role, groups_of, role_of
from gitbridge_console.settings import files as places
from gitbridge_console.settings.errors import SettingsError
from gitbridge_console.settings.loading import load_settings
from gitbridge_console.settings.model import Settings
from gitbridge_console.settings.operators import RoleSettings
from gitbridge_console.settings.reload import fingerprint

ROLES = RoleSettings(admin=("ana", "%wheel"), operator=("gitbridge", "%ops"), viewer=("eve",))
GROUPS = {"bo": ["ops"], "cy": ["ops", "wheel"], "eve": ["wheel"], "root": []}


def groups(name: str) -> Collection[str]:
    return GROUPS.get(name, [])


def role(account: str, *, login: str = "", sudo_user: str = "", roles: RoleSettings = ROLES) -> Role:
    return role_of(Actor(account, "ops-3", account=account, login=login, sudo_user=sudo_user), roles, groups)


@pytest.mark.parametrize(
    ("account", "wanted"),
    [
        ("ana", Role.ADMIN),
        ("bo", Role.OPERATOR),
        ("cy", Role.ADMIN),
        ("eve", Role.VIEWER),  # by name, though her group is the admins'
        ("dan", Role.VIEWER),
    ],
)
def test_a_name_counts_before_a_group_and_who_is_not_named_looks(account: str, wanted: Role) -> None:
    assert role(account) is wanted


def test_where_nobody_is_named_everybody_may_do_everything() -> None:
    assert role("dan", roles=RoleSettings()) is Role.ADMIN
    assert role("dan", roles=RoleSettings(default="operator")) is Role.OPERATOR
    assert role("dan", roles=RoleSettings(admin=("ana",), default="operator")) is Role.OPERATOR


def test_who_logged_in_counts_before_the_account_they_came_to() -> None:
    assert role("gitbridge", login="ana") is Role.ADMIN
    assert role("root", login="eve") is Role.VIEWER
    assert role("gitbridge", login="dan") is Role.OPERATOR, "not named: by the account that was opened to them"
    assert role("dan", login="dan") is Role.VIEWER


def test_the_environment_lowers_a_role_and_never_raises_one() -> None:
    assert role("gitbridge", sudo_user="eve") is Role.VIEWER
    assert role("gitbridge", sudo_user="ana") is Role.OPERATOR, "a claim to be an admin is only a claim"
    assert role("eve", sudo_user="ana") is Role.VIEWER
    assert role("gitbridge", login="ana", sudo_user="eve") is Role.ADMIN, "where the kernel knows, nobody listens to it"


@given(st.sampled_from(["ana", "bo", "cy", "dan", "eve", "gitbridge", "root"]), st.text(max_size=9), st.sampled_from(["", "ana", "eve"]))
def test_no_word_in_the_environment_makes_more_of_anybody(account: str, claim: str, login: str) -> None:
    assert role(account, login=login, sudo_user=claim) <= role(account, login=login)


def test_names_in_the_environment_are_not_asked_who_this_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gitbridge_console.operations.actor.LOGIN_UID", tmp_path / "none")
    honest = current_actor({})
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_UID", "HOME"):
        monkeypatch.setenv(name, "ana")
    lying = current_actor(dict.fromkeys(("USER", "LOGNAME", "USERNAME", "SUDO_UID"), "ana"))
    assert (lying.account, lying.who) == (honest.account, honest.who)
    assert role_of(lying, ROLES, groups) is role_of(honest, ROLES, groups)


def test_an_account_the_system_does_not_know_has_no_groups() -> None:
    assert groups_of("no such account") == frozenset()
    assert groups_of("root")


@pytest.mark.parametrize("name", ["", "%", "two words", "%two words"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        RoleSettings(admin=(name,))


def test_roles_are_read_from_files_and_never_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "gitbridge.toml"
    file.write_text('[roles]\nadmin = ["ana"]\n')
    assert load_settings(file, env={"HOME": str(tmp_path)}).settings.roles.admin == ("ana",)
    for variable in ("GITBRIDGE_ROLES__ADMIN", "GITBRIDGE_ROLES__DEFAULT", "GITBRIDGE_ROLES"):
        with pytest.raises(SettingsError) as caught:
            load_settings(file, env={"HOME": str(tmp_path), variable: '{"admin": ["eve"]}'})
        assert "not taken from the environment" in str(caught.value.problems[0])


def test_roles_in_the_file_of_the_host_hold_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, own = tmp_path / "etc" / "gitbridge.toml", tmp_path / "own.toml"
    host.parent.mkdir(mode=0o755)
    monkeypatch.setattr(places, "SYSTEM_FILE", host)
    own.write_text('[roles]\nadmin = ["eve"]\n')
    env = {"HOME": str(tmp_path)}
    assert load_settings(own, env=env).settings.roles.admin == ("eve",), "without one, each file speaks for whoever can write it"
    host.write_text('[queue]\nmax_waiting = 77\n[roles]\nviewer = ["eve"]\n')
    host.chmod(0o644)
    with pytest.raises(SettingsError) as caught:
        load_settings(own, env=env)
    assert "holds for everybody here" in caught.value.problems[0]
    own.write_text("[queue]\nmax_waiting = 78\n")
    loaded = load_settings(own, env=env).settings
    assert (loaded.roles.viewer, loaded.queue.max_waiting) == (("eve",), 78)
    for place, mode in ((host, 0o664), (host.parent, 0o757)):
        before = place.stat().st_mode
        place.chmod(mode)
        with pytest.raises(SettingsError) as caught:
            load_settings(own, env=env)
        assert "others than its owner can write it" in caught.value.problems[0]
        os.chmod(place, before)


def test_roles_are_no_part_of_what_engines_must_agree_on() -> None:
    assert fingerprint(Settings()) == fingerprint(Settings(roles=ROLES))
