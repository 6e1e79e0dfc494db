"""Where words go: answers to stdout, all that is said about them to stderr."""

import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

__all__ = ["Output", "whole_characters"]

# What moves the cursor, changes colours or sends answers back belongs to the terminal's owner, not to a bot.
_SHOWN_CONTROLS = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    **dict.fromkeys(range(0x7F, 0xA0), "\ufffd"),
    ord("\r"): None,
}


class Output:
    """The two streams of one command."""

    def __init__(self) -> None:
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            # A stream that cannot say a character says its number.
            if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
                reconfigure(errors="surrogateescape" if stream is sys.stdin else "backslashreplace")
        self.table = Console(highlight=False)
        self._notes = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._at_line_start = True

    @property
    def is_terminal(self) -> bool:
        """True if somebody watches the answer being written."""
        return sys.stdout.isatty()

    def write(self, text: str) -> None:
        """Write a piece of an answer, at once."""
        if not text:
            return
        sys.stdout.write(text.translate(_SHOWN_CONTROLS) if self.is_terminal else text)
        sys.stdout.flush()
        self._at_line_start = text.endswith("\n")

    @staticmethod
    def shown(text: str) -> str:
        """Return a text whose control characters can be seen and do nothing."""
        return text.translate(_SHOWN_CONTROLS)

    def line(self, *pieces: tuple[str, str]) -> None:
        """Write one line of pieces, each with its style; a terminal shows what fits into its width."""
        text = Text("  ").join(Text(self.shown(piece), style) for piece, style in pieces if piece)
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
        text = json.dumps(value, ensure_ascii=False, default=str)
        try:
            text.encode(sys.stdout.encoding or "utf-8")
        except UnicodeEncodeError:
            text = json.dumps(value, default=str)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def note(self, text: str, *, end: str = "\n") -> None:
        """Say something about the answer, dimly."""
        self._notes.print(Text(text.translate(_SHOWN_CONTROLS), style="dim"), end=end)

    def wait(self) -> None:
        """Tell somebody who watches that nothing will be seen for a while."""
        if self.is_terminal:
            self.note("Waiting for the whole answer ...")

    def tell(self, text: str) -> None:
        """Say something that is meant to be read."""
        self._notes.print(Text(text.translate(_SHOWN_CONTROLS)))

    def fail(self, error: BaseException | str, *, debug: bool = False) -> None:
        """Say what went wrong in one message; the traceback only for those who look for it."""
        if debug and isinstance(error, BaseException):
            # Python's own: a prettier one would show the values of variables, and credentials among them.
            traceback.print_exception(error)
        words = str(error).translate(_SHOWN_CONTROLS)
        self._notes.print(Text.assemble(("error: ", "bold red"), words))

    def clear_line(self) -> None:
        """After ^C: leave the line that the terminal has echoed it on."""
        if sys.stdout.isatty():
            self.write("\n")
        elif sys.stderr.isatty():
            self.note("")

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


def whole_characters(text: str) -> str:
    """Return a text that can be sent: surrogates stand for bytes that were no characters where they were read."""
    try:
        # In the locale "C" these bytes are most likely UTF-8; without surrogates the text stays as it is.
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
