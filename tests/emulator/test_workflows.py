"""Workflows of the cloud dialect: runs, streams, interrupts, histories and chatflows."""

import json
from typing import Any

import anyio
import pytest
from emulator.talk import Sent, Talk, names, parse, question, talking, text_of

from coze_async.emulator import Ask, Cut, Emulator, Failure, Node, Quota, Usage, WorkflowInput, WorkflowScript

RUN, STREAM, RESUME = "/v1/workflow/run", "/v1/workflow/stream_run", "/v1/workflow/stream_resume"


def body(workflow_id: str = "w-1", **more: Any) -> dict[str, Any]:
    return {"workflow_id": workflow_id, "parameters": {"input": "tea"}, **more}


async def test_a_stream_counts_its_events_and_the_packets_of_each_node() -> None:
    """Three lines with a space, two counters: coze.cn docs, workflow_stream_run, and coze-py's recorded stream."""
    emulator = Emulator()
    async with talking(emulator) as coze:
        text = (await coze.http.post(STREAM, json=body())).text
    events = parse(text)
    assert text.startswith('id: 0\nevent: Message\ndata: {"content":"Working",')
    assert [event.block.split("\n")[0] for event in events] == [f"id: {n}" for n in range(len(events))]
    packets = [event.data for event in events[:-1]]
    assert [packet["node_seq_id"] for packet in packets] == ["0", "1", "2", "3", "0"]
    assert [packet["node_is_finish"] for packet in packets] == [False, False, False, True, True]
    assert {packet["node_title"] for packet in packets} == {"Message", "End"}
    assert json.loads(packets[-1]["content"]) == {"output": "Finished: tea."}
    assert events[-1].name == "Done"
    assert "execute_id=" in events[-1].data["debug_url"]


async def test_a_run_answers_when_it_is_done() -> None:
    emulator = Emulator()
    emulator.workflow("w-1", WorkflowScript({"n": 1}, usage=Usage(3, 4), seconds=5))
    async with talking(emulator, timeout=None) as coze:
        started = anyio.current_time()
        answer = await coze.post(RUN, body())
        assert anyio.current_time() - started == pytest.approx(5, abs=0.1)
        assert (answer["code"], answer["data"]) == (0, '{"n":1}')
        assert answer["usage"] == {"token_count": 7, "output_count": 4, "input_count": 3}
        emulator.workflow("w-1", WorkflowScript("plain"))
        assert (await coze.post(RUN, body()))["data"] == "plain"
        # The gateway cuts a run after 90 s: coze.cn docs, workflow_run.
        emulator.workflow("w-1", WorkflowScript(seconds=200))
        started = anyio.current_time()
        response = await coze.http.post(RUN, json=body())
        assert response.status_code == 504
        assert anyio.current_time() - started == pytest.approx(90, abs=0.1)


async def _history(coze: Talk, execute_id: str, workflow_id: str = "w-1") -> Any:
    return await coze.get(f"/v1/workflows/{workflow_id}/run_histories/{execute_id}")


async def test_an_async_run_is_followed_by_its_history() -> None:
    """No data in the answer, one item in a list: coze.cn docs, workflow_run and workflow_history.

    The sample has no code; the table and the official SDKs do.
    """
    emulator = Emulator()
    emulator.workflow("w-1", WorkflowScript({"n": 1}, nodes=[Node("Note", "so far")]))
    async with talking(emulator) as coze:
        answer = await coze.post(RUN, body(is_async=True))
        assert set(answer) == {"code", "debug_url", "execute_id", "msg", "detail"}
        (item,) = (await _history(coze, answer["execute_id"]))["data"]
        assert (item["execute_status"], item["run_mode"], item["output"]) == ("Running", 2, "")
        assert "error_message" not in item
        assert item["is_output_trimmed"] is False
        await anyio.sleep(1.3)
        (item,) = (await _history(coze, answer["execute_id"]))["data"]
        assert (item["execute_status"], item["error_code"]) == ("Success", "")
        assert json.loads(item["output"]) == {"Note": "so far", "Output": '{"n":1}'}
        assert (await _history(coze, "1"))["code"] == 4200
        assert (await _history(coze, answer["execute_id"], "w-2"))["code"] == 4200


