"""Where words go: answers to stdout, all that is said about them to stderr."""

import errno
import json
import logging
import os
import re
import stat
import sys
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.text import Text

from coze_async.cli._visible import SEAM, as_json, breakable, visible

__all__ = ["Harmless", "Output", "whole_characters"]

# How long a program behind a pipe gets to show an answer before something is said about it, in seconds.
_BEHIND_A_PIPE = 0.05
# Blanks alone are a word too: else a long run of them would be tried from each of its characters.
_WORD = re.compile(r"\s*\S+\s*|\s+")


class Output:
    """The two streams of one command."""

    def __init__(self) -> None:
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            # A stream that cannot say a character says its number.
            if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
                reconfigure(errors="surrogateescape" if stream is sys.stdin else "backslashreplace")
        self.table = Console(highlight=False)
        self._notes = Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._at_line_start = True
        self._is_behind = False

    @property
    def is_terminal(self) -> bool:
        """True if somebody watches the answer being written."""
        return sys.stdout.isatty()

    def write(self, text: str) -> None:
        """Write a piece of an answer, at once."""
        if not text:
            return
        sys.stdout.write(visible(text) if self.is_terminal else text)
        sys.stdout.flush()
        self._at_line_start = text.endswith("\n")
        self._is_behind = True

    def write_lines(self, text: str) -> None:
        """Write lines that are no answer; a terminal gets them wrapped at words."""
        if self.is_terminal:
            self._print(self.table, Text(breakable(visible(text))))
        else:
            self.write(f"{text}\n")

    @contextmanager
    def answer(self) -> Generator[Callable[[str], None]]:
        """Yield what writes an answer piece by piece; a terminal shows its Markdown as it is meant."""
        if not self.is_terminal:
            yield self.write
            return
        # It takes longer to load than all else, and is needed here only.
        from coze_async.cli._markdown import MarkdownWriter

        with MarkdownWriter(self.table, self.write) as writer:
            yield writer.write

    def line(self, *pieces: tuple[str, str]) -> None:
        """Write one line of pieces, each with its style; a terminal shows what fits into its width."""
        text = Text("  ").join(Text(visible(piece, one_line=True), style) for piece, style in pieces if piece)
        if self.is_terminal:
            self.table.print(text, no_wrap=True, overflow="ellipsis")
        else:
            self.table.print(text, soft_wrap=True)

    def end_line(self) -> None:
        """See to it that what comes next begins a line."""
        if not self._at_line_start:
            self.write("\n")

    def write_json(self, value: Mapping[str, Any]) -> None:
        """Write one JSON object on a line of its own."""
        text = as_json(value)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            text = json.dumps(value, default=str)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def note(self, text: str, *, end: str = "\n") -> None:
        """Say something about the answer, dimly."""
        self._say(Text(breakable(visible(text)), style="dim"), end=end)

    def wait(self) -> None:
        """Tell somebody who watches that nothing will be seen for a while."""
        if self.is_terminal:
            self.note("Waiting for the whole answer ...")

    def tell(self, text: str) -> None:
        """Say something that is meant to be read."""
        self._say(Text(breakable(visible(text))))

    def fail(self, error: BaseException | str, *, debug: bool = False) -> None:
        """Say what went wrong in one message; the traceback only for those who look for it."""
        if debug and isinstance(error, BaseException):
            self.trace(error)
        words = describe(error) if isinstance(error, OSError) else str(error)
        self._say(Text.assemble(("error: ", "bold red"), breakable(visible(words))))

    def trace(self, error: BaseException) -> None:
        """Show a traceback, in which nothing that a server has sent is obeyed."""
        # Python's own: a prettier one would show the values of variables, and credentials among them.
        self._say(Text(visible("".join(traceback.format_exception(error)).rstrip("\n"))))

    def uncaught(self, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        """Show an error that nobody has caught, in the place of `sys.excepthook`."""
        del kind, where
        self.trace(error)

    @contextmanager
    def logged(self) -> Generator[None]:
        """Say what the library logs as a warning, or worse, while the block runs."""
        log, handler = logging.getLogger("coze_async"), _LogHandler(self)
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)

    def clear_line(self) -> None:
        """After ^C: leave the line that the terminal has echoed it on."""
        if sys.stdout.isatty():
            self.write("\n")
        elif sys.stderr.isatty():
            self.note("")

    def _say(self, text: Text, *, end: str = "\n") -> None:
        if self._notes.is_terminal:
            self._let_pipe_come_after()
        self._print(self._notes, text, end=end)

    @staticmethod
    def _print(console: Console, text: Text, *, end: str = "\n") -> None:
        shown = _wrapped(text, console.width) if console.is_terminal else text
        console.print(Harmless(shown), soft_wrap=True, end=end)

    def _let_pipe_come_after(self) -> None:
        """Keep what is said apart from an answer that a program such as `cat` shows at the same terminal."""
        if self._is_behind and _is_pipe():
            time.sleep(_BEHIND_A_PIPE)
            self._notes.print()
        self._is_behind = False

    @staticmethod
    def discard() -> None:
        """Send what is still to be written nowhere: the reader is gone, and leaving must not fail because of it."""
        try:
            descriptor = sys.stdout.fileno()
        except (AttributeError, OSError, ValueError):
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


class Harmless:
    """Something to show, without seams, and with nothing left in it that a terminal would obey."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._content, options):
            yield (
                segment if segment.control else Segment(visible(segment.text.replace(SEAM, "")), segment.style, None)
            )


class _LogHandler(logging.Handler):
    """Says what is logged."""

    def __init__(self, output: Output) -> None:
        super().__init__(logging.WARNING)
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        self._output.tell(self.format(record))


def _wrapped(text: Text, width: int) -> Text:
    """Return a text whose lines end between words; an address longer than a line stays in one piece, to be copied."""
    lines: list[Text] = []
    for line in text.split("\n", allow_blank=True):
        depth = len(line.plain) - len(line.plain.lstrip(" "))
        indent = " " * (depth + 2) if depth else ""
        cuts, used = [0], 0
        for word in _WORD.finditer(line.plain):
            if used and used + cell_len(word[0].rstrip()) > width:
                cuts.append(word.start())
                used = len(indent)
            used += cell_len(word[0])
        first, *rest = line.divide(cuts[1:])
        pieces = [first, *(Text(indent) + piece for piece in rest)]
        for piece in pieces[:-1]:
            piece.rstrip()
        lines += pieces
    return Text("\n").join(lines)


def describe(error: OSError) -> str:
    """Return a sentence about what the system refuses."""
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is None:
        return f"The output cannot be written: {reason}."
    path = Path(os.fsdecode(error.filename))
    if error.errno == errno.ENOENT and not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    return f"{path} cannot be opened: {reason}."


def _is_pipe() -> bool:
    """True if another program reads what is written."""
    try:
        return stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False


def whole_characters(text: str) -> str:
    """Return a text that can be sent: surrogates stand for bytes that were no characters where they were read."""
    try:
        # In the locale "C" these bytes are most likely UTF-8; without surrogates the text stays as it is.
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
