"""Chats of the cloud dialect: streams, polling, tools and the rules of the endpoint."""

import base64
import json
from collections.abc import Sequence
from typing import Any

import anyio
import pytest
from emulator.talk import Talk, names, opened, parse, question, stream_of, talking, text_of

from coze_async.emulator import Answer, ChatInput, Chunk, Emulator, Failure, Script, ToolCall, ToolUse, Usage

# A parametrized test needs the mark when it is collected; tests/conftest.py adds it later than that.
pytestmark = pytest.mark.anyio


async def test_a_stream_follows_the_documented_order_byte_by_byte() -> None:
    """The order and the framing without spaces: coze.cn docs, chat_v3, and coze-py's recorded stream."""
    emulator = Emulator()
    emulator.bot("b-1", Script("Hi there", follow_ups=["And you?"], usage=Usage(91, 24)))
    async with talking(emulator) as coze:
        response = await coze.http.post("/v3/chat", json=question(meta_data={"k": "v"}))
    events = parse(response.text)
    assert response.text.startswith('event:conversation.chat.created\ndata:{"id":"')
    assert response.text.endswith('event:done\ndata:"[DONE]"\n\n')
    assert len(response.headers["x-tt-logid"]) > 20
    assert [event.name.removeprefix("conversation.") for event in events] == [
        "chat.created",
        "chat.in_progress",
        "message.delta",
        "message.delta",
        "message.completed",
        "message.completed",
        "message.completed",
        "chat.completed",
        "done",
    ]
    assert [event.data["type"] for event in events[2:7]] == ["answer", "answer", "answer", "verbose", "follow_up"]
    assert text_of(events) == "Hi there" == events[4].data["content"]
    assert events[7].data["usage"] == {"token_count": 115, "output_count": 24, "input_count": 91}
    assert events[0].data["meta_data"] == {"k": "v"}


async def test_pieces_arrive_at_their_pace() -> None:
    emulator = Emulator(pace=10.0)
    emulator.bot("b-1", "one two three")
    times: list[float] = []
    async with talking(emulator, timeout=60) as coze, coze.http.stream("POST", "/v3/chat", json=question()) as response:
        started = anyio.current_time()
        async for chunk in response.aiter_bytes():
            if b"message.delta" in chunk:
                times.append(anyio.current_time() - started)
                assert emulator.open_streams == 1
    assert times == pytest.approx([10, 20, 30], abs=0.1)
    assert emulator.open_streams == 0


async def test_a_stream_without_pace_lets_others_have_their_turn() -> None:
    emulator = Emulator()
    emulator.bot("b-1", "word " * 200)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with talking(emulator) as coze, anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        await coze.chat()
        tasks.cancel_scope.cancel()
    assert turns >= 10


async def test_leaving_early_closes_the_body_and_the_chat_goes_on_by_itself() -> None:
    """Closing the connection does not stop a chat on the server (coze.cn docs, chat_cancel)."""
    emulator = Emulator(pace=1.0)
    async with talking(emulator) as coze:
        response = await opened(emulator)
        await anext(aiter(stream_of(response)))
        assert emulator.open_streams == 1
        await response.aclose()
        assert emulator.open_streams == 0
        (chat,) = emulator.chats.values()
        assert chat.running
        busy = await coze.post("/v3/chat", question(), conversation_id=chat.conversation_id)
        assert busy["code"] == 4016
        await anyio.sleep(2)
        (chat,) = emulator.chats.values()
        assert chat.status == "completed"
        assert chat.messages[0]["type"] == "answer"


