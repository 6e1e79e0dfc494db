"""Recorded exchanges under `tests/replay/`, in the format of `coze_async.Recorder`, and what plays them to a client.

The first line of a file says where its facts come from.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.lowlevel
import httpx

from coze_async import Replay
from coze_async._recording import Asked, Ending, Piece, read_recordings
from coze_async._recording import Recording as Read
from coze_async._replay import ReplayedBody, asked_of

__all__ = [
    "FOLDER",
    "Asked",
    "Ending",
    "Piece",
    "Recording",
    "ReplayTransport",
    "asked_of",
    "recording",
    "recordings",
    "stream_of",
]

FOLDER = Path(__file__).parent / "replay"


@dataclass(frozen=True)
class Recording(Read):
    """One request and its answer, which can also come in other chunks."""

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

    def replay(self, *, loop: bool = False) -> Replay:
        """What plays it."""
        return Replay([self], loop=loop)


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
        assert answer.status is not None
        if self._idle:
            self._idle -= 1
        else:
            self.connections += 1
        self.open_bodies += 1
        body = ReplayedBody(answer, speed=1.0, on_close=self._closed)
        return httpx.Response(answer.status, headers=dict(answer.headers), stream=body)

    def _closed(self, was_read: bool) -> None:
        self.open_bodies -= 1
        self.closed_bodies += 1
        if was_read:
            self._idle += 1


def recordings() -> list[str]:
    """The names of all recordings."""
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def recording(name: str) -> Recording:
    """Read a recording."""
    [found] = read_recordings(FOLDER / f"{name}.jsonl")
    return Recording(**vars(found))


def stream_of(
    *pieces: bytes | tuple[float, bytes],
    headers: Mapping[str, str] | None = None,
    lost: str | None = None,
    endless: bool = False,
) -> Recording:
    """An event stream made up by a test: pieces of bytes, each alone or with the seconds at which it comes.

    Args:
        pieces: The body.
        headers: More than the content type.
        lost: Why the connection breaks after the last piece; None for a body that ends properly.
        endless: The body goes silent after the last piece, and never ends.
    """
    timed: Sequence[Piece] = [Piece(*piece) if isinstance(piece, tuple) else Piece(0.0, piece) for piece in pieces]
    assert all(not math.isinf(piece.at) for piece in timed)
    ending = Ending("silent") if endless else Ending("whole")
    return Recording(
        Asked("POST", "/v3/chat"),
        200,
        {"content-type": "text/event-stream", **(headers or {})},
        tuple(timed),
        ending if lost is None else Ending("lost", error="RemoteProtocolError", why=lost),
        source="this test",
    )
