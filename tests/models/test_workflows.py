"""Workflow runs and their histories, as every server writes them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coze_async.models import InterruptData, WorkflowRun, WorkflowRunHistory
from coze_async.models._base import read_json, read_object


def node(data: str) -> str:
    """JSON as a node of a workflow wraps it (coze.cn page workflow_run)."""
    return json.dumps({"content_type": 1, "data": data, "original_result": None, "type_for_model": 2})


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("", ""),
        ("plain text", "plain text"),
        ('{"output": "晴"}', {"output": "晴"}),
        ("[1, 2]", [1, 2]),
        ("12", 12),
        ('"quoted"', "quoted"),
        ("null", None),
        (node("plain text"), "plain text"),
        (node('{"a": 1}'), {"a": 1}),
        (node(node('{"a": 1}')), {"a": 1}),
        # Data of the workflow's own, which only looks a little like it.
        ('{"data": "{\\"a\\": 1}"}', {"data": '{"a": 1}'}),
        ('{"data": {"a": 1}, "type_for_model": 2}', {"data": {"a": 1}, "type_for_model": 2}),
    ],
)
def test_the_result_is_parsed_through_the_forms_in_which_json_is_wrapped(data: str, value: Any) -> None:
    assert WorkflowRun(data=data).json() == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, st.integers(0, 3))
def test_what_a_workflow_put_in_comes_out_however_often_it_is_wrapped(value: Any, times: int) -> None:
    data = json.dumps(value)
    for _ in range(times):
        data = node(data)
    assert WorkflowRun(data=data).json() == value


def test_the_answer_of_a_run_that_was_only_started_has_neither_code_nor_data() -> None:
    run = read_object(WorkflowRun, {"debug_url": "https://x.test/d", "execute_id": 74, "msg": "Success"})
    assert (run.execute_id, run.data, run.debug_url, run.interrupt_data) == ("74", "", "https://x.test/d", None)
    assert run.model_extra == {"msg": "Success"}


def test_old_servers_add_cost_and_token() -> None:
    run = read_object(WorkflowRun, {"code": 0, "msg": "", "data": "x", "cost": "0", "token": 98, "usage": None})
    assert run.data == "x"
    assert run.model_extra == {"code": 0, "msg": "", "cost": "0", "token": 98}


HISTORY = {
    "execute_id": "74",
    "execute_status": "Success",
    "run_mode": 2,
    "output": '{"Output":"{\\"a\\":1}","first":"said"}',
    "error_code": "",
    "create_time": 1760000000,
    "update_time": 1760000010,
    "logid": "log-1",
    "usage": {"token_count": 1, "input_count": 1, "output_count": 0},
    "bot_id": "0",
    "connector_id": "1024",
    "is_output_trimmed": False,
    "node_execute_status": {"n1": {"node_id": "n1", "is_finish": True}},
}


def test_a_history_is_read_as_the_page_shows_it() -> None:
    history = read_json(WorkflowRunHistory, json.dumps(HISTORY).encode())
    assert (history.execute_status, history.run_mode, history.error_code, history.logid) == ("Success", 2, 0, "log-1")
    assert history.outputs == {"Output": '{"a":1}', "first": "said"}
    assert history.result == '{"a":1}'
    assert history.created is not None
    assert history.created.timestamp() == 1760000000


def test_a_history_of_coze_studio_has_other_names() -> None:
    history = read_object(
        WorkflowRunHistory, {"execute_status": "Fail", "error_msg": "no", "log_id": "l", "error_code": "720702204"}
    )
    assert (history.error_message, history.logid, history.error_code) == ("no", "l", 720702204)


@pytest.mark.parametrize(("wire", "code"), [("", 0), (None, 0), (0, 0), ("5000", 5000), (5000, 5000), ("none", 0)])
def test_an_error_code_is_a_text_or_a_number_and_empty_when_all_is_well(wire: Any, code: int) -> None:
    assert read_object(WorkflowRunHistory, {"error_code": wire}).error_code == code


@pytest.mark.parametrize(
    ("output", "result", "outputs"),
    [
        ("", "", {}),
        ("plain", "plain", {}),
        ("[1]", "[1]", {}),
        ('{"node": "x"}', '{"node": "x"}', {"node": "x"}),
        ('{"Output": {"a": "晴"}}', '{"a": "晴"}', {"Output": {"a": "晴"}}),
        ('{"Output": "晴"}', "晴", {"Output": "晴"}),
        ('{"Output": null}', '{"Output": null}', {"Output": None}),
    ],
)
def test_the_result_of_a_history_is_what_the_end_node_said(output: str, result: str, outputs: dict[str, Any]) -> None:
    history = WorkflowRunHistory(output=output)
    assert history.result == result
    assert history.outputs == outputs


def test_a_run_that_waits_shows_what_it_waits_for() -> None:
    run = read_object(
        WorkflowRun,
        {"data": "", "interrupt_data": {"event_id": "74/27", "type": 2, "data": None, "required_parameters": None}},
    )
    assert run.interrupt_data == InterruptData(event_id="74/27", type=2)
