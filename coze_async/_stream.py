"""Streams of typed events: iterate, close, collect.

A stream sends nothing until its first step. Whoever leaves it early, by break, exception, cancellation or `aclose`,
frees the connection, the user's slot and the memory at once; read to its end, the connection is used again.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Generic, NoReturn, Self, TypeVar
from weakref import ref

import anyio

from coze_async._connection import OpenStream
from coze_async._core import Core
from coze_async._envelope import code_of, logid_of, message_of
from coze_async._errors import (
    APIError,
    CozeError,
    RequestTimeoutError,
    StreamInterruptedError,
    StreamProtocolError,
    TransportError,
)
from coze_async._exchange import Request
from coze_async._sse import Event, EventReader
from coze_async.models import ChatResult
from coze_async.models._json import json_object, json_text

__all__ = ["EventStream"]

# In bytes. A server that sends one without an end must not fill the memory; no event of a chat comes near.
_LONGEST_EVENT = 64 << 20

E = TypeVar("E")
R = TypeVar("R")


class EventStream(ABC, Generic[E, R]):
    """Typed events as a server sends them.

    Use it directly, `async for event in stream`, or as a context manager, `async with stream: ...`, which says when
    it closes. `await stream.result()` reads on to the end and returns the whole.
    """

    def __init__(self, core: Core, request: Request, *, slot: str | None = None) -> None:
        self._core = core
        self._request = request
        self._slot = slot
        self._reader = EventReader()
        # What came with one piece of the body. An error waits behind it.
        self._inbox: list[Event] = []
        self._advance: Callable[[], E | None] = partial(next, self._typed_events(self._decoder(), self._inbox), None)
        self._has_news = False
        self._error: Exception | None = None
        self._opening: anyio.CancelScope | None = None
        self._open: OpenStream | None = None
        self._logid: str | None = None
        self._failure: Exception | None = None
        self._finished = False
        self._closed = False
        self._reading = False
        self._has_event = False
        self._arrival: Callable[[], Awaitable[object]] | None = None
        self._is_timed = True
        self._body_ended = False
        self._total: float | None = None
        self._limit = "idle"

    @property
    def logid(self) -> str | None:
        """What Coze support asks for; None before the first step."""
        return self._logid

    def __aiter__(self) -> Self:
        if self._finished or self._closed:
            raise RuntimeError(
                "This stream was already read to its end or closed. Ask for a new one, or keep what "
                "`await stream.result()` returned."
            )
        return self

    async def __anext__(self) -> E:
        event = self._advance()
        return event if event is not None else await self._next()

    async def _next(self) -> E:
        """Read on until there is an event."""
        if self._reading:
            raise RuntimeError("This stream is being read by another task. Give each task a stream of its own.")
        if self._finished or self._closed:
            raise StopAsyncIteration
        self._reading = True
        try:
            while True:
                # All of it was handed out: neither another task, while this one waits, nor a late step gets it again.
                self._inbox.clear()
                if self._has_news:
                    self._has_news = False
                    if self._error is not None:
                        raise self._error
                    if self._is_over():
                        await self._finish()
                        raise StopAsyncIteration
                if (arrival := self._arrival) is None:
                    self._inbox += await self._read()
                else:
                    # Only the socket is waited for, and nothing stands between it and the caller.
                    await arrival()
                    self._inbox += self._read_now()
                event = self._advance()
                if event is not None:
                    self._has_event = True
                    return event
        except StopAsyncIteration:
            raise
        except BaseException as error:
            if self._closed and isinstance(error, CozeError):
                # Another task has closed the stream under this one: that is no error, but the end.
                raise StopAsyncIteration from None
            # Cancellation too: what the caller will not read any more must not stay open. It is not kept, though:
            # raised once more, it would cancel somebody else.
            self._failure = error if isinstance(error, Exception) else None
            await self.aclose()
            raise
        finally:
            self._reading = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading and free everything; for another task that is just reading, the stream ends.

        The server is not told: a chat goes on until it is cancelled.
        """
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        self._inbox.clear()
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()

    def __del__(self) -> None:
        # A constructor that failed has set nothing.
        opened: OpenStream | None = getattr(self, "_open", None)
        if opened is not None:
            opened.abandon()

    async def result(self) -> R:
        """Read on to the end and return what the stream brought as a whole.

        Raises:
            CozeError: the stream, the server or the chat failed, as in the iteration.
            RuntimeError: the stream was closed before its end.
        """
        while not self._finished:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise RuntimeError("This stream was closed before its end, so there is no result.")
            with contextlib.suppress(StopAsyncIteration):
                await anext(self)
        return self._collected()

    async def _read(self) -> list[Event]:
        """Wait for the next piece of the body and return the events that are whole with it."""
        if self._closed:
            # By another task. Beginning once more would start, and bill, a second chat.
            raise StopAsyncIteration
        if self._body_ended:
            self._broken(None)
        opened = self._open
        if opened is None:
            await self._begin()
            return []
        try:
            if self._total is not None and anyio.current_time() >= self._total:
                # Also if what follows is here: then it was not asked for in time.
                self._limit = "total"
                raise TimeoutError
            piece = opened.taken()
            if piece is None:
                # A look at the clock costs more than a piece that is here.
                piece = await opened.next(self._patience() if self._is_timed else None)
        except (StopAsyncIteration, TimeoutError, TransportError) as error:
            return self._ended_by(error)
        return self._reader.feed(piece) or self._nothing_whole()

    def _read_now(self) -> list[Event]:
        """Return the events that are whole with what has come."""
        if self._open is None:
            # Closed by another task.
            raise StopAsyncIteration
        try:
            piece = self._open.taken()
        except (StopAsyncIteration, TimeoutError, TransportError) as error:
            return self._ended_by(error)
        return (piece and self._reader.feed(piece)) or self._nothing_whole()

    def _nothing_whole(self) -> list[Event]:
        """Return nothing, unless so much has come of one event that it cannot be one."""
        held = self._reader.held
        if held <= _LONGEST_EVENT:
            return []
        raise StreamProtocolError(
            f"{self._request.name}: {held >> 20} MiB came without the blank line that ends an event{self._traced()}. "
            f"Is base_url ({self._core.session.base_url}) a Coze API?",
            logid=self.logid,
        )

    def _ended_by(self, error: Exception) -> list[Event]:
        """Return what is left when the body has ended, in whatever way; raise it if it matters."""
        rest: list[Event] = []
        if isinstance(error, StopAsyncIteration):
            if self._closed:
                # A new one: the error itself would hold this frame, and so itself and the stream.
                raise StopAsyncIteration
            rest = self._reader.end()
        # What mattered may have come; then how the rest would have ended does not.
        elif not self._is_complete():
            if isinstance(error, TimeoutError):
                raise self._timed_out() from error
            self._broken(error)
        self._body_ended = self._has_news = True
        # Whatever is asked from now on, there is nothing to wait for.
        self._arrival = None
        return rest

    async def _begin(self) -> None:
        total = self._core.options.timeouts.total
        self._total = None if total is None else anyio.current_time() + total
        with anyio.move_on_after(total) as self._opening:
            opened = await self._core.open(self._request, slot=self._slot)
            self._logid = opened.logid
            if self._closed:
                await opened.aclose()
            else:
                self._open = opened
        scope, self._opening = self._opening, None
        if self._closed:
            raise StopAsyncIteration
        if not scope.cancelled_caught:
            return
        self._limit = "total"
        raise self._timed_out()

    def _patience(self) -> float | None:
        """Return how long the next piece may take, and remember which limit says so; None if the transport watches."""
        core = self._core
        timeouts = core.options.timeouts
        self._limit = "idle"
        if self._has_event and self._total is None and self._open is not None and core.is_watched(self._open):
            # From now on.
            self._is_timed = False
            self._arrival = self._open.arrival
            return None
        now = anyio.current_time()
        limits = {"idle": timeouts.idle, "total": None if self._total is None else self._total - now}
        if not self._has_event and timeouts.first_event is not None and self._open is not None:
            limits["first_event"] = self._open.started + timeouts.first_event - now
        known = {name: max(0.0, seconds) for name, seconds in limits.items() if seconds is not None}
        if not known:
            return None
        self._limit = min(known, key=known.__getitem__)
        return known[self._limit]

    def _timed_out(self) -> RequestTimeoutError:
        seconds = getattr(self._core.options.timeouts, self._limit)
        what = {"idle": "nothing came", "first_event": "no event came", "total": "the stream did not end"}[self._limit]
        within = "in time, by a limit of the transport" if seconds is None else f"within {seconds:g} s"
        return RequestTimeoutError(
            f"{self._request.name}: {what} {within} (Timeouts.{self._limit}){self._traced()}. "
            f"The server may still be at work. Raise Timeouts.{self._limit} if it needs longer.",
            partial=self._partial(),
        )

    def _broken(self, cause: Exception | None) -> NoReturn:
        """Raise what the end of a body without a last event means."""
        stray = self._reader.stray
        if not self._has_event and stray:
            self._raise_stray(stray)
        if self._core.session.is_closed:
            how = "the client was closed while the stream was being read"
        elif cause is not None:
            how = str(cause)
        elif not self._reader.seen:
            how = "the server sent an empty stream; Coze Studio does so when it fails before the run begins"
        else:
            how = "the body ended without its last event"
        raise StreamInterruptedError(
            f"{self._request.name}: {how}, so the answer is not complete{self._traced()}. "
            "What came until then is in `.partial`. Asking again starts, and bills, a new run.",
            partial=self._partial(),
            logid=self.logid,
        ) from cause

    def _raise_stray(self, stray: bytes) -> NoReturn:
        """Raise what a body says that is no event stream although its header says so."""
        text = stray.decode("utf-8", "replace").strip()
        if facts := json_object(text):
            raise self._refused(facts, text)
        raise StreamProtocolError(
            f"{self._request.name}: what came is no event stream: {self._core.redacted(text)}",
            body=self._core.redacted(text),
            logid=self.logid,
        )

    def _refused(self, facts: Mapping[str, Any], text: str) -> APIError:
        """Return the error that an error event or a JSON body describes."""
        return self._core.error(
            self._request.name,
            code_of(facts),
            message_of(facts) or text,
            logid=self.logid or logid_of({}, facts),
            debug_url=json_text(facts.get("debug_url")),
            partial=self._partial(),
        )

    def _traced(self) -> str:
        return f" [logid {self.logid}]" if self.logid else ""

    def _unreadable(self, event: Event, error: ValueError) -> StreamProtocolError:
        name, data, _ = event
        text = self._core.redacted(data.decode("utf-8", "replace"))
        return StreamProtocolError(
            f"{self._request.name}: the data of the event {name.decode('utf-8', 'replace')!r} cannot be read"
            f"{self._traced()}: {text}. {self._core.redacted(str(error).splitlines()[0])}",
            body=text,
            logid=self.logid,
        )

    async def _finish(self) -> None:
        """Read the rest so that the connection can be used again; nothing more is handed out."""
        self._finished = True
        opened, self._open = self._open, None
        if opened is not None:
            await opened.drain()
        self._closed = True

    def _typed_events(self, decode: Callable[[Event], E | None], inbox: list[Event]) -> Iterator[E | None]:
        """Return what makes the typed events of the inbox, None when it is empty.

        Each is made when it is asked for. Made beforehand, many would be there at once, and the garbage collector would
        look at them for as long as it takes to make them. The stream holds what is returned, so this must not hold the
        stream: who drops it frees the connection.
        """
        return _typed_events(decode, inbox)

    def _decoder(self) -> Callable[[Event], E | None]:
        """Return what decodes an event without a hold on the stream; None for one that is gone."""
        known = ref(self)

        def decode(event: Event) -> E | None:
            stream = known()
            return None if stream is None else stream._next_decoded(event)  # noqa: SLF001 - its own

        return decode

    def _next_decoded(self, event: Event) -> E | None:
        """Return the typed event; keep an error to be raised when all before it are handed out."""
        self._has_news = True
        decoded: E | None = None
        try:
            decoded = self._decoded(event)
        except Exception as error:  # noqa: BLE001 - raised from `_next`; from here it would end the decoder without a word
            self._error = error
        if self._error is not None or self._is_done():
            # What came behind it does not belong to it, however the bytes were cut.
            self._inbox.clear()
        return decoded

    @abstractmethod
    def _decoded(self, event: Event) -> E | None:
        """Return the typed event, None for one that is not handed out; raise what the event reports."""

    @abstractmethod
    def _is_done(self) -> bool:
        """True when the last event has come."""

    def _is_complete(self) -> bool:
        """True when nothing of worth is missing, although the last event has not come."""
        return False

    def _is_over(self) -> bool:
        """True when nothing more is to be read; raise what has failed."""
        return self._is_done()

    @abstractmethod
    def _collected(self) -> R:
        """Return what the whole stream brought."""

    def _partial(self) -> ChatResult | None:
        """Return what a chat has brought so far."""
        return None


def _typed_events(decode: Callable[[Event], E | None], inbox: list[Event]) -> Iterator[E | None]:
    while True:
        for event in inbox:
            if (decoded := decode(event)) is not None:
                yield decoded
        yield None
