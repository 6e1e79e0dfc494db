"""Many calls, a few at a time: items go in, an outcome for each comes out as it finishes."""

import operator
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Never, Self, TypeVar, cast

import anyio
from anyio.abc import TaskGroup

from coze_async._checks import is_whole
from coze_async._errors import (
    STOP_ON,
    ChatFailedError,
    ConfigurationError,
    CozeError,
    QuotaError,
    WorkflowError,
    class_of,
)
from coze_async._logging import log, shortened
from coze_async._retry import may_have_started
from coze_async._tally import TALLY, Tally
from coze_async.models import Usage

__all__ = ["Failed", "FanOut", "Items", "Outcome", "Succeeded", "ends_batch", "fan_out"]

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

Items = Iterable[I] | AsyncIterable[I]
"""What a batch takes its items from; it may be endless."""

# How long the items may take to close what they have open, in seconds.
_CLOSING = 2.0

# So many items may wait for limits of their users beyond those that are at work.
_MOST_ASIDE = 1000

_END: Any = object()


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[I, R]):
    """What became of one item: a value or an error.

    Attributes:
        index: The item's number among the items, from 0.
        item: The item itself.
        value: What the call returned; None if it failed.
        error: What it raised; None if it did not.
        attempts: How many requests were sent for it that start or change something, repeats included; what only
            reads, such as polls, is not counted.
        seconds: From its first request to its end; without a request, all of its time but for that.
        waited: Before that, in seconds: mostly for the limits.
        is_ok: True if there is a value.
    """

    index: int
    item: I
    value: R | None
    error: Exception | None
    attempts: int
    seconds: float
    waited: float

    def __repr__(self) -> str:
        became = f"value={self.value!r}" if self.error is None else f"error={shortened(repr(self.error), 80)}"
        named = f"{type(self).__name__}({self.index}"
        return f"{named}, item={shortened(repr(self.item), 60)}, {became}, seconds={self.seconds:.1f})"

    if not TYPE_CHECKING:

        def __new__(cls, *arguments: Any, **named: Any) -> Self:
            """Make one of the two kinds."""
            if cls is not _Outcome:
                return object.__new__(cls)
            error = named["error"] if "error" in named else arguments[3]
            return object.__new__(Succeeded if error is None else Failed)

    @property
    def usage(self) -> Usage | None:
        """The tokens that it took, as far as they are known; also of a chat that failed."""
        for holder in (
            self.value,
            getattr(self.error, "partial", None),
            getattr(self.error, "chat", None),
        ):
            usage = getattr(holder, "usage", None)
            if isinstance(usage, Usage):
                return usage
        return None

    @property
    def may_have_started(self) -> bool:
        """True for a failure whose work may have begun on the server, and cost: doing it again may cost twice."""
        return self.error is not None and self.attempts > 0 and may_have_started(self.error)

    def unwrap(self) -> R:
        """Return the value.

        Raises:
            Exception: what the call raised instead.
        """
        if self.error is not None:
            raise self.error
        return cast("R", self.value)


# mypy takes this for True. Pyright by design does not narrow by `if outcome.is_ok` (its issue 7753): there the value of
# what failed has no type, so that the value of an outcome has the type of what the call returns.
MYPY = False


class Succeeded(_Outcome[I, R]):
    """What became of an item that has a value."""

    __slots__ = ()
    is_ok: ClassVar[Literal[True]] = True

    if TYPE_CHECKING:
        value: R
        error: None


class Failed(_Outcome[I, R]):
    """What became of an item whose call raised an error."""

    __slots__ = ()
    is_ok: ClassVar[Literal[False]] = False

    if TYPE_CHECKING:
        error: Exception
        if MYPY:
            value: None  # pyright: ignore[reportRedeclaration]
        else:
            value: Never


if TYPE_CHECKING:
    Outcome = Succeeded[I, R] | Failed[I, R]
else:
    Outcome = _Outcome
    Outcome.__name__ = Outcome.__qualname__ = "Outcome"


class _Work(Tally):
    """The tally of one item, whose place others may have while it waits for a limit of its user's."""

    __slots__ = ("_places", "is_aside", "is_in")

    def __init__(self, places: "_Places") -> None:
        super().__init__()
        self._places = places
        self.is_aside = False
        self.is_in = anyio.Event()

    def step_aside(self) -> None:
        """Let another item have the place."""
        if not self.is_aside:
            self._places.give_up(self)

    async def step_in(self) -> bool:
        """Take a place again; True if that took time."""
        return self.is_aside and await self._places.take_again(self)


