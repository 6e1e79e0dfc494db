"""One connection: what it makes of the bytes of a server, whole or cut, honest or not."""

# pyright: reportPrivateUsage=false

import asyncio
import dataclasses
import gc
import math
import re
import weakref
import zlib
from collections.abc import AsyncGenerator

import anyio
import pytest
from raw_http import (
    FOREVER,
    OK,
    OtherSide,
    Pieces,
    looped,
    next_piece,
    receive,
    response_on,
    rest_of,
    spoken,
    unconnected,
)

from coze_async import RequestTimeoutError, TransportError
from coze_async._wire import Deadline, WireResponse
from coze_async._wire._failures import Failure, WireError
from coze_async._wire._fast._connection import Connection

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


def is_lost(error: Exception | None) -> bool:
    """True for an answer that has begun and has no end, before its head or behind it."""
    if isinstance(error, WireError):
        return error.failure is Failure.LOST
    return type(error) is TransportError and error.may_have_arrived


def asked(connection: Connection) -> OtherSide:
    """Connect, and ask for something."""
    other = OtherSide()
    connection.connection_made(other)
    connection.begin(b"GET", b"")
    return other


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
            assert is_lost(outcome.error)
        assert not outcome.is_kept


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "Server disconnected without sending a response"),
        (OK + b"Content-Length: 5\r\n\r\nhel", r"without sending complete message body \(expected 5 bytes\)"),
        (CHUNKED + b"5\r\nhello\r\n", r"without sending complete message body \(incomplete chunked read\)"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "the server sent invalid HTTP: "),
        (CHUNKED + b"five\r\nhello\r\n", "the server sent invalid HTTP: "),
        (OK + b"Content-Length: five\r\n\r\n", "the server sent invalid HTTP: "),
        (OK + b"a b: c\r\n\r\n", "the server sent invalid HTTP: "),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81",
            "invalid HTTP: ",
        ),
        (b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "invalid HTTP: "),
        (OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", "invalid HTTP: "),
        (OK + b"Transfer-Encoding: identity\r\n\r\nhello", "invalid HTTP: "),
        (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok", "invalid HTTP: "),
        (OK + b"Content-Length: -2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"Content-Length: +2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"Content-Length: 99999999999999999999999\r\n\r\nok", "invalid HTTP: "),
        (OK + b"Content-Length : 2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"X: a\rb\r\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (CHUNKED + b"-2\r\nok\r\n0\r\n\r\n", "invalid HTTP: "),
        (CHUNKED + b"0x2\r\nok\r\n0\r\n\r\n", "invalid HTTP: "),
        (CHUNKED + b"fffffffffffffffffffffff\r\nok\r\n0\r\n\r\n", "invalid HTTP: "),
        (CHUNKED + b"2\r\nok?\r\n0\r\n\r\n", "invalid HTTP: "),
        (b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (b"HTTP/1.1 42 Odd\r\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "invalid HTTP: "),
        (OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "invalid HTTP: "),
        (OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"X: a\r\n\tb\r\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"Content-Length:\r\n 2\r\n\r\nok", "invalid HTTP: "),
        (b"HTTP/1.1 103 Early Hints\r\nX: a\r\n b\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (b"HTTP/1.1 103 Early Hints\nX: a\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + b"X: a\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"X: a\nContent-Length: 2\r\n\r\nok", "invalid HTTP: "),
        (OK + b"Content-Length: 2\n\r\nok", "invalid HTTP: "),
        (OK + b"Content-Length: 2\r\n\nok", "invalid HTTP: "),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "invalid HTTP: "),
    ],
)
async def test_what_is_no_answer_says_what_is_wrong_with_it(answer: bytes, words: str) -> None:
    for chunks in ([answer], [answer[n : n + 1] for n in range(len(answer))]):
        outcome = await spoken(chunks)
        assert is_lost(outcome.error)
        assert re.search(words, str(outcome.error))
        assert not outcome.is_kept


async def test_the_pieces_before_a_mistake_are_handed_out_before_the_error() -> None:
    outcome = await spoken([CHUNKED + b"5\r\nhello\r\nXYZ\r\n"])
    assert outcome.body == b"hello"
    assert is_lost(outcome.error)


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
    begins: list[int] = []
    connection = unconnected()
    other = asked(connection)
    for begin in range(0, len(flood), 16384):
        receive(connection, flood[begin : begin + 16384])
        begins.append(begin)
        if not other.is_open:
            break
    assert not other.is_open
    assert begins[-1] <= 8 * 16384
    assert is_lost(connection.error)


async def test_who_reads_slowly_stops_the_server_and_not_the_memory() -> None:
    connection = unconnected()
    other = asked(connection)
    receive(connection, OK + b"Content-Length: 1000000\r\n\r\n")
    await connection.answered(math.inf)
    response = response_on(connection)
    sent = 0
    while other.reads:
        receive(connection, b"x" * 10_000)
        sent += 10_000
    assert 65_536 <= sent <= 80_000
    assert len(await next_piece(response)) == sent
    assert other.reads


@pytest.mark.parametrize("is_read", [True, False])
async def test_a_kept_connection_reads_on_even_if_its_last_answer_had_stopped_it(is_read: bool) -> None:
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    other = asked(connection)
    receive(connection, OK + b"Content-Length: 200000\r\n\r\n")
    receive(connection, b"x" * 100_000)
    receive(connection, b"x" * 100_000)
    assert not other.reads
    response = response_on(connection)
    if is_read:
        assert len(await next_piece(response)) == 200_000
    await response.aclose(reuse=True)
    assert kept == [connection]
    assert other.reads


def test_compressed_bodies_are_not_unpacked_here() -> None:
    packed = zlib.compress(b"hello")
    answer = OK + b"Content-Encoding: deflate\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    outcome = anyio.run(spoken, [answer])
    assert outcome.body == packed


async def test_what_a_body_looks_like_says_nothing_of_the_next_head() -> None:
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    asked(connection)
    for number in range(1, 4):
        receive(connection, OK + b"Content-Length: 13\r\n\r\nX: a\n b\r\n\r\n\r\n")
        response = response_on(connection)
        assert await rest_of(response) == b"X: a\n b\r\n\r\n\r\n"
        await response.aclose(reuse=True)
        assert len(kept) == number
        connection.begin(b"GET", b"")


async def test_a_farewell_takes_a_free_connection_out_of_use_at_once() -> None:
    lost: list[Connection] = []
    connection = unconnected(lost=lost.append)
    asked(connection)
    receive(connection, OK + b"Content-Length: 0\r\n\r\n")
    connection.release(reuse=True)
    assert connection.is_open
    connection.eof_received()
    assert not connection.is_open
    connection.connection_lost(None)
    assert lost == [connection]


async def test_who_reads_while_another_closes_comes_to_the_end() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    receive(connection, CHUNKED)
    response = response_on(connection)
    loop.call_later(1.0, lambda: asyncio.ensure_future(response.aclose()))
    with anyio.fail_after(5):
        assert await next_piece(response) == b""
    assert not connection.is_open


def test_a_response_of_a_loop_that_is_over_is_closed_by_whoever_lets_go_of_it() -> None:
    left: list[WireResponse] = []
    closed: list[str] = []

    async def leave() -> None:
        connection = unconnected()
        asked(connection)
        receive(connection, CHUNKED)
        left.append(response_on(connection))

    anyio.run(leave)
    left.pop().abandon(lambda: closed.append("there is nothing left to close"))
    assert len(closed) == 1


async def test_a_response_has_nothing_to_do_with_the_next_one_on_its_connection() -> None:
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    asked(connection)
    receive(connection, OK + b"Content-Length: 5\r\n\r\nhello")
    response = response_on(connection)
    assert await next_piece(response) == b"hello"
    assert await next_piece(response) == b""
    assert await next_piece(response) == b"", "the end may be asked for again"
    assert kept == [], "until it is said that the answer is what was asked for"
    await response.aclose(reuse=True)
    assert kept == [connection]
    connection.begin(b"GET", b"")
    receive(connection, OK + b"Content-Length: 5\r\n\r\nother")
    assert await next_piece(response) == b""
    await response.aclose()
    abandoned: list[str] = []
    response.abandon(lambda: abandoned.append("nothing to close"))
    assert (connection.pieces, connection.is_open, len(abandoned)) == ([b"other"], True, 1)


# --- whether it is kept -----------------------------------------------------------------------------------------------

WHOLE = OK + b"Content-Length: 5\r\n\r\nhello"


async def test_a_whole_answer_that_is_not_what_was_asked_for_costs_the_connection() -> None:
    """A server that is out of step would answer the next request by what is left of this one."""
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    other = asked(connection)
    receive(connection, WHOLE)
    connection.release(reuse=False)
    assert (kept, connection.is_open, other.is_open) == ([], False, False)


async def test_an_answer_that_goes_on_costs_the_connection_whatever_is_said_of_it() -> None:
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    other = asked(connection)
    receive(connection, WHOLE[:-1])
    connection.release(reuse=True)
    assert (kept, connection.is_open, other.is_open) == ([], False, False)


@pytest.mark.parametrize("surplus", [WHOLE, b"\0", b"x"])
@pytest.mark.parametrize("moment", ["in one piece with it", "before it is accepted", "after that"])
async def test_what_comes_behind_a_whole_answer_costs_the_connection(surplus: bytes, moment: str) -> None:
    """Kept, it would be the answer to the next request."""
    kept: list[Connection] = []
    lost: list[Connection] = []
    connection = unconnected(freed=kept.append, lost=lost.append)
    other = asked(connection)
    receive(connection, WHOLE + surplus if moment == "in one piece with it" else WHOLE)
    response = response_on(connection)
    assert await next_piece(response) == b"hello"
    if moment == "before it is accepted":
        receive(connection, surplus)
    assert await next_piece(response) == b"", "the answer itself is whole"
    await response.aclose(reuse=True)
    if moment == "after that":
        assert kept == [connection]
        receive(connection, surplus)
    else:
        assert kept == []
    assert (lost, connection.is_open, other.is_open) == ([connection], False, False)


@pytest.mark.parametrize("is_unsent", [True, False])
async def test_a_request_that_is_not_sent_to_its_end_is_the_last_of_its_connection(is_unsent: bool) -> None:
    """What waits to be written belongs to a request that was answered early: the server may never read it."""
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    other = asked(connection)
    receive(connection, WHOLE)
    other.unsent = int(is_unsent)
    connection.release(reuse=True)
    assert (bool(kept), other.is_open) == (not is_unsent, not is_unsent)


async def bits(connection: Connection, sent: list[int]) -> AsyncGenerator[bytes]:
    """A body of ten pieces; the answer comes behind the second."""
    for number in range(10):
        sent.append(number)
        yield b"x"
        if number == 1:
            receive(connection, WHOLE)


async def test_an_early_answer_ends_an_upload_and_costs_the_connection() -> None:
    """Also one that is no refusal, and also where all that was given is sent."""
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    other = asked(connection)
    sent: list[int] = []
    with anyio.fail_after(5):
        await connection.send(Pieces(bits(connection, sent)), None, math.inf, math.inf)
    assert len(sent) < 10
    assert not other.written.endswith(b"0\r\n\r\n")
    assert connection.is_complete
    connection.release(reuse=True)
    assert (kept, other.is_open) == ([], False)


@pytest.mark.parametrize("how", ["whole", "in large pieces", "in small pieces"])
async def test_a_server_that_answers_and_reads_no_more_is_not_written_to_for_ever(how: str) -> None:
    size = 4_000 if how == "in small pieces" else 1_200_000
    kept: list[Connection] = []
    loop = asyncio.get_running_loop()
    connection = unconnected(freed=kept.append)
    other = asked(connection)
    connection.pause_writing()
    loop.call_later(1.0, receive, connection, WHOLE)

    async def body() -> AsyncGenerator[bytes]:
        for _ in range(4):
            yield b"x" * (size // 4)

    with anyio.fail_after(5):
        if how == "whole":
            await connection.push(b"x" * size, None, math.inf)
        else:
            await connection.send(Pieces(body(), size), None, math.inf, math.inf)
    assert len(other.written) < size
    connection.release(reuse=True)
    assert (kept, other.is_open) == ([], False)


async def test_an_answer_that_has_only_begun_well_does_not_end_an_upload() -> None:
    """Some servers send the head first and read then; the answer may depend on the rest of the body."""
    kept: list[Connection] = []
    connection = unconnected(freed=kept.append)
    other = asked(connection)

    async def body() -> AsyncGenerator[bytes]:
        for number in range(4):
            yield b"x"
            if number == 1:
                receive(connection, CHUNKED)

    await connection.send(Pieces(body()), None, math.inf, math.inf)
    assert other.written == b"1\r\nx\r\n" * 4 + b"0\r\n\r\n"
    receive(connection, b"0\r\n\r\n")
    connection.release(reuse=True)
    assert kept == [connection]


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_time_out_is_exact_though_its_timer_is_set_only_once() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    receive(connection, CHUNKED)
    await connection.answered(loop.time() + 10.0)
    response = response_on(connection)
    response.limit(idle=10.0, until=None)
    began = loop.time()
    for step in range(1, 6):
        loop.call_at(began + 4.0 * step, receive, connection, b"1\r\nx\r\n")
        assert await next_piece(response) == b"x"
        assert loop.time() == pytest.approx(began + 4.0 * step)
    with pytest.raises(RequestTimeoutError) as caught:
        await next_piece(response)
    assert caught.value.timeout == "idle"
    assert 30.0 <= loop.time() - began < 30.1


async def test_a_shorter_time_out_does_not_wait_for_the_longer_one_before() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    loop.call_later(1.0, receive, connection, CHUNKED)
    await connection.answered(loop.time() + 100.0)
    response = response_on(connection)
    response.limit(idle=2.0, until=None)
    with pytest.raises(RequestTimeoutError):
        await next_piece(response)
    assert loop.time() == pytest.approx(3.0, abs=0.1)
    assert anyio.current_time() == loop.time()


async def test_whichever_time_is_over_first_is_named() -> None:
    loop = asyncio.get_running_loop()
    for seconds, name in ((3.0, "total"), (9.0, "idle")):
        connection = unconnected()
        asked(connection)
        receive(connection, CHUNKED)
        response = response_on(connection, dataclasses.replace(FOREVER, idle=5.0, total=seconds))
        began = loop.time()
        response.limit(idle=5.0, until=Deadline(began + seconds, "total"))
        with pytest.raises(RequestTimeoutError) as caught:
            await next_piece(response)
        assert caught.value.timeout == name
        assert loop.time() - began == pytest.approx(min(seconds, 5.0), abs=0.1)


async def test_an_earlier_deadline_does_not_outlive_a_wait_without_one() -> None:
    """The timer of the first wait still runs; it must not end the second."""
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    loop.call_later(1.0, receive, connection, CHUNKED)
    await connection.answered(loop.time() + 5.0)
    loop.call_later(60.0, receive, connection, b"1\r\nx\r\n")
    assert await next_piece(response_on(connection)) == b"x"
    assert loop.time() == pytest.approx(61.0, abs=0.1)
    assert connection._timer is None, "nothing is timed any more"


async def test_a_wait_has_its_time_also_if_an_earlier_timer_has_gone_off_while_nobody_waited() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    loop.call_later(1.0, receive, connection, CHUNKED)
    await connection.answered(loop.time() + 5.0)
    await anyio.sleep(9.0)
    response = response_on(connection)
    response.limit(idle=10.0, until=None)
    with pytest.raises(RequestTimeoutError), anyio.fail_after(60.0):
        await next_piece(response)
    assert loop.time() == pytest.approx(20.0, abs=0.1)


async def test_a_later_deadline_takes_the_place_of_an_earlier_one() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    loop.call_later(1.0, receive, connection, CHUNKED)
    await connection.answered(loop.time() + 5.0)
    response = response_on(connection)
    response.limit(idle=None, until=Deadline(20.0, "total"))
    with pytest.raises(RequestTimeoutError):
        await next_piece(response)
    assert loop.time() == pytest.approx(20.0, abs=0.1)


async def test_a_closed_connection_has_no_timer() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    with anyio.move_on_after(1.0):
        await connection.answered(loop.time() + 60.0)
    connection.close()
    connection.connection_lost(None)
    error = connection.error
    await anyio.sleep(120.0)
    assert connection.error is error, "the time of nobody's request was over"


async def test_the_timer_of_a_closed_connection_does_not_hold_it() -> None:
    loop = asyncio.get_running_loop()
    connection = unconnected()
    asked(connection)
    with anyio.move_on_after(1.0):
        await connection.answered(loop.time() + 3600.0)
    gc.disable()
    try:
        connection.close()
        connection.connection_lost(None)
        await looped()
        known = weakref.ref(connection)
        del connection
        assert known() is None, "a timer holds it for another hour"
    finally:
        gc.enable()
