"""No client at all: asyncio sockets whose bytes become the same models. Nothing in Python does it for less."""

import asyncio
import json
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.peers.base import BOT, POLL_INTERVAL, TOKEN, USER, Peer, Take
from benchmarks.peers.cut import Cut, answer_in, chat_in
from benchmarks.wire import CALL, CHAT_ID

if TYPE_CHECKING:
    from benchmarks.memory import Memory

__all__ = ["PEER"]


class _Socket(asyncio.Protocol):
    """One connection, one request at a time; knows just enough of HTTP to find the body."""

    def __init__(self) -> None:
        self._rest: bytes = b""
        self._in_body = False
        self._length = 0
        self._cut: Cut | None = None
        self._done: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))

    def ask(self, request: bytes, cut: Cut | None) -> "asyncio.Future[bytes]":
        """Send a request; the future has the whole body of an answer, or nothing if a `Cut` took it."""
        self._cut, self._in_body, self._rest = cut, False, b""
        self._done = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        if not self._in_body:
            head = data.find(b"\r\n\r\n") + 4
            if head < 4:
                self._rest = data
                return
            self._in_body = True
            if self._cut is None:
                begin = data.find(b"content-length: ", 0, head) + 16
                self._length = int(data[begin : data.find(b"\r", begin)])
            data = data[head:]
        if self._cut is None:
            self._rest = data
            if len(data) == self._length:
                self._finish(data)
        else:
            self._chunks(data, self._cut)

    def _chunks(self, data: bytes, cut: Cut) -> None:
        blocks: list[bytes] = []
        position, most = 0, len(data)
        while (line_end := data.find(b"\r\n", position)) >= 0:
            size = int(data[position:line_end], 16)
            end = line_end + 2 + size
            if end + 2 > most:
                break
            if size == 0:
                cut.feed(b"".join(blocks))
                self._finish(b"")
                return
            blocks.append(data[line_end + 2 : end])
            position = end + 2
        self._rest = data[position:]
        cut.feed(b"".join(blocks))

    def _finish(self, body: bytes) -> None:
        assert self._done is not None
        self._done.set_result(body)


class Floor(Peer):
    """A stack of sockets, and requests that are ready-made but for the ids in them."""

    name = "floor"

    def __init__(self, base_url: str, memory: "Memory | None" = None) -> None:
        self._address = urlsplit(base_url)
        self._memory = memory
        self._idle: list[_Socket] = []
        self._context = ssl.create_default_context() if self._address.scheme == "https" else None
        body = {"bot_id": BOT, "user_id": USER}
        self._stream_request = self._request(b"POST", "/v3/chat", json.dumps({**body, "stream": True}).encode())
        self._create_request = self._request(b"POST", "/v3/chat", json.dumps({**body, "stream": False}).encode())
        self._retrieve_request = self._request(b"GET", f"/v3/chat/retrieve?conversation_id=1&chat_id={CHAT_ID}")

    def _request(self, method: bytes, path: str, body: bytes = b"") -> bytes:
        target = f"{self._address.path}{path}".encode()
        return b"%b %b HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b" % (
            method, target, TOKEN.encode(), len(body), body)  # fmt: skip

    async def _ask(self, request: bytes, cut: Cut | None = None) -> bytes:
        if self._idle:
            socket = self._idle.pop()
        else:
            _, socket = await asyncio.get_running_loop().create_connection(
                _Socket, self._address.hostname or "", self._address.port or 80, ssl=self._context
            )
        body = await socket.ask(request, cut)
        self._idle.append(socket)
        return body

    async def stream(self, take: Take) -> None:
        cut = Cut(take)
        if self._memory is None:
            await self._ask(self._stream_request, cut)
        else:
            for piece in self._memory.body:
                cut.feed(piece)

    async def retrieve(self) -> tuple[str, str]:
        chat = chat_in(CALL if self._memory else await self._ask(self._retrieve_request))
        return chat.id, chat.status

    async def create(self) -> tuple[str, str]:
        chat = chat_in(await self._ask(self._create_request))
        return chat.id, chat.status

    async def poll(self) -> str:
        chat = chat_in(await self._ask(self._create_request))
        ids = f"?conversation_id={chat.conversation_id}&chat_id={chat.id}"
        while chat.status == "in_progress":
            await asyncio.sleep(POLL_INTERVAL)
            chat = chat_in(await self._ask(self._request(b"GET", f"/v3/chat/retrieve{ids}")))
        return answer_in(await self._ask(self._request(b"GET", f"/v3/chat/message/list{ids}")))

    async def aclose(self) -> None:
        for socket in self._idle:
            socket.transport.close()


PEER = Floor
