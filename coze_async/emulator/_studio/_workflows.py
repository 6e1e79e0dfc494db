"""Workflows and chatflows on self-hosted servers."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import anyio

from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._checks import question_of, read_json
from coze_async.emulator._scripts import (
    Answer,
    Ask,
    ChatInput,
    Script,
    WorkflowInput,
    WorkflowScript,
    default_bot,
    default_workflow,
    pieces_of,
    play_flow,
)
from coze_async.emulator._state import Conversation, Event, Row, RunState
from coze_async.emulator._turns import check_quota, new_chat, room_for_chat
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import OWNER, PERSONAL, RecordedRequest, World

from ._binding import asked_id, bound
from ._turns import FlowTurn, asked_json, debug_url
from ._wire import StudioWire, bad_request, go_json, required

_FAILED = 720701013
_NO_COST = "0.00000"
_NODE_TYPES = {2: "Question", 5: "Input"}
_QUESTION_NODE, _END_NODE = "180001", "900001"
_NOT_PUBLISHED = (
    "Workflow not published. The requested operation cannot be performed on an unpublished workflow. Please publish "
    "the workflow and try again."
)
_NOT_SYNCHRONOUS = (
    "Synchronous requests do not support interruption. Please switch to asynchronous requests for interruptible "
    "operations."
)


async def run(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflow/run."""
    mode = 2 if _fields(request).get("is_async") else 0
    try:
        started = await _started(world, request, mode)
        return await _answer(world, started)
    except Refusal as refusal:
        if refusal.status is not None:
            raise
        return _answered(world, refusal.code, refusal.msg, debug_url("0", "0", space_id="0"))


