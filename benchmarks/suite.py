"""The suite: which scenarios there are, and how peers take turns in them.

Every peer runs in a process of its own. In each round each peer has one turn, so that whatever else the machine does
falls on all of them.
"""

import importlib.util
import json
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS
from benchmarks.wire import stream_parts

__all__ = [
    "FULL",
    "QUICK",
    "SCENARIOS",
    "BenchmarkError",
    "Figure",
    "Outcome",
    "Scenario",
    "child",
    "missing_peers",
    "run",
]

# One turn takes seconds at most; a peer that hangs must not hang the suite.
_PATIENCE = 120.0


class BenchmarkError(Exception):
    """A peer or the server failed, or a peer did not bring what was sent."""


@dataclass(frozen=True)
class Scenario:
    """One thing to measure.

    Attributes:
        name: As it is called in the table and in the JSON.
        unit: What the cost is divided by: `event` or `call`.
        about: What it is, for a reader.
        deltas: How many deltas the stream has; 0 for calls.
        repeat: Streams or calls in one turn.
    """

    name: str
    unit: str
    about: str
    deltas: int
    repeat: int

    @property
    def operations(self) -> int:
        """Events or calls in one turn."""
        return self.repeat * (len(stream_parts(self.deltas)) if self.unit == "event" else 1)


_FRAMED = "one event per HTTP chunk, many chunks per socket read"
_PACKED = "16 KiB chunks, about 50 events in each"
_PACED = "one event per socket write, 1 ms apart"
_CALL = "chat.retrieve: a small JSON answer"
_PARSE = "16 KiB pieces from memory, no socket"

QUICK: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("framed", "event", _FRAMED, 2000, 2),
        Scenario("packed", "event", _PACKED, 2000, 2),
        Scenario("paced", "event", _PACED, 200, 1),
        Scenario("call", "call", _CALL, 0, 150),
        Scenario("parse", "event", _PARSE, 2000, 2),
    )
}
FULL: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("framed", "event", _FRAMED, 2000, 5),
        Scenario("packed", "event", _PACKED, 2000, 5),
        Scenario("paced", "event", _PACED, 800, 1),
        Scenario("call", "call", _CALL, 0, 400),
        Scenario("parse", "event", _PARSE, 2000, 5),
    )
}
SCENARIOS = tuple(QUICK)


@dataclass(frozen=True)
class Figure:
    """A median with the smallest and the largest round."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Sum rounds up."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Outcome:
    """What one scenario brought.

    Attributes:
        scenario: What was measured.
        cpu: Peer -> CPU of the client's process per event or call, in µs, a value for each round.
        wall: Peer -> the same for the time that passed.
    """

    scenario: Scenario
    cpu: Mapping[str, Sequence[float]]
    wall: Mapping[str, Sequence[float]]

    def ratio(self, above: str, below: str) -> Figure | None:
        """Divide the CPU of two peers round by round; None if one of them was not measured."""
        if above not in self.cpu or below not in self.cpu:
            return None
        return Figure.of([a / b for a, b in zip(self.cpu[above], self.cpu[below], strict=True)])


def missing_peers(names: Sequence[str]) -> dict[str, str]:
    """Return the peers that cannot be measured here, with the module that each of them lacks."""
    return {name: PEERS[name].module for name in names if importlib.util.find_spec(PEERS[name].module) is None}


def run(
    scenarios: Sequence[Scenario], peers: Sequence[str], rounds: int, tell: Callable[[str, int, int], None]
) -> list[Outcome]:
    """Measure peers in scenarios.

    Args:
        scenarios: What to measure, one after the other.
        peers: Who takes a turn in each round, in this order.
        rounds: How many rounds for each scenario.
        tell: Is told of every turn: what it is, its number from 1, and how many there are.

    Raises:
        BenchmarkError: a peer failed, or brought something else than was sent.
    """
    outcomes: list[Outcome] = []
    turns = len(scenarios) * rounds * len(peers)
    number = 0
    with ExitStack() as stack:
        port = int(stack.enter_context(child("the server", "benchmarks.server")).line())
        workers = {name: stack.enter_context(child(name, "benchmarks.worker", name)) for name in peers}
        for scenario in scenarios:
            order = {
                "scenario": scenario.name,
                "base_url": f"http://127.0.0.1:{port}/{scenario.name}/{scenario.deltas}",
                "deltas": scenario.deltas,
                "repeat": scenario.repeat,
            }
            cpu: dict[str, list[float]] = {name: [] for name in peers}
            wall: dict[str, list[float]] = {name: [] for name in peers}
            for _ in range(rounds):
                for name, worker in workers.items():
                    number += 1
                    tell(f"{scenario.name}: {name}", number, turns)
                    seconds = worker.ask(order)
                    cpu[name].append(seconds["cpu"] / scenario.operations * 1e6)
                    wall[name].append(seconds["wall"] / scenario.operations * 1e6)
            outcomes.append(Outcome(scenario, cpu, wall))
    return outcomes


class Child:
    """A process that is asked in lines and answers in lines."""

    def __init__(self, name: str, process: "subprocess.Popen[str]") -> None:
        self._name = name
        self._process = process

    def line(self) -> str:
        """Return the next line that it writes."""
        assert self._process.stdout is not None
        timer = threading.Timer(_PATIENCE, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise BenchmarkError(f"{self._name} ended, or hung for {_PATIENCE:g} s; what it said stands above.")
        return line

    def ask(self, order: Mapping[str, Any]) -> dict[str, float]:
        """Have a turn measured."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.line())
        if "error" in answer:
            raise BenchmarkError(f"{order['scenario']}: {self._name}: {answer['error']}")
        return answer


@contextmanager
def child(name: str, module: str, *arguments: str) -> Generator[Child]:
    """Start a module of this package as a process, and end it."""
    command = [sys.executable, "-m", module, *arguments]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        try:
            yield Child(name, process)
        finally:
            # Each of them ends when its stdin does.
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
