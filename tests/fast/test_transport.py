"""The wire over real sockets: who gets which connection, what becomes of it, and which error says what."""

# pyright: reportPrivateUsage=false

import asyncio
import gc
import logging
import socket
import ssl
import weakref
import zlib
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute, SocketStream
from raw_http import OK, Client, Visitor, closed, looped, next_piece, rest_of, saying, serving

from coze_async import ConfigurationError, CozeError, DecodeError, RequestTimeoutError, Timeouts, TransportError
from coze_async._wire import Deadline
from coze_async._wire._fast._wire import FastResponse

pytestmark = pytest.mark.usefixtures("parser")

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
# `hello` 99 times, as `brotli.compress` has it.
BROTLI = bytes.fromhex("1bee01f8a5cbd0d8de046b5100a9d4")
HALF = OK + b"Content-Length: 10\r\n\r\nhello"


def within(**seconds: float | None) -> Timeouts:
    nothing: dict[str, float | None] = dict.fromkeys(("connect", "first_event", "idle", "workflow", "write", "pool"))
    return Timeouts(**{**nothing, **seconds})


def kept(http: Client) -> int:
    """Return how many connections there are, free or not."""
    return len(http.wire._pool._connections)


# --- connections ------------------------------------------------------------------------------------------------------


async def test_one_connection_serves_one_request_after_another() -> None:
    async with serving(saying(*[HELLO] * 5)) as server, Client(server.url) as http:
        for _ in range(5):
            assert (await http.get()).text == "hello"
        assert server.connections == 1


async def test_the_answer_has_its_status_and_its_headers_with_names_in_lower_case() -> None:
    answer = b"HTTP/1.1 404 Nowhere\r\nX-A: 1\r\nX-B: b\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n"
    async with serving(saying(answer)) as server, Client(server.url) as http:
        found = await http.get()
        assert (found.status, found.text) == (404, "")
        assert found.headers == {"x-a": "1, 2", "x-b": "b", "content-length": "0"}


async def test_the_free_connection_that_was_used_last_is_used_first_and_the_others_grow_old() -> None:
    async with serving(saying(*[HELLO] * 50)) as server, Client(server.url) as http:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(http.get)
        assert server.connections == 3
        for _ in range(4):
            await anyio.sleep(12.0)
            await http.get()
        await looped()
        assert (server.connections, server.closed) == (3, 2)
        await anyio.sleep(33.0)
        await looped()
        assert server.closed == 3


async def test_as_many_connections_are_opened_as_are_needed_at_once() -> None:
    """How many that may be is the limiter's business."""
    async with serving(saying(HELLO, HELLO)) as server, Client(server.url) as http:
        for _ in range(2):
            async with anyio.create_task_group() as tasks:
                for _ in range(150):
                    tasks.start_soon(http.get)
        await looped()
        assert (server.connections, server.closed) == (150, 0)


# --- a server that goes away ------------------------------------------------------------------------------------------


async def test_a_free_connection_that_the_server_closes_is_not_used_again() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HELLO)

    async with serving(script) as server, Client(server.url) as http:
        for number in range(1, 4):
            assert (await http.get()).text == "hello"
            await closed(server, number)
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
        async with Client(url) as http:
            for _ in range(3):
                task = asyncio.ensure_future(http.get())
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

    async with serving(script) as server, Client(server.url) as http:
        assert (await http.get()).text == "hello"
        await looped()
        assert (await http.get()).text == "hello"
        assert server.connections == 2


async def test_a_request_that_gets_no_answer_is_not_sent_again_by_the_wire() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()

    async with serving(script) as server, Client(server.url) as http:
        with pytest.raises(TransportError, match="Server disconnected without sending a response") as caught:
            await http.post(b"costs money")
        assert caught.value.may_have_arrived
        assert server.connections == 1


async def test_a_connection_that_breaks_breaks_the_answer() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HALF)
        assert isinstance(visitor.stream, SocketStream)
        raw = visitor.stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    async with serving(script) as server, Client(server.url) as http:
        with pytest.raises(TransportError, match=r"was lost before the answer was complete: .*reset by peer"):
            await http.get()


