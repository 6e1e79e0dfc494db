"""`Recorder`: it writes down what goes through, and nobody notices."""

# pyright: reportPrivateUsage=false

import contextlib
import gzip
import json
import logging
import os
import threading
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import anyio
import httpx
import pytest
from answering import Answers, answer
from anyio.abc import SocketAttribute, SocketStream
from anyio.from_thread import start_blocking_portal
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import ReplayTransport, recording, recordings, stream_of

from coze_async import (
    AsyncCoze,
    ConfigurationError,
    CozeError,
    Limits,
    Recorder,
    Retry,
    StreamInterruptedError,
    TransportError,
    replay,
)
from coze_async._masking import KEEPABLE, ExchangeMasking
from coze_async._recording import Ending, read_recordings
from coze_async.emulator import Answer, Break, Chunk, Code, Emulator, Refuse, Script, Stall, Unreachable

URL = "http://coze.example"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.jsonl"


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def client(transport: httpx.AsyncBaseTransport, **options: Any) -> AsyncCoze:
    return AsyncCoze(
        "pat_recorded", base_url=URL, transport=transport, limits=Limits.none(), retry=Retry.none(), **options
    )


async def said(coze: AsyncCoze) -> tuple[list[Any], str]:
    """Return the events of a chat, and the error that ended it."""
    events: list[Any] = []
    try:
        async with coze.chat.stream("Hi", bot_id="5001", user_id="u-1") as stream:
            async for event in stream:
                events.append(event)
    except CozeError as error:
        return events, f"{type(error).__name__}: {error}"
    return events, ""


CHATS = [name for name in recordings() if name.startswith(("cloud_chat", "studio_chat", "plus_chat"))]


@pytest.mark.parametrize("name", CHATS)
async def test_what_a_recorder_has_written_plays_the_same_as_what_it_saw(path: Path, name: str) -> None:
    original = recording(name)
    seen = await said(client(ReplayTransport(original)))
    recorder = Recorder(path, ReplayTransport(original), keep=KEEPABLE)
    assert await said(client(recorder)) == seen
    assert await said(client(replay(path))) == seen
    [written] = read_recordings(path)
    # Whoever meets an error closes the stream before its end.
    count = len(written.pieces)
    assert [piece.data for piece in written.pieces] == [piece.data for piece in original.pieces][:count]
    assert [piece.at for piece in written.pieces] == [piece.at for piece in original.pieces][:count]
    assert (count == len(original.pieces)) or written.ending.kind == "left"
    assert written.status == original.status
    assert recorder.error is None


@pytest.mark.anyio
@settings(max_examples=15)
@given(
    pieces=st.lists(st.tuples(st.integers(0, 50), st.binary(min_size=1, max_size=30)), max_size=6),
    kind=st.sampled_from(["audio/mpeg", "text/event-stream", "application/json", "text/html"]),
    ending=st.sampled_from(
        [Ending("whole"), Ending("lost", 0.0, "ReadError", "reset"), Ending("lost", 0.0, "ReadTimeout")]
    ),
)
async def test_bytes_and_edges_and_times_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[int, bytes]], kind: str, ending: Ending
) -> None:
    path = tmp_path_factory.mktemp("recorded") / "x.jsonl"
    at, timed = 0.0, list[tuple[float, bytes]]()
    for step, piece in pieces:
        at = round(at + step / 10, 4)
        timed.append((at, piece))
    ended = Ending(ending.kind, at, ending.error, ending.why)
    original = replace(stream_of(*timed, headers={"content-type": kind}), ending=ended)

    async def read(transport: httpx.AsyncBaseTransport) -> tuple[list[tuple[float, bytes]], str]:
        """Return the pieces, when they came, and how they ended."""
        came: list[tuple[float, bytes]] = []
        async with httpx.AsyncClient(transport=transport, timeout=None) as http:
            try:
                async with http.stream("POST", f"{URL}/v3/chat") as response:
                    began = anyio.current_time()
                    async for piece in response.aiter_raw():
                        came.append((round(anyio.current_time() - began, 4), piece))
            except httpx.HTTPError as error:
                return came, f"{type(error).__name__}: {error}"
        return came, ""

    seen = await read(ReplayTransport(original))
    assert await read(Recorder(path, ReplayTransport(original), keep=KEEPABLE)) == seen
    assert await read(replay(path, speed=1.0)) == seen
    # Twice as fast, the same comes in half of the time; and without a speed at once.
    assert [at for at, _ in (await read(replay(path, speed=2.0)))[0]] == pytest.approx(
        [at / 2 for at, _ in seen[0]], abs=1e-3
    )
    assert await read(replay(path)) == ([(0.0, piece) for _, piece in seen[0]], seen[1])
    [written] = read_recordings(path)
    assert [(piece.at, piece.data) for piece in written.pieces] == timed
    assert written.ending == original.ending


