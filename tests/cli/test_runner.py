"""Work in the event loop of another thread, and Ctrl-C."""

# pyright: reportPrivateUsage=false

import os
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, wait
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.from_thread import BlockingPortal

from coze_async.cli import _runner
from coze_async.cli._runner import Runner, started


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_work_returns_its_result_and_raises_its_error() -> None:
    async def work() -> int:
        await anyio.lowlevel.checkpoint()
        return 7

    async def broken() -> int:
        raise ValueError("no")

    with started() as runner:
        assert runner.run(work) == 7
        with pytest.raises(ValueError, match="no"):
            runner.run(broken)


def test_work_may_take_longer_than_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def look(futures: list[Future[int]], timeout: float) -> Any:
        looks.append(timeout)
        return wait(futures, timeout)

    async def work() -> int:
        while len(looks) < 3:
            await anyio.lowlevel.checkpoint()
        return 7

    monkeypatch.setattr(_runner, "wait", look)
    monkeypatch.setattr(_runner, "_LOOKING", 0.001)
    with started() as runner:
        assert runner.run(work) == 7


def test_ctrl_c_waits_until_the_work_has_cleaned_up() -> None:
    told: list[str] = []

    async def work() -> None:
        try:
            press_ctrl_c()
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                told.append("cleaned up")

    async def after() -> str:
        return "goes on"

    with started() as runner:
        with pytest.raises(KeyboardInterrupt):
            runner.run(work)
        assert told == ["cleaned up"]
        assert runner.run(after) == "goes on"


@pytest.mark.parametrize("is_too_late", [True, False])
def test_work_that_was_stopped_before_it_began_never_begins(is_too_late: bool) -> None:
    """Ctrl-C may come while the work is on its way into the event loop."""
    begun: list[str] = []

    async def work() -> None:
        begun.append("work")

    class Hurried(Runner):
        """Has Ctrl-C pressed at the worst moment."""

        def __init__(self, portal: BlockingPortal) -> None:
            super().__init__(portal)
            self._portal: Any = self
            self._true = portal
            self._waiting: list[Callable[[], Awaitable[object]]] = []

        def start_task_soon(self, function: Callable[[], Awaitable[object]]) -> Future[object]:
            self._waiting.append(function)
            raise KeyboardInterrupt

        def call(self, function: Callable[[], Any]) -> Any:
            stopped = self._true.call(function)
            if is_too_late:
                with pytest.raises(Exception, match=r"^$"):
                    self._true.call(self._waiting.pop())
            return stopped

    with started() as runner, pytest.raises(KeyboardInterrupt):
        Hurried(runner._portal).run(work)
    assert begun == []
