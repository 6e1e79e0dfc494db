"""Streams that wait for the socket alone: how they end, and what they leave when somebody ends them."""

import dataclasses
import gc
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from raw_http import OK, Visitor, serving

from coze_async import (
    AsyncCoze,
    ChatStream,
    CozeError,
    Limits,
    RequestTimeoutError,
    Retry,
    StreamInterruptedError,
    Timeouts,
)

HEAD = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b'event:conversation.message.delta\ndata:{"id":"m","type":"answer","content":"Hi"}\n\n'
OVER = b'event:conversation.chat.completed\ndata:{"id":"9","conversation_id":"7","status":"completed"}\n\n'
DONE = b'event:done\ndata:"[DONE]"\n\n'
COMMENT = b":keep-alive\n\n"
PATIENCE = Timeouts(connect=None, first_event=5.0, idle=5.0, write=None, pool=None)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
NO_HTTP = b"x\r\n"


@asynccontextmanager
async def answering(*parts: bytes, hangs: bool = False) -> AsyncGenerator[AsyncCoze]:
    """A client of a server that says one part after the other, a second apart, and then hangs or closes."""

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HEAD)
        for part in parts:
            await visitor.send(part)
            await anyio.sleep(1.0)
        if hangs:
            await visitor.gone()

    async def tick() -> None:
        # On a busy machine virtual time would run ahead of a socket, as far as the next timer.
        for _ in range(1000):
            await anyio.sleep(0.1)

    options: dict[str, Any] = {"timeouts": PATIENCE, "retry": Retry.none(), "limits": Limits(chats_at_once=1)}
    async with serving(script) as server, anyio.create_task_group() as ticking:
        ticking.start_soon(tick)
        async with AsyncCoze("pat_x", base_url=server.url, **options) as coze:
            yield coze
        ticking.cancel_scope.cancel()


def stream_of(coze: AsyncCoze) -> ChatStream:
    return coze.chat.stream("Hi", bot_id="b", user_id="u")


async def read(stream: ChatStream, times: list[float]) -> None:
    async for _ in stream:
        times.append(anyio.current_time())


@pytest.mark.parametrize(
    ("total", "name", "end"), [(None, "idle", 3.0 + 5.0), (50.0, "idle", 3.0 + 5.0), (2.5, "total", 2.5)]
)
async def test_the_limit_that_is_over_first_ends_a_stream(total: float | None, name: str, end: float) -> None:
    async with answering(*[chunk(PIECE)] * 4, hangs=True) as coze:
        began = anyio.current_time()
        stream = stream_of(coze.with_options(timeouts=dataclasses.replace(PATIENCE, total=total)))
        times: list[float] = []
        with pytest.raises(RequestTimeoutError) as caught:
            await read(stream, times)
        assert caught.value.timeout == name
        assert anyio.current_time() - began == pytest.approx(end, abs=0.5)
        assert len(times) == (3 if name == "total" else 4)


@pytest.mark.parametrize("last", [OVER + DONE, OVER, OVER.rstrip(b"\n"), DONE.rstrip(b"\n")])
@pytest.mark.parametrize("before", [b"", COMMENT])
async def test_a_body_that_ends_is_whole_if_the_end_of_the_chat_was_seen(before: bytes, last: bytes) -> None:
    async with answering(chunk(PIECE), chunk(PIECE), chunk(before + last), LAST_CHUNK, hangs=True) as coze:
        stream = stream_of(coze)
        await read(stream, [])
        assert (await stream.result()).text == "HiHi"


@pytest.mark.parametrize("end", [b"", NO_HTTP])
@pytest.mark.parametrize("hangs", [False, True])
async def test_how_the_rest_ends_does_not_matter_behind_the_end_of_the_chat(end: bytes, hangs: bool) -> None:
    async with answering(chunk(PIECE), chunk(PIECE), chunk(OVER), end, hangs=hangs) as coze:
        assert (await stream_of(coze).result()).text == "HiHi"


