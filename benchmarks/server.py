"""A raw HTTP/1.1 server with ready-made answers, in a process of its own so that its CPU is not counted.

POST /{shape}/{deltas}/v3/chat    a stream, see `wire.stream_body`
any  …/v3/chat/retrieve           one chat as JSON
"""

import asyncio
import re
import sys
from collections.abc import Iterator

from benchmarks.wire import CALL, stream_body

__all__ = ["main"]

GAP = 0.001
"""Seconds between the events of a paced stream."""

_STREAM = re.compile(r"/(framed|packed|paced)/(\d+)/v3/chat")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-tt-logid: 20260101000000\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _whole(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json; charset=utf-8\r\nx-tt-logid: 20260101000000\r\n"
    return (head + b"content-length: %d\r\n\r\n%b") % (status, len(body), body)


_CALL = _whole(b"200 OK", CALL)
_NOT_FOUND = _whole(b"404 Not Found", b'{"code":4200,"msg":"no such route in the benchmark"}')


class _Connection(asyncio.Protocol):
    """Answers requests one after the other."""

    def __init__(self) -> None:
        self._received = b""
        self._paced: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        if self._paced is not None:
            self._paced.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head = self._received.find(b"\r\n\r\n")
            if head < 0:
                return
            length = _LENGTH.search(self._received, 0, head + 2)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            target = self._received.split(b" ", 2)[1].decode("ascii", "replace")
            self._received = self._received[end:]
            self._answer(target.partition("?")[0])

    def _answer(self, path: str) -> None:
        if path.endswith("/v3/chat/retrieve"):
            self._transport.write(_CALL)
        elif (found := _STREAM.fullmatch(path)) is None:
            self._transport.write(_NOT_FOUND)
        else:
            body = stream_body(found[1], int(found[2]))
            if len(body) == 1:
                self._transport.write(_STREAM_HEAD + body[0])
            else:
                self._transport.write(_STREAM_HEAD)
                self._write_next(iter(body))

    def _write_next(self, body: Iterator[bytes]) -> None:
        piece = next(body, None)
        if piece is not None:
            self._transport.write(piece)
            self._paced = asyncio.get_running_loop().call_later(GAP, self._write_next, body)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Whoever started this ends it by closing the pipe, also by dying.
    await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """Serve on a free port, which is the only line on stdout, until stdin ends."""
    asyncio.run(_serve())


if __name__ == "__main__":
    main()
