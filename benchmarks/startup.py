"""`python -m benchmarks.startup`: what it costs to import the library and to make a client, against the official SDK.

Each program runs in a process of its own, in turns, and the CPU of an empty Python is taken off. The floor is what
cannot be left out: httpx and pydantic.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec

from benchmarks.progress import progress

__all__ = ["PROGRAMS", "measure", "table"]

PROGRAMS = {
    "import httpx, pydantic": "import httpx; from pydantic import BaseModel",
    "import coze_async": "import coze_async",
    "a coze_async client": "from coze_async import AsyncCoze; AsyncCoze('pat_x').chat",
    "import cozepy": "import cozepy",
    "a cozepy client": "from cozepy import AsyncCoze, AsyncTokenAuth; AsyncCoze(auth=AsyncTokenAuth('pat_x')).chat",
}
_EMPTY = "pass"


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the CPU of each program in each round, in milliseconds above an empty Python, for those that are here."""
    programs = {name: code for name, code in PROGRAMS.items() if "cozepy" not in name or find_spec("cozepy")}
    figures: dict[str, list[float]] = {name: [] for name in programs}
    with progress() as tell:
        for number in range(rounds):
            tell("start-up", number + 1, rounds)
            empty = _cpu(_EMPTY)
            for name, code in programs.items():
                figures[name].append((_cpu(code) - empty) * 1000)
    return figures


def table(figures: Mapping[str, Sequence[float]]) -> str:
    """Return medians with min-max, and how many times the floor each one is."""
    floor = statistics.median(figures["import httpx, pydantic"])
    lines = ["| program | CPU in ms: median (min–max) | times the floor |", "| --- | ---: | ---: |"]
    for name, values in figures.items():
        median = statistics.median(values)
        lines.append(f"| {name} | {median:.0f} ({min(values):.0f}–{max(values):.0f}) | {median / floor:.2f} |")
    return "\n".join(lines)


def _cpu(code: str) -> float:
    """Run a program and return the CPU it took, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Measure, print the table to stdout, and the figures as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print the figures of all rounds instead of the table")
    arguments = parser.parse_args()
    figures = measure(arguments.rounds)
    print(json.dumps(figures) if arguments.json else table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
