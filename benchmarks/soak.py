"""`python -m benchmarks.soak`: chats and calls against a server that is out of step, without a wrong answer.

The server streams, answers, and misbehaves in all the ways of a broken gateway: surplus answers at once or a few
milliseconds later, answers that break off, error pages, refusals in a stream's body, early answers, closed connections,
drips, and compressed bombs. Every question carries a number, and every answer repeats it: an answer that reaches
another caller shows at once. Nothing is random but by `--seed`.
"""

import argparse
import asyncio
import contextlib
import gzip
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from benchmarks.machine import open_many_files, resident
from coze_async import AsyncCoze, CozeError, Limits, Retry, Timeouts

__all__ = ["main"]

_JSON = "application/json"
_SSE = "text/event-stream"
_BOMB = gzip.compress(b"y" * (64 << 20))

Write = Callable[[bytes], Awaitable[None]]


def _http(body: bytes, kind: str = _JSON, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _events(number: str, pieces: int) -> list[bytes]:
    chat = json.dumps({"id": number, "conversation_id": number, "status": "completed"})
    delta = json.dumps({"id": "m", "role": "assistant", "type": "answer", "content": f"{number} "})
    return [
        f"event:conversation.chat.created\ndata:{chat.replace('completed', 'created')}\n\n".encode(),
        *[f"event:conversation.message.delta\ndata:{delta}\n\n".encode()] * pieces,
        f"event:conversation.chat.completed\ndata:{chat}\n\n".encode(),
        b'event:done\ndata:"[DONE]"\n\n',
    ]


class _Server:
    """Answers with the number of each question, and misbehaves."""

    def __init__(self, dice: random.Random, faults: float) -> None:
        self._dice = dice
        self._faults = faults
        self.done: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False if the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length")]
        body = await reader.readexactly(int(lengths[0].partition(":")[2])) if lengths else b""
        is_stream = head.startswith("POST")
        number = (
            json.loads(body)["user_id"]
            if is_stream
            else head.partition("chat_id=")[2].partition(" ")[0].partition("&")[0]
        )

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        fault = self._dice.choice(_FAULTS) if self._dice.random() < self._faults else ""
        self.done[fault or "none"] += 1
        return await self._with(fault, number, write, is_stream=is_stream)

    async def _with(self, fault: str, number: str, write: Write, *, is_stream: bool) -> bool:
        dice = self._dice
        other = _http(
            json.dumps(
                {"code": 0, "data": {"id": "7400000000000000000", "conversation_id": "7", "status": "completed"}}
            ).encode()
        )
        surplus = {
            "504": _http(b"", "text/html", "504 Gateway Timeout"),
            "html": _http(b"<html>", "text/html"),
            "text": _http(b"hello", "text/plain"),
            "204": b"HTTP/1.1 204 No Content\r\n\r\n",
            "events": _http(b"".join(_events("0", 1)[-1:]), _SSE),
            "json": other,
        }
        match fault.split():
            case ["surplus", what]:
                await self._whole(number, write, is_stream=is_stream)
                await write(surplus[what])
            case ["late", what]:
                await self._whole(number, write, is_stream=is_stream)
                await asyncio.sleep(0.003)
                await write(surplus[what])
            case ["instead", what]:
                await write(surplus[what])
            case ["refused"]:
                await write(
                    _http(b'event:error\ndata:{"code":4013,"msg":"slow down"}\n\n', _SSE if is_stream else _JSON)
                )
            case ["bomb"]:
                await write(_http(_BOMB, _SSE if is_stream else _JSON, more="content-encoding: gzip\r\n"))
            case ["cut"]:
                whole = _http(b"".join(_events(number, 3)), _SSE)
                await write(whole[: dice.randrange(len(whole))])
                return False
            case ["drip"]:
                for byte in _http(b'{"code":0,', more="x: y\r\n"):
                    await write(bytes([byte]))
                    await asyncio.sleep(0.02)
            case ["closed"]:
                return False
            case ["farewell"]:
                await self._whole(number, write, is_stream=is_stream)
                return False
            case _:
                await self._whole(number, write, is_stream=is_stream)
        return True

    async def _whole(self, number: str, write: Write, *, is_stream: bool) -> None:
        if not is_stream:
            facts = {"code": 0, "data": {"id": number, "conversation_id": number, "status": "completed"}}
            await write(_http(json.dumps(facts).encode()))
            return
        await write(f"HTTP/1.1 200 OK\r\ncontent-type: {_SSE}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        for event in _events(number, self._dice.randrange(1, 20)):
            await write(b"%x\r\n%b\r\n" % (len(event), event))
            if self._dice.random() < 0.1:
                await asyncio.sleep(0.001)
        await write(b"0\r\n\r\n")


_KINDS = ("504", "html", "text", "204", "events")
_FAULTS = [
    *[f"surplus {kind}" for kind in (*_KINDS, "json")],
    *[f"late {kind}" for kind in (*_KINDS, "json")],
    *[f"instead {kind}" for kind in (*_KINDS, "json")],
    "refused",
    "cut",
    "cut",
    "drip",
    "bomb",
    "closed",
    "farewell",
]


class _Told:
    """What the callers have seen."""

    def __init__(self) -> None:
        self.right = 0
        self.wrong: list[str] = []
        self.errors: Counter[str] = Counter()
        self.longest = 0.0


async def _ask(coze: AsyncCoze, number: str, told: _Told, dice: random.Random) -> None:
    try:
        if dice.random() < 0.3:
            chat = await coze.chat.retrieve(conversation_id="7", chat_id=number)
            seen = {chat.id}
        else:
            stream = coze.chat.stream("Hi", bot_id="b", user_id=number)
            if dice.random() < 0.1:
                async with stream:
                    async for _ in stream:
                        break
                seen = {stream.chat_id or number}
            else:
                result = await stream.result()
                # An end without a beginning brings nothing, and nothing of others.
                seen = {result.chat_id or number, *result.text.split()}
    except CozeError as error:
        told.errors[type(error).__name__] += 1
        partial = getattr(error, "partial", None)
        seen = {number, *(partial.text.split() if partial is not None else ())}
    else:
        told.right += seen == {number}
    if seen - {number}:
        told.wrong.append(f"{number} got {seen}")


async def _watch(told: _Told) -> None:
    """Measure the longest time for which the loop stood still."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        told.longest = max(told.longest, time.perf_counter() - began - 0.001)


async def soak(minutes: float, at_once: int, seed: int, faults: float) -> bool:
    """Ask until the time is up, and print what came of it; True if no answer was wrong."""
    server = _Server(random.Random(seed), faults)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=4096)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    dice, told = random.Random(seed + 1), _Told()
    # Ids as real servers make them.
    numbers = itertools.count(7_500_000_000_000_000_000)
    ends = time.monotonic() + minutes * 60
    timeouts = Timeouts(connect=30.0, first_event=10.0, idle=2.0)
    memory: list[int] = []
    async with AsyncCoze(
        "pat_x", base_url=url, limits=Limits.none(), retry=Retry(initial=0.01), timeouts=timeouts
    ) as coze:
        watching = asyncio.ensure_future(_watch(told))

        async def keep_asking(number: int) -> None:
            # Not all in one step of the loop: it would stand still for the time of all of them.
            await asyncio.sleep(number / 500)
            while time.monotonic() < ends:
                await _ask(coze, str(next(numbers)), told, dice)

        async def report() -> None:
            while time.monotonic() < ends:
                await asyncio.sleep(min(30.0, minutes * 6))
                memory.append(resident() >> 20)
                print(f"{told.right} right, {len(told.wrong)} wrong, {memory[-1]} MiB", file=sys.stderr)

        await asyncio.gather(report(), *map(keep_asking, range(at_once)))
        watching.cancel()
    listener.close()
    print(f"{told.right} right answers, {len(told.wrong)} wrong ones, errors: {dict(told.errors)}")
    print(f"faults: {dict(server.done)}")
    print(f"memory in MiB: {memory}; longest standstill of server and client in one loop: {told.longest * 1e3:.1f} ms")
    print(*told.wrong[:20], sep="\n")
    return not told.wrong


def main() -> int:
    """Read the arguments and soak; 1 if an answer was wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--at-once", type=int, default=1000, help="streams and calls in flight")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=float, default=0.05, help="the part of the answers that are faulty")
    arguments = parser.parse_args()
    open_many_files()
    found = asyncio.run(soak(arguments.minutes, arguments.at_once, arguments.seed, arguments.faults))
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
