"""Uploads: what can be sent, what is refused before anything is sent, and what is left of it when something breaks."""

# pyright: reportPrivateUsage=false

import gc
import hashlib
import io
import os
import re
import threading
import tracemalloc
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.abc
import anyio.to_thread
import httpx
import pytest
from answering import answer, refusal
from emulator.test_server import served
from hypothesis import given
from hypothesis import strategies as st

from coze_async import (
    AsyncCoze,
    BadRequestError,
    ConfigurationError,
    Limits,
    RequestTimeoutError,
    Retry,
    Timeouts,
    TransportError,
    Upload,
)
from coze_async._upload import FILES, RECORDINGS, VOICE_SAMPLES, VOICEPRINTS, FileRules
from coze_async.emulator import Emulator, ReceivedFile, ReceivedForm, _files

UPLOADED = answer({"code": 0, "data": {"id": "736", "file_name": "a.pdf", "bytes": 3}})
LARGE = 600_000  # more than two pieces
ON_DISK = os.urandom(LARGE)


class Receiver(httpx.AsyncBaseTransport):
    """Takes bodies piece by piece, and does what it is told to do along the way.

    Args:
        answers: One for each request, the last one again and again.
        along: Called with the number of pieces that were taken; what it raises ends the request.
    """

    def __init__(self, *answers: httpx.Response, along: Callable[[int], Awaitable[None]] | None = None) -> None:
        self._answers = list(answers)
        self._along = along
        self.bodies: list[bytes] = []
        self.headers: list[httpx.Headers] = []
        self.largest = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self.headers.append(request.headers)
        self.bodies.append(b"")
        pieces = 0
        async for piece in request.stream:
            pieces += 1
            self.largest = max(self.largest, len(piece))
            self.bodies[-1] += piece
            if self._along is not None:
                await self._along(pieces)
        given_ = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return httpx.Response(given_.status_code, headers=given_.headers, content=given_.content)

    def content(self, number: int = -1) -> bytes:
        """Return the content of the file in a body that came to its end."""
        return self.bodies[number].partition(b"\r\n\r\n")[2].rpartition(b"\r\n--")[0]


def client(transport: httpx.AsyncBaseTransport, **options: Any) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url="http://coze.test", transport=transport, limits=Limits.none(), **options)


async def pieces_of(*pieces: Any) -> AsyncGenerator[Any]:
    for piece in pieces:
        yield piece


