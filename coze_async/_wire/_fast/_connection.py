"""One connection: an asyncio protocol that sends a request and keeps what arrives of the response."""

import asyncio
import math
import re
import select
import ssl
from collections.abc import Callable
from typing import cast

from coze_async._wire._failures import Failure, WireError
from coze_async._wire._fast._parser import MOST_OF_A_HEAD, BadAnswer, Parser, parse_errors, parser_for
from coze_async._wire._fast._tls import Tls
from coze_async._wire._fast._wake import Wake
from coze_async._wire._protocol import OutgoingBody

__all__ = ["Connection"]

_CODING_LENGTH = len(b"transfer-encoding")
# llhttp accepts anything as a reason phrase.
_REASON = re.compile(rb"[^\0\n\r\v\f]*")
_VERSIONS = {"1.1": b"HTTP/1.1", "1.0": b"HTTP/1.0"}
# More than this is left in the kernel, and so with the server, until the response is read.
_HIGH_WATER = 65536
# Bytes of a body that are given to the socket at a time; each slice may take `Timeouts.write`.
_SLICE = 262144


class Connection(asyncio.BufferedProtocol):
    """Carries one request at a time.

    Args:
        loop: The event loop of its tasks.
        buffer: Where the socket puts what arrives. The connections of one loop share it, since each empties it before
            another one is asked for it. asyncio's other way allocates 256 KiB for each piece, which the system has to
            fetch and fill with zeros.
        freed: Called when it can carry another request.
        lost: Called once, when it never can again.
        tls: None for plain HTTP.

    Attributes:
        is_open: False once it can carry no further request, and is closed.
        is_writable: False while the server takes no more.
        status: Of the response; 0 until its head is complete.
        version: The protocol of the response.
        reason: Its reason phrase.
        headers: Its headers, as they came.
        pieces: What arrived of the body and was not read yet.
        is_complete: True when all of the body has arrived.
        error: What has broken the response; what arrived before is handed out before it.
        idle_since: When it became free, by the loop's clock.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_deadline",
        "_expect",
        "_feed",
        "_freed",
        "_is_busy",
        "_is_last",
        "_is_paused",
        "_is_shaking",
        "_loop",
        "_lost",
        "_method",
        "_parser",
        "_poll",
        "_received",
        "_timer",
        "_timer_at",
        "_tls",
        "_transport",
        "_wake",
        "_wakes_at_head",
        "error",
        "headers",
        "idle_since",
        "is_complete",
        "is_open",
        "is_writable",
        "on_body",
        "pieces",
        "reason",
        "status",
        "version",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        buffer: memoryview,
        *,
        freed: "Callable[[Connection], None]",
        lost: "Callable[[Connection], None]",
        tls: Tls | None = None,
    ) -> None:
        self._loop = loop
        self._buffer = buffer
        self._freed = freed
        self._lost = lost
        self._tls = tls
        self._is_shaking = tls is not None
        self._transport: asyncio.Transport | None = None
        self._poll: select.poll | None = None
        self.is_open = False
        self.is_writable = True
        self.idle_since = 0.0
        self.pieces: list[bytes] = []
        # What a parser calls for each piece: no function of Python stands between.
        self.on_body: Callable[[bytes], None] = self.pieces.append
        self._parser: Parser | None = parser_for(self)
        self._feed: Callable[[bytes | memoryview], None] = self._parser.feed_data
        # h11 wants to know what was asked.
        self._expect: Callable[[bytes], None] | None = getattr(self._parser, "begin", None)
        self._wake = Wake(loop)
        self._timer: asyncio.TimerHandle | None = None
        # When the timer goes off, and when the present wait has to end.
        self._timer_at = self._deadline = math.inf
        self._is_busy = False
        self._is_paused = False
        self._is_last = False
        self._wakes_at_head = False
        self._method = b""
        self._received = 0
        self.status = 0
        self.version = b"HTTP/1.1"
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_complete = False
        self.error: WireError | None = None

    # --- one request --------------------------------------------------------------------------------------------------

    def begin(self, method: bytes, data: bytes) -> None:
        """Start a request and send its beginning, or the whole if it is short."""
        self._is_busy = self._wakes_at_head = True
        self._method = method
        self._received = self.status = 0
        self.is_complete = False
        if self._expect is not None:
            self._expect(method)
        self._write(data)

    async def send(self, body: OutgoingBody, seconds: float | None, patience: float, until: float) -> None:
        """Send a body, as fast as the server takes it; stop if the server has answered without it.

        Args:
            body: In pieces of any size; without a size it is sent in chunks.
            seconds: How long the server may take for each slice of a piece.
            patience: How long it may take for each piece.
            until: When the whole has to be sent, by the loop's clock.

        Raises:
            WireError: the server took too long, or the body has another length than announced.
        """
        sent, length = 0, body.size
        async for piece in body:
            sent += len(piece)
            if length is not None and sent > length:
                raise WireError(Failure.UNSENDABLE, f"the body is longer than its announced length of {length} bytes")
            if piece:
                framed = piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
                await self.push(framed, seconds, min(self._loop.time() + patience, until))
            if self._has_answered():
                # The server wants no more of it. A body that was begun cannot be taken back: nothing else can follow.
                self._is_last = True
                return
        if length is None:
            await self.push(b"0\r\n\r\n", seconds, min(self._loop.time() + patience, until))
        elif sent < length:
            raise WireError(Failure.UNSENDABLE, f"the body ended after {sent} of its announced {length} bytes")

    async def push(self, data: bytes, seconds: float | None, until: float) -> None:
        """Send bytes; return when the server has taken most of them, or answered, or gone away."""
        for begin in range(0, len(data), _SLICE):
            if self._has_answered():
                self._is_last = True
                return
            self._write(data[begin : begin + _SLICE])
            allowed = math.inf if seconds is None else self._loop.time() + seconds
            while not self.is_writable and not self._has_answered():
                await self.wait(min(allowed, until))
                if self._has_expired() and allowed <= until:
                    raise WireError(Failure.WRITE_TIMEOUT)

    def _has_answered(self) -> bool:
        return not self.is_open or self.error is not None or self.status >= 300 or self.is_complete

    def _has_expired(self) -> bool:
        return self.error is not None and self.error.failure is Failure.EXPIRED

    async def answered(self, until: float) -> None:
        """Wait for the head of the response, until a point in time.

        Raises:
            WireError: it will not come, or not in time.
        """
        while not self.status:
            self._check()
            await self.wait(until)
        self._wakes_at_head = False

    def wait(self, until: float) -> Wake:
        """Return an awaitable that completes on news, or at a point in time, which is then an `error`.

        All waits of a connection share one timer. It is set once, and set again for the rest when it goes off early, so
        that a wait costs no more than a look at the clock.
        """
        wake = self._wake
        wake.restart()
        self._deadline = until
        if until < self._timer_at:
            self._set_timer(until)
        return wake

    def taken(self) -> bytes:
        """Return all `pieces` as one, and let more arrive."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._received = 0
        if self._is_paused:
            self._resume()
        return data

    def release(self, *, reuse: bool) -> None:
        """Give the connection back: to the next request if the response is over and accepted, else close it."""
        self._is_busy = False
        self.pieces.clear()
        transport = self._transport
        # What is not sent yet belongs to a request that was answered early: the server may never read it.
        if (
            reuse
            and self.is_complete
            and self.is_open
            and not self._is_last
            and transport is not None
            and not transport.get_write_buffer_size()
            and (self._tls is None or not self._tls.has_unsent)
        ):
            if self._is_paused:
                self._resume()
            self._freed(self)
        else:
            self.close()

    def close(self) -> None:
        """Close at once, and wake a waiting task."""
        if self._transport is not None:
            self._transport.abort()
        self._is_gone()

    def close_soon(self, then: Callable[[], None]) -> None:
        """Close from any thread, then call something; if the loop is over, there is nothing left to close."""

        def close() -> None:
            self.close()
            # asyncio closes the socket in its next round.
            self._loop.call_soon(then)

        try:
            self._loop.call_soon_threadsafe(close)
        except RuntimeError:
            then()

    def fail(self, error: WireError) -> None:
        """Break the response off."""
        if self.error is None and not self.is_complete:
            self.error = error
        self.close()

    @property
    def is_stale(self) -> bool:
        """True if an idle socket is readable: usually the peer's FIN, which the loop has not seen yet."""
        if self._transport is None:
            return True
        if not hasattr(select, "poll"):
            # Windows.
            return bool(select.select([self._transport.get_extra_info("socket")], [], [], 0)[0])
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return bool(self._poll.poll(0))

    def _write(self, data: bytes) -> None:
        if self._tls is not None:
            data = self._tls.encrypt(data)
        if self.is_open and self._transport is not None:
            self._transport.write(data)

    def _resume(self) -> None:
        self._is_paused = False
        if self._transport is not None and self.is_open:
            self._transport.resume_reading()

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._loop.call_at(deadline, self._on_time)

    def _on_time(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self._wake.done() or self._deadline == math.inf:
            return
        if self._loop.time() < self._deadline:
            self._set_timer(self._deadline)
        else:
            self.fail(WireError(Failure.EXPIRED))

    # --- called by asyncio --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start; with TLS, by the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        if self._tls is not None:
            self._shake(self._tls, b"")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return where asyncio puts what arrives."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse what has arrived."""
        data: bytes | memoryview = self._buffer[:nbytes]
        tls = self._tls
        if tls is None:
            wakes = self._take(data)
        else:
            data = self._decrypted(tls, data)
            wakes = bool(data) and self._take(data)
            if tls.is_over:
                if tls.error is not None:
                    self.fail(WireError(Failure.LOST, tls.error))
                else:
                    self.eof_received()
                    self.close()
        if wakes:
            # Last: when this returns, the task that waited may already use the connection for something else.
            self._wake.now()

    def eof_received(self) -> None:
        """Complete a response that ends with its connection; any other has lost its rest."""
        if self._is_shaking:
            self.fail(WireError(Failure.NO_CONNECTION, "the server closed the connection during the TLS handshake"))
        elif self._is_busy and not self.is_complete:
            if self.status and self._lasts_until_closed() and (self._tls is None or self._tls.is_over):
                self.is_complete = True
            elif self.error is None:
                self.error = WireError(Failure.LOST, self._what_is_missing())
        self._is_last = True
        self._wake.soon()
        if not self._is_busy:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Break off a response that is not complete, and let go of the parser."""
        if self.error is None and self._is_shaking:
            self.error = WireError(Failure.NO_CONNECTION, str(exc) if exc else "closed during the TLS handshake")
        elif self.error is None and self._is_busy and not self.is_complete:
            self.error = WireError(Failure.LOST, str(exc) if exc else "the connection was closed")
        self._is_gone()
        # Break the reference cycle: the parser holds this connection.
        self._parser = self._expect = None
        self._feed = _refuse

    def pause_writing(self) -> None:
        """Stop sending: the server takes no more."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """Go on sending."""
        self.is_writable = True
        self._wake.soon()

    def _is_gone(self) -> None:
        was_open, self.is_open = self.is_open, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, math.inf
        self._wake.soon()
        if was_open:
            self._lost(self)

    def _take(self, data: bytes | memoryview) -> bool:
        """Parse a piece of the response; return True if that is news for a waiting task."""
        if not self._is_busy or self.is_complete:
            # Nobody has asked for it. Parsed later, it would be taken for the response to another request.
            self._is_last = True
            if not self._is_busy:
                self.close()
            return False
        size = self._received = self._received + len(data)
        try:
            self._feed(data)
        except parse_errors as error:
            self._is_last = True
            if not self.is_complete:
                self.fail(WireError(Failure.LOST, f"the server sent invalid HTTP: {_reason(error)}"))
        if self.pieces or self.is_complete:
            if size > _HIGH_WATER:
                self._pause_if_unread()
            return True
        if size > MOST_OF_A_HEAD:
            what = "trailers or extensions of chunks" if self.status else "headers"
            self.fail(WireError(Failure.LOST, f"the server sent more than {MOST_OF_A_HEAD >> 10} KiB of {what}"))
        return self._wakes_at_head and self.status != 0

    def _pause_if_unread(self) -> None:
        # A task that sends waits too, but reads nothing.
        if (self._wake.done() or not self.is_writable) and not self._is_paused and self.is_open:
            self._is_paused = True
            cast("asyncio.Transport", self._transport).pause_reading()

    def _what_is_missing(self) -> str:
        """Return why a response is not complete, in the words of httpx's own transport, which people know."""
        if not self.status:
            return "Server disconnected without sending a response."
        if self._lasts_until_closed():
            # A third party can close a connection, but cannot send close_notify in the server's name.
            return "peer closed connection without close_notify, so this may not be the complete message body"
        lengths = [value for name, value in self.headers if name.lower() == b"content-length"]
        missing = f"expected {lengths[0][:20].decode('latin-1')} bytes" if lengths else "incomplete chunked read"
        return f"peer closed connection without sending complete message body ({missing})"

    def _lasts_until_closed(self) -> bool:
        """True for a response that ends with its connection."""
        names = {name.lower() for name, _ in self.headers}
        return b"content-length" not in names and b"transfer-encoding" not in names

    # --- TLS ----------------------------------------------------------------------------------------------------------

    async def secured(self) -> None:
        """Wait for the end of the handshake.

        Raises:
            WireError: the server has a wrong certificate, or speaks no TLS.
        """
        while self._is_shaking and self.error is None:
            await self.wait(math.inf)
        self._check()

    def _check(self) -> None:
        """Raise what has broken the connection, each time anew: kept, it would hold the frames of all who met it."""
        if self.error is not None:
            raise WireError(self.error.failure, str(self.error))

    def _shake(self, tls: Tls, data: bytes | memoryview) -> bool:
        is_done = False
        try:
            is_done = tls.handshake(data)
        finally:
            # Also the alert that tells the server why the handshake failed.
            self._write_tls(tls)
        if is_done:
            self._is_shaking = False
            self._wake.soon()
        return is_done

    def _decrypted(self, tls: Tls, data: bytes | memoryview) -> bytes:
        try:
            if self._is_shaking:
                if not self._shake(tls, data):
                    return b""
                data = b""
        except ssl.SSLError as error:
            self.fail(WireError(Failure.NO_CONNECTION, str(error)))
            return b""
        data = tls.decrypt(data)
        self._write_tls(tls)
        return data

    def _write_tls(self, tls: Tls) -> None:
        data = tls.outgoing()
        if data and self._transport is not None:
            self._transport.write(data)

    # --- called by the parser ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin a response, or an interim one."""
        if self.is_complete:
            raise BadAnswer("it goes on after the end of the response")
        self.headers = []
        self.reason = b""

    def on_status(self, status: bytes) -> None:
        """Take the reason phrase, or a part of it."""
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are ignored."""
        if not self.status:
            # llhttp leaves the white space after a value.
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Take the status; below 200 it is an interim response."""
        parser = cast("Parser", self._parser)
        status = parser.get_status_code()
        if _REASON.fullmatch(self.reason) is None:
            raise BadAnswer("the reason phrase holds control characters")
        if status == 101 or status < 100:
            raise BadAnswer(f"the status {status} is no response to a request")
        if status < 200:
            return
        version = _VERSIONS.get(parser.get_http_version())
        if version is None:
            raise BadAnswer(f"HTTP/{parser.get_http_version()} is another protocol")
        codings = [
            value.lower()
            for name, value in self.headers
            if len(name) == _CODING_LENGTH and name.lower() == b"transfer-encoding"
        ]
        if codings and codings != [b"chunked"]:
            raise BadAnswer(f"the transfer encoding {b', '.join(codings)!r} is another than chunked")
        self.version = version
        self.status = status
        if self._method == b"HEAD":
            self.is_complete = True
            raise BadAnswer("the parser need not wait for the body that is only announced")

    def on_message_complete(self) -> None:
        """End the response, unless it is an interim one."""
        if self.status:
            self.is_complete = True
            if not cast("Parser", self._parser).should_keep_alive():
                self._is_last = True


def _refuse(data: bytes | memoryview) -> None:
    """Ignore what arrives on a closed connection."""
    del data


def _reason(error: Exception) -> str:
    """Return what a parser says, or what our own function says that the parser has called."""
    return str(error.__context__ if isinstance(error.__context__, BadAnswer) else error)
