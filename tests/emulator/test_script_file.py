"""Scripts in files: the example does what it says, and whatever no script can do is an error that names its place."""

import json
import re
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from emulator.talk import names, parse, question, talking
from hypothesis import given
from hypothesis import strategies as st

from coze_async import AsyncCoze, ChatFailedError, ChatResult, NotFoundError, ToolOutput, WorkflowInterrupt
from coze_async.emulator import Emulator, ScriptError
from coze_async.models import WorkflowMessage

yaml: Any = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/bots.yaml"

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file of scripts."""

    def written(text: str, name: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def client(emulator: Emulator) -> AsyncCoze:
    return AsyncCoze("any", transport=emulator.transport())


async def asked(coze: AsyncCoze, text: str, bot: str = "7001", user: str = "u-1") -> ChatResult:
    return await coze.chat.ask(text, bot_id=bot, user_id=user)


async def test_the_bots_of_the_example_do_what_it_says() -> None:
    emulator = Emulator.load(EXAMPLE)
    async with client(emulator) as coze:
        assert (await asked(coze, "Hi", "hello")).text == "Hello, u-1! You said “Hi”."
        other = await asked(coze, "你能做什么？")
        assert (other.text, len(other.follow_ups)) == (
            "我可以查天气、订单和票价。关于“你能做什么”，请说得具体一些。",
            3,
        )
        found = await asked(coze, "How much is a TICKET?")
        assert (found.text, found.reasoning) == ("成人票 45 元，学生半价。", "用户问票价，手册里有。")
        assert [(k.text, k.score, k.document and k.document.name, k.url) for k in found.knowledge] == [
            ("成人票 45 元，学生半价。", 0.92, "票价.md", "https://example.com/tickets?lang=zh&year=2026")
        ]
        weather = await asked(coze, "天气怎么样")
        assert [message.type for message in weather.messages] == ["function_call", "tool_response", "answer", "verbose"]
        assert json.loads(weather.messages[0].content)["arguments"] == {"city": "杭州"}
        assert json.loads(weather.messages[1].content) == {"degrees": 24, "sky": "sunny"}
        route = await asked(coze, "推荐一条路线")
        assert [message.content_type for message in route.messages] == ["text", "card", "text", "text"]
        assert json.loads(route.messages[1].content)["title"] == "西湖一日"
        assert json.loads(json.loads(route.messages[2].content)["data"]) == {"from": "guide", "to": "planner"}
        assert route.usage is not None
        assert (route.usage.input_count, route.usage.output_count) == (320, 64)
        assert route.text == "这是为你准备的路线。"
        with pytest.raises(ChatFailedError, match="The free quota of this account is used up") as caught:
            await asked(coze, "quota")
        assert caught.value.code == 4028
        assert caught.value.partial is not None
        assert caught.value.partial.text == "让我看看"
        with pytest.raises(NotFoundError, match="4015"):
            await asked(coze, "Hi", "draft")


@pytest.mark.parametrize(("asked_for", "number"), [("订单 42", "42"), ("order 7", "7")])
async def test_a_tool_of_the_example_gets_its_arguments_and_the_chat_goes_on(asked_for: str, number: str) -> None:
    emulator = Emulator.load(EXAMPLE)
    async with client(emulator) as coze:
        waiting = await asked(coze, asked_for)
        (call,) = waiting.tool_calls
        assert call.function is not None
        assert json.loads(call.function.arguments) == {"question": asked_for, "number": number}
        done = await coze.chat.submit_tool_outputs_stream(
            conversation_id=waiting.conversation_id or "",
            chat_id=waiting.chat_id or "",
            tool_outputs=[ToolOutput(tool_call_id=call.id, output="已发货 {topic}")],
        ).result()
        # What others say is not filled in again.
        assert (done.text, done.follow_ups) == (f"订单 {number}：已发货 {{topic}}", ["可以改地址吗？"])


async def test_the_pieces_and_the_sound_of_the_example_come_as_deltas() -> None:
    emulator = Emulator.load(EXAMPLE)
    async with talking(emulator) as coze:
        slow = (await coze.http.post("/v3/chat", json=question("slow, please", bot_id="7001"))).text
        deltas = [event.data["content"] for event in parse(slow) if event.name.endswith("delta")]
        assert deltas == ["慢", "慢", "来", "。"]
        assert slow.count(": keep-alive\n\n") == 4
        events = await coze.chat(question("朗读", bot_id="7001"))
        assert names(events)[-3:] == ["conversation.chat.completed", "conversation.audio.delta", "done"]
        card = await coze.chat(question("路线", bot_id="7001"))
        assert {event.data["content_type"] for event in card if event.name.endswith("delta")} == {"text"}


async def test_the_workflows_of_the_example_do_what_it_says() -> None:
    emulator = Emulator.load(EXAMPLE)
    async with client(emulator) as coze:
        run = await coze.workflows.run(workflow_id="city-report", parameters={"city": "杭州"})
        assert run.json() == {"city": "杭州", "report": "杭州 is worth a visit."}
        stream = coze.workflows.stream(workflow_id="city-report", parameters={"city": "杭州"})
        said = [event async for event in stream if isinstance(event, WorkflowMessage)]
        assert "".join(event.content for event in said if event.node_title == "Write") == "Writing about 杭州."
        (asked_first,) = [
            event
            async for event in coze.workflows.stream(workflow_id="booking")
            if isinstance(event, WorkflowInterrupt)
        ]
        where: Any = {"workflow_id": "booking", "interrupt_type": 2}
        more = [e async for e in coze.workflows.resume(event_id=asked_first.event_id, resume_data="Monday", **where)]
        asked_again = more[-1]
        assert isinstance(asked_again, WorkflowInterrupt)
        last = [e async for e in coze.workflows.resume(event_id=asked_again.event_id, resume_data="3", **where)]
        assert any(isinstance(e, WorkflowMessage) and e.content == '{"booked":"3 people"}' for e in last)
        with pytest.raises(Exception, match="6006"):
            await coze.workflows.run(workflow_id="broken")


def blocks_of(language: str) -> list[str]:
    text = (ROOT / "docs/scripts.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


async def test_the_sample_of_the_documentation_does_what_it_says(write: Write) -> None:
    (sample,) = blocks_of("toml")
    emulator = Emulator.load(str(write(sample, "bots.toml")), "studio", pace=0.0)
    assert emulator.dialect == "studio"
    emulator = Emulator.load(write(sample, "bots.toml"))
    async with client(emulator) as coze:
        assert (await asked(coze, "weather?")).text == "Sunny, 24 degrees."
        priced = await asked(coze, "What is the PRICE")
        assert (priced.text, priced.reasoning) == ("45 yuan.", "The handbook says so.")
        assert [chunk.document and chunk.document.name for chunk in priced.knowledge] == ["prices.md"]
        waiting = await asked(coze, "Where is order 12?")
        assert waiting.tool_calls[0].function is not None
        assert waiting.tool_calls[0].function.arguments == '{"number":"12"}'
        run = await coze.workflows.run(workflow_id="report", parameters={"city": "Paris", "days": 3})
        assert run.json() == {"report": "Paris is worth a visit."}


def test_the_documentation_names_every_key() -> None:
    text = (ROOT / "docs/scripts.md").read_text(encoding="utf-8") + EXAMPLE.read_text(encoding="utf-8")
    emulator = Emulator()
    for place, known in {
        "bots: {b: {x: 1}}": "b",
        "bots: {b: {answers: {x: 1}}}": "b.answers",
        "workflows: {w: {x: 1}}": "w",
    }.items():
        allowed = complaint(emulator, place).partition("Allowed are ")[2].rstrip(".").split(", ")
        assert len(allowed) > 5, known
        assert all(f"`{key}`" in text for key in allowed)


def complaint(emulator: Emulator, text: str, name: str = "bots.yaml") -> str:
    """What is said about a file, after its name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ScriptError) as caught:
            emulator.play(path)
    file, _, said = str(caught.value).partition(": ")
    assert file == str(path)
    return said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bots: {b: {answer: x}}", "bots.b has no key 'answer'. Did you mean 'answers'? Allowed are answers,"),
        ("bot: {b: x}", "the file has no key 'bot'. Did you mean 'bots'? Allowed are bots, workflows."),
        ("bots: {b: {xyz: x}}", "bots.b has no key 'xyz'. Allowed are answers,"),
        ("", "there are neither bots nor workflows in it."),
        ("bots: {}", "there are neither bots nor workflows in it."),
        ("[1]", "the file is a table of keys, not a list."),
        ("bots: [x]", "bots is a table by id, not a list."),
        ("bots: {true: x}", "bots has true (a text of that name needs quotes) for an id: put it in quotes."),
        ("bots: {1: x, '1': y}", "bots has the id '1' twice."),
        ("bots: {b: 5}", "bots.b is a text, not the number 5."),
        ("bots: {b: }", "bots.b is a text, not nothing."),
        ("bots: {b: yes}", "bots.b is a text, not true (a text of that name needs quotes)."),
        ("bots: {b: 2026-11-21}", "bots.b is a text, not 2026-11-21 (a text that looks so needs quotes)."),
        ("bots: {b: {follow_ups: {a: 1}}}", "bots.b.follow_ups is a text, not a table of keys."),
        ("bots: {b: {1: x}}", "bots.b has the number 1 for a key: put it in quotes."),
        ("bots: {b: {answers: [x, {txt: y}]}}", "bots.b.answers[1] has no key 'txt'. Did you mean 'text'?"),
        ("bots: {b: {answers: {text: [x]}}}", "bots.b.answers.text is a text, not a list."),
        ("bots: {b: {answers: {card: x}}}", "bots.b.answers.card is a table of keys, not the text 'x'."),
        ("bots: {b: {answers: {card: {}, text: x}}}", "bots.b.answers is a card or a text, not both"),
        ("bots: {b: {answers: {audio: {file: no.pcm}}}}", "bots.b.answers.audio.file cannot be read: "),
        ("bots: {b: {knowledge: x}}", "bots.b.knowledge is a list, not the text 'x'."),
        ("bots: {b: {knowledge: [{score: 1}]}}", "bots.b.knowledge[0] needs the key 'text'."),
        ("bots: {b: {knowledge: [{text: x, score: high}]}}", "bots.b.knowledge[0].score is a number, not the text"),
        ("bots: {b: {tools: [{name: x, arguments: []}]}}", "bots.b.tools[0].arguments is a table of keys, not a list."),
        ("bots: {b: {requires: [{}]}}", "bots.b.requires[0] needs the key 'name'."),
        ("bots: {b: {then: {answer: x}}}", "bots.b.then has no key 'answer'."),
        ("bots: {b: {usage: {input_count: 1}}}", "bots.b.usage needs the key 'output_count'."),
        ("bots: {b: {usage: {input_count: -1, output_count: 0}}}", ".input_count is a whole number from 0, not -1."),
        ("bots: {b: {failure: x}}", "bots.b.failure is a whole number, not the text 'x'."),
        ("bots: {b: {failure: true}}", "is a whole number, not true"),
        ("bots: {b: {failure: {bare: 1}}}", "bots.b.failure.bare is true or false, not the number 1."),
        ("bots: {b: {pace: -1}}", "bots.b.pace is a number of seconds from 0, not the number -1."),
        ("bots: {b: {seconds: .inf}}", "bots.b.seconds is a number of seconds from 0, not the number inf."),
        ("bots: {b: {pace: true}}", "bots.b.pace is a number of seconds from 0, not true"),
        ("bots: {b: {when: [{answers: x}]}}", "bots.b.when[0] needs 'contains' (a text, or several) or 'regex'"),
        ("bots: {b: {when: [{contains: [], answers: x}]}}", "bots.b.when[0] needs 'contains'"),
        ("bots: {b: {when: [{contains: '', answers: x}]}}", "bots.b.when[0] needs 'contains'"),
        ("bots: {b: {when: [{regex: '(', answers: x}]}}", "bots.b.when[0].regex is no regular expression: "),
        ("bots: {b: {when: [{regex: x, when: []}]}}", "bots.b.when[0] has no key 'when'."),
        ("bots: {b: {published: 0}}", "bots.b.published is true or false, not the number 0."),
        ("bots: {b: {published: false, answers: x}}", "bots.b is not published, so it does nothing: take out answers."),
        ("workflows: {w: {published: false, seconds: 1}}", "workflows.w is not published, so it does nothing"),
        ("workflows: {w: {nodes: [{title: x}]}}", "workflows.w.nodes[0] needs the key 'text'."),
        ("workflows: {w: {ask: {then: x}}}", "workflows.w.ask needs the key 'question'."),
        ("workflows: {w: {ask: {question: x, then: {outptu: x}}}}", "workflows.w.ask.then has no key 'outptu'."),
        ("workflows: {w: {output: 3}}", "workflows.w.output is a table of keys, not the number 3."),
        ("bots: {b: {then: x}}", "bots.b has 'then', which goes on after the outputs of tools, but no 'requires'"),
        ("bots: {b: {then: x, requires: []}}", "bots.b has 'then'"),
        ("bots: {b: {when: [{regex: x, then: y}]}}", "bots.b.when[0] has 'then'"),
        ("bots: {b: {requires: [{name: x}], then: {then: y}}}", "bots.b.then has 'then'"),
        ("bots: {b: {raw: x, answers: y}}", "bots.b has 'raw', which is all that is sent: take out answers, or 'raw'."),
        ("bots: {b: {when: [{regex: x, raw: x, then: y, verbose: []}]}}", "take out then, verbose, or 'raw'."),
        ("bots: {b: {requires: [{name: x}], then: {raw: x, follow_ups: y}}}", "bots.b.then has 'raw'"),
        ("bots:\n  0123: x", "line 2, column 3: the key 0123 is the number 83 in YAML: put it in quotes."),
        ("workflows: {7_001: x}", "line 1, column 13: the key 7_001 is the number 7001 in YAML: put it in quotes."),
        ("bots: {1:30: x}", "line 1, column 8: the key 1:30 is the number 90 in YAML: put it in quotes."),
        ("bots: {b: {answers: {card: {0x1F: x}}}}", "the key 0x1F is the number 31 in YAML: put it in quotes."),
        ("bots: {b: &b {answers: x, then: *b}}", "line 1, column 33: the alias *b stands inside of itself."),
        ("bots: {b: &b {<<: *b}}", "line 1, column 19: the alias *b stands inside of itself."),
        ("bots: {b: {answers: &a [x, *a]}}", "line 1, column 28: the alias *a stands inside of itself."),
        ("bots: {b: *no}", "this is no YAML at line 1, column 11: found undefined alias 'no'."),
        ("bots: {b: " + "[" * 2000 + "]" * 2000 + "}", "lists and tables are nested too deeply in it."),
        ("bots: {b: x, b: y}", "this is no YAML at line 1, column 14: the key 'b' stands there twice."),
        ("bots: {b: x", "this is no YAML at line 1, column 12: "),
        ("bots: !!python/object:os.system {}", "this is no YAML at line 1, column 7: could not determine"),
        ("bots: {? [1] : x}", "this is no YAML"),
        ("\x00", "this is no YAML: "),
    ],
)  # fmt: skip
def test_what_no_script_can_do_is_told_with_its_place(text: str, said: str) -> None:
    emulator = Emulator()
    emulator.bot("mine", "x")
    assert said in complaint(emulator, text)