async def test_reasoning_knowledge_and_tools_come_before_the_answer() -> None:
    """Shapes: coze.cn docs, chat_v3; the recall from Coze Studio source 4f786d6."""
    chunk = Chunk("Opened at nine.", 0.87, "hours.md", "Hours", "https://example.com/?a=1&b=2")
    emulator = Emulator()
    emulator.bot(
        "b-1",
        Script(
            [Answer("Nine.", reasoning="Let me look."), "Anything else?"],
            knowledge=[chunk],
            tools=[ToolUse("clock", {"zone": "CET"}, '{"now":"8:59"}')],
        ),
    )
    async with talking(emulator) as coze:
        events = await coze.chat()
    completed = [event.data for event in events if event.name == "conversation.message.completed"]
    assert [message["type"] for message in completed] == [
        "verbose",
        "function_call",
        "tool_response",
        "answer",
        "answer",
        "verbose",
    ]
    recall = json.loads(completed[0]["content"])
    assert recall["msg_type"] == "knowledge_recall"
    (found,) = json.loads(recall["data"])["chunks"]
    assert found["slice"] == "Opened at nine."
    assert found["meta"]["link"]["url"] == "https://example.com/?a=1u0026b=2"
    assert json.loads(completed[1]["content"])["arguments"] == {"zone": "CET"}
    deltas = [event.data for event in events if event.name == "conversation.message.delta"]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "Let me look."
    assert [bool(delta["content"]) for delta in deltas if "reasoning_content" in delta] == [False] * 3
    assert completed[3]["reasoning_content"] == "Let me look."
    assert json.loads(json.loads(completed[-1]["content"])["data"])["finish_reason"] == 0


async def test_sound_comes_after_the_chat_is_completed() -> None:
    """Order in coze-py's recorded audio stream."""
    emulator = Emulator()
    emulator.bot("b-1", Script(Answer("Hi", audio=[b"\x00\x01", b"\x02"])))
    async with talking(emulator) as coze:
        events = await coze.chat()
    assert names(events)[-3:] == ["conversation.chat.completed", "conversation.audio.delta", "done"]
    assert [event.data["content"] for event in events[-3:-1]] == ["AAE=", "Ag=="]


async def test_raw_bytes_and_keep_alives_are_sent_as_they_are() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        emulator.bot("b-1", Script(raw=[b"event:new.thing\nda", b"ta:{}\n\n"]))
        assert (await coze.http.post("/v3/chat", json=question())).text == "event:new.thing\ndata:{}\n\n"
        emulator.bot("b-1", Script(raw=b"data"))
        assert (await coze.http.post("/v3/chat", json=question())).text == "data"
        emulator.bot("b-1", Script("a b c d", keep_alive=2))
        text = (await coze.http.post("/v3/chat", json=question())).text
    assert text.count(": keep-alive\n\nevent:") == 4
    assert text_of(parse(text)) == "a b c d"
    assert {chat.status for chat in emulator.chats.values()} == {"completed"}


async def test_pieces_can_be_chosen_and_odd_line_separators_stand_raw() -> None:
    """U+2028 and U+0085 may stand raw inside the JSON (found with cozepy's line splitter)."""
    emulator = Emulator()
    emulator.bot("b-1", Script(Answer(pieces=["a\u2028", "b\u0085", "c\nd"])))
    async with talking(emulator) as coze:
        response = await coze.http.post("/v3/chat", json=question())
    assert "a\u2028" in response.text
    assert text_of(parse(response.text)) == "a\u2028b\u0085c\nd"


async def test_a_failing_chat_says_so_and_has_no_messages() -> None:
    """`data` is missing for a failed chat: coze-py issue 425."""
    emulator = Emulator()
    emulator.bot("b-1", Script("almost", failure=Failure(4028, "credits used up")))
    async with talking(emulator) as coze:
        events = await coze.chat()
        assert names(events)[-3:] == ["conversation.message.delta", "conversation.chat.failed", "done"]
        assert events[-2].data["last_error"] == {"code": 4028, "msg": "credits used up"}
        ids = await coze.create()
        chat = await coze.finished(ids)
        assert (chat["status"], chat["last_error"]["code"]) == ("failed", 4028)
        listed = await coze.get("/v3/chat/message/list", **ids)
        assert listed["code"] == 0
        assert "data" not in listed
        emulator.bot("b-1", Script(failure=Failure(bare=True)))
        assert (await coze.chat())[-2].data == {"code": 5000, "msg": "event interval error"}


