"""Calls that wait for limits: what they say of it, how long they take, and what becomes of those whose time is up."""

import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import anyio
import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal
from replaying import ReplayTransport, stream_of

from coze_async import (
    AsyncCoze,
    Exchange,
    Limits,
    LocalLimiter,
    Polling,
    PollTimeoutError,
    Rate,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    Timeouts,
)

URL = "http://coze.example"
STREAM = 'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:"[DONE]"\n\n'

Call = Callable[[AsyncCoze], Awaitable[Any]]


def coze_with(*answers: httpx.Response | Exception, **options: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(*answers)
    return AsyncCoze("pat_x", base_url=URL, transport=transport, **options), transport


async def create(coze: AsyncCoze) -> Any:
    return await coze.chat.create("Hi", bot_id="b", user_id="u")


async def ask(coze: AsyncCoze) -> Any:
    return await coze.chat.ask("Hi", bot_id="b", user_id="u")


# --- a time-out ends the wait -----------------------------------------------------------------------------------------

WAITED = "nothing was sent within 2 s (Timeouts.total). User 'u' waited 2.0 s for Limits.{}. Raise Timeouts.total"


async def create_and_poll(coze: AsyncCoze) -> Any:
    return await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")


async def step(coze: AsyncCoze) -> Any:
    async with coze.chat.stream("Hi", bot_id="b", user_id="u") as stream:
        return await anext(stream)


def limiter_of(coze: AsyncCoze) -> Any:
    return coze._session.limiter  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("call", [create, create_and_poll, ask, step], ids=lambda call: call.__name__)
async def test_a_call_whose_time_is_up_while_it_waits_for_its_turn_was_not_sent(call: Call) -> None:
    limits = Limits(chat=Rate(1, 60.0), chats_at_once=None, chats_per_conversation=None)
    coze, transport = coze_with(chat(), limits=limits, timeouts=Timeouts(total=2))
    await limiter_of(coze).turn("chat", "u")
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError) as caught:
        await call(coze)
    assert anyio.current_time() - began == pytest.approx(2.0, abs=1e-3)
    assert f"POST /v3/chat: {WAITED.format('chat')}" in str(caught.value)
    assert (caught.value.may_have_arrived, caught.value.timeout) == (False, "total")
    assert transport.requests == []


