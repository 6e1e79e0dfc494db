"""Workflows: run, streamed, interrupted and resumed, run in the background, and chatflows."""

import json
import math
from datetime import UTC, datetime
from typing import Any

import anyio
import httpx
import pytest
from answering import Answers, answer, event_stream, refusal

from coze_async import (
    AsyncCoze,
    ChatRequiresAction,
    ConfigurationError,
    CozeError,
    DecodeError,
    Limits,
    Message,
    NotFoundError,
    PermissionDeniedError,
    Polling,
    PollTimeoutError,
    ServerError,
    StreamInterruptedError,
    WorkflowDone,
    WorkflowError,
    WorkflowInterrupt,
)
from coze_async.emulator import (
    Ask,
    Break,
    Code,
    Cut,
    Emulator,
    ErrorEvent,
    Failure,
    Html,
    Node,
    Script,
    Stall,
    Unreachable,
    WorkflowScript,
)

URL = "http://coze.example"


def coze_with(*answers: httpx.Response | Exception, **options: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(*answers)
    return AsyncCoze("pat_x", base_url=URL, transport=transport, **options), transport


def coze_at(emulator: Emulator, **options: Any) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), **options)


# --- run --------------------------------------------------------------------------------------------------------------


async def test_a_run_sends_what_it_is_given_and_nothing_else() -> None:
    coze, transport = coze_with(answer({"code": 0, "data": "{}"}))
    await coze.workflows.run(workflow_id="w")
    assert transport.body() == {"workflow_id": "w"}
    more: dict[str, Any] = {
        "parameters": {"city": "Oslo", "n": [1, 2.5, None, True, {"a": ("b",)}], "who": Message.user("Hi")},
        "bot_id": "b",
        "app_id": "a",
        "is_async": False,
        "ext": {"user_id": "u"},
        "workflow_version": "v0.0.1",
        "connector_id": "1024",
    }
    await coze.workflows.run(workflow_id="w", **more)
    sent = transport.body()
    assert sent["parameters"]["n"] == [1, 2.5, None, True, {"a": ["b"]}]
    assert sent["parameters"]["who"]["content"] == "Hi"
    assert {key: sent[key] for key in more if key != "parameters"} == {
        key: more[key] for key in more if key != "parameters"
    }


@pytest.mark.parametrize(
    ("data", "text", "parsed"),
    [
        ('{"output":"cold"}', '{"output":"cold"}', {"output": "cold"}),
        ("plain words", "plain words", "plain words"),
        (json.dumps({"content_type": 1, "data": '{"a":1}', "type_for_model": 2}), None, {"a": 1}),
        (json.dumps({"content_type": 1, "data": "words", "type_for_model": 2}), None, "words"),
        (json.dumps({"data": "not wrapped"}), None, {"data": "not wrapped"}),
        ("[1,2]", "[1,2]", [1, 2]),
        ("", "", ""),
        (None, "", ""),
        # Not what the page says; a result that was paid for is kept all the same.
        ({"output": "冷"}, '{"output": "冷"}', {"output": "冷"}),
    ],
)
async def test_what_a_run_answers_is_text_and_can_be_parsed(data: Any, text: str | None, parsed: Any) -> None:
    coze, _ = coze_with(
        answer({"code": 0, "data": data, "debug_url": "https://x.example/d"}, headers={"x-tt-logid": "L1"})
    )
    run = await coze.workflows.run(workflow_id="w")
    assert text is None or run.data == text
    assert run.json() == parsed
    assert (run.debug_url, run.logid) == ("https://x.example/d", "L1")


async def test_a_run_against_a_server() -> None:
    emulator = Emulator()
    async with coze_at(emulator) as coze:
        run = await coze.workflows.run(workflow_id="w", parameters={"city": "Oslo"})
        assert "Oslo" in run.json()["output"]
        assert run.usage is not None
        started = await coze.workflows.run(workflow_id="w", parameters={"city": "Oslo"}, is_async=True)
        assert (started.data, bool(started.execute_id)) == ("", True)


