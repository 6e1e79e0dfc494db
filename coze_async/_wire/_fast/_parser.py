"""Bytes of HTTP/1.1 -> callbacks: httptools, or h11 where httptools is missing."""

import re
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["MOST_OF_A_HEAD", "BadAnswer", "Parser", "Sink", "by_h11", "parse_errors", "parser_for"]

MOST_OF_A_HEAD = 100 * 1024
"""Bytes of headers, and of trailers, that an answer may have; httpx's own transport has the same limit."""


class BadAnswer(Exception):  # noqa: N818 - raised for parsers, which wrap it in an error of theirs
    """What came is HTTP, but no answer to a request."""


class Sink(Protocol):
    """What is told of an answer as it comes; the names are those of httptools."""

    on_body: Any
    """Called with each piece of the body."""

    def on_message_begin(self) -> None:
        """Begin an answer."""

    def on_status(self, status: bytes) -> None:
        """Take the reason phrase; there may be none."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header or, after the body, a trailer."""

    def on_headers_complete(self) -> None:
        """End the head; the parser knows status and version now."""

    def on_message_complete(self) -> None:
        """End the answer."""


class Parser(Protocol):
    """Reads the answers of one connection."""

    def feed_data(self, data: bytes | memoryview, /) -> None:
        """Read bytes; raise one of parse_errors if they are no HTTP."""

    def get_status_code(self) -> int:
        """Return the status, from `on_headers_complete` on."""
        ...

    def get_http_version(self) -> str:
        """Return such as "1.1", from `on_headers_complete` on."""
        ...

    def should_keep_alive(self) -> bool:
        """Say in `on_message_complete` whether another answer may follow."""
        ...


def by_h11(sink: Sink) -> Parser:
    """Make a parser of h11, which is loaded for the first: where httptools is there nobody needs it."""
    from coze_async._wire._fast._by_h11 import ByH11

    return ByH11(sink)


parse_errors: tuple[type[Exception], ...] = (BadAnswer,)
"""What a parser raises if the bytes are no HTTP; the sink was told of all that came before."""

parser_for: Callable[[Sink], Parser] = by_h11
"""Makes the best parser that is installed."""

try:
    import httptools
    from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
except ImportError:
    pass
else:
    # An older one may be here for another program's sake. It takes white space in names, and bodies where none may be.
    if [int(number) for number in re.findall(r"\d+", httptools.__version__)] >= [0, 6, 3]:
        parse_errors = (*parse_errors, HttpParserError, HttpParserUpgrade)
        parser_for = HttpResponseParser
