"""`coze-async worker`: answers what `coze-async batch --broker` puts into a queue."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

import anyio.abc

from coze_async import Limits, Rate, RedisLimiter
from coze_async._redis import PREFIX
from coze_async.cli._connect import connected
from coze_async.cli._output import Output
from coze_async.cli._queue import needs_extra
from coze_async.cli._runner import Runner
from coze_async.cli._words import counted, spent

if TYPE_CHECKING:
    from coze_async.taskiq import Worker

__all__ = ["Settings", "work"]

# A limiter gives the places of a lost process back after so long at least, in seconds: twice what it waits for Redis.
_SHORTEST_LEASE = 4.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line says.

    Attributes:
        broker: Where Redis is.
        queue: The queue there.
        prefix: What separates this account there from others.
        at_once: Chats at once.
        rate: Chats a minute for each user, of all workers; 0 for no limit, None for the usual.
        account_rate: Requests a second, of all workers; None for no limit.
        account_at_once: Chats at once, of all workers; None for no limit.
        idle_timeout: Seconds after which a worker that is not heard of counts as lost.
        grace: Seconds that chats may take to their end when the worker is to finish.
    """

    broker: str
    queue: str
    prefix: str = PREFIX
    at_once: int = 16
    rate: int | None = None
    account_rate: int | None = None
    account_at_once: int | None = None
    idle_timeout: float = 30.0
    grace: float = 20.0

    @property
    def limits(self) -> Limits:
        """The limits of all workers together."""
        usual = Limits()
        return Limits(
            chat=usual.chat if self.rate is None else Rate(self.rate, 60.0) if self.rate else None,
            # Each worker has as many chats at once as it was told; more than one user may have.
            chats_at_once=None,
            account=self.account_rate,
            account_at_once=self.account_at_once,
        )


def work(output: Output, settings: Settings) -> int:
    """Answer questions until told to stop; returns the exit code."""
    needs_extra()
    from coze_async.taskiq import ChatBroker, Rules, Worker

    rules = Rules(idle_timeout=settings.idle_timeout)
    broker = ChatBroker(settings.broker, queue=settings.queue, prefix=settings.prefix, rules=rules, tell=output.tell)
    limiter = RedisLimiter(
        settings.broker,
        settings.limits,
        prefix=settings.prefix,
        lease=max(_SHORTEST_LEASE, settings.idle_timeout),
        # A worker waits for Redis; chats that have begun go on meanwhile.
        on_redis_down="local",
    )
    with connected(output, limiter=limiter) as connection:
        worker = Worker(broker, connection.coze, at_once=settings.at_once, grace=settings.grace)
        started = _Announcement(output, f"Answering questions from {broker.place}: {settings.at_once} at a time.")

        async def serve() -> None:
            await broker.look()
            async with limiter:
                await worker.run(task_status=started)

        with _signals(_Stop(output, connection.runner, worker, settings.grace)) as stop:
            connection.runner.run(serve)
    back = f", gave {worker.given_back:,} back" if worker.given_back else ""
    failed = f", {worker.failed:,} failed" if worker.failed else ""
    unstored = f", {counted(len(worker.unstored), 'answer')} not stored" if worker.unstored else ""
    output.tell(f"Answered {counted(worker.answered, 'question')}{failed}{back}{unstored}.")
    if worker.unstored:
        return 1
    return 130 if stop.signal == signal.SIGINT else 0


class _Announcement(anyio.abc.TaskStatus[None]):
    """Says that a worker is ready."""

    def __init__(self, output: Output, words: str) -> None:
        self._output = output
        self._words = words

    def started(self, value: None = None) -> None:
        del value
        self._output.note(f"{self._words} Ctrl-C finishes.")


class _Stop:
    """What signals do: the first lets a worker finish, the second lets it give back what it has."""

    def __init__(self, output: Output, runner: Runner, worker: "Worker", grace: float) -> None:
        self._output = output
        self._runner = runner
        self._worker = worker
        self._grace = grace
        self.signal = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        del frame
        # The next signal may come while this one is being handled; who writes words then writes them twice.
        before, self.signal = self.signal, self.signal or number
        self._runner.soon(self._give_back if before else self._finish)

    def _finish(self) -> None:
        if in_hand := self._worker.in_hand:
            self._output.note(
                f"Finishing {counted(in_hand, 'question')}, within {spent(self._grace)}; the rest is given back. "
                "Ctrl-C again does so now."
            )
        self._worker.finish()

    def _give_back(self) -> None:
        self._output.note("Giving back what is being answered.")
        self._worker.give_back()


@contextmanager
def _signals(stop: _Stop) -> Generator[_Stop]:
    """Let Ctrl-C and the usual way to end a service come to `stop`."""
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = [(number, signal.signal(number, stop)) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)
