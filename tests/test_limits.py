"""The limits: exact in every window, fair to every user, and without a trace of those who left. All in virtual time."""

# pyright: reportPrivateUsage=false

import asyncio
import contextlib
import dataclasses
import gc
import logging
import math
import tracemalloc
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import anyio
import pytest
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async import ConfigurationError, Limiter, Limits, LimitStatistics, LocalLimiter, Rate, Slot
from coze_async._limits import KINDS, Lane

# A turn that is due within a microsecond is due.
TICK = 1e-5
EXACT = Rate(3, 10.0, guard=0.0)


def limits(**given_limits: Rate | int | None) -> Limits:
    """Return limits of which only the given ones hold anything back."""
    return dataclasses.replace(Limits.none(), **given_limits)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Requests:
    """Asks for turns at given times and notes when they come.

    Attributes:
        turns: User -> the number of each of their requests and the time of its turn, in the order of the turns.
    """

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.turns: dict[str, list[tuple[int, float]]] = defaultdict(list)

    async def ask(self, user: str, number: int, at: float, give_up_at: float | None = None) -> None:
        await anyio.sleep_until(at)
        with anyio.CancelScope(deadline=float("inf") if give_up_at is None else give_up_at):
            await self.limiter.turn("chat", user)
            self.turns[user].append((number, anyio.current_time()))

    def times(self, user: str) -> list[float]:
        return [moment for _, moment in self.turns[user]]


def most_in_a_window(moments: Sequence[float], window: float) -> int:
    """Return how many moments lie in the fullest window, its end excluded."""
    return max((sum(begin <= moment < begin + window - TICK for moment in moments) for begin in moments), default=0)


ARRIVALS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 300).map(lambda n: n / 10)), max_size=20)
RATES = st.builds(Rate, st.integers(1, 4), st.sampled_from([0.5, 7.0, 10.0]), st.sampled_from([0.0, 1.0, None]))


# --- the rate --------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@settings(max_examples=40)
@given(RATES, ARRIVALS)
async def test_every_turn_comes_exactly_when_the_window_allows_it_and_in_the_order_of_asking(
    rate: Rate, arrivals: list[tuple[str, float]]
) -> None:
    requests = Requests(LocalLimiter(limits(chat=rate)))
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number, (user, after) in enumerate(arrivals):
            group.start_soon(requests.ask, user, number, start + after)
    for user in "abc":
        asked = sorted(start + after for name, after in arrivals if name == user)
        expected: list[float] = []
        for moment in asked:
            free = expected[-rate.limit] + rate.window if len(expected) >= rate.limit else moment
            expected.append(max(moment, free, *expected[-1:]))
        # As early as possible, and so never more than the limit in any window.
        assert requests.times(user) == pytest.approx(expected, abs=TICK)
        assert most_in_a_window(requests.times(user), rate.window) <= rate.limit


@pytest.mark.anyio
@settings(max_examples=40)
@given(RATES, st.integers(1, 6), st.none() | st.integers(1, 6), ARRIVALS)
async def test_the_rate_of_a_user_and_those_of_the_account_hold_together(
    rate: Rate, account: int, bucket: int | None, arrivals: list[tuple[str, float]]
) -> None:
    requests = Requests(LocalLimiter(limits(chat=rate, account=account, account_chat=bucket)))
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number, (user, after) in enumerate(arrivals):
            group.start_soon(requests.ask, user, number, start + after)
    everybody = sorted(moment for user in "abc" for moment in requests.times(user))
    assert len(everybody) == len(arrivals)
    assert most_in_a_window(everybody, Rate(account, 1.0).window) <= min(account, bucket or account)
    for user in "abc":
        assert most_in_a_window(requests.times(user), rate.window) <= rate.limit
        asked = {number: after for number, (_, after) in enumerate(arrivals)}
        assert all(asked[first] <= asked[then] for (first, _), (then, _) in pairwise(requests.turns[user]))


