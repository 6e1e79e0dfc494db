"""aiohttp by one who wants it fast: the body is cut as the floor cuts it, and becomes the same models."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aiohttp

from benchmarks.peers.base import BOT, POLL_INTERVAL, QUESTION, TOKEN, USER, Peer, Take
from benchmarks.peers.cut import Cut, answer_in, chat_in
from benchmarks.wire import CHAT_ID
from coze_async.models import Chat

if TYPE_CHECKING:
    from benchmarks.memory import Memory

__all__ = ["PEER"]


class AiohttpByHand(Peer):
    """One `aiohttp.ClientSession` without a limit of connections."""

    name = "aiohttp by hand"

    def __init__(self, base_url: str, memory: "Memory | None" = None) -> None:
        if memory is not None:
            raise ValueError("aiohttp has no transport in memory")
        self._base_url = base_url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=60.0, sock_read=60.0),
        )

    @staticmethod
    def _body(*, stream: bool) -> dict[str, Any]:
        question = {"role": "user", "type": "question", "content": QUESTION, "content_type": "text"}
        return {"bot_id": BOT, "user_id": USER, "stream": stream, "additional_messages": [question]}

    async def stream(self, take: Take) -> None:
        cut = Cut(take)
        async with self._session.post(f"{self._base_url}/v3/chat", json=self._body(stream=True)) as response:
            response.raise_for_status()
            async for piece in response.content.iter_any():
                cut.feed(piece)

    async def _read(self, path: str, ids: Mapping[str, str]) -> bytes:
        async with self._session.get(f"{self._base_url}{path}", params=ids) as response:
            response.raise_for_status()
            return await response.read()

    async def _created(self) -> Chat:
        async with self._session.post(f"{self._base_url}/v3/chat", json=self._body(stream=False)) as response:
            response.raise_for_status()
            return chat_in(await response.read())

    async def retrieve(self) -> tuple[str, str]:
        chat = chat_in(await self._read("/v3/chat/retrieve", {"conversation_id": "1", "chat_id": CHAT_ID}))
        return chat.id, chat.status

    async def create(self) -> tuple[str, str]:
        chat = await self._created()
        return chat.id, chat.status

    async def poll(self) -> str:
        chat = await self._created()
        ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
        while chat.status == "in_progress":
            await asyncio.sleep(POLL_INTERVAL)
            chat = chat_in(await self._read("/v3/chat/retrieve", ids))
        return answer_in(await self._read("/v3/chat/message/list", ids))

    async def aclose(self) -> None:
        await self._session.close()


PEER = AiohttpByHand
