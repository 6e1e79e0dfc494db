"""A transport without a socket, for what only concerns the library."""

from collections.abc import AsyncIterator, Sequence

import httpx

from benchmarks.wire import CALL

__all__ = ["Memory"]


class Memory(httpx.AsyncBaseTransport):
    """A transport without a socket: every stream is the same pieces of bytes.

    Attributes:
        body: The pieces, as they are handed out.
    """

    def __init__(self, body: Sequence[bytes]) -> None:
        self.body = body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer without looking at more than the path."""
        if request.url.path.endswith("/retrieve"):
            return httpx.Response(200, headers={"content-type": "application/json"}, content=CALL)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=_Pieces(self.body))


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, body: Sequence[bytes]) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._body:
            yield piece
