"""Text on its way to a terminal: what a terminal would obey is shown escaped, everywhere."""

import json
import logging
import re
import sys

import pytest
from cli.command import Terminal
from hypothesis import given
from hypothesis import strategies as st

from coze_async.cli import _app, main
from coze_async.cli._markdown import MarkdownWriter, render
from coze_async.cli._output import Output
from coze_async.cli._visible import SEAM, as_json, breakable, visible
from coze_async.emulator import Code, Emulator, Script

EVIL = "\x1b[2J \x9b31m \x9d0;t\x07 \u202eevil\u2066 \x7f\u2028"
SEEN = r"\x1b[2J \x9b31m \x9d0;t\x07 \u202eevil\u2066 \x7f\u2028"
# Neither ours nor anybody's: C0 but for tab and line feed, C1, and what turns a line around.
OBEYED = [
    character
    for character in map(chr, [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
    if character not in "\t\n"
]


def sit_down(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Sit at a terminal that shows stdout and stderr."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    return shown


def obeyed_in(text: str) -> list[str]:
    return [character for character in OBEYED if character in text]


@given(st.text() | st.text(st.sampled_from(OBEYED)))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    assert not obeyed_in(visible(text))
    assert not set(visible(text, one_line=True)) & {*OBEYED, "\n", "\t"}
    assert not obeyed_in(as_json({"text": text}))


def test_what_is_harmless_stays() -> None:
    assert visible("茶\t😀 👩‍🔬 é\r\n") == "茶\t😀 👩‍🔬 é\n"
    assert visible("a\r\nb", one_line=True) == r"a\r\nb"


@given(st.text())
def test_escaped_json_reads_as_what_was_written(text: str) -> None:
    assert json.loads(as_json({"text": text})) == {"text": text}


@pytest.mark.parametrize("form", [[], ["--json"], ["--poll"], ["--poll", "--json"]])
def test_an_answer_is_escaped_in_every_form(
    form: list[str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = sit_down(monkeypatch)
    emulator.bot("b-1", Script(EVIL, follow_ups=[EVIL], seconds=0.0))
    assert main(["chat", "hi", "--bot", "b-1", *form]) == 0
    assert "evil" in terminal.shown
    assert not obeyed_in(terminal.shown)


def test_an_error_is_escaped_with_its_traceback(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    emulator.fail(Code(4015, EVIL))
    assert main(["chat", "hi", "--debug"]) == 1
    assert "Traceback (most recent call last)" in terminal.shown
    assert terminal.shown.count("evil") >= 2
    assert not obeyed_in(terminal.shown)


def test_what_the_library_logs_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)

    def logging_evil(*_: object) -> int:
        logging.getLogger("coze_async").warning("said %s", EVIL)
        return 0

    monkeypatch.setattr(_app, "_called", logging_evil)
    assert main(["doctor"]) == 0
    assert "said \\x1b[2J" in terminal.shown
    assert not obeyed_in(terminal.shown)


def test_a_mistake_of_ours_is_escaped_when_python_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def broken(*_: object) -> int:
        raise KeyError(f"evil {EVIL[0]}")

    monkeypatch.setattr(_app, "_called", broken)
    with pytest.raises(KeyError) as raised:
        main(["chat"])
    sys.excepthook(raised.type, raised.value, raised.tb)
    assert "KeyError" in terminal.shown
    assert not obeyed_in(terminal.shown)


@pytest.mark.parametrize(
    "source",
    [EVIL, f"`{EVIL}`", f"# {EVIL}", f"```\n{EVIL}\n```", "<http://a/%1B%C2%9B%E2%80%AE>", "&#x202e;&#27;&#155;"],
)
def test_markdown_hides_nothing(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    output = Output()
    with output.answer() as write:
        write(source)
    output.table.print(render(source))
    assert not obeyed_in(terminal.shown)


# --- lines ------------------------------------------------------------------------------------------------------------


def test_lines_end_between_words_and_chinese_ones_before_no_full_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    monkeypatch.setenv("COLUMNS", "20")
    output = Output()
    output.tell("The question was refused by https://a-very-long.example.org/path at once.")
    output.note("  ? 使用 Python 编写的一段很长的文字，没有空格。")
    assert terminal.shown.splitlines() == [
        "The question was",
        "refused by",
        "https://a-very-long.example.org/path",
        "at once.",
        "  ? 使用 Python 编写",
        "    的一段很长的文",
        "    字，没有空格。",
    ]


def test_what_no_terminal_shows_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    Output().tell("a word " * 20)
    assert capsys.readouterr().err == "a word " * 20 + "\n"


def test_seams_are_between_characters_that_need_no_space() -> None:
    assert breakable("用Python写。好（的）").replace(SEAM, "|") == "用|Python|写。|好|（的）"
    assert breakable("plain words, and 3.14") == "plain words, and 3.14"


# --- Markdown ---------------------------------------------------------------------------------------------------------

ANSWER = """# Title

First line
second line with **bold**, `code`, vector<int> and <br>.

1. [text](https://example.org/a?b=c), <https://x.org/y>
2. ![picture](https://p.org/x.png)

```python
print("**no**")
```

| a | b |
|---|---|
| 1 | 2 |
"""
RENDERED = """Title

First line
second line with bold, code, vector<int> and
.

 1 text (https://example.org/a?b=c), https://x.org/y
 2 picture (https://p.org/x.png)

 print("**no**")

 a  b
 ────
 1  2
"""


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_terminal_shows_markdown_as_it_is_meant_however_it_comes(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    with Output().answer() as write:
        for begin in range(0, len(ANSWER), size):
            write(ANSWER[begin : begin + size])
    assert [line.rstrip() for line in terminal.shown.splitlines()] == RENDERED.splitlines()


def test_blocks_are_shown_as_soon_as_the_next_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    with MarkdownWriter(Output().table, lambda _: None) as writer:
        writer.write("One *paragraph*\nof two lines\n\n")
        assert terminal.shown == ""
        writer.write("Another\n")
        assert terminal.shown == "One paragraph\nof two lines\n"
    assert terminal.shown == "One paragraph\nof two lines\n\nAnother\n"


def test_what_is_being_written_is_shown_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with MarkdownWriter(Output().table, lambda _: None) as writer:
        writer.write("Half a **sent")
        live = writer._live  # pyright: ignore[reportPrivateUsage]
        assert live is not None
        live.refresh()
        assert "Half a **sent" in terminal.shown
        writer.write("ence**.")
    assert re.sub(r"\x1b\[[\d;]*m", "", terminal.shown.rpartition("\r")[2]).endswith("Half a sentence.\n")


@pytest.mark.parametrize("data", ['{"path": "C:\\\\x", "text": "**a**"}', '[{"a": "_b_"}]', '["*a*"]'])
def test_an_answer_for_programs_is_left_alone(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = sit_down(monkeypatch)
    with Output().answer() as write:
        for character in data:
            write(character)
    assert terminal.shown == data


def test_a_pipe_gets_the_answer_as_it_is(emulator: Emulator, capsys: pytest.CaptureFixture[str]) -> None:
    emulator.bot("b-1", Script(ANSWER, seconds=0.0))
    assert main(["chat", "hi", "--bot", "b-1"]) == 0
    assert capsys.readouterr().out == ANSWER
