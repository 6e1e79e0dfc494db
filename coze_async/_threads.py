"""Calls in threads that are over when their caller goes on, also when a task of asyncio is cancelled by itself."""

import contextlib
import threading
from collections.abc import Callable
from typing import Generic, TypeVar, TypeVarTuple

import anyio
import anyio.to_thread

__all__ = ["in_thread"]

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


async def in_thread(function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a function in a thread. If the caller is cancelled meanwhile, that is raised once the function has ended.

    anyio waits for its thread if a scope is cancelled, but not if `asyncio.timeout`, `Task.cancel` or the end of
    `asyncio.run` cancels the task: then the thread would work on with files that nobody knows.
    """
    call = _Call(lambda: function(*arguments))
    try:
        return await anyio.to_thread.run_sync(call)
    except anyio.get_cancelled_exc_class():
        await call.over()
        raise


class _Call(Generic[T]):
    """One call of a function in a thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        # Acquired once: by the thread when it starts, or by the caller to keep it from starting.
        self._claim = threading.Lock()
        self._is_over = threading.Event()

    def __call__(self) -> T:
        if not self._claim.acquire(blocking=False):
            raise RuntimeError("This call was given up before it began.")
        try:
            return self._function()
        finally:
            self._is_over.set()

    async def over(self) -> None:
        """Wait until the function has ended, or make sure that it never begins."""
        if self._claim.acquire(blocking=False):
            return
        with anyio.CancelScope(shield=True):
            while not self._is_over.is_set():
                # The task may be cancelled once more.
                with contextlib.suppress(anyio.get_cancelled_exc_class()):
                    await anyio.to_thread.run_sync(self._is_over.wait)
