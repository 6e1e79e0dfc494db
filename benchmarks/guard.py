"""`python -m benchmarks.guard`: what an event and a call cost in steps of Python, against a budget.

Time depends on the machine and on whoever else is on it. The bytecode instructions that are executed, and the calls
into C, do not: they are the same to a thousandth in every run, so that a loop too much for each event shows at once.
They depend on the version of Python, so the budget has one for each.
"""

import argparse
import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.memory import Memory
from benchmarks.peers import Peer, load
from benchmarks.wire import CHAT_ID, pieces, stream_body, stream_parts

__all__ = ["SLACK", "costs", "main", "verdict"]

BUDGET = Path(__file__).with_name("budget.json")
SLACK = 1.1
"""How much more than the budget may be spent: other versions of httpx and anyio differ a little."""
DELTAS, CALLS = 500, 50

Costs = Mapping[str, Mapping[str, float]]


async def _steps(work: Callable[[], Awaitable[object]]) -> tuple[int, int]:
    """Count the instructions of bytecode, and the calls into C, while something is awaited."""
    instructions = into_c = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal instructions
        if event == "opcode":
            instructions += 1
        elif event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return trace

    def profile(_: FrameType, event: str, __: object) -> None:
        nonlocal into_c
        into_c += event == "c_call"

    # In a task of its own all frames are new: those that are there already are not traced.
    sys.settrace(trace)
    sys.setprofile(profile)
    try:
        await asyncio.ensure_future(work())
    finally:
        sys.setprofile(None)
        sys.settrace(None)
    return instructions, into_c


async def _stream(shape: str, deltas: int) -> tuple[int, int]:
    client = _client(stream_body(shape, deltas))
    await client.stream(_nobody)
    texts: list[str] = []
    steps = await _steps(lambda: client.stream(texts.append))
    await client.aclose()
    if texts != pieces(deltas):
        raise AssertionError(f"the stream brought {len(texts)} of {deltas} deltas, or other ones")
    return steps


async def _calls(number: int) -> tuple[int, int]:
    client = _client(())
    await client.retrieve()
    found: list[tuple[str, str]] = []

    async def retrieve() -> None:
        found.extend([await client.retrieve() for _ in range(number)])

    steps = await _steps(retrieve)
    await client.aclose()
    if found != [(CHAT_ID, "completed")] * number:
        raise AssertionError(f"the calls brought {found[-1:]}")
    return steps


def _client(body: tuple[bytes, ...]) -> Peer:
    return load("coze_async")("http://memory.test", Memory(body))


def _nobody(_: str) -> None:
    pass


async def costs(deltas: int = DELTAS, calls: int = CALLS) -> dict[str, dict[str, float]]:
    """Return what one more event and one more call cost: that of twice as many without that of as many."""
    found: dict[str, dict[str, float]] = {}
    for name, shape in (("event, each in a piece of its own", "events"), ("event, 16 KiB in a piece", "parse")):
        more, less = await _stream(shape, 2 * deltas), await _stream(shape, deltas)
        found[name] = _each(more, less, len(stream_parts(2 * deltas)) - len(stream_parts(deltas)))
    found["call"] = _each(await _calls(2 * calls), await _calls(calls), calls)
    return found


def _each(more: tuple[int, int], less: tuple[int, int], number: int) -> dict[str, float]:
    names = ("bytecode instructions", "calls into C")
    return {name: round((a - b) / number, 2) for name, a, b in zip(names, more, less, strict=True)}


def verdict(found: Costs, budget: Costs | None) -> tuple[list[str], bool]:
    """Return a line for each cost, and whether all are within the budget; without a budget they are."""
    lines: list[str] = []
    within = True
    for what, steps in found.items():
        for kind, number in steps.items():
            allowed = (budget or {}).get(what, {}).get(kind)
            text = f"{what}: {number:g} {kind}"
            if allowed is None:
                text += ", for which there is no budget"
            elif number > allowed * SLACK:
                text += f", {number / allowed - 1:.0%} over the budget of {allowed:g}: TOO MUCH"
                within = False
            elif number < allowed / SLACK:
                text += f" of {allowed:g}: so much less that scripts/guard --update should note it"
            else:
                text += f" of {allowed:g}"
            lines.append(text)
    return lines, within


def main() -> int:
    """Count, and compare with the budget, or write it; 1 if it is exceeded."""
    parser = argparse.ArgumentParser(prog="scripts/guard", description="Count what an event and a call cost.")
    parser.add_argument("--update", action="store_true", help="write what was counted as this version's budget")
    parser.add_argument("--budget", type=Path, default=BUDGET, help="another file than benchmarks/budget.json")
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        # Sets and dictionaries then have the same order in every run.
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"})
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    budget: Path = arguments.budget
    known: dict[str, Any] = json.loads(budget.read_text(encoding="utf-8")) if budget.exists() else {}
    # When it collects depends on what was there before, and what it finalizes is counted.
    gc.disable()
    found = asyncio.run(costs())
    if arguments.update:
        known[version] = found
        budget.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    lines, within = verdict(found, known.get(version))
    print(*lines, sep="\n")
    if version not in known:
        print(f"There is no budget for Python {version}: nothing is refused. scripts/guard --update writes one.")
    elif not within:
        print("Make it cheaper. If it is worth it, scripts/guard --update raises the budget: say why in the commit.")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
