"""Diffs from a git repository on this host: bounded, and nothing that a payload says becomes an option or a path of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gitbridge_console.hosts.base import HostProblem
from gitbridge_console.sources.mirrors import mirror_diff, mirror_of

pytestmark = pytest.mark.anyio


def git(folder: Path, *words: str) -> str:
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_DATE": "2026-11-22T21:00:00Z",
        "GIT_COMMITTER_DATE": "2026-11-22T21:00:00Z",
    }
    who = ("-c", "user.name=kim", "-c", "user.email=kim@example.org", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *words], cwd=folder, env=env, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A repository with two commits on main and one on a branch from the first."""
    folder = tmp_path / "acme" / "shop"
    folder.mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "tax.py").write_text("total = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "one")
    git(folder, "checkout", "-qb", "change")
    (folder / "tax.py").write_text("total = 2\n")
    git(folder, "commit", "-qam", "two")
    git(folder, "checkout", "-q", "main")
    (folder / "other.py").write_text("x = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "three")
    return folder


def commit(mirror: Path, name: str) -> str:
    return git(mirror, "rev-parse", f"{name}^{{commit}}")


async def test_a_pull_request_is_compared_with_where_it_branched_off(mirror: Path) -> None:
    found = await mirror_diff(mirror, commit(mirror, "main"), commit(mirror, "change"), 10_000, 10)
    text = found.raw.decode()
    assert "-total = 1\n+total = 2" in text
    assert "other.py" not in text
    assert not found.cut


async def test_a_new_branch_shows_its_commit(mirror: Path) -> None:
    found = await mirror_diff(mirror, "", commit(mirror, "change"), 10_000, 10)
    assert found.raw.startswith(b"diff --git a/tax.py b/tax.py")


async def test_what_is_longer_than_asked_for_is_cut_and_git_is_not_waited_for(mirror: Path) -> None:
    (mirror / "big.txt").write_text("line\n" * 400_000)
    git(mirror, "add", ".")
    git(mirror, "commit", "-qm", "big")
    found = await mirror_diff(mirror, commit(mirror, "one"), commit(mirror, "main"), 5_000, 10)
    assert found.cut
    assert len(found.raw) == 5_001


@pytest.mark.parametrize(("base", "head"), [("--output=x", "a" * 40), ("a" * 40, "HEAD"), ("", "--help"), ("a" * 39, "b" * 40)])
async def test_only_commits_are_compared(mirror: Path, base: str, head: str) -> None:
    with pytest.raises(HostProblem, match="names no commits"):
        await mirror_diff(mirror, base, head, 1_000, 10)


async def test_a_commit_that_is_not_there_is_said(mirror: Path) -> None:
    with pytest.raises(HostProblem, match="gives no diff") as caught:
        await mirror_diff(mirror, "b" * 40, commit(mirror, "main"), 1_000, 10)
    assert "\n" not in str(caught.value)


async def test_a_folder_that_is_no_repository_is_said(tmp_path: Path) -> None:
    with pytest.raises(HostProblem, match="gives no diff"):
        await mirror_diff(tmp_path / "nowhere", "", "a" * 40, 1_000, 10)


@pytest.mark.parametrize(
    ("repository", "place"),
    [
        ("acme/shop", "/srv/acme/shop.git"),
        ("ACME/Shop", "/srv/ACME/Shop.git"),
        ("other/shop", "/srv/any/shop"),
        ("../etc", None),
        ("acme/..", None),
        ("acme/shop/../../etc", None),
        ("-x/y", None),
        ("", None),
    ],
)
def test_a_mirror_is_found_by_name_and_never_outside_its_pattern(repository: str, place: str | None) -> None:
    found = mirror_of({"acme/*": "/srv/{owner}/{name}.git", "*": "/srv/any/{name}"}, repository)
    assert found == (Path(place) if place else None)