class Pieces:
    """An async iterator that is no generator."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)


class Told(list[tuple[int, int | None]]):
    """What progress was told."""

    def __call__(self, sent: int, total: int | None) -> None:
        self.append((sent, total))


class Pipe(io.BytesIO):
    """A file object that cannot be rewound."""

    def seekable(self) -> bool:
        return False


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.pdf"
    made.write_bytes(ON_DISK)
    return made


# --- what can be sent -------------------------------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 2400
SOURCES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: CONTENT,
    "bytearray": lambda: bytearray(CONTENT),
    "view": lambda: memoryview(CONTENT),
    "file object": lambda: io.BytesIO(CONTENT),
    "pipe": lambda: Pipe(CONTENT),
    "generator": lambda: pieces_of(b"", CONTENT[:7], b"", CONTENT[7:]),
    "iterator": lambda: Pieces(CONTENT[:100_000], CONTENT[100_000:]),
}


@pytest.mark.parametrize("source", SOURCES)
async def test_every_kind_of_content_arrives_as_it_is_and_in_pieces(source: str) -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        uploaded = await coze.files.upload(Upload(SOURCES[source](), name="a.pdf"))
    assert uploaded.id == "736"
    assert transport.content() == CONTENT
    assert b'name="file"; filename="a.pdf"\r\nContent-Type: application/pdf\r\n' in transport.bodies[0]
    knows_size = source not in ("pipe", "generator", "iterator")
    assert ("content-length" in transport.headers[0]) == knows_size
    assert ("transfer-encoding" in transport.headers[0]) == (not knows_size)
    if knows_size:
        assert int(transport.headers[0]["content-length"]) == len(transport.bodies[0])
        assert transport.largest <= 1 << 18


@pytest.mark.parametrize("kind", [str, Path])
async def test_a_path_is_read_in_threads_and_closed(path: Path, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[IO[bytes]] = []
    readers: set[int] = set()

    class Watched(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            readers.add(threading.get_ident())
            return super().read(size)

    def open_watched(path: Path, mode: str, buffering: int) -> IO[bytes]:
        assert buffering == 0
        opened.append(Watched(path, mode))
        return opened[0]

    monkeypatch.setattr(Path, "open", open_watched)
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        await coze.files.upload(kind(path))
    assert transport.content() == ON_DISK
    assert opened[0].closed
    assert readers
    assert threading.get_ident() not in readers


async def test_a_file_object_is_read_from_where_it_stands_and_stays_open(path: Path) -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        with path.open("rb") as file:
            file.seek(100)
            # Its name is taken from the path it was opened with.
            await coze.files.upload(file)
            assert not file.closed
    assert transport.content() == ON_DISK[100:]
    assert b'filename="a.pdf"' in transport.bodies[0]


@given(st.lists(st.binary(max_size=50), min_size=1).filter(any))
async def test_an_iterator_arrives_whatever_its_pieces_are(pieces: list[bytes]) -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        await coze.files.upload(Upload(pieces_of(*pieces), name="a.pdf", check=False))
    assert transport.content() == b"".join(pieces)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.PNG", "image/png"), ("a.jpg2", "application/octet-stream"), ("dir/b.pdf", "application/pdf")],
)
async def test_the_type_of_a_file_is_what_its_name_says(name: str, kind: str) -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        await coze.files.upload(b"x", name=name)
    file_name = name.rpartition("/")[2]
    assert f'filename="{file_name}"\r\nContent-Type: {kind}\r\n'.encode() in transport.bodies[0]


async def test_a_content_type_can_be_given() -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        await coze.files.upload(Upload(b"x", name="a.pdf", content_type="application/x-mine"))
    assert b"Content-Type: application/x-mine\r\n" in transport.bodies[0]


# --- progress ---------------------------------------------------------------------------------------------------------


async def test_progress_tells_what_was_taken_up_to_the_whole(path: Path) -> None:
    seen = Told()
    async with client(Receiver(UPLOADED)) as coze:
        await coze.files.upload(path, progress=seen)
    assert seen == [(1 << 18, LARGE), (1 << 19, LARGE), (LARGE, LARGE)]


async def test_progress_of_an_unknown_size_has_no_whole() -> None:
    seen = Told()
    async with client(Receiver(UPLOADED)) as coze:
        await coze.files.upload(pieces_of(b"abc", b"de"), name="a.pdf", progress=seen)
    assert seen == [(3, None), (5, None)]


async def test_what_progress_raises_ends_the_upload_and_closes_the_file(path: Path) -> None:
    def fail(sent: int, total: int | None) -> None:
        raise ZeroDivisionError

    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        with pytest.raises(ZeroDivisionError):
            await coze.files.upload(path, progress=fail)
    assert len(transport.bodies) == 1


# --- what is refused before anything is sent --------------------------------------------------------------------------


async def refused(content: Any, match: str, **more: Any) -> None:
    """See to it that an upload is refused, in these words, and that nothing is sent."""
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        with pytest.raises(ConfigurationError, match=match):
            await coze.files.upload(content, **more)
    assert transport.bodies == []


async def test_a_path_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.pdf"
    await refused(missing, f"{re.escape(str(missing))} cannot be read: No such file or directory")


async def test_a_path_that_cannot_be_opened_says_why(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **more: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    await refused(path, f"{re.escape(str(path))} cannot be read: Permission denied. Check the path and its permissions")


async def test_a_path_that_holds_nothing_a_file_system_takes_is_refused() -> None:
    await refused("a\0.pdf", "cannot be read: .*null")


async def test_a_folder_or_a_pipe_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder.pdf"
    folder.mkdir()
    await refused(folder, "is no file")
    pipe = tmp_path / "pipe.pdf"
    os.mkfifo(pipe)
    await refused(str(pipe), "is no file")


@pytest.mark.parametrize(
    "content", [b"", io.BytesIO(), Pipe(), pieces_of(), pieces_of(b"", b"")], ids=["bytes", "file", "pipe", "0", "00"]
)
async def test_an_empty_file_is_refused_before_it_is_sent(content: Any) -> None:
    await refused(content, r"a.pdf is empty.*\(code 4300\)", name="a.pdf")


async def test_an_empty_path_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").touch()
    await refused(
        tmp_path / "a.pdf",
        r"a.pdf is empty, and the clouds take no empty file \(code 4300\). Give one with a content\. ",
    )


async def test_a_file_object_at_its_end_is_told_to_be_rewound() -> None:
    file = io.BytesIO(b"abc")
    file.read()
    await refused(file, r"rewind the file first: file.seek\(0\)", name="a.pdf")


async def test_a_file_that_is_too_large_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    large = tmp_path / "a.zip"
    with large.open("wb") as file:
        file.truncate((512 << 20) + 1)
    await refused(large, r"a.zip has 512.0 MB, and 512 MB are the most that is taken here \(code 4302\)")


async def test_a_stream_that_becomes_too_large_is_broken_off() -> None:
    upload = Upload(pieces_of(b"x" * 8, b"x" * 8, b"x" * 8), name="a.pdf")
    async with upload.open(FileRules(16, FILES.types)) as reader:
        assert [await reader.next(), await reader.next()] == [b"x" * 8] * 2
        with pytest.raises(ConfigurationError, match=r"a.pdf has more, and .* \(code 4302\)"):
            await reader.next()


@pytest.mark.parametrize(("name", "says"), [("a.log", "of the type 'log'"), ("README", "without a type")])
async def test_a_type_that_no_page_names_is_sent_with_one_warning(
    name: str, says: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coze Studio takes what the page of the clouds does not name (recording `upload`)."""
    monkeypatch.setattr("coze_async._upload._WARNED", set[str]())
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        for _ in range(2):
            await coze.files.upload(b"x", name=name)
    assert [transport.content(0), transport.content(1)] == [b"x", b"x"]
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.search(rf"{says}.*code 4303.*7z, aac, avi", warning)