class _Places:
    """Who is at work, who waits for a limit, and who has waited and goes on as soon as there is a place.

    Attributes:
        at_work: How many items are.
        aside: How many have given up their place, those included that may go on.
        stopped_by: The error that has ended the batch, if one has.
    """

    def __init__(self, has_room: Callable[[], bool], on_room: Callable[[], None]) -> None:
        self.at_work = 0
        self.aside = 0
        self.stopped_by: Exception | None = None
        self._has_room = has_room
        self._on_room = on_room
        self._returning: deque[_Work] = deque()

    @property
    def are_wanted(self) -> bool:
        """True if those who have waited wait for a place: they come before new items."""
        return bool(self._returning)

    def give_up(self, work: _Work) -> None:
        """Let somebody else have a place."""
        work.is_aside = True
        self.at_work -= 1
        self.aside += 1
        self._on_room()

    async def take_again(self, work: _Work) -> bool:
        """Wait for a place, behind those who came before; True if that took time.

        Raises:
            CozeError: the batch has ended meanwhile, and nothing was sent for this item yet.
        """
        is_free = not self._returning and self._has_room()
        work.is_in = anyio.Event()
        self._returning.append(work)
        self.admit()
        try:
            await work.is_in.wait()
        except BaseException:
            if work.is_aside:
                self._returning.remove(work)
            raise
        if self.stopped_by is not None and not work.attempts:
            raise CozeError(f"Nothing was sent for this item: the batch had ended by then. {self.stopped_by}")
        return not is_free

    def admit(self) -> None:
        """Give the places that are free to those who have waited."""
        while self._returning and self._has_room():
            work = self._returning.popleft()
            work.is_aside = False
            self.at_work += 1
            self.aside -= 1
            work.is_in.set()

    def leave(self, *, is_aside: bool) -> None:
        """Give back the place of an item that is over."""
        if is_aside:
            self.aside -= 1
        else:
            self.at_work -= 1
        self.admit()


