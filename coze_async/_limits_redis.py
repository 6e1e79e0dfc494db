"""The limits of many processes: Redis keeps what each has used, and a script there decides in one step.

Whatever a process asks goes through one task, which puts all questions that have come up into one call. So a task
that is cancelled never breaks off a call half-way, those of one process are served in the order in which they came,
and under load a turn costs less than a call. Processes that wait for the same limit take turns.

What a process holds and what it has used lately it knows itself, and tells again if Redis has lost it.
"""

import math
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from types import TracebackType
from typing import Any, Literal, Self

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from coze_async._errors import ConfigurationError, CozeError, TransportError
from coze_async._limits import KINDS, CountingLimiter, Lane, Limits, Rate, Slot, Wait, whose_chat, whose_request
from coze_async._limits_gates import Answer, Ask, Gate, Gates, Place
from coze_async._logging import log
from coze_async._redis import PREFIX, RedisScript, checked_prefix

__all__ = ["RedisLimiter"]

# Every process is heard of so often, in seconds; the script takes two seconds without a word for silence.
_BEAT = 0.5

# After Redis was away, so long each process goes on alone, in seconds: then all have told what they did meanwhile.
_RECOVERY = 2.0

# So many operations go into one call: Redis serves nobody else meanwhile.
_MOST_PER_CALL = 100

# So many lanes are looked at with every beat whether they are idle.
_SWEPT = 1000

_MICROSECONDS = 1_000_000
_IS_LOST, _WAS_SILENT = 1, 2
_OF_ACCOUNT = ("account", "account_chat", "account_workflow", "account_at_once")
# By the kind of place.
_LIMITS = {"user": "chats_at_once", "conversation": "chats_per_conversation"}


