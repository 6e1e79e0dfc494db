"""httpx, httpx-sse and pydantic, put together as in most code that is written without an SDK."""

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from httpx_sse import aconnect_sse
from pydantic import BaseModel

from benchmarks.peers.base import BOT, POLL_INTERVAL, QUESTION, TOKEN, USER, Peer, Take
from benchmarks.wire import CHAT_ID, DELTA

if TYPE_CHECKING:
    from benchmarks.memory import Memory

__all__ = ["PEER"]


class _Message(BaseModel):
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


class _Error(BaseModel):
    code: int = 0
    msg: str = ""


class _Usage(BaseModel):
    token_count: int = 0
    output_count: int = 0
    input_count: int = 0


class _Chat(BaseModel):
    id: str
    conversation_id: str
    bot_id: str | None = None
    status: str
    created_at: int | None = None
    completed_at: int | None = None
    last_error: _Error | None = None
    meta_data: dict[str, str] | None = None
    usage: _Usage | None = None


class ByHand(Peer):
    """One `httpx.AsyncClient` without a limit of connections."""

    name = "httpx by hand"

    def __init__(self, base_url: str, memory: "Memory | None" = None) -> None:
        self._client = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=60.0,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            transport=memory,
        )

    @staticmethod
    def _body(*, stream: bool) -> dict[str, Any]:
        question = {"role": "user", "type": "question", "content": QUESTION, "content_type": "text"}
        return {"bot_id": BOT, "user_id": USER, "stream": stream, "additional_messages": [question]}

    async def stream(self, take: Take) -> None:
        async with aconnect_sse(self._client, "POST", "/v3/chat", json=self._body(stream=True)) as source:
            source.response.raise_for_status()
            async for event in source.aiter_sse():
                if event.event == DELTA:
                    take(_Message.model_validate_json(event.data).content)
                elif event.event.startswith("conversation.message."):
                    _Message.model_validate_json(event.data)
                elif event.event.startswith("conversation.chat."):
                    _Chat.model_validate_json(event.data)

    @staticmethod
    def _data(response: httpx.Response) -> Any:
        response.raise_for_status()
        payload = response.json()
        if payload["code"]:
            raise RuntimeError(payload["msg"])
        return payload["data"]

    async def _retrieved(self, conversation_id: str, chat_id: str) -> _Chat:
        ids = {"conversation_id": conversation_id, "chat_id": chat_id}
        return _Chat.model_validate(self._data(await self._client.get("/v3/chat/retrieve", params=ids)))

    async def _created(self) -> _Chat:
        return _Chat.model_validate(self._data(await self._client.post("/v3/chat", json=self._body(stream=False))))

    async def retrieve(self) -> tuple[str, str]:
        chat = await self._retrieved("1", CHAT_ID)
        return chat.id, chat.status

    async def create(self) -> tuple[str, str]:
        chat = await self._created()
        return chat.id, chat.status

    async def poll(self) -> str:
        chat = await self._created()
        while chat.status == "in_progress":
            await asyncio.sleep(POLL_INTERVAL)
            chat = await self._retrieved(chat.conversation_id, chat.id)
        ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
        found = self._data(await self._client.get("/v3/chat/message/list", params=ids))
        messages = [_Message.model_validate(message) for message in found]
        return "".join(message.content for message in messages if message.type == "answer")

    async def aclose(self) -> None:
        await self._client.aclose()


PEER = ByHand