SECRETS = st.text("QZJKäß龙井茶😀", min_size=4, max_size=12)


@pytest.mark.anyio
@settings(max_examples=50)
@given(
    token=st.text("QZJK", min_size=8), user=SECRETS, text=SECRETS, reply=SECRETS, edges=st.lists(st.integers(0, 900))
)
async def test_no_secret_is_left_anywhere_in_the_file(
    tmp_path_factory: pytest.TempPathFactory, token: str, user: str, text: str, reply: str, edges: list[int]
) -> None:
    path = tmp_path_factory.mktemp("masked") / "x.jsonl"
    events = [
        {"id": "8", "type": "answer", "content": reply},
        {"id": "9", "content": json.dumps({"msg_type": "x", "data": json.dumps({"slice": reply})})},
        {"code": 5000, "msg": f"{user} said {text} with {token}"},
    ]
    body = "".join(f"event:e\ndata:{json.dumps(event, ensure_ascii=bool(at))}\n\n" for at, event in enumerate(events))
    answered = stream_of(body.encode(), headers={"set-cookie": token, "x-tt-logid": "L1"}).cut(edges)
    async with AsyncCoze(token, base_url=URL, transport=Recorder(path, ReplayTransport(answered))) as coze:
        with pytest.raises(CozeError):
            await coze.chat.ask(text, bot_id="5001", user_id=user, custom_variables={"who": user})
    written = text_of(path)
    [found] = read_recordings(path)
    shown = found.body.decode()
    for secret in (token, user, text, reply):
        for form in (secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret))[3:-3]):
            assert form not in written
            assert form not in shown
    assert len(found.body) == len(answered.body)
    assert [len(piece.data) for piece in found.pieces] == [len(piece.data) for piece in answered.pieces]
    assert "L1" in written


def bot(emulator: Emulator) -> Emulator:
    script = Script(
        Answer("龙井, 明前。", "thinking"), knowledge=[Chunk("Picked in April")], follow_ups=["And tea?"], pace=0.5
    )
    emulator.bot("5001", script)
    return emulator


async def test_a_masked_recording_still_plays_as_a_chat_of_the_same_form(path: Path) -> None:
    emulator = bot(Emulator())
    result = await client(Recorder(path, emulator.transport())).chat.ask("Which tea?", bot_id="5001", user_id="u-77")
    again = await client(replay(path)).chat.ask("Which tea?", bot_id="5001", user_id="u-77")
    assert again.text == "某某, 某某某"
    assert (again.reasoning, again.follow_ups) == ("xxxxxxxx", ["xxx xxx?"])
    assert [chunk.text for chunk in again.knowledge] == ["xxxxxx xx xxxxx"]
    assert (again.chat_id, again.usage, again.logid) == (result.chat_id, result.usage, result.logid)


