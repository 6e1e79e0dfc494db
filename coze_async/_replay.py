"""`replay`: recorded exchanges, played back by an httpx transport or by a side effect for respx."""

import difflib
import json
import math
import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Self

import anyio
import anyio.lowlevel
import httpx

from coze_async._errors import ConfigurationError
from coze_async._masking import Masking
from coze_async._recorder import query_of
from coze_async._recording import Asked, Ending, Piece, Recording, read_recordings

__all__ = ["Replay", "ReplayedBody", "asked_of", "replay"]

_NEAREST = 3


def replay(path: str | os.PathLike[str], *, speed: float | None = None, loop: bool = False) -> "Replay":
    """Return a transport that plays back what a `Recorder` wrote.

        coze = AsyncCoze("any", transport=replay("chat.jsonl"))
        respx_mock.post("https://api.coze.cn/v3/chat").mock(side_effect=replay("chat.jsonl").side_effect)

    A request gets the answer that was recorded for its method and path; where there are several, the one whose body
    and query are the same, else the earliest. Each is played once. Where texts or users are masked, all of the same
    form are the same: "red?" and "sky?" are played in the order in which they were recorded, unless `keep` kept them.

    Args:
        path: The file.
        speed: 1.0 plays as fast as it was recorded, 2.0 twice as fast; None, or 0, without any wait.
        loop: Begin again when all answers to a request were played.

    Raises:
        ConfigurationError: the file cannot be read, or is no recording; and from a call, if what it asks for was not
            recorded, or was played already.
    """
    if speed is not None and not (isinstance(speed, int | float) and 0 <= speed < math.inf):
        raise ConfigurationError(f"speed={speed!r} is no speed: give 1.0 for as it was recorded, None for no waits.")
    return Replay(read_recordings(Path(path)), speed=speed or None, loop=loop, name=str(path))


class Replay(httpx.AsyncBaseTransport):
    """Plays recorded exchanges; `replay` reads them from a file.

    Attributes:
        requests: Everything that was asked.
    """

    def __init__(
        self, recordings: Sequence[Recording], *, speed: float | None = None, loop: bool = False, name: str = "here"
    ) -> None:
        self.requests: list[httpx.Request] = []
        self._recordings = tuple(recordings)
        self._waiting = list(recordings)
        self._speed = speed
        self._loop = loop
        self._name = name

    @property
    def left(self) -> list[str]:
        """What was not played yet, by method and path."""
        return [recording.asked.name for recording in self._waiting]

    async def side_effect(self, request: httpx.Request) -> httpx.Response:
        """Answer a request; what respx wants. Unlike `.respond(stream=…)` it has a new body for every request."""
        return await self.handle_async_request(request)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        recording = self._next(request)
        timeout: float | None = request.extensions.get("timeout", {}).get("read")
        if recording.status is None:
            await _wait(recording.ending.at, self._speed, timeout, request)
            raise _error_of(recording.ending, request)
        await _wait(recording.after, self._speed, timeout, request)
        body = ReplayedBody(recording, speed=self._speed, read_timeout=timeout, request=request)
        return httpx.Response(recording.status, headers=dict(recording.headers), stream=body)

    def _next(self, request: httpx.Request) -> Recording:
        fitting = [recording for recording in self._waiting if _asks_the_same(recording, request)]
        if not fitting and self._loop:
            fitting = [recording for recording in self._recordings if _asks_the_same(recording, request)]
            self._waiting += fitting
        if not fitting:
            raise self._unknown(request)
        chosen = max(fitting, key=lambda recording: _likeness(recording, request))
        # By identity: the same exchange may have been recorded twice.
        self._waiting.pop(next(at for at, waiting in enumerate(self._waiting) if waiting is chosen))
        return chosen

    def _unknown(self, request: httpx.Request) -> ConfigurationError:
        name = f"{request.method} {request.url.path}"
        played = sum(_asks_the_same(recording, request) for recording in self._recordings)
        if played:
            times = "once" if played == 1 else f"{played} times"
            return ConfigurationError(
                f"{name} was recorded {times} in {self._name}, and asked for once more. "
                "Record it again, or let replay(…, loop=True) begin again."
            )
        known = sorted({recording.asked.name for recording in self._recordings})
        nearest = difflib.get_close_matches(name, known, _NEAREST, cutoff=0.0)
        return ConfigurationError(
            f"{name} was not recorded in {self._name}. The nearest recorded requests: {', '.join(nearest) or 'none'}."
        )


