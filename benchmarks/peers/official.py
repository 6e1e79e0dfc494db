"""The official SDK, unmodified but for a longer time-out; its own limits of connections: 1000 at once, 100 kept."""

import asyncio
import importlib
import warnings
from typing import TYPE_CHECKING, Any

from benchmarks.peers.base import BOT, POLL_INTERVAL, QUESTION, TOKEN, USER, Peer, Take
from benchmarks.wire import CHAT_ID

if TYPE_CHECKING:
    from benchmarks.memory import Memory

__all__ = ["PEER"]

# One of its dependencies warns of itself. By name: it need not be there, and has no complete types.
with warnings.catch_warnings(record=True):
    cozepy: Any = importlib.import_module("cozepy")


class Official(Peer):
    """The official SDK."""

    name = "cozepy"

    def __init__(self, base_url: str, memory: "Memory | None" = None) -> None:
        # A thousand connections at once take longer than the five seconds that it waits for each.
        own = {"timeout": 60.0} if memory is None else {"transport": memory}
        client = importlib.import_module("cozepy.request").AsyncHTTPClient(**own)
        self._coze = cozepy.AsyncCoze(auth=cozepy.AsyncTokenAuth(TOKEN), base_url=base_url, http_client=client)

    async def stream(self, take: Take) -> None:
        delta = cozepy.ChatEventType.CONVERSATION_MESSAGE_DELTA
        async for event in self._coze.chat.stream(bot_id=BOT, user_id=USER, additional_messages=self._question()):
            if event.event == delta:
                take(event.message.content)

    @staticmethod
    def _question() -> list[Any]:
        return [cozepy.Message.build_user_question_text(QUESTION)]

    async def retrieve(self) -> tuple[str, str]:
        chat = await self._coze.chat.retrieve(conversation_id="1", chat_id=CHAT_ID)
        return chat.id, str(chat.status.value)

    async def create(self) -> tuple[str, str]:
        chat = await self._coze.chat.create(bot_id=BOT, user_id=USER, additional_messages=self._question())
        return chat.id, str(chat.status.value)

    async def poll(self) -> str:
        # Its own `create_and_poll` is for threads only: asynchronous programs write this loop.
        chat = await self._coze.chat.create(bot_id=BOT, user_id=USER, additional_messages=self._question())
        while chat.status == cozepy.ChatStatus.IN_PROGRESS:
            await asyncio.sleep(POLL_INTERVAL)
            chat = await self._coze.chat.retrieve(conversation_id=chat.conversation_id, chat_id=chat.id)
        messages = await self._coze.chat.messages.list(conversation_id=chat.conversation_id, chat_id=chat.id)
        return "".join(message.content for message in messages if message.type == cozepy.MessageType.ANSWER)

    async def aclose(self) -> None:
        # It has no way to close what it opened.
        await self._coze._requester.async_client.aclose()


PEER = Official