async def test_a_half_closed_connection_still_brings_its_answer() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HELLO)
        await visitor.stream.send_eof()
        await visitor.gone()

    async with serving(script) as server, Client(server.url) as http:
        for _ in range(2):
            assert (await http.get()).text == "hello"
            await looped()
        assert server.connections == 2


async def test_where_nobody_listens_there_is_no_connection() -> None:
    async with Client("http://127.0.0.1:9") as http:
        with pytest.raises(TransportError, match=r"no connection to http://127\.0\.0\.1:9: .*call failed") as caught:
            await http.get()
        assert not caught.value.may_have_arrived


@pytest.mark.parametrize(
    ("connect", "head", "name"), [(5.0, None, "connect"), (None, 5.0, "first_event"), (9.0, 5.0, "first_event")]
)
async def test_a_server_that_does_not_take_the_connection_is_a_time_out(
    connect: float | None, head: float | None, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_args: object, **_options: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    async with Client("http://127.0.0.1:9") as http:
        began = anyio.current_time()
        deadline = None if head is None else Deadline(began + head, "first_event")
        with pytest.raises(RequestTimeoutError, match=rf"within 5(\.0)? s \(Timeouts.{name}\)") as caught:
            await http.send(timeouts=within(connect=connect, first_event=head), head=deadline)
        assert (caught.value.timeout, caught.value.may_have_arrived) == (name, False)
        assert anyio.current_time() - began == pytest.approx(5.0)
        assert kept(http) == 0


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (FileNotFoundError(2, "No such file or directory", "ca.pem"), TransportError),
        (ConfigurationError("ca.pem is empty"), ConfigurationError),
    ],
)
async def test_certificates_that_cannot_be_read_are_looked_for_again(error: Exception, what: type[CozeError]) -> None:
    errors = [error]

    def context() -> ssl.SSLContext:
        if errors:
            raise errors.pop()
        return ssl.create_default_context()

    async with Client("https://127.0.0.1:9", context=context) as http:
        with pytest.raises(what, match=r"ca\.pem"):
            await http.get()
        with pytest.raises(TransportError, match="Connect call failed"):
            await http.get()


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_server_that_says_nothing_is_given_up_when_the_head_should_be_there() -> None:
    async with serving(saying()) as server, Client(server.url) as http:
        for name, limit in (("first_event", 5.0), ("total", 3.0)):
            now = anyio.current_time()
            head, total = Deadline(now + 5.0, "first_event"), Deadline(now + 3.0, "total")
            with pytest.raises(RequestTimeoutError, match=rf"no answer within {limit:g} s") as caught:
                await http.send(
                    timeouts=within(first_event=5.0, total=3.0), head=head, total=total if name == "total" else None
                )
            assert (caught.value.timeout, caught.value.may_have_arrived) == (name, True)
            assert anyio.current_time() - now == pytest.approx(limit, abs=0.1)
        await closed(server, 2)


async def test_the_time_for_the_head_is_that_for_the_body_until_somebody_sets_another() -> None:
    async with serving(saying(HALF, HALF)) as server, Client(server.url) as http:
        for is_limited, end in ((False, 5.0), (True, 9.0)):
            began = anyio.current_time()
            response = await http.send(
                timeouts=within(first_event=5.0, idle=9.0), head=Deadline(began + 5.0, "first_event")
            )
            if is_limited:
                response.limit(idle=9.0, until=None)
            assert await next_piece(response) == b"hello"
            with pytest.raises(RequestTimeoutError) as caught:
                await next_piece(response)
            assert caught.value.timeout == ("idle" if is_limited else "first_event")
            assert anyio.current_time() - began == pytest.approx(end, abs=0.2)
            await response.aclose()


async def test_a_body_in_pieces_gives_the_server_its_time_behind_the_last_of_them() -> None:
    async def slow() -> AsyncGenerator[bytes]:
        for _ in range(5):
            await anyio.sleep(4.0)
            yield b"x"

    async def script(visitor: Visitor) -> None:
        await visitor.gone()

    async with serving(script) as server, Client(server.url) as http:
        began = anyio.current_time()
        with pytest.raises(RequestTimeoutError, match=r"within 5 s \(Timeouts.idle\)"):
            await http.send("POST", content=slow(), timeouts=within(idle=5.0), head=Deadline(began + 5.0, "idle"))
        assert anyio.current_time() - began == pytest.approx(25.0, abs=0.5)


