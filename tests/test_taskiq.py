"""Chats on many machines: nothing is lost, nothing is asked twice, whoever dies. With a real redis-server."""

# pyright: reportPrivateUsage=false

import math
import re
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import Any, cast

import anyio
import pytest
from anyio.abc import TaskGroup, TaskStatus
from anyio.lowlevel import checkpoint
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis_server import BINARY, RedisServer

from coze_async import (
    AsyncCoze,
    ChatFailedError,
    ConfigurationError,
    CozeError,
    DecodeError,
    Limits,
    Message,
    MessageObject,
    NotFoundError,
    Outcome,
    Polling,
    QuotaError,
    RedisLimiter,
    StreamInterruptedError,
    TransportError,
    Usage,
    fan_out,
)
from coze_async._parcels import Answer, Parcel
from coze_async._producer import _digest, _Waiting
from coze_async._queue import Claim, Delivery, Put
from coze_async._tally import TALLY, Tally
from coze_async._worker import _failed, _not_stored
from coze_async.emulator import ChatInput, Emulator, Failure, Refuse, Script
from coze_async.models import Chat, ChatResult
from coze_async.taskiq import ChatBroker, NotAskedError, Producer, Rules, Worker

# taskiq and redis.asyncio know asyncio only, and Redis' clock is no virtual one.
pytestmark = pytest.mark.usefixtures("anyio_backend")

# Long enough for a machine that is busy with other things to show itself in time.
QUICK = Rules(idle_timeout=2.0, heartbeat=0.25)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def redis_server() -> Generator[RedisServer]:
    if BINARY is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    server = RedisServer()
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def server() -> Generator[RedisServer]:
    with redis_server() as running:
        yield running


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


class Farm:
    """Workers and producers of one queue, with a test's emulator behind them."""

    def __init__(self, url: str, queue: str, emulator: Emulator, tasks: TaskGroup, stack: AsyncExitStack) -> None:
        self.url = url
        self.queue = queue
        self.emulator = emulator
        self.told: list[str] = []
        self.client: Any = cast("Any", Redis).from_url(url)
        self._tasks = tasks
        self._stack = stack

    def broker(self, rules: Rules | None = None, prefix: str = "coze") -> ChatBroker:
        return ChatBroker(self.url, queue=self.queue, prefix=prefix, rules=rules or QUICK, tell=self.told.append)

    async def worker(
        self, *, at_once: int = 16, grace: float = 20.0, rules: Rules | None = None, prefix: str = "coze"
    ) -> Worker:
        """A worker that runs until the test ends."""
        worker = Worker(self.broker(rules, prefix), self._coze(), at_once=at_once, grace=grace)
        await self._tasks.start(worker.run)
        return worker

    async def leaving(self) -> "Leaving":
        """A worker that leaves before the test ends."""
        leaving = Leaving(self.made())
        await self._tasks.start(leaving.run)
        return leaving

    def made(self) -> Worker:
        """A worker that nobody has started, and has no patience."""
        return Worker(self.broker(), self._coze(), grace=0.0)

    def _coze(self) -> AsyncCoze:
        coze = AsyncCoze("pat_x", base_url=self.emulator.url, transport=self.emulator.transport(), limits=Limits.none())
        self._stack.push_async_callback(coze.aclose)
        return coze

    async def silent(self, rules: Rules | None = None) -> ChatBroker:
        """The broker of a worker that never does anything."""
        broker = self.broker(rules)
        await broker.startup()
        self._stack.push_async_callback(broker.shutdown)
        return broker

    def producer(self, run: str | None = None, *, rules: Rules | None = None, prefix: str = "coze") -> Producer:
        return Producer(self.broker(rules, prefix), run=run)

    @property
    def asked(self) -> Counter[str]:
        """How often each question has begun a chat."""
        return Counter(chat.question for chat in self.emulator.chats.values())

    async def left(self) -> int:
        """How many items are in the queue."""
        return int(await self.client.xlen(f"{{queue:{self.queue}}}:items"))


class Leaving:
    """A worker that has to leave, told in one way or another."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._scope = anyio.CancelScope()
        self._has_left = anyio.Event()

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        with self._scope:
            await self.worker.run(task_status=task_status)
        self._has_left.set()

    async def told(self, how: str) -> None:
        """Tell it, and wait until it has left."""
        {"cancelled": self._scope.cancel, "finish": self.worker.finish, "give_back": self.worker.give_back}[how]()
        with anyio.fail_after(60):
            await self._has_left.wait()


@pytest.fixture
async def farm(server: RedisServer, emulator: Emulator, request: pytest.FixtureRequest) -> AsyncGenerator[Farm]:
    async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        farm = Farm(server.url, request.node.name, emulator, tasks, stack)
        stack.push_async_callback(farm.client.aclose)
        yield farm
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], Any]) -> None:
    """Wait until something holds, awaiting it if need be."""
    with anyio.fail_after(60):
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await anyio.sleep(0.005)


async def farm_is_full(farm: Farm, number: int) -> bool:
    return await farm.left() == number


async def queue_is_empty(farm: Farm) -> bool:
    return await farm.left() == 0


async def no_time(keys: object) -> None:
    """Take nothing back."""


async def taken_over(broker: ChatBroker) -> Delivery:
    """What had been handed to a worker that is silent."""
    with anyio.fail_after(60):
        while (delivery := await broker.queue.take_over()) is None:  # noqa: ASYNC110 - only time makes it so
            await anyio.sleep(0.005)
        return delivery


class Gate:
    """A bot that answers when it is told to."""

    def __init__(self) -> None:
        self.opened = anyio.Event()
        self.waiting: list[str] = []

    async def __call__(self, given: ChatInput) -> Script:
        self.waiting.append(given.question)
        await self.opened.wait()
        return Script(f"Yes, {given.question}")


async def test_answers_come_back_whichever_comes_first(farm: Farm) -> None:
    """Producers may come before workers, and workers before producers."""
    farm.emulator.bot("b", lambda given: f"Yes, {given.question}")
    questions = [f"q{number}" for number in range(30)]
    async with farm.producer() as producer:
        ask = partial(producer.ask, bot_id="b", user_id="u")
        async with fan_out(ask, questions, limit=10) as outcomes:
            await until(farm.left)
            workers = [await farm.worker(), await farm.worker()]
            texts = {outcome.item: outcome.unwrap().text async for outcome in outcomes}
        assert texts == {question: f"Yes, {question}" for question in questions}
        assert (await ask("one more")).text == "Yes, one more"
    assert farm.asked == Counter([*questions, "one more"])
    assert sum(worker.answered for worker in workers) == 31
    assert await farm.left() == 0
    assert not farm.told


async def test_a_question_is_asked_once_in_a_run_however_often_it_is_brought(farm: Farm) -> None:
    await farm.worker()
    for run, expected in (("monday", 1), ("monday", 1), ("tuesday", 2)):
        async with farm.producer(run) as producer, anyio.create_task_group() as tasks:
            ask = partial(producer.ask, "q", bot_id="b", user_id="u", key="7")
            tasks.start_soon(ask)
            await ask()
        assert farm.asked == {"q": expected}


async def test_what_makes_another_question_of_the_same_key(farm: Farm) -> None:
    """A key is the name of a line in somebody's file; what stands in the line may have been changed since."""
    await farm.worker()
    async with farm.producer("monday") as producer:
        await producer.ask("q", bot_id="b", user_id="u", key="7")
        await producer.ask("q", bot_id="other", user_id="u", key="7")
        await producer.ask("q", bot_id="b", user_id="u", key="8")
        await producer.ask("q", bot_id="b", user_id="u")
        await producer.ask("q", bot_id="b", user_id="u")
    assert farm.asked == {"q": 5}