@pytest.mark.anyio
@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 30)), max_size=6), st.sampled_from([None, 1, 2]))
async def test_those_who_give_up_take_no_turn_with_them(leavers: list[tuple[int, int]], account: int | None) -> None:
    """Whoever stays gets the turns that they would have had if the others had never asked."""
    requests = Requests(LocalLimiter(limits(chat=EXACT, account=account)))
    alone = Requests(LocalLimiter(limits(chat=EXACT, account=account)))
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for asked in (requests, alone):
            for number in range(7):
                # The first three have their turn before anybody could be in their way; one at a time, because trio
                # takes those who begin together in any order.
                group.start_soon(asked.ask, "u", number, start + number / 10)
        for after, patience in leavers:
            # They ask when the window is full, and are gone before it opens.
            begin = start + 1.0 + after / 10
            group.start_soon(requests.ask, "u", 99, begin, min(begin + patience / 10, start + 9.9))
    assert requests.turns["u"] == alone.turns["u"]
    assert [number for number, _ in alone.turns["u"]] == [*range(7)]


async def test_users_wait_in_the_order_in_which_they_came() -> None:
    limiter = LocalLimiter(limits(chat=Rate(1, 5.0, guard=0.0)))
    requests = Requests(limiter)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(requests.ask, "u", number, start + number / 10)
    assert [number for number, _ in requests.turns["u"]] == [0, 1, 2, 3, 4]
    assert requests.times("u") == pytest.approx([start, start + 5, start + 10, start + 15, start + 20], abs=TICK)


async def test_a_user_who_waits_holds_nobody_else_up() -> None:
    requests = Requests(LocalLimiter(limits(chat=EXACT, account=100)))
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(requests.ask, "busy", number, start)
        group.start_soon(requests.ask, "other", 0, start + 1)
    assert requests.times("other") == [start + 1]
    assert requests.times("busy")[3:] == pytest.approx([start + 10] * 3, abs=TICK)


async def test_kinds_of_requests_are_counted_apart_and_the_account_counts_all() -> None:
    limiter = LocalLimiter(limits(chat=Rate(1, 100.0), bot_info=Rate(1, 100.0), account=3))
    start = anyio.current_time()
    await limiter.turn("chat", "u")
    await limiter.turn("bot_info", "u")
    await limiter.turn(None, "u")
    assert anyio.current_time() == start
    await limiter.turn(None, None)
    assert anyio.current_time() - start == pytest.approx(1.1, abs=TICK)


async def test_the_second_in_the_accounts_line_is_served_first_when_the_first_is_pushed_back() -> None:
    """The turn of a user and that of the account are taken in the same moment, or not at all."""
    limiter = LocalLimiter(limits(chat=Rate(10, 60.0), account=1))
    requests = Requests(limiter)
    start = anyio.current_time()
    await limiter.turn(None, None)
    async with anyio.create_task_group() as group:
        group.start_soon(requests.ask, "pushed", 0, start)
        group.start_soon(requests.ask, "other", 0, start + 0.1)
        await anyio.sleep(0.5)
        limiter.push_back("chat", "pushed", 20.0)
    assert requests.times("other") == pytest.approx([start + 1.1], abs=TICK)
    assert requests.times("pushed") == pytest.approx([start + 20.5], abs=TICK)


async def test_without_limits_nobody_waits_and_nothing_is_kept() -> None:
    limiter = LocalLimiter(Limits.none())
    start = anyio.current_time()
    for _ in range(1000):
        await limiter.turn("chat", "u")
        (await limiter.slot("u")).release()
    limiter.push_back("chat", "u", 100.0)
    await limiter.turn("chat", "u")
    assert anyio.current_time() == start
    assert not limiter._lanes
    assert not limiter._places


async def test_the_default_limits_are_those_that_coze_plus_publishes_with_a_second_of_guard() -> None:
    limiter = LocalLimiter()
    start = anyio.current_time()
    for _ in range(60):
        await limiter.turn("chat", "u")
    assert anyio.current_time() == start
    await limiter.turn("chat", "u")
    assert anyio.current_time() - start == pytest.approx(61.0, abs=TICK)
    assert (limiter.limits.bot_management, limiter.limits.bot_info) == (Rate(30, 60.0), Rate(100, 60.0))
    assert (limiter.limits.chats_at_once, limiter.limits.account) == (16, None)


