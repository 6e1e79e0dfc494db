"""When a user may send the next request, and how many chats may run at once.

The rate is an exact sliding log: never more than `limit` requests in any window of `period` seconds, as the server
counts them. Waiters are served first in, first out; one that is cancelled takes nothing with it; users who are idle
are forgotten. Time is the event loop's clock.
"""

import dataclasses
import logging
import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple, Self

import anyio

from coze_async._checks import NotCopied, is_number, is_whole
from coze_async._errors import ConfigurationError
from coze_async._logging import log
from coze_async._tally import TALLY

__all__ = ["KINDS", "CountingLimiter", "LimitStatistics", "Limiter", "Limits", "LocalLimiter", "Rate", "Slot", "Wait"]

# Below this a clock may not move at all: a turn that is due within it is due.
_TICK = 1e-6

# Polls in flight may use this part of the account's rate together; the rest is kept for what starts something.
_SHARE_OF_POLLS = 0.5

# Every so many turns idle users are forgotten, so many at once: that takes some milliseconds.
_SWEEP_EVERY, _SWEPT = 16, 2000
# A sweep that has met so many who are not idle is over.
_MET = 2

# A wait that takes longer than this is told at once, as a warning; in seconds.
_LONG = 5.0


class Kind(NamedTuple):
    """How a class of requests is counted.

    Attributes:
        rate: The field of `Limits` with its rate per user; None if users have none.
        bucket: Which rate of the account counts it too; None if only the whole does.
    """

    rate: str | None = None
    bucket: str | None = None


# The buckets are those of coze.cn page get_benefit: creating, retrieving and listing the messages of chats share one;
# running workflows and chatflows, and reading their histories, another.
KINDS: Mapping[str, Kind] = {
    "chat": Kind("chat", "chat"),
    "chat_look": Kind(None, "chat"),
    "chatflow": Kind("chat", "workflow"),
    "workflow": Kind("workflow", "workflow"),
    "workflow_look": Kind(None, "workflow"),
    "bot_management": Kind("bot_management"),
    "bot_info": Kind("bot_info"),
    "upload": Kind("upload"),
    "collaboration": Kind("collaboration"),
    "other": Kind(),
}
"""Every class of requests by its name."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` requests in any `period` seconds.

    Attributes:
        limit: How many.
        period: The window, in seconds.
        guard: Seconds added to the window, because requests do not all travel equally long: 50 ms of jitter make 80
            per minute out of an exact 60. None takes a tenth of the period, 1 s at most.
    """

    limit: int
    period: float
    guard: float | None = None

    def __post_init__(self) -> None:
        are_numbers = is_whole(self.limit) and is_number(self.period) and (self.guard is None or is_number(self.guard))
        if not (are_numbers and self.limit >= 1 and 0 < self.period < math.inf and 0 <= (self.guard or 0.0) < math.inf):
            raise ConfigurationError(
                f"{self!r} is no rate: give a limit of 1 or more that is a whole number, a period above 0 seconds, and "
                "a guard that is not negative, both with an end; None in `Limits` means no limit."
            )

    @property
    def window(self) -> float:
        """The period with its guard, in seconds."""
        return self.period + (min(1.0, self.period / 10) if self.guard is None else self.guard)