async def test_a_failing_workflow_fails_in_every_mode() -> None:
    emulator = Emulator()
    emulator.workflow("w-1", WorkflowScript(failure=Failure(6006, "code node timed out"), seconds=1))
    async with talking(emulator) as coze:
        answer = await coze.post(RUN, body())
        assert (answer["code"], answer["msg"]) == (6006, "code node timed out")
        (error,) = await coze.events(STREAM, body())
        assert (error.name, error.data["error_code"]) == ("Error", 6006)
        started = await coze.post(RUN, body(is_async=True))
        await anyio.sleep(1)
        (item,) = (await _history(coze, started["execute_id"]))["data"]
        assert (item["execute_status"], item["error_code"]) == ("Fail", "6006")


def _resume(event: Sent, workflow_id: str = "w-ask", **more: Any) -> dict[str, Any]:
    stopped = event.data["interrupt_data"]
    given = {"event_id": stopped["event_id"], "interrupt_type": stopped["type"], "resume_data": "Paris"}
    return {"workflow_id": workflow_id, **given, **more}


async def test_a_question_interrupts_the_stream_until_it_is_resumed() -> None:
    """`Interrupt` without `Done`, counters from 0 after a resume: coze.cn docs, workflow_resume."""
    emulator = Emulator()
    async with talking(emulator) as coze:
        events = await coze.events(STREAM, body("w-ask"))
        assert names(events) == ["Message", "Interrupt"]
        assert events[-1].data["interrupt_data"]["type"] == 2
        assert events[-1].data["node_title"] == "Ask"
        again = _resume(events[-1])
        assert (await coze.post(RESUME, {**again, "interrupt_type": 5}))["code"] == 4000
        assert (await coze.post(RESUME, {**again, "resume_data": None}))["code"] == 4000
        assert (await coze.post(RESUME, {**again, "event_id": "1/2"}))["code"] == 4200
        more = await coze.events(RESUME, again)
        assert more[0].block.startswith("id: 0\n")
        assert json.loads(more[-2].data["content"]) == {"output": "Finished: tea, Paris."}
        assert (await coze.post(RESUME, again))["code"] == 4200


async def test_a_run_without_stream_is_resumed_in_its_own_mode() -> None:
    emulator = Emulator()
    emulator.workflow("w-1", WorkflowScript(ask=Ask("Which?", type=5)))
    async with talking(emulator) as coze:
        answer = await coze.post(RUN, body())
        assert answer["interrupt_data"]["type"] == 5
        given = _resume(Sent("", answer, ""), "w-1")
        assert json.loads((await coze.post("/v1/workflows/resume", given))["data"]) == {"output": "Paris"}

        started = await coze.post(RUN, body(is_async=True))
        await anyio.sleep(1.3)
        (item,) = (await _history(coze, started["execute_id"]))["data"]
        assert item["execute_status"] == "Running"
        answer = await coze.post("/v1/workflows/resume", _resume(Sent("", item, ""), "w-1"))
        assert answer["execute_id"] == started["execute_id"]
        assert "data" not in answer


async def test_a_run_can_be_resumed_three_times() -> None:
    emulator = Emulator()

    def once_more(answer: str) -> WorkflowScript:
        return WorkflowScript(ask=Ask(f"More than {answer}?", then=once_more))

    emulator.workflow("w-1", once_more("nothing"))
    async with talking(emulator) as coze:
        events = await coze.events(STREAM, body())
        for _ in range(3):
            events = await coze.events(RESUME, _resume(events[-1], "w-1"))
            assert names(events)[-1] == "Interrupt"
        (error,) = await coze.events(RESUME, _resume(events[-1], "w-1"))
    assert (error.name, error.data["error_code"]) == ("Error", 4000)
    assert Ask("?", then=WorkflowScript("end")).after("x").output == "end"


