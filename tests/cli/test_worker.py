"""`coze-async worker` and `coze-async batch --broker`: many processes answer each question once, whichever dies."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import anyio
import pytest
from cli.command import process
from redis_server import BINARY, RedisServer

from coze_async import Limits, Rate
from coze_async.cli import _worker, main
from coze_async.cli._queue import Run
from coze_async.emulator import ChatInput, Emulator, Failure, Fault, Refuse, Script
from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._world import World

Captured = pytest.CaptureFixture[str]
# A limit for what waits on another process; it is never reached unless something is broken.
SOON = 60.0


@pytest.fixture(scope="module")
def redis() -> Generator[RedisServer]:
    if BINARY is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    server = RedisServer()
    server.start()
    yield server
    server.close()


class Processes:
    """The processes of one test, with a queue of their own."""

    def __init__(self, url: str, queue: str) -> None:
        self.url = url
        self.queue = queue
        self.running: list[subprocess.Popen[bytes]] = []
        # More of their environment.
        self.more: dict[str, str] = {}

    def worker(self, *arguments: str, rate: str = "0") -> subprocess.Popen[bytes]:
        return self._started("worker", "--rate", rate, "--idle-timeout", "2", *arguments)

    def batch(self, *arguments: str) -> subprocess.Popen[bytes]:
        return self._started("batch", "q.txt", "--out", "a.jsonl", "--bot", "b-1", *arguments)

    def _started(self, *arguments: str) -> subprocess.Popen[bytes]:
        started = process([*arguments, "--broker", self.url, "--queue", self.queue], **settings(), **self.more)
        self.running.append(started)
        return started

    def batch_here(self, *arguments: str) -> int:
        """The same in this process, which saves the start of one."""
        names = ["q.txt", "--out", "a.jsonl", "--bot", "b-1", "--broker", self.url, "--queue", self.queue]
        return main(["batch", *names, *arguments])

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something holds, and no longer than all are well."""
        deadline = time.monotonic() + SOON
        while not condition():
            assert time.monotonic() < deadline, "It never came about."
            assert not [ended(each) for each in self.running if each.poll() == 1]
            time.sleep(0.005)

    def close(self) -> None:
        for each in self.running:
            each.kill()
            each.communicate()


def settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("COZE_API_")}


@pytest.fixture
def processes(redis: RedisServer, server: str, request: pytest.FixtureRequest) -> Generator[Processes]:
    started = Processes(redis.url, request.node.name)
    yield started
    started.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(number: int) -> list[str]:
    """Write a file of questions."""
    questions = [f"question {n}" for n in range(1, number + 1)]
    Path("q.txt").write_text("".join(f"{question}\n" for question in questions), encoding="utf-8")
    return questions


def answers() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("a.jsonl").read_text(encoding="utf-8").splitlines()]


