"""Fanning out: one outcome per item, bounded, in every interleaving, and nothing left behind. All in virtual time."""

import asyncio
import copy
import dataclasses
import gc
import itertools
import logging
import pickle
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from answering import Answers, chat, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async import (
    AsyncCoze,
    AuthenticationError,
    Chat,
    ChatFailedError,
    ChatResult,
    ConfigurationError,
    CozeError,
    FanOut,
    Limits,
    Outcome,
    PermissionDeniedError,
    QuotaError,
    Rate,
    RateLimitError,
    ServerError,
    Usage,
    WorkflowError,
    WorkflowRun,
    fan_out,
)
from coze_async._batch import Failed, Succeeded

TOKENS = Usage(token_count=3, input_count=1, output_count=2)
CHAT = Chat(id="9", conversation_id="7", usage=TOKENS)


async def doubled(number: int) -> int:
    await anyio.sleep(1.0)
    return 2 * number


async def at_once(number: int) -> int:
    return number


class Work:
    """Takes a given time for each item, then returns it or raises what was planned; sees how many run at once."""

    def __init__(self, *plans: tuple[float, BaseException | None]) -> None:
        self.plans = plans
        self.running = 0
        self.most = 0
        self.begun: list[int] = []
        self.cleaned_up: list[int] = []

    async def __call__(self, number: int) -> int:
        seconds, error = self.plans[number % len(self.plans)]
        self.begun.append(number)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await anyio.sleep(seconds)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.5)
            self.cleaned_up.append(number)
            raise
        finally:
            self.running -= 1
        if error is not None:
            raise error
        return number


class Source:
    """Numbers, with a note of how many were taken; `after` of them it breaks."""

    def __init__(self, count: int | None = None, *, breaks_after: int | None = None) -> None:
        self.count = count
        self.breaks_after = breaks_after
        self.taken = 0

    def __iter__(self) -> Iterator[int]:
        for number in itertools.count():
            if number == self.breaks_after:
                raise LookupError("the items are broken")
            if number == self.count:
                return
            self.taken += 1
            yield number


class AsyncSource(Source, AsyncIterator[int]):
    """The same numbers, each after some seconds."""

    def __init__(self, count: int | None = None, *, breaks_after: int | None = None, seconds: float = 0.0) -> None:
        super().__init__(count, breaks_after=breaks_after)
        self.seconds = seconds
        self.is_asked = False

    def __aiter__(self) -> "AsyncSource":
        self.numbers = iter(self)
        return self

    async def __anext__(self) -> int:
        # As with an async generator, nobody may ask while somebody waits.
        assert not self.is_asked
        self.is_asked = True
        try:
            await anyio.sleep(self.seconds)
        finally:
            self.is_asked = False
        number = next(self.numbers, None)
        if number is None:
            raise StopAsyncIteration
        return number


async def collected(batch: FanOut[int, Any], *, seconds: float = 0.0) -> list[Outcome[int, Any]]:
    """Take all outcomes, so many seconds for each."""
    outcomes: list[Outcome[int, Any]] = []
    async with batch as handed_out:
        async for outcome in handed_out:
            outcomes.append(outcome)
            await anyio.sleep(seconds)
    return outcomes


# --- every item has its outcome --------------------------------------------------------------------------------------

PLANS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0, 3.0]), st.sampled_from([None, None, ValueError("no"), ServerError("5")])),
    min_size=1,
    max_size=12,
)


@pytest.mark.anyio
@settings(max_examples=60)
@given(PLANS, st.integers(1, 5), st.booleans(), st.sampled_from([None, 0.0, 0.7]), st.sampled_from([0.0, 0.3, 2.0]))
async def test_every_item_has_one_outcome_and_never_more_than_the_limit_run(
    plans: list[tuple[float, BaseException | None]], limit: int, ordered: bool, source: float | None, consumer: float
) -> None:
    work = Work(*plans)
    items = Source(len(plans)) if source is None else AsyncSource(len(plans), seconds=source)
    outcomes = await collected(fan_out(work, items, limit=limit, ordered=ordered), seconds=consumer)
    assert sorted(outcome.index for outcome in outcomes) == [*range(len(plans))]
    if ordered:
        assert [outcome.index for outcome in outcomes] == [*range(len(plans))]
    for outcome in outcomes:
        assert outcome.item == outcome.index
        planned = plans[outcome.index][1]
        assert (outcome.value, outcome.error) == ((None, planned) if planned else (outcome.item, None))
        assert outcome.seconds == pytest.approx(plans[outcome.index][0], abs=1e-4)
    assert sorted(work.begun) == [*range(len(plans))]
    assert work.most <= limit
    assert work.running == 0


