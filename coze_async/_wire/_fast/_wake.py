"""A future that resumes its task at once, without another round of the event loop."""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any

__all__ = ["Wake"]

_Callback = Callable[[Any], object]


class Wake:
    """An awaitable that one task awaits again and again: `restart()`, `await`, and meanwhile `now()` or `soon()`.

    asyncio's own future calls its task in the next round of the loop, after another look at all sockets. asyncio lets a
    task wait for any object that looks like its future (`asyncio.isfuture`), so this class is one that resumes its task
    at once. Measured on CPython 3.11 (`scripts/guard`, one event per read of a socket): 857 bytecode instructions an
    event, 1,104 (29 % more) with a wake-up in the next round, and 0.097 ms of latency instead of 0.107.

    Args:
        loop: The event loop of the task.
    """

    __slots__ = ("_asyncio_future_blocking", "_callback", "_context", "_is_done", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking: bool = False
        self._callback: _Callback | None = None
        self._context: Context | None = None
        self._is_done = True

    def restart(self) -> None:
        """Start a wait."""
        self._is_done = False

    def now(self) -> None:
        """Resume the waiting task synchronously; only for callbacks of the event loop."""
        if self._is_done:
            return
        if hasattr(self._loop, "_nest_patched"):
            # nest_asyncio lets the task run the loop again, which could not read this connection meanwhile.
            self._ends_with(self)
            return
        self._is_done = True
        callback, context = self._callback, self._context
        self._callback = self._context = None
        if callback is not None and context is not None:
            try:
                context.run(callback, self)
            except RuntimeError:
                # The loop runs inside a task, so that no other task can be entered.
                self._loop.call_soon(callback, self, context=context)

    def soon(self) -> None:
        """Resume the waiting task in the next round of the loop."""
        if not self._is_done:
            self._ends_with(self)

    # --- the interface of a future ------------------------------------------------------------------------------------

    def __await__(self) -> Generator["Wake", None, None]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self

    def add_done_callback(self, callback: _Callback, *, context: Context | None = None) -> None:
        """Keep the callback that resumes the task."""
        self._callback, self._context = callback, context

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop, which has to be the task's."""
        return self._loop

    def done(self) -> bool:
        """Return False while the task waits."""
        return self._is_done

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the wait; False if it is over."""
        if self._is_done:
            return False
        # Not kept here: another wait may begin before the task resumes. anyio tells by the message which scope has
        # cancelled.
        cancelled: asyncio.Future[None] = self._loop.create_future()
        cancelled.cancel(msg)
        self._ends_with(cancelled)
        return True

    def result(self) -> None:
        """Return None: the wait was not cancelled."""

    def _ends_with(self, outcome: "Wake | asyncio.Future[None]") -> None:
        self._is_done = True
        callback, context = self._callback, self._context
        self._callback = self._context = None
        if callback is not None:
            self._loop.call_soon(callback, outcome, context=context)
