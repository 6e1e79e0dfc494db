"""How these tests talk to an ASGI application in the process, as a web server does, reading what it streams."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream

from coze_async.emulator import Emulator


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    emulator: Emulator, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """The answer to one request."""
    async with streaming(emulator, method, path, body, headers) as messages:
        start = await messages.receive()
        content = b""
        async for message in messages:
            content += message.get("body", b"")
            if not message.get("more_body"):
                break
    return Answer(start["status"], {name.decode(): value.decode() for name, value in start["headers"]}, content)


@asynccontextmanager
async def streaming(
    emulator: Emulator, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
) -> AsyncGenerator[MemoryObjectReceiveStream[dict[str, Any]]]:
    """The messages that answer one request, as they come; the client goes away at the end."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    named = {"host": "127.0.0.1:8000", "content-type": "application/json", **(headers or {})}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        "server": ("127.0.0.1", 8000),
    }
    requests: list[dict[str, Any]] = [{"type": "http.request", "body": content, "more_body": False}]
    sending, receiving = anyio.create_memory_object_stream[dict[str, Any]](1000)

    async def receive() -> dict[str, Any]:
        if not requests:
            await anyio.sleep_forever()
        return requests.pop()

    async def send(message: Any) -> None:
        await sending.send(dict(message))

    async def serve() -> None:
        async with sending:
            await emulator.app()(scope, receive, send)

    async with receiving, anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        yield receiving
        tasks.cancel_scope.cancel()
