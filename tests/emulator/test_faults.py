"""Faults: what a client sees of each, on both kinds of answers."""

import math
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from emulator.talk import names, opened, parse, question, stream_of, talking

from coze_async import ConfigurationError
from coze_async.emulator import (
    Break,
    Code,
    Cut,
    Dialect,
    Duplicate,
    Emulator,
    ErrorEvent,
    Fault,
    Html,
    Quota,
    Refuse,
    Reorder,
    Script,
    Slow,
    Stall,
    Text,
    TruncatedJson,
    Unreachable,
    WrongContentType,
)

CHAT = "POST /v3/chat"


async def test_refusals_come_instead_of_the_answer() -> None:
    emulator = Emulator()
    emulator.fail(Refuse(retry_after="2"), on=CHAT)
    emulator.fail(Refuse(status=503, code=5000, msg="busy"), on=CHAT)
    emulator.fail(Code(4009, "later"), on=CHAT)
    emulator.fail(Code(4100, content_type="text/event-stream"), on=CHAT)
    emulator.fail(Html(), on=CHAT)
    emulator.fail(Text(500, "oh"), on=CHAT)
    async with talking(emulator) as coze:
        seen = [await coze.http.post("/v3/chat", json=question()) for _ in range(6)]
        assert names(await coze.chat())[-1] == "done"
    assert [response.status_code for response in seen] == [429, 503, 200, 200, 502, 500]
    assert [response.json()["code"] for response in seen[:4]] == [4013, 5000, 4009, 4100]
    assert seen[0].headers["retry-after"] == "2"
    assert "retry-after" not in seen[1].headers
    assert seen[2].json()["detail"]["logid"]
    assert seen[3].headers["content-type"] == "text/event-stream"
    assert seen[4].text.startswith("<html>")
    assert seen[5].text == "oh"
    assert len(emulator.chats) == 1
    assert len(emulator.requests) == 7


async def test_faults_meet_the_requests_that_they_are_for() -> None:
    emulator = Emulator()
    emulator.fail(Text(), on="/v1/bots/*", times=2)
    emulator.fail(Text(503), times=None)
    async with talking(emulator) as coze:
        paths = ["/v1/users/me", "/v1/bots/1", "/v1/bots/2", "/v1/bots/3"]
        assert [(await coze.http.get(path)).status_code for path in paths] == [503, 500, 500, 503]
        emulator.heal()
        assert (await coze.http.get("/v1/bots/1")).status_code == 200


async def test_an_error_event_ends_the_stream() -> None:
    emulator = Emulator()
    emulator.fail(ErrorEvent(code=5001, msg="oops", after=3), on=CHAT)
    emulator.fail(ErrorEvent(after=1), on="*/stream_run")
    emulator.fail(ErrorEvent(code=5002), on="*/users/me")
    async with talking(emulator) as coze:
        events = await coze.chat()
        assert (len(events), events[-1].name, events[-1].data) == (4, "error", {"code": 5001, "msg": "oops"})
        events = await coze.events("/v1/workflow/stream_run", {"workflow_id": "w"})
        assert events[-1].block.startswith("id: 1\nevent: Error\n")
        assert events[-1].data["error_code"] == 5000
        assert (await coze.get("/v1/users/me"))["code"] == 5002
    assert emulator.open_streams == 0


async def test_a_cut_ends_the_body_properly() -> None:
    emulator = Emulator()
    emulator.fail(Cut(after=3), on=CHAT)
    emulator.fail(Cut(after_bytes=400), on=CHAT)
    emulator.fail(Cut(after=0))
    async with talking(emulator) as coze:
        assert len(await coze.chat()) == 3
        assert len((await coze.http.post("/v3/chat", json=question())).content) == 400
        assert (await coze.http.get("/v1/users/me")).content == b""
        emulator.bot("b-1", Script("x"))
        emulator.fail(Cut(after_bytes=10**6), on=CHAT)
        assert names(await coze.chat())[-1] == "done"
        # The server did not notice: its chats go on to their end.
        await anyio.sleep(2)
    assert {chat.status for chat in emulator.chats.values()} == {"completed"}
    assert emulator.open_streams == 0


