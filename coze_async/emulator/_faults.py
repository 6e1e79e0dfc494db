"""What can go wrong between a client and the service, to be put in the way of a request."""

import itertools
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ._body import Body, ConnectionDropped, EmulatedResponse, Step, pause
from ._body import Unreachable as NoConnection
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


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """An error status with Coze's JSON envelope; nothing was started."""

    status: int = 429
    code: int = 4013
    msg: str = "The request rate or the number of requests at once exceeds the limit."
    retry_after: str | None = None

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del answer
        response = world.wire.json(self.status, {"code": self.code, "msg": self.msg})
        if self.retry_after is not None:
            response.headers["retry-after"] = self.retry_after
        return response


@dataclass(frozen=True, slots=True)
class Code(Fault):
    """HTTP 200 with an error code in a JSON envelope, also where a stream was asked for."""

    code: int
    msg: str = "Something went wrong."
    content_type: str = "application/json; charset=utf-8"
    """`text/event-stream` hides the JSON under the type of a stream."""

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del answer
        response = world.wire.json(200, {"code": self.code, "msg": self.msg})
        response.headers["content-type"] = self.content_type
        return response


@dataclass(frozen=True, slots=True)
class Text(Fault):
    """A plain text instead of Coze's JSON, as a server that fell over sends."""

    status: int = 500
    text: str = "internal server error"
    content_type: str = "text/plain; charset=utf-8"

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del answer, world
        return EmulatedResponse(self.status, {"content-type": self.content_type}, self.text.encode())


@dataclass(frozen=True, slots=True)
class Html(Fault):
    """The page of a gateway in front of the service."""

    status: int = 502

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

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        del world
        response = await answer()
        return replace(response, headers={**response.headers, "content-type": self.content_type})


@dataclass(frozen=True, slots=True)
class ErrorEvent(Fault):
    """After some events comes an error event, and then the end; a JSON answer becomes an error envelope."""

    code: int = 5000
    msg: str = "internal server error"
    after: int = 2

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        if not isinstance(response.body, Body) or response.body.error is None:
            return world.wire.refuse(Refusal(self.code, self.msg))
        write = response.body.error

        def failing(steps: Iterator[Step]) -> Iterator[Step]:
            yield from itertools.islice(steps, self.after)
            yield 0.0, write(self.code, self.msg)

        return response.through(failing, world.opened)


@dataclass(frozen=True, slots=True)
class Cut(Fault):
    """The body ends, properly, after some events or bytes: no last event ever comes."""

    after: int = 3
    after_bytes: int | None = None

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        return response.through(lambda steps: _beginning(steps, self.after, self.after_bytes), world.opened)


@dataclass(frozen=True, slots=True)
class Break(Fault):
    """The connection is lost after some events or bytes; with None before the headers, when the work was begun."""

    after: int | None = 3
    after_bytes: int | None = None

    async def meet(self, answer: _Answer, world: World) -> EmulatedResponse:
        response = await answer()
        after = self.after
        if after is None:
            response.close()
            raise ConnectionDropped

        def broken(steps: Iterator[Step]) -> Iterator[Step]:
            yield from _beginning(steps, after, self.after_bytes)
            raise ConnectionDropped

        return response.through(broken, world.opened)


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Silence: after some events, or with None before the headers, when the work was begun."""

    seconds: float = math.inf
    after: int | None = None

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


def _beginning(steps: Iterator[Step], after: int, after_bytes: int | None) -> Iterator[Step]:
    if after_bytes is None:
        yield from itertools.islice(steps, after)
        return
    for delay, chunk in steps:
        yield delay, chunk[:after_bytes]
        after_bytes -= len(chunk)
        if after_bytes <= 0:
            return


@dataclass(slots=True)
class _Planned:
    fault: Fault
    on: str
    left: float


class Faults:
    """The faults that wait for their requests, in the order in which they were planned."""

    def __init__(self) -> None:
        self._planned: deque[_Planned] = deque()

    def plan(self, fault: Fault, on: str | None, times: float) -> None:
        """Let the next `times` requests that match `on` meet `fault`."""
        self._planned.append(_Planned(fault, on or "*", times))

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets, if any; it counts as met."""
        for planned in self._planned:
            if fnmatchcase(f"{method} {path}", planned.on) or fnmatchcase(path, planned.on):
                planned.left -= 1
                if planned.left <= 0:
                    self._planned.remove(planned)
                return planned.fault
        return None

    def clear(self) -> None:
        """Forget all of them."""
        self._planned.clear()
