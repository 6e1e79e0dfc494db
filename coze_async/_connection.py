"""Bodies on their way out, open streams, and what must be given back when they end."""

import math
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

import anyio
import httpx

from coze_async._body import Body
from coze_async._errors import ConfigurationError, TransportError
from coze_async._exchange import BodyReader
from coze_async._limits import Slot

__all__ = ["OpenStream", "Outgoing", "within"]

T = TypeVar("T")

# How long the rest of a finished stream may take, in seconds; longer, and the connection is thrown away.
_DRAINING = 1.0


class Outgoing(httpx.AsyncByteStream):
    """A body that is read while it is sent. The time for an answer runs only while the server has something to do."""

    def __init__(self, reader: BodyReader) -> None:
        self.reader: BodyReader = reader
        # Reading went wrong, and not the connection, whatever the class of the error.
        self.has_failed: bool = False
        self._begun = False
        self._scope: anyio.CancelScope | None = None
        self._seconds = math.inf

    def watch(self, scope: anyio.CancelScope, seconds: float | None) -> None:
        """Let a scope end so many seconds after the last piece was read."""
        self._scope = scope
        self._seconds = math.inf if seconds is None else seconds

    def __aiter__(self) -> "Outgoing":
        if self._begun:
            raise ConfigurationError(
                "The HTTP client asked for the uploaded file a second time, to follow a redirection or to log in. "
                "Set base_url to where the API really is, and leave the login to `auth`."
            )
        self._begun = True
        return self

    async def __anext__(self) -> bytes:
        if self._scope is not None:
            self._scope.deadline = math.inf
        try:
            piece = await self.reader.next()
        except Exception:
            self.has_failed = True
            raise
        if self._scope is not None:
            self._scope.deadline = anyio.current_time() + self._seconds
        if not piece:
            raise StopAsyncIteration
        return piece


class OpenStream:
    """A response whose body is still to be read, and all that must be given back afterwards."""

    __slots__ = ("__weakref__", "_body", "_closer", "_conversation", "_slot", "_waiting", "logid", "name", "started")

    def __init__(
        self, body: Body, slot: Slot, conversation: Slot, *, name: str, logid: str | None, started: float
    ) -> None:
        self._body = body
        self._slot = slot
        self._conversation = conversation
        self._closer: AsyncGenerator[None, None] | None = _closing(body)
        self._waiting: anyio.CancelScope | None = None
        self.name: str = name
        self.logid: str | None = logid
        self.started: float = started

    async def prepare(self) -> None:
        """Start what closes the connection even if nobody does."""
        if self._closer is not None:
            await anext(self._closer)

    @property
    def arrival(self) -> Callable[[], Awaitable[object]] | None:
        """What is to be awaited before `taken` if nothing but the transport limits the wait; see `Body`."""
        return self._body.arrival

    @property
    def is_watched(self) -> bool:
        """True if the transport keeps to the read time-out of the request."""
        return self._body.is_watched

    async def next(self, seconds: float | None) -> bytes:
        """Return the next piece; StopAsyncIteration at the end.

        Args:
            seconds: How long it may take; None leaves it to the transport, which watches `Timeouts.idle`.

        Raises:
            TimeoutError: it took longer.
            TransportError: the connection was lost.
        """
        if (piece := self.taken()) is not None:
            return piece
        try:
            if seconds is None:
                piece = await self._body.next()
            else:
                with anyio.move_on_after(seconds) as self._waiting:
                    piece = await self._body.next()
        except httpx.HTTPError as error:
            raise _lost(error) from error
        if self._closer is None:
            # Another task has closed this meanwhile, and could not end what was being read here.
            await self._body.aclose()
            raise StopAsyncIteration
        if piece is None:
            raise TimeoutError
        return piece

    def taken(self) -> bytes | None:
        """Do the same without waiting; None if the next piece has not come, or if the transport does not say."""
        try:
            return self._body.taken()
        except httpx.HTTPError as error:
            raise _lost(error) from error

    def free_conversation(self) -> None:
        """Let the next chat of this conversation begin: the one that is read here is over, whatever is left to read."""
        self._conversation.release()

    async def drain(self) -> None:
        """Read what is left, for a second at most, so that the connection can be used again; then close."""
        body = self._body
        try:
            while body.taken() is not None:
                pass
            with anyio.move_on_after(_DRAINING):
                while True:
                    await body.next()
        except StopAsyncIteration:
            body.has_ended = True
        except httpx.HTTPError:
            # What was wanted has been read; how the rest ends does not matter.
            pass
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Free the connection and the user's slot, and wake who waits in `next`; more than once does no harm."""
        self._slot.release()
        self._conversation.release()
        if self._waiting is not None:
            self._waiting.cancel()
        closer, self._closer = self._closer, None
        if closer is not None:
            await closer.aclose()

    def abandon(self) -> None:
        """Do the same when the last reference is gone: the backend's own hook for generators closes, very soon."""
        self._slot.release()
        self._conversation.release()
        if self._closer is None:
            return

        with warnings.catch_warnings():
            # trio tells of generators that were left. This one is there to be left.
            warnings.simplefilter("ignore", ResourceWarning)
            self._closer = None


async def within(awaitable: Awaitable[T], seconds: float | None, outgoing: Outgoing | None = None) -> T:
    """Await something, but not longer than so many seconds, counted from the last piece sent; then TimeoutError."""
    with anyio.move_on_after(seconds) as scope:
        if outgoing is not None:
            outgoing.watch(scope, seconds)
        return await awaitable
    raise TimeoutError


def _lost(error: httpx.HTTPError) -> Exception:
    if isinstance(error, httpx.ReadTimeout):
        return TimeoutError()
    return TransportError(f"the connection was lost ({str(error) or type(error).__name__})")


async def _closing(body: Body) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await body.aclose()
