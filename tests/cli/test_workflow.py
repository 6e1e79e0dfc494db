"""`coze-async workflow`: parameters, results, and the questions in between."""

import io
import json
import sys
from typing import Any

import pytest
from cli.command import Terminal
from hypothesis import given
from hypothesis import strategies as st

from coze_async.cli import main
from coze_async.cli._connect import UsageError
from coze_async.cli._workflow import parsed_parameters
from coze_async.emulator import Ask, Emulator, Failure, Node, Usage, WorkflowScript

Captured = pytest.CaptureFixture[str]
WEATHER = WorkflowScript({"output": "sunny"}, nodes=[Node("Look", "Looking up"), Node("Think", "A moment")],
                         usage=Usage(40, 2), seconds=0.0)  # fmt: skip


def weather_in(city: str) -> WorkflowScript:
    return WorkflowScript({"output": f"sunny in {city}"}, seconds=0.0)


ASKING = WorkflowScript(ask=Ask("Which city?", then=weather_in), seconds=0.0)


def at_terminal(monkeypatch: pytest.MonkeyPatch, typed: str) -> Terminal:
    """Sit at a terminal, and type; returns what stdout shows."""
    out = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    monkeypatch.setattr(sys, "stdout", out)
    return out


@pytest.fixture(autouse=True)
def nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
))  # fmt: skip
def test_every_json_value_can_be_a_parameter(value: Any) -> None:
    assert parsed_parameters([f"key={json.dumps(value)}"]) == {"key": value}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("city=Paris", "Paris"),
        ("city=", ""),
        ("note=a=b", "a=b"),
        ("days=3", 3),
        ("list=[1, 2]", [1, 2]),
        ("flag=true", True),
        ("text=\"3\"", "3"),
        ("broken=[1,", "[1,"),
        # Python would read these two; JSON has no such numbers.
        ("number=NaN", "NaN"),
        ("number=-Infinity", "-Infinity"),
        ("deep=" + "[" * 100_000, "[" * 100_000),
        ("odd=caf\udce9", "caf\ufffd"),
    ],
)  # fmt: skip
def test_a_value_is_json_if_it_reads_so_and_text_if_not(word: str, value: Any) -> None:
    assert list(parsed_parameters([word]).values()) == [value]


@pytest.mark.parametrize(
    ("words", "said"),
    [(["Paris"], "'Paris' is no parameter"), (["=3"], "'=3' is no parameter"), (["a=1", "a=2"], "'a' is given twice")],
)
def test_what_is_no_parameter_is_named(words: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parsed_parameters(words)


def test_wrong_parameters_are_wrong_usage(capsys: Captured) -> None:
    assert main(["workflow", "run", "w-1", "Paris"]) == 2
    assert capsys.readouterr().err.startswith("error: 'Paris' is no parameter: write key=value")


def test_a_run_writes_its_result(emulator: Emulator, capsys: Captured) -> None:
    emulator.workflow("w-1", WEATHER)
    assert main(["workflow", "run", "w-1", "city=Paris", "days=3"]) == 0
    out, err = capsys.readouterr()
    assert out == '{"output":"sunny"}\n'
    assert emulator.requests[-1].body == {"workflow_id": "w-1", "parameters": {"city": "Paris", "days": 3}}
    assert "  42 tokens (40 in, 2 out)\n" in err
    assert "execute_id=" in err


def test_a_run_as_json_is_one_object_with_the_result_read(emulator: Emulator, capsys: Captured) -> None:
    emulator.workflow("w-1", WEATHER)
    assert main(["workflow", "run", "w-1", "--json"]) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    assert json.loads(line)["result"] == {"output": "sunny"}
    assert err.count("\n") == 1


def test_a_stream_writes_what_each_node_says_on_its_own_line(emulator: Emulator, capsys: Captured) -> None:
    emulator.workflow("w-1", WEATHER)
    assert main(["workflow", "run", "w-1", "--stream"]) == 0
    assert capsys.readouterr().out == 'Looking up\nA moment\n{"output":"sunny"}\n'


def test_nodes_that_do_not_say_that_they_are_done_are_told_apart_by_name(emulator: Emulator, capsys: Captured) -> None:
    said = [("A", "one"), ("A", " two"), ("B", "three"), ("B", "")]
    raw = "".join(
        f"id: {number}\nevent: Message\ndata: {json.dumps({'node_title': node, 'content': text})}\n\n"
        for number, (node, text) in enumerate(said)
    )
    emulator.workflow(
        "w-1", WorkflowScript(raw=f"{raw}id: 4\nevent: Unheard\ndata: x\n\nid: 5\nevent: Done\ndata: {{}}\n\n".encode())
    )
    assert main(["workflow", "run", "w-1", "--stream"]) == 0
    out, err = capsys.readouterr()
    assert out == "one two\nthree\n"
    # No usage and no page to look at: nothing but the notice.
    assert err.count("\n") == 1


def test_a_stream_as_json_is_one_object_per_event(emulator: Emulator, capsys: Captured) -> None:
    emulator.workflow("w-1", WEATHER)
    assert main(["workflow", "run", "w-1", "--stream", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events[-2:]] == ["Message", "Done"]


@pytest.mark.parametrize("form", [[], ["--stream"]])
def test_a_question_in_between_is_answered_at_the_terminal(
    form: list[str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    emulator.workflow("w-1", ASKING)
    out = at_terminal(monkeypatch, "Paris\n")
    assert main(["workflow", "run", "w-1", *form]) == 0
    shown = out.shown + capsys.readouterr().err
    assert shown.count("Which city?") == 1
    assert '{"output":"sunny in Paris"}\n' in out.shown
    body = emulator.requests[-1].body
    assert (body["resume_data"], body["interrupt_type"]) == ("Paris", 2)


@pytest.mark.parametrize("typed", ["", "\n"])
def test_a_question_that_is_not_answered_ends_the_command(
    typed: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    emulator.workflow("w-1", ASKING)
    at_terminal(monkeypatch, typed)
    assert main(["workflow", "run", "w-1", "--stream"]) == 1
    assert "The workflow waits for an answer" in capsys.readouterr().err


def test_with_nobody_there_the_command_says_how_to_go_on_and_that_works(
    server: str, emulator: Emulator, capsys: Captured
) -> None:
    emulator.workflow("w-1", ASKING)
    assert main(["workflow", "run", "w-1"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(
        "Which city?\nThe workflow waits for an answer. Go on with:\n  coze-async workflow resume w-1 "
    )
    words = err.splitlines()[-1].split()
    assert main([("Berlin" if word == "ANSWER" else word) for word in words[1:]]) == 0
    assert capsys.readouterr().out == '{"output":"sunny in Berlin"}\n'


def test_the_built_in_emulator_says_that_it_forgets_the_run(emulator: Emulator, capsys: Captured) -> None:
    emulator.workflow("w-1", WorkflowScript(ask=Ask(""), seconds=0.0))
    assert main(["workflow", "run", "w-1"]) == 1
    assert "The built-in emulator forgets the run" in capsys.readouterr().err


@pytest.mark.parametrize("form", [[], ["--stream"]])
def test_a_run_that_fails_is_one_message(form: list[str], emulator: Emulator, capsys: Captured) -> None:
    emulator.workflow("w-1", WorkflowScript(failure=Failure(720702204, "no model"), seconds=0.0))
    assert main(["workflow", "run", "w-1", *form]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "error: POST /v1/workflow/" in err
    assert "720702204" in err
    assert "Traceback" not in err
