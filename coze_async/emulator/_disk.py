"""The state in a SQLite file: whole things as JSON, by kind and id, written by a thread of its own."""

import contextlib
import json
import os
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from os import PathLike, fspath
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeAlias

from coze_async._errors import ConfigurationError

_MARK = 0x636F7A65  # "coze": whose file it is
_FORM = 2


class Change(NamedTuple):
    """What has become of one thing."""

    kind: str
    id: str
    value: bytes | None
    """JSON; None if it is gone."""


_Work: TypeAlias = "Sequence[Change] | threading.Event | None"


class Disk:
    """A file that remembers what a state holds. One emulator at a time can have it open.

    Raises:
        ConfigurationError: the file is none of ours, is damaged, is open elsewhere, or cannot be made.
    """

    def __init__(self, path: "str | PathLike[str]") -> None:
        self.path: str = fspath(path)
        if self.path in ("", ":memory:") or self.path.startswith("file:"):
            # To SQLite these are no names of files, and nothing would be kept.
            raise refusal(self.path, f"{self.path!r} is not the name of a file")
        try:
            self._connection = _opened(self.path)
        except sqlite3.Error as error:
            raise refusal(self.path, error) from error
        self._failures: list[Exception] = []
        self._queue: SimpleQueue[_Work] = SimpleQueue()
        self._thread = threading.Thread(
            target=_write, args=(self._connection, self._queue, self._failures), name="coze-emulator-disk", daemon=True
        )
        self._thread.start()
        # Also at the end of the process, which does not wait for a daemon.
        self._finalize = weakref.finalize(self, _finish, self._connection, self._queue, self._thread)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """All things with their kinds, in the order in which they were made."""
        for kind, text in self._connection.execute("SELECT kind, value FROM things ORDER BY rowid"):
            yield kind, json.loads(text)

    def write(self, changes: Sequence[Change]) -> None:
        """Hand changes to the thread; returns at once.

        Raises:
            ConfigurationError: an earlier change could not be written.
        """
        self._raise()
        if changes:
            self._queue.put(changes)

    def flush(self) -> None:
        """Wait until all that was handed over is written."""
        written = threading.Event()
        if self._finalize.alive:
            self._queue.put(written)
            written.wait()
        self._raise()

    def close(self) -> None:
        """Write the rest and close the file; harmless when it is closed already."""
        self._finalize()
        self._raise()

    def _raise(self) -> None:
        if self._failures:
            raise ConfigurationError(
                f"The state could not be written to {self.path}: {self._failures[0]}. What was made since then is in "
                "memory only; free the place or choose another file, and start the emulator again."
            ) from self._failures[0]


def _keep_private(path: str) -> None:
    """Let only the owner read the file: tokens are in it. SQLite gives the files beside it the same mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with Path(path).open("rb") as file:
            head = file.read(72)
        # A file of somebody else is refused, and stays as it is.
        if not head or head[68:] == _MARK.to_bytes(4, "big"):
            Path(path).chmod(0o600)
    except OSError as error:
        raise sqlite3.OperationalError(f"unable to open database file ({error.strerror})") from error


def _opened(path: str) -> sqlite3.Connection:
    _keep_private(path)
    # Read here and written by one thread, never at the same time.
    connection = sqlite3.connect(path, timeout=1, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        mark, form = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and (mark != _MARK or form != _FORM):
            raise sqlite3.DatabaseError("it is not the state of an emulator of this version")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS things (kind TEXT, id TEXT, value TEXT NOT NULL, PRIMARY KEY (kind, id))"
        )
        connection.execute(f"PRAGMA application_id = {_MARK}")
        connection.execute(f"PRAGMA user_version = {_FORM}")
        connection.execute("COMMIT")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"it is damaged ({verdict})")
    except BaseException:
        connection.close()
        raise
    return connection


def refusal(path: str, why: object) -> ConfigurationError:
    """The error that says why a file cannot be used, and what to do."""
    if "locked" in str(why):
        return ConfigurationError(
            f"The state {path} is open in another emulator: end that one, or choose another file."
        )
    advice = "Choose another file, or delete this one to begin anew."
    if "not the name" in str(why):
        advice = "Give a path, such as ./coze.sqlite, or none to keep the state in memory."
    if "unable to open" in str(why):
        advice = "Is there such a folder, and may you write there?"
    return ConfigurationError(f"The state {path} cannot be used: {why}. {advice}")


def _write(connection: sqlite3.Connection, queue: "SimpleQueue[_Work]", failures: list[Exception]) -> None:
    """Write what comes until None comes; what is waiting goes into one transaction."""
    while (work := queue.get()) is not None:
        if isinstance(work, threading.Event):
            work.set()
            continue
        try:
            connection.execute("BEGIN")
            for kind, row_id, value in work:
                if value is None:
                    connection.execute("DELETE FROM things WHERE kind = ? AND id = ?", (kind, row_id))
                else:
                    # An update keeps the place of a row, and so the order.
                    connection.execute(
                        "INSERT INTO things VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                        (kind, row_id, value.decode()),
                    )
            connection.execute("COMMIT")
        except (sqlite3.Error, UnicodeError) as error:
            failures.append(error)
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def _finish(connection: sqlite3.Connection, queue: "SimpleQueue[_Work]", thread: threading.Thread) -> None:
    queue.put(None)
    thread.join()
    connection.close()
