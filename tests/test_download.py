"""Downloads: iterated, read, saved, left in the middle, lost on the way."""

# pyright: reportPrivateUsage=false

import gc
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import anyio
import anyio.lowlevel
import httpx
import pytest
from answering import Answers, answer, refusal

from coze_async import (
    AsyncCoze,
    AuthenticationError,
    BadRequestError,
    DecodeError,
    Download,
    Limits,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerError,
    Timeouts,
    TransportError,
)

PIECES = [b"ID3", b"a" * 100_000, b"b" * 300_000, b"end"]
SIZE = sum(map(len, PIECES))
HEADERS = {"content-type": "audio/mpeg; rate=24000", "x-tt-logid": "log-1", "content-length": str(SIZE)}


class Sound(httpx.AsyncByteStream):
    """A body in pieces, which says whether it was closed.

    Args:
        along: Called with the number of each piece before it is handed out.
    """

    def __init__(self, pieces: list[bytes], along: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._pieces = list(enumerate(pieces))
        self._along = along
        self.closed = 0
        self.read_to_its_end = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self.closed:
            raise StopAsyncIteration
        if not self._pieces:
            self.read_to_its_end = True
            raise StopAsyncIteration
        number, piece = self._pieces.pop(0)
        await anyio.lowlevel.checkpoint()
        if self._along is not None:
            await self._along(number)
        return piece

    async def aclose(self) -> None:
        self.closed += 1


class Speaker(httpx.AsyncBaseTransport):
    """Answers every request with one body."""

    def __init__(self, sound: Sound, headers: dict[str, str]) -> None:
        self._sound = sound
        self._headers = headers
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(200, headers=self._headers, stream=self._sound)


def client(transport: httpx.AsyncBaseTransport, **options: Any) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url="http://coze.test", transport=transport, limits=Limits.none(), **options)


def speaking(
    along: Callable[[int], Awaitable[None]] | None = None, headers: dict[str, str] = HEADERS, **options: Any
) -> tuple[AsyncCoze, Sound]:
    sound = Sound(PIECES, along)
    return client(Speaker(sound, headers), **options), sound


class Told(list[tuple[int, int | None]]):
    """What progress was told."""

    def __call__(self, received: int, total: int | None) -> None:
        self.append((received, total))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def speech(coze: AsyncCoze) -> Download:
    return await coze.audio.speech.create(input="你好", voice_id="7")


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_a_download_is_iterated_as_it_comes_and_closed_at_its_end() -> None:
    coze, sound = speaking()
    async with coze:
        download = await speech(coze)
        assert (download.content_type, download.size, download.logid) == ("audio/mpeg", SIZE, "log-1")
        assert repr(download) == f"Download('audio/mpeg', size={SIZE})"
        assert [piece async for piece in download] == PIECES
        assert sound.read_to_its_end
        assert sound.closed == 1


async def test_a_download_is_read_whole_and_only_once() -> None:
    coze, sound = speaking()
    async with coze:
        download = await speech(coze)
        assert await download.read() == b"".join(PIECES)
        for again in (download.read(), download.save("x")):
            with pytest.raises(RuntimeError, match=r"already read or closed\. Ask for it again"):
                await again
        with pytest.raises(StopAsyncIteration):
            await anext(download)
    assert sound.closed == 1


async def test_a_size_that_is_not_known_or_is_that_of_a_packed_body_is_none() -> None:
    for headers in (
        {"content-type": "audio/wav"},
        {**HEADERS, "content-length": "many"},
        {**HEADERS, "content-encoding": "identity"},
    ):
        coze, _ = speaking(headers=headers)
        async with coze, await speech(coze) as download:
            assert download.size is None


async def test_leaving_the_block_or_closing_frees_the_connection_once() -> None:
    coze, sound = speaking()
    async with coze:
        async with await speech(coze) as download:
            assert await anext(download) == b"ID3"
            assert sound.closed < 1
        assert sound.closed == 1
        await download.aclose()
        assert sound.closed == 1


async def test_a_download_that_nobody_holds_any_more_frees_its_connection() -> None:
    coze, sound = speaking()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with coze:
            download = await speech(coze)
            await anext(download)
            del download
            gc.collect()
            await anyio.sleep(1)
            assert sound.closed == 1


