"""A raw HTTP/1.1 server with ready-made answers, in a process of its own so that its CPU is not counted.

POST /{shape}/{deltas}/v3/chat      a stream, see `wire.stream_body`
POST /gate-{n}/{deltas}/v3/chat     the same, framed, for all at once as soon as n have asked
POST /stamped-{n}/{deltas}/v3/chat  n streams whose deltas are the nanoseconds at which they were written, in turns
POST /held/{deltas}/v3/chat         begins at once, and goes on when it is let go
POST /calls/v3/chat                 a chat as JSON
POST /polls/v3/chat                 a chat of its own as JSON, which is over when it has been looked at often enough
any  …/v3/chat/retrieve             one chat as JSON
GET  …/v3/chat/message/list         its messages
GET  /control/held                  how many streams are held
GET  /control/release               let them go; how many they were
GET  /control/cpu                   seconds of CPU that this process has used
"""

import asyncio
import itertools
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks.machine import open_many_files
from benchmarks.wire import (
    CALL,
    LOOKS,
    MESSAGES,
    POLLED_PREFIX,
    STREAM_HEAD,
    chat_reply,
    chunked,
    stamped_parts,
    stream_body,
    stream_parts,
)

__all__ = ["main"]

GAP = 0.001
"""Seconds between the writes of a paced stream."""
STAMPED_GAP = 0.025
"""Seconds between the deltas of a stamped stream: 40 tokens a second, a fast model."""
HELD_PARTS = 5
"""How many events a held stream begins with."""

_STREAM = re.compile(r"/(framed|packed|large|paced|split|held|(?:gate|stamped)-(\d+))/(\d+)/v3/chat")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_POLLED = re.compile(rb"[?&]chat_id=" + POLLED_PREFIX.encode() + rb"(\d+)")