JPEG, PNG, HEIC = b"\xff\xd8\xff\xe0\0\x10JFIF", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\0\0\0\x18ftypheic\0\0\0\0"


@pytest.mark.parametrize(
    ("content", "name", "right"),
    [(JPEG, "a.png", "jpg"), (PNG, "a.JPEG", "png"), (HEIC, "IMG_1.jpg", "heic"), (b"RIFF\0\0\0\0WAVE", "a.mp3", "wav"),
     (b"PK\x03\x04", "a.pdf", "zip")],
)  # fmt: skip
async def test_a_name_that_the_first_bytes_contradict_is_refused_with_the_right_one(
    content: bytes, name: str, right: str
) -> None:
    """The cloud refuses it with a bare 4000 (reports of users)."""
    says = rf"{name} is named .* begins like .{right}.*name='….{right}'.*check=False"
    for source in (content, io.BytesIO(content), pieces_of(content)):
        await refused(source, says, name=name)


@pytest.mark.parametrize(
    ("content", "name"),
    [(b"PK\x03\x04", "a.docx"), (JPEG, "a.jpeg"), (b"ID3\x04", "a.flac"), (PNG, "a.txt"), (b"no picture", "a.png"),
     (b"OggS", "a.opus"), (b"\0\0\0\x18ftypM4A ", "a.m4a")],
)  # fmt: skip
async def test_a_name_that_may_be_right_is_sent(content: bytes, name: str) -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        await coze.files.upload(content, name=name)
    assert transport.content() == content


@pytest.mark.parametrize(
    ("content", "name"),
    [(JPEG, "file.jpg"), (PNG, "file.png"), (b"%PDF-1.7", "file.pdf"), ("das Häuschen 杭州".encode() * 4, "file.txt"),
     (b"\0\x01\x02", "file.bin"), (b"RIFF\0\0\0\0WEBP", "file.webp"), (b"\0\0\0\x18ftypisom", "file.mp4")],
)  # fmt: skip
async def test_what_has_no_name_gets_one_by_its_first_bytes(content: bytes, name: str) -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        for source in (content, io.BytesIO(content), Pipe(content), pieces_of(content)):
            await coze.files.upload(source)
    assert all(f'filename="{name}"'.encode() in body for body in transport.bodies)
    assert Upload(content).name == name