async def test_as_many_run_as_may() -> None:
    work = Work((1.0, None))
    began = anyio.current_time()
    await collected(fan_out(work, range(30), limit=10))
    assert work.most == 10
    assert anyio.current_time() - began == pytest.approx(3.0, abs=1e-3)


async def test_outcomes_come_as_they_finish() -> None:
    work = Work((3.0, None), (1.0, ValueError("no")), (2.0, None))
    outcomes = await collected(fan_out(work, range(3)))
    assert [outcome.index for outcome in outcomes] == [1, 2, 0]
    assert [outcome.is_ok for outcome in outcomes] == [False, True, True]


async def test_a_batch_that_is_made_by_its_class_is_the_same() -> None:
    outcomes = await collected(FanOut(Work((3.0, None), (1.0, None), (2.0, None)), range(3)))
    assert [outcome.index for outcome in outcomes] == [1, 2, 0]
    work = Work((1.0, None))
    await collected(FanOut(work, range(120)))
    assert work.most == 100


async def test_in_order_the_first_lets_the_others_wait_up_to_a_bound() -> None:
    work = Work((100.0, None), *[(1.0, None)] * 99)
    async with fan_out(work, range(100), limit=4, ordered=True) as outcomes:
        with anyio.move_on_after(50.0):
            await anext(outcomes)
        # One runs, seven wait for it: 2 * limit in all.
        assert (work.running, len(work.begun)) == (1, 8)
        assert [outcome.index async for outcome in outcomes] == [*range(100)]
    assert work.most == 4


async def test_all_outcomes_can_be_had_at_once_in_the_order_of_their_items() -> None:
    outcomes = await fan_out(Work((2.0, None), (1.0, ValueError("no"))), range(5), limit=2).collect()
    assert [outcome.item for outcome in outcomes] == [0, 1, 2, 3, 4]
    assert [outcome.unwrap() for outcome in outcomes if outcome.is_ok] == [0, 2, 4]
    with pytest.raises(ValueError, match="no"):
        outcomes[1].unwrap()


async def test_no_items_are_no_outcomes() -> None:
    assert await fan_out(doubled, []).collect() == []
    assert await fan_out(doubled, AsyncSource(0)).collect() == []


async def test_after_the_last_outcome_there_is_none() -> None:
    async with fan_out(doubled, [1]) as outcomes:
        assert (await anext(outcomes)).value == 2
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(outcomes)


@pytest.mark.parametrize(
    "error", [CozeError("x"), KeyError("x"), TimeoutError("x"), ExceptionGroup("x", [ValueError("x")]), OSError(28)]
)
async def test_whatever_a_call_raises_is_the_outcome_of_its_item(error: Exception) -> None:
    outcomes = await fan_out(Work((0.0, None), (0.0, error)), range(4)).collect()
    assert [outcome.error for outcome in outcomes] == [None, error, None, error]


async def test_a_function_that_is_not_async_fails_item_by_item() -> None:
    not_async: Any = str
    (outcome,) = await fan_out(not_async, [1]).collect()
    assert isinstance(outcome.error, TypeError)


# --- items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("source", [Source, AsyncSource])
async def test_endless_items_are_taken_only_when_there_is_a_place(source: type[Source], ordered: bool) -> None:
    items, handed_out = source(), 0
    most = 0
    async with fan_out(at_once, items, limit=5, ordered=ordered) as outcomes:
        async for _ in outcomes:
            handed_out += 1
            # Who takes the outcomes is slow: nothing may pile up meanwhile.
            await anyio.sleep(1.0)
            most = max(most, items.taken - handed_out)
            if handed_out == 50:
                break
    assert 5 <= most <= (10 if ordered else 5)


async def test_who_takes_fast_lets_everybody_work() -> None:
    work = Work((1.0, None))
    async with fan_out(work, itertools.count(), limit=5) as outcomes:
        for _ in range(50):
            await anext(outcomes)
    assert work.most == 5


