"""The routes of `/v3/chat`: they start chats, read them and stop them."""

from ._body import EmulatedResponse
from ._bots import script_of
from ._checks import check_chat, earlier_questions, messages_of
from ._fields import Fields
from ._scripts import ChatInput, Script, play_bot
from ._state import ChatState
from ._turns import Turn, check_free, check_quota, new_chat, room_for_chat
from ._wire import Refusal, to_json
from ._world import RecordedRequest, World

_KEYS_WHILE_RUNNING = ("id", "conversation_id", "bot_id", "created_at", "last_error", "status", "meta_data")


async def create(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v3/chat."""
    wire, body = world.wire, request.fields()
    bot_id, user_id = request.text("bot_id"), request.text("user_id")
    streamed = bool(body.get("stream"))
    check_chat(body)
    saved = body.get("auto_save_history") is not False
    if not streamed and not saved:
        raise Refusal(4000, "auto_save_history must be true when stream is false.")
    turn = await _first_turn(world, request, bot_id=bot_id, user_id=user_id, saved=saved)
    chat = turn.begin()
    if streamed:
        return world.stream_chat(chat, wire.chat_events())
    chat.leave_alone(world.state.now(), seconds=turn.script.seconds)
    chat.become("in_progress")
    return _polled(world, chat)


def _polled(world: World, chat: ChatState) -> EmulatedResponse:
    """A chat as the cloud answers whoever polls it: few keys while it runs, and the log id in the header alone.

    Source: a recording of coze.cn. Official SDKs stop polling at any status but `in_progress`.
    """
    data = world.wire.chat(chat)
    if chat.running:
        data = {name: data[name] for name in _KEYS_WHILE_RUNNING if name in data}
    _, headers = world.wire.log_headers()
    headers["content-type"] = "application/json; charset=utf-8"
    return EmulatedResponse(200, headers, to_json({"data": data, "code": 0, "msg": ""}).encode())


async def _first_turn(world: World, request: RecordedRequest, *, bot_id: str, user_id: str, saved: bool) -> Turn:
    body = request.fields()
    with room_for_chat(world, request.query.get("conversation_id")) as conversation:
        script, spent = script_of(world, bot_id, Fields(body)), check_quota(world)
        chat = new_chat(world, conversation, body, bot_id=bot_id, user_id=user_id, saved=saved)
        history = (*world.history(conversation), *earlier_questions(messages_of(body)))
        given = ChatInput(bot_id, user_id, conversation.id, chat.question, history, body)
        conversation.chat = chat  # From here on the conversation is occupied, however long the script is being made.
        played = Script(failure=spent) if spent else await play_bot(script, given)
        return Turn(world, conversation, chat, played)


async def retrieve(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET and POST /v3/chat/retrieve."""
    return _polled(world, world.chat(request.query))


async def list_messages(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v3/chat/message/list: no question, in the order in which they ended, no data for a failed chat."""
    chat = world.chat(request.query)
    return world.wire.json(200, {"code": 0, "msg": "", **({} if chat.status == "failed" else {"data": chat.messages})})


async def cancel(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v3/chat/cancel: flips the state, whoever may still read the stream."""
    chat = world.chat(request.fields())
    if not chat.running:
        raise Refusal(4104, f"Chat {chat.id} cannot be canceled: its status is {chat.status}.")
    chat.become("canceled")
    world.state.touch("chat", chat.id)
    return world.wire.succeed(world.wire.chat(chat))


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
    return _polled(world, chat)
