"""From commands, which are ordinary functions, into the event loop and back; Ctrl-C included."""

import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

__all__ = ["Runner", "started"]

T = TypeVar("T")

# Cancelling a remote chat may take two seconds; then the event loop is left to itself.
_STOPPING = 3.0
# On Windows a wait without an end cannot be interrupted; this is how long Ctrl-C may go unnoticed there.
_LOOKING = 0.2


class Runner:
    """Runs one piece of work at a time in an event loop of its own, in another thread.

    So Ctrl-C always reaches the main thread, also while it reads a line, and a client lives through a whole session.
    """

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal

    def run(self, function: Callable[[], Awaitable[T]]) -> T:
        """Return what a coroutine function returns.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed; the work has been cancelled and has cleaned up.
        """
        work = _Work(function)
        try:
            return _result(self._portal.start_task_soon(work.done))
        except KeyboardInterrupt:
            # It may come so early that the work has not begun; then it never will.
            if self._portal.call(work.stop):
                work.is_over.wait(_STOPPING)
            raise

    def soon(self, function: Callable[[], object]) -> None:
        """Let the event loop call a function as soon as it can; a signal handler may ask for it."""
        self._portal.start_task_soon(function)


class _StoppedError(Exception):
    """Tells the one who waits, if anybody still does, that there is no result."""


class _Work(Generic[T]):
    """A piece of work that can be cancelled, and then waited for until it has cleaned up."""

    def __init__(self, function: Callable[[], Awaitable[T]]) -> None:
        self.is_over = threading.Event()
        self._function = function
        self._scope: anyio.CancelScope | None = None
        self._is_stopped = False

    async def done(self) -> T:
        try:
            with anyio.CancelScope() as self._scope:
                if not self._is_stopped:
                    return await self._function()
            raise _StoppedError
        finally:
            self.is_over.set()

    def stop(self) -> bool:
        """Cancel the work; True if it had begun."""
        self._is_stopped = True
        if self._scope is None:
            return False
        self._scope.cancel()
        return True


def _result(future: Future[T]) -> T:
    while not wait([future], timeout=_LOOKING).done:
        pass
    return future.result()


@contextmanager
def started() -> Generator[Runner]:
    """Keep an event loop running in the background."""
    with start_blocking_portal("asyncio") as portal:
        yield Runner(portal)
