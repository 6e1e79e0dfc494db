"""The file of answers: one writer, nothing but whole lines, and on the disk when it says so."""

import contextlib
import os
import shutil
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Self

from coze_async.cli._answer import Answer
from coze_async.cli._connect import UsageError
from coze_async.cli._words import counted

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has another way, and there nobody is kept out
    fcntl = None  # type: ignore[assignment]

__all__ = ["Journal", "JournalError", "set_aside"]

# How an answer begins, with an id and without.
_BEGINNINGS = (b'{"id": ', b'{"line": ')


class JournalError(Exception):
    """The file of answers can no longer be written; says why, and what is safe."""


class Journal:
    """A file of answers, open for one writer.

    A line is handed to the system as soon as it is written, so that no end of this process can take it back; `sync`
    then sees to it that it outlives the machine's end too.

    Attributes:
        path: The file.
        count: How many lines it holds.
        unsynced: How many of them may be lost if the machine stops now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.unsynced = 0
        self._file = -1
        self._is_new = False
        # Where the last whole line ends.
        self._end = 0

    def __enter__(self) -> Self:
        """Open the file, and cut off the line that a crash has torn.

        Raises:
            UsageError: another process writes it, or it is no file of answers.
            OSError: it cannot be opened.
        """
        # Another batch may put a new file in the place of the one that was opened, before that is locked.
        while not self._is_opened():
            pass
        try:
            if self._is_new:
                _sync_folder(self.path)
            self._mend()
        except BaseException:
            os.close(self._file)
            raise
        return self

    def _is_opened(self) -> bool:
        """Open and lock the file; False if it lies there no more by then."""
        self._is_new = not self.path.exists()
        if not self._is_new and not self.path.is_file():
            raise UsageError(f"{self.path} is not a regular file; `--out` must be resumable.")
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        is_locked = False
        try:
            _lock(self._file, self.path)
            is_locked = _is_at(self._file, self.path)
        finally:
            if not is_locked:
                os.close(self._file)
        return is_locked

    def __exit__(self, *_: object) -> None:
        if self._is_new and not self._end and _is_at(self._file, self.path):
            # Nothing was asked; nothing stays behind.
            self.path.unlink(missing_ok=True)
        # Closing lets go of the lock too.
        os.close(self._file)

    def answers(self) -> Iterator[Answer]:
        """Yield what the file holds, in the order of writing.

        Raises:
            UsageError: a line is no answer.
        """
        with self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    answer = Answer.read(line)
                except ValueError as error:
                    raise UsageError(
                        f"{self.path}, line {number}, is not the answer to a question, so the file is left alone. "
                        "Give another --out."
                    ) from error
                self.count = number
                yield answer

    def write(self, answer: Answer) -> None:
        """Add an answer.

        Raises:
            JournalError: it cannot be written; the file ends with the answer before.
        """
        line = answer.line()
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
            raise self._failed(error) from error
        self._end += len(line)
        self.count += 1
        self.unsynced += 1

    def sync(self) -> None:
        """Wait until all that was written is on the disk.

        Raises:
            JournalError: the disk says no.
        """
        if not self.unsynced:
            return
        self.unsynced = 0
        try:
            os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from error

    def without_earlier(self, keys: Container[str | int]) -> None:
        """Write the file anew with only the last line of each of some questions; all others stay as they are.

        Raises:
            OSError: there is no room for it; then nothing has changed.
        """
        last = {answer.origin.key: number for number, answer in enumerate(self.answers()) if answer.origin.key in keys}
        path = self.path.resolve()
        beside = path.with_name(f"{path.name}.new")
        try:
            with path.open("rb") as old, beside.open("wb") as new:
                shutil.copymode(path, beside)
                for number, line in enumerate(old):
                    if last.get(Answer.read(line).origin.key, number) == number:
                        new.write(line)
                new.flush()
                os.fsync(new.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        _sync_folder(path)

    def _mend(self) -> None:
        """See to it that the file ends with a whole line; of a file that is not ours nothing is cut off."""
        torn, self._end = self._tail()
        if not torn:
            return
        try:
            Answer.read(torn)
        except ValueError:
            if not self._is_ours(torn):
                raise UsageError(f"{self.path} holds something else than answers. Give another --out.") from None
            os.ftruncate(self._file, self._end)
        else:
            # An editor has taken the last end of line away.
            os.write(self._file, b"\n")
            self._end += len(torn) + 1
        os.fsync(self._file)

    def _tail(self) -> tuple[bytes, int]:
        """Return what follows the last end of line, and where it begins."""
        with self.path.open("rb") as file:
            size, length = file.seek(0, os.SEEK_END), 65_536
            while True:
                begin = max(0, size - length)
                file.seek(begin)
                tail = file.read()
                cut = tail.rfind(b"\n") + 1
                if cut or not begin:
                    return tail[cut:], begin + cut
                length *= 4

    def _is_ours(self, torn: bytes) -> bool:
        if self._end:
            with self.path.open("rb") as file:
                torn = file.readline()
            try:
                Answer.read(torn)
            except ValueError:
                return False
            return True
        return not torn.strip(b"\0") or any(torn.startswith(text) or text.startswith(torn) for text in _BEGINNINGS)

    def _failed(self, error: OSError) -> JournalError:
        return JournalError(
            f"{self.path} cannot be written: {error.strerror}. It holds {counted(self.count, 'whole answer')}."
        )


def set_aside(path: Path) -> Path | None:
    """Give an existing file a name that is free; returns that name, None if there was no file.

    Raises:
        UsageError: another process writes it.
    """
    if not path.is_file() or not path.stat().st_size:
        return None
    with path.open("rb") as file:
        _lock(file.fileno(), path)
        if not _is_at(file.fileno(), path):
            raise UsageError(f"{path} was replaced by another `coze-async batch` just now. Run the command again.")
        number = 1
        while (free := path.with_name(f"{path.name}.{number}")).exists():
            number += 1
        path.rename(free)
    return free


def _lock(file: int, path: Path) -> None:
    """Keep all other processes out of a file until it is closed, where the file system can."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"{path} is being written by another `coze-async batch`. Wait for it.") from None
    except OSError:
        # Some network file systems know no locks.
        return


def _is_at(file: int, path: Path) -> bool:
    """True if an open file is still the one that its path leads to."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sync_folder(path: Path) -> None:
    """See to it that a file that is new in its folder is found there after a power cut, where the system can."""
    if os.name != "posix":
        return
    # Not every file system syncs folders, and not every folder that can be written can be read.
    with contextlib.suppress(OSError):
        folder = os.open(path.resolve().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
