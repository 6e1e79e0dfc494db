"""Streams of events: how they are read, how they end, and that leaving one frees everything on both backends."""

import contextlib
import gc
import json
import logging
import re
import sys
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import SocketAttribute, SocketStream
from replaying import Recording, ReplayTransport, recording, stream_of

from coze_async import (
    AsyncCoze,
    ChatCompleted,
    ChatCreated,
    ChatFailed,
    ChatFailedError,
    ChatStream,
    ClosedError,
    CozeError,
    Limits,
    MessageDelta,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    StreamInterruptedError,
    StreamProtocolError,
    Timeouts,
    UnknownEvent,
    WorkflowDone,
)
from coze_async.emulator import Answer, Emulator, Script

URL = "http://coze.example"


def event(name: str, facts: Any) -> bytes:
    return f"event:{name}\ndata:{facts if isinstance(facts, str) else json.dumps(facts)}\n\n".encode()


def piece(text: str, message_id: str = "m", **more: Any) -> bytes:
    return event("conversation.message.delta", {"id": message_id, "type": "answer", "content": text, **more})


def message(text: str, message_id: str = "m", **more: Any) -> bytes:
    return event("conversation.message.completed", {"id": message_id, "type": "answer", "content": text, **more})


CHAT = {"id": "9001", "conversation_id": "7001"}
CREATED = event("conversation.chat.created", {**CHAT, "status": "created"})
COMPLETED = event("conversation.chat.completed", {**CHAT, "status": "completed"})
FAILED = event("conversation.chat.failed", {**CHAT, "status": "failed", "last_error": {"code": 5000, "msg": "broken"}})
DONE = event("done", '"[DONE]"')
ANSWER = [CREATED, piece("Hi"), piece(" there"), message("Hi there"), COMPLETED, DONE]
ENDLESS = stream_of(CREATED, piece("Hi"), endless=True)


class Served:
    """A client over recordings, with what its transport has counted."""

    def __init__(self, *answers: Recording, **options: Any) -> None:
        self.transport = ReplayTransport(*answers)
        self.coze = AsyncCoze("pat_x", base_url=URL, transport=self.transport, **options)

    def stream(self) -> ChatStream:
        return self.coze.chat.stream("Hi", bot_id="b", user_id="u")

    @property
    def is_free(self) -> bool:
        """True if no body is open and the user has all slots back."""
        limiter: Any = self.coze._session.limiter  # pyright: ignore[reportPrivateUsage]
        return self.transport.open_bodies == 0 and limiter._places == {}


async def settle() -> None:
    """Give the backend the few steps that it takes to close what was dropped."""
    gc.collect()
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


# --- reading ----------------------------------------------------------------------------------------------------------


async def test_nothing_is_sent_before_the_first_step() -> None:
    served = Served(stream_of(*ANSWER))
    stream = served.stream()
    await settle()
    assert served.transport.requests == []
    assert (stream.chat_id, stream.conversation_id, stream.logid) == ("", "", None)
    await anext(stream)
    assert len(served.transport.requests) == 1
    await stream.aclose()


async def test_a_stream_that_is_never_read_needs_no_closing() -> None:
    served = Served(stream_of(*ANSWER))
    async with served.stream():
        pass
    await served.stream().aclose()
    assert served.transport.requests == []


async def test_events_come_as_soon_as_the_server_has_written_them() -> None:
    served = Served(stream_of((1.0, CREATED), (3.0, piece("Hi")), (7.0, message("Hi") + COMPLETED + DONE)))
    began = anyio.current_time()
    times = [anyio.current_time() - began async for _ in served.stream()]
    assert times == pytest.approx([1.0, 3.0, 7.0, 7.0, 7.0])


async def test_ids_and_log_id_are_known_before_the_end() -> None:
    served = Served(stream_of(*ANSWER, headers={"x-tt-logid": "L1"}))
    async with served.stream() as stream:
        async for seen in stream:
            assert isinstance(seen, ChatCreated)
            break
        assert (stream.chat_id, stream.conversation_id, stream.logid) == ("9001", "7001", "L1")
    assert stream.logid == "L1"


async def test_text_is_only_what_the_answers_say() -> None:
    verbose = event("conversation.message.completed", {"id": "v", "type": "verbose", "content": "{}"})
    thought = piece("", reasoning_content="hm")
    served = Served(
        stream_of(CREATED, thought, piece("Hi"), verbose, piece(" you"), message("Hi you"), COMPLETED, DONE)
    )
    assert [text async for text in served.stream().text()] == ["Hi", " you"]


ONE = [piece("One"), message("One")]
TWO = [piece("Two", "n"), message("Two", "n")]