async def test_a_polled_chat_moves_on_with_time() -> None:
    emulator = Emulator()
    emulator.bot("b-1", Script("Hello", knowledge=[Chunk("x")], seconds=10))
    seen: list[str] = []
    async with talking(emulator) as coze:
        ids = await coze.create()
        for _ in range(4):
            seen.append((await coze.post("/v3/chat/retrieve", None, **ids))["data"]["status"])
            assert seen[-1] == emulator.chats[ids["chat_id"]].status
            await anyio.sleep(3.5)
        listed = await coze.get("/v3/chat/message/list", **ids)
    # Never "created": the official SDKs would stop polling.
    assert seen == ["in_progress", "in_progress", "in_progress", "completed"]
    # Without the question, in the order in which they ended: the answer must not be picked by its place.
    assert [message["type"] for message in listed["data"]] == ["verbose", "answer", "verbose"]
    assert listed["detail"]["logid"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_tool_outputs_make_the_chat_go_on(streamed: bool) -> None:
    emulator = Emulator()
    emulator.bot(
        "b-1",
        Script(requires=[ToolCall("weather", {"city": "杭州"}, id="call-1"), ToolCall("ask", type="reply_message")]),
    )
    async with talking(emulator) as coze:
        events = await coze.chat()
        waiting = events[-2]
        assert waiting.name == "conversation.chat.requires_action"
        assert waiting.data["status"] == "requires_action"
        ids = {"conversation_id": waiting.data["conversation_id"], "chat_id": waiting.data["id"]}
        calls = waiting.data["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert json.loads(calls[0]["function"]["arguments"]) == {"city": "杭州"}
        assert "function" not in calls[1]

        path = "/v3/chat/submit_tool_outputs"
        some = [{"tool_call_id": "call-1", "output": "晴"}]
        for wrong in (some, None, ["text"]):
            assert (await coze.post(path, {"tool_outputs": wrong}, **ids))["code"] == 4000
        every = [*some, {"tool_call_id": calls[1]["id"], "output": "谢谢"}]
        if streamed:
            more = await coze.events(path, {"tool_outputs": every, "stream": True}, **ids)
            assert names(more)[0] == "conversation.chat.in_progress"
            assert text_of(more) == "查到了：晴; 谢谢"
        else:
            going = await coze.post(path, {"tool_outputs": every, "stream": False}, **ids)
            assert going["data"]["status"] == "in_progress"
            assert (await coze.finished(ids))["status"] == "completed"
        types = [message["type"] for message in emulator.chats[ids["chat_id"]].messages]
        assert types == ["function_call", "tool_response", "tool_response", "answer", "verbose"]
        assert (await coze.post(path, {"tool_outputs": every}, **ids))["code"] == 4000


async def test_the_turn_after_tool_outputs_can_be_scripted() -> None:
    emulator = Emulator()
    emulator.bot("b-1", Script(requires=[ToolCall("x", id="c")], then=lambda outputs: f"It is {outputs['c']}"))
    async with talking(emulator) as coze:
        first = (await coze.chat())[-2].data
        ids = {"conversation_id": first["conversation_id"], "chat_id": first["id"]}
        body = {"tool_outputs": [{"tool_call_id": "c", "output": "42"}], "stream": True}
        assert text_of(await coze.events("/v3/chat/submit_tool_outputs", body, **ids)) == "It is 42"
        unsaved = (await coze.chat(question(auto_save_history=False)))[-2].data
        ids = {"conversation_id": unsaved["conversation_id"], "chat_id": unsaved["id"]}
        assert (await coze.post("/v3/chat/submit_tool_outputs", body, **ids))["code"] == 5000
    assert Script(then=Script("ok")).after({}).answers == "ok"
    assert Script().after({"c": "rain"}).answers == "Here is what I found: rain"


async def test_cancel_flips_the_state_and_the_stream_goes_on() -> None:
    """coze.cn docs, chat_cancel; 4104 from coze-py."""
    emulator = Emulator(pace=0.1)
    emulator.bot("b-1", "one two three")
    async with talking(emulator) as coze:
        response = await opened(emulator)
        stream = aiter(stream_of(response))
        body = await anext(stream)
        (chat,) = emulator.chats.values()
        ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
        assert (await coze.post("/v3/chat/cancel", ids))["data"]["status"] == "canceled"
        async for chunk in stream:
            body += chunk
        events = parse(body.decode())
        assert names(events)[-2:] == ["conversation.chat.completed", "done"]
        assert text_of(events) == "one two three"
        assert (await coze.get("/v3/chat/retrieve", **ids))["data"]["status"] == "canceled"
        assert (await coze.post("/v3/chat/cancel", ids))["code"] == 4104
        emulator.bot("b-1", lambda given: f"{len(given.history)} earlier")
        assert text_of(await coze.chat(conversation_id=ids["conversation_id"])) == "0 earlier"

        ids = await coze.create()
        await coze.post("/v3/chat/cancel", ids)
        assert (await coze.finished(ids))["status"] == "canceled"


async def test_one_chat_at_a_time_runs_in_a_conversation() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        ids = await coze.create()
        body = question(conversation_id=ids["conversation_id"])
        assert (await coze.post("/v3/chat", body, conversation_id=ids["conversation_id"]))["code"] == 4016
        # In the body the id is ignored and a new conversation starts.
        assert (await coze.chat(body))[0].data["conversation_id"] != ids["conversation_id"]
        await coze.finished(ids)
        await coze.chat(conversation_id=ids["conversation_id"])


async def test_a_conversation_is_occupied_while_its_script_is_being_made() -> None:
    emulator = Emulator()

    async def slow(given: ChatInput) -> Script:
        await anyio.sleep(5)
        if given.question == "break":
            raise LookupError(given.question)
        return Script("slow")

    emulator.bot("b-1", slow)
    async with talking(emulator, timeout=None) as coze:
        conversation_id = (await coze.post("/v1/conversation/create", {"meta_data": {}}))["data"]["id"]
        codes: list[int] = []

        async def start() -> None:
            answer = await coze.post("/v3/chat", question(stream=False), conversation_id=conversation_id)
            codes.append(answer["code"])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            tasks.start_soon(start)
        assert sorted(codes) == [0, 4016]
        await anyio.sleep(2)
        with pytest.raises(LookupError):
            await coze.post("/v3/chat", question("break"), conversation_id=conversation_id)
        assert text_of(await coze.chat(conversation_id=conversation_id)) == "slow"


async def test_without_saved_history_nothing_can_be_looked_up() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        assert (await coze.post("/v3/chat", question(stream=False, auto_save_history=False)))["code"] == 4000
        chat = (await coze.chat(question(auto_save_history=False)))[0].data
        ids = {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}
        assert (await coze.get("/v3/chat/retrieve", **ids))["code"] == 4002


def _files(*items: dict[str, str]) -> dict[str, str]:
    return {"role": "user", "content": json.dumps(items), "content_type": "object_string"}


_TEXT = {"role": "user", "content": "look", "content_type": "text"}
_IMAGE = {"type": "image", "file_id": "1"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bot_id": None}, 4000),
        ({"user_id": ""}, 4000),
        ({"additional_messages": []}, 4000),
        ({"additional_messages": "hi"}, 4000),
        ({"additional_messages": ["hi"]}, 4000),
        ({"additional_messages": [_TEXT] * 101}, 4004),
        ({"additional_messages": [{**_TEXT, "role": "assistant"}]}, 4000),
        ({"additional_messages": [_files({"type": "text", "text": "alone"})]}, 4000),
        ({"additional_messages": [_files(_IMAGE)]}, 4000),
        ({"additional_messages": [{**_files(), "content": "no json"}]}, 4000),
        ({"parameters": "text"}, 4000),
        ({"custom_variables": {"a1": "x"}}, 4000),
        ({"custom_variables": {"a": 1}}, 4000),
        ({"extra_params": {"latitude": "1", "altitude": "2"}}, 4000),
        ({"extra_params": ["latitude"]}, 4000),
        ({"meta_data": {str(n): "x" for n in range(17)}}, 4003),
        ({"meta_data": "text"}, 4000),
        ({"meta_data": {"k" * 65: "x"}}, 4003),
        ({"bot_version": "1", "publish_status": "unpublished_draft"}, 4000),
        ({"bot_id": "gone"}, 4015),
    ],
)
async def test_bad_requests_are_refused_in_an_envelope(change: dict[str, Any], code: int) -> None:
    """Limits: coze.cn docs, chat_v3. A stream that is refused is JSON with HTTP 200."""
    emulator = Emulator()
    emulator.bot("gone", None)
    async with talking(emulator) as coze:
        response = await coze.http.post("/v3/chat", json=question(**change))
    assert response.status_code == 200
    assert response.json()["code"] == code
    assert response.json()["detail"]["logid"] == response.headers["x-tt-logid"]


async def test_files_beside_a_text_are_taken_and_the_text_is_the_question() -> None:
    emulator = Emulator()
    asked: list[str] = []

    def listen(given: ChatInput) -> str:
        asked.append(given.question)
        return "ok"

    emulator.bot("b-1", listen)
    async with talking(emulator) as coze:
        await coze.chat(question(additional_messages=[_files({"type": "text", "text": "what is it?"}, _IMAGE)]))
        await coze.chat(question(additional_messages=[_TEXT, {**_TEXT, "role": "assistant"}, _TEXT, _files(_IMAGE)]))
        await coze.chat(question(additional_messages=[_TEXT, {**_TEXT, "role": "assistant"}, _files(_IMAGE)]))
        await coze.chat(question(additional_messages=[{**_TEXT, "role": "assistant"}, _files(_IMAGE)]))
    assert asked == ["what is it?", "look", "look", ""]


async def _code(coze: Talk, path: str, **query: str) -> int:
    return int((await coze.get(path, **query))["code"])


async def test_unknown_ids_are_refused() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        ids = await coze.create()
        assert (await coze.post("/v3/chat", question(), conversation_id="7"))["code"] == 4001
        for path in ("/v3/chat/retrieve", "/v3/chat/message/list"):
            assert await _code(coze, path, conversation_id="7", chat_id="8") == 4001
            assert await _code(coze, path, conversation_id=ids["conversation_id"], chat_id="8") == 4002
            assert await _code(coze, path, conversation_id=ids["conversation_id"]) == 4000
        assert (await coze.post("/v3/chat", ["not", "an", "object"]))["code"] == 4000
        assert (await coze.http.get("/v9/nothing")).status_code == 404


async def test_the_state_can_be_looked_at_when_the_loop_is_gone() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        await coze.create()
    states: list[str] = []
    await anyio.to_thread.run_sync(lambda: states.extend(chat.status for chat in emulator.chats.values()))
    assert states == ["in_progress"]


async def test_a_chat_without_stream_begins_as_in_a_recording_of_the_cloud() -> None:
    """Keys and status of `create` and `retrieve`: a recording of coze.cn."""
    keys = {"id", "conversation_id", "bot_id", "created_at", "last_error", "status"}
    async with talking(Emulator()) as coze:
        created = await coze.post("/v3/chat", {**question(), "stream": False})
        ids = {"conversation_id": created["data"]["conversation_id"], "chat_id": created["data"]["id"]}
        for answer in (created, await coze.get("/v3/chat/retrieve", **ids)):
            assert set(answer) == {"data", "code", "msg"}
            assert set(answer["data"]) == keys
            assert answer["data"]["status"] == "in_progress"
        completed = await coze.finished(ids)
        assert completed["status"] == "completed"
        assert completed["usage"]["token_count"] > 0


async def test_a_chat_whose_stream_was_left_and_one_that_goes_on_with_outputs_are_in_progress_too() -> None:
    emulator = Emulator()
    emulator.bot("b-1", Script("Hello", seconds=10))
    emulator.bot("asks", Script(requires=[ToolCall("weather", id="call-1")]))
    async with talking(emulator) as coze:
        response = await opened(emulator)
        body = stream_of(response)
        await body.__anext__()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - an iterator
        await body.aclose()
        assert [chat.status for chat in emulator.chats.values()] == ["in_progress"]
        ids = await coze.create(question(bot_id="asks"))
        await coze.finished(ids)
        outputs = {"tool_outputs": [{"tool_call_id": "call-1", "output": "sunny"}]}
        answer = await coze.post("/v3/chat/submit_tool_outputs", outputs, **ids)
        assert answer["data"]["status"] == "in_progress"
        assert "usage" not in answer["data"]


async def test_an_answer_begins_with_its_chat_whatever_came_before_it() -> None:
    """`created_at` and `updated_at` of answers and of what tools said: two recordings of coze.cn."""
    emulator = Emulator(pace=1.0)
    emulator.bot("b-1", Script("one two three", tools=[ToolUse("clock")]))
    async with talking(emulator) as coze:
        events = await coze.chat()
        chat = events[0].data
        ids = {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}
        messages = (await coze.get("/v3/chat/message/list", **ids))["data"]
    answer = next(message for message in messages if message["type"] == "answer")
    assert [message["type"] for message in messages] == ["function_call", "tool_response", "answer", "verbose"]
    assert answer["created_at"] == chat["created_at"]
    assert answer["updated_at"] >= answer["created_at"] + 2
    ended = [message["updated_at"] for message in messages]
    assert ended == sorted(ended)


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_recording_alone_is_a_question_and_a_voice_answers(is_streamed: bool) -> None:
    """The page's rule that files need a text beside them names files and images (coze.cn docs, chat_v3)."""
    emulator = Emulator()
    spoken = {"role": "user", "content": '[{"type":"audio","file_id":"7"}]', "content_type": "object_string"}
    async with talking(emulator) as coze:
        body = question(additional_messages=[spoken])
        if is_streamed:
            events = await coze.chat(body)
            sounds = [event.data for event in events if event.name == "conversation.audio.delta"]
            assert {sound["content_type"] for sound in sounds} == {"audio"}
            assert len(b"".join(base64.b64decode(sound["content"]) for sound in sounds)) > 4800
        else:
            ids = await coze.create(body)
            assert (await coze.finished(ids))["status"] == "completed"
        # Who writes is not spoken to.
        assert not [event for event in await coze.chat() if event.name == "conversation.audio.delta"]


async def test_a_bot_remembers_what_the_messages_of_one_request_tell_of_the_past() -> None:
    emulator, histories = Emulator(), list[Sequence[str]]()

    def remember(given: ChatInput) -> str:
        histories.append(given.history)
        return "Yes."

    emulator.bot("b-1", remember)
    past = [
        {"role": "user", "content": "My name is Li.", "content_type": "text"},
        {"role": "assistant", "content": "Hello Li.", "content_type": "text"},
        {"role": "user", "content": "I like tea.", "content_type": None},
    ]
    body = question(
        "Who am I?", additional_messages=[*past, {"role": "user", "content": "Who?", "content_type": "text"}]
    )
    async with talking(emulator) as coze:
        (first, *_) = await coze.chat(body)
        await coze.chat(question("And now?"), conversation_id=first.data["conversation_id"])
        about = [message for message in body["additional_messages"] if message["role"] == "user"]
        default = await coze.chat(
            question(bot_id="b-2", additional_messages=[*past, {**about[-1], "content": "Jazz?"}])
        )
    assert histories == [("My name is Li.", "I like tea."), ("My name is Li.", "I like tea.", "Who?")]
    assert "I like tea" in text_of(default)


async def test_a_refused_chat_leaves_no_conversation_behind() -> None:
    emulator = Emulator()
    emulator.bot("none", None)
    async with talking(emulator) as coze:
        assert (await coze.post("/v3/chat", question(bot_id="none")))["code"] == 4015
        ids = await coze.create()
        again = await coze.post("/v3/chat", question(bot_id="none"), conversation_id=ids["conversation_id"])
        assert again["code"] == 4016
    assert list(emulator._world.state.conversations) == [ids["conversation_id"]]  # pyright: ignore[reportPrivateUsage]


async def test_a_chat_that_waits_for_its_caller_makes_room_for_another() -> None:
    """No page says otherwise; to go on it needs the conversation for itself again: our own decision."""
    emulator = Emulator()
    emulator.bot("asks", Script(requires=[ToolCall("weather", id="call-1")]))
    outputs = {"tool_outputs": [{"tool_call_id": "call-1", "output": "sunny"}]}
    async with talking(emulator) as coze:
        first = await coze.create(question(bot_id="asks"))
        await coze.finished(first)
        second = await coze.create(question(), conversation_id=first["conversation_id"])
        assert (await coze.post("/v3/chat/submit_tool_outputs", outputs, **first))["code"] == 4016
        assert (await coze.get("/v3/chat/retrieve", **first))["data"]["status"] == "requires_action"
        assert (await coze.finished(second))["status"] == "completed"
        assert (await coze.post("/v3/chat/submit_tool_outputs", outputs, **first))["code"] == 0
        assert (await coze.finished(first))["status"] == "completed"


USER = {"role": "user", "content": "x", "content_type": "text"}


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"additional_messages": [{**USER, **odd}, USER]}
            for odd in (
                {"role": None},
                {"role": "system"},
                {"content": None},
                {"content": {"a": 1}},
                {"content": 1},
                {"content_type": "foo"},
                {"content_type": "card"},
                {"meta_data": [1]},
                {"meta_data": {"a": 1}},
                {"content": '[{"type": "zzz"}, {"type": "text", "text": "a"}]', "content_type": "object_string"},
                {"content": '[{"file_id": "1"}]', "content_type": "object_string"},
            )
        ),
        {"additional_messages": {}},
        {"meta_data": {"a": 1}},
        {"meta_data": []},
        {"custom_variables": []},
        {"parameters": []},
        {"extra_params": []},
    ],
)
async def test_what_the_pages_do_not_allow_is_refused(change: dict[str, Any]) -> None:
    """coze.cn docs, chat_v3."""
    emulator = Emulator()
    async with talking(emulator) as coze:
        assert (await coze.post("/v3/chat", question(**change)))["code"] in {4000, 4003}
    assert not emulator.chats