async def stream_run(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflow/stream_run: what is refused before the run is JSON."""
    try:
        return _stream(world, await _started(world, request, 1))
    except Refusal as refusal:
        return _refused(world, refusal)


async def stream_resume(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflow/stream_resume."""
    body = _fields(request)
    execute_id = str(body.get("event_id", "")).partition("/")[0]
    stopped = world.state.runs.get(execute_id)
    if stopped is None:
        return _refused(world, _failure(f"workflow execution does not exist, id: {execute_id}"))
    if stopped.waiting is None:
        return _refused(
            world, _failure(f"workflow execution {execute_id} is not interrupted, status is 2, cannot resume")
        )
    _set_out(world, stopped, stopped.waiting.after(str(body.get("resume_data", ""))))
    stopped.resumed += 1
    return _stream(world, stopped)


def history(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/workflow/get_run_history: one run that had no stream."""
    execute_id = asked_id(request, "execute_id")
    if "workflow_id" not in request.query:
        raise required("workflow_id")
    found = world.state.runs.get(execute_id)
    if found is None:
        msg = f"Workflow operation failure: user {OWNER['user_id']} does not have access to space 0"
        return world.wire.json(200, {"code": 777777775, "msg": msg, **world.wire.base_resp})
    return world.wire.json(200, {"data": [_history(world, found)], **world.wire.base_resp})


def retrieve(world: World, request: RecordedRequest, workflow_id: str) -> EmulatedResponse:
    """GET /v1/workflows/{workflow_id}: the role of a chatflow, which none has here."""
    del request
    _known(world, workflow_id)
    return world.wire.json(200, dict(world.wire.base_resp))


def create_conversation(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflow/conversation/create: a conversation of an app."""
    body = _fields(request)
    if "app_id" not in body:
        raise Refusal(777777775, _panic("Workflow operation failure", 'strconv.ParseInt: parsing "": invalid syntax'))
    found = _conversation_of(world, request, str(body["app_id"]), str(body.get("conversation_name", "")))
    data = {"id": found.id, "created_at": found.created_at, "last_section_id": found.section_id, "meta_data": None}
    return world.wire.succeed(data)


async def chatflow(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/workflows/chat: needs a conversation, by its id or its name."""
    wire = cast("StudioWire", world.wire)
    body = _fields(request)
    workflow_id = body.get("workflow_id")
    if workflow_id is None:
        raise required("workflow_id")
    try:
        _known(world, workflow_id)
        conversation_id = _place(world, request, body)
        with room_for_chat(world, conversation_id) as conversation:
            spent = check_quota(world)
            chat = new_chat(world, conversation, body, bot_id=str(body.get("bot_id") or ""), user_id="")
            chat.flow = True
            for message in chat.asked:
                message["meta_data"] = None
            conversation.chat = chat
            script, ask = (
                (Script(failure=spent), None) if spent else await _play(world, workflow_id, conversation, body)
            )
            FlowTurn(world, conversation, chat, script, workflow_id=workflow_id, ask=ask).begin()
    except Refusal as refusal:
        return _refused(world, refusal)
    response = world.stream_chat(chat, wire.chatflow_events())
    return EmulatedResponse(200, wire.workflow_headers(), response.body)


def _place(world: World, request: RecordedRequest, body: Mapping[str, Any]) -> str:
    """The conversation of a chatflow."""
    conversation_id = body.get("conversation_id")
    name = _parameters(body).get("CONVERSATION_NAME")
    if conversation_id:
        found = world.state.conversations.get(str(conversation_id))
        if found is None:
            problem = "runtime error: invalid memory address or nil pointer dereference"
            raise Refusal(777777775, _panic("Workflow operation failure", problem))
        return found.id
    if not name:
        raise Refusal(777777775, "Workflow operation failure: conversation name is requried")
    return _conversation_of(world, request, str(body.get("bot_id") or body.get("app_id") or ""), str(name)).id


def _conversation_of(world: World, request: RecordedRequest, owner_id: str, name: str) -> Conversation:
    """The conversation of this name that a bot or an app has with the caller."""
    for known in world.state.conversations.values():
        if (known.name, known.bot_id, known.owner) == (name, owner_id, world.caller(request)):
            return known
    made = world.state.new_conversation()
    made.name, made.bot_id, made.owner = name, owner_id, world.caller(request)
    world.state.touch("conversation", made.id)
    return made


async def _play(
    world: World, workflow_id: str, conversation: Conversation, body: Mapping[str, Any]
) -> tuple[Script, Ask | None]:
    """What a chatflow says to this message, which may answer its question, and the next question."""
    question, waiting = question_of(body.get("additional_messages") or []), conversation.waiting
    if waiting is not None and conversation.waiting_in == workflow_id:
        conversation.waiting = None
        world.state.touch("conversation", conversation.id)
        return _as_chat(waiting.after(question))
    if workflow_id not in world.flows and not workflow_id.endswith("ask"):
        given = ChatInput("", "", conversation.id, question, world.history(conversation), body)
        return Script(default_bot(given).answers), None
    return _as_chat(await _script(world, workflow_id, body, 1, question))


def _as_chat(script: WorkflowScript) -> tuple[Script, Ask | None]:
    answers = [Answer(node.text, pieces=_pieces(node.text, node.pieces)) for node in script.nodes]
    if script.ask is not None:
        answers.append(Answer(script.ask.question, pieces=[script.ask.question]))
    elif script.output and script.failure is None:
        values = [script.output] if isinstance(script.output, str) else list(script.output.values())
        text = values[0] if len(values) == 1 and isinstance(values[0], str) else _output(script)
        answers.append(Answer(text, pieces=script.pieces or [text]))
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


def _fields(request: RecordedRequest) -> dict[str, Any]:
    if request.body is None:
        told = 'Syntax error no sources available, the input json is empty: errors.SyntaxError{Pos:0, Src:\\"\\", '
        raise bad_request(f'failed to unmarshal request body: "{told}Code:0x1, Msg:\\"\\"}}"')
    if not isinstance(request.body, dict):
        raise bad_request('failed to unmarshal request body: "Syntax error at index 0: invalid char"')
    return bound(request, {"workflow_id": "text"}) or cast("dict[str, Any]", request.body)


def _known(world: World, workflow_id: str) -> None:
    if world.flows.get(workflow_id, default_workflow) is None:
        raise Refusal(
            720702004, f"workflow {workflow_id} not found, please check if the workflow exists and not deleted"
        )
    is_named = workflow_id in world.flows or workflow_id.endswith("ask")
    if not is_named and not re.search("[0-9]", workflow_id):
        problem = f'strconv.ParseInt: parsing "{workflow_id}": invalid syntax'
        raise Refusal(_FAILED, _panic("Workflow execution failure", problem))


def _panic(what: str, problem: str) -> str:
    return (
        f"{what}: panic error: {problem}, \nstack: goroutine 1 [running]:\nruntime/debug.Stack()\n"
        "\t/usr/local/go/src/runtime/debug/stack.go:26 +0x5e\n"
    )


def _failure(problem: str) -> Refusal:
    return Refusal(_FAILED, f"Workflow execution failure: {problem}")


def _parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    parameters: Any = body.get("parameters") or {}
    if isinstance(parameters, str):
        try:
            parameters = read_json(parameters)
        except ValueError:
            parameters = None
    if not isinstance(parameters, dict):
        raise bad_request("parameters field should be an object")
    return cast("dict[str, Any]", parameters)


async def _script(
    world: World, workflow_id: str, body: Mapping[str, Any], mode: int, question: str = ""
) -> WorkflowScript:
    _known(world, workflow_id)
    script = world.flows.get(workflow_id) or default_workflow
    played = await play_flow(script, WorkflowInput(workflow_id, _parameters(body), body, question))
    if not played.published:
        raise Refusal(720702011 if mode == 1 else 6031, _NOT_PUBLISHED)
    return played


async def _started(world: World, request: RecordedRequest, mode: int) -> RunState:
    body = _fields(request)
    workflow_id = body.get("workflow_id")
    if workflow_id is None:
        raise required("workflow_id")
    script = await _script(world, workflow_id, body, mode)
    caller = world.caller(request)
    if caller:
        raise _failure(f"user {caller} does not have access to space {PERSONAL}")
    if script.ask is not None and mode == 0:
        raise Refusal(6039, _NOT_SYNCHRONOUS)
    state = world.state
    started = RunState(state.new_id(), workflow_id, mode, script, state.unix_time(), ends_at=0)
    started.given = go_json(_parameters(body))
    state.runs[started.id] = started
    _set_out(world, started, script)
    state.make_room()
    return started


def _set_out(world: World, started: RunState, script: WorkflowScript) -> None:
    started.script = script
    started.ends_at = world.state.now() + script.seconds
    started.event_id = f"{started.id}/{world.state.new_id()}" if script.ask else ""
    world.state.touch("run", started.id)


def _answered(world: World, code: int, msg: str | None, url: str, **told: Any) -> EmulatedResponse:
    empty = {"data": None, "token": None, "cost": None, "debug_url": url, "execute_id": None}
    return world.wire.json(200, {"code": code, "msg": msg, **empty, **told, **world.wire.base_resp})


def _refused(world: World, refusal: Refusal) -> EmulatedResponse:
    """What a route that streams says in JSON."""
    response = world.wire.refuse(refusal)
    if response.status == 200:
        headers = cast("StudioWire", world.wire).workflow_headers()
        response.headers.update({name: text for name, text in headers.items() if name.startswith(("cache", "access"))})
    return response


async def _answer(world: World, started: RunState) -> EmulatedResponse:
    script, url = started.script, debug_url(started.id, started.workflow_id)
    if started.mode == 2:
        return _answered(world, 0, None, url, execute_id=started.id)
    await anyio.sleep(script.seconds)
    started.ends_at = min(started.ends_at, world.state.now())
    world.state.touch("run", started.id)
    if script.failure is not None:
        return _answered(world, script.failure.code, script.failure.msg, url)
    data = _output(script)
    if isinstance(script.output, str):
        data = go_json({"content_type": 1, "data": script.output, "type_for_model": 2})
    return _answered(world, 0, None, url, data=data, token=_tokens(script), cost=_NO_COST, execute_id=started.id)


def _history(world: World, found: RunState) -> Row:
    script, is_over = found.script, world.state.now() >= found.ends_at
    # Only who looks at a run sees that it is over.
    world.state.touch("run", found.id)
    logid, _ = world.wire.log_headers()
    failure = script.failure if is_over else None
    status = "Success" if failure is None else "Fail"
    if not is_over:
        status = "Running"
    elif found.waiting is not None:
        status = "<UNSET>"
    return {
        "execute_id": int(found.id),
        "execute_status": status,
        "bot_id": None,
        "connector_id": 1024,
        "connector_uid": OWNER["user_id"],
        "run_mode": found.mode,
        "log_id": logid,
        "create_time": found.created_at,
        "update_time": world.state.unix_time(),
        "debug_url": debug_url(found.id, found.workflow_id),
        "input": found.given,
        "output": _plain_output(script) if status == "Success" else "",
        "token": _tokens(script) if status == "Success" else 0,
        "cost": _NO_COST,
        "cost_unit": None,
        "ext": None,
        "error_code": str(failure.code) if failure else "",
        "error_msg": failure.msg if failure else "",
    }


def _stream(world: World, started: RunState) -> EmulatedResponse:
    started.mode = 1
    script = started.script
    started.ends_at = math.inf

    def closed() -> None:
        if started.ends_at == math.inf:
            started.ends_at = world.state.now() + script.seconds
        world.state.touch("run", started.id)
        world.save()

    response = world.stream(
        _told(world, started),
        world.wire.workflow_events(),
        pace=script.pace,
        keep_alive=script.keep_alive,
        heart_beat=Event("PING", {"content": "{}"}),
        raw=script.raw,
        error=lambda code, msg: Event("Error", {"error_code": code, "error_message": msg}),
        on_close=closed,
    )
    return EmulatedResponse(200, cast("StudioWire", world.wire).workflow_headers(), response.body)


def _told(world: World, started: RunState) -> Iterator[Event]:
    """The events of one run: packets of its nodes, then an error, a question, or the output and the end."""
    script, url = started.script, debug_url(started.id, started.workflow_id)
    if script.raw is not None:
        started.ends_at = world.state.now()
        return
    for number, node in enumerate(script.nodes, 1):
        # A run that fails leaves its last node unfinished.
        is_cut = script.failure is not None and number == len(script.nodes)
        pieces = _pieces(node.text, node.pieces)
        yield from _packets(str(130000 + number), node.title, pieces, node.node_type, is_cut=is_cut)
    started.ends_at = world.state.now()
    if script.failure is not None:
        error = {"error_code": script.failure.code, "error_message": script.failure.msg}
        yield Event("Error", {"debug_url": url, **error})
    elif started.waiting is not None:
        ask, asked = started.waiting, asked_json(started.waiting)
        yield from _packets(_QUESTION_NODE, ask.title, [asked], _NODE_TYPES.get(ask.type, "Question"))
        data = {"event_id": started.event_id, "type": ask.type, "data": asked}
        yield Event("Interrupt", {"debug_url": url, "interrupt_data": data})
    else:
        output = _output(script)
        yield from _packets(_END_NODE, "End", list(script.pieces or [output]), "End")
        yield Event("Done", {"debug_url": url})


def _packets(
    node_id: str, title: str, pieces: Sequence[str], node_type: str, *, is_cut: bool = False
) -> Iterator[Event]:
    for number, piece in enumerate(pieces):
        packet = {
            "content": piece,
            "content_type": "text",
            "node_seq_id": str(number),
            "node_id": node_id,
            "node_is_finish": number == len(pieces) - 1 and not is_cut,
            "node_type": node_type,
            "node_title": title,
        }
        yield Event("Message", packet, wait=True)


def _pieces(text: str, pieces: Sequence[str] | None) -> list[str]:
    return list(pieces or pieces_of(text) or [""])


def _output(script: WorkflowScript) -> str:
    return script.output if isinstance(script.output, str) else go_json(dict(script.output))


def _plain_output(script: WorkflowScript) -> str:
    """The output as the record of a run has it: always an object."""
    return go_json({"output": script.output}) if isinstance(script.output, str) else _output(script)


def _tokens(script: WorkflowScript) -> int:
    return script.usage.input_count + script.usage.output_count if script.usage else 0