@pytest.mark.parametrize(
    "body",
    [
        [*ONE, *TWO],
        # Thoughts come before the text, so the first piece of a message is not the first of its text.
        [piece("", reasoning_content="hm"), *ONE, piece("", "n", reasoning_content="so"), *TWO],
        [piece("", reasoning_content="hm"), *ONE, *TWO],
        # A whole message that never came in pieces, and one whose text came only in pieces.
        [message("One"), piece("Tw", "n"), piece("o", "n"), message("", "n")],
    ],
)
async def test_the_texts_together_are_the_text_of_the_result(body: list[bytes]) -> None:
    served = Served(stream_of(CREATED, *body, COMPLETED, DONE))
    stream = served.stream()
    texts = [text async for text in stream.text()]
    assert "".join(texts) == (await stream.result()).text == "One\n\nTwo"


async def test_a_result_can_be_had_at_any_point_and_again() -> None:
    served = Served(stream_of(*ANSWER))
    stream = served.stream()
    await anext(stream)
    result = await stream.result()
    assert result.text == "Hi there"
    assert await stream.result() == result
    assert served.is_free


async def test_reading_a_second_time_is_an_error_that_says_what_to_do() -> None:
    served = Served(stream_of(*ANSWER))
    stream = served.stream()
    assert len([seen async for seen in stream]) == 6
    with pytest.raises(RuntimeError, match=r"already read.*result"):
        async for _ in stream:
            pass
    with pytest.raises(RuntimeError, match="already read"):
        async for _ in stream.text():
            pass
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert len(served.transport.requests) == 1


async def test_a_stream_that_was_closed_has_no_result() -> None:
    served = Served(stream_of(*ANSWER))
    stream = served.stream()
    await anext(stream)
    await stream.aclose()
    await stream.aclose()
    with pytest.raises(RuntimeError, match="closed before its end"):
        await stream.result()
    with pytest.raises(RuntimeError, match="closed"):
        aiter(stream)


async def test_a_stream_that_failed_fails_in_the_same_way_when_asked_for_its_result() -> None:
    served = Served(stream_of(CREATED, piece("Hi"), event("error", {"code": 4020, "msg": "slow down"})))
    stream = served.stream()
    with pytest.raises(RateLimitError) as first:
        async for _ in stream:
            pass
    with pytest.raises(RateLimitError) as second:
        await stream.result()
    assert first.value is second.value


async def test_a_workflow_says_its_text_and_keeps_what_is_unknown() -> None:
    pieces = [
        b'id: 0\nevent: Message\ndata: {"content":"Hel","node_title":"Say","node_seq_id":"0"}\n\n',
        b'id: 1\nevent: Sparkle\ndata: {"a":1}\n\n',
        b'id: 2\nevent: Message\ndata: {"content":"","node_title":"Say","node_seq_id":"1"}\n\n',
        b'id: 3\nevent: Message\ndata: {"content":"lo","node_title":"Say","node_seq_id":"2","node_is_finish":true}\n\n',
        b"id: 4\nevent: Done\ndata: {}\n\n",
    ]
    served = Served(stream_of(*pieces))
    stream = served.coze.workflows.stream(workflow_id="w")
    assert [text async for text in stream.text()] == ["Hel", "lo"]
    run = await stream.result()
    assert (run.data, len(run.messages)) == ("Hello", 3)
    events = [seen async for seen in served.coze.workflows.stream(workflow_id="w")]
    assert events[1] == UnknownEvent(event="Sparkle", data='{"a":1}')
    assert events[-1] == WorkflowDone(id=4)


async def test_what_the_last_node_says_is_the_data_of_a_workflow() -> None:
    def said(text: str, node: str, *, last: bool) -> bytes:
        return event("Message", {"content": text, "node_title": node, "node_is_finish": last})

    parts = [
        said("a", "End", last=True),
        said("b", "Say", last=True),
        said("c", "End", last=False),
        said("d", "End", last=True),
    ]
    run = await Served(stream_of(*parts, event("Done", {}))).coze.workflows.stream(workflow_id="w").result()
    assert run.data == "cd"
    twice = [said("a", "End", last=True), said("b", "End", last=True)]
    run = await Served(stream_of(*twice, event("Done", {}))).coze.workflows.stream(workflow_id="w").result()
    assert run.data == "b"
    run = await Served(stream_of(event("Done", {}))).coze.workflows.stream(workflow_id="w").result()
    assert run.data == ""


@pytest.mark.parametrize("message_id", ["", None])
async def test_a_server_that_names_no_message_ids_has_its_answer_once(message_id: Any) -> None:
    nameless = {"id": message_id}
    served = Served(
        stream_of(
            CREATED,
            event("conversation.message.delta", {**nameless, "type": "answer", "content": "a"}),
            event("conversation.message.delta", {**nameless, "type": "answer", "content": "b"}),
            event("conversation.message.completed", {**nameless, "type": "answer", "content": "ab"}),
            event("conversation.message.delta", {**nameless, "type": "answer", "content": "c"}),
            event("conversation.message.completed", {**nameless, "type": "answer", "content": ""}),
            event("conversation.message.completed", {**nameless, "type": "follow_up", "content": "Why?"}),
            DONE,
        )
    )
    result = await served.stream().result()
    assert (result.answers, result.follow_ups) == (["ab", "c"], ["Why?"])