async def test_everything_about_a_question_reaches_the_worker(farm: Farm) -> None:
    farm.emulator.bot("b", Script("Yes", seconds=0.0))
    await farm.worker()
    async with farm.producer() as producer:
        await producer.ask(
            [MessageObject.of_text("What is this?"), MessageObject.of_image(file_id="f1")],
            bot_id="b",
            user_id="u",
            additional_messages=[Message.user("Before"), Message.assistant("I see")],
            custom_variables={"mood": "好"},
            polling=Polling(interval=0.01),
        )
    [body] = [request.body for request in farm.emulator.requests if request.path == "/v3/chat"]
    assert body["stream"] is False
    assert body["custom_variables"] == {"mood": "好"}
    assert [message["content"] for message in body["additional_messages"]][:2] == ["Before", "I see"]
    assert "f1" in body["additional_messages"][2]["content"]


async def test_what_has_another_prefix_shares_nothing(farm: Farm) -> None:
    """Two accounts, or staging and production, in one Redis: the same queue, the same run, the same key."""
    of_one, of_other = await farm.worker(prefix="acme"), await farm.worker()
    for prefix in ("acme", "coze", "acme"):
        async with farm.producer("monday", prefix=prefix) as producer:
            await producer.ask("q", bot_id="b", user_id="u", key="7")
    assert (of_one.answered, of_other.answered) == (1, 1)
    usual, own = f"{{queue:{farm.queue}}}", f"{{acme}}{{queue:{farm.queue}}}"
    keys = [key.decode() async for key in farm.client.scan_iter(f"*{farm.queue}*")]
    # What was there before prefixes were is found again.
    assert Counter(key.partition("}:")[0] + "}" for key in keys) == {usual: 2, own: 2}
    assert farm.broker(prefix="acme").place == f"{farm.url}, queue {farm.queue}, prefix acme"


@pytest.mark.parametrize("prefix", ["", " ", "a{b", "a}b", " a", "a\r", "a\nb", "a\ud800", 7])
def test_a_prefix_that_can_be_none_is_refused(prefix: Any) -> None:
    """The end of a line that came along from a file would separate those who belong together, and nobody would see."""
    for make in (ChatBroker, RedisLimiter):
        with pytest.raises(ConfigurationError) as caught:
            make("redis://x", prefix=prefix)
        assert str(caught.value).startswith(f"prefix is {prefix!r}: give a name without braces, line ends or spaces")
    for fine in ("a b", "a:b", "生产"):
        ChatBroker("redis://x", prefix=fine)


async def test_what_json_cannot_say_is_refused_where_it_is_asked(farm: Farm) -> None:
    async with farm.producer() as producer:
        with pytest.raises(ConfigurationError, match="cannot be sent to a worker: object is none of JSON's types"):
            await producer.ask("q", bot_id="b", user_id="u", parameters={"x": object()})
    assert await farm.left() == 0


async def test_errors_attempts_and_time_are_those_of_the_worker(farm: Farm) -> None:
    farm.emulator.bot("gone", None)
    farm.emulator.fail(Refuse(), on="/v3/chat")
    await farm.worker()
    async with farm.producer() as producer:

        async def ask(bot: str) -> ChatResult:
            return await producer.ask("q", bot_id=bot, user_id="u")

        [refused_once, gone] = await fan_out(ask, ["b", "gone"], limit=1).collect()
    assert refused_once.is_ok
    assert refused_once.attempts == 2
    assert refused_once.seconds > 0
    assert refused_once.waited > 0
    assert refused_once.usage is not None
    assert isinstance(gone.error, NotFoundError)
    assert (gone.error.code, gone.attempts) == (4015, 1)
    assert gone.error.logid


async def test_what_a_dead_worker_had_is_answered_though_nothing_new_comes(farm: Farm) -> None:
    dead = await farm.silent()
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
        # This one takes it, claims it, and is never heard of again.
        await until(farm.left)
        delivery = await dead.queue.next(1.0)
        assert delivery is not None
        assert await dead.queue.claim(delivery, "dead/1", producer.run) == (Claim.MINE, 0.0)
        await farm.worker()
    assert farm.asked == {"q": 1}
    assert await farm.left() == 0


