"""Limits over many processes, against a real Redis server and in real time.

What is judged is when Redis granted each turn, by its own clock, so nothing here depends on how fast the machine is.
"""

# pyright: reportPrivateUsage=false

import gc
import os
import sys
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from itertools import groupby
from typing import Any, cast

import anyio
import coredis
import pytest
import redis.asyncio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from redis_server import BINARY, RedisServer, workers
from redis_worker import Noting

from coze_async import AsyncCoze, ConfigurationError, Limits, Rate, RedisLimiter, Slot, TransportError
from coze_async._limits_redis import _script
from coze_async.emulator import Emulator, Script

pytestmark = [
    # In CI it has to be there.
    pytest.mark.skipif(
        BINARY is None and not os.environ.get("CI"),
        reason="redis-server is not installed; on Debian and Ubuntu: apt-get install redis-server",
    ),
    # coredis 6.9 leaves its own streams open when a connection breaks.
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
]

MICROSECONDS = 1_000_000


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both backends, in real time: a server on the other end of a socket has no virtual clock."""
    return str(request.param)


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisServer]:
    """One server for all tests that leave it running; each uses a prefix of its own."""
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def own() -> Iterator[RedisServer]:
    """A server that a test may stop."""
    server = RedisServer()
    server.start()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def swept() -> Iterator[None]:
    """What coredis leaves is found here, where it is known, and not in the test of somebody else."""
    yield
    gc.collect()


@pytest.fixture
def prefix() -> str:
    return f"test-{uuid.uuid4().hex}"


def limits(**given_limits: Any) -> Limits:
    """Return limits of which only the given ones hold anything back."""
    return Limits(**{**{name: getattr(Limits.none(), name) for name in Limits.__dataclass_fields__}, **given_limits})


Connect = Callable[..., AbstractAsyncContextManager[Noting]]


@pytest.fixture
def process(anyio_backend: str, prefix: str) -> Connect:
    """Return what enters a limiter that counts as a process: by URL on asyncio, through coredis on trio."""

    @asynccontextmanager
    async def entered(server: RedisServer, allowed: Limits, **more: Any) -> AsyncGenerator[Noting]:
        more = {"prefix": prefix, **more}
        async with opened(server, anyio_backend) as client, Noting(client, allowed, **more) as limiter:
            yield limiter

    return entered


@asynccontextmanager
async def opened(server: RedisServer, backend: str) -> AsyncGenerator[Any]:
    """Return what a limiter is given on this backend."""
    if backend == "asyncio":
        yield server.url
    else:
        async with coredis.Redis(unix_socket_path=server.socket) as client:
            yield client


def granted(*limiters: Noting) -> dict[str, list[int]]:
    """Return when each limit let somebody through, in order."""
    return by_limit([entry for limiter in limiters for entry in limiter.noted])


def by_limit(noted: Sequence[Any]) -> dict[str, list[int]]:
    moments: dict[str, list[int]] = defaultdict(list)
    for names, at in noted:
        for name in names:
            moments[name].append(at)
    return {name: sorted(found) for name, found in moments.items()}


def assert_within(moments: Sequence[int], rate: Rate) -> None:
    """See that no window holds more than the limit, by the clock of Redis, to the microsecond."""
    window = round(rate.window * MICROSECONDS)
    for first, beyond in zip(moments, moments[rate.limit :], strict=False):
        assert beyond - first >= window


# --- many processes --------------------------------------------------------------------------------------------------


def test_four_processes_never_exceed_the_rates_of_users_and_account_together(shared: RedisServer) -> None:
    """Two of them have clocks that are wrong by 1.5 s and leap by as much in the middle."""
    chat, account = Rate(20, 0.4, guard=0.0), 120
    clocks = {"ahead": [0.0, 1.5, 0.0, -1.5], "leap_after": 1.5}
    rates = {"chat": [20, 0.4, 0.0], "account": account}
    with workers(4, "turns", url=shared.url, limits=rates, tasks=50, users=2, **clocks) as started:
        answers = [worker.hear() for worker in started]
    moments = by_limit([entry for noted in answers for entry in noted])
    assert {name: len(found) for name, found in moments.items()} == {"chat:u0": 100, "chat:u1": 100, "account": 200}
    assert_within(moments["chat:u0"], chat)
    assert_within(moments["chat:u1"], chat)
    assert_within(moments["account"], Rate(account, 1.0))


def test_four_processes_never_have_more_chats_at_once_than_allowed(shared: RedisServer) -> None:
    allowed = {"chats_at_once": 3, "account_at_once": 5}
    with workers(4, "chats", url=shared.url, limits=allowed, tasks=50, users=2) as started:
        assert [len(worker.hear()) for worker in started] == [50] * 4
    assert shared.client.get("running") == b"0"
    # That all places are taken at the same moment is for a busy machine to say.
    assert 3 <= int(cast("bytes", shared.client.get("most"))) <= 5


async def test_the_places_of_a_process_that_was_killed_come_back_after_the_lease(
    own: RedisServer, process: Connect
) -> None:
    lease = 2.0
    allowed = limits(chats_at_once=4)
    with workers(1, "hold", url=own.url, limits={"chats_at_once": 4}, tasks=3, lease=lease, timeout=1.0) as (killed,):
        assert killed.hear() == "held"
        async with process(own, allowed, lease=lease, timeout=1.0, prefix="coze") as limiter:
            await limiter.slot("u0")
            killed.process.kill()
            killed.process.wait()
            heard_of: Any = own.client.zscore("{coze}:processes", killed_id(own, limiter))
            with anyio.fail_after(30):
                for _ in range(3):
                    await limiter.slot("u0")
    assert limiter.noted[1][1] - heard_of >= lease * MICROSECONDS


def killed_id(server: RedisServer, other: RedisLimiter) -> Any:
    members: Any = server.client.zrange("{coze}:processes", 0, -1)
    (found,) = [member for member in members if member.decode() != other._me]
    return found


async def test_processes_that_wait_for_the_same_turns_take_turns(shared: RedisServer, process: Connect) -> None:
    rate = Rate(1, 0.02, guard=0.0)
    async with process(shared, limits(chat=rate)) as first, process(shared, limits(chat=rate)) as second:
        before = second._calls
        async with anyio.create_task_group() as group:
            for _ in range(15):
                group.start_soon(first.turn, "chat", "u")
                group.start_soon(second.turn, "chat", "u")
        calls = max(first._calls, second._calls) - before
    assert_within(granted(first, second)["chat:u"], rate)
    order = sorted([(at, 1) for _, at in first.noted] + [(at, 2) for _, at in second.noted])
    # From the moment when both stand in line, until one has nobody left who waits.
    streaks = [len(list(streak)) for _, streak in groupby(order[4:-4], key=lambda entry: entry[1])]
    assert max(streaks) == 1
    # A turn costs a call, and now and then one that comes too early.
    assert calls <= 3 * 30


async def test_processes_that_wait_for_the_same_places_take_turns(shared: RedisServer, process: Connect) -> None:
    async with (
        process(shared, limits(chats_at_once=1)) as first,
        process(shared, limits(chats_at_once=1)) as second,
        anyio.create_task_group() as group,
    ):

        async def chat(limiter: Noting) -> None:
            (await limiter.slot("u")).release()

        taken = await first.slot("u")
        for _ in range(5):
            group.start_soon(chat, first)
            group.start_soon(chat, second)
        await until(lambda: in_line(shared, first) == 2)
        taken.release()
    order = sorted([(at, 1) for _, at in first.noted[1:]] + [(at, 2) for _, at in second.noted])
    assert [len(list(streak)) for _, streak in groupby(order, key=lambda entry: entry[1])] == [1] * 10


def in_line(server: RedisServer, limiter: RedisLimiter) -> Any:
    return server.client.zcard(f"{limiter._prefix}:queue:user:u")


async def until(condition: Callable[[], object]) -> None:
    """Wait for what other tasks bring about."""
    with anyio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in Redis
            await anyio.sleep(0.002)


async def test_a_release_elsewhere_is_noticed(shared: RedisServer, process: Connect) -> None:
    async with (
        process(shared, limits(account_at_once=1)) as first,
        process(shared, limits(account_at_once=1)) as second,
    ):
        slot = await first.slot(None)
        async with anyio.create_task_group() as group:

            async def other() -> None:
                await second.slot("u")
                assert not slot_is_held

            slot_is_held = True
            group.start_soon(other)
            await until(lambda: second.statistics().chats_waiting)
            slot_is_held = False
            slot.release()
        assert (first.statistics().in_flight, second.statistics().in_flight) == (0, 1)
        # Nobody needs the place there any more, so it is forgotten as soon as Redis knows.
        await until(lambda: not first._gates.known)
        assert second._gates.known


async def test_a_push_back_holds_the_user_back_in_all_processes(shared: RedisServer, process: Connect) -> None:
    allowed = limits(chat=Rate(9, 0.1), bot_info=Rate(9, 0.1))
    async with process(shared, allowed) as first, process(shared, allowed) as second:
        first.push_back("chat", "u", 0.6)
        # A shorter one takes nothing off; what has no limit cannot be held back.
        first.push_back("chat", "u", 0.1)
        first.push_back("other", "u", 60.0)
        await first.turn("bot_info", "u")
        await second.turn("chat", "v")
        since = second.noted[-1][1]
        await second.turn("bot_info", "u")
        assert not second.statistics().delayed
        await second.turn("chat", "u")
        assert second.statistics().delayed == 1
        pushed = first.noted[0][1]
    # The pause was told with the call of the first turn or before, and the clock of Redis has waited since.
    assert second.noted[-1][1] - pushed >= 0.5 * MICROSECONDS
    assert since - pushed < 0.5 * MICROSECONDS
    assert first.statistics().pushed_back == 3


async def test_limits_are_counted_all_or_none(shared: RedisServer, process: Connect) -> None:
    """Who is refused by the account has used up nothing of what is the user's, and the other way round."""
    async with process(shared, limits(chat=Rate(2, 0.5, guard=0.0), account=2)) as limiter:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(limiter.turn, "chat", "u")
            group.start_soon(limiter.turn, "bot_info", None)
        found = granted(limiter)
        assert_within(found["account"], Rate(2, 1.0))
        counted = [shared.client.lrange(f"{limiter._prefix}:turns:{name}", 0, -1) for name in ("account", "chat:u")]
    assert [int(turn) for turn in reversed(counted[0])] == found["account"][-len(counted[0]) :]
    assert {int(turn) for turn in counted[1]} <= set(found["chat:u"])


