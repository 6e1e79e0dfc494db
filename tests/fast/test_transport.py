"""The transport over real sockets: who gets which connection, what becomes of it, and which error says what."""

import asyncio
import gc
import socket
import ssl
import weakref
import zlib
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

import anyio
import anyio.lowlevel
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream
from raw_http import OK, Visitor, client, no_context, saying, serving

from coze_async._fast import FastTransport

pytestmark = pytest.mark.usefixtures("parser")

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
# `hello` 99 times, as `brotli.compress` has it.
BROTLI = bytes.fromhex("1bee01f8a5cbd0d8de046b5100a9d4")
HALF = OK + b"Content-Length: 10\r\n\r\nhello"


def limits(most: int | None = None, *, keep: int | None = None, expiry: float | None = 30.0) -> httpx.Limits:
    return httpx.Limits(max_connections=most, max_keepalive_connections=keep, keepalive_expiry=expiry)


async def looped() -> None:
    """Let everything happen that can happen now."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


# --- connections ------------------------------------------------------------------------------------------------------


async def test_one_connection_serves_one_request_after_another() -> None:
    async with serving(saying(*[HELLO] * 5)) as server, client() as http:
        for _ in range(5):
            assert (await http.get(server.url)).text == "hello"
        assert server.connections == 1


async def test_the_answer_tells_what_httpx_would_tell() -> None:
    async with serving(saying(b"HTTP/1.1 200 Fine\r\nContent-Length: 0\r\n\r\n")) as server, client() as http:
        response = await http.get(server.url)
        assert (response.http_version, response.reason_phrase) == ("HTTP/1.1", "Fine")
        stream = response.extensions["network_stream"]
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", int(server.url.rpartition(":")[2]))
        assert stream.get_extra_info("client_addr")[0] == "127.0.0.1"
        assert stream.get_extra_info("ssl_object") is None


async def test_the_free_connection_that_was_used_last_is_used_first_and_the_others_grow_old() -> None:
    async with serving(saying(*[HELLO] * 50)) as server, client(limits(expiry=10.0)) as http:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(http.get, server.url)
        assert server.connections == 3
        for _ in range(4):
            await anyio.sleep(4.0)
            await http.get(server.url)
        await looped()
        assert (server.connections, server.closed) == (3, 2)
        await anyio.sleep(11.0)
        await looped()
        assert server.closed == 3


async def test_no_more_connections_are_kept_than_the_limit_says() -> None:
    async with serving(saying(HELLO)) as server, client(limits(keep=2)) as http:
        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(http.get, server.url)
        await looped()
        assert (server.connections, server.closed) == (5, 3)


async def test_who_finds_no_connection_waits_in_line() -> None:
    order: list[str] = []

    async def script(visitor: Visitor) -> None:
        while True:
            order.append((await visitor.request()).split(b" ")[1].decode())
            await visitor.send(HELLO)

    async with serving(script) as server, client(limits(2)) as http:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(http.get, f"{server.url}/{number}")
                await anyio.lowlevel.checkpoint()
        assert order == [f"/{number}" for number in range(20)]
        assert server.connections == 2


async def test_a_place_in_line_that_is_given_up_goes_to_the_next() -> None:
    async with serving(saying(HALF)) as server, client(limits(1)) as http:
        first = await http.send(http.build_request("GET", server.url), stream=True)
        with pytest.raises(httpx.PoolTimeout, match="all 1 connections are in use"):
            await http.get(server.url, timeout=httpx.Timeout(None, pool=5.0))
        with anyio.move_on_after(5.0) as given_up:
            await http.get(server.url)
        assert given_up.cancelled_caught
        async with anyio.create_task_group() as tasks:

            async def patient() -> None:
                async with http.stream("GET", server.url) as response:
                    assert response.status_code == 200

            tasks.start_soon(patient)
            await looped()
            assert server.connections == 1
            await first.aclose()
        assert server.connections == 2


async def test_a_connection_handed_to_who_has_just_given_up_is_not_lost() -> None:
    async with serving(saying(*[HELLO] * 99)) as server, client(limits(1)) as http:
        for delay in range(12):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(http.get, server.url)
                with anyio.CancelScope() as scope:
                    tasks.start_soon(_cancel_after, scope, delay)
                    await http.get(server.url)
        with anyio.fail_after(60):
            assert (await http.get(server.url)).text == "hello"


async def _cancel_after(scope: anyio.CancelScope, rounds: int) -> None:
    for _ in range(rounds):
        await anyio.lowlevel.checkpoint()
    scope.cancel()


async def test_a_free_connection_of_another_server_makes_way() -> None:
    async with serving(saying(HELLO)) as one, serving(saying(HELLO)) as other, client(limits(1)) as http:
        assert (await http.get(one.url)).text == "hello"
        assert (await http.get(other.url)).text == "hello"
        await looped()
        assert (one.closed, other.closed) == (1, 0)


async def test_one_who_waits_for_another_server_gets_the_place_of_a_connection() -> None:
    async with serving(saying(HELLO)) as one, serving(saying(HELLO)) as other, client(limits(1)) as http:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(http.get, one.url)
            tasks.start_soon(http.get, other.url)
        assert (one.connections, other.connections) == (1, 1)


# --- a server that goes away ------------------------------------------------------------------------------------------


async def test_a_free_connection_that_the_server_closes_is_not_used_again() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HELLO)

    async with serving(script) as server, client() as http:
        for number in range(1, 4):
            assert (await http.get(server.url)).text == "hello"
            while server.closed < number:
                await anyio.lowlevel.checkpoint()
        assert server.connections == 3


@pytest.mark.parametrize("has_poll", [True, False], ids=["poll", "select, as on Windows"])
async def test_a_farewell_that_the_loop_has_not_seen_yet_is_seen(
    has_poll: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that computes for a second, and then asks: what came meanwhile waits in the kernel."""
    loop = asyncio.get_running_loop()
    if not has_poll:
        monkeypatch.delattr("select.poll")
    with bare_port() as (listener, url):
        async with client() as http:
            for _ in range(3):
                task = asyncio.ensure_future(http.get(url))
                visitor, _ = await loop.sock_accept(listener)
                await loop.sock_recv(visitor, 1000)
                await loop.sock_sendall(visitor, HELLO)
                assert (await task).text == "hello"
                visitor.close()