async def test_a_run_that_asks_something_says_what() -> None:
    waiting = {"interrupt_data": {"event_id": "7400/2700", "type": 5, "data": "", "required_parameters": {"a": 1}}}
    coze, _ = coze_with(answer({"code": 0, "msg": "", **waiting}))
    run = await coze.workflows.run(workflow_id="w")
    assert run.interrupt_data is not None
    assert (run.interrupt_data.event_id, run.interrupt_data.type) == ("7400/2700", 5)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (object(), r"parameters\['x'\] is a object"),
        (math.nan, r"parameters\['x'\] is a float"),
        (math.inf, r"parameters\['x'\] is a float"),
        (datetime(2026, 1, 1, tzinfo=UTC), r"parameters\['x'\] is a datetime"),
        (b"bytes", r"parameters\['x'\] is a bytes"),
        ("\ud800", r"parameters\['x'\] is a str"),
        ([1, {"deep": {2 + 1j}}], r"parameters\['x'\]\[1\]\['deep'\]"),
        ({("a", "b"): 1}, r"A key of parameters\['x'\] is a tuple"),
    ],
)
async def test_a_parameter_that_is_no_json_value_is_named_before_anything_is_sent(value: Any, where: str) -> None:
    coze, transport = coze_with(answer({"code": 0, "data": "{}"}))
    workflows = coze.workflows
    for call in (workflows.run, workflows.run_and_poll):
        with pytest.raises(ConfigurationError, match=where):
            await call(workflow_id="w", parameters={"fine": 1, "x": value})
    with pytest.raises(ConfigurationError, match=where):
        workflows.stream(workflow_id="w", parameters={"fine": 1, "x": value})
    assert transport.requests == []


async def test_a_parameter_that_holds_itself_is_refused() -> None:
    coze, transport = coze_with(answer({"code": 0}))
    circle: dict[str, Any] = {}
    circle["again"] = circle
    with pytest.raises(ConfigurationError):
        await coze.workflows.run(workflow_id="w", parameters=circle)
    assert transport.requests == []


async def test_a_workflow_that_is_not_published_says_to_publish_it() -> None:
    emulator = Emulator()
    emulator.workflow("w", None)
    async with coze_at(emulator) as coze:
        with pytest.raises(NotFoundError, match=r"4200.*published"):
            await coze.workflows.run(workflow_id="w")
        with pytest.raises(NotFoundError, match=r"4200.*published"):
            await coze.workflows.stream(workflow_id="w").result()


async def test_a_plan_that_does_not_allow_background_runs_is_told_what_else_there_is() -> None:
    coze, transport = coze_with(refusal(6003, "not allowed"))
    with pytest.raises(PermissionDeniedError, match=r"6003.*coze.workflows.stream"):
        await coze.workflows.run_and_poll(workflow_id="w")
    assert len(transport.requests) == 1


async def test_a_run_is_never_sent_twice_after_its_answer_was_lost() -> None:
    emulator = Emulator()
    emulator.fail(Break(after=None), times=None)
    async with coze_at(emulator) as coze:
        for call in (coze.workflows.run, coze.workflows.run_and_poll):
            with pytest.raises(CozeError, match="may still be running"):
                await call(workflow_id="w")
        with pytest.raises(CozeError, match="may still be running"):
            await coze.workflows.stream(workflow_id="w").result()
        with pytest.raises(CozeError):
            await coze.workflows.resume(workflow_id="w", event_id="1/2", interrupt_type=2, resume_data="x").result()
    assert len(emulator.requests) == 4


# --- stream and resume ------------------------------------------------------------------------------------------------


async def test_a_stream_hands_out_what_the_nodes_say_and_collects_it() -> None:
    emulator = Emulator()
    emulator.workflow("w", WorkflowScript({"output": "cold"}, nodes=[Node("Say", "Looking it up")]))
    async with coze_at(emulator) as coze:
        stream = coze.workflows.stream(workflow_id="w", parameters={"city": "Oslo"})
        events = [event async for event in stream]
        assert isinstance(events[-1], WorkflowDone)
        assert [event.id for event in events] == list(range(len(events)))  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue] - no UnknownEvent here
        run = await stream.result()
        assert run.json() == {"output": "cold"}
        assert "".join(message.content for message in run.messages if message.node_title == "Say") == "Looking it up"
    assert emulator.requests[0].body == {"workflow_id": "w", "parameters": {"city": "Oslo"}}
    assert emulator.open_streams == 0


