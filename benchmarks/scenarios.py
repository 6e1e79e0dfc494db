"""What there is to measure: kinds of work, what is read off them, and the scenarios of a quick and of a full run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from benchmarks.wire import stream_parts

__all__ = ["FULL", "KINDS", "QUICK", "SCENARIOS", "Kind", "Measure", "Scenario"]


@dataclass(frozen=True)
class Measure:
    """One figure that is read off a turn.

    Attributes:
        unit: As it is shown.
        about: What it is, for a reader.
        scale: How many units a second or a byte has.
        shared: True if it is divided by the operations of the turn.
    """

    unit: str
    about: str
    scale: float = 1.0
    shared: bool = False


@dataclass(frozen=True)
class Kind:
    """One way of working a client.

    Attributes:
        operation: What the work is divided by.
        measures: Name -> what is read off; the first is the one that counts.
        fresh: True if every turn is a process of its own.
        ours_only: True if it is a cost that only this library has.
        needs_proc: True if the memory of a process must be visible.
    """

    operation: str
    measures: Mapping[str, Measure]
    fresh: bool = False
    ours_only: bool = False
    needs_proc: bool = False


_MIB, _KIB = 2.0**-20, 2.0**-10
_CPU = "CPU of the client's process"
_WALL = "time that passed"


def _costs(operation: str, unit: str, scale: float) -> dict[str, Measure]:
    shown = f"{unit}/{operation}"
    return {"cpu": Measure(shown, _CPU, scale, shared=True), "wall": Measure(shown, _WALL, scale, shared=True)}


_FAN_OUT = {
    **_costs("chat", "ms", 1e3),
    "p99": Measure("ms", "from the start of a chat to its end, for the slowest hundredth", 1e3),
    "peak": Measure("MiB", "most memory that the process had during the turn", _MIB),
}

KINDS: Mapping[str, Kind] = {
    "stream": Kind("event", _costs("event", "µs", 1e6)),
    "parse": Kind("event", _costs("event", "µs", 1e6)),
    "retrieve": Kind("call", _costs("call", "µs", 1e6)),
    "create": Kind("call", _costs("call", "µs", 1e6)),
    "streams": Kind("chat", _FAN_OUT),
    "polls": Kind("chat", _FAN_OUT),
    "latency": Kind(
        "event",
        {
            "median": Measure("ms", "from the server's write to the caller having the text", 1e3),
            "p99": Measure("ms", "the same, for the slowest hundredth", 1e3),
            "cpu": Measure("µs/event", _CPU, 1e6, shared=True),
        },
    ),
    "active": Kind(
        "chat",
        {
            "peak": Measure("MiB", "most memory that the process had", _MIB),
            "grown": Measure("KiB/stream", "the same above what it had before the streams", _KIB, shared=True),
        },
        fresh=True,
        needs_proc=True,
    ),
    "idle": Kind(
        "chat",
        {
            "grown": Measure(
                "KiB/stream", "memory above what the process had with as many streams less", _KIB, shared=True
            )
        },
        fresh=True,
        needs_proc=True,
    ),
    "start": Kind(
        "start",
        {
            "total": Measure("ms", "CPU of the four together", 1e3),
            "import": Measure("ms", "CPU of importing what the program names", 1e3),
            "construct": Measure("ms", "CPU of making a client", 1e3),
            "enter": Measure("ms", "CPU of `async with`, where that does anything", 1e3),
            "first": Measure("ms", "CPU from asking for the first stream to its first text", 1e3),
            "first_wall": Measure("ms", "the same, as time that passed", 1e3),
        },
        fresh=True,
    ),
    "limiter": Kind(
        "turn",
        {
            "cpu": Measure(
                "µs/turn", "CPU of waiting for a turn and a slot, and giving the slot back", 1e6, shared=True
            ),
            "held": Measure("MiB", "memory for all these users", _MIB),
            "left": Measure("MiB", "memory after all are idle, and a thousand turns of one user", _MIB),
        },
        fresh=True,
        ours_only=True,
        needs_proc=True,
    ),
    "batch": Kind(
        "item",
        {"cpu": Measure("µs/item", "CPU above awaiting the same function in a loop", 1e6, shared=True)},
        fresh=True,
        ours_only=True,
    ),
}


@dataclass(frozen=True)
class Scenario:
    """One thing to measure.

    Attributes:
        name: As it is called in the table and in the JSON.
        kind: One of `KINDS`.
        about: What it is, for a reader.
        path: Of the server, before the path of the API.
        deltas: How many deltas each stream has; 0 if there is none.
        at_once: How many chats run at the same time, how many users the limiter has, how many items are in flight.
        repeat: How often that is done in one turn; for the library's own costs, the turns or items.
        rounds: Which part of the run's rounds it gets; one at least.
        secure: Over TLS.
        without: Who is left out of it, because the whole run is to be short.
    """

    name: str
    kind: str
    about: str
    path: str = ""
    deltas: int = 0
    at_once: int = 1
    repeat: int = 1
    rounds: float = 1.0
    secure: bool = False
    without: tuple[str, ...] = ()

    @property
    def operations(self) -> int:
        """What the figures of one turn are divided by."""
        if KINDS[self.kind].ours_only:
            return self.repeat
        number = self.repeat * self.at_once
        return number * len(stream_parts(self.deltas)) if KINDS[self.kind].operation == "event" else number

    def over_tls(self) -> "Scenario":
        """Return the same over TLS."""
        return replace(self, name=f"{self.name}-tls", about=f"{self.about}; over TLS", secure=True)


_SHAPES = {
    "framed": "one event per HTTP chunk, many chunks per socket read",
    "packed": "16 KiB chunks, about 50 events in each",
    "large": "64 KiB chunks, about 200 events in each",
    "paced": "one event per socket write, 1 ms apart",
    "split": "segments of 397 bytes, 1 ms apart: no event comes in one piece",
}
# Beside its deltas a stream has six events: 50 together.
_DELTAS_OF_50 = 44
_SECOND = 40
"""How many deltas a stamped stream has in a second."""


def _stream(shape: str, deltas: int, repeat: int) -> Scenario:
    return Scenario(shape, "stream", _SHAPES[shape], f"{shape}/{deltas}", deltas, repeat=repeat)


def _streams(at_once: int, repeat: int, rounds: float = 1.0) -> Scenario:
    about = f"{at_once} x a stream of 50 events, all at once, on warm connections"
    path = f"gate-{at_once}/{_DELTAS_OF_50}"
    return Scenario(f"streams-{at_once}", "streams", about, path, _DELTAS_OF_50, at_once, repeat, rounds)


def _polls(at_once: int, repeat: int, rounds: float = 1.0) -> Scenario:
    about = f"{at_once} x a chat created, looked at 3 times, 20 ms apart, and its messages, all at once"
    return Scenario(f"polls-{at_once}", "polls", about, "polls", 0, at_once, repeat, rounds)


def _latency(seconds: int) -> Scenario:
    about = "100 streams, a delta every 25 ms in each, in no step: how late a text is"
    deltas = seconds * _SECOND
    return Scenario("latency", "latency", about, f"stamped-100/{deltas}", deltas, 100, rounds=0.4)


def _active(at_once: int) -> Scenario:
    about = f"a new process reads {at_once} streams of 50 events at once"
    path = f"gate-{at_once}/{_DELTAS_OF_50}"
    return Scenario(f"active-{at_once}", "active", about, path, _DELTAS_OF_50, at_once, rounds=0.4)


def _idle(at_once: int) -> Scenario:
    about = f"a new process waits in {at_once} streams more than before, of which the first events have come"
    return Scenario("idle", "idle", about, f"held/{_DELTAS_OF_50}", _DELTAS_OF_50, at_once, rounds=0.4)


def _limiter(users: int, turns: int) -> Scenario:
    about = f"{turns} turns and slots that nobody waits for, by {users} users, each at its full rate"
    return Scenario(f"limiter-{users}", "limiter", about, at_once=users, repeat=turns, rounds=0.4)


def _batch(at_once: int, items: int) -> Scenario:
    about = f"fan_out over {items} items, {at_once} at once: the library's own work"
    return Scenario(f"batch-{at_once}", "batch", about, at_once=at_once, repeat=items, rounds=0.4)


# Each of their requests looks through all connections and all requests of the pool, of which there are 1000.
_SLOW = ("cozepy", "httpx by hand")

_START = Scenario("start", "start", "a new process: import, make a client, enter it, first text", "framed/50", 50)
_PARSE = "16 KiB pieces from memory, no socket"
_RETRIEVE = "chat.retrieve: a small JSON answer"
_CREATE = "chat.create: a small JSON question and answer"


def _quick() -> list[Scenario]:
    framed, paced = _stream("framed", 2000, 6), _stream("paced", 200, 1)
    retrieve, idle = Scenario("retrieve", "retrieve", _RETRIEVE, "calls", repeat=100), _idle(100)
    return [
        framed,
        framed.over_tls(),
        _stream("packed", 2000, 6),
        _stream("large", 2000, 6),
        paced,
        paced.over_tls(),
        _stream("split", 150, 1),
        Scenario("parse", "parse", _PARSE, "parse/2000", 2000, repeat=6),
        retrieve,
        retrieve.over_tls(),
        Scenario("create", "create", _CREATE, "calls", repeat=100),
        _streams(1, 40),
        _streams(10, 4),
        _streams(100, 1, 0.3),
        replace(_streams(1000, 1, 0.6), without=_SLOW),
        _polls(10, 2, 0.6),
        _polls(100, 1, 0.3),
        replace(_polls(1000, 1, 0.3), without=_SLOW),
        _latency(2),
        idle,
        idle.over_tls(),
        _START,
        _limiter(1, 20_000),
        _limiter(1000, 20_000),
        _batch(16, 5_000),
    ]


def _full() -> list[Scenario]:
    reached = [
        *(_stream(shape, 2000, 5) for shape in ("framed", "packed", "large")),
        *(_stream(shape, 600, 1) for shape in ("paced", "split")),
        Scenario("retrieve", "retrieve", _RETRIEVE, "calls", repeat=400),
        Scenario("create", "create", _CREATE, "calls", repeat=400),
        _streams(1, 100),
        _streams(10, 10),
        _streams(100, 2, 0.6),
        _streams(500, 1, 0.25),
        _streams(1000, 1, 0.25),
        _latency(5),
        _active(1000),
        _idle(200),
        _START,
    ]
    polls = [_polls(1, 20), _polls(10, 5), _polls(100, 1, 0.6), _polls(500, 1, 0.2), _polls(1000, 1, 0.2)]
    own = [_limiter(1, 200_000), _limiter(1000, 200_000), _limiter(1_000_000, 1_000_000), _batch(16, 20_000)]
    return [
        *(each for one in reached for each in (one, one.over_tls())),
        *polls,
        # What TLS costs a request shows in `retrieve-tls`; here only that it goes on to hold for many.
        polls[2].over_tls(),
        Scenario("parse", "parse", _PARSE, "parse/2000", 2000, repeat=5),
        *own,
        _batch(1000, 20_000),
    ]


QUICK: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _quick()}
FULL: Mapping[str, Scenario] = {scenario.name: scenario for scenario in _full()}
SCENARIOS = tuple(FULL)