async def test_a_lost_item_is_found_behind_many_that_are_at_work(farm: Farm) -> None:
    """taskiq-redis looks at the ten oldest entries only, again and again."""
    gate = Gate()
    farm.emulator.bot("slow", gate)
    dead = await farm.silent()
    await farm.worker(at_once=25)
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        for number in range(25):
            tasks.start_soon(partial(producer.ask, f"slow {number}", bot_id="slow", user_id="u"))
        await until(lambda: len(gate.waiting) == 25)
        tasks.start_soon(partial(producer.ask, "lost", bot_id="b", user_id="u"))
        assert await dead.queue.next(5.0) is not None
        await farm.worker()
        await until(lambda: farm.asked["lost"])
        gate.opened.set()
    assert set(farm.asked.values()) == {1}


async def test_a_slow_chat_is_no_lost_one(farm: Farm) -> None:
    """A chat may take longer than `idle_timeout`: who has it shows itself."""
    gate = Gate()
    farm.emulator.bot("b", gate)
    await farm.worker()
    await farm.worker()
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
        await until(lambda: gate.waiting)
        began = anyio.current_time()
        await until(lambda: anyio.current_time() > began + 2 * QUICK.idle_timeout)
        gate.opened.set()
    assert farm.asked == {"q": 1}


async def test_an_item_that_comes_twice_waits_for_the_first_who_has_it(farm: Farm) -> None:
    gate = Gate()
    farm.emulator.bot("b", gate)
    workers = [await farm.worker(at_once=1), await farm.worker(at_once=1)]
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
        await until(lambda: gate.waiting)
        # The same once more, as if its first worker had been thought dead.
        name = f"{{queue:{farm.queue}}}:items"
        [(_, fields)] = await farm.client.xrange(name)
        await farm.client.xadd(name, fields)
        await until(lambda: all(worker.in_hand for worker in workers))
        gate.opened.set()
    await until(lambda: not any(worker.in_hand for worker in workers))
    assert farm.asked == {"q": 1}
    assert sum(worker.answered for worker in workers) == 1
    assert await farm.left() == 0


