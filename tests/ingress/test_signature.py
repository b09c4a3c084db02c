"""Signatures and where their secrets come from."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gitbridge_console.ingress.secrets import REREAD_S, SecretSource, check_ingress, load_secrets
from gitbridge_console.ingress.signature import sign, verify
from gitbridge_console.settings.model import IngressSettings

SECRET = b"It's a Secret to Everybody"
KNOWN = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_the_published_vector() -> None:
    assert sign(b"Hello, World!", SECRET) == KNOWN
    assert verify(b"Hello, World!", KNOWN, [SECRET])
    assert verify(b"Hello, World!", f" {KNOWN} ", [b"older", SECRET])


@given(st.binary(max_size=200), st.binary(min_size=1, max_size=40), st.binary(min_size=1, max_size=40))
def test_only_the_same_body_and_secret_match(body: bytes, secret: bytes, other: bytes) -> None:
    assert verify(body, sign(body, secret), [other, secret])
    assert not verify(body + b"x", sign(body, secret), [secret])
    # A key is padded with zero bytes to the block, so keys that differ only in those are the same key.
    assert verify(body, sign(body, secret), [other]) == (secret.rstrip(b"\0") == other.rstrip(b"\0"))


@given(st.text(max_size=80))
def test_no_made_up_header_matches(header: str) -> None:
    assert not verify(b"body", header, [SECRET])


def test_nothing_matches_without_a_secret() -> None:
    assert not verify(b"body", sign(b"body", b""), [b""])
    assert not verify(b"body", sign(b"body", SECRET), [])
    assert not verify(b"body", None, [SECRET])
    assert not verify(b"body", KNOWN.replace("sha256", "sha1"), [SECRET])


def test_secrets_come_from_variables_and_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("from-file\n")
    settings = IngressSettings(secret_env=("ONE", "TWO", "EMPTY"), secret_files=(str(tmp_path / "a"), str(tmp_path / "missing")))
    secrets, problems = load_secrets(settings, {"ONE": "1", "TWO": "1", "EMPTY": " "})
    assert secrets == (b"1", b"from-file")
    assert len(problems) == 1
    assert "missing" in problems[0]
    assert check_ingress(settings, {}) == problems[0]


def test_what_is_wrong_is_said_at_the_start() -> None:
    assert check_ingress(IngressSettings(), {"GITBRIDGE_WEBHOOK_SECRET": "x"}) is None
    assert "set GITBRIDGE_WEBHOOK_SECRET" in (check_ingress(IngressSettings(), {}) or "")
    assert "unsigned" in (check_ingress(IngressSettings(allow_unsigned_loopback=True), {}) or "")


def test_a_rotated_file_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    settings = IngressSettings(secret_env=(), secret_files=(str(file),))
    now = 100.0
    source = SecretSource(lambda: settings, clock=lambda: now)
    assert source.current() == (b"old",)
    file.write_text("new")
    assert source.current() == (b"old",)
    now += REREAD_S
    assert source.current() == (b"new",)
    file.write_text("newest")
    settings = IngressSettings(secret_env=(), secret_files=(str(file),), max_body_bytes=2048)
    assert source.current() == (b"newest",), "a reload of the settings is in force at once"
