"""The file of answers: whole lines and nothing else, whatever happens to the process, the disk, or the file."""

# pyright: reportPrivateUsage=false

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.command import ROOT, environment
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async.cli import _journal
from coze_async.cli._answer import Answer, Failure
from coze_async.cli._batch_item import Origin
from coze_async.cli._connect import UsageError
from coze_async.cli._journal import Journal, JournalError, set_aside


def answer(number: int, *, failure: Failure | None = None, id: str | None = None, text: str = "Yes.") -> Answer:  # noqa: A002
    return Answer(origin=Origin(number, id, f"digest-{number}"), text=text, failure=failure, at=1.0 * number)


def lines_of(path: Path) -> list[int]:
    return [json.loads(line)["line"] for line in path.read_bytes().splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.jsonl"


def write(path: Path, *answers: Answer) -> None:
    with Journal(path) as journal:
        for each in answers:
            journal.write(each)


# --- writing and reading ----------------------------------------------------------------------------------------------


def test_what_was_written_can_be_read(path: Path) -> None:
    failed = answer(2, id="b", failure=Failure("ServerError", "It fell over.", 5000, started=True), text="")
    write(path, answer(1), failed)
    with Journal(path) as journal:
        assert [*journal.answers()] == [answer(1), failed]
        assert journal.count == 2
        journal.write(answer(3))
    assert lines_of(path) == [1, 2, 3]


def test_a_line_is_the_systems_before_anything_else_happens(path: Path) -> None:
    """So the end of the process, however sudden, takes nothing back."""
    with Journal(path) as journal:
        journal.write(answer(1))
        assert lines_of(path) == [1]
        assert journal.unsynced == 1


def test_syncing_waits_for_the_disk_once_for_all_that_was_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with Journal(path) as journal:
        begun = len(synced)
        for number in range(5):
            journal.write(answer(number))
        assert journal.unsynced == 5
        journal.sync()
        journal.sync()
        assert (journal.unsynced, len(synced) - begun) == (0, 1)


def test_a_file_that_stays_empty_is_not_left_behind(path: Path) -> None:
    write(path)
    assert not path.exists()
    path.touch()
    write(path)
    assert path.exists()


def test_a_missing_folder_is_told(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(path / "sub" / "answers.jsonl")


# --- torn lines -------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(st.integers(0, 2), st.integers(0, 400), st.booleans())
def test_wherever_a_crash_cuts_the_file_all_whole_lines_stay(
    tmp_path_factory: pytest.TempPathFactory, whole: int, cut: int, has_id: bool
) -> None:
    path = tmp_path_factory.mktemp("cut") / "answers.jsonl"
    write(path, *[answer(number, id=f"q-{number}" if has_id else None) for number in range(4)])
    lines = path.read_bytes().splitlines(keepends=True)
    torn = lines[whole][:cut]
    path.write_bytes(b"".join(lines[:whole]) + torn)
    # A line is whole with all its braces; only the end of line may be missing then.
    expected = [*range(whole), *([whole] if torn.rstrip(b"\n") == lines[whole].rstrip(b"\n") else [])]
    with Journal(path) as journal:
        assert [found.origin.line for found in journal.answers()] == expected
        journal.write(answer(9))
    assert lines_of(path) == [*expected, 9]


@pytest.mark.parametrize("torn", [b"\0" * 5000, b'{"id": "\xe8\x8c', b'{"line": 2, "ok": tr' + b"x" * 200_000])
def test_what_a_power_cut_leaves_at_the_end_is_cut_off(path: Path, torn: bytes) -> None:
    write(path, answer(1))
    with path.open("ab") as file:
        file.write(torn)
    write(path, answer(2))
    assert lines_of(path) == [1, 2]
    # After a line of ours it need not look like one.
    with path.open("ab") as file:
        file.write(b"\xff\xff")
    write(path, answer(3))
    assert lines_of(path) == [1, 2, 3]
    path.write_bytes(torn)
    write(path, answer(3))
    assert lines_of(path) == [3]


def test_a_line_that_lacks_nothing_but_its_end_is_kept(path: Path) -> None:
    """As an editor leaves a file."""
    write(path, answer(1), answer(2))
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    write(path, answer(3))
    assert lines_of(path) == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"one line without an end", "holds something else than answers"),
        (b"a letter\nto a friend", "holds something else than answers"),
        (b'a letter\n{"line": 1, "to": "a fri', "holds something else than answers"),
        (b"a letter\nto a friend\n", "line 1, is not the answer to a question"),
        (b'{"line": 1}\n', "line 1, is not the answer"),
        (b'{"message": "a question"}\n', "line 1, is not the answer"),
        (b"[]\n7\n", "line 1, is not the answer"),
    ],
)
def test_a_file_that_is_not_ours_is_left_as_it_is(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)

    def go_on() -> None:
        with Journal(path) as journal:
            assert [*journal.answers()]

    with pytest.raises(UsageError, match=words):
        go_on()
    assert path.read_bytes() == content


