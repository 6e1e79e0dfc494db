"""From answers to the file: nothing that had come is lost, and what is written is soon on the disk."""

import errno
import os
from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path
from typing import Self

import anyio
import pytest

from coze_async.cli._answer import Answer
from coze_async.cli._batch_item import Origin
from coze_async.cli._collect import Collector
from coze_async.cli._journal import Journal
from coze_async.cli._progress import Watch
from coze_async.cli._summary import Summary


class Looks(Watch):
    """Counts how often it was told to look."""

    count = 0

    def look(self) -> None:
        self.count += 1


class Planned:
    """Answers at given times, and some that had come when the block was left."""

    def __init__(self, *gaps: float, left: int = 0, stopped_by: str | None = None) -> None:
        self.gaps = [*gaps]
        self.left = left
        self.stopped_by = stopped_by
        self.given = 0
        self.has_left = False

    def _answer(self) -> Answer:
        self.given += 1
        return Answer(origin=Origin(self.given, None, f"digest-{self.given}"), text="Yes.")

    @property
    def untaken(self) -> list[Answer]:
        assert self.has_left
        return [self._answer() for _ in range(self.left)]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.has_left = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer:
        if not self.gaps:
            raise StopAsyncIteration
        # What is waited for is not lost when the waiting is given up.
        while self.gaps[0] > 0:
            began = anyio.current_time()
            try:
                await anyio.sleep(self.gaps[0])
            finally:
                self.gaps[0] -= anyio.current_time() - began
            if self.gaps[0] < 1e-6:
                break
        self.gaps.pop(0)
        return self._answer()


@pytest.fixture
def journal(tmp_path: Path) -> Generator[Journal]:
    with Journal(tmp_path / "answers.jsonl") as journal:
        yield journal


@pytest.fixture
def syncs(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, int]]:
    """When the disk was waited for, and how many answers were then written."""
    seen: list[tuple[float, int]] = []
    true_sync = journal.sync

    def sync() -> None:
        if journal.unsynced:
            seen.append((clock(), journal.count))
        true_sync()

    clock: Callable[[], float] = anyio.current_time
    monkeypatch.setattr(journal, "sync", sync)

    async def at_once(function: Callable[[], None]) -> None:
        # A thread would be overtaken by the virtual clock.
        function()

    monkeypatch.setattr(anyio.to_thread, "run_sync", at_once)
    return seen


def collector(journal: Journal) -> Collector:
    summary = Summary()
    return Collector(journal, summary, Looks(summary, 100))


async def test_every_answer_is_written_and_counted(journal: Journal, syncs: list[tuple[float, int]]) -> None:
    summary = Summary()
    collecting = Collector(journal, summary, Looks(summary, 3))
    assert collecting.has_ended.is_set()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collecting.collect, Planned(0.0, 0.0, 5.0))
        await anyio.sleep(1.0)
        assert not collecting.has_ended.is_set()
        assert summary.count == 2
    assert [answer.origin.line for answer in journal.answers()] == [1, 2, 3]
    assert collecting.has_ended.is_set()
    assert summary.answered == 3
    assert (collecting.failure, collecting.unwritten, collecting.stopped_by) == (None, 0, None)
    assert [count for _, count in syncs] == [2, 3]


async def test_the_disk_is_waited_for_twice_a_second_or_every_hundred_answers(
    journal: Journal, syncs: list[tuple[float, int]]
) -> None:
    began = anyio.current_time()
    # A trickle of four a second, a silence, a flood.
    await collector(journal).collect(Planned(*[0.25] * 8, 10.0, *[0.0] * 350))
    times = [(round(moment - began, 2), count) for moment, count in syncs]
    written = [count - before for (_, before), (_, count) in pairwise([(0.0, 0), *times])]
    assert max(written) == 100
    # The one that ended the silence is the first of the flood.
    assert written[-4:] == [100, 100, 100, 51]
    trickle = [moment for moment, _ in times if moment < 11.0]
    # No answer waits longer than half a second.
    assert all(any(0 <= moment - came <= 0.51 for moment in trickle) for came in (0.25 * n for n in range(1, 9)))
    assert len(trickle) <= 5


async def test_somebody_looks_even_when_nothing_comes(journal: Journal, syncs: list[tuple[float, int]]) -> None:
    summary = Summary()
    looks = Looks(summary, 1)
    await Collector(journal, summary, looks).collect(Planned(10.0))
    assert looks.count >= 19


async def test_what_had_come_when_it_was_stopped_is_written(journal: Journal, syncs: list[tuple[float, int]]) -> None:
    collecting, answers = collector(journal), Planned(0.0, 0.0, 60.0, left=4)
    with anyio.move_on_after(5.0) as scope:
        await collecting.collect(answers)
    assert scope.cancelled_caught
    assert len([*journal.answers()]) == 6
    assert (journal.unsynced, collecting.has_ended.is_set()) == (0, True)


async def test_why_it_ended_early_is_kept(journal: Journal, syncs: list[tuple[float, int]]) -> None:
    collecting = collector(journal)
    await collecting.collect(Planned(0.0, stopped_by="no credits"))
    assert collecting.stopped_by == "no credits"


@pytest.mark.parametrize("left", [0, 2])
async def test_a_full_disk_ends_it_and_what_found_no_room_is_counted(
    left: int, journal: Journal, syncs: list[tuple[float, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    true_write, written = os.write, 0

    def write(file: int, data: bytes) -> int:
        nonlocal written
        if written == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written += 1
        return true_write(file, bytes(data))

    monkeypatch.setattr(os, "write", write)
    collecting, answers = collector(journal), Planned(*[0.0] * 9, left=left)
    await collecting.collect(answers)
    assert (collecting.unwritten, len([*journal.answers()])) == (1 + left, 3)
    assert "No space left on device. It holds 3 whole answers." in str(collecting.failure)
    # The rest was not waited for: it would be lost too.
    assert answers.has_left
    assert len(answers.gaps) == 5


async def test_a_disk_that_fails_later_ends_it_too(
    journal: Journal, syncs: list[tuple[float, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    collecting = collector(journal)
    await collecting.collect(Planned(0.0, 5.0, 5.0, left=2))
    assert "Input/output error" in str(collecting.failure)
    assert collecting.has_ended.is_set()
    # Such a disk is given nothing more.
    assert (collecting.unwritten, len([*journal.answers()])) == (2, 1)