async def test_an_answer_that_nobody_asked_for_costs_the_connection() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HELLO)
        await visitor.send(OK + b"Content-Length: 3\r\n\r\nbad")
        await visitor.gone()

    async with serving(script) as server, client() as http:
        assert (await http.get(server.url)).text == "hello"
        await looped()
        assert (await http.get(server.url)).text == "hello"
        assert server.connections == 2


async def test_a_request_that_gets_no_answer_is_not_sent_again_by_the_transport() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()

    async with serving(script) as server, client() as http:
        with pytest.raises(httpx.RemoteProtocolError, match="Server disconnected without sending a response"):
            await http.post(server.url, content=b"costs money")
        assert server.connections == 1


async def test_a_connection_that_breaks_is_a_read_error() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HALF)
        assert isinstance(visitor.stream, SocketStream)
        raw = visitor.stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with serving(script) as server, client() as http:
        with pytest.raises(httpx.ReadError):
            await http.get(server.url)


async def test_a_half_closed_connection_still_brings_its_answer() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HELLO)
        await visitor.stream.send_eof()
        await visitor.gone()

    async with serving(script) as server, client() as http:
        for _ in range(2):
            assert (await http.get(server.url)).text == "hello"
            await looped()
        assert server.connections == 2


async def test_where_nobody_listens_there_is_no_connection() -> None:
    async with client() as http:
        with pytest.raises(httpx.ConnectError, match="Connect call failed"):
            await http.get("http://127.0.0.1:9/")
        with pytest.raises(httpx.UnsupportedProtocol, match="ftp is neither http nor https"):
            await http.get("ftp://127.0.0.1/")


