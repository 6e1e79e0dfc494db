"""When a user may send the next request, and how many chats of a user may run at once.

The rate is an exact sliding log: never more than `limit` requests in any window of `period` seconds, as the server
counts them. Waiters are served first in, first out; one that is cancelled takes nothing with it; users who are idle
are forgotten. Time is the event loop's clock.
"""

from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from dataclasses import dataclass

import anyio

from coze_async._errors import ConfigurationError

__all__ = ["Limiter", "Limits", "LocalLimiter", "Rate", "Slot"]

# Below this a clock may not move at all: a turn that is due within it is due.
_TICK = 1e-6


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
        if self.limit < 1 or not self.period > 0 or (self.guard is not None and self.guard < 0):
            raise ConfigurationError(
                f"{self!r} lets nothing through: give a limit of 1 or more, a period above 0 "
                "seconds, and a guard that is not negative; None in `Limits` means no limit."
            )

    @property
    def window(self) -> float:
        """The period with its guard, in seconds."""
        return self.period + (min(1.0, self.period / 10) if self.guard is None else self.guard)


@dataclass(frozen=True, slots=True)
class Limits:
    """What each user may do; None in a field means no limit.

    The rates are what Coze Plus publishes. The clouds count per account and name no number for it; set `account`.

    Attributes:
        chat: New chats, and chatflows whose user is named, per user.
        bot_management: Requests that create or change bots, per user.
        bot_info: Requests that read bots, per user.
        chats_at_once: Streams and polls in flight, per user.
        account: Requests of any kind per second, for the whole token.
    """

    chat: Rate | None = Rate(60, 60.0)
    bot_management: Rate | None = Rate(30, 60.0)
    bot_info: Rate | None = Rate(100, 60.0)
    chats_at_once: int | None = 16
    account: int | None = None

    def __post_init__(self) -> None:
        for name in ("chat", "bot_management", "bot_info"):
            rate = getattr(self, name)
            if rate is not None and not isinstance(rate, Rate):
                raise ConfigurationError(f"Limits.{name} is {rate!r}: give a Rate, such as Rate(60, 60.0), or None.")
        for name in ("chats_at_once", "account"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ConfigurationError(f"Limits.{name} is {number!r}: give 1 or more, or None for no limit.")

    @classmethod
    def none(cls) -> "Limits":
        """Return limits that hold nothing back."""
        return cls(chat=None, bot_management=None, bot_info=None, chats_at_once=None, account=None)

    def rate(self, kind: str | None) -> Rate | None:
        """Return the rate of a kind of request; None if it has none."""
        return getattr(self, kind) if kind else None


class Slot:
    """The right to have one chat in flight. Give it back with `release`, which may be called more than once."""

    __slots__ = ("_limiter", "_user")

    def __init__(self, limiter: "LocalLimiter | None" = None, user: str = "") -> None:
        self._limiter = limiter
        self._user = user

    def release(self) -> None:
        """Let the next one begin."""
        limiter, self._limiter = self._limiter, None
        if limiter is not None:
            limiter.give_back(self._user)


class Limiter(ABC):
    """What a client asks before it sends. `LocalLimiter` serves one process; give your own as `limiter=`."""

    @abstractmethod
    async def turn(self, kind: str | None, user: str | None) -> None:
        """Wait until a request of this kind may be sent for this user, and count it.

        Args:
            kind: `chat`, `bot_management`, `bot_info`, or None for a request that only the account limits.
            user: Whose request it is; None for the owner of the token.
        """

    @abstractmethod
    async def slot(self, user: str) -> Slot:
        """Wait until this user may have one more chat in flight."""

    @abstractmethod
    def push_back(self, kind: str | None, user: str | None, seconds: float) -> None:
        """Let this user, and no other, wait at least so long before the next request of this kind."""


class _Lane:
    """The turns that were given in one window, and who waits for the next."""

    __slots__ = ("lock", "not_before", "rate", "turns", "waiting")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.turns: deque[float] = deque()
        self.not_before = 0.0
        self.lock: anyio.Lock | None = None
        self.waiting = 0

    def delay(self, now: float) -> float:
        """Return how long until there is a turn, in seconds; 0 if there is one now."""
        turns, window = self.turns, self.rate.window
        while turns and turns[0] + window <= now + _TICK:
            turns.popleft()
        due = turns[0] + window if len(turns) >= self.rate.limit else 0.0
        wait = max(due, self.not_before) - now
        return wait if wait > _TICK else 0.0

    def is_idle(self, now: float) -> bool:
        """True if nobody would notice that this lane is forgotten."""
        return not self.waiting and self.delay(now) == 0.0 and not self.turns

    def queue(self) -> anyio.Lock:
        """Return the lock that the first in line holds."""
        if self.lock is None:
            self.lock = anyio.Lock(fast_acquire=True)
        return self.lock

    async def ready(self) -> None:
        """Wait until there is a turn; only the first in line calls this."""
        while wait := self.delay(anyio.current_time()):  # noqa: ASYNC110 - only time brings a turn, no event does
            await anyio.sleep(wait)


class LocalLimiter(Limiter):
    """The limits of all clients of one process that share it."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits: Limits = limits if limits is not None else Limits()
        self._lanes: OrderedDict[tuple[str, str], _Lane] = OrderedDict()
        self._account = _Lane(Rate(self.limits.account, 1.0)) if self.limits.account else None
        self._slots: dict[str, anyio.Semaphore] = {}

    async def turn(self, kind: str | None, user: str | None) -> None:
        """Wait until a request of this kind may be sent for this user, and count it."""
        rate = self.limits.rate(kind)
        own = self._lane(kind or "", user or "", rate) if rate is not None else None
        lanes = [lane for lane in (own, self._account) if lane is not None]
        now = anyio.current_time()
        if any(lane.waiting or lane.delay(now) for lane in lanes):
            await self._in_line(lanes)
        else:
            for lane in lanes:
                lane.turns.append(now)

    async def _in_line(self, lanes: list[_Lane]) -> None:
        """Wait in the user's line, then in the account's, and take both turns in the same moment.

        A turn that was taken before a further wait would be counted too early, and the server would see too many.
        """
        first, last = lanes[0], lanes[-1]
        first.waiting += 1
        try:
            async with first.queue():
                while True:
                    await first.ready()
                    if first is last:
                        first.turns.append(anyio.current_time())
                        return
                    if await self._taken_together(first, last):
                        return
        finally:
            first.waiting -= 1

    @staticmethod
    async def _taken_together(own: _Lane, account: _Lane) -> bool:
        account.waiting += 1
        try:
            async with account.queue():
                await account.ready()
                now = anyio.current_time()
                if own.delay(now):
                    # This user was pushed back in the meantime: let others go first.
                    return False
                own.turns.append(now)
                account.turns.append(now)
                return True
        finally:
            account.waiting -= 1

    async def slot(self, user: str) -> Slot:
        """Wait until this user may have one more chat in flight."""
        most = self.limits.chats_at_once
        if most is None:
            return Slot()
        slots = self._slots.get(user)
        if slots is None:
            slots = self._slots[user] = anyio.Semaphore(most, fast_acquire=True)
        try:
            await slots.acquire()
        except BaseException:
            self._forget_slots(user, slots)
            raise
        return Slot(self, user)

    def give_back(self, user: str) -> None:
        """Take a slot back; called by `Slot.release`."""
        slots = self._slots[user]
        slots.release()
        self._forget_slots(user, slots)

    def _forget_slots(self, user: str, slots: anyio.Semaphore) -> None:
        if slots.value == self.limits.chats_at_once and self._slots.get(user) is slots:
            del self._slots[user]

    def push_back(self, kind: str | None, user: str | None, seconds: float) -> None:
        """Let this user, and no other, wait at least so long before the next request of this kind."""
        rate = self.limits.rate(kind)
        if rate is not None:
            lane = self._lane(kind or "", user or "", rate)
            lane.not_before = max(lane.not_before, anyio.current_time() + seconds)

    def _lane(self, kind: str, user: str, rate: Rate) -> _Lane:
        lane = self._lanes.get((kind, user))
        if lane is None:
            self._forget_idle()
            lane = self._lanes[kind, user] = _Lane(rate)
        return lane

    def _forget_idle(self) -> None:
        """Look at the two lanes that were looked at longest ago: more go than come, and no sweep takes long."""
        now = anyio.current_time()
        for _ in range(min(2, len(self._lanes))):
            key, lane = self._lanes.popitem(last=False)
            if not lane.is_idle(now):
                self._lanes[key] = lane