async def test_a_broken_connection_is_a_read_error() -> None:
    emulator = Emulator()
    emulator.fail(Break(after=2), on=CHAT)
    emulator.fail(Break(after_bytes=5), on="*/me")
    async with talking(emulator) as coze:
        stream = aiter(stream_of(await opened(emulator)))
        assert [parse((await anext(stream)).decode())[0].name.split(".")[-1] for _ in range(2)] == [
            "created",
            "in_progress",
        ]
        with pytest.raises(httpx.ReadError):
            await anext(stream)
        with pytest.raises(httpx.ReadError):
            await coze.http.get("/v1/users/me")
    assert emulator.open_streams == 0


async def test_a_connection_can_break_before_the_headers_when_the_chat_was_started() -> None:
    """The reason why a chat must not be sent twice."""
    emulator = Emulator()
    emulator.fail(Break(after=None), on=CHAT)
    emulator.fail(Unreachable(), on=CHAT)
    async with talking(emulator) as coze:
        with pytest.raises(httpx.RemoteProtocolError):
            await coze.chat()
        assert len(emulator.chats) == 1
        with pytest.raises(httpx.ConnectError):
            await coze.chat()
    assert len(emulator.chats) == 1
    assert emulator.open_streams == 0


async def test_silence_meets_the_read_timeout() -> None:
    emulator = Emulator()
    emulator.fail(Stall(), on=CHAT)
    emulator.fail(Stall(after=1), on=CHAT)
    emulator.fail(Stall(), on="GET *")
    async with talking(emulator, timeout=20) as coze:
        with pytest.raises(httpx.ReadTimeout):
            await coze.get("/v1/users/me")
        for _ in range(2):
            started = anyio.current_time()
            with pytest.raises(httpx.ReadTimeout):
                await coze.chat()
            assert anyio.current_time() - started == pytest.approx(20, abs=0.1)
    assert emulator.open_streams == 0


async def test_silence_without_a_timeout_lasts_for_ever() -> None:
    emulator = Emulator()
    emulator.fail(Stall(after=1), on=CHAT)
    emulator.fail(Stall(), on=CHAT)
    response = await opened(emulator)
    stream = aiter(stream_of(response))
    await anext(stream)
    with anyio.move_on_after(10**4) as scope:
        await anext(stream)
    assert scope.cancelled_caught
    await response.aclose()
    with anyio.move_on_after(10**4) as scope:
        await opened(emulator)
    assert scope.cancelled_caught
    assert emulator.open_streams == 0


async def test_a_pause_ends_after_its_seconds() -> None:
    emulator = Emulator()
    emulator.fail(Stall(7), on=CHAT)
    emulator.fail(Stall(7, after=4), on=CHAT)
    emulator.fail(Stall(7, after=9), on="*/me")
    async with talking(emulator, timeout=None) as coze:
        for _ in range(2):
            started = anyio.current_time()
            assert names(await coze.chat())[-1] == "done"
            assert anyio.current_time() - started == pytest.approx(7, abs=0.1)
        assert (await coze.get("/v1/users/me"))["code"] == 0


async def test_a_wrong_content_type_leaves_the_body_as_it_is() -> None:
    emulator = Emulator()
    emulator.fail(WrongContentType("application/json"), on=CHAT)
    emulator.fail(Fault(), on=CHAT)
    async with talking(emulator) as coze:
        response = await coze.http.post("/v3/chat", json=question())
        assert response.headers["content-type"] == "application/json"
        assert names(parse(response.text))[-1] == "done"
        assert names(await coze.chat())[-1] == "done"


async def test_slow_bytes_are_all_the_bytes_a_few_at_a_time() -> None:
    emulator = Emulator()
    emulator.fail(Slow(7, 0.5), on="*/me")
    async with talking(emulator) as coze:
        started = anyio.current_time()
        async with coze.http.stream("GET", "/v1/users/me") as response:
            pieces = [piece async for piece in response.aiter_raw()]
        assert {len(piece) for piece in pieces[:-1]} == {7}
        assert anyio.current_time() - started == pytest.approx(0.5 * len(pieces))
        whole = (await coze.http.get("/v1/users/me")).content
        # The log ids differ.
        assert len(b"".join(pieces)) == len(whole)
        emulator.fail(Slow(100, 0.1), on=CHAT)
        emulator.bot("b-1", Script("one two three", pace=1.0))
        started, count = anyio.current_time(), 0
        async with coze.http.stream("POST", "/v3/chat", json=question()) as response:
            count = len([piece async for piece in response.aiter_raw()])
        # An event waits once, however many pieces it comes in.
        assert anyio.current_time() - started == pytest.approx(3.0 + 0.1 * count)
    with pytest.raises(ValueError, match="at least one byte"):
        Slow(0)