async def test_a_server_that_does_not_take_the_connection_is_a_connect_time_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(*_args: object, **_options: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    async with client() as http:
        began = anyio.current_time()
        with pytest.raises(httpx.ConnectTimeout, match=r"within 5\.0 s"):
            await http.get("http://127.0.0.1:9/", timeout=httpx.Timeout(None, connect=5.0))
        assert anyio.current_time() - began == pytest.approx(5.0)


async def test_certificates_that_cannot_be_read_are_a_connect_error() -> None:
    missing = [True]

    def context() -> ssl.SSLContext:
        if missing.pop():
            raise FileNotFoundError(2, "No such file or directory", "ca.pem")
        return ssl.create_default_context()

    async with client(context=context) as http:
        with pytest.raises(httpx.ConnectError, match=r"ca\.pem"):
            await http.get("https://127.0.0.1:9/")
        missing.append(False)
        with pytest.raises(httpx.ConnectError, match="Connect call failed"):
            await http.get("https://127.0.0.1:9/")


# --- leaving ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", range(14))
async def test_whoever_is_cancelled_leaves_no_connection_behind_that_is_in_use(rounds: int) -> None:
    async with serving(saying(*[HELLO] * 3)) as server, client(limits(1)) as http:
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(_cancel_after, scope, rounds)
                await http.get(server.url)
        with anyio.fail_after(60):
            assert (await http.get(server.url)).text == "hello"


async def test_a_body_left_early_closes_its_connection_and_one_that_is_all_here_does_not() -> None:
    async with serving(saying(HALF)) as server, client() as http:
        async with http.stream("GET", server.url) as response:
            assert await anext(response.aiter_raw()) == b"hello"
        await looped()
        assert server.closed == 1
    async with serving(saying(HELLO, HELLO)) as server, client() as http:
        for _ in range(2):
            async with http.stream("GET", server.url):
                pass
        assert (server.connections, server.closed) == (1, 0)


async def test_closing_the_client_breaks_off_what_is_under_way() -> None:
    async with serving(saying(HALF)) as server:
        http = client(limits(1))
        response = await http.send(http.build_request("GET", server.url), stream=True)
        ended: list[str] = []

        async def reading() -> None:
            with pytest.raises(httpx.ReadError, match="the client was closed"):
                await response.aread()
            ended.append("reading")

        async def waiting() -> None:
            with pytest.raises(httpx.ConnectError, match="the client was closed"):
                await http.get(server.url)
            ended.append("waiting")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading)
            tasks.start_soon(waiting)
            await looped()
            await http.aclose()
        assert sorted(ended) == ["reading", "waiting"]


async def test_nothing_is_left_of_a_connection_that_is_closed() -> None:
    async with serving(saying(HALF)) as server, FastTransport(httpx.Limits(), no_context) as transport:
        # httpx's client makes a cycle of its own around each response.
        response = await transport.handle_async_request(httpx.Request("GET", server.url))
        connection = weakref.ref(response.extensions["network_stream"])
        await response.aclose()
        del response
        await looped()
        gc.disable()
        try:
            assert connection() is None, "only the collector of cycles would free it"
        finally:
            gc.enable()


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", (lambda c: c.compress(b"hello" * 99) + c.flush())(zlib.compressobj(wbits=31))),
        ("deflate", zlib.compress(b"hello" * 99)),
        ("br", BROTLI),
    ],
)
async def test_compressed_answers_are_unpacked(coding: str, packed: bytes) -> None:
    head = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(packed))
    async with serving(saying(head + packed)) as server, client() as http:
        assert (await http.get(server.url)).content == b"hello" * 99


