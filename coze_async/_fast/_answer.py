"""The body of an answer as httpx reads it."""

import httpx

from coze_async._fast._connection import Connection

__all__ = ["Answer"]


class Answer(httpx.AsyncByteStream):
    """All that has come since the last step, in one piece; the connection is free as soon as the last byte is here."""

    __slots__ = ("_connection", "_seconds")

    def __init__(self, connection: Connection, seconds: float | None) -> None:
        self._connection: Connection | None = connection
        self._seconds = seconds

    def __aiter__(self) -> "Answer":
        return self

    @property
    def is_here(self) -> bool:
        """True if the next step does not have to wait."""
        connection = self._connection
        return connection is None or bool(connection.pieces) or connection.is_complete

    async def __anext__(self) -> bytes:
        connection = self._connection
        if connection is None:
            raise StopAsyncIteration
        while not connection.pieces:
            if connection.is_complete:
                self._release(connection)
                raise StopAsyncIteration
            if connection.error is not None:
                self._release(connection)
                raise connection.error
            await connection.wait(self._seconds, httpx.ReadTimeout)
            if self._connection is None:
                # Closed by another task meanwhile.
                raise StopAsyncIteration
        data = connection.taken()
        if connection.is_complete:
            self._release(connection)
        return data

    def _release(self, connection: Connection) -> None:
        self._connection = None
        connection.release()

    async def aclose(self) -> None:
        """Let go of the connection: it is used again if all has come, and closed if not."""
        connection = self._connection
        if connection is not None:
            self._release(connection)
