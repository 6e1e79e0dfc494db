"""What real servers send, in every dialect, played back to the client: the same events in whatever chunks they come.

What is expected of each recording was read by hand out of the facts that its first line names.
"""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
import respx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from replaying import (
    FOLDER,
    Asked,
    Ending,
    Piece,
    Recording,
    ReplayTransport,
    asked_of,
    recording,
    recordings,
    stream_of,
)

from coze_async import (
    APIError,
    AsyncCoze,
    AudioDelta,
    AuthenticationError,
    BadRequestError,
    ChatFailedError,
    ChatResult,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    EventStream,
    Message,
    MessageObject,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    Recorder,
    Replay,
    Retry,
    ServerError,
    StreamDone,
    StreamInterruptedError,
    ToolOutput,
    UnknownEvent,
    WorkflowError,
    WorkflowInterrupt,
    WorkflowRun,
    replay,
)
from coze_async._recording import block_of
from coze_async.emulator import Emulator

URL = "http://coze.example"

Opens = Callable[[AsyncCoze], EventStream[Any, Any]]


def coze_over(*answers: Recording) -> tuple[AsyncCoze, ReplayTransport]:
    transport = ReplayTransport(*answers)
    return AsyncCoze("pat_replay", base_url=URL, transport=transport, retry=Retry.none()), transport


# --- streams ----------------------------------------------------------------------------------------------------------


def ask(coze: AsyncCoze) -> EventStream[Any, Any]:
    return coze.chat.stream("Hi", bot_id="5001", user_id="u-1")


def ask_in_chinese(coze: AsyncCoze) -> EventStream[Any, Any]:
    return coze.chat.stream("你好", bot_id="5001", user_id="u-1")


def ask_by_voice(coze: AsyncCoze) -> EventStream[Any, Any]:
    return coze.chat.stream([MessageObject.of_audio(file_id="6601")], bot_id="5001", user_id="u-1")


def submit(coze: AsyncCoze) -> EventStream[Any, Any]:
    outputs = [ToolOutput(tool_call_id="call-1", output="open"), ToolOutput(tool_call_id="call-2", output="Oslo")]
    return coze.chat.submit_tool_outputs_stream(conversation_id="7001", chat_id="9001", tool_outputs=outputs)


def flow(coze: AsyncCoze) -> EventStream[Any, Any]:
    return coze.workflows.chat("Hi", workflow_id="7300", bot_id="5001", parameters={"mood": "good"})


def run(coze: AsyncCoze) -> EventStream[Any, Any]:
    return coze.workflows.stream(workflow_id="7300", parameters={"city": "Oslo"})


