"""The pool: what it keeps, what it forgets, and what happens when two things happen in the same moment."""

# pyright: reportPrivateUsage=false

import asyncio
import math
import ssl

import anyio
import anyio.lowlevel
import pytest
from raw_http import OK, OtherSide, looped, receive

from coze_async._wire._failures import Failure, WireError
from coze_async._wire._fast._connection import Connection
from coze_async._wire._fast._pool import Pool

DONE = OK + b"Content-Length: 0\r\n\r\n"


class WithoutSockets(Pool):
    """Opens connections to nowhere.

    Attributes:
        sides: Their other sides.
        hangs: True if nobody takes them.
        refusal: What is raised instead.
        closes_at_once: True if they are lost as soon as they are there.
    """

    def __init__(self, *, is_tls: bool = False) -> None:
        async def context() -> ssl.SSLContext:
            await anyio.lowlevel.checkpoint()
            return ssl.create_default_context()

        super().__init__("a.example", 80, context if is_tls else None)
        self.sides: list[OtherSide] = []
        self.hangs = False
        self.refusal: OSError | None = None
        self.closes_at_once = False

    async def _dial(self, connection: Connection) -> None:
        await anyio.lowlevel.checkpoint()
        if self.refusal is not None:
            raise self.refusal
        if self.hangs:
            await anyio.sleep_forever()
        self.sides.append(OtherSide())
        connection.connection_made(self.sides[-1])
        if self.closes_at_once:
            connection.connection_lost(None)


@pytest.fixture(autouse=True)
def _nothing_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without a socket there is nothing to look at.
    monkeypatch.setattr(Connection, "is_stale", False)


async def acquired(pool: Pool) -> Connection:
    return pool.idle() or await pool.connect(None, math.inf)


def answer(connection: Connection) -> None:
    connection.begin(b"GET", b"")
    receive(connection, DONE)
    connection.release(reuse=True)


# --- what is kept -----------------------------------------------------------------------------------------------------


async def test_the_connection_that_was_used_last_is_used_first() -> None:
    pool = WithoutSockets()
    first, second = await acquired(pool), await acquired(pool)
    answer(first)
    answer(second)
    assert pool.idle() is second
    assert pool.idle() is first
    assert pool.idle() is None
    await pool.aclose()


async def test_what_has_been_free_for_too_long_is_not_used_even_if_nobody_has_swept_yet() -> None:
    pool = WithoutSockets()
    old = await acquired(pool)
    answer(old)
    sweeping = pool._sweeping
    assert sweeping is not None
    sweeping.cancel()
    await anyio.sleep(31.0)
    assert pool.idle() is None
    assert not old.is_open
    assert pool._connections == set()


async def test_a_connection_to_which_something_has_come_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = WithoutSockets()
    stale = await acquired(pool)
    answer(stale)
    monkeypatch.setattr(Connection, "is_stale", True)
    assert pool.idle() is None
    assert not stale.is_open


async def test_sweeping_closes_what_is_old_and_comes_again_for_the_rest() -> None:
    pool = WithoutSockets()
    connections = [await acquired(pool) for _ in range(3)]

    def which_are_open() -> list[bool]:
        return [connection.is_open for connection in connections]

    for connection in connections:
        answer(connection)
        await anyio.sleep(10.0)
    # They are free since 0, 10 and 20 s.
    await anyio.sleep(0.5)
    assert which_are_open() == [False, True, True]
    await anyio.sleep(10.0)
    assert which_are_open() == [False, False, True]
    await anyio.sleep(10.0)
    assert which_are_open() == [False, False, False]
    assert (pool._connections, pool._idle, pool._sweeping) == (set(), {}, None)
    # And again, from the beginning.
    again = await acquired(pool)
    answer(again)
    await anyio.sleep(29.0)
    assert again.is_open
    await anyio.sleep(2.0)
    assert not again.is_open


async def test_a_connection_that_is_used_again_grows_young() -> None:
    pool = WithoutSockets()
    connection = await acquired(pool)
    for _ in range(4):
        answer(connection)
        await anyio.sleep(20.0)
        assert pool.idle() is connection
    await pool.aclose()


