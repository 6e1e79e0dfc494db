"""Calls in threads whose caller is cancelled, by a scope or, on asyncio, by itself."""

import asyncio
import contextlib
import io
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.to_thread
import pytest
from conftest import VirtualLoop
from test_download import left_in, speaking, speech

from coze_async import AsyncCoze, Limits, Upload
from coze_async._threads import in_thread
from coze_async.emulator import Emulator


class SlowThread:
    """Something that a thread does slowly; says when it has begun and ended."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.has_ended = False

    def __call__(self) -> None:
        self.has_begun.set()
        time.sleep(0.1)
        self.has_ended = True


async def begun(thread: SlowThread) -> None:
    while not thread.has_begun.is_set():  # noqa: ASYNC110 - a thread sets it
        await anyio.sleep(0.001)


async def test_a_call_returns_and_raises_what_its_function_does() -> None:
    assert await in_thread(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 7, 0)


async def test_a_cancelled_scope_is_left_when_the_thread_has_ended() -> None:
    slow = SlowThread()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_thread, slow)
        await begun(slow)
        tasks.cancel_scope.cancel()
    assert slow.has_ended


def on_asyncio(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


async def cancelled_while(thread: SlowThread, task: asyncio.Task[Any]) -> None:
    """Cancel a task by itself, more than once, while a thread works for it."""
    await begun(thread)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_task_that_is_cancelled_by_itself_ends_when_its_thread_has_ended() -> None:
    slow = SlowThread()

    async def main() -> None:
        await cancelled_while(slow, asyncio.create_task(in_thread(slow)))
        assert slow.has_ended

    on_asyncio(main)


def test_a_call_whose_turn_has_not_come_never_begins() -> None:
    slow, second = SlowThread(), SlowThread()

    async def main() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        first = asyncio.create_task(in_thread(slow))
        await begun(slow)
        waiting = asyncio.create_task(in_thread(second))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await first
        await asyncio.sleep(1)
        assert not second.has_begun.is_set()

    on_asyncio(main)


# --- files ------------------------------------------------------------------------------------------------------------


class Files:
    """Files that are slow to open, to read and to write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slow: str) -> None:
        self.thread = SlowThread()
        self.opened: list[IO[bytes]] = []
        files = self

        class Slow(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if slow == "read":
                    files.thread()
                return super().read(size)

            def write(self, data: Any, /) -> int:
                if slow == "write":
                    files.thread()
                return super().write(data)

        open_file, replace = Path.open, Path.replace

        def open_slowly(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> IO[Any]:
            # Whatever is imported meanwhile reads files too.
            if "a." not in path.name and path.suffix != ".part":
                return open_file(path, mode, *arguments, **options)
            self.opened.append(Slow(path, mode))
            if slow == "open":
                self.thread()
            return self.opened[-1]

        def replace_slowly(path: Path, target: Any) -> Path:
            if slow == "move":
                self.thread()
            return replace(path, target)

        monkeypatch.setattr(Path, "open", open_slowly)
        monkeypatch.setattr(Path, "replace", replace_slowly)

    def check_closed(self) -> None:
        assert self.opened
        assert all(file.closed for file in self.opened)


@pytest.mark.parametrize("slow", ["open", "write", "move"])
def test_a_download_that_is_cancelled_by_itself_leaves_no_part(
    slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(monkeypatch, slow)

    async def main() -> None:
        coze, sound = speaking()
        async with coze:
            download = await speech(coze)
            await cancelled_while(files.thread, asyncio.create_task(download.save(tmp_path / "a.mp3")))
            files.check_closed()
            assert left_in(tmp_path) == (["a.mp3"] if slow == "move" else [])
            assert sound.closed == 1

    on_asyncio(main)


@pytest.mark.parametrize("slow", ["open", "write"])
def test_a_download_leaves_no_part_at_the_end_of_asyncio_run(
    slow: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(monkeypatch, slow)

    async def main() -> None:
        coze, _ = speaking()
        download = await speech(coze)
        saving = asyncio.create_task(download.save(tmp_path / "a.mp3"))
        await begun(files.thread)
        assert not saving.done()

    on_asyncio(main)
    files.check_closed()
    assert left_in(tmp_path) == []


def test_a_download_leaves_no_part_if_its_loop_is_closed_in_the_middle(tmp_path: Path) -> None:
    async def along(number: int) -> None:
        if number == 2:
            await anyio.sleep_forever()

    coze, _ = speaking(along)
    loop = VirtualLoop()
    download = loop.run_until_complete(speech(coze))
    saving = download.save(tmp_path / "a.mp3")
    task = loop.create_task(saving)
    while not left_in(tmp_path):
        loop.run_until_complete(asyncio.sleep(0.01))
    # As the garbage collector does; the connection cannot be closed any more without its loop.
    with contextlib.suppress(RuntimeError):
        saving.close()
    assert left_in(tmp_path) == []
    loop.close()
    assert not task.done()


@pytest.mark.parametrize("slow", ["open", "read"])
@pytest.mark.parametrize("how", ["upload", "digest"])
def test_an_upload_that_is_cancelled_by_itself_closes_its_file(
    slow: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    files = Files(monkeypatch, slow)
    emulator = Emulator()

    async def main() -> None:
        async with AsyncCoze("pat_x", transport=emulator.transport(), limits=Limits.none()) as coze:
            work = Upload(path).digest() if how == "digest" else coze.files.upload(path)
            await cancelled_while(files.thread, asyncio.create_task(work))
            files.check_closed()

    on_asyncio(main)