async def test_unchecked_files_are_sent_whatever_they_are() -> None:
    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        await coze.files.upload(Upload(b"x", name="notes.txt", check=False))
        for content in (b"", io.BytesIO(), pieces_of()):
            await coze.files.upload(Upload(content, name="notes.txt", check=False))
        await coze.files.upload(Upload(JPEG, name="a.png", check=False))
        assert [transport.content(number) for number in range(5)] == [b"x", b"", b"", b"", JPEG]
        upload = Upload(b"x" * 9, name="notes.txt", check=False)
        async with upload.open(FileRules(1, frozenset())) as reader:
            assert await reader.next() == b"x" * 9
    assert transport.content(0) == b"x"


@pytest.mark.parametrize("name", ["", "/", "half \ud83d.pdf"])
async def test_a_name_that_is_none_is_refused(name: str) -> None:
    await refused(b"x", "name='report.pdf'", name=name)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (7, "cannot be made of a int"),
        (None, "cannot be made of a NoneType"),
        ([b"a", b"b"], r"One upload takes one file \(code 4301\)"),
        (io.StringIO("text"), "opened as text.*mode 'rb'"),
    ],
)
async def test_what_is_no_file_is_refused_by_its_type(content: Any, says: str) -> None:
    await refused(content, says, name="a.pdf")


@pytest.mark.parametrize("kind", ["a\r\nX-Evil: 1", "téxt/plain"])
def test_a_content_type_that_would_break_the_form_is_refused(kind: str) -> None:
    with pytest.raises(ConfigurationError, match="invalid content_type"):
        Upload(b"x", name="a.pdf", content_type=kind)


async def test_a_closed_file_object_is_refused() -> None:
    file = io.BytesIO(b"abc")
    file.close()
    await refused(file, "a.pdf cannot be read", name="a.pdf")


async def test_a_file_object_that_cannot_say_where_it_stands_is_refused() -> None:
    class Broken(io.BytesIO):
        def tell(self) -> int:
            raise OSError(29, "Illegal seek")

    await refused(Broken(b"abc"), "a.pdf cannot be read: .*Illegal seek", name="a.pdf")


async def test_name_and_progress_stand_in_one_place() -> None:
    await refused(Upload(b"x", name="a.pdf"), "Give name and progress to Upload", name="b.pdf")
    await refused(Upload(b"x", name="a.pdf"), "Give name and progress to Upload", progress=print)


def test_the_limits_are_those_that_are_published() -> None:
    """coze.cn pages upload_files, audio_transcriptions, clone_voices, create_voiceprint (2026-02-26)."""
    assert [rules.most >> 20 for rules in (FILES, RECORDINGS, VOICE_SAMPLES, VOICEPRINTS)] == [512, 10, 10, 4]
    assert VOICEPRINTS.types == {"wav", "pcm"}
    # The emulator has them from the page too, and not from here.
    assert all(_files.TYPES.fullmatch(kind) for kind in FILES.types)
    assert all(_files.RECORDINGS.fullmatch(kind) for kind in RECORDINGS.types)
    assert not _files.TYPES.fullmatch("txt")
    assert FILES.most == _files.MOST


# --- what goes wrong while it is read ---------------------------------------------------------------------------------


async def changed(path: Path, change: Callable[[], Any], match: str) -> None:
    """Upload a path, change it after the first piece of it was taken, and see the upload broken off."""

    async def along(pieces: int) -> None:
        if pieces == 2:
            change()

    transport = Receiver(UPLOADED, along=along)
    async with client(transport) as coze:
        with pytest.raises(ConfigurationError, match=match):
            await coze.files.upload(path)
    # What did not come to its end is no form.
    assert not transport.bodies[0].endswith(b"--\r\n")
    assert len(transport.bodies) == 1


async def test_a_file_that_grows_while_it_is_read_is_broken_off(path: Path) -> None:
    def grow() -> None:
        with path.open("ab") as file:
            file.write(b"more")

    await changed(
        path, grow, r"a.pdf was changed while it was read \(code 4304\): it has 600004 bytes now, and had 600000"
    )