@pytest.mark.parametrize("call", [create_and_poll, ask, step], ids=lambda call: call.__name__)
@pytest.mark.parametrize("limit", ["chats_at_once", "account_at_once"])
async def test_a_call_whose_time_is_up_while_it_waits_for_a_slot_was_not_sent(call: Call, limit: str) -> None:
    limits = replace(Limits.none(), **{limit: 1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    coze, transport = coze_with(chat(), limits=limits, timeouts=Timeouts(total=2))
    await limiter_of(coze).slot("u")
    with pytest.raises(RequestTimeoutError) as caught:
        await call(coze)
    assert f"POST /v3/chat: {WAITED.format(limit)}" in str(caught.value)
    assert (caught.value.may_have_arrived, caught.value.timeout) == (False, "total")
    assert transport.requests == []


@pytest.mark.parametrize("name", ["create", "create_and_poll", "ask"])
async def test_a_call_whose_time_is_up_while_it_waits_for_its_conversation_was_not_sent(name: str) -> None:
    coze, transport = coze_with(chat(), limits=Limits(), timeouts=Timeouts(total=2))
    place: list[Any] = []

    async def occupy() -> None:
        place.append(await limiter_of(coze).conversation("7"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(occupy)
    with pytest.raises(RequestTimeoutError, match=r"A chat of the conversation 7 waited 2\.0 s for Limits\.chats_per_"):
        await getattr(coze.chat, name)("Hi", bot_id="b", user_id="u", conversation_id="7")
    assert transport.requests == []


async def test_the_waits_and_the_request_share_the_total_time() -> None:
    slow = stream_of(
        (1.5, b'{"code":0,"data":{"id":"9","conversation_id":"7"}}'), headers={"content-type": "text/json"}
    )
    coze = AsyncCoze(
        "pat_x",
        base_url=URL,
        transport=ReplayTransport(slow),
        limits=Limits(chat=Rate(1, 1.0, guard=0.0)),
        timeouts=Timeouts(total=2),
    )
    await limiter_of(coze).turn("chat", "u")
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError) as caught:
        await create(coze)
    assert anyio.current_time() - began == pytest.approx(2.0, abs=1e-3)
    assert caught.value.may_have_arrived


async def test_a_repeat_that_waits_for_its_turn_when_the_time_is_up_may_have_been_sent() -> None:
    limits = Limits(chat=Rate(1, 60.0))
    coze, transport = coze_with(refusal(4013), limits=limits, timeouts=Timeouts(total=2), retry=Retry(initial=0.1))
    with pytest.raises(RequestTimeoutError) as caught:
        await create(coze)
    assert len(transport.requests) == 1
    assert "nothing was sent" not in str(caught.value)


async def test_a_call_that_is_cancelled_while_it_waits_for_a_limit_is_cancelled() -> None:
    coze, transport = coze_with(chat(), limits=Limits(chat=Rate(1, 60.0)), timeouts=Timeouts(total=20))
    await limiter_of(coze).turn("chat", "u")
    for call in (create, ask, create_and_poll):
        with anyio.move_on_after(1) as scope:
            await call(coze)
        assert scope.cancelled_caught
    assert transport.requests == []
    assert not limiter_of(coze)._places


async def test_a_limiter_of_ones_own_that_says_nothing_of_its_limits_is_named_all_the_same() -> None:
    class Slow(LocalLimiter):
        async def turn(self, kind: str | None, user: str | None) -> None:
            await anyio.sleep(60.0)

    coze, _ = coze_with(chat(), limiter=Slow(), timeouts=Timeouts(total=2))
    with pytest.raises(RequestTimeoutError, match=r"\(Timeouts.total\)\. It waited for a limit of this client\. Raise"):
        await create(coze)


async def test_an_attempt_tells_how_long_it_has_waited_for_limits() -> None:
    told: list[Exchange] = []
    limits = Limits(chat=Rate(1, 10.0, guard=0.0), chats_at_once=1)
    coze, _ = coze_with(
        event_stream(STREAM), refusal(4013), event_stream(STREAM), limits=limits, observe=told.append
    )  # fmt: skip
    slot = await limiter_of(coze).slot("u")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, coze)
        await anyio.sleep(3.0)
        slot.release()
    await ask(coze)
    assert [exchange.attempt for exchange in told] == [1, 1, 2]
    # A slot, a turn, and after a refusal another turn.
    assert [round(exchange.waited) for exchange in told[:2]] == [3, 10]
    assert 5.0 < told[2].waited <= 10.0
    assert all(exchange.seconds < 1.0 for exchange in told)


async def test_a_polled_chat_tells_how_long_it_has_waited_for_its_slot_and_its_turn() -> None:
    told: list[Exchange] = []
    limits = Limits(chat=Rate(1, 10.0, guard=0.0), chats_at_once=1)
    messages = answer({"code": 0, "data": [{"id": "1", "type": "answer", "content": "Hi"}]})
    coze, _ = coze_with(chat(), chat("completed"), messages, limits=limits, observe=told.append)
    await limiter_of(coze).turn("chat", "u")
    slot = await limiter_of(coze).slot("u")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(create_and_poll, coze)
        await anyio.sleep(3.0)
        slot.release()
    assert [round(exchange.waited) for exchange in told] == [10, 0, 0]


async def test_a_poll_whose_time_is_up_while_it_waits_for_a_limit_says_that_nothing_was_sent() -> None:
    coze, transport = coze_with(chat(), limits=replace(Limits.none(), chats_at_once=1))
    await limiter_of(coze).slot("u")
    with pytest.raises(PollTimeoutError) as caught:
        await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u", polling=Polling(timeout=3))
    words = "the chat was not yet created, and nothing was sent. User 'u' waited 3.0 s for Limits.chats_at_once. Raise"
    assert words in str(caught.value)
    assert caught.value.chat is None
    assert transport.requests == []


# --- the log ----------------------------------------------------------------------------------------------------------


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "coze_async"]


async def test_a_call_that_waits_for_a_limit_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    coze, _ = coze_with(chat(), limits=Limits(chat=Rate(1, 2.5, guard=0.0)))
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            await create(coze)
    assert said(caplog) == [("INFO", "User 'u' waited 2.5 s for Limits.chat")]


async def test_a_wait_of_five_seconds_is_not_long(caplog: pytest.LogCaptureFixture) -> None:
    limiter = LocalLimiter(Limits(chat=Rate(1, 5.0, guard=0.0)))
    with caplog.at_level(logging.INFO):
        await limiter.turn("chat", "u")
        await limiter.turn("chat", "u")
    assert said(caplog) == [("INFO", "User 'u' waited 5.0 s for Limits.chat")]


async def test_a_long_wait_for_a_turn_is_a_warning_when_it_begins(caplog: pytest.LogCaptureFixture) -> None:
    coze, _ = coze_with(chat(), limits=Limits())
    for _ in range(60):
        await create(coze)
    with anyio.move_on_after(1.0), caplog.at_level(logging.INFO):
        await create(coze)
    assert said(caplog) == [("WARNING", "User 'u' waits 61.0 s for Limits.chat")]


async def test_a_wait_that_becomes_long_is_a_warning_as_soon_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    coze, _ = coze_with(chat(), limits=Limits())
    limiter = limiter_of(coze)
    slots = [await limiter.slot("u") for _ in range(16)]
    expected = [("WARNING", "User 'u' has waited 5 s and goes on waiting for Limits.chats_at_once")]
    with caplog.at_level(logging.INFO):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(limiter.slot, "u")
            await anyio.sleep(4.9)
            assert said(caplog) == []
            await anyio.sleep(0.2)
            assert said(caplog) == expected
            await anyio.sleep(20.0)
            slots[0].release()
    assert said(caplog) == expected


@pytest.mark.parametrize(
    ("limits", "kind", "user", "limit"),
    [
        (Limits(upload=Rate(1, 3.0, guard=0.0)), "upload", None, "A request of no user waited 3.0 s for Limits.upload"),
        (Limits(account=1), "chat", "u", "User 'u' waited 1.1 s for Limits.account"),
        (Limits(account_chat=1), "chat_look", None, "A request of no user waited 1.1 s for Limits.account_chat"),
        (Limits(chat=Rate(1, 0.5, guard=0.0), account=1), "chat", "u", "User 'u' waited 1.1 s for Limits.account"),
        (Limits(chat=Rate(1, 3.0, guard=0.0), account=1), "chat", "u", "User 'u' waited 3.0 s for Limits.chat"),
    ],
)
async def test_the_limit_that_was_waited_for_is_named(
    limits: Limits, kind: str, user: str | None, limit: str, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = LocalLimiter(limits)
    with caplog.at_level(logging.INFO):
        await limiter.turn(kind, user)
        await limiter.turn(kind, user)
    assert [text for _, text in said(caplog)] == [limit]


async def test_who_gives_up_says_so_too(caplog: pytest.LogCaptureFixture) -> None:
    limiter = LocalLimiter(Limits())
    first = await limiter.conversation("7")

    async def impatient() -> None:
        with anyio.move_on_after(2.0):
            await limiter.conversation("7")

    with caplog.at_level(logging.INFO):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(impatient)
    first.release()
    assert said(caplog) == [
        ("INFO", "A chat of the conversation 7 waited 2.0 s for Limits.chats_per_conversation, in vain")
    ]


async def test_in_a_batch_a_long_wait_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    coze, _ = coze_with(event_stream(STREAM), limits=Limits(chat=Rate(1, 10.0, guard=0.0)))
    with caplog.at_level(logging.INFO):
        outcomes = await coze.chat.batch(["a", "b"], bot_id="b", user_id="u").collect()
    assert said(caplog) == [("INFO", "User 'u' waits 10.0 s for Limits.chat")]
    assert sorted(round(outcome.waited) for outcome in outcomes) == [0, 10]


async def test_a_run_that_only_waited_says_that_nothing_was_sent() -> None:
    coze, transport = coze_with(chat(), limits=Limits(chats_at_once=1))
    coze = coze.with_options(user="u")
    slot = await limiter_of(coze).slot("u")
    with pytest.raises(PollTimeoutError, match=r"Nothing was sent\. User 'u' .*chats_at_once") as caught:
        await coze.workflows.run_and_poll(workflow_id="7", polling=Polling(timeout=2))
    assert "goes on" not in str(caught.value)
    with pytest.raises(RequestTimeoutError, match=r"POST /v1/workflow/run: nothing was sent within 1 s"):
        await coze.workflows.run_and_poll(workflow_id="7", timeouts=Timeouts(total=1))
    slot.release()
    assert transport.requests == []


async def test_a_login_that_is_refused_for_its_rate_holds_no_user_back() -> None:
    async def token() -> str:
        raise RateLimitError("The login is asked too often.", retry_after=50.0)

    coze = AsyncCoze(token, base_url=URL, transport=Answers(event_stream(STREAM)), retry=Retry.none())
    for _ in range(2):
        began = anyio.current_time()
        with pytest.raises(RateLimitError):
            await ask(coze)
        assert anyio.current_time() - began < 1.0


REAL = """
import asyncio, sys
from coze_async import AsyncCoze, Limits, Rate, RequestTimeoutError, Timeouts
from coze_async.emulator import Emulator

async def main():
    limits = Limits(chat=Rate(1, 60.0))
    transport = Emulator().transport()
    async with AsyncCoze("t", transport=transport, limits=limits, timeouts=Timeouts(total=0.3)) as coze:
        for call in (coze.chat.ask, coze.chat.ask, coze.chat.create, coze.chat.create_and_poll):
            try:
                await call("Hi", bot_id="1", user_id="u")
            except RequestTimeoutError as error:
                print(error.may_have_arrived, "nothing was sent" in str(error), "Limits.chat" in str(error))

asyncio.run(main())
"""


def test_what_only_waited_was_not_sent_by_a_real_clock_either() -> None:
    """Where several scopes end at one time, their order is another one than that of a virtual clock."""
    ran = subprocess.run([sys.executable, "-c", REAL], capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines() == ["False True True"] * 3, ran.stderr
