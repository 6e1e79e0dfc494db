"""The head of a request: what h11 lets through goes out, what could become a second request does not."""

import h11
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coze_async._fast._head import body_length, header_lines, request_line

Pairs = list[tuple[bytes, bytes]]
RISKY = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b": ", b"a", b"A-b", b"\xe9", b"\x0b", b"\x7f"]
)
TEXT = st.lists(RISKY, max_size=5).map(b"".join)


def h11_takes(method: bytes, target: bytes, headers: Pairs) -> bool:
    try:
        h11.Connection(h11.CLIENT).send(h11.Request(method=method, target=target, headers=[(b"host", b"x"), *headers]))
    except h11.LocalProtocolError:
        return False
    return True


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3))
@example([(b"X-A", b"1\r\nX-B: 2")])
@example([(b"X-A: 1\r\nX-B", b"2")])
@example([(b"X-A", b"1\r\n\r\nGET / HTTP/1.1")])
def test_headers_go_out_if_and_only_if_h11_would_send_them(headers: Pairs) -> None:
    if h11_takes(b"GET", b"/", headers):
        assert header_lines(headers) == b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    else:
        with pytest.raises(httpx.LocalProtocolError, match="the header"):
            header_lines(headers)


@given(st.lists(RISKY, min_size=1, max_size=4).map(b"".join), st.lists(RISKY, min_size=1, max_size=4).map(b"".join))
def test_a_request_line_is_one_line(method: bytes, target: bytes) -> None:
    try:
        line = request_line(method, target)
    except httpx.LocalProtocolError:
        return
    assert h11_takes(method, target, [])
    assert line == method + b" " + target + b" HTTP/1.1\r\n"


def test_a_refused_value_is_not_shown() -> None:
    with pytest.raises(httpx.LocalProtocolError) as caught:
        header_lines([(b"Host", b"a"), (b"Authorization", b"Bearer secret\n")])
    assert "'Authorization'" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_body_has_a_length_or_comes_in_chunks() -> None:
    assert body_length([]) == 0
    assert body_length([(b"content-length", b"7")]) == 7
    assert body_length([(b"Content-Length", b"7"), (b"Transfer-Encoding", b"chunked")]) is None
    with pytest.raises(httpx.LocalProtocolError, match="which is no number"):
        body_length([(b"Content-Length", b"seven")])