async def test_two_tasks_cannot_read_one_download() -> None:
    async def along(number: int) -> None:
        await anyio.sleep(1)

    coze, _ = speaking(along)
    async with coze, await speech(coze) as download, anyio.create_task_group() as tasks:
        tasks.start_soon(download.read)
        await anyio.sleep(0.5)
        with pytest.raises(RuntimeError, match="being read by another task"):
            await anext(download)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (refusal(4000), BadRequestError),
        (refusal(4100, status=401), AuthenticationError),
        (refusal(4013, status=429), RateLimitError),
        (answer(content=b"<html><title>502 Bad Gateway</title></html>", status=502), ServerError),
        (answer(content=b'{"code":4000,"msg":"no"}', headers={"content-type": "text/plain"}), BadRequestError),
        (answer({"code": 0, "data": {}}), DecodeError),
        (answer(content=b"hello", headers={"content-type": "text/html"}), DecodeError),
    ],
)
async def test_an_error_comes_as_json_or_text_instead_of_sound_and_is_raised(given: Any, kind: type[Exception]) -> None:
    async with client(Answers(given), retry=Retry.none()) as coze:
        with pytest.raises(kind):
            await speech(coze)


async def test_json_where_sound_was_due_is_quoted() -> None:
    async with client(Answers(answer({"code": 0, "data": {"url": "x"}}))) as coze:
        with pytest.raises(DecodeError, match=r"was asked for a file and answered with application/json: .*url"):
            await speech(coze)


async def test_a_refusal_for_the_rate_is_repeated_and_a_lost_answer_is_not_for_speech_costs_money() -> None:
    sound = httpx.Response(200, headers={"content-type": "audio/mpeg"}, content=b"ID3")
    transport = Answers(refusal(4013, status=429), sound)
    async with client(transport) as coze, await speech(coze) as download:
        assert await download.read() == b"ID3"
    transport = Answers(httpx.ReadError("lost"))
    async with client(transport) as coze:
        with pytest.raises(TransportError, match="it is not sent again"):
            await speech(coze)
    assert len(transport.requests) == 1
    assert transport.requests[0].headers["accept"] == "*/*"


async def test_a_connection_that_is_lost_says_how_far_it_came() -> None:
    async def along(number: int) -> None:
        if number == 2:
            raise httpx.ReadError("Connection reset")

    coze, sound = speaking(along)
    async with coze:
        download = await speech(coze)
        with pytest.raises(TransportError, match=rf"Connection reset.*after 100003 of {SIZE} bytes \[logid log-1\]"):
            await download.read()
        assert sound.closed == 1


@pytest.mark.parametrize(
    ("timeouts", "name", "seconds"),
    [
        (Timeouts(idle=30.0), "idle", 40.0),
        (Timeouts(idle=30.0, total=35.0), "total", 35.0),
        (Timeouts(idle=None, total=35.0), "total", 35.0),
    ],
)
async def test_a_download_that_stops_is_given_up_in_time(timeouts: Timeouts, name: str, seconds: float) -> None:
    async def along(number: int) -> None:
        await anyio.sleep(10 if number == 0 else 1000)

    coze, sound = speaking(along, timeouts=timeouts)
    async with coze:
        before = anyio.current_time()
        download = await speech(coze)
        with pytest.raises(RequestTimeoutError, match=rf"within {getattr(timeouts, name):g} s \(Timeouts.{name}\)"):
            await download.read()
        assert anyio.current_time() - before == pytest.approx(seconds)
        assert sound.closed == 1


async def test_a_download_without_a_limit_is_waited_for() -> None:
    async def along(number: int) -> None:
        await anyio.sleep(10_000)

    coze, _ = speaking(along, timeouts=Timeouts(idle=None))
    async with coze:
        assert await (await speech(coze)).read() == b"".join(PIECES)


async def test_a_limit_of_the_transport_itself_is_told_as_such() -> None:
    async def along(number: int) -> None:
        raise httpx.ReadTimeout("slow")

    headers = {"content-type": "audio/wav"}
    coze, _ = speaking(along, headers, timeouts=Timeouts(idle=None))
    async with coze:
        download = await speech(coze)
        with pytest.raises(RequestTimeoutError, match=r"in time, by a limit of the transport .*, after 0 bytes\. "):
            await download.read()


# --- saving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, Path])
async def test_a_saved_file_is_whole_and_nothing_else_is_left(tmp_path: Path, kind: type) -> None:
    target = tmp_path / "hello.mp3"
    target.write_bytes(b"old")
    seen = Told()
    coze, sound = speaking()
    async with coze:
        download = await speech(coze)
        assert await download.save(kind(target), progress=seen) == target
    assert target.read_bytes() == b"".join(PIECES)
    assert left_in(tmp_path) == ["hello.mp3"]
    assert seen == [(3, SIZE), (100_003, SIZE), (400_003, SIZE), (SIZE, SIZE)]
    assert sound.read_to_its_end
    # Others may read it, as they may read any new file.
    (tmp_path / "other").touch()
    assert target.stat().st_mode == (tmp_path / "other").stat().st_mode


