"""What is counted of a piece of work: every request that may start something, and none that only looks."""

import anyio
import pytest
from answering import Answers, answer, chat, refusal

from coze_async import AsyncCoze, ConfigurationError, Limits, Polling, Rate, Retry, ServerError
from coze_async._tally import TALLY, Tally

MESSAGES = answer({"code": 0, "data": [{"id": "1", "role": "assistant", "type": "answer", "content": "Hi"}]})
REFUSED = refusal(4013, status=429, headers={"retry-after": "3"})


def counted() -> Tally:
    tally = Tally()
    TALLY.set(tally)
    return tally


def client(transport: Answers, **options: Limits | Retry) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url="http://coze.test", transport=transport, **options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def test_a_polled_chat_counts_once_however_often_it_is_looked_at() -> None:
    transport = Answers(chat(), chat(), chat("completed"), MESSAGES)
    tally = counted()
    await client(transport).chat.create_and_poll("hi", bot_id="5", user_id="u", polling=Polling(timeout=60))
    assert (len(transport.requests), tally.attempts) == (4, 1)


async def test_what_is_sent_again_counts_again() -> None:
    tally = counted()
    await client(Answers(REFUSED, chat()), retry=Retry(attempts=2)).chat.create("hi", bot_id="5", user_id="u")
    assert tally.attempts == 2


async def test_what_failed_counts_too() -> None:
    tally = counted()
    with pytest.raises(ServerError):
        await client(Answers(refusal(5000))).chat.create("hi", bot_id="5", user_id="u")
    assert tally.attempts == 1


async def test_what_was_never_sent_and_what_does_no_harm_counts_nothing() -> None:
    coze, tally = client(Answers(chat("canceled"))), counted()
    with pytest.raises(ConfigurationError):
        await coze.chat.create("", bot_id="5", user_id="u")
    await coze.chat.cancel(conversation_id="7", chat_id="9")
    await coze.chat.retrieve(conversation_id="7", chat_id="9")
    assert (tally.attempts, tally.began) == (0, None)


async def test_work_begins_when_its_first_request_leaves_and_not_when_it_began_to_wait() -> None:
    coze = client(Answers(chat(), REFUSED, chat()), limits=Limits(chat=Rate(1, 20.0, guard=0.0)))
    await coze.chat.create("hi", bot_id="5", user_id="u")
    asked, tally = anyio.current_time(), counted()
    await coze.chat.create("hi", bot_id="5", user_id="u")
    assert tally.attempts == 2
    assert tally.began == pytest.approx(asked + 20.0, abs=1e-3)


async def test_each_task_counts_its_own() -> None:
    coze, tallies = client(Answers(chat())), list[Tally]()

    async def work(times: int) -> None:
        tallies.append(counted())
        for _ in range(times):
            await coze.chat.create("hi", bot_id="5", user_id="u")

    async with anyio.create_task_group() as tasks:
        for times in (1, 2, 3):
            tasks.start_soon(work, times)
    assert sorted(tally.attempts for tally in tallies) == [1, 2, 3]
    assert TALLY.get() is None
