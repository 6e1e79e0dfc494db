"""The limits: exact in every window, fair to every user, and without a trace of those who left. All in virtual time."""

# pyright: reportPrivateUsage=false

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async import ConfigurationError, Limits, LocalLimiter, Rate, Slot
from coze_async._limits import Limiter

# A turn that is due within a microsecond is due.
TICK = 1e-5
EXACT = Rate(3, 10.0, guard=0.0)


def limits(**given_limits: Rate | int | None) -> Limits:
    """Return limits of which only the given ones hold anything back."""
    fields: dict[str, Rate | int | None] = dict.fromkeys(
        ("chat", "bot_management", "bot_info", "chats_at_once", "account")
    )
    return Limits(**{**fields, **given_limits})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


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
@given(RATES, st.integers(1, 6), ARRIVALS)
async def test_the_rate_of_a_user_and_that_of_the_account_hold_together(
    rate: Rate, account: int, arrivals: list[tuple[str, float]]
) -> None:
    requests = Requests(LocalLimiter(limits(chat=rate, account=account)))
    start = anyio.current_time()
    async with anyio.create_task_group() as group:
        for number, (user, after) in enumerate(arrivals):
            group.start_soon(requests.ask, user, number, start + after)
    everybody = sorted(moment for user in "abc" for moment in requests.times(user))
    assert len(everybody) == len(arrivals)
    assert most_in_a_window(everybody, Rate(account, 1.0).window) <= account
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
    # Each newcomer looks at two of those who were looked at longest ago: more go than come.
    for number in range(251):
        await limiter.turn("chat", f"late {number}")
    assert not [user for _, user in limiter._lanes if user.startswith("early")]
    assert len(limiter._lanes) == 251


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
    ("limit", "period", "guard"), [(0, 60.0, None), (1, 0.0, None), (1, float("nan"), None), (1, 1.0, -0.1)]
)
def test_a_rate_that_lets_nothing_through_is_refused(limit: int, period: float, guard: float | None) -> None:
    with pytest.raises(ConfigurationError, match="lets nothing through"):
        Rate(limit, period, guard)


@pytest.mark.parametrize("name", ["chats_at_once", "account"])
def test_a_limit_of_zero_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Limits.{name} is 0: give 1 or more, or None"):
        limits(**{name: 0})


def test_a_rate_that_is_a_number_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match=r"Limits.chat is 60: give a Rate, such as Rate\(60, 60.0\)"):
        Limits(chat=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