async def test_heart_beats_raw_bodies_and_streams_left_early() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        emulator.workflow("w-1", WorkflowScript("end", nodes=[Node("A", "one two")], keep_alive=1))
        text = (await coze.http.post(STREAM, json=body())).text
        assert text.count('event: PING\ndata: {"content":"{}"}\n\nid: ') == 3
        # Every event has its three lines, a heart-beat too, so that no number is missing for who looks for lost ones.
        assert [event.split("\n")[0] for event in text.split("\n\n") if event] == [f"id: {n}" for n in range(7)]
        emulator.workflow("w-1", WorkflowScript(raw=b"id:0\nevent: Done\ndata: {}\n\n"))
        assert names(await coze.events(STREAM, body())) == ["Done"]
        emulator.workflow("w-1", WorkflowScript("end", nodes=[Node("A", "")], seconds=2))
        emulator.fail(Cut(after=1))
        assert len(await coze.events(STREAM, body())) == 1
        assert emulator.open_streams == 0
        execute_id = list(emulator.runs)[-1]
        assert (await _history(coze, execute_id))["data"][0]["execute_status"] == "Running"
        await anyio.sleep(2)
        assert (await _history(coze, execute_id))["data"][0]["execute_status"] == "Success"


async def test_unknown_workflows_and_bad_parameters_are_refused() -> None:
    emulator = Emulator()
    emulator.workflow("gone", None)
    async with talking(emulator) as coze:
        for path in (RUN, STREAM):
            assert (await coze.post(path, body("gone")))["code"] == 4200
            assert (await coze.post(path, {}))["code"] == 4000
            assert (await coze.post(path, body(parameters="no json")))["code"] == 4000
        assert (await coze.post(RUN, body(parameters='{"input":"茶"}')))["data"] == '{"output":"已完成：茶"}'
        assert "nothing was given" in (await coze.post(RUN, {"workflow_id": "w"}))["data"]
        assert "[1]" in (await coze.post(RUN, body(parameters={"n": [1]})))["data"]


def flow(workflow_id: str = "w-1", text: str = "What is jazz?", **more: Any) -> dict[str, Any]:
    return {**question(text), "workflow_id": workflow_id, "parameters": {}, **more}


async def test_a_chatflow_speaks_the_chat_dialect_with_spaces_and_without_bot_id() -> None:
    """coze-py's recorded chatflow stream."""
    emulator = Emulator()
    async with talking(emulator) as coze:
        text = (await coze.http.post("/v1/workflows/chat", json=flow())).text
        events = parse(text)
        assert text.startswith("event: conversation.chat.created\ndata: {")
        assert "jazz" in text_of(events)
        assert list(events[-1].data) == ["debug_url"]
        assert not any("bot_id" in event.data for event in events)
        conversation_id = events[0].data["conversation_id"]
        again = await coze.events("/v1/workflows/chat", flow(text="And blues?", conversation_id=conversation_id))
        assert "talked about jazz" in text_of(again)


async def test_a_chatflow_asks_and_goes_on_by_the_same_call() -> None:
    """coze.cn docs, workflow_chat."""
    emulator = Emulator()
    async with talking(emulator) as coze:
        events = await coze.events("/v1/workflows/chat", flow("w-ask"))
        completed = [event.data for event in events if event.name.endswith("message.completed")]
        assert [message["type"] for message in completed] == ["answer", "verbose"]
        assert json.loads(completed[1]["content"])["msg_type"] == "interrupt"
        assert names(events)[-2:] == ["conversation.chat.requires_action", "done"]
        reply = flow("w-ask", "Paris", conversation_id=events[0].data["conversation_id"])
        more = await coze.events("/v1/workflows/chat", reply)
    assert text_of(more).endswith("Finished: Paris.")


async def test_a_chatflow_can_be_scripted_and_fails_with_a_text_code() -> None:
    emulator = Emulator()
    given: list[WorkflowInput] = []

    async def scripted(asked: WorkflowInput) -> WorkflowScript:
        given.append(asked)
        return WorkflowScript({"a": 1, "b": 2}, nodes=[Node("Note", "first")])

    emulator.workflow("w-1", scripted)
    emulator.workflow("w-2", WorkflowScript("", failure=Failure(720702204, "no")))
    async with talking(emulator) as coze:
        assert text_of(await coze.events("/v1/workflows/chat", flow())) == 'first{"a":1,"b":2}'
        failed = (await coze.events("/v1/workflows/chat", flow("w-2")))[-2]
    assert given[0].question == "What is jazz?"
    assert (failed.name, failed.data) == ("conversation.chat.failed", {"code": "720702204", "msg": "no"})