# --- one process -----------------------------------------------------------------------------------------------------


async def test_those_of_one_process_are_served_in_the_order_in_which_they_came(
    shared: RedisServer, process: Connect
) -> None:
    order: list[int] = []
    async with process(shared, limits(chat=Rate(3, 0.02, guard=0.0), account=200)) as limiter:

        def is_known(number: int) -> bool:
            return limiter.statistics().waiting + len(order) > number

        async def ask(number: int) -> None:
            await limiter.turn("chat", "u")
            order.append(number)

        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(ask, number)
                await until(partial(is_known, number))
    by_time = [at for _, at in limiter.noted]
    assert by_time == sorted(by_time)
    # Those whose turns came in one call may run in any order on trio.
    calls = {
        at: {number for number, (_, when) in zip(order, limiter.noted, strict=True) if when == at} for at in by_time
    }
    assert [number for numbers in calls.values() for number in sorted(numbers)] == [*range(40)]
    assert limiter.statistics().turns == 40


async def test_those_who_give_up_take_no_turn_with_them(shared: RedisServer, process: Connect) -> None:
    rate = Rate(1, 0.15, guard=0.0)
    async with process(shared, limits(chat=rate)) as limiter:
        async with anyio.create_task_group() as group:
            await limiter.turn("chat", "u")
            async with anyio.create_task_group() as leavers:
                for _ in range(5):
                    leavers.start_soon(limiter.turn, "chat", "u")
                await until(lambda: limiter.statistics().waiting == 5)
                group.start_soon(limiter.turn, "chat", "u")
                await until(lambda: limiter.statistics().waiting == 6)
                leavers.cancel_scope.cancel()
        await limiter.turn("chat", "u")
        last = limiter.noted[-1][1]
        turns = [int(turn) for turn in shared.client.lrange(f"{limiter._prefix}:turns:chat:u", 0, -1)]
        assert turns == [last]
        assert len(limiter.noted) == 3
        assert limiter.statistics().turns == 3
        assert not limiter._gates.known


