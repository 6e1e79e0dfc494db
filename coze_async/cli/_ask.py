"""Questions to a person: lines from the terminal, or the whole of what is piped in."""

import contextlib
import importlib
import sys

from coze_async.cli._output import Output, whole_characters

__all__ = ["has_person", "piped", "read_line"]


def has_person() -> bool:
    """True if somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def read_line(output: Output, prompt: str = "> ") -> str:
    """Return one line, without its end.

    Raises:
        EOFError: Ctrl-D was pressed.
    """
    if output.is_terminal:
        with contextlib.suppress(ImportError):
            # Brings editing and the earlier lines of this session.
            importlib.import_module("readline")
        line = input(prompt)
    else:
        # Stdout is for answers.
        output.note(prompt, end="")
        line = sys.stdin.readline()
        if not line:
            raise EOFError
    return whole_characters(line.rstrip("\r\n"))


def piped() -> str:
    """Return what is piped into the command, without the last end of line."""
    return whole_characters(sys.stdin.read().rstrip("\r\n")) if sys.stdin is not None else ""
