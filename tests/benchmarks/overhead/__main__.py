"""``python -m tests.benchmarks.overhead [--calls N] [--rounds N] [--peers litellm] [--json]``: what we cost on top of the bare SDK.

Each contender runs in a process of its own against one loopback mock; their rounds are interleaved and the medians of the
rounds compared, so that only ratios within one run mean anything. LiteLLM is installed into an environment of the
benchmark's own in the cache folder, or taken from the interpreter that ``--litellm-python`` names.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import platformdirs

HERE = Path(__file__).parent
OURS = "tests.benchmarks.overhead.peer_ours"
LITELLM = "litellm==1.109.1"
TOGETHER = 8
MANY, MANY_WAIT_MS = 100, 3_000
RATE, SECONDS = 20, 10
GOALS = {
    "attempt to bare SDK": 1.25,
    "with the queue to bare SDK": 1.6,
    "attempt to LiteLLM": 0.35,
    "p99 added with 100 in flight, ms": 5.0,
    "queue operations p99, ms": 5.0,
    "routing p99, ms": 100.0,
    "whole path p99 without the AI, ms": 350.0,
}


class Contender:
    """One process, told to run rounds."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def round(self, calls: int, together: int, wait_ms: int) -> dict[str, Any]:
        """Run one and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"calls": calls, "together": together, "wait_ms": wait_ms}) + "\n")
        self.process.stdin.flush()
        result: dict[str, Any] = self._answer()
        return result

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args!r} ended with {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(30)


@contextmanager
def mock() -> Iterator[str]:
    """The mock's origin."""
    server = subprocess.Popen([sys.executable, str(HERE / "mock.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()


def litellm_python() -> str:
    """The interpreter of LiteLLM's environment, which is made if it is not there."""
    folder = Path(platformdirs.user_cache_dir("gitbridge-benchmarks")) / LITELLM.replace("==", "-")
    python = folder / "bin" / "python"
    done = folder / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", LITELLM], check=True)
        done.touch()
    return str(python)


def percentile(values: Sequence[float], share: float) -> float:
    """Of the values, sorted."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(calls: int, rounds: int, litellm: str | None) -> dict[str, Any]:
    """Run everything; the result is ready for JSON."""
    with ExitStack() as stack:
        origin = stack.enter_context(mock())
        commands = {name: [sys.executable, "-m", OURS, name, origin] for name in ("bare", "attempt", "queue")}
        if litellm is not None:
            question = subprocess.run([sys.executable, "-m", OURS, "question", origin], check=True, capture_output=True, text=True).stdout
            commands["litellm"] = [litellm, str(HERE / "peer_litellm.py"), origin, question]
        contenders = {name: Contender(command) for name, command in commands.items()}
        for contender in contenders.values():
            stack.callback(contender.close)
            contender.round(calls // 4 + TOGETHER, TOGETHER, 0)
        cpu: dict[str, list[float]] = {name: [] for name in contenders}
        latency: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, contender in contenders.items():
                result = contender.round(calls, TOGETHER, 0)
                cpu[name].append(result["cpu_s"] * 1000)
                latency[name].append(statistics.median(result["latencies_ms"]))
        added = []
        contenders["attempt"].round(MANY, MANY, MANY_WAIT_MS)
        contenders["bare"].round(MANY, MANY, MANY_WAIT_MS)
        for _ in range(rounds):
            many = {name: contenders[name].round(2 * MANY, MANY, MANY_WAIT_MS)["latencies_ms"] for name in ("bare", "attempt")}
            added.append(percentile(many["attempt"], 0.99) - percentile(many["bare"], 0.99))
        command = [sys.executable, "-m", OURS, "paced", origin, str(RATE), str(SECONDS)]
        paced = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    middle = {name: statistics.median(values) for name, values in cpu.items()}

    def ratio(one: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(cpu[one], cpu[other], strict=True))

    found = {"attempt to bare SDK": ratio("attempt", "bare"), "with the queue to bare SDK": ratio("queue", "bare")}
    if litellm is not None:
        found["attempt to LiteLLM"] = ratio("attempt", "litellm")
    found["p99 added with 100 in flight, ms"] = statistics.median(added)
    for key, values in (("queue operations", "queue_ms"), ("routing", "routing_ms")):
        found[f"{key} p99, ms"] = percentile(paced[values], 0.99)
    found["whole path p99 without the AI, ms"] = percentile(paced["whole_ms"], 0.99)
    return {"cpu_ms": middle, "latency_ms": {name: statistics.median(values) for name, values in latency.items()}, "found": found}


def shown(result: dict[str, Any]) -> str:
    """The tables for people."""
    lines = [f"{'':<10} {'CPU ms/call':>12} {'median ms':>10}"]
    lines += [f"{name:<10} {result['cpu_ms'][name]:>12.2f} {result['latency_ms'][name]:>10.1f}" for name in result["cpu_ms"]]
    lines.append("")
    for name, value in result["found"].items():
        word = "holds" if value <= GOALS[name] else "DOES NOT HOLD"
        lines.append(f"{name:<36} {value:>8.2f}  goal {GOALS[name]:>6g}  {word}")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.overhead")
    parser.add_argument("--calls", type=int, default=200, help="calls in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", choices=["litellm"], action="append", default=[])
    parser.add_argument("--litellm-python", help="an interpreter that has LiteLLM already")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    litellm = (options.litellm_python or litellm_python()) if options.peers else None
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parents[2]), os.environ.get("PYTHONPATH", "")])
    result = measure(options.calls, options.rounds, litellm)
    print(json.dumps(result, indent=1) if options.json else shown(result))


if __name__ == "__main__":
    main()
