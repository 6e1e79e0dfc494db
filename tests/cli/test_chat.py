"""`coze-async chat`: what goes where, and how it ends."""

# pyright: reportPrivateUsage=false

import io
import itertools
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import anyio
import pytest
from cli.command import Terminal, process

from coze_async import AsyncCoze, Polling
from coze_async.cli import _connect, main
from coze_async.cli._chat import Conversation
from coze_async.cli._connect import Connection
from coze_async.cli._output import Output
from coze_async.cli._runner import Runner
from coze_async.emulator import Code, Cut, Emulator, Failure, Refuse, Script, Stall, ToolCall, Usage, default_bot

Captured = pytest.CaptureFixture[str]
NOTICE = "COZE_API_TOKEN is not set: talking to the built-in emulator, whose answers are made up.\n"
CHAT = '{"id":"9","conversation_id":"7","status":"canceled"}'


def type_in(monkeypatch: pytest.MonkeyPatch, typed: str) -> tuple[Terminal, Terminal]:
    """Sit at a terminal and type; returns what stdout and stderr show."""
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "dumb")
    return out, err


def pipe_in(monkeypatch: pytest.MonkeyPatch, given: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))


def test_the_answer_goes_to_stdout_and_all_else_to_stderr(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", Script("龙井是绿茶。", follow_ups=["怎么泡？"], usage=Usage(12, 30)))
    assert main(["chat", "什么是龙井？", "--bot", "b-1"]) == 0
    out, err = capsys.readouterr()
    assert out == "龙井是绿茶。\n"
    assert len(emulator.chats) == 1
    assert err == f"{NOTICE}  ? 怎么泡？\n  42 tokens (12 in, 30 out)\n"


def test_without_any_setting_the_built_in_emulator_answers(capsys: Captured) -> None:
    assert main(["chat", "你好"]) == 0
    out, err = capsys.readouterr()
    assert "你好" in out
    assert err.startswith(NOTICE)


def test_several_words_are_one_question_and_two_hyphens_end_the_options(emulator: Emulator) -> None:
    assert main(["chat", "--user", "u-7", "--", "-5", "and", "more"]) == 0
    body = emulator.requests[-1].body
    assert body["additional_messages"][0]["content"] == "-5 and more"
    assert (body["bot_id"], body["user_id"], body["stream"]) == ("emulator", "u-7", True)


def test_a_base_url_without_a_token_is_said_not_to_be_used(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("COZE_API_BASE", "http://127.0.0.1:9")
    assert main(["chat", "hi"]) == 0
    assert "; COZE_API_BASE is not used.\n" in capsys.readouterr().err


def test_an_answer_can_be_polled(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", Script("All at once", seconds=0.0))
    assert main(["chat", "hi", "--poll", "--bot", "b-1"]) == 0
    assert capsys.readouterr().out == "All at once\n"
    assert [request.body["stream"] for request in emulator.requests if request.method == "POST"] == [False]


def test_json_is_one_object_per_event_and_the_notes_are_left_out(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", Script("One two", follow_ups=["Three?"]))
    assert main(["chat", "hi", "--json", "--bot", "b-1"]) == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    deltas = [event["message"]["content"] for event in events if event["event"] == "conversation.message.delta"]
    assert deltas == ["One", " two"]
    assert (events[0]["event"], events[-1]["event"]) == ("conversation.chat.created", "done")
    assert err == NOTICE


def test_a_polled_answer_as_json_is_one_object(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", Script("All at once", seconds=0.0))
    assert main(["chat", "hi", "--poll", "--json", "--bot", "b-1"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    answer = json.loads(line)
    assert (answer["text"], answer["chat"]["status"]) == ("All at once", "completed")


def test_a_question_can_be_piped_in(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    pipe_in(monkeypatch, "第一行\n第二行\n".encode())
    assert main(["chat"]) == 0
    assert emulator.requests[-1].body["additional_messages"][0]["content"] == "第一行\n第二行"


def test_bytes_that_are_no_text_become_replacement_characters(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe_in(monkeypatch, b"caf\xe9")
    assert main(["chat"]) == 0
    # Python hands odd bytes of a command line over as surrogates; here the first word is UTF-8 read as ASCII.
    assert main(["chat", "\udce8\udc8c\udcb6"]) == 0
    assert main(["chat", "\ud83d\ude00 \ud800"]) == 0
    asked = [request.body["additional_messages"][0]["content"] for request in emulator.requests]
    assert asked == ["caf\ufffd", "茶", "😀 \ufffd"]


@pytest.mark.parametrize("given", [b"", b" \n", None])
def test_no_question_at_all_is_wrong_usage(
    given: bytes | None, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    if given is None:
        monkeypatch.setattr(sys, "stdin", None)
    else:
        pipe_in(monkeypatch, given)
    assert main(["chat"]) == 2
    assert capsys.readouterr().err == "error: There is no question: coze-async chat '你好', or pipe one in.\n"


def test_a_conversation_is_gone_on_with(server: str, emulator: Emulator, capsys: Captured) -> None:
    assert main(["chat", "What is tea?", "--bot", "b-1"]) == 0
    (chat,) = emulator.chats.values()
    assert main(["chat", "What did I ask?", "--bot", "b-1", "--conversation", chat.conversation_id]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("The question before this one was: What is tea?\n")
    assert "emulator" not in err
    assert emulator.requests[-1].query == {"conversation_id": chat.conversation_id}
    assert emulator.requests[-1].headers["authorization"] == "Bearer pat_of_a_test"


def test_bot_and_user_come_from_the_environment(
    server: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COZE_BOT_ID", "b-9")
    monkeypatch.setenv("COZE_USER_ID", "u-9")
    assert main(["chat", "hi"]) == 0
    assert (emulator.requests[-1].body["bot_id"], emulator.requests[-1].body["user_id"]) == ("b-9", "u-9")


def test_a_real_server_needs_a_bot(server: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("COZE_BOT_ID", " ")
    assert main(["chat", "hi"]) == 2
    assert capsys.readouterr().err.startswith("error: Which bot? Give --bot ID, or set COZE_BOT_ID")


def test_an_error_is_one_message_after_the_answer_so_far(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", Script("Half an answer", failure=Failure(4028, "no credits")))
    assert main(["chat", "hi", "--bot", "b-1"]) == 1
    out, err = capsys.readouterr()
    assert out == "Half an answer\n"
    assert err.count("error: ") == 1
    assert "code 4028" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("work", [["--poll"], ["--json"], []])
def test_every_way_to_ask_tells_of_a_refusal(work: list[str], emulator: Emulator, capsys: Captured) -> None:
    emulator.fail(Code(4015, "not published"))
    assert main(["chat", "hi", *work]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: POST /v3/chat was refused (code 4015)" in err


def test_the_traceback_is_shown_to_those_who_ask_for_it(emulator: Emulator, capsys: Captured) -> None:
    emulator.fail(Code(4015, "not published"))
    assert main(["chat", "hi", "--debug"]) == 1
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.splitlines()[-1].startswith("error: POST /v3/chat was refused (code 4015)")


def test_a_bot_that_waits_for_tools_is_no_complete_answer(emulator: Emulator, capsys: Captured) -> None:
    wanted = [ToolCall("get_weather", {"city": "Paris"}), ToolCall("", type="reply_message")]
    emulator.bot("b-1", Script(requires=wanted))
    assert main(["chat", "hi", "--bot", "b-1"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert 'The bot waits for the output of get_weather({"city":"Paris"}), reply_message.' in err


def test_a_chat_that_somebody_cancelled_is_no_complete_answer(emulator: Emulator, capsys: Captured) -> None:
    raw = f'event:conversation.chat.canceled\ndata:{CHAT}\n\nevent:done\ndata:"[DONE]"\n\n'
    emulator.bot("b-1", Script(raw=raw.encode()))
    assert main(["chat", "hi", "--bot", "b-1"]) == 1
    assert "The chat was cancelled before its answer was complete.\n" in capsys.readouterr().err


def test_a_server_that_tells_nothing_gets_no_notes(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", Script(raw=b'event:done\ndata:"[DONE]"\n\n'))
    assert main(["chat", "hi", "--bot", "b-1"]) == 0
    assert capsys.readouterr() == ("", NOTICE)


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "utf-8"])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_text_and_no_encoding_is_a_reason_to_fail(
    encoding: str, form: list[str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    r"""A model that is cut between two surrogates sends half of a character, as JSON allows: `\ud800`."""
    texts = ["茶 é 😀", " \\ud800"]
    deltas = [f'{{"id":"1","type":"answer","content":"{text}"}}' for text in texts]
    raw = "".join(f"event:conversation.message.delta\ndata:{delta}\n\n" for delta in deltas)
    emulator.bot("b-1", Script(raw=f'{raw}event:done\ndata:"[DONE]"\n\n'.encode()))
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    assert main(["chat", "hi", "--bot", "b-1", *form]) == 0
    text = out.getvalue().decode(encoding)
    if form == ["--json"]:
        events = [json.loads(line) for line in text.splitlines()]
        assert events[0]["message"]["content"] == "茶 é 😀"
    else:
        assert text.startswith("\\u8336 \\xe9 " if encoding == "ascii" else "茶 é ")


def test_a_terminal_is_not_at_the_mercy_of_a_bot(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.bot("b-1", Script("\x1b[2Jboo\r\n\x9b31m\tend", follow_ups=["\x1b]0;title\x07"], seconds=0.0))
    out, err = type_in(monkeypatch, "")
    assert main(["chat", "hi", "--bot", "b-1"]) == 0
    assert out.shown == "\\x1b[2Jboo\n\\x9b31m end\n"
    assert "\x1b]" not in err.shown


def test_what_is_piped_on_is_left_as_it_is(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", "\x1b[1mbold")
    assert main(["chat", "hi", "--bot", "b-1"]) == 0
    assert capsys.readouterr().out == "\x1b[1mbold\n"


def test_what_is_said_of_a_piped_answer_stands_on_lines_of_its_own(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program such as `cat` shows the last line of the answer when it likes, at the same terminal."""
    emulator.bot("b-1", Script("Hello", follow_ups=["And then?"], seconds=0.0))
    reading, writing = os.pipe()
    _, err = type_in(monkeypatch, "")
    with os.fdopen(writing, "w", encoding="utf-8") as out, os.fdopen(reading, encoding="utf-8") as cat:
        monkeypatch.setattr(sys, "stdout", out)
        assert main(["chat", "hi", "--bot", "b-1"]) == 0
        out.close()
        assert cat.read() == "Hello\n"
    assert "\n\n  ? And then?\n" in err.shown


def test_the_emulator_takes_its_time_only_when_somebody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    paces: list[float] = []

    def made(pace: float) -> Emulator:
        paces.append(pace)
        return Emulator()

    monkeypatch.setattr(_connect, "Emulator", made)
    assert main(["chat", "hi"]) == 0
    type_in(monkeypatch, "")
    assert main(["chat", "hi"]) == 0
    assert paces[0] == 0.0
    assert 0.0 < paces[1] < 0.1


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_a_session_keeps_its_conversation_until_exit(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = type_in(monkeypatch, "What is tea?\n\n  \nWhat did I ask?\n /EXIT \nnever asked\n")
    assert main(["chat"]) == 0
    assert "The question before this one was: What is tea?" in out.shown
    assert [request.body["additional_messages"][0]["content"] for request in emulator.requests] == [
        "What is tea?",
        "What did I ask?",
    ]
    assert "/exit or Ctrl-D ends" in err.shown


def test_the_end_of_the_input_ends_a_session(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = type_in(monkeypatch, "hi\n")
    assert main(["chat"]) == 0
    assert out.shown.endswith("> \n")


def test_a_session_goes_on_after_an_error(server: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.bot("b-1", lambda given: replace(default_bot(given), seconds=0.0))
    emulator.fail(Cut(after=6))
    emulator.fail(Refuse(400, 4000, "no"))
    out, err = type_in(monkeypatch, "one\ntwo\nWhat did I ask?\n")
    assert main(["chat", "--bot", "b-1"]) == 0
    assert err.shown.count("error: ") == 2
    assert "with bot b-1 at http://127.0.0.1:" in err.shown
    # The first answer broke off, but its conversation goes on.
    assert "The question before this one was: one" in out.shown


def test_a_prompt_does_not_get_among_answers_that_go_to_a_file(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, err = type_in(monkeypatch, "hi\n")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    emulator.bot("b-1", "Hello")
    assert main(["chat", "--bot", "b-1"]) == 0
    assert written.getvalue() == b"Hello\n"
    assert err.shown.count("> ") == 2


def test_ctrl_c_stops_an_answer_and_the_session_goes_on(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    emulator.bot("b-1", lambda given: Script("one two three" if given.question == "hi" else "Hello"))
    emulator.fail(InterruptAfter(4))
    out, err = type_in(monkeypatch, "hi\nagain\n")
    assert main(["chat", "--bot", "b-1"]) == 0
    assert "> one two" in out.shown
    assert "three" not in out.shown
    assert "Hello\n" in out.shown
    assert "Stopped.\n" in err.shown
    assert [chat.canceled for chat in emulator.chats.values()] == [True, False]


def test_ctrl_c_at_the_prompt_ends_a_session(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = type_in(monkeypatch, "")

    def interrupted(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    assert main(["chat"]) == 130
    assert out.shown == "\n"


# --- stopping ---------------------------------------------------------------------------------------------------------


class InterruptAfter(Stall):
    """Ctrl-C after some events, and then nothing more."""

    def __init__(self, after: int) -> None:
        super().__init__(after=after)

    async def meet(self, answer: Any, world: Any) -> Any:
        response = await super().meet(answer, world)
        assert not isinstance(response.body, bytes)
        steps = response.body.steps

        def interrupting() -> Iterator[tuple[float, bytes]]:
            yield from itertools.islice(steps, self.after)
            os.kill(os.getpid(), signal.SIGINT)
            yield from steps

        response.body.steps = interrupting()
        return response


def test_ctrl_c_stops_the_stream_and_cancels_the_chat(emulator: Emulator, capsys: Captured) -> None:
    emulator.fail(InterruptAfter(3))
    assert main(["chat", "What is tea?", "--bot", "b-1"]) == 130
    assert [chat.status for chat in emulator.chats.values()] == ["canceled"]
    assert emulator.open_streams == 0
    out, err = capsys.readouterr()
    assert out.startswith("Here")
    assert err.endswith("Stopped.\n")
    assert "Traceback" not in err


def conversation_with(emulator: Emulator) -> Conversation:
    coze = AsyncCoze("any", base_url=emulator.url, transport=emulator.transport())
    connection = Connection(coze, Runner(cast("Any", None)), Polling(), is_emulated=True)
    return Conversation(connection, Output(), "b-1", "u-1")


async def stopped_after(seconds: float, conversation: Conversation) -> float:
    """How long it took to leave after the stop."""
    with anyio.move_on_after(seconds) as scope:
        await conversation.streamed("hi")
    assert scope.cancelled_caught
    return anyio.current_time() - seconds


async def test_a_stopped_stream_cancels_its_chat(emulator: Emulator) -> None:
    conversation = conversation_with(emulator)
    emulator.fail(Stall(after=3))
    began = anyio.current_time()
    assert await stopped_after(5.0, conversation) - began < 0.1
    assert [chat.canceled for chat in emulator.chats.values()] == [True]
    assert conversation.conversation_id in {chat.conversation_id for chat in emulator.chats.values()}
    await conversation.connection.coze.aclose()


async def test_a_server_that_does_not_answer_a_cancel_is_left_after_two_seconds(emulator: Emulator) -> None:
    conversation = conversation_with(emulator)
    emulator.fail(Stall(after=3), on="POST /v3/chat")
    emulator.fail(Stall(), on="POST /v3/chat/cancel")
    began = anyio.current_time()
    assert 1.9 < await stopped_after(5.0, conversation) - began < 2.1
    await conversation.connection.coze.aclose()


async def test_a_chat_that_could_not_be_cancelled_is_told_of(emulator: Emulator, capsys: Captured) -> None:
    conversation = conversation_with(emulator)
    emulator.fail(Stall(after=3), on="POST /v3/chat")
    emulator.fail(Code(4101, "no"), on="POST /v3/chat/cancel")
    await stopped_after(5.0, conversation)
    assert "The chat may go on: POST /v3/chat/cancel was refused (code 4101)" in capsys.readouterr().err
    await conversation.connection.coze.aclose()


async def test_a_chat_that_is_over_by_then_is_nothing_to_tell_of(emulator: Emulator, capsys: Captured) -> None:
    conversation = conversation_with(emulator)
    emulator.bot("b-1", Script("Hello", seconds=0.0))
    emulator.fail(Stall(after=3), on="POST /v3/chat")
    await stopped_after(5.0, conversation)
    assert [request.path for request in emulator.requests] == ["/v3/chat", "/v3/chat/cancel"]
    assert [chat.status for chat in emulator.chats.values()] == ["completed"]
    assert capsys.readouterr().err == ""
    await conversation.connection.coze.aclose()


async def test_a_chat_that_is_not_known_yet_cannot_be_cancelled(emulator: Emulator) -> None:
    conversation = conversation_with(emulator)
    emulator.fail(Stall())
    await stopped_after(5.0, conversation)
    assert [request.path for request in emulator.requests] == ["/v3/chat"]
    await conversation.connection.coze.aclose()


def test_ctrl_c_in_a_process_exits_with_130(server: str, emulator: Emulator) -> None:
    emulator.fail(Stall(after=6))
    with process(["chat", "What is tea?", "--bot", "b-1"], COZE_API_BASE=server, COZE_API_TOKEN="any") as command:
        assert command.stdout is not None
        beginning = command.stdout.read(4)
        command.send_signal(signal.SIGINT)
        rest, err = command.communicate(timeout=20)
    assert command.returncode == 130
    assert beginning + rest in b"Here is how I"
    assert err.strip() == b"Stopped."
    assert [chat.status for chat in emulator.chats.values()] == ["canceled"]


def test_a_reader_that_has_seen_enough_ends_the_process_quietly(server: str, emulator: Emulator) -> None:
    emulator.bot("b-1", Script("line\n" * 2000, pace=0.001))
    with process(["chat", "hi", "--bot", "b-1"], COZE_API_BASE=server, COZE_API_TOKEN="any") as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"line\n"
        command.stdout.close()
        assert command.stderr is not None
        err = command.stderr.read()
        command.wait(timeout=20)
    assert command.returncode == 141
    assert err == b""
    assert [chat.status for chat in emulator.chats.values()] == ["canceled"]
