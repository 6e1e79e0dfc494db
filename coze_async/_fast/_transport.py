"""The transport: requests and answers of httpx over our own connections, or over its own where ours cannot serve."""

import asyncio
import logging
import ssl
import sys
from collections.abc import AsyncIterable, Callable, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any, cast

import anyio
import httpx

from coze_async._fast._answer import Answer
from coze_async._fast._connection import Connection, Origin
from coze_async._fast._head import body_length, header_lines, request_line
from coze_async._fast._pool import Pool

__all__ = ["FastTransport", "is_client_pristine", "response_of", "runs_here"]

_PORTS = {"http": 80, "https": 443}
# So long a body goes out in one piece with its head.
_SHORT = 65536
# What else a request may ask of a transport is left to httpx's own.
_EXTENSIONS = frozenset(("timeout", "sni_hostname"))
_httpx_log = logging.getLogger("httpx")


def runs_here() -> bool:
    """True in a task of asyncio, and not in one of trio, even if it is the guest of an asyncio loop."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


class FastTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 for one event loop of asyncio.

    Args:
        limits: As httpx has them.
        context: Returns what TLS goes by; called in a thread, before the first encrypted connection.
    """

    def __init__(self, limits: httpx.Limits, context: Callable[[], ssl.SSLContext]) -> None:
        self._limits = limits
        self._make_context = context
        self._context: asyncio.Future[ssl.SSLContext] | None = None
        self._pool: Pool | None = None
        self._other: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; return the answer as soon as its head is there."""
        extensions = request.extensions
        if not (extensions.keys() <= _EXTENSIONS and request.method != "CONNECT" and is_pristine()):
            return await self._others().handle_async_request(request)
        url, headers = request.url, request.headers.raw
        scheme, host = url.scheme, url.raw_host.decode("ascii")
        if scheme not in _PORTS:
            raise httpx.UnsupportedProtocol(f"{scheme or 'no scheme'} is neither http nor https")
        method = request.method.encode("ascii")
        head = request_line(method, url.raw_path) + header_lines(headers) + b"\r\n"
        origin = (scheme, host, url.port or _PORTS[scheme], extensions.get("sni_hostname") or host)
        length, body = body_length(headers), request.stream
        content = _framed(b"".join(body), length) if isinstance(body, httpx.ByteStream) else b""
        stream = None if isinstance(body, httpx.ByteStream) else cast("httpx.AsyncByteStream", body)
        timeouts: Mapping[str, float | None] = extensions.get("timeout") or {}
        connection = await self.exchange(origin, method, head, content, stream, length, timeouts)
        return response_of(connection, timeouts.get("read"))

    def is_connected(self, origin: Origin) -> bool:
        """True if there is a connection that is free."""
        return self._pool is not None and self._pool.has_idle(origin)

    async def exchange(
        self,
        origin: Origin,
        method: bytes,
        head: bytes,
        content: bytes,
        stream: AsyncIterable[bytes] | None,
        length: int | None,
        timeouts: Mapping[str, float | None],
    ) -> Connection:
        """Send a request and return its connection as soon as the head of the answer is there.

        Args:
            origin: Where to.
            method: The HTTP verb.
            head: The request line, the headers and the empty line.
            content: The body as it is sent.
            stream: What of the body follows in pieces.
            length: How long that is; None sends chunks.
            timeouts: As httpx has them in the extensions of a request; and `first`, if the head of the answer has
                another limit than what comes after it.
        """
        pool = self._pool
        if pool is None:
            pool = self._pool = Pool(self._limits, self.certificates)
        connection = pool.idle(origin)
        if connection is None:
            if (first := timeouts.get("first")) is not None:
                # What was free is lost, so that connecting takes of this limit too.
                with anyio.move_on_after(first):
                    return await self.exchange(
                        origin, method, head, content, stream, length, {**timeouts, "first": None}
                    )
                raise httpx.ReadTimeout("the time is up")
            connection = await pool.acquire(origin, pool=timeouts.get("pool"), connect=timeouts.get("connect"))
        try:
            if len(content) <= _SHORT:
                connection.begin(method, head + content)
                content = b""
            else:
                connection.begin(method, head)
            if content or not connection.is_writable:
                await connection.push(content, timeouts.get("write"))
            if stream is not None:
                await connection.send(stream, length, timeouts.get("write"))
            if not connection.status:
                await connection.answered(timeouts.get("first") or timeouts.get("read"))
        except BaseException:
            connection.close()
            raise
        return connection

    async def certificates(self) -> ssl.SSLContext:
        """Return what TLS goes by: read once, in a thread, for it takes tens of milliseconds."""
        if self._context is None:
            self._context = asyncio.get_running_loop().run_in_executor(None, self._make_context)
        try:
            # Who gives up waiting must not take it from the others.
            return await asyncio.shield(self._context)
        except (OSError, ValueError):
            # The next one may find the file in place.
            self._context = None
            raise

    def _others(self) -> httpx.AsyncHTTPTransport:
        """Return httpx's own transport."""
        if self._other is None:
            self._other = httpx.AsyncHTTPTransport(verify=self._make_context(), limits=self._limits)
        return self._other

    async def aclose(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.aclose()
        if self._other is not None:
            await self._other.aclose()


def response_of(connection: Connection, read: float | None) -> httpx.Response:
    """Return an answer as httpx has it, with its body unread.

    Args:
        connection: On which the head of the answer has come.
        read: Seconds until the next piece has to be there.
    """
    return httpx.Response(
        connection.status,
        headers=connection.headers,
        stream=Answer(connection, read),
        extensions={
            "http_version": connection.version,
            "reason_phrase": connection.reason,
            "network_stream": connection,
        },
    )


def _framed(content: bytes, length: int | None) -> bytes:
    """Return a whole body as its headers have announced it.

    Raises:
        httpx.LocalProtocolError: it has another length.
    """
    if length is None:
        return (b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content)) if content else b"0\r\n\r\n"
    if length != len(content):
        raise httpx.LocalProtocolError(f"the body has {len(content)} bytes, and {length} are announced")
    return content


