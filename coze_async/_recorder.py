"""`Recorder`: an httpx transport that writes down what goes through another one, and changes nothing."""

import json
import os
import threading
import urllib.request
import zlib
from collections.abc import AsyncIterator, Collection, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
import httpx
from anyio.lowlevel import RunVar

from coze_async._errors import ConfigurationError
from coze_async._logging import log
from coze_async._masking import ExchangeMasking, Masking
from coze_async._recording import Asked, End, Ending, Piece, Recording, block_of
from coze_async._version import __version__

__all__ = ["Recorder", "query_of"]

# Of longer bodies only the sizes of the pieces are kept: a recording must not cost the memory of what it records.
_MOST_OF_A_BODY = 16 << 20
# What is longer is masked in a thread, for the event loop would stand still.
_MOST_AT_ONCE = 32 << 10
_BEGINNING = b'{"source":'
# The first line of an exchange is short.
_LONGEST_BEGINNING = 64 << 10
# By how much compression shortens, roughly.
_COMPRESSED = 16
# A tenth of a millisecond is as good as the clock of an event loop.
_DIGITS = 4
# What `zlib` takes: gzip, and deflate with its header.
_ANY_HEADER = 47


class Recorder(httpx.AsyncBaseTransport):
    """Writes every exchange to a file, with the edges of its chunks and when they came.

        coze = AsyncCoze(transport=Recorder("chat.jsonl"))

    Credentials are never written. What people and bots wrote (texts, names, parameters, files) and who they are (user
    ids, mail addresses) is masked by something of the same length, so that a recording can be shown to others; look
    through it all the same before you do. Ids, codes, types, counts, times, log ids and the server's own words stay.

    What is recorded does not notice: pieces, errors, time-outs and cancellation go through as they come. If the file
    cannot be written, one warning is logged, recording stops, and the calls go on.

    Args:
        path: The file; what it holds already stays, and what is new is added. It is written when an exchange ends;
            what is long is masked beside the event loop, and is there when the recorder, or its client, is closed.
        transport: What sends the requests; None is httpx's own. It is closed with the recorder.
        keep: Personal data that are not masked: "content", "users".

    Attributes:
        path: The file.
        exchanges: How many were written.
        error: Why recording has stopped; None as long as it goes on.

    Raises:
        ConfigurationError: the folder of the file does not exist, the file holds something that is no recording, or
            `keep` names something else.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        keep: Collection[str] = (),
    ) -> None:
        self.path: Path = Path(path)
        self.exchanges: int = 0
        self.error: Exception | None = None
        if not self.path.parent.is_dir() or self.path.is_dir():
            raise ConfigurationError(
                f"{self.path} cannot be recorded to: "
                + ("it is a folder." if self.path.is_dir() else f"the folder {self.path.parent} does not exist.")
            )
        if self.path.is_file() and not _is_ours(self.path):
            raise ConfigurationError(
                f"{self.path} cannot be recorded to: it holds something else, and what is recorded is added to it. "
                "Give a new file, or one that a Recorder wrote."
            )
        self._masking = Masking(keep)
        self._transport = transport
        self._own: RunVar[httpx.AsyncBaseTransport] = RunVar("coze_async.recorder")
        self._open: set[_Taken] = set()
        self._lock = threading.Lock()
        self._beside: Executor | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        taken = _Taken(self, request)
        self._open.add(taken)
        try:
            response = await (self._transport or self._httpx(request.url)).handle_async_request(request)
        except BaseException as error:
            taken.break_off(error)
            raise
        stream = response.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError(f"A transport of an async client returned a {type(stream).__name__}, which is not async.")
        taken.answered(response)
        # A new one: who made the old one may have read it already, and would be asked for what it holds.
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_Watched(stream, taken),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        for taken in list(self._open):
            taken.end("left", why="the recorder was closed")
        transport = self._transport or self._own.get(None)
        if transport is not None:
            await transport.aclose()
        with self._lock:
            beside, self._beside = self._beside, None
        if beside is not None:
            # Who is cancelled need not wait: the thread writes to the end, and Python waits for it.
            await anyio.to_thread.run_sync(beside.shutdown, abandon_on_cancel=True)

    def _httpx(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        """Return httpx's own transport for this event loop, with the proxies of the environment, as a client has."""
        transport = self._own.get(None)
        if transport is None:
            proxies = {} if urllib.request.proxy_bypass(url.host) else urllib.request.getproxies()
            transport = httpx.AsyncHTTPTransport(
                proxy=proxies.get(url.scheme) or proxies.get("all"),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0),
            )
            self._own.set(transport)
        return transport

    def write(self, taken: "_Taken", ending: Ending) -> None:
        """Write an exchange that is over; never fails, and says so once if it could not be written."""
        self._open.discard(taken)
        if taken.size <= _MOST_AT_ONCE:
            self._write(taken, ending)
            return
        with self._lock:
            if self._beside is None:
                self._beside = ThreadPoolExecutor(1, "coze_async recorder")
            self._beside.submit(self._write, taken, ending)

    def _write(self, taken: "_Taken", ending: Ending) -> None:
        if self.error is not None:
            return
        try:
            block = block_of(taken.recording(self._masking, ending))
            with self._lock:
                self._append(block)
                self.exchanges += 1
        except Exception as error:  # noqa: BLE001 - recording must not break what is recorded
            self.error = error
            log.warning("recording to %s has stopped (%s: %s); the calls go on", self.path, type(error).__name__, error)

    def _append(self, block: bytes) -> None:
        # One short write, on the loop: a thread's would come too late for who closes the client and leaves.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "ab", buffering=0) as file:  # noqa: PTH123 - opened above, for its owner only
            if not self.exchanges:
                block = b"\n" + block if _is_torn(self.path) else block
            left = memoryview(block)
            while left:
                left = left[file.write(left) or 0 :]