async def test_a_file_that_shrinks_while_it_is_read_is_broken_off(path: Path) -> None:
    await changed(
        path, lambda: os.truncate(path, 1 << 18), r"changed while it was read \(code 4304\): 262144 of 600000"
    )


async def test_a_file_that_is_written_over_while_it_is_read_is_broken_off(path: Path) -> None:
    await changed(path, lambda: os.utime(path, ns=(1, 1)), "changed while it was read")


async def test_a_file_object_that_fails_says_so() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    async with client(Receiver(UPLOADED)) as coze:
        with pytest.raises(ConfigurationError, match=r"a.pdf cannot be read \(code 4304\): .*Input/output error"):
            await coze.files.upload(Broken(b"abc"), name="a.pdf")


async def test_a_file_object_that_gives_texts_is_refused() -> None:
    class Texts(io.BytesIO):
        def read(self, size: int | None = -1, /) -> Any:
            return "text"

    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        with pytest.raises(ConfigurationError, match=r"gave str instead of bytes\. Open it with mode 'rb'"):
            await coze.files.upload(Texts(b"abc"), name="a.pdf")


async def test_an_iterator_that_gives_texts_is_refused() -> None:
    await refused(pieces_of("text"), "its iterator gave a str instead of bytes", name="a.pdf")


@pytest.mark.parametrize("error", [KeyError("own"), TimeoutError("own"), httpx.ReadError("own"), UnicodeError("own")])
async def test_an_error_of_the_callers_own_iterator_is_no_error_of_ours(error: Exception) -> None:
    async def failing() -> AsyncGenerator[bytes]:
        yield b"abc"
        raise error

    transport = Receiver(UPLOADED)
    async with client(transport) as coze:
        with pytest.raises(type(error)) as caught:
            await coze.files.upload(failing(), name="a.pdf")
    assert caught.value is error
    assert len(transport.bodies) == 1


# --- sent again, or not -----------------------------------------------------------------------------------------------


def refuse_once() -> Receiver:
    return Receiver(refusal(4013, status=429), UPLOADED)


