"""What was uploaded before, by content: the same bytes need not be sent twice."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from coze_async.models import File

__all__ = ["KEPT", "MemoryUploadCache", "UploadCache"]

# The service keeps a file 3 months (coze.cn page upload_files): 89 days at the least, and a day is left for using it.
KEPT = 88 * 86400.0


class UploadCache(Protocol):
    """Where `coze.files.upload(…, dedupe=…)` looks for what it has uploaded before.

    Use one for each account: a file belongs to who uploaded it.
    """

    async def get(self, key: str) -> File | None:
        """Return what was stored under a key; None if there is nothing, or its time is over."""
        ...

    async def set(self, key: str, file: File, seconds: float) -> None:
        """Keep an uploaded file for so many seconds."""
        ...


class MemoryUploadCache:
    """An `UploadCache` in the memory of one process.

    Args:
        most: How many files it remembers; the ones that were used longest ago go first.
        clock: Returns the time in seconds.
    """

    def __init__(self, most: int = 10_000, *, clock: Callable[[], float] = time.time) -> None:
        self._files: OrderedDict[str, tuple[float, File]] = OrderedDict()
        self._most = most
        self._clock = clock

    def __len__(self) -> int:
        return len(self._files)

    async def get(self, key: str) -> File | None:
        """Return what was stored under a key; None if there is nothing, or its time is over."""
        until, file = self._files.get(key, (0.0, None))
        if file is None:
            return None
        if self._clock() >= until:
            del self._files[key]
            return None
        self._files.move_to_end(key)
        return file

    async def set(self, key: str, file: File, seconds: float) -> None:
        """Keep an uploaded file for so many seconds."""
        self._files[key] = (self._clock() + seconds, file)
        self._files.move_to_end(key)
        while len(self._files) > self._most:
            self._files.popitem(last=False)
