"""The webhook door under load: ``python -m tests.benchmarks.ingress [--seconds 30] [--connections 64] [--size 8000] [--freeze S]``.

A receiver process with an embedded store of its own is sent signed deliveries by wrk as fast as they are answered. One JSON
document says how many were answered 2xx, how many are stored, and what the latency was. ``--freeze`` stops the store for so
long in the middle, so that the spool takes over. The exit code is 1 when anything was answered 5xx or the counts differ.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from redis import Redis

from gitbridge_console.ingress.signature import sign
from tests.ingress.door import SECRET, Door, body_of, running

SETTINGS = "source_requests_per_s = 0\n[queue]\nmax_waiting = 100000000\nmemory_soft_bytes = 0\nmemory_hard_bytes = 0\n"
DRAIN_LIMIT_S = 300.0


def counted(door: Door) -> tuple[int, int, dict[str, int]]:
    """Answers 2xx and 5xx the receiver gave, and what became of the former."""
    _, text = door.get("/metrics") or (0, b"")
    outcomes = {
        name: int(float(value))
        for name, value in re.findall(r'^gitbridge_ingress_deliveries_total\{host="github",outcome="(\w+)"\} (\S+)$', text.decode(), re.M)
    }
    bad = re.findall(r'^gitbridge_ingress_refused_total\{code="5\d\d",reason="\w+"\} (\S+)$', text.decode(), re.M)
    return sum(outcomes.values()), round(sum(map(float, bad))), outcomes


def stored(socket: Path) -> int:
    """Delivery ids in the store, each of one event."""
    with Redis(unix_socket_path=str(socket)) as client:
        return sum(client.hlen(key) for key in client.scan_iter("{gitbridge:*}:d:*"))


def freeze(socket: Path, after_s: float, for_s: float) -> None:
    """Stop the server for a while."""
    with Redis(unix_socket_path=str(socket)) as client:
        pid = int(client.info("server")["process_id"])
    time.sleep(after_s)
    os.kill(pid, signal.SIGSTOP)
    time.sleep(for_s)
    os.kill(pid, signal.SIGCONT)


def measure(folder: Path, seconds: int, connections: int, size: int, freeze_s: float) -> dict[str, Any]:
    """One run."""
    body = body_of(1, size)
    (folder / "body").write_bytes(body)
    with running(Door(folder, settings=SETTINGS)) as door:
        door.wait_ready(lambda parts: parts["store"] == "ok")
        (socket,) = (folder / "state").glob("**/sock")
        if freeze_s:
            threading.Thread(target=freeze, args=(socket, seconds / 4, freeze_s), daemon=True).start()
        words = [
            "wrk",
            "-t2",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "10s",
            "-s",
            str(Path(__file__).with_name("deliveries.lua")),
        ]
        words += [f"http://127.0.0.1:{door.port}/webhook", "--", str(folder / "body"), sign(body, SECRET.encode()), "bench"]
        before_s = door.cpu_s()
        ran = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 60, check=True)
        load = json.loads(ran.stdout.splitlines()[-1])
        began = time.monotonic()
        door.wait_ready(lambda parts: parts["store"] == "ok" and parts["spool"]["records"] == 0, DRAIN_LIMIT_S)
        drained_s = time.monotonic() - began
        time.sleep(1)
        cpu_s = door.cpu_s() - before_s
        answered, bad, outcomes = counted(door)
        found = stored(socket)
        resident = door.resident_bytes()
        door.stop()
    return {
        "seconds": round(load["duration_us"] / 1e6, 1),
        "connections": connections,
        "body_bytes": len(body),
        "per_s": round(load["requests"] / load["duration_us"] * 1e6),
        "p50_ms": load["p50_us"] / 1000,
        "p99_ms": load["p99_us"] / 1000,
        "max_ms": load["max_us"] / 1000,
        "requests_seen_by_wrk": load["requests"],
        "non_2xx_seen_by_wrk": load["non_2xx"],
        "socket_errors": load["socket_errors"],
        "answered_2xx": answered,
        "answered_5xx": bad,
        "stored": found,
        "outcomes": outcomes,
        "spool_drained_after_s": round(drained_s, 1),
        "receiver_cpu_us_each": round(cpu_s / max(1, answered) * 1e6),
        "receiver_rss_mib": round(resident / 2**20),
    }


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.ingress")
    parser.add_argument("--seconds", type=int, default=30, help="at most 120")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--size", type=int, default=8000, help="bytes of the payload, about")
    parser.add_argument("--freeze", type=float, default=0.0, metavar="S", help="stop the store for so long")
    parser.add_argument("--json", action="store_true", help="accepted like everywhere; the output is JSON anyway")
    wanted = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="gb-wrk-") as folder:
        result = measure(Path(folder), min(120, wanted.seconds), wanted.connections, wanted.size, wanted.freeze)
    print(json.dumps(result, indent=1))
    return 0 if not result["answered_5xx"] and not result["non_2xx_seen_by_wrk"] and result["answered_2xx"] == result["stored"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
