"""A client of one's own may speak HTTP/2: several chats share one connection, and leaving one leaves the others."""

import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import httpx
import pytest

from coze_async import AsyncCoze, ChatCompleted, StreamInterruptedError

pytest.importorskip("h2")

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

CHAT = b'{"id":"9","conversation_id":"7","status":"%s"}'
DELTA = b'event:conversation.message.delta\ndata:{"id":"m","role":"assistant","type":"answer","content":"%d "}\n\n'
EVENTS = [
    b"event:conversation.chat.created\ndata:" + CHAT % b"created" + b"\n\n",
    *(DELTA % number for number in range(5)),
    b"event:conversation.chat.completed\ndata:" + CHAT % b"completed" + b"\n\n",
    b"event:done\ndata:[DONE]\n\n",
]


class Server:
    """Answers every chat with `EVENTS`, a second apart, and every other request with a chat as JSON."""

    def __init__(self) -> None:
        self.connections = 0
        self.breaks_off = False

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        self.connections += 1
        # Of a stream that is left httpcore does not tell the server, so that all are told to their end.
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        writing = anyio.Lock()

        async def flush() -> None:
            async with writing:
                with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    await stream.send(connection.data_to_send())

        async def say(number: int) -> None:
            connection.send_headers(number, [(":status", "200"), ("content-type", "text/event-stream")])
            for event in EVENTS:
                connection.send_data(number, event)
                await flush()
                await anyio.sleep(1.0)
                if self.breaks_off:
                    connection.reset_stream(number)
                    await flush()
                    return
            connection.end_stream(number)
            await flush()

        paths: dict[int, str] = {}
        async with stream, anyio.create_task_group() as tasks:
            await flush()
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    for event in connection.receive_data(await stream.receive()):
                        if isinstance(event, RequestReceived):
                            paths[event.stream_id] = dict(event.headers)[b":path"].decode()
                        elif isinstance(event, DataReceived):
                            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        elif isinstance(event, StreamEnded) and paths[event.stream_id] == "/v3/chat":
                            tasks.start_soon(say, event.stream_id)
                        elif isinstance(event, StreamEnded):
                            headers = [(":status", "200"), ("content-type", "application/json")]
                            connection.send_headers(event.stream_id, headers)
                            answer = b'{"code":0,"data":%b}' % (CHAT % b"completed")
                            connection.send_data(event.stream_id, answer, end_stream=True)
                    await flush()
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def talking() -> AsyncGenerator[tuple[AsyncCoze, Server]]:
    server = Server()
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as tasks,
        httpx.AsyncClient(http1=False, http2=True) as http,
    ):
        tasks.start_soon(listener.serve, server.serve)
        url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        async with AsyncCoze("pat_x", base_url=url, http_client=http) as coze:
            yield coze, server
        tasks.cancel_scope.cancel()


async def test_chats_and_calls_share_one_connection() -> None:
    async with talking() as (coze, server):
        texts: list[str] = []

        async def ask() -> None:
            texts.append((await coze.chat.ask("Hi", bot_id="b", user_id="u")).text)

        assert (await coze.chat.retrieve(conversation_id="7", chat_id="9")).is_over
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(ask)
        assert anyio.current_time() - began < 2 * len(EVENTS)
        assert texts == ["0 1 2 3 4 "] * 5
        assert server.connections == 1


async def test_leaving_one_chat_leaves_the_others_and_the_connection() -> None:
    async with talking() as (coze, server):
        seen: list[object] = []

        async def read() -> None:
            async for event in coze.chat.stream("Hi", bot_id="b", user_id="u"):
                seen.append(event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            async with coze.chat.stream("Hi", bot_id="b", user_id="u") as left:
                async for _ in left:
                    break
        assert isinstance(seen[-2], ChatCompleted)
        assert server.connections == 1


async def test_a_stream_that_the_server_resets_is_interrupted() -> None:
    async with talking() as (coze, server):
        server.breaks_off = True
        with pytest.raises(StreamInterruptedError) as caught:
            await coze.chat.ask("Hi", bot_id="b", user_id="u")
        assert caught.value.partial is not None
