"""The wire on asyncio: HTTP/1.1 straight on the event loop's own protocols, past httpx."""

import asyncio
import logging
import math
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from coze_async._config import Timeouts
from coze_async._errors import CozeError
from coze_async._wire._failures import Failure, WireError, error_for, timed_out
from coze_async._wire._fast._connection import Connection
from coze_async._wire._fast._head import header_lines, request_line
from coze_async._wire._fast._pool import Pool
from coze_async._wire._fast._pristine import is_pristine
from coze_async._wire._headers import own_headers, plain_headers
from coze_async._wire._protocol import Deadline, Wire, WireRequest, WireResponse, earliest

if TYPE_CHECKING:
    from coze_async._wire._fast._cookies import Cookies

__all__ = ["FastWire", "runs_here"]

# A body of up to this size goes out in one piece with its head.
_SHORT = 65536
_httpx_log = logging.getLogger("httpx")


def runs_here() -> bool:
    """True in a task of asyncio, and False in a task of trio, even if trio is the guest of an asyncio loop."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


class FastWire(Wire):
    """HTTP/1.1 to one server, for one event loop of asyncio. It keeps cookies, and logs what httpx would log.

    Args:
        base_url: The server.
        context: Returns what TLS uses; called in a thread, before the first connection.
    """

    def __init__(self, base_url: str, context: Callable[[], ssl.SSLContext]) -> None:
        self._base_url = base_url
        self._loop = asyncio.get_running_loop()
        self.clock: Callable[[], float] = self._loop.time
        self._make_context = context
        self._context: asyncio.Future[ssl.SSLContext] | None = None
        scheme, host, port, prefix = _parsed(base_url)
        self._is_tls = scheme == "https"
        usual = 443 if self._is_tls else 80
        self._pool = Pool(host, port or usual, self._certificates if self._is_tls else None)
        self._prefix = prefix
        shown = f"[{host}]" if ":" in host else host
        self._host = shown if port in (None, usual) else f"{shown}:{port}"
        self._cookies: Cookies | None = None
        self._last: Mapping[str, str] = {}
        self._lines = b""

    def is_here(self) -> bool:
        """True in a task of this wire's own loop."""
        try:
            return asyncio.get_running_loop() is self._loop and asyncio.current_task(self._loop) is not None
        except RuntimeError:
            return False

    def can_serve(self) -> bool:
        """True as long as nobody has replaced functions of httpx; only where `is_here` is true."""
        return is_pristine()

    async def load(self) -> None:
        """Read the certificates, if the server is reached by TLS.

        Raises:
            OSError: they cannot be read.
            ValueError: they are invalid.
        """
        if self._is_tls:
            await self._certificates()

    async def send(
        self, request: WireRequest, timeouts: Timeouts, head: Deadline | None, total: Deadline | None
    ) -> "FastResponse":
        body = request.body
        stream = None if body is None or isinstance(body, bytes) else body
        until = head if total is None else earliest(head, total)
        began = self._loop.time()
        connection: Connection | None = None
        try:
            method, lines = request.method.encode("ascii"), self._head(request)
            content = body if isinstance(body, bytes) else b""
            at = math.inf if until is None else until.at
            connection = self._pool.idle() or await self._pool.connect(timeouts.connect, at)
            if len(content) <= _SHORT:
                connection.begin(method, lines + content)
            else:
                connection.begin(method, lines)
                await connection.push(content, timeouts.write, at)
            if stream is not None:
                patience = math.inf if head is None else head.at - began
                await connection.send(stream, timeouts.write, patience, math.inf if total is None else total.at)
                if head is not None:
                    # It has begun anew with each piece.
                    head = Deadline(self._loop.time() + patience, head.name)
                    until = earliest(head, total)
                    at = math.inf if until is None else until.at
            if not connection.status:
                await connection.answered(at)
            response = FastResponse(connection, self, request, timeouts, until)
            if _httpx_log.isEnabledFor(logging.INFO):
                self._log(request, connection)
            if "set-cookie" in response.headers:
                self._keep_cookies(request, connection)
            return response
        except WireError as error:
            if connection is not None:
                connection.close()
            is_whole = connection is not None and (stream is None or stream.is_over)
            if error.failure is Failure.UNSENDABLE:
                # Not chained: what cannot be sent may be quoted in it, and may be a credential.
                raise self.error(error, request, timeouts, until, is_whole=is_whole) from None
            raise self.error(error, request, timeouts, until, is_whole=is_whole) from error
        except BaseException:
            if connection is not None:
                connection.close()
            raise

    def error(
        self,
        error: WireError,
        request: WireRequest,
        timeouts: Timeouts,
        until: Deadline | None,
        *,
        is_whole: bool = True,
    ) -> CozeError:
        """Return what a failure beneath means for the caller; see `error_for`."""
        if error.failure is Failure.EXPIRED and until is not None:
            return timed_out(until.name, getattr(timeouts, until.name), request, self._base_url, is_whole=is_whole)
        return error_for(error.failure, str(error), request, timeouts, self._base_url, is_whole=is_whole)

    def _head(self, request: WireRequest) -> bytes:
        """Return the request line and the headers, with the blank line."""
        headers, body = request.headers, request.body
        # One call is like the one before, most of all where there are many.
        if headers != self._last:
            given = {name.lower() for name in headers}
            host = [] if "host" in given else [("Host", self._host)]
            self._lines = header_lines([*host, *own_headers(headers).items(), *headers.items()])
            self._last = headers
        line = request_line(request.method, self._prefix + request.target)
        cookies = self._cookie_line(request) if self._cookies is not None else b""
        if isinstance(body, bytes):
            length = b"Content-Length: %d\r\n" % len(body)
        elif body is None:
            length = b"Content-Length: 0\r\n" if request.method in ("POST", "PUT", "PATCH") else b""
        else:
            length = b"Transfer-Encoding: chunked\r\n" if body.size is None else b"Content-Length: %d\r\n" % body.size
        return b"%b%b%b%b\r\n" % (line, self._lines, cookies, length)

    def _url(self, request: WireRequest) -> str:
        scheme = "https" if self._is_tls else "http"
        return f"{scheme}://{self._host}{self._prefix}{request.target}"

    def _cookie_line(self, request: WireRequest) -> bytes:
        if self._cookies is None or "cookie" in {name.lower() for name in request.headers}:
            return b""
        cookies = self._cookies.header(self._url(request))
        return header_lines([("Cookie", cookies)]) if cookies else b""

    def _keep_cookies(self, request: WireRequest, connection: Connection) -> None:
        if self._cookies is None:
            from coze_async._wire._fast._cookies import Cookies

            self._cookies = Cookies()
        self._cookies.take(self._url(request), connection.headers)

    def _log(self, request: WireRequest, connection: Connection) -> None:
        """Log what httpx's client logs for each request: programs and people look for it there. Without the query."""
        place, question, _ = self._url(request).partition("?")
        reason = connection.reason.decode("ascii", "replace")
        line = f"{connection.version.decode('ascii')} {connection.status} {reason}"
        shown = f"{place}?***" if question else place
        _httpx_log.info('HTTP Request: %s %s "%s"', request.method, shown, line)

    async def _certificates(self) -> ssl.SSLContext:
        """Return what TLS uses: read once, in a thread, since that takes tens of milliseconds."""
        if self._context is None:
            self._context = self._loop.run_in_executor(None, self._make_context)
        try:
            # A task that stops waiting must not cancel it for the others.
            return await asyncio.shield(self._context)
        except (OSError, ValueError):
            # The next one may find the file in place.
            self._context = None
            raise

    async def aclose(self) -> None:
        await self._pool.aclose()


