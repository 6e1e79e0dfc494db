"""An exchange that goes on when its caller is cancelled, because its answer must not be lost."""

import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

__all__ = ["unbroken"]

T = TypeVar("T")


async def unbroken(work: Callable[[], Coroutine[Any, Any, T]], patience: float) -> T:
    """Run work to its end. If the caller is cancelled meanwhile, that is raised once the work has ended.

    On asyncio that holds for `Task.cancel` too, and for the end of `asyncio.run`, which cancels every task.

    Args:
        work: Makes the coroutine.
        patience: How long it may go on after the caller was cancelled, in seconds; then it is cancelled as well.
    """
    if "asyncio" in sys.modules:
        from coze_async._wire._fast import run_lasting, runs_here

        if runs_here():
            return await run_lasting(work(), patience)
    return await _in_a_group(work, patience)


async def _in_a_group(work: Callable[[], Coroutine[Any, Any, T]], patience: float) -> T:
    outcome: list[T | Exception] = []
    scope, is_over = anyio.CancelScope(shield=True), anyio.Event()

    async def run() -> None:
        with scope:
            try:
                outcome.append(await work())
            except Exception as error:  # noqa: BLE001 - raised again by the caller, without a group around it
                outcome.append(error)
        is_over.set()

    interruption: BaseException | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            await is_over.wait()
        except BaseException as error:  # noqa: BLE001 - raised again below, without a group around it
            interruption = error
            scope.deadline = anyio.current_time() + patience
    if interruption is not None:
        raise interruption
    answer = outcome[0]
    if isinstance(answer, Exception):
        raise answer
    return answer
