"""The routes of `/v3/chat`: they start chats, read them and stop them."""

import math

import anyio

from ._body import EmulatedResponse
from ._bots import script_of
from ._checks import check_chat
from ._fields import Fields
from ._scripts import ChatInput, Script, play_bot
from ._state import ChatState, Event
from ._turns import Turn, check_free, check_quota, new_chat, room_for_chat
from ._wire import Refusal
from ._world import RecordedRequest, World


async def create(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v3/chat."""
    wire, body = world.wire, request.fields()
    bot_id, user_id = request.text("bot_id"), request.text("user_id")
    streamed = bool(body.get("stream", wire.stream_by_default))
    check_chat(body, cloud=wire.dialect == "cloud")
    # Coze Studio does not know auto_save_history: there everything is saved.
    saved = wire.dialect != "cloud" or body.get("auto_save_history") is not False
    if not streamed and not saved:
        raise Refusal(4000, "auto_save_history must be true when stream is false.")
    try:
        turn = await _first_turn(world, request, bot_id=bot_id, user_id=user_id, saved=saved)
        chat = turn.begin()
    except Refusal as refusal:
        if not (streamed and wire.stream_by_default):
            raise
        # Coze Studio has opened its stream by now: everything is told in an error event (source 4f786d6).
        error = Event("error", {"code": 103200002, "msg": refusal.msg})
        return world.stream([error], wire.chat_events())
    if streamed:
        return world.stream_chat(chat, wire.chat_events())
    if wire.dialect == "plus":
        return await _finished(world, chat)
    chat.leave_alone(world.state.now(), seconds=turn.script.seconds)
    return wire.json(200, {"data": wire.chat(chat), "code": 0, "msg": "", **wire.base_resp})


async def _first_turn(world: World, request: RecordedRequest, *, bot_id: str, user_id: str, saved: bool) -> Turn:
    body = request.fields()
    conversation_id = request.query.get("conversation_id")
    if world.wire.dialect != "cloud":
        conversation_id = conversation_id or body.get("ConversationID")
    with room_for_chat(world, conversation_id) as conversation:
        script, spent = script_of(world, bot_id, Fields(body)), check_quota(world)
        chat = new_chat(world, conversation, body, bot_id=bot_id, user_id=user_id, saved=saved)
        given = ChatInput(bot_id, user_id, conversation.id, chat.question, world.history(conversation), body)
        conversation.chat = chat  # From here on the conversation is occupied, however long the script is being made.
        played = Script(failure=spent) if spent else await play_bot(script, given)
        return Turn(world, conversation, chat, played)


async def _finished(world: World, chat: ChatState) -> EmulatedResponse:
    """The finished answer in one piece, as Coze Plus documents it."""
    chat.leave_alone(world.state.now(), seconds=chat.script.seconds)
    await anyio.sleep(chat.script.seconds)
    chat.settle(math.inf)
    if chat.last_error is not None:
        raise Refusal(chat.last_error.code, chat.last_error.msg)
    keys = ("id", "conversation_id", "bot_id", "role", "content", "content_type", "chat_id", "created_at")
    answers = [message for message in chat.messages if message["type"] == "answer"]
    data = {key: answers[-1][key] for key in keys} if answers else {"id": chat.id, "content": ""}
    return world.wire.json(200, {"code": 0, "msg": "success", "data": {**data, "usage": world.wire.usage(chat.usage)}})


async def retrieve(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET (on the cloud also POST) /v3/chat/retrieve."""
    try:
        return world.wire.succeed(world.wire.chat(world.chat(request.query)))
    except Refusal as refusal:
        if world.wire.dialect == "cloud":
            raise
        _, headers = world.wire.log_headers()
        return EmulatedResponse(500, {**headers, "content-type": "text/plain; charset=utf-8"}, refusal.msg.encode())


async def list_messages(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v3/chat/message/list: no question, verbose first, no data for a failed chat."""
    chat = world.chat(request.query)
    messages = sorted(chat.messages, key=lambda message: message["type"] not in {"verbose", "knowledge"})
    if world.wire.dialect != "cloud":
        return world.wire.json(200, {"code": 0, "msg": "", **({"Messages": messages} if messages else {})})
    return world.wire.json(200, {"code": 0, "msg": "", **({} if chat.status == "failed" else {"data": messages})})


async def cancel(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v3/chat/cancel: flips the state, whoever may still read the stream."""
    wire, named = world.wire, dict(request.fields())
    if wire.dialect == "plus" and not named.get("chat_id"):
        # Coze Plus documents the conversation's id alone.
        last = world.conversation(request.text("conversation_id")).chat
        named["chat_id"] = last.id if last else "0"
    chat = world.chat(named)
    if not chat.running:
        msg = f"Chat {chat.id} cannot be canceled: its status is {chat.status}."
        raise Refusal(4104, msg) if wire.dialect == "cloud" else Refusal(4000, f"103200005: {msg}")
    chat.become("canceled")
    world.state.touch("chat", chat.id)
    if wire.dialect == "cloud":
        return wire.succeed(wire.chat(chat))
    return wire.json(200, {"ChatV3ChatDetail": wire.chat(chat)})


async def submit_tool_outputs(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v3/chat/submit_tool_outputs: the same chat goes on, with or without a stream."""
    ids, body = request.query, request.fields()
    unsaved = world.state.chats.get(ids.get("chat_id", ""))
    if unsaved is not None and not unsaved.saved:
        raise Refusal(5000, "Tool outputs need a chat with auto_save_history=true.")
    chat = world.chat(ids)
    action = chat.required_action
    if chat.status != "requires_action" or action is None:
        raise Refusal(4000, f"Chat {chat.id} does not wait for tool outputs: its status is {chat.status}.")
    wanted = [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]]
    given = Fields(body).objects("tool_outputs")
    outputs = {item.text("tool_call_id"): item.string("output") for item in given}
    if sorted(outputs) != sorted(wanted) or len(outputs) != len(given):
        raise Refusal(4000, f"tool_outputs must answer all of {', '.join(wanted)} in one call, and nothing else.")
    conversation = world.conversation(chat.conversation_id)
    check_free(world, conversation)
    chat.required_action = None
    chat.status = "in_progress"
    Turn(world, conversation, chat, chat.script.after(outputs), outputs).begin()
    if body.get("stream"):
        return world.stream_chat(chat, world.wire.chat_events())
    chat.leave_alone(world.state.now(), seconds=chat.script.seconds)
    return world.wire.succeed(world.wire.chat(chat))
