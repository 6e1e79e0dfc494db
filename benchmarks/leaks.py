"""`python -m benchmarks.leaks`: what is left after many requests and streams, some left early."""

import argparse
import asyncio
import gc
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import certificate
from benchmarks.suite import child
from coze_async import AsyncCoze, Limits

__all__ = ["Left", "measure"]

_AT_ONCE = 50
# Heaps grow in steps, and caches fill.
_SLACK_KIB = 8192


class Left:
    """What a process holds.

    Attributes:
        tasks: Of the event loop.
        files: Open descriptors, sockets among them.
        objects: That the collector knows.
        kib: Memory in use.
    """

    def __init__(self) -> None:
        gc.collect()
        self.tasks = len(asyncio.all_tasks())
        self.files = len([*Path("/proc/self/fd").iterdir()])
        self.objects = len(gc.get_objects())
        status = Path("/proc/self/status").read_text(encoding="ascii")
        self.kib = int(status.partition("VmRSS:")[2].split()[0])

    def __str__(self) -> str:
        return f"{self.tasks} tasks, {self.files} files, {self.objects} objects, {self.kib} KiB"


async def _one(coze: AsyncCoze, number: int) -> None:
    match number % 4:
        case 0:
            async with coze.chat.stream("Hi", bot_id="1", user_id="2") as stream:
                await anext(stream)
        case 1:
            await coze.chat.ask("Hi", bot_id="1", user_id="2")
        case _:
            await coze.chat.retrieve(conversation_id="1", chat_id="1")


async def measure(url: str, requests: int) -> tuple[Left, Left]:
    """Return what was held after a tenth of the requests, and what after all of them."""

    async def some(count: int) -> None:
        for begin in range(0, count, _AT_ONCE):
            await asyncio.gather(*(_one(coze, begin + number) for number in range(_AT_ONCE)))

    async with AsyncCoze("pat_benchmark", base_url=url, limits=Limits.none()) as coze:
        await some(requests // 10)
        before = Left()
        await some(requests - requests // 10)
        return before, Left()


def main() -> int:
    """Measure, and tell what has grown; 0 if nothing has."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaks", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--tls", action="store_true", help="over TLS")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pair: list[str] = []
        if arguments.tls:
            file, store = certificate.make(Path(folder))
            pair = [str(file)]
            os.environ["SSL_CERT_FILE"] = str(store)
        with child("the server", "benchmarks.server", *pair) as server:
            port = server.line().split()[-1]
            url = f"http{'s' * arguments.tls}://127.0.0.1:{port}/framed/20"
            before, after = asyncio.run(measure(url, arguments.requests))
    print(f"after a tenth: {before}\nafter all:     {after}")
    # A connection more or less is no leak, nor is a cache that fills; something for every request would be.
    return int(
        after.tasks > before.tasks
        or after.files > before.files + _AT_ONCE
        or after.objects > before.objects + max(500, arguments.requests // 100)
        or after.kib > before.kib + _SLACK_KIB
    )


if __name__ == "__main__":
    sys.exit(main())
