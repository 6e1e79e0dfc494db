"""The queues of one process, before whatever keeps the limits: nobody is forgotten, and nobody overtakes."""

from collections import Counter, deque

from hypothesis import example, given, settings
from hypothesis import strategies as st

from coze_async._limits_gates import Answer, Ask, Gate, Gates, Place

LANES, PLACES = ("user a", "user b", "account"), ("chats of a", "chats of b", "chats")
WINDOW = 10.0


class Keeper:
    """Keeps the limits in the plainest way, and answers."""

    def __init__(self, limits: dict[str, int]) -> None:
        self.limits = limits
        self.turns: dict[str, deque[float]] = {name: deque() for name in LANES}
        self.taken: Counter[str] = Counter()

    def state(self, name: str, now: float) -> tuple[int, float]:
        limit = self.limits[name]
        if name in PLACES:
            return (limit - self.taken[name], 0.0) if self.taken[name] < limit else (0, 0.05)
        turns = [turn for turn in self.turns[name] if turn + WINDOW > now]
        return (limit - len(turns), 0.0) if len(turns) < limit else (0, turns[-limit] + WINDOW - now)

    def answer(self, ask: Ask, now: float) -> Answer:
        names = [gate.key for gate in ask.gates]
        granted_at = None
        if all(self.state(name, now)[0] > 0 for name in names):
            granted_at = round(now * 1e6)
            for name in names:
                if name in PLACES:
                    self.taken[name] += 1
                else:
                    self.turns[name].append(now)
        return ask, granted_at, [self.state(name, now) for name in names]


class Process:
    """The gates of one process, what was asked, and what was answered, in order."""

    def __init__(self, limits: dict[str, int]) -> None:
        self.gates = Gates()
        self.keeper = Keeper(limits)
        self.now = 0.0
        self.asked: list[Ask] = []
        self.granted: list[Ask] = []
        self.in_flight: list[Ask] = []
        self.held: list[Ask] = []
        self.elsewhere: list[str] = []

    def gate(self, name: str) -> Gate:
        kind = Place if name in PLACES else Gate
        most = self.keeper.limits[name]
        return self.gates.known.setdefault(name, kind(name, (name, "", ""), most))

    def ask(self, names: tuple[str, ...]) -> None:
        ask = Ask([self.gate(name) for name in names], is_turn=names[0] in LANES)
        self.asked.append(ask)
        self.gates.submit(ask)

    def send(self) -> None:
        self.in_flight += self.gates.take(3)

    def receive(self) -> None:
        answers = [self.keeper.answer(ask, self.now) for ask in self.in_flight]
        self.in_flight = []
        granted = [ask for ask, at, _ in answers if at is not None]
        for ask in granted:
            for gate in ask.gates:
                if isinstance(gate, Place):
                    gate.held += 1
        self.granted += granted
        self.held += [ask for ask in granted if not ask.is_turn]
        unused = self.gates.answered(answers, self.now)
        assert unused == [ask for ask in granted if ask.is_gone]

    def leave(self, number: int) -> None:
        left = [ask for ask in self.asked if not ask.is_gone and not ask.event.is_set()]
        if left:
            self.gates.withdraw(left[number % len(left)])

    def give_back(self) -> None:
        if self.held:
            for gate in self.held.pop(0).gates:
                assert isinstance(gate, Place)
                gate.held -= 1
                self.keeper.taken[gate.key] -= 1
                self.gates.given_back(gate)

    def take_elsewhere(self, name: str) -> None:
        if self.keeper.taken[name] < self.keeper.limits[name]:
            self.keeper.taken[name] += 1
            self.elsewhere.append(name)

    def give_back_elsewhere(self) -> None:
        """Let another process release a place: nobody here is told."""
        if self.elsewhere:
            self.keeper.taken[self.elsewhere.pop()] -= 1

    def wait(self) -> None:
        self.now += 1.0
        self.gates.open_due(self.now)


QUESTIONS = st.sampled_from(
    [("user a", "account"), ("user b", "account"), ("account",), ("chats of a", "chats"), ("chats of b", "chats")]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), QUESTIONS),
        st.tuples(st.just("leave"), st.integers(0, 9)),
        st.tuples(st.just("take_elsewhere"), st.sampled_from(PLACES)),
        st.sampled_from([("send",), ("receive",), ("give_back",), ("wait",), ("give_back_elsewhere",)]),
        st.sampled_from([("send",), ("receive",)]),
    ),
    max_size=60,
)


OF_A, OF_B = ("chats of a", "chats"), ("chats of b", "chats")


