"""A receiver as a process of its own, and a sender that signs: what the tests of whole outages are made of."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from gitbridge_console.ingress.signature import sign
from tests.chaos.processes import Process
from tests.ports import free_port

SECRET = "It's a Secret to Everybody"
START_LIMIT_S = 60.0


def body_of(number: int, size: int = 0) -> bytes:
    """A payload that says its number."""
    issue = {"number": number, "title": f"issue {number}", "body": "x" * size}
    return json.dumps({"action": "opened", "issue": issue, "repository": {"id": 1, "full_name": "acme/shop"}}).encode()


def signed(body: bytes, delivery: str, event: str = "issues") -> dict[str, str]:
    """Headers as GitHub sends them."""
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": delivery,
        "X-Hub-Signature-256": sign(body, SECRET.encode()),
    }


class Door:
    """``gitbridge-console ingress`` on a port that stays the same when it is started again."""

    def __init__(self, folder: Path, *options: str, settings: str = "", words: tuple[str, ...] = ("ingress",)) -> None:
        self.folder = folder
        self.port = free_port()
        self._options, self._words = options, words
        (folder / "secret").write_text(SECRET)
        (folder / "gitbridge.toml").write_text(f'[legacy]\nenabled = false\n[ingress]\nsecret_files = ["{folder}/secret"]\n{settings}')
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "gitbridge_console.cli", "--state-dir", str(self.folder / "state"), *self._options]
        command += [*self._words, "--listen", f"127.0.0.1:{self.port}"]
        self._process = Process(command, self.folder, self.folder / "output")
        deadline = time.monotonic() + START_LIMIT_S
        while self.get("/healthz") is None:
            assert not self._process.ended, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def said(self) -> str:
        """Its output, the log included."""
        return "" if self._process is None else self._process.said()

    def resident_bytes(self) -> int:
        """Memory the process holds."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self) -> float:
        """Processor time the process has used."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def raw(self, sent: bytes | Iterable[bytes], limit_s: float = 20.0) -> int:
        """Send bytes as they are, piece by piece; the status of the answer, 0 for none."""
        with socket.create_connection(("127.0.0.1", self.port), limit_s) as connection:
            with contextlib.suppress(OSError):
                for piece in [sent] if isinstance(sent, bytes) else sent:
                    connection.sendall(piece)
            line = b""
            with contextlib.suppress(OSError):
                while b"\r\n" not in line and (more := connection.recv(4096)):
                    line += more
        return int(line.split(b" ", 2)[1]) if line.startswith(b"HTTP/1.1 ") else 0

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> int | None:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.signal(signal.SIGTERM)
        deadline = time.monotonic() + 30
        while not self._process.ended:
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)
        return self._process.code

    def get(self, path: str) -> tuple[int, bytes] | None:
        """Status and body; ``None`` while nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        return None

    def post(self, body: bytes, delivery: str, event: str = "issues") -> tuple[int, dict[str, Any], float] | None:
        """Status, answer and seconds it took; ``None`` when there was no answer."""
        connection, began = HTTPConnection("127.0.0.1", self.port, timeout=10), time.perf_counter()
        with contextlib.closing(connection), contextlib.suppress(OSError, HTTPException):
            connection.request("POST", "/webhook", body, signed(body, delivery, event))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()), time.perf_counter() - began
        return None

    def wait_ready(self, holds: Callable[[dict[str, Any]], bool], limit_s: float = 60.0) -> None:
        """Until something holds of ``/readyz``."""
        deadline = time.monotonic() + limit_s
        while (answer := self.get("/readyz")) is None or not holds(json.loads(answer[1])):
            assert time.monotonic() < deadline, f"{answer}\n{self.said()}"
            time.sleep(0.1)


@contextmanager
def running(door: Door) -> Iterator[Door]:
    """The receiver, started; killed at the end if it is still there."""
    try:
        door.start()
        yield door
    finally:
        door.kill()
