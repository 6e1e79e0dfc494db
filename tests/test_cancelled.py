"""Cancelled at every step, over each wire: the next answer is the right one, and nothing stays behind."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from raw_http import FOREVER, Visitor, closed, serving

from coze_async import AsyncCoze, Limits, Retry

# Steps of an event loop, more than any of the calls takes.
MOST = 400
EVENTS = [
    b'event:conversation.chat.created\ndata:{"id":"%(id)b","conversation_id":"7"}\n\n',
    b'event:conversation.message.delta\ndata:{"id":"m","role":"assistant","type":"answer","content":"%(id)b"}\n\n',
    b'event:conversation.chat.completed\ndata:{"id":"%(id)b","conversation_id":"7"}\n\n',
    b'event:done\ndata:"[DONE]"\n\n',
]


async def echo(visitor: Visitor) -> None:
    """Answer each request with what it asked for, in pieces."""
    while True:
        head, _, body = (await visitor.request()).partition(b"\r\n\r\n")
        if head.startswith(b"POST /v3/chat "):
            number = body.partition(b'"user_id":"')[2].partition(b'"')[0]
            kind, pieces = b"text/event-stream", [event % {b"id": number} for event in EVENTS]
        elif head.startswith(b"POST /v1/audio/speech"):
            kind, pieces = b"audio/mpeg", [b"sound"] * 3
        else:
            number = body.partition(b'"chat_id":"')[2].partition(b'"')[0] or head.partition(b"chat_id=")[2].split()[0]
            status = b"canceled" if b"/cancel" in head else b"completed"
            kind = b"application/json"
            pieces = [
                b'{"code":0,"data":{"id":"%b","conversation_id":"7","status":"%b"}}' % (number.split(b"&")[0], status)
            ]
        await visitor.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n" % (kind, sum(map(len, pieces)))
        )
        for piece in pieces:
            await anyio.lowlevel.checkpoint()
            await visitor.send(piece)


async def retrieve(coze: AsyncCoze, number: str) -> None:
    assert (await coze.chat.retrieve(conversation_id="7", chat_id=number)).id == number


async def ask(coze: AsyncCoze, number: str) -> None:
    result = await coze.chat.ask("Hi", bot_id="b", user_id=number)
    assert (result.chat_id, result.text) == (number, number)


async def leave(coze: AsyncCoze, number: str) -> None:
    async with coze.chat.stream("Hi", bot_id="b", user_id=number) as stream:
        async for _ in stream:
            break
    assert stream.chat_id == number


async def hear(coze: AsyncCoze, number: str) -> None:
    download = await coze.audio.speech.create(input=number, voice_id="1")
    assert await download.read() == b"sound" * 3


async def is_done(call: Awaitable[None], steps: int) -> bool:
    """Cancel a call after so many steps of the loop; True if it was done by then."""
    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:

            async def cancel() -> None:
                for _ in range(steps):
                    await anyio.lowlevel.checkpoint()
                scope.cancel()

            tasks.start_soon(cancel)
            await call
            tasks.cancel_scope.cancel()
    return not scope.cancel_called


@pytest.mark.parametrize("call", [retrieve, ask, leave, hear])
async def test_a_call_may_be_cancelled_at_any_step(call: Callable[[AsyncCoze, str], Awaitable[None]]) -> None:
    options: dict[str, Any] = {
        "timeouts": FOREVER,
        "retry": Retry.none(),
        "limits": Limits(chats_at_once=1, account_at_once=1),
    }
    done = 0
    async with serving(echo) as server:
        async with AsyncCoze("pat_x", base_url=server.url, **options) as coze:
            for steps in range(MOST):
                done += await is_done(call(coze, f"75{steps:04}"), steps)
                # A place that were lost would be waited for: the account has one.
                with anyio.fail_after(60):
                    await (retrieve if steps % 2 else ask)(coze, f"76{steps:04}")
        await closed(server, server.connections)
    assert 0 < done < MOST
