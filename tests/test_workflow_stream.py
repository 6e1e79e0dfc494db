"""What a workflow's stream adds up to, however its nodes interleave and its end is written."""

import json
from typing import Any

import pytest
from answering import Answers, event_stream
from hypothesis import given
from hypothesis import strategies as st

from coze_async import AsyncCoze, WorkflowDone
from coze_async._workflow_stream import _last_words  # pyright: ignore[reportPrivateUsage]
from coze_async.models import WorkflowMessage


def piece(content: str, node: str, *, last: bool = False, run: str = "1") -> str:
    facts = {
        "content": content,
        "node_title": node,
        "node_id": node,
        "node_execute_uuid": run,
        "node_is_finish": last,
    }
    return f"event: Message\ndata: {json.dumps(facts)}\n\n"


async def data_of(*events: str, done: str = "{}") -> Any:
    transport = Answers(event_stream("".join(events) + f"event: Done\ndata: {done}\n\n"))
    return await AsyncCoze("pat_x", transport=transport).workflows.stream(workflow_id="w").result()


@pytest.mark.parametrize("empty", ["E1", ""])
async def test_pieces_of_two_nodes_that_interleave_are_told_apart(empty: str) -> None:
    """Case A7."""
    run = await data_of(
        piece("E0", "End"), piece("A0", "Ask"), piece(empty, "End", last=True), piece("A1", "Ask", last=True)
    )
    assert run.data == "A0A1"
    run = await data_of(
        piece("A0", "Ask"), piece("E0", "End"), piece("A1", "Ask", last=True), piece(empty, "End", last=True)
    )
    assert run.data == f"E0{empty}"


async def test_executions_of_one_node_are_told_apart() -> None:
    run = await data_of(
        piece("a", "End", run="1"),
        piece("b", "End", run="2"),
        piece("c", "End", run="1", last=True),
        piece("d", "End", run="2", last=True),
    )
    assert run.data == "bd"
    # Where a server names no execution, a node begins anew when it has finished.
    run = await data_of(
        piece("a", "Loop"), piece("b", "Loop", last=True), piece("c", "Loop"), piece("d", "Loop", last=True)
    )
    assert run.data == "cd"


async def test_without_a_node_that_finished_the_last_one_counts() -> None:
    assert (await data_of(piece("a", "One"), piece("b", "Two"), piece("c", "One"))).data == "ac"
    assert (await data_of()).data == ""


@given(st.lists(st.tuples(st.sampled_from("AB"), st.text(max_size=3)), max_size=8), st.data())
def test_the_last_node_to_finish_has_all_its_pieces(pieces: list[tuple[str, str]], data: st.DataObject) -> None:
    other = data.draw(st.integers(0, len(pieces)))
    end = [("End", text) for text in data.draw(st.lists(st.text(max_size=3), min_size=1, max_size=5))]
    mixed = [*pieces]
    for number, item in enumerate(end):
        mixed.insert(min(len(mixed), other + 2 * number), item)
    last = max(n for n, (node, _) in enumerate(mixed) if node == "End")
    messages = [
        WorkflowMessage(content=text, node_title=node, node_is_finish=number == last)
        for number, (node, text) in enumerate(mixed)
    ]
    ends = [text for number, (node, text) in enumerate(mixed) if node == "End" and number <= last]
    assert _last_words(messages) == "".join(ends)


@pytest.mark.parametrize("done", ['"[DONE]"', "[DONE]", "", "null", "7", "[]", '{"debug_url":null}'])
async def test_a_done_without_an_object_ends_the_run_all_the_same(done: str) -> None:
    """Case A8."""
    run = await data_of(piece("Hi", "End", last=True), done=done)
    assert (run.data, run.debug_url) == ("Hi", None)


async def test_a_done_with_a_page_names_it() -> None:
    transport = Answers(event_stream('event: Done\ndata: {"debug_url":"https://x.example"}\n\n'))
    stream = AsyncCoze("pat_x", transport=transport).workflows.stream(workflow_id="w")
    assert [event async for event in stream] == [WorkflowDone(debug_url="https://x.example")]
