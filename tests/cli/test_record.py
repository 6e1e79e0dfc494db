"""`coze-async record` and `coze-async replay`: what is written, what is shown, and how it ends."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cli.command import Terminal
from replaying import FOLDER, recordings

from coze_async._recording import Asked, Ending, Piece, Recording, block_of, read_recordings
from coze_async.cli import main
from coze_async.emulator import Cut, Emulator, Script, Usage

Captured = pytest.CaptureFixture[str]
CHAT = str(FOLDER / "cloud_chat_text.jsonl")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.jsonl"


def test_a_command_is_recorded_and_does_what_it_does(emulator: Emulator, path: Path, capsys: Captured) -> None:
    emulator.bot("b-1", Script("龙井是绿茶。", usage=Usage(12, 30)))
    assert main(["record", "--out", str(path), "--", "chat", "什么是龙井？", "--bot", "b-1"]) == 0
    out, err = capsys.readouterr()
    assert out == "龙井是绿茶。\n"
    assert err.endswith(
        "  42 tokens (12 in, 30 out)\n"
        f"Recorded 1 exchange to {path}, without credentials, texts and users masked. See: coze-async replay {path}\n"
    )
    [found] = read_recordings(path)
    assert found.asked.body["additional_messages"][0]["content"] == "某某某某某某"
    assert found.ending.kind == "whole"


def test_the_next_command_is_not_recorded(emulator: Emulator, path: Path) -> None:
    assert main(["record", "--out", str(path), "--", "chat", "hi"]) == 0
    assert main(["chat", "hi"]) == 0
    assert len(read_recordings(path)) == 1


def test_what_is_kept_is_said(emulator: Emulator, path: Path, capsys: Captured) -> None:
    kept = ["--keep", "content", "--keep", "users"]
    assert main(["record", "--out", str(path), *kept, "--", "chat", "hi", "--user", "ann", "--json"]) == 0
    assert f"to {path}, without credentials. See" in capsys.readouterr().err
    [found] = read_recordings(path)
    assert found.asked.body["user_id"] == "ann"
    assert main(["record", "--out", str(path), "--keep", "users", "--", "workflow", "run", "w", "city=Oslo"]) == 0
    assert f"to {path}, without credentials, texts masked. See" in capsys.readouterr().err


def test_a_real_server_and_its_errors_are_recorded(
    server: str, emulator: Emulator, path: Path, capsys: Captured
) -> None:
    emulator.fail(Cut(after=3), on="POST /v3/chat")
    assert main(["record", "--out", str(path), "--", "chat", "hi", "--bot", "b-1"]) == 1
    err = capsys.readouterr().err
    assert f"Recorded 1 exchange to {path}" in err
    assert "the body ended without its last event" in err.splitlines()[-1]
    [found] = read_recordings(path)
    assert found.server == server
    assert "pat_of_a_test" not in path.read_text(encoding="utf-8")


def test_without_a_name_a_new_file_is_made_in_the_working_folder(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["record", "--", "doctor"]) == 0
    [path] = tmp_path.glob("coze-*.jsonl")
    assert f"Recorded {len(read_recordings(path))} exchanges to {path.name}, " in capsys.readouterr().err


def test_what_was_never_sent_is_not_recorded(emulator: Emulator, path: Path, capsys: Captured) -> None:
    assert main(["record", "--out", str(path), "--", "workflow", "run", "w", "no-pair"]) == 2
    err = capsys.readouterr().err
    assert "Nothing was sent, so nothing was recorded.\n" in err
    assert not path.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_said_and_the_answer_is_there(emulator: Emulator, capsys: Captured) -> None:
    emulator.bot("b-1", Script("Here I am.", seconds=0.0))
    assert main(["record", "--out", "/dev/full", "--", "chat", "hi", "--bot", "b-1"]) == 0
    out, err = capsys.readouterr()
    assert out == "Here I am.\n"
    assert "error: Recording to /dev/full has stopped: No space left on device.\n" in err


def test_a_folder_that_is_not_there_is_said_before_anything_is_sent(
    emulator: Emulator, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["record", "--out", str(tmp_path / "none" / "x.jsonl"), "--", "chat", "hi"]) == 1
    assert "none does not exist" in capsys.readouterr().err
    assert emulator.requests == []


@pytest.mark.parametrize("command", [[], ["login"], ["record", "chat"], ["nonsense"]])
def test_what_cannot_be_recorded_is_wrong_usage(command: list[str], capsys: Captured) -> None:
    assert main(["record", "--", *command]) == 2
    assert "give one of chat, workflow, doctor, as in: coze-async record -- chat" in capsys.readouterr().err


# --- replay -----------------------------------------------------------------------------------------------------------


def shown(capsys: Captured, *arguments: str) -> list[str]:
    assert main(["replay", *arguments]) == 0
    return capsys.readouterr().out.removesuffix("\n").split("\n")


def test_events_are_shown_with_their_times_and_what_they_say(capsys: Captured) -> None:
    lines = shown(capsys, CHAT)
    assert lines[0] == "POST /v3/chat  2026-02-26  "
    assert lines[1].startswith('  {"bot_id": "5001"')
    assert lines[2] == "200 text/event-stream  logid 20251010120000ABCDEF0123456789AB01"
    assert lines[3] == "   0.200  conversation.chat.created       chat 9001  conversation 7001"
    assert '   0.300  conversation.message.delta      answer  "Hi"' in lines
    assert [line for line in lines if "115 tokens (91 in, 24 out)" in line]
    assert lines[-2].startswith("   0.700  whole  11 events in 11 pieces, ")


@pytest.mark.parametrize("name", recordings())
def test_every_recording_can_be_shown_in_every_way(name: str, capsys: Captured) -> None:
    file = str(FOLDER / f"{name}.jsonl")
    assert shown(capsys, file, "--chunks")
    facts = [json.loads(line) for line in shown(capsys, file, "--json")]
    assert facts[0]["request"]
    assert facts[-1]["end"] in {"whole", "lost"}
    assert [fact["at"] for fact in facts] == sorted(fact["at"] for fact in facts)


def test_what_was_withheld_is_said(path: Path, capsys: Captured) -> None:
    speech = Recording(
        Asked("POST", "/v1/audio/speech"), 200, {"content-type": "audio/mpeg"}, (Piece(0.1, withheld=900),), source="-"
    )
    path.write_bytes(block_of(speech))
    assert shown(capsys, str(path))[2:4] == ["   0.100  (withheld)", "   0.000  whole  1 piece, 900 bytes"]
    assert json.loads(shown(capsys, str(path), "--json")[2])["data"] is None


def recorded(path: Path, *pieces: tuple[float, bytes], **more: Any) -> str:
    facts: dict[str, Any] = {"status": 200, "headers": {"content-type": "text/event-stream"}, **more}
    asked = facts.pop("asked", Asked("POST", "/v3/chat", {"conversation_id": "7"}, size=20_000))
    found = Recording(asked, pieces=tuple(Piece(at, data) for at, data in pieces), source="-", **facts)
    with path.open("ab") as file:
        file.write(block_of(found))
    return str(path)


def event(name: str, **data: Any) -> bytes:
    return f"event:{name}\ndata:{json.dumps(data)}\n\n".encode()


def test_gaps_chunks_and_the_way_it_ended_are_shown(path: Path, capsys: Captured) -> None:
    whole = event("conversation.message.delta", type="answer", content="Hi", reasoning_content="hm")
    pieces = [(0.1, whole[:20]), (2.4, whole[20:] + event("error", code=4020, msg="slow down"))]
    file = recorded(path, *pieces, ending=Ending("lost", 9.0, "ReadError", "reset"), after=0.25)
    assert shown(capsys, file, "--chunks") == [
        "POST /v3/chat    ",
        "  conversation_id=7",
        "  20.0 kB",
        "200 text/event-stream  after 0.250 s",
        "   0.100  ── 20 bytes",
        "          … 2.3 s of silence",
        f"   2.400  ── {len(pieces[1][1])} bytes",
        '   2.400  conversation.message.delta      answer  "hm" "Hi"',
        "   2.400  error                           4020 slow down",
        "          … 6.6 s of silence",
        f"   9.000  LOST  ReadError: reset  2 events in 2 pieces, {len(pieces[0][1] + pieces[1][1])} bytes",
        "",
    ]


def test_other_answers_are_shown_as_they_are(path: Path, capsys: Captured) -> None:
    asked = Asked("GET", "/v1/x")
    recorded(path, (0.0, b'{"code":0}'), asked=asked, headers={"content-type": "application/json", "x-log-id": "L"})
    recorded(path, asked=asked, status=None, headers={}, ending=Ending("left", 3.0, "", "it was cancelled"))
    recorded(path, (0.0, b"<html>\x1b[2J"), asked=asked)
    file = recorded(path, (0.0, b"x" * 500), asked=asked, status=502, headers={"content-type": "text/html"})
    lines = shown(capsys, file)
    assert lines[:4] == [
        "1/4  GET /v1/x    ",
        "200 application/json  logid L",
        '   0.000  {"code":0}',
        "   0.000  whole  1 piece, 10 bytes",
    ]
    assert lines[5:8] == [
        "2/4  GET /v1/x    ",
        "          … 3.0 s of silence",
        "   3.000  left by its reader  it was cancelled",
    ]
    # What would clear the screen is shown and does nothing.
    assert lines[11] == "   0.000  (no event)                      <html>\\x1b[2J"
    assert lines[12] == "   0.000  whole  1 event in 1 piece, 10 bytes"
    assert lines[16] == f"   0.000  {'x' * 400}… (500 characters)"
    facts = [json.loads(line) for line in shown(capsys, file, "--json")]
    assert facts[2] == {"exchange": 1, "at": 0.0, "data": {"code": 0}}
    assert facts[5] == {"exchange": 2, "at": 3.0, "end": "left", "why": "it was cancelled"}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (event("chat.failed", last_error={"code": 5000, "msg": "oh"}), "chat.failed                     5000 oh"),
        (event("Error", error_code=4000, error_message="bad"), "Error                           4000 bad"),
        (event("Message", node_title="End", content="x"), 'Message                         End  "x"'),
        (event("message.delta", message_item={"content": "x"}), 'message.delta                   "x"'),
        (event("done", run_record_item={"usage": {"token_count": 3}}), f"{'done':<31} 3 tokens (None in, None out)"),
        (event("delta", type="answer", reasoning_content="hm", content=""), f'{"delta":<31} answer  "hm" '),
        (event("completed", type="answer", content=""), f'{"completed":<31} answer  ""'),
        (event("PING"), "PING                            {}"),
    ],
)
def test_an_event_says_what_matters_most(path: Path, given: bytes, line: str, capsys: Captured) -> None:
    assert shown(capsys, recorded(path, (0.0, given)))[4] == f"   0.000  {line}"


def test_one_exchange_can_be_chosen(path: Path, capsys: Captured) -> None:
    recorded(path, asked=Asked("GET", "/v1/1"))
    file = recorded(path, asked=Asked("GET", "/v1/2"))
    assert shown(capsys, file, "--only", "2")[0].startswith("2/2  GET /v1/2")
    for wrong in ("0", "3"):
        assert main(["replay", file, "--only", wrong]) == 2
        assert f"holds 2 exchanges: there is no number {wrong}." in capsys.readouterr().err


def test_a_file_that_is_none_is_said(tmp_path: Path, capsys: Captured) -> None:
    assert main(["replay", str(tmp_path / "none.jsonl")]) == 1
    assert "none.jsonl cannot be read: No such file or directory" in capsys.readouterr().err
    assert main(["replay", CHAT, "--speed", "-1"]) == 2


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Where the clock was put forward to: waiting takes no time."""
    clock, asked = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        asked.append(round(clock[0] - 100, 3))

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return asked


