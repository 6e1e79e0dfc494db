"""The wire over a client of httpx or httpx2: trio, proxies, HTTP/2, transports and clients that the user brings."""

import contextlib
import functools
import math
import socket
import sys
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Self

import anyio

from coze_async._config import Timeouts
from coze_async._errors import ConfigurationError, CozeError
from coze_async._wire._failures import Failure, WireError, error_for, timed_out
from coze_async._wire._headers import check_framing, own_headers, plain_headers
from coze_async._wire._protocol import Deadline, OutgoingBody, Wire, WireRequest, WireResponse, earliest, silence

__all__ = ["HttpxWire"]

# How long closing may wait for a peer, in seconds.
_CLOSING = 2.0
# So much is read on from what is closed, in bytes, a piece counting for so many at least: it may not end.
_MOST_READ_ON, _LEAST_PIECE = 16 << 20, 4096
_MOST_REDIRECTS = 5
# By name: httpx and httpx2 have classes of their own with the same names.
_FAILURES = {
    "UnsupportedProtocol": Failure.UNSENDABLE,
    "InvalidURL": Failure.UNSENDABLE,
    "LocalProtocolError": Failure.UNSENDABLE,
    "ConnectTimeout": Failure.CONNECT_TIMEOUT,
    "PoolTimeout": Failure.POOL_TIMEOUT,
    "ReadTimeout": Failure.EXPIRED,
    "WriteTimeout": Failure.WRITE_TIMEOUT,
    "ConnectError": Failure.NO_CONNECTION,
    "ProxyError": Failure.NO_CONNECTION,
    "HTTPError": Failure.LOST,
    "StreamError": Failure.LOST,
}


def _failure_of(error: Exception) -> Failure | None:
    """Return the kind of an error of httpx or httpx2; None for all others."""
    if isinstance(error, WireError):
        return error.failure
    if isinstance(error, UnicodeError):
        # A header or an address that cannot be encoded.
        return Failure.UNSENDABLE
    for base in type(error).__mro__:
        if base.__module__.partition(".")[0] in ("httpx", "httpx2") and base.__name__ in _FAILURES:
            return _FAILURES[base.__name__]
    return None


class HttpxWire(Wire):
    """Requests to one server over an HTTP client.

    Args:
        client: Of httpx or httpx2.
        base_url: The server.
        is_ours: True if the client is closed with this wire.
    """

    def __init__(self, client: Any, base_url: str, *, is_ours: bool) -> None:
        self._client = client
        self._base_url = base_url
        self._is_ours = is_ours
        # Those of our own client are its defaults: httpx takes long to merge each one.
        self._adds_headers = any(client.headers.get(name) != value for name, value in own_headers({}).items())
        # httpx looks at every character of an address, and a poll asks for the same one each time.
        url_class: Any = client.base_url.__class__
        self._url: Callable[[str], Any] = functools.lru_cache(256)(url_class)
        family = next(
            base.__module__.partition(".")[0] for base in type(client).__mro__ if base.__name__ == "AsyncClient"
        )
        # httpx and httpx2 each want a body of a class of their own.
        base: Any = sys.modules[family].AsyncByteStream
        self._outgoing: type[_Outgoing] = type("_Outgoing", (_Outgoing, base), {})
        self._content: type[_Content] = type("_Content", (_Content, base), {})

    async def send(
        self, request: WireRequest, timeouts: Timeouts, head: Deadline | None, total: Deadline | None
    ) -> "HttpxResponse":
        until, now = earliest(head, total), anyio.current_time()
        idle = timeouts.idle
        # A read time-out of the transport must not end the wait for the head.
        reading = None if idle is None or head is None or head.at - now > idle else idle
        exchange = _Exchange(self._base_url, request, timeouts, reading)
        outgoing: _Outgoing | None = None
        with anyio.CancelScope(deadline=until.at if until else math.inf) as scope:
            if request.body is not None and not isinstance(request.body, bytes):
                outgoing = self._outgoing(request.body, scope, math.inf if head is None else head.at - now, total)
            try:
                response = await self._sent(request, timeouts, reading, outgoing)
            except Exception as error:
                if outgoing is not None and outgoing.error is error:
                    raise
                failure = _failure_of(error)
                if failure is None:
                    raise
                is_whole = outgoing is None or outgoing.body.is_over
                if failure is Failure.UNSENDABLE:
                    # Not chained: what cannot be sent may be quoted in it, and may be a credential.
                    raise exchange.error(failure, str(error), until, is_whole=is_whole) from None
                raise exchange.error(failure, str(error), until, is_whole=is_whole) from error
            if outgoing is not None and head is not None:
                until = earliest(Deadline(scope.deadline, head.name), total)
            return await HttpxResponse(response, exchange, until).prepare()
        is_whole = outgoing is None or outgoing.body.is_over
        raise exchange.error(Failure.EXPIRED, "", until, is_whole=is_whole)

    async def _sent(
        self, request: WireRequest, timeouts: Timeouts, reading: float | None, outgoing: "_Outgoing | None"
    ) -> Any:
        client = self._client
        headers = {**own_headers(request.headers), **request.headers} if self._adds_headers else {**request.headers}
        check_framing(headers)
        if outgoing is not None and outgoing.body.size is not None:
            headers["Content-Length"] = str(outgoing.body.size)
        limits = {"connect": timeouts.connect, "read": reading, "write": timeouts.write, "pool": timeouts.pool}
        build = functools.partial(
            client.build_request,
            request.method,
            self._url(f"{self._base_url}{request.target}"),
            content=request.body if outgoing is None else outgoing,
            headers=headers,
            extensions={"timeout": limits},
        )
        try:
            message = build()
        except UnicodeError:
            if not self._is_ours or not client.cookies:
                raise
            # A server has named a cookie that cannot be sent. That is no reason not to send the request.
            client.cookies.clear()
            message = build()
        if outgoing is not None:
            # As it is, without the generator that httpx would put around it.
            message.stream = outgoing
        elif isinstance(request.body, bytes):
            message.stream = self._content(request.body)
        # A client that follows redirects would take the question and the credentials to whatever server is named.
        response = await client.send(message, stream=True, follow_redirects=False)
        for _ in range(_MOST_REDIRECTS if client.follow_redirects else 0):
            following = response.next_request
            if following is None or not self._is_here(following, message):
                break
            await response.aclose()
            response = await client.send(following, stream=True, follow_redirects=False)
        return response

    def _is_here(self, following: Any, message: Any) -> bool:
        """True for the same request at another place of the same server."""
        url = message.url
        same = (following.url.scheme, following.url.host, following.url.port) == (url.scheme, url.host, url.port)
        return same and following.method == message.method

    async def aclose(self) -> None:
        """Close the connections; a client that the user brought stays open."""
        if self._is_ours:
            await self._client.aclose()