async def test_a_piece_that_comes_after_its_message_takes_nothing_away() -> None:
    served = Served(stream_of(CREATED, piece("Hi "), message("Hi there"), piece("there"), DONE))
    assert (await served.stream().result()).text == "Hi there"


# --- how a stream ends ------------------------------------------------------------------------------------------------


async def test_a_body_that_ends_too_early_leaves_what_came_in_the_error() -> None:
    served = Served(stream_of(CREATED, piece("Half"), piece(" an ans"), headers={"x-tt-logid": "L2"}))
    with pytest.raises(StreamInterruptedError, match=r"without its last event.*L2.*bills") as caught:
        await served.stream().result()
    partial = caught.value.partial
    assert partial is not None
    assert (partial.text, partial.chat_id, caught.value.logid) == ("Half an ans", "9001", "L2")
    assert served.is_free


async def test_a_connection_that_is_lost_leaves_what_came_in_the_error() -> None:
    served = Served(stream_of(CREATED, piece("Half"), lost="peer closed connection"))
    with pytest.raises(StreamInterruptedError, match=r"connection was lost .*peer closed") as caught:
        await served.stream().result()
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Half"
    assert served.is_free


async def test_an_answer_whose_end_was_seen_is_whole_without_the_last_event() -> None:
    """Wire facts c.4: an end of body without a done event is an error unless the chat's own end was seen."""
    served = Served(stream_of(CREATED, message("Hi"), COMPLETED))
    assert (await served.stream().result()).text == "Hi"


async def test_a_connection_that_is_lost_after_the_end_of_the_chat_does_no_harm() -> None:
    served = Served(stream_of(CREATED, message("Hi"), COMPLETED, lost="reset"))
    result = await served.stream().result()
    assert (result.text, result.status) == ("Hi", "completed")
    assert served.is_free


async def test_a_server_that_falls_silent_after_the_end_of_the_chat_does_no_harm() -> None:
    served = Served(stream_of(CREATED, message("Hi"), COMPLETED, endless=True), timeouts=Timeouts(idle=5.0))
    assert (await served.stream().result()).text == "Hi"
    assert served.is_free


async def test_what_comes_with_the_last_event_is_the_same_however_it_is_cut() -> None:
    late = b'event:error\ndata:{"code":5000,"msg":"too late"}\n\n'
    for body in (
        stream_of(CREATED, message("Hi"), COMPLETED, DONE + late),
        stream_of(CREATED, message("Hi"), COMPLETED, DONE, late),
    ):
        assert (await Served(body).stream().result()).text == "Hi"


async def test_the_texts_of_messages_without_ids_are_those_of_the_result() -> None:
    def nameless(kind: str, text: str) -> bytes:
        inner = f'{{"content":"{text}","role":"assistant","type":"answer","content_type":"text"}}'
        return f"event:conversation.message.{kind}\ndata:{inner}\n\n".encode()

    for pieces in (
        [nameless("completed", "one"), nameless("completed", "two")],
        [
            nameless("delta", "one"),
            nameless("completed", "one"),
            nameless("delta", "two"),
            nameless("completed", "two"),
        ],
        [nameless("delta", "o"), nameless("completed", "one"), nameless("completed", "two")],
    ):
        served = Served(stream_of(CREATED, *pieces, COMPLETED, DONE))
        stream = served.stream()
        assert "".join([text async for text in stream.text()]) == "one\n\ntwo"
        assert (await stream.result()).text == "one\n\ntwo"


async def test_a_connection_that_is_lost_after_the_last_event_does_no_harm() -> None:
    served = Served(stream_of(*ANSWER, lost="reset"))
    assert (await served.stream().result()).text == "Hi there"
    assert served.is_free


async def test_the_last_event_counts_without_its_blank_line() -> None:
    served = Served(stream_of(CREATED, message("Hi"), DONE.rstrip(b"\n")))
    assert (await served.stream().result()).text == "Hi"


async def test_a_failed_chat_is_handed_out_and_then_raised() -> None:
    served = Served(stream_of(CREATED, piece("Hal"), FAILED, DONE))
    seen: list[Any] = []
    with pytest.raises(ChatFailedError) as caught:
        await collect(served.stream(), seen)
    assert isinstance(seen[-1], ChatFailed)
    error = caught.value
    assert (error.code, error.msg) == (5000, "broken")
    assert error.partial is not None
    assert error.partial.text == "Hal"
    assert served.is_free


@pytest.mark.parametrize("after", [(), (DONE,), (event("error", {"code": 4020, "msg": "x"}),)])
@pytest.mark.parametrize("lost", [None, "reset"])
async def test_a_failed_chat_stays_the_reason_whatever_follows(after: tuple[bytes, ...], lost: str | None) -> None:
    served = Served(stream_of(CREATED, FAILED, *after, lost=lost))
    with pytest.raises(ChatFailedError):
        await served.stream().result()