async def test_a_message_may_be_empty_or_of_files_and_sound() -> None:
    items = '[{"type": "image", "file_id": "1"}, {"type": "file", "file_url": "u"}, {"type": "audio", "file_id": "2"}]'
    messages = [{**USER, "content": items, "content_type": "object_string"}, {"role": "assistant", "content": ""}, USER]
    messages[1:1] = [USER]
    async with talking(Emulator()) as coze:
        assert (await coze.finished(await coze.create(question(additional_messages=messages))))["status"] == "completed"


@pytest.mark.parametrize(
    "outputs",
    [
        [{"tool_call_id": "call-1"}],
        [{"tool_call_id": "call-1", "output": {"a": 1}}],
        [{"output": "x"}],
        [{"tool_call_id": "call-1", "output": "x"}, {"tool_call_id": "call-1", "output": "y"}],
        [],
        "x",
    ],
)
async def test_tool_outputs_have_each_an_id_and_a_text(outputs: Any) -> None:
    """coze.cn docs, chat_submit_tool_outputs."""
    emulator = Emulator()
    emulator.bot("b-1", Script(requires=[ToolCall("weather", id="call-1")]))
    async with talking(emulator) as coze:
        ids = await coze.create()
        await coze.finished(ids)
        refused = await coze.post("/v3/chat/submit_tool_outputs", {"tool_outputs": outputs}, **ids)
        assert refused["code"] == 4000
        assert (await coze.get("/v3/chat/retrieve", **ids))["data"]["status"] == "requires_action"