async def test_bytes_paths_and_files_are_sent_again_when_the_server_was_too_busy(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(10)
        for source in (ON_DISK, path, file):
            transport = refuse_once()
            async with client(transport) as coze:
                assert (await coze.files.upload(Upload(source, name="a.pdf"))).id == "736"
            expected = ON_DISK[10:] if source is file else ON_DISK
            assert [transport.content(0), transport.content(1)] == [expected, expected]


@pytest.mark.parametrize("source", ["generator", "iterator", "pipe"])
async def test_what_can_be_read_once_is_sent_once(source: str) -> None:
    transport = refuse_once()
    upload = Upload(SOURCES[source](), name="a.pdf")
    async with client(transport) as coze:
        with pytest.raises(Exception, match="4013"):
            await coze.files.upload(upload)
        assert len(transport.bodies) == 1
        with pytest.raises(ConfigurationError, match=r"its content was already read, and cannot be read twice"):
            await coze.files.upload(upload)
    assert len(transport.bodies) == 1


async def test_an_upload_is_used_again_as_often_as_one_likes(path: Path) -> None:
    transport = Receiver(UPLOADED)
    with path.open("rb") as file:
        uploads = [Upload(path), Upload(file), Upload(b"abc", name="a.pdf")]
        async with client(transport) as coze:
            for upload in uploads * 2:
                await coze.files.upload(upload)
    assert [transport.content(number) for number in range(3)] == [transport.content(number) for number in range(3, 6)]
    assert repr(uploads[0]) == "Upload('a.pdf')"


async def test_a_form_that_broke_off_before_its_end_is_sent_again_for_nothing_can_have_come_of_it(path: Path) -> None:
    broken: list[int] = []

    async def along(pieces: int) -> None:
        if pieces == 2 and not broken:
            broken.append(pieces)
            raise httpx.WriteError("Broken pipe")

    transport = Receiver(UPLOADED, along=along)
    async with client(transport) as coze:
        assert (await coze.files.upload(path)).id == "736"
    assert len(transport.bodies) == 2


@pytest.mark.parametrize("error", [httpx.ReadError("lost"), httpx.WriteTimeout("slow"), httpx.ReadTimeout("slow")])
async def test_a_form_that_was_sent_to_its_end_is_not_sent_again_when_the_answer_is_lost(error: Exception) -> None:
    async def along(pieces: int) -> None:
        if pieces == 3:
            raise error

    transport = Receiver(UPLOADED, along=along)
    async with client(transport) as coze:
        with pytest.raises(TransportError) as caught:
            await coze.files.upload(b"abc", name="a.pdf")
    assert caught.value.may_have_arrived
    assert len(transport.bodies) == 1


@pytest.mark.parametrize("error", [httpx.WriteError("lost"), httpx.WriteTimeout("slow"), httpx.ReadTimeout("slow")])
async def test_a_form_that_never_came_to_its_end_says_that_nothing_can_have_arrived(error: Exception) -> None:
    async def along(pieces: int) -> None:
        raise error

    async with client(Receiver(UPLOADED, along=along), retry=Retry.none()) as coze:
        with pytest.raises(TransportError) as caught:
            await coze.files.upload(b"abc", name="a.pdf")
    assert not caught.value.may_have_arrived
    assert "not sent again" not in str(caught.value)


async def test_a_client_that_follows_redirections_cannot_read_the_file_twice() -> None:
    moved = httpx.Response(307, headers={"location": "http://coze.test/elsewhere"})
    transport = Receiver(moved, UPLOADED)
    async with httpx.AsyncClient(transport=transport, follow_redirects=True) as http:
        coze = AsyncCoze("pat_x", base_url="http://coze.test", http_client=http)
        with pytest.raises(ConfigurationError, match="asked for the uploaded file a second time"):
            await coze.files.upload(b"abc", name="a.pdf")


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_long_upload_is_not_given_up_while_it_gets_on() -> None:
    """Each piece takes most of the idle time, and so does the source; only the answer is waited for."""

    async def slow() -> AsyncGenerator[bytes]:
        for _ in range(5):
            await anyio.sleep(1000)
            yield b"abc"

    async def along(pieces: int) -> None:
        await anyio.sleep(100)

    transport = Receiver(UPLOADED, along=along)
    async with client(transport, timeouts=Timeouts(idle=120.0)) as coze:
        before = anyio.current_time()
        assert (await coze.files.upload(slow(), name="a.pdf")).id == "736"
    assert anyio.current_time() - before == pytest.approx(5 * 1000 + 7 * 100)


async def test_a_server_that_takes_no_more_of_it_is_given_up_in_time() -> None:
    async def along(pieces: int) -> None:
        if pieces == 2:
            await anyio.sleep_forever()

    async with client(Receiver(UPLOADED, along=along), timeouts=Timeouts(idle=120.0), retry=Retry.none()) as coze:
        before = anyio.current_time()
        with pytest.raises(RequestTimeoutError, match=r"no answer within 120 s \(Timeouts.idle\)") as caught:
            await coze.files.upload(b"abc", name="a.pdf")
    assert anyio.current_time() - before == pytest.approx(120)
    assert not caught.value.may_have_arrived


async def test_without_a_limit_a_slow_server_is_waited_for() -> None:
    async def along(pieces: int) -> None:
        await anyio.sleep(10_000)

    async with client(Receiver(UPLOADED, along=along), timeouts=Timeouts(idle=None)) as coze:
        assert (await coze.files.upload(b"abc", name="a.pdf")).id == "736"


# --- cancelled in the middle ------------------------------------------------------------------------------------------


def open_files() -> int:
    return sum(isinstance(thing, io.FileIO) and not thing.closed for thing in gc.get_objects())


async def test_cancelling_in_the_middle_closes_the_file(path: Path) -> None:
    reached = anyio.Event()

    async def along(pieces: int) -> None:
        if pieces == 2:
            reached.set()
            await anyio.sleep_forever()

    async with client(Receiver(UPLOADED, along=along), timeouts=Timeouts(idle=None)) as coze:
        # The worker threads stay; they are no files of ours.
        await anyio.to_thread.run_sync(int)
        before = open_files()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(coze.files.upload, path)
            await reached.wait()
            assert open_files() == before + 1
            tasks.cancel_scope.cancel()
        assert open_files() == before


async def test_cancelling_in_the_middle_ends_the_callers_own_generator() -> None:
    ended = anyio.Event()
    started = anyio.Event()

    async def source() -> AsyncGenerator[bytes]:
        try:
            yield b"abc"
            started.set()
            await anyio.sleep_forever()
        finally:
            ended.set()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async with client(Receiver(UPLOADED)) as coze, anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: coze.files.upload(source(), name="a.pdf"))
            await started.wait()
            tasks.cancel_scope.cancel()
        gc.collect()
    assert ended.is_set()


