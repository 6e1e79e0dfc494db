"""Where a login keeps its token between two runs: in memory, in a file, or where you say."""

import contextlib
import json
import os
import stat
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from coze_async._errors import StorageError
from coze_async._file_lock import try_lock, unlock
from coze_async._logging import log
from coze_async._token import OAuthToken
from coze_async.models._base import read_json

__all__ = ["FileTokenStore", "MemoryTokenStore", "TokenStore"]

# More than this is no token.
_MOST_BYTES = 1 << 20
# How long a renewal by somebody else is waited for, and how often one looks whether it is over, in seconds.
_PATIENCE = 60.0
_LOOKING = 0.05


class TokenStore(Protocol):
    """Keeps one token. A database or a secret manager needs these two methods and nothing else.

    A store that several programs share does well to have a third one, `lock()`: it returns an async context manager
    that one of them at a time can enter. A login enters it for each renewal, reads the store again, and asks for a new
    token only if the store has none that holds. `FileTokenStore` and `MemoryTokenStore` have it.

    An OSError of a store comes out as a StorageError, every other error as it is.
    """

    async def load(self) -> OAuthToken | None:
        """Return what was saved last, None if there is nothing."""
        ...

    async def save(self, token: OAuthToken) -> None:
        """Keep a token instead of the one before; afterwards that one must not come back.

        It goes on when its caller is cancelled. Limit its time with `anyio.fail_after`: the limits of asyncio do not
        work in it.
        """
        ...


class MemoryTokenStore:
    """Keeps a token as long as the program runs.

    Args:
        token: What to begin with.
    """

    def __init__(self, token: OAuthToken | None = None) -> None:
        self._token = token
        self._lock = threading.Lock()

    async def load(self) -> OAuthToken | None:
        """Return what was saved last."""
        return self._token

    async def save(self, token: OAuthToken) -> None:
        """Keep a token."""
        self._token = token

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Keep other logins that share this store from renewing the token meanwhile.

        Raises:
            StorageError: another login holds the lock for too long.
        """
        await _locked(lambda: self._lock.acquire(blocking=False), repr(self))
        try:
            yield
        finally:
            self._lock.release()

    def __repr__(self) -> str:
        return "MemoryTokenStore(***)" if self._token else "MemoryTokenStore()"


class FileTokenStore:
    """Keeps a token in a file that only its owner can read, replaced whole or not at all.

    Any number of programs on one machine may share it: only one of them renews the token, the others take the new one.

    Args:
        path: The file; its folder is made when needed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path).expanduser()

    async def load(self) -> OAuthToken | None:
        """Return the token in the file, None if there is no file.

        Raises:
            StorageError: the file cannot be read, or what is in it is no token.
        """
        content = await anyio.to_thread.run_sync(self._read)
        if content is None:
            return None
        try:
            return read_json(OAuthToken, content)
        except ValueError:
            # Not chained: the cause would show what was read.
            reason = "is empty" if not content.strip() else "holds no token, or only a part of one"
        raise StorageError(
            f"The token file {str(self.path)!r} {reason}. Delete it and log in again (coze-async login)."
        )

    async def save(self, token: OAuthToken) -> None:
        """Put a token in the place of what is in the file.

        Raises:
            StorageError: the file cannot be written.
        """
        # Not in a thread: nothing can come between a new token and its file, not even the end of the loop.
        self._write(json.dumps(token.model_dump(mode="json"), ensure_ascii=False, indent=1).encode())

    @asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Keep other programs, and other logins in this one, from renewing the token meanwhile.

        The lock is on a file beside the token's, which stays. The system gives it back if a program ends.

        Raises:
            StorageError: the lock cannot be made, or another program holds it for too long.
        """
        path = self.path.with_name(f".{self.path.name}.lock")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(
                f"The token file {str(self.path)!r} cannot be locked: {error.strerror or error}. "
                "No new token was asked for, since it could not be kept. Make the folder writable."
            ) from error
        try:
            await _locked(lambda: self._try_lock(descriptor), f"The token file {str(self.path)!r}")
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    unlock(descriptor)
        finally:
            os.close(descriptor)

    def _try_lock(self, descriptor: int) -> bool:
        try:
            return try_lock(descriptor)
        except OSError as error:
            log.warning(
                "The token file %r cannot be locked (%s): other programs that share it may renew the token too.",
                str(self.path),
                error.strerror or error,
            )
            return True

    def _read(self) -> bytes | None:
        try:
            with self.path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read(_MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._cannot("read", error) from error
        if os.name == "posix" and mode & 0o077:
            log.warning("The token file %r can be read by others (mode %o): chmod 600 it.", str(self.path), mode)
        return content

    def _write(self, content: bytes) -> None:
        import tempfile

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Made with mode 0600; in the same folder, so that putting it in place is one step.
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self.path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._cannot("written", error) from error

    def _cannot(self, be: str, error: OSError) -> StorageError:
        return StorageError(
            f"The token file {str(self.path)!r} cannot be {be}: {error.strerror or error}. "
            "Check the path, its permissions and the disk."
        )

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"


async def _locked(try_once: Callable[[], bool], what: str) -> None:
    """Try to get a lock until it is free; nobody says when that is."""
    deadline = anyio.current_time() + _PATIENCE
    while not try_once():
        if anyio.current_time() >= deadline:
            raise StorageError(
                f"{what} was locked by another renewal for more than {_PATIENCE:g} s. "
                "End the program that hangs, and try again."
            )
        await anyio.sleep(_LOOKING)
