"""`Producer`: brings questions to the workers of a queue, and their answers back."""

import contextlib
import hashlib
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack, cast

import anyio
import anyio.abc
from redis.exceptions import RedisError
from taskiq.exceptions import SendTaskError
from taskiq.kicker import AsyncKicker

from coze_async._batch import FanOut, Items, fan_out
from coze_async._broker import LEAVING, TASK, ChatBroker, plain
from coze_async._config import Polling
from coze_async._errors import STOP_ON, CozeError, DecodeError
from coze_async._logging import shortened
from coze_async._parcels import Answer, Parcel
from coze_async._question import ChatItem, Question
from coze_async._tally import TALLY
from coze_async.models import ChatResult
from coze_async.resources.chat import ChatOptions

__all__ = ["NotAskedError", "Producer"]

Q = TypeVar("Q", bound=Question | ChatItem)

# How often outcomes are looked for while they come, and while none do, in seconds.
_OFTEN, _SELDOM = 0.02, 0.5
# How many are looked for in one exchange.
_CHUNK = 250
# After so long without an outcome: are there workers at all? In seconds.
_SILENCE = 10.0


class NotAskedError(CozeError):
    """A question was taken back before any worker had begun with it: its run was stopped."""


class Producer(AbstractAsyncContextManager["Producer"]):
    """Brings questions to the workers of a queue, and their answers back.

    Args:
        broker: The queue; the producer starts it and shuts it down.
        run: A name for this run. Outcomes are kept by run and key: one that was brought before is not asked again,
            also if that producer has died. None makes up a name that nobody has used.

    Attributes:
        run: The name of this run.
    """

    def __init__(self, broker: ChatBroker, *, run: str | None = None) -> None:
        self.run: str = run if run is not None else uuid.uuid4().hex
        self._broker = broker
        self._queue = broker.queue
        self._waiting: dict[str, _Waiting] = {}
        self._is_asked = anyio.Event()
        self._tasks: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        await self._broker.startup()
        # A run that was stopped, by a quota perhaps, goes on.
        await self._broker.insist(partial(self._queue.resume, self.run))
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._collected)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = cast("anyio.abc.TaskGroup", self._tasks)
        tasks.cancel_scope.cancel()
        try:
            # The error of the block is not shown to the group, which would wrap it; a cancellation is its business.
            is_cancelled = isinstance(error, anyio.get_cancelled_exc_class())
            await tasks.__aexit__(*((kind, error, traceback) if is_cancelled else (None, None, None)))
        except BaseExceptionGroup as group:
            raise plain(group) from None
        finally:
            await self._taken_back(list(self._waiting))
            for key in self._waiting:
                self._over(key, None, "its producer was closed.")
            with anyio.CancelScope(shield=True):
                await self._broker.shutdown()

    def batch(
        self,
        items: Items[Q],
        *,
        bot_id: str | None = None,
        user_id: str | None = None,
        key: Callable[[Q], str] | None = None,
        limit: int = 1000,
        ordered: bool = False,
        polling: Polling | None = None,
        stop_on: type[Exception] | tuple[type[Exception], ...] = STOP_ON,
        **options: Unpack[ChatOptions],
    ) -> FanOut[Q, ChatResult]:
        """Have a bot asked every item, and hand the outcomes out as they finish; as `coze.chat.batch`, by workers.

            async with producer.batch(questions, bot_id="…", user_id="…") as outcomes:
                async for outcome in outcomes:
                    print(outcome.item, outcome.value.text if outcome.is_ok else outcome.error)

        If a run is stopped, what no worker has begun with is an outcome with NotAskedError.

        Args:
            items: Texts, Messages, lists of MessageObject, or ChatItems, which may have a bot and a user of their own.
            bot_id: The bot of every item that names none.
            user_id: Who asks, for every item that does not say.
            key: Makes out of an item what it is known by in this run, so that a producer that takes the run up again
                has nothing asked twice. None makes up keys that nobody has used.
            limit: How many may be in the queue or at work at a time.
            ordered: Hand the outcomes out in the order of the items.
            polling: How the workers shall look for the answers; None streams them.
            stop_on: Errors that end the batch. Those that it has by default stop the run for all workers.
            **options: See `ChatOptions`; for every item that does not say otherwise.

        Raises:
            ConfigurationError: an argument cannot be right.
        """
        shared: dict[str, Any] = {**options, "bot_id": bot_id, "user_id": user_id}

        async def ask(item: Q) -> ChatResult:
            message, own = (item.message, item.own) if isinstance(item, ChatItem) else (item, {})
            named = {**shared, **own}
            parcel = Parcel(message, named.pop("bot_id"), named.pop("user_id"), named, polling)
            return await self._answered(parcel, None if key is None else key(item))

        return fan_out(ask, items, limit=limit, ordered=ordered, stop_on=stop_on)

    async def ask(
        self,
        message: Question | None = None,
        *,
        bot_id: str,
        user_id: str,
        key: str | None = None,
        polling: Polling | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResult:
        """Return a bot's whole answer, got by some worker.

        A task that is cancelled here takes the question back if nobody has begun with it.

        Args:
            message: A text, a Message, or a list of MessageObject.
            bot_id: A bot that is published to the API channel.
            user_id: Any name for the end user.
            key: What the question is known by in this run: the same key with the same question is asked once. None
                makes up one that nobody has used.
            polling: How the worker shall look for the answer; None streams it.
            **options: See `ChatOptions`.

        Raises:
            NotAskedError: the run was stopped before anybody had begun with it.
            CozeError: what the worker met.
        """
        return await self._answered(Parcel(message, bot_id, user_id, options, polling), key)

    async def _answered(self, question: Parcel, key: str | None) -> ChatResult:
        parcel = question.to_json()
        known = f"{self.run}:{_digest(uuid.uuid4().hex if key is None else key, parcel)}"
        waiting = self._waiting.get(known)
        if waiting is None:
            waiting = self._waiting[known] = _Waiting()
        waiting.askers += 1
        try:
            if waiting.askers == 1:
                await self._brought(known, parcel)
                waiting.parcel = parcel
                self._is_asked.set()
            await waiting.over.wait()
        finally:
            waiting.askers -= 1
            if not waiting.askers:
                del self._waiting[known]
                if not waiting.over.is_set():
                    await self._taken_back([known])
        if waiting.answer is None:
            raise NotAskedError(f"Not asked: {waiting.reason}")
        return _unwrapped(waiting.answer)

    async def _brought(self, known: str, parcel: str) -> None:
        """Bring a question to the queue, unless it is there."""
        # taskiq must not take it out: that is done together with storing the answer.
        kicker: AsyncKicker[Any, Any] = AsyncKicker(TASK, self._broker, {"ack_type": "manual"})
        try:
            await kicker.with_task_id(known).kiq(parcel=parcel, run=self.run)
        except SendTaskError as error:
            raise error.__cause__ or error from None

    async def _taken_back(self, keys: Sequence[str]) -> None:
        """Take back what nobody has begun with, as far as Redis can be told."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(LEAVING), contextlib.suppress(RedisError, OSError):
            await self._queue.withdraw(keys)

    async def _collected(self) -> None:
        """Hand out outcomes as they come."""
        pause, lost = _OFTEN, set[str]()
        heard_at = swept_at = anyio.current_time()
        is_told = False
        while True:
            if not self._waiting:
                self._is_asked = anyio.Event()
                await self._is_asked.wait()
                heard_at = anyio.current_time()
            began = anyio.current_time()
            if await self._look():
                pause, heard_at, is_told = _OFTEN, began, False
            else:
                pause = min(_SELDOM, 1.5 * pause)
            if began - swept_at > self._queue.rules.idle_timeout:
                swept_at, lost = began, await self._found_again(lost)
            if began - heard_at > _SILENCE and not is_told and not await self._broker.insist(self._queue.workers):
                is_told = True
                self._broker.tell(
                    f"No worker takes anything from Redis at {self._broker.place}. Start some, with the same "
                    "--queue and --prefix: coze-async worker --broker URL"
                )
            # However much is waited for, looking takes a fifth of the time at most.
            await anyio.sleep(max(pause, 4 * (anyio.current_time() - began)))

    async def _look(self) -> int:
        """Hand out the outcomes that are there, and return how many it was."""
        number = 0
        asked = [key for key, waiting in self._waiting.items() if waiting.parcel and not waiting.over.is_set()]
        for keys in _chunks(asked):
            outcomes, stop = await self._broker.insist(partial(self._queue.outcomes, keys, self.run))
            for key, outcome in zip(keys, outcomes, strict=True):
                if outcome is not None:
                    number += self._over(key, _read(outcome))
            if stop is not None:
                left = [key for key, outcome in zip(keys, outcomes, strict=True) if outcome is None]
                withdrawn = await self._broker.insist(partial(self._queue.withdraw, left))
                for key, is_withdrawn in zip(left, withdrawn, strict=True):
                    if is_withdrawn:
                        number += self._over(key, None, f"the run was stopped before. {stop}")
        return number

    def _over(self, key: str, answer: Answer | None, reason: str = "") -> bool:
        waiting = self._waiting.get(key)
        if waiting is None:
            return False
        waiting.answer, waiting.reason = answer, reason
        waiting.over.set()
        return True

    async def _found_again(self, lost: Collection[str]) -> set[str]:
        """Bring again what Redis has lost, and return what it may have lost.

        Only what was missed twice is lost: in between, a worker that has it has shown itself.
        """
        asked = [key for key, waiting in self._waiting.items() if waiting.parcel and not waiting.over.is_set()]
        missed: set[str] = set()
        for keys in _chunks(asked):
            missed.update(await self._broker.insist(partial(self._queue.unknown, keys)))
        again = [(key, waiting) for key in missed & set(lost) if (waiting := self._waiting.get(key))]
        if again:
            what = "1 question; it is" if len(again) == 1 else f"{len(again):,} questions; they are"
            self._broker.tell(f"Redis at {self._broker.url} has lost {what} brought again.")
        for key, waiting in again:
            await self._brought(key, waiting.parcel)
        return missed


class _Waiting:
    """A question whose outcome is waited for."""

    __slots__ = ("answer", "askers", "over", "parcel", "reason")

    def __init__(self) -> None:
        self.askers = 0
        # Empty until it has been brought.
        self.parcel = ""
        self.over = anyio.Event()
        self.answer: Answer | None = None
        self.reason = ""


def _read(outcome: bytes) -> Answer:
    """Return what became of a question; what cannot be read is an error of this question, and of no other."""
    try:
        return Answer.from_json(outcome)
    except Exception as error:  # noqa: BLE001 - whatever a worker of another version has written
        return Answer(
            None,
            DecodeError(
                f"The outcome that a worker has stored cannot be read ({type(error).__name__}: {error}). "
                "Give producers and workers the same version of coze_async.",
                body=shortened(outcome.decode("utf-8", "replace")),
            ),
            # Nobody knows; it may have cost.
            attempts=1,
        )


def _unwrapped(answer: Answer) -> ChatResult:
    """Return the answer or raise what the worker met; the attempts and the time are the worker's."""
    tally = TALLY.get()
    if tally is not None:
        tally.attempts += answer.attempts
        tally.began = anyio.current_time() - answer.seconds
    if answer.error is not None:
        raise answer.error
    return cast("ChatResult", answer.value)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), _CHUNK):
        yield keys[start : start + _CHUNK]