async def test_a_body_that_is_not_packed_as_its_header_says_is_a_decoding_error() -> None:
    for coding in (b"gzip", b"deflate", b"br"):
        broken = OK + b"Content-Encoding: %b\r\nContent-Length: 5\r\n\r\n\xff\xff\xff\xff\xff" % coding
        async with serving(saying(broken, HELLO)) as server, client(limits(1)) as http:
            with pytest.raises(httpx.DecodingError):
                await http.get(server.url)
            with anyio.fail_after(60):
                assert (await http.get(server.url)).text == "hello"
            assert server.connections == 1


async def pieces(count: int, size: int) -> AsyncGenerator[bytes]:
    for _ in range(count):
        yield b"x" * size


@contextmanager
def bare_port() -> Generator[tuple[socket.socket, str]]:
    """A port where nothing is read, not even by the event loop, until the test does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "64000000"}], ids=["chunks", "length"])
async def test_a_large_body_is_read_as_fast_as_the_server_takes_it(headers: dict[str, str]) -> None:
    loop = asyncio.get_running_loop()
    received = 0
    ahead: list[int] = []

    async def body() -> AsyncGenerator[bytes]:
        sent = 0
        async for piece in pieces(1000, 64_000):
            ahead.append(sent - received)
            sent += len(piece)
            yield piece

    with bare_port() as (listener, url):
        async with client() as http, anyio.create_task_group() as tasks:

            async def post() -> None:
                assert (await http.post(url, content=body(), headers=headers)).text == "hello"

            tasks.start_soon(post)
            visitor, _ = await loop.sock_accept(listener)
            await looped()
            with visitor:
                while received < 64_000_000:
                    received += len(await loop.sock_recv(visitor, 65536))
                await loop.sock_sendall(visitor, HELLO)
                await looped()
    # What is under way is a matter of the kernel's buffers, not of the file.
    assert max(ahead) < 16_000_000


async def test_a_server_that_takes_nothing_more_is_a_write_time_out() -> None:
    with bare_port() as (_, url):
        async with client() as http:
            for content in (b"x" * 50_000_000, pieces(500, 100_000)):
                began = anyio.current_time()
                with pytest.raises(httpx.WriteTimeout):
                    await http.post(url, content=content, timeout=httpx.Timeout(None, write=30.0))
                assert 30.0 <= anyio.current_time() - began < 31.0


async def test_a_refusal_ends_an_upload() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    sent = 0

    async def script(visitor: Visitor) -> None:
        await visitor.stream.receive()
        await visitor.send(refusal)
        await visitor.gone()

    async def body() -> AsyncGenerator[bytes]:
        nonlocal sent
        while True:
            sent += 100_000
            yield b"x" * 100_000
            await anyio.lowlevel.checkpoint()

    async with serving(script) as server, client() as http:
        response = await http.post(server.url, content=body())
        assert (response.status_code, response.text) == (413, "no")
        await looped()
        assert server.closed == 1, "what was begun cannot be taken back: nothing else can be sent there"
    assert sent < 50_000_000


@pytest.mark.parametrize(("announced", "words"), [("300", "is longer than"), ("500", "ended after 400 of")])
async def test_a_body_of_another_length_than_announced_is_refused(announced: str, words: str) -> None:
    async with serving(saying(HELLO)) as server, client() as http:
        with pytest.raises(httpx.LocalProtocolError, match=words):
            await http.post(server.url, content=pieces(4, 100), headers={"Content-Length": announced})
        with pytest.raises(httpx.LocalProtocolError, match=f"has 400 bytes, and {announced} are announced"):
            await http.post(server.url, content=b"x" * 400, headers={"Content-Length": announced})
        with anyio.fail_after(60):
            assert (await http.get(server.url)).text == "hello"


async def test_what_only_httpx_can_do_httpx_does() -> None:
    traced: list[str] = []

    async def trace(name: str, _facts: object) -> None:
        traced.append(name)

    async with serving(saying(HELLO)) as server:
        transport = FastTransport(httpx.Limits(), ssl.create_default_context)
        async with httpx.AsyncClient(transport=transport, timeout=None) as http:
            assert (await http.get(server.url, extensions={"trace": trace})).text == "hello"
    assert "http11.send_request_headers.started" in traced
