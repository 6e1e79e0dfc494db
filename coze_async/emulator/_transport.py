"""The in-process httpx transport: a request goes straight to the emulator, its answer streams back."""

import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import anyio
import httpx

from ._body import Body, ConnectionDropped, ReadTimedOut, Unreachable
from ._fields import joined
from ._form import ReceivedForm, is_form, read_form

if TYPE_CHECKING:
    from ._emulator import Emulator


class EmulatorTransport(httpx.AsyncBaseTransport):
    """An httpx transport that hands out every chunk when the emulator makes it, and keeps the read timeout."""

    def __init__(self, emulator: "Emulator") -> None:
        self._emulator = emulator

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        read_timeout: float | None = request.extensions.get("timeout", {}).get("read")
        kind = request.headers.get("content-type", "")
        content: bytes | ReceivedForm
        if is_form(kind) and isinstance(request.stream, httpx.AsyncByteStream):
            content = await read_form(kind, request.stream)
        else:
            content = await request.aread()
        query = joined(request.url.params.multi_items())
        try:
            with anyio.fail_after(read_timeout):
                response = await self._emulator.handle(
                    request.method,
                    request.url.path,
                    query,
                    dict(request.headers),
                    content,
                )
        except TimeoutError:
            raise httpx.ReadTimeout("The emulator sent nothing in time.", request=request) from None
        except Unreachable:
            raise httpx.ConnectError("All connection attempts failed", request=request) from None
        except ConnectionDropped as dropped:
            if dropped.is_reset:
                raise httpx.ReadError("The connection was reset.", request=request) from None
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            ) from None
        if isinstance(response.body, Body):
            response.body.read_timeout = math.inf if read_timeout is None else read_timeout
            return httpx.Response(response.status, headers=response.headers, stream=_Stream(response.body, request))
        return httpx.Response(response.status, headers=response.headers, content=response.body)


class _Stream(httpx.AsyncByteStream):
    """A body as httpx reads it: a class instead of an async generator, so that leaving it early leaves nothing open."""

    def __init__(self, body: Body, request: httpx.Request) -> None:
        self._body = body
        self._request = request

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._body.__anext__()
        except ConnectionDropped:
            raise httpx.ReadError("The connection was lost.", request=self._request) from None
        except ReadTimedOut:
            raise httpx.ReadTimeout("The emulator sent nothing in time.", request=self._request) from None

    async def aclose(self) -> None:
        self._body.close()
