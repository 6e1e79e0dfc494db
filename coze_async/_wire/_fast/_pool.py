"""The connections to one server: found, given back and forgotten in constant time, however many there are."""

import asyncio
import math
import ssl
from collections.abc import Awaitable, Callable

import anyio

from coze_async._wire._failures import Failure, WireError
from coze_async._wire._fast._connection import Connection
from coze_async._wire._fast._dial import connected_socket
from coze_async._wire._fast._tls import Tls

__all__ = ["Pool"]

# Bytes that are read from a socket at a time; what is not written to takes no memory.
_BUFFER = 262144
# Seconds that a connection is kept without a request; the servers' own limits are longer.
_KEPT = 30.0


class Pool:
    """The connections of one client to one server, on one event loop.

    The connection that was used last is used first, so that those that are not needed grow old and are closed. How
    many there may be at once is the limiter's business.

    Args:
        host: The server.
        port: Its port.
        context: Returns what TLS uses, awaited at the first connection; None for plain HTTP.
    """

    def __init__(self, host: str, port: int, context: Callable[[], Awaitable[ssl.SSLContext]] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._port = port
        self._context = context
        # Oldest first: a set that keeps its order.
        self._idle: dict[Connection, None] = {}
        self._connections: set[Connection] = set()
        self._opening: set[anyio.CancelScope] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._buffer = memoryview(bytearray(_BUFFER))

    def idle(self) -> Connection | None:
        """Return a connection that is free; None if there is none."""
        idle = self._idle
        while idle:
            connection, _ = idle.popitem()
            if self._loop.time() >= connection.idle_since + _KEPT or connection.is_stale:
                connection.close()
            else:
                return connection
        return None

    async def connect(self, seconds: float | None, until: float) -> Connection:
        """Open a connection, with TLS if the server needs it.

        Args:
            seconds: How long it may take.
            until: When it has to be there, by the loop's clock.

        Raises:
            WireError: the server did not answer, cannot be reached, or has a wrong certificate.
        """
        allowed = math.inf if seconds is None else self._loop.time() + seconds
        connection: Connection | None = None
        scope = anyio.CancelScope(deadline=min(allowed, until))
        self._opening.add(scope)
        try:
            with scope:
                tls = None if self._context is None else Tls(await self._context(), self._host)
                connection = Connection(self._loop, self._buffer, freed=self._freed, lost=self._lost, tls=tls)
                self._connections.add(connection)
                await self._dial(connection)
                if tls is not None:
                    await connection.secured()
                if not connection.is_open:
                    raise WireError(Failure.NO_CONNECTION, self._why_not_open())
                return connection
        except UnicodeError as error:
            # A label of the host name is empty or too long.
            self._forget(connection)
            raise WireError(Failure.UNSENDABLE, str(error)) from None
        except OSError as error:
            self._forget(connection)
            raise WireError(Failure.NO_CONNECTION, str(error) or type(error).__name__) from error
        except BaseException:
            self._forget(connection)
            raise
        finally:
            self._opening.discard(scope)
        self._forget(connection)
        if self._is_closed:
            raise WireError(Failure.NO_CONNECTION, self._why_not_open())
        raise WireError(Failure.CONNECT_TIMEOUT if allowed <= until else Failure.EXPIRED)

    async def _dial(self, connection: Connection) -> None:
        connected = await connected_socket(self._loop, self._host, self._port)
        try:
            await self._loop.create_connection(lambda: connection, sock=connected)
        except BaseException:
            connected.close()
            raise
        if self._is_closed:
            connection.close()

    def _why_not_open(self) -> str:
        return "the client was closed" if self._is_closed else "the server closed the connection at once"

    def _forget(self, connection: Connection | None) -> None:
        if connection is not None:
            connection.close()
            self._connections.discard(connection)

    def _freed(self, connection: Connection) -> None:
        if self._is_closed:
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._idle[connection] = None
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(_KEPT, self._sweep)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._idle.pop(connection, None)

    def _sweep(self) -> None:
        """Close what has been free for too long, and look again when the next connection will have been."""
        self._sweeping = None
        now = self._loop.time()
        for connection in [*self._idle]:
            if now < connection.idle_since + _KEPT:
                self._sweeping = self._loop.call_at(connection.idle_since + _KEPT, self._sweep)
                return
            connection.close()

    async def aclose(self) -> None:
        """Close all connections; requests that are still under way break off."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for scope in [*self._opening]:
            scope.cancel()
        for connection in [*self._connections]:
            connection.fail(WireError(Failure.LOST, "the client was closed"))
        # asyncio closes the sockets in its next round.
        await asyncio.sleep(0)