@pytest.mark.parametrize("is_turn", [True, False])
async def test_what_is_granted_to_somebody_who_leaves_in_that_moment_is_not_lost(
    own: RedisServer, process: Connect, is_turn: bool
) -> None:
    """The question is under way when its asker is cancelled, so Redis grants it to nobody."""
    async with process(own, limits(chat=Rate(1, 3600.0), chats_at_once=1)) as limiter:

        async def ask() -> None:
            await (limiter.turn("chat", "u") if is_turn else limiter.slot("u"))

        async with anyio.create_task_group() as group:
            own.pause()
            group.start_soon(ask)
            await until(lambda: any(asked.is_put for asked in limiter.asked))
            group.cancel_scope.cancel()
        assert not limiter.noted
        own.go_on()
        # If it was kept, this one would wait for an hour.
        with anyio.fail_after(30):
            await ask()
        assert len(limiter.noted) == 1
        known = limiter._ledger.turns_after(0.0, anyio.current_time())
        assert sum(len(moments) for _, _, moments in known) == (1 if is_turn else 0)


async def test_who_leaves_while_redis_says_no_stands_in_nobodys_way(own: RedisServer, process: Connect) -> None:
    async with process(own, limits(chats_at_once=1)) as first, process(own, limits(chats_at_once=1)) as second:
        slot = await first.slot("u")
        async with anyio.create_task_group() as group:
            own.pause()
            group.start_soon(second.slot, "u")
            await until(lambda: any(asked.is_put for asked in second.asked))
            group.cancel_scope.cancel()
        own.go_on()
        await until(lambda: not second._gates.known)
        await until(lambda: in_line(own, second) == 0)
        slot.release()


async def test_nobody_waits_without_limits_and_redis_keeps_nothing(shared: RedisServer, process: Connect) -> None:
    async with process(shared, Limits.none()) as limiter:
        for _ in range(10):
            await limiter.turn("chat", "u")
            (await limiter.slot("u")).release()
            (await limiter.conversation("c")).release()
    assert not [*shared.client.scan_iter(f"{limiter._prefix}:turns:*")]
    assert limiter.statistics().turns == 10


async def test_one_chat_per_conversation_but_a_task_does_not_wait_for_itself(
    shared: RedisServer, process: Connect
) -> None:
    async with (
        process(shared, limits(chats_per_conversation=1)) as first,
        process(shared, limits(chats_per_conversation=1)) as second,
    ):
        outer = await first.conversation("c")
        inner = await first.conversation("c")
        inner.release()
        entered: list[Slot] = []

        async def other() -> None:
            entered.append(await second.conversation("c"))

        async with anyio.create_task_group() as group:
            group.start_soon(other)
            await until(lambda: shared.client.zcard(f"{first._prefix}:queue:conversation:c"))
            assert not entered
            outer.release()
        assert first.statistics().in_flight == 0
        entered[0].release()
        entered[0].release()
        # Who has left and comes back has to ask again.
        asked = len(second.noted)
        for _ in range(2):
            (await second.conversation("c")).release()
        assert len(second.noted) == asked + 2


async def test_statistics_and_pacing_count_all_processes(shared: RedisServer, process: Connect) -> None:
    async with process(shared, limits(account=10, chat=Rate(5, 60.0))) as first:
        with first.polling("chat_look") as paced:
            assert paced(0.1) == pytest.approx(0.2)
        async with process(shared, limits(account=10)) as second:
            await second.turn("chat", "u")
            assert second.processes == 2
            await until(lambda: first.processes == 2)
            with first.polling("chat_look") as paced, first.polling("chat_look"):
                # Two pollers here, and so probably two there; they share five looks a second.
                assert paced(0.1) == pytest.approx(0.8)
            assert paced(7.0) == 7.0
            await first.turn("chat", "u")
            statistics = first.statistics()
            assert (statistics.turns, statistics.users, statistics.waiting) == (1, 1, 0)
            assert statistics.limits == first.limits
        assert first.learn({"account": 4, "account_chat": 9}).account == 4
        assert first.limits.account_chat == 9
        assert first.limits.account == 4


async def test_learning_holds_for_those_who_wait(shared: RedisServer, process: Connect) -> None:
    async with process(shared, limits(account=5)) as limiter:
        async with anyio.create_task_group() as group:
            for _ in range(7):
                group.start_soon(limiter.turn, None, None)
            await until(lambda: limiter.statistics().waiting == 2)
            limiter.learn({"account": 1})
        first, *_, before_last, last = granted(limiter)["account"]
    assert before_last - first >= 1.1 * MICROSECONDS
    assert last - before_last >= 1.1 * MICROSECONDS


async def test_idle_users_are_forgotten_here_and_in_redis(shared: RedisServer, process: Connect) -> None:
    async with process(shared, limits(chat=Rate(1, 0.01, guard=0.0))) as limiter:
        async with anyio.create_task_group() as group:
            for number in range(250):
                group.start_soon(limiter.turn, "chat", f"u{number}")
        assert not limiter._gates.known
        await until(lambda: not limiter.statistics().users)
        await until(lambda: not [*shared.client.scan_iter(f"{limiter._prefix}:*:u1*")])


# --- clocks ----------------------------------------------------------------------------------------------------------