async def test_items_may_come_slower_than_they_are_done() -> None:
    began = anyio.current_time()
    work = Work((1.0, None))
    outcomes = await collected(fan_out(work, AsyncSource(4, seconds=10.0)))
    assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3]
    # The end of the items is asked for too.
    assert anyio.current_time() - began == pytest.approx(50.0, abs=1e-3)
    assert work.most == 1


async def test_items_that_come_from_a_queue_are_done_as_they_come() -> None:
    sending, receiving = anyio.create_memory_object_stream[int](100)
    async with sending, receiving, fan_out(doubled, receiving) as outcomes:
        for number in range(3):
            await sending.send(number)
            assert (await anext(outcomes)).value == 2 * number
        await sending.aclose()
        assert [outcome async for outcome in outcomes] == []


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("source", [Source, AsyncSource])
async def test_what_was_taken_is_handed_out_before_the_error_of_the_items(source: type[Source], ordered: bool) -> None:
    seen: list[int] = []
    batch = fan_out(Work((3.0, None), (1.0, None)), source(breaks_after=5), limit=2, ordered=ordered)

    async def take() -> None:
        async with batch:
            async for outcome in batch:
                seen.append(outcome.index)

    with pytest.raises(LookupError, match="the items are broken"):
        await take()
    assert sorted(seen) == [0, 1, 2, 3, 4]
    with pytest.raises(LookupError):
        await fan_out(doubled, source(breaks_after=0)).collect()


async def test_the_error_of_the_items_is_raised_once() -> None:
    async with fan_out(doubled, Source(breaks_after=0)) as outcomes:
        with pytest.raises(LookupError):
            await anext(outcomes)
        with pytest.raises(StopAsyncIteration):
            await anext(outcomes)


# --- leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", [Source, AsyncSource])
async def test_leaving_early_cancels_the_rest_and_waits_for_its_clean_up(source: type[Source]) -> None:
    work = Work((1.0, None), (10.0, None), (10.0, None))
    began = anyio.current_time()
    async with fan_out(work, source(), limit=3) as outcomes:
        async for outcome in outcomes:
            assert outcome.index == 0
            break
    assert work.running == 0
    assert sorted(work.cleaned_up) == sorted(set(work.begun) - {0})
    assert anyio.current_time() - began == pytest.approx(1.5, abs=1e-3)


async def test_leaving_early_closes_what_the_items_had_opened() -> None:
    closed: list[str] = []

    async def numbers(name: str) -> AsyncGenerator[int]:
        try:
            for number in itertools.count():
                yield number
        finally:
            await anyio.sleep(1.0)
            closed.append(name)

    class Table:
        def __aiter__(self) -> AsyncIterator[int]:
            return numbers("a table's")

    async with fan_out(at_once, Table(), limit=3) as outcomes:
        await anext(outcomes)
    assert closed == ["a table's"]
    # What was given as a generator can be gone on with, as one that is not async can.
    mine = numbers("mine")
    async with fan_out(at_once, mine, limit=3) as outcomes:
        await anext(outcomes)
        await anyio.sleep(1.0)
    assert closed == ["a table's"]
    assert await anext(mine) == 4
    await mine.aclose()


@pytest.mark.parametrize(("needs", "takes"), [(1.0, 1.0), (60.0, 2.0)])
async def test_the_items_are_closed_also_by_who_is_cancelled_but_not_without_end(needs: float, takes: float) -> None:
    closing: list[float] = []

    class Table:
        async def __aiter__(self) -> AsyncGenerator[int]:
            try:
                for number in itertools.count():
                    yield number
            finally:
                began = anyio.current_time()
                try:
                    await anyio.sleep(needs)
                finally:
                    closing.append(anyio.current_time() - began)

    with anyio.move_on_after(5.0):
        async with fan_out(at_once, Table(), limit=3) as outcomes:
            await anext(outcomes)
            await anyio.sleep_forever()
    assert closing == [pytest.approx(takes)]


async def test_an_error_of_the_block_comes_out_as_it_is() -> None:
    work = Work((1.0, None), (10.0, None))

    async def take() -> None:
        async with fan_out(work, range(5)) as outcomes:
            async for _ in outcomes:
                raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await take()
    assert work.running == 0


async def test_cancelling_the_block_cancels_the_rest() -> None:
    work = Work((10.0, None))
    with anyio.move_on_after(1.0) as scope:
        async with fan_out(work, range(5)) as outcomes:
            await anext(outcomes)
    assert scope.cancelled_caught
    assert sorted(work.cleaned_up) == [0, 1, 2, 3, 4]


