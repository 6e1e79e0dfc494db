"""Looking again and again: how often, how long, and what ends it."""

from collections.abc import Sequence
from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async import Polling, TransportError
from coze_async._polling import poll


class Looks:
    """Shows one thing after the other, and notes when it was looked at."""

    def __init__(self, seen: Sequence[str | Exception]) -> None:
        self.seen = list(seen)
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(anyio.current_time())
        now = self.seen.pop(0)
        if isinstance(now, Exception):
            raise now
        return now


def is_over(seen: str) -> bool:
    return seen == "over"


async def test_the_first_look_comes_after_one_interval_and_each_further_one_later() -> None:
    looks = Looks(["busy"] * 5 + ["over"])
    start = anyio.current_time()
    assert await poll(looks, is_over, Polling(interval=1.0, factor=2.0, max_interval=5.0)) == "over"
    assert [moment - start for moment in looks.times] == pytest.approx([1, 3, 7, 12, 17, 22])


async def test_an_interval_beyond_the_longest_one_stays_as_it_is() -> None:
    looks = Looks(["busy", "busy", "over"])
    start = anyio.current_time()
    await poll(looks, is_over, Polling(interval=10.0, max_interval=5.0))
    assert [moment - start for moment in looks.times] == pytest.approx([10, 20, 30])


@pytest.mark.anyio
@settings(max_examples=30)
@given(st.integers(0, 12), st.floats(0.1, 5), st.floats(1, 3), st.floats(0.1, 9))
async def test_no_look_comes_sooner_than_the_interval_or_later_than_the_longest(
    busy: int, interval: float, factor: float, max_interval: float
) -> None:
    looks = Looks(["busy"] * busy + ["over"])
    start = anyio.current_time()
    await poll(looks, is_over, Polling(interval, factor, max_interval))
    moments = [start, *looks.times]
    gaps = [then - before for before, then in pairwise(moments)]
    assert len(gaps) == busy + 1
    assert all(interval - 1e-6 <= gap <= max(interval, max_interval) + 1e-6 for gap in gaps)
    assert gaps == pytest.approx(sorted(gaps))


async def test_everything_that_was_seen_is_told_the_last_one_too() -> None:
    told: list[str] = []
    await poll(Looks(["created", "in_progress", "over"]), is_over, Polling(), on_look=told.append)
    assert told == ["created", "in_progress", "over"]


async def test_a_look_that_fails_ends_it() -> None:
    told: list[str] = []
    with pytest.raises(TransportError):
        await poll(Looks(["busy", TransportError("lost"), "over"]), is_over, Polling(), on_look=told.append)
    assert told == ["busy"]


async def test_the_caller_keeps_the_deadline() -> None:
    looks = Looks(["busy"] * 100)
    with anyio.move_on_after(7.5) as scope:
        await poll(looks, is_over, Polling(interval=2.0, factor=1.0, timeout=1.0))
    assert scope.cancelled_caught
    assert len(looks.times) == 3
