"""From where answers come to the file where they stay."""

import contextlib
import threading

import anyio
import anyio.to_thread

from coze_async.cli._answer import Answer
from coze_async.cli._answers import Answers
from coze_async.cli._journal import Journal, JournalError
from coze_async.cli._progress import Watch
from coze_async.cli._summary import Summary

__all__ = ["Collector"]

# What the end of the machine may take back: so many answers, and those of so many seconds.
_UNSYNCED = 100
_UNSYNCED_SECONDS = 0.5


class Collector:
    """Writes answers down as they come, and counts them.

    Attributes:
        failure: Why they cannot be written any more, None if they can.
        unwritten: How many had come by then.
        stopped_by: Why the questions were not all asked, None if they were.
        has_ended: Set unless answers are being written.
    """

    def __init__(self, journal: Journal, summary: Summary, watch: Watch) -> None:
        self._journal = journal
        self._summary = summary
        self._watch = watch
        self._due = 0.0
        self.failure: JournalError | None = None
        self.unwritten = 0
        self.stopped_by: str | None = None
        self.has_ended = threading.Event()
        self.has_ended.set()

    async def collect(self, answers: Answers) -> None:
        """Write answers until there are no more, or no room; also those that had come when this was cancelled."""
        self.has_ended.clear()
        try:
            with contextlib.suppress(JournalError):
                async with answers:
                    while (answer := await self._next(answers)) is not None:
                        self._keep(answer)
        finally:
            # What had come is paid for.
            for answer in answers.untaken:
                with contextlib.suppress(JournalError):
                    self._keep(answer)
            with contextlib.suppress(JournalError):
                self._sync()
            self.stopped_by = answers.stopped_by
            self.has_ended.set()

    async def _next(self, answers: Answers) -> Answer | None:
        """Return the next answer, None at the end; what was written becomes safe meanwhile."""
        journal = self._journal
        while True:
            now = anyio.current_time()
            if not journal.unsynced:
                self._due = now + _UNSYNCED_SECONDS
            elif journal.unsynced >= _UNSYNCED or now >= self._due:
                await anyio.to_thread.run_sync(self._sync)
                continue
            with anyio.CancelScope(deadline=self._due):
                return await anext(answers, None)
            self._watch.look()

    def _keep(self, answer: Answer) -> None:
        if self.failure is not None:
            self.unwritten += 1
            return
        try:
            self._journal.write(answer)
        except JournalError as error:
            self.failure = error
            self.unwritten += 1
            raise
        self._summary.add(answer)
        self._watch.look()

    def _sync(self) -> None:
        try:
            self._journal.sync()
        except JournalError as error:
            self.failure = error
            raise
