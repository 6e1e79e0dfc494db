"""`coze-async batch`: what is asked and written, and that nothing is lost or asked twice, however it is stopped."""

# pyright: reportPrivateUsage=false

import io
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from cli.command import Terminal, process

from coze_async import AsyncCoze, Limits, Rate
from coze_async.cli import _batch, _connect, main
from coze_async.cli._batch import Settings
from coze_async.cli._collect import Collector
from coze_async.cli._journal import Journal
from coze_async.cli._resume import Earlier
from coze_async.emulator import ChatInput, Code, Emulator, ErrorEvent, Failure, Script, ToolCall, Usage

Captured = pytest.CaptureFixture[str]
NOTICE = "COZE_API_TOKEN is not set: talking to the built-in emulator, whose answers are made up.\n"
# A limit for what waits on another process; it is never reached unless something is broken.
SOON = 30.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(name: str, *messages: str) -> None:
    """Write a file of questions, with an id for each."""
    lines = [json.dumps({"id": f"q-{n}", "message": message}) for n, message in enumerate(messages, 1)]
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def batch(*arguments: str) -> int:
    return main(["batch", *arguments, "--out", "a.jsonl", "--bot", "b-1"])


def answers(name: str = "a.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(name).read_text(encoding="utf-8").splitlines()]


def asked(emulator: Emulator) -> Counter[str]:
    """Return how often each question has reached the server."""
    chats = [request.body for request in emulator.requests if request.path == "/v3/chat"]
    return Counter(body["additional_messages"][-1]["content"] for body in chats)


def echo(given: ChatInput) -> Script:
    return Script(f"You said: {given.question}", usage=Usage(10, 20), seconds=0.0)


# --- asking and writing -----------------------------------------------------------------------------------------------


def test_every_question_of_a_file_is_answered_into_another(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", echo)
    put("q.jsonl", "什么是茶？", "What is tea?", "Why?")
    assert batch("q.jsonl") == 0
    found = sorted(answers(), key=lambda answer: answer["line"])
    assert [(answer["id"], answer["ok"], answer["text"]) for answer in found] == [
        ("q-1", True, "You said: 什么是茶？"),
        ("q-2", True, "You said: What is tea?"),
        ("q-3", True, "You said: Why?"),
    ]
    assert {answer["bot_id"] for answer in found} == {"b-1"}
    assert {request.body["user_id"] for request in emulator.requests} == {"cli"}
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "3 of 3 questions answered."
    assert lines[1].startswith("  latency    p50 ")
    assert lines[2] == "  tokens     90 (30 in, 60 out)"
    assert lines[3].startswith("  time       ")
    assert lines[4:] == ["  answers    a.jsonl"]
    assert err == f"{NOTICE}3 questions, 3 to ask.\n"
    assert [path.name for path in sorted(folder.iterdir())] == ["a.jsonl", "q.jsonl"]


@pytest.mark.parametrize(
    ("name", "content", "more"),
    [
        ("q.csv", "id,question,bot_id\nx,a,b-1\ny,b,b-1\n", []),
        ("q.txt", "a\n\nb\n", []),
        ("questions", "a\nb\n", ["--format", "text"]),
        ("q.csv", "编号,问题\nx,a\ny,b\n", ["--field", "问题", "--encoding", "gb18030"]),
    ],
)
def test_questions_may_come_in_other_forms(
    name: str, content: str, more: list[str], folder: Path, emulator: Emulator
) -> None:
    Path(name).write_text(content, encoding="gb18030" if "gb18030" in more else "utf-8")
    assert main(["batch", name, "--out", "a.jsonl", *more]) == 0
    assert sorted(answer["message"] for answer in answers()) == ["a", "b"]


def test_questions_may_be_piped_in(folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("a\n茶\n".encode()), encoding="ascii"))
        assert batch("-", "--format", "text") == 0
    assert asked(emulator) == {"a": 1, "茶": 1}
    monkeypatch.setattr(sys, "stdin", None)
    assert batch("-", "--format", "text") == 2


def test_questions_may_have_a_bot_and_a_user_of_their_own(folder: Path, server: str, emulator: Emulator) -> None:
    Path("q.jsonl").write_text('{"message": "a", "bot_id": "own", "user_id": "u-7"}\n', encoding="utf-8")
    assert main(["batch", "q.jsonl", "--out", "a.jsonl"]) == 0
    body = emulator.requests[-1].body
    assert (body["bot_id"], body["user_id"]) == ("own", "u-7")
    assert (answers()[0]["bot_id"], answers()[0]["user_id"]) == ("own", "u-7")


def test_a_question_without_a_bot_is_named_before_anything_is_asked(
    folder: Path, server: str, emulator: Emulator, capsys: Captured
) -> None:
    Path("q.jsonl").write_text('{"message": "a", "bot_id": "own"}\n{"message": "b"}\n', encoding="utf-8")
    assert main(["batch", "q.jsonl", "--out", "a.jsonl"]) == 2
    assert "error: Which bot? line 2 of q.jsonl names none. Give --bot ID" in capsys.readouterr().err
    assert emulator.requests == []
    assert not Path("a.jsonl").exists()


def test_answers_can_be_polled_and_written_in_order(folder: Path, emulator: Emulator) -> None:
    emulator.bot("b-1", lambda given: Script(given.question, seconds=0.2 if given.question == "slow" else 0.0))
    put("q.jsonl", "slow", *map(str, range(20)))
    assert batch("q.jsonl", "--poll", "--ordered", "--user", "u-1", "--limit", "3") == 0
    assert [answer["text"] for answer in answers()] == ["slow", *map(str, range(20))]
    assert {request.body["stream"] for request in emulator.requests if request.path == "/v3/chat"} == {False}
    assert {request.body["user_id"] for request in emulator.requests if request.path == "/v3/chat"} == {"u-1"}


def test_not_more_than_the_limit_are_asked_at_once(folder: Path, emulator: Emulator) -> None:
    most = 0

    async def counted(given: ChatInput) -> Script:
        nonlocal most
        most = max(most, emulator.open_streams)
        return Script("one two three", pace=0.002)

    emulator.bot("b-1", counted)
    # Each of a user of its own: the limits of one user hold nobody back.
    lines = [json.dumps({"message": "Hi", "user_id": f"u-{number}"}) for number in range(60)]
    Path("q.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert batch("q.jsonl", "--limit", "7") == 0
    assert 1 < most <= 7


def test_limit_and_rate_are_those_of_the_command_line() -> None:
    settings = Settings(source="q", out=Path("a"), limit=50)
    usual = Limits().chat
    assert settings.limits(usual) == Limits(chat=Rate(60, 60.0), chats_at_once=50)
    assert settings.limits(None) == Limits(chat=None, chats_at_once=50)
    chosen = Settings(source="q", out=Path("a"), rate=200)
    assert chosen.limits(usual) == chosen.limits(None) == Limits(chat=Rate(200, 60.0), chats_at_once=16)
    assert Settings(source="q", out=Path("a"), rate=0).limits(usual).chat is None


@pytest.mark.parametrize(
    ("is_emulated", "more", "rate"),
    [
        (True, [], None),
        (False, [], Rate(60, 60.0)),
        (True, ["--rate", "200"], Rate(200, 60.0)),
        (False, ["--rate", "200"], Rate(200, 60.0)),
        (False, ["--rate", "0"], None),
    ],
)
def test_the_built_in_emulator_is_in_no_hurry_to_be_spared(
    is_emulated: bool, more: list[str], rate: Rate | None, folder: Path, server: str, emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if is_emulated:
        monkeypatch.delenv("COZE_API_TOKEN")
    made: list[Limits] = []

    def client(*arguments: Any, **options: Any) -> AsyncCoze:
        made.append(options["limits"])
        return AsyncCoze(*arguments, **options)

    monkeypatch.setattr(_connect, "AsyncCoze", client)
    put("q.jsonl", "a")
    assert batch("q.jsonl", "--limit", "9", *more) == 0
    assert [(limits.chat, limits.chats_at_once) for limits in made] == [(rate, 9)]


# --- what is wrong with the files -------------------------------------------------------------------------------------


def test_lines_without_a_question_go_to_a_file_of_their_own(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    Path("q.jsonl").write_bytes(b'{"message": "a"}\n{"message": ""}\n\n{"text": "x"}\nb\xe9\n')
    assert batch("q.jsonl") == 1
    bad = answers("a.jsonl.bad.jsonl")
    assert [(line["line"], line["text"]) for line in bad] == [
        (2, '{"message": ""}'),
        (4, '{"text": "x"}'),
        (5, "b\\xe9"),
    ]
    assert bad[0]["reason"] == "the question is empty"
    out, err = capsys.readouterr()
    assert "1 question, 1 to ask; 3 lines without a question: see a.jsonl.bad.jsonl.\n" in err
    assert "  bad lines  3, see a.jsonl.bad.jsonl\n" in out
    assert len(answers()) == 1
    # Put right, they are asked, and nothing else is.
    Path("q.jsonl").write_text('{"message": "a"}\n{"message": "b"}\n\n{"message": "c"}\n"d"\n', encoding="utf-8")
    assert batch("q.jsonl") == 0
    assert not Path("a.jsonl.bad.jsonl").exists()
    assert asked(emulator) == {"a": 1, "b": 1, "c": 1, "d": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.jsonl", "--out", "a.jsonl"], "There is no file missing.jsonl."),
        ([".", "--out", "a.jsonl"], "does not tell what is in it"),
        (["q.jsonl", "--out", "q.jsonl"], "q.jsonl holds the questions: give another name"),
        (["q.jsonl", "--out", "a.jsonl", "--report", "./q.jsonl"], "q.jsonl holds the questions"),
        # Edited in its place, it would be removed: there are no bad lines any more.
        (["b.jsonl.bad.jsonl", "--out", "b.jsonl", "--no-resume"], "b.jsonl.bad.jsonl holds the questions"),
        (["q.jsonl", "--out", "a.jsonl", "--report", "./a.jsonl"], "give the report a name of its own"),
        (["q.jsonl", "--out", "a.jsonl", "--report", "a.jsonl.bad.jsonl"], "give the report a name of its own"),
        (["q.json", "--out", "a.jsonl"], "give --format jsonl, csv, text"),
        (["-", "--out", "a.jsonl"], "Stdin does not tell what is in it"),
        (["q.jsonl", "--out", "."], ". is not a regular file"),
        (["q.jsonl", "--out", "folder", "--no-resume"], "folder is not a regular file"),
        (["q.jsonl", "--out", "letter.txt"], "letter.txt, line 1, is not the answer to a question"),
        (["q.jsonl", "--out", "a.jsonl", "--encoding", "utf-42"], "There is no encoding 'utf-42'"),
        (["q.jsonl"], "--out"),
        (["q.jsonl", "--out", "a.jsonl", "--limit", "0"], "--limit"),
        (["q.jsonl", "--out", "a.jsonl", "--rate", "-1"], "--rate"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(
    arguments: list[str], words: str, folder: Path, emulator: Emulator, capsys: Captured
) -> None:
    put("q.jsonl", "a")
    put("q.json", "a")
    put("b.jsonl.bad.jsonl", "a")
    Path("letter.txt").write_text("Dear friend\n", encoding="utf-8")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Path("folder").mkdir()
    assert main(["batch", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert emulator.requests == []
    Path("folder").rmdir()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_that_does_not_exist_is_one_message(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    put("q.jsonl", "a")
    assert main(["batch", "q.jsonl", "--out", "no/a.jsonl"]) == 1
    assert capsys.readouterr().err == "error: no/a.jsonl cannot be opened: there is no folder no.\n"


# --- going on ---------------------------------------------------------------------------------------------------------


def test_what_is_answered_is_not_asked_again(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    put("q.jsonl", "a", "b")
    assert batch("q.jsonl") == 0
    put("q.jsonl", "a", "b", "c")
    assert batch("q.jsonl") == 0
    assert asked(emulator) == {"a": 1, "b": 1, "c": 1}
    assert "3 questions, 1 to ask.\n" in capsys.readouterr().err
    assert batch("q.jsonl") == 0
    out = capsys.readouterr().out
    assert out.startswith("3 of 3 questions answered.\n  latency    p50 ")
    assert "time" not in out


def test_what_failed_is_asked_again_and_has_one_line_in_the_end(
    folder: Path, emulator: Emulator, capsys: Captured
) -> None:
    put("q.jsonl", *map(str, range(6)))
    emulator.fail(Code(4015, "not published"), on="POST /v3/chat", times=3)
    assert batch("q.jsonl") == 1
    out, err = capsys.readouterr()
    assert "3 of 6 questions answered.\n  failed     3: NotFoundError 4015 3\n" in out
    assert "Run the same command again: it asks what has no answer yet (3), and nothing else.\n" in err
    failed = [answer for answer in answers() if not answer["ok"]]
    assert [answer["error"]["code"] for answer in failed] == [4015] * 3
    assert batch("q.jsonl") == 0
    assert "6 questions, 3 to ask, 3 of them again.\n" in capsys.readouterr().err
    assert sorted(answer["message"] for answer in answers()) == [*map(str, range(6))]
    assert all(answer["ok"] for answer in answers())
    assert max(asked(emulator).values()) == 2


def test_what_may_have_cost_is_asked_again_only_if_somebody_says_so(
    folder: Path, emulator: Emulator, capsys: Captured
) -> None:
    put("q.jsonl", "good", "bad")
    emulator.bot("b-1", lambda given: Script("Half", failure=Failure(5000) if given.question == "bad" else None))
    assert batch("q.jsonl") == 1
    assert "1 failed after it may have been started, and cost; --retry-started asks" in capsys.readouterr().err
    assert [(answer["text"], answer["error"]["started"]) for answer in answers() if not answer["ok"]] == [
        ("Half", True)
    ]
    assert batch("q.jsonl") == 1
    out, err = capsys.readouterr()
    assert "2 questions, 0 to ask.\n" in err
    # It is told again, because it still has no answer.
    assert "1 of 2 questions answered.\n  failed     1: ChatFailedError 5000 1\n" in out
    emulator.bot("b-1", "Whole")
    assert batch("q.jsonl", "--retry-started") == 0
    assert asked(emulator) == {"good": 1, "bad": 2}
    assert [answer["text"] for answer in answers()] == ["Half", "Whole"]


def test_other_questions_for_the_same_answers_are_refused(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    put("q.jsonl", "a", "b")
    assert batch("q.jsonl") == 0
    before = Path("a.jsonl").read_bytes()
    put("other.jsonl", "x", "y")
    assert batch("other.jsonl") == 2
    assert (
        "a.jsonl holds the answers to other questions than those in other.jsonl: 'q-1' (line 1) is not what was asked"
        in (capsys.readouterr().err)
    )
    assert Path("a.jsonl").read_bytes() == before
    assert batch("other.jsonl", "--no-resume") == 0
    assert "The answers that were in a.jsonl are in a.jsonl.1 now.\n" in capsys.readouterr().err
    assert Path("a.jsonl.1").read_bytes() == before
    assert sorted(answer["message"] for answer in answers()) == ["x", "y"]


def test_after_a_beginning_anew_the_advice_is_not_to_begin_anew_again(
    folder: Path, emulator: Emulator, capsys: Captured
) -> None:
    put("q.jsonl", "a")
    emulator.fail(Code(4015, "no"), on="POST /v3/chat")
    assert batch("q.jsonl", "--no-resume") == 1
    assert "Run the command without --no-resume again: it asks what has" in capsys.readouterr().err


def test_answers_of_another_bot_are_told_of(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    put("q.jsonl", "a")
    assert batch("q.jsonl") == 0
    put("q.jsonl", "a", "b")
    assert main(["batch", "q.jsonl", "--out", "a.jsonl", "--bot", "b-2"]) == 0
    assert "a.jsonl has answers of bot b-1; what is asked now is asked of bot b-2.\n" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--no-resume"]])
def test_two_at_the_same_answers_are_one_too_many(
    more: list[str], folder: Path, emulator: Emulator, capsys: Captured
) -> None:
    put("q.jsonl", "z")
    assert batch("q.jsonl") == 0
    put("q.jsonl", "z", "a")
    codes: list[int] = []

    def second(given: ChatInput) -> str:
        thread = threading.Thread(target=lambda: codes.append(batch("q.jsonl", *more)))
        thread.start()
        thread.join(SOON)
        return "first"

    emulator.bot("b-1", second)
    assert batch("q.jsonl") == 0
    assert codes == [2]
    assert "a.jsonl is being written by another `coze-async batch`" in capsys.readouterr().err


# --- ending early -----------------------------------------------------------------------------------------------------


def test_a_used_up_quota_ends_it_and_says_how_to_go_on(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    put("q.jsonl", *map(str, range(50)))

    def script(given: ChatInput) -> Script:
        return Script("Yes") if int(given.question) < 9 else Script(failure=Failure(4028, "no credits"))

    emulator.bot("b-1", script)
    assert batch("q.jsonl", "--limit", "1") == 1
    out, err = capsys.readouterr()
    assert "9 of 50 questions answered.\n  failed     1: ChatFailedError 4028 1\n" in out
    assert "error: Nothing more is asked: POST /v3/chat: the chat " in err
    assert "it asks what has no answer yet (41), and nothing else.\n" in err
    assert sum(asked(emulator).values()) == 10
    emulator.bot("b-1", "Topped up")
    assert batch("q.jsonl", "--limit", "5") == 0
    assert Counter(answer["message"] for answer in answers()) == Counter(map(str, range(50)))
    assert asked(emulator) == {**{str(number): 1 for number in range(50)}, "9": 2}


def test_a_bot_that_waits_for_tools_has_not_answered(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    put("q.jsonl", "a")
    emulator.bot("b-1", Script(requires=[ToolCall("door")]))
    assert batch("q.jsonl") == 1
    assert "0 of 1 question answered.\n  failed     1: requires_action 1\n" in capsys.readouterr().out


def press_after(count: int, emulator: Emulator, press: Callable[[], None]) -> None:
    """Let the first questions be answered, and the others never; then press."""
    seen = 0

    def script(given: ChatInput) -> Script:
        nonlocal seen
        seen += 1
        if seen == count + 4:
            # All places are taken by those that will not be answered.
            threading.Timer(0, press).start()
        return echo(given) if seen <= count else Script("never ever", pace=60.0, seconds=60.0)

    emulator.bot("b-1", script)


@pytest.mark.parametrize("how", [[], ["--poll"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_what_runs_and_keeps_what_came(
    how: list[str], number: signal.Signals, folder: Path, emulator: Emulator, capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    # The end takes longer than that of other commands; nothing is said of it before it has come.
    monkeypatch.setattr("coze_async.cli._runner._STOPPING", 0.0)
    had_ended: list[bool] = []
    end = _batch._Batch._end

    def checked(self: Any, collector: Collector, *rest: Any, **more: Any) -> int:
        had_ended.append(collector.has_ended.is_set())
        return end(self, collector, *rest, **more)

    monkeypatch.setattr(_batch._Batch, "_end", checked)
    put("q.jsonl", *map(str, range(30)))
    press_after(10, emulator, lambda: os.kill(os.getpid(), number))
    assert batch("q.jsonl", "--limit", "4", *how) == 130
    assert had_ended == [True]
    assert len(answers()) == 10
    assert all(answer["ok"] for answer in answers())
    states = Counter(chat.status for chat in emulator.chats.values())
    # One that was pressed upon before its first event is not known yet.
    assert states["completed"] == 10
    assert states["canceled"] >= 3
    out, err = capsys.readouterr()
    assert out.startswith("10 of 30 questions answered.\n")
    assert err.endswith(
        "Stopped.\nRun the same command again: it asks what has no answer yet (20), and nothing else.\n"
    )
    emulator.bot("b-1", echo)
    assert batch("q.jsonl", *how) == 0
    assert Counter(answer["message"] for answer in answers()) == Counter(map(str, range(30)))
    assert Counter(asked(emulator).values()) == {1: 26, 2: 4}


def test_after_ctrl_c_the_file_is_not_written_anew(
    folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("q.jsonl", *map(str, range(9)))
    emulator.fail(Code(4015, "no"), on="POST /v3/chat", times=9)
    assert batch("q.jsonl") == 1
    anew: list[object] = []

    def without_earlier(self: Journal, keys: object) -> None:
        anew.append(keys)

    monkeypatch.setattr(Journal, "without_earlier", without_earlier)
    press_after(2, emulator, lambda: os.kill(os.getpid(), signal.SIGINT))
    # Whoever has pressed it wants to leave; a large file takes its time.
    assert batch("q.jsonl", "--limit", "4") == 130
    assert anew == []
    # Both lines of a question are read, and the later one counts.
    emulator.bot("b-1", echo)
    assert batch("q.jsonl") == 0
    assert max(asked(emulator).values()) == 3


def test_questions_that_have_gone_meanwhile_are_not_answered(
    folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    put("q.jsonl", "a", "b")

    def gone(self: Earlier, questions: object) -> Any:
        return iter(())

    monkeypatch.setattr(Earlier, "pending", gone)
    assert batch("q.jsonl") == 1
    assert capsys.readouterr().out.startswith("0 of 2 questions answered.\n")


def test_a_second_ctrl_c_does_not_wait(folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    put("q.jsonl", *map(str, range(9)))
    press_after(1, emulator, lambda: os.kill(os.getpid(), signal.SIGINT))

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    monkeypatch.setattr("coze_async.cli._collect.threading.Event", Impatient)
    assert batch("q.jsonl", "--limit", "4") == 130


# --- the report -------------------------------------------------------------------------------------------------------


def test_a_report_is_written_about_all_runs_together(folder: Path, emulator: Emulator, capsys: Captured) -> None:
    put("q.jsonl", *map(str, range(20)))
    emulator.bot("b-1", lambda given: Script("Yes", usage=Usage(10, 20)))
    emulator.fail(Code(4011, "no tokens left"), on="POST /v3/chat")
    assert batch("q.jsonl", "--limit", "1", "--report", "r.html") == 1
    report = Path("r.html").read_text(encoding="utf-8")
    assert "<h1>0 of 20 questions answered</h1>" in report
    assert "Ended early: POST /v3/chat was refused (code 4011)" in report
    assert capsys.readouterr().out.endswith("  answers    a.jsonl\n  report     r.html\n")
    assert batch("q.jsonl", "--report", "r.html") == 0
    report = Path("r.html").read_text(encoding="utf-8")
    assert "<h1>20 of 20 questions answered</h1>" in report
    assert "<b>q.jsonl</b> → <b>a.jsonl</b> · bot b-1 · " in report
    assert "Ended early" not in report
    # Without anything to ask it is written all the same.
    Path("r.html").unlink()
    assert batch("q.jsonl", "--report", "r.html") == 0
    assert "<h1>20 of 20 questions answered</h1>" in Path("r.html").read_text(encoding="utf-8")


def test_a_report_that_cannot_be_written_spoils_nothing_else(
    folder: Path, emulator: Emulator, capsys: Captured
) -> None:
    put("q.jsonl", "a")
    assert batch("q.jsonl", "--report", "no/r.html") == 1
    out, err = capsys.readouterr()
    assert "1 of 1 question answered." in out
    assert err.endswith("error: no/r.html cannot be written: No such file or directory.\n")
    assert len(answers()) == 1


# --- processes that end without a word --------------------------------------------------------------------------------


def started(arguments: Sequence[str], server: str) -> Any:
    settings = {"COZE_API_BASE": server, "COZE_API_TOKEN": "any"}
    return process(["batch", "q.jsonl", "--out", "a.jsonl", "--bot", "b-1", "--rate", "0", *arguments], **settings)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_in_a_process_exits_with_130(folder: Path, server: str, emulator: Emulator) -> None:
    put("q.jsonl", *map(str, range(30)))
    pressed = threading.Event()
    press_after(10, emulator, pressed.set)
    with started(["--limit", "4"], server) as command:
        assert pressed.wait(SOON)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=SOON)
    assert command.returncode == 130
    assert b"Traceback" not in err
    assert b"it asks what has no answer yet (20)" in err
    assert len(answers()) == 10
    assert {chat.status for chat in emulator.chats.values()} <= {"completed", "canceled", "in_progress"}


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_after_a_kill_nothing_is_asked_twice_but_what_was_in_flight(
    folder: Path, server: str, emulator: Emulator
) -> None:
    total, limit = 400, 16
    put("q.jsonl", *map(str, range(total)))
    half_way = threading.Event()

    def script(given: ChatInput) -> Script:
        if len(emulator.requests) >= total // 2:
            half_way.set()
        return Script(f"You said: {given.question}", pace=0.002)

    emulator.bot("b-1", script)
    with started(["--limit", str(limit)], server) as command:
        assert half_way.wait(SOON)
        command.kill()
        command.communicate(timeout=SOON)
    assert command.returncode == -signal.SIGKILL
    content = Path("a.jsonl").read_bytes()
    written = [json.loads(line)["message"] for line in content.splitlines() if line.endswith(b"}")]
    assert len(written) > total // 4
    with started(["--limit", str(limit)], server) as command:
        out, _ = command.communicate(timeout=SOON)
    assert command.returncode == 0
    assert out.startswith(b"400 of 400 questions answered.\n")
    found = answers()
    assert Counter(answer["message"] for answer in found) == Counter(map(str, range(total)))
    assert all(answer["ok"] and answer["text"] == f"You said: {answer['message']}" for answer in found)
    # What stood in the file was not asked again; what was in flight was, and nothing else.
    after = asked(emulator)
    twice = {question for question, times in after.items() if times > 1}
    assert max(after.values()) <= 2
    assert not twice & {*written}
    assert len(twice) <= limit


@pytest.mark.skipif(os.name != "posix", reason="needs a limit for the size of files")
def test_a_full_disk_ends_it_with_what_is_safe(folder: Path, server: str, emulator: Emulator) -> None:
    emulator.bot("b-1", echo)
    put("q.jsonl", *map(str, range(60)))
    limited = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
from coze_async.cli import main
sys.exit(main({["batch", "q.jsonl", "--out", "a.jsonl", "--bot", "b-1", "--limit", "4", "--rate", "0"]!r}))
"""
    with process([], COZE_API_BASE=server, COZE_API_TOKEN="any", program=limited) as command:
        out, err = command.communicate(timeout=SOON)
    assert command.returncode == 1
    found = answers()
    assert 5 < len(found) < 30
    assert out.startswith(f"{len(found)} of 60 questions answered.\n".encode())
    assert f"error: a.jsonl cannot be written: File too large. It holds {len(found)} whole answers.".encode() in err
    assert b"that had come found no room." in err
    assert b"Traceback" not in err
    assert batch("q.jsonl") == 0
    assert Counter(answer["message"] for answer in answers()) == Counter(map(str, range(60)))
    assert len([times for times in asked(emulator).values() if times > 1]) <= 5


def test_without_room_for_a_second_file_the_first_stays(
    folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    put("q.jsonl", "a")
    emulator.fail(Code(4015, "no"), on="POST /v3/chat")
    assert batch("q.jsonl") == 1

    def full(self: object, keys: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Journal, "without_earlier", full)
    assert batch("q.jsonl") == 0
    assert [answer["ok"] for answer in answers()] == [False, True]
    assert "a.jsonl still has the lines of failures that were asked again: No space left" in capsys.readouterr().err
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert batch("q.jsonl") == 0


# --- watching ---------------------------------------------------------------------------------------------------------


def test_somebody_who_watches_sees_how_far_it_has_come(
    folder: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    put("q.jsonl", *map(str, range(12)))
    emulator.fail(ErrorEvent(5000), on="POST /v3/chat")
    assert batch("q.jsonl") == 1
    assert "12/12" in err.shown
    assert "1 failed" in err.shown
    assert "11 of 12 questions answered.\n" in out.shown