@pytest.mark.parametrize("dialect", ["cloud", "studio"])
async def test_an_interrupted_workflow_goes_on_with_an_answer(dialect: Any) -> None:
    emulator = Emulator(dialect)
    emulator.workflow(
        "w",
        WorkflowScript(
            nodes=[Node("Say", "Hm")], ask=Ask("Which city?", then=lambda city: WorkflowScript({"output": city}))
        ),
    )
    async with coze_at(emulator) as coze:
        stream = coze.workflows.stream(workflow_id="w")
        events = [event async for event in stream]
        interrupt = events[-1]
        assert isinstance(interrupt, WorkflowInterrupt)
        waiting = await stream.result()
        assert waiting.interrupt_data == interrupt.interrupt_data
        going_on = coze.workflows.resume(
            workflow_id="w", event_id=interrupt.event_id, interrupt_type=interrupt.interrupt_type, resume_data="Oslo"
        )  # fmt: skip
        assert (await going_on.result()).json() == {"output": "Oslo"}
    assert emulator.requests[1].body["resume_data"] == "Oslo"
    assert emulator.open_streams == 0


async def test_a_workflow_that_fails_in_the_middle_is_raised() -> None:
    emulator = Emulator()
    emulator.workflow(
        "w", WorkflowScript(nodes=[Node("Say", "Hm")], failure=Failure(6006, "the code node took too long"))
    )
    async with coze_at(emulator) as coze:
        with pytest.raises(
            WorkflowError, match=r"POST /v1/workflow/stream_run: the run failed \(code 6006\)"
        ) as caught:
            await coze.workflows.stream(workflow_id="w").result()
        assert (caught.value.code, caught.value.msg) == (6006, "the code node took too long")
        assert caught.value.logid


async def test_a_workflow_stream_that_is_cut_is_an_interruption_without_a_partial_chat() -> None:
    emulator = Emulator()
    emulator.fail(Cut(after=1))
    async with coze_at(emulator) as coze:
        with pytest.raises(StreamInterruptedError) as caught:
            await coze.workflows.stream(workflow_id="w").result()
    assert caught.value.partial is None


async def test_workflow_streams_take_a_slot_only_for_the_user_of_a_view() -> None:
    emulator = Emulator()
    async with coze_at(emulator, limits=Limits(chats_at_once=1)) as coze:
        first = coze.workflows.stream(workflow_id="w")
        await anext(first)
        second = coze.workflows.stream(workflow_id="w")
        with anyio.fail_after(1):
            await anext(second)
        mine = coze.with_options(user="u").workflows
        third = mine.stream(workflow_id="w")
        await anext(third)
        with anyio.move_on_after(5) as scope:
            await anext(mine.stream(workflow_id="w"))
        assert scope.cancelled_caught
        for stream in (first, second, third):
            await stream.aclose()
    assert emulator.open_streams == 0


# --- run_and_poll -----------------------------------------------------------------------------------------------------


def history(status: str, **more: Any) -> httpx.Response:
    return answer({"code": 0, "data": [{"execute_id": "77", "execute_status": status, **more}]})


STARTED = answer({"execute_id": "77", "debug_url": "https://x.example/d", "msg": "Success"})
NO_ROUTE = answer(content=b"404 page not found", status=404, headers={"content-type": "text/plain"})


@pytest.mark.parametrize(
    ("dialect", "route"),
    [
        ("cloud", "/v1/workflows/w/run_histories/{}"),
        ("studio", "/v1/workflow/get_run_history"),
        ("plus", "/v1/workflow/get_run_history"),
    ],
)
async def test_a_run_in_the_background_is_looked_at_until_it_is_over(dialect: Any, route: str) -> None:
    emulator = Emulator(dialect)
    emulator.workflow("w", WorkflowScript({"output": "cold"}, nodes=[Node("Say", "Hm")], seconds=4.0))
    async with coze_at(emulator) as coze:
        run = await coze.workflows.run_and_poll(workflow_id="w", parameters={"city": "Oslo"})
    assert run.json() == {"output": "cold"}
    assert run.history is not None
    assert run.history.execute_status == "Success"
    assert emulator.requests[0].body == {"workflow_id": "w", "parameters": {"city": "Oslo"}, "is_async": True}
    assert emulator.requests[-1].path == route.format(run.execute_id)