async def test_what_a_dead_producer_had_brought_is_collected_by_the_next(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    farm.emulator.bot("b", gate)
    worker = await farm.worker(at_once=2)
    questions = [f"q{number}" for number in range(6)]

    async def answers(producer: Producer) -> list[Outcome[str, ChatResult]]:
        async def ask(question: str) -> ChatResult:
            return await producer.ask(question, bot_id="b", user_id="u", key=question)

        return await fan_out(ask, questions).collect()

    async with farm.producer("monday") as first, anyio.create_task_group() as tasks:
        tasks.start_soon(answers, first)
        await until(lambda: len(gate.waiting) == 2)
        await until(lambda: farm_is_full(farm, 6))
        # Who dies has no time to take anything back.
        monkeypatch.setattr(first, "_taken_back", no_time)
        tasks.cancel_scope.cancel()
    assert await farm.left() == 6
    gate.opened.set()
    await until(lambda: worker.answered)
    async with farm.producer("monday") as second:
        outcomes = await answers(second)
    assert [outcome.unwrap().text for outcome in outcomes] == [f"Yes, {question}" for question in questions]
    assert farm.asked == Counter(questions)


async def test_who_leaves_takes_back_what_nobody_has_begun_with(farm: Farm) -> None:
    gate = Gate()
    farm.emulator.bot("b", gate)
    worker = await farm.worker(at_once=2)
    async with farm.producer() as producer:
        ask = partial(producer.ask, bot_id="b", user_id="u")
        async with fan_out(ask, [f"q{number}" for number in range(9)]) as outcomes:
            await until(lambda: len(gate.waiting) == 2)
            await until(lambda: farm_is_full(farm, 9))
            del outcomes
    assert await farm.left() == 2
    gate.opened.set()
    await until(lambda: worker.answered == 2)
    assert sum(farm.asked.values()) == 2


async def test_a_quota_that_is_used_up_ends_the_run_everywhere(farm: Farm) -> None:
    gate = Gate()

    async def bot(given: ChatInput) -> Script | str:
        if len(gate.waiting) == 3 and not gate.opened.is_set():
            return Script("I", failure=Failure(4028, "no credits left"))
        return await gate(given)

    farm.emulator.bot("b", bot)
    for _ in range(2):
        await farm.worker(at_once=2)
    async with farm.producer("monday") as producer:

        async def ask(question: str) -> ChatResult:
            return await producer.ask(question, bot_id="b", user_id="u", key=question)

        async with fan_out(ask, (f"q{number}" for number in range(10_000)), limit=20) as outcomes:
            ended = [await anext(outcomes) for _ in range(17)]
            assert await farm.left() == 3
            gate.opened.set()
            ended += [outcome async for outcome in outcomes]
        [stop] = [outcome.error for outcome in ended if isinstance(outcome.error, ChatFailedError)]
        assert outcomes.stopped_by is stop
        kinds = Counter(type(outcome.error) for outcome in ended)
        assert kinds == {ChatFailedError: 1, type(None): 3, NotAskedError: 16}
        assert {outcome.attempts for outcome in ended if isinstance(outcome.error, NotAskedError)} == {0}
        assert await farm.left() == 0
        with pytest.raises(NotAskedError, match=r"the run was stopped before\. .*no credits left"):
            await ask("one more")
    assert sum(farm.asked.values()) == 4
    # Somebody has paid; the next producer of the run goes on.
    async with farm.producer("monday") as producer:
        await producer.ask("another", bot_id="b", user_id="u")


async def test_a_full_queue_lets_producers_wait_and_loses_nothing(farm: Farm) -> None:
    gate = Gate()
    farm.emulator.bot("b", gate)
    rules = Rules(maxlen=5)
    await farm.worker(at_once=2, rules=rules)
    async with (
        farm.producer(rules=rules) as one,
        farm.producer(rules=rules) as other,
        anyio.create_task_group() as tasks,
    ):
        for producer in (one, other):
            for number in range(10):
                tasks.start_soon(partial(producer.ask, f"q{number}", bot_id="b", user_id="u"))
        await until(lambda: len(gate.waiting) == 2)
        assert await farm.left() == 5
        gate.opened.set()
    assert farm.asked == Counter({f"q{number}": 2 for number in range(10)})
    assert await farm.left() == 0


async def test_a_question_that_kills_its_workers_is_given_up(farm: Farm) -> None:
    rules = Rules(idle_timeout=0.2, deliveries=2)
    dead = await farm.silent(rules)
    async with farm.producer(rules=rules) as producer, producer.batch(["q"], bot_id="b", user_id="u") as outcomes:
        await until(farm.left)
        assert await dead.queue.next(1.0) is not None
        assert (await taken_over(dead)).count == 2
        await farm.worker(rules=rules)
        outcome = await anext(outcomes)
    with pytest.raises(CozeError, match="Given up: 2 workers that had this question fell silent"):
        outcome.unwrap()
    # Whoever takes the run up again does not ask it again by themselves.
    assert outcome.may_have_started
    assert outcome.attempts == 2
    assert not farm.asked


@pytest.mark.parametrize(
    ("parcel", "words"),
    [
        ("no JSON", r"cannot read this question \(JSONDecodeError"),
        ('{"message": "q"}', r"cannot read this question \(KeyError: 'polling'"),
        (
            '{"message": "q", "bot_id": "b", "user_id": "u", "options": {"newer": 1}, "polling": null}',
            "argument 'newer'.* the same version",
        ),
    ],
)
async def test_a_question_that_a_worker_cannot_read_is_an_error_of_that_question(
    farm: Farm, parcel: str, words: str
) -> None:
    """It would end one worker after the other."""
    worker = await farm.worker()
    async with farm.producer("r") as producer:
        producer._waiting["r:x"] = waiting = _Waiting()
        await producer._brought("r:x", parcel)
        waiting.parcel = parcel
        producer._is_asked.set()
        await waiting.over.wait()
        assert waiting.answer is not None
        assert re.search(words, str(waiting.answer.error))
        assert type(waiting.answer.error) is CozeError
        assert (await producer.ask("q", bot_id="b", user_id="u")).text
    assert (worker.answered, worker.failed) == (1, 1)


async def test_what_cannot_be_asked_like_this_is_an_error_of_that_question(farm: Farm) -> None:
    worker = await farm.worker()
    async with farm.producer() as producer:
        with pytest.raises(ConfigurationError, match="auto_save_history=False keeps nothing on the server"):
            await producer.ask("q", bot_id="b", user_id="u", polling=Polling(), auto_save_history=False)
        assert (await producer.ask("q", bot_id="b", user_id="u")).text
    assert (worker.answered, worker.failed) == (1, 1)


async def test_what_somebody_else_has_put_into_the_stream_is_taken_out(farm: Farm) -> None:
    for fields in ({"mine": "x"}, {"key": b"\xff", "data": "x"}, {"data": "x"}):
        await farm.client.xadd(f"{{queue:{farm.queue}}}:items", fields)
    silent = await farm.silent()
    assert (await silent.queue.next(1.0)) is not None
    assert await silent.queue.leave() == 1
    await farm.worker()
    await until(lambda: queue_is_empty(farm))
    async with farm.producer() as producer:
        assert (await producer.ask("q", bot_id="b", user_id="u")).text


async def test_an_outcome_that_cannot_be_read_is_an_error_of_that_question(farm: Farm) -> None:
    known = f"r:{_digest('q', Parcel('q', 'b', 'u').to_json())}"
    await farm.client.set(f"{{queue:{farm.queue}}}:outcome:{known}", b'{"value": \xff')
    async with (
        farm.producer("r") as producer,
        producer.batch(["q"], bot_id="b", user_id="u", key=str) as outcomes,
    ):
        [outcome] = [outcome async for outcome in outcomes]
    with pytest.raises(DecodeError, match=r"cannot be read \(UnicodeDecodeError: .* the same version"):
        outcome.unwrap()
    assert outcome.may_have_started


async def test_a_worker_that_finishes_answers_what_it_has_and_takes_nothing_more(farm: Farm) -> None:
    gate = Gate()
    farm.emulator.bot("b", gate)
    first = await farm.worker(at_once=2)
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(partial(producer.ask, f"q{number}", bot_id="b", user_id="u"))
        await until(lambda: len(gate.waiting) == 2)
        first.finish()
        gate.opened.set()
        await until(lambda: first.answered == 2)
        await until(lambda: not first.in_hand)
        assert await farm.left() == 3
        await farm.worker()
    assert (first.answered, first.given_back) == (2, 0)
    assert set(farm.asked.values()) == {1}


async def test_what_is_not_answered_in_time_is_given_back_at_once(farm: Farm) -> None:
    gate = Gate()
    farm.emulator.bot("b", gate)
    # Nothing would be taken over within the time of this test.
    rules = Rules(idle_timeout=600.0, heartbeat=0.3)
    first = await farm.worker(at_once=2, grace=0.0, rules=rules)
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(partial(producer.ask, f"q{number}", bot_id="b", user_id="u"))
        await until(lambda: len(gate.waiting) == 2)
        first.finish()
        await until(lambda: first.given_back == 2)
        await farm.worker(rules=rules)
        await until(lambda: len(gate.waiting) == 4)
        gate.opened.set()
    assert first.answered == 0


async def test_what_was_handed_out_and_not_begun_with_is_given_back_too(farm: Farm) -> None:
    broker = await farm.silent()
    await broker.queue.put("k", b"{}")
    assert await broker.queue.next(1.0) is not None
    assert await broker.queue.leave() == 1
    assert await farm.client.xinfo_consumers(f"{{queue:{farm.queue}}}:items", "workers") == []
    again = await broker.queue.next(1.0)
    assert again is not None
    assert (again.key, again.data, again.count) == ("k", b"{}", 1)
    # Whoever does not know whether Redis has heard it says it again.
    for _ in range(2):
        await broker.queue.give_back(again, "nobody")
    assert await broker.queue.put("k", b"{}") is Put.KNOWN
    assert await farm.left() == 1


async def test_who_lost_an_item_knows_and_who_has_it_keeps_it(farm: Farm) -> None:
    """A worker that was silent for too long, on a machine that slept perhaps, and another that has taken over."""
    rules = QUICK
    queue = (await farm.silent()).queue
    await queue.put("k", b"{}")
    delivery = await queue.next(1.0)
    assert delivery is not None
    assert await queue.claim(delivery, "one", "run") == (Claim.MINE, 0.0)
    assert await queue.claim(delivery, "one", "run") == (Claim.MINE, 0.0)
    said, left = await queue.claim(delivery, "other", "run")
    assert said is Claim.TAKEN
    assert 0 < left <= rules.idle_timeout
    assert await queue.renew(delivery, "one")
    assert not await queue.renew(delivery, "other")
    # Redis has forgotten the claim: who shows itself first has it again.
    await farm.client.delete(f"{{queue:{farm.queue}}}:claim:k")
    assert await queue.renew(delivery, "one")
    await queue.settle(delivery, "one", "run", b"first")
    await queue.settle(delivery, "other", "run", b"second")
    assert await queue.outcomes(["k"], "run") == ([b"first"], None)
    assert await queue.claim(delivery, "other", "run") == (Claim.OVER, 0.0)
    assert await farm.left() == 0


async def test_what_was_taken_back_on_its_way_to_a_worker_is_not_asked(farm: Farm) -> None:
    queue = (await farm.silent()).queue
    await queue.put("k", b"{}")
    delivery = await queue.next(1.0)
    assert delivery is not None
    assert await queue.withdraw(["k", "unknown"]) == [True, True]
    assert await queue.claim(delivery, "one", "run") == (Claim.OVER, 0.0)
    await queue.put("k", b"{}")
    delivery = await queue.next(1.0)
    assert delivery is not None
    assert await queue.claim(delivery, "one", "run") == (Claim.MINE, 0.0)
    assert await queue.withdraw(["k"]) == [False]


async def test_nothing_is_claimed_of_a_run_that_was_stopped(farm: Farm) -> None:
    queue = (await farm.silent()).queue
    deliveries: list[Delivery] = []
    for key in ("one", "two"):
        await queue.put(key, b"{}")
        delivery = await queue.next(1.0)
        assert delivery is not None
        deliveries.append(delivery)
    first, second = deliveries
    assert await queue.claim(first, "one", "run") == (Claim.MINE, 0.0)
    await queue.settle(first, "one", "run", b"no money", stop="no money")
    assert await queue.outcomes(["one", "two"], "run") == ([b"no money", None], "no money")
    assert await queue.claim(second, "two", "run") == (Claim.OVER, 0.0)
    assert await farm.left() == 0
    await queue.resume("run")
    assert await queue.outcomes(["two"], "run") == ([None], None)


async def test_an_item_is_known_as_long_as_anything_tells_of_it(farm: Farm) -> None:
    queue = (await farm.silent()).queue
    assert await queue.unknown(["k"]) == ["k"]
    assert await queue.put("k", b"{}") is Put.PUT
    assert await queue.put("k", b"{}") is Put.KNOWN
    delivery = await queue.next(1.0)
    assert delivery is not None
    await queue.claim(delivery, "one", "run")
    # The entry is lost, and who answers it is alive.
    await farm.client.delete(f"{{queue:{farm.queue}}}:items")
    assert await queue.put("k", b"{}") is Put.KNOWN
    await farm.client.delete(f"{{queue:{farm.queue}}}:claim:k")
    assert await queue.unknown(["k"]) == ["k"]
    assert await queue.put("k", b"{}") is Put.PUT
    await queue.settle(delivery, "one", "run", b"done")
    assert await queue.put("k", b"{}") is Put.ANSWERED
    assert await queue.unknown(["k"]) == []


async def test_what_was_brought_before_there_were_workers_is_found(farm: Farm) -> None:
    broker = await farm.silent()
    # Redis has come back with nothing in it.
    await farm.client.flushdb()
    await broker.queue.put("k", b"{}")
    delivery = await broker.insist(partial(broker.queue.next, 1.0))
    assert delivery is not None
    assert delivery.key == "k"


@pytest.mark.parametrize("is_away", [False, True])
async def test_who_begins_and_who_comes_back_lets_the_others_show_themselves_first(
    farm: Farm, monkeypatch: pytest.MonkeyPatch, *, is_away: bool
) -> None:
    """Redis may have been away for all: until they have shown themselves, everybody looks dead."""
    broker = await farm.silent(Rules(idle_timeout=0.6))
    looks: list[float] = []
    took_over, taken = broker.queue.take_over, broker.queue.next
    back_at = anyio.current_time()

    async def take_over() -> Delivery | None:
        looks.append(anyio.current_time())
        return await took_over()

    async def following(wait: float) -> Delivery | None:
        nonlocal back_at
        if is_away and len(looks) == 1:
            back_at = anyio.current_time()
            looks.append(back_at)
            raise RedisConnectionError("gone")
        return await taken(wait)

    monkeypatch.setattr(broker.queue, "take_over", take_over)
    monkeypatch.setattr(broker.queue, "next", following)
    listening = broker.listen()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anext, listening)
        await until(lambda: len(looks) > 2)
        tasks.cancel_scope.cancel()
    await listening.aclose()
    first, _, third = looks[:3]
    assert (third if is_away else first) - back_at >= 0.6


