"""Workflows: what one run tells, and the routes that run, resume and look at it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import anyio

from ._body import EmulatedResponse
from ._checks import check_messages, earlier_questions, messages_of, question_of, read_json
from ._scripts import (
    Ask,
    ChatInput,
    Failure,
    Script,
    Usage,
    WorkflowInput,
    WorkflowScript,
    default_bot,
    default_workflow,
    pieces_of,
    play_flow,
)
from ._state import Conversation, Event, Row, RunState
from ._turns import Turn, check_quota, new_chat, room_for_chat
from ._wire import Refusal, to_json
from ._world import RecordedRequest, World

_GATEWAY_SECONDS = 90.0  # the gateway cuts a run without stream (coze.cn docs, workflow_run)
_LARGEST = 20 << 20  # bytes of a request, with its history (coze.cn docs, workflow_run)
_MOST_RESUMES = 3  # coze.cn docs, workflow_resume
_HEART_BEAT = Event("PING", {"content": "{}"})


async def run(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflow/run."""
    started = await _started(world, request, mode=2 if request.fields().get("is_async") else 0)
    return await _answer(world, started)


async def stream_run(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflow/stream_run."""
    return _stream(world, await _started(world, request, mode=1))


async def resume(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflows/resume: answers in the mode in which the run was started."""
    return await _answer(world, _resumed(world, request))


async def stream_resume(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflow/stream_resume."""
    return _stream(world, _resumed(world, request))


async def history(world: World, request: RecordedRequest, workflow_id: str, execute_id: str) -> EmulatedResponse:
    """GET /v1/workflows/{workflow_id}/run_histories/{execute_id}."""
    del request
    return world.wire.succeed([_history(world, _find(world, execute_id, workflow_id))])


def node_output(
    world: World, request: RecordedRequest, workflow_id: str, execute_id: str, node_execute_uuid: str
) -> Row:
    """GET …/execute_nodes/{node_execute_uuid}: what an output node said, not the end node (coze.cn docs)."""
    del request
    found = _find(world, execute_id, workflow_id)
    for number, node in enumerate(found.script.nodes, 1):
        if _node_uuid(found, number) == node_execute_uuid:
            running = world.state.now() < found.ends_at
            return {"is_finish": not running, "node_output": "" if running else node.text}
    raise Refusal(4200, f"The run {execute_id} has no output node {node_execute_uuid}.")


def _node_uuid(found: RunState, number: int) -> str:
    return f"{found.id}-{number}"


async def chatflow(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflows/chat: always a stream; the reply to a question comes in by the same route."""
    _check_size(request)
    body = request.fields()
    workflow_id = request.text("workflow_id")
    if bool(body.get("bot_id")) == bool(body.get("app_id")):
        raise Refusal(4000, "Exactly one of bot_id and app_id must be given.")
    check_messages(messages_of(body), most=50, text_only=True)
    with room_for_chat(world, body.get("conversation_id")) as conversation:
        spent = check_quota(world)
        # Messages of a chatflow have no bot_id (recorded fixture of coze-py 6b0f4cd).
        chat = new_chat(world, conversation, body, bot_id="", user_id="")
        conversation.chat = chat
        script, ask = (Script(failure=spent), None) if spent else await _play(world, workflow_id, conversation, body)
        Turn(world, conversation, chat, script, workflow_id=workflow_id, ask=ask).begin()
    return world.stream_chat(chat, world.wire.chatflow_events())


async def _play(
    world: World, workflow_id: str, conversation: Conversation, body: Mapping[str, Any]
) -> tuple[Script, Ask | None]:
    """What a chatflow says to this message, which may answer its question, and the next question."""
    question, waiting = question_of(messages_of(body)), conversation.waiting
    if waiting is not None and conversation.waiting_in == workflow_id:
        conversation.waiting = None
        world.state.touch("conversation", conversation.id)
        return _as_chat(waiting.after(question))
    if workflow_id not in world.flows and not workflow_id.endswith("ask"):
        history = (*world.history(conversation), *earlier_questions(messages_of(body)))
        return default_bot(ChatInput("", "", conversation.id, question, history, body)), None
    return _as_chat(await _script(world, workflow_id, body, question))


def _as_chat(script: WorkflowScript) -> tuple[Script, Ask | None]:
    answers = [node.text for node in script.nodes]
    if script.ask is not None:
        answers.append(script.ask.question)
    elif script.output:
        values = [script.output] if isinstance(script.output, str) else list(script.output.values())
        answers.append(values[0] if len(values) == 1 and isinstance(values[0], str) else _output(script))
    spoken = Script(
        answers,
        failure=script.failure,
        usage=script.usage,
        seconds=script.seconds,
        pace=script.pace,
        keep_alive=script.keep_alive,
        raw=script.raw,
    )
    return spoken, script.ask


async def _script(world: World, workflow_id: str, body: Mapping[str, Any], question: str = "") -> WorkflowScript:
    world.workflow(workflow_id)
    script = world.flows.get(workflow_id) or default_workflow
    parameters: Any = body.get("parameters") or {}
    if isinstance(parameters, str):
        try:
            parameters = read_json(parameters)
        except ValueError:
            parameters = None
    if not isinstance(parameters, dict):
        raise Refusal(4000, "parameters must be an object.")
    given = WorkflowInput(workflow_id, cast("dict[str, Any]", parameters), body, question)
    played = await play_flow(script, given)
    if not played.published:
        raise world.no_workflow(workflow_id)
    return played


def _check_size(request: RecordedRequest) -> None:
    size = request.headers.get("content-length", "")
    if size.isdecimal() and int(size) > _LARGEST:
        raise Refusal(4000, f"The request has {size} bytes, and the service takes {_LARGEST} at most.")


async def _started(world: World, request: RecordedRequest, *, mode: int) -> RunState:
    _check_size(request)
    workflow_id = request.text("workflow_id")
    script = await _script(world, workflow_id, request.fields())
    state = world.state
    started = RunState(state.new_id(), workflow_id, mode, script, state.unix_time(), ends_at=0)
    state.runs[started.id] = started
    _set_out(world, started, script)
    state.make_room()
    return started


def _set_out(world: World, started: RunState, script: WorkflowScript) -> None:
    started.script = script
    started.ends_at = world.state.now() + script.seconds
    started.event_id = f"{started.id}/{world.state.new_id()}" if script.ask else ""
    world.state.touch("run", started.id)


def _find(world: World, execute_id: str, workflow_id: str | None = None) -> RunState:
    found = world.state.runs.get(execute_id)
    if found is None or workflow_id not in {None, found.workflow_id}:
        raise Refusal(4200, f"There is no run {execute_id} of this workflow.")
    return found


def _resumed(world: World, request: RecordedRequest) -> RunState:
    workflow_id, event_id = request.text("workflow_id"), request.text("event_id")
    answer, kind = request.text("resume_data"), request.text("interrupt_type")
    stopped = _find(world, event_id.partition("/")[0], workflow_id)
    waiting = stopped.waiting
    if waiting is None or stopped.event_id != event_id or world.state.now() < stopped.ends_at:
        raise Refusal(4200, f"The run does not wait at {event_id}.")
    if kind != str(waiting.type):
        raise Refusal(4000, f"interrupt_type is {kind}, but the run waits with type {waiting.type}.")
    stopped.resumed += 1
    if stopped.resumed > _MOST_RESUMES:
        _set_out(world, stopped, WorkflowScript(failure=Failure(4000, "A run can be resumed 3 times at most.")))
    else:
        _set_out(world, stopped, waiting.after(answer))
    return stopped


async def _answer(world: World, started: RunState) -> EmulatedResponse:
    script, wire = started.script, world.wire
    links = {"debug_url": world.debug_url(started.id), "execute_id": started.id}
    if started.mode == 2:
        # The page's sample has no code here; its table and the official SDKs do (coze.cn docs, workflow_run).
        return wire.json(200, {"code": 0, "msg": "Success", **links})
    await anyio.sleep(min(script.seconds, _GATEWAY_SECONDS))
    if script.seconds > _GATEWAY_SECONDS:
        page = b"<html><head><title>504 Gateway Time-out</title></head></html>"
        return EmulatedResponse(504, {"content-type": "text/html"}, page)
    started.ends_at = min(started.ends_at, world.state.now())
    world.state.touch("run", started.id)
    if script.failure is not None:
        return wire.json(200, {"code": script.failure.code, "msg": script.failure.msg, **links})
    told: dict[str, Any] = {"code": 0, "msg": "Success", **links, "usage": _usage(script)}
    if started.waiting is not None:
        return wire.json(200, {**told, "data": "", "interrupt_data": _interrupt(started, started.waiting)})
    return wire.json(200, {**told, "data": _output(script)})


def _history(world: World, found: RunState) -> dict[str, Any]:
    running = world.state.now() < found.ends_at
    # Only who looks at a run sees that it is over.
    world.state.touch("run", found.id)
    logid, _ = world.wire.log_headers()
    told: dict[str, Any] = {
        "execute_id": found.id,
        "execute_status": "Running",
        "bot_id": "0",
        "connector_id": "1024",
        "connector_uid": "emulated",
        "run_mode": found.mode,
        "logid": logid,
        "create_time": found.created_at,
        "update_time": world.state.unix_time(),
        "output": "",
        "error_code": "",
        "is_output_trimmed": False,
        "debug_url": world.debug_url(found.id),
        "node_execute_status": {
            node.title: {
                "node_id": str(100000 + number),
                "node_execute_uuid": _node_uuid(found, number),
                "is_finish": not running,
                "update_time": world.state.unix_time(),
            }
            for number, node in enumerate(found.script.nodes, 1)
        },
        "usage": _usage(found.script),
    }
    if running:
        return told
    if found.waiting is not None:
        # An interrupted run shows itself by this key alone (coze.cn docs, workflow_history).
        return {**told, "interrupt_data": _interrupt(found, found.waiting)}
    told |= {"error_message": ""}
    if found.script.failure is not None:
        failure = found.script.failure
        return {**told, "execute_status": "Fail", "error_code": str(failure.code), "error_message": failure.msg}
    outputs = {node.title: node.text for node in found.script.nodes}
    return {**told, "execute_status": "Success", "output": to_json({**outputs, "Output": _output(found.script)})}


def _stream(world: World, started: RunState) -> EmulatedResponse:
    started.mode = 1
    script = started.script
    started.ends_at = math.inf

    def closed() -> None:
        if started.ends_at == math.inf:
            started.ends_at = world.state.now() + script.seconds
        world.state.touch("run", started.id)
        world.save()

    return world.stream(
        _told(world, started),
        world.wire.workflow_events(),
        pace=script.pace,
        keep_alive=script.keep_alive,
        heart_beat=_HEART_BEAT,
        raw=script.raw,
        error=lambda code, msg: Event("Error", {"error_code": code, "error_message": msg}),
        on_close=closed,
    )


def _told(world: World, started: RunState) -> Iterator[Event]:
    """The events of one run: packets of its nodes, then an error, a question, or the output and the end."""
    script = started.script
    debug_url = world.debug_url(started.id)
    if script.raw is not None:
        started.ends_at = world.state.now()
        return
    number = 0
    for number, node in enumerate(script.nodes, 1):
        pieces = list(node.pieces or pieces_of(node.text) or [""])
        yield from _packets(number, node.title, pieces, node.node_type, content_type=node.content_type)
    started.ends_at = world.state.now()
    if script.failure is not None:
        code, msg = script.failure.code, script.failure.msg
        yield Event("Error", {"error_code": code, "error_message": msg, "debug_url": debug_url})
    elif started.waiting is not None:
        ask = started.waiting
        yield from _packets(number + 1, ask.title, pieces_of(ask.question) or [""], "QuestionAnswer")
        yield Event("Interrupt", {"interrupt_data": _interrupt(started, ask), "node_title": ask.title})
    else:
        yield from _packets(number + 1, "End", [_output(script)], "End", usage=_usage(script))
        yield Event("Done", {"debug_url": debug_url})


def _packets(node_id: int, title: str, pieces: Sequence[str], node_type: str, **more: Any) -> Iterator[Event]:
    for number, piece in enumerate(pieces):
        last = number == len(pieces) - 1
        packet = {
            "content": piece,
            "content_type": "text",
            "node_is_finish": last,
            "node_seq_id": str(number),
            "node_title": title,
            "node_id": str(100000 + node_id),
            "node_type": node_type,
        }
        yield Event("Message", {**packet, **more}, wait=True)


def _interrupt(stopped: RunState, ask: Ask) -> dict[str, Any]:
    return {"event_id": stopped.event_id, "type": ask.type, "data": ask.question}


def _output(script: WorkflowScript) -> str:
    return script.output if isinstance(script.output, str) else to_json(dict(script.output))


def _usage(script: WorkflowScript) -> dict[str, int]:
    usage = script.usage or Usage(
        40, sum(len(pieces_of(node.text)) for node in script.nodes) + len(_output(script)) // 4
    )
    total = usage.input_count + usage.output_count
    return {"token_count": total, "output_count": usage.output_count, "input_count": usage.input_count}
