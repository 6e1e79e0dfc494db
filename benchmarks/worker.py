"""One peer in a process of its own: takes orders as lines of JSON, gives seconds and bytes back.

    {"kind": "stream", "base_url": "http://…", "control": "http://…", "deltas": 2000, "at_once": 1, "repeat": 3}
    ->  {"cpu": 0.21, "wall": 0.22}

The first order for a server's address makes the client and warms it up. A peer that brings anything else than what
was sent answers `{"error": …}`.
"""

import asyncio
import gc
import json
import math
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import urlsplit

from benchmarks.machine import has_memory_figures, open_many_files, peak, reset_peak, resident
from benchmarks.peers import Peer, load
from benchmarks.wire import ANSWER, CHAT_ID, pieces, stream_body

__all__ = ["Worker", "main", "percentile"]

# Pools keep connections for five seconds and more.
_STALE = 2.0
# Until what is about to be freed is freed.
_SETTLING = 0.5

Figures = dict[str, float]
Work = Callable[[], Coroutine[Any, Any, object]]


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of the values that so many percent of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


class Worker:
    """Holds the clients of one peer."""

    def __init__(self, peer: type[Peer]) -> None:
        self._peer = peer
        self._clients: dict[str, Peer] = {}
        self._last_use: dict[str, float] = {}

    async def measure(
        self, kind: str, base_url: str, deltas: int, at_once: int, repeat: int, control: str = ""
    ) -> Figures:
        """Have the peer do its work so many times, so many at once; return seconds, and bytes."""
        client = self._clients.get(base_url)
        is_new = client is None
        if client is None:
            client = self._clients[base_url] = self._made(kind, base_url, deltas)
        if kind == "latency":
            return await self._latency(client, deltas, at_once)
        work, sent = self._work(client, kind, deltas)
        if kind in ("streams", "polls"):
            if is_new or time.perf_counter() - self._last_use[base_url] > _STALE:
                # Connections are opened; what that costs is not what is measured.
                await self._wave(work, at_once)
            figures = await self._in_waves(work, sent, at_once, repeat)
        elif kind == "active":
            figures = await self._active(client, work, sent, at_once)
        elif kind == "idle":
            figures = await self._idle(work, sent, at_once, control)
        else:
            if is_new:
                # Imports, caches and the first connection are not what is measured.
                self._check(await work(), sent)
                gc.collect()
                gc.freeze()
            # Another peer's turn may have lasted longer than a pool keeps a connection.
            await client.retrieve()
            figures = await self._in_turn(work, sent, repeat)
        self._last_use[base_url] = time.perf_counter()
        return figures

    def _made(self, kind: str, base_url: str, deltas: int) -> Peer:
        if kind != "parse":
            return self._peer(base_url)
        from benchmarks.memory import Memory

        return self._peer(base_url, Memory(stream_body("parse", deltas)))

    @staticmethod
    def _work(client: Peer, kind: str, deltas: int) -> tuple[Work, object]:
        """Return what is done once, and what has to come of it."""
        match kind:
            case "retrieve":
                return client.retrieve, (CHAT_ID, "completed")
            case "create":
                return client.create, (CHAT_ID, "in_progress")
            case "polls":
                return client.poll, ANSWER
            case _:

                async def stream() -> list[str]:
                    texts: list[str] = []
                    await client.stream(texts.append)
                    return texts

                return stream, pieces(deltas)

    def _check(self, found: object, sent: object) -> None:
        if found != sent:
            shown = f"{len(found)} deltas, the last {found[-1:]}" if isinstance(found, list) else repr(found)  # pyright: ignore[reportUnknownArgumentType] - of anything
            raise AssertionError(f"{self._peer.name} did not bring what the server sent: {shown}")

    async def _in_turn(self, work: Work, sent: object, repeat: int) -> Figures:
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        found = [await work() for _ in range(repeat)]
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        for each in found:
            self._check(each, sent)
        return {"cpu": cpu, "wall": wall}

    @staticmethod
    async def _wave(work: Work, number: int) -> list[tuple[object, float]]:
        """Begin so many at once; return what came of each, and how long it took."""

        async def timed() -> tuple[object, float]:
            begun = time.perf_counter()
            return await work(), time.perf_counter() - begun

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(timed()) for _ in range(number)]
        return [task.result() for task in tasks]

    async def _in_waves(self, work: Work, sent: object, number: int, repeat: int) -> Figures:
        gc.collect()
        if has_memory_figures():
            reset_peak()
        wall, cpu = time.perf_counter(), time.process_time()
        waves = [await self._wave(work, number) for _ in range(repeat)]
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        figures = {"cpu": cpu, "wall": wall, "p99": percentile([s for wave in waves for _, s in wave], 99)}
        if has_memory_figures():
            figures["peak"] = peak()
        for wave in waves:
            for found, _ in wave:
                self._check(found, sent)
        return figures

    async def _latency(self, client: Peer, deltas: int, number: int) -> Figures:
        await client.retrieve()
        now = time.monotonic_ns
        # Of every stream: when a text was there, and the text, which is when the server wrote it.
        seen: list[list[tuple[int, str]]] = [[] for _ in range(number)]

        async def stream(stamps: list[tuple[int, str]]) -> None:
            add = stamps.append
            await client.stream(lambda text: add((now(), text)))

        gc.collect()
        cpu = time.process_time()
        async with asyncio.TaskGroup() as group:
            for stamps in seen:
                group.create_task(stream(stamps))
        cpu = time.process_time() - cpu
        late: list[float] = []
        for stamps in seen:
            written = [int(text) for _, text in stamps]
            if len(stamps) != deltas or written != sorted(set(written)):
                raise AssertionError(
                    f"{self._peer.name} did not bring what the server sent: {len(stamps)} deltas of {deltas}, or in "
                    "another order"
                )
            # The first of a stream waits until all have been asked for.
            late += [(arrived - int(text)) * 1e-9 for arrived, text in stamps[1:]]
        return {"median": percentile(late, 50), "p99": percentile(late, 99), "cpu": cpu}

    async def _active(self, client: Peer, work: Work, sent: object, number: int) -> Figures:
        await client.retrieve()
        gc.collect()
        before = resident()
        wave = await self._wave(work, number)
        figures: Figures = {"peak": peak(), "grown": peak() - before}
        for found, _ in wave:
            self._check(found, sent)
        return figures

    async def _idle(self, work: Work, sent: object, number: int, control: str) -> Figures:
        tasks: list[asyncio.Task[object]] = []
        before = grown = 0
        async with asyncio.TaskGroup() as group:
            # The first half takes what was freed before, such as what reading certificates took; so it is not counted.
            for half in (1, 2):
                tasks += [group.create_task(work()) for _ in range(number)]
                while await _asked(control, "held") < half * number:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.05)
                await asyncio.sleep(_SETTLING)
                gc.collect()
                before, grown = grown, resident()
            await _asked(control, "release")
        for task in tasks:
            self._check(task.result(), sent)
        return {"grown": grown - before}

    async def aclose(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            await client.aclose()


async def _asked(control: str, what: str) -> int:
    """Ask the server something, by hand: a client would be part of the memory that is measured."""
    address = urlsplit(control)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(f"GET /control/{what} HTTP/1.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r")[0]))
    writer.close()
    return int(body)


def _reason(error: BaseException) -> str:
    """Say what happened; of several errors, that of the first that failed."""
    if isinstance(error, BaseExceptionGroup):
        group: BaseExceptionGroup[BaseException] = error  # pyright: ignore[reportUnknownVariableType] - of anything
        return _reason(group.exceptions[0])
    return f"{type(error).__name__}: {error}"


def main() -> None:
    """Measure the peer that the command line names, until stdin ends."""
    open_many_files()
    worker = Worker(load(sys.argv[1]))
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            order: dict[str, Any] = json.loads(line)
            try:
                answer: dict[str, Any] = runner.run(worker.measure(**order))
            except Exception as error:  # noqa: BLE001 - the suite tells of it and stops
                answer = {"error": _reason(error)}
            print(json.dumps(answer), flush=True)
        runner.run(worker.aclose())


if __name__ == "__main__":
    main()