@pytest.mark.parametrize(
    ("end", "hangs", "what", "words"),
    [
        (LAST_CHUNK, True, StreamInterruptedError, "ended without its last event"),
        (b"", False, StreamInterruptedError, "incomplete chunked read"),
        (NO_HTTP, True, StreamInterruptedError, "invalid HTTP"),
        (b"", True, RequestTimeoutError, r"nothing came within 5 s \(Timeouts.idle\)"),
    ],
)
@pytest.mark.parametrize("with_last", [False, True])
async def test_what_came_before_a_body_broke_off_is_handed_out(
    end: bytes, hangs: bool, what: type[CozeError], words: str, with_last: bool
) -> None:
    parts = (chunk(PIECE), chunk(PIECE) + end) if with_last else (chunk(PIECE), chunk(PIECE), end)
    async with answering(*parts, hangs=hangs) as coze:
        stream = stream_of(coze)
        times: list[float] = []
        with pytest.raises(what, match=words) as caught:
            await read(stream, times)
        assert len(times) == 2
        partial: Any = caught.value
        assert partial.partial.text == "HiHi"
        with pytest.raises(what) as again:
            await stream.result()
        assert again.value is caught.value
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


@pytest.mark.parametrize("end", [LAST_CHUNK, NO_HTTP, b""])
@pytest.mark.parametrize("is_over", [True, False])
async def test_what_came_while_nobody_waited_is_there_at_once(end: bytes, is_over: bool) -> None:
    parts = (chunk(PIECE), chunk(PIECE), chunk(PIECE + OVER) if is_over else chunk(PIECE), end)
    async with answering(*parts, hangs=bool(end)) as coze:
        stream = stream_of(coze)
        for _ in range(2):
            await anext(stream)
        began = anyio.current_time()
        await anext(stream)
        await anyio.sleep(20.0)
        if is_over:
            await anext(stream)
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        else:
            with pytest.raises(StreamInterruptedError):
                await anext(stream)
        assert anyio.current_time() - began == pytest.approx(1.0 + 20.0, abs=0.5)


async def test_pieces_that_came_while_nobody_waited_are_there_at_once() -> None:
    async with answering(*[chunk(PIECE)] * 5, hangs=True) as coze:
        stream = stream_of(coze)
        for _ in range(3):
            await anext(stream)
        await anyio.sleep(20.0)
        began = anyio.current_time()
        for _ in range(2):
            await anext(stream)
        assert anyio.current_time() == began
        await stream.aclose()


async def test_only_what_comes_keeps_a_stream_alive() -> None:
    """The size of a chunk is no piece of it, and a comment is one."""
    parts = (chunk(PIECE), chunk(PIECE), chunk(COMMENT), b"4", b"0\r\n")
    async with answering(*parts, hangs=True) as coze:
        began = anyio.current_time()
        with pytest.raises(RequestTimeoutError, match="idle"):
            await stream_of(coze).result()
        assert anyio.current_time() - began == pytest.approx(2.0 + 5.0, abs=0.5)


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("how", ["aclose", "cancel"])
async def test_whoever_ends_a_stream_that_waits_for_the_socket_frees_all_of_it(how: str, steps: int) -> None:
    async with answering(chunk(PIECE), chunk(PIECE), chunk(PIECE[:9]), chunk(PIECE[9:]), hangs=True) as coze:
        stream: ChatStream | None = stream_of(coze)
        assert stream is not None
        scope = anyio.CancelScope()

        async def read_on(stream: ChatStream) -> None:
            with scope:
                await read(stream, [])

        gc.disable()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read_on, stream)
                await anyio.sleep(steps // 3)
                for _ in range(steps % 3):
                    await anyio.lowlevel.checkpoint()
                if how == "aclose":
                    await stream.aclose()
                else:
                    scope.cancel()
            known, stream = weakref.ref(stream), None
            assert known() is None
        finally:
            gc.enable()
        # The user's only place in the limits is free, and so is the way to the server.
        with anyio.fail_after(5.0):
            async with stream_of(coze) as another:
                await anext(another)