class _Exchange:
    """What is needed to tell a user about a failure, and which read time-out the transport has."""

    __slots__ = ("base_url", "reading", "request", "timeouts")

    def __init__(self, base_url: str, request: WireRequest, timeouts: Timeouts, reading: float | None) -> None:
        self.base_url = base_url
        self.request = request
        self.timeouts = timeouts
        self.reading = reading

    def error(self, failure: Failure, reason: str, until: Deadline | None, *, is_whole: bool = True) -> CozeError:
        if failure is Failure.EXPIRED:
            name = "idle" if until is None else until.name
            seconds = getattr(self.timeouts, name)
            return timed_out(name, seconds, self.request, self.base_url, is_whole=is_whole)
        return error_for(failure, reason, self.request, self.timeouts, self.base_url, is_whole=is_whole)


class _Outgoing:
    """A body that is read while it is sent; while it is read, the server is not waited for.

    Attributes:
        body: Where the pieces come from.
        error: What reading has raised, None if it went well.
    """

    def __init__(self, body: OutgoingBody, scope: anyio.CancelScope, seconds: float, total: Deadline | None) -> None:
        self.body = body
        self.error: Exception | None = None
        self._has_begun = False
        self._scope = scope
        self._seconds = seconds
        self._total = math.inf if total is None else total.at

    def __aiter__(self) -> Self:
        if self._has_begun:
            self.error = ConfigurationError(
                "The HTTP client asked for the uploaded file a second time, to follow a redirection or to log in. "
                "Set base_url to where the API really is, and leave the login to `auth`."
            )
            raise self.error
        self._has_begun = True
        return self

    async def __anext__(self) -> bytes:
        self._scope.deadline = self._total
        try:
            return await anext(self.body)
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.error = error
            raise
        finally:
            self._scope.deadline = min(anyio.current_time() + self._seconds, self._total)

    async def aclose(self) -> None:
        """Do nothing: whoever opened the body closes it."""