async def test_cancelling_while_the_rest_cleans_up_is_not_lost() -> None:
    work = Work((10.0, None))
    with anyio.move_on_after(1.2) as scope:
        async with fan_out(work, range(5)):
            await anyio.sleep(1.0)
    assert scope.cancelled_caught
    assert sorted(work.cleaned_up) == [0, 1, 2, 3, 4]


async def test_a_call_that_holds_on_to_its_cancellation_is_given_no_further_item() -> None:
    begun: list[int] = []

    async def stubborn(number: int) -> int:
        begun.append(number)
        try:
            await anyio.sleep(10.0)
        except BaseException:  # noqa: BLE001 - which nobody should do
            return number
        return number

    async with fan_out(stubborn, itertools.count(), limit=2) as outcomes:
        await anyio.sleep(1.0)
    assert begun == [0, 1]
    # Nothing that came is lost.
    assert [outcome.value for outcome in outcomes.untaken] == [0, 1]


@pytest.mark.parametrize("ordered", [False, True])
async def test_what_had_come_when_the_block_was_left_can_still_be_had(ordered: bool) -> None:
    work = Work((3.0, None), (1.0, None), (2.0, None), (50.0, None))
    async with fan_out(work, range(4), ordered=ordered) as outcomes:
        await anyio.sleep(2.5)
        assert ordered or (await anext(outcomes)).index == 1
    assert [outcome.index for outcome in outcomes.untaken] == ([1, 2] if ordered else [2])


async def test_giving_up_on_one_outcome_loses_none() -> None:
    seen: list[int] = []
    async with fan_out(Work((1.0, None)), range(7), limit=2) as outcomes:
        while len(seen) < 7:
            with anyio.move_on_after(0.3):
                seen.append((await anext(outcomes)).index)
    assert sorted(seen) == [*range(7)]


async def test_a_batch_outside_its_block_says_what_to_write() -> None:
    batch = fan_out(doubled, [1])
    with pytest.raises(RuntimeError, match=r"async with fan_out\(\.\.\.\) as outcomes:\n +async for outcome in"):
        aiter(batch)
    with pytest.raises(RuntimeError, match="async with"):
        await anext(batch)
    async with batch as outcomes:
        pass
    with pytest.raises(RuntimeError, match="has been left"):
        await anext(outcomes)
    with pytest.raises(RuntimeError, match="Make a new one"):
        await batch.collect()


async def test_one_task_takes_the_outcomes() -> None:
    refused: list[str] = []

    async def take(outcomes: FanOut[int, int]) -> None:
        try:
            await anext(outcomes)
        except RuntimeError as error:
            refused.append(str(error))

    async with fan_out(doubled, [1, 2]) as outcomes, anyio.create_task_group() as tasks:
        tasks.start_soon(take, outcomes)
        tasks.start_soon(take, outcomes)
    assert refused == ["Another task takes the outcomes of this batch. Let one task take them."]


# --- what is no failure of an item -----------------------------------------------------------------------------------


class Abort(BaseException):
    """No Exception, as KeyboardInterrupt is none."""


async def test_what_is_no_exception_ends_the_batch_as_it_is() -> None:
    work = Work((2.0, None), (1.0, Abort("stop")), (10.0, None))
    with pytest.raises(Abort, match="stop"):
        await fan_out(work, range(3)).collect()
    assert sorted(work.cleaned_up) == [0, 2]


@pytest.mark.parametrize("mine", [None, LookupError()])
async def test_what_is_no_exception_is_raised_though_nobody_looks(mine: Exception | None) -> None:
    async def look_away() -> None:
        async with fan_out(Work((0.0, Abort())), range(3)):
            await anyio.sleep(1.0)
            if mine is not None:
                raise mine

    with pytest.raises(type(mine) if mine else Abort):
        await look_away()


ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)


@ON_ASYNCIO
async def test_a_cancellation_that_nobody_here_asked_for_is_not_taken_for_the_end(anyio_backend: Any) -> None:
    """A future that another task has cancelled: a group would end as if all were done, the block with it."""
    told: list[str] = []

    async def waits_in_vain(number: int) -> None:
        lost = asyncio.get_running_loop().create_future()
        lost.cancel()
        await lost

    async def look_away() -> None:
        async with fan_out(waits_in_vain, [1]):
            await anyio.sleep(1.0)
            told.append("the block is not disturbed")

    with pytest.raises(asyncio.CancelledError):
        await look_away()
    assert told
    with pytest.raises(asyncio.CancelledError):
        await fan_out(waits_in_vain, [1]).collect()


