"""Answers that are files: iterated, read whole, or saved, without being whole in memory."""

import errno
import secrets
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import anyio
import anyio.to_thread

from coze_async._core import Core
from coze_async._envelope import content_type_of, length_of, logid_of
from coze_async._errors import ClosedError, CozeError, RequestTimeoutError, TransportError
from coze_async._exchange import Request
from coze_async._open_response import OpenResponse

__all__ = ["Download"]

# How much is gathered before a thread writes it.
_BATCH = 1 << 18


class Download:
    """A file that a server sends. It is read once: by iteration, by `read`, or by `save`.

    Read to its end, the connection is used again; left early, by `async with`, `aclose`, an error, cancellation or the
    last reference, it is closed.

    Attributes:
        content_type: Such as "audio/mpeg", without parameters.
        size: All its bytes; None if the server does not say.
        logid: What Coze support asks for.
    """

    def __init__(self, core: Core, request: Request, opened: OpenResponse) -> None:
        headers = opened.headers
        self._core = core
        self._request = request
        self._open: OpenResponse | None = opened
        self._reading = False
        self._received = 0
        self.content_type: str = content_type_of(headers)
        # What is announced is the size on the way: compressed, if it is.
        self.size: int | None = None if "content-encoding" in headers else length_of(headers)
        self.logid: str | None = logid_of(headers)

    def __repr__(self) -> str:
        return f"Download({self.content_type!r}, size={self.size})"

    def __aiter__(self) -> Self:
        self._check_open()
        return self

    async def __anext__(self) -> bytes:
        if self._reading:
            raise RuntimeError("This download is being read by another task.")
        if self._open is None:
            raise StopAsyncIteration
        self._reading = True
        try:
            piece = await self._next(self._open)
        except BaseException:
            await self.aclose()
            raise
        finally:
            self._reading = False
        self._received += len(piece)
        return piece

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def read(self) -> bytes:
        """Read to the end and return the whole.

        Raises:
            TransportError: the connection was lost before the end.
        """
        return b"".join([piece async for piece in self])

    async def save(
        self, path: str | PathLike[str], *, progress: Callable[[int, int | None], object] | None = None
    ) -> Path:
        """Read to the end, into a file that is there only when it is whole.

        It is written beside its place under another name and moved there at the end, in threads.

        Args:
            path: Where; a file that is there is replaced.
            progress: Called with the bytes that were received and all bytes, None if that is not known.

        Returns:
            The path.

        Raises:
            TransportError: the connection was lost before the end; there is no new file.
            OSError: it cannot be written there.
        """
        self._check_open()
        target = Path(path)
        part = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            await self._save(target, part, progress)
        except OSError as error:
            if isinstance(error, CozeError):
                raise
            # With the name that the caller knows.
            raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(target)) from error
        finally:
            await self.aclose()
        return target

    async def aclose(self) -> None:
        """Free the connection; more than once does no harm."""
        opened, self._open = self._open, None
        if opened is not None:
            await opened.aclose()

    def __del__(self) -> None:
        # A constructor that failed has set nothing.
        opened: OpenResponse | None = getattr(self, "_open", None)
        if opened is not None:
            opened.abandon()

    async def _save(self, target: Path, part: Path, progress: Callable[[int, int | None], object] | None) -> None:
        file: IO[bytes] | None = None
        waiting = bytearray()
        try:
            # A thread is never left alone: what it has opened is known here before anything can be cancelled.
            file = await anyio.to_thread.run_sync(part.open, "xb")
            async for piece in self:
                waiting += piece
                if len(waiting) >= _BATCH:
                    await anyio.to_thread.run_sync(file.write, bytes(waiting))
                    waiting.clear()
                if progress is not None:
                    progress(self._received, self.size)
            await anyio.to_thread.run_sync(_finish, file, bytes(waiting), part, target)
        except BaseException:
            if file is not None:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(_discard, file, part)
            raise

    async def _next(self, opened: OpenResponse) -> bytes:
        """Return the next piece; StopAsyncIteration at the end, when everything has been given back."""
        response = opened.response
        try:
            while (piece := response.read_nowait()) is None:
                await response.wait()
        except RequestTimeoutError as error:
            allowed = getattr(self._core.options.timeouts, error.timeout)
            within = "in time, by a limit of the transport" if allowed is None else f"within {allowed:g} s"
            raise RequestTimeoutError(
                f"{self._request.name}: the file did not come {within} (Timeouts.{error.timeout}), {self._so_far()}. "
                f"Raise Timeouts.{error.timeout} if it needs longer.",
                timeout=error.timeout,
            ) from error
        except TransportError as error:
            raise TransportError(
                f"{self._request.name}: the connection was lost ({error.reason}), {self._so_far()}. Ask for it again.",
                reason=error.reason,
            ) from error
        if not piece:
            self._open = None
            await opened.aclose(reuse=True)
            raise StopAsyncIteration
        return piece

    def _so_far(self) -> str:
        of = "" if self.size is None else f" of {self.size}"
        return f"after {self._received}{of} bytes{f' [logid {self.logid}]' if self.logid else ''}"

    def _check_open(self) -> None:
        if self._open is None:
            raise ClosedError(
                "This download was already read or closed. Ask for it again, or keep what `await download.read()` "
                "returned."
            )


def _finish(file: IO[bytes], rest: bytes, part: Path, target: Path) -> None:
    """Write the rest and move the file to its place; called in a thread."""
    file.write(rest)
    file.close()
    part.replace(target)


def _discard(file: IO[bytes], part: Path) -> None:
    """Close and remove what is not whole; called in a thread."""
    try:
        file.close()
    finally:
        part.unlink(missing_ok=True)