def test_the_guard_is_a_tenth_of_the_period_and_a_second_at_most() -> None:
    assert Rate(1, 60.0).window == 61.0
    assert Rate(1, 1.0).window == 1.1
    assert Rate(1, 1.0, guard=0.25).window == 1.25


# --- what the account may do -----------------------------------------------------------------------------------------


async def test_on_the_clouds_chats_and_looks_at_them_share_one_bucket_and_workflows_have_another() -> None:
    """Source: coze.cn page get_benefit."""
    limiter = LocalLimiter(limits(account_chat=2, account_workflow=3))
    start = anyio.current_time()
    for kind in ("chat", "chat_look", "chatflow", "workflow", "workflow_look", "bot_info", "other"):
        await limiter.turn(kind, "u")
    assert anyio.current_time() == start
    with anyio.move_on_after(1.0) as scope:
        await limiter.turn("chat_look", None)
    assert scope.cancelled_caught
    await limiter.turn("workflow", "u")
    assert anyio.current_time() - start == pytest.approx(1.1, abs=TICK)


@pytest.mark.parametrize(
    ("kind", "field"),
    [("chat", "chat"), ("chatflow", "chat"), ("workflow", "workflow"), ("upload", "upload"),
     ("collaboration", "collaboration"), ("bot_info", "bot_info"), ("bot_management", "bot_management")],
)  # fmt: skip
async def test_every_class_of_requests_has_its_rate_per_user(kind: str, field: str) -> None:
    limiter = LocalLimiter(limits(**{field: Rate(1, 10.0, guard=0.0)}))
    start = anyio.current_time()
    for user in ("a", "b"):
        await limiter.turn(kind, user)
    assert anyio.current_time() == start
    await limiter.turn(kind, "a")
    assert anyio.current_time() - start == pytest.approx(10.0, abs=TICK)
    assert [name for name, known in KINDS.items() if known.rate == field and name != kind] in (
        [], ["chat"], ["chatflow"]
    )  # fmt: skip


async def test_polls_leave_half_of_the_accounts_rate_to_what_starts_something() -> None:
    limiter = LocalLimiter(limits(account=100, account_chat=4, account_workflow=50))
    with limiter.polling("chat_look") as paced:
        assert paced(1.0) == 1.0
        with contextlib.ExitStack() as others:
            for _ in range(9):
                others.enter_context(limiter.polling("chat_look"))
            # Ten looks may come twice a second: each waits 5 s.
            assert paced(1.0) == 5.0
            assert paced(7.0) == 7.0
            with limiter.polling("workflow_look") as of_runs:
                assert of_runs(0.01) == pytest.approx(11 / 50)
        assert paced(1.0) == 1.0
    with LocalLimiter(limits()).polling("chat_look") as paced:
        assert paced(0.25) == 0.25


async def test_what_was_learned_holds_at_once_for_those_too_who_wait_and_never_loosens_a_limit() -> None:
    limiter = LocalLimiter(limits(account=5, account_chat=50))
    start = anyio.current_time()
    learned = limiter.learn({"account": 9, "account_chat": 2, "account_workflow": 3})
    assert learned == limiter.limits == limits(account=5, account_chat=2, account_workflow=3)
    for _ in range(3):
        await limiter.turn("chat", "u")
    assert anyio.current_time() - start == pytest.approx(1.1, abs=TICK)
    requests = Requests(limiter)
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(requests.ask, "u", number, anyio.current_time() + number / 100)
        await anyio.sleep(0.5)
        limiter.learn({"account_chat": 1})
    # One turn was taken just before by the old rate; by the new one each second brings one more.
    assert [then - before for before, then in pairwise(requests.times("u"))] == pytest.approx([1.1, 1.1], abs=0.02)


