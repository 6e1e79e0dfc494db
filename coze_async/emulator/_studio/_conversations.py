"""The routes of conversations on self-hosted servers."""

from typing import Any, cast

from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._fields import Fields
from coze_async.emulator._state import Conversation, Row
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import RecordedRequest, World

from ._binding import asked_id, bound
from ._wire import StudioWire

_SHOWN = {"question", "answer"}
_OF_A_CHAT = ("id", "bot_id", "role", "content", "conversation_id", "meta_data", "created_at", "updated_at", "chat_id")
_KEYS = (*_OF_A_CHAT, "content_type", "type", "section_id")
WEB = "10000010"
"""The channel of the web page's own chats, which no list shows."""


def create(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/conversation/create: messages and name are not looked at."""
    given = Fields(bound(request, {"bot_id": "id", "connector_id": "id"}))
    made = world.state.new_conversation()
    made.bot_id, made.connector_id = given.maybe_text("bot_id") or "", given.maybe_text("connector_id") or "1024"
    made.meta_data, made.owner = given.object("meta_data"), world.caller(request)
    world.state.touch("conversation", made.id)
    told = {name: value for name, value in _told(world, made).items() if name != "name"}
    return world.wire.json(200, {"code": 0, "msg": "", "data": told})


def retrieve(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/conversation/retrieve: under a key of its own."""
    found = find(world, request, asked_id(request, "conversation_id"))
    return world.wire.json(200, {"code": 0, "msg": "", "ConversationData": _told(world, found)})


def find(world: World, request: RecordedRequest, conversation_id: str) -> Conversation:
    """A conversation of the caller."""
    found = world.state.conversations.get(conversation_id)
    if found is None or found.owner != world.caller(request):
        raise Refusal(103000002, "conversation not found")
    return found


def _told(world: World, found: Conversation) -> Row:
    wire = cast("StudioWire", world.wire)
    told = {**_in_short(found), "name": found.name}
    return {**told, "user_id": found.user_id} if wire.has_user_id else told


def _in_short(found: Conversation) -> Row:
    return {
        "id": found.id,
        "created_at": found.created_at,
        "meta_data": found.meta_data or None,
        "connector_id": found.connector_id,
        "last_section_id": found.section_id,
    }


def listing(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/conversations: those of one bot, newest first, counted from 1; page 0 is the first one too."""
    bot_id, asked = asked_id(request, "bot_id"), request.asked()
    user_id, connector_id = asked.maybe_text("user_id"), asked.maybe_text("connector_id") or "1024"
    found = [
        one
        for one in world.state.conversations.values()
        if (one.bot_id, one.owner, one.connector_id) == (bot_id, world.caller(request), connector_id)
        and user_id in (None, "", one.user_id)
    ]
    if (asked.maybe_text("sort_order") or "DESC").upper() == "DESC":
        found.reverse()
    number, size = max(1, asked.number("page_num", 1, least=0)), asked.number("page_size", 20)
    page = [_told(world, one) for one in found[(number - 1) * size : number * size]]
    data = {"conversations": page or None, "has_more": number * size < len(found)}
    return world.wire.json(200, {"code": 0, "msg": "", "data": data, **world.wire.base_resp})


def update(world: World, request: RecordedRequest, conversation_id: str) -> EmulatedResponse:
    """PUT /v1/conversations/{conversation_id}: the name."""
    found = find(world, request, conversation_id)
    found.name = str(bound(request, {"name": "text"}).get("name", ""))
    found.updated_at = world.state.unix_time()
    world.state.touch("conversation", found.id)
    return world.wire.succeed({**_in_short(found), "meta_data": None, "name": found.name})


def delete(world: World, request: RecordedRequest, conversation_id: str) -> EmulatedResponse:
    """DELETE /v1/conversations/{conversation_id}: once more does no harm."""
    found = world.state.conversations.get(conversation_id)
    if found is not None and found.owner == world.caller(request):
        world.state.forget(found)
    return world.wire.json(200, {"code": 0, "msg": "", **world.wire.base_resp})


def clear(world: World, request: RecordedRequest, conversation_id: str) -> EmulatedResponse:
    """POST /v1/conversations/{conversation_id}/clear: a new section, which the bot remembers alone."""
    found = find(world, request, conversation_id)
    found.section_id = world.state.new_id()
    found.updated_at = world.state.unix_time()
    world.state.touch("conversation", found.id)
    data = {"id": found.section_id, "conversation_id": found.id}
    return world.wire.json(200, {"code": 0, "msg": "", "data": data, **world.wire.base_resp})


def list_messages(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/conversation/message/list: newest first, whatever the order; before a message are the newer ones.

    Those before a message come oldest first, and `after_id` is not looked at beside `before_id`.
    """
    given = Fields(bound(request, {"chat_id": "id", "before_id": "id", "after_id": "id"}))
    conversation_id = asked_id(request, "conversation_id")
    found = world.state.conversations.get(conversation_id)
    if found is not None and found.owner != world.caller(request):
        raise Refusal(103000001, "unauthorized access : permission denied")
    if found is None:
        raise Refusal(103000002, "conversation not found")
    if found.chat is not None:
        found.chat.settle(world.state.now())
    chat_id = given.maybe_text("chat_id")
    listed = [
        message
        for message in reversed(found.messages.values())
        if message["type"] in _SHOWN and chat_id in (None, "", message.get("chat_id"))
    ]
    before, after = given.maybe_text("before_id"), given.maybe_text("after_id")
    places = {message["id"]: place for place, message in enumerate(listed)}
    if before in places:
        listed = listed[: places[before]][::-1]
    elif after in places:
        listed = listed[places[after] + 1 :]
    limit = given.number("limit", 50, least=0)
    page = [_message(message) for message in listed[:limit]]
    ends = (page[0]["id"], page[-1]["id"]) if page else ("0", "0")
    told: dict[str, Any] = {"data": page} if page else {}
    told |= {"has_more": limit < len(listed), "first_id": ends[0], "last_id": ends[1], "code": 0, "msg": ""}
    return world.wire.json(200, told)


def _message(row: Row) -> Row:
    return {**{key: row.get(key, "") for key in _KEYS}, "reasoning_content": ""}
