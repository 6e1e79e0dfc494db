"""Response bodies, unpacked in bounded steps and never larger than allowed: a small answer can unpack to gigabytes."""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

import anyio
import anyio.lowlevel

from coze_async._errors import DecodeError, RequestTimeoutError, TransportError
from coze_async._wire._headers import ACCEPT_ENCODING
from coze_async._wire._protocol import Deadline, WireResponse

__all__ = ["MAX_BODY", "WholeBody", "read_whole", "readable"]

MAX_BODY = 16 << 20
"""Bytes that a whole response may have, by default; nothing that Coze sends as JSON comes near."""

# Bytes that are kept of a body that is too large: enough to say what it is.
_BEGINNING = 65536
# Bytes that are unpacked before other tasks run.
_STEP = 65536
_CODINGS = frozenset(("gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz"))
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class WholeBody(NamedTuple):
    """A response body in memory.

    Attributes:
        content: Its bytes, unpacked; only the beginning if it is too large.
        is_whole: False if it is larger than allowed.
    """

    content: bytes
    is_whole: bool


async def read_whole(response: WireResponse, most: int) -> WholeBody:
    """Read a body to its end, or until it is larger than `most` bytes."""
    first = b""
    rest: bytearray | None = None
    while True:
        piece = response.read_nowait()
        if piece is None:
            await response.wait()
        elif not piece:
            return WholeBody(first if rest is None else bytes(rest), is_whole=True)
        else:
            if not first:
                first = piece
            elif rest is None:
                # One buffer: a body that comes byte by byte would take fifty times its size in pieces.
                rest = bytearray(first) + piece
            else:
                rest += piece
            if len(first if rest is None else rest) > most:
                return WholeBody(bytes((first if rest is None else rest)[:_BEGINNING]), is_whole=False)


def readable(response: WireResponse, name: str) -> WireResponse:
    """Return a response whose body is not compressed: the same one, or one that unpacks it.

    The body of an error is given as it is if it cannot be unpacked: its status says more than its encoding.

    Args:
        response: As it came over the wire.
        name: The request, for error messages.

    Raises:
        DecodeError: the encoding is none that was asked for.
    """
    if "content-encoding" not in response.headers:
        return response
    encodings = [part.strip().lower() for part in response.headers["content-encoding"].split(",")]
    # Others are no codings at all, such as the charset that some proxies write here.
    used = [encoding for encoding in encodings if encoding in _CODINGS]
    if not used:
        return response
    if used in (["gzip"], ["x-gzip"], ["deflate"]):
        return _Unpacked(response, name, _GZIP if used != ["deflate"] else None)
    if response.status >= 300:
        return response
    raise DecodeError(
        f"{name}: the answer is compressed with {', '.join(used)[:80]!r}, and only {ACCEPT_ENCODING} was asked for. "
        "Check the proxy or gateway between this program and the server."
    )


class _Unpacked(WireResponse):
    """A response that unpacks its body, a bounded step at a time, and lets other tasks run between two steps."""

    __slots__ = ("_inner", "_is_full", "_name", "_pauses", "_unpacker", "_until", "_waiting", "headers", "status")

    def __init__(self, response: WireResponse, name: str, window: int | None) -> None:
        self._inner = response
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self._name = name
        self._unpacker = None if window is None else zlib.decompressobj(window)
        # Packed bytes that were read, and whether the last step may have left more than it gave.
        self._waiting = b""
        self._is_full = False
        self._pauses = False
        self._until: Deadline | None = None

    def limit(self, *, idle: float | None, until: Deadline | None) -> None:
        self._until = until
        self._inner.limit(idle=idle, until=until)

    async def aclose(self, *, reuse: bool = False) -> None:
        await self._inner.aclose(reuse=reuse)

    def abandon(self, then: Callable[[], None]) -> None:
        self._inner.abandon(then)

    def wait(self) -> Awaitable[object]:
        return anyio.lowlevel.checkpoint() if self._pauses else self._inner.wait()

    def read_nowait(self) -> bytes | None:
        if self._is_full and not self._pauses:
            until = self._until
            if until is not None and anyio.current_time() >= until.at:
                # What is beneath looks at the time only when it waits, and a little of it unpacks to very much.
                raise RequestTimeoutError(f"{self._name}: no whole answer in time.", timeout=until.name)
            self._pauses = True
            return None
        self._pauses = False
        while True:
            packed = self._waiting
            if not packed and not self._is_full:
                arrived = self._inner.read_nowait()
                if arrived is None:
                    return None
                if not arrived:
                    return self._end()
                packed = arrived
            if piece := self._step(packed):
                return piece

    def _step(self, packed: bytes) -> bytes:
        unpacker = self._unpacker
        if unpacker is None:
            # Some servers mean the bare format by "deflate" (RFC 9110, 8.4.1.2).
            unpacker = self._unpacker = zlib.decompressobj(_ZLIB if packed[0] & 0x0F == 8 else _RAW)
        elif unpacker.eof:
            # A second member of gzip, or rubbish behind the end, which is as harmless as for httpx.
            self._waiting, self._is_full = b"", False
            return b""
        try:
            piece = unpacker.decompress(packed, _STEP)
        except zlib.error as error:
            raise self._broken(f"the compressed answer is damaged: {error}") from error
        self._waiting = unpacker.unconsumed_tail
        self._is_full = len(piece) == _STEP
        return piece

    def _end(self) -> bytes:
        if self._unpacker is not None and not self._unpacker.eof:
            raise self._broken("the compressed answer ended too early")
        return b""

    def _broken(self, reason: str) -> TransportError:
        return TransportError(f"{self._name}: {reason}.", reason=reason)