async def test_nothing_is_handed_out_behind_a_failed_chat_however_the_bytes_were_cut() -> None:
    events = (CREATED, piece("Hal"), FAILED, piece("ts"), piece("!"), COMPLETED, DONE)
    for body in (events, (b"".join(events),)):
        seen: list[Any] = []
        with pytest.raises(ChatFailedError) as caught:
            await collect(Served(stream_of(*body)).stream(), seen)
        assert isinstance(seen[-1], ChatFailed)
        assert caught.value.partial is not None
        assert caught.value.partial.text == "Hal"


async def test_an_error_event_ends_the_stream_with_its_code_and_what_came_before() -> None:
    served = Served(stream_of(CREATED, piece("Hi"), event("error", {"code": "4020", "msg": "rpm"}), DONE))
    with pytest.raises(RateLimitError, match="rpm") as caught:
        await served.stream().result()
    assert caught.value.code == 4020
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi"
    # An answer had begun: it is not sent again.
    assert len(served.transport.requests) == 1


@pytest.mark.parametrize("data", ["Internal Server Error", "", '"just a text"'])
async def test_an_error_event_that_is_no_json_is_told_as_it_is(data: str) -> None:
    served = Served(stream_of(CREATED, event("error", data)))
    with pytest.raises(CozeError, match=data or "without a reason"):
        await served.stream().result()


async def test_a_stream_of_something_else_is_quoted() -> None:
    served = Served(stream_of(b"<html>Welcome to the intranet</html>"))
    with pytest.raises(StreamProtocolError, match="Welcome to the intranet") as caught:
        await served.stream().result()
    assert "intranet" in caught.value.body


async def test_data_that_is_no_json_names_the_event() -> None:
    for name in ("conversation.message.delta", "conversation.chat.created"):
        served = Served(stream_of(event(name, "{oops"), DONE))
        with pytest.raises(StreamProtocolError, match=name):
            await served.stream().result()
        assert served.is_free
    served = Served(stream_of(event("Message", "{oops")))
    with pytest.raises(StreamProtocolError, match="'Message'"):
        await served.coze.workflows.stream(workflow_id="w").result()


@pytest.mark.parametrize("before", [[], [CREATED, piece("Hi")]])
async def test_an_event_without_an_end_does_not_fill_the_memory(before: list[bytes]) -> None:
    pieces = [b"y" * (1 << 16)] * 64
    served = Served(stream_of(*before, b"event:done\ndata:", *pieces, endless=True), max_body=1 << 20)
    with anyio.fail_after(10):
        with pytest.raises(
            StreamProtocolError, match=r"more than 1048576 bytes came without the blank line.*a Coze API.*max_body"
        ):
            await served.stream().result()
    assert served.is_free


async def test_long_events_that_have_an_end_are_read() -> None:
    # Of one event: what came of those before it does not count.
    text = "y" * (1 << 20)
    halves = [piece(text)[: 1 << 19], piece(text)[1 << 19 :]]
    served = Served(stream_of(CREATED, *halves * 3, COMPLETED, DONE), max_body=1 << 20)
    assert (await served.stream().result()).text == text * 3


async def test_data_that_is_nested_too_deeply_names_the_event() -> None:
    # Since 3.12 the interpreter reads what is nested some thousand times deep.
    depth = 700 if sys.version_info < (3, 12) else 200_000
    deep = "[" * depth + "]" * depth
    for name in ("conversation.message.delta", "conversation.chat.in_progress"):
        text = f'{{"id":"m","conversation_id":"7001","content":{deep},"status":null}}'
        served = Served(stream_of(CREATED, piece("Hi"), event(name, text), DONE))
        with pytest.raises(StreamProtocolError, match=name) as caught:
            await served.stream().result()
        assert re.search("nested too deeply|no JSON object", str(caught.value))
        assert served.is_free


