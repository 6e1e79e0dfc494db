"""The emulator's files and sounds, spoken to as any client would."""

import struct
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import httpx
import pytest
from emulator.talk import HEADERS, Talk, talking
from emulator.test_server import client, served

from coze_async.emulator import Dialect, Emulator, ReceivedForm, _files
from coze_async.emulator._form import FormParser, read_form
from coze_async.emulator._sound import spoken, wav

Files = list[tuple[str, tuple[str, bytes]]]


async def upload(talk: Talk, files: Files, path: str = "/v1/files/upload") -> Any:
    return (await talk.http.post(path, files=files)).json()


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ([("file", ("a.pdf", b"abc"))], 0),
        ([("file", ("a.pdf", b""))], 4300),
        ([("file", ("a.pdf", b"a")), ("file", ("b.pdf", b"b"))], 4301),
        ([("file", ("a.pdf", b"x" * 11))], 4302),
        ([("file", ("a.txt", b"abc"))], 4303),
        ([("file", ("README", b"abc"))], 4303),
        ([("other", ("a.pdf", b"abc"))], 4000),
    ],
)
async def test_a_file_is_taken_or_refused_with_its_code(
    files: Files, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_files, "MOST", 10)
    async with talking(Emulator()) as talk:
        assert (await upload(talk, files))["code"] == code