# --- leaving ----------------------------------------------------------------------------------------------------------


async def _cancel_after(scope: anyio.CancelScope, rounds: int) -> None:
    for _ in range(rounds):
        await anyio.lowlevel.checkpoint()
    scope.cancel()


@pytest.mark.parametrize("rounds", range(14))
async def test_whoever_is_cancelled_leaves_no_connection_behind_that_is_in_use(rounds: int) -> None:
    async with serving(saying(*[HELLO] * 3)) as server, Client(server.url) as http:
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(_cancel_after, scope, rounds)
                await http.get()
        with anyio.fail_after(60):
            assert (await http.get()).text == "hello"
        assert kept(http) == 1
        await looped()
        assert server.connections - server.closed == 1


async def test_a_body_left_early_closes_its_connection() -> None:
    async with serving(saying(HALF)) as server, Client(server.url) as http:
        response = await http.send()
        assert await next_piece(response) == b"hello"
        await response.aclose()
        assert kept(http) == 0
        await looped()
        assert server.closed == 1


@pytest.mark.parametrize("reuse", [True, False])
async def test_a_connection_is_used_again_only_by_whoever_has_got_what_was_asked_for(reuse: bool) -> None:
    async with serving(saying(HELLO, HELLO)) as server, Client(server.url) as http:
        for _ in range(2):
            response = await http.send()
            assert await rest_of(response) == b"hello"
            await response.aclose(reuse=reuse)
            await response.aclose(reuse=True)
        await looped()
        assert (server.connections, server.closed) == ((1, 0) if reuse else (2, 2))


async def test_a_body_that_nobody_holds_any_more_is_closed_soon() -> None:
    async with serving(saying(HALF)) as server, Client(server.url) as http:
        response = await http.send()
        done: list[int] = []
        await anyio.to_thread.run_sync(response.abandon, lambda: done.append(kept(http)))
        response.abandon(lambda: done.append(kept(http)))
        await closed(server, 1)
        assert done == [0, 0]
        assert await next_piece(response) == b""


async def test_closing_the_client_breaks_off_what_is_under_way() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        if visitor.number == 1:
            await visitor.send(HALF)
        await visitor.gone()

    async with serving(script) as server, Client(server.url) as http:
        response = await http.send()
        ended: list[str] = []

        async def reading() -> None:
            with pytest.raises(TransportError, match="the client was closed"):
                await rest_of(response)
            ended.append("reading")

        async def waiting() -> None:
            with pytest.raises(TransportError, match="the client was closed"):
                await http.get()
            ended.append("waiting")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reading)
            tasks.start_soon(waiting)
            while server.connections < 2:
                await anyio.lowlevel.checkpoint()
            await looped()
            await http.wire.aclose()
        assert sorted(ended) == ["reading", "waiting"]
        await closed(server, 2)


async def test_closing_the_client_in_the_moment_in_which_it_connects_breaks_that_off() -> None:
    async with serving(saying(HELLO)) as server:
        for rounds in range(8):
            async with Client(server.url) as http:
                task = asyncio.ensure_future(http.get())
                for _ in range(rounds):
                    await asyncio.sleep(0)
                await http.wire.aclose()
                with pytest.raises(TransportError, match="the client was closed"):
                    await task
                assert kept(http) == 0
        await closed(server, server.connections)


async def test_nothing_is_left_of_a_connection_that_is_closed() -> None:
    async with serving(saying(HALF)) as server, Client(server.url) as http:
        response = await http.send()
        assert isinstance(response, FastResponse)
        connection = weakref.ref(response._connection)
        gc.disable()
        try:
            await response.aclose()
            del response
            await looped()
            assert connection() is None, "only the collector of cycles would free it"
        finally:
            gc.enable()


# --- bodies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", (lambda c: c.compress(b"hello" * 99) + c.flush())(zlib.compressobj(wbits=31))),
        ("x-gzip", (lambda c: c.compress(b"hello" * 99) + c.flush())(zlib.compressobj(wbits=31))),
        ("deflate", zlib.compress(b"hello" * 99)),
        ("Deflate", (lambda c: c.compress(b"hello" * 99) + c.flush())(zlib.compressobj(wbits=-15))),
        ("identity", b"hello" * 99),
    ],
)
async def test_compressed_answers_are_unpacked(coding: str, packed: bytes) -> None:
    head = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(packed))
    async with serving(saying(*[head + packed] * 2)) as server, Client(server.url) as http:
        for _ in range(2):
            assert (await http.get()).content == b"hello" * 99
        assert server.connections == 1