def _is_ours(path: Path) -> bool:
    """True if a file is empty, or begins as a recording does; it may have been torn soon after."""
    try:
        with path.open("rb") as file:
            first = file.readline(_LONGEST_BEGINNING).strip()
    except OSError:
        # Whoever may write may not always read; if neither can be done, recording says so.
        return True
    try:
        facts: object = json.loads(first)
    except ValueError:
        return first.startswith(_BEGINNING) or _BEGINNING.startswith(first)
    return isinstance(facts, dict) and "source" in facts


def _is_torn(path: Path) -> bool:
    """True if the last line of a file has no end: whoever wrote it was killed."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        return file.read(1) not in (b"", b"\n")


class _Watched(httpx.AsyncByteStream):
    """The body of an answer on its way through, as it comes."""

    def __init__(self, stream: httpx.AsyncByteStream, taken: "_Taken") -> None:
        self._stream = stream
        self._pieces: AsyncIterator[bytes] = aiter(stream)
        self._taken = taken

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._taken.end("whole")
            raise
        except BaseException as error:
            self._taken.break_off(error)
            raise
        self._taken.add(piece)
        return piece

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._taken.end("left", why="its reader closed it")


class _Taken:
    """An exchange that goes on."""

    def __init__(self, recorder: Recorder, request: httpx.Request) -> None:
        self._came: list[tuple[float, int]] = []
        # None for a body that is too long to be kept.
        self._content: bytearray | None = bytearray()
        self._recorder = recorder
        self._request = request
        self._response: httpx.Response | None = None
        self._is_over = False
        self._date = datetime.now(UTC)
        self._began: float = anyio.current_time()
        self._head: float = self._began

    @property
    def size(self) -> int:
        """How many bytes of it have to be looked through, roughly."""
        try:
            asked = len(self._request.content)
        except httpx.RequestNotRead:
            asked = 0
        is_compressed = self._response is not None and "content-encoding" in self._response.headers
        return asked + len(self._content or b"") * (_COMPRESSED if is_compressed else 1)

    def answered(self, response: httpx.Response) -> None:
        """The head of the answer is there."""
        self._head = anyio.current_time()
        self._response = response

    def add(self, piece: bytes) -> None:
        """A piece of the body is there."""
        self._came.append((anyio.current_time(), len(piece)))
        if self._content is not None:
            self._content += piece
            if len(self._content) > _MOST_OF_A_BODY:
                self._content = None

    def break_off(self, error: BaseException) -> None:
        """An error, or a cancellation, goes through."""
        if isinstance(error, httpx.HTTPError):
            self.end("lost", error=type(error).__name__, why=str(error))
        elif isinstance(error, Exception):
            self.end("lost", error="ReadError", why=f"{type(error).__name__}: {error}")
        else:
            self.end("left", why="it was cancelled")

    def end(self, kind: End, *, error: str = "", why: str = "") -> None:
        """It is over; the first end counts."""
        if not self._is_over:
            self._is_over = True
            self._recorder.write(self, Ending(kind, self._since_head(anyio.current_time()), error, why))

    def _since_head(self, now: float) -> float:
        return round(now - self._head, _DIGITS)

    def recording(self, masking: Masking, ending: Ending) -> Recording:
        """Return what may be shown of it."""
        request, response = self._request, self._response
        hidden = masking.exchange(request.url.path, request.headers)
        asked = self._asked(hidden)
        port = f":{request.url.port}" if request.url.port else ""
        return Recording(
            asked,
            None if response is None else response.status_code,
            {} if response is None else self._headers(hidden, response.headers),
            () if response is None else self._masked_pieces(hidden, response),
            Ending(ending.kind, ending.at, ending.error, hidden.words(ending.why)),
            after=0.0 if response is None else round(self._head - self._began, _DIGITS),
            kept=masking.kept,
            source=f"Recorder of coze_async {__version__}",
            date=self._date.isoformat(timespec="microseconds"),
            server=hidden.server(f"{request.url.scheme}://{request.url.host}{port}"),
        )

    def _asked(self, hidden: ExchangeMasking) -> Asked:
        request = self._request
        path, query = hidden.path(request.url.path), hidden.query(query_of(request.url))
        try:
            content = request.content
        except httpx.RequestNotRead:
            # A file that was read while it was sent: it is gone.
            length = request.headers.get("content-length", "")
            return Asked(request.method, path, query, size=int(length) if length.isdigit() else 0)
        if not content:
            return Asked(request.method, path, query)
        try:
            return Asked(request.method, path, query, hidden.request_body(content))
        except (ValueError, RecursionError):
            return Asked(request.method, path, query, size=len(content))

    def _headers(self, hidden: ExchangeMasking, headers: httpx.Headers) -> Mapping[str, str]:
        kept = hidden.headers(headers)
        if "content-encoding" in headers:
            # The length was that of the compressed body.
            kept.pop("content-length", None)
        return kept

    def _masked_pieces(self, hidden: ExchangeMasking, response: httpx.Response) -> tuple[Piece, ...]:
        times = [self._since_head(at) for at, _ in self._came]
        sizes = [size for _, size in self._came]
        body: bytes | None = None
        if self._content is not None:
            plain = _decompressed(response.headers.get("content-encoding", ""), _cut(self._content, sizes))
            if plain is not None:
                sizes = [len(piece) for piece in plain]
                body = hidden.body(response.status_code, response.headers, b"".join(plain))
        if body is None:
            return tuple(Piece(at, withheld=size) for at, size in zip(times, sizes, strict=True))
        return tuple(map(Piece, times, _cut(body, sizes)))


def _cut(content: bytes | bytearray, sizes: list[int]) -> list[bytes]:
    return [bytes(content[end - size : end]) for size, end in zip(sizes, accumulate(sizes), strict=True)]


def query_of(url: httpx.URL) -> dict[str, str | list[str]]:
    """Return the names and values behind a path; a name that is given several times has a list."""
    values = parse_qs(url.query.decode("ascii", "replace"), keep_blank_values=True)
    return {name: value[0] if len(value) == 1 else value for name, value in values.items()}


def _decompressed(encoding: str, pieces: list[bytes]) -> list[bytes] | None:
    """Return the pieces without their compression; None if it is not one that Python undoes."""
    kind = encoding.strip().lower()
    if kind in ("", "identity"):
        return pieces
    if kind not in ("gzip", "deflate", "x-gzip"):
        return None
    decoder, left = zlib.decompressobj(_ANY_HEADER), _MOST_OF_A_BODY
    plain: list[bytes] = []
    try:
        for piece in pieces:
            plain.append(decoder.decompress(piece, left + 1))
            left -= len(plain[-1])
            if left < 0:
                return None
    except zlib.error:
        return None
    return plain