@pytest.mark.parametrize(("dialect", "code"), [("studio", 4302), ("plus", 4302), ("cloud", 0)])
async def test_a_self_hosted_server_takes_less(dialect: Dialect, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 MB against 512 MB (Coze Studio source 4f786d6)."""
    assert (_files.MOST_OF_STUDIO, _files.MOST) == (200 << 20, 512 << 20)
    monkeypatch.setattr(_files, "MOST_OF_STUDIO", 10)
    async with talking(Emulator(dialect)) as talk:
        assert (await upload(talk, [("file", ("a.pdf", b"x" * 11))]))["code"] == code


async def test_a_file_of_any_type_is_taken_by_a_self_hosted_server() -> None:
    async with talking(Emulator("studio")) as talk:
        uploaded = await upload(talk, [("file", ("a.txt", b"abc"))])
        assert uploaded["data"].keys() == {"id", "bytes", "file_name", "CreatedAt", "uri", "url"}
        assert (await talk.http.get("/v1/files/retrieve", params={"file_id": "1"})).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\nabc',
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\nabc\r\n--b',
        b"--bxx",
        b"nothing",
        b"--b\r\n" + b"x" * 70_000,
    ],
)
async def test_a_form_without_its_end_is_a_broken_file(body: bytes) -> None:
    async with talking(Emulator()) as talk:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        response = await talk.http.post("/v1/files/upload", content=body, headers=headers)
        assert response.json()["code"] == 4304


async def test_a_form_without_a_boundary_is_a_broken_file() -> None:
    async with talking(Emulator()) as talk:
        headers = {"content-type": "multipart/form-data"}
        response = await talk.http.post("/v1/files/upload", content=b"--\r\n\r\n--", headers=headers)
        assert response.json()["code"] == 4304


async def test_an_upload_in_json_is_refused() -> None:
    async with talking(Emulator()) as talk:
        assert (await talk.post("/v1/files/upload", {"file": "x"}))["code"] == 4000


async def test_what_comes_before_and_after_a_form_is_passed_over() -> None:
    async def body() -> AsyncGenerator[bytes]:
        yield b"before\r\n--b\r\n"
        yield b'Content-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--'
        yield b"\r\nafter\r\n--b\r\n"

    form = await read_form('multipart/form-data; boundary="b"', body())
    assert (form.texts, form.files, form.is_whole) == ({"x": "1"}, [], True)


def test_of_a_file_only_the_beginning_is_kept() -> None:
    parser = FormParser(b"b")
    parser.feed(b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n')
    for _ in range(100):
        parser.feed(b"x" * 10_000)
    parser.feed(b"\r\n--b--\r\n")
    (file,) = parser.result().files
    assert (file.size, len(file.head), file.content_type) == (1_000_000, 1 << 16, "text/plain")


async def test_a_request_that_was_recorded_holds_the_form() -> None:
    emulator = Emulator()
    async with talking(emulator) as talk:
        await talk.http.post("/v1/files/upload", files={"file": ("a.pdf", b"abc")}, data={"more": "1"})
    form = emulator.requests[0].body
    assert isinstance(form, ReceivedForm)
    assert form.texts == {"more": "1"}
    assert (form.files[0].name, form.files[0].head, form.files[0].content_type) == ("a.pdf", b"abc", "application/pdf")


@pytest.mark.parametrize(
    ("body", "match"),
    [
        ({"voice_id": "7"}, "input is required"),
        ({"input": "Hi"}, "voice_id is required"),
        ({"input": "Hi", "voice_id": "7", "sample_rate": 1}, "sample_rate"),
        ({"input": "Hi", "voice_id": "7", "speed": 4}, "speed"),
        ({"input": "Hi", "voice_id": "7", "speed": "fast"}, "speed"),
        ({"input": "Hi", "voice_id": "7", "response_format": "flac"}, "is none of mp3, wav, pcm, ogg_opus"),
    ],
)
async def test_speech_that_cannot_be_made_is_refused_in_json(body: dict[str, Any], match: str) -> None:
    async with talking(Emulator()) as talk:
        answer = await talk.post("/v1/audio/speech", body)
        assert answer["code"] == 4000
        assert match in answer["msg"]


async def test_speech_that_leaves_things_open_with_null_is_spoken() -> None:
    """The official SDKs write null for what was not given."""
    body = dict.fromkeys(("response_format", "sample_rate", "speed", "emotion", "loudness_rate"))
    async with talking(Emulator()) as talk:
        response = await talk.http.post("/v1/audio/speech", json={"input": "Hi", "voice_id": "7", **body})
    assert response.headers["content-type"] == "audio/mpeg"


async def test_speech_in_opus_is_an_ogg_file_that_is_heard_again() -> None:
    text = "你好，世界。" * 20
    async with talking(Emulator()) as talk:
        body = {"input": text, "voice_id": "7", "response_format": "ogg_opus"}
        response = await talk.http.post("/v1/audio/speech", json=body)
        assert response.headers["content-type"] == "audio/ogg"
        heard = await talk.http.post("/v1/audio/transcriptions", files={"file": ("a.ogg", response.content)})
    assert heard.json()["data"]["text"] == text
    pages = list(_ogg_pages(response.content))
    assert [kind for kind, _, _ in pages] == [2, *[0] * (len(pages) - 2), 4]
    assert [number for _, number, _ in pages] == list(range(len(pages)))
    assert [samples for _, _, samples in pages] == sorted(samples for _, _, samples in pages)


def _ogg_pages(sound: bytes) -> Iterator[tuple[int, int, int]]:
    """The kind, the number and the position of each page; its checksum is looked at (RFC 3533)."""
    while sound:
        kind, samples, _, number, checksum, parts = struct.unpack("<xxxxxBqIIIB", sound[:27])
        assert sound.startswith(b"OggS\0")
        end = 27 + parts + sum(sound[27 : 27 + parts])
        page, sound = sound[:22] + bytes(4) + sound[26:end], sound[end:]
        # Long division of bits, high bit first; zlib's begins with the low bit and turns all of them.
        bits = int.from_bytes(page, "big") << 32
        for place in range(bits.bit_length() - 1, 31, -1):
            if bits >> place & 1:
                bits ^= 0x104C11DB7 << (place - 32)
        assert bits == checksum
        yield kind, number, samples


async def test_speech_comes_in_pieces_at_its_pace_and_ends_when_it_is_left() -> None:
    emulator = Emulator(pace=0.5)
    request = httpx.Request(
        "POST", f"{emulator.url}/v1/audio/speech", json={"input": "Hello", "voice_id": "7"}, headers=HEADERS
    )
    response = await emulator.transport().handle_async_request(request)
    assert emulator.open_streams == 1
    assert isinstance(response.stream, httpx.AsyncByteStream)
    first = await anext(aiter(response.stream))
    assert (response.headers["content-type"], len(first)) == ("audio/mpeg", 4096)
    await response.aclose()
    assert emulator.open_streams == 0


async def test_pcm_is_what_a_wav_holds() -> None:
    async with talking(Emulator()) as talk:
        body = {"input": "Hello", "voice_id": "7", "response_format": "pcm"}
        raw = (await talk.http.post("/v1/audio/speech", json=body)).content
        whole = (await talk.http.post("/v1/audio/speech", json={**body, "response_format": "wav"})).content
    assert whole.endswith(raw)
    assert len(raw) == 2 * int(0.45 * 24000)
    assert struct.unpack("<I", whole[4:8])[0] == len(whole) - 8


def test_the_text_of_a_sound_is_found_only_in_sounds_that_were_made_here() -> None:
    assert spoken(wav("Hi", 8000)) == "Hi"
    assert spoken(wav("Hello", 8000)) == "Hello"
    assert spoken(b"RIFF" + bytes(40)) is None
    assert spoken(b"OggS") is None


async def test_a_recording_is_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "MOST_OF_A_RECORDING", 2)
    async with talking(Emulator()) as talk:
        path = "/v1/audio/transcriptions"
        assert (await upload(talk, [("file", ("a.wav", b"xxx"))], path))["code"] == 4302
        assert (await upload(talk, [("file", ("a.pdf", b"x"))], path))["code"] == 4303
        assert (await upload(talk, [("file", ("a.wav", b"x"))], path))["data"] == {"text": "You hear a.wav."}


def test_a_file_is_taken_over_a_port_as_well() -> None:
    emulator = Emulator()
    with served(emulator) as url, client(url) as http:
        content = bytes(range(256)) * 4000
        uploaded = http.post("/v1/files/upload", files={"file": ("a.pdf", content)}).json()["data"]
        assert uploaded["bytes"] == len(content)
        assert http.get("/v1/files/retrieve", params={"file_id": uploaded["id"]}).json()["data"] == uploaded
        sound = http.post("/v1/audio/speech", json={"input": "Hi", "voice_id": "7"})
        assert int(sound.headers["content-length"]) == len(sound.content)