async def test_an_error_of_any_kind_ends_the_stream_and_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when memory runs out while an event is being read."""

    def without_memory(*_: object) -> None:
        raise MemoryError

    served = Served(stream_of(b"".join((piece("Hi"), CREATED, piece("!"))), COMPLETED, DONE))
    stream = served.stream()
    seen: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr("coze_async._chat_stream._whole_chat", without_memory)
        with pytest.raises(MemoryError):
            await collect(stream, seen)
    assert len(seen) == 1, "what came before it"
    assert served.is_free
    with pytest.raises(MemoryError):
        await stream.result()


async def test_a_secret_that_the_server_repeats_is_in_no_error() -> None:
    token = "pat_very_secret_token"
    for body in (
        event("error", {"code": 4100, "msg": f"bad token {token}"}),
        f"no events, {token}".encode(),
        event("conversation.message.delta", token),
    ):
        transport = ReplayTransport(stream_of(body))
        coze = AsyncCoze(token, base_url=URL, transport=transport)
        with pytest.raises(CozeError) as caught:
            await coze.chat.ask("Hi", bot_id="b", user_id="u")
        assert token not in str(caught.value)
        assert token not in repr(vars(caught.value))


async def test_heart_beats_are_not_handed_out() -> None:
    served = Served(stream_of(CREATED, b": keep-alive\n\n", event("PING", '{"content":"{}"}'), message("Hi"), DONE))
    assert [type(seen).__name__ for seen in await collect(served.stream())] == [
        "ChatCreated",
        "MessageCompleted",
        "StreamDone",
    ]


async def collect(events: AsyncIterator[Any], seen: list[Any] | None = None) -> list[Any]:
    seen = [] if seen is None else seen
    async for received in events:
        seen.append(received)
    return seen


# --- the session route ------------------------------------------------------------------------------------------------


async def test_pieces_of_the_session_route_become_messages() -> None:
    """Shape: `LegacyChatMessage` in the interface description of Coze Studio 4f786d6."""

    def said(text: str, *, last: bool) -> bytes:
        inner = {"message_id": "m1", "reply_id": "r1", "role": "assistant", "type": "answer", "content": text}
        return event("message", {"message": inner, "is_finish": last, "conversation_id": "7001"})

    served = Served(
        stream_of(said("Hi", last=False), said(" there", last=False), said("", last=True), event("done", ""))
    )
    stream = served.stream()
    events = await collect(stream)
    assert [type(seen).__name__ for seen in events] == [
        "MessageDelta",
        "MessageDelta",
        "MessageCompleted",
        "StreamDone",
    ]
    result = await stream.result()
    assert (result.text, result.chat_id, result.conversation_id) == ("Hi there", "r1", "7001")


# --- leaving early ----------------------------------------------------------------------------------------------------


async def test_breaking_out_of_a_bare_loop_frees_everything() -> None:
    served = Served(ENDLESS, stream_of(*ANSWER))
    async for seen in served.stream():
        assert isinstance(seen, ChatCreated)
        break
    await settle()
    assert served.is_free
    assert served.transport.closed_bodies == 1


async def test_breaking_out_of_the_texts_frees_everything() -> None:
    served = Served(ENDLESS)
    async for text in served.stream().text():
        assert text == "Hi"
        break
    await settle()
    assert served.is_free


async def test_breaking_out_of_a_context_frees_everything_before_the_next_line() -> None:
    served = Served(ENDLESS)
    async with served.stream() as stream:
        async for _ in stream:
            break
    assert served.is_free


async def test_the_slot_of_a_stream_that_was_dropped_is_free_at_once() -> None:
    served = Served(ENDLESS, limits=Limits(chats_at_once=1))
    async for _ in served.stream():
        break
    # No step of the event loop in between.
    with anyio.fail_after(1):
        async for _ in served.stream():
            break
    await settle()
    assert served.is_free


async def test_an_exception_in_the_loop_frees_everything() -> None:
    served = Served(ENDLESS)

    async def divide(stream: ChatStream) -> None:
        async for _ in stream:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await divide(served.stream())
    await settle()
    assert served.is_free
    async with served.stream() as stream:
        with pytest.raises(ZeroDivisionError):
            await divide(stream)
    assert served.is_free


async def test_a_cancellation_while_waiting_frees_everything_and_is_not_swallowed() -> None:
    served = Served(ENDLESS)
    stream = served.stream()
    with anyio.move_on_after(5) as scope:
        async for _ in stream:
            pass
    assert scope.cancelled_caught
    assert served.is_free


async def test_the_result_of_a_cancelled_stream_cancels_nobody_else() -> None:
    served = Served(ENDLESS)
    stream = served.stream()
    with anyio.move_on_after(5):
        await stream.result()
    with pytest.raises(RuntimeError, match="closed before its end"):
        await stream.result()


async def test_a_stream_that_another_task_closes_ends_for_its_reader() -> None:
    served = Served(ENDLESS)
    stream = served.stream()
    seen: list[Any] = []
    closed: list[float] = []

    async def read() -> None:
        async for received in stream:
            seen.append(received)
        seen.append("the end")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.sleep(1)
        await stream.aclose()
        assert served.is_free
        closed.append(anyio.current_time())
    # The reader did not wait for a time-out.
    assert closed == [anyio.current_time()]
    assert [type(received).__name__ for received in seen] == ["ChatCreated", "MessageDelta", "str"]
    with pytest.raises(RuntimeError, match="closed before its end"):
        await stream.result()
    assert len(served.transport.requests) == 1


@pytest.mark.parametrize("after", [0.5, 1.5])
async def test_no_cycle_holds_a_stream_that_another_task_has_closed(after: float) -> None:
    stream: ChatStream | None = Served(stream_of(CREATED, (1.0, piece("Hi")), endless=True)).stream()
    assert stream is not None

    async def read(stream: ChatStream) -> None:
        await collect(stream)

    gc.disable()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, stream)
            await anyio.sleep(after)
            await stream.aclose()
        known, stream = weakref.ref(stream), None
        assert known() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("pause", [0.0, 0.5])
async def test_a_stream_that_is_closed_while_it_begins_never_opens(pause: float) -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi"))
    starting = anyio.Event()

    async def token() -> str:
        starting.set()
        await anyio.sleep(1)
        return "pat_x"

    async with AsyncCoze(token, base_url=emulator.url, transport=emulator.transport()) as coze:
        stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                with pytest.raises(RuntimeError, match="closed before its end"):
                    await stream.result()

            tasks.start_soon(read)
            await starting.wait()
            await anyio.sleep(pause)
            await stream.aclose()
        assert emulator.requests == []
        assert emulator.open_streams == 0


async def test_a_stream_that_is_closed_in_the_middle_of_an_event_is_not_begun_again() -> None:
    """A second request would start, and bill, a second chat."""
    half = CREATED[:20]
    served = Served(stream_of((1.0, half), (2.0, half), endless=True), timeouts=Timeouts(idle=None, first_event=None))
    stream = served.stream()

    async def read() -> None:
        assert await collect(stream) == []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.sleep(1.5)
        await stream.aclose()
    assert len(served.transport.requests) == 1


@pytest.mark.parametrize("last", [COMPLETED, COMPLETED.rstrip(b"\n"), COMPLETED + DONE])
async def test_what_was_handed_out_does_not_come_again_behind_the_end(last: bytes) -> None:
    stream = Served(stream_of(CREATED, piece("Hi"), last)).stream()
    seen: list[Any] = []
    await collect(stream, seen)
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    assert (await stream.result()).text == "Hi"


async def test_two_tasks_cannot_read_one_stream() -> None:
    served = Served(ENDLESS)
    stream = served.stream()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect, stream)
        await anyio.sleep(1)
        with pytest.raises(RuntimeError, match="another task"):
            await anext(stream)
        # The first reader is not disturbed.
        assert served.transport.open_bodies == 1
        tasks.cancel_scope.cancel()
    assert served.is_free


@pytest.mark.parametrize("leave", ["cancel", "aclose"])
async def test_leaving_after_any_number_of_steps_frees_everything(leave: str) -> None:
    """Cancelled, or closed by another task, at every point where a stream waits for anything."""
    steps, was_whole = 0, False
    while not was_whole:
        emulator = Emulator()
        emulator.bot("b", Script([Answer("One two three"), Answer("Four")], follow_ups=["Why?"], pace=0.001))
        async with AsyncCoze(
            "pat_x", base_url=emulator.url, transport=emulator.transport(), limits=Limits(account=1000)
        ) as coze:
            stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
            read: list[Any] = []

            async def reading(stream: ChatStream = stream, read: list[Any] = read) -> None:
                read.append((await stream.result()).text)

            async def quietly(function: Callable[[], Any] = reading) -> None:
                if leave == "cancel":
                    await function()
                    return
                with contextlib.suppress(RuntimeError):
                    # Closed before its end; another test looks at that.
                    await function()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(quietly)
                for _ in range(steps // 2):
                    # By the smallest steps that there are, and by half the time between two pieces.
                    await (anyio.sleep(0.0005) if steps % 2 else anyio.lowlevel.checkpoint())
                if leave == "cancel":
                    tasks.cancel_scope.cancel()
                else:
                    await stream.aclose()
            limiter: Any = coze._session.limiter  # pyright: ignore[reportPrivateUsage]
            assert (emulator.open_streams, limiter._places) == (0, {})
            assert len(emulator.requests) <= 1
            was_whole = bool(read)
            assert not was_whole or read == ["One two three\n\nFour"]
        steps += 1
    assert steps > 5


async def test_an_abandoned_stream_of_a_client_that_is_gone_does_no_harm() -> None:
    served = Served(ENDLESS)
    stream: ChatStream | None = served.stream()
    assert stream is not None
    await anext(stream)
    await served.coze.aclose()
    del stream
    await settle()
    assert served.is_free


# --- time -------------------------------------------------------------------------------------------------------------


async def test_a_first_event_that_does_not_come_in_time_is_an_error() -> None:
    served = Served(stream_of((61.0, CREATED), endless=True), timeouts=Timeouts(first_event=60.0))
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError, match=r"no event came within 60 s \(Timeouts.first_event\)"):
        await served.stream().result()
    assert anyio.current_time() - began == pytest.approx(60.0)
    assert served.is_free


async def test_keep_alives_are_no_first_event() -> None:
    alive = [(float(n), b": ping\n\n") for n in range(1, 200)]
    served = Served(stream_of(*alive), timeouts=Timeouts(first_event=60.0, idle=5.0))
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError, match="first_event"):
        await served.stream().result()
    assert anyio.current_time() - began == pytest.approx(60.0)


async def test_keep_alives_keep_a_stream_that_has_begun_alive() -> None:
    alive = [(4.0 * n, b": ping\n\n") for n in range(1, 50)]
    served = Served(
        stream_of(CREATED, *alive, (198.0, message("Hi") + DONE)), timeouts=Timeouts(idle=5.0, first_event=1.0)
    )
    assert (await served.stream().result()).text == "Hi"


async def test_a_stream_that_goes_silent_is_an_error_with_what_came() -> None:
    served = Served(stream_of(CREATED, (100.0, piece("Hi")), endless=True), timeouts=Timeouts(idle=120.0))
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError, match=r"nothing came within 120 s \(Timeouts.idle\)") as caught:
        await served.stream().result()
    assert anyio.current_time() - began == pytest.approx(220.0)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi"
    assert served.is_free


async def test_a_stream_has_a_total_time_too() -> None:
    alive = [(float(n), piece("x")) for n in range(1, 200)]
    served = Served(stream_of(CREATED, *alive), timeouts=Timeouts(total=30.5))
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError, match=r"did not end within 30.5 s \(Timeouts.total\)") as caught:
        await served.stream().result()
    assert anyio.current_time() - began == pytest.approx(30.5)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "x" * 30
    assert served.is_free


async def test_the_total_time_is_over_for_whoever_reads_too_slowly_too() -> None:
    served = Served(stream_of(CREATED, piece("a"), piece("b"), piece("c"), DONE), timeouts=Timeouts(total=5.0))
    seen: list[Any] = []

    async def read_slowly() -> None:
        async for one in served.stream():
            seen.append(one)
            await anyio.sleep(2.0)

    with pytest.raises(RequestTimeoutError, match=r"did not end within 5 s \(Timeouts.total\)") as caught:
        await read_slowly()
    assert len(seen) == 3
    assert caught.value.partial is not None
    assert caught.value.partial.text == "ab"
    assert served.is_free


async def test_an_answer_that_was_read_in_time_is_whole_although_the_time_is_over_then() -> None:
    served = Served(stream_of(*ANSWER), timeouts=Timeouts(total=5.0))
    stream = served.stream()
    async for one in stream:
        if isinstance(one, ChatCompleted):
            await anyio.sleep(9.0)
    assert (await stream.result()).text == "Hi there"
    assert served.is_free


async def test_waiting_for_a_turn_counts_for_the_total_time() -> None:
    served = Served(ENDLESS, limits=Limits(chats_at_once=1), timeouts=Timeouts(total=10.0))
    first = served.stream()
    await anext(first)
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError, match=r"Timeouts.total"):
        await served.stream().result()
    assert anyio.current_time() - began == pytest.approx(10.0)
    assert len(served.transport.requests) == 1
    await first.aclose()
    assert served.is_free


async def test_without_time_outs_a_stream_waits_for_ever() -> None:
    none = Timeouts(connect=None, first_event=None, idle=None, write=None, pool=None)
    served = Served(stream_of((5000.0, CREATED), (90000.0, message("Hi") + DONE)), timeouts=none)
    assert (await served.stream().result()).text == "Hi"


async def test_a_server_that_never_ends_the_body_after_the_last_event_costs_one_second() -> None:
    served = Served(stream_of(*ANSWER, endless=True))
    began = anyio.current_time()
    assert (await served.stream().result()).text == "Hi there"
    assert anyio.current_time() - began == pytest.approx(1.0)
    assert served.is_free


async def test_a_cancellation_after_the_last_event_frees_everything() -> None:
    served = Served(stream_of(*ANSWER, endless=True))
    with anyio.move_on_after(0.5) as scope:
        await served.stream().result()
    assert scope.cancelled_caught
    assert served.is_free


# --- many streams -----------------------------------------------------------------------------------------------------


async def test_no_more_streams_of_a_user_run_at_once_than_the_limit_says() -> None:
    served = Served(stream_of(CREATED, (1.0, message("Hi") + DONE)), limits=Limits(chats_at_once=2))
    most = 0
    ends: list[float] = []
    began = anyio.current_time()

    async def one() -> None:
        nonlocal most
        async for _ in served.stream():
            most = max(most, served.transport.open_bodies)
        ends.append(anyio.current_time() - began)

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(one)
    assert most == 2
    assert ends == pytest.approx([1.0, 1.0, 2.0, 2.0, 3.0, 3.0])
    assert served.is_free


async def test_a_stream_that_is_read_to_its_end_gives_its_connection_to_the_next() -> None:
    served = Served(stream_of(*ANSWER))
    for _ in range(20):
        await collect(served.stream())
    assert served.transport.connections == 1
    async with served.stream() as stream:
        await anext(stream)
    await collect(served.stream())
    assert served.transport.connections == 2


async def test_streams_of_many_users_do_not_mix() -> None:
    emulator = Emulator()
    emulator.bot("b", lambda given: Script(f"Hello {given.user_id}", pace=0.01))
    texts: dict[str, str] = {}
    async with AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport()) as coze:

        async def one(user: str) -> None:
            texts[user] = (await coze.chat.ask("Hi", bot_id="b", user_id=user)).text

        async with anyio.create_task_group() as tasks:
            for n in range(200):
                tasks.start_soon(one, f"u{n}")
    assert texts == {f"u{n}": f"Hello u{n}" for n in range(200)}
    assert emulator.open_streams == 0


# --- over a real connection -------------------------------------------------------------------------------------------


class Server:
    """A few lines of HTTP/1.1 with chunked bodies, on a port of this machine.

    Attributes:
        connections: How many were opened.
        closed: How many the client has closed in the middle of a body.
    """

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self.pieces = pieces
        self.ends = ends
        self.connections = 0
        self.closed = 0
        self.left = anyio.Event()

    async def serve(self, connection: SocketStream) -> None:
        self.connections += 1
        try:
            async with connection:
                while True:
                    await self._request(connection)
                    await connection.send(
                        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                    )
                    for part in self.pieces:
                        await connection.send(b"%x\r\n%s\r\n" % (len(part), part))
                    if not self.ends:
                        await connection.receive()
                    await connection.send(b"0\r\n\r\n")
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            if not self.ends:
                self.closed += 1
                self.left.set()

    @staticmethod
    async def _request(connection: SocketStream) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            received += await connection.receive()
        head, _, body = received.partition(b"\r\n\r\n")
        (length,) = [
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        ]
        while len(body) < length:
            body += await connection.receive()


@asynccontextmanager
async def over_a_port(server: Server, **options: Any) -> AsyncGenerator[AsyncCoze]:
    """A client with httpx's own transport; its time-outs are off, because virtual time runs ahead of real sockets."""
    forever = Timeouts(connect=None, first_event=None, idle=None, write=None, pool=None)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, server.serve)
        async with AsyncCoze("pat_x", base_url=url, timeouts=forever, retry=Retry.none(), **options) as coze:
            yield coze
        tasks.cancel_scope.cancel()


