"""h11 as a parser of answers, where httptools is not installed."""

import re

import h11

from coze_async._wire._fast._parser import MOST_OF_A_HEAD, BadAnswer, Sink

__all__ = ["ByH11"]

# A line that ends without CR, or goes on in the next one.
_ODD_LINE = re.compile(rb"(?<!\r)\n|\n[ \t]")


class ByH11:
    """h11 behind the same face."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._state = h11.Connection(h11.CLIENT)
        self._answer: h11.Response | h11.InformationalResponse | None = None
        # What came of the head, and what may stand behind it; h11 takes more for lines than llhttp does.
        self._lines = bytearray()

    def begin(self, method: bytes) -> None:
        """Expect an answer. h11 wants to have seen the request, so it is shown the least there is of one."""
        self._state = state = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_OF_A_HEAD)
        state.send(h11.Request(method=method, target=b"/", headers=[(b"host", b"-")]))
        state.send(h11.EndOfMessage())

    def feed_data(self, data: bytes | memoryview, /) -> None:
        """Read bytes; raise BadAnswer if they are no HTTP."""
        try:
            self._read(bytes(data))
        except h11.RemoteProtocolError as error:
            raise BadAnswer(str(error)) from error

    def _read(self, data: bytes) -> None:
        state, sink = self._state, self._sink
        if state.their_state is h11.SEND_RESPONSE:
            self._lines += data
        state.receive_data(data)
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
        self._check(answer)
        self._answer = answer
        sink = self._sink
        sink.on_message_begin()
        sink.on_status(answer.reason)
        for name, value in answer.headers.raw_items():
            sink.on_header(name, value)
        sink.on_headers_complete()
        if isinstance(answer, h11.InformationalResponse):
            sink.on_message_complete()

    def _check(self, answer: h11.Response | h11.InformationalResponse) -> None:
        """Refuse a head that others on the way may read in another way, as llhttp does."""
        end = self._lines.find(b"\r\n\r\n")
        if end < 0 or _ODD_LINE.search(self._lines, 0, end):
            raise BadAnswer("a line of its head ends without CR, or goes on in the next line")
        del self._lines[: end + 4]
        if isinstance(answer, h11.Response):
            self._lines.clear()
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in answer.headers}:
            raise BadAnswer("Content-Length and Transfer-Encoding cannot stand in the same head")

    def get_status_code(self) -> int:
        """Return the status."""
        return 0 if self._answer is None else self._answer.status_code

    def get_http_version(self) -> str:
        """Return such as "1.1"."""
        return "" if self._answer is None else self._answer.http_version.decode("ascii")

    def should_keep_alive(self) -> bool:
        """Return True if the connection can be used again."""
        return self._state.their_state is h11.DONE
