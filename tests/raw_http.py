"""A server that says what its script says, byte for byte, and a connection without a socket."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import httpx

from coze_async._fast import FastTransport
from coze_async._fast._answer import Answer
from coze_async._fast._connection import Connection
from coze_async._fast._tls import Tls

__all__ = ["OK", "Server", "Told", "Visitor", "Wire", "client", "no_context", "saying", "serving", "spoken"]

OK = b"HTTP/1.1 200 OK\r\n"
Script = Callable[["Visitor"], Awaitable[None]]


def no_context() -> Any:
    """Where nothing is encrypted nobody may ask for certificates."""
    raise AssertionError("certificates were read for plain HTTP")


def client(
    limits: httpx.Limits | None = None,
    *,
    context: Callable[[], ssl.SSLContext] = no_context,
    timeout: httpx.Timeout | None = None,
) -> httpx.AsyncClient:
    """httpx's client over the transport; without time-outs, for virtual time overtakes what threads do."""
    return httpx.AsyncClient(transport=FastTransport(limits or httpx.Limits(), context), timeout=timeout)


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


class Wire(asyncio.Transport):
    """A connection's other side without a socket: what is written is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reads = True
        self.is_open = True

    def write(self, data: Any) -> None:
        self.written += bytes(data)

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
    origin, buffer = ("http", "a", 80, "a"), memoryview(bytearray(262144))
    return Connection(origin, asyncio.get_running_loop(), buffer, freed=freed, lost=lost, tls=tls)


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
    wire = Wire()
    connection.connection_made(wire)
    connection.begin(method, b"")

    for chunk in chunks:
        if wire.is_open:
            receive(connection, chunk)
    if ends and wire.is_open:
        connection.eof_received()
        connection.connection_lost(None)
    try:
        await connection.answered(None)
        outcome.status, outcome.reason, outcome.headers = connection.status, connection.reason, connection.headers
        answer = Answer(connection, None)
        async for piece in answer:
            outcome.body += piece
    except httpx.TransportError as error:
        outcome.error = error
        connection.close()
    outcome.is_kept = bool(kept)
    return outcome
