"""A response whose body is still being read, and the places in the limits that it holds."""

from collections.abc import Mapping

from coze_async._limits import Slot
from coze_async._wire import Deadline, WireResponse

__all__ = ["OpenResponse"]


class OpenResponse:
    """Holds a response and what must be given back when it is closed: the connection first, then the places.

    Args:
        response: With its head read.
        conversation: Held until the chat is over, though its stream may go on.
        slot: The user's place among the chats in flight.
        until: When the body has to be read.
    """

    __slots__ = ("_conversation", "_slot", "response", "until")

    def __init__(
        self,
        response: WireResponse,
        conversation: Slot | None = None,
        slot: Slot | None = None,
        *,
        until: Deadline | None = None,
    ) -> None:
        self.response: WireResponse = response
        self.until: Deadline | None = until
        self._conversation = conversation
        self._slot = slot

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the response, with names in lower case."""
        return self.response.headers

    def free_conversation(self) -> None:
        """Let the next chat of this conversation begin: the present one is over, whatever is left to read."""
        if self._conversation is not None:
            self._conversation.release()

    async def aclose(self, *, reuse: bool = False) -> None:
        """Free the connection and the places, and wake a task that reads; repeated calls do nothing."""
        try:
            await self.response.aclose(reuse=reuse)
        finally:
            self._release()

    def abandon(self) -> None:
        """Do the same without awaiting, as soon as possible; for `__del__`."""
        self.response.abandon(self._release)

    def _release(self) -> None:
        if self._slot is not None:
            self._slot.release()
        self.free_conversation()