async def test_a_clock_of_redis_that_jumps_back_neither_opens_the_gate_nor_shuts_it(
    shared: RedisServer, process: Connect
) -> None:
    rate = Rate(2, 0.3, guard=0.0)
    async with process(shared, limits(chat=rate)) as limiter:
        clock = f"{limiter._prefix}:clock"
        # As if it had been ten seconds ahead until now …
        shared.client.hset(clock, "added", 10 * MICROSECONDS)
        await limiter.turn("chat", "u")
        await limiter.turn("chat", "u")
        # … and were put right.
        shared.client.hset(clock, "added", 0)
        with anyio.fail_after(8):
            await limiter.turn("chat", "u")
    assert_within(granted(limiter)["chat:u"], rate)


# --- Redis goes and comes --------------------------------------------------------------------------------------------


async def test_a_script_that_redis_has_forgotten_is_brought_again(own: RedisServer, process: Connect) -> None:
    async with process(own, limits(chat=Rate(5, 60.0))) as limiter:
        await limiter.turn("chat", "u")
        own.client.script_flush()
        await limiter.turn("chat", "u")
    assert len(limiter.noted) == 2


async def test_a_connection_that_was_closed_while_it_lay_idle_is_made_again(own: RedisServer, process: Connect) -> None:
    async with process(own, limits(chat=Rate(5, 60.0))) as limiter:
        for _ in range(3):
            own.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await limiter.turn("chat", "u")


