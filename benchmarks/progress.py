"""Where the suite has got to, on stderr: a bar with rich, a line per scenario without."""

import importlib.util
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["progress"]


@contextmanager
def progress() -> Generator[Callable[[str, int, int], None]]:
    """Give a function that is told what is under way, its number, and how many there are."""
    if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("…", total=None)
            yield lambda what, number, most: bar.update(task, description=what, completed=number - 1, total=most)
        return
    told: list[str] = []

    def tell(what: str, number: int, most: int) -> None:
        scenario = what.partition(":")[0]
        if told[-1:] != [scenario]:
            told.append(scenario)
            print(f"[{number}/{most}] {scenario}", file=sys.stderr, flush=True)

    yield tell