async def test_the_first_lines_say_what_was_asked_of_whom_and_when(path: Path) -> None:
    async with client(Recorder(path, bot(Emulator()).transport()), headers={"x-mine": "my-header"}) as coze:
        await coze.chat.ask("Which tea?", bot_id="5001", user_id="u-77", conversation_id=None, parameters={"n": "abc"})
    about, asked, head, *_ = map(json.loads, text_of(path).splitlines())
    assert about["source"].startswith("Recorder of coze_async ")
    assert about["date"].startswith("20")
    assert about["date"].endswith("+00:00")
    assert (about["server"], about["kept"]) == ("http://xxxx.xxxxxxx", [])
    assert (asked["method"], asked["path"], asked["query"]) == ("POST", "/v3/chat", {})
    assert asked["body"]["parameters"] == {"n": "xxx"}
    assert (asked["body"]["bot_id"], asked["body"]["user_id"]) == ("5001", "x-00")
    assert head["headers"]["content-type"].startswith("text/event-stream")
    text = text_of(path)
    assert "pat_recorded" not in text
    assert "my-header" not in text


async def test_a_file_is_never_read_for_the_recording(path: Path) -> None:
    emulator = Emulator()
    recorder = Recorder(path, emulator.transport())
    async with client(recorder) as coze:
        await coze.files.upload(b"%PDF a private letter", name="letter-to-ann.pdf")
    assert recorder.error is None
    text = text_of(path)
    assert "private" not in text
    assert "ann" not in text
    [found] = read_recordings(path)
    assert found.asked.body is None
    assert (found.asked.size or 0) > 100
    async with client(replay(path)) as coze:
        assert (await coze.files.upload(b"another", name="x.pdf")).id


@pytest.mark.parametrize("content", [b"no json", b'{"half', b"\xff\xfe"])
async def test_a_request_that_is_no_json_has_its_size(path: Path, content: bytes) -> None:
    async with httpx.AsyncClient(transport=Recorder(path, ReplayTransport(stream_of()))) as http:
        await http.post(URL, content=content)
    [found] = read_recordings(path)
    assert (found.asked.body, found.asked.size) == (None, len(content))


async def test_a_download_is_recorded_by_its_sizes(path: Path) -> None:
    sound = stream_of(b"abc", b"\x00\x01", headers={"content-type": "audio/mpeg"})
    async with (
        client(Recorder(path, ReplayTransport(sound))) as coze,
        await coze.audio.speech.create(input="hello", voice_id="v") as speech,
    ):
        assert await speech.read() == b"abc\x00\x01"
    [found] = read_recordings(path)
    assert [(piece.data, piece.withheld, piece.size) for piece in found.pieces] == [(b"", 3, 3), (b"", 2, 2)]
    async with client(replay(path)) as coze, await coze.audio.speech.create(input="hello", voice_id="v") as speech:
        assert await speech.read() == bytes(5)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("x-gzip", gzip.compress), ("identity", bytes)],
)
async def test_compression_is_undone_in_the_recording_and_left_to_the_caller(
    path: Path, encoding: str, packed: Any
) -> None:
    plain = b'{"code":0,"data":{"id":"9","conversation_id":"7","status":"completed"}}'
    bytes_of_it = packed(plain)
    headers = {
        "content-type": "application/json",
        "content-encoding": encoding,
        "content-length": str(len(bytes_of_it)),
    }
    original = stream_of(bytes_of_it, headers=headers).cut([20])
    http = httpx.AsyncClient(transport=Recorder(path, ReplayTransport(original)))
    async with http, http.stream("GET", URL) as response:
        assert response.headers["content-encoding"] == encoding
        assert b"".join([piece async for piece in response.aiter_raw()]) == bytes_of_it
    [found] = read_recordings(path)
    assert found.body == plain
    assert len(found.pieces) == 2
    assert found.headers == {"content-type": "application/json"}


