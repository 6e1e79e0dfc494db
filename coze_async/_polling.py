"""Looking again and again until something is over, ever more slowly, under one deadline."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from coze_async._config import Polling

__all__ = ["poll"]

T = TypeVar("T")


async def poll(
    look: Callable[[], Awaitable[T]],
    is_over: Callable[[T], bool],
    polling: Polling,
    *,
    paced: Callable[[float], float] = float,
    on_look: Callable[[T], None] | None = None,
) -> T:
    """Return what was seen first to be over.

    Args:
        look: Asks the server.
        is_over: Decides whether what was seen is final.
        polling: How often to look. The caller keeps the deadline, which also holds for what comes before and after.
        paced: Makes out of an interval one that leaves room for others, in seconds.
        on_look: Told of everything that was seen.
    """
    interval = polling.interval
    while True:
        await anyio.sleep(paced(interval))
        seen = await look()
        if on_look is not None:
            on_look(seen)
        if is_over(seen):
            return seen
        interval = min(interval * polling.factor, max(polling.max_interval, polling.interval))
