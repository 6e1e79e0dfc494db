"""Who waits for which limit in this process, in order, and whose question may be put next.

A gate is a limit that somebody else keeps: the rate of a user or of the account, or a number of chats at once. What
is known of it here, how many more it lets through or when it opens, is what it said last. A question stands before
one gate at a time; it is put when it has passed all of its gates, and when one refuses it, it is first in line there.
Nothing here waits or sends; times are the event loop's.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import count

import anyio

__all__ = ["Answer", "Ask", "Gate", "Gates", "Place"]

# A timer may come so much too early.
_TICK = 1e-6

# A place that is taken elsewhere is asked for again after this part of the time waited, and after a second at most.
_PART_WAITED, _LONGEST_WAIT = 0.1, 1.0


class Gate:
    """One limit, as this process knows it.

    Attributes:
        key: Its name among all gates.
        keys: Where it is kept.
        most: How many it lets through in its window.
        window: In seconds; 0 for places, which are given back.
        room: How many more may ask before it has answered again.
        is_closed: True if it lets nobody through before `opens_at`.
        opens_at: When somebody may ask again, if it is closed.
        waiting: How many stand before it.
        asks: How many need it, those included that stand before another one.
    """

    __slots__ = ("asks", "is_closed", "key", "keys", "most", "opens_at", "queue", "room", "waiting", "window")

    def __init__(self, key: str, keys: tuple[str, ...], most: int, window: float = 0.0) -> None:
        self.key = key
        self.keys = keys
        self.most = most
        self.window = window
        # Nothing is known yet, so all that could be let through may ask.
        self.room = most
        self.is_closed = False
        self.opens_at = 0.0
        self.queue: deque[Ask] = deque()
        self.waiting = 0
        self.asks = 0

    @property
    def is_idle(self) -> bool:
        """True if nobody would notice that it is forgotten."""
        return not self.asks

    @property
    def first(self) -> "Ask":
        """Who is first in line; only if somebody waits."""
        while self.queue[0].is_gone:
            self.queue.popleft()
        return self.queue[0]

    def learn(self, free: int, wait: float, now: float, *, is_granted: bool) -> None:
        """Take over its answer: how many more may pass, or how long it stays closed."""
        del is_granted
        self.is_closed = wait > 0
        self.room = 0 if self.is_closed else free
        self.opens_at = now + wait


class Place(Gate):
    """How many chats may be in flight: a gate whose turns are given back.

    Attributes:
        held: How many are in flight here, in this process.
        is_told: False if the others do not know that yet.
        holder: The task that entered last, -1 if it has left.
    """

    __slots__ = ("closed_at", "held", "holder", "is_told")

    def __init__(self, key: str, keys: tuple[str, ...], most: int) -> None:
        super().__init__(key, keys, most)
        self.held = 0
        self.is_told = True
        self.holder = -1
        self.closed_at: float | None = None

    @property
    def is_idle(self) -> bool:
        """True if nobody would notice that it is forgotten."""
        return not self.asks and not self.held and self.is_told

    def learn(self, free: int, wait: float, now: float, *, is_granted: bool) -> None:
        """Take over what it said.

        Nobody knows when a place becomes free elsewhere: the longer it has taken, the more rarely it is asked.
        """
        if is_granted or not wait:
            self.closed_at = None
        if wait:
            self.closed_at = now if self.closed_at is None else self.closed_at
            wait = min(_LONGEST_WAIT, max(wait, _PART_WAITED * (now - self.closed_at)))
        super().learn(free, wait, now, is_granted=is_granted)


class Ask:
    """The question whether somebody may go, through several gates at once.

    Attributes:
        gates: The limits that count it.
        is_turn: False for places.
        number: Its place in the order of all.
        event: Set when it is answered.
        error: Why there is no answer.
        granted_at: When it was granted, by the clock of who keeps the limits; None before.
        has_waited: True if it had to wait.
        is_gone: True if who asked has left.
        whose: Who asks, for the log.
        on_wait: Told of the gate before which it has to wait, each time that it begins to.
    """

    __slots__ = (
        "error",
        "event",
        "gates",
        "granted_at",
        "has_waited",
        "is_gone",
        "is_put",
        "is_turn",
        "number",
        "on_wait",
        "position",
        "whose",
    )

    def __init__(self, gates: Sequence[Gate], *, is_turn: bool, whose: str = "") -> None:
        self.gates = gates
        self.is_turn = is_turn
        self.whose = whose
        self.on_wait: Callable[[Gate], None] | None = None
        self.number = 0
        self.event = anyio.Event()
        self.error: Exception | None = None
        self.granted_at: int | None = None
        self.has_waited = False
        self.is_gone = False
        self.is_put = False
        self.position = 0


# The question, when it was granted or None, and for each gate: how many more, or for how many seconds none.
Answer = tuple[Ask, int | None, Sequence[tuple[int, float]]]


class Gates:
    """All gates that somebody asks for or holds a place behind; the others are forgotten."""

    def __init__(self) -> None:
        self.known: dict[str, Gate] = {}
        # Those that stand before no gate any more, with the number by which they are in order.
        self._ready: list[tuple[int, Ask]] = []
        self._timers: list[tuple[float, int, Gate]] = []
        self._number = count()
        self._deserted: dict[str, Gate] = {}

    @property
    def places(self) -> list[Place]:
        """All places that are held or asked for."""
        return [gate for gate in self.known.values() if isinstance(gate, Place)]

    @property
    def has_deserted(self) -> bool:
        """True if there are gates where this process may stand in line for nobody."""
        return bool(self._deserted)

    def desert(self, gates: Iterable[Gate]) -> None:
        """Remember gates before which this process may stand in line although nobody here waits any more."""
        self._deserted.update((gate.key, gate) for gate in gates)

    def leave_line(self) -> Gate | None:
        """Return a gate whose line is to be left, None if there are no more."""
        while self._deserted:
            key, gate = self._deserted.popitem()
            if not self.known.get(key, gate).waiting:
                return gate
        return None

    @property
    def has_ready(self) -> bool:
        """True if there are questions to put."""
        return bool(self._ready)

    def submit(self, ask: Ask) -> None:
        """Let a question go as far as it may, behind those that came before."""
        ask.number = next(self._number)
        for gate in ask.gates:
            gate.asks += 1
        self._advance(ask)

    def withdraw(self, ask: Ask) -> None:
        """Forget a question whose asker has left; those behind it move up."""
        ask.is_gone = True
        if ask.is_put:
            # What is known after its answer holds for the others.
            return
        if ask.position < len(ask.gates):
            gate = ask.gates[ask.position]
            gate.waiting -= 1
            if not gate.waiting:
                gate.queue.clear()
                self.desert([gate])
        self._return(ask)

    def take(self, most: int) -> list[Ask]:
        """Return the questions to put now, at most so many."""
        taken: list[Ask] = []
        while self._ready and len(taken) < most:
            ask = heappop(self._ready)[1]
            if not ask.is_gone and not self._steps_back(ask):
                ask.is_put = True
                taken.append(ask)
        return taken

    def put_back(self, asks: Sequence[Ask]) -> None:
        """Take back what was not asked after all."""
        for ask in asks:
            ask.is_put = False
            if ask.is_gone:
                self._return(ask)
            else:
                heappush(self._ready, (ask.number, ask))

    def failed(self, ask: Ask, error: Exception) -> None:
        """End a question without an answer; the next ones behind it ask themselves."""
        ask.error = error
        ask.event.set()
        self._return(ask)

    def answered(self, answers: Iterable[Answer], now: float) -> list[Ask]:
        """Let those go that were granted, and the others wait where they were refused.

        Returns:
            What was granted to somebody who has left.
        """
        refused: list[Ask] = []
        unused: list[Ask] = []
        touched: dict[Gate, None] = {}
        for ask, granted_at, states in answers:
            longest = 0.0
            for position, (gate, (free, wait)) in enumerate(zip(ask.gates, states, strict=True)):
                gate.learn(free, wait, now, is_granted=granted_at is not None)
                touched[gate] = None
                if granted_at is None and wait > longest:
                    longest, ask.position = wait, position
            if granted_at is None:
                refused.append(ask)
                continue
            ask.granted_at = granted_at
            self._forget(ask)
            ask.event.set()
            if ask.is_gone:
                unused.append(ask)
        for ask in refused:
            self._refuse(ask)
        for gate in touched:
            if gate.is_closed and not gate.is_idle:
                heappush(self._timers, (gate.opens_at, next(self._number), gate))
            self._open(gate)
        return unused

    def open_due(self, now: float) -> float:
        """Let those ask again whose gates open now, and return when the next one does."""
        while self._timers:
            at, _, gate = self._timers[0]
            if at > now + _TICK:
                return at
            heappop(self._timers)
            if gate.is_closed and gate.opens_at <= now + _TICK:
                # One finds out how many.
                gate.is_closed = False
                gate.room = 1
                self._open(gate)
        return float("inf")

    def given_back(self, gate: Gate) -> None:
        """Let the next one ask for what became free."""
        gate.is_closed = False
        gate.room += 1
        self._open(gate)

    def all_asks(self) -> list[Ask]:
        """Return all that wait for an answer, save those that were put."""
        standing = {ask: None for gate in self.known.values() for ask in gate.queue if not ask.is_gone}
        return [*standing, *(ask for _, ask in self._ready if not ask.is_gone)]

    def drop(self, gate: Gate) -> None:
        """Forget a gate if nobody needs it."""
        if gate.is_idle:
            self.known.pop(gate.key, None)

    def _advance(self, ask: Ask) -> None:
        while ask.position < len(ask.gates):
            gate = ask.gates[ask.position]
            if gate.waiting or not gate.room:
                self._stand(ask, gate)
                return
            gate.room -= 1
            ask.position += 1
        heappush(self._ready, (ask.number, ask))

    def _stand(self, ask: Ask, gate: Gate) -> None:
        """Let it wait before a gate, behind those that came before it."""
        queue = gate.queue
        if queue and queue[-1].number > ask.number:
            queue.insert(next(place for place, other in enumerate(queue) if other.number > ask.number), ask)
        else:
            queue.append(ask)
        gate.waiting += 1
        ask.has_waited = True
        if ask.on_wait is not None:
            ask.on_wait(gate)

    def _steps_back(self, ask: Ask) -> bool:
        """See whether one that came before it was refused by a gate that it has passed; if so, it waits there too."""
        for position, gate in enumerate(ask.gates):
            if gate.waiting and gate.first.number < ask.number:
                passed, ask.position = ask.gates[: ask.position], position
                self._stand(ask, gate)
                self._give_room(passed)
                return True
        return False

    def _open(self, gate: Gate) -> None:
        while gate.room and gate.waiting:
            ask = gate.first
            gate.queue.popleft()
            gate.waiting -= 1
            gate.room -= 1
            ask.position += 1
            self._advance(ask)

    def _refuse(self, ask: Ask) -> None:
        ask.is_put = False
        gate = ask.gates[ask.position]
        if ask.is_gone:
            if not gate.waiting:
                self.desert([gate])
            self._forget(ask)
            return
        self._stand(ask, gate)

    def _return(self, ask: Ask) -> None:
        """End a question without an answer, and let the next ones go as far as it had come."""
        self._give_room(ask.gates[: ask.position])
        self._forget(ask)

    def _give_room(self, passed: Sequence[Gate]) -> None:
        """Give the room back that a question took at the gates which it had passed, to those behind it."""
        for gate in passed:
            if not gate.is_closed:
                gate.room += 1
                self._open(gate)

    def _forget(self, ask: Ask) -> None:
        for gate in ask.gates:
            gate.asks -= 1
            self.drop(gate)
