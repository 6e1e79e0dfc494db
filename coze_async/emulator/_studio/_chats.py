"""The routes of `/v3/chat` on self-hosted servers."""

import json
import math
from collections.abc import Mapping
from typing import Any, cast

import anyio

from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._bots import API
from coze_async.emulator._scripts import BotScript, ChatInput, Script, default_bot, play_bot
from coze_async.emulator._state import ChatState, Event
from coze_async.emulator._turns import check_quota, new_chat, room_for_chat
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import RecordedRequest, World

from ._binding import Types, asked_id, bound, decoded
from ._turns import StudioTurn
from ._wire import PlusPageWire, StudioWire, bad_request, required, traced

_TYPES: Types = {
    "bot_id": "id",
    "connector_id": "id",
    "ConversationID": "text of digits",
    "user_id": "text",
    "custom_variables": "texts",
    "extra_params": "texts",
    "additional_messages": "objects",
    "parameters": "object",
}
_LONGEST_USER = 255
_FRAMES = ("/app/application/conversation/openapi_agent_run.go:137 (*OpenapiAgentRunApplication).checkAgent",)


async def create(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v3/chat: what is wrong with bot and messages is told in the stream, which is open by then."""
    wire = cast("StudioWire", world.wire)
    body = _bound(world, request)
    streamed = wire.always_streams or body.get("stream") is not False
    if len(body["user_id"]) > _LONGEST_USER:
        return wire_stream(world, [])
    try:
        turn = await _turn(world, request, body)
    except Refusal as refusal:
        if streamed:
            return wire_stream(world, [Event("error", {"code": 103100001, "msg": refusal.msg})])
        raise bad_request(refusal.msg) from None
    chat = turn.begin()
    if streamed:
        return world.stream_chat(chat, wire.chat_events())
    chat.leave_alone(world.state.now(), seconds=turn.script.seconds)
    if isinstance(wire, PlusPageWire):
        return await _finished(world, chat)
    return wire.succeed(wire.chat(chat, "in_progress"))


def _bound(world: World, request: RecordedRequest) -> dict[str, Any]:
    if "conversation_id" in request.query:
        decoded(request.query["conversation_id"])
    return bound(request, bot_types(world, request, _TYPES), "bot_id", "user_id")


def bot_types(world: World, request: RecordedRequest, types: Types) -> Types:
    """The types of the fields; a bot with a script may have any name."""
    named = request.fields().get("bot_id") if isinstance(request.body, dict) else None
    is_named = isinstance(named, str) and named in world.bots
    return {**types, "bot_id": "text"} if is_named else types


def wire_stream(world: World, events: list[Event]) -> EmulatedResponse:
    """A stream of a few events that belong to no chat."""
    return world.stream(events, world.wire.chat_events())


async def _turn(world: World, request: RecordedRequest, body: dict[str, Any]) -> StudioTurn:
    bot_id, user_id = body["bot_id"], body["user_id"]
    script = script_of(world, bot_id, str(body.get("connector_id") or API))
    messages: list[dict[str, Any]] = body.get("additional_messages") or []
    _check(messages)
    has_answer = bool(messages) and is_question(messages[-1])
    if not has_answer:
        # What cannot be read is no question, and is kept as it is.
        messages = [{**message, "content_type": "text"} for message in messages]
    conversation_id = request.query.get("conversation_id") or body.get("ConversationID")
    known = world.state.conversations.get(conversation_id or "")
    if known is None or known.owner != world.caller(request):
        conversation_id = None
    with room_for_chat(world, conversation_id) as conversation:
        conversation.owner = world.caller(request)
        spent = check_quota(world)
        chat = new_chat(world, conversation, {**body, "additional_messages": messages}, bot_id=bot_id, user_id=user_id)
        given = ChatInput(bot_id, user_id, conversation.id, chat.question, world.history(conversation), body)
        played = Script(failure=spent) if spent else await play_bot(script, given)
        return StudioTurn(
            world, conversation, chat, played, has_answer=has_answer, extra=body.get("extra_params") or {}
        )


def script_of(world: World, bot_id: str, connector_id: str = API) -> BotScript:
    """What a bot says, if it is published to this channel."""
    script, bot = world.bots.get(bot_id, default_bot), world.state.rows["bot"].get(bot_id)
    is_published = connector_id == API if bot is None else connector_id in bot["published"]
    if script is None or not is_published:
        raise Refusal(100000000, traced(100000000, unpublished(bot_id, connector_id), *_FRAMES))
    return script


def unpublished(bot_id: str, connector_id: str = API) -> str:
    """What is said of a bot that nobody knows or that is not published."""
    return f"invalid parameter : agent not published, agentID={bot_id} connectorID={connector_id}"


def _check(messages: list[dict[str, Any]]) -> None:
    for message in messages:
        if message.get("role") not in {"user", "assistant"}:
            raise Refusal(103100001, "additional message role only support user and assistant")
        if (message.get("type") or "question") not in {"question", "answer"}:
            raise Refusal(103100001, "additional message type only support question and answer now")


def is_question(message: Mapping[str, Any]) -> bool:
    """Whether a bot answers to this message: a text of the user, or a list of items."""
    content = message.get("content")
    if message.get("role") != "user" or not isinstance(content, str) or not content:
        return False
    if message.get("content_type") == "object_string":
        try:
            return isinstance(json.loads(content), list)
        except ValueError:
            return False
    return message.get("content_type") == "text"


async def _finished(world: World, chat: ChatState) -> EmulatedResponse:
    """The finished answer in one piece, as the page of Coze Plus shows it."""
    await anyio.sleep(chat.script.seconds)
    chat.settle(math.inf)
    if chat.last_error is not None:
        raise Refusal(chat.last_error.code, chat.last_error.msg)
    keys = ("id", "conversation_id", "bot_id", "role", "content", "content_type", "chat_id", "created_at")
    answers = [message for message in chat.messages if message["type"] == "answer"]
    data = {key: answers[-1][key] for key in keys} if answers else {"id": chat.id, "content": ""}
    return world.wire.json(200, {"code": 0, "msg": "success", "data": {**data, "usage": world.wire.usage(chat.usage)}})


def _named(world: World, conversation_id: str, chat_id: str) -> ChatState | None:
    chat = world.state.chats.get(chat_id)
    if chat is None or chat.conversation_id != conversation_id:
        return None
    chat.settle(world.state.now())
    return chat


async def retrieve(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v3/chat/retrieve: what goes wrong is plain text with HTTP 500."""
    wire = cast("StudioWire", world.wire)
    conversation_id = asked_id(request, "conversation_id", "ConversationID")
    chat = _named(world, conversation_id, asked_id(request, "chat_id", "ChatID"))
    if chat is None:
        return wire.text(500, "record not found")
    if world.state.conversations[conversation_id].owner != world.caller(request):
        frame = "/app/application/conversation/openapi_agent_run.go:452 (*OpenapiAgentRunApplication).RetrieveRunRecord"
        return wire.text(500, traced(103000001, "unauthorized access : user not match", frame))
    return wire.succeed(wire.chat(chat))


async def list_messages(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v3/chat/message/list: the question too, in the order of the talk; an unknown chat has none."""
    wire = cast("StudioWire", world.wire)
    conversation_id = asked_id(request, "conversation_id", "ConversationID")
    chat_id = asked_id(request, "chat_id", "ChatID")
    if conversation_id not in world.state.conversations:
        # A panic: no body at all.
        return EmulatedResponse(500, wire.log_headers()[1])
    chat = _named(world, conversation_id, chat_id)
    messages = [wire.message(row) for row in (*chat.asked, *chat.messages)] if chat else []
    told = {"Messages": [{**row, "reasoning_content": ""} for row in messages]} if messages else {}
    return wire.json(200, {**told, "code": 0, "msg": "", **wire.base_resp})


async def cancel(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v3/chat/cancel: a flag that stays until the run has come to its end, which it does all the same."""
    wire = cast("StudioWire", world.wire)
    body = bound(request, {"conversation_id": "id", "chat_id": "id"})
    if isinstance(wire, PlusPageWire) and "chat_id" not in body:
        # The page names the conversation alone.
        conversation = world.state.conversations.get(body.get("conversation_id", ""))
        body["chat_id"] = conversation.chat.id if conversation and conversation.chat else "0"
    for name in ("chat_id", "conversation_id"):
        if name not in body:
            raise required(name)
    chat = _named(world, body["conversation_id"], body["chat_id"])
    if chat is None:
        raise bad_request("record not found")
    if not chat.running:
        frame = "/app/application/conversation/openapi_agent_run.go:375 (*OpenapiAgentRunApplication).CancelRun"
        raise bad_request(traced(103200005, "in progress can not be cancelled", frame))
    chat.become("canceled")
    world.state.touch("chat", chat.id)
    return wire.json(200, {"ChatV3ChatDetail": wire.chat(chat), **wire.base_resp})