@pytest.mark.parametrize(
    ("arguments", "terminal", "expected"),
    [
        ([], True, [0.5, 1.0, 2.5, 3.5]),
        ([], False, []),
        (["--speed", "2"], False, [0.25, 0.5, 1.25, 1.75]),
        (["--speed", "0"], True, []),
        (["--speed", "1", "--json"], False, [0.0, 0.5, 1.0, 2.5, 3.5]),
    ],
)
def test_it_comes_as_fast_as_it_came_if_somebody_watches_or_wants_it(
    path: Path,
    waits: list[float],
    arguments: list[str],
    terminal: bool,
    expected: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = recorded(path, (0.5, event("a")), (2.0, event("b")), after=0.5, ending=Ending("whole", 3.0))
    if terminal:
        monkeypatch.setattr(sys, "stdout", Terminal())
    assert main(["replay", file, *arguments]) == 0
    assert waits == expected


def test_two_exchanges_have_a_clock_each(path: Path, waits: list[float]) -> None:
    recorded(path, (1.0, event("a")), ending=Ending("whole", 1.0))
    file = recorded(path, (1.0, event("a")), ending=Ending("whole", 1.0))
    assert main(["replay", file, "--speed", "1"]) == 0
    assert [wait for wait in waits if wait] == [1.0, 1.0, 1.0, 2.0, 2.0]