@pytest.mark.parametrize(
    "change",
    [
        {"app_id": "1"},
        {"bot_id": None},
        {"additional_messages": [{"role": "user", "content": "[]", "content_type": "object_string"}]},
        {"workflow_id": ""},
    ],
)
@pytest.mark.anyio
async def test_bad_chatflow_requests_are_refused(change: dict[str, Any]) -> None:
    """coze.cn docs, workflow_chat."""
    async with talking(Emulator()) as coze:
        assert (await coze.post("/v1/workflows/chat", flow(**change)))["code"] == 4000


async def test_a_question_is_answered_to_the_chatflow_that_asked_it() -> None:
    async with talking(Emulator()) as coze:
        first = await coze.events("/v1/workflows/chat", flow("w-ask"))
        ids = {"conversation_id": first[0].data["conversation_id"]}
        other = await coze.events("/v1/workflows/chat", flow("other", "What is blues?", **ids))
        assert "Finished" not in text_of(other)
        more = await coze.events("/v1/workflows/chat", flow("w-ask", "Paris", **ids))
    assert text_of(more).endswith("Finished: Paris.")


async def test_a_chatflow_keeps_to_the_conversation_and_to_the_quota() -> None:
    """It is a chat like another: coze.cn docs, workflow_chat and coze_error_codes."""
    emulator = Emulator(quota=2)
    async with talking(emulator) as coze:
        ids = await coze.create(question())
        busy = flow(conversation_id=ids["conversation_id"])
        assert (await coze.post("/v1/workflows/chat", busy))["code"] == 4016
        await coze.finished(ids)
        assert names(await coze.events("/v1/workflows/chat", busy))[-2] == "conversation.chat.completed"
        (failed,) = [event for event in await coze.events("/v1/workflows/chat", busy) if "failed" in event.name]
        assert failed.data["code"] == "4028"
    async with talking(Emulator(quota=Quota(chats=0, code=4011))) as coze:
        assert (await coze.post("/v1/workflows/chat", flow()))["code"] == 4011


async def test_a_conversation_is_occupied_while_a_chatflow_begins_and_free_if_it_does_not() -> None:
    emulator = Emulator()

    async def slow(asked: WorkflowInput) -> WorkflowScript:
        await anyio.sleep(1)
        return WorkflowScript(asked.question)

    emulator.workflow("slow", slow)
    emulator.workflow("gone", None)
    codes: list[int] = []
    async with talking(emulator) as coze, anyio.create_task_group() as tasks:
        conversation_id = (await coze.post("/v1/conversation/create", {}))["data"]["id"]
        body = flow("slow", conversation_id=conversation_id)
        tasks.start_soon(coze.events, "/v1/workflows/chat", body)
        await anyio.sleep(0.5)
        codes.append((await coze.post("/v1/workflows/chat", body))["code"])
        await anyio.sleep(2)
        gone = flow("gone", conversation_id=conversation_id)
        codes += [(await coze.post("/v1/workflows/chat", gone))["code"] for _ in range(2)]
        codes.append((await coze.post("/v1/workflows/chat", flow("gone")))["code"])
    assert codes == [4016, 4200, 4200, 4200]
    assert len(emulator._world.state.conversations) == 1  # pyright: ignore[reportPrivateUsage]


async def test_a_workflow_takes_twenty_megabytes() -> None:
    """coze.cn docs, workflow_run; the code is our own choice."""
    text = "x" * (20 << 20)
    async with talking(Emulator()) as coze:
        for path, large in ((RUN, body(parameters={"input": text})), ("/v1/workflows/chat", flow(text=text))):
            refused = await coze.post(path, large)
            assert (refused["code"], "20971520 at most" in refused["msg"]) == (4000, True)
        assert (await coze.post(RUN, body(parameters={"input": text[:-500]})))["code"] == 0


async def test_coze_studio_asks_in_streams_only() -> None:
    """The errno 6039 of source 4f786d6."""
    async with talking(Emulator("studio")) as coze:
        assert (await coze.post(RUN, body("w-ask")))["code"] == 6039
        assert names(await coze.events(STREAM, body("w-ask")))[-1] == "Interrupt"
