"""Where answers come from: questions go in, and what became of each comes out."""

import time
from types import TracebackType
from typing import Protocol, Self

from coze_async import ChatItem, ChatResult, FanOut
from coze_async.cli._answer import Answer, answer_of

__all__ = ["Answers", "LocalAnswers"]


class Answers(Protocol):
    """Answers as they come: entered, iterated to their end or left early, by one task.

    The questions are ChatItems whose `key` is an `Origin`; they are taken only when they can be asked.
    """

    @property
    def stopped_by(self) -> str | None:
        """Why it has ended before the questions did; None if it has not."""
        ...

    @property
    def untaken(self) -> list[Answer]:
        """Answers that had come and were not taken when the block was left."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Answer: ...


class LocalAnswers:
    """Answers to questions that this process asks itself."""

    def __init__(self, batch: FanOut[ChatItem, ChatResult], *, bot_id: str | None, user_id: str) -> None:
        self._batch = batch
        self._names = {"bot_id": bot_id, "user_id": user_id}

    @property
    def stopped_by(self) -> str | None:
        """Why it has ended before the questions did; None if it has not."""
        return None if self._batch.stopped_by is None else str(self._batch.stopped_by)

    @property
    def untaken(self) -> list[Answer]:
        """Answers that had come and were not taken when the block was left."""
        return [answer_of(outcome, **self._names, now=time.time()) for outcome in self._batch.untaken]

    async def __aenter__(self) -> Self:
        await self._batch.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._batch.__aexit__(kind, error, traceback)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        return answer_of(await anext(self._batch), **self._names, now=time.time())
