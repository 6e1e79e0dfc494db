"""Chats that nobody waits for any more: the server is asked to stop them, and somebody is told which they were."""

import asyncio
import logging
from typing import Any

import anyio
import pytest

from coze_async import AsyncCoze, Polling, RequestTimeoutError, Timeouts
from coze_async.emulator import Code, Emulator, Script, Stall


def coze_at(emulator: Emulator, **options: Any) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), **options)


@pytest.fixture
def emulator() -> Emulator:
    emulator = Emulator()
    emulator.bot("slow", Script("one two three", pace=100.0, seconds=3600.0))
    emulator.bot("quick", Script("Hi"))
    return emulator


def named(emulator: Emulator) -> str:
    """Return how a log line names the only chat."""
    ((chat_id, chat),) = emulator.chats.items()
    return f"nobody waits for the chat {chat_id} of the conversation {chat.conversation_id} any more"


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if "nobody waits" in record.msg]


async def ask(coze: AsyncCoze) -> Any:
    return await coze.chat.ask("Hi", bot_id="slow", user_id="u")


async def poll(coze: AsyncCoze) -> Any:
    return await coze.chat.create_and_poll("Hi", bot_id="slow", user_id="u", polling=Polling(timeout=500))


@pytest.mark.parametrize("call", [ask, poll])
async def test_a_caller_that_is_cancelled_has_the_chat_stopped_and_named_in_the_log(
    emulator: Emulator, call: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with coze_at(emulator) as coze:
        with caplog.at_level(logging.INFO), anyio.move_on_after(10) as scope:
            await call(coze)
        assert scope.cancelled_caught
    assert [chat.status for chat in emulator.chats.values()] == ["canceled"]
    assert lines(caplog) == [("INFO", f"{named(emulator)}: it has been asked to cancel")]
    assert emulator.open_streams == 0


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_a_time_out_in_the_manner_of_asyncio_has_the_chat_stopped_too(
    emulator: Emulator, anyio_backend: Any
) -> None:
    async with coze_at(emulator) as coze:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await ask(coze)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
    assert [chat.status for chat in emulator.chats.values()] == ["canceled"]


async def test_the_next_question_in_that_conversation_is_answered_at_once(emulator: Emulator) -> None:
    async with coze_at(emulator) as coze:
        conversation = await coze.conversations.create()
        ids: dict[str, Any] = {"user_id": "u", "conversation_id": conversation.id}
        with anyio.move_on_after(10):
            await coze.chat.ask("Hi", bot_id="slow", **ids)
        began = anyio.current_time()
        assert (await coze.chat.ask("Hi", bot_id="quick", **ids)).text == "Hi"
        assert anyio.current_time() - began < 1.0
    assert [request.path for request in emulator.requests].count("/v3/chat") == 2


async def test_an_ask_whose_total_time_is_up_stops_the_chat_and_names_it(emulator: Emulator) -> None:
    async with coze_at(emulator, timeouts=Timeouts(total=10)) as coze:
        with pytest.raises(RequestTimeoutError) as caught:
            await ask(coze)
    ((chat_id, chat),) = emulator.chats.items()
    assert chat.status == "canceled"
    assert caught.value.chat is not None
    assert caught.value.chat.id == chat_id
    assert caught.value.__notes__ == [f"The chat {chat_id} has been asked to cancel."]


@pytest.mark.parametrize(("fault", "seconds"), [(Stall(), 2.0), (Code(4104), 0.0)])
async def test_a_server_that_does_not_stop_a_chat_holds_nobody_longer_than_two_seconds_and_that_is_told(
    emulator: Emulator, fault: Any, seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.fail(fault, on="POST /v3/chat/cancel", times=None)
    async with coze_at(emulator) as coze:
        began = anyio.current_time()
        with anyio.move_on_after(10):
            await ask(coze)
        assert anyio.current_time() - began == pytest.approx(10.0 + seconds, abs=0.01)
    assert lines(caplog) == [("WARNING", f"{named(emulator)}: it could not be cancelled and may go on")]


async def test_an_ask_that_is_cancelled_before_its_chat_is_known_asks_for_nothing_more(emulator: Emulator) -> None:
    emulator.fail(Stall(), on="POST /v3/chat", times=None)
    async with coze_at(emulator) as coze:
        with anyio.move_on_after(10):
            await ask(coze)
    assert [request.path for request in emulator.requests] == ["/v3/chat"]
