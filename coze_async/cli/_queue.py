"""Answers from workers on other machines, by way of a queue in Redis."""

import importlib
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from coze_async import ChatItem, ChatResult, FanOut, Outcome, Polling
from coze_async.cli._answer import Answer, answer_of
from coze_async.cli._connect import UsageError

if TYPE_CHECKING:
    from coze_async.taskiq import Producer

__all__ = ["QUEUE", "QueuedAnswers", "Run", "needs_extra"]

QUEUE = "coze"
"""The name of a queue if nobody gives one."""

_EXTRAS = ("taskiq", "taskiq_redis", "redis")


def needs_extra() -> None:
    """See to it that there is what a queue needs.

    Raises:
        UsageError: something is missing; says what to install.
    """
    try:
        importlib.import_module("coze_async.taskiq")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        raise UsageError(
            f"--broker needs {missing}, which is not installed: pip install 'coze_async[taskiq]'"
        ) from None


class Run:
    """The name under which the workers' outcomes of one file of answers are kept; it stands in a file beside it.

    Who takes the file up again finds there what was answered after its producer had died.
    """

    def __init__(self, out: Path) -> None:
        self._path = out.with_name(f"{out.name}.run")

    def name(self, *, resume: bool) -> str:
        """Return the name; a new one if there is none, or if everything begins anew."""
        if (
            resume
            and self._path.exists()
            and (name := self._path.read_text(encoding="ascii", errors="replace").strip())
        ):
            return name
        name = uuid.uuid4().hex
        beside = self._path.with_name(f"{self._path.name}.new")
        with beside.open("w", encoding="ascii") as file:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        return name

    def forget(self) -> None:
        """Forget the name: everything has its answer."""
        self._path.unlink(missing_ok=True)


@dataclass(kw_only=True)
class QueuedAnswers:
    """Answers to questions that workers ask.

    Attributes:
        url: Where Redis is.
        queue: The queue there.
        prefix: What separates this account there from others.
        run: The name of the run.
        questions: The questions.
        again: When those that are asked again had failed, by key.
        bot_id: The bot of every question that names none.
        user_id: Who asks, for every question that does not say.
        limit: How many questions may be in the queue or at work.
        ordered: Hand the answers out in the order of the questions.
        polling: How the workers look for the answers; None streams them.
        tell: Is told what somebody should know meanwhile.
    """

    url: str
    queue: str
    prefix: str
    run: str
    questions: Iterable[ChatItem]
    again: Mapping[str | int, float]
    bot_id: str | None
    user_id: str
    limit: int
    ordered: bool
    polling: Polling | None
    tell: Callable[[str], None]
    _producer: "Producer | None" = field(default=None, init=False)
    _batch: FanOut[ChatItem, ChatResult] | None = field(default=None, init=False)

    @property
    def stopped_by(self) -> str | None:
        """Why it has ended before the questions did; None if it has not."""
        return str(self._batch.stopped_by) if self._batch and self._batch.stopped_by else None

    @property
    def untaken(self) -> list[Answer]:
        """Answers that had come and were not taken when the block was left."""
        outcomes = self._batch.untaken if self._batch else []
        return [self._answer(outcome) for outcome in outcomes if _is_asked(outcome)]

    async def __aenter__(self) -> Self:
        from coze_async.taskiq import ChatBroker, Producer

        producer = Producer(ChatBroker(self.url, queue=self.queue, prefix=self.prefix, tell=self.tell), run=self.run)
        await producer.__aenter__()
        self._producer = producer
        self._batch = producer.batch(
            self.questions,
            bot_id=self.bot_id,
            user_id=self.user_id,
            key=self._key,
            limit=self.limit,
            ordered=self.ordered,
            polling=self.polling,
        )
        await self._batch.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._batch is not None:
                await self._batch.__aexit__(kind, error, traceback)
        finally:
            if self._producer is not None:
                await self._producer.__aexit__(kind, error, traceback)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        if self._batch is None:
            raise RuntimeError("Answers are taken inside a block: async with answers: ...")
        while True:
            outcome = await anext(self._batch)
            if _is_asked(outcome):
                return self._answer(outcome)

    def _answer(self, outcome: Outcome[ChatItem, ChatResult]) -> Answer:
        return answer_of(outcome, bot_id=self.bot_id, user_id=self.user_id, now=time.time())

    def _key(self, item: ChatItem) -> str:
        # What failed and is asked again is another question than the one that failed.
        name: Any = item.key.key
        return f"{name!r} {self.again.get(name, '')}"


def _is_asked(outcome: Outcome[ChatItem, ChatResult]) -> bool:
    """True unless the question was taken back: then nothing has become of it."""
    from coze_async.taskiq import NotAskedError

    return not isinstance(outcome.error, NotAskedError)