def _whole(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json; charset=utf-8\r\nx-tt-logid: 20260101000000\r\n"
    return (head + b"content-length: %d\r\n\r\n%b") % (status, len(body), body)


def _of_polled_chat(status: str) -> tuple[bytes, bytes]:
    """Return what stands before and after the number of a chat that is polled; it has seven digits."""
    before, _, after = _whole(b"200 OK", chat_reply(f"{POLLED_PREFIX}0000000", status)).partition(b"0000000")
    return before, after


_CALL = _whole(b"200 OK", CALL)
_CREATED = _whole(b"200 OK", chat_reply("7440000000000000001", "in_progress"))
_MESSAGES = _whole(b"200 OK", MESSAGES)
_IN_PROGRESS = _of_polled_chat("in_progress")
_COMPLETED = _of_polled_chat("completed")
_STAMPED = stamped_parts()
_NOT_FOUND = _whole(b"404 Not Found", b'{"code":4200,"msg":"no such route in the benchmark"}')

Write = Callable[[bytes], None]


class _Service:
    """What the connections share: who waits at a gate, who is held, which chats are looked at."""

    def __init__(self) -> None:
        self._at_gate: dict[str, list[Write]] = {}
        self._held: list[tuple[Write, bytes]] = []
        self._looks: dict[bytes, int] = {}
        self._numbers = itertools.count(1)
        self._phases = itertools.count()

    def stream(self, shape: str, at_once: int, deltas: int, write: Write) -> Iterator[bytes] | None:
        """Begin a stream; return what is still to be written, a piece every `GAP` seconds."""
        kind = shape.partition("-")[0]
        if kind == "gate":
            waiting = self._at_gate.setdefault(shape, [])
            waiting.append(write)
            if len(waiting) >= at_once:
                del self._at_gate[shape]
                whole = STREAM_HEAD + stream_body("framed", deltas)[0]
                for each in waiting:
                    each(whole)
            return None
        if kind == "held":
            parts = [*map(chunked, stream_parts(deltas)), chunked(b"")]
            write(STREAM_HEAD + b"".join(parts[:HELD_PARTS]))
            self._held.append((write, b"".join(parts[HELD_PARTS:])))
            return None
        if kind == "stamped":
            self._stamped(write, next(self._phases) % at_once / at_once, deltas)
            return None
        body = stream_body(shape, deltas)
        write(STREAM_HEAD + body[0])
        return iter(body[1:]) if len(body) > 1 else None

    @staticmethod
    def _stamped(write: Write, phase: float, deltas: int) -> None:
        """Write deltas at the same distance, each stream between those of the others: as chats come, in no step."""
        before, delta, after = _STAMPED
        loop = asyncio.get_running_loop()
        write(STREAM_HEAD + before)
        # The next point in time that is this stream's own.
        due = (int(loop.time() / STAMPED_GAP) + 2 + phase) * STAMPED_GAP
        left = deltas

        def tick() -> None:
            nonlocal due, left
            left -= 1
            write(delta % time.monotonic_ns() + (b"" if left else after))
            if left:
                due += STAMPED_GAP
                loop.call_at(due, tick)

        loop.call_at(due, tick)

    def created(self) -> bytes:
        """Start a chat that is polled."""
        number = b"%07d" % next(self._numbers)
        self._looks[number] = 0
        return number.join(_IN_PROGRESS)

    def looked(self, target: bytes) -> bytes:
        """Look at a chat."""
        found = _POLLED.search(target)
        if found is None:
            return _CALL
        number = found[1]
        looks = self._looks.get(number, LOOKS) + 1
        if looks < LOOKS:
            self._looks[number] = looks
            return number.join(_IN_PROGRESS)
        self._looks.pop(number, None)
        return number.join(_COMPLETED)

    def control(self, path: str) -> bytes:
        """Answer what only the suite asks."""
        if path == "/control/cpu":
            return _whole(b"200 OK", b"%f" % time.process_time())
        held = self._held
        if path == "/control/release":
            self._held = []
            for write, rest in held:
                write(rest)
        return _whole(b"200 OK", b"%d" % len(held))


class _Connection(asyncio.Protocol):
    """Answers requests one after the other."""

    def __init__(self, service: _Service) -> None:
        self._service = service
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
            target = self._received.split(b" ", 2)[1]
            self._received = self._received[end:]
            self._answer(target)

    def _answer(self, target: bytes) -> None:
        path, write = target.partition(b"?")[0].decode("ascii", "replace"), self._transport.write
        if path.endswith("/v3/chat/retrieve"):
            write(self._service.looked(target))
        elif path.endswith("/v3/chat/message/list"):
            write(_MESSAGES)
        elif path == "/calls/v3/chat":
            write(_CREATED)
        elif path == "/polls/v3/chat":
            write(self._service.created())
        elif path.startswith("/control/"):
            write(self._service.control(path))
        elif (found := _STREAM.fullmatch(path)) is None:
            write(_NOT_FOUND)
        else:
            rest = self._service.stream(found[1], int(found[2] or 1), int(found[3]), write)
            if rest is not None:
                self._paced = asyncio.get_running_loop().call_later(GAP, self._write_next, rest)

    def _write_next(self, body: Iterator[bytes]) -> None:
        piece = next(body, None)
        if piece is not None:
            self._transport.write(piece)
            self._paced = asyncio.get_running_loop().call_later(GAP, self._write_next, body)


async def _serve(certificate: str | None) -> None:
    loop = asyncio.get_running_loop()
    service = _Service()
    contexts: list[ssl.SSLContext | None] = [None]
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        contexts.append(context)
    ports: list[str] = []
    for secure in contexts:
        server = await loop.create_server(lambda: _Connection(service), "127.0.0.1", 0, ssl=secure, backlog=4096)
        ports.append(str(server.sockets[0].getsockname()[1]))
    print(*ports, flush=True)
    # Whoever started this ends it by closing the pipe, also by dying.
    await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """Serve on free ports until stdin ends: plain, and with TLS if the command line names a certificate with its key.

    The ports are the only line on stdout.
    """
    open_many_files()
    asyncio.run(_serve(sys.argv[1] if len(sys.argv) > 1 else None))


if __name__ == "__main__":
    main()
