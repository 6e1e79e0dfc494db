"""The bots and workflows that answer when no script was given."""

import pytest
from emulator.talk import question, talking, text_of
from hypothesis import given
from hypothesis import strategies as st

from coze_async.emulator import ChatInput, Emulator, default_bot
from coze_async.emulator._scripts import pieces_of, topic_of


@given(st.text() | st.text(alphabet="你好，世界 ab1\n。"))
def test_pieces_put_together_are_the_text(text: str) -> None:
    assert "".join(pieces_of(text)) == text


def test_english_is_cut_by_words_and_chinese_by_characters() -> None:
    assert pieces_of("Hello big world") == ["Hello", " big", " world"]
    assert pieces_of("今天天气很好吗") == ["今天", "天", "气很好", "吗"]


@pytest.mark.parametrize(
    ("asked", "topic"),
    [
        ("What is jazz?", "jazz"),
        ("Could you tell me about  the sea ?", "the sea"),
        ("请介绍一下杭州？", "杭州"),
        ("什么是量子计算", "量子计算"),
        ("x" * 80, "x" * 59 + "…"),
        ("???", ""),
        ("Hello, what is jazz?", "jazz"),
        ("Hi there! Tell me about tea.", "tea"),
        ("你好，请介绍一下杭州", "杭州"),
        ("hidden costs", "hidden costs"),
        ("Hello", "Hello"),
    ],
)
def test_the_topic_of_a_question_is_what_it_asks_for(asked: str, topic: str) -> None:
    assert topic_of(asked) == topic


def _asked(text: str, *history: str) -> str:
    answer = default_bot(ChatInput("b", "u", "c", text, history, {})).answers
    assert isinstance(answer, str)
    return answer


def test_the_default_bot_stays_with_the_topic_in_the_language_of_the_question() -> None:
    assert "how I would look at jazz." in _asked("What is jazz?")
    assert "关于“杭州”" in _asked("请介绍一下杭州")
    assert _asked("Hello!").startswith("Hello!")
    assert _asked("你好").startswith("你好！")
    assert "your question" in _asked("?")


@pytest.mark.parametrize(
    ("asked", "beginning"),
    [
        ("Hi there!", "Hello! I am glad"),
        ("您好！", "你好！很高兴"),
        ("Thanks a lot", "You are welcome!"),
        ("谢谢你！", "不客气！"),
        ("Bye", "Goodbye"),
        ("再见", "再见"),
        ("What can you do?", "I am a bot of the emulator."),
        ("你是谁？", "我是模拟器里的机器人。"),
        ("How do I learn Python?", "You ask: “How do I learn Python?”"),
        ("怎么学游泳？", "你问的是“怎么学游泳？”"),
        ("Hello, what is jazz?", "Here is how I would look at jazz."),
        ("你好，请介绍一下杭州", "关于“杭州”"),
        ("感谢信", "关于“感谢信”"),
        ("goodbye letters", "Here is how I would look at goodbye letters."),
        ("你好吗？", "你好！很高兴"),
    ],
)
def test_the_default_bot_is_pleasant_to_talk_to(asked: str, beginning: str) -> None:
    assert _asked(asked).startswith(beginning)


def test_what_the_default_bot_suggests_is_something_to_ask() -> None:
    for asked in ("Hello", "你好", "What is jazz?", "怎么学游泳？", "Thanks"):
        for line in default_bot(ChatInput("b", "u", "c", asked, (), {})).follow_ups:
            assert _asked(line)
            assert "“Hello”" not in line
            assert "你好" not in line


def test_the_default_bot_looks_back() -> None:
    assert "Earlier we talked about jazz" in _asked("And the blues?", "What is jazz?")
    assert "What is jazz?" in _asked("What did I ask before?", "What is jazz?")
    assert "first question" in _asked("What was my last question?")
    assert "什么是爵士乐？" in _asked("我刚才问了什么", "什么是爵士乐？")


async def test_a_conversation_remembers_its_questions() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        events = await coze.chat(question("What is jazz?"))
        assert [e.data["type"] for e in events if e.name.endswith("completed") and "type" in e.data].count(
            "follow_up"
        ) == 3
        first = events[0].data["conversation_id"]
        assert "talked about jazz" in text_of(await coze.chat(question("And blues?"), conversation_id=first))
        usage = (await coze.chat(question("And soul?"), conversation_id=first))[-2].data["usage"]
    assert usage["token_count"] == usage["input_count"] + usage["output_count"]
    assert usage["output_count"] > 20
