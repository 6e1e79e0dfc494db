"""What carries requests and responses: the protocol that both implementations share.

A response has phases. Until its user calls `limit`, the deadlines of the request go on: for a stream they bound its
first event, for a whole answer its last byte. `limit` begins the next phase, once per phase and never per event.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, Protocol

from coze_async._config import Timeouts

__all__ = ["Deadline", "OutgoingBody", "Wire", "WireRequest", "WireResponse", "earliest", "silence"]


class Deadline(NamedTuple):
    """A point in time, and whom to blame when it has passed.

    Attributes:
        at: By the clock of the event loop (`anyio.current_time`).
        name: The field of `Timeouts` that set it.
    """

    at: float
    name: str


class OutgoingBody(Protocol):
    """A request body that is read while it is sent.

    Attributes:
        size: Its length in bytes; None if unknown, so that it is sent in chunks.
    """

    size: int | None

    @property
    def is_over(self) -> bool:
        """True once the last piece was handed out: before that, the server cannot have acted on it."""
        ...

    def __aiter__(self) -> "OutgoingBody": ...

    def __anext__(self) -> Awaitable[bytes]: ...


class WireRequest(NamedTuple):
    """One attempt of a request, complete with credentials.

    Attributes:
        name: The request as a reader knows it, such as "POST /v3/chat"; for error messages.
        method: The HTTP verb.
        target: Path and query below the base URL, quoted.
        headers: All but those of the connection and the length of a body of bytes.
        body: Bytes, a body that is read while it is sent, or None.
        is_safe: True if the request starts nothing, so that an error need not warn about it.
        secrets: Returns the texts that must not appear in an error message.
    """

    name: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | OutgoingBody | None = None
    is_safe: bool = False
    secrets: Callable[[], Iterable[str]] = tuple


class WireResponse(Protocol):
    """A response whose head has arrived and whose body is still to be read.

    `read_nowait` raises RequestTimeoutError, which names the deadline, and TransportError.

    Attributes:
        status: The HTTP status.
        headers: With names in lower case.
    """

    __slots__ = ()

    status: int
    headers: Mapping[str, str]

    def limit(self, *, idle: float | None, until: Deadline | None) -> None:
        """Begin the next phase.

        Args:
            idle: Seconds that each piece of the body may take; None for no limit.
            until: When the body has to be complete.
        """

    def read_nowait(self) -> bytes | None:
        """Return what has arrived of the body: None if nothing has, b"" at its end, which may be asked for again."""

    def wait(self) -> Awaitable[object]:
        """Return an awaitable that completes when `read_nowait` has news; call it only after that returned None."""
        ...

    async def aclose(self, *, reuse: bool = False) -> None:
        """Free the connection and wake a task in `wait`; repeated calls do nothing.

        Args:
            reuse: True if the body was read to its end and is what was asked for. Otherwise the connection is closed,
                since a server that is out of step would answer the next request with what is left of this one.
        """

    def abandon(self, then: Callable[[], None]) -> None:
        """Close soon, without awaiting; for `__del__`, which may run in any thread.

        Args:
            then: Called once the connection is closed.
        """


class Wire(Protocol):
    """Sends requests to one server. It alone keeps time-outs and translates the errors of what is beneath it."""

    async def send(
        self, request: WireRequest, timeouts: Timeouts, head: Deadline | None, total: Deadline | None
    ) -> WireResponse:
        """Send a request and return the response as soon as its head is there.

        Args:
            request: What to send. Errors of the iterator of its body are raised unchanged.
            timeouts: For connecting and sending; `idle` is what `limit` is going to be called with.
            head: When the head has to be there. For a body that is read while it is sent, the time starts anew after
                each piece.
            total: A deadline that nothing moves.

        Raises:
            ConfigurationError: the request cannot be sent.
            TransportError: there is no response; `may_have_arrived` says whether the server may have acted.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections; requests that are under way fail."""


def earliest(*deadlines: Deadline | None) -> Deadline | None:
    """Return the deadline that passes first; None if there is none."""
    return min((deadline for deadline in deadlines if deadline is not None), default=None)


def silence(idle: float | None, until: Deadline | None, now: float) -> Deadline | None:
    """Return when a wait that begins now has to end."""
    return earliest(None if idle is None else Deadline(now + idle, "idle"), until)
