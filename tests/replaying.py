"""Recorded exchanges: reading them, and playing them back through respx or a transport that really streams.

A recording under `tests/replay/` is a file of JSON lines. The first says where its facts come from, the second holds
the request, the third the head of the response, and each further one a piece of the body: the seconds after the head
and the text, as they came off the wire. A last line with `lost` instead of `data` is a connection that breaks there.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

import anyio
import anyio.lowlevel
import httpx

__all__ = ["Asked", "Body", "Piece", "Recording", "ReplayTransport", "recording", "recordings", "stream_of"]

_FOLDER = Path(__file__).parent / "replay"


@dataclass(frozen=True)
class Asked:
    """The request of an exchange."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Any = None

    @classmethod
    def of(cls, request: httpx.Request) -> Self:
        """What a client really sent, in the same form."""
        return cls(
            request.method,
            request.url.path,
            dict(parse_qsl(request.url.query.decode(), keep_blank_values=True)),
            json.loads(request.content) if request.content else None,
        )


@dataclass(frozen=True)
class Piece:
    """Some bytes of a body, and the seconds after the head at which they came."""

    at: float
    data: bytes


@dataclass(frozen=True)
class Recording:
    """One request and its answer, with the edges of the chunks in which it came.

    Attributes:
        lost: Why the connection broke after the last piece; None for a body that ended properly.
        endless: True for a body that goes silent after the last piece and never ends.
    """

    name: str
    source: str
    trust: str
    date: str
    asked: Asked
    status: int
    headers: Mapping[str, str]
    pieces: tuple[Piece, ...]
    lost: str | None = None
    endless: bool = False

    @property
    def body(self) -> bytes:
        """All bytes of the body."""
        return b"".join(piece.data for piece in self.pieces)

    def cut(self, edges: Iterable[int]) -> "Recording":
        """The same bytes in other chunks, each as soon as its last byte is there.

        Args:
            edges: Where to cut, counted from the beginning of the body; what lies outside of it is passed over.
        """
        body, ends = self.body, list[tuple[int, float]]()
        for piece in self.pieces:
            ends.append(((ends[-1][0] if ends else 0) + len(piece.data), piece.at))
        inner = sorted({edge for edge in edges if 0 < edge < len(body)})
        pieces = [
            Piece(next(at for end, at in ends if end >= stop), body[start:stop])
            for start, stop in zip([0, *inner], [*inner, len(body)], strict=True)
            if stop
        ]
        return replace(self, pieces=tuple(pieces))

    def by_bytes(self) -> "Recording":
        """The same bytes, one in each chunk."""
        return self.cut(range(len(self.body)))

    def whole(self) -> "Recording":
        """The same bytes in one chunk."""
        return self.cut(())

    def response(self, body: "Body | None" = None) -> httpx.Response:
        """The response, whose body is still to be read."""
        return httpx.Response(self.status, headers=dict(self.headers), stream=body or Body(self))

    def side_effect(self) -> Callable[[httpx.Request], httpx.Response]:
        """What respx calls for each request. `.respond(stream=…)` would hand out one body, empty the second time."""

        def answer(request: httpx.Request) -> httpx.Response:
            return self.response()

        return answer


class Body(httpx.AsyncByteStream):
    """A body that hands out its pieces when they are due.

    Args:
        recording: What it holds.
        on_close: Called once when it is closed: with True if it had been read to its end.
    """

    def __init__(self, recording: Recording, on_close: Callable[[bool], None] | None = None) -> None:
        self._recording = recording
        self._left = list(recording.pieces)
        self._began: float | None = None
        self._ended = False
        self._closed = False
        self._on_close = on_close

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._closed:
            raise StopAsyncIteration
        if self._began is None:
            self._began = anyio.current_time()
        if self._left:
            await anyio.sleep(self._began + self._left[0].at - anyio.current_time())
            return self._left.pop(0).data
        await anyio.lowlevel.checkpoint()
        if self._recording.endless:
            await anyio.sleep_forever()
        if self._recording.lost is not None:
            raise httpx.RemoteProtocolError(self._recording.lost)
        self._ended = True
        raise StopAsyncIteration

    async def aclose(self) -> None:
        # Closing a real connection has to wait too, and must not be skipped by who is cancelled.
        await anyio.lowlevel.checkpoint()
        if not self._closed:
            self._closed = True
            if self._on_close is not None:
                self._on_close(self._ended)


class ReplayTransport(httpx.AsyncBaseTransport):
    """Answers with recordings in their order, the last one again and again, and keeps count like a pool.

    Attributes:
        requests: Everything that was asked.
        open_bodies: Bodies that were handed out and not closed yet.
        closed_bodies: Bodies that were closed, read to the end or not.
        connections: How many a pool would have opened: a body that was not read to its end costs its connection.
    """

    def __init__(self, *answers: Recording) -> None:
        self._answers = list(answers)
        self._idle = 0
        self.requests: list[httpx.Request] = []
        self.open_bodies = 0
        self.closed_bodies = 0
        self.connections = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        await anyio.lowlevel.checkpoint()
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if self._idle:
            self._idle -= 1
        else:
            self.connections += 1
        self.open_bodies += 1
        return answer.response(Body(answer, self._closed))

    def _closed(self, was_read: bool) -> None:
        self.open_bodies -= 1
        self.closed_bodies += 1
        if was_read:
            self._idle += 1


def recordings() -> list[str]:
    """The names of all recordings."""
    return sorted(path.stem for path in _FOLDER.glob("*.jsonl"))


def recording(name: str) -> Recording:
    """Read a recording."""
    lines = (_FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
    about, asked, head, *rest = [json.loads(line) for line in lines if line]
    lost = rest.pop()["lost"] if rest and "lost" in rest[-1] else None
    return Recording(
        name,
        about["source"],
        about["trust"],
        about["date"],
        Asked(**asked),
        head["status"],
        head["headers"],
        tuple(Piece(line["at"], line["data"].encode()) for line in rest),
        lost,
    )


def stream_of(
    *pieces: bytes | tuple[float, bytes],
    headers: Mapping[str, str] | None = None,
    lost: str | None = None,
    endless: bool = False,
) -> Recording:
    """An event stream made up by a test: pieces of bytes, each alone or with the seconds at which it comes."""
    timed: Sequence[Piece] = [Piece(*piece) if isinstance(piece, tuple) else Piece(0.0, piece) for piece in pieces]
    assert all(not math.isinf(piece.at) for piece in timed)
    return Recording(
        "made up",
        "this test",
        "-",
        "-",
        Asked("POST", "/v3/chat"),
        200,
        {"content-type": "text/event-stream", **(headers or {})},
        tuple(timed),
        lost,
        endless,
    )
