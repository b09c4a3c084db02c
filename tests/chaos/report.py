"""What a run came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.chaos.evidence import Fault

SHOWN = 40


@dataclass
class Report:
    """Counts of a run; ``faults`` is empty when the queue kept its promise."""

    seed: int = 0
    submitted: int = 0
    """Different deliveries."""
    acknowledged: int = 0
    duplicates: int = 0
    """Submissions answered as duplicates: repeated deliveries, and retries whose first answer was lost."""
    submit_retries: int = 0
    engines_killed: int = 0
    engines_refused: int = 0
    freezes: int = 0
    taken_away: int = 0
    """How often an engine found that a job it worked on was no longer its own."""
    stubs_killed: int = 0
    stub_leases: int = 0
    late_writes: int = 0
    """Writes of an engine whose leases had run out; those still accepted found the job as they had left it."""
    late_refused: int = 0
    server_kills: int = 0
    recovered_leases: int = 0
    approved: int = 0
    looks: int = 0
    """How often the place of every open job was checked while all was at work."""
    states: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    acted: int = 0
    calls: int = 0
    refused_answers: int = 0
    """Good answers that came under a void fence and were not taken: somebody else had the seat by then."""
    chaos_s: float = 0.0
    settle_s: float = 0.0
    faults: list[Fault] = field(default_factory=list)

    def count(self, what: str) -> int:
        """How many faults of one sort there are."""
        return sum(fault.what == what for fault in self.faults)

    def record(self) -> dict[str, Any]:
        """As plain data."""
        plain = asdict(self) | {"faults": [str(fault) for fault in self.faults]}
        return plain | {name: self.count(name.replace("_", " ")) for name in ("lost", "decided_twice", "acted_twice")}

    def text(self) -> str:
        """For people."""
        states = ", ".join(f"{name} {count}" for name, count in sorted(self.states.items()))
        decisions = ", ".join(f"{name} {count}" for name, count in sorted(self.decisions.items()))
        lines = [
            f"seed {self.seed}: {self.chaos_s:.0f} s of chaos, settled after {self.settle_s:.0f} s more",
            f"submitted         {self.submitted} deliveries, acknowledged {self.acknowledged}",
            f"duplicates        {self.duplicates} answered as such, {self.submit_retries} submissions tried again",
            f"engines killed    {self.engines_killed}, frozen {self.freezes}, refused to start without a store {self.engines_refused}",
            f"stubs killed      {self.stubs_killed}, with {self.stub_leases} leases they knew of",
            f"zombie writes     {self.late_writes} long after the lease, {self.late_refused} of them refused",
            f"server killed     {self.server_kills}",
            f"recovered leases  {self.recovered_leases}; engines found their job taken away {self.taken_away} times",
            f"events            {states}",
            f"decisions         {decisions}; approved by an operator {self.approved}, acted {self.acted}",
            f"calls             {self.calls}, of which {self.refused_answers} good answers were refused by a void fence",
            f"places checked    {self.looks} times under way and once at the end: misplaced {self.count('misplaced')}",
            f"lost              {self.count('lost')}",
            f"decided twice     {self.count('decided twice')}",
            f"acted twice       {self.count('acted twice')}",
            f"contradictions    {self.count('contradiction')}, engine faults {self.count('engine')}, of the run itself {self.count('run')}",
        ]
        lines += [f"  {fault}" for fault in self.faults[:SHOWN]]
        if len(self.faults) > SHOWN:
            lines.append(f"  … and {len(self.faults) - SHOWN} more")
        return "\n".join(lines) + "\n"