def ended(command: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = command.communicate(timeout=SOON)
    return command.returncode, out.decode(), err.decode()


def in_hand_of(redis: RedisServer, queue: str, worker: subprocess.Popen[bytes]) -> list[str]:
    """The questions that a worker has claimed and not settled."""
    prefix = f"{{queue:{queue}}}"
    found: list[str] = []
    for name in redis.client.keys(f"{prefix}:claim:*"):
        owner = redis.client.get(name)
        if owner is None or f"-{worker.pid}-".encode() not in owner:
            continue
        entry = redis.client.get(name.replace(b":claim:", b":queued:"))
        if entry is not None:
            for _, fields in redis.client.xrange(f"{prefix}:items", entry, entry):
                found.append(json.loads(json.loads(fields[b"data"])["kwargs"]["parcel"])["message"])
    return found


def stored_in_vain(redis: RedisServer) -> set[bytes]:
    """The outcomes that a Redis which writes down all it is asked was asked to keep."""
    asked = [entry["command"].split() for entry in redis.client.slowlog_get(128)]
    return {words[6] for words in asked if words[0] == b"EVALSHA" and words[2] == b"5"}


class EveryTwentieth(Fault):
    """Refuses one request of twenty."""

    def __init__(self) -> None:
        self.met = 0

    async def meet(self, answer: Any, world: World) -> EmulatedResponse:
        self.met += 1
        return await (Refuse().meet(answer, world) if self.met % 20 == 0 else answer())


class Bot:
    """A bot that takes its time, and counts how many it talks to at once."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked = Counter[str]()
        self.at_once = 0
        self.most = 0

    async def __call__(self, given: ChatInput) -> Script:
        self.asked[given.question] += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await anyio.sleep(self.seconds)
        finally:
            self.at_once -= 1
        return Script(f"Yes: {given.question}")


async def until_set(event: threading.Event) -> None:
    while not event.is_set():  # noqa: ASYNC110 - it is set in another thread
        await anyio.sleep(0.005)


def most_within(emulator: Emulator, seconds: float) -> int:
    """The largest number of requests that came within so many seconds."""
    times = sorted(request.at for request in emulator.requests)
    return max(bisect_left(times, at + seconds) - index for index, at in enumerate(times))


def test_500_chats_on_two_workers_of_which_one_is_killed(
    processes: Processes, redis: RedisServer, emulator: Emulator
) -> None:
    """Every question has its answer, none was asked twice but those that the dead worker had in hand, and the limits
    of all workers together were kept."""
    questions = put(500)
    bot, fault = Bot(0.3), EveryTwentieth()
    emulator.bot("b-1", bot)
    emulator.fail(fault, on="/v3/chat", times=None)
    limits = ("--at-once", "8", "--account-rate", "40", "--account-at-once", "12")
    first, _ = processes.worker(*limits), processes.worker(*limits)
    producer = processes.batch("--limit", "100")
    # Both are at work, and held back.
    processes.until(lambda: len(bot.asked) >= 150 and bot.most > 8)
    processes.until(lambda: in_hand_of(redis, processes.queue, first))
    first.kill()
    first.wait()
    lost = in_hand_of(redis, processes.queue, first)
    assert 1 <= len(lost) <= 8
    code, out, err = ended(producer)
    assert code == 0, err
    assert out.startswith("500 of 500 questions answered.\n")
    found = answers()
    assert {answer["message"]: answer["text"] for answer in found} == {each: f"Yes: {each}" for each in questions}
    assert len(found) == 500
    assert set(bot.asked) == set(questions)
    assert max(bot.asked.values()) <= 2
    assert {question for question, count in bot.asked.items() if count > 1} <= set(lost)
    assert fault.met >= 500
    assert sum(answer["attempts"] for answer in found) > 500
    # Over five seconds it does not matter that some requests travel longer than others on a busy machine.
    assert most_within(emulator, 5.0) <= 5 * 40
    assert bot.most <= 12


def test_a_producer_that_is_killed_is_taken_up_by_the_same_command(
    processes: Processes, emulator: Emulator, capsys: Captured
) -> None:
    """What was answered meanwhile is collected, and what waits is not brought twice."""
    questions = put(60)
    bot = Bot(0.02)
    emulator.bot("b-1", bot)
    worker = processes.worker("--at-once", "4")
    producer = processes.batch("--limit", "30")
    processes.until(lambda: Path("a.jsonl").exists() and len(answers()) >= 10)
    producer.kill()
    producer.wait()
    before = len(answers())
    assert Path("a.jsonl.run").exists()
    # What it had brought is answered all the same.
    processes.until(lambda: len(bot.asked) >= 30)
    assert processes.batch_here() == 0
    assert before < 60
    assert capsys.readouterr().out.startswith("60 of 60 questions answered.\n")
    assert sorted(answer["message"] for answer in answers()) == sorted(questions)
    assert bot.asked == Counter(questions)
    assert not Path("a.jsonl.run").exists()
    worker.send_signal(signal.SIGTERM)
    assert ended(worker)[0] == 0


def test_a_producer_that_is_stopped_takes_back_what_nobody_has_begun_with(
    processes: Processes, redis: RedisServer, emulator: Emulator
) -> None:
    questions = put(40)
    bot = Bot(0.1)
    emulator.bot("b-1", bot)
    processes.worker("--at-once", "2")
    producer = processes.batch()
    processes.until(lambda: len(bot.asked) >= 4)
    producer.send_signal(signal.SIGINT)
    code, _, err = ended(producer)
    assert code == 130
    assert "Run the same command again" in err
    processes.until(lambda: not redis.client.xlen(f"{{queue:{processes.queue}}}:items"))
    assert bot.asked.total() < 40
    assert processes.batch_here() == 0
    assert bot.asked == Counter(questions)


def test_a_worker_that_is_told_to_stop_finishes_what_it_has(processes: Processes, emulator: Emulator) -> None:
    put(20)
    bot = Bot(0.2)
    emulator.bot("b-1", bot)
    worker = processes.worker("--at-once", "3")
    producer = processes.batch()
    processes.until(lambda: bot.at_once == 3)
    worker.send_signal(signal.SIGINT)
    code, out, err = ended(worker)
    assert (code, out) == (130, "")
    assert f"queue {processes.queue}: 3 at a time. Ctrl-C finishes.\n" in err
    finishing = re.search(r"^Finishing (\d) questions?, within 20 s; the rest is given back", err, re.MULTILINE)
    assert finishing
    done = re.search(r"^Answered (\d+) questions?\.$", err, re.MULTILINE)
    assert done
    assert int(done[1]) >= int(finishing[1])
    processes.worker()
    assert ended(producer)[0] == 0
    assert set(bot.asked.values()) == {1}


def test_a_second_ctrl_c_gives_back_what_is_being_answered(processes: Processes, emulator: Emulator) -> None:
    put(3)
    bot = Bot(600.0)
    emulator.bot("b-1", bot)
    worker = processes.worker()
    producer = processes.batch()
    processes.until(lambda: bot.at_once == 3)
    assert worker.stderr is not None
    assert worker.stderr.readline().startswith(b"Answering questions from ")
    worker.send_signal(signal.SIGINT)
    assert worker.stderr.readline().startswith(b"Finishing 3 questions, within 20 s; the rest is given back.")
    worker.send_signal(signal.SIGINT)
    code, _, err = ended(worker)
    assert code == 130
    assert err == "Giving back what is being answered.\nAnswered 0 questions, gave 3 back.\n"
    bot.seconds = 0.0
    processes.worker()
    assert ended(producer)[0] == 0
    assert len(answers()) == 3


def test_a_worker_that_has_to_leave_with_answers_says_whose_and_fails(
    processes: Processes, redis: RedisServer, emulator: Emulator
) -> None:
    """It leaves some seconds after its grace, whatever Redis does."""
    put(2)
    opened, waiting = threading.Event(), list[str]()

    async def bot(given: ChatInput) -> Script:
        waiting.append(given.question)
        await until_set(opened)
        return Script(f"Yes: {given.question}")

    emulator.bot("b-1", bot)
    # Redis writes down the beginnings of long words only.
    processes.queue = "leaving"
    worker = processes.worker("--grace", "0")
    producer = processes.batch()
    processes.until(lambda: len(waiting) == 2)
    redis.client.execute_command("REPLICAOF", "127.0.0.1", "1")
    redis.client.config_set("slowlog-log-slower-than", 0)
    refused: set[bytes] = set()

    def both_were_refused() -> bool:
        refused.update(stored_in_vain(redis))
        return len(refused) == 2

    try:
        opened.set()
        processes.until(both_were_refused)
        worker.send_signal(signal.SIGTERM)
        code, _, err = ended(worker)
    finally:
        redis.client.config_set("slowlog-log-slower-than", 10_000)
        redis.client.execute_command("REPLICAOF", "NO", "ONE")
    assert code == 1, err
    assert f"2 answers are not stored: Redis at {redis.url} took nothing until this worker had to leave." in err
    named = set(re.findall(r"^  conversation_id=(\S+) chat_id=(\S+)$", err, re.MULTILINE))
    assert named == {(chat.conversation_id, chat.id) for chat in emulator.chats.values()}
    assert err.endswith("\nAnswered 0 questions, 2 answers not stored.\n")
    processes.worker()
    assert ended(producer)[0] == 0
    assert len(answers()) == 2


def test_a_quota_that_is_used_up_stops_the_batch(
    processes: Processes, redis: RedisServer, emulator: Emulator, capsys: Captured
) -> None:
    put(100)
    asked = Counter[str]()

    def bot(given: ChatInput) -> Script:
        asked[given.question] += 1
        is_tenth = given.question == "question 10" and asked[given.question] == 1
        return Script("I", failure=Failure(4028, "no credits")) if is_tenth else Script("Yes")

    emulator.bot("b-1", bot)
    processes.worker("--at-once", "2")
    assert processes.batch_here("--limit", "20") == 1
    out, err = capsys.readouterr()
    assert "error: Nothing more is asked: " in err
    assert "no credits" in err
    assert "ChatFailedError 4028 1" in out
    assert len(asked) < 60
    assert sorted(answer["message"] for answer in answers()) == sorted(asked)
    assert redis.client.xlen(f"{{queue:{processes.queue}}}:items") == 0
    # The account has been topped up. What has failed is asked again, though its outcome is kept in Redis.
    assert processes.batch_here("--retry-started") == 0
    assert [answer["text"] for answer in answers()] == ["Yes"] * 100
    assert asked == Counter({**dict.fromkeys((f"question {n}" for n in range(1, 101)), 1), "question 10": 2})


def test_what_has_another_prefix_shares_neither_questions_nor_limits(
    processes: Processes, redis: RedisServer, emulator: Emulator
) -> None:
    put(3)
    bot = Bot(600.0)
    emulator.bot("b-1", bot)
    stranger = processes.worker()
    processes.until(lambda: redis.client.exists(f"{{queue:{processes.queue}}}:items"))
    processes.more = {"COZE_PREFIX": "staging"}
    worker = processes.worker("--account-at-once", "1")
    processes.batch()
    processes.until(lambda: bot.at_once)
    held = "{staging}:held:account_at_once"
    assert redis.client.hlen(held) == 1
    keys = {key.decode() for key in redis.client.keys("*")}
    assert {"{staging}:clock", f"{{staging}}{{queue:{processes.queue}}}:items"} <= keys
    assert not [key for key in keys if key.startswith(f"{{queue:{processes.queue}}}:queued")]
    stranger.send_signal(signal.SIGTERM)
    worker.send_signal(signal.SIGTERM)
    assert f", queue {processes.queue}: 16 at a time." in ended(stranger)[2]
    worker.send_signal(signal.SIGTERM)
    assert f", queue {processes.queue}, prefix staging: 16 at a time." in ended(worker)[2]


@pytest.mark.parametrize("command", [["worker"], ["batch", "q.txt", "--out", "a.jsonl", "--bot", "b"]])
def test_a_prefix_that_can_be_none_is_wrong_usage(
    command: list[str], server: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one is no usual one: a name that was to come from somewhere else has not, and staging is production."""
    put(1)
    monkeypatch.setenv("COZE_PREFIX", "")
    assert main([*command, "--broker", "redis://x"]) == 2
    assert "COZE_PREFIX provided by env. prefix is '': give a name without braces" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["q.txt"]


def test_nobody_at_the_address_is_one_message(server: str, capsys: Captured) -> None:
    put(1)
    for command in (["worker"], ["batch", "q.txt", "--out", "a.jsonl", "--bot", "b"]):
        assert main([*command, "--broker", "redis://me:secret@127.0.0.1:1"]) == 1
        err = capsys.readouterr().err
        assert "error: No Redis answers at redis://127.0.0.1:1: " in err
        assert "secret" not in err
        # Unquoted as it is: it breaks the address, for those who do not look for its end from behind.
        assert main([*command, "--debug", "--broker", "redis://:S3cret Redis/Pw@127.0.0.1:1"]) == 1
        err = capsys.readouterr().err
        assert "error: No Redis answers at redis://127.0.0.1:1: " in err
        assert not [part for part in ("S3cret", "Redis/Pw", "Redis%2FPw") if part in err]
    assert main(["worker", "--broker", "localhost"]) == 1
    assert "error: This is no URL of a Redis server: " in capsys.readouterr().err


def test_a_batch_for_workers_takes_no_rate(server: str, capsys: Captured) -> None:
    put(1)
    assert main(["batch", "q.txt", "--out", "a.jsonl", "--bot", "b", "--broker", "redis://x", "--rate", "3"]) == 2
    assert "give --rate to coze-async worker" in capsys.readouterr().err


def test_a_batch_without_a_bot_leaves_nothing_behind(server: str, capsys: Captured) -> None:
    put(1)
    assert main(["batch", "q.txt", "--out", "a.jsonl", "--broker", "redis://x"]) == 2
    assert "Which bot?" in capsys.readouterr().err
    assert [path.name for path in Path().iterdir()] == ["q.txt"]


@pytest.mark.parametrize("missing", ["taskiq", "taskiq_redis", "redis"])
def test_without_its_extra_it_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing or name == "coze_async.taskiq"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("_broker", "_producer", "_worker"):
        monkeypatch.delitem(sys.modules, f"coze_async.{name}", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["worker", "--broker", "redis://x"]) == 2
    err = capsys.readouterr().err
    assert f"--broker needs {missing}, which is not installed: pip install 'coze_async[taskiq]'" in err


def test_the_name_of_a_run_stays_until_everything_is_answered(folder: Path) -> None:
    run = Run(folder / "a.jsonl")
    name = run.name(resume=True)
    assert run.name(resume=True) == name
    assert (folder / "a.jsonl.run").read_text() == f"{name}\n"
    other = run.name(resume=False)
    assert other != name
    assert run.name(resume=True) == other
    run.forget()
    run.forget()
    assert run.name(resume=True) not in (name, other)
    assert [path.name for path in folder.iterdir()] == ["a.jsonl.run"]


def test_limits_are_those_that_were_given() -> None:
    usual = _worker.Settings(broker="redis://x", queue="q").limits
    assert (usual.chat, usual.chats_at_once, usual.account) == (Limits().chat, None, None)
    given = _worker.Settings(broker="redis://x", queue="q", rate=7, account_rate=8, account_at_once=9).limits
    assert (given.chat, given.account, given.account_at_once) == (Rate(7, 60.0), 8, 9)
    assert _worker.Settings(broker="redis://x", queue="q", rate=0).limits.chat is None