async def test_twenty_streams_share_one_real_connection() -> None:
    server = Server(*ANSWER)
    async with over_a_port(server) as coze:
        for _ in range(20):
            assert (await coze.chat.ask("Hi", bot_id="b", user_id="u")).text == "Hi there"
    assert server.connections == 1


@pytest.mark.parametrize("how", ["break", "context", "exception", "cancel", "aclose", "other task"])
async def test_leaving_early_closes_the_real_connection(how: str) -> None:
    server = Server(CREATED, piece("Hi"), ends=False)
    async with over_a_port(server) as coze:
        await leave(coze.chat.stream("Hi", bot_id="b", user_id="u"), how)
        with anyio.fail_after(5):
            await server.left.wait()
    assert server.closed == 1


async def leave(stream: ChatStream, how: str) -> None:
    match how:
        case "break":
            async for _ in stream:
                break
        case "context":
            async with stream:
                await anext(stream)
        case "exception":
            with contextlib.suppress(ZeroDivisionError):
                async for _ in stream:
                    raise ZeroDivisionError
        case "cancel":
            with anyio.CancelScope() as scope:
                async for received in stream:
                    if isinstance(received, MessageDelta):
                        scope.cancel()
        case "aclose":
            await anext(stream)
            await stream.aclose()
        case _:
            read = anyio.Event()

            async def reading() -> None:
                async for received in stream:
                    if isinstance(received, MessageDelta):
                        read.set()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reading)
                await read.wait()
                await anyio.lowlevel.checkpoint()
                await stream.aclose()


