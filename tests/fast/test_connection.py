"""One connection: what it makes of the bytes of a server, whole or cut, honest or not."""

import asyncio
import zlib

import anyio
import httpx
import pytest
from raw_http import OK, Wire, receive, spoken, unconnected

from coze_async._fast._answer import Answer
from coze_async._fast._connection import Connection

pytestmark = pytest.mark.usefixtures("parser")

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
# The answer, its body, and whether the connection can be used again.
ANSWERS = {
    "length": (OK + b"X-A: 1\r\nContent-Length: 5\r\n\r\nhello", b"hello", True),
    "no body": (OK + b"Content-Length: 0\r\n\r\n", b"", True),
    "chunks": (CHUNKED + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world", True),
    "chunk extensions": (CHUNKED + b'5;a=b;c="d"\r\nhello\r\n0;last\r\n\r\n', b"hello", True),
    "trailers": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n", b"hello", True),
    "announced": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
        + OK
        + b"Content-Length: 2\r\n\r\nok",
        b"ok",
        True,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", True),
    "close": (OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
    "until closed": (OK + b"\r\nuntil the end", b"until the end", False),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\nold", b"old", False),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_the_same_wherever_it_is_cut(name: str) -> None:
    answer, body, is_kept = ANSWERS[name]
    whole = await spoken([answer], ends=not is_kept)
    assert (whole.body, whole.error, whole.is_kept) == (body, None, is_kept)
    assert b"X-Sum" not in dict(whole.headers), "a trailer is no header"
    assert b"Link" not in dict(whole.headers), "what only announces the answer is not the answer"
    cuts = [[answer[:cut], answer[cut:]] for cut in range(1, len(answer))]
    for chunks in [*cuts, [answer[n : n + 1] for n in range(len(answer))]]:
        outcome = await spoken(chunks, ends=not is_kept)
        assert (outcome.facts, outcome.is_kept) == (whole.facts, is_kept)


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_that_breaks_off_is_an_error_and_never_a_short_answer(name: str) -> None:
    answer, body, _ = ANSWERS[name]
    for cut in range(len(answer)):
        outcome = await spoken([answer[:cut]])
        if outcome.error is None:
            # Without a length, the end of the connection is the end of the answer.
            assert name in ("until closed", "HTTP/1.0")
            assert body.startswith(outcome.body)
        else:
            assert isinstance(outcome.error, httpx.RemoteProtocolError)
        assert not outcome.is_kept


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "Server disconnected without sending a response"),
        (OK + b"Content-Length: 5\r\n\r\nhel", r"without sending complete message body \(expected 5 bytes\)"),
        (CHUNKED + b"5\r\nhello\r\n", r"without sending complete message body \(incomplete chunked read\)"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "what the server sent is no HTTP: "),
        (CHUNKED + b"five\r\nhello\r\n", "what the server sent is no HTTP: "),
        (OK + b"Content-Length: five\r\n\r\n", "what the server sent is no HTTP: "),
        (OK + b"a b: c\r\n\r\n", "what the server sent is no HTTP: "),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81", "no HTTP: "),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "no HTTP: "),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "no HTTP: "),
        (OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", "no HTTP: "),
        (OK + b"Transfer-Encoding: identity\r\n\r\nhello", "no HTTP: "),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", "no HTTP: "),
        (OK + b"Content-Length: -2\r\n\r\nok", "no HTTP: "),
        (OK + b"Content-Length: +2\r\n\r\nok", "no HTTP: "),
        (OK + b"Content-Length: 99999999999999999999999\r\n\r\nok", "no HTTP: "),
        (OK + b"Content-Length : 2\r\n\r\nok", "no HTTP: "),
        (OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\nok", "no HTTP: "),
        (CHUNKED + b"-2\r\nok\r\n0\r\n\r\n", "no HTTP: "),
        (CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n", "no HTTP: "),
        (CHUNKED + b"fffffffffffffffffffffff\r\nok\r\n0\r\n\r\n", "no HTTP: "),
        (CHUNKED + b"2\r\nok?\r\n0\r\n\r\n", "no HTTP: "),
        (b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok", "no HTTP: "),
        (b"HTTP/1.1 42 Odd\r\nContent-Length: 2\r\n\r\nok", "no HTTP: "),
    ],
)
async def test_what_is_no_answer_says_what_is_wrong_with_it(answer: bytes, words: str) -> None:
    for chunks in ([answer], [answer[n : n + 1] for n in range(len(answer))]):
        outcome = await spoken(chunks)
        assert isinstance(outcome.error, httpx.RemoteProtocolError)
        with pytest.raises(httpx.RemoteProtocolError, match=words):
            raise outcome.error
        assert not outcome.is_kept


async def test_the_pieces_before_a_mistake_are_handed_out_before_the_error() -> None:
    outcome = await spoken([CHUNKED + b"5\r\nhello\r\nXYZ\r\n"])
    assert outcome.body == b"hello"
    assert isinstance(outcome.error, httpx.RemoteProtocolError)


@pytest.mark.parametrize("surplus", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad", b"garbage", b"\0"])
async def test_what_comes_behind_an_answer_is_nobodys_answer(surplus: bytes) -> None:
    answer = OK + b"Content-Length: 5\r\n\r\nhello"
    for chunks in ([answer + surplus], [answer, surplus]):
        outcome = await spoken(chunks, ends=False)
        assert (outcome.body, outcome.error, outcome.is_kept) == (b"hello", None, False)


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"])
@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_an_answer_that_may_have_no_body_has_none_and_what_follows_is_nobodys(
    status: bytes, framing: bytes
) -> None:
    outcome = await spoken([b"HTTP/1.1 %b\r\n%b" % (status, framing)], ends=False)
    assert (outcome.status, outcome.body, outcome.error) == (int(status[:3]), b"", None)
    assert not outcome.is_kept


async def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    for answer in (OK + b"Content-Length: 5\r\n\r\n", OK + b"Content-Length: 5\r\n\r\nhello", CHUNKED):
        outcome = await spoken([answer], method=b"HEAD", ends=False)
        assert (outcome.status, outcome.body, outcome.error) == (200, b"", None)


@pytest.mark.parametrize(
    "flood",
    [
        OK + b"X: " + b"a" * (16 << 20),
        OK + b"X: y\r\n" * (4 << 20),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 200_000,
        CHUNKED + b"0\r\nX: " + b"a" * (16 << 20),
        CHUNKED + b"1;" + b"a" * (16 << 20),
    ],
    ids=["one long header", "many headers", "many announcements", "a long trailer", "a long extension"],
)
async def test_a_flood_without_content_is_refused_after_a_hundred_kib(flood: bytes) -> None:
    wires: list[int] = []
    connection = unconnected()
    wire = Wire()
    connection.connection_made(wire)
    connection.begin(b"GET", b"")
    for begin in range(0, len(flood), 16384):
        receive(connection, flood[begin : begin + 16384])
        wires.append(begin)
        if not wire.is_open:
            break
    assert not wire.is_open
    assert wires[-1] <= 8 * 16384
    assert isinstance(connection.error, httpx.RemoteProtocolError)


async def test_who_reads_slowly_stops_the_server_and_not_the_memory() -> None:
    connection = unconnected()
    wire = Wire()
    connection.connection_made(wire)
    connection.begin(b"GET", b"")
    receive(connection, OK + b"Content-Length: 1000000\r\n\r\n")
    await connection.answered(None)
    answer = Answer(connection, None)
    sent = 0
    while wire.reads:
        receive(connection, b"x" * 10_000)
        sent += 10_000
    assert 65_536 <= sent <= 80_000
    assert len(await anext(answer)) == sent
    assert wire.reads


async def test_a_kept_connection_reads_on_even_if_its_last_answer_had_stopped_it() -> None:
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    wire = Wire()
    connection.connection_made(wire)
    connection.begin(b"GET", b"")
    receive(connection, OK + b"Content-Length: 200000\r\n\r\n")
    receive(connection, b"x" * 100_000)
    receive(connection, b"x" * 100_000)
    assert not wire.reads
    await Answer(connection, None).aclose()
    assert kept == [connection]
    assert wire.reads


async def test_a_time_out_is_exact_though_its_timer_is_set_only_once() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    connection.connection_made(Wire())
    connection.begin(b"GET", b"")
    receive(connection, CHUNKED)
    await connection.answered(10.0)
    answer = Answer(connection, 10.0)
    began = loop.time()
    for step in range(1, 6):
        loop.call_at(began + 4.0 * step, receive, connection, b"1\r\nx\r\n")
        assert await anext(answer) == b"x"
        assert loop.time() == pytest.approx(began + 4.0 * step)
    with pytest.raises(httpx.ReadTimeout):
        await anext(answer)
    assert 30.0 <= loop.time() - began < 30.1


async def test_a_shorter_time_out_does_not_wait_for_the_longer_one_before() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    connection.connection_made(Wire())
    connection.begin(b"GET", b"")
    loop.call_later(1.0, receive, connection, CHUNKED)
    await connection.answered(100.0)
    with pytest.raises(httpx.ReadTimeout):
        await anext(Answer(connection, 2.0))
    assert loop.time() == pytest.approx(3.0, abs=0.1)
    assert anyio.current_time() == loop.time()


def test_compressed_bodies_are_the_business_of_httpx() -> None:
    packed = zlib.compress(b"hello")
    answer = OK + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    outcome = anyio.run(spoken, [answer])
    assert outcome.body == packed


async def test_a_farewell_takes_a_free_connection_out_of_use_at_once() -> None:
    lost: list[Connection] = []
    connection = unconnected(lost=lost.append)
    connection.connection_made(Wire())
    connection.begin(b"GET", b"")
    receive(connection, OK + b"Content-Length: 0\r\n\r\n")
    connection.release()
    assert connection.is_open
    connection.eof_received()
    assert not connection.is_open
    connection.connection_lost(None)
    assert lost == [connection]


async def test_who_reads_while_another_closes_comes_to_the_end() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    connection.connection_made(Wire())
    connection.begin(b"GET", b"")
    receive(connection, CHUNKED)
    answer = Answer(connection, None)
    loop.call_later(1.0, lambda: asyncio.ensure_future(answer.aclose()))
    with pytest.raises(StopAsyncIteration), anyio.fail_after(5):
        await anext(answer)


async def test_a_connection_is_free_when_the_last_byte_is_handed_out() -> None:
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    connection.connection_made(Wire())
    connection.begin(b"GET", b"")
    receive(connection, OK + b"Content-Length: 5\r\n\r\nhello")
    answer = Answer(connection, None)
    assert await anext(answer) == b"hello"
    assert kept == [connection]
    # What the next answer brings is not read by this one.
    connection.begin(b"GET", b"")
    receive(connection, OK + b"Content-Length: 5\r\n\r\nother")
    with pytest.raises(StopAsyncIteration):
        await anext(answer)
    await answer.aclose()
    assert (connection.pieces, connection.is_open) == ([b"other"], True)