def _parsed(base_url: str) -> tuple[str, str, int | None, str]:
    """Return the parts of a base URL: scheme, host, port, and the path without its last slash.

    Raises:
        WireError: there is no such host.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if base_url.isascii() and "%" not in base_url and " " not in base_url:
        return parts.scheme, host, parts.port, parts.path.rstrip("/")
    # Only names outside ASCII need what httpx knows of them, and importing it takes a third of a program's start.
    import httpx

    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise WireError(Failure.UNSENDABLE, str(error)) from None
    return url.scheme, url.raw_host.decode("ascii"), url.port, url.raw_path.rstrip(b"/").decode("ascii")


class FastResponse(WireResponse):
    """A response on a connection of our own."""

    __slots__ = (
        "_clock",
        "_connection",
        "_idle",
        "_request",
        "_timeouts",
        "_until",
        "_until_at",
        "_wire",
        "headers",
        "status",
    )

    def __init__(
        self, connection: Connection, wire: FastWire, request: WireRequest, timeouts: Timeouts, until: Deadline | None
    ) -> None:
        self._connection: Connection | None = connection
        self._wire = wire
        self._clock = wire.clock
        self._request = request
        self._timeouts = timeouts
        self.limit(idle=None, until=until)
        self.status: int = connection.status
        self.headers: Mapping[str, str] = plain_headers(connection.headers)

    def limit(self, *, idle: float | None, until: Deadline | None) -> None:
        self._idle = idle
        self._until = until
        self._until_at = math.inf if until is None else until.at

    def read_nowait(self) -> bytes | None:
        connection = self._connection
        if connection is None:
            return b""
        if connection.pieces:
            return connection.taken()
        if connection.is_complete:
            return b""
        if connection.error is not None:
            raise self._failed(connection.error) from connection.error
        return None

    def wait(self) -> Awaitable[object]:
        connection = self._connection
        if connection is None:
            return asyncio.sleep(0)
        until, idle = self._until_at, self._idle
        if idle is not None:
            silent = self._clock() + idle
            if silent < until:
                until = silent
        return connection.wait(until)

    def _failed(self, error: WireError) -> Exception:
        until = self._until
        if error.failure is Failure.EXPIRED and (until is None or self._clock() < until.at):
            until = Deadline(0.0, "idle")
        return self._wire.error(error, self._request, self._timeouts, until)

    async def aclose(self, *, reuse: bool = False) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release(reuse=reuse)

    def abandon(self, then: Callable[[], None]) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            then()
        else:
            connection.close_soon(then)