async def test_a_limiter_of_ones_own_holds_nothing_back_by_default() -> None:
    class Open(Limiter):
        async def turn(self, kind: str | None, user: str | None) -> None: ...

        async def slot(self, user: str | None) -> Slot:
            return Slot()

        def push_back(self, kind: str | None, user: str | None, seconds: float) -> None: ...

    limiter = Open()
    (await limiter.conversation("7")).release()
    with limiter.polling("chat_look") as paced:
        assert paced(0.25) == 0.25
    assert limiter.statistics() == LimitStatistics()
    with pytest.raises(ConfigurationError, match=r"Open cannot take over \{'account': 1\}: give it a `learn` method"):
        limiter.learn({"account": 1})


def test_only_rates_of_the_account_can_be_learned() -> None:
    with pytest.raises(ConfigurationError, match="chats_at_once"):
        LocalLimiter().learn({"chats_at_once": 1})


async def test_the_account_has_no_more_chats_at_once_than_allowed_whoever_they_belong_to() -> None:
    limiter = LocalLimiter(limits(chats_at_once=2, account_at_once=3))
    chats = Chats(limiter)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(chats.run, number, "ab"[number % 2])
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.5):
            # Whoever gives up while the account is full leaves no place of the user taken.
            await limiter.slot("c")
        nobodys = await limiter.slot(None)
        assert anyio.current_time() - start == pytest.approx(1.0, abs=TICK)
        nobodys.release()
    assert chats.most == 3
    assert not limiter._places


async def test_statistics_tell_what_was_let_through_and_what_waits() -> None:
    limiter = LocalLimiter(limits(chat=Rate(2, 10.0, guard=0.0), chats_at_once=1))
    assert limiter.statistics() == LimitStatistics(limits=limiter.limits)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(limiter.turn, "chat", "u")
        slot = await limiter.slot("u")
        group.start_soon(limiter.slot, "u")
        await anyio.sleep(4)
        limiter.push_back("other", "u", 1.0)
        expected = LimitStatistics(
            turns=3, pushed_back=1, waiting=1, in_flight=1, chats_waiting=1, users=1, limits=limiter.limits
        )
        assert limiter.statistics() == expected
        slot.release()
    after = limiter.statistics()
    assert (after.turns, after.delayed, after.waiting, after.in_flight, after.chats_waiting) == (3, 1, 0, 1, 0)
    assert after.seconds_waited == pytest.approx(10.0, abs=TICK)
    await limiter.turn("chat", "u")
    with anyio.move_on_after(1):
        await limiter.turn("chat", "u")
    # What was not let through does not count.
    assert limiter.statistics().turns == 4


# --- conversations ---------------------------------------------------------------------------------------------------


