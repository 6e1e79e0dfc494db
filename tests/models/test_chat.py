"""Chats and messages, as every server writes them."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from coze_async.models import (
    Chat,
    ChatResult,
    ChatStatus,
    KnowledgeDocument,
    Message,
    MessageObject,
    MessageType,
    ToolCall,
    Usage,
)
from coze_async.models._base import read_object


def chat(**fields: Any) -> Chat:
    return read_object(Chat, {"id": "9", "conversation_id": "7", **fields})


# --- chats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        ("created", ChatStatus.CREATED),
        ("in_progress", ChatStatus.IN_PROGRESS),
        ("completed", ChatStatus.COMPLETED),
        ("failed", ChatStatus.FAILED),
        ("requires_action", ChatStatus.REQUIRES_ACTION),
        ("canceled", ChatStatus.CANCELED),
        # Coze Studio (wire facts c.1), and a sample of the official page (a.3).
        ("cancelled", ChatStatus.CANCELED),
        ("required_action", ChatStatus.REQUIRES_ACTION),
        ("compleated", ChatStatus.COMPLETED),
        ("brand_new", "brand_new"),
        (None, ""),
    ],
)
def test_a_status_is_read_in_every_spelling_and_an_unknown_one_is_kept(wire: str | None, status: str) -> None:
    assert chat(status=wire).status == status


@pytest.mark.parametrize(
    "over", ["completed", "failed", "requires_action", "canceled", "cancelled", "expired", "deleted"]
)
def test_these_statuses_are_final_for_who_waits(over: str) -> None:
    assert chat(status=over).is_over


@pytest.mark.parametrize("running", ["created", "in_progress", "brand_new", ""])
def test_all_others_are_not(running: str) -> None:
    assert not chat(status=running).is_over


@pytest.mark.parametrize("fine", [None, {"code": 0, "msg": ""}, {}])
def test_an_error_of_code_0_is_none(fine: Any) -> None:
    assert chat(last_error=fine).error is None


@pytest.mark.parametrize("wrong", [{"code": 4028, "msg": "x"}, {"code": "4028"}, {"code": 0, "msg": "only words"}])
def test_an_error_is_one_if_it_has_a_number_or_words(wrong: Mapping[str, Any]) -> None:
    error = chat(last_error=wrong).error
    assert error is not None
    assert error.code == int(wrong["code"])


EMPTY_ACTION: dict[str, Any] = {"type": "", "submit_tool_outputs": {"tool_calls": []}}
ACTION: dict[str, Any] = {
    "type": "submit_tool_outputs",
    "submit_tool_outputs": {
        "tool_calls": [
            {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"北京"}'}},
            {"id": "t2", "type": "reply_message"},
        ]
    },
}


def test_the_empty_action_of_a_running_chat_means_nothing() -> None:
    # Fixture chat_audio_stream_resp (wire facts a.3): presence of the key means nothing; look at the status.
    assert chat(status="in_progress", required_action=EMPTY_ACTION).tool_calls == []
    assert chat(status="in_progress", required_action=ACTION).tool_calls == []


@pytest.mark.parametrize("status", ["requires_action", "required_action"])
def test_the_tool_calls_are_what_the_bot_waits_for(status: str) -> None:
    weather, reply = chat(status=status, required_action=ACTION).tool_calls
    assert weather.function is not None
    assert (weather.id, weather.function.name) == ("t1", "weather")
    assert json.loads(weather.function.arguments) == {"city": "北京"}
    assert reply == ToolCall(id="t2", type="reply_message")


@pytest.mark.parametrize("action", [None, {"type": "submit_tool_outputs"}, {"submit_tool_outputs": None}])
def test_a_bot_that_waits_for_nothing_that_is_named_has_no_tool_calls(action: Any) -> None:
    assert chat(status="requires_action", required_action=action).tool_calls == []


@pytest.mark.parametrize(
    "wire",
    [
        {"token_count": 115, "output_count": 24, "input_count": 91},
        {"token_count": 115, "output_tokens": 24, "input_tokens": 91},
        {"total_tokens": 115, "completion_tokens": 24, "prompt_tokens": 91},
        {"token_count": "115", "output_count": "24", "input_count": "91"},
    ],
)
def test_usage_is_read_in_every_spelling(wire: Mapping[str, Any]) -> None:
    usage = chat(usage=wire).usage
    assert usage is not None
    assert (usage.token_count, usage.output_count, usage.input_count) == (115, 24, 91)


def test_times_that_are_not_set_are_none() -> None:
    assert chat(created_at=0).created is None
    created = chat(created_at=1760000000).created
    assert created is not None
    assert created.timestamp() == 1760000000


# --- messages --------------------------------------------------------------------------------------------------------


def test_a_message_of_the_user_is_a_question() -> None:
    assert Message.user("hi", meta_data={"k": "v"}) == Message(
        role="user", type="question", content="hi", content_type="text", meta_data={"k": "v"}
    )


def test_a_message_of_the_assistant_is_an_answer() -> None:
    assert Message.assistant("hello") == Message(role="assistant", type="answer", content="hello", content_type="text")


def test_objects_are_written_as_a_text_and_read_back() -> None:
    objects = [
        MessageObject.of_text("看这个"),
        MessageObject.of_image(file_id="1"),
        MessageObject.of_file(file_url="https://x.test/a.pdf"),
        MessageObject.of_audio(file_id="2"),
    ]
    message = Message.user(objects)
    assert message.content_type == "object_string"
    assert json.loads(message.content) == [
        {"type": "text", "text": "看这个"},
        {"type": "image", "file_id": "1"},
        {"type": "file", "file_url": "https://x.test/a.pdf"},
        {"type": "audio", "file_id": "2"},
    ]
    assert message.objects == objects


@pytest.mark.parametrize(
    ("content", "content_type", "count"),
    [
        ("[]", "object_string", 0),
        ("no json", "object_string", 0),
        ('{"type":"text"}', "object_string", 0),
        ('[{"no":"type"}, 7, null, {"type":"text","text":null}]', "object_string", 1),
        ('[{"type":"text"}]', "text", 0),
    ],
)
def test_objects_that_cannot_be_read_are_none(content: str, content_type: str, count: int) -> None:
    assert len(Message(content=content, content_type=content_type).objects) == count


def test_a_message_tells_when_it_was_made() -> None:
    created = Message(created_at=1760000000).created
    assert created is not None
    assert created.year == 2025
    assert Message().created is None


# --- knowledge -------------------------------------------------------------------------------------------------------

CHUNK = {
    "slice": "Coze is a platform.",
    "score": 0.93,
    "meta": {
        "dataset": {"id": "d1", "name": "handbook"},
        "document": {"id": 77, "name": "intro.pdf", "format_type": 0},
        "link": {"title": "Intro", "url": "https://x.test/a?b=1u0026c=2\\u0026d=3"},
        "card": {"title": "", "con": "", "index": ""},
    },
}


def recall(chunks: Any, *, kind: str = "verbose", **more: Any) -> Message:
    """A recall as the cloud sends it: a JSON text in a JSON text (wire facts a.3)."""
    data = json.dumps({"chunks": chunks, "ori_req": "", "status_code": 0})
    content = {"msg_type": "knowledge_recall", "data": data, "from_module": None, "from_unit": None, **more}
    return Message(type=kind, content=json.dumps(content))


def test_knowledge_is_read_out_of_json_in_json_and_its_address_is_repaired() -> None:
    (chunk,) = ChatResult(messages=[recall([CHUNK])]).knowledge
    assert chunk.text == "Coze is a platform."
    assert chunk.score == 0.93
    assert chunk.document == KnowledgeDocument(id="77", name="intro.pdf")
    assert chunk.dataset == KnowledgeDocument(id="d1", name="handbook")
    assert chunk.title == "Intro"
    assert chunk.url == "https://x.test/a?b=1&c=2&d=3"


def test_the_knowledge_of_coze_studio_needs_no_wrapping() -> None:
    message = Message(type="knowledge", content=json.dumps({"chunks": [CHUNK]}))
    assert [chunk.text for chunk in ChatResult(messages=[message]).knowledge] == ["Coze is a platform."]
    assert ChatResult(messages=[recall([CHUNK], kind="knowledge")]).knowledge


@pytest.mark.parametrize(
    "message",
    [
        Message(type="answer", content=recall([CHUNK]).content),
        recall([CHUNK], msg_type="generate_answer_finish"),
        Message(type="verbose", content="no json"),
        Message(type="verbose", content="[]"),
        recall(None),
        recall("text"),
        recall([], data="no json"),
        recall([], data=None),
        recall([], data=7),
    ],
)
def test_what_is_no_recall_has_no_knowledge(message: Message) -> None:
    assert ChatResult(messages=[message]).knowledge == []


def test_a_chunk_with_nothing_in_it_is_empty_and_breaks_nothing() -> None:
    bare, odd, boolean = ChatResult(
        messages=[
            recall([{}, {"slice": None, "score": "high", "meta": []}, {"slice": 7, "score": 1, "meta": {"link": {}}}])
        ]
    ).knowledge
    assert (bare.text, bare.score, bare.document, bare.url, bare.title) == ("", None, None, None, None)
    assert (odd.text, odd.score) == ("", None)
    assert (boolean.text, boolean.score) == ("7", 1.0)


# --- results ---------------------------------------------------------------------------------------------------------


def test_a_result_holds_the_answers_and_nothing_of_what_stands_around_them() -> None:
    result = ChatResult(
        chat=chat(status="completed", usage={"token_count": 3}),
        messages=[
            recall([CHUNK]),
            Message(type="function_call", content='{"name":"x"}'),
            Message(type="tool_response", content="18 °C"),
            Message(type="answer", content="one", reasoning_content="because "),
            Message(type="answer", content="{}", content_type="card"),
            Message(type="answer", content="UklGRg==", content_type="audio"),
            Message(type="answer", content="", reasoning_content="of this"),
            Message(type="answer", content="two"),
            Message(type="verbose", content='{"msg_type":"generate_answer_finish","data":""}'),
            Message(type="follow_up", content="and then?"),
            Message(type="brand_new", content="?"),
        ],
        logid="log-1",
    )
    assert result.text == "one\n\ntwo"
    assert result.answers == ["one", "", "two"]
    assert result.reasoning == "because of this"
    assert result.follow_ups == ["and then?"]
    assert len(result.knowledge) == 1
    assert result.tool_calls == []
    assert result.usage == Usage(token_count=3)
    assert (result.chat_id, result.conversation_id, result.status, result.logid) == ("9", "7", "completed", "log-1")
    assert MessageType.VERBOSE not in {message.type for message in result.messages if message.content in result.text}


def test_an_answer_without_a_type_is_an_answer_if_the_assistant_gave_it() -> None:
    # The page of Coze Plus leaves the type out (wire facts c.3).
    assert (
        ChatResult(messages=[Message(role="assistant", content="hi"), Message(role="user", content="x")]).text == "hi"
    )


def test_a_result_of_nothing_is_empty() -> None:
    result = ChatResult()
    assert (result.text, result.reasoning, result.answers, result.follow_ups) == ("", "", [], [])
    assert (result.knowledge, result.tool_calls, result.usage) == ([], [], None)
    assert (result.chat_id, result.conversation_id, result.status) == ("", "", "")


def test_a_result_knows_what_the_bot_waits_for() -> None:
    result = ChatResult(chat=chat(status="requires_action", required_action=ACTION))
    assert [call.id for call in result.tool_calls] == ["t1", "t2"]


# --- representations --------------------------------------------------------------------------------------------------


def test_a_message_shows_its_content_in_a_few_words() -> None:
    assert repr(Message.assistant("long " * 50)) == (
        "Message(role='assistant', type='answer', "
        "content='long long long long long long long long long long long long…', content_type='text')"
    )
    assert repr(Message.user("two\nlines")) == (
        "Message(role='user', type='question', content='two\\nlines', content_type='text')"
    )


def test_a_result_shows_its_answer_and_a_notebook_renders_it() -> None:
    result = ChatResult(
        chat=chat(status="completed", usage={"token_count": 18}),
        messages=[Message.assistant("**Hi** there"), Message(role="assistant", type="follow_up", content="And now?")],
    )
    assert repr(result) == (
        "ChatResult('**Hi** there', status=<ChatStatus.COMPLETED: 'completed'>, messages=2, tokens=18, "
        "conversation_id='7', chat_id='9')"
    ).replace("<ChatStatus.COMPLETED: 'completed'>", repr(result.status))
    assert result._repr_markdown_() == "**Hi** there\n\n*And now?*"  # pyright: ignore[reportPrivateUsage]
    assert repr(ChatResult()) == "ChatResult('')"