async def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "hello.mp3"
    target.write_bytes(b"old")
    seen: list[tuple[bytes, int]] = []

    async def along(number: int) -> None:
        seen.append((target.read_bytes(), len(left_in(tmp_path))))

    coze, _ = speaking(along)
    async with coze:
        await (await speech(coze)).save(target)
    assert seen == [(b"old", 2)] * len(PIECES)


async def test_files_are_written_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    replace = Path.replace

    def watched(self: Path, target: Any) -> Path:
        threads.add(threading.get_ident())
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    coze, _ = speaking()
    async with coze:
        await (await speech(coze)).save(tmp_path / "a.mp3")
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_folder_that_is_not_there_is_an_os_error_with_the_callers_own_path(tmp_path: Path) -> None:
    coze, sound = speaking()
    target = tmp_path / "none" / "a.mp3"
    async with coze:
        with pytest.raises(FileNotFoundError) as caught:
            await (await speech(coze)).save(target)
    assert caught.value.filename == str(target)
    assert sound.closed == 1


async def test_a_disk_that_is_full_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Any) -> Path:
        raise OSError("no number")

    monkeypatch.setattr(Path, "replace", full)
    coze, sound = speaking()
    async with coze:
        with pytest.raises(OSError, match="no number"):
            await (await speech(coze)).save(tmp_path / "a.mp3")
    assert left_in(tmp_path) == []
    assert sound.closed == 1


@pytest.mark.parametrize(("error", "kind"), [(httpx.ReadError("x"), TransportError), (KeyError("own"), KeyError)])
async def test_a_download_that_breaks_leaves_the_old_file_and_no_other(
    tmp_path: Path, error: Exception, kind: type[Exception]
) -> None:
    target = tmp_path / "hello.mp3"
    target.write_bytes(b"old")

    async def along(number: int) -> None:
        if number == 3:
            raise error

    coze, sound = speaking(along)
    async with coze:
        with pytest.raises(kind):
            await (await speech(coze)).save(target)
    assert left_in(tmp_path) == ["hello.mp3"]
    assert target.read_bytes() == b"old"
    assert sound.closed == 1


async def test_what_runs_out_of_time_while_it_is_saved_is_our_own_error(tmp_path: Path) -> None:
    """RequestTimeoutError is an OSError by way of TimeoutError, and yet not one of the disk."""

    async def along(number: int) -> None:
        await anyio.sleep(1000)

    coze, _ = speaking(along)
    async with coze:
        with pytest.raises(RequestTimeoutError, match=r"Timeouts.idle"):
            await (await speech(coze)).save(tmp_path / "a.mp3")
    assert left_in(tmp_path) == []


async def test_cancelling_in_the_middle_leaves_no_file_and_no_connection(tmp_path: Path) -> None:
    reached = anyio.Event()

    async def along(number: int) -> None:
        if number == 3:
            reached.set()
            await anyio.sleep_forever()

    coze, sound = speaking(along, timeouts=Timeouts(idle=None))
    async with coze:
        download = await speech(coze)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(download.save, tmp_path / "a.mp3")
            await reached.wait()
            assert len(left_in(tmp_path)) == 1
            tasks.cancel_scope.cancel()
        assert left_in(tmp_path) == []
        assert sound.closed == 1


async def test_cancelling_before_anything_was_written_leaves_nothing(tmp_path: Path) -> None:
    coze, sound = speaking()
    async with coze:
        download = await speech(coze)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await download.save(tmp_path / "a.mp3")
        assert scope.cancelled_caught
        assert left_in(tmp_path) == []
        assert sound.closed == 1


async def test_what_progress_raises_ends_the_download(tmp_path: Path) -> None:
    def fail(received: int, total: int | None) -> None:
        raise ZeroDivisionError

    coze, sound = speaking()
    async with coze:
        with pytest.raises(ZeroDivisionError):
            await (await speech(coze)).save(tmp_path / "a.mp3", progress=fail)
    assert left_in(tmp_path) == []
    assert sound.closed == 1


async def test_a_body_is_an_async_iterator_of_bytes() -> None:
    coze, _ = speaking()
    async with coze, await speech(coze) as download:
        pieces: AsyncIterator[bytes] = aiter(download)
        assert await anext(pieces) == b"ID3"


async def test_a_slow_reader_does_not_get_a_file_after_its_time() -> None:
    coze, _ = speaking(timeouts=Timeouts(total=5.0))
    download = await coze.audio.speech.create(input="Hi", voice_id="1")
    assert await anext(download) == b"ID3"
    await anyio.sleep(6.0)
    with pytest.raises(RequestTimeoutError, match=rf"within 5 s \(Timeouts.total\), after 3 of {SIZE} bytes"):
        await anext(download)
