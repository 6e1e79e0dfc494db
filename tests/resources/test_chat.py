"""Chats: what is asked, streamed, polled, looked up, cancelled and continued."""

import contextlib
import json
import random
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from answering import Answers, answer, chat, event_stream
from replaying import ReplayTransport, stream_of

from coze_async import (
    AsyncCoze,
    AuthenticationError,
    BadRequestError,
    Chat,
    ChatFailedError,
    ChatRequiresAction,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    DecodeError,
    Limits,
    Message,
    MessageObject,
    NotFoundError,
    Polling,
    PollTimeoutError,
    QuotaError,
    RequestTimeoutError,
    Retry,
    ServerError,
    StreamInterruptedError,
    Timeouts,
    ToolOutput,
    TransportError,
)
from coze_async.emulator import (
    Answer,
    Break,
    Chunk,
    Code,
    Cut,
    Emulator,
    ErrorEvent,
    Failure,
    Html,
    Refuse,
    Script,
    Stall,
    ToolCall,
    Unreachable,
    WrongContentType,
)

URL = "http://coze.example"
IDS = {"conversation_id": "7", "chat_id": "9"}
MESSAGES = answer({"code": 0, "data": [{"id": "1", "role": "assistant", "type": "answer", "content": "Hi"}]})


def coze_with(*answers: httpx.Response | Exception, **options: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(*answers)
    return AsyncCoze("pat_x", base_url=URL, transport=transport, **options), transport


def coze_at(emulator: Emulator, **options: Any) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), **options)


def paths(transport: Answers) -> list[str]:
    return [f"{request.method} {request.url.path}" for request in transport.requests]


def slots_of(coze: AsyncCoze) -> Any:
    limiter: Any = coze._session.limiter  # pyright: ignore[reportPrivateUsage]
    return limiter._places


# --- what is sent -----------------------------------------------------------------------------------------------------


async def test_a_text_becomes_the_last_message() -> None:
    coze, transport = coze_with(chat())
    await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert transport.body() == {
        "bot_id": "b",
        "user_id": "u",
        "stream": False,
        "auto_save_history": True,
        "additional_messages": [{"role": "user", "type": "question", "content": "Hi", "content_type": "text"}],
    }


async def test_everything_that_a_chat_takes_reaches_the_body_and_the_conversation_the_query() -> None:
    coze, transport = coze_with(chat())
    more: dict[str, Any] = {
        "custom_variables": {"name": "Ann"},
        "meta_data": {"k": "v"},
        "parameters": {"n": 1},
        "enable_card": True,
        "bot_version": "3",
        "publish_status": "published_online",
        "connector_id": "1024",
        "extra_params": {"latitude": "1"},
        "shortcut_command": {"command_id": "c"},
        "tools": [{"plugin_id": "p"}],
        "custom_config": {"model_config": {}},
    }
    context = [Message.user("One?"), Message.assistant("Two.", meta_data={"k": "v"})]
    await coze.chat.create("Hi", bot_id="b", user_id="u", conversation_id="7", additional_messages=context, **more)
    body = transport.body()
    assert {key: body[key] for key in more} == more
    assert [(message["role"], message["content"]) for message in body["additional_messages"]] == [
        ("user", "One?"),
        ("assistant", "Two."),
        ("user", "Hi"),
    ]
    assert body["additional_messages"][1]["meta_data"] == {"k": "v"}
    assert "conversation_id" not in body
    assert transport.requests[0].url.params["conversation_id"] == "7"


async def test_a_list_of_objects_becomes_one_message_of_several_kinds() -> None:
    coze, transport = coze_with(chat())
    pieces = [
        MessageObject.of_text("What is this?"),
        MessageObject.of_image(file_id="6601"),
        MessageObject.of_file(file_url="https://x.example/a.pdf"),
    ]
    await coze.chat.create(pieces, bot_id="b", user_id="u")
    (sent,) = transport.body()["additional_messages"]
    assert sent["content_type"] == "object_string"
    assert json.loads(sent["content"]) == [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "file_id": "6601"},
        {"type": "file", "file_url": "https://x.example/a.pdf"},
    ]


async def test_a_message_that_came_from_a_server_can_be_sent_again_as_context() -> None:
    coze, transport = coze_with(chat())
    earlier = Message(id="1", role="assistant", type="answer", content="Hi", created_at=1760000000, chat_id="9")
    await coze.chat.create(Message.user("And?"), bot_id="b", user_id="u", additional_messages=[earlier])
    first, last = transport.body()["additional_messages"]
    assert first == {"role": "assistant", "type": "answer", "content": "Hi", "content_type": "text"}
    assert last["content"] == "And?"


