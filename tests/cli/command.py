"""Runs `coze-async` inside this process, and as a process of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, typed: str = "", *, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(typed.encode()), encoding=encoding, write_through=True)

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(self.encoding)


def environment(**more: str) -> dict[str, str]:
    """The environment of a process: this library, and no settings but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COZE_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1", **more}


def process(arguments: Sequence[str], *, program: str = "", **settings: str) -> subprocess.Popen[bytes]:
    """`coze-async` as a process, or a program that calls it, with pipes for all streams."""
    what = ["-c", program] if program else ["-m", "coze_async", *arguments]
    return subprocess.Popen(
        [sys.executable, "-W", "error", *what],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**settings),
        # What a buffer had taken in would be missing from what `communicate` returns.
        bufsize=0,
    )
