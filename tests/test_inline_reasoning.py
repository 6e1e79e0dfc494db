"""Reasoning within an answer is told apart, wherever the pieces are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coze_async._inline_reasoning import InlineReasoning, without_reasoning


def separated(pieces: list[str]) -> tuple[str, str]:
    inline = InlineReasoning()
    parts = [*map(inline.feed, pieces), inline.end()]
    return "".join(text for text, _ in parts), "".join(reasoning for _, reasoning in parts)


@pytest.mark.parametrize(
    ("whole", "text", "reasoning"),
    [
        ("<think>hm</think>Hello", "Hello", "hm"),
        ("\n <think>\nhm\n</think>\n\nHello\n", "Hello\n", "\nhm\n"),
        ("<think></think>Hello", "Hello", ""),
        ("<think>hm", "", "hm"),
        ("<think>hm</thin", "", "hm</thin"),
        ("<think>a < b </ c</think>d", "d", "a < b </ c"),
        ("<think>one</think>two<think>three</think>", "two<think>three</think>", "one"),
        ("Hello <think>no</think>", "Hello <think>no</think>", ""),
        ("<thinking>Hello", "<thinking>Hello", ""),
        ("<thin", "<thin", ""),
        (" ", " ", ""),
        ("", "", ""),
        ("  Hello", "  Hello", ""),
    ],
)
def test_reasoning_at_the_start_is_told_apart_wherever_it_is_cut(whole: str, text: str, reasoning: str) -> None:
    assert without_reasoning(whole) == (text, reasoning)
    assert separated([*whole]) == (text, reasoning)
    for cut in range(len(whole) + 1):
        assert separated([whole[:cut], whole[cut:]]) == (text, reasoning)


TAGS = st.sampled_from(["<think>", "</think>", "<", "</", "think", ">", " ", "\n", "a", "字"])


@given(st.lists(TAGS, max_size=12).map("".join), st.lists(st.integers(0, 60), max_size=5))
def test_pieces_give_what_the_whole_gives(whole: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    assert separated([whole[a:b] for a, b in itertools.pairwise(edges)]) == without_reasoning(whole)


@given(st.text(max_size=30))
def test_an_answer_without_a_tag_is_left_alone(text: str) -> None:
    if not text.lstrip().startswith("<think>"):
        assert without_reasoning(text) == (text, "")
