"""Connections that are kept: found, given back and forgotten in constant time, however many there are."""

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable

import anyio
import httpx

from coze_async._fast._connection import Connection, Origin
from coze_async._fast._dial import connected_socket
from coze_async._fast._tls import Tls

__all__ = ["Pool"]

# Bytes that are read from a socket at a time; what is not written to takes no memory.
_BUFFER = 262144


class Pool:
    """The connections of one client on one event loop.

    The one that was used last is used first, so that what is not needed grows old and is closed. Who finds none free,
    and may open none, waits in line.

    Args:
        limits: As httpx has them.
        context: Returns what TLS goes by; asked at the first encrypted connection.
    """

    def __init__(self, limits: httpx.Limits, context: Callable[[], Awaitable[ssl.SSLContext]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._limits = limits
        self._context = context
        # Oldest first, each of them a set that keeps its order.
        self._idle: dict[Origin, dict[Connection, None]] = {}
        self._idle_count = 0
        self._connections: set[Connection] = set()
        self._opening = 0
        # None as a result is the permission to open a connection, already counted in `_opening`.
        self._waiting: deque[tuple[asyncio.Future[Connection | None], Origin]] = deque()
        self._sweeping: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._buffer = memoryview(bytearray(_BUFFER))

    def idle(self, origin: Origin) -> Connection | None:
        """Return a connection that is free; None if there is none, as always while somebody waits for one."""
        free = self._idle.get(origin)
        while free:
            connection, _ = free.popitem()
            self._idle_count -= 1
            if self._is_expired(connection) or connection.is_stale:
                connection.close()
            else:
                return connection
        return None

    def has_idle(self, origin: Origin) -> bool:
        """True if `idle` has a connection, unless it was lost meanwhile."""
        return bool(self._idle.get(origin))

    async def acquire(self, origin: Origin, *, pool: float | None, connect: float | None) -> Connection:
        """Open a connection, or wait for one if there are as many as there may be.

        Args:
            origin: Whom it has to reach.
            pool: How long to wait, in seconds.
            connect: How long to connect, TLS included.

        Raises:
            httpx.PoolTimeout: there was none to be had.
            httpx.ConnectTimeout: the server did not answer.
            httpx.ConnectError: it cannot be reached, or is not who it should be.
        """
        if self._waiting or not self._has_room():
            connection = await self._in_line(origin, pool)
            if connection is not None:
                if connection.is_open and not connection.is_stale:
                    return connection
                # It was lost on the way here; its place is free.
                connection.close()
                self._opening += 1
        else:
            self._opening += 1
        try:
            connection = await self._opened(origin, connect)
            if self._is_closed:
                connection.close()
                raise httpx.ConnectError("the client was closed")
            if not connection.is_open:
                raise httpx.ConnectError("the server closed the connection at once")
            self._connections.add(connection)
        finally:
            self._opening -= 1
            self._admit()
        return connection

    async def _in_line(self, origin: Origin, seconds: float | None) -> Connection | None:
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append((turn, origin))
        try:
            with anyio.move_on_after(seconds):
                return await turn
        except BaseException:
            self._give_back(turn)
            raise
        self._give_back(turn)
        raise httpx.PoolTimeout(f"all {self._limits.max_connections} connections are in use")

    def _give_back(self, turn: "asyncio.Future[Connection | None]") -> None:
        """Pass on what came in the same moment in which its time was up, or forget the place in line."""
        if turn.cancel() or turn.cancelled() or turn.exception() is not None:
            return
        connection = turn.result()
        if connection is None:
            self._opening -= 1
            self._admit()
        else:
            connection.release()

    async def _opened(self, origin: Origin, seconds: float | None) -> Connection:
        scheme, host, port, name = origin
        connection: Connection | None = None
        try:
            with anyio.move_on_after(seconds):
                tls = Tls(await self._context(), name) if scheme == "https" else None
                connection = Connection(origin, self._loop, self._buffer, freed=self._freed, lost=self._lost, tls=tls)
                await self._connected(connection, host, port)
                if tls is not None:
                    await connection.secured()
                return connection
        except OSError as error:
            raise httpx.ConnectError(str(error) or type(error).__name__) from error
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        if connection is not None:
            connection.close()
        raise httpx.ConnectTimeout(f"no connection within {seconds} s")

    async def _connected(self, connection: Connection, host: str, port: int) -> None:
        connected = await connected_socket(self._loop, host, port)
        try:
            await self._loop.create_connection(lambda: connection, sock=connected)
        except BaseException:
            connected.close()
            raise

    def _has_room(self) -> bool:
        """True if one more may be opened; a free one of another server makes way."""
        most = self._limits.max_connections
        while most is not None and len(self._connections) + self._opening >= most:
            free = next(filter(None, self._idle.values()), None)
            if free is None:
                return False
            next(iter(free)).close()
        return True

    def _freed(self, connection: Connection) -> None:
        waiting = self._waiting
        while waiting:
            turn, origin = waiting[0]
            if turn.done():
                waiting.popleft()
            elif origin == connection.origin:
                waiting.popleft()
                turn.set_result(connection)
                return
            else:
                # It makes way: what closes lets the first in line open another.
                connection.close()
                return
        most = self._limits.max_keepalive_connections
        if self._is_closed or (most is not None and self._idle_count >= most):
            connection.close()
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(connection.origin, {})[connection] = None
        self._idle_count += 1
        if self._sweeping is None and self._limits.keepalive_expiry is not None:
            self._sweeping = self._loop.call_later(self._limits.keepalive_expiry, self._sweep)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        free = self._idle.get(connection.origin)
        if free is not None and connection in free:
            del free[connection]
            self._idle_count -= 1
        self._admit()

    def _admit(self) -> None:
        """Let those who wait open connections, as many as there is room for."""
        waiting = self._waiting
        while waiting and (waiting[0][0].done() or self._has_room()):
            turn, _ = waiting.popleft()
            if not turn.done():
                self._opening += 1
                turn.set_result(None)

    def _is_expired(self, connection: Connection) -> bool:
        expiry = self._limits.keepalive_expiry
        return expiry is not None and self._loop.time() >= connection.idle_since + expiry

    def _sweep(self) -> None:
        """Close what has been free for too long, and look again when the next one will have been."""
        self._sweeping = None
        expiry = self._limits.keepalive_expiry or 0.0
        oldest: list[float] = []
        for origin, free in [*self._idle.items()]:
            while free and self._is_expired(connection := next(iter(free))):
                connection.close()
            if free:
                oldest.append(next(iter(free)).idle_since)
            else:
                del self._idle[origin]
        if oldest:
            self._sweeping = self._loop.call_at(min(oldest) + expiry, self._sweep)

    async def aclose(self) -> None:
        """Close all connections; requests that are still under way break off."""
        self._is_closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(httpx.ConnectError("the client was closed"))
        for connection in [*self._connections]:
            connection.fail(httpx.ReadError("the client was closed"))
        # asyncio closes the sockets in its next round.
        await asyncio.sleep(0)