def resume(coze: AsyncCoze) -> EventStream[Any, Any]:
    return coze.workflows.resume(
        workflow_id="7300", event_id="7400/2700", interrupt_type=2, resume_data="Oslo"
    )  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What a stream brings: its events by name, then its text or its error.

    Attributes:
        events: Class names in order, `3*Name` for three in a row.
        text: What the result, or what was there before the error, says.
        error: The class of the error that ends it.
        code: Coze's number in the error.
    """

    opens: Opens
    events: str
    text: str = ""
    error: type[CozeError] | None = None
    code: int | None = None


BEGIN = "ChatCreated ChatInProgress"
STREAMS = {
    "cloud_chat_text": Expected(
        ask,
        f"{BEGIN} 3*MessageDelta 4*MessageCompleted ChatCompleted StreamDone",
        "Hi there, how are\nyou?",
    ),
    "cloud_chat_chinese_in_odd_chunks": Expected(
        ask_in_chinese,
        "ChatCreated 2*MessageDelta MessageCompleted ChatCompleted StreamDone",
        "你好\u2028，世界\u0085！\u2029",
    ),
    "cloud_chat_bare_done": Expected(
        ask, "ChatCreated MessageDelta MessageCompleted ChatCompleted StreamDone", "Hi"
    ),
    "cloud_chat_audio": Expected(
        ask_by_voice,
        "ChatCreated MessageDelta AudioDelta MessageCompleted ChatCompleted AudioDelta StreamDone",
        "Sure.",
    ),
    "cloud_chat_tools": Expected(
        ask, f"{BEGIN} 2*MessageCompleted MessageDelta 2*MessageCompleted ChatCompleted StreamDone", "-3 degrees."
    ),
    "cloud_chat_several_answers": Expected(
        ask, f"{BEGIN} 3*MessageDelta 3*MessageCompleted ChatCompleted StreamDone", "One and a half\n\nTwo"
    ),
    "cloud_chat_knowledge": Expected(
        ask, f"{BEGIN} MessageCompleted MessageDelta 2*MessageCompleted ChatCompleted StreamDone", "30 days."
    ),
    "cloud_chat_reasoning": Expected(
        ask, f"{BEGIN} 3*MessageDelta 2*MessageCompleted ChatCompleted StreamDone", "4"
    ),
    "cloud_chat_failed": Expected(ask, f"{BEGIN} MessageDelta ChatFailed", "Hal", ChatFailedError, 5000),
    "cloud_chat_failed_bare": Expected(ask, f"{BEGIN} ChatFailed", "", ChatFailedError, 701231),
    "cloud_chat_quota": Expected(ask, f"{BEGIN} ChatFailed", "", ChatFailedError, 4028),
    "cloud_chat_error_event": Expected(ask, f"{BEGIN} MessageDelta", "Half an ans", RateLimitError, 4020),
    "cloud_chat_error_event_empty": Expected(ask, "", "", APIError),
    "cloud_chat_json_instead": Expected(ask, "", "", AuthenticationError, 4100),
    "cloud_chat_json_with_200": Expected(ask, "", "", NotFoundError, 4015),
    "cloud_chat_json_as_stream": Expected(ask, "", "", ConversationBusyError, 4016),
    "cloud_chat_requires_action": Expected(ask, f"{BEGIN} ChatRequiresAction StreamDone"),
    "cloud_submit_tool_outputs": Expected(
        submit, "ChatInProgress MessageDelta MessageCompleted ChatCompleted StreamDone", "The door is open."
    ),
    "cloud_chat_cut": Expected(ask, f"{BEGIN} 2*MessageDelta", "Half an ans", StreamInterruptedError),
    "cloud_chat_lost": Expected(ask, f"{BEGIN} MessageDelta", "Half", StreamInterruptedError),
    "cloud_chat_unknown_events": Expected(
        ask, f"{BEGIN} UnknownEvent 2*MessageCompleted ChatCompleted StreamDone", "Hi"
    ),
    "cloud_chatflow": Expected(
        flow, "ChatCreated 2*MessageDelta MessageCompleted ChatCompleted StreamDone", "Hello"
    ),
    "cloud_chatflow_interrupt": Expected(
        flow, "ChatCreated 2*MessageCompleted ChatRequiresAction StreamDone", "Which city?"
    ),
    "cloud_chatflow_failed": Expected(flow, "ChatCreated ChatFailed", "", ChatFailedError, 720702204),
    "studio_chatflow": Expected(
        flow, f"{BEGIN} MessageDelta MessageCompleted ChatCompleted StreamDone", "Hello"
    ),
    "studio_chatflow_error": Expected(flow, "ChatCreated", "", ServerError, 720701013),
    "cloud_workflow": Expected(run, "3*WorkflowMessage WorkflowDone", '{"output":"cold"}'),
    "cloud_workflow_error": Expected(run, "", "", WorkflowError, 4000),
    "cloud_workflow_interrupt": Expected(run, "WorkflowMessage WorkflowInterrupt", "Which city?"),
    "cloud_workflow_resume": Expected(resume, "WorkflowMessage WorkflowDone", '{"output":"Oslo"}'),
    "cloud_workflow_cut": Expected(run, "WorkflowMessage", "", StreamInterruptedError),
    "studio_workflow_lower_case": Expected(run, "WorkflowMessage WorkflowInterrupt", "Which city?"),
    "studio_workflow_lines": Expected(run, "WorkflowMessage WorkflowDone", "cold"),
    "studio_workflow_plain_error": Expected(run, "WorkflowMessage", "", WorkflowError),
    "studio_workflow_json_instead": Expected(run, "", "", NotFoundError, 6031),
    "studio_chat": Expected(
        ask, f"{BEGIN} MessageCompleted 2*MessageDelta MessageCompleted ChatCompleted StreamDone", "Hi there"
    ),
    "studio_chat_cancelled": Expected(ask, f"{BEGIN} MessageDelta ChatCanceled StreamDone", "Hi"),
    "studio_chat_error_then_completed": Expected(ask, f"{BEGIN} MessageDelta", "Hi", ServerError, 103200002),
    "studio_chat_error_first": Expected(ask, "", "", NotFoundError, 100000002),
    "studio_chat_empty": Expected(ask, "", "", StreamInterruptedError),
    "studio_chat_bad_key": Expected(ask, "", "", AuthenticationError, 700012006),
    "plus_chat": Expected(
        ask, "ChatCreated 2*MessageDelta MessageCompleted ChatCompleted StreamDone", "Hi there"
    ),
    "plus_chat_names_in_data": Expected(ask, "ChatCreated MessageDelta StreamDone", "Hi"),
    "plus_chat_error": Expected(ask, "MessageDelta", "Hi", ServerError, 5000),
    "plus_chat_limited": Expected(ask, "", "", RateLimitError, 429),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What reading a stream to its end brought, comparable."""

    events: tuple[Any, ...]
    result: ChatResult | WorkflowRun | None
    error: tuple[type[BaseException], str, Any] | None

    @property
    def names(self) -> str:
        runs = [
            (name, len(list(run))) for name, run in itertools.groupby(type(event).__name__ for event in self.events)
        ]
        return " ".join(name if count == 1 else f"{count}*{name}" for name, count in runs)

    @property
    def text(self) -> str:
        match self.result:
            case ChatResult():
                return self.result.text
            case WorkflowRun():
                return self.result.data
            case None:
                return ""