# What tests and tools that watch put something else in the place of; they would not see what does not pass there.
# httpcore is looked at where somebody has loaded it: it loads both backends, trio too, and nobody can have replaced
# anything in it before.
_WATCHED = (
    ("httpx", "AsyncHTTPTransport", "handle_async_request"),
    ("httpcore", "AsyncConnectionPool", "handle_async_request"),
    ("httpx", "AsyncClient", "send"),
)
_known: list[Any] = [None] * len(_WATCHED)
_modules = sys.modules


def is_pristine() -> bool:
    """True if requests still go through httpx's own functions: respx and the like replace them, tracers wrap them."""
    if httpx.AsyncHTTPTransport.handle_async_request is _known[0]:
        pool = getattr(_modules.get("httpcore"), "AsyncConnectionPool", None)
        if pool is None or pool.handle_async_request is _known[1]:
            return True
    return _is_known_as(0, 2)


def is_client_pristine() -> bool:
    """True if nobody would see a difference when httpx's client is passed by, its own log included."""
    return (
        (httpx.AsyncClient.send is _known[2] or _is_known_as(2, 3))
        and is_pristine()
        and not _httpx_log.isEnabledFor(logging.INFO)
    )


def _is_known_as(begin: int, end: int) -> bool:
    """Look again whether functions are their owners' own, and remember them if they are."""
    now: list[Any] = []
    for package, owner, name in _WATCHED[begin:end]:
        function = getattr(getattr(_modules.get(package), owner, None), name, None)
        if function is not None and not _is_of(function, package):
            return False
        now.append(function)
    _known[begin:end] = now
    return True


def _is_of(function: Any, package: str) -> bool:
    """True for a function that is written in a package, whatever name somebody gave to another one."""
    home = Path(_modules[package].__file__ or "").parent
    return isinstance(function, FunctionType) and Path(function.__code__.co_filename).is_relative_to(home)
