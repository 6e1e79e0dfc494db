"""`python -m benchmarks.own WHAT AT_ONCE NUMBER`: what the library's own parts cost, without a server.

    limiter  turns and slots that nobody has to wait for, by so many users in turn
    batch    `fan_out` over so many items, above awaiting the same function in a loop

Prints seconds of CPU and bytes as a line of JSON.
"""

import asyncio
import gc
import json
import sys
import time
from typing import Any

from benchmarks.machine import resident
from coze_async import LocalLimiter, fan_out

__all__ = ["batch", "limiter", "main"]

# Of the default limits: 60 chats in 60 s, and the guard.
_WINDOW, _LIMIT = 61.0, 60
_AFTERWARDS = 1000


class _Loop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward: minutes pass without anybody waiting for them."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


async def limiter(users: int, turns: int) -> dict[str, float]:
    """Let users take turns and slots, each as often as it may, so that nobody waits."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _Loop)
    names = [f"user-{number}" for number in range(users)]
    limits = LocalLimiter()
    # Everybody comes again when a turn of an own becomes free.
    step = _WINDOW / _LIMIT / users

    async def nothing(name: str) -> None:
        pass

    async def acquire(name: str) -> None:
        await limits.turn("chat", name)
        (await limits.slot(name)).release()

    async def take(work: Any, number: int) -> float:
        begun = time.process_time()
        for index in range(number):
            await work(names[index % users])
            loop.ahead += step
        return time.process_time() - begun

    await take(acquire, min(1000, users))
    gc.collect()
    before, slept = resident(), loop.time()
    empty = await take(nothing, turns)
    cpu = await take(acquire, turns) - empty
    gc.collect()
    held = resident() - before
    assert loop.time() > slept
    loop.ahead += 10 * _WINDOW
    users = 1
    step = _WINDOW / _LIMIT
    await take(acquire, _AFTERWARDS)
    gc.collect()
    return {"cpu": cpu, "held": max(held, 0), "left": max(resident() - before, 0)}


async def batch(at_once: int, items: int) -> dict[str, float]:
    """Let `fan_out` await a function that lets others go first once, and does nothing."""

    async def double(item: int) -> int:
        await asyncio.sleep(0)
        return 2 * item

    async def alone(number: int) -> float:
        begun = time.process_time()
        answers = [await double(item) for item in range(number)]
        spent = time.process_time() - begun
        assert len(answers) == number
        return spent

    async def together(number: int) -> float:
        begun = time.process_time()
        async with fan_out(double, range(number), limit=at_once) as outcomes:
            answers = [outcome.value or 0 async for outcome in outcomes]
        spent = time.process_time() - begun
        if sorted(answers) != [2 * item for item in range(number)]:
            raise AssertionError(f"fan_out brought {len(answers)} of {number} answers, or wrong ones")
        return spent

    await together(min(items, 1000))
    gc.collect()
    bare = await alone(items)
    return {"cpu": await together(items) - bare}


def main() -> None:
    """Measure what the command line names."""
    _, what, at_once, number = sys.argv
    work = {"limiter": limiter, "batch": batch}[what]
    with asyncio.Runner(loop_factory=_Loop) as runner:
        print(json.dumps(runner.run(work(int(at_once), int(number)))), flush=True)


if __name__ == "__main__":
    main()
