"""The suite: how peers take turns in scenarios.

Every peer runs in a process of its own. In each round each peer has one turn, so that whatever else the machine does
falls on all of them.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks import certificate
from benchmarks.machine import has_memory_figures
from benchmarks.peers import PEERS
from benchmarks.scenarios import KINDS, Scenario

__all__ = ["BenchmarkError", "Figure", "Outcome", "child", "run"]

OURS = "coze_async"

# One turn takes seconds, and half a minute where a thousand connections are looked through for each of a thousand
# requests; a peer that hangs must not hang the suite.
_PATIENCE = 300.0


class BenchmarkError(Exception):
    """A peer or the server failed, or a peer did not bring what was sent."""


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
        figures: Peer -> measure -> a value for each round, in the unit of the measure.
        left_out: Peer -> why it was not measured.
        server: CPU of the server per operation, in µs, over all turns; None where there is no server.
    """

    scenario: Scenario
    figures: Mapping[str, Mapping[str, Sequence[float]]]
    left_out: Mapping[str, str]
    server: float | None = None

    def ratio(self, measure: str, above: str, below: str) -> Figure | None:
        """Divide two peers round by round; None if one of them was not measured, or nothing was there to measure."""
        tops, bottoms = (self.figures.get(name, {}).get(measure, ()) for name in (above, below))
        if not tops or not bottoms or not all(bottoms):
            return None
        return Figure.of([top / bottom for top, bottom in zip(tops, bottoms, strict=True)])


Tell = Callable[[str, int, int], None]


def _left_out(scenario: Scenario, peers: Sequence[str]) -> dict[str, str]:
    """Return who cannot take part in a scenario, and why."""
    kind = KINDS[scenario.kind]
    if kind.needs_proc and not has_memory_figures():
        return dict.fromkeys(peers, "a process cannot see its memory here: there is no /proc")
    if kind.ours_only:
        return {name: "a cost of coze_async alone" for name in peers if name != OURS}
    reasons = {name: PEERS[name].cannot.get(scenario.kind) for name in peers}
    reasons |= {name: "slow at so many, so only in a full run" for name in peers if name in scenario.without}
    return {name: reason for name, reason in reasons.items() if reason}


def run(scenarios: Sequence[Scenario], peers: Sequence[str], rounds: int, tell: Tell) -> Iterator[Outcome]:
    """Measure peers in scenarios; each scenario is handed out when it is done.

    Args:
        scenarios: What to measure, one after the other.
        peers: Who takes a turn in each round, in this order.
        rounds: How many rounds; a scenario may take a part of them.
        tell: Is told of every turn: what it is, its number from 1, and how many there are.

    Raises:
        BenchmarkError: a peer failed, or brought something else than was sent.
    """
    plan: list[tuple[Scenario, dict[str, str], int]] = [
        (scenario, _left_out(scenario, peers), max(1, round(rounds * scenario.rounds))) for scenario in scenarios
    ]
    turns = sum(times * (len(peers) - len(left_out)) for _, left_out, times in plan)
    number = 0
    with _Stage(any(scenario.secure for scenario in scenarios)) as stage:
        for scenario, left_out, times in plan:
            taking_part = [name for name in peers if name not in left_out]
            figures: dict[str, dict[str, list[float]]] = {name: {} for name in taking_part}
            before = stage.server_cpu()
            for _ in range(times):
                for name in taking_part:
                    number += 1
                    tell(f"{scenario.name}: {name}", number, turns)
                    for measure, value in stage.turn(scenario, name).items():
                        figures[name].setdefault(measure, []).append(value)
            served = times * len(taking_part) * scenario.operations
            spent = (stage.server_cpu() - before) / served * 1e6 if served and scenario.path else None
            yield Outcome(scenario, figures, left_out, spent)


class _Stage:
    """The server and the workers, as long as the suite runs."""

    def __init__(self, secure: bool) -> None:
        self._secure = secure
        self._stack = ExitStack()
        self._workers: dict[str, Child] = {}
        self._environment: dict[str, str] = {}
        self._compiled: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        try:
            arguments: list[str] = []
            folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
            # What is installed is compiled, and so must be what stands in a checkout; also if the shell forbids it.
            self._environment = {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
            if self._secure:
                pair, store = certificate.make(folder)
                arguments = [str(pair)]
                self._environment["SSL_CERT_FILE"] = str(store)
            server = self._stack.enter_context(child("the server", "benchmarks.server", *arguments))
            self._ports = server.line().split()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _url(self, path: str, *, secure: bool = False) -> str:
        return f"http{'s' * secure}://127.0.0.1:{self._ports[secure]}/{path}"

    def server_cpu(self) -> float:
        """Return the seconds of CPU that the server has used."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self._url("control/cpu")) as answer:
            return float(answer.read())

    def turn(self, scenario: Scenario, name: str) -> dict[str, float]:
        """Have one peer take its turn; return its measures in their units."""
        raw = self._measured(scenario, name)
        return {
            measure: raw[measure] * how.scale / (scenario.operations if how.shared else 1)
            for measure, how in KINDS[scenario.kind].measures.items()
            if measure in raw
        }

    def _measured(self, scenario: Scenario, name: str) -> dict[str, float]:
        base_url = self._url(scenario.path, secure=scenario.secure)
        if KINDS[scenario.kind].ours_only:
            numbers = (str(scenario.at_once), str(scenario.repeat))
            with child(name, "benchmarks.own", scenario.kind, *numbers) as process:
                return process.answer(scenario.name)
        order = {
            "kind": scenario.kind,
            "base_url": base_url,
            "control": self._url(""),
            "deltas": scenario.deltas,
            "at_once": scenario.at_once,
            "repeat": scenario.repeat,
        }
        if KINDS[scenario.kind].fresh:
            if scenario.kind == "start":
                return self._alone(scenario.name, "benchmarks.startup", name, base_url)
            return self._alone(scenario.name, "benchmarks.worker", name, order=order)
        if name not in self._workers:
            started = child(name, "benchmarks.worker", name, environment=self._environment)
            self._workers[name] = self._stack.enter_context(started)
        return self._workers[name].answer(scenario.name, order)

    def _alone(
        self, scenario: str, module: str, name: str, *more: str, order: Mapping[str, Any] | None = None
    ) -> dict[str, float]:
        """Measure one peer in a process of its own."""
        if (module, name) not in self._compiled:
            # The first one compiles what it imports. That takes time, and leaves memory that streams would then use.
            self._compiled.add((module, name))
            self._alone(scenario, module, name, *more, order=order)
        with child(name, module, name, *more, environment=self._environment) as process:
            return process.answer(scenario, order)


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

    def answer(self, scenario: str, order: Mapping[str, Any] | None = None) -> dict[str, float]:
        """Return what was measured, by order if one is given."""
        if order is not None:
            assert self._process.stdin is not None
            self._process.stdin.write(f"{json.dumps(order)}\n")
            self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.line())
        if "error" in answer:
            raise BenchmarkError(f"{scenario}: {self._name}: {answer['error']}")
        return answer


@contextmanager
def child(name: str, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Generator[Child]:
    """Start a module of this package as a process, and end it."""
    command = [sys.executable, "-m", module, *arguments]
    # Whoever has a proxy would otherwise measure it.
    inherited = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**inherited, **(environment or {})},
    ) as process:
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
