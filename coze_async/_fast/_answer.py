"""The body of an answer as httpx reads it."""

from collections.abc import Awaitable

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

    async def __anext__(self) -> bytes:
        while (data := self.taken()) is None:
            await self.arrival()
        return data

    def taken(self) -> bytes | None:
        """Return what the next step would return, or raise what it would raise; None if it would have to wait."""
        connection = self._connection
        if connection is None:
            # Read to its end, or closed, maybe by another task while this one has waited.
            raise StopAsyncIteration
        data = connection.taken()
        if connection.is_complete:
            self._release(connection)
            if data is None:
                raise StopAsyncIteration
        elif data is None and connection.error is not None:
            self._release(connection)
            raise connection.error
        return data

    def arrival(self) -> Awaitable[object]:
        """Return what is over as soon as `taken` has something to say."""
        connection = self._connection
        return _at_once() if connection is None else connection.arrival(self._seconds)

    def _release(self, connection: Connection) -> None:
        self._connection = None
        connection.release()

    async def aclose(self) -> None:
        """Let go of the connection: it is used again if all has come, and closed if not."""
        connection = self._connection
        if connection is not None:
            self._release(connection)


async def _at_once() -> None:
    """Wait for nothing."""
