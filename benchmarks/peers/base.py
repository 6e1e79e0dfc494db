"""What every peer can be asked to do, and what it is asked with."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from benchmarks.memory import Memory

__all__ = ["BOT", "POLL_INTERVAL", "QUESTION", "TOKEN", "USER", "Peer", "Take"]

BOT, USER, QUESTION, TOKEN = "7440000000000000003", "u-1", "你好", "pat_benchmark"

POLL_INTERVAL = 0.02
"""Seconds between two looks at a chat: short, because the server's answer is ready."""

Take = Callable[[str], object]


class Peer(ABC):
    """One client, made once in a running loop and used for all rounds of a scenario.

    Args:
        base_url: Where the server is.
        memory: Answers instead of the server, if given.
    """

    name: ClassVar[str]

    @abstractmethod
    def __init__(self, base_url: str, memory: "Memory | None" = None) -> None: ...

    async def enter(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what programs do once with a client before they use it."""

    @abstractmethod
    async def stream(self, take: Take) -> None:
        """Read one streamed chat to its end; give the text of every delta away as soon as it is there."""

    @abstractmethod
    async def retrieve(self) -> tuple[str, str]:
        """Look a chat up and return its id and its status."""

    @abstractmethod
    async def create(self) -> tuple[str, str]:
        """Start a chat that is not streamed, and return its id and its status."""

    @abstractmethod
    async def poll(self) -> str:
        """Start a chat, look until it is over, and return the text of the answer from its messages."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the connections."""