async def outcome_of(stream: EventStream[Any, Any]) -> Outcome:
    events: list[Any] = []
    try:
        async for event in stream:
            events.append(event)
        return Outcome(tuple(events), await stream.result(), None)
    except CozeError as error:
        partial = getattr(error, "partial", None)
        return Outcome(tuple(events), partial, (type(error), str(error), getattr(error, "code", None)))


async def played(recorded: Recording, opens: Opens) -> Outcome:
    """Play a recording through the streaming transport; afterwards nothing may be open any more."""
    coze, transport = coze_over(recorded)
    async with coze:
        outcome = await outcome_of(opens(coze))
        assert (transport.open_bodies, transport.closed_bodies) == (0, 1)
        assert [asked_of(request) for request in transport.requests] == [recorded.asked]
    return outcome


@pytest.mark.parametrize("name", STREAMS)
async def test_a_recorded_stream_gives_these_events_and_this_end(name: str) -> None:
    expected, recorded = STREAMS[name], recording(name)
    outcome = await played(recorded, expected.opens)
    assert outcome.names == expected.events
    assert outcome.text == expected.text
    if expected.error is None:
        assert outcome.error is None
    else:
        assert outcome.error is not None
        assert (outcome.error[0], outcome.error[2]) == (expected.error, expected.code)


@pytest.mark.parametrize("name", STREAMS)
async def test_the_chunks_of_a_recorded_stream_do_not_matter(name: str) -> None:
    expected, recorded = STREAMS[name], recording(name)
    as_recorded = await played(recorded, expected.opens)
    assert await played(recorded.whole(), expected.opens) == as_recorded
    assert await played(recorded.by_bytes(), expected.opens) == as_recorded


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["cloud_chat_chinese_in_odd_chunks", "studio_workflow_lines", "plus_chat"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=st.lists(st.integers(0, 1500), max_size=12))
async def test_random_chunks_of_a_recorded_stream_do_not_matter(name: str, edges: list[int]) -> None:
    expected, recorded = STREAMS[name], recording(name)
    assert await played(recorded.cut(edges), expected.opens) == await played(recorded.whole(), expected.opens)


@pytest.mark.parametrize("name", STREAMS)
async def test_respx_plays_a_recorded_stream_as_often_as_it_is_asked_for(name: str) -> None:
    expected, recorded = STREAMS[name], recording(name)
    streamed = await played(recorded, expected.opens)
    with respx.mock(base_url=URL) as router:
        router.route(method=recorded.asked.method, path=recorded.asked.path).mock(
            side_effect=recorded.replay(loop=True).side_effect
        )
        async with AsyncCoze("pat_replay", base_url=URL, retry=Retry.none()) as coze:
            assert await outcome_of(expected.opens(coze)) == streamed
            assert await outcome_of(expected.opens(coze)) == streamed


async def result_of(name: str) -> Any:
    outcome = await played(recording(name), STREAMS[name].opens)
    assert outcome.error is None
    return outcome.result


async def error_of(name: str) -> Any:
    coze, _ = coze_over(recording(name))
    with pytest.raises(CozeError) as caught:
        await STREAMS[name].opens(coze).result()
    return caught.value


async def test_a_chat_brings_its_ids_usage_and_follow_ups() -> None:
    result = await result_of("cloud_chat_text")
    assert (result.chat_id, result.conversation_id, result.status) == ("9001", "7001", "completed")
    assert result.follow_ups == ["What can you do?", "Tell me a joke."]
    assert (result.usage.token_count, result.usage.output_count, result.usage.input_count) == (115, 24, 91)
    assert result.logid == "20251010120000ABCDEF0123456789AB01"


async def test_a_misspelt_status_and_other_usage_keys_are_understood() -> None:
    result = await result_of("cloud_chat_bare_done")
    assert result.status == "completed"
    assert (result.usage.input_count, result.usage.output_count) == (4, 3)


