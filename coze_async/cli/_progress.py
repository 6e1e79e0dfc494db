"""How far a batch has come: a bar for somebody who watches, now and then a line for a log."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from coze_async.cli._output import Output
from coze_async.cli._summary import Summary
from coze_async.cli._words import short, spent

__all__ = ["Watch", "shown"]

# Seconds between two lines of a log.
_BETWEEN_LINES = 10.0
_BETWEEN_MOVES = 0.1


class Watch(ABC):
    """Is told of every answer, and from time to time that there was none."""

    def __init__(self, summary: Summary, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._summary = summary
        self._total = total
        self._clock = clock
        self._began = clock()
        self._ended: float | None = None
        self._before = summary.count

    @abstractmethod
    def look(self) -> None:
        """Show how it stands, if it is time to."""

    def close(self) -> None:
        """Let the time stand still: it is over."""
        self._ended = self._clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return (self._clock() if self._ended is None else self._ended) - self._began

    @property
    def done(self) -> int:
        """How many questions were done in this run."""
        return self._summary.count - self._before

    @property
    def rate(self) -> float:
        """Questions that were done in a second, since the beginning of this run."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def words(self) -> str:
        """The rate, the failures and the tokens."""
        summary = self._summary
        words = [f"{self.rate:.1f}/s", f"{sum(summary.failed.values()):,} failed"]
        if tokens := sum(summary.tokens):
            words.append(f"{short(tokens)} tokens")
        return ", ".join(words)


class _Lines(Watch):
    """A line now and then."""

    def __init__(self, summary: Summary, total: int, output: Output) -> None:
        super().__init__(summary, total)
        self._output = output
        self._due = _BETWEEN_LINES

    def look(self) -> None:
        if self.elapsed < self._due:
            return
        self._due = self.elapsed + _BETWEEN_LINES
        left = self._total - self._summary.count
        remaining = f", about {spent(max(1.0, left / self.rate))} left" if self.rate and left else ""
        self._output.note(f"{self._summary.count:,} of {self._total:,}: {self.words}{remaining}")


class _Bar(Watch):
    """A bar that moves."""

    def __init__(self, summary: Summary, total: int, progress: Progress) -> None:
        super().__init__(summary, total)
        self._progress = progress
        self._due = 0.0
        self._task = progress.add_task("", total=total, completed=summary.count, words="")

    def look(self) -> None:
        if self.elapsed < self._due:
            return
        self._due = self.elapsed + _BETWEEN_MOVES
        self._show()

    def close(self) -> None:
        super().close()
        self._show()

    def _show(self) -> None:
        self._progress.update(self._task, completed=self._summary.count, words=self.words)


@contextmanager
def shown(output: Output, summary: Summary, total: int) -> Generator[Watch]:
    """Show how a batch comes along until the block is left."""
    console = Console(stderr=True)
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(summary, total, output)
        return
    columns = (
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[words]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, refresh_per_second=4) as progress:
        yield _Bar(summary, total, progress)