async def test_the_route_that_a_server_has_is_asked_for_once() -> None:
    coze, transport = coze_with(
        STARTED, NO_ROUTE, history("Running"), history("Running"), history("Success", output='{"Output":"x"}')
    )
    await coze.workflows.run_and_poll(workflow_id="w")
    assert [request.url.path.rpartition("/")[2] for request in transport.requests] == [
        "run",
        "77",
        *["get_run_history"] * 3,
    ]
    assert dict(transport.requests[-1].url.params) == {"workflow_id": "w", "execute_id": "77"}


async def test_a_run_that_is_missing_is_no_missing_route() -> None:
    coze, transport = coze_with(STARTED, refusal(4200, "no such run", status=404))
    with pytest.raises(NotFoundError, match="no such run"):
        await coze.workflows.run_and_poll(workflow_id="w")
    assert len(transport.requests) == 2


async def test_a_server_with_neither_route_says_so() -> None:
    coze, _ = coze_with(STARTED, NO_ROUTE)
    with pytest.raises(NotFoundError, match="check that it is right and that this server has the route"):
        await coze.workflows.run_and_poll(workflow_id="w")


async def test_a_history_that_is_empty_is_told() -> None:
    coze, _ = coze_with(STARTED, answer({"code": 0, "data": []}))
    with pytest.raises(DecodeError, match="no history of the run 77"):
        await coze.workflows.run_and_poll(workflow_id="w")


async def test_a_background_run_is_looked_at_ever_more_slowly() -> None:
    coze, transport = coze_with(
        STARTED, *[history("Running")] * 4, history("success", output='{"Output":{"a":1},"Note":"n"}')
    )
    run = await coze.workflows.run_and_poll(workflow_id="w")
    assert transport.gaps == pytest.approx([1.0, 1.5, 2.25, 3.375, 5.0], abs=0.01)
    assert run.json() == {"a": 1}
    assert run.outputs == {"Output": {"a": 1}, "Note": "n"}
    assert run.debug_url == "https://x.example/d"


async def test_a_background_run_that_fails_is_raised_with_its_code() -> None:
    failed = history("Fail", error_code="5000", error_message="node broke", logid="L7", debug_url="https://x.example/e")
    coze, _ = coze_with(STARTED, failed)
    with pytest.raises(
        WorkflowError, match=r"The run 77 failed \(code 5000\): node broke.*https://x.example/e.*L7"
    ) as caught:
        await coze.workflows.run_and_poll(workflow_id="w")
    error = caught.value
    assert (error.code, error.msg, error.execute_id, error.logid, error.debug_url) == (
        5000,
        "node broke",
        "77",
        "L7",
        "https://x.example/e",
    )
    coze, _ = coze_with(STARTED, history("Fail", error_code=""))
    with pytest.raises(WorkflowError, match="gave no reason") as caught:
        await coze.workflows.run_and_poll(workflow_id="w")
    assert caught.value.code is None


async def test_a_background_run_that_waits_for_somebody_is_returned() -> None:
    waiting = history("Running", interrupt_data={"event_id": "77/1", "type": 2, "data": "Which city?"})
    coze, _ = coze_with(STARTED, waiting)
    run = await coze.workflows.run_and_poll(workflow_id="w")
    assert run.interrupt_data is not None
    assert (run.interrupt_data.event_id, run.data) == ("77/1", "")


async def test_a_background_run_that_takes_too_long_goes_on_and_is_named() -> None:
    emulator = Emulator()
    emulator.workflow("w", WorkflowScript(seconds=3600.0))
    async with coze_at(emulator) as coze:
        began = anyio.current_time()
        with pytest.raises(PollTimeoutError, match=r"within 20 s \(Polling.timeout\)") as caught:
            await coze.workflows.run_and_poll(workflow_id="w", polling=Polling(timeout=20.0))
        assert anyio.current_time() - began == pytest.approx(20.0)
    assert caught.value.execute_id in emulator.runs
    assert caught.value.chat is None


async def test_a_background_run_that_could_not_be_started_in_time_says_so() -> None:
    emulator = Emulator()
    emulator.fail(Stall())
    async with coze_at(emulator) as coze:
        with pytest.raises(PollTimeoutError, match="not yet started") as caught:
            await coze.workflows.run_and_poll(workflow_id="w", polling=Polling(timeout=5.0))
    assert caught.value.execute_id is None


