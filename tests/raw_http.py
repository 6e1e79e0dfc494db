"""A server that says what its script says, byte for byte; a client of it; and a connection without a socket."""

import asyncio
import math
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

import anyio
import anyio.abc
import anyio.lowlevel

from coze_async import CozeError, Timeouts
from coze_async._wire import Deadline, WireRequest, WireResponse, readable
from coze_async._wire._failures import WireError
from coze_async._wire._fast import FastWire
from coze_async._wire._fast._connection import Connection
from coze_async._wire._fast._tls import Tls
from coze_async._wire._fast._wire import FastResponse

__all__ = [
    "FOREVER",
    "OK",
    "Answer",
    "Client",
    "OtherSide",
    "Pieces",
    "Server",
    "Told",
    "Visitor",
    "closed",
    "looped",
    "next_piece",
    "no_context",
    "receive",
    "response_on",
    "rest_of",
    "saying",
    "serving",
    "spoken",
    "unconnected",
]

OK = b"HTTP/1.1 200 OK\r\n"
# Virtual time overtakes what threads do.
FOREVER = Timeouts(connect=None, first_event=None, idle=None, workflow=None, write=None, pool=None)
Script = Callable[["Visitor"], Awaitable[None]]


def no_context() -> Any:
    """Where nothing is encrypted nobody may ask for certificates."""
    raise AssertionError("certificates were read for plain HTTP")


async def looped() -> None:
    """Let everything happen that can happen now."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


# --- a client ---------------------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8")


class Pieces:
    """A request body that is read while it is sent."""

    def __init__(self, pieces: AsyncIterator[bytes], size: int | None = None) -> None:
        self.size = size
        self.is_over = False
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await anext(self._pieces)
        except StopAsyncIteration:
            self.is_over = True
            raise


class Client:
    """Uses a `FastWire` as the library does; without time-outs, unless a test gives some.

    Attributes:
        wire: The wire.
    """

    def __init__(self, url: str, *, context: Callable[[], ssl.SSLContext] = no_context) -> None:
        self.wire = FastWire(url, context)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.wire.aclose()

    async def send(
        self,
        method: str = "GET",
        target: str = "/",
        *,
        content: bytes | AsyncIterator[bytes] | None = None,
        size: int | None = None,
        timeouts: Timeouts = FOREVER,
        head: Deadline | None = None,
        total: Deadline | None = None,
    ) -> WireResponse:
        """Return an answer whose body is still to be read."""
        body = content if content is None or isinstance(content, bytes) else Pieces(content, size)
        return await self.wire.send(WireRequest(f"{method} {target}", method, target, {}, body), timeouts, head, total)

    async def get(self, target: str = "/", *, timeouts: Timeouts = FOREVER) -> Answer:
        return await self._whole(await self.send("GET", target, timeouts=timeouts))

    async def post(
        self, content: bytes | AsyncIterator[bytes], *, size: int | None = None, timeouts: Timeouts = FOREVER
    ) -> Answer:
        return await self._whole(await self.send("POST", content=content, size=size, timeouts=timeouts))

    async def _whole(self, response: WireResponse) -> Answer:
        """Read a body to its end, unpacked; only then the connection is used again."""
        is_read = False
        try:
            content = await rest_of(readable(response, "a request"))
            is_read = True
        finally:
            await response.aclose(reuse=is_read)
        return Answer(response.status, response.headers, content)


async def next_piece(response: WireResponse) -> bytes:
    """Return the next piece of a body, b"" at its end."""
    while (piece := response.read_nowait()) is None:
        await response.wait()
    return piece


async def rest_of(response: WireResponse) -> bytes:
    """Return what is left of a body."""
    pieces: list[bytes] = []
    while piece := await next_piece(response):
        pieces.append(piece)
    return b"".join(pieces)


# --- a server ---------------------------------------------------------------------------------------------------------


class Visitor:
    """One connection, seen by the server."""

    def __init__(self, stream: anyio.abc.ByteStream, number: int) -> None:
        self.stream = stream
        self.number = number
        self.rest = b""

    async def request(self) -> bytes:
        """Return the next request, with a body that has a length."""
        while b"\r\n\r\n" not in self.rest:
            self.rest += await self.stream.receive()
        head, _, rest = self.rest.partition(b"\r\n\r\n")
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ),
            0,
        )
        while len(rest) < length:
            rest += await self.stream.receive()
        self.rest = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]

    async def send(self, data: bytes) -> None:
        await self.stream.send(data)

    async def gone(self) -> None:
        """Wait until the client has closed the connection."""
        try:
            while True:
                await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass


class Server:
    """Counts who comes, and who has gone.

    Attributes:
        url: Where it is.
        connections: How many were made.
        closed: How many of them the client has closed, or the server.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections = 0
        self.closed = 0


