"""The body of an answer, whichever transport brings it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping

import anyio
import httpx

__all__ = ["Body", "plain_headers"]

# How long closing may wait for a peer, in seconds.
_CLOSING = 2.0


def plain_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers with names in lower case, to be looked at more than once: httpx looks through all each time."""
    plain: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.lower().decode("latin-1"), raw_value.decode("utf-8", "replace")
        plain[name] = f"{plain[name]}, {value}" if name in plain else value
    return plain


class Body:
    """An answer whose head is here, and whose body comes in pieces.

    Closing it early throws the connection away; reading on to the end keeps it.

    Args:
        status: The HTTP status.
        headers: With names in lower case.
        pieces: Not compressed.
        close: Lets go of the connection.
        lingers: True if closing may wait for a peer, and leave something open that only reading on ends.
        is_watched: True if the transport keeps to the read time-out of the request.

    Attributes:
        next: Returns the next piece when awaited; StopAsyncIteration at the end.
        taken: Returns the same at once, or raises it; None if it has to be waited for, or if nobody knows.
        arrival: Returns what is over when `taken` has something to say; awaiting it costs less than `next`. None for a
            transport that has no such thing.
        has_ended: Set by who has read to the end: then nothing lingers.
    """

    __slots__ = (
        "_close",
        "_lingers",
        "_pieces",
        "arrival",
        "has_ended",
        "headers",
        "is_watched",
        "next",
        "status",
        "taken",
    )

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        pieces: AsyncIterator[bytes],
        close: Callable[[], Awaitable[None]],
        *,
        lingers: bool = False,
        is_watched: bool = True,
    ) -> None:
        self.status: int = status
        self.is_watched: bool = is_watched
        self.headers: Mapping[str, str] = headers
        self.next: Callable[[], Awaitable[bytes]] = pieces.__anext__
        self.taken: Callable[[], bytes | None] = getattr(pieces, "taken", _nothing)
        self.arrival: Callable[[], Awaitable[object]] | None = getattr(pieces, "arrival", None)
        self.has_ended: bool = False
        self._pieces = pieces
        self._close = close
        self._lingers = lingers

    @classmethod
    def of(cls, response: httpx.Response) -> "Body":
        """Return the body of an answer of httpx's client, unpacked if it is compressed."""
        headers = plain_headers(response.headers.raw)
        # Without compression the stream itself is read: the layers of `aiter_raw` cost more than the event in a piece.
        stream = response.stream
        # A hook of the client may have read it already.
        is_unread = isinstance(stream, httpx.AsyncByteStream) and not response.is_stream_consumed
        is_plain = is_unread and "content-encoding" not in headers
        pieces = aiter(stream) if is_plain else response.aiter_bytes()  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        # What httpcore has brought, for whatever client, comes with this; others may know of no time-out.
        is_watched = "network_stream" in response.extensions
        return cls(response.status_code, headers, pieces, response.aclose, lingers=True, is_watched=is_watched)

    async def aclose(self) -> None:
        """Let go of the connection."""
        if self.has_ended or not self._lingers:
            await self._close()
            return
        with anyio.move_on_after(_CLOSING, shield=True):
            await self._close()
            # httpx reads through generators within generators. Left as they are, trio would warn of each; reading on
            # from what is now closed ends them from the inside.
            for _ in range(4096):
                try:
                    await anext(self._pieces)
                except (StopAsyncIteration, httpx.HTTPError, anyio.ClosedResourceError, RuntimeError):
                    # RuntimeError: httpx knows that it is closed, or another task still reads and ends them itself.
                    break


def _nothing() -> None:
    """Know of nothing that has come."""