async def test_a_server_that_knows_no_background_runs_has_answered_at_once() -> None:
    coze, transport = coze_with(answer({"code": 0, "data": '{"output":1}'}))
    assert (await coze.workflows.run_and_poll(workflow_id="w")).json() == {"output": 1}
    assert len(transport.requests) == 1


async def test_a_look_that_fails_is_repeated_and_the_run_is_not_started_again() -> None:
    emulator = Emulator()
    emulator.fail(Html(), on="GET *")
    emulator.fail(Code(5000), on="GET *")
    async with coze_at(emulator) as coze:
        await coze.workflows.run_and_poll(workflow_id="w")
    assert len([request for request in emulator.requests if request.method == "POST"]) == 1


async def test_a_caller_that_is_cancelled_leaves_nothing_open() -> None:
    emulator = Emulator()
    emulator.workflow("w", WorkflowScript(seconds=3600.0))
    async with coze_at(emulator) as coze:
        with anyio.move_on_after(3.3) as scope:
            await coze.workflows.run_and_poll(workflow_id="w")
    assert scope.cancelled_caught
    assert emulator.open_streams == 0


# --- chatflows --------------------------------------------------------------------------------------------------------


async def test_a_chatflow_is_a_chat_stream() -> None:
    emulator = Emulator()
    async with coze_at(emulator) as coze:
        stream = coze.workflows.chat(
            "你好", workflow_id="w", bot_id="b", parameters={"mood": "good"}, ext={"user_id": "u"}
        )
        assert (await stream.result()).text
    body = emulator.requests[0].body
    assert body["additional_messages"][-1]["content"] == "你好"
    assert body["parameters"] == {"mood": "good"}
    assert "user_id" not in body


async def test_a_chatflow_that_asks_goes_on_in_the_same_conversation() -> None:
    emulator = Emulator()
    emulator.workflow(
        "w", WorkflowScript(ask=Ask("Which city?", then=lambda city: WorkflowScript({"output": f"cold in {city}"})))
    )
    async with coze_at(emulator) as coze:
        stream = coze.workflows.chat("Weather?", workflow_id="w", app_id="a")
        events = [event async for event in stream]
        assert any(isinstance(event, ChatRequiresAction) for event in events)
        asked = await stream.result()
        assert asked.text == "Which city?"
        again = coze.workflows.chat("Oslo", workflow_id="w", app_id="a", conversation_id=asked.conversation_id)
        assert "cold in Oslo" in (await again.result()).text
    assert emulator.requests[1].body["conversation_id"] == asked.conversation_id


@pytest.mark.parametrize("ids", [{}, {"bot_id": "b", "app_id": "a"}, {"bot_id": "", "app_id": None}])
async def test_a_chatflow_takes_exactly_one_of_bot_and_app(ids: dict[str, Any]) -> None:
    coze, transport = coze_with(event_stream(""))
    with pytest.raises(ConfigurationError, match="exactly one of bot_id and app_id"):
        coze.workflows.chat("Hi", workflow_id="w", **ids)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("message", "context", "advice"),
    [
        ("", [], "message is empty"),
        (None, [], "nothing to answer"),
        (None, [Message.assistant("Hi")], "last message is from 'assistant'"),
        ("Hi", [Message.user("x")] * 50, "51 messages are too many: this endpoint takes 50"),
    ],
)
async def test_a_message_that_a_chatflow_cannot_answer_is_refused(
    message: Any, context: list[Message], advice: str
) -> None:
    coze, _ = coze_with(event_stream(""))
    with pytest.raises(ConfigurationError, match=advice):
        coze.workflows.chat(message, workflow_id="w", bot_id="b", additional_messages=context)


async def test_a_chatflow_that_fails_with_an_error_event_is_raised() -> None:
    emulator = Emulator()
    emulator.fail(ErrorEvent(5000, after=1))
    async with coze_at(emulator) as coze:
        with pytest.raises(ServerError) as caught:
            await coze.workflows.chat("Hi", workflow_id="w", bot_id="b").result()
    assert caught.value.partial is not None


async def test_what_surely_started_nothing_is_sent_again() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Hi"))
    emulator.fail(Unreachable(), times=2)
    async with coze_at(emulator) as coze:
        await coze.workflows.run(workflow_id="w")
    assert len(emulator.requests) == 3