class FanOut(Generic[I, R]):
    """Outcomes of many calls as they finish; see `fan_out`.

    Attributes:
        stopped_by: The error that has ended it before its items did; None if none has.
    """

    def __init__(
        self,
        function: Callable[[I], Awaitable[R]],
        items: Items[I],
        *,
        limit: int = 100,
        ordered: bool = False,
        stop_on: type[Exception] | tuple[type[Exception], ...] = STOP_ON,
        gives_way: bool = False,
    ) -> None:
        if not callable(function):
            raise ConfigurationError(f"function is {function!r}: give an async function that takes one item.")
        if isinstance(items, str | bytes) or not isinstance(items, Iterable | AsyncIterable):
            raise ConfigurationError(
                f"items is a {type(items).__name__}: give a list, a generator, or anything else that can be iterated, "
                "also asynchronously."
            )
        if not is_whole(limit) or limit < 1:
            raise ConfigurationError(f"limit is {limit!r}: give how many may run at a time, 1 or more.")
        if not all(isinstance(kind, type) for kind in (stop_on if isinstance(stop_on, tuple) else (stop_on,))):
            raise ConfigurationError(f"stop_on is {stop_on!r}: give classes of errors in a tuple; () for none.")
        self.stopped_by: Exception | None = None
        self._function = function
        self._items: Iterator[I] | None = None
        self._async_items: AsyncIterator[I] | None = None
        self._owns_items = False
        if isinstance(items, AsyncIterable):
            self._async_items = aiter(items)
            # What `__aiter__` has made nobody else knows of; what was given as an iterator is not ours to end.
            self._owns_items = self._async_items is not items
        else:
            self._items = iter(items)
        self._limit = limit
        # What may be in flight or finished and not handed out. In order, the first may let the others wait.
        self._window = 2 * limit if ordered else limit
        self._ordered = ordered
        # True if a call that waits for a limit of its user's gives its place to another item meanwhile.
        self._gives_way = gives_way
        self._places = _Places(self._has_room, self._call_worker)
        self._stop_on = stop_on
        self._tasks: TaskGroup | None = None
        self._is_over = False
        # Of the items: how many were taken, whether somebody is about to take one, and how they ended.
        self._taken = 0
        self._taking: anyio.CancelScope | None = None
        self._has_ended = False
        self._broken: Exception | None = None
        # Of the workers: how many there are, and who waits for something to do.
        self._workers = 0
        self._idle: deque[anyio.Event] = deque()
        self._fatal: BaseException | None = None
        # Of the outcomes: those that can be handed out, those that came before their turn, and who waits for one.
        self._ready: deque[Outcome[I, R]] = deque()
        self._early: dict[int, Outcome[I, R]] = {}
        self._due = 0
        self._waiting: anyio.Event | None = None

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("This batch was begun before, and its items are gone. Make a new one.")
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._call_worker()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = cast("TaskGroup", self._tasks)
        self._is_over = True
        tasks.cancel_scope.cancel()
        try:
            # The group is not shown the error of the block: it would wrap it.
            await tasks.__aexit__(None, None, None)
        finally:
            await self._let_go()
        if error is None and self._fatal is not None:
            raise self._fatal

    async def _let_go(self) -> None:
        """End the items if nobody else can, and keep them no longer."""
        items, self._items, self._async_items = self._async_items, None, None
        close = getattr(items, "aclose", None)
        if self._owns_items and close is not None:
            with anyio.move_on_after(_CLOSING, shield=True):
                await close()

    def __aiter__(self) -> Self:
        if self._tasks is None:
            raise RuntimeError(
                "A batch runs inside a block, which ends what is still running when it is left. Write:\n"
                "    async with fan_out(...) as outcomes:\n"
                "        async for outcome in outcomes: ..."
            )
        return self

    async def __anext__(self) -> Outcome[I, R]:
        if self._is_over or self._waiting is not None:
            raise RuntimeError(
                "The block of this batch has been left; what was not taken until then is in `.untaken`."
                if self._is_over
                else "Another task takes the outcomes of this batch. Let one task take them."
            )
        aiter(self)
        while True:
            if self._fatal is not None:
                raise self._fatal
            if self._ready:
                outcome = self._ready.popleft()
                self._call_worker()
                return outcome
            if self._has_ended and self._taking is None and not self._in_flight:
                broken, self._broken = self._broken, None
                if broken is not None:
                    raise broken
                raise StopAsyncIteration
            self._waiting = anyio.Event()
            try:
                await self._waiting.wait()
            finally:
                self._waiting = None

    async def collect(self) -> list[Outcome[I, R]]:
        """Return all outcomes in the order of their items.

        Raises:
            Exception: what `items` itself has raised.
        """
        async with self:
            outcomes = [outcome async for outcome in self]
        return sorted(outcomes, key=operator.attrgetter("index"))

    @property
    def untaken(self) -> list[Outcome[I, R]]:
        """Outcomes that had come and were not taken when the block was left, in the order of their items."""
        return sorted((*self._ready, *self._early.values()), key=operator.attrgetter("index"))

    @property
    def _in_flight(self) -> int:
        """How many items were begun and are not over."""
        return self._places.at_work + self._places.aside

    def _has_room(self) -> bool:
        """True if one who has waited may go on; in order, the one that is due must not wait for those behind it."""
        at_work = self._places.at_work
        return at_work < self._limit and (self._ordered or at_work + len(self._ready) < self._limit)

    def _has_place(self) -> bool:
        """True if one more item may be taken."""
        places = self._places
        if places.are_wanted or places.at_work >= self._limit or places.aside >= _MOST_ASIDE:
            return False
        return places.at_work + len(self._ready) + len(self._early) < self._window

    def _call_worker(self) -> None:
        """See to it that somebody takes the next item, if it may be taken."""
        self._places.admit()
        if self._has_ended or self._taking is not None or not self._has_place():
            return
        if self._idle:
            self._idle.popleft().set()
        elif self._workers - self._places.aside < self._limit and self._tasks is not None:
            self._workers += 1
            self._tasks.start_soon(self._work)

    async def _work(self) -> None:
        """Do one item after the other."""
        places = self._places
        try:
            while not self._has_ended:
                if self._taking is not None or not self._has_place():
                    place = anyio.Event()
                    self._idle.append(place)
                    await place.wait()
                    continue
                item = await self._next_item()
                if item is _END:
                    break
                index = self._taken
                self._taken += 1
                tally = _Work(places) if self._gives_way else Tally()
                places.at_work += 1
                if isinstance(tally, _Work) and places.at_work > self._limit:
                    # While the item was waited for, one who had waited for a limit has taken the place.
                    tally.step_aside()
                self._call_worker()
                outcome = await self._done(index, item, tally)
                self._hand_out(outcome)
                places.leave(is_aside=isinstance(tally, _Work) and tally.is_aside)
        except BaseException as error:
            if isinstance(error, anyio.get_cancelled_exc_class()) and _is_cancelled():
                raise
            # What is no failure of an item, such as KeyboardInterrupt. A group would wrap it.
            self._fatal = error
        self._wake()

    async def _next_item(self) -> I:
        """Return the next item, or _END; what the items raise is kept until all that was taken is handed out."""
        item: I = _END
        try:
            if self._items is not None:
                item = next(self._items, _END)
            else:
                with anyio.CancelScope() as self._taking:
                    item = await anext(cast("AsyncIterator[I]", self._async_items), _END)
        except Exception as error:  # noqa: BLE001 - raised to the one who iterates
            self._broken = error
        finally:
            self._taking = None
        if item is _END:
            self._has_ended = True
        return item

    async def _done(self, index: int, item: I, tally: Tally) -> Outcome[I, R]:
        """Do one item."""
        TALLY.set(tally)
        began = anyio.current_time()
        try:
            await tally.step_in()
            value = await self._function(item)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what became of this item
            seconds, waited = _times(tally, began)
            return Failed(index, item, None, error, tally.attempts, seconds, waited)
        seconds, waited = _times(tally, began)
        return Succeeded(index, item, value, None, tally.attempts, seconds, waited)

    def _hand_out(self, outcome: Outcome[I, R]) -> None:
        error = outcome.error
        if error is not None and self.stopped_by is None and ends_batch(error, self._stop_on):
            self.stopped_by = self._places.stopped_by = error
            self._has_ended = True
            if self._taking is not None:
                # Nobody knows when the next item would come.
                self._taking.cancel()
            log.warning("a batch ends early, after %d items: %s", self._taken, error)
        if not self._ordered:
            self._ready.append(outcome)
        else:
            self._early[outcome.index] = outcome
            while (due := self._early.pop(self._due, None)) is not None:
                self._ready.append(due)
                self._due += 1
        self._wake()

    def _wake(self) -> None:
        """Tell who waits for an outcome that there is one, or that there will be none."""
        if self._waiting is not None and (self._ready or not self._in_flight or self._fatal is not None):
            self._waiting.set()


