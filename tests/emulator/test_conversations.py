"""Conversations and their messages: what is made can be read, changed and deleted, and what is wrong is refused."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from emulator.client import client
from emulator.talk import question, talking

from coze_async import APIError, NotFoundError
from coze_async.emulator import ChatInput, Emulator, Failure, Script, ToolUse
from coze_async.models import Message


async def contents(coze: Any, conversation_id: str, **options: Any) -> list[str]:
    return [
        message.content
        async for message in coze.conversations.messages.list(conversation_id=conversation_id, **options)
    ]


async def test_a_conversation_is_read_renamed_cleared_and_deleted() -> None:
    async with client(Emulator()) as coze:
        made = await coze.conversations.create(name="Food", meta_data={"a": "b"}, bot_id="7")
        assert (made.name, made.meta_data, made.connector_id) == ("Food", {"a": "b"}, "1024")
        assert made.created_at == made.updated_at != 0
        assert await coze.conversations.retrieve(conversation_id=made.id) == made
        await anyio.sleep(5)
        renamed = await coze.conversations.update(conversation_id=made.id, name="Drinks")
        assert (renamed.name, renamed.created_at) == ("Drinks", made.created_at)
        assert renamed.updated_at == made.created_at + 5
        # Nothing given, nothing changed.
        assert (await coze.conversations.update(conversation_id=made.id)).name == "Drinks"
        section = await coze.conversations.clear(conversation_id=made.id)
        assert section.conversation_id == made.id
        assert (await coze.conversations.retrieve(conversation_id=made.id)).last_section_id == section.id
        assert section.id != made.last_section_id
        await coze.conversations.delete(conversation_id=made.id)
        with pytest.raises(NotFoundError):
            await coze.conversations.retrieve(conversation_id=made.id)
        with pytest.raises(NotFoundError):
            await coze.conversations.delete(conversation_id=made.id)


async def test_conversations_are_listed_by_bot_newest_first() -> None:
    async with client(Emulator()) as coze:
        made: list[str] = []
        for number in range(5):
            conversation = await coze.conversations.create(bot_id="7", connector_id="999" if number == 3 else None)
            made.append(conversation.id)
            await anyio.sleep(1)
        await coze.conversations.create(bot_id="8")
        await coze.conversations.update(conversation_id=made[1], name="late")

        async def ids(**options: Any) -> list[str]:
            return [one.id async for one in coze.conversations.list(bot_id="7", **options)]

        assert await ids() == made[::-1]
        assert await ids(page_size=2) == made[::-1]
        assert await ids(sort_order="ASC") == made
        assert (await ids(sort_field="updated_at"))[0] == made[1]
        assert await ids(connector_id="999") == [made[3]]
        assert await ids(page_num=3, page_size=2) == [made[0]]
        with pytest.raises(APIError, match="page_size is not a number from 1 to 50"):
            await ids(page_size=51)


async def test_a_chat_shows_in_its_conversation() -> None:
    emulator = Emulator()
    emulator.bot("7", Script("Sunny.", tools=[ToolUse("weather")], follow_ups=["And tomorrow?"]))
    async with client(emulator) as coze:
        first = await coze.chat.ask("How is the weather?", bot_id="7", user_id="u")
        listed = [message async for message in coze.conversations.messages.list(conversation_id=first.conversation_id)]
        assert [(message.role, message.type, message.content) for message in listed] == [
            ("assistant", "answer", "Sunny."),
            ("user", "question", "How is the weather?"),
        ]
        assert {message.chat_id for message in listed} == {first.chat_id}
        assert {message.bot_id for message in listed} == {"7"}
        # The conversation belongs to the bot from now on, and has all that was written when it is asked for.
        assert [one.id async for one in coze.conversations.list(bot_id="7")] == [first.conversation_id]
        everything = coze.conversations.messages.list(
            conversation_id=first.conversation_id, include_middle_message=True, order="asc"
        )
        assert [message.type async for message in everything] == [
            "question",
            "function_call",
            "tool_response",
            "answer",
            "verbose",
            "follow_up",
        ]
        second = await coze.chat.ask("And here?", bot_id="7", user_id="u", conversation_id=first.conversation_id)
        assert await contents(coze, first.conversation_id, chat_id=second.chat_id) == ["Sunny.", "And here?"]


async def test_a_polled_chat_shows_when_it_is_over_and_an_unsaved_one_never() -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        chat = await coze.chat.create("Hi", bot_id="7", user_id="u")
        # The answer is still being written.
        assert await contents(coze, chat.conversation_id) == ["Hi"]
        await anyio.sleep(2)
        assert len(await contents(coze, chat.conversation_id)) == 2
        unsaved = await coze.chat.ask("Hi", bot_id="7", user_id="u", auto_save_history=False)
        assert await contents(coze, unsaved.conversation_id) == []


async def test_messages_are_made_read_changed_and_deleted() -> None:
    async with client(Emulator()) as coze:
        conversation = await coze.conversations.create(messages=[Message.user("first")])
        messages, of = coze.conversations.messages, conversation.id
        made = await messages.create(
            conversation_id=of, role="assistant", content="second", content_type="text", meta_data={"a": "b"}
        )
        assert (made.role, made.type, made.content, made.meta_data) == ("assistant", "answer", "second", {"a": "b"})
        assert (made.conversation_id, made.section_id) == (of, conversation.last_section_id)
        assert await messages.retrieve(conversation_id=of, message_id=made.id) == made
        await anyio.sleep(3)
        changed = await messages.update(conversation_id=of, message_id=made.id, content="2nd")
        assert (changed.content, changed.meta_data, changed.created_at) == ("2nd", {"a": "b"}, made.created_at)
        assert changed.updated_at == conversation.created_at + 3
        assert (await messages.update(conversation_id=of, message_id=made.id, meta_data={})).meta_data == {}
        assert await contents(coze, of) == ["2nd", "first"]
        assert (await messages.delete(conversation_id=of, message_id=made.id)).content == "2nd"
        assert await contents(coze, of) == ["first"]
        calls: list[Callable[[], Awaitable[Message]]] = [
            lambda: messages.retrieve(conversation_id=of, message_id=made.id),
            lambda: messages.update(conversation_id=of, message_id=made.id, content="x"),
            lambda: messages.delete(conversation_id=of, message_id=made.id),
        ]
        for call in calls:
            with pytest.raises(NotFoundError) as caught:
                await call()
            assert caught.value.code == 4005


async def test_messages_come_in_pages_before_and_after_one() -> None:
    async with client(Emulator()) as coze:
        conversation = await coze.conversations.create()
        ids = [
            (
                await coze.conversations.messages.create(
                    conversation_id=conversation.id, role="user", content=str(number), content_type="text"
                )
            ).id
            for number in range(7)
        ]
        assert await contents(coze, conversation.id, limit=3) == ["6", "5", "4", "3", "2", "1", "0"]
        assert await contents(coze, conversation.id, limit=2, order="asc") == ["0", "1", "2", "3", "4", "5", "6"]

        async def page(**body: Any) -> tuple[list[str], bool]:
            found = await coze.conversations.messages.list(conversation_id=conversation.id, **body).first()
            return [message.content for message in found.items], found.has_more

        assert await page(after_id=ids[4], limit=2) == (["3", "2"], True)
        assert await page(after_id=ids[1], limit=2) == (["0"], False)
        assert await page(before_id=ids[2], limit=2) == (["4", "3"], True)
        assert await page(before_id=ids[5], limit=3) == (["6"], False)
        assert await page(after_id=ids[6], before_id=ids[3], limit=1) == (["5"], True)
        assert await page(after_id="0") == (["6", "5", "4", "3", "2", "1", "0"], False)
        with pytest.raises(NotFoundError, match="after_id names no message"):
            await page(after_id="1")
        with pytest.raises(APIError, match="limit is not a number from 1 to 50"):
            await page(limit=51)


async def test_a_bot_remembers_what_stands_in_the_section() -> None:
    """Messages that were put there count, a failed round and what was cleared do not."""
    histories: list[tuple[str, ...]] = []

    def bot(given: ChatInput) -> Script:
        histories.append(tuple(given.history))
        return Script("no", failure=Failure()) if given.question == "fail" else Script("yes")

    emulator = Emulator()
    emulator.bot("7", bot)
    async with client(emulator) as coze, talking(emulator) as talk:
        conversation = await coze.conversations.create(messages=[Message.user("put"), Message.assistant("x")])
        for text in ("one", "fail", "two"):
            await talk.chat(question(text, bot_id="7"), conversation_id=conversation.id)
        await coze.conversations.clear(conversation_id=conversation.id)
        await talk.chat(question("three", bot_id="7"), conversation_id=conversation.id)
        await talk.chat(question("four", bot_id="7"), conversation_id=conversation.id)
        # Cleared is not deleted.
        assert "put" in await contents(coze, conversation.id)
    assert histories == [("put",), ("put", "one"), ("put", "one"), (), ("three",)]


async def test_feedback_is_kept_once_and_removed() -> None:
    emulator = Emulator()
    async with client(emulator) as coze, talking(emulator) as talk:
        asked = await coze.chat.ask("Hi", bot_id="7", user_id="u")
        (answer,) = [message for message in asked.messages if message.type == "answer"]
        ids: dict[str, Any] = {"conversation_id": asked.conversation_id, "message_id": answer.id}
        feedback = coze.conversations.messages.feedback
        with pytest.raises(APIError, match="has no feedback"):
            await feedback.delete(**ids)
        await feedback.create(**ids, feedback_type="like", comment="kind")
        await feedback.create(**ids, feedback_type="unlike", reason_types=["wrong"])
        await feedback.delete(**ids)
        with pytest.raises(APIError, match="has no feedback"):
            await feedback.delete(**ids)
        with pytest.raises(APIError, match="feedback_type is none of like, unlike"):
            await feedback.create(**ids, feedback_type="so-so")
        with pytest.raises(NotFoundError):
            await feedback.create(conversation_id=asked.conversation_id, message_id="1", feedback_type="like")
        # A message that is deleted takes its feedback along.
        await feedback.create(**ids, feedback_type="like")
        await coze.conversations.messages.delete(**ids)
        assert emulator._world.state.rows["feedback"] == {}  # pyright: ignore[reportPrivateUsage]
        assert (await talk.post("/v1/conversation/message/list", conversation_id=asked.conversation_id))["code"] == 0


async def test_a_deleted_conversation_takes_its_chats_along() -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        kept = await coze.chat.ask("Hi", bot_id="7", user_id="u")
        asked = await coze.chat.ask("Hi", bot_id="7", user_id="u")
        await coze.conversations.delete(conversation_id=asked.conversation_id)
        assert list(emulator.chats) == [kept.chat_id]
        with pytest.raises(NotFoundError):
            await coze.chat.retrieve(conversation_id=asked.conversation_id, chat_id=asked.chat_id)
        with pytest.raises(NotFoundError):
            await coze.chat.ask("Hi", bot_id="7", user_id="u", conversation_id=asked.conversation_id)


async def test_a_named_conversation_is_made_once() -> None:
    async with client(Emulator()) as coze:
        first = await coze.conversations.create(conversation_name="chatflow", get_or_create=True)
        assert (await coze.conversations.create(conversation_name="chatflow", get_or_create=True)).id == first.id
        assert (await coze.conversations.create(conversation_name="other", get_or_create=True)).id != first.id
        assert (await coze.conversations.create(conversation_name="chatflow")).id != first.id


async def test_what_breaks_the_documented_limits_is_refused() -> None:
    """coze.cn pages create_conversation, create_message."""
    pair = json.dumps([{"type": "text", "text": "x"}, {"type": "text", "text": "y"}])
    async with talking(Emulator()) as coze:
        path = "/v1/conversation/create"
        message = {"role": "user", "content": "x", "content_type": "text"}
        wrong: list[tuple[Any, int]] = [
            ({"name": "x" * 101}, 4000),
            ({"messages": [message] * 17}, 4000),
            ({"messages": ["x"]}, 4000),
            ({"messages": [{**message, "role": "system"}]}, 4000),
            ({"messages": [{**message, "content_type": "card"}]}, 4000),
            ({"messages": [{**message, "content": pair, "content_type": "object_string"}]}, 4000),
            ({"meta_data": {str(number): "x" for number in range(17)}}, 4003),
            ({"meta_data": {"x" * 65: "y"}}, 4003),
            ({"meta_data": {"x": "y" * 513}}, 4003),
            ({"meta_data": {"x": 1}}, 4003),
            ({"meta_data": []}, 4000),
            ([], 4000),
        ]
        for body, code in wrong:
            assert (await coze.post(path, body))["code"] == code, body
        assert (await coze.post(path, {"name": "x" * 100, "messages": [message] * 16}))["code"] == 0
        conversation_id = (await coze.post(path))["data"]["id"]
        for body in ({}, {**message, "content": ""}, {**message, "role": ""}, {**message, "content": {"x": 1}}):
            answer = await coze.post("/v1/conversation/message/create", body, conversation_id=conversation_id)
            assert answer["code"] == 4000, body
        assert (await coze.post("/v1/conversation/message/create", message))["msg"].endswith(
            "conversation_id is required."
        )
        made = await coze.post("/v1/conversation/message/create", message, conversation_id=conversation_id)
        ids: dict[str, Any] = {"conversation_id": conversation_id, "message_id": made["data"]["id"]}
        for body in (
            {"content_type": "text"},
            {"content": pair, "content_type": "object_string"},
            {"meta_data": {"": "x"}},
        ):
            assert (await coze.post("/v1/conversation/message/modify", body, **ids))["code"] in (4000, 4003), body


@pytest.mark.parametrize(("dialect", "missing"), [("studio", False), ("plus", True)])
async def test_self_hosted_servers_have_fewer_routes_and_other_keys(dialect: Any, missing: bool) -> None:
    """Recordings of Coze Studio 4f786d6 and Coze Plus fb00b21."""
    emulator = Emulator(dialect)
    async with client(emulator) as coze, talking(emulator) as talk:
        made = await coze.conversations.create(bot_id="7", messages=[Message.user("ignored")])
        assert await contents(coze, made.id) == []
        assert (await coze.conversations.update(conversation_id=made.id, name="x")).name == "x"
        raw = (await talk.get("/v1/conversations", bot_id="7"))["data"]["conversations"][0]
        assert ("user_id" in raw, "creator_id" in raw) == (not missing, False)
        response = await talk.http.get("/v1/conversation/retrieve", params={"conversation_id": made.id})
        assert response.status_code == (401 if missing else 200)
        if not missing:
            assert response.json()["ConversationData"]["name"] == "x"
        assert (await talk.http.post("/v1/conversation/message/create", json={})).status_code == 401
        assert (await talk.http.post("/v1/bot/create", json={})).status_code == 401