@asynccontextmanager
async def serving(script: Script, wrap: Callable[[Any], Any] | None = None) -> AsyncGenerator[Server]:
    """Serve every connection by a script on a free port; when it returns, the server closes."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    server = Server(f"{'https' if wrap else 'http'}://127.0.0.1:{port}")

    async def serve(stream: anyio.abc.SocketStream) -> None:
        server.connections += 1
        try:
            async with stream:
                inner = await wrap(stream) if wrap else stream
                if inner is not None:
                    await script(Visitor(inner, server.connections))
                    # Says farewell, if it is of TLS and does so.
                    await inner.aclose()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        finally:
            server.closed += 1

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        try:
            yield server
        finally:
            tasks.cancel_scope.cancel()


def saying(*answers: bytes) -> Script:
    """Answer one request after the other; behind the last the connection stays open."""

    async def script(visitor: Visitor) -> None:
        for answer in answers:
            await visitor.request()
            await visitor.send(answer)
        await visitor.gone()

    return script


async def closed(server: Server, count: int) -> None:
    """Wait until so many connections are closed."""
    with anyio.fail_after(60):
        while server.closed < count:
            await anyio.lowlevel.checkpoint()


# --- a connection without a socket ------------------------------------------------------------------------------------


class OtherSide(asyncio.Transport):
    """A connection's other side without a socket: what is written is kept.

    Attributes:
        written: What was written.
        unsent: How many bytes of it wait for the peer.
        reads: False while the connection takes nothing.
        is_open: False once it is closed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.reads = True
        self.is_open = True

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def abort(self) -> None:
        self.is_open = False

    def close(self) -> None:
        self.is_open = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class Told:
    """How an exchange went: what the answer was, or why there was none."""

    def __init__(self) -> None:
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.error: Exception | None = None
        self.is_kept = False

    @property
    def facts(self) -> object:
        """What two transports have to agree on: the whole answer, or that there is none."""
        return "an error" if self.error else (self.status, self.reason, self.headers, self.body)


def unconnected(
    *,
    freed: Callable[[Connection], None] = lambda _: None,
    lost: Callable[[Connection], None] = lambda _: None,
    tls: Tls | None = None,
) -> Connection:
    """Return a connection without a socket."""
    return Connection(asyncio.get_running_loop(), memoryview(bytearray(262144)), freed=freed, lost=lost, tls=tls)


def response_on(connection: Connection, timeouts: Timeouts = FOREVER) -> FastResponse:
    """Return the response whose head has come."""
    request = WireRequest("GET /", "GET", "/", {})
    return FastResponse(connection, FastWire("http://a.example", no_context), request, timeouts, None)


def receive(connection: Connection, data: bytes) -> None:
    """Let bytes come from the server, as asyncio brings them."""
    while data:
        buffer = connection.get_buffer(-1)
        size = min(len(data), len(buffer))
        buffer[:size] = data[:size]
        connection.buffer_updated(size)
        # What comes to another connection is written over it.
        buffer[:size] = bytes(size)
        data = data[size:]


async def spoken(chunks: Sequence[bytes], method: bytes = b"GET", ends: bool = True) -> Told:
    """Let a connection read an answer in these chunks; with `ends` the server then closes."""
    kept: list[Connection] = []
    outcome = Told()
    connection = unconnected(freed=kept.append)
    other = OtherSide()
    connection.connection_made(other)
    connection.begin(method, b"")

    for chunk in chunks:
        if other.is_open:
            receive(connection, chunk)
    if ends and other.is_open:
        connection.eof_received()
        connection.connection_lost(None)
    try:
        await connection.answered(math.inf)
        outcome.status, outcome.reason, outcome.headers = connection.status, connection.reason, connection.headers
        response = response_on(connection)
        while piece := await next_piece(response):
            outcome.body += piece
    except (WireError, CozeError) as error:
        outcome.error = error
        connection.close()
    else:
        await response.aclose(reuse=True)
    outcome.is_kept = bool(kept)
    return outcome
