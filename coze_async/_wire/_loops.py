"""Which event loop runs, and whether another one still does: what belongs to one must not be used from another."""

import sys
import threading
from typing import Any

from anyio.lowlevel import RunVar

__all__ = ["Loop", "this_loop"]


class Loop:
    """One run of an event loop, as long as it lasts."""

    def __init__(self) -> None:
        self._thread = threading.current_thread()
        self._handle = _handle()

    def check_over(self, what: str) -> None:
        """Refuse to be used while this loop, another one than the present, still runs.

        Raises:
            RuntimeError: it still runs.
        """
        if self._thread is not threading.current_thread() and self._thread.is_alive() and _is_running(self._handle):
            raise RuntimeError(
                f"This {what} is used by the event loop of the thread {self._thread.name!r}, and cannot be used by "
                f"another one at the same time. Make one for the thread {threading.current_thread().name!r}."
            )


_LOOP: RunVar[Loop] = RunVar("coze_async.loop")


def this_loop() -> Loop:
    """Return the present run of the event loop: the same object as long as it lasts."""
    loop = _LOOP.get(None)
    if loop is None:
        loop = Loop()
        _LOOP.set(loop)
    return loop


def _handle() -> Any:
    """Return what can say whether the present loop still runs: the loop of asyncio, or the token of trio."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    try:
        return trio.lowlevel.current_trio_token() if trio is not None else asyncio and asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.get_running_loop() if asyncio is not None else None


def _is_running(handle: Any) -> bool:
    if hasattr(handle, "is_running"):
        return bool(handle.is_running())
    try:
        handle.run_sync_soon(_nothing)
    except (RuntimeError, AttributeError):
        # trio's RunFinishedError.
        return False
    return True


def _nothing() -> None:
    """Do nothing; trio takes it only as long as it runs."""