@ON_ASYNCIO
async def test_a_cancellation_in_the_manner_of_asyncio_is_heeded_and_counted(anyio_backend: Any) -> None:
    work = Work((10.0, None))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await fan_out(work, range(3)).collect()
    task = asyncio.current_task()
    assert task is not None
    assert (sorted(work.cleaned_up), task.cancelling()) == ([0, 1, 2], 0)


# --- errors that end a batch -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        QuotaError("x", code=4008),
        AuthenticationError("x"),
        PermissionDeniedError("x"),
        ChatFailedError("x", code=4028),
        WorkflowError("x", code=702095072),
    ],
    ids=repr,
)
async def test_what_the_next_item_would_meet_too_ends_the_batch(
    error: CozeError, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work((5.0, None), (1.0, error), (3.0, None), (1.5, QuotaError("another")))
    items = Source()
    with caplog.at_level(logging.WARNING, "coze_async"):
        async with fan_out(work, items, limit=4) as outcomes:
            assert outcomes.stopped_by is None
            indices = [outcome.index async for outcome in outcomes]
    # What was in flight has gone on to its end.
    assert indices == [1, 3, 2, 0]
    assert items.taken == 4
    assert outcomes.stopped_by is error
    assert [record.getMessage() for record in caplog.records] == [f"a batch ends early, after 4 items: {error}"]


@pytest.mark.parametrize(
    "error", [ChatFailedError("x", code=5000), ChatFailedError("x", code=777777765), RateLimitError("x"), OSError("x")]
)
async def test_other_errors_end_nothing(error: Exception) -> None:
    batch = fan_out(Work((0.0, error)), range(20), limit=2)
    assert len(await batch.collect()) == 20
    assert batch.stopped_by is None


@pytest.mark.parametrize(
    ("stop_on", "stops"),
    [((), False), (ServerError, False), (QuotaError, True), ((OSError, CozeError), True), (Exception, True)],
)
async def test_what_ends_a_batch_can_be_chosen(stop_on: Any, stops: bool) -> None:
    for error in (QuotaError("x"), ChatFailedError("x", code=4028)):
        batch = fan_out(Work((0.0, error)), range(9), limit=1, stop_on=stop_on)
        assert len(await batch.collect()) == (1 if stops else 9)
        assert batch.stopped_by is (error if stops else None)


async def test_a_batch_that_ends_does_not_wait_for_a_next_item() -> None:
    sending, receiving = anyio.create_memory_object_stream[int](9)
    async with sending, receiving:
        await sending.send(0)
        batch = fan_out(Work((1.0, QuotaError("x"))), receiving, limit=5)
        with anyio.fail_after(60):
            assert [outcome.index for outcome in await batch.collect()] == [0]
        # What nobody has taken is still there.
        await sending.send(1)
        assert receiving.receive_nowait() == 1


async def test_an_item_that_was_taken_while_the_batch_ended_is_done() -> None:
    class Held(AsyncSource):
        """Lets go of an item although nobody waits any more."""

        async def __anext__(self) -> int:
            if self.taken:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(10.0)
                return next(self.numbers)
            return await super().__anext__()

    work = Work((1.0, QuotaError("x")), (1.0, None))
    outcomes = await fan_out(work, Held(), limit=5).collect()
    assert [outcome.index for outcome in outcomes] == [0, 1]


# --- what an outcome says --------------------------------------------------------------------------------------------


async def test_an_outcome_tells_attempts_and_time_without_the_wait_for_a_turn() -> None:
    transport = Answers(refusal(4013, headers={"retry-after": "2"}), chat("completed"))
    limits = Limits(chat=Rate(2, 100.0, guard=0.0))
    coze = AsyncCoze("pat_x", base_url="http://coze.test", transport=transport, limits=limits)

    async def create(text: str) -> Chat:
        return await coze.chat.create(text, bot_id="5", user_id="u")

    first, second, third = await fan_out(create, ["a", "b", ""], limit=1).collect()
    assert (first.attempts, second.attempts, third.attempts) == (2, 1, 0)
    assert 2.0 <= first.seconds <= 3.0
    # The first took both turns, and the second had to wait for the window.
    assert second.seconds == pytest.approx(0.0, abs=1e-3)
    assert second.waited == pytest.approx(100.0 - first.seconds, abs=0.1)
    assert (first.waited, third.waited) == pytest.approx((0.0, 0.0), abs=1e-3)
    assert isinstance(third.error, ConfigurationError)


def outcome(value: Any = None, error: Exception | None = None, attempts: int = 1) -> Outcome[int, Any]:
    if error is not None:
        return Failed(0, 0, None, error, attempts, 1.0, 0.0)
    return Succeeded(0, 0, value, None, attempts, 1.0, 0.0)


@pytest.mark.parametrize("kept", [outcome("value"), outcome(error=ServerError("x"))], ids=["succeeded", "failed"])
def test_an_outcome_is_one_of_two_kinds_and_can_be_shown_copied_and_pickled(kept: Outcome[int, Any]) -> None:
    made: Any = Outcome
    assert isinstance(kept, made)
    assert type(made(0, 0, kept.value, kept.error, 1, 1.0, 0.0)) is type(kept)
    assert type(made(0, 0, kept.value, error=kept.error, attempts=1, seconds=1.0, waited=0.0)) is type(kept)
    assert made.__name__ == "Outcome"
    came = "value='value'" if kept.error is None else "error=ServerError('x')"
    assert repr(kept) == f"{type(kept).__name__}(0, item=0, {came}, seconds=1.0)"
    again = pickle.loads(pickle.dumps(kept))
    assert (type(again), again.value, repr(again)) == (type(kept), kept.value, repr(kept))
    assert copy.copy(kept) == kept
    assert dataclasses.replace(kept, index=3).index == 3
    assert kept.is_ok is (kept.error is None)


@pytest.mark.parametrize(
    ("value", "error", "usage"),
    [
        (ChatResult(chat=CHAT), None, TOKENS),
        (WorkflowRun(usage=TOKENS), None, TOKENS),
        (WorkflowRun(), None, None),
        (None, ChatFailedError("x", partial=ChatResult(chat=CHAT)), TOKENS),
        (None, ChatFailedError("x", chat=CHAT), TOKENS),
        (None, ValueError("x"), None),
        ("text", None, None),
    ],
)
def test_an_outcome_knows_its_tokens(value: Any, error: Exception | None, usage: Usage | None) -> None:
    assert outcome(value, error).usage == usage


def test_a_usage_of_another_kind_is_no_number_of_tokens() -> None:
    class Disk:
        usage = "90 %"

    assert outcome(Disk()).usage is None


def test_an_outcome_knows_whether_its_work_may_have_begun() -> None:
    assert outcome(error=ServerError("x")).may_have_started
    assert not outcome(error=ServerError("x"), attempts=0).may_have_started
    assert not outcome(error=RateLimitError("x")).may_have_started
    assert not outcome("value").may_have_started


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        ({"function": None}, "function is None: give an async function"),
        ({"items": "abc"}, "items is a str: give a list"),
        ({"items": 7}, "items is a int"),
        ({"limit": 0}, "limit is 0: give how many"),
        ({"limit": None}, "limit is None"),
        ({"stop_on": [QuotaError]}, r"stop_on is \[.*: give classes of errors in a tuple"),
        ({"stop_on": (4028,)}, "stop_on is"),
    ],
)
def test_arguments_that_cannot_be_right_are_refused_at_once(arguments: dict[str, Any], advice: str) -> None:
    given: dict[str, Any] = {"function": doubled, "items": [1], **arguments}
    with pytest.raises(ConfigurationError, match=advice):
        fan_out(given.pop("function"), given.pop("items"), **given)


# --- cost ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordered", [False, True])
async def test_memory_stays_flat_over_many_items(ordered: bool) -> None:
    async def work(number: int) -> int:
        if number % 3 == 0:
            await anyio.lowlevel.checkpoint()
        if number % 5 == 0:
            raise ValueError(number)
        return number

    blocks: list[int] = []
    async with fan_out(work, itertools.count(), limit=50, ordered=ordered) as outcomes:
        async for handed_out in outcomes:
            if handed_out.index % 10_000 == 5_000:
                gc.collect()
                blocks.append(sys.getallocatedblocks())
            if handed_out.index > 100_000:
                break
    assert len(blocks) == 10
    # 90,000 items later not even one allocation for a hundred of them.
    assert blocks[-1] - blocks[0] < 900
