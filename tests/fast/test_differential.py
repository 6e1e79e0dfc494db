"""The same bytes through httpx's own transport and through ours: the same answer, or an error from both."""

import itertools
import re
from typing import Any, cast

import anyio
import httpcore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_http import spoken

pytestmark = pytest.mark.usefixtures("parser")


async def by_httpx(chunks: list[bytes]) -> object:
    """Return what httpx's own transport makes of the bytes, whose end is the end of the connection."""
    backend = httpcore.AsyncMockBackend(chunks)
    async with httpcore.AsyncConnectionPool(network_backend=backend) as pool:
        try:
            async with pool.stream("GET", "http://a/") as response:
                body = b"".join([piece async for piece in response.aiter_stream()])
                extensions = cast("dict[str, Any]", response.extensions)
                return response.status, extensions["reason_phrase"], response.headers, body
        except httpcore.ProtocolError:
            return "an error"


async def both(chunks: list[bytes]) -> tuple[object, object]:
    return (await spoken(chunks)).facts, await by_httpx(chunks)


TOKEN = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,9}", fullmatch=True).filter(
    lambda name: name.lower() not in (b"content-length", b"transfer-encoding", b"connection", b"upgrade", b"trailer")
)
VALUE = st.from_regex(rb"[\x21-\x7e\x80-\xff]{0,5}( [\x21-\x7e]{1,5})?", fullmatch=True).map(bytes.strip)
PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer as RFC 9112 allows it."""
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 404, 413, 500, 503]))
    version = draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    reason = draw(st.sampled_from([b"OK", b"", b"Not Found", b"Gr\xfc\xdfe"]))
    announced = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * draw(st.integers(0, 2))
    headers = b"".join(
        name + b": " + value + b"\r\n" for name, value in draw(st.lists(st.tuples(TOKEN, VALUE), max_size=4))
    )
    if draw(st.booleans()):
        headers += b"Connection: close\r\n"
    pieces = [] if status in (204, 304) else draw(PIECES)
    framing = draw(st.sampled_from(["length", "chunked", "until closed"])) if version == b"1.1" else "length"
    if status in (204, 304):
        body = b""
    elif framing == "length":
        body = b"".join(pieces)
        headers += b"Content-Length: %d\r\n" % len(body)
    elif framing == "chunked":
        extension = draw(st.sampled_from([b"", b";a=b", b';a="b c"']))
        trailer = draw(st.sampled_from([b"", b"X-Sum: 1\r\n"]))
        body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
        body += b"0\r\n" + trailer + b"\r\n"
        headers += b"Transfer-Encoding: chunked\r\n"
    else:
        body = b"".join(pieces)
    return announced + b"HTTP/%b %d %b\r\n%b\r\n%b" % (version, status, reason, headers, body)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(ends)]


CUTS = st.lists(st.integers(0, 1000), max_size=6)


@given(answers(), CUTS)
def test_an_answer_is_the_same(answer: bytes, places: list[int]) -> None:
    ours, theirs = anyio.run(both, cut(answer, places))
    assert ours == theirs
    assert ours != "an error"


@given(answers(), CUTS, st.integers(0, 400))
def test_an_answer_that_breaks_off_is_the_same(answer: bytes, places: list[int], end: int) -> None:
    ours, theirs = anyio.run(both, cut(answer[:end], places))
    assert ours == theirs


@settings(max_examples=300)
@given(answers(), CUTS, st.integers(0, 400), st.integers(0, 3), st.binary(max_size=3))
def test_a_damaged_answer_is_the_same_or_refused(
    answer: bytes, places: list[int], begin: int, length: int, instead: bytes
) -> None:
    """llhttp is the stricter of the two; where it lets something through, httpx reads the same.

    But for one thing: like servers (RFC 9112, 2.2), it passes over blank lines before an answer.
    """
    begin %= len(answer)
    damaged = answer[:begin] + instead + answer[begin + length :]
    ours = anyio.run(spoken, cut(damaged, places)).facts
    plain = re.sub(rb"(\A|\r\n\r\n)[\r\n]+(?=HTTP/)", rb"\1", damaged)
    assert ours in (anyio.run(by_httpx, [plain]), "an error")


def test_the_comparison_sees_a_difference() -> None:
    ours, theirs = anyio.run(both, [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"])
    assert ours == theirs
    assert isinstance(ours, tuple)
    assert ours[3] == b"a"
    assert anyio.run(both, [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"]) == ("an error", "an error")
