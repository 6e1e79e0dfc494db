"""What a user asks: what is sent of it, and what is refused before anything is sent."""

import re
from collections.abc import Sequence
from typing import Any

import pytest
from answering import Answers, refusal
from hypothesis import given
from hypothesis import strategies as st

from coze_async import AsyncCoze, BadRequestError, ConfigurationError, Limits, Message, MessageObject
from coze_async._question import messages_for

IMAGE = MessageObject.of_image(file_id="f1")
TEXT = MessageObject.of_text("what is this?")


def sent(question: Any, *context: Message, conversation_id: str | None = None) -> list[dict[str, Any]] | None:
    return messages_for(question, context, conversation_id=conversation_id)


def refused(question: Any, *context: Message, conversation_id: str | None = None, most: int = 100) -> str:
    with pytest.raises(ConfigurationError) as caught:
        messages_for(question, context, conversation_id=conversation_id, most=most)
    return str(caught.value)


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_a_text_becomes_a_question_of_the_user() -> None:
    assert sent("hi") == [{"role": "user", "type": "question", "content": "hi", "content_type": "text"}]


@given(st.text(min_size=1).filter(str.strip))
def test_a_text_is_sent_as_a_message_that_holds_it(text: str) -> None:
    assert sent(text) == sent(Message.user(text))


def test_context_comes_first_and_the_question_last() -> None:
    messages = sent("and now?", Message.user("hi"), Message.assistant("hello"))
    assert messages is not None
    assert [(message["role"], message["type"], message["content"]) for message in messages] == [
        ("user", "question", "hi"),
        ("assistant", "answer", "hello"),
        ("user", "question", "and now?"),
    ]


def test_meta_data_travels_and_an_empty_one_does_not() -> None:
    messages = sent(Message.user("hi", meta_data={"k": "v"}), Message.user("x", meta_data={}))
    assert messages is not None
    assert [message.get("meta_data") for message in messages] == [None, {"k": "v"}]


def test_what_a_server_said_of_an_earlier_message_stays_here() -> None:
    earlier = Message(
        id="8", role="assistant", type="answer", content="hello", chat_id="9", conversation_id="7", created_at=1
    )
    messages = sent("hi", earlier)
    assert messages is not None
    assert messages[0] == {"role": "assistant", "type": "answer", "content": "hello", "content_type": "text"}


def test_a_message_without_a_type_gets_that_of_its_role() -> None:
    messages = sent(Message(role="user", content="b"), Message(role="assistant", content="a"))
    assert messages is not None
    assert [message["type"] for message in messages] == ["answer", "question"]


def test_images_and_a_text_become_one_message_of_objects() -> None:
    messages = sent([TEXT, IMAGE])
    assert messages == [
        {
            "role": "user",
            "type": "question",
            "content": '[{"type": "text", "text": "what is this?"}, {"type": "image", "file_id": "f1"}]',
            "content_type": "object_string",
        }
    ]


def test_a_conversation_may_be_gone_on_with_without_a_new_message() -> None:
    assert sent(None, conversation_id="7") is None
    assert sent(None, Message.user("hi")) == sent("hi")


# --- what is refused -------------------------------------------------------------------------------------------------


def test_nothing_at_all_cannot_be_answered() -> None:
    assert "There is nothing to answer" in refused(None)
    assert "a conversation_id whose last message is the question" in refused(None)


@pytest.mark.parametrize("blank", ["", "  \n", Message.user(""), Message.user("\t")])
def test_an_empty_message_is_refused(blank: str | Message) -> None:
    assert refused(blank) == "The message is empty: there is nothing to answer."


def test_messages_that_end_with_the_assistant_are_refused() -> None:
    assert "The last message is from 'assistant'" in refused(None, Message.user("hi"), Message.assistant("hello"))
    assert "Put the question last" in refused(Message.assistant("hello"))
    assert "The last message is from 'nobody'" in refused(Message(content="hi"))


@pytest.mark.parametrize("count", [100, 101])
def test_no_more_messages_than_the_service_takes(count: int) -> None:
    context = [Message.user("x")] * (count - 1)
    if count > 100:
        assert refused("hi", *context).startswith("101 messages are too many: this endpoint takes 100.")
    else:
        assert len(sent("hi", *context) or ()) == 100
    assert "this endpoint takes 50" in refused("hi", *context, most=50)


@pytest.mark.parametrize(
    ("objects", "says"),
    [
        ([], "The list of message objects is empty"),
        ([TEXT], "has a text object and nothing else. Give the text as a str."),
        ([TEXT, TEXT, IMAGE], "has 2 text objects; Coze takes one"),
        ([TEXT, TEXT], "has 2 text objects; Coze takes one"),
        ([MessageObject.of_text(" "), IMAGE], "The text object of the message is empty"),
        ([MessageObject(type="text"), IMAGE], "The text object of the message is empty"),
        ([TEXT, MessageObject.of_image()], "The image object needs a file_id or a file_url, one of the two"),
        ([TEXT, MessageObject.of_file(file_id="a", file_url="b")], "The file object needs a file_id or a file_url"),
        ([MessageObject.of_audio()], "The audio object needs"),
    ],
)
def test_objects_that_the_service_would_refuse_are_refused_with_the_rule(
    objects: Sequence[MessageObject], says: str
) -> None:
    # As a list, as a message, and as context: the rules are the same (coze.cn page chat_v3, object_string).
    assert says in refused(objects)
    assert says in refused(Message.user(objects))
    assert says in refused("hi", Message.user(objects))


