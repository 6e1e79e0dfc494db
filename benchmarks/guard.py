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
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.memory import Memory
from benchmarks.peers import Peer, load
from benchmarks.wire import CALL, CHAT_ID, STREAM_HEAD, chunked, pieces, stream_body, stream_parts

__all__ = ["SLACK", "costs", "main", "verdict"]

BUDGET = Path(__file__).with_name("budget.json")
SLACK = 1.1
"""How much more than the budget may be spent: other versions of httpx and anyio differ a little."""
DELTAS, CALLS = 500, 50

_CALL = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(CALL), CALL)

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


class _Server:
    """Streams over a socket, in this thread and so in the same steps every time.

    Args:
        groups: The parts of a stream, in the order in which they are written: the first when it is asked for, each
            other one when a text has been taken.
    """

    def __init__(self, groups: Sequence[bytes]) -> None:
        self._groups = groups
        self._rest = iter(groups)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._visitor: socket.socket = self._listener
        self._has_left = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._listener, self._accept)
        self.url: str = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.taken = 0

    def _accept(self) -> None:
        self._visitor, _ = self._listener.accept()
        self._loop.add_reader(self._visitor, self._answer, self._visitor)

    def _answer(self, visitor: socket.socket) -> None:
        if visitor.recv(65536):
            self._rest = iter(self._groups)
            self._write()
        else:
            self._loop.remove_reader(visitor)
            visitor.close()
            self._has_left.set()

    def _write(self) -> None:
        self._visitor.sendall(next(self._rest, b""))

    def take(self, _: str) -> None:
        """Take a text, and have the next one written."""
        self.taken += 1
        self._write()

    async def aclose(self) -> None:
        """Close the sockets, as soon as the client has closed its own."""
        await self._has_left.wait()
        self._loop.remove_reader(self._listener)
        self._listener.close()


async def _streams(streams: int, deltas: int, groups: Sequence[bytes]) -> tuple[int, int]:
    server = _Server(groups)
    client = load("coze_async")(server.url)

    async def read() -> None:
        for _ in range(streams):
            await client.stream(server.take)

    # Connects, and loads what it needs.
    await client.stream(server.take)
    server.taken = 0
    steps = await _steps(read)
    await client.aclose()
    await server.aclose()
    if server.taken != streams * deltas:
        raise AssertionError(f"{server.taken} deltas came over the socket, of {streams * deltas}")
    return steps


def _groups(deltas: int) -> list[bytes]:
    """Return a stream in as many parts as it has deltas, and one for its end."""
    parts = [chunked(part) for part in stream_parts(deltas)]
    return [STREAM_HEAD + b"".join(parts[:3]), *parts[3 : 2 + deltas], b"".join([*parts[2 + deltas :], chunked(b"")])]


async def _calls(number: int, client: Peer) -> tuple[int, int]:
    await client.retrieve()
    found: list[tuple[str, str]] = []

    async def retrieve() -> None:
        found.extend([await client.retrieve() for _ in range(number)])

    steps = await _steps(retrieve)
    await client.aclose()
    if found != [(CHAT_ID, "completed")] * number:
        raise AssertionError(f"the calls brought {found[-1:]}")
    return steps


async def _calls_over_a_socket(number: int) -> tuple[int, int]:
    server = _Server([_CALL])
    steps = await _calls(number, load("coze_async")(server.url))
    await server.aclose()
    return steps


def _client(body: tuple[bytes, ...]) -> Peer:
    return load("coze_async")("http://memory.test", Memory(body))


def _nobody(_: str) -> None:
    pass


async def costs(deltas: int = DELTAS, calls: int = CALLS) -> dict[str, dict[str, float]]:
    """Return what one more event, one more stream and one more call cost."""
    whole = [b"".join(_groups(2))]
    return {
        "event, each in a piece of its own": await _of_one(lambda n: _stream("events", n), deltas),
        "event, 16 KiB in a piece": await _of_one(lambda n: _stream("parse", n), deltas),
        "event, each a read of a socket": await _of_one(lambda n: _streams(1, n, _groups(n)), deltas),
        "stream of 8 events, one read of a socket": await _of_one(lambda n: _streams(n, 2, whole), calls),
        "call": await _of_one(lambda n: _calls(n, _client(())), calls),
        "call over a socket": await _of_one(_calls_over_a_socket, calls),
    }


async def _of_one(count: Callable[[int], Awaitable[tuple[int, int]]], number: int) -> dict[str, float]:
    """Return what one costs: that of twice as many without that of as many."""
    more, less = await count(2 * number), await count(number)
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