async def test_only_what_was_missed_twice_is_brought_again(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
        await until(lambda: any(waiting.parcel for waiting in producer._waiting.values()))
        await farm.client.flushdb()
        missed = await producer._found_again(set())
        assert missed == set(producer._waiting)
        assert await farm.left() == 0
        assert await producer._found_again(missed) == missed
        assert await farm.left() == 1
        assert await producer._found_again(missed) == set()
        assert [words.partition(" has lost ")[2] for words in farm.told] == ["1 question; it is brought again."]
        tasks.cancel_scope.cancel()


async def test_an_answer_that_has_come_is_stored_though_the_worker_is_told_to_go(emulator: Emulator) -> None:
    with redis_server() as server:
        async with AsyncExitStack() as stack, anyio.create_task_group() as running:
            farm = Farm(server.url, "coze", emulator, running, stack)
            stack.push_async_callback(farm.client.aclose)
            gate = Gate()
            emulator.bot("b", gate)
            worker = await farm.worker()
            async with farm.producer() as producer, anyio.create_task_group() as tasks:
                tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
                await until(lambda: gate.waiting)
                server.pause()
                gate.opened.set()
                await until(lambda: worker._keeping)
                worker.give_back()
                server.go_on()
            assert (worker.answered, worker.given_back) == (1, 0)
            assert farm.asked == {"q": 1}
            running.cancel_scope.cancel()


@pytest.mark.parametrize("told", ["cancelled", "finish", "give_back"])
@pytest.mark.parametrize("is_silent", [False, True])
async def test_who_has_to_leave_says_what_redis_did_not_take(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, told: str, *, is_silent: bool
) -> None:
    """It could be ended by nothing but SIGKILL. Others ask again, as they do after that."""
    monkeypatch.setattr("coze_async._worker.LEAVING", 0.1)
    gate = Gate()
    emulator.bot("b", gate)
    with redis_server() as server:
        async with AsyncExitStack() as stack, anyio.create_task_group() as running:
            farm = Farm(server.url, "coze", emulator, running, stack)
            stack.push_async_callback(farm.client.aclose)
            async with farm.producer() as producer, anyio.create_task_group() as tasks:
                tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
                leaving = await farm.leaving()
                worker = leaving.worker
                await until(lambda: gate.waiting)
                try:
                    if is_silent:
                        server.pause()
                    else:
                        await farm.client.execute_command("REPLICAOF", "127.0.0.1", 1)
                    gate.opened.set()
                    await until(lambda: worker._keeping)
                    await leaving.told(told)
                finally:
                    with anyio.CancelScope(shield=True):
                        server.go_on()
                        await farm.client.execute_command("REPLICAOF", "NO", "ONE")
                [outcome] = worker.unstored
                assert outcome.unwrap().text == "Yes, q"
                assert (worker.answered, worker.failed, worker.given_back) == (0, 0, 0)
                [words] = [words for words in farm.told if "not stored" in words]
                ids = f"conversation_id={outcome.unwrap().conversation_id} chat_id={outcome.unwrap().chat_id}"
                assert words.startswith(f"1 answer is not stored: Redis at {server.url} took nothing until")
                assert words.endswith(f"\n  {ids}")
                await farm.worker()
            # One that was silent may have had the answer on its way.
            assert farm.asked["q"] == 2 or is_silent
            running.cancel_scope.cancel()


@pytest.mark.parametrize("told", ["cancelled", "give_back"])
async def test_who_cannot_give_back_leaves_all_the_same(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setattr("coze_async._worker.LEAVING", 0.1)
    gate = Gate()
    emulator.bot("b", gate)
    with redis_server() as server:
        async with AsyncExitStack() as stack, anyio.create_task_group() as running:
            farm = Farm(server.url, "coze", emulator, running, stack)
            stack.push_async_callback(farm.client.aclose)
            async with farm.producer() as producer, anyio.create_task_group() as tasks:
                tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
                leaving = await farm.leaving()
                await until(lambda: gate.waiting)
                server.pause()
                try:
                    await leaving.told(told)
                finally:
                    server.go_on()
                assert (leaving.worker.unstored, leaving.worker.given_back) == ([], 0)
                assert not [words for words in farm.told if "not stored" in words]
                gate.opened.set()
                await farm.worker()
            running.cancel_scope.cancel()


async def test_a_question_that_hears_first_that_the_worker_leaves_has_no_more_time(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose cancellation is delivered first is nobody's choice."""
    deadlines: list[float] = []

    async def insist(call: object) -> None:
        deadlines.append(anyio.current_effective_deadline())
        await checkpoint()

    worker = farm.made()
    monkeypatch.setattr(worker._broker, "insist", insist)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await worker._answer(Delivery("k", b"1-1", b"{}", 1), "{}", "run", anyio.Event())
    assert scope.cancelled_caught
    claiming, giving_back = deadlines
    assert claiming == -math.inf
    assert giving_back <= anyio.current_time() + 5.0


async def test_who_is_told_again_to_leave_takes_no_longer(farm: Farm) -> None:
    worker = await farm.worker()
    worker.give_back()
    until_then = worker._leaving_at
    assert until_then <= anyio.current_time() + 5.0
    worker.give_back()
    assert worker._leaving_at == until_then


def test_what_is_not_stored_is_named() -> None:
    chat = Chat(id="1", conversation_id="2")
    errors = [
        ChatFailedError("It failed.", chat=chat),
        StreamInterruptedError("Cut.", partial=ChatResult(chat=chat, messages=[])),
        StreamInterruptedError("Cut early.", partial=ChatResult(chat=None, messages=[])),
        TransportError("Gone." + "x" * 999),
    ]
    first, *named = _not_stored([_failed(error) for error in errors], "redis://x").split("\n  ")
    assert first.startswith("4 answers are not stored: Redis at redis://x took nothing until this worker had to leave.")
    ids = "conversation_id=2 chat_id=1"
    assert named == [ids, ids, "Cut early.", f"Gone.{'x' * 195}… (804 more characters)"]


async def test_keys_go_by_themselves(farm: Farm) -> None:
    await farm.worker()
    async with farm.producer("monday") as producer:
        await producer.ask("q", bot_id="b", user_id="u")
    keys = [key.decode() async for key in farm.client.scan_iter(f"{{queue:{farm.queue}}}*")]
    kept = [key for key in keys if ":outcome:" in key]
    assert len(kept) == 1
    assert 6 * 86_400 < await farm.client.ttl(kept[0]) <= 7 * 86_400
    assert [key for key in keys if key not in kept] == [f"{{queue:{farm.queue}}}:items"]


async def test_another_task_of_the_same_broker_is_done_and_taken_out(farm: Farm) -> None:
    """It is a taskiq broker like others."""
    coze = AsyncCoze("pat_x", base_url=farm.emulator.url, transport=farm.emulator.transport())
    broker = farm.broker()
    done: list[int] = []

    @broker.task(task_name="tests:add")
    async def add(number: int) -> None:
        done.append(number)

    worker = Worker(broker, coze)
    async with anyio.create_task_group() as tasks:
        await tasks.start(worker.run)
        await add.kiq(3)
        await until(lambda: done == [3])
        await until(lambda: queue_is_empty(farm))
        worker.finish()
    await coze.aclose()


async def test_everybody_waits_while_redis_is_away_and_goes_on(emulator: Emulator) -> None:
    """It comes back empty, as without a disk: what was brought is brought again, and what is at work is not lost."""
    rules = Rules(idle_timeout=1.0, heartbeat=0.2)
    gate = Gate()
    emulator.bot("b", gate)
    told: list[str] = []
    with redis_server() as server:
        async with AsyncExitStack() as stack, anyio.create_task_group() as running:
            farm = Farm(server.url, "coze", emulator, running, stack)
            farm.told = told
            stack.push_async_callback(farm.client.aclose)
            worker = await farm.worker(at_once=2, rules=rules)
            async with farm.producer(rules=rules) as producer, anyio.create_task_group() as tasks:
                for number in range(5):
                    tasks.start_soon(partial(producer.ask, f"q{number}", bot_id="b", user_id="u"))
                await until(lambda: len(gate.waiting) == 2)
                await until(lambda: farm_is_full(farm, 5))
                server.stop()
                gate.opened.set()
                await until(lambda: len(farm.told) >= 2)
                assert sum(farm.asked.values()) == 2
                server.start()
            assert farm.asked == Counter({f"q{number}": 1 for number in range(5)})
            assert worker.answered == 5
            running.cancel_scope.cancel()
    away = f"Redis at {server.url} does not answer: "
    assert sum(words.startswith(away) and words.endswith("nothing is lost.") for words in told) == 2
    assert sum(words.startswith(f"Redis at {server.url} answers again, after ") for words in told) == 2
    assert any(" has lost " in words for words in told)


@pytest.mark.parametrize(
    ("wrong", "right", "who_wait"),
    [
        # What only takes out needs no room, and an answer takes the place of its question.
        (["CONFIG", "SET", "maxmemory", 1], ["CONFIG", "SET", "maxmemory", 0], 1),
        (["REPLICAOF", "127.0.0.1", 1], ["REPLICAOF", "NO", "ONE"], 3),
        (["CONFIG", "SET", "min-replicas-to-write", 1], ["CONFIG", "SET", "min-replicas-to-write", 0], 3),
    ],
    ids=["full", "replica", "alone"],
)
async def test_a_redis_that_is_full_or_moves_is_waited_for(
    emulator: Emulator, wrong: list[Any], right: list[Any], who_wait: int
) -> None:
    """redis-py takes the word off the text of these errors: OOM, READONLY."""
    gate = Gate()
    emulator.bot("b", gate)
    with redis_server() as server:
        async with AsyncExitStack() as stack, anyio.create_task_group() as running:
            farm = Farm(server.url, "coze", emulator, running, stack)
            stack.push_async_callback(farm.client.aclose)
            worker = await farm.worker()
            other = ChatBroker(server.url, queue="other", tell=farm.told.append)
            await other.startup()
            stack.push_async_callback(other.shutdown)
            await other.queue.put("k", b"{}")
            async with farm.producer() as producer, anyio.create_task_group() as tasks:
                tasks.start_soon(partial(producer.ask, "first", bot_id="b", user_id="u"))
                await until(lambda: gate.waiting)
                await farm.client.execute_command(*wrong)
                gate.opened.set()
                tasks.start_soon(partial(producer.ask, "second", bot_id="b", user_id="u"))
                # The worker stores, the producer brings; what is told in one exchange for many is heard as well.
                tasks.start_soon(other.insist, partial(other.queue.withdraw, ["k"]))
                try:
                    await until(lambda: len(farm.told) >= who_wait)
                finally:
                    # Who waits for a Redis that takes no answer waits for as long as that is so.
                    with anyio.CancelScope(shield=True):
                        await farm.client.execute_command(*right)
            assert farm.asked == Counter(["first", "second"])
            assert worker.answered == 2
            running.cancel_scope.cancel()


@pytest.mark.parametrize("is_lost", [False, True])
async def test_an_answer_takes_the_place_of_its_question_in_a_redis_that_is_full(
    emulator: Emulator, *, is_lost: bool
) -> None:
    """It has been paid for, and there is one for each question at most; also for one that was taken out meanwhile."""
    gate = Gate()
    emulator.bot("b", gate)
    with redis_server() as server:
        async with AsyncExitStack() as stack, anyio.create_task_group() as running:
            farm = Farm(server.url, "coze", emulator, running, stack)
            stack.push_async_callback(farm.client.aclose)
            worker = await farm.worker()
            async with farm.producer() as producer, anyio.create_task_group() as tasks:
                tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
                await until(lambda: gate.waiting)
                if is_lost:
                    await farm.client.delete("{queue:coze}:items")
                await farm.client.config_set("maxmemory", 1)
                gate.opened.set()
                await until(lambda: worker.answered)
            running.cancel_scope.cancel()


@pytest.mark.parametrize("command", ["xclaim", "mget"])
async def test_a_redis_that_refuses_for_good_is_one_error(emulator: Emulator, command: str) -> None:
    """The one is what a worker needs for each item, the other what a producer needs for the outcomes."""
    errors: list[Exception] = []
    with redis_server() as server:
        async with AsyncExitStack() as stack, anyio.create_task_group() as running:
            farm = Farm(server.url, "coze", emulator, running, stack)
            stack.push_async_callback(farm.client.aclose)
            await farm.client.execute_command("ACL", "SETUSER", "default", f"-{command}")

            async def work() -> None:
                try:
                    coze = AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport())
                    async with coze:
                        await Worker(farm.broker(), coze).run()
                except Exception as error:  # noqa: BLE001 - what it is, is the question
                    errors.append(error)

            async def produce() -> None:
                try:
                    async with farm.producer() as producer:
                        await producer.ask("q", bot_id="b", user_id="u")
                except Exception as error:  # noqa: BLE001 - what it is, is the question
                    errors.append(error)

            running.start_soon(work)
            running.start_soon(produce)
            await until(lambda: errors)
            running.cancel_scope.cancel()
    assert [type(error) for error in errors] == [ConfigurationError]
    assert "refuses what a queue needs: " in str(errors[0])


async def test_a_redis_that_has_lost_everything_and_is_full_is_not_asked_all_the_time() -> None:
    told: list[str] = []
    with redis_server() as server:
        broker = ChatBroker(server.url, tell=told.append)
        await broker.startup()
        calls = 0

        async def call() -> Delivery | None:
            nonlocal calls
            calls += 1
            return await broker.queue.next(0.01)

        client = cast("Any", Redis).from_url(server.url)
        await client.flushall()
        await client.config_set("maxmemory", 1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(broker.insist, call)
            await until(lambda: told)
            began, before = anyio.current_time(), calls
            await until(lambda: calls > before)
            assert anyio.current_time() - began >= 0.05
            await client.config_set("maxmemory", 0)
        assert len(told) == 2
        await client.aclose()
        await broker.shutdown()


async def test_a_queue_without_workers_says_so(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async._producer._SILENCE", 0.0)
    async with farm.producer() as producer, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(producer.ask, "q", bot_id="b", user_id="u"))
        await until(lambda: farm.told)
        await farm.worker()
    place = f"{farm.url}, queue {farm.queue}"
    with_what = "Start some, with the same --queue and --prefix: coze-async worker --broker URL"
    assert farm.told == [f"No worker takes anything from Redis at {place}. {with_what}"]


@pytest.mark.parametrize("url", ["redis//localhost", "http://localhost:6379", "redis://localhost:port"])
def test_an_address_that_is_none_is_refused_in_words(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"This is no URL of a Redis server: .* such as 'redis://localhost:6379/0'"
    ):
        ChatBroker(url)


async def test_nobody_at_the_address_is_one_error_without_the_password() -> None:
    broker = ChatBroker("redis://me:secret@127.0.0.1:1/0?password=secret")
    with pytest.raises(
        TransportError, match=r"No Redis answers at redis://127.0.0.1:1/0: .* Check the address"
    ) as caught:
        await broker.startup()
    assert "secret" not in str(caught.value)
    assert not caught.value.may_have_arrived


def test_trio_is_told_that_it_cannot_be_served(server: RedisServer) -> None:
    async def produce() -> None:
        async with Producer(ChatBroker(server.url)):
            pass

    with pytest.raises(ConfigurationError, match="A queue needs asyncio"):
        anyio.run(produce, backend="trio")


async def test_a_redis_that_wants_a_password_is_one_error(farm: Farm) -> None:
    with pytest.raises(ConfigurationError, match=r"lets nobody in like this: .* Give user and password"):
        await ChatBroker(farm.url.replace("://", "://nobody:wrong@")).startup()


async def test_what_is_no_queue_is_one_error(farm: Farm) -> None:
    await farm.client.set(f"{{queue:{farm.queue}}}:items", "mine")
    with pytest.raises(ConfigurationError, match=r"cannot be used as a queue: .*WRONGTYPE"):
        await farm.broker().startup()
    await farm.client.delete(f"{{queue:{farm.queue}}}:items")
    broker = await farm.silent()
    await farm.client.delete(f"{{queue:{farm.queue}}}:items")
    await farm.client.set(f"{{queue:{farm.queue}}}:items", "mine")
    with pytest.raises(ConfigurationError, match="refuses what a queue needs: WRONGTYPE"):
        await broker.insist(partial(broker.queue.put, "k", b"{}"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"maxlen": 0}, "Rules.maxlen is 0"),
        ({"deliveries": 0}, "Rules.deliveries is 0"),
        ({"idle_timeout": 0.0}, "above 0 seconds"),
        ({"heartbeat": 0.0}, "above 0 seconds"),
        ({"keep": -1.0}, "above 0 seconds"),
        ({"keep": math.inf}, "have an end"),
        ({"idle_timeout": math.inf}, "have an end"),
        ({"idle_timeout": 10.0, "heartbeat": 6.0}, r"one that came late would let an item be asked twice. Give 12 s"),
        ({"keep": 10.0}, "be asked again"),
    ],
)
def test_rules_that_would_lose_or_double_something_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Rules(**wrong)


def test_an_error_comes_back_as_what_it_was() -> None:
    chat = Chat(id="1", conversation_id="2", usage=Usage(token_count=3))
    partial_answer = ChatResult(chat=chat, messages=[Message.assistant("Half")])
    failed = ChatFailedError("It failed.", chat=chat, code=4028, msg="no", logid="l", partial=partial_answer)
    back = Answer.from_json(Answer(None, failed, 2, 1.5).to_json())
    assert isinstance(back.error, ChatFailedError)
    assert (str(back.error), back.error.code, back.error.msg, back.error.logid) == ("It failed.", 4028, "no", "l")
    assert back.error.chat == chat
    assert back.error.partial == partial_answer
    assert (back.value, back.attempts, back.seconds) == (None, 2, 1.5)
    lost = Answer.from_json(Answer(None, TransportError("Gone.", may_have_arrived=False)).to_json()).error
    assert isinstance(lost, TransportError)
    assert lost.may_have_arrived is False
    other = Answer.from_json(Answer(None, RuntimeError("a bug")).to_json()).error
    assert type(other) is CozeError
    assert str(other) == "RuntimeError: a bug"
    quota = Answer.from_json(Answer(None, QuotaError("Out.", code=4011, retry_after=3.0)).to_json()).error
    assert isinstance(quota, QuotaError)
    assert (quota.code, quota.retry_after) == (4011, 3.0)
    whole = Answer(partial_answer, None, 1, 0.5)
    assert Answer.from_json(whole.to_json()) == whole


def test_a_question_is_the_same_after_its_way() -> None:
    parcel = Parcel(Message.user("你好\ud83d"), "b", "u", {"parameters": {"$": [1, None]}}, Polling(timeout=None))
    assert Parcel.from_json(parcel.to_json()) == parcel
    # It is a part of what the question is known by.
    one, other = Parcel("q", "b", "u", {"x": 1, "y": 2}), Parcel("q", "b", "u", {"y": 2, "x": 1})
    assert one.to_json() == other.to_json()


async def test_the_tally_of_the_asker_takes_over_the_workers(farm: Farm) -> None:
    await farm.worker()
    tally = Tally()
    TALLY.set(tally)
    async with farm.producer() as producer:
        await producer.ask("q", bot_id="b", user_id="u")
    assert tally.attempts == 1
