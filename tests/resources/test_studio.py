"""The session routes of self-hosted servers: draft bots, and asking an agent as the web page does."""

import json
from typing import Any

import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal

from coze_async import (
    AsyncCoze,
    AuthenticationError,
    ChatFailedError,
    ConfigurationError,
    DecodeError,
    Limits,
    Rate,
    SessionAuth,
    StreamInterruptedError,
    TransportError,
)
from coze_async.emulator import Emulator, Script

URL = "http://studio.example"
ASKED: dict[str, Any] = {"bot_id": "5001", "conversation_id": "7001"}


def studio_with(*answers: httpx.Response | Exception, **options: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(*answers)
    return AsyncCoze(SessionAuth("key-1"), base_url=URL, transport=transport, **options), transport


@pytest.mark.parametrize("dialect", ["studio", "plus"])
async def test_a_bot_is_made_shown_and_published(dialect: Any) -> None:
    emulator = Emulator(dialect)
    async with AsyncCoze(SessionAuth("key-1"), base_url=emulator.url, transport=emulator.transport()) as coze:
        bots = coze.studio.draft_bots
        created = await bots.create(space_id="1", name="Clerk", description="Kind")
        assert created.bot_id
        await bots.update_display_info(bot_id=created.bot_id, display_info={"tab_display_info": {}})
        published = await bots.publish(space_id="1", bot_id=created.bot_id, connectors={"1024": {}})
        assert "1024" in published.publish_result
    assert [request.path for request in emulator.requests] == [
        "/api/draftbot/create",
        "/api/draftbot/update_display_info",
        "/api/draftbot/publish",
    ]
    icon = "default_icon/default_agent_icon.png"
    assert emulator.requests[0].body == {"space_id": "1", "name": "Clerk", "description": "Kind", "icon_uri": icon}
    assert emulator.requests[0].headers["cookie"] == "session_key=key-1"


@pytest.mark.parametrize("dialect", ["studio", "plus"])
async def test_an_agent_is_asked_and_streams_or_answers(dialect: Any) -> None:
    emulator = Emulator(dialect)
    emulator.bot("5001", Script("Hi there"))
    # The route makes no conversation by itself.
    async with AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport()) as coze:
        before = await coze.chat.ask("Hi", bot_id="5001", user_id="u")
    asked: dict[str, Any] = {"bot_id": "5001", "conversation_id": before.conversation_id}
    async with AsyncCoze(SessionAuth("key-1"), base_url=emulator.url, transport=emulator.transport()) as coze:
        result = await coze.studio.agent_run("Hi", **asked)
        assert result.text == "Hi there"
        stream = coze.studio.agent_run_stream("Hi", **asked)
        assert "".join([text async for text in stream.text()]) == "Hi there"
    # Without a scene real servers answer 400, and without the draft with an empty stream.
    assert emulator.requests[1].body == {"query": "Hi", "draft_mode": True, "scene": 4, **asked}
    assert emulator.open_streams == 0


async def test_an_expired_session_says_so() -> None:
    coze, _ = studio_with(refusal(700012006, "session expired", status=401))
    with pytest.raises(AuthenticationError, match=r"700012006.*session expired"):
        await coze.studio.agent_run("Hi", **ASKED)
    assert repr(coze) == f"AsyncCoze(SessionAuth(***), base_url='{URL}')"


@pytest.mark.parametrize(
    ("query", "asked", "advice"),
    [(" ", ASKED, "query is empty"), ("Hi", {**ASKED, "conversation_id": ""}, "conversation_id is ''")],
)
async def test_what_an_agent_cannot_answer_is_not_sent(query: str, asked: dict[str, Any], advice: str) -> None:
    coze, transport = studio_with(chat())
    with pytest.raises(ConfigurationError, match=advice):
        await coze.studio.agent_run(query, **asked)
    with pytest.raises(ConfigurationError, match=advice):
        coze.studio.agent_run_stream(query, **asked)
    assert transport.requests == []


async def test_session_routes_of_a_client_with_a_token_are_refused_before_anything_is_sent() -> None:
    transport = Answers(chat())
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport)
    with pytest.raises(ConfigurationError, match=r"takes the cookie of a signed-in browser, not a token.*SessionAuth"):
        await coze.studio.draft_bots.create(space_id="1")
    with pytest.raises(ConfigurationError, match="SessionAuth"):
        await coze.studio.agent_run_stream("Hi", **ASKED).result()
    assert transport.requests == []


SAID = {"message_id": "m", "reply_id": "r", "type": "answer", "role": "assistant", "content": "Hi"}
PIECE = f"event:message\ndata:{json.dumps({'message': SAID, 'is_finish': False, 'conversation_id': '7001'})}\n\n"


async def test_an_answer_in_json_is_understood_too() -> None:
    coze, _ = studio_with(answer({"code": 0, "data": {"id": "m", "conversation_id": "7001", "content": "Hi"}}))
    assert (await coze.studio.agent_run("Hi", **ASKED)).text == "Hi"


async def test_an_answer_that_breaks_off_is_an_interruption_with_what_came() -> None:
    coze, _ = studio_with(event_stream(PIECE))
    with pytest.raises(StreamInterruptedError) as caught:
        await coze.studio.agent_run("Hi", **ASKED)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hi"


async def test_an_answer_that_fails_is_raised() -> None:
    failed = 'event:conversation.chat.failed\ndata:{"code":5000,"msg":"no model"}\n\n'
    coze, _ = studio_with(event_stream(PIECE + failed))
    with pytest.raises(ChatFailedError, match="no model"):
        await coze.studio.agent_run("Hi", **ASKED)
    coze, _ = studio_with(answer({"code": 0, "data": {}}))
    with pytest.raises(DecodeError):
        await coze.studio.agent_run("Hi", **ASKED)


async def test_asking_an_agent_is_not_repeated_after_its_answer_was_lost() -> None:
    coze, transport = studio_with(httpx.ReadError("reset"))
    with pytest.raises(TransportError):
        await coze.studio.agent_run("Hi", **ASKED)
    with pytest.raises(TransportError):
        await coze.studio.draft_bots.create(space_id="1")
    assert len(transport.requests) == 2


async def test_managing_bots_keeps_to_its_own_rate() -> None:
    coze, transport = studio_with(
        answer({"code": 0, "data": {"bot_id": "1"}}), limits=Limits(bot_management=Rate(1, 10.0, guard=0.0))
    )  # fmt: skip
    for _ in range(2):
        await coze.studio.draft_bots.create(space_id="1")
    assert transport.gaps == pytest.approx([10.0])
