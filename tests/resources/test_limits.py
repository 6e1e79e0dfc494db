"""What the account may do, as the server says it, and polls that leave room for new chats."""

from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from answering import Answers, answer, refusal

from coze_async import AsyncCoze, DecodeError, Limiter, Limits, Polling, Rate, Slot
from coze_async.emulator import Emulator, Script

URL = "http://coze.test"


def benefit(total: float | None, **more: Any) -> Mapping[str, Any]:
    """Return a benefit as coze.cn page get_benefit shows it."""
    item = {"item_info": {"total": total, "strategy": "by_quota"}, "status": "valid"}
    return {"benefit_type": "api_run_qps", "basic": {"item_info": {"total": 1}}, "effective": item, **more}


def benefits(*infos: Mapping[str, Any]) -> Any:
    return answer({"code": 0, "msg": "", "data": {"basic_info": {"user_level": "enterprise"}, "benefit_info": infos}})


async def test_the_rates_of_the_account_are_asked_for_and_hold_from_then_on() -> None:
    transport = Answers(
        benefits(benefit(130, resource_id="chat")), benefits(benefit(20.0, resource_id="workflow"), benefit(None))
    )
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport, limits=Limits(account_workflow=5))
    learned = await coze.limits.learn()
    assert learned == Limits(account_chat=130, account_workflow=5)
    assert coze.limits.statistics().limits == learned
    assert [dict(request.url.params) for request in transport.requests] == [
        {"benefit_type_list": "api_run_qps", "resource_id": "chat"},
        {"benefit_type_list": "api_run_qps", "resource_id": "workflow"},
    ]
    # A view shares them.
    assert coze.with_options(user="u").limits.statistics().limits == learned


async def test_a_server_that_names_no_rate_is_an_error_that_says_what_to_set() -> None:
    strange = benefits(benefit(None), benefit(0), benefit(9, resource_id="plugin"), benefit(9, benefit_type="other"))
    coze = AsyncCoze("pat_x", base_url=URL, transport=Answers(strange))
    with pytest.raises(DecodeError, match=r"Set Limits.account_chat"):
        await coze.limits.learn()


async def test_a_refused_question_changes_nothing() -> None:
    coze = AsyncCoze("pat_x", base_url=URL, transport=Answers(benefits(benefit(3)), refusal(4101)))
    with pytest.raises(Exception, match="4101"):
        await coze.limits.learn()
    assert coze.limits.statistics().limits == Limits()


async def test_a_limiter_of_ones_own_needs_three_methods_and_says_what_it_lacks() -> None:
    class Open(Limiter):
        async def turn(self, kind: str | None, user: str | None) -> None: ...

        async def slot(self, user: str | None) -> Slot:
            return Slot()

        def push_back(self, kind: str | None, user: str | None, seconds: float) -> None: ...

    emulator = Emulator()
    coze = AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), limiter=Open())
    first = await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    await coze.chat.ask("Hi", bot_id="b", user_id="u", conversation_id=first.conversation_id)
    assert coze.limits.statistics().limits is None
    with pytest.raises(ValueError, match=r"Open cannot take over \{'account_chat': 3\}: give it a `learn` method"):
        coze._session.limiter.learn({"account_chat": 3})  # pyright: ignore[reportPrivateUsage]


async def test_polls_slow_down_before_new_chats_starve() -> None:
    """80 chats that are polled would ask for 80 looks a second where the account has 8 requests a second."""
    emulator = Emulator()
    emulator.bot("slow", Script("Done", seconds=100.0))
    limits = Limits(chat=None, chats_at_once=None, account_chat=8)
    late: list[float] = []
    async with AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), limits=limits) as coze:

        async def poll() -> None:
            await coze.chat.create_and_poll("Hi", bot_id="slow", user_id="u", polling=Polling(interval=1.0, factor=1.0))

        async with anyio.create_task_group() as group:
            for _ in range(80):
                group.start_soon(poll)
            await anyio.sleep(60)
            for _ in range(10):
                begin = anyio.current_time()
                await coze.chat.create("Hi", bot_id="quick", user_id="u")
                late.append(anyio.current_time() - begin)
                await anyio.sleep(1)
    # Without slowing down the queue would be 10 s long.
    assert max(late) < 1.2
    window = Rate(8, 1.0).window
    moments = [request.at for request in emulator.requests]
    assert all(after - before >= window - 1e-5 for before, after in zip(moments, moments[8:], strict=False))


async def test_runs_in_the_background_are_limited_and_looked_at_like_chats() -> None:
    emulator = Emulator()
    limits = Limits(account_at_once=1, account_workflow=100)
    async with AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), limits=limits) as coze:
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                statistics = coze.limits.statistics()
                most = max(most, statistics.in_flight + 10 * statistics.chats_waiting)
                await anyio.sleep(0.5)

        async with anyio.create_task_group() as watching:
            watching.start_soon(watch)
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(run, coze)
            watching.cancel_scope.cancel()
    assert most == 1 + 10 * 2
    assert coze.limits.statistics().in_flight == 0


async def run(coze: AsyncCoze) -> None:
    assert (await coze.workflows.run_and_poll(workflow_id="w", polling=Polling(interval=1.0))).data