async def test_audio_comes_in_pieces_that_are_no_part_of_the_text() -> None:
    outcome = await played(recording("cloud_chat_audio"), ask_by_voice)
    assert [event.message.content for event in outcome.events if isinstance(event, AudioDelta)] == [
        "AAECAw==",
        "BAUGBw==",
    ]
    # The empty required action of a running chat means nothing.
    assert outcome.result is not None
    assert isinstance(outcome.result, ChatResult)
    assert outcome.result.tool_calls == []


async def test_what_a_plug_in_was_asked_and_answered_is_kept_beside_the_answer() -> None:
    result = await result_of("cloud_chat_tools")
    assert [message.type for message in result.messages] == ["function_call", "tool_response", "answer", "verbose"]
    assert result.answers == ["-3 degrees."]


async def test_interleaved_answers_are_put_together_by_id() -> None:
    result = await result_of("cloud_chat_several_answers")
    assert result.answers == ["One and a half", "Two"]


@pytest.mark.parametrize("name", ["cloud_chat_knowledge", "studio_chat"])
async def test_knowledge_is_read_out_of_json_in_json_and_its_addresses_repaired(name: str) -> None:
    result = await result_of(name)
    first, second = result.knowledge
    assert (first.text, first.score, first.document.name) == ("Returns are free for 30 days.", 0.91, "returns.md")
    assert first.url == "https://shop.example/r?a=1&b=2"
    assert (second.text, second.url) == ("Shipping takes 2 days.", None)
    assert "Returns" not in result.text


async def test_thoughts_are_kept_apart_from_the_answer() -> None:
    result = await result_of("cloud_chat_reasoning")
    assert (result.reasoning, result.text) == ("2+2 is 4", "4")


async def test_a_failed_chat_carries_its_own_code_its_chat_and_what_came_before() -> None:
    error = await error_of("cloud_chat_failed")
    assert (error.code, error.msg, error.chat.status, error.partial.text) == (
        5000,
        "event interval error",
        "failed",
        "Hal",
    )
    assert error.logid == "20251010120000ABCDEF0123456789AB01"


async def test_an_exhausted_quota_inside_a_chat_says_that_repeating_will_not_help() -> None:
    error = await error_of("cloud_chat_quota")
    assert error.chat.id == "9001"
    assert "credits" in str(error).lower()
    assert "top up" in str(error)


async def test_a_bare_failure_keeps_the_ids_that_the_chat_had() -> None:
    error = await error_of("cloud_chat_failed_bare")
    assert (error.chat.id, error.chat.conversation_id, error.msg) == ("9001", "7001", "error")


async def test_a_json_error_names_its_log_id_wherever_it_stands() -> None:
    assert (await error_of("cloud_chat_json_instead")).logid == "20251010120000ABCDEF0123456789AB03"
    assert (await error_of("cloud_chat_json_with_200")).logid == "20251010120000ABCDEF0123456789AB02"
    assert (await error_of("studio_chat_bad_key")).logid == "0b54c4a1-6f3e-4d0a-9c7b-2f1d5f6a7b02"


async def test_a_chat_that_requires_action_names_its_tool_calls() -> None:
    result = await result_of("cloud_chat_requires_action")
    call, question = result.tool_calls
    assert (call.id, call.function.name, call.function.arguments) == ("call-1", "door", '{"open":true}')
    assert (question.type, question.function) == ("reply_message", None)


async def test_what_this_version_does_not_know_is_kept() -> None:
    outcome = await played(recording("cloud_chat_unknown_events"), ask)
    assert outcome.events[2] == UnknownEvent(event="conversation.message.sparkle", data='{"a":1}')
    assert isinstance(outcome.result, ChatResult)
    answer, horoscope = outcome.result.messages
    assert (answer.model_extra, horoscope.type) == ({"mood": "sunny"}, "horoscope")


async def test_a_chatflow_names_its_run_at_the_end() -> None:
    outcome = await played(recording("cloud_chatflow"), flow)
    assert outcome.events[-1] == StreamDone(event="done", debug_url="https://www.coze.cn/work_flow?execute_id=7400")


async def test_a_chatflow_that_asks_something_shows_it_as_a_tool_call() -> None:
    result = await result_of("cloud_chatflow_interrupt")
    assert [call.type for call in result.tool_calls] == ["reply_message"]


async def test_events_of_a_workflow_are_numbered_and_heart_beats_passed_over() -> None:
    outcome = await played(recording("cloud_workflow"), run)
    assert [event.id for event in outcome.events] == [0, 1, 2, 3]
    assert isinstance(outcome.result, WorkflowRun)
    assert outcome.result.json() == {"output": "cold"}
    assert outcome.result.debug_url == "https://www.coze.cn/work_flow?execute_id=7410"
    assert outcome.result.usage is not None
    assert outcome.result.usage.token_count == 15


