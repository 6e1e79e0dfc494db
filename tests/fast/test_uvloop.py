"""uvloop instead of asyncio's own loop: the same requests, in real time."""

from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest
from raw_http import OK, Visitor, client, saying, serving

pytest.importorskip("uvloop")

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
HALF = OK + b"Content-Length: 10\r\n\r\nhello"


async def talk() -> None:
    async with serving(saying(*[HELLO] * 9)) as server, client() as http:
        for _ in range(3):
            assert (await http.get(server.url)).text == "hello"
        assert (await http.post(server.url, content=b"x" * 1_000_000)).text == "hello"
        assert server.connections == 1
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(http.get, server.url)
        assert server.connections == 20


async def leave() -> None:
    gone = anyio.Event()

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HALF)
        await visitor.gone()
        gone.set()

    async with serving(script) as server, client() as http:
        async with http.stream("GET", server.url) as response:
            assert await anext(response.aiter_raw()) == b"hello"
        with anyio.fail_after(20):
            await gone.wait()


async def refuse() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()

    async with serving(script) as server, client() as http:
        with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected"):
            await http.get(server.url)
        with pytest.raises(httpx.ConnectError):
            await http.get("http://127.0.0.1:9/")


@pytest.mark.parametrize("scene", [talk, leave, refuse])
def test_uvloop_will_do(scene: Callable[[], Awaitable[None]]) -> None:
    anyio.run(scene, backend_options={"use_uvloop": True})
