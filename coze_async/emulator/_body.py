"""A streamed response body: made step by step while it is read."""

import math
from collections import deque
from collections.abc import Callable, Iterator, MutableSet
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import anyio
import anyio.lowlevel

Step: TypeAlias = tuple[float, bytes]
"""Seconds to wait, then bytes to send."""


class ConnectionDropped(Exception):  # noqa: N818 - not an error of the emulator: it is what the client shall see
    """The connection ends here, without an end of the body.

    Args:
        is_reset: It ends as that of a machine that fell over: with a TCP reset.
    """

    def __init__(self, *, is_reset: bool = False) -> None:
        super().__init__()
        self.is_reset = is_reset


class Unreachable(Exception):  # noqa: N818 - as above
    """No connection comes about."""


class ReadTimedOut(Exception):  # noqa: N818 - as above
    """The next bytes come later than the client wants to wait."""


async def pause(seconds: float) -> None:
    """Wait so long; an infinite wait takes no timer, so that a virtual clock sees it for what it is."""
    await (anyio.sleep_forever() if seconds == math.inf else anyio.sleep(seconds))


class Watch(Protocol):
    """Is told what leaves."""

    def sent(self, chunk: bytes) -> None:
        """A chunk leaves now."""

    def ended(self, how: str) -> None:
        """Nothing more comes: it was "complete" or "failed", the connection was "lost", or the client has "left"."""


class Body:
    """An async iterator of chunks that does nothing ahead of its reader.

    There is no task and no buffer behind it: the next chunk is made when it is asked for. Closing it is immediate.

    Args:
        steps: What to wait and to send.
        opened: Where the body is registered until it is finished or closed.
        error: Writes an error event in the form of this stream.
        on_close: Called once, at the end of any kind.
        split: Cuts what a step sends into the chunks in which it leaves; None sends it in one.
    """

    def __init__(
        self,
        steps: Iterator[Step],
        opened: "MutableSet[Body]",
        *,
        error: Callable[[int, str], bytes] | None = None,
        on_close: Callable[[], None] | None = None,
        split: Callable[[bytes], list[bytes]] | None = None,
    ) -> None:
        self.steps = steps
        self.error = error
        self._split = split
        self._pieces: deque[bytes] = deque()
        self.read_timeout: float = math.inf
        self.watch: Watch | None = None
        self._opened = opened
        self._on_close = on_close
        self._count = 0
        opened.add(self)

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> bytes:
        if self not in self._opened:
            raise StopAsyncIteration
        if self._pieces:
            return self._pieces.popleft()
        self._count += 1
        try:
            delay, chunk = next(self.steps)
            if delay > self.read_timeout:
                await anyio.sleep(self.read_timeout)
                raise ReadTimedOut
        except StopIteration:
            self._end("complete")
            raise StopAsyncIteration from None
        except ConnectionDropped:
            self._end("lost")
            raise
        except ReadTimedOut:
            self.close()
            raise
        except Exception:
            self._end("failed")
            raise
        if delay:
            await pause(delay)
        elif self._count % 16 == 0:
            # Without a pace nothing would ever wait: let the others have their turn now and then.
            await anyio.lowlevel.checkpoint()
        if self.watch is not None:
            self.watch.sent(chunk)
        if self._split is None:
            return chunk
        self._pieces.extend(self._split(chunk))
        return self._pieces.popleft()

    def close(self) -> None:
        """End the body at once; harmless when it is over already."""
        self._end("left")

    def _end(self, how: str) -> None:
        if self in self._opened:
            self._opened.discard(self)
            if self._on_close is not None:
                self._on_close()
            if self.watch is not None:
                self.watch.ended(how)


@dataclass(frozen=True, slots=True)
class EmulatedResponse:
    """What the emulated server answers: bytes, or a body to be read as it is made."""

    status: int
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | Body = b""

    def through(
        self, change: Callable[[Iterator[Step]], Iterator[Step]], opened: MutableSet[Body]
    ) -> "EmulatedResponse":
        """The same response with the steps of its body changed; plain bytes count as one step."""
        if isinstance(self.body, Body):
            self.body.steps = change(self.body.steps)
            return self
        steps: list[Step] = [(0.0, self.body)]
        return EmulatedResponse(self.status, self.headers, Body(change(iter(steps)), opened))

    def close(self) -> None:
        """End the body, if it is a streamed one."""
        if isinstance(self.body, Body):
            self.body.close()