async def test_a_workflow_that_fails_says_why_and_where_to_look() -> None:
    error = await error_of("cloud_workflow_error")
    assert error.msg == "Request parameter error"
    assert error.debug_url == "https://www.coze.cn/work_flow?execute_id=7411"
    assert "https://www.coze.cn/work_flow?execute_id=7411" in str(error)


async def test_a_plain_text_error_of_a_workflow_is_told_whole() -> None:
    error = await error_of("studio_workflow_plain_error")
    assert error.msg == "workflow execution failed\ncaused by: node 1001 timed out"
    assert error.code is None


@pytest.mark.parametrize("name", ["cloud_workflow_interrupt", "studio_workflow_lower_case"])
async def test_an_interrupt_holds_what_resume_needs(name: str) -> None:
    outcome = await played(recording(name), run)
    interrupt = outcome.events[-1]
    assert isinstance(interrupt, WorkflowInterrupt)
    assert (interrupt.event_id.count("/"), interrupt.interrupt_type) == (1, 2)
    assert isinstance(outcome.result, WorkflowRun)
    assert outcome.result.interrupt_data == interrupt.interrupt_data


async def test_a_chat_that_somebody_cancelled_ends_without_an_error() -> None:
    assert (await result_of("studio_chat_cancelled")).status == "canceled"


async def test_an_error_event_is_the_truth_whatever_follows() -> None:
    error = await error_of("studio_chat_error_then_completed")
    assert (error.msg, error.partial.text) == ("Internal Server Error", "Hi")
    assert error.logid == "0b54c4a1-6f3e-4d0a-9c7b-2f1d5f6a7b01"


async def test_an_empty_stream_is_an_error_that_says_so() -> None:
    assert "empty stream" in str(await error_of("studio_chat_empty"))


async def test_the_nested_form_of_coze_plus_is_unwrapped() -> None:
    result = await result_of("plus_chat")
    assert (result.chat_id, result.conversation_id) == ("9001", "7001")
    assert (result.usage.input_count, result.usage.output_count, result.usage.token_count) == (10, 20, 30)


async def test_a_server_that_names_a_wait_is_quoted() -> None:
    error = await error_of("plus_chat_limited")
    assert error.retry_after == 7.0
    assert "7 s" in str(error)


# --- whole answers ----------------------------------------------------------------------------------------------------

Calls = Callable[[AsyncCoze], Awaitable[Any]]


async def retrieve(coze: AsyncCoze) -> Any:
    return await coze.chat.retrieve(conversation_id="7001", chat_id="9001")


async def messages(coze: AsyncCoze) -> list[Message]:
    return await coze.chat.messages.list(conversation_id="7001", chat_id="9001")


async def cancel(coze: AsyncCoze) -> Any:
    return await coze.chat.cancel(conversation_id="7001", chat_id="9001")


async def create(coze: AsyncCoze) -> Any:
    return await coze.chat.create("Hi", bot_id="5001", user_id="u-1")


async def create_and_poll(coze: AsyncCoze) -> Any:
    return await coze.chat.create_and_poll("Hi", bot_id="5001", user_id="u-1")


async def submit_one(coze: AsyncCoze) -> Any:
    outputs = [ToolOutput(tool_call_id="call-1", output="open")]
    return await coze.chat.submit_tool_outputs(conversation_id="7001", chat_id="9001", tool_outputs=outputs)


async def run_whole(coze: AsyncCoze) -> WorkflowRun:
    return await coze.workflows.run(workflow_id="7300", parameters={"city": "Oslo"})


async def run_in_background(coze: AsyncCoze) -> WorkflowRun:
    return await coze.workflows.run(workflow_id="7300", parameters={"city": "Oslo"}, is_async=True)


async def bot(coze: AsyncCoze) -> Any:
    return await coze.bots.retrieve(bot_id="5001")


def shown(answer: Any) -> Any:
    """The part of an answer that the table below names."""
    match answer:
        case list():
            listed = cast("list[Message]", answer)
            return [(message.type, message.content) for message in listed if message.type == "answer"]
        case ChatResult():
            return answer.text
        case WorkflowRun():
            return answer.json() or answer.execute_id
        case _:
            return getattr(answer, "status", None) or answer.name


