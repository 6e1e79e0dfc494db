"""One connection: an asyncio protocol that sends a request, and hands its answer out as it comes."""

import asyncio
import math
import re
import select
import ssl
from collections.abc import AsyncIterable, Callable
from typing import Any, cast

import httpx

from coze_async._fast._parser import MOST_OF_A_HEAD, BadAnswer, Parser, parse_errors, parser_for
from coze_async._fast._tls import Tls
from coze_async._fast._wake import Wake

__all__ = ["Connection", "Origin"]

Origin = tuple[str, str, int, str]
"""Scheme, host, port, and the name in the certificate."""

_CODING_LENGTH = len(b"transfer-encoding")
# llhttp takes anything for a reason.
_REASON = re.compile(rb"[^\0\n\r\v\f]*")
_VERSIONS = {"1.1": b"HTTP/1.1", "1.0": b"HTTP/1.0"}
# More than this waits in the kernel, and so with the server, until the answer is read on.
_HIGH_WATER = 65536
# So much of a body is handed to the socket at a time, and may take `Timeouts.write`.
_SLICE = 262144


class Connection(asyncio.BufferedProtocol):
    """Carries one request at a time.

    Args:
        origin: Whom it reaches.
        loop: Whose it is.
        buffer: Where what comes from the socket is put; the connections of one loop share it, for whatever is in it
            was read on when the next of them is asked for it. asyncio's other way takes 256 KiB anew for each piece,
            which the system has to fetch and fill with zeros.
        freed: Called when it can take another request.
        lost: Called once, when it never can again.
        tls: None for plain HTTP.

    Attributes:
        is_open: False once it can take no further request, and is closed.
        is_writable: False while the server takes no more.
        status: Of the answer; 0 until its head is complete.
        version: The protocol of the answer.
        reason: Its reason phrase.
        headers: Its headers, as they came.
        pieces: What came of the body and was not read yet.
        is_complete: True when all of the body has come.
        error: What has broken the answer; what came before is handed out before it.
        idle_since: When it became free, on the loop's clock.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_deadline",
        "_expect",
        "_expiry",
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
        "origin",
        "pieces",
        "reason",
        "status",
        "version",
    )

    def __init__(
        self,
        origin: Origin,
        loop: asyncio.AbstractEventLoop,
        buffer: memoryview,
        *,
        freed: "Callable[[Connection], None]",
        lost: "Callable[[Connection], None]",
        tls: Tls | None = None,
    ) -> None:
        self.origin = origin
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
        self._timer_at = 0.0
        self._deadline = math.inf
        self._expiry: type[httpx.TimeoutException] = httpx.ReadTimeout
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
        self.error: httpx.TransportError | None = None

    # --- one request --------------------------------------------------------------------------------------------------

    def begin(self, method: bytes, data: bytes) -> None:
        """Take a request and send its beginning, or the whole if it is short."""
        self._is_busy = self._wakes_at_head = True
        self._method = method
        self._received = self.status = 0
        self.is_complete = False
        if self._expect is not None:
            self._expect(method)
        self._write(data)

    async def send(self, body: AsyncIterable[bytes], length: int | None, seconds: float | None) -> None:
        """Send a body, as fast as the server takes it; stop if it has refused the request already.

        Args:
            body: In pieces of any size.
            length: As announced; None sends chunks.
            seconds: How long the server may take for each piece.

        Raises:
            httpx.WriteTimeout: it took longer.
            httpx.LocalProtocolError: the body has another length than was announced.
        """
        sent = 0
        async for piece in body:
            sent += len(piece)
            if length is not None and sent > length:
                raise httpx.LocalProtocolError(f"the body is longer than its announced length of {length} bytes")
            if piece:
                await self.push(piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece), seconds)
            if self._has_refused():
                # It wants no more of it. What has been begun cannot be taken back: nothing else can follow.
                self._is_last = True
                return
        if length is None:
            await self.push(b"0\r\n\r\n", seconds)
        elif sent < length:
            raise httpx.LocalProtocolError(f"the body ended after {sent} of its announced {length} bytes")

    async def push(self, data: bytes, seconds: float | None) -> None:
        """Send bytes; come back when the server has taken most of them, or answered, or gone away."""
        for begin in range(0, len(data), _SLICE):
            if self._has_refused():
                self._is_last = True
                return
            self._write(data[begin : begin + _SLICE])
            while not self.is_writable and not self._has_refused():
                await self.wait(seconds, httpx.WriteTimeout)

    def _has_refused(self) -> bool:
        return not self.is_open or self.error is not None or self.status >= 300

    async def answered(self, seconds: float | None) -> None:
        """Wait for the head of the answer.

        Raises:
            httpx.ReadTimeout: it took longer.
            httpx.TransportError: it will not come.
        """
        while not self.status:
            if self.error is not None:
                raise self.error
            await self.wait(seconds, httpx.ReadTimeout)
        self._wakes_at_head = False

    def wait(self, seconds: float | None, expiry: type[httpx.TimeoutException]) -> Wake:
        """Return what is over when there is something to do, or when it has taken too long, which is an `error`.

        There is one timer for all waits of a connection. It is set once, and when it goes off it is set again for what
        is left, so that a wait costs no more than a look at the clock.
        """
        wake = self._wake
        wake.restart()
        self._expiry = expiry
        if seconds is None:
            self._deadline = math.inf
        else:
            deadline = self._deadline = self._loop.time() + seconds
            if self._timer is None or self._timer_at > deadline:
                self._set_timer(deadline)
        return wake

    def arrival(self, seconds: float | None) -> Wake:
        """Return what is over when a piece, the end or an error is there, which may be already."""
        if self.pieces or self.is_complete or self.error is not None:
            # Nobody waits for it, so it is over.
            return self._wake
        return self.wait(seconds, httpx.ReadTimeout)

    def taken(self) -> bytes | None:
        """Return all that came since the last time, if anything did, and let more come."""
        pieces = self.pieces
        if not pieces:
            return None
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._received = 0
        if self._is_paused:
            self._resume()
        return data

    def release(self) -> None:
        """Give the connection back: to the next request if the answer is over, else close it."""
        self._is_busy = False
        self.pieces.clear()
        if self.is_complete and self.is_open and not self._is_last:
            if self._is_paused:
                self._resume()
            self._freed(self)
        else:
            self.close()

    def close(self) -> None:
        """Close at once; who waits is woken."""
        if self._transport is not None:
            self._transport.abort()
        self._is_gone()

    def fail(self, error: httpx.TransportError) -> None:
        """Break the answer off."""
        if self.error is None and not self.is_complete:
            self.error = error
        self.close()

    @property
    def is_stale(self) -> bool:
        """True if something came that nobody asked for: usually the server's farewell, not yet seen by the loop."""
        if not hasattr(select, "poll"):
            # Windows.
            return bool(select.select([self.get_extra_info("socket")], [], [], 0)[0])
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(self.get_extra_info("socket"), select.POLLIN)
        return bool(self._poll.poll(0))

    def get_extra_info(self, name: str) -> Any:
        """Return what is known of the connection, under the names of httpcore's `AsyncNetworkStream`."""
        if name == "ssl_object":
            return None if self._tls is None else self._tls.object
        name = {"client_addr": "sockname", "server_addr": "peername"}.get(name, name)
        return None if self._transport is None else self._transport.get_extra_info(name)

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
        self._timer = None
        if self._wake.done() or self._deadline == math.inf:
            return
        if self._loop.time() < self._deadline:
            self._set_timer(self._deadline)
        else:
            self.fail(self._expiry("the time is up"))

    # --- what asyncio tells -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; with TLS, by the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        if self._tls is not None:
            self._shake(self._tls, b"")

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return where what comes is to be put."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read on in the answer."""
        data: bytes | memoryview = self._buffer[:nbytes]
        tls = self._tls
        if tls is None:
            wakes = self._take(data)
        else:
            data = self._decrypted(tls, data)
            wakes = bool(data) and self._take(data)
            if tls.is_over:
                if tls.error is not None:
                    self.fail(httpx.ReadError(tls.error))
                else:
                    self.eof_received()
                    self.close()
        if wakes:
            # Last, for who has waited may have begun something else with this connection when it returns.
            self._wake.now()

    def eof_received(self) -> None:
        """End an answer that has no other end; any other has lost its rest."""
        if self._is_shaking:
            self.fail(httpx.ConnectError("the server closed the connection during the TLS handshake"))
        elif self._is_busy and not self.is_complete:
            if self.status and self._lasts_until_closed() and (self._tls is None or self._tls.is_over):
                self.is_complete = True
            elif self.error is None:
                self.error = httpx.RemoteProtocolError(self._what_is_missing())
        self._is_last = True
        self._wake.soon()
        if not self._is_busy:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that it is gone."""
        if self._is_busy and not self.is_complete and self.error is None:
            self.error = httpx.ReadError(str(exc) if exc else "the connection was closed")
        self._is_gone()
        # The parser holds what holds the parser.
        self._parser = self._expect = None
        self._feed = _refuse

    def pause_writing(self) -> None:
        """Hold a body back."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """Let a body go on."""
        self.is_writable = True
        self._wake.soon()

    def _is_gone(self) -> None:
        was_open, self.is_open = self.is_open, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._wake.soon()
        if was_open:
            self._lost(self)

    def _take(self, data: bytes | memoryview) -> bool:
        """Read on in the answer; return whether there is something for who waits."""
        if not self._is_busy or self.is_complete:
            # Nobody has asked for it. Read later, it would be taken for the answer to another request.
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
                self.fail(httpx.RemoteProtocolError(f"what the server sent is no HTTP: {_reason(error)}"))
        if self.pieces or self.is_complete:
            if size > _HIGH_WATER and self._wake.done() and not self._is_paused and self.is_open:
                self._is_paused = True
                cast("asyncio.Transport", self._transport).pause_reading()
            return True
        if size > MOST_OF_A_HEAD:
            what = "trailers or extensions of chunks" if self.status else "headers"
            self.fail(httpx.RemoteProtocolError(f"the server sent more than {MOST_OF_A_HEAD >> 10} KiB of {what}"))
        return self._wakes_at_head and self.status != 0

    def _what_is_missing(self) -> str:
        """Say it in the words of httpx's own transport, which people know."""
        if not self.status:
            return "Server disconnected without sending a response."
        if self._lasts_until_closed():
            # Whoever stands on the way can close a connection, but not say so in the server's name.
            return "peer closed connection without close_notify, so this may not be the complete message body"
        lengths = [value for name, value in self.headers if name.lower() == b"content-length"]
        missing = f"expected {lengths[0].decode('ascii')} bytes" if lengths else "incomplete chunked read"
        return f"peer closed connection without sending complete message body ({missing})"

    def _lasts_until_closed(self) -> bool:
        """True for an answer whose end is that of the connection."""
        names = {name.lower() for name, _ in self.headers}
        return b"content-length" not in names and b"transfer-encoding" not in names

    # --- TLS ----------------------------------------------------------------------------------------------------------

    async def secured(self) -> None:
        """Wait for the end of the handshake.

        Raises:
            httpx.ConnectError: the server is not who it should be, or speaks no TLS.
        """
        while self._is_shaking and self.error is None:
            await self.wait(None, httpx.ConnectTimeout)
        if self.error is not None:
            raise self.error

    def _shake(self, tls: Tls, data: bytes | memoryview) -> bool:
        is_done = False
        try:
            is_done = tls.handshake(data)
        finally:
            # Also what tells the server why not.
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
            self.fail(httpx.ConnectError(str(error)))
            return b""
        data = tls.decrypt(data)
        self._write_tls(tls)
        return data

    def _write_tls(self, tls: Tls) -> None:
        data = tls.outgoing()
        if data and self._transport is not None:
            self._transport.write(data)

    # --- what the parser tells ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Begin an answer, or one that only announces another."""
        if self.is_complete:
            raise BadAnswer("it goes on behind the end of the answer")
        self.headers = []
        self.reason = b""

    def on_status(self, status: bytes) -> None:
        """Take the reason phrase, or what has come of it."""
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers say nothing that is needed."""
        if not self.status:
            # llhttp leaves the white space behind a value.
            self.headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Take the status; one below 200 announces the answer."""
        parser = cast("Parser", self._parser)
        status = parser.get_status_code()
        if _REASON.fullmatch(self.reason) is None:
            raise BadAnswer("the reason phrase is no text")
        if status == 101 or status < 100:
            raise BadAnswer(f"status {status} is no answer")
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
        """End the answer, if it was not one that only announces another."""
        if self.status:
            self.is_complete = True
            if not cast("Parser", self._parser).should_keep_alive():
                self._is_last = True


def _refuse(data: bytes | memoryview) -> None:
    """Take no more."""
    del data


def _reason(error: Exception) -> str:
    """Return what a parser says; of an error that one of our own functions has raised, what that says."""
    return str(error.__context__ if isinstance(error.__context__, BadAnswer) else error)