def fan_out(
    function: Callable[[I], Awaitable[R]],
    items: Items[I],
    *,
    limit: int = 100,
    ordered: bool = False,
    stop_on: type[Exception] | tuple[type[Exception], ...] = STOP_ON,
) -> FanOut[I, R]:
    """Call an async function for every item, so many at a time, and hand the outcomes out as they finish.

        async with fan_out(ask, questions, limit=100) as outcomes:
            async for outcome in outcomes:
                print(outcome.item, outcome.value if outcome.is_ok else outcome.error)

    Every item that was taken has its outcome, whatever the function raises. An item is taken only when there is a
    place for it, and a place is free again when its outcome was handed out: so who takes them slowly slows it down,
    and nothing piles up. Leaving the block cancels what is still running and waits for its clean-up. What `items`
    raises comes after the outcomes of what was taken.

    Args:
        function: Takes one item.
        items: Anything that can be iterated, also asynchronously or without an end. A generator stays yours: after an
            early end it can be gone on with, and `contextlib.aclosing` closes an async one.
        limit: How many at a time.
        ordered: Hand them out in the order of the items; then up to `2 * limit` are taken ahead of the one that is due.
        stop_on: Errors that end the batch: no more items are taken, and what runs goes on to its end. A chat or run
            that failed with the code of a quota counts as QuotaError. `()` for none.

    Raises:
        ConfigurationError: an argument cannot be right.
    """
    return FanOut(function, items, limit=limit, ordered=ordered, stop_on=stop_on)


def ends_batch(error: Exception, stop_on: type[Exception] | tuple[type[Exception], ...] = STOP_ON) -> bool:
    """Return whether what went wrong with one item will go wrong with the next ones too."""
    if isinstance(error, stop_on):
        return True
    # A quota that ran out may show in a chat or run that had been started.
    if not isinstance(error, ChatFailedError | WorkflowError):
        return False
    return class_of(error.code, None) is QuotaError and issubclass(QuotaError, stop_on)


def _times(tally: Tally, began: float) -> tuple[float, float]:
    """Return how long an item was at work, and how long it had waited before."""
    ended = anyio.current_time()
    waited = tally.waited if tally.began is None else tally.began - began
    return ended - began - waited if tally.began is None else ended - tally.began, waited


def _is_cancelled() -> bool:
    """True if it was a cancel scope that has cancelled the present task."""
    return anyio.current_effective_deadline() == float("-inf")