# --- what is forgotten ------------------------------------------------------------------------------------------------


async def test_a_free_connection_that_is_lost_is_forgotten() -> None:
    pool = WithoutSockets()
    connection = await acquired(pool)
    answer(connection)
    connection.connection_lost(None)
    assert (pool._connections, pool._idle) == (set(), {})
    assert pool.idle() is None


async def test_a_server_that_closes_at_once_leaves_nothing() -> None:
    pool = WithoutSockets()
    pool.closes_at_once = True
    for _ in range(3):
        with pytest.raises(WireError, match="closed the connection at once") as caught:
            await acquired(pool)
        assert caught.value.failure is Failure.NO_CONNECTION
    assert pool._connections == set()


async def test_a_server_that_cannot_be_reached_leaves_nothing() -> None:
    pool = WithoutSockets(is_tls=True)
    pool.refusal = ConnectionRefusedError(111, "refused")
    with pytest.raises(WireError, match="refused") as caught:
        await acquired(pool)
    assert caught.value.failure is Failure.NO_CONNECTION
    pool.refusal = OSError()
    with pytest.raises(WireError, match="OSError"):
        await acquired(pool)
    assert pool._connections == set()


@pytest.mark.parametrize("stage", ["dialling", "shaking hands"])
@pytest.mark.parametrize(
    ("seconds", "until", "failure", "end"),
    [
        (5.0, math.inf, Failure.CONNECT_TIMEOUT, 5.0),
        (5.0, 7.0, Failure.CONNECT_TIMEOUT, 5.0),
        (5.0, 3.0, Failure.EXPIRED, 3.0),
        (None, 3.0, Failure.EXPIRED, 3.0),
    ],
)
async def test_a_connection_that_takes_too_long_is_closed_and_forgotten(
    stage: str, seconds: float | None, until: float, failure: Failure, end: float
) -> None:
    pool = WithoutSockets(is_tls=True)
    pool.hangs = stage == "dialling"
    with pytest.raises(WireError) as caught:
        await pool.connect(seconds, until)
    assert caught.value.failure is failure
    assert anyio.current_time() == pytest.approx(end, abs=0.1)
    assert pool._connections == set()
    assert [side.is_open for side in pool.sides] == ([] if pool.hangs else [False])


@pytest.mark.parametrize("stage", ["dialling", "shaking hands"])
async def test_a_connection_that_nobody_waits_for_any_more_is_closed_and_forgotten(stage: str) -> None:
    pool = WithoutSockets(is_tls=True)
    pool.hangs = stage == "dialling"
    task = asyncio.ensure_future(pool.connect(None, math.inf))
    await looped()
    assert len(pool._connections) == 1
    assert [side.is_open for side in pool.sides] == ([] if pool.hangs else [True])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool._connections == set()
    assert [side.is_open for side in pool.sides] == ([] if pool.hangs else [False])


# --- leaving ----------------------------------------------------------------------------------------------------------


async def test_closing_breaks_off_what_is_under_way_and_leaves_no_timer() -> None:
    pool = WithoutSockets(is_tls=True)
    plain = WithoutSockets()
    free, busy = await acquired(plain), await acquired(plain)
    answer(free)
    busy.begin(b"GET", b"")
    sweeping = plain._sweeping
    shaking = asyncio.ensure_future(acquired(pool))
    await looped()
    await pool.aclose()
    await plain.aclose()
    with pytest.raises(WireError, match="the client was closed"):
        await shaking
    with pytest.raises(WireError, match="the client was closed"):
        await busy.answered(math.inf)
    assert [side.is_open for side in [*pool.sides, *plain.sides]] == [False] * 3
    assert (pool._connections, plain._connections, plain._idle) == (set(), set(), {})
    assert sweeping is not None
    assert sweeping.cancelled()


async def test_what_is_given_back_to_a_closed_pool_is_closed() -> None:
    pool = WithoutSockets()
    connection = await acquired(pool)
    connection.begin(b"GET", b"")
    receive(connection, DONE)
    pool._is_closed = True
    connection.release(reuse=True)
    assert pool.idle() is None
    assert not connection.is_open
