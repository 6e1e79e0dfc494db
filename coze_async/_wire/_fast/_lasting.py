"""A task of asyncio that outlasts the cancellation of all tasks."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, TypeVar, cast

import anyio

__all__ = ["run_lasting"]

T = TypeVar("T")

# How long a task may take to clean up after it was given up, in seconds.
_CLEANING_UP = 1.0


class _LastingTask(asyncio.Task[T]):
    """Goes on when it is cancelled by others; `asyncio.run` waits for it at its end as for every task.

    Within its coroutine the scopes of anyio work, since they cancel with a message. Those of asyncio (`timeout`,
    `wait_for`, `TaskGroup`) do not: nobody can tell their cancellation from that of others.
    """

    _is_given_up = False

    def cancel(self, msg: Any | None = None) -> bool:
        """Cancel it only if a scope of anyio asks for it, or after `give_up`."""
        if msg is None and not self._is_given_up:
            return False
        return super().cancel(msg)

    def give_up(self) -> None:
        """Cancel it."""
        self._is_given_up = True
        self.cancel()


async def run_lasting(coroutine: Coroutine[Any, Any, T], patience: float) -> T:
    """Run a coroutine to its end; see `unbroken`."""
    loop = asyncio.get_running_loop()
    task = _LastingTask(_outcome(coroutine), loop=loop)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await _over(task, loop.time() + patience)
        if not task.done():
            task.give_up()
            await _over(task, loop.time() + _CLEANING_UP)
        raise
    answer, error = task.result()
    if error is not None:
        raise error
    return cast("T", answer)


async def _outcome(coroutine: Coroutine[Any, Any, T]) -> tuple[T | None, Exception | None]:
    """Return what a coroutine returns or raises: an error that nobody waits for any more is not reported by asyncio."""
    try:
        return await coroutine, None
    except Exception as error:  # noqa: BLE001 - raised again by the caller
        return None, error


async def _over(task: asyncio.Task[Any], deadline: float) -> None:
    """Wait for a task until a deadline, however often the caller is cancelled meanwhile."""
    loop = asyncio.get_running_loop()
    with anyio.CancelScope(shield=True):
        while not task.done() and (left := deadline - loop.time()) > 0:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({task}, timeout=left)
