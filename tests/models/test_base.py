"""The tolerant reader: what is unknown is kept, what is null or of another type is forgiven, a missing id is not."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from coze_async import models
from coze_async.models import Bot, Chat, CozeModel, Message, WorkflowRun
from coze_async.models._base import ResponseModel, as_datetime, read_json, read_object, without_nulls

MODELS = [getattr(models, name) for name in models.__all__ if isinstance(getattr(models, name), type)]
COZE_MODELS: list[type[CozeModel]] = [kind for kind in MODELS if issubclass(kind, CozeModel)]


class Inner(CozeModel):
    """Something inside."""

    id: str
    count: int = 0


class Named(ResponseModel):
    """Something that a call returns."""

    id: str


class Outer(CozeModel):
    """Something with something inside."""

    id: str
    name: str = "default"
    size: int | None = None
    inner: Inner | None = None
    many: list[Inner] = Field(default_factory=list[Inner])
    texts: list[str] = Field(default_factory=list[str])


def read_both(value: Any) -> Outer:
    """Read a value from its text and as it is; both must agree."""
    from_text = read_json(Outer, json.dumps(value).encode())
    assert read_object(Outer, value) == from_text
    return from_text


# --- every model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", COZE_MODELS)
def test_every_model_is_frozen_keeps_what_it_does_not_know_and_explains_itself(model: type[CozeModel]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "allow"
    assert (model.__doc__ or "").strip().endswith((".", "`."))


def test_a_model_cannot_be_changed_and_can_be_compared_and_copied() -> None:
    message = Message.user("hi")
    with pytest.raises(ValidationError, match="frozen"):
        message.content = "other"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - the mistake is the test
    assert message.model_copy(update={"content": "other"}) == Message.user("other")
    assert message.content == "hi"


# --- what is forgiven ------------------------------------------------------------------------------------------------


def test_null_is_as_good_as_missing() -> None:
    outer = read_both({"id": "1", "name": None, "size": None, "inner": None, "many": None, "texts": None})
    assert outer == Outer(id="1")


def test_nulls_inside_lists_and_objects_are_forgiven_too() -> None:
    outer = read_both({"id": "1", "many": [None, {"id": "2", "count": None}], "texts": ["a", None]})
    assert outer.many == [Inner(id="2")]
    assert outer.texts == ["a"]


def test_ids_may_come_as_numbers_of_any_size() -> None:
    outer = read_both({"id": 7392813813813813813, "many": [{"id": 0}], "texts": [1, 2.5]})
    assert outer.id == "7392813813813813813"
    assert outer.many[0].id == "0"
    assert outer.texts == ["1", "2.5"]


def test_unknown_fields_are_kept() -> None:
    outer = read_both({"id": "1", "new_field": {"a": [1, None]}, "inner": {"id": "2", "other": True}})
    assert outer.model_extra == {"new_field": {"a": [1, None]}}
    assert outer.inner is not None
    assert outer.inner.model_extra == {"other": True}


def test_what_is_of_another_type_falls_back_to_its_default_and_the_rest_stays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "coze_async")
    outer = read_both({"id": "1", "name": ["no", "text"], "size": "many", "inner": {"id": "2", "count": "x"}})
    assert outer == Outer(id="1", inner=Inner(id="2"))
    # The places are logged, what stood there is not.
    assert "Outer: left out what the model does not take" in caplog.text
    assert "('inner', 'count')" in caplog.text
    assert "many" not in caplog.text


def test_what_is_of_another_type_is_left_out_of_its_list() -> None:
    outer = read_both({"id": "1", "many": [7, {"id": "2"}, "text", {"id": "3"}], "texts": [["a"], "b"]})
    assert [inner.id for inner in outer.many] == ["2", "3"]
    assert outer.texts == ["b"]


def test_what_cannot_be_taken_out_ends_the_reading_with_the_problem_that_it_is() -> None:
    class Odd(CozeModel):
        """A model whose refusal names no place in what was read."""

        value: dict[int, str] = Field(default_factory=dict[int, str])
        nested: dict[str, dict[int, int]] = Field(default_factory=dict[str, dict[int, int]])

    # The place of a wrong key is the key and a mark, and there is nothing under it.
    with pytest.raises(ValueError, match="value"):
        read_object(Odd, {"value": {"no number": "x"}})
    with pytest.raises(ValueError, match="nested"):
        read_object(Odd, {"nested": {"a": {"no number": 1}}})


def test_a_whole_that_is_of_another_type_falls_back_to_its_default() -> None:
    assert read_both({"id": "1", "many": {"id": "2"}, "inner": "text", "texts": 7}) == Outer(id="1")


def test_bytes_that_are_no_utf_8_are_replaced_as_the_standard_says() -> None:
    assert read_json(Outer, b'{"id":"1","name":"half \xe4\xbd"}').name == "half \ufffd"


# --- what is not -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [{}, {"id": None}, {"id": ["1"]}, {"name": "x"}, [], "text", 7, None])
def test_a_missing_id_is_not_forgiven(value: Any) -> None:
    with pytest.raises(ValueError):
        read_object(Outer, value)
    with pytest.raises(ValueError):
        read_json(Outer, json.dumps(value).encode())


def test_an_inner_object_without_its_id_is_not_forgiven_either() -> None:
    with pytest.raises(ValueError, match="id"):
        read_both({"id": "1", "inner": {"count": 1}})


@pytest.mark.parametrize("text", [b"", b"text", b'{"id":"1"', b"[DONE]", b"\xff"])
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(Outer, text)


def test_what_is_nested_too_deeply_is_a_value_error_at_every_depth() -> None:
    """What reads JSON, what checks it and what walks through it have limits of their own."""
    depths = (100, *range(300, 1200, 50), 5000)
    texts = [b'{"id":%b1%b,"name":null}' % (b"[" * depth, b"]" * depth) for depth in depths]
    for text in texts:
        with pytest.raises(ValueError):
            read_json(Outer, text)


def test_reading_does_not_change_what_was_given() -> None:
    given_value = {"id": "1", "name": None, "size": "x", "many": [None, {"id": "2", "count": "x"}]}
    before = json.dumps(given_value)
    read_object(Outer, given_value)
    assert json.dumps(given_value) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("model", [Outer, Chat, Message, Bot, WorkflowRun])
@given(st.data())
def test_whatever_stands_in_any_field_nothing_but_a_value_error_comes_out(
    model: type[CozeModel], data: st.DataObject
) -> None:
    names = [*model.model_fields]
    value = data.draw(st.dictionaries(st.sampled_from(names), JSON, max_size=6))
    try:
        read = read_object(model, {"id": "1", "conversation_id": "7", "bot_id": "5", **value})
    except ValueError:
        # Only an id may be missing: at the top, or of something inside.
        assert {"id", "conversation_id", "bot_id"} & value.keys() or JSON_OBJECTS_INSIDE & value.keys()
        return
    assert isinstance(read, model)
    assert read.model_dump_json()


JSON_OBJECTS_INSIDE = {"inner", "many", "required_action", "interrupt_data", "history", "messages"}


# --- helpers ---------------------------------------------------------------------------------------------------------


def test_nulls_are_taken_out_of_a_copy() -> None:
    value = {"a": None, "b": [None, {"c": None, "d": 0}], "e": "", "f": False}
    assert without_nulls(value) == {"b": [{"d": 0}], "e": "", "f": False}
    assert "a" in value


@pytest.mark.parametrize("unset", [None, 0])
def test_a_time_that_is_not_set_is_none(unset: int | None) -> None:
    assert as_datetime(unset) is None


def test_a_time_is_aware_and_utc() -> None:
    assert as_datetime(1760000000) == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


def test_the_log_id_does_not_make_two_answers_different() -> None:
    one, other = Named.model_validate({"id": "1"}), Named.model_validate({"id": "1"})
    other = other.model_copy(update={"logid": "log-2"})
    assert (other.logid, one.logid) == ("log-2", None)
    assert one == other
    assert one != Named.model_validate({"id": "2"})
    assert one != "1"
    assert hash(one) == hash(other)
