"""The command as a whole: help, usage, extras, and how it leaves."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cli.command import ROOT, Terminal, environment, process

from coze_async import __version__
from coze_async.cli import _app, main
from coze_async.cli._output import Output
from coze_async.emulator import Emulator

Captured = pytest.CaptureFixture[str]
COMMANDS = [
    ["chat"],
    ["batch"],
    ["workflow"],
    ["workflow", "run"],
    ["workflow", "resume"],
    ["emulator"],
    ["login"],
    ["logout"],
    ["doctor"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command: list[str], capsys: Captured) -> None:
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"coze-async {' '.join(command)}" in out
    assert "Where the words go" not in out
    assert all(len(line) <= 100 for line in out.splitlines() if "╭" not in line and "╰" not in line and "│" not in line)


def test_without_a_command_the_commands_are_listed(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["coze-async"])
    assert main() == 0
    out = capsys.readouterr().out
    assert all(name in out for name in ("chat", "workflow", "emulator", "doctor", "COZE_API_TOKEN", "Exit codes"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chat", "--bta", "x"], "--bta"),
        (["chatt"], "chatt"),
        (["workflow", "run"], "requires an argument"),
        (["workflow", "resume", "w", "e", "a", "--type", "two"], "--type"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: list[str], said: str, capsys: Captured) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_its_extra_it_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in [
        name for name in sys.modules if name.partition(".")[0] == missing or name.startswith("coze_async.cli.")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["chat", "hi"]) == 1
    expected = f"coze-async needs {missing}, which is not installed: pip install 'coze_async[cli]'\n"
    assert capsys.readouterr() == ("", expected)


def test_another_module_that_is_missing_is_no_question_of_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "coze_async.cli._app")
    monkeypatch.setitem(sys.modules, "coze_async.cli._serve", None)
    monkeypatch.delattr("coze_async.cli._serve")
    with pytest.raises(ImportError, match="_serve"):
        main(["chat", "hi"])


def test_ctrl_c_while_it_is_being_loaded_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "coze_async.cli._app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "coze_async.cli._app")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    assert main(["chat", "hi"]) == 130


def test_python_can_run_it_as_a_module() -> None:
    with process(["--version"]) as command:
        out, err = command.communicate(timeout=20)
    assert (command.returncode, out.decode().strip(), err) == (0, __version__, b"")


def test_a_closed_pipe_is_quiet(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["chat", "hi"]) == 141
    assert "error" not in capsys.readouterr().err


def test_an_answer_that_cannot_be_written_is_one_message(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    assert main(["chat", "hi"]) == 1
    assert capsys.readouterr().err.endswith("error: The output cannot be written: No space left on device.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_message() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "coze_async", "chat", "hi"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=20, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode().splitlines()[-1] == "error: The output cannot be written: No space left on device."


def test_ctrl_c_is_told_on_stderr_when_the_answer_goes_to_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "dumb")

    def pressed(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(_app, "_called", pressed)
    assert main(["chat", "hi"]) == 130
    # The terminal has echoed ^C on a line that is left first.
    assert err.shown == "\nStopped.\n"


def test_an_output_that_is_no_file_has_nothing_to_discard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    Output.discard()


def test_what_is_left_in_a_buffer_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as out:
        monkeypatch.setattr(sys, "stdout", out)
        out.write("never read")
        Output.discard()
    # Leaving the block has flushed into nothing, without a BrokenPipeError.
    assert out.closed


def test_the_locale_c_does_not_hurt() -> None:
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    ended = subprocess.run(
        [sys.executable, "-m", "coze_async", "chat", "请介绍一下茶"],
        env=environment(**settings), cwd=ROOT, capture_output=True, timeout=20, check=False,
    )  # fmt: skip
    assert ended.returncode == 0
    # 关于“茶”, as numbers: the question has arrived whole.
    assert ended.stdout.startswith(rb"\u5173\u4e8e\u201c\u8336\u201d")
