"""Answers that are files: iterated, read whole, or saved, without being whole in memory."""

import contextlib
import errno
import secrets
import threading
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import anyio

from coze_async._checks import NotCopied
from coze_async._core import Core
from coze_async._envelope import content_type_of, length_of, logid_of
from coze_async._errors import ClosedError, CozeError, RequestTimeoutError, TransportError
from coze_async._exchange import Request
from coze_async._open_response import OpenResponse
from coze_async._threads import in_thread

__all__ = ["Download"]

# How much is gathered before a thread writes it.
_BATCH = 1 << 18


class Download(NotCopied):
    """A file that a server sends. It is read once: by iteration, by `read`, or by `save`.

    Read to its end, the connection is used again; left early, by `async with`, `aclose`, an error, cancellation or the
    last reference, it is closed.

    Attributes:
        content_type: Such as "audio/mpeg", without parameters.
        size: All its bytes; None if the server does not say.
        logid: What Coze support asks for.
    """

    instead = "Keep what `await download.read()` returned, or the file that it was saved as."

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
        part = _Part(target.with_name(f".{secrets.token_hex(8)}.part"))
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

    async def _save(self, target: Path, part: "_Part", progress: Callable[[int, int | None], object] | None) -> None:
        waiting = bytearray()
        try:
            await in_thread(part.open)
            async for piece in self:
                waiting += piece
                if len(waiting) >= _BATCH:
                    await in_thread(part.write, bytes(waiting))
                    waiting.clear()
                if progress is not None:
                    progress(self._received, self.size)
            await in_thread(part.finish, bytes(waiting), target)
        except BaseException:
            # Not in a thread: however this ends, even with its event loop, nothing stays behind.
            part.discard()
            raise

    async def _next(self, opened: OpenResponse) -> bytes:
        """Return the next piece; StopAsyncIteration at the end, when everything has been given back."""
        response = opened.response
        try:
            while (piece := response.read_nowait()) is None:
                await response.wait()
            if opened.until is not None and anyio.current_time() >= opened.until.at:
                # What is here was not asked for in time: a caller who is slow finds pieces without waiting.
                raise RequestTimeoutError("", timeout=opened.until.name)
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
        if self._open is not opened:
            # Half a file must not be taken for the whole.
            raise ClosedError("This download was closed by another task while it was being read.")
        if not piece:
            self._open = None
            # An empty file may be the surplus of another answer.
            await opened.aclose(reuse=self._received > 0)
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


class _Part:
    """A file that is not whole yet, beside its place. Its methods are called in threads, `discard` anywhere."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._is_given_up = False
        self._lock = threading.Lock()

    def open(self) -> None:
        """Make the file."""
        with self._lock:
            if not self._is_given_up:
                self._file = self._path.open("xb")

    def write(self, data: bytes) -> None:
        """Add to the file."""
        with self._lock:
            if self._file is not None:
                self._file.write(data)

    def finish(self, rest: bytes, target: Path) -> None:
        """Write the rest and move the file to its place."""
        with self._lock:
            if self._file is not None:
                self._file.write(rest)
                self._file.close()
                self._path.replace(target)
                self._file = None

    def discard(self) -> None:
        """Close and remove the file, unless it is at its place already."""
        with self._lock:
            self._is_given_up = True
            file, self._file = self._file, None
            if file is not None:
                # A full disk may be why it is given up, and says so once more.
                with contextlib.suppress(OSError):
                    file.close()
                self._path.unlink(missing_ok=True)
