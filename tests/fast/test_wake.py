"""What asyncio's tasks wait for in a connection: it looks like a future, and their tasks go on at once."""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false, reportAttributeAccessIssue=false, reportUnknownVariableType=false

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import anyio
import pytest

from coze_async._wire._fast._wake import Wake

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")
Started = tuple[Wake, "asyncio.Task[None]", list[str]]


async def waiting(wake: Wake, seen: list[str]) -> None:
    NAME.set("the task")
    try:
        while True:
            wake.restart()
            await wake
            seen.append(NAME.get())
    except asyncio.CancelledError:
        seen.append("cancelled")
        raise


def python_task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """Return a task of the implementation in Python, which debuggers and some loops use."""
    made: Callable[..., asyncio.Task[None]] = asyncio.tasks._PyTask  # type: ignore[attr-defined]
    return made(work, loop=loop)


@pytest.fixture(params=["C", "Python"])
async def started(request: pytest.FixtureRequest) -> AsyncGenerator[Started]:
    loop = asyncio.get_running_loop()
    wake, seen = Wake(loop), list[str]()
    work = waiting(wake, seen)
    task = loop.create_task(work) if request.param == "C" else python_task(loop, work)
    await asyncio.sleep(0)
    yield wake, task, seen
    task.cancel()
    with anyio.CancelScope(shield=True):
        await asyncio.wait([task])


def in_the_loop(call: Callable[[], object]) -> "asyncio.Future[None]":
    """Call something as the loop calls a protocol, outside of every task."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        call()
        done.set_result(None)

    loop.call_soon(run)
    return done


async def test_the_task_has_gone_on_when_now_returns(started: Started) -> None:
    wake, task, seen = started
    counts: list[int] = []

    def thrice() -> None:
        for _ in range(3):
            wake.now()
            counts.append(len(seen))

    await in_the_loop(thrice)
    assert counts == [1, 2, 3]
    assert set(seen) == {"the task"}, "in its own context"
    assert not task.done()


async def test_soon_is_the_next_round_of_the_loop(started: Started) -> None:
    wake, _, seen = started
    counts: list[int] = []

    def call() -> None:
        wake.soon()
        wake.soon()
        wake.now()
        counts.append(len(seen))

    await in_the_loop(call)
    await asyncio.sleep(0)
    assert counts == [0]
    assert seen == ["the task"], "once, however often it was called"


async def test_now_inside_another_task_is_as_good_as_soon(started: Started) -> None:
    """As in a loop that somebody runs inside a task: no task can be entered there."""
    wake, task, seen = started
    wake.now()
    assert seen == []
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["the task"]
    await in_the_loop(wake.now)
    assert seen == ["the task"] * 2
    assert not task.done()


async def test_now_is_as_good_as_soon_where_a_task_may_run_the_loop_anew(started: Started) -> None:
    """As with nest_asyncio: the loop could not read a connection in whose reading it is run, and would try for ever."""
    wake, _, seen = started
    counts: list[int] = []

    def call() -> None:
        wake.now()
        counts.append(len(seen))

    # So it marks a loop.
    asyncio.get_running_loop()._nest_patched = True  # type: ignore[attr-defined]
    await in_the_loop(call)
    await asyncio.sleep(0)
    assert counts == [0]
    assert seen == ["the task"]


@pytest.mark.parametrize("first", ["soon", "nothing"])
async def test_whoever_is_cancelled_is_cancelled_once(started: Started, first: str) -> None:
    wake, task, seen = started
    if first == "soon":
        wake.soon()
    task.cancel()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert seen == ["cancelled"]
    wake.now()
    wake.soon()
    assert not wake.cancel()


async def test_who_is_cancelled_stays_so_when_somebody_else_waits_before_it_goes_on(started: Started) -> None:
    """As when the answer is complete in the same round, and another task gives the connection to the next request."""
    wake, task, seen = started
    task.cancel()
    wake.restart()
    others: list[object] = []
    wake.add_done_callback(others.append, context=contextvars.copy_context())
    await asyncio.wait([task])
    assert seen == ["cancelled"]
    assert task.cancelled()
    assert others == []
    wake.soon()
    await asyncio.sleep(0)
    assert others == [wake]


async def test_a_scope_of_anyio_knows_its_own_cancellation_again() -> None:
    wake = Wake(asyncio.get_running_loop())
    wake.restart()
    with anyio.move_on_after(1) as scope:
        await wake
    assert scope.cancelled_caught
    wake.restart()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await wake
    # Nothing is left of it: the next wait is a new one.
    wake.restart()
    asyncio.get_running_loop().call_later(1, wake.now)
    await wake
    assert wake.done()


async def test_what_is_over_is_not_waited_for() -> None:
    wake = Wake(asyncio.get_running_loop())
    await wake
    wake.restart()
    wake.now()
    await wake
