"""The head of a request: what h11 lets through goes out, what could become a second request does not."""

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coze_async._wire._failures import Failure, WireError
from coze_async._wire._fast._head import header_lines, request_line

Pairs = list[tuple[str, str]]
RISKY = st.sampled_from(["\r", "\n", "\r\n", "\0", " ", "\t", ":", ": ", "a", "A-b", "\xe9", "\x0b", "\x7f"])
TEXT = st.lists(RISKY, max_size=5).map("".join)


def h11_takes(method: str, target: str, headers: Pairs) -> bool:
    raw = [(b"host", b"x"), *((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers)]
    try:
        h11.Connection(h11.CLIENT).send(
            h11.Request(method=method.encode("latin-1"), target=target.encode("latin-1"), headers=raw)
        )
    except h11.LocalProtocolError:
        return False
    return True


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3))
@example([("X-A", "1\r\nX-B: 2")])
@example([("X-A: 1\r\nX-B", "2")])
@example([("X-A", "1\r\n\r\nGET / HTTP/1.1")])
def test_headers_go_out_if_and_only_if_h11_would_send_them_and_they_are_ascii(headers: Pairs) -> None:
    if h11_takes("GET", "/", headers) and all(value.isascii() for _, value in headers):
        assert header_lines(headers) == "".join(f"{name}: {value}\r\n" for name, value in headers).encode("ascii")
    else:
        with pytest.raises(WireError, match="header") as caught:
            header_lines(headers)
        assert caught.value.failure is Failure.UNSENDABLE


@pytest.mark.parametrize("value", ["1\u2028X-B: 2", "1\x85", "\u3000", "1\u010a"])
def test_a_letter_that_some_would_take_for_a_line_end_is_refused(value: str) -> None:
    with pytest.raises(WireError, match="letters outside ASCII"):
        header_lines([("X-A", value)])


@given(st.lists(RISKY, min_size=1, max_size=4).map("".join), st.lists(RISKY, min_size=1, max_size=4).map("".join))
def test_a_request_line_is_one_line(method: str, target: str) -> None:
    try:
        line = request_line(method, target)
    except WireError:
        return
    assert h11_takes(method, target, [])
    assert line == f"{method} {target} HTTP/1.1\r\n".encode("ascii")


@pytest.mark.parametrize(
    ("value", "words"), [("Bearer secret\n", "holds a line break"), ("Bearer secret\xe9", "letters outside ASCII")]
)
def test_a_refused_value_is_not_shown(value: str, words: str) -> None:
    with pytest.raises(WireError, match=words) as caught:
        header_lines([("Host", "a"), ("Authorization", value)])
    assert "'Authorization'" in str(caught.value)
    assert "secret" not in str(caught.value)