@settings(max_examples=300)
@given(st.lists(st.integers(1, 3), min_size=6, max_size=6), STEPS)
# The first is refused by a gate that the second has passed already; the place there is free again before the second
# is asked for.
@example([1, 1, 1, 2, 1, 1], [("ask", OF_A), ("ask", OF_A), *[("take_elsewhere", "chats of a")] * 2])
@example([1, 1, 1, 1, 2, 2], [("ask", OF_A), ("ask", OF_B), ("ask", OF_B), *[("take_elsewhere", "chats of b")] * 2])
def test_everyone_who_stays_is_let_through_in_order_whatever_happens_to_the_others(
    limits: list[int], steps: list[tuple[object, ...]]
) -> None:
    process = Process(dict(zip((*LANES, *PLACES), limits, strict=True)))
    for name, *arguments in steps:
        getattr(process, str(name))(*arguments)
    for number in range(2000):
        if not any(gate.asks for gate in process.gates.known.values()):
            break
        process.send()
        process.receive()
        process.give_back_elsewhere()
        if not any(gate.asks for gate in process.gates.known.values() if isinstance(gate, Place)) or number % 20 == 0:
            process.give_back()
        process.wait()
    while process.held:
        process.give_back()
    stayed = [ask for ask in process.asked if not ask.is_gone]
    assert all(ask.event.is_set() for ask in stayed)
    # In the order in which they asked, among those who asked for the same.
    for names in {tuple(gate.key for gate in ask.gates) for ask in stayed}:
        same = [ask for ask in stayed if tuple(gate.key for gate in ask.gates) == names]
        assert [ask for ask in process.granted if ask in same] == same
    # Nobody needs a gate any more, so none is remembered.
    for gate in list(process.gates.known.values()):
        process.gates.drop(gate)
    assert not process.gates.known


def test_a_place_that_is_taken_elsewhere_is_asked_for_more_rarely_the_longer_it_takes() -> None:
    place = Place("chats", ("", ""), 1)
    waits: list[float] = []
    for now in (0.0, 0.02, 1.0, 5.0, 60.0):
        place.learn(0, 0.02, now, is_granted=False)
        waits.append(round(place.opens_at - now, 6))
    assert waits == [0.02, 0.02, 0.1, 0.5, 1.0]
    # Whoever was let through begins anew.
    place.learn(0, 0.02, 61.0, is_granted=True)
    place.learn(0, 0.02, 62.0, is_granted=False)
    assert round(place.opens_at - 62.0, 6) == 0.1


def test_a_line_is_left_once_and_not_while_somebody_waits() -> None:
    process = Process(dict.fromkeys((*LANES, *PLACES), 1))
    process.ask(("account",))
    process.ask(("account",))
    gates, first = process.gates, process.gate("account")
    # Its answer has not come: it may stand in a line.
    gates.desert([first])
    assert gates.has_deserted
    assert gates.leave_line() is None
    for ask in [*process.asked]:
        gates.withdraw(ask)
    gates.desert([first])
    # The gate was forgotten, and here is one of the same name.
    process.ask(("account",))
    process.ask(("account",))
    assert process.gate("account") is not first
    assert gates.leave_line() is None
    gates.desert([first, first])
    for ask in process.asked[-2:]:
        gates.withdraw(ask)
    assert gates.leave_line() is not None
    assert gates.leave_line() is None
    assert not gates.has_deserted


def test_who_has_to_wait_is_told_before_which_gate() -> None:
    process = Process({**dict.fromkeys((*LANES, *PLACES), 2), "account": 1})
    told: list[tuple[int, str]] = []
    asks = [Ask([process.gate(name) for name in ("user a", "account")], is_turn=True) for _ in range(3)]
    for number, ask in enumerate(asks):
        ask.on_wait = lambda gate, number=number: told.append((number, gate.key))
        process.asked.append(ask)
        process.gates.submit(ask)
    # The first may ask, the second stands before the account, the third before its user.
    assert told == [(1, "account"), (2, "user a")]
    assert [ask.has_waited for ask in asks] == [False, True, True]


def test_a_gate_does_not_open_before_its_time() -> None:
    process = Process({**dict.fromkeys((*LANES, *PLACES), 9), "account": 1})
    for _ in range(2):
        process.ask(("account",))
    process.send()
    process.receive()
    assert [ask.event.is_set() for ask in process.asked] == [True, False]
    assert process.gates.open_due(WINDOW - 0.001) == WINDOW
    assert not process.gates.has_ready
    assert process.gates.open_due(WINDOW) == float("inf")
    assert process.gates.has_ready


def test_what_was_not_asked_after_all_is_asked_again_unless_who_asked_has_left() -> None:
    process = Process({**dict.fromkeys((*LANES, *PLACES), 9), "account": 2})
    for _ in range(3):
        process.ask(("account",))
    stays, leaves, waits = process.asked
    taken = process.gates.take(9)
    assert taken == [stays, leaves]
    process.gates.withdraw(leaves)
    assert waits.position == 0
    process.gates.put_back(taken)
    # What the one has left goes to the next.
    assert process.gates.take(9) == [stays, waits]
    process.gates.put_back([stays, waits])
    # A question that was put back can be withdrawn as one that was never asked.
    process.gates.withdraw(stays)
    assert process.gate("account").asks == 1
    assert process.gates.take(9) == [waits]
    process.gates.put_back([waits])
    process.gates.withdraw(waits)
    assert not process.gates.known


def test_places_have_no_window() -> None:
    assert (Place("chats", ("", ""), 1).window, Gate("turns", ("", "", ""), 1, 5.0).window) == (0.0, 5.0)


def test_who_leaves_takes_nobody_out_of_the_line() -> None:
    process = Process({**dict.fromkeys((*LANES, *PLACES), 9), "account": 1})
    for _ in range(3):
        process.ask(("account",))
    first, leaves, waits = process.asked
    gates, gate = process.gates, process.gate("account")
    gates.withdraw(leaves)
    # Somebody of this process still stands there.
    assert not gates.has_deserted
    assert gate.first is waits
    gates.withdraw(waits)
    assert gates.has_deserted
    assert not gate.queue
    assert gates.take(9) == [first]
