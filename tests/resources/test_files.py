"""Files of the service: uploaded, found again, sent once, and used in a chat."""

import io
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from coze_async import (
    AsyncCoze,
    BadRequestError,
    ConfigurationError,
    Limits,
    MemoryUploadCache,
    MessageObject,
    NotFoundError,
    Upload,
)
from coze_async.emulator import Code, Emulator, ReceivedForm, RecordedRequest
from coze_async.models import File


def client(emulator: Emulator) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), limits=Limits.none())


def sent(request: RecordedRequest) -> tuple[str, str, int]:
    """Return what the form of an upload held: the name of the file, its digest, its size."""
    form = request.body
    assert isinstance(form, ReceivedForm)
    assert form.is_whole
    assert form.texts == {}
    (file,) = form.files
    return file.name, file.sha256, file.size


async def test_a_file_is_uploaded_looked_up_and_shown_to_a_bot(tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG\r\n")
    emulator = Emulator()
    async with client(emulator) as coze:
        file = await coze.files.upload(path)
        assert (file.file_name, file.bytes) == ("cat.png", 6)
        assert file.created is not None
        assert await coze.files.retrieve(file_id=file.id) == file
        asked = [MessageObject.of_text("What is this?"), MessageObject.of_image(file_id=file.id)]
        assert (await coze.chat.ask(asked, bot_id="b", user_id="u")).text
    assert file.id in emulator.requests[-1].body["additional_messages"][0]["content"]


@pytest.mark.parametrize("dialect", ["studio", "plus"])
async def test_self_hosted_servers_say_the_same_with_other_keys_and_more(dialect: Any) -> None:
    async with client(Emulator(dialect)) as coze:
        file = await coze.files.upload(b"x", name="a.png")
    assert file.created is not None
    assert file.url is not None
    assert "/a.png?" in file.url
    assert file.uri is not None


async def test_a_file_that_nobody_uploaded_is_not_found() -> None:
    async with client(Emulator()) as coze:
        with pytest.raises(NotFoundError, match="The file 7 does not exist"):
            await coze.files.retrieve(file_id="7")


async def test_what_the_server_does_not_take_is_told_with_its_code() -> None:
    async with client(Emulator()) as coze:
        with pytest.raises(BadRequestError, match=r"code 4303.*notes.txt is not supported") as caught:
            await coze.files.upload(Upload(b"x", name="notes.txt", check=False))
    assert caught.value.code == 4303


async def test_the_same_content_is_sent_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"content")
    emulator, cache = Emulator(), MemoryUploadCache()
    async with client(emulator) as coze:
        files = [
            await coze.files.upload(path, dedupe=cache),
            await coze.files.upload(b"content", name="b.PDF", dedupe=cache),
            await coze.files.upload(io.BytesIO(b"content"), name="a.pdf", dedupe=cache),
        ]
        assert len({file.id for file in files}) == 1
        assert [sent(request)[0] for request in emulator.requests] == ["a.pdf"]
        # Another content, or the same under another type, is another file.
        await coze.files.upload(b"other", name="a.pdf", dedupe=cache)
        await coze.files.upload(b"content", name="a.doc", dedupe=cache)
        assert len(emulator.requests) == 3
        # Without the cache it is sent again.
        await coze.files.upload(path)
        assert len(emulator.requests) == 4


class Unhurried(httpx.AsyncBaseTransport):
    """Lets everybody else have many turns before it passes a request on."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        return await self._inner.handle_async_request(request)


async def test_who_brings_the_same_content_at_the_same_time_waits_for_the_first() -> None:
    emulator, cache = Emulator(), MemoryUploadCache()
    found: list[File] = []
    async with AsyncCoze("pat_x", base_url=emulator.url, transport=Unhurried(emulator.transport())) as coze:

        async def upload(content: bytes) -> None:
            found.append(await coze.files.upload(content, name="a.pdf", dedupe=cache))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(upload, b"one" if number % 2 else b"two")
    assert len(emulator.requests) == 2
    assert len(found) == 20
    assert len({file.id for file in found}) == 2


async def test_a_first_upload_that_fails_is_followed_by_the_next() -> None:
    emulator, cache = Emulator(), MemoryUploadCache()
    emulator.fail(Code(4000, "no"), on="POST /v1/files/upload")
    async with client(emulator) as coze:
        with pytest.raises(BadRequestError):
            await coze.files.upload(b"x", name="a.pdf", dedupe=cache)
        assert len(cache) == 0
        assert await coze.files.upload(b"x", name="a.pdf", dedupe=cache)
        assert len(cache) == 1


async def test_a_remembered_file_is_sent_again_before_the_service_forgets_it() -> None:
    """The service keeps it 3 months; a file that is near its end is of no use to a chat."""
    day = 86400.0
    now = [0.0]
    emulator, cache = Emulator(), MemoryUploadCache(clock=lambda: now[0])
    async with client(emulator) as coze:
        for days, requests in ((0, 1), (87.9, 1), (88, 2), (88 + 87.9, 2)):
            now[0] = days * day
            await coze.files.upload(b"x", name="a.pdf", dedupe=cache)
            assert len(emulator.requests) == requests


async def test_a_file_of_another_server_is_another_file() -> None:
    emulator, cache = Emulator(), MemoryUploadCache()
    for url in ("http://one.test", "http://two.test"):
        async with AsyncCoze("pat_x", base_url=url, transport=emulator.transport()) as coze:
            await coze.files.upload(b"x", name="a.pdf", dedupe=cache)
    assert len(emulator.requests) == 2


async def test_what_cannot_be_sent_is_not_even_read_for_its_digest() -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        with pytest.raises(ConfigurationError, match=r"begins like \.pdf"):
            await coze.files.upload(b"%PDF-1.7", name="a.png", dedupe=MemoryUploadCache())
    assert emulator.requests == []
