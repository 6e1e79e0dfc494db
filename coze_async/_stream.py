"""Streams of typed events: iterate, close, collect.

A stream sends nothing until its first step. Leaving it early, by break, exception, cancellation or `aclose`, frees the
connection, the user's slot and the memory at once; read to its end, the connection is used again.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from enum import Enum, auto
from functools import partial
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from weakref import ref

import anyio

from coze_async._checks import NotCopied
from coze_async._core import Core
from coze_async._envelope import code_of, logid_of, message_of
from coze_async._errors import (
    APIError,
    ClosedError,
    CozeError,
    RequestTimeoutError,
    StreamInterruptedError,
    StreamProtocolError,
    TransportError,
)
from coze_async._exchange import Request
from coze_async._open_response import OpenResponse
from coze_async._retry import retry_after
from coze_async._sse import Event, EventReader
from coze_async._wire import Deadline, WireResponse
from coze_async.models import ChatResult
from coze_async.models._json import json_object, json_text

__all__ = ["EventStream", "State"]

# How long the rest of a finished stream may take, in seconds; longer, and the connection is closed.
_DRAINING = 1.0

# What a stream may know of itself.
_IDS = ("chat_id", "conversation_id", "run_id", "logid")

E = TypeVar("E")
R = TypeVar("R")


class State(Enum):
    """What a stream does at the moment."""

    NEW = auto()  # nothing was sent
    OPENING = auto()  # sent, and no event has come
    READING = auto()  # nobody waits; the next step reads on
    WAITING = auto()  # a task waits for the next piece
    ENDING = auto()  # its last event or an error was decoded; the next step acts on it
    FINISHED = auto()  # read to its end
    FAILED = auto()  # ended by an error, which `result` raises again
    CLOSED = auto()  # left before its end


_TAKEN = frozenset((State.OPENING, State.WAITING))
_OVER = frozenset((State.FINISHED, State.FAILED, State.CLOSED))


class EventStream(NotCopied, ABC, Generic[E, R]):
    """Typed events as a server sends them.

    Use it directly, `async for event in stream`, or as a context manager, `async with stream: ...`, which says when
    it closes. `await stream.result()` reads on to the end and returns the whole.
    """

    instead = "Keep what `await stream.result()` returned."

    def __init__(self, core: Core, request: Request, *, slot: str | None = None) -> None:
        self._core = core
        self._request = request
        self._slot = slot
        self._state = State.NEW
        # What ends the stream: raised behind the events before it, and by `result`.
        self._error: Exception | None = None
        self._reader = EventReader()
        # Events of one piece of the body that were not handed out yet.
        self._inbox: list[Event] = []
        self._advance: Callable[[], E | None] = partial(next, self._typed_events(self._decoder(), self._inbox), None)
        self._opening: anyio.CancelScope | None = None
        self._open: OpenResponse | None = None
        # That of `_open`; set as long as the state is READING or WAITING.
        self._response: WireResponse
        self._total: Deadline | None = None
        self._logid: str | None = None
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}

    @property
    def logid(self) -> str | None:
        """What Coze support asks for; None before the first step."""
        return self._logid

    def __repr__(self) -> str:
        named = "".join(f", {name}={found!r}" for name in _IDS if (found := getattr(self, name, None)))
        return f"{type(self).__name__}({self._state.name.lower()}{named})"

    def __aiter__(self) -> Self:
        if self._state in _OVER:
            raise ClosedError(
                "This stream was already read to its end or closed. Ask for a new one, or keep what "
                "`await stream.result()` returned."
            )
        return self

    async def __anext__(self) -> E:
        event = self._advance()
        return event if event is not None else await self._next()

    async def _next(self) -> E:
        """Read on until there is an event."""
        if self._state is not State.READING and self._state in _TAKEN:
            raise RuntimeError("This stream is being read by another task. Give each task a stream of its own.")
        try:
            if self._state is State.NEW:
                event = await self._begin()
                event = self._advance() if event is None else event
                if event is not None:
                    return event
            inbox = self._inbox
            while self._state is State.READING:
                response = self._response
                # All of it was handed out: neither another task, while this one waits, nor a late step gets it again.
                inbox.clear()
                try:
                    piece = response.read_nowait()
                    if piece is None:
                        self._state = State.WAITING
                        await response.wait()
                        if self._state is not State.WAITING:
                            break
                        self._state = State.READING
                        if (piece := response.read_nowait()) is None:
                            continue
                except TransportError as error:
                    self._break(error)
                    continue
                if self._total is not None and anyio.current_time() >= self._total.at:
                    # What is here was not asked for in time.
                    self._end(self._timed_out("total"))
                    continue
                inbox += self._reader.feed(piece) if piece else self._rest()
                if (event := self._advance()) is not None:
                    return event
                self._check_held()
            if self._state is State.ENDING:
                if self._error is not None:
                    raise self._error
                await self._finish()
        except BaseException as error:
            if self._state is not State.CLOSED:
                # Cancellation too: what the caller will not read any more must not stay open. It is not kept, though:
                # raised once more, it would cancel another task.
                self._error = error if isinstance(error, Exception) else None
                await self.aclose()
                if self._error is not None:
                    self._state = State.FAILED
            elif isinstance(error, CozeError):
                # Another task has closed the stream under this one: that is no error, but the end.
                raise StopAsyncIteration from None
            raise
        raise StopAsyncIteration

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
        if self._state not in _OVER:
            self._state = State.CLOSED
        if self._opening is not None:
            self._opening.cancel()
        self._inbox.clear()
        # An error that is kept holds this stream, and must not hold what came of an event without an end.
        self._reader.drop()
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()

    def __del__(self) -> None:
        # A constructor that failed has set nothing.
        opened: OpenResponse | None = getattr(self, "_open", None)
        if opened is not None:
            opened.abandon()

    async def result(self) -> R:
        """Read on to the end and return what the stream brought as a whole.

        Raises:
            CozeError: the stream, the server or the chat failed, as in the iteration.
            ClosedError: the stream was closed before its end.
        """
        while self._state is not State.FINISHED:
            if self._state is State.FAILED and self._error is not None:
                raise self._error
            if self._state is State.CLOSED:
                raise ClosedError("This stream was closed before its end, so there is no result.")
            with contextlib.suppress(StopAsyncIteration):
                await anext(self)
        return self._collected()

    def _break(self, error: TransportError) -> None:
        """End the stream after its body broke off; that is no error if everything that matters has come."""
        if self._is_complete():
            self._end()
            return
        broken = self._broken_off(error)
        broken.__cause__ = error
        self._end(broken)

    def _rest(self) -> list[Event]:
        """Return the last event of a body that has ended without its blank line; without one, end the stream."""
        events = self._reader.end()
        if not events and self._state is State.READING:
            self._end(None if self._is_complete() else self._broken(None))
        return events

    @property
    def _is_closed(self) -> bool:
        """True if the stream was left, maybe by another task while this one has waited."""
        return self._state is State.CLOSED

    async def adopt(self, response: WireResponse, beginning: bytes) -> None:
        """Read the first event of a response that is a stream though none was asked for; then call `take`."""
        self._state = State.OPENING
        await self._first(response, beginning)

    def take(self, opened: OpenResponse, total: Deadline | None) -> None:
        """Go on with a response whose first event was read."""
        self._total = total
        self._open, self._response = opened, opened.response
        self._response.limit(idle=self._core.patience(self._request, streams=True).idle, until=total)
        if self._state is State.OPENING:
            self._state = State.READING

    async def _begin(self) -> E | None:
        """Send the request, and return the first event; None if it is not handed out."""
        self._state = State.OPENING
        total = self._core.deadline()
        opened: OpenResponse | None = None
        events: list[E | None] = []

        async def first(response: WireResponse) -> None:
            events.append(await self._first(response))

        # For `aclose`, which another task may call meanwhile.
        with anyio.CancelScope() as self._opening:
            opened = await self._core.open(self._request, first, slot=self._slot, total=total)
        self._opening = None
        if self._is_closed or opened is None:
            if opened is not None:
                await opened.aclose()
            raise StopAsyncIteration
        self.take(opened, total)
        return events[-1]

    async def _first(self, response: WireResponse, beginning: bytes = b"") -> E | None:
        """Return the first event; a refusal is raised, and may be followed by another attempt.

        Args:
            response: The answer.
            beginning: What was read of it already.
        """
        self._status, self._headers = response.status, response.headers
        self._logid = logid_of(response.headers)
        self._reader = EventReader()
        try:
            while True:
                piece, beginning = beginning or response.read_nowait(), b""
                if piece is None:
                    await response.wait()
                    continue
                events = self._reader.feed(piece) if piece else self._reader.end()
                for number, event in enumerate(events, 1):
                    decoded = self._decoded(event)
                    if decoded is not None or self._counts_heartbeats():
                        # What came behind the last event does not belong to it, however the bytes were cut.
                        self._inbox += [] if self._state is State.ENDING else events[number:]
                        return decoded
                if not piece:
                    raise self._broken(None)
                self._check_held()
        except TransportError as error:
            raise self._broken_off(error) from error

    def _check_held(self) -> None:
        """Refuse an event that never ends.

        Raises:
            StreamProtocolError: more has come of it than an answer may have.
        """
        most = self._core.session.max_body
        if self._reader.held > most:
            raise StreamProtocolError(
                f"{self._request.name}: more than {most} bytes came without the blank line that ends an event"
                f"{self._traced()}. Is base_url ({self._core.session.base_url}) a Coze API? "
                "Allow larger events with AsyncCoze(max_body=…).",
                logid=self.logid,
            )

    async def _finish(self) -> None:
        """Drain the body, for a second at most, so that the connection can be reused."""
        self._state = State.FINISHED
        opened, is_read = self._open, False
        if opened is None:
            return
        response, until = opened.response, None
        try:
            while (piece := response.read_nowait()) != b"":
                now = anyio.current_time()
                if until is None:
                    until = Deadline(now + _DRAINING, "idle")
                    response.limit(idle=None, until=until)
                elif now >= until.at:
                    # A body that goes on and on is not worth its connection.
                    return
                if piece is None:
                    await response.wait()
            is_read = self._is_in_step()
        except TransportError:
            # All content was read; errors while draining do not matter.
            pass
        finally:
            self._open = None
            await opened.aclose(reuse=is_read)

    def _end(self, error: Exception | None = None) -> None:
        """Let the next step end the stream, by an error or well; called when the last event is decoded."""
        self._state = State.ENDING
        self._error = error
        # What came behind the last event does not belong to it, however the bytes were cut.
        self._inbox.clear()

    def _broken_off(self, error: TransportError) -> CozeError:
        """Return what the end of a body by an error means."""
        if isinstance(error, RequestTimeoutError):
            return self._timed_out(error.timeout)
        return self._broken(error)

    def _timed_out(self, name: str) -> RequestTimeoutError:
        patience = self._core.patience(self._request, streams=True)
        name = patience.idle_name if name == "idle" else name
        seconds = getattr(self._core.options.timeouts, name)
        what = {"first_event": "no event came", "total": "the stream did not end"}.get(name, "nothing came")
        within = "in time, by a limit of the transport" if seconds is None else f"within {seconds:g} s"
        return RequestTimeoutError(
            f"{self._request.name}: {what} {within} (Timeouts.{name}){self._traced()}. "
            f"The server may still be at work. Raise Timeouts.{name} if it needs longer.",
            partial=self._partial(),
            timeout=name,
        )

    def _broken(self, cause: TransportError | None) -> CozeError:
        """Return what the end of a body without a last event means."""
        stray = self._reader.stray
        if self._state is State.OPENING and stray:
            return self._not_a_stream(stray)
        if self._core.session.wire.is_closed:
            how = "the client was closed while the stream was being read"
        elif cause is not None:
            how = f"the connection was lost ({cause.reason or type(cause).__name__})"
        elif not self._reader.seen:
            how = f"the server sent an empty stream; {self._why_empty()}"
        else:
            how = "the body ended without its last event"
        return StreamInterruptedError(
            f"{self._request.name}: {how}, so the answer is not complete{self._traced()}. "
            "What came until then is in `.partial`. Asking again starts, and bills, a new run.",
            partial=self._partial(),
            logid=self.logid,
        )

    def _why_empty(self) -> str:
        """Return when servers send a stream without a byte."""
        return "Coze Studio does so when it fails before the run begins"

    def _not_a_stream(self, stray: bytes) -> CozeError:
        """Return the error for a body that is not an event stream, whatever its header says."""
        text = stray.decode("utf-8", "replace").strip()
        if facts := json_object(text):
            return self._refused(facts, text)
        shown = self._core.redacted(text)
        return StreamProtocolError(
            f"{self._request.name}: the answer is no event stream: {shown}", body=shown, logid=self.logid
        )

    def _refused(self, facts: Mapping[str, Any], text: str) -> APIError:
        """Return the error that an error event or a JSON body describes."""
        return self._core.error(
            self._request.name,
            code_of(facts),
            message_of(facts) or text,
            status=self._status,
            retry_after=retry_after(self._headers),
            logid=self.logid or logid_of({}, facts),
            debug_url=json_text(facts.get("debug_url")),
            partial=self._partial(),
        )

    def _traced(self) -> str:
        return f" [logid {self.logid}]" if self.logid else ""

    def _unreadable(self, event: Event, error: ValueError) -> CozeError:
        """Return what it means that the data of an event cannot be read."""
        if self._reader.is_cut:
            return self._broken(None)
        name, data, _ = event
        text = self._core.redacted(data.decode("utf-8", "replace"))
        return StreamProtocolError(
            f"{self._request.name}: the data of the event {name.decode('utf-8', 'replace')!r} cannot be read"
            f"{self._traced()}: {text}. {self._core.redacted(str(error).splitlines()[0])}",
            body=text,
            logid=self.logid,
        )

    def _typed_events(self, decode: Callable[[Event], E | None], inbox: list[Event]) -> Iterator[E | None]:
        """Return what makes the typed events of the inbox, None when it is empty.

        Each is made when it is asked for. Made beforehand, many would be there at once, and the garbage collector would
        look at them for as long as it takes to make them. The stream holds what is returned, so this must not hold the
        stream: dropping the stream frees the connection.
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
        try:
            return self._decoded(event)
        except Exception as error:  # noqa: BLE001 - raised from `_next`; from here it would end the decoder silently
            self._end(error)
            return None

    @abstractmethod
    def _decoded(self, event: Event) -> E | None:
        """Return the typed event, None for one that is not handed out; raise what the event reports.

        The last event calls `_end`.
        """

    def _counts_heartbeats(self) -> bool:
        """True if an event that is not handed out is the first event of this stream all the same."""
        return False

    def _is_in_step(self) -> bool:
        """True if what was read to its end is the answer to what was asked, as far as one can see."""
        return True

    def _is_complete(self) -> bool:
        """True when nothing that matters is missing, although the last event has not come."""
        return False

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
