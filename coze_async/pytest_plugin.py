"""Fixtures for tests of programs that talk to Coze: an emulator, and a client that talks to it.

pytest finds them where coze_async is installed; nothing has to be imported or configured.

    async def test_my_bot(coze: AsyncCoze, coze_emulator: Emulator) -> None:
        coze_emulator.bot("bot-1", "Sunny, 24 degrees.")
        assert await forecast(coze, "Hangzhou") == "Sunny, 24 degrees."

The fixtures are not async, so that they work under the plug-ins of anyio (asyncio and trio), pytest-asyncio (both
modes) and pytest-trio, and in a test that calls `asyncio.run` itself.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

# Loaded with every run of pytest, wherever coze_async is installed: all else is imported when a test asks for it.
if TYPE_CHECKING:
    from coze_async import AsyncCoze
    from coze_async.emulator import Dialect, Emulator

__all__ = ["coze", "coze_dialect", "coze_emulator"]


@pytest.fixture
def coze_dialect() -> "Dialect":
    """Which server is emulated; override it, or let `@pytest.mark.parametrize("coze_dialect", […])` name several."""
    return "cloud"


@pytest.fixture
def coze_emulator(coze_dialect: "Dialect") -> "Emulator":
    """A local Coze of this test's own, with no pace: bots say what their scripts say, and answers come at once."""
    from coze_async.emulator import Emulator

    return Emulator(coze_dialect)


@pytest.fixture
def coze(coze_emulator: "Emulator") -> "Generator[AsyncCoze]":
    """A client that talks to `coze_emulator`, repeats without waiting, and holds nothing back; closed at the end.

    A server that asks for a wait is not asked again: no test should take the time. Polling waits as it does anywhere:
    give `polling=Polling(interval=0.01)`, and a `Script` with `seconds=0.0`.
    """
    import anyio

    from coze_async import AsyncCoze, Limits, Retry

    client = AsyncCoze(
        "pat_test",
        base_url=coze_emulator.url,
        transport=coze_emulator.transport(),
        limits=Limits.none(),
        retry=Retry(initial=0.0, max_wait=0.0, max_retry_after=0.0),
    )
    yield client
    # The test's event loop may be over; nothing of the client lives in it, for the emulator needs no connection.
    anyio.run(client.aclose)
