"""A future whose task goes on in the same moment, without another round of the event loop."""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any

__all__ = ["Wake"]

_Callback = Callable[[Any], object]


class Wake:
    """What one task waits for, again and again: `restart()`, `await`, and meanwhile `now()` or `soon()`.

    asyncio's own future has its task called in the next round of the loop, after another look at all sockets. For a
    stream that is one system call more for each event, and as long again until the event is there. asyncio lets a task
    wait for any object that looks like its future (`asyncio.isfuture`), so this is one.

    Args:
        loop: Whose task it is.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_is_done", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking: bool = False
        self._callback: _Callback | None = None
        self._context: Context | None = None
        self._is_done = True

    def restart(self) -> None:
        """Begin to wait."""
        self._is_done = False

    def now(self) -> None:
        """Let the task go on before this returns; only for what the loop itself calls.

        Whatever the task then does has happened when this returns.
        """
        if self._is_done:
            return
        if hasattr(self._loop, "_nest_patched"):
            # nest_asyncio lets the task run the loop anew, which could not read this connection while it is being read.
            self._ends_with(self)
            return
        self._is_done = True
        callback, context = self._callback, self._context
        self._callback = self._context = None
        if callback is not None and context is not None:
            try:
                context.run(callback, self)
            except RuntimeError:
                # In a loop that somebody runs inside a task nobody can step into another one.
                self._loop.call_soon(callback, self, context=context)

    def soon(self) -> None:
        """Let the task go on in the next round of the loop."""
        if not self._is_done:
            self._ends_with(self)

    # --- what a task asks of a future ---------------------------------------------------------------------------------

    def __await__(self) -> Generator["Wake", None, None]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self

    def add_done_callback(self, callback: _Callback, *, context: Context | None = None) -> None:
        """Take what continues the task."""
        self._callback, self._context = callback, context

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop, which has to be the task's."""
        return self._loop

    def done(self) -> bool:
        """Return False as long as the task waits."""
        return self._is_done

    def cancel(self, msg: Any = None) -> bool:
        """End the waiting by an error; False if it is over already."""
        if self._is_done:
            return False
        # Not kept here: somebody else may wait for this before the task goes on. anyio knows by the message whose
        # cancellation it is.
        cancelled: asyncio.Future[None] = self._loop.create_future()
        cancelled.cancel(msg)
        self._ends_with(cancelled)
        return True

    def result(self) -> None:
        """Return nothing: it was no cancellation that has ended the waiting."""

    def _ends_with(self, outcome: "Wake | asyncio.Future[None]") -> None:
        self._is_done = True
        callback, context = self._callback, self._context
        self._callback = self._context = None
        if callback is not None:
            self._loop.call_soon(callback, outcome, context=context)