async def test_a_request_that_fails_early_ends_the_callers_own_generator() -> None:
    ended = False

    async def source() -> AsyncGenerator[bytes]:
        nonlocal ended
        try:
            while True:
                yield b"abc"
        finally:
            ended = True

    async def along(pieces: int) -> None:
        raise httpx.WriteError("Broken pipe")

    async with client(Receiver(UPLOADED, along=along)) as coze:
        with pytest.raises(TransportError, match="was lost before all was sent: Broken pipe"):
            await coze.files.upload(source(), name="a.pdf")
    assert ended


# --- memory -----------------------------------------------------------------------------------------------------------


async def test_a_large_file_is_never_whole_in_memory(tmp_path: Path) -> None:
    large = tmp_path / "a.zip"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    emulator = Emulator()
    async with AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport()) as coze:
        await coze.files.upload(b"warm", name="a.pdf")
        tracemalloc.start()
        try:
            uploaded = await coze.files.upload(large)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert uploaded.bytes == 64 << 20
    assert most < 8 << 20
    form = emulator.requests[-1].body
    assert isinstance(form, ReceivedForm)
    (received,) = form.files
    assert isinstance(received, ReceivedFile)
    assert received.size == 64 << 20


# --- the digest -------------------------------------------------------------------------------------------------------


async def test_a_digest_is_that_of_the_content_and_leaves_it_to_be_sent(path: Path) -> None:
    expected = hashlib.sha256(ON_DISK).hexdigest()
    with path.open("rb") as file:
        for source in (path, file, ON_DISK):
            upload = Upload(source, name="a.pdf")
            assert await upload.digest() == expected
            async with upload.open() as reader:
                assert len(await reader.next()) == 1 << 18


@pytest.mark.parametrize("source", ["generator", "iterator", "pipe"])
async def test_what_can_be_read_once_has_no_digest(source: str) -> None:
    content = SOURCES[source]()
    with pytest.raises(ConfigurationError, match="dedupe has to read the content before it is sent"):
        await Upload(content, name="a.pdf").digest()
    if isinstance(content, AsyncGenerator):
        await content.aclose()


# --- over real sockets, in real time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_files_of_known_and_unknown_size_arrive_over_a_port(path: Path, backend: str) -> None:
    emulator = Emulator()

    async def upload(url: str) -> list[int | None]:
        async with AsyncCoze("pat_x", base_url=url) as coze:
            known = await coze.files.upload(path)
            unknown = await coze.files.upload(pieces_of(b"abc", ON_DISK), name="a.pdf")
            return [known.bytes, unknown.bytes]

    with served(emulator) as url:
        assert anyio.run(upload, url, backend=backend) == [LARGE, LARGE + 3]
    lengths = ["content-length" in request.headers for request in emulator.requests]
    assert lengths == [True, False]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_server_that_refuses_before_it_has_taken_everything_is_heard(tmp_path: Path, backend: str) -> None:
    large = tmp_path / "a.zip"
    with large.open("wb") as file:
        file.truncate(32 << 20)
    said = b'{"code":4302,"msg":"too large"}'
    head = f"HTTP/1.1 413 Too Large\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n".encode()

    async def refuse(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive(1000)
            await stream.send(head + said)
            # As servers do it: what still comes is thrown away, or the answer would be lost with the connection.
            async for _ in stream:
                pass

    async def upload() -> None:
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listener.serve, refuse)
                async with AsyncCoze("pat_x", base_url=f"http://127.0.0.1:{port}", retry=Retry.none()) as coze:
                    with pytest.raises(BadRequestError, match=r"\(code 4302, HTTP 413\): too large"):
                        await coze.files.upload(large)
                tasks.cancel_scope.cancel()

    anyio.run(upload, backend=backend)