def test_a_line_that_is_broken_in_the_middle_is_told_by_its_number(path: Path) -> None:
    write(path, answer(1), answer(2))
    path.write_bytes(path.read_bytes() + b"{}\n" + answer(3).line())
    with Journal(path) as journal, pytest.raises(UsageError, match=r"answers\.jsonl, line 3, is not"):
        list(journal.answers())


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a regular file"), Journal(tmp_path):
        raise AssertionError


# --- one writer -------------------------------------------------------------------------------------------------------


def test_a_second_writer_is_kept_out(path: Path) -> None:
    with Journal(path) as journal:
        journal.write(answer(1))
        with pytest.raises(UsageError, match="is being written by another `coze-async batch`"), Journal(path):
            raise AssertionError
    write(path, answer(2))
    assert lines_of(path) == [1, 2]


# --- a disk without room ----------------------------------------------------------------------------------------------


def test_a_line_that_does_not_fit_leaves_no_trace(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = 700
    true_write = os.write

    def little_room(file: int, data: Any) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = true_write(file, bytes(data[:room]))
        room -= written
        return written

    def fill(journal: Journal) -> Iterator[int]:
        for number in range(100):
            journal.write(answer(number))
            yield number

    with Journal(path) as journal:
        monkeypatch.setattr(os, "write", little_room)
        written = fill(journal)
        with pytest.raises(JournalError, match=r"answers\.jsonl cannot be written: No space left on device\. It holds"):
            list(written)
        count = journal.count
        journal.sync()
    monkeypatch.undo()
    assert 1 < count < 10
    assert lines_of(path) == [*range(count)]
    write(path, answer(99))
    assert lines_of(path) == [*range(count), 99]


@pytest.mark.skipif(os.name != "posix", reason="needs a limit for the size of files")
def test_a_limit_of_the_system_is_met_as_a_full_disk(path: Path) -> None:
    program = f"""
import resource
from pathlib import Path
from coze_async.cli._answer import Answer
from coze_async.cli._batch_item import Origin
from coze_async.cli._journal import Journal, JournalError
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
with Journal(Path({str(path)!r})) as journal:
    try:
        for number in range(100):
            journal.write(Answer(origin=Origin(number, None, "d")))
    except JournalError as error:
        print(error)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    assert "cannot be written: File too large. It holds" in ended.stdout
    lines = lines_of(path)
    assert lines == [*range(len(lines))]
    assert len(lines) > 2


def test_a_disk_that_does_not_keep_what_it_took_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Journal(path) as journal:
        journal.write(answer(1))
        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(JournalError, match=r"Input/output error\. It holds 1 whole answer\."):
            journal.sync()


# --- failures that were asked again -----------------------------------------------------------------------------------

FAILED = Failure("RateLimitError", "Too many.", 4013)


def test_the_last_line_of_what_was_asked_again_stays(path: Path) -> None:
    write(
        path,
        answer(1, failure=FAILED),
        answer(2),
        answer(3, id="c", failure=FAILED),
        answer(4, failure=FAILED),
        answer(3, id="c", failure=FAILED),
        answer(1),
        answer(3, id="c", text="At last."),
    )
    path.chmod(0o640)
    with Journal(path) as journal:
        journal.without_earlier({1, "c", 4})
    with Journal(path) as journal:
        assert [*journal.answers()] == [
            answer(2),
            answer(4, failure=FAILED),
            answer(1),
            answer(3, id="c", text="At last."),
        ]
    assert path.stat().st_mode & 0o777 == 0o640
    assert [*path.parent.iterdir()] == [path]


def test_without_room_for_a_new_file_the_old_one_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, answer(1, failure=FAILED), answer(1))
    before = path.read_bytes()

    def failing(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with Journal(path) as journal:
        monkeypatch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="No space left"):
            journal.without_earlier({1})
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


def test_a_link_stays_a_link(path: Path, tmp_path: Path) -> None:
    true = tmp_path / "elsewhere.jsonl"
    path.symlink_to(true)
    write(path, answer(1, failure=FAILED), answer(1))
    with Journal(path) as journal:
        journal.without_earlier({1})
    assert path.is_symlink()
    assert lines_of(true) == [1]


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody is kept out, and no folder is synced")
def test_a_file_system_that_knows_no_locks_and_syncs_no_folders_will_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As some that lie behind a network."""
    really = os.fsync

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    def no_folders(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        really(file)

    monkeypatch.setattr("coze_async.cli._journal.fcntl.flock", no_locks)
    monkeypatch.setattr(os, "fsync", no_folders)
    with Journal(path) as journal:
        journal.write(answer(1))
        journal.sync()
    assert lines_of(path) == [1]
    assert set_aside(path)


# --- setting aside ----------------------------------------------------------------------------------------------------


def test_a_file_is_set_aside_under_a_name_that_is_free(path: Path) -> None:
    assert set_aside(path) is None
    path.touch()
    assert set_aside(path) is None
    for number in (1, 2):
        path.write_text(f"{number}")
        assert set_aside(path) == path.with_name(f"answers.jsonl.{number}")
    assert not path.exists()
    assert path.with_name("answers.jsonl.1").read_text() == "1"


# --- replaced between opening and locking -----------------------------------------------------------------------------


def replaced_before_the_first_lock(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let another batch put a new file in the place of one that has been opened and is not locked yet."""
    lock = _journal._lock

    def late(file: int, of: Path) -> None:
        monkeypatch.setattr(_journal, "_lock", lock)
        beside = path.with_name("beside")
        beside.write_bytes(answer(7).line())
        beside.replace(path)
        lock(file, of)

    monkeypatch.setattr(_journal, "_lock", late)


@pytest.mark.parametrize("is_new", [True, False])
def test_a_file_that_was_replaced_before_it_was_locked_is_opened_anew(
    is_new: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_new:
        write(path, answer(1))
    replaced_before_the_first_lock(monkeypatch, path)
    write(path, answer(8))
    assert lines_of(path) == [7, 8]


def test_a_file_that_was_replaced_is_not_set_aside(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, answer(1))
    replaced_before_the_first_lock(monkeypatch, path)
    with pytest.raises(UsageError, match="was replaced by another"):
        set_aside(path)
    assert lines_of(path) == [7]


def test_a_file_that_somebody_deletes_before_it_is_locked_is_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = _journal._lock

    def late(file: int, of: Path) -> None:
        monkeypatch.setattr(_journal, "_lock", lock)
        path.unlink()
        lock(file, of)

    monkeypatch.setattr(_journal, "_lock", late)
    write(path, answer(1))
    assert lines_of(path) == [1]