async def test_events_come_twice_or_change_places_and_nothing_is_lost() -> None:
    emulator = Emulator()
    emulator.bot("b-1", "one two three")
    short = [f"conversation.{name}" for name in ("chat.created", "chat.in_progress")]
    async with talking(emulator) as coze:

        async def deltas(fault: Fault) -> list[str]:
            emulator.fail(fault, on=CHAT)
            events = await coze.chat()
            if not isinstance(fault, Reorder) or fault.after:
                assert names(events)[:2] == short
            assert names(events)[-1] == "done"
            return [event.data["content"] for event in events if event.name.endswith("delta")]

        assert await deltas(Duplicate()) == ["one", "one", " two", " three"]
        assert await deltas(Duplicate(after=3, events=2)) == ["one", " two", " two", " three", " three"]
        assert await deltas(Duplicate(events=None)) == ["one", "one", " two", " two", " three", " three"]
        assert await deltas(Reorder()) == [" two", "one", " three"]
        assert await deltas(Reorder(after=100)) == ["one", " two", " three"]
        emulator.fail(Reorder(after=0), on=CHAT)
        assert names(await coze.chat())[:2] == short[::-1]
        for fault in (Duplicate(after=0), Reorder(after=0)):
            emulator.fail(fault)
            assert (await coze.get("/v1/users/me"))["code"] == 0
            emulator.fail(fault, on="*/speech")
            speech = {"input": "hello", "voice_id": "v", "response_format": "wav"}
            assert (await coze.http.post("/v1/audio/speech", json=speech)).content.startswith(b"RIFF")


async def test_events_keep_their_pauses_when_they_change_places() -> None:
    emulator = Emulator(pace=1.0)
    emulator.bot("b-1", "one two three")
    emulator.fail(Reorder(after=1), on=CHAT)
    async with talking(emulator) as coze:
        started = anyio.current_time()
        await coze.chat()
        assert anyio.current_time() - started == pytest.approx(3.0)


async def test_json_that_breaks_off_leaves_the_rest_of_the_stream_whole() -> None:
    emulator = Emulator()
    emulator.bot("b-1", "一 二 三")
    emulator.fail(TruncatedJson(after=2), on=CHAT)
    emulator.fail(TruncatedJson(), on="*/me")
    emulator.fail(TruncatedJson(), on="*/speech")
    async with talking(emulator) as coze:
        blocks = (await coze.http.post("/v3/chat", json=question())).text.split("\n\n")
        broken = [block for block in blocks if block and not block.endswith(("}", '"'))]
        assert broken == [blocks[2]]
        assert blocks[2].startswith('event:conversation.message.delta\ndata:{"id":"')
        assert [block.partition("\n")[0] for block in blocks][-2] == "event:done"
        response = await coze.http.get("/v1/users/me")
        assert response.text.startswith('{"data":{"user_id"')
        assert not response.text.endswith("}")
        speech = {"input": "hello", "voice_id": "v", "response_format": "wav"}
        assert (await coze.http.post("/v1/audio/speech", json=speech)).content.startswith(b"RIFF")


async def test_a_reset_before_the_headers_is_a_read_error() -> None:
    emulator = Emulator()
    emulator.fail(Break(after=None, reset=True), on=CHAT)
    async with talking(emulator) as coze:
        with pytest.raises(httpx.ReadError):
            await coze.chat()


async def test_a_closed_body_hands_out_nothing_more() -> None:
    response = await opened(Emulator(), timeout={"read": math.inf})
    await response.aclose()
    await response.aclose()
    assert [chunk async for chunk in stream_of(response)] == []


def test_what_is_no_script_and_no_fault_is_refused_at_once() -> None:
    emulator = Emulator()
    with pytest.raises(ConfigurationError, match="A bot's script is a Script"):
        emulator.bot("b", 5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="A workflow's script is a WorkflowScript"):
        emulator.workflow("w", "text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigurationError, match="A fault is one of"):
        emulator.fail("x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Refuse(), "The request rate"),
        (Refuse(200, 4028), "The free quota"),
        (Refuse(503, 1), "Something went wrong."),
        (Refuse(200, 4028, "No more."), "No more."),
        (Code(4016), "The conversation is occupied"),
        (ErrorEvent(4100, after=0), "authentication is invalid"),
    ],
)
async def test_a_fault_says_what_the_service_says_with_its_code(fault: Fault, said: str) -> None:
    emulator = Emulator()
    emulator.fail(fault)
    async with talking(emulator) as coze:
        assert (await coze.get("/v1/users/me"))["msg"].startswith(said)


