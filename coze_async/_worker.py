"""`Worker`: answers what producers put into a queue."""

import math
from collections.abc import Sequence
from functools import partial
from itertools import count
from typing import Annotated, Any, cast

import anyio
import anyio.abc
from taskiq import Context, TaskiqDepends
from taskiq.receiver import Receiver

from coze_async._batch import Failed, Outcome, ends_batch
from coze_async._broker import LEAVING, TASK, ChatBroker, plain
from coze_async._client import AsyncCoze
from coze_async._errors import ConfigurationError, CozeError
from coze_async._logging import log, shortened
from coze_async._parcels import Answer, Parcel
from coze_async._question import ChatItem
from coze_async._queue import Claim, Delivery
from coze_async.models import Chat, ChatResult
from coze_async.resources.chat import ChatOptions

__all__ = ["Worker"]

# After another one's claim has run out, in seconds.
_SOON = 0.05


class Worker:
    """Answers what producers put into a queue, so many questions at a time.

    Each is claimed before it is asked, and its outcome is stored before it leaves the queue: an item that is handed
    out a second time is asked again only if its first worker has been silent for `Rules.idle_timeout`.

    Args:
        broker: The queue.
        coze: Asks; its limiter should be one that all workers share, such as RedisLimiter.
        at_once: How many questions at a time.
        grace: How long questions that are being answered may take when the worker is to finish, in seconds, with
            storing the answers; then they are given back, and their chats cancelled. Five seconds later the worker
            leaves, whatever Redis has not taken by then.

    Attributes:
        answered: Questions that were answered.
        failed: Questions that could not be.
        given_back: Questions that another worker has to answer.
        in_hand: Questions that are being answered now.
        unstored: What became of questions and Redis did not take before the worker had to leave. Others ask these
            questions again.
    """

    def __init__(self, broker: ChatBroker, coze: AsyncCoze, *, at_once: int = 16, grace: float = 20.0) -> None:
        if at_once < 1 or grace < 0:
            raise ConfigurationError(f"at_once={at_once!r}, grace={grace!r}: give 1 or more, and 0 or more seconds.")
        self.answered: int = 0
        self.failed: int = 0
        self.given_back: int = 0
        self.in_hand: int = 0
        self.unstored: list[Outcome[ChatItem, ChatResult]] = []
        self._broker = broker
        self._queue = broker.queue
        self._coze = coze
        self._at_once = at_once
        self._grace = grace
        self._numbers = count(1)
        self._finishing = anyio.Event()
        self._tasks: anyio.abc.TaskGroup | None = None
        # When what has to reach Redis must have reached it.
        self._leaving_at = math.inf
        self._keeping: set[anyio.CancelScope] = set()

        # taskiq gives names to its functions, and a method takes none.
        async def answer(parcel: str, run: str, context: Annotated[Context, TaskiqDepends()]) -> None:
            await self._handed(broker.handed(context.message.task_id), parcel, run)

        broker.register_task(answer, TASK)

    def finish(self) -> None:
        """Take nothing more; `run` returns when what is in hand is answered, or `grace` seconds have passed."""
        self._finishing.set()

    def give_back(self) -> None:
        """Take nothing more and give back at once what is in hand; `run` returns within five seconds."""
        self.finish()
        self._leave()
        if self._tasks is not None:
            self._tasks.cancel_scope.cancel()

    def _leave(self) -> None:
        """Let what has to reach Redis do so within `LEAVING`; whoever says it again does not make it longer."""
        if self._leaving_at == math.inf:
            self._leaving_at = anyio.current_time() + LEAVING
            for scope in self._keeping:
                scope.deadline = self._leaving_at

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Answer until told to finish. If it is cancelled, it gives back what is in hand, within five seconds.

        Raises:
            ConfigurationError: what is at the address is no Redis that can be used, or not any more.
            TransportError: no Redis was there when it began.
        """
        broker = self._broker
        broker.is_worker_process = True
        await broker.startup()
        # Without a look at types, without prefetching: what there is no place for is better with another worker.
        receiver = Receiver(
            broker, max_async_tasks=self._at_once, max_prefetch=0, validate_params=False, run_startup=False
        )
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._end_of_grace)
                task_status.started()
                # Any event does that can be waited for and asked.
                await receiver.listen(cast("Any", self._finishing))
                self._tasks.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise plain(group) from None
        finally:
            with anyio.CancelScope(shield=True):
                with anyio.CancelScope(deadline=self._leaving_at):
                    self.given_back += await broker.insist(self._queue.leave)
                if self.unstored:
                    broker.tell(_not_stored(self.unstored, broker.url))
                await broker.shutdown()

    async def _end_of_grace(self) -> None:
        try:
            await self._finishing.wait()
            await anyio.sleep(self._grace)
            self.give_back()
        finally:
            # Also if it was cancelled: what is shielded does not hear of that.
            self._leave()

    async def _handed(self, delivery: Delivery, parcel: str, run: str) -> None:
        """Have a question answered in a task of our own.

        Whatever cancels something in a task of taskiq's describes that task, and with it all others that run: 0.5 s
        of CPU with 25 of them.
        """
        is_over = anyio.Event()
        cast("anyio.abc.TaskGroup", self._tasks).start_soon(self._answer, delivery, parcel, run, is_over)
        await is_over.wait()

    async def _answer(self, delivery: Delivery, parcel: str, run: str, is_over: anyio.Event) -> None:
        """Answer one question, or give it back."""
        # A name for this attempt: this process too may be handed the item again.
        owner = f"{self._queue.consumer}/{next(self._numbers)}"
        self.in_hand += 1
        try:
            await self._claimed(delivery, owner, parcel, run)
        except anyio.get_cancelled_exc_class():
            self._leave()
            with anyio.CancelScope(shield=True, deadline=self._leaving_at):
                await self._broker.insist(partial(self._queue.give_back, delivery, owner))
                self.given_back += 1
            raise
        finally:
            self.in_hand -= 1
            is_over.set()

    async def _claimed(self, delivery: Delivery, owner: str, parcel: str, run: str) -> None:
        """Answer a question if nobody else does or has."""
        insist, queue = self._broker.insist, self._queue
        while True:
            claim, left = await insist(partial(queue.claim, delivery, owner, run))
            if claim is Claim.OVER:
                return
            if claim is Claim.MINE:
                break
            await anyio.sleep(min(left + _SOON, queue.rules.pulse))
        # Each of those may have asked.
        outcome = _failed(_given_up(delivery.count - 1), attempts=delivery.count - 1)
        if delivery.count <= queue.rules.deliveries:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._shows_itself, delivery, owner)
                outcome = await self._asked(parcel)
                tasks.cancel_scope.cancel()
        error = outcome.error
        answer = Answer(outcome.value, error, outcome.attempts, outcome.seconds)
        stop = str(error) if error is not None and ends_batch(error) else ""
        with anyio.CancelScope(shield=True, deadline=self._leaving_at) as keeping:
            self._keeping.add(keeping)
            try:
                await insist(partial(queue.settle, delivery, owner, run, answer.to_json(), stop=stop))
            finally:
                self._keeping.discard(keeping)
        if keeping.cancelled_caught:
            self.unstored.append(outcome)
        elif error is None:
            self.answered += 1
        else:
            self.failed += 1

    async def _shows_itself(self, delivery: Delivery, owner: str) -> None:
        """Show that the item is in hand, again and again."""
        while True:
            await anyio.sleep(self._queue.rules.pulse)
            if not await self._broker.insist(partial(self._queue.renew, delivery, owner)):
                log.warning(
                    "another worker answers %s too: this one had been silent for %g s", delivery.key,
                    self._queue.rules.idle_timeout,
                )  # fmt: skip
                return

    async def _asked(self, text: str) -> Outcome[ChatItem, ChatResult]:
        """Ask, and say what came of it. If it is cancelled, the chat is cancelled on the server too."""
        try:
            parcel = Parcel.from_json(text)
            asked = self._coze.chat.batch(
                [ChatItem(parcel.message)],
                bot_id=parcel.bot_id,
                user_id=parcel.user_id,
                polling=parcel.polling,
                stop_on=(),
                **cast("ChatOptions", parcel.options),
            )
        except Exception as error:  # noqa: BLE001 - whatever somebody has put there, it must not end the worker
            return _failed(error if isinstance(error, CozeError) else _unreadable(error))
        [outcome] = await asked.collect()
        return outcome


def _failed(error: CozeError, *, attempts: int = 0) -> Outcome[ChatItem, ChatResult]:
    """Return what became of a question that was not asked here."""
    return Failed(0, ChatItem(), None, error, attempts, 0.0, 0.0)


def _not_stored(outcomes: Sequence[Outcome[ChatItem, ChatResult]], url: str) -> str:
    """Return what to say of outcomes that Redis did not take."""
    what = "1 answer is" if len(outcomes) == 1 else f"{len(outcomes):,} answers are"
    words = (
        f"{what} not stored: Redis at {url} took nothing until this worker had to leave. Others ask these questions "
        "again, which costs again, as after a worker that died. What Coze keeps of a chat can be had from there: "
        "await coze.chat.messages.list(conversation_id=…, chat_id=…)"
    )
    return "\n  ".join([words, *(_named(outcome) for outcome in outcomes)])


def _named(outcome: Outcome[ChatItem, ChatResult]) -> str:
    """Return the ids of a chat, or why there is none."""
    result = outcome.value if outcome.is_ok else getattr(outcome.error, "partial", None)
    chat: Chat | None = getattr(outcome.error, "chat", None) or getattr(result, "chat", None)
    if chat is None:
        return shortened(str(outcome.error), 200)
    return f"conversation_id={chat.conversation_id} chat_id={chat.id}"


def _given_up(times: int) -> CozeError:
    return CozeError(
        f"Given up: {times} workers that had this question fell silent, and its chats may have cost. Look at what it "
        "does to a worker: its log, and its memory."
    )


def _unreadable(error: Exception) -> CozeError:
    return CozeError(
        f"The worker cannot read this question ({type(error).__name__}: {error}), so it was not asked. Give producers "
        "and workers the same version of coze_async."
    )
