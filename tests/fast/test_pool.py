"""The pool: what happens when two things happen in the same moment."""

# pyright: reportPrivateUsage=false

import asyncio
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from raw_http import OK, Wire, no_context, receive

from coze_async._fast._connection import Connection, Origin
from coze_async._fast._pool import Pool

ORIGIN = ("http", "a", 80, "a")
DONE = OK + b"Content-Length: 0\r\n\r\n"


class Fresh(Connection):
    """A connection whose other side never says anything by itself."""

    @property
    def is_stale(self) -> bool:
        return False


class WithoutSockets(Pool):
    """Opens connections to nowhere."""

    closes_at_once = False

    async def _opened(self, origin: Origin, seconds: float | None) -> Connection:
        await anyio.lowlevel.checkpoint()
        connection = Fresh(origin, self._loop, self._buffer, freed=self._freed, lost=self._lost)
        connection.connection_made(Wire())
        if self.closes_at_once:
            connection.connection_lost(None)
        return connection


def pool_of(most: int) -> WithoutSockets:
    async def context() -> Any:
        return no_context()

    return WithoutSockets(httpx.Limits(max_connections=most, keepalive_expiry=30.0), context)


async def acquired(pool: Pool) -> Connection:
    connection = pool.idle(ORIGIN)
    return connection or await pool.acquire(ORIGIN, pool=None, connect=None)


def answer(connection: Connection) -> None:
    connection.begin(b"GET", b"")
    receive(connection, DONE)
    connection.release()


async def looped() -> None:
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


async def test_a_connection_that_is_lost_on_its_way_to_the_next_in_line_is_replaced() -> None:
    pool = pool_of(1)
    first = await acquired(pool)
    waiting = asyncio.ensure_future(acquired(pool))
    await looped()
    answer(first)
    first.connection_lost(None)
    with anyio.fail_after(5):
        second = await waiting
    assert second is not first
    assert second.is_open
    assert (pool._connections, pool._opening) == ({second}, 0)


async def test_a_server_that_closes_at_once_takes_no_place() -> None:
    pool = pool_of(1)
    pool.closes_at_once = True
    for _ in range(3):
        with pytest.raises(httpx.ConnectError, match="closed the connection at once"):
            await acquired(pool)
    assert (pool._connections, pool._opening) == (set(), 0)


@pytest.mark.parametrize("is_kept", [True, False], ids=["a connection", "the permission to open one"])
async def test_what_comes_to_one_who_has_given_up_goes_to_the_next_in_line(is_kept: bool) -> None:
    pool = pool_of(1)
    first = await acquired(pool)
    given_up = asyncio.ensure_future(acquired(pool))
    patient = asyncio.ensure_future(acquired(pool))
    await looped()
    if is_kept:
        answer(first)
    else:
        first.close()
    given_up.cancel()
    with anyio.fail_after(5):
        second = await patient
    assert (second is first) == is_kept
    assert (pool._connections, pool._opening) == ({second}, 0)
    assert given_up.cancelled()