class ReplayedBody(httpx.AsyncByteStream):
    """A body that hands out its pieces when they are due.

    Args:
        recording: What it holds.
        speed: None for no waits.
        read_timeout: The longest wait that its reader allows, in seconds.
        request: Named in errors.
        on_close: Called once when it is closed: with True if it had been read to its end.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float | None = None,
        read_timeout: float | None = None,
        request: httpx.Request | None = None,
        on_close: Callable[[bool], None] | None = None,
    ) -> None:
        self._left: list[Piece] = list(recording.pieces)
        self._ending = recording.ending
        self._speed = speed
        self._read_timeout = read_timeout
        self._request = request
        self._on_close = on_close
        self._began: float | None = None
        self._has_ended = False
        self._is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_closed:
            raise StopAsyncIteration
        if self._left:
            await self._until(self._left[0].at)
            return self._left.pop(0).content
        ending = self._ending
        if ending.kind == "silent":
            await _wait(math.inf, 1.0, self._read_timeout, self._request)
        await self._until(ending.at)
        if ending.kind != "whole":
            raise _error_of(ending, self._request)
        self._has_ended = True
        raise StopAsyncIteration

    async def aclose(self) -> None:
        # Closing a real connection has to wait too, and must not be skipped by who is cancelled.
        await anyio.lowlevel.checkpoint()
        if not self._is_closed:
            self._is_closed = True
            if self._on_close is not None:
                self._on_close(self._has_ended)

    async def _until(self, at: float) -> None:
        """Wait until so many recorded seconds have passed since the first step."""
        if self._speed is None:
            await anyio.lowlevel.checkpoint()
            return
        now = anyio.current_time()
        if self._began is None:
            self._began = now
        # What is late already is not made up for by waits that are negative.
        await _wait(at - (now - self._began) * self._speed, self._speed, self._read_timeout, self._request)


async def _wait(seconds: float, speed: float | None, timeout: float | None, request: httpx.Request | None) -> None:
    """Wait as long as was recorded, but not longer than a read time-out of httpx."""
    real = 0.0 if speed is None else max(0.0, seconds) / speed
    if timeout is not None and real > timeout:
        await anyio.sleep(timeout)
        raise httpx.ReadTimeout("The recording sends nothing in time.", request=request)
    await (anyio.sleep_forever() if real == math.inf else anyio.sleep(real))


def _error_of(ending: Ending, request: httpx.Request | None) -> httpx.TransportError:
    """Return the error that ends a recorded exchange."""
    if ending.kind == "left":
        why = f" ({ending.why})" if ending.why else ""
        return httpx.ReadError(f"The recording ends here: whoever made it read no further{why}.", request=request)
    kind = getattr(httpx, ending.error, None)
    if not (isinstance(kind, type) and issubclass(kind, httpx.TransportError)):
        kind = httpx.ReadError
    return kind(ending.why, request=request)


def asked_of(request: httpx.Request, kept: Collection[str] | None = None) -> Asked:
    """Return a request in the form of a recording.

    Args:
        request: What a client really sent.
        kept: Mask it as a recording that kept these; None masks nothing.
    """
    masked = None if kept is None else Masking(kept).exchange(request.url.path, request.headers)
    path, query, body, size = request.url.path, query_of(request.url), None, None
    if masked is not None:
        path, query = masked.path(path), masked.query(query)
    if request.content:
        try:
            body = json.loads(request.content) if masked is None else masked.request_body(request.content)
        except (ValueError, RecursionError):
            size = len(request.content)
    return Asked(request.method, path, query, body, size)


def _asks_the_same(recording: Recording, request: httpx.Request) -> bool:
    asked, path = recording.asked, request.url.path
    if asked.method != request.method or asked.path == path or recording.kept is None:
        return (asked.method, asked.path) == (request.method, path)
    # Who stands in the path may have been masked.
    return asked.path == Masking(recording.kept).exchange(path, request.headers).path(path)


def _likeness(recording: Recording, request: httpx.Request) -> tuple[bool, bool]:
    asked = asked_of(request, recording.kept)
    return asked.body == recording.asked.body, asked.query == recording.asked.query