async def test_while_redis_is_away_requests_fail_and_when_it_has_lost_everything_the_limit_holds(
    own: RedisServer, process: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    rate = Rate(3, 2.5, guard=0.0)
    allowed = limits(chat=rate, chats_at_once=2)
    async with process(own, allowed) as first, process(own, allowed) as second:
        for limiter in (first, second, first):
            await limiter.turn("chat", "u")
        held = await first.slot("u")
        first.push_back("chat", "v", 3600.0)
        await until(lambda: own.client.exists(f"{first._prefix}:pause:chat:v"))
        own.stop()
        for _ in range(2):
            with pytest.raises(TransportError, match="The limits are kept in Redis, and it cannot be asked") as caught:
                await second.turn("chat", "u")
            assert not caught.value.may_have_arrived
            with pytest.raises(TransportError, match="Nothing was sent to Coze"):
                await second.slot("u")
        with pytest.raises(TransportError):
            await first.turn("chat", "u")
        own.start()
        with anyio.fail_after(30):
            # The only place that is left is the second.
            await second.slot("u")
            with anyio.move_on_after(0.2):
                await second.slot("u")
                pytest.fail("The place that was held before is lost.")
            held.release()
            await first.slot("u")
            async with anyio.create_task_group() as group:
                for limiter in (first, second, second):
                    group.start_soon(limiter.turn, "chat", "u")
        assert own.client.exists(f"{first._prefix}:pause:chat:v")
    assert_within(granted(first, second)["chat:u"], rate)
    texts = [record.getMessage() for record in caplog.records]
    assert sum("requests fail before they are sent" in text for text in texts) == 2
    assert sum("has lost what was counted" in text for text in texts) == 2
    assert sum("Redis answers again" in text for text in texts) == 2


async def test_alone_each_process_keeps_to_its_share_until_redis_is_back(
    own: RedisServer, process: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    rate = Rate(4, 3600.0)
    allowed = limits(chat=rate, bot_info=Rate(1, 3600.0), chats_at_once=4)
    local: Any = {"on_redis_down": "local"}
    async with process(own, allowed, **local) as first, process(own, allowed, **local) as second:
        await until(lambda: first.processes == second.processes == 2)
        await first.turn("chat", "u")
        held = await first.slot("u")
        own.stop()
        # Half of four, of which one turn and one place is used; of one, one.
        await first.turn("chat", "u")
        await first.slot("u")
        await first.turn("bot_info", "u")
        for ask in (lambda: first.turn("chat", "u"), lambda: first.turn("bot_info", "u"), lambda: first.slot("u")):
            with anyio.move_on_after(0.1):
                await ask()
                pytest.fail("More than this process' share.")
        held.release()
        with anyio.fail_after(10):
            await first.slot("u")
        await second.turn("chat", "u")
        await second.turn("chat", "u")
        own.start()
        back_since = anyio.current_time()
        await until(lambda: not first._is_alone and not second._is_alone)
        assert anyio.current_time() - back_since >= 2.0
        # All four turns are known again, whoever had them, and so are the places.
        for limiter in (first, second):
            with anyio.move_on_after(0.1):
                await limiter.turn("chat", "u")
                pytest.fail("A turn was forgotten.")
        with anyio.fail_after(30):
            await second.slot("u")
            await second.slot("u")
        with anyio.move_on_after(0.1):
            await second.slot("u")
            pytest.fail("A place was forgotten.")
        assert first.statistics().in_flight == second.statistics().in_flight == 2
    texts = [record.getMessage() for record in caplog.records]
    assert sum("goes on alone, with 1/2 of every limit" in text for text in texts) == 2
    assert sum("the limits are those of all processes again" in text for text in texts) == 2


async def test_turns_that_a_process_had_alone_are_told_to_a_redis_that_has_kept_all_others(
    own: RedisServer, process: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(own, limits(chat=Rate(50, 3600.0)), timeout=0.2, on_redis_down="local") as limiter:
        run = limiter._redis.run

        async def run_while_somebody_asks(*arguments: Any) -> list[int]:
            if limiter._is_alone:
                await limiter.turn("chat", "u")
            return await run(*arguments)

        await limiter.turn("chat", "u")
        monkeypatch.setattr(limiter._redis, "run", run_while_somebody_asks)
        own.pause()
        await until(lambda: limiter._is_alone)
        await limiter.turn("chat", "u")
        own.go_on()
        await until(lambda: not limiter._is_alone)
        await limiter.turn("chat", "u")
        assert own.client.llen(f"{limiter._prefix}:turns:chat:u") == limiter.statistics().turns


async def test_a_redis_that_is_away_is_not_asked_more_often_than_need_be(
    own: RedisServer, process: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(own, limits(chats_at_once=1)) as limiter:
        slot = await limiter.slot("u")
        own.stop()
        asked = 0
        run = limiter._redis.run

        async def counted(*arguments: Any) -> list[int]:
            nonlocal asked
            asked += 1
            return await run(*arguments)

        monkeypatch.setattr(limiter._redis, "run", counted)
        # There is something to tell, which cannot be told.
        slot.release()
        since = anyio.current_time()
        await until(lambda: asked >= 3)
        assert anyio.current_time() - since >= 0.5


async def test_a_redis_that_went_back_to_what_it_had_saved_is_told_again(
    own: RedisServer, process: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    rate = Rate(2, 2.5, guard=0.0)
    async with process(own, limits(chat=rate)) as limiter:
        await limiter.turn("chat", "u")
        await limiter.turn("chat", "u")
        # As after a crash: what came last is missing.
        own.client.delete(f"{limiter._prefix}:turns:chat:u")
        own.client.hset(f"{limiter._prefix}:clock", "calls", 1)
        await limiter.turn("chat", "u")
    assert_within(granted(limiter)["chat:u"], rate)
    assert any("has lost what was counted" in record.getMessage() for record in caplog.records)


async def test_a_push_back_holds_alone_too_and_is_told_when_redis_is_back(own: RedisServer, process: Connect) -> None:
    async with process(own, limits(chat=Rate(4, 60.0)), on_redis_down="local") as limiter:
        own.stop()
        limiter.push_back("chat", "u", 3600.0)
        with anyio.move_on_after(0.1):
            await limiter.turn("chat", "u")
            pytest.fail("The user was pushed back.")
        own.start()
        await until(lambda: own.client.exists(f"{limiter._prefix}:pause:chat:u"))


async def test_a_redis_that_hangs_is_not_waited_for_longer_than_the_timeout(own: RedisServer, process: Connect) -> None:
    async with process(own, limits(chat=Rate(9, 60.0)), timeout=0.2) as limiter:
        own.pause()
        with pytest.raises(TransportError, match=r"TimeoutError: .*\."):
            await limiter.turn("chat", "u")
        own.go_on()
        with anyio.fail_after(30):
            while True:
                try:
                    await limiter.turn("chat", "u")
                    break
                except TransportError:
                    # It works off what was sent to it before.
                    continue


@pytest.mark.parametrize("mode", ["raise", "local"])
async def test_a_process_stands_in_no_line_for_nobody_after_redis_was_away(
    own: RedisServer, process: Connect, mode: Any
) -> None:
    """Its place in line would hold all others up for as long as it lives."""
    alike = partial(process, own, limits(chats_per_conversation=1), timeout=0.5, on_redis_down=mode)
    async with alike() as first, alike() as second:
        held = await second.conversation("c")
        line = f"{first._prefix}:queue:conversation:c"

        async def wait() -> None:
            with suppress(TransportError):
                (await first.conversation("c")).release()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await until(lambda: own.client.zcard(line))
            own.pause()
            await until(lambda: first._outage and second._outage)
            held.release()
            if mode == "raise":
                own.go_on()
        if mode == "local":
            own.go_on()
        await until(lambda: not first._outage and not second._outage)
        with anyio.fail_after(30):
            (await second.conversation("c")).release()
        assert not own.client.zcard(line)


async def test_that_a_line_was_left_is_told_again_if_redis_has_not_heard_it(
    own: RedisServer, process: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process(own, limits(chats_at_once=1)) as limiter:
        await limiter.slot("u")
        line = f"{limiter._prefix}:queue:user:u"
        run, told = limiter._redis.run, 0

        async def away(keys: Sequence[str], arguments: Sequence[str | int]) -> list[int]:
            nonlocal told
            told += "L" in arguments
            if told == 1:
                raise TransportError("gone", may_have_arrived=False)
            return await run(keys, arguments)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(limiter.slot, "u")
            await until(lambda: own.client.zcard(line))
            monkeypatch.setattr(limiter._redis, "run", away)
            tasks.cancel_scope.cancel()
        await until(lambda: told and not limiter._outage)
        assert not own.client.zcard(line)


async def test_a_process_that_was_silent_for_too_long_counts_its_chats_again(
    own: RedisServer, process: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    allowed = limits(chats_at_once=2)
    # With a lease as long as this, what is held is told once in 40 seconds if there is no reason for it.
    async with process(own, allowed, lease=120.0) as silent, process(own, allowed, lease=120.0) as other:
        first = await silent.slot("u")
        await silent.slot("u")
        # As if nothing had been heard of it for longer than the lease.
        own.client.zadd(f"{silent._prefix}:processes", {silent._me: 1})
        await other.slot("u")
        await until(lambda: any("heard nothing of this process" in record.getMessage() for record in caplog.records))
        await until(lambda: own.client.hget(f"{silent._prefix}:held:user:u", silent._me) == b"2")
        # Three are in flight now; a new one waits until one is left.
        async with anyio.create_task_group() as group:
            group.start_soon(other.slot, "u")
            await until(lambda: own.client.zcard(f"{silent._prefix}:queue:user:u"))
            first.release()
            await until(lambda: own.client.hget(f"{silent._prefix}:held:user:u", silent._me) == b"1")
            await anyio.wait_all_tasks_blocked()
            assert other.statistics().chats_waiting == 1
            group.cancel_scope.cancel()


async def test_what_a_process_holds_is_told_again_before_it_is_forgotten(own: RedisServer, process: Connect) -> None:
    async with process(own, limits(chats_at_once=2), lease=2.0, timeout=1.0) as limiter:
        await limiter.slot("u")
        held = f"{limiter._prefix}:held:user:u"
        own.client.delete(held)
        await until(lambda: own.client.hget(held, limiter._me) == b"1")
        # Longer than until it is told again.
        assert own.client.pttl(held) > 2000


async def test_leaving_gives_the_places_back_at_once_and_tells_what_was_not_told(
    shared: RedisServer, process: Connect
) -> None:
    async with process(shared, limits(chats_at_once=2, chat=Rate(1, 60.0))) as staying:
        async with process(shared, limits(chats_at_once=2, chat=Rate(1, 60.0))) as leaving:
            await leaving.slot("u")
            late = await leaving.slot("u")
            leaving.push_back("chat", "v", 3600.0)
        with anyio.fail_after(10):
            await staying.slot("u")
            await staying.slot("u")
        late.release()
        leaving.push_back("chat", "v", 1.0)
        assert shared.client.exists(f"{staying._prefix}:pause:chat:v")
        with pytest.raises(RuntimeError, match="This RedisLimiter was left: make a new one"):
            await leaving.turn("chat", "u")
        with pytest.raises(RuntimeError, match="This RedisLimiter was left: make a new one"):
            async with leaving:
                pass


async def test_leaving_while_redis_is_away_says_what_becomes_of_the_places(
    own: RedisServer, process: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with process(own, limits(chats_at_once=2)) as limiter:
        await limiter.slot("u")
        own.stop()
    assert any(
        "other processes get the places of its chats in 30 s" in record.getMessage() for record in caplog.records
    )


async def test_an_error_in_the_block_leaves_it_as_it_is_and_who_waits_is_told(
    shared: RedisServer, anyio_backend: str, prefix: str
) -> None:
    async def wait(limiter: RedisLimiter) -> None:
        with pytest.raises(RuntimeError, match="The RedisLimiter was left while this request waited"):
            await limiter.turn("chat", "u")

    async with opened(shared, anyio_backend) as client, anyio.create_task_group() as group:

        async def break_off() -> None:
            async with RedisLimiter(client, limits(chat=Rate(1, 60.0)), prefix=prefix) as limiter:
                await limiter.turn("chat", "u")
                group.start_soon(wait, limiter)
                await until(lambda: limiter.statistics().waiting)
                raise KeyError

        with pytest.raises(KeyError):
            await break_off()


async def test_who_asks_at_the_moment_of_leaving_is_told(own: RedisServer, process: Connect) -> None:
    async def ask(limiter: RedisLimiter) -> None:
        with pytest.raises(RuntimeError, match="The RedisLimiter was left while this request waited"):
            await limiter.turn("chat", "u")

    async with anyio.create_task_group() as group:
        async with process(own, limits(chat=Rate(1, 60.0)), timeout=1.0) as limiter:
            own.pause()
            group.start_soon(ask, limiter)
            await until(lambda: any(asked.is_put for asked in limiter.asked))
        own.go_on()


async def test_cancelling_the_block_gives_the_places_back(
    shared: RedisServer, process: Connect, anyio_backend: str, prefix: str
) -> None:
    allowed = limits(chats_at_once=1)
    async with opened(shared, anyio_backend) as client, process(shared, allowed) as staying:
        with anyio.CancelScope() as scope:
            async with RedisLimiter(client, allowed, prefix=prefix) as limiter:
                await limiter.slot("u")
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        with anyio.fail_after(10):
            await staying.slot("u")


# --- clients of Redis ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("library", ["redis", "coredis"])
async def test_a_client_of_either_library_will_do_and_stays_open(
    shared: RedisServer, prefix: str, anyio_backend: str, library: str, decode: bool
) -> None:
    if (library, anyio_backend) == ("redis", "trio"):
        pytest.skip("redis.asyncio runs on asyncio only.")
    async with AsyncExitStack() as stack:
        client: Any
        if library == "redis":
            client = redis.asyncio.from_url(shared.url, decode_responses=decode)
            stack.push_async_callback(client.aclose)
        else:
            made: Any = coredis.Redis
            client = await stack.enter_async_context(made(unix_socket_path=shared.socket, decode_responses=decode))
        async with RedisLimiter(client, prefix=prefix) as limiter:
            await limiter.turn("chat", "u")
            (await limiter.slot("u")).release()
        assert await client.ping()


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisServer]:
    server = RedisServer(is_cluster=True)
    server.start()
    yield server
    server.close()


async def test_a_cluster_keeps_all_that_is_decided_together_in_one_place(
    cluster: RedisServer, anyio_backend: str
) -> None:
    async with AsyncExitStack() as stack:
        client: Any
        if anyio_backend == "asyncio":
            client = redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster.port or 0)
            stack.push_async_callback(client.aclose)
        else:
            client = await stack.enter_async_context(coredis.RedisCluster("127.0.0.1", cluster.port or 0))
        async with RedisLimiter(client, Limits(account=50, account_at_once=5)) as limiter:
            slot = await limiter.slot("u")
            conversation = await limiter.conversation("c")
            limiter.push_back("bot_info", "u", 1.0)
            for user in ("u", "v", "u"):
                await limiter.turn("chat", user)
            conversation.release()
            slot.release()
        assert limiter.statistics().turns == 3


async def test_a_cluster_that_is_gone_is_a_redis_that_is_away(anyio_backend: str) -> None:
    """RedisClusterException is no RedisError: it would end the limiter, and the program with it."""
    server = RedisServer(is_cluster=True)
    async with AsyncExitStack() as stack:
        stack.callback(server.close)
        server.start()
        client: Any
        if anyio_backend == "asyncio":
            client = redis.asyncio.RedisCluster(host="127.0.0.1", port=server.port or 0)
            stack.push_async_callback(client.aclose)
        else:
            client = await stack.enter_async_context(coredis.RedisCluster("127.0.0.1", server.port or 0))
        async with RedisLimiter(client) as limiter:
            await limiter.turn("chat", "u")
            server.stop()
            for _ in range(3):
                with pytest.raises(TransportError, match="Nothing was sent to Coze"):
                    await limiter.turn("chat", "u")


@pytest.mark.parametrize("name", ["", "a:b", "{x}", "茶", "half a pair \ud83d", "zero \0", "long " * 10_000])
async def test_a_user_may_be_called_anything(shared: RedisServer, process: Connect, name: str) -> None:
    async with process(shared, limits(chat=Rate(1, 60.0), chats_at_once=1, chats_per_conversation=1)) as limiter:
        await limiter.turn("chat", name)
        limiter.push_back("chat", name, 60.0)
        (await limiter.conversation(name)).release()
        (await limiter.slot(name)).release()
        await limiter.turn("chat", f"{name}.")


async def test_a_lease_may_be_any_number_of_seconds(shared: RedisServer, process: Connect) -> None:
    async with process(shared, limits(chats_at_once=1), lease=10 / 3, timeout=1.0) as limiter:
        first = await limiter.slot("u")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(limiter.slot, "u")
            # It stands in line.
            line = f"{limiter._prefix}:queue:user:u"
            with anyio.fail_after(30):
                while not shared.client.zcard(line):  # noqa: ASYNC110 - another process keeps it
                    await anyio.sleep(0.005)
            first.release()


async def test_what_cannot_work_on_this_event_loop_is_said(
    shared: RedisServer, prefix: str, anyio_backend: str
) -> None:
    if anyio_backend == "trio":
        with pytest.raises(ConfigurationError, match=r"asyncio only.* Give RedisLimiter a coredis client"):
            async with RedisLimiter(shared.url, prefix=prefix):
                pass
    with pytest.raises(ConfigurationError, match="The coredis client is not open"):
        async with RedisLimiter(coredis.Redis(unix_socket_path=shared.socket), prefix=prefix):
            pass


@pytest.mark.parametrize(
    ("given_redis", "words"),
    [
        ("localhost:6379", "This is no URL of a Redis server"),
        ("http://localhost", "This is no URL of a Redis server"),
        ("redis://host:port", "This is no URL of a Redis server"),
        (redis.Redis(), "This Redis of redis blocks the event loop"),
        (5, "RedisLimiter was given a int: give a URL"),
    ],
)
def test_what_is_no_redis_is_refused_in_words(given_redis: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        RedisLimiter(given_redis)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"limits": 5}, "limits is a int: give Limits"),
        ({"prefix": "a{b}"}, r"prefix is 'a\{b\}': give a name without braces"),
        ({"prefix": ""}, "prefix is ''"),
        ({"lease": 1.0}, "lease is 1.0"),
        ({"lease": float("nan")}, "lease is nan"),
        ({"lease": float("inf")}, "lease is inf"),
        ({"timeout": 0.0}, "timeout is 0.0"),
        ({"timeout": 20.0}, "timeout is 20.0"),
        ({"on_redis_down": "ignore"}, "on_redis_down is 'ignore': give 'raise' or 'local'"),
    ],
)
def test_settings_that_cannot_be_right_are_refused_in_words(option: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        RedisLimiter("redis://localhost", **option)


async def test_without_the_package_it_says_how_to_get_it(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if anyio_backend == "trio":
        pytest.skip("redis.asyncio runs on asyncio only.")
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'coze_async\[redis\]'"):
        async with RedisLimiter("redis://localhost"):
            pass


async def test_a_limiter_that_was_not_entered_says_so(shared: RedisServer) -> None:
    limiter = RedisLimiter(shared.url)
    for ask in (lambda: limiter.turn("chat", "u"), lambda: limiter.slot("u"), lambda: limiter.conversation("c")):
        with pytest.raises(ConfigurationError, match=r"was not entered\. Use `async with RedisLimiter"):
            await ask()


async def test_entering_twice_is_refused(shared: RedisServer, process: Connect) -> None:
    async with process(shared, Limits.none()) as limiter:
        with pytest.raises(RuntimeError, match="This RedisLimiter is open"):
            async with limiter:
                pass


@pytest.mark.parametrize("mode", ["raise", "local"])
async def test_entering_needs_redis_and_the_error_shows_no_password(mode: Any, anyio_backend: str) -> None:
    if anyio_backend == "trio":
        pytest.skip("redis.asyncio runs on asyncio only.")
    with pytest.raises(TransportError, match=r"\(redis://127.0.0.1:1/0: ConnectionError: ") as caught:
        async with RedisLimiter("redis://u:s3cr3t@127.0.0.1:1/0", on_redis_down=mode):
            pass
    assert "s3cr3t" not in str(caught.value)


# --- a client of Coze ------------------------------------------------------------------------------------------------


async def test_clients_share_it_and_without_redis_nothing_is_sent(own: RedisServer, process: Connect) -> None:
    emulator = Emulator()
    emulator.bot("bot", Script("Sunny."))
    async with (
        process(own, Limits()) as limiter,
        AsyncCoze("any", transport=emulator.transport(), limiter=limiter) as one,
        AsyncCoze("any", transport=emulator.transport(), limiter=limiter) as two,
    ):
        for coze in (one, two):
            assert (await coze.chat.ask("How is it?", bot_id="bot", user_id="u")).text == "Sunny."
        await until(lambda: one.limits.statistics().in_flight == 0)
        assert one.limits.statistics().turns == 2
        sent = len(emulator.requests)
        own.stop()
        with pytest.raises(TransportError, match="Nothing was sent to Coze"):
            await one.chat.ask("And now?", bot_id="bot", user_id="u")
        assert len(emulator.requests) == sent


# --- the script against a plain model --------------------------------------------------------------------------------


class Model:
    """What the script keeps, in the plainest way; times are microseconds."""

    def __init__(self) -> None:
        self.turns: dict[str, list[int]] = defaultdict(list)
        self.pauses: dict[str, int] = defaultdict(int)
        self.held: dict[str, dict[str, int]] = defaultdict(dict)
        self.lines: dict[str, list[str]] = defaultdict(list)

    def ahead(self, me: str, name: str) -> int:
        line = self.lines[name]
        return line.index(me) if me in line else len(line)

    def lane(self, me: str, name: str, limit: int, window: int, now: int) -> tuple[int, int]:
        turns = [turn for turn in self.turns[name] if turn + window > now]
        ahead = self.ahead(me, name)
        free, opens = limit - len(turns) - ahead, 0
        if free < 1:
            at = limit - 1 - ahead % limit
            opens = turns[-1 - at] + window * (1 + ahead // limit) if at < len(turns) else now + 20_000
        opens = max(opens, self.pauses[name])
        return (0, opens - now) if opens > now else (free, 0)

    def place(self, me: str, name: str, limit: int, now: int) -> tuple[int, int]:
        ahead = self.ahead(me, name)
        free = limit - sum(self.held[name].values()) - ahead
        return (0, 20_000 * (1 + ahead)) if free < 1 else (free, 0)

    def leave_line(self, me: str, name: str) -> None:
        if me in self.lines[name]:
            self.lines[name].remove(me)

    def join(self, me: str, name: str) -> None:
        if me not in self.lines[name]:
            self.lines[name].append(me)

    def ask(self, me: str, gates: list[tuple[str, int, int]], now: int, *, is_turn: bool, more: bool) -> list[int]:
        def look(gate: tuple[str, int, int]) -> tuple[int, int]:
            name, limit, window = gate
            return self.lane(me, name, limit, window, now) if is_turn else self.place(me, name, limit, now)

        states = [look(gate) for gate in gates]
        longest = max(wait for _, wait in states)
        if longest:
            closed = next(name for (name, *_), (_, wait) in zip(gates, states, strict=True) if wait == longest)
            for name, *_ in gates:
                self.join(me, name) if name == closed else self.leave_line(me, name)
            return [0, *(number for state in states for number in state)]
        reply = [1]
        for gate, (free, _) in zip(gates, states, strict=True):
            name = gate[0]
            if is_turn:
                self.turns[name].append(now)
            else:
                self.held[name][me] = self.held[name].get(me, 0) + 1
            self.leave_line(me, name)
            if free > 1:
                reply += [free - 1, 0]
                continue
            if more:
                self.join(me, name)
            reply += look(gate)
        return reply


WHO = st.sampled_from(["p", "q", "r"])
# Some windows pass within a few steps, others keep the lanes shut, so that lines form.
LIMITED = {"quick": (2, 1_500), "a": (1, 20_000), "b": (2, 50_000), "all": (3, 80_000)}
LANES = st.sampled_from([["quick"], ["a"], ["b"], ["quick", "all"], ["a", "all"], ["b", "all"]])
ONE = st.sampled_from(["quick", "a", "b"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), WHO, LANES, st.booleans()),
        st.tuples(st.just("turn"), WHO, LANES, st.booleans()),
        st.tuples(st.just("place"), WHO, LANES, st.booleans()),
        st.tuples(st.just("leave"), WHO, ONE, st.just(0)),
        st.tuples(st.just("pause"), WHO, ONE, st.integers(1, 3_000)),
        st.tuples(st.just("hold"), WHO, ONE, st.integers(0, 2)),
        st.tuples(st.just("take back"), WHO, ONE, st.integers(0, 5)),
        st.tuples(st.just("note"), WHO, ONE, st.integers(0, 3_000)),
    ),
    max_size=60,
)


@settings(max_examples=80)
@given(STEPS)
# The third in line for one turn in a window waits for two.
@example([("turn", "p", ["a"], False), ("turn", "q", ["a"], False), ("turn", "r", ["a"], False)])
# Who stands in one line and is then refused by another lane leaves the first.
@example(
    [
        ("turn", "q", ["a"], False),
        ("turn", "p", ["a"], False),
        ("turn", "q", ["b", "all"], False),
        ("turn", "q", ["b", "all"], False),
        ("turn", "r", ["quick", "all"], False),
        ("turn", "p", ["a", "all"], False),
    ]
)
def test_the_script_decides_as_a_plain_model_does(shared: RedisServer, steps: list[tuple[str, str, Any, int]]) -> None:
    """Windows are as long as a few steps take, so real time passes them; the answer says what time it was."""
    prefix = f"{{model-{uuid.uuid4().hex}}}"
    model, run = Model(), shared.client.register_script(_script())

    def call(me: str, keys: list[str], *arguments: Any) -> list[int]:
        fixed = [f"{prefix}:clock", f"{prefix}:processes"]
        reply: list[int] = run(
            keys=fixed + [f"{prefix}:{key}" for key in keys], args=[me, 0, 0, 30_000_000, *arguments]
        )
        assert reply[0] == 0
        return reply

    for what, me, where, how in steps:
        if what in ("turn", "place"):
            is_turn = what == "turn"
            gates = (
                [(name, *LIMITED[name]) for name in where]
                if is_turn
                else [(f"place {name}", LIMITED[name][0], 0) for name in where]
            )
            keys: list[str] = []
            arguments: list[Any] = ["T" if is_turn else "E", len(gates)]
            for name, limit, window in gates:
                keys += (
                    [f"turns {name}", f"line {name}", f"pause {name}"] if is_turn else [f"held {name}", f"line {name}"]
                )
                arguments += [limit, window if is_turn else model.held[name].get(me, 0), int(how)]
            reply = call(me, keys, *arguments)
            now = reply[1]
            assert reply[5:] == model.ask(me, gates, now, is_turn=is_turn, more=bool(how))
        elif what == "leave":
            call(me, [f"line {where}"], "L")
            model.leave_line(me, where)
        elif what == "pause":
            now = call(me, [f"pause {where}"], "P", how)[1]
            model.pauses[where] = max(model.pauses[where], now + how)
        elif what == "hold":
            call(me, [f"held place {where}"], "H", how)
            model.held[f"place {where}"][me] = how
        elif what == "take back":
            turns = model.turns[where]
            if how < len(turns):
                at = turns.pop(-1 - how)
                # The one that was there last of those in the same microsecond.
                call(me, [f"turns {where}"], "U", at)
        else:
            now = call(me, [f"turns {where}"], "N", LIMITED[where][1], 1, how)[1]
            model.turns[where].append(max([now - how, *model.turns[where][-1:]]))
        for name, line in model.lines.items():
            assert shared.client.zrange(f"{prefix}:line {name}", 0, -1) == [process.encode() for process in line]
        for name, until_when in model.pauses.items():
            kept = shared.client.get(f"{prefix}:pause {name}")
            assert kept is None or int(kept) == until_when
