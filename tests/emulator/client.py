"""How these tests talk to an emulator as its users do: through the client and its models."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from coze_async import AsyncCoze, Limits, Retry
from coze_async.emulator import Emulator


@asynccontextmanager
async def client(emulator: Emulator, auth: Any = "pat_test", **options: Any) -> AsyncGenerator[AsyncCoze]:
    """A client of `emulator` that neither waits for turns nor tries again."""
    settings: dict[str, Any] = {"limits": Limits.none(), "retry": Retry(attempts=1), **options}
    async with AsyncCoze(auth, base_url=emulator.url, transport=emulator.transport(), **settings) as coze:
        yield coze
