"""What can go wrong between a client and the service, to be put in the way of a request."""

import itertools
import math
import random
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from coze_async._errors import ConfigurationError

from ._body import Body, ConnectionDropped, EmulatedResponse, Step, pause
from ._body import Unreachable as NoConnection
from ._given import Read, maybe, number, take, whole
from ._given import text as a_text
from ._reasons import reason
from ._wire import Refusal
from ._world import World

_Answer = Callable[[], Awaitable[EmulatedResponse]]


class Fault:
    """What happens to one request instead of, or after, the true answer.

    A subclass overrides `meet`. Not calling `answer` means that the request never reached the service.
    """

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        """The response that the client gets; `answer()` does the work and gives the true one."""
        del world
        return await answer()

    def at_once(self) -> Refusal | None:
        """What `answer()` is to refuse in place of the work, in the form of the request; None lets it work."""
        return None


def _words(code: int, msg: str | None) -> str:
    return reason(code) if msg is None else msg


def _check(**numbers: float | None) -> None:
    """Refuse what is no count and no time; None is left to what it means."""
    for name, value in numbers.items():
        if value is not None and not number(value, name) >= 0:
            raise ConfigurationError(f"{name} is {value}: give 0 or more.")


_STATUS: dict[str, Read] = {"status": whole}
_CODE: dict[str, Read] = {"code": whole, "msg": maybe(a_text)}


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """An error status with Coze's JSON envelope; nothing was started."""

    status: int = 429
    code: int = 4013
    msg: str | None = None
    """None: what the service says with this code."""
    retry_after: str | float | None = None

    def __post_init__(self) -> None:
        take(self, **_STATUS, **_CODE)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del answer
        response = world.wire.json(self.status, {"code": self.code, "msg": _words(self.code, self.msg)})
        if self.retry_after is not None:
            response.headers["retry-after"] = str(self.retry_after)
        return response


@dataclass(frozen=True, slots=True)
class Code(Fault):
    """HTTP 200 with an error code in a JSON envelope, also where a stream was asked for."""

    code: int
    msg: str | None = None
    """None: what the service says with this code."""
    content_type: str = "application/json; charset=utf-8"
    """`text/event-stream` hides the JSON under the type of a stream."""

    def __post_init__(self) -> None:
        take(self, **_CODE, content_type=a_text)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del answer
        response = world.wire.json(200, {"code": self.code, "msg": _words(self.code, self.msg)})
        response.headers["content-type"] = self.content_type
        return response


@dataclass(frozen=True, slots=True)
class Text(Fault):
    """A plain text instead of Coze's JSON, as a server that fell over sends."""

    status: int = 500
    text: str = "internal server error"
    content_type: str = "text/plain; charset=utf-8"

    def __post_init__(self) -> None:
        take(self, **_STATUS, text=a_text, content_type=a_text)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del answer, world
        return EmulatedResponse(self.status, {"content-type": self.content_type}, self.text.encode())


@dataclass(frozen=True, slots=True)
class Html(Fault):
    """The page of a gateway in front of the service."""

    status: int = 502

    def __post_init__(self) -> None:
        take(self, **_STATUS)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        page = (
            f"<html>\r\n<head><title>{self.status}</title></head>\r\n<body><center>nginx</center></body>\r\n</html>\r\n"
        )
        return await Text(self.status, page, "text/html").meet(answer, world)


@dataclass(frozen=True, slots=True)
class Unreachable(Fault):
    """No connection comes about."""

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del answer, world
        raise NoConnection


@dataclass(frozen=True, slots=True)
class WrongContentType(Fault):
    """The true answer under another content type."""

    content_type: str = "text/plain"

    def __post_init__(self) -> None:
        take(self, content_type=a_text)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del world
        response = await answer()
        return replace(response, headers={**response.headers, "content-type": self.content_type})


@dataclass(frozen=True, slots=True)
class ErrorEvent(Fault):
    """After some events comes an error event, and then the end; a JSON answer becomes an error envelope.

    With `after=0` it is the first event: nothing was begun, as where the service refuses a stream that it has opened.
    """

    code: int = 5000
    msg: str | None = None
    """None: what the service says with this code."""
    after: int = 2

    def __post_init__(self) -> None:
        take(self, **_CODE)
        _check(after=self.after)

    def at_once(self) -> Refusal | None:
        """The refusal that comes as the first event."""
        return None if self.after else Refusal(self.code, _words(self.code, self.msg))

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        if not self.after:
            return response
        msg = _words(self.code, self.msg)
        if not isinstance(response.body, Body) or response.body.error is None:
            return world.wire.refuse(Refusal(self.code, msg))
        write = response.body.error

        def failing(steps: Iterator[Step]) -> Iterator[Step]:
            yield from itertools.islice(steps, self.after)
            yield 0.0, write(self.code, msg)

        return response.through(failing, world.opened)