async def test_a_small_body_that_would_unpack_to_a_huge_one_is_withheld(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coze_async._recorder._MOST_OF_A_BODY", 1000)
    for size in (1000, 1001, 100_000):
        packed = stream_of(gzip.compress(b"x" * size), headers={"content-encoding": "gzip"})
        http = httpx.AsyncClient(transport=Recorder(path, ReplayTransport(packed)))
        async with http:
            assert (await http.get(URL)).content == b"x" * size
    assert [bool(found.pieces[0].withheld) for found in read_recordings(path)] == [False, True, True]


@pytest.mark.parametrize("encoding", ["br", "gzip"])
async def test_what_cannot_be_looked_into_is_withheld(path: Path, encoding: str) -> None:
    packed = stream_of(b"pat_hidden", headers={"content-encoding": encoding})
    http = httpx.AsyncClient(transport=Recorder(path, ReplayTransport(packed), keep=KEEPABLE))
    async with http, http.stream("GET", URL) as response:
        assert [piece async for piece in response.aiter_raw()] == [b"pat_hidden"]
    [found] = read_recordings(path)
    assert [(piece.data, piece.withheld) for piece in found.pieces] == [(b"", 10)]


async def test_a_very_long_body_is_recorded_by_its_sizes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async._recorder._MOST_OF_A_BODY", 5)
    async with httpx.AsyncClient(transport=Recorder(path, ReplayTransport(stream_of(b"abc", b"def")))) as http:
        assert (await http.get(URL)).content == b"abcdef"
    [found] = read_recordings(path)
    assert [piece.withheld for piece in found.pieces] == [3, 3]


@pytest.mark.parametrize("size", [32 << 10, (32 << 10) + 1])
async def test_what_is_long_is_masked_beside_the_event_loop_and_written_before_the_client_is_closed(
    path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    masked: list[int] = []
    mask = ExchangeMasking.body

    def body(self: ExchangeMasking, *arguments: Any) -> bytes | None:
        masked.append(threading.get_ident())
        return mask(self, *arguments)

    monkeypatch.setattr(ExchangeMasking, "body", body)
    recorder = Recorder(path, ReplayTransport(stream_of(b"x" * size)))
    # A client that is closed is not the end of a recorder.
    for count in (1, 2):
        async with httpx.AsyncClient(transport=recorder) as http:
            assert (await http.get(URL)).content == b"x" * size
        assert [len(found.body) for found in read_recordings(path)] == [size] * count
    assert recorder.exchanges == 2
    assert [thread == threading.get_ident() for thread in masked] == [size <= 32 << 10] * 2


async def test_a_long_request_is_masked_beside_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async._recorder._MOST_AT_ONCE", 10)
    recorder = Recorder(path, ReplayTransport(stream_of()))
    async with httpx.AsyncClient(transport=recorder) as http:
        await http.post(URL, json={"content": "a long question"})
        assert recorder._beside is not None
    [found] = read_recordings(path)
    assert found.asked.body == {"content": "x xxxx xxxxxxxx"}


async def test_a_compressed_body_counts_for_more_than_it_is(path: Path) -> None:
    packed = gzip.compress(bytes(2 << 20))
    recorder = Recorder(path, ReplayTransport(stream_of(packed, headers={"content-encoding": "gzip"})))
    async with httpx.AsyncClient(transport=recorder) as http:
        assert len(packed) < 32 << 10
        assert len((await http.get(URL)).content) == 2 << 20
        assert recorder._beside is not None
    assert len(read_recordings(path)[0].body) == 2 << 20


async def test_who_is_cancelled_while_a_recorder_is_closed_does_not_wait_for_what_is_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coze_async._recorder._MOST_AT_ONCE", 10)
    may_go_on = threading.Event()

    def body(self: ExchangeMasking, *_: Any) -> None:
        assert may_go_on.wait(60)

    monkeypatch.setattr(ExchangeMasking, "body", body)
    recorder = Recorder(path, ReplayTransport(stream_of(b"something long")))
    await httpx.AsyncClient(transport=recorder).get(URL)
    beside = recorder._beside
    assert beside is not None
    with anyio.CancelScope() as scope:
        scope.cancel()
        await recorder.aclose()
    assert recorder.exchanges == 0
    may_go_on.set()
    beside.shutdown()
    assert len(read_recordings(path)) == 1


# --- how it ends ------------------------------------------------------------------------------------------------------


async def ending_of(path: Path) -> Ending:
    [found] = read_recordings(path)
    return found.ending


async def test_leaving_early_is_recorded_and_closes_what_is_below(path: Path) -> None:
    emulator = bot(Emulator())
    async with client(Recorder(path, emulator.transport())) as coze:
        async with coze.chat.stream("Hi", bot_id="5001", user_id="u-1") as stream:
            await anext(stream)
            assert emulator.open_streams == 1
        assert emulator.open_streams == 0
        assert await ending_of(path) == Ending("left", 0.0, "", "its reader closed it")


async def test_cancelling_is_recorded_and_goes_through(path: Path) -> None:
    emulator = bot(Emulator())
    async with client(Recorder(path, emulator.transport())) as coze:
        with anyio.move_on_after(0.7) as scope:
            await coze.chat.ask("Hi", bot_id="5001", user_id="u-1")
        assert scope.cancelled_caught
        assert emulator.open_streams == 0
    # The chat is cancelled on the server too.
    chat, cancelled = read_recordings(path)
    assert (chat.ending, cancelled.asked.path) == (Ending("left", 0.7, "", "it was cancelled"), "/v3/chat/cancel")
    with pytest.raises(StreamInterruptedError, match="whoever made it read no further \\(it was cancelled\\)"):
        await client(replay(path)).chat.ask("Hi", bot_id="5001", user_id="u-1")


async def test_a_request_that_is_cancelled_before_its_answer_has_no_head(path: Path) -> None:
    emulator = Emulator()
    emulator.fail(Stall())
    with anyio.move_on_after(3.0):
        await client(Recorder(path, emulator.transport())).users.me()
    [found] = read_recordings(path)
    assert (found.status, found.ending) == (None, Ending("left", 3.0, "", "it was cancelled"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [(Unreachable(), "ConnectError"), (Break(after=None), "RemoteProtocolError")],
)
async def test_a_request_without_an_answer_fails_the_same_way_again(path: Path, fault: Any, error: str) -> None:
    emulator = Emulator()
    emulator.fail(fault)
    with pytest.raises(TransportError) as first:
        await client(Recorder(path, emulator.transport())).users.me()
    assert (await ending_of(path)).error == error
    with pytest.raises(TransportError) as second:
        await client(replay(path)).users.me()
    assert type(second.value) is type(first.value)
    assert second.value.may_have_arrived is first.value.may_have_arrived


async def test_a_time_out_of_httpx_is_recorded_and_played_when_it_came(path: Path) -> None:
    emulator = Emulator()
    emulator.fail(Stall())

    async def wait(transport: httpx.AsyncBaseTransport, timeout: float) -> float:
        began = anyio.current_time()
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.get(f"{URL}/v1/users/me")
        return anyio.current_time() - began

    assert await wait(Recorder(path, emulator.transport()), 5.0) == pytest.approx(5.0)
    assert (await ending_of(path)).error == "ReadTimeout"
    assert await wait(replay(path, speed=1.0), 9.0) == pytest.approx(5.0)
    # Who waits for less gets its own.
    assert await wait(replay(path, speed=1.0), 2.0) == pytest.approx(2.0)


async def test_an_error_that_is_none_of_httpx_goes_through_and_is_recorded(path: Path) -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b"abc"
            raise anyio.ClosedResourceError("gone, and pat_x with it")

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=Broken())

    async with httpx.AsyncClient(transport=Recorder(path, Transport())) as http:
        with pytest.raises(anyio.ClosedResourceError):
            await http.get(URL)
    ending = await ending_of(path)
    assert (ending.kind, ending.error, ending.why) == (
        "lost",
        "ReadError",
        "ClosedResourceError: gone, and xxx_x with it",
    )


async def test_an_open_stream_is_written_when_the_recorder_is_closed(path: Path) -> None:
    recorder = Recorder(path, bot(Emulator()).transport())
    coze = client(recorder)
    stream = coze.chat.stream("Hi", bot_id="5001", user_id="u-1")
    await anext(stream)
    await recorder.aclose()
    assert await ending_of(path) == Ending("left", 0.0, "", "the recorder was closed")
    await stream.aclose()
    assert len(read_recordings(path)) == 1


async def test_exchanges_at_the_same_time_are_not_mixed(path: Path) -> None:
    emulator = bot(Emulator())
    recorder = Recorder(path, emulator.transport())
    async with client(recorder) as coze, anyio.create_task_group() as tasks:
        for number in range(20):

            async def ask(number: int = number) -> None:
                await anyio.sleep(number / 10)
                await coze.chat.ask("Hi", bot_id="5001", user_id=f"u-{number}")

            tasks.start_soon(ask)
    found = read_recordings(path)
    assert len(found) == 20
    assert {recording.ending.kind for recording in found} == {"whole"}
    assert len({recording.pieces[0].data for recording in found}) == 20
    # What is written is not remembered.
    assert (recorder.exchanges, recorder._open) == (20, set())
    assert [recording.date for recording in found] == sorted(recording.date for recording in found)


# --- what goes wrong while recording ----------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
async def test_a_full_disk_is_one_warning_and_the_calls_go_on(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder("/dev/full", Emulator().transport())
    with caplog.at_level(logging.WARNING, "coze_async"):
        async with client(recorder) as coze:
            for _ in range(3):
                assert (await coze.users.me()).user_id
    assert [record.getMessage() for record in caplog.records] == [
        "recording to /dev/full has stopped (OSError: [Errno 28] No space left on device); the calls go on"
    ]
    assert isinstance(recorder.error, OSError)


@pytest.fixture
def lost_folder(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder whose folder goes away."""
    recorder = Recorder(tmp_path / "x.jsonl", Emulator().transport())
    gone = tmp_path.rename(tmp_path.with_name("gone"))
    yield recorder
    gone.rename(tmp_path)


async def test_a_folder_that_goes_away_does_not_matter_to_the_calls(lost_folder: Recorder) -> None:
    recorder = lost_folder
    async with client(recorder) as coze:
        assert (await coze.users.me()).user_id
    assert isinstance(recorder.error, FileNotFoundError)


def test_a_wrong_path_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be recorded to: it is a folder"):
        Recorder(tmp_path)
    with pytest.raises(ConfigurationError, match=r"cannot be recorded to: the folder .*none does not exist"):
        Recorder(tmp_path / "none" / "x.jsonl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["# My notes\n", '{"custom_id":"q1"}\n', "[1]\n", "\x00\x01", "{", '{"source'])
def test_a_file_that_is_no_recording_is_not_added_to(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    if '{"source":'.startswith(content):
        Recorder(path)
    else:
        with pytest.raises(
            ConfigurationError, match=r"it holds something else.*Give a new file, or one that a Recorder"
        ):
            Recorder(path)
    assert text_of(path) == content


@pytest.mark.parametrize("content", ["", "\n", '{ "source": "by hand" }\n', '{"source":"Recorder of co'])
def test_a_file_that_is_empty_or_begins_as_a_recording_is_added_to(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8")
    Recorder(path)


async def test_a_recording_is_added_to_also_where_it_is_torn_and_only_its_owner_reads_it(path: Path) -> None:
    for _ in range(2):
        async with client(Recorder(path, Emulator().transport())) as coze:
            await coze.users.me()
            await coze.users.me()
    assert len(read_recordings(path)) == 4
    found = os.stat(path)  # noqa: PTH116 - a method of Path would be taken for one that waits
    assert found.st_mode & 0o777 == 0o600
    os.truncate(path, found.st_size - 40)
    async with client(Recorder(path, Emulator().transport())) as coze:
        await coze.users.me()
    assert [found.ending.kind for found in read_recordings(path)] == ["whole", "whole", "whole", "lost", "whole"]


async def test_a_write_that_takes_only_a_part_is_gone_on_with(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = open

    class Slow:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._file: Any = opened(*arguments, **options)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def write(self, content: memoryview) -> int:
            return int(self._file.write(content[:7]))

    monkeypatch.setattr("builtins.open", Slow)
    async with client(Recorder(path, Emulator().transport())) as coze:
        await coze.users.me()
    monkeypatch.undo()
    assert [found.ending.kind for found in read_recordings(path)] == ["whole"]


# --- what is below ----------------------------------------------------------------------------------------------------


class Closing(Answers):
    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


async def test_the_transport_below_is_closed_with_the_recorder(path: Path) -> None:
    below = Closing(answer({"code": 0}))
    async with httpx.AsyncClient(transport=Recorder(path, below)) as http:
        await http.get(URL)
    assert below.closed == 1


async def test_an_answer_that_was_there_whole_is_recorded_too(path: Path) -> None:
    class Whole(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(201, content=b'{"code":0}', extensions={"http_version": b"HTTP/1.0"})

    async with httpx.AsyncClient(transport=Recorder(path, Whole())) as http:
        response = await http.get(URL)
        assert (response.status_code, response.content, response.http_version) == (201, b'{"code":0}', "HTTP/1.0")
    [found] = read_recordings(path)
    assert (found.status, found.body) == (201, b'{"code":0}')


async def test_a_transport_that_is_not_async_is_said(path: Path) -> None:
    class Plain(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=httpx.SyncByteStream())

    async with httpx.AsyncClient(transport=Recorder(path, Plain())) as http:
        with pytest.raises(TypeError, match="returned a SyncByteStream, which is not async"):
            await http.get(URL)


async def test_a_refused_and_repeated_call_is_two_exchanges(path: Path) -> None:
    emulator = Emulator()
    emulator.fail(Refuse(429, 4013))
    emulator.fail(Code(4015, "not published"), on="/v1/users/*")
    coze = AsyncCoze("pat_x", base_url=URL, transport=Recorder(path, emulator.transport()), limits=Limits.none())
    with pytest.raises(CozeError, match="4015"):
        await coze.users.me()
    assert [found.status for found in read_recordings(path)] == [429, 200]
    coze = AsyncCoze("pat_x", base_url=URL, transport=replay(path), limits=Limits.none())
    with pytest.raises(CozeError, match="4015"):
        await coze.users.me()


async def test_httpx_own_transport_is_used_if_none_is_given_and_its_connection_again(path: Path) -> None:
    """A real socket, to a server in this event loop."""
    served = 0

    async def serve(stream: SocketStream) -> None:
        nonlocal served
        served += 1
        async with stream:
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while await stream.receive():
                    for part in (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", b'{"code"', b":0}"):
                        await stream.send(part)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        async with httpx.AsyncClient(transport=Recorder(path)) as http:
            for _ in range(3):
                assert (await http.get(f"{url}/v1/x")).json() == {"code": 0}
        tasks.cancel_scope.cancel()
    assert served == 1
    found = read_recordings(path)
    assert [(recording.server, recording.body) for recording in found] == [(url, b'{"code":0}')] * 3


def test_a_recorder_outlives_an_event_loop(path: Path) -> None:
    emulator = Emulator()
    recorder = Recorder(path)
    with start_blocking_portal() as portal:
        serving, url = portal.start_task(emulator.serve)
        # One client after the other: what a loop has opened is of no use to the next.
        for _ in range(2):

            async def ask() -> None:
                async with AsyncCoze("pat_x", base_url=url, transport=recorder) as coze:
                    await coze.users.me()

            anyio.run(ask)
        serving.cancel()
    assert len(read_recordings(path)) == 2


@pytest.mark.parametrize(
    ("settings", "url", "proxy"),
    [
        ({"http_proxy": "http://127.0.0.1:1"}, "http://coze.example", "http://127.0.0.1:1"),
        ({"all_proxy": "http://127.0.0.1:2"}, "https://coze.example", "http://127.0.0.1:2"),
        ({"http_proxy": "http://127.0.0.1:1", "no_proxy": "coze.example"}, "http://coze.example", None),
        ({}, "http://coze.example", None),
    ],
)
async def test_the_proxies_of_the_environment_are_heeded_as_by_a_client(
    settings: dict[str, str], url: str, proxy: str | None, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    made: list[Any] = []

    class Made(Answers):
        def __init__(self, **options: Any) -> None:
            super().__init__(answer({"code": 0}))
            made.append(options["proxy"])

    monkeypatch.setattr(httpx, "AsyncHTTPTransport", Made)
    recorder = Recorder(path)
    await recorder.handle_async_request(httpx.Request("GET", url))
    await recorder.handle_async_request(httpx.Request("GET", url))
    await recorder.aclose()
    assert made == [proxy]