async def test_a_conversation_can_be_gone_on_with_without_a_new_message() -> None:
    coze, transport = coze_with(chat())
    await coze.chat.create(bot_id="b", user_id="u", conversation_id="7")
    assert "additional_messages" not in transport.body()


async def test_history_that_is_not_saved_is_sent_for_a_stream() -> None:
    coze, transport = coze_with(
        event_stream(
            'event:conversation.chat.completed\ndata:{"id":"9","conversation_id":"7","status":"completed"}\n\n'
        )
    )
    await coze.chat.ask("Hi", bot_id="b", user_id="u", auto_save_history=False)
    assert transport.body()["auto_save_history"] is False


@pytest.mark.parametrize("how", ["create", "create_and_poll"])
async def test_an_answer_that_could_never_be_read_is_not_asked_for(how: str) -> None:
    coze, transport = coze_with(chat())
    with pytest.raises(ConfigurationError, match=r"auto_save_history=False.*`stream` or `ask`"):
        await getattr(coze.chat, how)("Hi", bot_id="b", user_id="u", auto_save_history=False)
    assert transport.requests == []
    assert slots_of(coze) == {}


@pytest.mark.parametrize(
    ("message", "options", "advice"),
    [
        ("", {}, "message is empty"),
        (" \n", {}, "message is empty"),
        (Message.user(""), {}, "message is empty"),
        (None, {}, "nothing to answer: give a message"),
        (None, {"additional_messages": [Message.user("Hi"), Message.assistant("Yes?")]}, "last message is from"),
        (Message.assistant("Hi"), {}, "last message is from 'assistant'"),
        (Message(content="Hi"), {}, "last message is from 'nobody'"),
        ([], {}, "list of message objects is empty"),
        ([MessageObject.of_text("Hi")], {}, "Give the text as a str"),
        ([MessageObject.of_text("a"), MessageObject.of_text("b"), MessageObject.of_image(file_id="1")], {}, "2 text"),
        ([MessageObject.of_text(" "), MessageObject.of_image(file_id="1")], {}, "text object of the message is empty"),
        ([MessageObject.of_image()], {}, "needs a file_id or a file_url"),
        ([MessageObject.of_image(file_id="1", file_url="http://x")], {}, "one of the two"),
        ([MessageObject.of_image(file_id="1")], {}, "images or files and no text"),
        ("Hi", {"additional_messages": [Message.user("x")] * 100}, "101 messages are too many"),
        ("Hi", {"additional_messages": ["Hi"]}, r"holds a str: give Message.user"),
        (7, {}, "message is a int"),
        (["Hi"], {}, "message is a list"),
        ("Hi", {"bot_id": ""}, "bot_id is ''"),
        ("Hi", {"user_id": " "}, "user_id is ' '"),
        ("Hi", {"bot_id": True}, "bot_id is a bool"),
        ("Hi", {"parameters": {"when": object()}}, r"parameters\['when'\] is a object, which is no JSON value"),
        ("Hi", {"meta_data": {("a",): "b"}}, "A key of meta_data is a tuple"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["stream", "ask", "create", "create_and_poll"])
async def test_a_question_that_cannot_be_answered_is_refused_before_anything_is_sent(
    how: str, message: Any, options: Any, advice: str
) -> None:
    coze, transport = coze_with(chat())
    with pytest.raises(ConfigurationError, match=advice):
        await getattr(coze.chat, how)(message, **{"bot_id": "b", "user_id": "u", **options})
    assert transport.requests == []
    assert slots_of(coze) == {}


async def test_a_picture_may_stand_next_to_a_text_and_a_recording_alone() -> None:
    coze, transport = coze_with(chat())
    picture = Message.user([MessageObject.of_image(file_id="1")])
    await coze.chat.create("What is it?", bot_id="b", user_id="u", additional_messages=[picture])
    await coze.chat.create([MessageObject.of_audio(file_id="1")], bot_id="b", user_id="u")
    # In a conversation the text may stand there already.
    await coze.chat.create(picture, bot_id="b", user_id="u", conversation_id="7")
    assert len(transport.requests) == 3


# --- ask and stream against a server ----------------------------------------------------------------------------------


async def test_asking_returns_the_whole_answer() -> None:
    emulator = Emulator()
    emulator.bot(
        "b",
        Script(
            "Paris.",
            follow_ups=["And Spain?"],
            knowledge=[Chunk("Paris is the capital.", url="https://x.example/?a=1&b=2")],
        ),
    )
    async with coze_at(emulator) as coze:
        result = await coze.chat.ask("Capital of France?", bot_id="b", user_id="u")
    assert (result.text, result.follow_ups) == ("Paris.", ["And Spain?"])
    assert result.knowledge[0].url == "https://x.example/?a=1&b=2"
    assert result.logid
    assert emulator.open_streams == 0


async def test_a_conversation_goes_on_with_the_id_of_the_first_answer() -> None:
    emulator = Emulator()
    async with coze_at(emulator) as coze:
        first = await coze.chat.ask("你好", bot_id="b", user_id="u")
        second = await coze.chat.ask("我刚才问了什么？", bot_id="b", user_id="u", conversation_id=first.conversation_id)
    assert "你好" in second.text
    assert second.conversation_id == first.conversation_id


async def test_tool_calls_are_answered_in_a_stream() -> None:
    emulator = Emulator()
    emulator.bot(
        "b",
        Script(
            requires=[ToolCall("door", {"open": True}, id="call-1")],
            then=lambda outputs: Script(f"Done: {outputs['call-1']}"),
        ),
    )
    async with coze_at(emulator) as coze:
        stream = coze.chat.stream("Open the door", bot_id="b", user_id="u")
        events = [event async for event in stream]
        assert any(isinstance(event, ChatRequiresAction) for event in events)
        (call,) = (await stream.result()).tool_calls
        outputs = [ToolOutput(tool_call_id=call.id, output="it is open")]
        going_on = coze.chat.submit_tool_outputs_stream(
            conversation_id=stream.conversation_id, chat_id=stream.chat_id, tool_outputs=outputs
        )
        assert (await going_on.result()).text == "Done: it is open"


async def test_tool_calls_are_answered_in_a_polled_chat() -> None:
    emulator = Emulator()
    emulator.bot("b", Script(requires=[ToolCall("door", id="call-1")], then="Opened."))
    async with coze_at(emulator) as coze:
        waiting = await coze.chat.create_and_poll("Open the door", bot_id="b", user_id="u")
        assert waiting.status == "requires_action"
        assert [call.id for call in waiting.tool_calls] == ["call-1"]
        ids: dict[str, Any] = {"conversation_id": waiting.conversation_id, "chat_id": waiting.chat_id}
        going_on = await coze.chat.submit_tool_outputs(
            **ids, tool_outputs=[ToolOutput(tool_call_id="call-1", output="ok")]
        )
        assert isinstance(going_on, Chat)
        await anyio.sleep(2)
        assert "Opened." in [message.content for message in await coze.chat.messages.list(**ids)]
    assert emulator.requests[-2].query == ids


async def test_a_chat_can_be_looked_up_and_cancelled() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi", seconds=60.0))
    async with coze_at(emulator) as coze:
        started = await coze.chat.create("Hi", bot_id="b", user_id="u")
        ids: dict[str, Any] = {"conversation_id": started.conversation_id, "chat_id": started.id}
        assert not (await coze.chat.retrieve(**ids)).is_over
        assert (await coze.chat.cancel(**ids)).status == "canceled"
        with pytest.raises(BadRequestError, match=r"4104.*already over") as caught:
            await coze.chat.cancel(**ids)
        assert caught.value.code == 4104
    assert [(request.method, request.path) for request in emulator.requests[1:3]] == [
        ("GET", "/v3/chat/retrieve"),
        ("POST", "/v3/chat/cancel"),
    ]


# --- create_and_poll --------------------------------------------------------------------------------------------------


async def test_a_polled_chat_is_looked_at_ever_more_slowly() -> None:
    coze, transport = coze_with(chat("created"), *[chat("in_progress")] * 6, chat("completed"), MESSAGES)
    result = await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    assert result.text == "Hi"
    assert paths(transport) == ["POST /v3/chat", *["GET /v3/chat/retrieve"] * 7, "GET /v3/chat/message/list"]
    assert transport.gaps == pytest.approx([1.0, 1.5, 2.25, 3.375, 5.0, 5.0, 5.0, 0.0], abs=0.01)
    assert transport.requests[1].url.params["conversation_id"] == "7"
    assert transport.requests[1].url.params["chat_id"] == "9"
    assert slots_of(coze) == {}


async def test_the_pace_of_polling_can_be_chosen() -> None:
    polling = Polling(interval=4.0, factor=1.0, max_interval=2.0)
    coze, transport = coze_with(chat(), chat(), chat(), chat("completed"), MESSAGES)
    await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", polling=polling)
    assert transport.gaps == pytest.approx([4.0, 4.0, 4.0, 0.0], abs=0.01)


async def test_a_chat_that_is_over_at_once_is_not_looked_at() -> None:
    coze, transport = coze_with(chat("completed"), MESSAGES)
    assert (await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")).text == "Hi"
    assert len(transport.requests) == 2


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("completed", "completed"),
        ("compleated", "completed"),
        ("requires_action", "requires_action"),
        ("required_action", "requires_action"),
        ("canceled", "canceled"),
        ("cancelled", "canceled"),
        ("expired", "expired"),
        ("deleted", "deleted"),
    ],
)
async def test_every_final_status_ends_the_polling(said: str, meant: str) -> None:
    coze, transport = coze_with(chat("created"), chat("in_progress"), chat("brooding"), chat(said), MESSAGES)
    result = await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    assert result.status == meant
    has_messages = meant in ("completed", "requires_action")
    assert len(transport.requests) == 4 + has_messages
    assert result.text == ("Hi" if has_messages else "")


async def test_a_chat_that_failed_is_raised_with_its_own_code_and_its_messages_are_not_asked_for() -> None:
    failed = chat("failed", last_error={"code": 4028, "msg": "credits are used up"})
    coze, transport = coze_with(chat(), failed)
    with pytest.raises(ChatFailedError, match=r"code 4028.*credits are used up") as caught:
        await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    assert (caught.value.code, caught.value.partial) == (4028, None)
    assert caught.value.chat is not None
    assert caught.value.chat.id == "9"
    assert paths(transport) == ["POST /v3/chat", "GET /v3/chat/retrieve"]
    assert slots_of(coze) == {}


async def test_a_failure_without_a_reason_is_a_failure_too() -> None:
    coze, _ = coze_with(chat("failed"))
    with pytest.raises(ChatFailedError, match="gave no reason") as caught:
        await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    assert caught.value.code is None


async def test_a_chat_that_takes_too_long_is_cancelled() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi", seconds=3600.0))
    async with coze_at(emulator) as coze:
        began = anyio.current_time()
        with pytest.raises(PollTimeoutError, match=r"within 20 s \(Polling.timeout\).*asked to cancel") as caught:
            await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", polling=Polling(timeout=20.0))
        assert anyio.current_time() - began == pytest.approx(20.0)
        assert slots_of(coze) == {}
    assert caught.value.chat is not None
    assert isinstance(caught.value, TimeoutError)
    assert [state.status for state in emulator.chats.values()] == ["canceled"]


async def test_a_chat_that_could_not_even_be_started_in_time_says_so() -> None:
    emulator = Emulator()
    emulator.fail(Stall(), on="POST /v3/chat")
    async with coze_at(emulator) as coze:
        with pytest.raises(PollTimeoutError, match="not yet created") as caught:
            await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", polling=Polling(timeout=5.0))
        assert slots_of(coze) == {}
    assert caught.value.chat is None
    assert len(emulator.requests) == 1


async def test_a_caller_that_is_cancelled_cancels_the_chat() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi", seconds=3600.0))
    async with coze_at(emulator) as coze:
        began = anyio.current_time()
        with anyio.move_on_after(10) as scope:
            await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
        assert scope.cancelled_caught
        assert anyio.current_time() - began == pytest.approx(10.0)
        assert slots_of(coze) == {}
    assert [state.status for state in emulator.chats.values()] == ["canceled"]


async def test_a_cancel_that_hangs_holds_nobody_longer_than_two_seconds() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi", seconds=3600.0))
    emulator.fail(Stall(), on="POST /v3/chat/cancel")
    async with coze_at(emulator) as coze:
        began = anyio.current_time()
        with anyio.move_on_after(10):
            await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
        assert anyio.current_time() - began == pytest.approx(12.0)
        assert slots_of(coze) == {}


async def test_a_cancel_that_is_refused_changes_nothing() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi", seconds=3600.0))
    emulator.fail(Code(4104), on="POST /v3/chat/cancel")
    async with coze_at(emulator) as coze:
        with pytest.raises(PollTimeoutError):
            await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", polling=Polling(timeout=5.0))


async def test_cancelling_after_any_number_of_steps_leaves_no_chat_running_and_no_slot_taken() -> None:
    """Only a chat whose id is not known yet can be left behind."""
    steps, was_over = 0, False
    while not was_over:
        emulator = Emulator()
        emulator.bot("b", Script("Hi", seconds=2.0))
        async with coze_at(emulator) as coze:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(poll_once, coze)
                for _ in range(steps):
                    await anyio.sleep(0.05 if steps % 2 else 0.0)
                tasks.cancel_scope.cancel()
            assert slots_of(coze) == {}
        statuses = [state.status for state in emulator.chats.values()]
        asked = [request.path for request in emulator.requests]
        was_over = asked[-1:] == ["/v3/chat/message/list"]
        assert was_over or statuses in ([], ["canceled"], ["completed"]) or len(asked) == 1, (steps, statuses, asked)
        steps += 1
    assert steps > 5


async def poll_once(coze: AsyncCoze) -> None:
    await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", polling=Polling(interval=0.5, factor=1.0))


async def test_polls_of_a_user_keep_to_the_number_that_may_run_at_once() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi", seconds=1.0))
    async with coze_at(emulator, limits=Limits(chats_at_once=1)) as coze:
        began = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(poll_once, coze)
        assert anyio.current_time() - began == pytest.approx(3.0)


async def test_a_look_that_fails_is_repeated_and_the_chat_is_not_started_again() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi"))
    emulator.fail(Html(), on="GET /v3/chat/retrieve")
    emulator.fail(Break(after=None), on="GET /v3/chat/message/list")
    async with coze_at(emulator) as coze:
        assert (await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")).text == "Hi"
    assert len([request for request in emulator.requests if request.path == "/v3/chat"]) == 1


async def test_studio_and_plus_answer_a_polled_chat_in_their_own_ways() -> None:
    for dialect in ("cloud", "studio", "plus"):
        emulator = Emulator(dialect)
        emulator.bot("b", Script("Hi there"))
        async with coze_at(emulator) as coze:
            assert (await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")).text == "Hi there"
            assert (await coze.chat.ask("Hi", bot_id="b", user_id="u")).text == "Hi there"


@pytest.mark.parametrize(
    "data",
    [
        {"id": "1", "conversation_id": "7", "role": "assistant", "content": "Hi"},
        {"chat_id": "9", "message": {"id": "1", "conversation_id": "7", "content": "Hi"}},
        {"message_item": {"id": "1", "content": "Hi", "conversation_id": "7"}},
        {"conversation_id": "7", "messages": [{"id": "1", "content": "Hi", "type": "answer"}]},
    ],
)
async def test_a_finished_message_in_any_wrapping_is_the_answer(data: dict[str, Any]) -> None:
    coze, transport = coze_with(answer({"code": 0, "data": data}))
    result = await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    assert (result.text, result.conversation_id, result.status) == ("Hi", "7", "completed")
    assert len(transport.requests) == 1
    # `create` answers with the chat of it.
    assert (await coze.chat.create("Hi", bot_id="b", user_id="u")).status == "completed"


EVENTS = 'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\n'
MESSAGE = 'event:conversation.message.completed\ndata:{"id":"1","type":"answer","content":"Hi"}\n\n'
FAILED = 'event:conversation.chat.failed\ndata:{"id":"9","conversation_id":"7","last_error":{"code":5000}}\n\n'


async def test_a_server_that_streams_unasked_is_read_all_the_same() -> None:
    ended = f"{EVENTS}{MESSAGE}event:done\ndata:\n\n"
    coze, _ = coze_with(event_stream(ended, headers={"x-log-id": "L9"}))
    result = await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    assert (result.text, result.logid) == ("Hi", "L9")
    assert (await coze.chat.create("Hi", bot_id="b", user_id="u")).id == "9"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (EVENTS, StreamInterruptedError),
        ("", StreamInterruptedError),
        (EVENTS + 'event:error\ndata:{"code":5000,"msg":"no"}\n\n', ServerError),
        (EVENTS + FAILED, ChatFailedError),
    ],
)
async def test_a_stream_that_came_unasked_fails_as_a_stream_does(body: str, error: type[CozeError]) -> None:
    coze, _ = coze_with(event_stream(body))
    with pytest.raises(error):
        await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")


async def test_a_stream_that_came_unasked_and_names_no_chat_cannot_be_read() -> None:
    coze, _ = coze_with(event_stream("event:done\ndata:\n\n"))
    with pytest.raises(DecodeError, match="named no chat"):
        await coze.chat.create("Hi", bot_id="b", user_id="u")


async def test_a_chat_that_is_streamed_unasked_is_created_with_its_first_event() -> None:
    """Case A28: Coze Plus streams although no stream was asked for."""
    transport = ReplayTransport(stream_of(EVENTS.encode(), (100.0, MESSAGE.encode()), endless=True))
    coze = AsyncCoze("pat_x", transport=transport)
    chat = await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert (chat.id, chat.conversation_id) == ("9", "7")
    assert anyio.current_time() < 1.0
    assert transport.open_bodies == 0


async def test_a_time_out_of_a_chat_that_is_streamed_unasked_cancels_and_names_it() -> None:
    slow = stream_of(EVENTS.encode(), (100.0, MESSAGE.encode()), endless=True)
    canceled = stream_of(
        b'{"code":0,"data":{"id":"9","conversation_id":"7","status":"canceled"}}',
        headers={"content-type": "application/json"},
    )
    transport = ReplayTransport(slow, canceled)
    coze = AsyncCoze("pat_x", transport=transport)
    with pytest.raises(PollTimeoutError, match=r"chat 9, last seen .*has been asked to cancel") as caught:
        await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", polling=Polling(timeout=2.0))
    assert caught.value.chat is not None
    assert caught.value.chat.conversation_id == "7"
    assert [request.url.path for request in transport.requests] == ["/v3/chat", "/v3/chat/cancel"]
    assert transport.open_bodies == 0


@pytest.mark.parametrize(
    "data", [None, [], {}, {"id": "9"}, {"status": "created"}, {"messages": []}, {"message": "Hi"}]
)
async def test_an_answer_that_is_no_chat_is_quoted(data: Any) -> None:
    coze, _ = coze_with(answer({"code": 0, "data": data}))
    with pytest.raises(DecodeError, match="the answer is no chat"):
        await coze.chat.create("Hi", bot_id="b", user_id="u")


# --- what bad input gets ----------------------------------------------------------------------------------------------


async def test_a_wrong_token_says_so() -> None:
    emulator = Emulator()
    coze = AsyncCoze("bad_token", base_url=emulator.url, transport=emulator.transport())
    for call in (coze.chat.ask, coze.chat.create_and_poll):
        with pytest.raises(AuthenticationError, match=r"4100.*Check the token.*base URL was http://coze.emulator"):
            await call("Hi", bot_id="b", user_id="u")
    assert slots_of(coze) == {}


async def test_a_token_of_the_other_cloud_is_told_which_one_that_may_be() -> None:
    emulator = Emulator()
    for here, there in (
        ("https://api.coze.cn", "https://api.coze.com"),
        ("https://api.coze.com", "https://api.coze.cn"),
    ):
        coze = AsyncCoze("bad_token", base_url=here, transport=emulator.transport())
        with pytest.raises(AuthenticationError, match=f"base URL was {here}; tokens do not cross clouds.*{there}"):
            await coze.chat.ask("Hi", bot_id="b", user_id="u")


async def test_a_host_that_cannot_be_reached_says_where_to_look() -> None:
    emulator = Emulator()
    emulator.fail(Unreachable(), times=None)
    coze = coze_at(emulator, retry=Retry.none())
    with pytest.raises(TransportError, match=r"no connection to http://coze.emulator.*Check the base URL, the network"):
        await coze.chat.ask("Hi", bot_id="b", user_id="u")


async def test_a_bot_that_is_not_published_says_to_publish_it() -> None:
    emulator = Emulator()
    emulator.bot("b", None)
    with pytest.raises(NotFoundError, match=r"4015.*Publish the bot to the API channel"):
        await coze_at(emulator).chat.ask("Hi", bot_id="b", user_id="u")


async def test_a_busy_conversation_says_what_it_waits_for() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi", seconds=60.0))
    async with coze_at(emulator, retry=Retry(busy_timeout=30.0)) as coze:
        first = await coze.chat.create("Hi", bot_id="b", user_id="u")
        with pytest.raises(ConversationBusyError, match=r"4016.*coze.chat.cancel"):
            await coze.chat.ask("Hi", bot_id="b", user_id="u", conversation_id=first.conversation_id)


async def test_an_exhausted_quota_inside_a_chat_says_that_repeating_will_not_help() -> None:
    emulator = Emulator()
    emulator.bot("b", Script(failure=Failure(4028, "credits are used up")))
    async with coze_at(emulator) as coze:
        for call in (coze.chat.ask, coze.chat.create_and_poll):
            with pytest.raises(ChatFailedError, match=r"4028.*top up"):
                await call("Hi", bot_id="b", user_id="u")


async def test_an_exhausted_quota_before_the_chat_is_a_quota_error_and_not_repeated() -> None:
    emulator = Emulator()
    emulator.fail(Code(4011, "balance"), times=None)
    with pytest.raises(QuotaError, match="top up"):
        await coze_at(emulator).chat.ask("Hi", bot_id="b", user_id="u")
    assert len(emulator.requests) == 1


# --- random faults ----------------------------------------------------------------------------------------------------

FAULTS = [
    ErrorEvent(after=0),
    ErrorEvent(after=3),
    Cut(after=0),
    Cut(after=2),
    Cut(after_bytes=30),
    Break(after=None),
    Break(after=2),
    Break(after_bytes=70),
    Stall(after=None),
    Stall(after=2),
    Stall(seconds=3.0, after=2),
    Refuse(),
    Refuse(retry_after="2"),
    Refuse(status=500, code=5000),
    Code(4000),
    Code(5000, content_type="text/event-stream"),
    Html(),
    Unreachable(),
    WrongContentType("text/html"),
    WrongContentType("text/plain"),
    WrongContentType("application/json"),
]


@pytest.mark.parametrize("seed", range(12))
async def test_no_mix_of_faults_and_impatience_leaves_anything_open(seed: int) -> None:
    """Every call ends with a result or one of our own errors; afterwards no body is open and no slot is taken."""
    dice = random.Random(seed)
    emulator = Emulator(dice.choice(("cloud", "studio", "plus")))
    emulator.bot(
        "b",
        lambda given: Script(
            [Answer("One two", reasoning="hm"), Answer("Three")], follow_ups=["Why?"], pace=dice.choice((0.0, 0.2))
        ),
    )
    for _ in range(25):
        emulator.fail(dice.choice(FAULTS), on=dice.choice((None, "POST /v3/chat", "GET *", "POST /v3/chat/cancel")))
    timeouts = Timeouts(first_event=15.0, idle=5.0, total=dice.choice((None, 30.0)))
    ended: list[str] = []
    async with coze_at(emulator, timeouts=timeouts, limits=Limits(chat=None, chats_at_once=3)) as coze:

        async def one(number: int) -> None:
            how = dice.choice(("ask", "poll", "break", "aclose", "text"))
            with anyio.move_on_after(dice.choice((0.05, 0.7, 3.0, 1000.0))):
                with contextlib.suppress(CozeError):
                    await use(coze, how, f"u{number % 3}")
            ended.append(how)

        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(one, number)
        for _ in range(40):
            await anyio.lowlevel.checkpoint()
        assert len(ended) == 40
        assert slots_of(coze) == {}
        assert emulator.open_streams == 0


async def use(coze: AsyncCoze, how: str, user: str) -> None:
    if how == "ask":
        await coze.chat.ask("Hi", bot_id="b", user_id=user)
    elif how == "poll":
        await coze.chat.create_and_poll("Hi", bot_id="b", user_id=user, polling=Polling(timeout=20.0))
    elif how == "break":
        async for _ in coze.chat.stream("Hi", bot_id="b", user_id=user):
            break
    elif how == "text":
        async for _ in coze.chat.stream("Hi", bot_id="b", user_id=user).text():
            break
    else:
        async with coze.chat.stream("Hi", bot_id="b", user_id=user) as stream:
            await anext(stream)


async def test_a_stream_without_end_of_a_silent_server_is_given_up_without_a_trace() -> None:
    emulator = Emulator()
    emulator.fail(Stall(after=1))
    async with coze_at(emulator, timeouts=Timeouts(idle=5.0)) as coze:
        with pytest.raises(RequestTimeoutError):
            await coze.chat.ask("Hi", bot_id="b", user_id="u")
        assert slots_of(coze) == {}
    assert emulator.open_streams == 0