class RedisLimiter(CountingLimiter):
    """The limits of all clients of many processes that share a Redis server.

    Never more than the limit in any window, as the server's clock counts; several limits all or nothing. Within a
    process those who wait are served in the order in which they came, and processes that wait for the same limit take
    turns. Chats in flight that belong to a process which died are given up after `lease` seconds.

    Enter it around the clients that use it, `async with RedisLimiter(url) as limiter:`; any number of clients may.
    Give all processes the same limits, and each account of Coze a prefix of its own. The server must not evict keys
    (`maxmemory-policy noeviction`).

    Args:
        redis: The URL of the server, or a client of redis.asyncio or coredis, which you close; on trio a coredis
            client, which is open. A Redis Cluster does as well.
        limits: What all processes together may do; None takes the same as a client by itself.
        prefix: Separates accounts in one Redis, or staging from production: all keys begin with it, in braces. Give
            a `ChatBroker` the same.
        lease: Seconds after which a process that is not heard of has lost the places of its chats.
        timeout: The longest that one exchange with Redis may take, in seconds.
        on_redis_down: "raise" lets requests fail with a TransportError before they are sent. "local" goes on with
            this process's share of every limit (one of n processes keeps to an n-th, and to 1 at least) until Redis
            has been back for two seconds.

    Raises:
        ConfigurationError: one of these cannot be right, or the limiter is used without being entered.
        TransportError: Redis does not answer on entering, in either mode: how many processes share is not known yet.
    """

    def __init__(
        self,
        redis: Any,
        limits: Limits | None = None,
        *,
        prefix: str = PREFIX,
        lease: float = 30.0,
        timeout: float = 2.0,
        on_redis_down: Literal["raise", "local"] = "raise",
    ) -> None:
        if limits is not None and not isinstance(limits, Limits):
            raise ConfigurationError(f"limits is a {type(limits).__name__}: give Limits.")
        if not 2 <= lease < math.inf or not 0 < timeout <= lease / 2:
            raise ConfigurationError(
                f"lease is {lease!r} and timeout is {timeout!r}: give a lease of 2 seconds or more, "
                "and a timeout above 0 and of half the lease at most."
            )
        if on_redis_down not in ("raise", "local"):
            raise ConfigurationError(f"on_redis_down is {on_redis_down!r}: give 'raise' or 'local'.")
        super().__init__(limits)
        self._prefix = f"{{{checked_prefix(prefix)}}}"
        self._lease = lease
        self._goes_on_alone = on_redis_down == "local"
        self._redis = RedisScript(redis, _script(), timeout=timeout)
        self._state: Literal["new", "open", "left"] = "new"
        self._group: TaskGroup
        self._me = uuid.uuid4().hex[:16]
        self._epoch: int = 0
        self._calls: int = 0
        self._processes: int = 1
        self._next_beat = self._next_renewal = self._next_sweep = 0.0
        # Why Redis cannot be asked, and since when; None if it can.
        self._outage: str | None = None
        self._is_alone = False
        self._gates = Gates()
        self._ledger = _Ledger()
        self._news = _News()
        self._work: anyio.Event
        self._by_kind: dict[str | None, tuple[str | None, Rate | None, list[tuple[str, Rate]]]] = {}

    @property
    def processes(self) -> int:
        """How many processes shared these limits when Redis was last asked, this one included."""
        return self._processes

    async def __aenter__(self) -> Self:
        if self._state != "new":
            raise RuntimeError(
                f"This RedisLimiter {'is open' if self._state == 'open' else 'was left'}: make a new one."
            )
        self._redis.open()
        self._work = anyio.Event()
        try:
            await self._exchange(_Call(), [])
        except BaseException as error:
            with anyio.CancelScope(shield=True):
                await self._redis.aclose()
            if isinstance(error, TransportError):
                raise self._unreachable(str(error)) from error
            raise
        self._state = "open"
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._serve, name="RedisLimiter")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._state = "left"
        self._group.cancel_scope.cancel()
        try:
            if isinstance(error, anyio.get_cancelled_exc_class()):
                return await self._group.__aexit__(kind, error, traceback)
            # What went wrong in the block goes on as it is, not in a group.
            await self._group.__aexit__(None, None, None)
            return None
        finally:
            for ask in self._gates.all_asks():
                self._gates.failed(ask, RuntimeError("The RedisLimiter was left while this request waited."))
            with anyio.CancelScope(shield=True):
                await self._leave()

    async def _leave(self) -> None:
        """Tell what is left to tell, and give all places back."""
        try:
            await self._tell()
            farewell = _Call()
            farewell.add("B")
            await self._exchange(farewell, [])
        except CozeError as error:
            log.warning(
                "RedisLimiter was left while Redis could not be asked: other processes get the places of "
                "its chats in %g s. (%s)",
                self._lease,
                error,
            )
        finally:
            await self._redis.aclose()

    # --- what clients ask --------------------------------------------------------------------------------------------

    async def turn(self, kind: str | None, user: str | None) -> None:
        """Wait until a request of this kind may be sent for this user, and count it."""
        lanes = self._lanes(kind, user)
        if lanes:
            self._waiting += 1
            try:
                await self._answer_to(Ask(lanes, is_turn=True, whose=whose_request(user)))
            finally:
                self._waiting -= 1
        self._turns += 1

    async def slot(self, user: str | None) -> Slot:
        """Wait until this user, and the account, may have one more chat in flight."""
        limits = self._limits
        places: list[Place] = []
        if user is not None and limits.chats_at_once is not None:
            places.append(self._place(f"user:{user}", limits.chats_at_once))
        if limits.account_at_once is not None:
            places.append(self._place("account_at_once", limits.account_at_once))
        if places:
            await self._enter(places, whose_request(user))
        self._in_flight += 1
        return Slot(partial(self._give_back, places, is_chat=True))

    async def conversation(self, conversation_id: str) -> Slot:
        """Wait until a chat may begin in this conversation.

        A task that has such a chat open itself does not wait for itself: then the server says what it thinks of it.
        """
        most = self._limits.chats_per_conversation
        if most is None:
            return Slot()
        place = self._place(f"conversation:{conversation_id}", most)
        task = anyio.get_current_task().id
        if place.holder == task:
            return Slot()
        await self._enter([place], whose_chat(conversation_id))
        place.holder = task
        return Slot(partial(self._give_back, [place], is_chat=False))

    def push_back(self, kind: str | None, user: str | None, seconds: float) -> None:
        """Let this user, and no other, wait at least so long before the next request of this kind, in all processes."""
        self._pushed_back += 1
        rate = self._limits.rate(kind, user)
        if rate is not None and self._state == "open":
            lane = self._lane(f"{KINDS[kind or ''].rate}:{user or ''}", rate)
            now = anyio.current_time()
            turns = self._ledger.lane(lane, now)
            turns.not_before = max(turns.not_before, now + seconds)
            self._news.pauses[lane.keys] = turns.not_before
            self._gates.drop(lane)
            self._work.set()

    def learn(self, rates: Mapping[str, int]) -> Limits:
        """Take over what the account may do per second, where it is less than what is allowed now.

        It holds in this process: each learns by itself.
        """
        self._limits = self._limits.lowered(rates)
        self._by_kind.clear()
        for name in rates:
            if gate := self._gates.known.get(name):
                gate.most = min(gate.most, rates[name])
        return self._limits

    @property
    def _users(self) -> int:
        return self._ledger.users

    def _check_is_open(self) -> None:
        if self._state == "new":
            raise ConfigurationError(
                "This RedisLimiter was not entered. Use `async with RedisLimiter(...) as limiter:` "
                "around the clients that share it."
            )
        if self._state == "left":
            raise RuntimeError("This RedisLimiter was left: make a new one, and keep it open as long as its clients.")

    def _lanes(self, kind: str | None, user: str | None) -> list[Gate]:
        """Return the lanes that count a request, the user's before the account's."""
        self._check_is_open()
        if kind not in self._by_kind:
            name = KINDS.get(kind or "other", KINDS["other"]).rate
            self._by_kind[kind] = (name, self._limits.rate(kind, ""), self._limits.account_rates(kind))
        name, rate, of_account = self._by_kind[kind]
        lanes: list[Gate] = []
        if rate is not None and (user is not None or name != "chat"):
            lanes.append(self._lane(f"{name}:{user or ''}", rate))
        lanes += [self._lane(field, rate) for field, rate in of_account]
        return lanes

    def _lane(self, key: str, rate: Rate) -> Gate:
        lane = self._gates.known.get(key)
        if lane is None:
            prefix = self._prefix
            keys = (f"{prefix}:turns:{key}", f"{prefix}:line:{key}", f"{prefix}:pause:{key}")
            lane = self._gates.known[key] = Gate(key, keys, rate.limit, rate.window)
        return lane

    def _place(self, key: str, most: int) -> Place:
        self._check_is_open()
        place = self._gates.known.get(f"at once:{key}")
        if not isinstance(place, Place):
            keys = (f"{self._prefix}:held:{key}", f"{self._prefix}:queue:{key}")
            place = self._gates.known[f"at once:{key}"] = Place(f"at once:{key}", keys, most)
        return place

    async def _enter(self, places: Sequence[Place], whose: str) -> None:
        self._chats_waiting += 1
        try:
            await self._answer_to(Ask(places, is_turn=False, whose=whose))
        finally:
            self._chats_waiting -= 1

    async def _answer_to(self, ask: Ask) -> None:
        def begin(gate: Gate) -> None:
            name = _limit_of(gate)
            # A turn that was given cannot wait for a place in a batch: Redis has counted it.
            wait.stands_before(name, is_own=not ask.is_turn and name not in _OF_ACCOUNT)
            wait.begin()

        since = anyio.current_time()
        ask.on_wait = begin
        with Wait(ask.whose) as wait:
            self._gates.submit(ask)
            self._work.set()
            try:
                await wait.until(ask.event)
                if ask.error is None:
                    await wait.step_in()
            except BaseException:
                if ask.granted_at is not None:
                    # It was granted to somebody who leaves in this very moment.
                    self._take_back(ask)
                elif ask.error is None:
                    self._gates.withdraw(ask)
                self._work.set()
                raise
        if ask.error is not None:
            raise ask.error
        if ask.has_waited and ask.is_turn:
            self._delayed += 1
            self._seconds_waited += anyio.current_time() - since

    def _give_back(self, places: Sequence[Place], *, is_chat: bool) -> None:
        self._in_flight -= is_chat
        for place in places:
            place.held -= 1
            place.is_told = False
            place.holder = -1
            self._news.places[place] = None
            self._gates.given_back(place)
        self._work.set()

    def _take_back(self, ask: Ask) -> None:
        """Let it be as if this had never been granted."""
        if not ask.is_turn:
            self._give_back([gate for gate in ask.gates if isinstance(gate, Place)], is_chat=False)
            return
        now = anyio.current_time()
        for lane in ask.gates:
            turns = self._ledger.lane(lane, now).turns
            del turns[-1:]
            if ask.granted_at:
                self._news.unused.append((lane.keys[0], ask.granted_at))
            self._gates.given_back(lane)

    # --- the task that asks Redis ------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            self._work = anyio.Event()
            until = self._gates.open_due(anyio.current_time())
            if self._is_alone:
                if self._gates.has_ready:
                    # However many wait, others run too.
                    await checkpoint()
                    self._settle(self._alone(self._gates.take(_MOST_PER_CALL)))
                    continue
            else:
                # While Redis is away, it is not asked more often than need be.
                is_due = anyio.current_time() >= self._next_beat or (self._outage is None and self._has_news)
                if is_due or self._gates.has_ready:
                    await self._ask_redis()
                    continue
                until = min(until, self._next_beat)
            with anyio.move_on_at(until):
                await self._work.wait()

    async def _ask_redis(self) -> None:
        """Make one call with all that there is to say and to ask."""
        call = self._report(anyio.current_time())
        asks = self._gates.take(max(1, _MOST_PER_CALL - call.size))
        try:
            answers = await self._exchange(call, asks)
        except CozeError as error:
            self._failed(asks, str(error))
        else:
            if self._outage is not None:
                log.warning("Redis answers again, at %s.", self._redis.place)
                self._outage = None
            self._settle(answers)

    def _failed(self, asks: Sequence[Ask], reason: str) -> None:
        is_new, self._outage = self._outage is None, reason
        if is_new:
            log.warning(
                "Redis cannot be asked, at %s (%s): %s.",
                self._redis.place,
                reason,
                f"this process goes on alone, with 1/{self._processes} of every limit"
                if self._goes_on_alone
                else "requests fail before they are sent",
            )
        if self._goes_on_alone:
            self._is_alone = True
            self._gates.put_back(asks)
            self._group.start_soon(self._await_redis, anyio.current_time(), name="RedisLimiter waits for Redis")
            return
        self._next_beat = anyio.current_time() + _BEAT
        for ask in asks:
            self._gates.failed(ask, self._unreachable(reason))

    async def _await_redis(self, told_at: float) -> None:
        """Ask Redis again and again until it has answered for two seconds; then all processes have told what they did.

        Args:
            told_at: Since when this process has had turns that Redis does not know of.
        """
        back_since: float | None = None
        while back_since is None or anyio.current_time() < back_since + _RECOVERY:
            await anyio.sleep(_BEAT)
            now = anyio.current_time()
            self._news.turns.extend(self._ledger.turns_after(told_at, now))
            told_at = now
            try:
                await self._tell()
            except CozeError:
                back_since = None
            else:
                back_since = now if back_since is None else back_since
        self._news.turns.extend(self._ledger.turns_after(told_at, anyio.current_time()))
        self._is_alone, self._outage = False, None
        log.warning("Redis answers again, at %s: the limits are those of all processes again.", self._redis.place)
        self._work.set()

    async def _tell(self) -> None:
        """Tell all that there is to tell, and if it is nothing, that this process is there."""
        while True:
            call = self._report(anyio.current_time())
            await self._exchange(call, [])
            if not self._has_news:
                return

    def _settle(self, answers: Iterator[Answer]) -> None:
        for ask in self._gates.answered(answers, anyio.current_time()):
            self._take_back(ask)

    def _alone(self, asks: Sequence[Ask]) -> Iterator[Answer]:
        """Answer as Redis would, out of what this process knows, by its share of the limits."""
        for ask in asks:
            now = anyio.current_time()
            states = [self._state_alone(gate, now) for gate in ask.gates]
            if all(free for free, _ in states):
                self._count(ask, now)
                if ask.has_waited:
                    # Perhaps in a line in Redis, where nobody will take it out.
                    self._gates.desert(ask.gates)
                states = [self._state_alone(gate, now) for gate in ask.gates]
                yield ask, 0, states
            else:
                yield ask, None, states

    def _state_alone(self, gate: Gate, now: float) -> tuple[int, float]:
        share = max(1, gate.most // self._processes)
        if isinstance(gate, Place):
            return (share - gate.held, 0.0) if gate.held < share else (0, _BEAT)
        lane = self._ledger.lane(gate, now)
        lane.most = share
        wait = lane.delay(now)
        return (0, wait) if wait else (share - len(lane.turns), 0.0)

    def _count(self, ask: Ask, now: float) -> None:
        """Note what was granted."""
        for gate in ask.gates:
            if isinstance(gate, Place):
                gate.held += 1
            else:
                self._ledger.lane(gate, now).turns.append(now)

    @property
    def _has_news(self) -> bool:
        return bool(self._news) or self._gates.has_deserted

    def _report(self, now: float) -> "_Call":
        """Return a call with what there is to tell, at most as much as one takes."""
        if now >= self._next_renewal:
            self._next_renewal = now + self._lease / 3
            self._tell_places()
        if now >= self._next_sweep:
            self._next_sweep = now + _BEAT
            self._ledger.forget_idle(_SWEPT, now)
        news, call = self._news, _Call()
        while call.size < _MOST_PER_CALL and (gate := self._gates.leave_line()):
            call.add("L", keys=[gate.keys[1]])
            call.lines.append(gate)
        while news.places and call.size < _MOST_PER_CALL:
            place, _ = news.places.popitem()
            call.add("H", place.held, keys=[place.keys[0]])
            call.places.append(place)
        while news.unused and call.size < _MOST_PER_CALL:
            turns, granted_at = news.unused.pop()
            call.add("U", granted_at, keys=[turns])
        while news.turns and call.size < _MOST_PER_CALL:
            turns, window, moments = told = news.turns.pop()
            ages = [math.floor((now - moment) * _MICROSECONDS) for moment in moments]
            call.add("N", math.ceil(window * _MICROSECONDS), len(ages), *ages, keys=[turns])
            call.turns.append(told)
        while news.pauses and call.size < _MOST_PER_CALL:
            keys, until = news.pauses.popitem()
            if until > now:
                call.add("P", math.ceil((until - now) * _MICROSECONDS), keys=[keys[2]])
                call.pauses[keys] = until
        return call

    def _tell_places(self) -> None:
        self._news.places.update(dict.fromkeys(place for place in self._gates.places if place.held))

    async def _exchange(self, call: "_Call", asks: Sequence[Ask]) -> Iterator[Answer]:
        """Make one call and return the answers, in the order of the questions.

        Raises:
            TransportError: Redis cannot be asked; what was to be told is kept.
        """
        for ask in asks:
            call.ask(ask)
        keys = [f"{self._prefix}:clock", f"{self._prefix}:processes", *call.keys]
        lease = math.ceil(self._lease * _MICROSECONDS)
        try:
            reply = await self._redis.run(keys, [self._me, self._epoch, self._calls, lease, *call.arguments])
        except BaseException as error:
            self._keep(call, asks)
            if not isinstance(error, CozeError):
                self._gates.put_back(asks)
            raise
        state, at, self._epoch, self._calls, self._processes = reply[:5]
        now = anyio.current_time()
        self._next_beat = now + _BEAT
        if state == _IS_LOST:
            self._keep(call, asks)
            self._gates.put_back(asks)
            self._tell_everything(now)
            return iter(())
        for place in call.places:
            place.is_told = place not in self._news.places
            self._gates.drop(place)
        if state == _WAS_SILENT:
            self._was_silent()
        return self._read(asks, reply[5:], at, now)

    def _read(self, asks: Sequence[Ask], numbers: Sequence[int], at: int, now: float) -> Iterator[Answer]:
        position = 0
        for ask in asks:
            end = position + 1 + 2 * len(ask.gates)
            is_granted, *pairs = numbers[position:end]
            position = end
            if is_granted:
                self._count(ask, now)
            yield (
                ask,
                at if is_granted else None,
                [(free, wait / _MICROSECONDS) for free, wait in zip(pairs[::2], pairs[1::2], strict=True)],
            )

    def _keep(self, call: "_Call", asks: Sequence[Ask]) -> None:
        """Take back what may not have been heard. Turns that nobody used stay counted: nobody knows who took them."""
        news = self._news
        news.turns.extend(call.turns)
        news.pauses.update(call.pauses)
        # Who asked may have been put in line, and may not ask again.
        self._gates.desert([*call.lines, *(gate for ask in asks for gate in ask.gates)])
        for place in [*call.places, *(gate for ask in asks for gate in ask.gates if isinstance(gate, Place))]:
            place.is_told = False
            news.places[place] = None

    def _tell_everything(self, now: float) -> None:
        """Tell a Redis that has lost it what this process did lately and what it holds."""
        log.warning(
            "Redis at %s has lost what was counted: every process tells it again, and nothing begins for 2 s.",
            self._redis.place,
        )
        self._news.turns[:] = self._ledger.turns_after(-math.inf, now)
        self._news.unused.clear()
        self._news.pauses.update(self._ledger.pauses(now))
        self._tell_places()

    def _was_silent(self) -> None:
        held = sum(place.held for place in self._gates.places)
        if held:
            log.warning(
                "Redis heard nothing of this process for longer than the lease of %g s: %d of its chats in flight were "
                "not counted meanwhile, and others may have begun in their places. They count again; new ones wait.",
                self._lease,
                held,
            )
        self._tell_places()

    def _unreachable(self, reason: str) -> TransportError:
        return TransportError(
            f"The limits are kept in Redis, and it cannot be asked ({self._redis.place}: {reason}). Nothing was sent "
            "to Coze. Start Redis or check its address; RedisLimiter(..., on_redis_down='local') goes on with a share "
            "of the limits while Redis is away.",
            may_have_arrived=False,
        )


class _News:
    """What Redis has not been told yet."""

    def __init__(self) -> None:
        self.places: dict[Place, None] = {}
        self.unused: list[tuple[str, int]] = []
        self.turns: list[_Told] = []
        self.pauses: dict[tuple[str, ...], float] = {}

    def __bool__(self) -> bool:
        return bool(self.places or self.unused or self.turns or self.pauses)


# Where the turns of a lane are kept, its window, and when they were, oldest first.
_Told = tuple[str, float, list[float]]


class _Call:
    """The operations of one call, and those among them that have to be said again if it fails."""

    def __init__(self) -> None:
        self.size = 0
        self.keys: list[str] = []
        self.arguments: list[str | int] = []
        self.lines: list[Gate] = []
        self.places: list[Place] = []
        self.turns: list[_Told] = []
        self.pauses: dict[tuple[str, ...], float] = {}

    def add(self, operation: str, *arguments: int, keys: Sequence[str] = ()) -> None:
        """Add one operation of the script."""
        self.size += 1
        self.keys += keys
        self.arguments += (operation, *arguments)

    def ask(self, ask: Ask) -> None:
        """Add a question."""
        arguments = [len(ask.gates)]
        keys: list[str] = []
        for gate in ask.gates:
            keys += gate.keys
            of_gate = gate.held if isinstance(gate, Place) else math.ceil(gate.window * _MICROSECONDS)
            arguments += (gate.most, of_gate, int(gate.waiting > 0))
        self.add("T" if ask.is_turn else "E", *arguments, keys=keys)


class _Turns(Lane):
    """The turns of a lane, and where Redis keeps them."""

    __slots__ = ("keys",)

    def __init__(self, gate: Gate) -> None:
        super().__init__(Rate(gate.most, gate.window, guard=0.0))
        self.keys = gate.keys


class _Ledger:
    """The turns that this process had in the last window, by lane; idle lanes are forgotten."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, _Turns] = OrderedDict()

    @property
    def users(self) -> int:
        """How many lanes of users are remembered."""
        return len(self._lanes) - sum(name in self._lanes for name in _OF_ACCOUNT)

    def lane(self, gate: Gate, now: float) -> _Turns:
        """Return the turns of a gate that are in its window."""
        turns = self._lanes.get(gate.key)
        if turns is None:
            self.forget_idle(2, now)
            turns = self._lanes[gate.key] = _Turns(gate)
        # What left the window is forgotten.
        turns.delay(now)
        return turns

    def turns_after(self, moment: float, now: float) -> list[_Told]:
        """Return the turns after a moment that are in their window, by lane."""
        for lane in self._lanes.values():
            lane.delay(now)
        return [
            (lane.keys[0], lane.window, [turn for turn in lane.turns if turn > moment])
            for lane in self._lanes.values()
            if lane.turns and lane.turns[-1] > moment
        ]

    def pauses(self, now: float) -> dict[tuple[str, ...], float]:
        """Return until when lanes are held back, of those that are."""
        return {lane.keys: lane.not_before for lane in self._lanes.values() if lane.not_before > now}

    def forget_idle(self, count: int, now: float) -> None:
        """Look at those that were looked at longest ago: more go than come, and no sweep takes long."""
        for _ in range(min(count, len(self._lanes))):
            key, lane = self._lanes.popitem(last=False)
            if not lane.is_idle(now):
                self._lanes[key] = lane


def _limit_of(gate: Gate) -> str:
    """Return the field of `Limits` that a gate keeps."""
    name = gate.key.removeprefix("at once:").partition(":")[0]
    return _LIMITS.get(name, name)


@cache
def _script() -> str:
    return files("coze_async").joinpath("_limits_redis.lua").read_text(encoding="utf-8")