@pytest.mark.parametrize("coding", ["br", "gzip, br", "gzip, gzip", "zstd"])
async def test_an_answer_in_a_coding_that_was_not_asked_for_cannot_be_read(coding: str) -> None:
    head = OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(BROTLI))
    async with serving(saying(head + BROTLI)) as server, Client(server.url) as http:
        with pytest.raises(DecodeError, match=f"compressed with '{coding}', and only gzip, deflate was asked for"):
            await http.get()
        assert kept(http) == 0


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
@pytest.mark.parametrize(
    ("body", "words"), [(b"\xff" * 5, "is damaged"), (zlib.compress(b"hello" * 99)[:5], "damaged|ended too early")]
)
async def test_a_body_that_is_not_packed_as_its_header_says_is_an_error(coding: bytes, body: bytes, words: str) -> None:
    broken = OK + b"Content-Encoding: %b\r\nContent-Length: 5\r\n\r\n%b" % (coding, body)
    async with serving(saying(broken, HELLO)) as server, Client(server.url) as http:
        with pytest.raises(TransportError, match=words):
            await http.get()
        assert kept(http) == 0


async def pieces(count: int, size: int) -> AsyncGenerator[bytes]:
    for _ in range(count):
        yield b"x" * size


@contextmanager
def bare_port() -> Generator[tuple[socket.socket, str]]:
    """A port where nothing is read, not even by the event loop, until the test does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("size", [None, 64_000_000], ids=["chunks", "length"])
async def test_a_large_body_is_read_as_fast_as_the_server_takes_it(size: int | None) -> None:
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
        async with Client(url) as http, anyio.create_task_group() as tasks:

            async def post() -> None:
                assert (await http.post(body(), size=size)).text == "hello"

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
        async with Client(url) as http:
            for content, is_whole in ((b"x" * 50_000_000, True), (pieces(500, 100_000), False)):
                began = anyio.current_time()
                with pytest.raises(RequestTimeoutError, match=r"within 30\.0 s \(Timeouts.write\)") as caught:
                    await http.post(content, timeouts=within(write=30.0))
                assert (caught.value.timeout, caught.value.may_have_arrived) == ("write", is_whole)
                assert 30.0 <= anyio.current_time() - began < 31.0
                assert kept(http) == 0


@pytest.mark.parametrize(("write", "name", "end"), [(30.0, "total", 9.0), (4.0, "write", 4.0)])
async def test_the_time_for_the_whole_may_be_over_while_the_server_still_may_take_a_piece(
    write: float, name: str, end: float
) -> None:
    with bare_port() as (_, url):
        async with Client(url) as http:
            for content in (b"x" * 50_000_000, pieces(500, 100_000)):
                began = anyio.current_time()
                with pytest.raises(RequestTimeoutError, match=rf"within {end:g}(\.0)? s") as caught:
                    await http.send(
                        "POST",
                        content=content,
                        timeouts=within(write=write, total=9.0),
                        total=Deadline(began + 9.0, "total"),
                    )
                assert caught.value.timeout == name
                assert anyio.current_time() - began == pytest.approx(end, abs=0.5)


@pytest.mark.parametrize("status", [b"413 Too Large", b"200 OK"])
@pytest.mark.parametrize("size", [None, 50_000_000], ids=["chunks", "length"])
async def test_an_early_answer_ends_an_upload_and_its_connection(status: bytes, size: int | None) -> None:
    sent = 0

    async def script(visitor: Visitor) -> None:
        # It answers at once, and reads no more.
        await visitor.stream.receive()
        await visitor.send(b"HTTP/1.1 %b\r\nContent-Length: 2\r\n\r\nno" % status)
        await answered.wait()
        await visitor.gone()

    async def body() -> AsyncGenerator[bytes]:
        nonlocal sent
        async for piece in pieces(500, 100_000):
            sent += len(piece)
            yield piece
            await anyio.lowlevel.checkpoint()

    answered = anyio.Event()
    async with serving(script) as server, Client(server.url) as http:
        with anyio.fail_after(60):
            answer = await http.post(body(), size=size)
        answered.set()
        assert (answer.status, answer.text) == (int(status[:3]), "no")
        assert kept(http) == 0, "what was begun cannot be taken back: nothing else can be sent there"
        await closed(server, 1)
    assert sent < 50_000_000


async def test_an_early_answer_to_a_body_of_bytes_ends_its_connection() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.stream.receive()
        await visitor.send(HELLO)
        await answered.wait()
        await visitor.gone()

    answered = anyio.Event()
    async with serving(script) as server, Client(server.url) as http:
        with anyio.fail_after(60):
            assert (await http.post(b"x" * 50_000_000)).text == "hello"
        answered.set()
        assert kept(http) == 0
        await closed(server, 1)


@pytest.mark.parametrize(("announced", "words"), [(300, "is longer than"), (500, "ended after 400 of")])
async def test_a_body_of_another_length_than_announced_is_refused(announced: int, words: str) -> None:
    async with serving(saying(HELLO)) as server, Client(server.url) as http:
        with pytest.raises(ConfigurationError, match=words):
            await http.post(pieces(4, 100), size=announced)
        assert kept(http) == 0
        with anyio.fail_after(60):
            assert (await http.get()).text == "hello"


async def test_an_error_of_the_body_is_raised_as_it_is() -> None:
    async def broken() -> AsyncGenerator[bytes]:
        yield b"x"
        raise LookupError("the file is gone")

    async with serving(saying(HELLO)) as server, Client(server.url) as http:
        with pytest.raises(LookupError, match="the file is gone"):
            await http.post(broken())
        assert kept(http) == 0


async def test_an_empty_body_has_a_length_where_a_body_is_expected() -> None:
    requests: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        while True:
            requests.append(await visitor.request())
            await visitor.send(HELLO)

    async with serving(script) as server, Client(server.url) as http:
        for method in ("GET", "POST"):
            response = await http.send(method)
            await rest_of(response)
            await response.aclose(reuse=True)
    assert [b"Content-Length: 0\r\n" in request for request in requests] == [False, True]


# --- what surrounds a request must not break it -----------------------------------------------------------------------


@pytest.mark.parametrize("cookie", ["a=\u00e9", "a=1", "=", "a=1; Domain=elsewhere.example", "\u00e9=1"])
@pytest.mark.parametrize("target", ["/", "/" + "x" * 70_000])
async def test_no_cookie_of_a_server_breaks_a_request(
    cookie: str, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Case of a raw error while httpx's log was on, which left its connection in use for ever."""
    answer = OK + b"Set-Cookie: " + cookie.encode() + b"\r\nContent-Length: 5\r\n\r\nhello"
    with caplog.at_level(logging.INFO, "httpx"):
        async with serving(saying(answer, answer, answer)) as server, Client(server.url) as http:
            for _ in range(3):
                assert (await http.get(target)).text == "hello"
            assert server.connections == 1
    assert caplog.text.count("HTTP Request: GET") == 3


async def test_the_time_for_an_answer_bounds_each_piece_of_an_upload() -> None:
    async def pieces_of_a_slow_reader() -> AsyncGenerator[bytes]:
        for _ in range(3):
            # What the caller takes does not count.
            await anyio.sleep(20.0)
            yield b"x"
        yield b"x" * 64_000_000

    with bare_port() as (_, url):
        async with Client(url) as http:
            head = Deadline(anyio.current_time() + 5.0, "idle")
            with pytest.raises(RequestTimeoutError, match=r"Timeouts\.idle") as caught:
                await http.send("POST", content=pieces_of_a_slow_reader(), head=head)
            assert 65.0 <= anyio.current_time() < 66.0
            assert not caught.value.may_have_arrived


async def test_closing_breaks_off_dialling_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_args: object, **_options: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", never)
    http = Client("http://127.0.0.1:9")
    errors: list[TransportError] = []

    async def ask() -> None:
        with pytest.raises(TransportError, match="the client was closed") as caught:
            await http.get()
        errors.append(caught.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await looped()
        await http.wire.aclose()
    assert [error.may_have_arrived for error in errors] == [False]
