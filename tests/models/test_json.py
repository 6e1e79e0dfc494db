"""Looking into JSON whose shape nobody promises."""

from typing import Any

import pytest

from coze_async.models._json import json_list, json_object, json_text


@pytest.mark.parametrize("value", [{"a": 1}, '{"a": 1}', ' {"a": 1} '])
def test_an_object_is_one_as_it_is_and_as_a_text(value: Any) -> None:
    assert json_object(value) == {"a": 1}


@pytest.mark.parametrize("value", [None, 7, [], "[]", "", "text", "7", b"{}", True])
def test_what_is_no_object_is_an_empty_one(value: Any) -> None:
    assert json_object(value) == {}


def test_what_is_no_list_is_an_empty_one() -> None:
    assert json_list([1]) == [1]
    others: list[Any] = [None, {}, "[1]", 7]
    assert [json_list(value) for value in others] == [[], [], [], []]


def test_what_is_no_text_or_an_empty_one_is_none() -> None:
    assert json_text("a") == "a"
    others: list[Any] = [None, "", 7, [], {}]
    assert [json_text(value) for value in others] == [None] * 5