class Talks:
    """Has conversations, and notes who had them, in order."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self.order: list[tuple[str, int]] = []

    async def run(self, conversation_id: str, number: int) -> None:
        place = await self.limiter.conversation(conversation_id)
        self.order.append((conversation_id, number))
        await anyio.sleep(1)
        place.release()


async def test_chats_of_one_conversation_follow_each_other_and_others_do_not_wait() -> None:
    limiter = LocalLimiter(limits(chats_per_conversation=1))
    talks = Talks(limiter)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(3):
            for name in "ab":
                group.start_soon(talks.run, name, number)
            await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.5):
            await limiter.conversation("a")
    assert anyio.current_time() - start == pytest.approx(3.0, abs=TICK)
    assert [number for name, number in talks.order if name == "a"] == [0, 1, 2]
    assert [number for name, number in talks.order if name == "b"] == [0, 1, 2]
    assert not limiter._places


async def test_a_task_does_not_wait_for_its_own_chat() -> None:
    limiter = LocalLimiter(limits(chats_per_conversation=1))
    first = await limiter.conversation("a")
    second = await limiter.conversation("a")
    second.release()
    talks = Talks(limiter)
    async with anyio.create_task_group() as group:
        group.start_soon(talks.run, "a", 1)
        await anyio.wait_all_tasks_blocked()
        assert not talks.order
        first.release()
    assert talks.order == [("a", 1)]
    assert not limiter._places


async def test_without_a_limit_conversations_are_not_kept_apart() -> None:
    talks = Talks(LocalLimiter(Limits.none()))
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(talks.run, "a", number)
    assert anyio.current_time() - start == pytest.approx(1.0, abs=TICK)


# --- pushed back by the server ---------------------------------------------------------------------------------------


async def test_pushing_back_holds_only_that_user_and_only_that_kind() -> None:
    limiter = LocalLimiter(limits(chat=Rate(9, 10.0), bot_info=Rate(9, 10.0)))
    start = anyio.current_time()
    limiter.push_back("chat", "u", 30.0)
    # A shorter one takes nothing off.
    limiter.push_back("chat", "u", 5.0)
    await limiter.turn("chat", "other")
    await limiter.turn("chat", None)
    await limiter.turn("bot_info", "u")
    assert anyio.current_time() == start
    await limiter.turn("chat", "u")
    assert anyio.current_time() - start == pytest.approx(30.0, abs=TICK)


async def test_pushing_back_holds_those_too_who_wait_already() -> None:
    limiter = LocalLimiter(limits(chat=Rate(1, 10.0, guard=0.0)))
    requests = Requests(limiter)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(requests.ask, "u", number, start)
        await anyio.sleep(1)
        limiter.push_back("chat", "u", 30.0)
    assert requests.times("u") == pytest.approx([start, start + 31, start + 41], abs=TICK)


# --- users who left --------------------------------------------------------------------------------------------------


async def test_idle_users_are_forgotten() -> None:
    limiter = LocalLimiter(limits(chat=EXACT))
    for number in range(500):
        await limiter.turn("chat", f"early {number}")
    assert len(limiter._lanes) == 500
    await anyio.sleep(EXACT.window + 1)
    # One who comes is enough.
    await limiter.turn("chat", "late")
    assert [user for _, user in limiter._lanes] == ["late"]


async def test_the_memory_of_idle_users_is_given_back_also_of_those_who_had_to_wait(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # What is logged would be kept too.
    caplog.set_level(logging.CRITICAL, "coze_async")
    limiter = LocalLimiter(limits(chat=Rate(2, 10.0, guard=0.0), chats_at_once=1, account_at_once=500))

    async def use(user: str) -> None:
        await limiter.turn("chat", user)
        (await limiter.slot(user)).release()

    async def use_at_once(users: Sequence[str]) -> None:
        async with anyio.create_task_group() as group:
            for user in users:
                group.start_soon(use, user)

    async def others(name: str) -> None:
        for number in range(50):
            await use(f"{name} {number}")

    # What the event loop and the limiter keep in any case.
    await use_at_once([f"first {number % 50}" for number in range(200)])
    await anyio.sleep(3600)
    await others("later")
    await anyio.sleep(3600)
    await others("other")
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(20_000):
        await use(f"early {number}")
    # Each of these asks four times, and has to wait for two of its turns.
    await use_at_once([f"early {number % 50}" for number in range(200)])
    full = tracemalloc.get_traced_memory()[0] - before
    await anyio.sleep(3600)
    await others("other")
    gc.collect()
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert not [user for _, user in limiter._lanes if user.startswith("early")]
    assert full > 4_000_000
    assert left < 100_000
    assert not limiter._places


async def test_no_sweep_takes_long() -> None:
    limiter = LocalLimiter(limits(chat=EXACT))
    for number in range(5000):
        await limiter.turn("chat", f"early {number}")
    await anyio.sleep(EXACT.window + 1)
    left: list[int] = []
    for number in range(4):
        await limiter.turn("chat", f"late {number}")
        left.append(len(limiter._lanes))
    # Two thousand at once.
    assert left == [3001, 1002, 3, 4]


async def test_users_who_are_held_back_do_not_keep_the_others_from_being_forgotten() -> None:
    limiter = LocalLimiter(limits(chat=EXACT))
    limiter.push_back("chat", "held back", 3600.0)
    for number in range(100):
        await limiter.turn("chat", f"early {number}")
    await anyio.sleep(EXACT.window + 1)
    await limiter.turn("chat", "late")
    assert {user for _, user in limiter._lanes} == {"held back", "late"}


@pytest.mark.parametrize("now", [-5.0, 0.0, 0.5, 1e6])
def test_a_lane_with_room_is_open_whatever_the_clock_says(now: float) -> None:
    lane = Lane(Rate(2, 10.0))
    lane.not_before = now - 1
    lane.turns.append(now)
    assert lane.delay(now) == 0.0


async def test_a_user_who_has_waited_counts_as_one_who_waits_no_more() -> None:
    """Otherwise the lane would never be forgotten, and all later turns would take the long way."""
    limiter = LocalLimiter(limits(chat=Rate(1, 10.0, guard=0.0)))
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(limiter.turn, "chat", "u")
        await anyio.sleep(1)
        assert limiter._lanes["chat", "u"].waiting == 2
        with anyio.move_on_after(1):
            await limiter.turn("chat", "u")
        assert limiter._lanes["chat", "u"].waiting == 2
    lane = limiter._lanes["chat", "u"]
    assert (lane.waiting, lane.line) == (0, None)
    assert not lane.is_idle(anyio.current_time())
    assert lane.is_idle(anyio.current_time() + 10.0)


@pytest.mark.parametrize("begins", [5_000.0, 900_000.0])
def test_a_limiter_may_serve_one_event_loop_after_the_other(begins: float) -> None:
    """The clock of each run on trio begins at some number, up to a million seconds before or after the last one."""
    limiter = LocalLimiter(limits(chat=Rate(3, 10.0, guard=0.0), chats_at_once=1, account=4))
    moments: list[float] = []

    async def use() -> None:
        for _ in range(5):
            await limiter.turn("chat", "u")
            (await limiter.slot("u")).release()
        moments.append(anyio.current_time())

    for start in (50_000.0, begins):
        clock = trio.testing.MockClock(autojump_threshold=0)
        clock.jump(start)
        anyio.run(use, backend="trio", backend_options={"clock": clock})
        moments[-1] -= start
    # What was before counts as if it had just been, if it cannot be told apart from what will be.
    assert moments == [pytest.approx(10.0), pytest.approx(20.0 if begins < 50_000.0 else 10.0)]


async def test_users_who_stay_away_are_forgotten_by_the_requests_of_those_who_stay() -> None:
    limiter = LocalLimiter(limits(chat=EXACT, bot_info=Rate(10**9, 1.0)))
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(10_000):
        await limiter.turn("chat", f"early {number}")
    full = tracemalloc.get_traced_memory()[0] - before
    await anyio.sleep(EXACT.window + 1)
    for _ in range(25_000):
        await limiter.turn("bot_info", "u")
    assert limiter.statistics().users == 1
    limiter._lanes["bot_info", "u"].turns.clear()
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    # What is left is the table itself, which Python does not shrink.
    assert left < full / 3


async def test_a_user_with_turns_in_the_window_or_a_pause_is_not_forgotten() -> None:
    limiter = LocalLimiter(limits(chat=Rate(1, 10.0, guard=0.0)))
    start = anyio.current_time()
    await limiter.turn("chat", "used")
    limiter.push_back("chat", "pushed", 20.0)
    for number in range(20):
        await limiter.turn("chat", f"passer-by {number}")
    await limiter.turn("chat", "used")
    assert anyio.current_time() - start == pytest.approx(10.0, abs=TICK)
    for number in range(20):
        await limiter.turn("chat", f"another {number}")
    await limiter.turn("chat", "pushed")
    assert anyio.current_time() - start == pytest.approx(20.0, abs=TICK)


# --- slots -----------------------------------------------------------------------------------------------------------


class Chats:
    """Holds slots, and notes how many at once and in which order they were given."""

    def __init__(self, limiter: LocalLimiter) -> None:
        self.limiter = limiter
        self.running = 0
        self.most = 0
        self.order: list[int] = []

    async def run(self, number: int, user: str = "u", seconds: float = 1.0) -> None:
        slot = await self.limiter.slot(user)
        try:
            self.order.append(number)
            self.running += 1
            self.most = max(self.most, self.running)
            await anyio.sleep(seconds)
        finally:
            self.running -= 1
            slot.release()


async def test_no_user_has_more_chats_at_once_than_allowed_and_they_start_in_order() -> None:
    limiter = LocalLimiter(limits(chats_at_once=3))
    chats, other = Chats(limiter), Chats(limiter)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number in range(9):
            group.start_soon(chats.run, number)
            await anyio.sleep(0.01)
        group.start_soon(other.run, 0, "other")
    assert chats.most == 3
    assert chats.order == [*range(9)]
    assert other.order == [0]
    assert anyio.current_time() - start == pytest.approx(3.02, abs=TICK)
    assert not limiter._places


@pytest.mark.anyio
@settings(max_examples=30)
@given(st.lists(st.integers(0, 40), max_size=12))
async def test_whoever_gives_up_waiting_for_a_slot_takes_none_with_them(patience: list[int]) -> None:
    limiter = LocalLimiter(limits(chats_at_once=2))
    chats = Chats(limiter)
    start = anyio.current_time()

    async def impatient(number: int, seconds: float) -> None:
        with anyio.move_on_at(start + seconds):
            await chats.run(number, seconds=0.5)

    async with anyio.create_task_group() as group:
        for number, tenths in enumerate(patience):
            group.start_soon(impatient, number, tenths / 10)
        for number in range(4):
            group.start_soon(chats.run, 100 + number)
    assert chats.most <= 2
    assert {100, 101, 102, 103} <= set(chats.order)
    # All slots are free again.
    await limiter.slot("u")
    await limiter.slot("u")
    with anyio.move_on_after(100) as scope:
        await limiter.slot("u")
    assert scope.cancelled_caught


async def test_a_slot_that_is_given_to_somebody_who_leaves_in_that_moment_goes_to_the_next() -> None:
    limiter = LocalLimiter(limits(chats_at_once=1))
    first = await limiter.slot("u")
    chats = Chats(limiter)
    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as inner:
                inner.start_soon(chats.run, 1)
                await anyio.wait_all_tasks_blocked()
                group.start_soon(chats.run, 2)
                await anyio.wait_all_tasks_blocked()
                first.release()
                scope.cancel()
    assert chats.order[-1] == 2
    assert chats.running == 0
    assert not limiter._places


async def test_giving_a_slot_back_twice_frees_no_second_one() -> None:
    limiter = LocalLimiter(limits(chats_at_once=1))
    slot = await limiter.slot("u")
    slot.release()
    slot.release()
    again = await limiter.slot("u")
    slot.release()
    with anyio.move_on_after(10) as scope:
        await limiter.slot("u")
    assert scope.cancelled_caught
    again.release()
    assert not limiter._places


def test_a_slot_of_nobody_can_be_given_back() -> None:
    slot = Slot()
    slot.release()
    slot.release()


# --- what cannot be a limit ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "period", "guard"),
    [
        (0, 60.0, None),
        (2.5, 60.0, None),
        (math.inf, 60.0, None),
        (1, 0.0, None),
        (1, math.nan, None),
        (1, math.inf, None),
        (1, 1.0, -0.1),
        (1, 1.0, math.nan),
        (1, 1.0, math.inf),
    ],
)
def test_what_is_no_rate_is_refused(limit: Any, period: float, guard: float | None) -> None:
    with pytest.raises(ConfigurationError, match="is no rate: give a limit of 1 or more that is a whole number"):
        Rate(limit, period, guard)


@pytest.mark.parametrize("name", ["chats_at_once", "account"])
def test_a_limit_of_zero_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Limits.{name} is 0: give 1 or more, or None"):
        limits(**{name: 0})


def test_a_rate_that_is_a_number_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match=r"Limits.chat is 60: give a Rate, such as Rate\(60, 60.0\)"):
        Limits(chat=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_who_leaves_in_the_moment_of_being_let_in_leaves_nothing_behind(anyio_backend: str) -> None:
    limiter = LocalLimiter(Limits(chats_per_conversation=1))
    first = await limiter.conversation("7")
    waiting = asyncio.ensure_future(limiter.conversation("7"))
    await anyio.wait_all_tasks_blocked()
    first.release()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not limiter._places