@pytest.mark.parametrize("wrong", [42, {"role": "user"}, ["text"], [TEXT, "text"], b"bytes", {TEXT.type}])
def test_what_is_no_message_is_refused_by_its_type(wrong: Any) -> None:
    assert f"The message is a {type(wrong).__name__}: give a str, a Message, or a list of MessageObject" in refused(
        wrong
    )


@pytest.mark.parametrize("wrong", ["text", {"role": "user"}])
def test_context_that_is_no_message_is_refused_by_its_type(wrong: Any) -> None:
    assert f"additional_messages holds a {type(wrong).__name__}: give Message.user" in refused("hi", wrong)


def test_pictures_need_a_text_before_or_after_them() -> None:
    assert "has images or files and no text" in refused([IMAGE])
    assert "has images or files and no text" in refused("hi", Message.user([IMAGE]), Message.user([IMAGE]))
    assert sent([IMAGE], Message.user("look at this:"))
    assert sent("what is this?", Message.user([IMAGE]))
    assert sent([IMAGE], Message.user([TEXT, IMAGE]))


def test_pictures_alone_are_fine_where_a_text_may_stand_in_the_conversation_already() -> None:
    assert sent([IMAGE], conversation_id="7")


def test_a_recording_speaks_for_itself() -> None:
    assert sent([MessageObject.of_audio(file_id="f")])


# --- through the client ----------------------------------------------------------------------------------------------


async def test_no_way_to_ask_sends_what_cannot_be_answered() -> None:
    transport = Answers(refusal(4000))
    async with AsyncCoze("pat_x", transport=transport, limits=Limits.none()) as coze:
        with pytest.raises(ConfigurationError, match="The message is empty"):
            coze.chat.stream("", bot_id="5", user_id="u")
        for ask in (coze.chat.ask, coze.chat.create, coze.chat.create_and_poll):
            with pytest.raises(ConfigurationError, match="The message is empty"):
                await ask("", bot_id="5", user_id="u")
        with pytest.raises(ConfigurationError, match="this endpoint takes 50"):
            coze.workflows.chat("hi", workflow_id="1", bot_id="5", additional_messages=[Message.user("x")] * 50)
    assert transport.requests == []


async def test_a_chat_that_goes_on_sends_no_messages_at_all() -> None:
    transport = Answers(refusal(4000))
    async with AsyncCoze("pat_x", transport=transport, limits=Limits.none()) as coze:
        with pytest.raises(BadRequestError):
            await coze.chat.ask(bot_id="5", user_id="u", conversation_id="7")
    assert "additional_messages" not in transport.body()
    assert transport.requests[0].url.params["conversation_id"] == "7"


@pytest.mark.parametrize("name", ["bot_id", "user_id"])
@pytest.mark.parametrize("blank", ["", " ", None])
async def test_a_chat_without_a_bot_or_a_user_is_refused_by_name(name: str, blank: Any) -> None:
    who: dict[str, Any] = {"bot_id": "5", "user_id": "u", name: blank}
    async with AsyncCoze("pat_x", transport=Answers(refusal(4000))) as coze:
        with pytest.raises(ConfigurationError, match=rf"chat.stream\(\): {name} is {blank!r}. Give an id"):
            coze.chat.stream("hi", **who)


@pytest.mark.parametrize("ids", [{}, {"bot_id": "5", "app_id": "6"}, {"bot_id": ""}])
async def test_a_chatflow_takes_exactly_one_of_bot_and_app(ids: dict[str, Any]) -> None:
    async with AsyncCoze("pat_x", transport=Answers(refusal(4000))) as coze:
        with pytest.raises(ConfigurationError, match="exactly one of bot_id and app_id"):
            coze.workflows.chat("hi", workflow_id="1", **ids)


async def test_nothing_that_is_not_kept_can_be_polled() -> None:
    transport = Answers(refusal(4000))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        for ask in (coze.chat.create, coze.chat.create_and_poll):
            with pytest.raises(ConfigurationError, match="auto_save_history=False keeps nothing on the server"):
                await ask("hi", bot_id="5", user_id="u", auto_save_history=False)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("context", "says"),
    [
        (Message(role="system", content="Be kind"), r"the role 'system'.*custom_variables"),
        (Message(role="developer", content="Be kind"), r"the role 'developer'.*the bot: into its prompt"),
        (Message(role="tool", content="{}"), r"the role 'tool'.*submit_tool_outputs"),
        (Message(role="bot", content="x"), r"the role 'bot'.*Message.assistant"),
        (Message(content="x"), r"the role ''.*Message.user"),
        ({"role": "system", "content": "Be kind"}, r"the role 'system'.*custom_variables"),
        ({"role": "user", "content": [{"type": "text", "text": "x"}]}, r"holds a dict.*MessageObject.of_text"),
    ],
)
def test_context_of_another_role_is_refused_with_what_to_do(context: Any, says: str) -> None:
    """The service answers a bare 4000; Coze Studio an error event 103100001 (recording `chat_role_system`)."""
    assert re.search(says, refused("hi", context))


@pytest.mark.parametrize(
    ("piece", "says"),
    [
        ({"type": "image_url", "image_url": {"url": "http://x/a.png"}}, r"'image_url'.*of_image\(file_url="),
        ({"type": "input_audio", "input_audio": {}}, r"'input_audio'.*of_audio"),
        ({"type": "video"}, r"'video'.*of_text, of_image"),
    ],
)
def test_pieces_of_other_services_are_refused_with_what_is_meant_here(piece: Any, says: str) -> None:
    pieces: Any = [{"type": "text", "text": "look"}, piece]
    assert re.search(says, refused(Message.user(pieces)))
    assert re.search(says, refused("hi", Message.user(pieces)))
