"""Arguments of scripts and faults: taken as a file of scripts takes them, or refused at once."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from emulator.talk import question, talking, text_of

from coze_async import ConfigurationError
from coze_async.emulator import (
    Answer,
    Ask,
    Chunk,
    Code,
    Cut,
    Emulator,
    ErrorEvent,
    Failure,
    Html,
    Node,
    Refuse,
    Script,
    Slow,
    Text,
    ToolCall,
    ToolUse,
    Usage,
    Verbose,
    WorkflowScript,
    WrongContentType,
)

# A parametrized test needs the mark when it is collected; tests/conftest.py adds it later than that.
pytestmark = pytest.mark.anyio
# What types do not allow and files do.
script, flow, said = cast("Any", Script), cast("Any", WorkflowScript), cast("Any", Answer)


@pytest.mark.parametrize(
    ("short", "whole"),
    [
        (script("a", knowledge=["k"]), Script("a", knowledge=(Chunk("k"),))),
        (script("a", knowledge=[{"text": "k", "score": 1}]), Script("a", knowledge=(Chunk("k", 1),))),
        (script("a", failure=5000), Script("a", failure=Failure(5000))),
        (script("a", failure={"code": 4028, "msg": "x"}), Script("a", failure=Failure(4028, "x"))),
        (script("a", follow_ups="abc"), Script("a", follow_ups=("abc",))),
        (script("a", usage={"input_count": 1, "output_count": 2}), Script("a", usage=Usage(1, 2))),
        (script(["a", {"text": "b"}]), Script(("a", Answer("b")))),
        (script({"text": "a", "reasoning": "r"}), Script((Answer("a", "r"),))),
        (script(requires=[{"name": "clock"}], then="noon"), Script(requires=(ToolCall("clock"),), then=Script("noon"))),
        (script(tools=[{"name": "t", "response": {"a": 1}}]), Script(tools=(ToolUse("t", response='{"a": 1}'),))),
        (script(verbose=[{"msg_type": "m"}]), Script(verbose=(Verbose("m"),))),
        (script(raw="x"), Script(raw=b"x")),
        (script(raw=["x", b"y"]), Script(raw=(b"x", b"y"))),
        (flow({"a": 1}, nodes=[{"title": "n", "text": "t"}]), WorkflowScript({"a": 1}, nodes=(Node("n", "t"),))),
        (flow(ask="Which?"), WorkflowScript(ask=Ask("Which?"))),
        (cast("Any", Ask)("Which?", then="out"), Ask("Which?", then=WorkflowScript("out"))),
    ],
)
def test_what_a_file_can_say_a_script_takes_too(short: object, whole: object) -> None:
    assert short == whole


def test_a_text_as_sound_is_spoken() -> None:
    assert len(b"".join(said("a", audio="hello").audio)) > 4800
    assert said("a", audio=[b"ab", b"c"]).audio == [b"ab", b"c"]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: script(3), r"^Script\.answers must be an Answer, a text or a mapping of its fields, not 3\.$"),
        (lambda: script("a", knowledge="k"), r"^Script\.knowledge must be a list, not 'k'\.$"),
        (lambda: script("a", knowledge=[3]), r"^Script\.knowledge\[0\] must be a Chunk, a text or a mapping"),
        (lambda: script("a", failure="no"), r"^Script\.failure must be a Failure, a whole number or a mapping"),
        (lambda: script("a", failure=True), r"^Script\.failure must be"),
        (lambda: script("a", follow_ups=[1]), r"^Script\.follow_ups\[0\] must be a text, not 1\.$"),
        (lambda: script("a", seconds=-1), r"^Script\.seconds must be a number of seconds from 0, not -1\.$"),
        (lambda: script("a", seconds=math.nan), r"^Script\.seconds must be"),
        (lambda: script("a", pace="fast"), r"^Script\.pace must be a number"),
        (lambda: script("a", keep_alive=True), r"^Script\.keep_alive must be a whole number"),
        (lambda: script("a", usage=3), r"^Script\.usage must be a Usage or a mapping of its fields, not 3\.$"),
        (lambda: script("a", usage={"input_count": 1}), r"^Script\.usage needs the key 'output_count'\.$"),
        (lambda: script([{"txt": "a"}]), r"^Script\.answers\[0\] has no key 'txt'\. Did you mean 'text'\? Allowed are"),
        (lambda: script(raw=3), r"^Script\.raw must be a list"),
        (lambda: script(raw=[3]), r"^Script\.raw\[0\] must be bytes or a text"),
        (lambda: said(b"x"), r"^Answer\.text must be a text"),
        (lambda: said("a", pieces="ab"), r"^Answer\.pieces must be a list"),
        (lambda: said("a", audio=[1]), r"^Answer\.audio\[0\] must be bytes"),
        (lambda: cast("Any", Chunk)("k", "high"), r"^Chunk\.score must be a number"),
        (lambda: Chunk("k", math.inf), r"^Chunk\.score must be a finite number"),
        (lambda: cast("Any", ToolUse)("t", ["x"]), r"^ToolUse\.arguments must be a mapping with texts for keys"),
        (lambda: cast("Any", Failure)("5000"), r"^Failure\.code must be a whole number"),
        (lambda: cast("Any", Failure)(5000, bare=1), r"^Failure\.bare must be True or False"),
        (lambda: flow(nodes=["n"]), r"^WorkflowScript\.nodes\[0\] must be a Node or a mapping"),
        (lambda: flow(3), r"^WorkflowScript\.output must be a text"),
        (lambda: cast("Any", Cut)("3"), r"^after must be a number, not '3'\.$"),
        (lambda: cast("Any", Slow)(size="3"), r"^size must be a whole number"),
        (lambda: cast("Any", Refuse)("429"), r"^Refuse\.status must be a whole number"),
        (lambda: cast("Any", Refuse)(429, "4013"), r"^Refuse\.code must be a whole number"),
        (lambda: cast("Any", Code)(None), r"^Code\.code must be a whole number"),
        (lambda: cast("Any", ErrorEvent)(4016, 3), r"^ErrorEvent\.msg must be a text"),
        (lambda: cast("Any", Text)(500, b"x"), r"^Text\.text must be a text"),
        (lambda: cast("Any", Html)("502"), r"^Html\.status must be a whole number"),
        (lambda: cast("Any", WrongContentType)(None), r"^WrongContentType\.content_type must be a text"),
        (lambda: Emulator().bot(cast("Any", 1.5), "x"), r"^bot_id must be a text, not 1\.5\.$"),
        (lambda: Emulator().bot(" ", "x"), r"^bot_id must be a text"),
        (lambda: Emulator().bot(cast("Any", True), "x"), r"^bot_id must be a text"),
        (lambda: Emulator().workflow(cast("Any", b"w"), None), r"^workflow_id must be a text"),
        (lambda: Emulator().fail(Cut(), on="POST /v3/chta"), r"'POST /v3/chta'\. Did you mean 'POST /v3/chat'\?"),
        (lambda: Emulator().fail(Cut(), on="GET /v3/chat"), r"^No request of the emulator matches 'GET /v3/chat'"),
        (lambda: Emulator().fail(Cut(), on="post /v3/chat"), "Did you mean 'POST /v3/chat'"),
        (lambda: Emulator().fail(Cut(), on="/v9/*"), r"^No request of the emulator matches '/v9/\*'\. Give"),
        (lambda: Emulator().fail(Cut(), on=cast("Any", 3)), r"^on must be a text"),
        (lambda: Emulator().switch("cut", on="/v3/chta"), "Did you mean '/v3/chat'"),
        (lambda: Emulator().fail(Cut(), times=cast("Any", "2")), r"^times must be a number"),
        (lambda: Emulator(pace=cast("Any", "1")), r"^pace must be a number"),
        (lambda: Emulator(strict=cast("Any", "yes")), r"^strict must be True or False"),
    ],
)
def test_what_nobody_can_play_is_refused_at_once(make: Callable[[], object], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        make()


@pytest.mark.parametrize(
    "on",
    ["*", "/v3/*", "GET *", "*/users/me", "POST /v1/bots/7/unpublish", "/v1/bots/*", "*/stream_run", "/v?/chat",
     "P[OU][ST]* /v3/chat", "/oauth/device", "POST /api/permission/oauth2/token", "/v1/conversations/1/messages/*"],
)  # fmt: skip
def test_requests_of_a_fault_are_found_with_ids_and_patterns(on: str) -> None:
    Emulator().fail(Cut(), on=on)


async def test_an_id_may_be_a_number_and_a_bot_a_list_or_a_mapping() -> None:
    emulator = Emulator()
    emulator.bot(7001, ["one", "two"])
    emulator.bot(" 7002 ", {"answers": "three", "follow_ups": "four"})
    async with talking(emulator) as coze:
        assert text_of(await coze.chat(question(bot_id="7001"))) == "onetwo"
        assert text_of(await coze.chat(question(bot_id="7002"))) == "three"


async def test_a_function_that_returns_no_script_is_told_by_its_bot() -> None:
    emulator = Emulator()
    emulator.bot("b-1", lambda _: cast("Any", None))
    async with talking(emulator) as coze:
        with pytest.raises(ConfigurationError, match="What the function of bot 'b-1' returned must be a Script"):
            await coze.chat()


async def test_what_follows_tool_outputs_may_be_short_too() -> None:
    def following(outputs: Mapping[str, str]) -> Any:
        return {"answers": ["It is", *outputs.values()]}

    emulator = Emulator()
    emulator.bot("b-1", Script(requires=[ToolCall("clock", id="c")], then=following))
    async with talking(emulator) as coze:
        chat = (await coze.chat())[0].data
        ids = {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}
        body = {"tool_outputs": [{"tool_call_id": "c", "output": "noon"}], "stream": True}
        assert text_of(await coze.events("/v3/chat/submit_tool_outputs", body, **ids)) == "It isnoon"
