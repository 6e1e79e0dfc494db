"""One peer in a process of its own: takes orders as lines of JSON, gives CPU seconds back.

    {"scenario": "framed", "base_url": "http://…", "deltas": 2000, "repeat": 3}  ->  {"cpu": 0.21, "wall": 0.22}

The first order for a scenario makes the client and warms it up. A peer that brings anything else than what was sent
answers `{"error": …}`.
"""

import asyncio
import gc
import json
import sys
import time
from typing import Any

from benchmarks.peers import PEERS, Memory, Peer
from benchmarks.wire import CHAT_ID, pieces, stream_body

__all__ = ["Worker", "main"]


class Worker:
    """Holds the clients of one peer."""

    def __init__(self, peer: type[Peer]) -> None:
        self._peer = peer
        self._clients: dict[str, Peer] = {}

    async def measure(self, scenario: str, base_url: str, deltas: int, repeat: int) -> dict[str, float]:
        """Have a peer do its work so many times; return the seconds that passed, and those of CPU."""
        client = self._clients.get(base_url)
        if client is None:
            memory = Memory(stream_body("parse", deltas)) if scenario == "parse" else None
            client = self._clients[base_url] = self._peer(base_url, memory)
            # Imports, caches and the first connection are not what is measured.
            await self._checked(client, scenario, deltas)
            gc.collect()
            gc.freeze()
        # Another peer's turn may have lasted longer than a pool keeps a connection.
        await client.call()
        gc.collect()
        run = client.call if scenario == "call" else client.stream
        wall, cpu = time.perf_counter(), time.process_time()
        answers = [await run() for _ in range(repeat)]
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        for answer in answers:
            self._check(answer, scenario, deltas)
        return {"cpu": cpu, "wall": wall}

    async def _checked(self, client: Peer, scenario: str, deltas: int) -> None:
        self._check(await (client.call() if scenario == "call" else client.stream()), scenario, deltas)

    def _check(self, answer: list[str] | tuple[str, str], scenario: str, deltas: int) -> None:
        expected: object = (CHAT_ID, "completed") if scenario == "call" else pieces(deltas)
        if answer != expected:
            shown = repr(answer) if isinstance(answer, tuple) else f"{len(answer)} deltas, the last {answer[-1:]}"
            raise AssertionError(f"{self._peer.name} did not bring what the server sent: {shown}")

    async def aclose(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            await client.aclose()


def main() -> None:
    """Measure the peer that the command line names, until stdin ends."""
    worker = Worker(PEERS[sys.argv[1]])
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            order: dict[str, Any] = json.loads(line)
            try:
                answer: dict[str, Any] = runner.run(worker.measure(**order))
            except Exception as error:  # noqa: BLE001 - the suite tells of it and stops
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)
        runner.run(worker.aclose())


if __name__ == "__main__":
    main()
