"""uvloop instead of asyncio's own loop: the same requests, in real time."""

from collections.abc import Awaitable, Callable

import anyio
import pytest
from raw_http import OK, Client, Visitor, next_piece, saying, serving

from coze_async import TransportError

pytest.importorskip("uvloop")

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
HALF = OK + b"Content-Length: 10\r\n\r\nhello"


async def talk() -> None:
    async with serving(saying(*[HELLO] * 9)) as server, Client(server.url) as http:
        for _ in range(3):
            assert (await http.get()).text == "hello"
        assert (await http.post(b"x" * 1_000_000)).text == "hello"
        assert server.connections == 1
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(http.get)
        assert server.connections == 20


async def leave() -> None:
    gone = anyio.Event()

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HALF)
        await visitor.gone()
        gone.set()

    async with serving(script) as server, Client(server.url) as http:
        response = await http.send()
        assert await next_piece(response) == b"hello"
        await response.aclose()
        with anyio.fail_after(20):
            await gone.wait()


async def refuse() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()

    async with serving(script) as server, Client(server.url) as http:
        with pytest.raises(TransportError, match="Server disconnected"):
            await http.get()
    async with Client("http://127.0.0.1:9") as http:
        with pytest.raises(TransportError, match="no connection to"):
            await http.get()


@pytest.mark.parametrize("scene", [talk, leave, refuse])
def test_uvloop_will_do(scene: Callable[[], Awaitable[None]]) -> None:
    anyio.run(scene, backend_options={"use_uvloop": True})
