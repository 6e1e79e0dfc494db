"""`coze-async record`: another command of this program, with its traffic written to a file."""

from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from coze_async import Recorder
from coze_async.cli._output import Output

if TYPE_CHECKING:
    import httpx

__all__ = ["Tape", "new_name", "recorded", "recorded_to", "run_recorded"]

_TAPE: ContextVar["Tape | None"] = ContextVar("coze_async.tape", default=None)


@dataclass
class Tape:
    """A file that the clients of a command are recorded to.

    Attributes:
        path: The file.
        keep: What is not masked.
    """

    path: Path
    keep: Collection[str] = ()
    _recorders: list[Recorder] = field(default_factory=list[Recorder])

    def recorder(self, transport: "httpx.AsyncBaseTransport | None") -> Recorder:
        """Return what records what goes through a transport."""
        recorder = Recorder(self.path, transport, keep=self.keep)
        self._recorders.append(recorder)
        return recorder

    @property
    def exchanges(self) -> int:
        """How many were written."""
        return sum(recorder.exchanges for recorder in self._recorders)

    @property
    def error(self) -> Exception | None:
        """Why recording has stopped, if it has."""
        return next((recorder.error for recorder in self._recorders if recorder.error), None)


@contextmanager
def recorded_to(tape: Tape) -> Generator[None]:
    """Let the clients that are made within be recorded."""
    before = _TAPE.set(tape)
    try:
        yield
    finally:
        _TAPE.reset(before)


def recorded(transport: "httpx.AsyncBaseTransport | None" = None) -> "httpx.AsyncBaseTransport | None":
    """Return what a client sends its requests through: as given, or recorded if the command is."""
    tape = _TAPE.get()
    return transport if tape is None else tape.recorder(transport)


def new_name() -> Path:
    """Return the name of a file that does not exist yet, in the working folder."""
    return Path(f"coze-{datetime.now().astimezone():%Y%m%d-%H%M%S}.jsonl")


def run_recorded(output: Output, command: Sequence[str], tape: Tape, run: Callable[[Sequence[str]], int]) -> int:
    """Run a command and say where it was recorded; returns its exit code."""
    try:
        with recorded_to(tape):
            code = run(command)
    finally:
        output.end_line()
        _tell(output, tape)
    return code


def _tell(output: Output, tape: Tape) -> None:
    if tape.error is not None:
        why = getattr(tape.error, "strerror", None) or tape.error
        output.fail(f"Recording to {tape.path} has stopped: {why}.")
    elif not tape.exchanges:
        output.note("Nothing was sent, so nothing was recorded.")
    else:
        count = f"{tape.exchanges} exchange{'s' if tape.exchanges > 1 else ''}"
        masked = [name for name, what in (("texts", "content"), ("users", "users")) if what not in tape.keep]
        hidden = f", {' and '.join(masked)} masked" if masked else ""
        output.note(f"Recorded {count} to {tape.path}, without credentials{hidden}. See: coze-async replay {tape.path}")