async def test_a_real_connection_that_breaks_is_an_interruption() -> None:
    class Rude(Server):
        async def serve(self, connection: SocketStream) -> None:
            async with connection:
                await self._request(connection)
                await connection.send(
                    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                await connection.send(b"%x\r\n%s\r\n" % (len(CREATED), CREATED))

    async with over_a_port(Rude()) as coze:
        with pytest.raises(StreamInterruptedError, match="incomplete chunked read") as caught:
            await coze.chat.ask("Hi", bot_id="b", user_id="u")
    assert caught.value.partial is not None
    assert caught.value.partial.chat_id == "9001"


async def test_closing_the_client_interrupts_its_open_streams() -> None:
    server = Server(CREATED, ends=False)
    async with over_a_port(server) as coze:
        stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
        await anext(stream)
        await coze.aclose()
        with pytest.raises(StreamInterruptedError):
            await anext(stream)


# --- the log ----------------------------------------------------------------------------------------------------------


async def test_no_text_and_no_token_of_a_stream_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        served = Served(recording("cloud_chat_text"))
        await served.stream().result()
    assert "POST /v3/chat" in caplog.text
    assert "Hi there" not in caplog.text
    assert "pat_x" not in caplog.text


# --- after the end ----------------------------------------------------------------------------------------------------


async def test_use_after_close_is_an_error_of_the_library() -> None:
    """Case B9: every error is a CozeError, and this one stays the RuntimeError that it was."""
    served = Served(stream_of(*ANSWER))
    read = served.stream()
    await read.result()
    left = served.stream()
    await left.aclose()
    for stream in (read, left):
        with pytest.raises(ClosedError):
            aiter(stream)
    with pytest.raises(ClosedError, match="closed before its end"):
        await left.result()
    await served.coze.aclose()
    with pytest.raises(ClosedError, match="is closed"):
        await served.stream().result()
    with pytest.raises(ClosedError, match="is closed"):
        await served.coze.chat.retrieve(conversation_id="7", chat_id="9")
    assert issubclass(ClosedError, RuntimeError)
    assert len(served.transport.requests) == 1
