"""One chat per conversation: ours queue, those of others are waited for. Source: wire facts e (code 4016)."""

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
from answering import Answers, chat, event_stream, refusal

from coze_async import (
    AsyncCoze,
    ChatCompleted,
    ConversationBusyError,
    Limits,
    MessageDelta,
    Polling,
    PollTimeoutError,
    Retry,
)
from coze_async.emulator import Emulator, Script

TICK = 1e-3


@pytest.fixture
def emulator() -> Emulator:
    emulator = Emulator(pace=1.0)
    # Five pieces, a second before each: 5 s, as a stream and for whoever polls.
    emulator.bot("b", Script(["a", "b", "c", "d", "e"], seconds=5.0))
    return emulator


def coze_at(emulator: Emulator, **options: Any) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), **options)


def chats_sent(emulator: Emulator) -> int:
    return sum(request.path == "/v3/chat" for request in emulator.requests)


async def ask(coze: AsyncCoze, conversation_id: str) -> None:
    await coze.chat.ask("Hi", bot_id="b", user_id="u", conversation_id=conversation_id)


async def create_and_poll(coze: AsyncCoze, conversation_id: str) -> None:
    await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", conversation_id=conversation_id)


@pytest.mark.parametrize("call", [ask, create_and_poll])
async def test_chats_of_one_conversation_queue_and_none_is_refused(
    emulator: Emulator, call: Callable[[AsyncCoze, str], Coroutine[Any, Any, None]]
) -> None:
    async with coze_at(emulator) as coze, anyio.create_task_group() as group:
        one, other = [(await coze.conversations.create()).id for _ in range(2)]
        for conversation_id in (one, other, one, one):
            group.start_soon(call, coze, conversation_id)
    assert [state.status for state in emulator.chats.values()] == ["completed"] * 4
    assert chats_sent(emulator) == 4
    # The limiter remembers none of them.
    assert coze.limits.statistics().in_flight == 0


async def test_the_next_chat_begins_when_the_last_one_is_complete_however_long_its_stream_is_held(
    emulator: Emulator,
) -> None:
    """Many programs stop reading at the last message, and keep the stream in a variable."""
    async with coze_at(emulator) as coze:
        conversation_id = (await coze.conversations.create()).id
        held = coze.chat.stream("Hi", bot_id="b", user_id="u", conversation_id=conversation_id)
        async for event in held:
            if isinstance(event, ChatCompleted):
                break
        begin = anyio.current_time()

        async with anyio.create_task_group() as group:
            group.start_soon(ask, coze, conversation_id)
        assert anyio.current_time() - begin == pytest.approx(5.0, abs=TICK)
        await held.aclose()
    assert chats_sent(emulator) == 2


async def test_a_task_that_left_its_own_chat_open_asks_the_server_instead_of_waiting_for_itself(
    emulator: Emulator,
) -> None:
    async with coze_at(emulator, retry=Retry(busy_timeout=2.0)) as coze:
        conversation_id = (await coze.conversations.create()).id
        held = coze.chat.stream("Hi", bot_id="b", user_id="u", conversation_id=conversation_id)
        async for event in held:
            if isinstance(event, MessageDelta):
                break
        with pytest.raises(ConversationBusyError):
            await ask(coze, conversation_id)
        await held.aclose()


async def test_a_foreign_chat_is_waited_for(emulator: Emulator) -> None:
    async with coze_at(emulator) as coze, coze_at(emulator) as foreign:
        begun = await foreign.chat.create("Hi", bot_id="b", user_id="u")
        start = anyio.current_time()
        await ask(coze, begun.conversation_id)
        # Refused at 0, 1 and 2.5 s, and at 4.75 s; the foreign one ends at 5 s.
        assert anyio.current_time() - start == pytest.approx(8.125 + 5.0, abs=TICK)
    assert chats_sent(emulator) == 1 + 5


async def test_waiting_for_a_foreign_chat_ends_with_the_time_that_was_set_for_it() -> None:
    busy = Answers(refusal(4016))
    coze = AsyncCoze("pat_x", base_url="http://coze.test", transport=busy, retry=Retry(attempts=1, busy_timeout=7.0))
    start = anyio.current_time()
    with pytest.raises(ConversationBusyError):
        await coze.chat.create("Hi", bot_id="b", user_id="u", conversation_id="7")
    # The last look is at the end.
    assert [moment - start for moment in busy.times] == pytest.approx([0.0, 1.0, 2.5, 4.75, 7.0], abs=TICK)


@pytest.mark.parametrize("retry", [Retry.none(), Retry(busy_timeout=0.0)])
async def test_without_patience_a_busy_conversation_is_an_error_at_once(retry: Retry) -> None:
    busy = Answers(refusal(4016))
    coze = AsyncCoze("pat_x", base_url="http://coze.test", transport=busy, retry=retry)
    with pytest.raises(ConversationBusyError):
        await coze.chat.ask("Hi", bot_id="b", user_id="u", conversation_id="7")
    assert len(busy.requests) == 1


async def test_polling_waits_for_a_foreign_chat_within_its_deadline() -> None:
    busy = Answers(refusal(4016))
    coze = AsyncCoze("pat_x", base_url="http://coze.test", transport=busy)
    start = anyio.current_time()
    with pytest.raises(PollTimeoutError, match="chat was not yet created"):
        await coze.chat.create_and_poll(
            "Hi", bot_id="b", user_id="u", conversation_id="7", polling=Polling(timeout=10.0)
        )
    assert anyio.current_time() - start == pytest.approx(10.0, abs=TICK)
    assert coze.limits.statistics().in_flight == 0


async def test_waiting_for_a_foreign_chat_is_no_attempt_and_takes_nothing_off_the_budget() -> None:
    answers = Answers(*[refusal(4016)] * 4, refusal(4013), refusal(4016), refusal(4013), chat())
    coze = AsyncCoze("pat_x", base_url="http://coze.test", transport=answers, retry=Retry(attempts=3, budget=0.0))
    assert (await coze.chat.create("Hi", bot_id="b", user_id="u", conversation_id="7")).id == "9"
    assert len(answers.requests) == 8


async def test_whoever_is_refused_for_good_leaves_the_conversation_to_the_next() -> None:
    answers = Answers(refusal(4000), event_stream("event:done\ndata:[DONE]\n\n"))
    coze = AsyncCoze("pat_x", base_url="http://coze.test", transport=answers, limits=Limits())
    errors: list[str] = []

    async def run() -> None:
        try:
            await ask(coze, "7")
        except Exception as error:  # noqa: BLE001 - whatever it is, the other one has its turn
            errors.append(type(error).__name__)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        group.start_soon(run)
    assert len(answers.requests) == 2
    assert errors[0] == "BadRequestError"