class _Content:
    """A body of bytes. httpx's own is a generator, of which trio warns when sending is cancelled."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __aiter__(self) -> "_Once":
        return _Once(self._content)

    async def aclose(self) -> None:
        """Do nothing."""


class _Once:
    def __init__(self, content: bytes) -> None:
        self._left = [content]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


class _Closing:
    """An HTTP response that has to be closed, whether or not somebody does so.

    Attributes:
        response: Of the client.
        pieces: Its body.
        reuse: True if the connection may carry another request.
        is_over: True once it is closed.
        then: Called once it is closed.
    """

    __slots__ = ("is_over", "pieces", "response", "reuse", "then")

    def __init__(self, response: Any) -> None:
        self.response = response
        self.reuse = False
        self.is_over = False
        self.then: Callable[[], None] | None = None
        # The stream itself: the layers of `aiter_raw` cost more than an event.
        self.pieces: AsyncIterator[bytes] = aiter(response.stream)

    async def hook(self) -> AsyncGenerator[None]:
        """Close when this generator is closed: the backends do that for a generator that nobody holds any more."""
        try:
            yield
        finally:
            try:
                with anyio.move_on_after(_CLOSING, shield=True):
                    await self._close()
            finally:
                self.is_over = True
                if self.then is not None:
                    self.then()

    async def _close(self) -> None:
        response = self.response
        if not self.reuse and response.http_version != "HTTP/2":
            _shut_down(response.extensions.get("network_stream"))
        await response.aclose()
        if self.reuse:
            return
        # httpx reads through generators within generators, and trio would warn of each one that is left. Reading on
        # from what is closed ends them from the inside.
        left = _MOST_READ_ON
        while left > 0:
            try:
                left -= max(_LEAST_PIECE, len(await anext(self.pieces)))
            except (StopAsyncIteration, anyio.ClosedResourceError, RuntimeError):
                # RuntimeError: httpx knows that it is closed, or another task still reads and ends them itself.
                return
            except Exception as error:
                if _failure_of(error) is None:
                    raise
                return


def _shut_down(stream: Any) -> None:
    """Shut a connection down, so that the pool finds it readable and does not give it to another request."""
    open_socket = None if stream is None else stream.get_extra_info("socket")
    if open_socket is not None:
        with contextlib.suppress(OSError):
            open_socket.shutdown(socket.SHUT_RDWR)


class HttpxResponse(WireResponse):
    """A response of an HTTP client."""

    __slots__ = (
        "_cause",
        "_closer",
        "_closing",
        "_exchange",
        "_failed",
        "_idle",
        "_is_timed",
        "_next",
        "_piece",
        "_pieces",
        "_scope",
        "_until",
        "headers",
        "status",
    )

    def __init__(self, response: Any, exchange: _Exchange, until: Deadline | None) -> None:
        self._exchange = exchange
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = plain_headers(response.headers.raw)
        self._closing = _Closing(response)
        self._closer: AsyncGenerator[None] | None = self._closing.hook()
        self._pieces = self._closing.pieces
        self._failed: tuple[Failure, str, Deadline | None] | None = None
        self._cause: Exception | None = None
        self._piece: bytes | None = None
        # What follows a piece that was taken: nothing is known, or the end.
        self._next: bytes | None = None
        if response.is_stream_consumed:
            # An event hook of the client, or a mock, has read and unpacked it.
            self.headers = {name: value for name, value in self.headers.items() if name != "content-encoding"}
            self._take_read(response)
        self._scope: anyio.CancelScope | None = None
        self.limit(idle=None, until=until)

    def _take_read(self, response: Any) -> None:
        try:
            self._piece, self._next = response.content, b""
        except RuntimeError as error:
            # A hook has used the body up without keeping it.
            self._failed = Failure.LOST, str(error), None

    async def prepare(self) -> "HttpxResponse":
        """Register what closes the response even if nobody does."""
        if self._closer is not None:
            await anext(self._closer)
        return self

    def limit(self, *, idle: float | None, until: Deadline | None) -> None:
        self._idle = idle
        self._until = until
        # httpcore keeps the read time-out of the request; others may know of none. A timer of ours costs more than
        # reading a piece.
        keeps = idle == self._exchange.reading and "network_stream" in self._closing.response.extensions
        # A stream of HTTP/2 has no socket of its own whose closing would wake a reader: that takes a scope.
        is_shared = self._closing.response.http_version == "HTTP/2"
        self._is_timed = until is not None or is_shared or not (idle is None or keeps)

    def read_nowait(self) -> bytes | None:
        piece = self._piece
        if piece:
            self._piece = self._next
        elif self._failed is not None:
            # An error of its own each time: kept, it would hold the frames of all who met it.
            raise self._exchange.error(*self._failed) from self._pop_cause()
        return piece

    def _pop_cause(self) -> Exception | None:
        cause, self._cause = self._cause, None
        return cause

    def wait(self) -> Awaitable[object]:
        return self._timed() if self._is_timed else self._read(None)

    async def _timed(self) -> None:
        until = silence(self._idle, self._until, anyio.current_time())
        with anyio.CancelScope(deadline=math.inf if until is None else until.at) as self._scope:
            await self._read(until)
        if self._scope.cancelled_caught and self._piece is None:
            self._failed = Failure.EXPIRED, "", until
        self._scope = None

    async def _read(self, until: Deadline | None) -> None:
        piece = b""
        try:
            while not piece:
                piece = await anext(self._pieces)
        except StopAsyncIteration:
            pass
        except Exception as error:
            failure = _failure_of(error)
            if failure is None:
                raise
            if self._piece is None:
                self._failed, self._cause = (failure, str(error), until), error
            return
        self._piece = piece

    async def aclose(self, *, reuse: bool = False) -> None:
        # A task in `wait` finds the end.
        self._piece = b""
        self._closing.reuse = reuse
        if self._scope is not None:
            self._scope.cancel()
        closer, self._closer = self._closer, None
        if closer is not None:
            await closer.aclose()

    def abandon(self, then: Callable[[], None]) -> None:
        if self._closer is None or self._closing.is_over:
            # The end of the event loop closes what is left in it.
            then()
            return
        self._closing.then = then
        with warnings.catch_warnings():
            # trio warns of generators that are left. This one is there to be left.
            warnings.simplefilter("ignore", ResourceWarning)
            self._closer = None
