"""This library, as its README shows it; the limits are on, but never reached."""

from typing import TYPE_CHECKING

from benchmarks.peers.base import BOT, POLL_INTERVAL, QUESTION, TOKEN, USER, Peer, Take
from benchmarks.wire import CHAT_ID
from coze_async import AsyncCoze, Limits, MessageDelta, Polling, Rate, Timeouts

if TYPE_CHECKING:
    from benchmarks.memory import Memory

__all__ = ["PEER"]

_LIMITS = Limits(chat=Rate(1_000_000, 1.0), chats_at_once=100_000)
# A thousand handshakes at once take their time.
_TIMEOUTS = Timeouts(connect=60.0)
_POLLING = Polling(interval=POLL_INTERVAL, factor=1.0)


class Ours(Peer):
    """This library."""

    name = "coze_async"

    def __init__(self, base_url: str, memory: "Memory | None" = None) -> None:
        self._coze = AsyncCoze(TOKEN, base_url=base_url, limits=_LIMITS, timeouts=_TIMEOUTS, transport=memory)

    async def enter(self) -> None:
        await self._coze.__aenter__()

    async def stream(self, take: Take) -> None:
        async for event in self._coze.chat.stream(QUESTION, bot_id=BOT, user_id=USER):
            if isinstance(event, MessageDelta):
                take(event.message.content)

    async def retrieve(self) -> tuple[str, str]:
        chat = await self._coze.chat.retrieve(conversation_id="1", chat_id=CHAT_ID)
        return chat.id, chat.status

    async def create(self) -> tuple[str, str]:
        chat = await self._coze.chat.create(QUESTION, bot_id=BOT, user_id=USER)
        return chat.id, chat.status

    async def poll(self) -> str:
        result = await self._coze.chat.create_and_poll(QUESTION, bot_id=BOT, user_id=USER, polling=_POLLING)
        return result.text

    async def aclose(self) -> None:
        await self._coze.aclose()


PEER = Ours
