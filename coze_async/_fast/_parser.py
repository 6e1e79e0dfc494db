"""Bytes of HTTP/1.1 -> callbacks: httptools (the extra `fast`), or h11, which httpx brings."""

import re
from collections.abc import Callable
from typing import Any, Protocol

import h11

__all__ = ["MOST_OF_A_HEAD", "BadAnswer", "ByH11", "Parser", "Sink", "parse_errors", "parser_for"]

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


class ByH11:
    """h11 behind the same face."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._state = h11.Connection(h11.CLIENT)
        self._answer: h11.Response | h11.InformationalResponse | None = None

    def begin(self, method: bytes) -> None:
        """Expect an answer. h11 wants to have seen the request, so it is shown the least there is of one."""
        self._state = state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_OF_A_HEAD)
        state.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"-")]))
        state.send(h11.EndOfMessage())

    def feed_data(self, data: bytes | memoryview, /) -> None:
        """Read bytes; raise h11.RemoteProtocolError if they are no HTTP."""
        state, sink = self._state, self._sink
        state.receive_data(bytes(data))
        while True:
            event = state.next_event()
            if event is h11.NEED_DATA:
                return
            if event is h11.PAUSED:
                # What stands behind the end of the answer can only begin another one.
                sink.on_message_begin()
                return
            if isinstance(event, h11.Data):
                sink.on_body(bytes(event.data))
            elif isinstance(event, h11.Response | h11.InformationalResponse):
                self._head(event)
            else:
                sink.on_message_complete()
                if not state.trailing_data[0]:
                    return

    def _head(self, answer: h11.Response | h11.InformationalResponse) -> None:
        self._answer = answer
        sink = self._sink
        sink.on_message_begin()
        sink.on_status(answer.reason)
        for name, value in answer.headers.raw_items():
            sink.on_header(name, value)
        sink.on_headers_complete()
        if isinstance(answer, h11.InformationalResponse):
            sink.on_message_complete()

    def get_status_code(self) -> int:
        """Return the status."""
        return 0 if self._answer is None else self._answer.status_code

    def get_http_version(self) -> str:
        """Return such as "1.1"."""
        return "" if self._answer is None else self._answer.http_version.decode("ascii")

    def should_keep_alive(self) -> bool:
        """Return True if the connection can be used again."""
        return self._state.their_state is h11.DONE


parse_errors: tuple[type[Exception], ...] = (BadAnswer, h11.RemoteProtocolError)
"""What a parser raises if the bytes are no HTTP; the sink was told of all that came before."""

parser_for: Callable[[Sink], Parser] = ByH11
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