@pytest.mark.parametrize("dialect", ["cloud", "studio", "plus"])
async def test_an_error_event_may_come_first_and_then_nothing_was_begun(dialect: Dialect) -> None:
    emulator = Emulator(dialect)
    emulator.fail(ErrorEvent(4016, after=0))
    async with talking(emulator) as coze:
        (event,) = await coze.chat()
        assert event.name in ("error", "conversation.error")
        assert "4016" in event.block
    assert not emulator.chats
    assert not emulator.open_streams


@pytest.mark.parametrize(
    ("path", "more", "name"),
    [
        ("/v1/workflow/stream_run", {}, "Error"),
        ("/v1/workflow/stream_resume", {}, "Error"),
        ("/v1/workflows/chat", {}, "error"),
        ("/v3/chat/submit_tool_outputs", {"stream": True}, "error"),
    ],
)
async def test_every_stream_can_be_refused_by_its_first_event(path: str, more: dict[str, Any], name: str) -> None:
    emulator = Emulator()
    emulator.fail(ErrorEvent(4016, after=0), on=f"POST {path}")
    async with talking(emulator) as coze:
        (event,) = await coze.events(path, {"workflow_id": "w", **more})
    assert event.name == name
    assert not emulator.runs


async def test_where_no_stream_was_asked_for_the_error_event_is_json() -> None:
    emulator = Emulator()
    emulator.fail(ErrorEvent(4016, after=0))
    async with talking(emulator) as coze:
        assert (await coze.post("/v3/chat", {**question(), "stream": False}))["code"] == 4016
    assert not emulator.chats


async def test_an_occupied_conversation_is_told_in_json_or_in_the_stream() -> None:
    emulator = Emulator(occupied="event")
    emulator.bot("b-1", Script("x", seconds=60))
    async with talking(emulator) as coze:
        ids = await coze.create()
        of = {"conversation_id": ids["conversation_id"]}
        (event,) = await coze.chat(**of)
        assert (event.name, event.data["code"]) == ("error", 4016)
        assert (await coze.post("/v3/chat", {**question(), "stream": False}, **of))["code"] == 4016
    with pytest.raises(ConfigurationError, match="choose 'json' or 'event'"):
        Emulator(occupied="both")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_a_kind_can_be_on_for_several_paths() -> None:
    emulator = Emulator()
    emulator.switch("429", 1, "/v3/chat")
    emulator.switch("429", 1, "/v1/files/upload")
    async with talking(emulator) as coze:

        async def refused() -> list[bool]:
            paths = ("/v3/chat", "/v1/files/upload", "/v1/users/me")
            return [(await coze.http.post(path, json=question())).status_code == 429 for path in paths]

        assert await refused() == [True, True, False]
        emulator.switch("429", 0, "/v3/chat")
        assert await refused() == [False, True, False]
        emulator.switch("429", 1)
        emulator.switch("429", 0)
        assert await refused() == [False, False, False]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Emulator(pace=-1),
        lambda: Emulator(pace=math.nan),
        lambda: Emulator(keep=-5),
        lambda: Emulator(quota=-1),
        lambda: Emulator(quota=True),
        lambda: Quota(tokens=-1),
        lambda: Emulator().fail(Cut(), times=0),
        lambda: Emulator().fail(Cut(), times=-3),
        lambda: Emulator().fail(Cut(), times=0.5),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - on purpose
        lambda: Emulator().switch("429", -0.5),
        lambda: Emulator().switch("429", math.nan),
        lambda: Cut(after=-1),
        lambda: Cut(after_bytes=-1),
        lambda: Break(after=-1),
        lambda: Break(after_bytes=-1),
        lambda: Stall(-5),
        lambda: Stall(math.nan),
        lambda: Stall(after=-1),
        lambda: Slow(seconds=-1),
        lambda: ErrorEvent(after=-1),
        lambda: Duplicate(after=-1),
        lambda: Duplicate(events=-1),
        lambda: Reorder(after=-1),
        lambda: TruncatedJson(after=-1),
    ],
)
def test_numbers_that_mean_nothing_are_refused_at_once(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"^\w+.* is (-|nan|0|0\.5|True)|^A probability lies between 0 and 1"):
        make()
    Emulator(keep=0, quota=0)
    Emulator().fail(Cut(after=0), times=None)