def test_what_is_no_file_of_scripts_is_told(write: Write, tmp_path: Path) -> None:
    emulator = Emulator()
    assert complaint(emulator, "bots = 1", "bots.json").startswith(
        "a file of scripts ends in .yaml, .yml or .toml, not"
    )
    assert complaint(emulator, "", "bots").endswith("not in nothing.")
    assert "this is no TOML: " in complaint(emulator, "bots = ", "bots.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes('[bots]\nb = "Grüße"'.encode("latin-1"))
    with pytest.raises(ScriptError, match=r"the file is not UTF-8 \(byte 14\)"):
        emulator.play(path)
    with pytest.raises(FileNotFoundError):
        Emulator.load(tmp_path / "none.yaml")


def test_a_mark_at_the_beginning_of_a_file_is_passed_over(tmp_path: Path) -> None:
    for name, text in (("bots.toml", 'bots.b = "x"'), ("bots.yaml", "bots: {b: x}")):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8-sig")
        Emulator.load(path)


async def test_a_file_that_is_wrong_changes_nothing(write: Write) -> None:
    emulator = Emulator()
    emulator.bot("b", "as before")
    with pytest.raises(ScriptError):
        emulator.play(write("bots: {b: new, c: 5}", "bots.yaml"))
    async with client(emulator) as coze:
        assert (await asked(coze, "Hi", "b")).text == "as before"


def test_yaml_without_pyyaml_says_what_to_install(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'coze_async\[emulator\]', or write TOML") as caught:
        Emulator.load(write("bots: {b: x}", "bots.yaml"))
    assert caught.value.name == "yaml"
    Emulator.load(write('bots.b = "x"', "bots.toml"))


async def test_a_raw_body_has_a_pace_of_its_own(write: Write) -> None:
    text = "bots: {b: {raw: [a, b], pace: 2, seconds: 1, keep_alive: 3, when: [{regex: x, raw: c}]}}"
    async with talking(Emulator.load(write(text, "bots.yaml"))) as talk:
        began = anyio.current_time()
        assert (await talk.http.post("/v3/chat", json=question(bot_id="b"))).content == b"ab"
        assert anyio.current_time() - began == 4


async def test_ids_may_be_numbers_and_anchors_may_be_used(write: Write) -> None:
    text = """
bots:
  "0123": &quoted quoted
  again: *quoted
  7500000000000000001: &base
    answers: shared
  other:
    <<: *base
    follow_ups: more
"""
    async with client(Emulator.load(write(text, "bots.yml"))) as coze:
        assert (await asked(coze, "Hi", "7500000000000000001")).text == "shared"
        other = await asked(coze, "Hi", "other")
        assert (other.text, other.follow_ups) == ("shared", ["more"])
        assert [(await asked(coze, "Hi", bot)).text for bot in ("0123", "again")] == ["quoted", "quoted"]


async def test_a_bot_without_answers_answers_by_itself_outside_its_rules(write: Write) -> None:
    text = """
bots:
  b:
    pace: 2
    follow_ups: Mine?
    when:
      - {contains: price, regex: '\\d', answers: '{0} {question} {unknown} {"a": 1}'}
      - {contains: slow, answers: x, pace: 3}
      - {contains: fail, failure: 5000}
"""
    emulator = Emulator.load(write(text, "bots.yaml"))
    async with talking(emulator, timeout=None) as coze:
        events = await coze.chat(question("What is jazz?", bot_id="b"))
        texts = [e.data["content"] for e in events if e.name.endswith("message.completed")]
        assert "how I would look at jazz" in texts[0]
        assert texts[-1] == "Mine?"
        events = await coze.chat(question("The price of 5 apples", bot_id="b"))
        answer = next(e.data["content"] for e in events if e.name.endswith("message.completed"))
        assert answer == '5 The price of 5 apples {unknown} {"a": 1}'
        # Both have to be found.
        events = await coze.chat(question("The price", bot_id="b"))
        assert "how I would look at" in next(e.data["content"] for e in events if e.name.endswith("completed"))


async def test_the_pace_of_a_bot_holds_for_its_rules(write: Write) -> None:
    text = "bots: {b: {pace: 2, when: [{contains: a, answers: one two}, {contains: b, answers: one two, pace: 3}]}}"
    emulator = Emulator.load(write(text, "bots.yaml"))
    took: list[float] = []
    async with talking(emulator, timeout=None) as coze:
        for asked_for in ("a", "b"):
            started = anyio.current_time()
            await coze.chat(question(asked_for, bot_id="b"))
            took.append(anyio.current_time() - started)
    assert took == pytest.approx([4, 6])


async def test_a_sound_in_a_file_is_sent_as_it_is(write: Write, tmp_path: Path) -> None:
    (tmp_path / "hello.pcm").write_bytes(b"\x01\x02" * 3000)
    emulator = Emulator.load(write("bots: {b: {answers: {text: x, audio: {file: hello.pcm}}}}", "bots.yaml"))
    async with talking(emulator) as coze:
        events = await coze.chat(question(bot_id="b"))
    sound = [b64decode(e.data["content"]) for e in events if e.name == "conversation.audio.delta"]
    assert (len(sound), b"".join(sound)) == (2, b"\x01\x02" * 3000)


WORDS = """answers text reasoning knowledge tools requires then verbose follow_ups usage failure seconds pace when
    contains regex name arguments output nodes ask question published raw card audio code"""
KEYS = st.sampled_from(WORDS.split())
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(PLAIN)
def test_whatever_stands_in_a_file_is_played_or_refused_in_words(tmp_path_factory: Any, value: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    text: str = yaml.safe_dump({"bots": {"b": value}, "workflows": {"w": value}}, allow_unicode=True)
    path.write_text(text, encoding="utf-8", errors="replace")
    refused = ""
    try:
        Emulator.load(path)
    except ScriptError as error:
        refused = str(error)
    assert not refused or refused.startswith(f"{path}: ")