@dataclass(frozen=True, slots=True)
class Cut(Fault):
    """The body ends, properly, after some events or bytes: no last event ever comes."""

    after: int = 3
    after_bytes: int | None = None

    def __post_init__(self) -> None:
        _check(after=self.after, after_bytes=self.after_bytes)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        return response.through(lambda steps: _beginning(steps, self.after, self.after_bytes), world.opened)


@dataclass(frozen=True, slots=True)
class Break(Fault):
    """The connection is lost after some events or bytes; with None before the headers, when the work was begun."""

    after: int | None = 3
    after_bytes: int | None = None
    reset: bool = False
    """With a TCP reset, as when a machine falls over; otherwise it is closed."""

    def __post_init__(self) -> None:
        _check(after=self.after, after_bytes=self.after_bytes)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        after = self.after
        if after is None:
            response.close()
            raise ConnectionDropped(is_reset=self.reset)

        def broken(steps: Iterator[Step]) -> Iterator[Step]:
            yield from _beginning(steps, after, self.after_bytes)
            raise ConnectionDropped(is_reset=self.reset)

        return response.through(broken, world.opened)


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Silence: after some events, or with None before the headers, when the work was begun."""

    seconds: float = math.inf
    after: int | None = None

    def __post_init__(self) -> None:
        _check(seconds=self.seconds, after=self.after)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        after = self.after
        if after is None:
            try:
                await pause(self.seconds)
            except BaseException:
                response.close()
                raise
            return response

        def stalled(steps: Iterator[Step]) -> Iterator[Step]:
            yield from itertools.islice(steps, after)
            for delay, chunk in steps:
                yield delay + self.seconds, chunk
                break
            yield from steps

        return response.through(stalled, world.opened)


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """The body comes a few bytes at a time, with a pause before each piece."""

    size: int = 32
    """Bytes of a piece."""
    seconds: float = 0.02

    def __post_init__(self) -> None:
        if whole(self.size, "size") < 1:
            raise ConfigurationError(f"A piece has at least one byte, not {self.size}.")
        _check(seconds=self.seconds)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()

        def slowly(steps: Iterator[Step]) -> Iterator[Step]:
            for delay, chunk in steps:
                for start in range(0, len(chunk), self.size):
                    yield delay + self.seconds, chunk[start : start + self.size]
                    delay = 0.0

        return response.through(slowly, world.opened)


@dataclass(frozen=True, slots=True)
class Duplicate(Fault):
    """After some events, events come twice; an answer that is no stream stays as it is."""

    after: int = 2
    events: int | None = 1
    """How many events come twice; None is all from there on."""

    def __post_init__(self) -> None:
        _check(after=self.after, events=self.events)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        if not _is_events(response):
            return response
        last = math.inf if self.events is None else self.after + self.events

        def doubled(steps: Iterator[Step]) -> Iterator[Step]:
            for place, (delay, chunk) in enumerate(steps):
                yield delay, chunk
                if self.after <= place < last:
                    yield 0.0, chunk

        return response.through(doubled, world.opened)


@dataclass(frozen=True, slots=True)
class Reorder(Fault):
    """After some events, the next two change places; an answer that is no stream stays as it is."""

    after: int = 2

    def __post_init__(self) -> None:
        _check(after=self.after)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        if not _is_events(response):
            return response

        def crossed(steps: Iterator[Step]) -> Iterator[Step]:
            yield from itertools.islice(steps, self.after)
            pair = list(itertools.islice(steps, 2))
            # The pauses stay where they were.
            yield from zip((delay for delay, _ in pair), (chunk for _, chunk in reversed(pair)), strict=True)
            yield from steps

        return response.through(crossed, world.opened)


@dataclass(frozen=True, slots=True)
class TruncatedJson(Fault):
    """After some events, the JSON of one event breaks off in its middle; so does an answer that is no stream."""

    after: int = 2

    def __post_init__(self) -> None:
        _check(after=self.after)

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        if not isinstance(response.body, Body):
            # It still says its true length: nothing but the JSON is wrong.
            return replace(response, body=response.body[: len(response.body) // 2])
        if not _is_events(response):
            return response

        def halved(steps: Iterator[Step]) -> Iterator[Step]:
            yield from itertools.islice(steps, self.after)
            for delay, chunk in itertools.islice(steps, 1):
                head, mark, data = chunk.partition(b"data:")
                data = data.rstrip(b"\n")
                half = data[: len(data) // 2].decode(errors="ignore").encode()
                yield delay, head + mark + half + b"\n\n"
            yield from steps

        return response.through(halved, world.opened)


def _is_events(response: EmulatedResponse) -> bool:
    return isinstance(response.body, Body) and response.body.error is not None


def _beginning(steps: Iterator[Step], after: int, after_bytes: int | None) -> Iterator[Step]:
    if after_bytes is None:
        yield from itertools.islice(steps, after)
        return
    for delay, chunk in steps:
        yield delay, chunk[:after_bytes]
        after_bytes -= len(chunk)
        if after_bytes <= 0:
            return


def overlaps(pattern: str, route: str) -> bool:
    """Whether a pattern with `*` can meet a request of a route, "METHOD /path" with `{names}`."""
    whole_route, path = (re.split(r"(\{\w+\})", one) for one in (route, route.partition(" ")[2]))
    tokens = re.findall(r"\*|\?|\[[^\]]+\]|.", pattern)
    return any(_meet(tokens, [token for part in one for token in _parts(part)]) for one in (whole_route, path))


def _parts(part: str) -> list[str]:
    return [part] if part.startswith("{") else list(part)


def _meet(pattern: list[str], route: list[str]) -> bool:
    """Whether some text is matched by both; a name of the route stands for a character or more, but no slash."""
    reached = {(0, 0)}
    waiting = [(0, 0)]
    while waiting:
        here, there = waiting.pop()
        if (here, there) == (len(pattern), len(route)):
            return True
        one = pattern[here] if here < len(pattern) else ""
        other = route[there] if there < len(route) else ""
        is_any, is_name = one == "*", other.startswith("{") and len(other) > 1
        steps: list[tuple[int, int]] = []
        if is_any:
            steps += [(here + 1, there), (here, there + 1)] if other else [(here + 1, there)]
        elif one and is_name and one != "/":
            steps += [(here + 1, there), (here + 1, there + 1)]
        elif one and other and (one == other or one == "?" or len(one) > 1):
            steps.append((here + 1, there + 1))
        for step in steps:
            if step not in reached:
                reached.add(step)
                waiting.append(step)
    return False


@dataclass(slots=True, eq=False)
class PlannedFault:
    """A fault that waits for its requests."""

    fault: Fault
    on: str
    """"METHOD /path" or "/path" with `*`."""
    left: float
    """How many requests are still to meet it."""
    probability: float
    chance: random.Random = field(repr=False)

    def meets(self, method: str, path: str) -> bool:
        """Whether this request meets it; where that is left to chance, the die is thrown here."""
        if not (fnmatchcase(f"{method} {path}", self.on) or fnmatchcase(path, self.on)):
            return False
        return self.probability >= 1 or self.chance.random() < self.probability


class Faults:
    """The faults that wait for their requests, in the order in which they were planned; after them the switches.

    Args:
        seed: With the same seed the same requests in the same order meet the same faults.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.planned: deque[PlannedFault] = deque()
        self.switched: dict[tuple[str, str], PlannedFault] = {}
        """By kind, and the requests that it is for."""
        self._seed = seed
        self._numbers = itertools.count(1)

    def plan(self, fault: Fault, on: str | None, times: float, probability: float = 1.0) -> None:
        """Let the next `times` requests that match `on`, or a share of them, meet `fault`."""
        if number(times, "times") < 1 or times not in (math.inf, times // 1):
            raise ConfigurationError(f"times is {times}: give a whole number, 1 or more, or None for all from now on.")
        self.planned.append(self._new(fault, on, times, probability, f"planned {next(self._numbers)}"))

    def switch(self, kind: str, fault: Fault, on: str | None, probability: float) -> None:
        """Let a share of all requests that match `on` meet a kind of fault from now on; 0 is none.

        A kind can be on for several `on`, with a share for each; 0 without `on` is none of the kind.
        """
        fresh = self._new(fault, on, math.inf, probability, f"{kind} {on}" if on else kind)
        key = kind, fresh.on
        if probability == 0:
            off = [key] if on else [key for key in self.switched if key[0] == kind]
            for key in off:
                self.switched.pop(key, None)
            return
        if key in self.switched:
            fresh.chance = self.switched[key].chance
        self.switched[key] = fresh

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, if any; it counts as met."""
        if not self.planned and not self.switched:
            return None
        for planned in (*self.planned, *self.switched.values()):
            if planned.meets(method, path):
                planned.left -= 1
                if planned.left <= 0:
                    self.planned.remove(planned)
                return planned.fault
        return None

    def clear(self) -> None:
        """Forget all of them."""
        self.planned.clear()
        self.switched.clear()

    def _new(self, fault: Fault, on: str | None, times: float, probability: float, name: str) -> PlannedFault:
        if not 0 <= number(probability, "probability") <= 1:
            raise ConfigurationError(
                f"A probability lies between 0 and 1, so {probability} is none: 0.05 is one in twenty."
            )
        # Each has dice of its own: a further fault does not change what the others meet.
        seed = None if self._seed is None else f"{self._seed} {name}"
        return PlannedFault(fault, on or "*", times, probability, random.Random(seed))  # noqa: S311 - no secret