_RATES = ("chat", "bot_management", "bot_info", "upload", "collaboration", "workflow")
_NUMBERS = (
    "chats_at_once", "chats_per_conversation", "account", "account_chat", "account_workflow", "account_at_once",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """What each user and the account may do; None in a field means no limit.

    The rates of chats and bots are what Coze Plus publishes, that of uploads is the clouds' for personal accounts
    (coze.cn page upload_files), that of collaborators theirs for all (add_bot_collaborator). What an account may do
    per second the clouds tell: `await coze.limits.learn()`.

    Attributes:
        chat: New chats, and chatflows whose user is named, per user.
        bot_management: Requests that create or change bots, per user.
        bot_info: Requests that read bots, per user.
        chats_at_once: Streams and polls in flight, per user.
        account: Requests of any kind per second, for the whole token.
        upload: Files that are uploaded, per user.
        collaboration: Collaborators that are added or removed, per user.
        workflow: Workflows that are run, per user.
        chats_per_conversation: Chats in flight in one conversation; the clouds refuse a second one (code 4016).
        account_chat: Chats that are started or looked at per second, for the whole token.
        account_workflow: Workflows and chatflows that are started or looked at per second, for the whole token.
        account_at_once: Streams and polls in flight, for the whole token.
    """

    chat: Rate | None = Rate(60, 60.0)
    bot_management: Rate | None = Rate(30, 60.0)
    bot_info: Rate | None = Rate(100, 60.0)
    chats_at_once: int | None = 16
    account: int | None = None
    upload: Rate | None = Rate(10, 1.0)
    collaboration: Rate | None = Rate(5, 1.0)
    workflow: Rate | None = None
    chats_per_conversation: int | None = 1
    account_chat: int | None = None
    account_workflow: int | None = None
    account_at_once: int | None = None

    def __post_init__(self) -> None:
        for name in _RATES:
            rate = getattr(self, name)
            if rate is not None and not isinstance(rate, Rate):
                raise ConfigurationError(f"Limits.{name} is {rate!r}: give a Rate, such as Rate(60, 60.0), or None.")
        for name in _NUMBERS:
            number = getattr(self, name)
            if number is not None and (not is_whole(number) or number < 1):
                raise ConfigurationError(f"Limits.{name} is {number!r}: give 1 or more, or None for no limit.")

    @classmethod
    def none(cls) -> "Limits":
        """Return limits that hold nothing back."""
        return cls(**dict.fromkeys((*_RATES, *_NUMBERS)))

    def rate(self, kind: str | None, user: str | None) -> Rate | None:
        """Return the rate at which a user may send a kind of request; None if nothing holds them back.

        A chat of nobody in particular, as a chatflow may be, is limited with the account only.
        """
        name = KINDS.get(kind or "other", _OTHER).rate
        return None if name is None or (name == "chat" and user is None) else getattr(self, name)

    def account_rates(self, kind: str | None) -> list[tuple[str, Rate]]:
        """Return the rates of the whole account that count a kind of request, each with the name of its field."""
        names = ["account"]
        if bucket := KINDS.get(kind or "other", _OTHER).bucket:
            names.insert(0, f"account_{bucket}")
        return [(name, Rate(getattr(self, name), 1.0)) for name in names if getattr(self, name) is not None]

    def lowered(self, rates: Mapping[str, int]) -> "Limits":
        """Return these limits with the numbers of `rates`, by field, where they are lower."""
        if unknown := rates.keys() - {"account", "account_chat", "account_workflow"}:
            raise ConfigurationError(f"{', '.join(sorted(unknown))}: no rates of the account that could be learned.")
        lower: dict[str, Any] = {
            name: number
            for name, number in rates.items()
            if (present := getattr(self, name)) is None or number < present
        }
        return dataclasses.replace(self, **lower)


_OTHER = KINDS["other"]


@dataclass(frozen=True, slots=True)
class LimitStatistics:
    """What a limiter has done, and what it holds at this moment.

    Attributes:
        turns: Requests that were let through.
        delayed: How many of them had to wait.
        seconds_waited: How long they waited, all together.
        pushed_back: How often a server's refusal held a user back.
        waiting: Requests that wait now.
        in_flight: Streams and polls in flight now.
        chats_waiting: Streams and polls that wait for their place now.
        users: Users, by kind of request, whose recent requests are remembered.
        limits: The limits in force; None if the limiter does not say.
    """

    turns: int = 0
    delayed: int = 0
    seconds_waited: float = 0.0
    pushed_back: int = 0
    waiting: int = 0
    in_flight: int = 0
    chats_waiting: int = 0
    users: int = 0
    limits: Limits | None = None


class Slot:
    """The right to have one chat in flight. Give it back with `release`, which may be called more than once."""

    __slots__ = ("_give_back",)

    def __init__(self, give_back: Callable[[], None] | None = None) -> None:
        self._give_back = give_back

    def release(self) -> None:
        """Let the next one begin."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()


class Limiter(NotCopied, ABC):
    """What a client asks before it sends. `LocalLimiter` serves one process, `RedisLimiter` many.

    A limiter of your own, given as `limiter=`, needs the three abstract methods; what the others do by default holds
    nothing back.
    """

    instead = "Give the same one to all clients of a process; a RedisLimiter made in each process shares the limits."

    @abstractmethod
    async def turn(self, kind: str | None, user: str | None) -> None:
        """Wait until a request of this kind may be sent for this user, and count it.

        Args:
            kind: One of `KINDS`.
            user: Whose request it is; None for the owner of the token.
        """

    @abstractmethod
    async def slot(self, user: str | None) -> Slot:
        """Wait until this user, and the account, may have one more chat in flight.

        Args:
            user: Whose chat it is; None for a stream of nobody in particular, which counts for the account only.
        """

    @abstractmethod
    def push_back(self, kind: str | None, user: str | None, seconds: float) -> None:
        """Let this user, and no other, wait at least so long before the next request of this kind."""

    async def conversation(self, conversation_id: str) -> Slot:
        """Wait until a chat may begin in this conversation."""
        del conversation_id
        return Slot()

    def polling(self, kind: str) -> AbstractContextManager[Callable[[float], float]]:
        """Count one more poller while the block lasts.

        Args:
            kind: What it sends.

        Returns:
            What makes out of the interval that was wished for one that leaves room for new chats, in seconds.
        """
        del kind
        return _unhurried()

    def learn(self, rates: Mapping[str, int]) -> Limits:
        """Take over what the account may do per second, where it is less than what is allowed now.

        Args:
            rates: By field of `Limits`: `account_chat`, `account_workflow`.

        Returns:
            The limits that hold from now on.
        """
        raise ConfigurationError(
            f"{type(self).__name__} cannot take over {dict(rates)!r}: give it a `learn` method, or set its limits."
        )

    def statistics(self) -> LimitStatistics:
        """Return what was let through and what waits."""
        return LimitStatistics()


@contextmanager
def _unhurried() -> Generator[Callable[[float], float]]:
    yield float


class Wait:
    """One wait for a limit: told in the log once, and noted on whatever ends it early.

    Meanwhile the place that the work has in a batch is given to others, if the limit is not that of the whole account.
    """

    __slots__ = ("_has_begun", "_is_own", "_is_told", "_limit", "_next", "_since", "_tally", "_whose")

    def __init__(self, whose: str) -> None:
        self._whose = whose
        # What is waited for, or was last; and what comes next, which may let it through at once.
        self._limit = self._next = ""
        self._is_own = False
        self._has_begun = False
        self._is_told = False
        self._since = anyio.current_time()
        self._tally = TALLY.get()

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return anyio.current_time() - self._since

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._has_begun:
            return
        seconds = self.seconds
        if self._tally is not None:
            self._tally.waited += seconds
        told = f"{self._whose} waited {seconds:.1f} s for Limits.{self._limit}"
        if error is not None:
            error.add_note(f"{told}.")
            told += ", in vain"
        if not self._is_told:
            log.info("%s", told)

    def stands_before(self, limit: str, *, is_own: bool) -> None:
        """Note which limit is next.

        Args:
            limit: Its field of `Limits`.
            is_own: False for one of the whole account: no other work could use the place in the batch.
        """
        self._next, self._is_own = limit, is_own

    def begin(self) -> None:
        """Note that the limit does not let it through now."""
        self._has_begun, self._limit = True, self._next
        if self._is_own and self._tally is not None:
            self._tally.step_aside()

    async def until(self, event: anyio.Event) -> None:
        """Wait for an event."""
        if not self._is_told:
            with anyio.move_on_at(self._since + _LONG):
                await event.wait()
            if event.is_set():
                return
            self._tell(f"has waited {_LONG:g} s and goes on waiting")
        await event.wait()

    async def sleep(self, seconds: float) -> None:
        """Wait so long."""
        if not self._is_told and self.seconds + seconds > _LONG:
            self._tell(f"waits {seconds:.1f} s")
        await anyio.sleep(seconds)

    async def step_in(self) -> bool:
        """Take a place in the batch again; True if that took time."""
        return self._tally is not None and await self._tally.step_in()

    def _tell(self, what: str) -> None:
        self._is_told = True
        # In a batch many wait, and their outcomes say how long.
        level = logging.WARNING if self._tally is None else logging.INFO
        log.log(level, "%s %s for Limits.%s", self._whose, what, self._limit)


class Line:
    """Holds at most `most`; the others wait, and go in one by one in the order in which they came.

    Attributes:
        most: How many may be in.
        taken: How many are.
    """

    __slots__ = ("_waiting", "most", "taken")

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        # Most users never wait, and a deque takes 600 bytes.
        self._waiting: deque[anyio.Event] | None = None

    async def enter(self, wait: Wait) -> None:
        """Go in, after those who came before."""
        if self.taken < self.most:
            # Nobody can wait while there is room: it is handed on, not put back, as long as somebody does.
            self.taken += 1
            return
        if self._waiting is None:
            self._waiting = deque()
        event = anyio.Event()
        self._waiting.append(event)
        wait.begin()
        try:
            await wait.until(event)
        except BaseException:
            if event.is_set():
                # It was handed to somebody who leaves in this very moment.
                self.leave()
            else:
                self._waiting.remove(event)
            raise

    def leave(self) -> None:
        """Let the next one in."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._waiting = None
            self.taken -= 1


class Lane:
    """The turns that were given in one window, and who waits for the next.

    Attributes:
        line: Who waits; the first one is in, and waits for a turn. None if nobody does.
        waiting: How many do.
    """

    __slots__ = ("line", "most", "not_before", "turns", "waiting", "window")

    def __init__(self, rate: Rate) -> None:
        self.become(rate)
        # A list, not a deque: a deque takes 600 bytes for its first item, and most users have few.
        self.turns: list[float] = []
        self.not_before = 0.0
        self.line: Line | None = None
        self.waiting = 0

    def become(self, rate: Rate) -> None:
        """Keep to this rate from now on."""
        self.most, self.window = rate.limit, rate.window

    def delay(self, now: float) -> float:
        """Return how long until there is a turn, in seconds; 0 if there is one now."""
        turns, window = self.turns, self.window
        if turns and turns[0] > now + _TICK:
            # Another run of the event loop, and another clock: trio's begins anywhere. When it was, nobody knows.
            turns[:] = sorted(min(turn, now) for turn in turns)
            self.not_before = min(self.not_before, now)
        if turns and turns[0] + window <= now + _TICK:
            del turns[: bisect_right(turns, now + _TICK - window)]
        due = turns[-self.most] + window if len(turns) >= self.most else now
        wait = max(due, self.not_before) - now
        return wait if wait > _TICK else 0.0

    def is_idle(self, now: float) -> bool:
        """True if nobody would notice that this lane is forgotten."""
        return not self.waiting and self.delay(now) == 0.0 and not self.turns

    async def enter(self, wait: Wait) -> None:
        """Wait until all who came before have had their turn or have left."""
        self.waiting += 1
        if self.line is None:
            self.line = Line(1)
        try:
            await self.line.enter(wait)
        except BaseException:
            self.waiting -= 1
            raise

    def leave(self) -> None:
        """Let the next one wait for a turn."""
        self.waiting -= 1
        if self.line is not None:
            self.line.leave()
        if not self.waiting:
            self.line = None

    async def ready(self, wait: Wait) -> None:
        """Wait until there is a turn; only the first in line calls this."""
        while seconds := self.delay(anyio.current_time()):
            wait.begin()
            await wait.sleep(seconds)


class _Place(Line):
    """How many chats are in flight for a user, in a conversation or for the account, and who waits, in order."""

    __slots__ = ("holder", "key")

    def __init__(self, key: tuple[str, str], most: int) -> None:
        super().__init__(most)
        self.key = key
        self.holder = -1


class _LocalSlot(Slot):
    """A slot that is given back to the limiter it came from."""

    __slots__ = ("_is_chat", "_limiter", "_places")

    def __init__(self, limiter: "LocalLimiter", places: Sequence[_Place], *, is_chat: bool) -> None:
        self._limiter: LocalLimiter | None = limiter
        self._places = places
        self._is_chat = is_chat

    def release(self) -> None:
        """Let the next one begin."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.give_back(self._places, is_chat=self._is_chat)


class CountingLimiter(Limiter):
    """What limiters count whatever they limit by: requests, chats, and the pollers that share the account's rate."""

    def __init__(self, limits: Limits | None) -> None:
        self._limits = limits if limits is not None else Limits()
        self._pollers: Counter[str] = Counter()
        self._turns: int = 0
        self._delayed: int = 0
        self._pushed_back: int = 0
        self._waiting: int = 0
        self._chats_waiting: int = 0
        self._in_flight: int = 0
        self._seconds_waited: float = 0.0

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self._limits

    @property
    def processes(self) -> int:
        """How many processes share these limits, this one included."""
        return 1

    @property
    @abstractmethod
    def _users(self) -> int:
        """Return for how many users something is remembered."""

    @contextmanager
    def polling(self, kind: str) -> Generator[Callable[[float], float]]:
        """Count one more poller while the block lasts; all together they use half of the account's rate at most.

        Other processes are taken to poll as much as this one.
        """
        names = ("account", f"account_{KINDS[kind].bucket}")

        def paced(interval: float) -> float:
            rates = self._limits.account_rates(kind)
            share = _SHARE_OF_POLLS / self.processes
            return max([interval, *(self._pollers[name] / (share * rate.limit) for name, rate in rates)])

        self._pollers.update(names)
        try:
            yield paced
        finally:
            self._pollers.subtract(names)

    def statistics(self) -> LimitStatistics:
        """Return what this process let through and what waits in it."""
        return LimitStatistics(
            turns=self._turns,
            delayed=self._delayed,
            seconds_waited=self._seconds_waited,
            pushed_back=self._pushed_back,
            waiting=self._waiting,
            in_flight=self._in_flight,
            chats_waiting=self._chats_waiting,
            users=self._users,
            limits=self._limits,
        )


class LocalLimiter(CountingLimiter):
    """The limits of all clients of one process that share it."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        # Those who were here last stand at the end.
        self._lanes: OrderedDict[tuple[str, str], Lane] = OrderedDict()
        # How many there were when the table was made, or later.
        self._most_users: int = 0
        self._account: dict[str, Lane] = {}
        self._by_kind: dict[str | None, tuple[str | None, tuple[Lane, ...]]] = {}
        self._places: dict[tuple[str, str], _Place] = {}

    async def turn(self, kind: str | None, user: str | None) -> None:
        """Wait until a request of this kind may be sent for this user, and count it."""
        name, lanes = self._by_kind.get(kind) or self._counted(kind)
        self._turns += 1
        if name is not None and (user is not None or name != "chat"):
            now = anyio.current_time()
            lane = self._lane(name, user or "", now)
            lanes = (lane, *lanes) if lanes else (lane,)
        elif lanes:
            now = anyio.current_time()
        else:
            return
        for lane in lanes:
            # The way of nearly all: nobody waits, the window is not full, and nothing was pushed back.
            is_open = not lane.waiting and len(lane.turns) < lane.most and lane.not_before <= now
            if not is_open and (lane.waiting or lane.delay(now)):
                await self._in_line(lanes, user, name)
                return
        for lane in lanes:
            lane.turns.append(now)

    def _counted(self, kind: str | None) -> tuple[str | None, tuple[Lane, ...]]:
        """Return the field with the rate of a kind, None if users have none, and the lanes of the account."""
        name = KINDS.get(kind or "other", _OTHER).rate
        if name is not None and getattr(self._limits, name) is None:
            name = None
        lanes = [self._account.setdefault(field, Lane(rate)) for field, rate in self._limits.account_rates(kind)]
        counted = self._by_kind[kind] = (name, tuple(lanes))
        return counted

    async def _in_line(self, lanes: Sequence[Lane], user: str | None, name: str | None) -> None:
        own = "" if name is None else name
        self._waiting += 1
        has_turn = False
        with Wait(whose_request(user)) as wait:
            try:
                while not has_turn:
                    has_turn = await self._taken_together(lanes, 0, own, wait)
            finally:
                self._waiting -= 1
                if has_turn:
                    self._delayed += 1
                    self._seconds_waited += wait.seconds
                else:
                    self._turns -= 1

    async def _taken_together(self, lanes: Sequence[Lane], position: int, own: str, wait: Wait) -> bool:
        """Wait in the user's line, then in the account's, and take all turns in the same moment.

        A turn that was taken before a further wait would be counted too early, and the server would see too many.
        False if a lane before this one has to wait again: then others go first here.
        """
        lane, before = lanes[position], lanes[:position]
        limit = next((name for name, known in self._account.items() if known is lane), own)
        wait.stands_before(limit, is_own=limit == own)
        await lane.enter(wait)
        try:
            while True:
                wait.stands_before(limit, is_own=limit == own)
                await lane.ready(wait)
                if await wait.step_in():
                    # Meanwhile the lane may have closed again.
                    continue
                now = anyio.current_time()
                if any(earlier.delay(now) for earlier in before):
                    return False
                if position + 1 == len(lanes):
                    for each in lanes:
                        each.turns.append(now)
                    return True
                if await self._taken_together(lanes, position + 1, own, wait):
                    return True
        finally:
            lane.leave()

    async def slot(self, user: str | None) -> Slot:
        """Wait until this user, and the account, may have one more chat in flight."""
        limits = self._limits
        places: list[_Place] = []
        if user is not None and limits.chats_at_once is not None:
            places.append(self._place("user", user, limits.chats_at_once))
            await self._enter(places[0], (), "chats_at_once", user)
        if limits.account_at_once is not None:
            places.append(self._place("account", "", limits.account_at_once))
            await self._enter(places[-1], places[:-1], "account_at_once", user)
        self._in_flight += 1
        return _LocalSlot(self, places, is_chat=True)

    async def conversation(self, conversation_id: str) -> Slot:
        """Wait until a chat may begin in this conversation.

        A task that has such a chat open itself does not wait for itself: then the server says what it thinks of it.
        """
        most = self._limits.chats_per_conversation
        if most is None:
            return Slot()
        place = self._place("conversation", conversation_id, most)
        task = anyio.get_current_task().id
        if place.holder == task:
            return Slot()
        await self._enter(place, (), "chats_per_conversation", None)
        place.holder = task
        return _LocalSlot(self, (place,), is_chat=False)

    def _place(self, what: str, whose: str, most: int) -> _Place:
        key = what, whose
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = _Place(key, most)
        return place

    async def _enter(self, place: _Place, held: Sequence[_Place], limit: str, user: str | None) -> None:
        """Take a place, after those who came before; `held` is given back if that does not come about."""
        if place.taken < place.most:
            place.taken += 1
            return
        self._chats_waiting += 1
        what, name = place.key
        entered: list[_Place] = []
        try:
            with Wait(whose_chat(name) if what == "conversation" else whose_request(user)) as wait:
                wait.stands_before(limit, is_own=what != "account")
                await place.enter(wait)
                entered.append(place)
                await wait.step_in()
        except BaseException:
            for each in (*entered, *held):
                self._hand_on(each)
            if not place.taken:
                # It was handed over in the moment of leaving, and nobody came behind.
                self._places.pop(place.key, None)
            raise
        finally:
            self._chats_waiting -= 1

    def give_back(self, places: Sequence[_Place], *, is_chat: bool) -> None:
        """Take a slot back; called by `Slot.release`."""
        self._in_flight -= is_chat
        for place in places:
            self._hand_on(place)

    def _hand_on(self, place: _Place) -> None:
        place.holder = -1
        place.leave()
        if not place.taken:
            del self._places[place.key]

    def push_back(self, kind: str | None, user: str | None, seconds: float) -> None:
        """Let this user, and no other, wait at least so long before the next request of this kind."""
        self._pushed_back += 1
        if self._limits.rate(kind, user) is not None:
            now = anyio.current_time()
            lane = self._lane(KINDS[kind or ""].rate or "", user or "", now)
            lane.not_before = max(lane.not_before, now + seconds)

    def learn(self, rates: Mapping[str, int]) -> Limits:
        """Take over what the account may do per second, where it is less than what is allowed now."""
        self._limits = self._limits.lowered(rates)
        for name, lane in self._account.items():
            # Who waits already waits by the new rate.
            lane.become(Rate(getattr(self._limits, name), 1.0))
        self._by_kind.clear()
        return self._limits

    @property
    def _users(self) -> int:
        return len(self._lanes)

    def _lane(self, name: str, user: str, now: float) -> Lane:
        """Return a user's lane, which is now the last to be forgotten."""
        key = name, user
        lane = self._lanes.get(key)
        if lane is not None and self._turns % _SWEEP_EVERY:
            self._lanes.move_to_end(key)
            return lane
        self._forget_idle(now)
        # What was forgotten could be this one.
        lane = self._lanes.get(key) or Lane(getattr(self._limits, name))
        self._lanes[key] = lane
        return lane

    def _forget_idle(self, now: float) -> None:
        """Forget who was away for the longest time, so many at once that no sweep takes long."""
        lanes, met = self._lanes, 0
        self._most_users = max(self._most_users, len(lanes))
        for _ in range(min(_SWEPT, len(lanes))):
            key, lane = lanes.popitem(last=False)
            if not lane.is_idle(now):
                lanes[key] = lane
                met += 1
                if met == _MET:
                    break
        if len(lanes) < self._most_users // 8:
            # A table does not shrink by itself.
            self._lanes, self._most_users = OrderedDict(lanes), len(lanes)


def whose_request(user: str | None) -> str:
    """Return who waits, as the log says it."""
    return "A request of no user" if user is None else f"User {user!r}"


def whose_chat(conversation_id: str) -> str:
    """Return what waits for a conversation, as the log says it."""
    return f"A chat of the conversation {conversation_id}"
