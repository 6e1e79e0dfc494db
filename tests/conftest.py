"""What every test may use: both backends, each on a clock of its own that never waits."""

import asyncio
import os
import selectors
from typing import Any

import pytest
import trio.testing
from hypothesis import HealthCheck, settings

# The machines are shared and slow at times: an example may take as long as it takes. In CI the examples are the same
# every time, so that a change is judged by the change.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("default")


class _VirtualSelector(selectors.DefaultSelector):
    """A selector that never waits: where a loop would sleep, the clock is put forward instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # Nothing is planned, so only a file or another thread can wake the loop: wait for it, but not for ever.
            ready = super().select(30)
            assert ready, "The loop waits for something that never happens."
            return ready
        # A thread at work shows itself within a moment; only then is the loop idle.
        ready = super().select(0.0005)
        if not ready:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop in virtual time: `sleep(120)` takes microseconds and 120 seconds pass."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        # Without a limit: threads live in real time, and this clock would run past them.
        await super().shutdown_default_executor()


def _clock() -> trio.testing.MockClock:
    return trio.testing.MockClock(autojump_threshold=0.0005)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run an async test once on asyncio and once on trio, both in virtual time."""
    if request.param == "asyncio":
        return "asyncio", {"loop_factory": VirtualLoop}
    return "trio", {"clock": _clock()}
