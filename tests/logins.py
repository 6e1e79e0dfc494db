"""What the tests of logins share: a wall clock in virtual time, a server that names its own time, a token endpoint."""

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import anyio
import httpx
import pytest

from coze_async import AsyncCoze, Auth, Limits
from coze_async.emulator import Emulator

__all__ = ["EPOCH", "TOKEN", "Dated", "WallClock", "chatting", "paths", "said", "wall_clock"]

EPOCH = 1_800_000_000.0
TOKEN = "POST /api/permission/oauth2/token"


class WallClock:
    """The time of day on this machine, which goes with the event loop's virtual time.

    Attributes:
        ahead: By how much this machine's clock is wrong, in seconds.
    """

    ahead = 0.0

    def __call__(self) -> float:
        return true_time() + self.ahead


def true_time() -> float:
    """The time of day as everybody else has it."""
    try:
        return EPOCH + anyio.current_time()
    except RuntimeError:
        return EPOCH


@contextmanager
def wall_clock() -> Generator[WallClock]:
    """Put a virtual clock in the place of the machine's."""
    clock = WallClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", clock)
        yield clock


class Dated(httpx.AsyncBaseTransport):
    """Says in each answer what time it is at the server, as real servers do."""

    def __init__(self, emulator: Emulator) -> None:
        # From now on the emulator's time of day goes by itself.
        assert emulator.chats == {}
        self._inner = emulator.transport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        response.headers["date"] = format_datetime(datetime.fromtimestamp(true_time(), UTC), usegmt=True)
        return response


@asynccontextmanager
async def chatting(auth: Auth, emulator: Emulator, **options: Any) -> AsyncGenerator[AsyncCoze]:
    """A client of an emulator."""
    settings: dict[str, Any] = {"transport": emulator.transport(), "limits": Limits.none(), **options}
    async with AsyncCoze(auth, base_url=emulator.url, **settings) as coze:
        yield coze


async def said(coze: AsyncCoze) -> str:
    """The answer of a bot."""
    return (await coze.chat.ask("Hi", bot_id="b", user_id="u")).text


def paths(emulator: Emulator) -> list[str]:
    """What was asked for, in order, in one word each."""
    return [request.path.rpartition("/")[2] for request in emulator.requests]