ANSWERS: dict[str, tuple[Calls, Any]] = {
    "cloud_create": (create, "in_progress"),
    "studio_create": (create, "created"),
    "cloud_retrieve_failed": (retrieve, "failed"),
    "cloud_messages": (messages, [("answer", "30 days.")]),
    "cloud_messages_of_failed_chat": (messages, []),
    "studio_messages": (messages, [("answer", "Hi there")]),
    "studio_messages_empty": (messages, []),
    "studio_cancel": (cancel, "canceled"),
    "plus_chat_at_once": (create_and_poll, "Hi there"),
    "plus_chat_streams_unasked": (create_and_poll, "Hi there"),
    "cloud_workflow_run": (run_whole, {"output": "cold"}),
    "cloud_workflow_run_async": (run_in_background, "7412"),
    "cloud_bot": (bot, "Clerk"),
}
REFUSALS: dict[str, tuple[Calls, type[APIError], int | None, str | None]] = {
    "studio_retrieve_text": (retrieve, ServerError, None, "0b54c4a1-6f3e-4d0a-9c7b-2f1d5f6a7b03"),
    "cloud_cancel_too_late": (cancel, BadRequestError, 4104, "20251010120000ABCDEF0123456789AB04"),
    "cloud_submit_tool_outputs_unsaved": (submit_one, ServerError, 5000, "20251010120000ABCDEF0123456789AB02"),
    "cloud_workflow_unpublished": (run_whole, NotFoundError, 4200, "20251010120000ABCDEF0123456789AB05"),
    "gateway_html": (retrieve, ServerError, None, None),
    "envelope_oauth": (bot, PermissionDeniedError, None, "20251010120000ABCDEF0123456789AB06"),
    "envelope_legacy": (bot, PermissionDeniedError, 4101, "20251010120000ABCDEF0123456789AB07"),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_a_recorded_answer_is_read(name: str) -> None:
    call, expected = ANSWERS[name]
    for recorded in (recording(name), recording(name).by_bytes()):
        coze, transport = coze_over(recorded)
        assert shown(await call(coze)) == expected
        assert [asked_of(request) for request in transport.requests] == [recorded.asked]
        assert transport.open_bodies == 0


@pytest.mark.parametrize("name", ANSWERS)
async def test_respx_plays_a_recorded_answer_as_often_as_it_is_asked_for(name: str) -> None:
    call, expected = ANSWERS[name]
    asked = recording(name).asked
    with respx.mock(base_url=URL) as router:
        router.route(method=asked.method, path=asked.path).mock(
            side_effect=recording(name).replay(loop=True).side_effect
        )
        async with AsyncCoze("pat_replay", base_url=URL) as coze:
            assert [shown(await call(coze)) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_recorded_refusal_is_the_error_that_it_describes(name: str) -> None:
    call, error_class, code, logid = REFUSALS[name]
    coze, transport = coze_over(recording(name))
    with pytest.raises(APIError) as caught:
        await call(coze)
    error = caught.value
    assert (type(error), error.code, error.logid) == (error_class, code, logid)
    assert error.status == recording(name).status
    assert logid is None or logid in str(error)
    assert transport.open_bodies == 0


async def test_the_page_of_a_gateway_is_quoted_by_its_title() -> None:
    coze, _ = coze_over(recording("gateway_html"))
    with pytest.raises(ServerError, match=r"HTTP 502\): 502 Bad Gateway\.") as caught:
        await retrieve(coze)
    assert "<" not in str(caught.value)


async def test_a_retrieved_chat_shows_the_error_of_the_chat_and_not_of_the_call() -> None:
    coze, _ = coze_over(recording("cloud_retrieve_failed"))
    chat = await coze.chat.retrieve(conversation_id="7001", chat_id="9001")
    assert chat.error is not None
    assert (chat.error.code, chat.error.msg) == (4028, "credits")


async def test_an_answer_at_once_brings_ids_and_usage_too() -> None:
    coze, transport = coze_over(recording("plus_chat_at_once"))
    result = await coze.chat.create_and_poll("Hi", bot_id="5001", user_id="u-1")
    assert (result.conversation_id, result.status, result.usage.token_count if result.usage else None) == (
        "7001",
        "completed",
        3,
    )
    assert len(transport.requests) == 1


def test_every_recording_is_played_and_says_where_it_comes_from() -> None:
    assert set(recordings()) == STREAMS.keys() | ANSWERS.keys() | REFUSALS.keys()
    for name in recordings():
        recorded = recording(name)
        assert len(recorded.source) > 20
        assert recorded.trust in {"F", "D", "T", "-"}
        assert recorded.date.count("-") == 2


# --- what plays them --------------------------------------------------------------------------------------------------


def recorded(tmp_path: Path, *names: str) -> Path:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"".join((FOLDER / f"{name}.jsonl").read_bytes() for name in names))
    return path


async def test_each_exchange_is_played_once_and_what_is_left_is_known(tmp_path: Path) -> None:
    path = recorded(tmp_path, "cloud_chat_text", "cloud_retrieve_failed", "cloud_chat_failed")
    playing = replay(path)
    coze = AsyncCoze("any", base_url=URL, transport=playing, retry=Retry.none())
    assert (await coze.chat.ask("Hi", bot_id="5001", user_id="u-1")).text == "Hi there, how are\nyou?"
    assert playing.left == ["GET /v3/chat/retrieve", "POST /v3/chat"]
    with pytest.raises(ChatFailedError):
        await coze.chat.ask("Hi", bot_id="5001", user_id="u-1")
    with pytest.raises(
        ConfigurationError, match=rf"POST /v3/chat was recorded 2 times in {path}, and asked for once more"
    ):
        await coze.chat.ask("Hi", bot_id="5001", user_id="u-1")
    assert [request.url.path for request in playing.requests] == ["/v3/chat"] * 3


async def test_a_loop_begins_again_with_what_was_played(tmp_path: Path) -> None:
    playing = replay(recorded(tmp_path, "cloud_chat_text", "cloud_chat_bare_done", "cloud_bot"), loop=True)
    coze = AsyncCoze("any", base_url=URL, transport=playing)
    texts = [(await coze.chat.ask("Hi", bot_id="5001", user_id="u-1")).text for _ in range(5)]
    assert texts == ["Hi there, how are\nyou?", "Hi"] * 2 + ["Hi there, how are\nyou?"]
    assert playing.left.count("GET /v1/bots/5001") == 1


async def test_of_several_answers_the_one_to_the_same_request_is_played(tmp_path: Path) -> None:
    path = recorded(tmp_path, "cloud_chat_text", "cloud_chat_chinese_in_odd_chunks", "cloud_chat_bare_done")
    coze = AsyncCoze("any", base_url=URL, transport=replay(path))
    assert (await coze.chat.ask("你好", bot_id="5001", user_id="u-1")).text.startswith("你好")
    # None was asked this; it gets the earliest.
    assert (await coze.chat.ask("Huh?", bot_id="5001", user_id="u-1")).text.startswith("Hi there")
    assert (await coze.chat.ask("Hi", bot_id="5001", user_id="u-1")).text == "Hi"


async def test_the_query_decides_where_bodies_do_not() -> None:
    def retrieved(chat: str) -> Recording:
        asked = Asked("GET", "/v3/chat/retrieve", {"conversation_id": "7", "chat_id": chat})
        body = b'{"code":0,"data":{"id":"%s","conversation_id":"7"}}' % chat.encode()
        return replace(recording("cloud_retrieve_failed"), asked=asked, pieces=(Piece(0.0, body),))

    coze = AsyncCoze("any", base_url=URL, transport=Replay([retrieved("1"), retrieved("2")]))
    assert [(await coze.chat.retrieve(conversation_id="7", chat_id=chat)).id for chat in "21"] == ["2", "1"]


async def test_a_masked_recording_is_matched_by_its_masks(tmp_path: Path) -> None:
    emulator = Emulator()
    emulator.bot("5001", lambda given: f"You said {given.question}")
    recorder = Recorder(tmp_path / "x.jsonl", emulator.transport())
    questions = ["short", "a longer one", "short"]
    async with AsyncCoze("pat_x", base_url=URL, transport=recorder) as coze:
        for question in questions:
            await coze.chat.ask(question, bot_id="5001", user_id="u-1")
    coze = AsyncCoze("pat_other", base_url=URL, transport=replay(recorder.path))
    # As long as "a longer one", and then as "short".
    assert (await coze.chat.ask("b tinier one", bot_id="5001", user_id="u-2")).text == "xxx xxxx x xxxxxx xxx"
    assert (await coze.chat.ask("other", bot_id="5001", user_id="u-2")).text == "xxx xxxx xxxxx"


@pytest.mark.parametrize(("keep", "played"), [((), ["red?", "sky?"]), (("content",), ["sky?", "red?"])])
async def test_masks_of_one_form_are_played_in_their_order(
    tmp_path: Path, keep: tuple[str, ...], played: list[str]
) -> None:
    emulator = Emulator()
    recorder = Recorder(tmp_path / "x.jsonl", emulator.transport(), keep=keep)
    asked: dict[str, str] = {}
    async with AsyncCoze("pat_x", base_url=URL, transport=recorder) as coze:
        for question in ("red?", "sky?"):
            asked[(await coze.chat.ask(question, bot_id="5001", user_id="u-1")).chat_id] = question
    coze = AsyncCoze("pat_x", base_url=URL, transport=replay(recorder.path))
    chats = [await coze.chat.ask(question, bot_id="5001", user_id="u-1") for question in ("sky?", "red?")]
    assert [asked[chat.chat_id] for chat in chats] == played


@pytest.mark.parametrize("keep", [(), ("users",)])
async def test_who_stands_in_a_path_is_masked_and_found_again(tmp_path: Path, keep: tuple[str, ...]) -> None:
    path = tmp_path / "x.jsonl"
    answers = ReplayTransport(stream_of(b'{"code":0}', headers={"content-type": "application/json"}))
    async with AsyncCoze("pat_x", base_url=URL, transport=Recorder(path, answers, keep=keep)) as coze:
        await coze.bots.collaborators.delete(bot_id="1", user_id="alice.jones")
    assert ("alice" in path.read_text(encoding="utf-8")) == bool(keep)
    async with AsyncCoze("pat_x", base_url=URL, transport=replay(path)) as coze:
        with pytest.raises(ConfigurationError, match="was not recorded"):
            await coze.bots.collaborators.delete(bot_id="2", user_id="alice.jones")
        await coze.bots.collaborators.delete(bot_id="1", user_id="alice.jones")


async def test_what_was_not_recorded_is_answered_with_what_is_near(tmp_path: Path) -> None:
    path = recorded(tmp_path, "cloud_chat_text", "cloud_retrieve_failed", "cloud_bot", "cloud_workflow_run")
    coze = AsyncCoze("any", base_url=URL, transport=replay(path))
    with pytest.raises(ConfigurationError) as caught:
        await coze.chat.cancel(conversation_id="7", chat_id="9")
    assert str(caught.value) == (
        f"POST /v3/chat/cancel was not recorded in {path}. "
        "The nearest recorded requests: POST /v3/chat, GET /v3/chat/retrieve, POST /v1/workflow/run."
    )
    with pytest.raises(ConfigurationError, match=r"nearest recorded requests: none\."):
        await AsyncCoze("any", base_url=URL, transport=Replay([])).users.me()


@pytest.mark.parametrize(
    ("speed", "expected"), [(1.0, [1, 4]), (2.0, [0.5, 2]), (0.5, [2, 8]), (None, [0, 0]), (0, [0, 0])]
)
async def test_the_speed_is_that_of_the_recording_or_another(
    speed: float | None, expected: list[float], tmp_path: Path
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(block_of(replace(stream_of((0.0, b"a"), (3.0, b"b")), after=1.0)))
    began = anyio.current_time()
    times: list[float] = []
    transport = replay(path, speed=speed)
    async with (
        httpx.AsyncClient(transport=transport, timeout=None) as http,
        http.stream("POST", f"{URL}/v3/chat") as response,
    ):
        async for _ in response.aiter_raw():
            times.append(anyio.current_time() - began)
    assert times == pytest.approx(expected)


@pytest.mark.parametrize("speed", [-1.0, float("inf"), float("nan"), "fast"])
def test_a_speed_that_is_none_is_said(speed: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"is no speed: give 1\.0 for as it was recorded"):
        replay(FOLDER / "cloud_bot.jsonl", speed=speed)


async def test_a_silence_ends_with_the_patience_of_its_reader() -> None:
    playing = Replay([stream_of(b"a", endless=True)] * 2)
    async with httpx.AsyncClient(transport=playing, timeout=7.0) as http:
        began = anyio.current_time()
        with pytest.raises(httpx.ReadTimeout):
            await http.post(f"{URL}/v3/chat")
        assert anyio.current_time() - began == pytest.approx(7.0)
    async with httpx.AsyncClient(transport=playing, timeout=None) as http:
        with anyio.move_on_after(1000) as scope:
            await http.post(f"{URL}/v3/chat")
        assert scope.cancelled_caught


async def test_an_error_that_httpx_does_not_know_is_a_lost_connection() -> None:
    for error in ("Gone", "InvalidURL", ""):
        lost = replace(stream_of(b"a"), ending=Ending("lost", 0.0, error, "over"))
        async with httpx.AsyncClient(transport=Replay([lost])) as http:
            with pytest.raises(httpx.ReadError, match="over"):
                await http.post(f"{URL}/v3/chat")


async def test_respx_plays_a_file_as_often_as_it_is_asked_for(tmp_path: Path) -> None:
    path = recorded(tmp_path, "cloud_chat_text")
    with respx.mock(base_url=URL) as router:
        route = router.post("/v3/chat").mock(side_effect=replay(path, loop=True).side_effect)
        async with AsyncCoze("any", base_url=URL) as coze:
            for _ in range(3):
                assert (await coze.chat.ask("Hi", bot_id="5001", user_id="u-1")).follow_ups
        assert route.call_count == 3
