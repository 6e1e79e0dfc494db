"""Who is measured: every peer reads a streamed chat and looks a chat up, its own usual way.

A peer returns the text of every delta and the facts of a chat, so that nobody wins by leaving work out; the suite
compares them with what was sent.
"""

import asyncio
import importlib
import json
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel

from benchmarks.wire import CALL, CHAT_ID, DELTA

__all__ = ["PEERS", "Memory", "Peer"]

_BOT, _USER, _QUESTION, _TOKEN = "7440000000000000003", "u-1", "你好", "pat_benchmark"


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


class Peer(ABC):
    """One client, made once and used for all rounds of a scenario.

    Args:
        base_url: Where the server is.
        memory: Answers instead of the server, if given.
    """

    name: str
    module: str
    """What must be importable."""

    @abstractmethod
    def __init__(self, base_url: str, memory: Memory | None) -> None: ...

    @abstractmethod
    async def stream(self) -> list[str]:
        """Read one streamed chat to its end and return the texts of its deltas."""

    @abstractmethod
    async def call(self) -> tuple[str, str]:
        """Look a chat up and return its id and its status."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""


class Ours(Peer):
    """This library, as its README shows it; the limits are on, but never reached."""

    name = "coze_async"
    module = "coze_async"

    def __init__(self, base_url: str, memory: Memory | None) -> None:
        from coze_async import AsyncCoze, Limits, MessageDelta, Rate

        self._delta = MessageDelta
        limits = Limits(chat=Rate(1_000_000, 1.0))
        self._coze = AsyncCoze(_TOKEN, base_url=base_url, limits=limits, transport=memory)

    async def stream(self) -> list[str]:
        texts: list[str] = []
        async for event in self._coze.chat.stream(_QUESTION, bot_id=_BOT, user_id=_USER):
            if isinstance(event, self._delta):
                texts.append(event.message.content)  # noqa: PERF401 - every peer is read in the same way
        return texts

    async def call(self) -> tuple[str, str]:
        chat = await self._coze.chat.retrieve(conversation_id="1", chat_id=CHAT_ID)
        return chat.id, chat.status

    async def aclose(self) -> None:
        await self._coze.aclose()


class Official(Peer):
    """The official SDK, unmodified. It is imported by name: it need not be there."""

    name = "cozepy"
    module = "cozepy"

    def __init__(self, base_url: str, memory: Memory | None) -> None:
        # One of its dependencies warns of itself.
        with warnings.catch_warnings(record=True):
            self._cozepy: Any = importlib.import_module("cozepy")
        client = None if memory is None else importlib.import_module("cozepy.request").AsyncHTTPClient(transport=memory)
        self._coze = self._cozepy.AsyncCoze(
            auth=self._cozepy.AsyncTokenAuth(_TOKEN), base_url=base_url, http_client=client
        )

    async def stream(self) -> list[str]:
        cozepy = self._cozepy
        texts: list[str] = []
        async for event in self._coze.chat.stream(
            bot_id=_BOT, user_id=_USER, additional_messages=[cozepy.Message.build_user_question_text(_QUESTION)]
        ):
            if event.event == cozepy.ChatEventType.CONVERSATION_MESSAGE_DELTA:
                texts.append(event.message.content)  # noqa: PERF401 - as above
        return texts

    async def call(self) -> tuple[str, str]:
        chat = await self._coze.chat.retrieve(conversation_id="1", chat_id=CHAT_ID)
        return chat.id, str(chat.status.value)

    async def aclose(self) -> None:
        # It has no way to close what it opened.
        await self._coze._requester.async_client.aclose()


class _HandMessage(BaseModel):
    """What people write who use no SDK."""

    id: str
    conversation_id: str
    bot_id: str | None = None
    chat_id: str | None = None
    section_id: str | None = None
    role: str
    type: str
    content: str
    content_type: str
    reasoning_content: str | None = None
    meta_data: dict[str, str] | None = None
    created_at: int | None = None


class _HandError(BaseModel):
    code: int = 0
    msg: str = ""


class _HandUsage(BaseModel):
    token_count: int = 0
    output_count: int = 0
    input_count: int = 0


class _HandChat(BaseModel):
    id: str
    conversation_id: str
    bot_id: str | None = None
    status: str
    created_at: int | None = None
    completed_at: int | None = None
    last_error: _HandError | None = None
    meta_data: dict[str, str] | None = None
    usage: _HandUsage | None = None


class ByHand(Peer):
    """httpx, httpx-sse and pydantic, put together as in most code that is written without an SDK."""

    name = "httpx by hand"
    module = "httpx_sse"

    def __init__(self, base_url: str, memory: Memory | None) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url, headers={"Authorization": f"Bearer {_TOKEN}"}, timeout=60.0, transport=memory
        )

    async def stream(self) -> list[str]:
        from httpx_sse import aconnect_sse

        question = {"role": "user", "type": "question", "content": _QUESTION, "content_type": "text"}
        body = {"bot_id": _BOT, "user_id": _USER, "stream": True, "additional_messages": [question]}
        texts: list[str] = []
        async with aconnect_sse(self._client, "POST", "/v3/chat", json=body) as source:
            source.response.raise_for_status()
            async for event in source.aiter_sse():
                if event.event == DELTA:
                    texts.append(_HandMessage.model_validate_json(event.data).content)
                elif event.event.startswith("conversation.message."):
                    _HandMessage.model_validate_json(event.data)
                elif event.event.startswith("conversation.chat."):
                    _HandChat.model_validate_json(event.data)
        return texts

    async def call(self) -> tuple[str, str]:
        response = await self._client.get("/v3/chat/retrieve", params={"conversation_id": "1", "chat_id": CHAT_ID})
        response.raise_for_status()
        payload = response.json()
        if payload["code"]:
            raise RuntimeError(payload["msg"])
        chat = _HandChat.model_validate(payload["data"])
        return chat.id, chat.status

    async def aclose(self) -> None:
        await self._client.aclose()


_BLOCK = re.compile(rb"event:([^\n]*)\ndata:([^\n]*)\n\n")


class _Cut:
    """The least there is to do with the bytes of a stream: cut them at the ends of events, make the same models."""

    def __init__(self) -> None:
        from coze_async.models import Chat, Message

        self._message = Message.__pydantic_validator__.validate_json
        self._chat = Chat.__pydantic_validator__.validate_json
        self._rest: bytes = b""
        self.texts: list[str] = []

    def feed(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        texts, message, end = self.texts, self._message, 0
        for found in _BLOCK.finditer(data):
            name, text = found.groups()
            end = found.end()
            if name == b"conversation.message.delta":
                texts.append(message(text).content)
            elif name == b"conversation.message.completed":
                message(text)
            elif name != b"done":
                self._chat(text)
        self._rest = data[end:]


class _Socket(asyncio.Protocol):
    """One connection, one request at a time; knows just enough of HTTP to find the body."""

    def __init__(self) -> None:
        self._rest: bytes = b""
        self._in_body = False
        self._cut: _Cut | None = None
        self._done: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(exc or ConnectionError("the server closed the connection"))

    def ask(self, request: bytes, cut: _Cut | None) -> "asyncio.Future[bytes]":
        """Send a request; the future has the whole body of an answer, or nothing if a `_Cut` took it."""
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
            data = data[head:]
        if self._cut is None:
            self._rest = data
            if len(data) == len(CALL):
                self._finish(data)
        else:
            self._chunks(data, self._cut)

    def _chunks(self, data: bytes, cut: _Cut) -> None:
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
    """No client at all: an asyncio socket whose bytes become the same models. Nothing in Python does it for less."""

    name = "floor"
    module = "coze_async.models"

    def __init__(self, base_url: str, memory: Memory | None) -> None:
        from coze_async.models import Chat

        self._address = urlsplit(base_url)
        self._memory = memory
        self._socket: _Socket | None = None
        self._chat = Chat.__pydantic_validator__.validate_python
        body = json.dumps({"bot_id": _BOT, "user_id": _USER, "stream": True}).encode()
        self._stream_request = self._request(b"POST", b"/v3/chat", body)
        self._call_request = self._request(b"GET", b"/v3/chat/retrieve?conversation_id=1&chat_id=1", b"")

    def _request(self, method: bytes, path: bytes, body: bytes) -> bytes:
        return b"%b %b%b HTTP/1.1\r\nHost: benchmark\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b" % (
            method, self._address.path.encode(), path, _TOKEN.encode(), len(body), body)  # fmt: skip

    async def _connected(self) -> _Socket:
        if self._socket is None:
            _, self._socket = await asyncio.get_running_loop().create_connection(
                _Socket, self._address.hostname or "", self._address.port or 80
            )
        return self._socket

    async def stream(self) -> list[str]:
        cut = _Cut()
        if self._memory is None:
            await (await self._connected()).ask(self._stream_request, cut)
        else:
            for piece in self._memory.body:
                cut.feed(piece)
        return cut.texts

    async def call(self) -> tuple[str, str]:
        body = CALL if self._memory else await (await self._connected()).ask(self._call_request, None)
        chat = self._chat(json.loads(body)["data"])
        return chat.id, chat.status

    async def aclose(self) -> None:
        if self._socket is not None:
            self._socket.transport.close()


PEERS: dict[str, type[Peer]] = {peer.name: peer for peer in (Ours, Official, ByHand, Floor)}
"""By name, in the order in which they take their turns."""
