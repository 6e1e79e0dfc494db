"""One of many processes that share limits: `python redis_worker.py '{"job": …}'`; it answers in lines of JSON."""

import json
import sys
import time
from typing import Any

import anyio
import redis.asyncio

from coze_async import Limits, Rate, RedisLimiter
from coze_async._limits_gates import Ask

# Counts the chats in flight in all processes, and keeps the most there ever were.
ENTER = """
local running = redis.call('INCR', KEYS[1])
if running > tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], running) end
"""


def say(what: Any) -> None:
    print(json.dumps(what), flush=True)


class Noting(RedisLimiter):
    """Notes when each question was granted, by the clock of Redis, and by which limits."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.asked: list[Ask] = []
        self.noted: list[tuple[list[str], int]] = []

    async def _answer_to(self, ask: Ask) -> None:
        self.asked.append(ask)
        await super()._answer_to(ask)
        self.noted.append(([gate.key for gate in ask.gates], ask.granted_at or 0))


def set_clock_ahead(seconds: float, *, after: float) -> None:
    """Let this process' clocks be ahead from the start, and leap by as much again after a while."""
    monotonic, wall = time.monotonic, time.time
    leaps_at = monotonic() + after

    def ahead() -> float:
        return seconds * (2 if monotonic() >= leaps_at else 1)

    time.monotonic = lambda: monotonic() + ahead()
    time.time = lambda: wall() + ahead()


async def turns(limiter: Noting, options: dict[str, Any]) -> None:
    async with anyio.create_task_group() as group:
        for number in range(options["tasks"]):
            group.start_soon(limiter.turn, "chat", f"u{number % options['users']}")


async def chats(limiter: Noting, options: dict[str, Any]) -> None:
    client = redis.asyncio.from_url(options["url"])
    running, most = "running", "most"

    async def chat(number: int) -> None:
        slot = await limiter.slot(f"u{number % options['users']}")
        await client.eval(ENTER, 2, running, most)
        await client.decr(running)
        slot.release()

    async with anyio.create_task_group() as group:
        for number in range(options["tasks"]):
            group.start_soon(chat, number)
    await client.aclose()


async def hold(limiter: Noting, options: dict[str, Any]) -> None:
    for _ in range(options["tasks"]):
        await limiter.slot("u0")
    say("held")
    await anyio.sleep_forever()


async def main(options: dict[str, Any]) -> None:
    rates: dict[str, Any] = dict(options["limits"])
    if "chat" in rates:
        rates["chat"] = Rate(*rates["chat"])
    more = {name: options[name] for name in ("lease", "timeout") if name in options}
    async with Noting(options["url"], Limits(**rates), **more) as limiter:
        say("ready")
        sys.stdin.readline()
        await {"turns": turns, "chats": chats, "hold": hold}[options["job"]](limiter, options)
        say(limiter.noted)
        # All stay alive until all have seen the others.
        sys.stdin.readline()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if ahead := given.get("ahead"):
        set_clock_ahead(ahead[given["number"]], after=given["leap_after"])
    anyio.run(main, given)
