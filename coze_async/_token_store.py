"""Where a login keeps its token between two runs: in memory, in a file, or where you say."""

import json
import os
import stat
from pathlib import Path
from typing import Protocol

import anyio.to_thread

from coze_async._errors import ConfigurationError
from coze_async._logging import log
from coze_async._token import OAuthToken
from coze_async.models._base import read_json

__all__ = ["FileTokenStore", "MemoryTokenStore", "TokenStore"]

# More than this is no token.
_MOST_BYTES = 1 << 20


class TokenStore(Protocol):
    """Keeps one token. A database or a secret manager needs these two methods and nothing else."""

    async def load(self) -> OAuthToken | None:
        """Return what was saved last, None if there is nothing."""
        ...

    async def save(self, token: OAuthToken) -> None:
        """Keep a token instead of the one before; afterwards that one must not come back."""
        ...


class MemoryTokenStore:
    """Keeps a token as long as the program runs.

    Args:
        token: What to begin with.
    """

    def __init__(self, token: OAuthToken | None = None) -> None:
        self._token = token

    async def load(self) -> OAuthToken | None:
        """Return what was saved last."""
        return self._token

    async def save(self, token: OAuthToken) -> None:
        """Keep a token."""
        self._token = token

    def __repr__(self) -> str:
        return "MemoryTokenStore(***)" if self._token else "MemoryTokenStore()"


class FileTokenStore:
    """Keeps a token in a file that only its owner can read, replaced whole or not at all.

    Args:
        path: The file; its folder is made when needed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path: Path = Path(path).expanduser()

    async def load(self) -> OAuthToken | None:
        """Return the token in the file, None if there is no file.

        Raises:
            ConfigurationError: the file cannot be read, or what is in it is no token.
        """
        content = await anyio.to_thread.run_sync(self._read)
        if content is None:
            return None
        try:
            return read_json(OAuthToken, content)
        except ValueError:
            # Not chained: the cause would show what was read.
            reason = "is empty" if not content.strip() else "holds no token, or only a part of one"
        raise ConfigurationError(
            f"The token file {str(self.path)!r} {reason}. Delete it and log in again (coze-async login)."
        )

    async def save(self, token: OAuthToken) -> None:
        """Put a token in the place of what is in the file.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        content = json.dumps(token.model_dump(mode="json"), ensure_ascii=False, indent=1).encode()
        await anyio.to_thread.run_sync(self._write, content)

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

    def _cannot(self, be: str, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"The token file {str(self.path)!r} cannot be {be}: {error.strerror or error}.")

    def __repr__(self) -> str:
        return f"FileTokenStore({str(self.path)!r})"
