"""The routes of conversations: what is in them, sections, and thumbs up or down."""

from collections.abc import Mapping
from typing import Any

from ._body import EmulatedResponse
from ._checks import check_content
from ._fields import Fields, by_number
from ._state import Conversation, Row
from ._turns import new_message
from ._wire import Refusal
from ._world import OWNER, RecordedRequest, World

# What the list of a conversation leaves out unless it is asked for (coze.cn page list_message).
_SHOWN = {"question", "answer"}


def create(world: World, request: RecordedRequest) -> Row:
    """POST /v1/conversation/create: may begin with messages; `get_or_create` finds a chatflow's by its name."""
    given = request.given()
    name = given.maybe_text("name", most=100) or given.maybe_text("conversation_name", most=100) or ""
    meta_data = given.meta_data()
    checked = [_message(message) for message in given.maybe_objects("messages", most=16)]
    bot_id, connector_id = given.maybe_text("bot_id") or "", given.maybe_text("connector_id") or "1024"
    if given.flag("get_or_create") and name:
        for known in world.state.conversations.values():
            if (known.name, known.bot_id, known.connector_id) == (name, bot_id, connector_id):
                return told(known)
    user_id = given.maybe_text("user_id") or ""
    made = world.state.new_conversation()
    made.name, made.meta_data, made.bot_id = name, meta_data, bot_id
    made.connector_id, made.user_id = connector_id, user_id
    for message in checked:
        _put(world, made, message)
    return told(_changed(world, made))


def retrieve(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/conversation/retrieve."""
    found = told(world.conversation(request.asked().text("conversation_id")))
    return world.wire.json(200, {"code": 0, "msg": "", "data": found})


def update(world: World, request: RecordedRequest, conversation_id: str) -> Row:
    """PUT /v1/conversations/{conversation_id}."""
    name = request.given().maybe_text("name", most=100)
    found = world.conversation(conversation_id)
    if name is not None:
        found.name = name
    return told(_changed(world, found))


def delete(world: World, request: RecordedRequest, conversation_id: str) -> None:
    """DELETE /v1/conversations/{conversation_id}."""
    del request
    world.state.forget(world.conversation(conversation_id))


def listing(world: World, request: RecordedRequest) -> Row:
    """GET /v1/conversations: those of one bot, newest first."""
    given = request.asked()
    bot_id, connector_id, user_id = given.text("bot_id"), given.maybe_text("connector_id"), given.maybe_text("user_id")
    found = [
        conversation
        for conversation in world.state.conversations.values()
        if conversation.bot_id == bot_id
        and connector_id in (None, "", conversation.connector_id)
        and user_id in (None, "", conversation.user_id)
    ]
    by_update = given.maybe_one_of("sort_field", ("created_at", "updated_at"), "created_at") == "updated_at"
    found.sort(key=lambda one: one.updated_at if by_update else one.created_at)
    if given.maybe_one_of("sort_order", ("ASC", "DESC", "asc", "desc"), "DESC").upper() == "DESC":
        found.reverse()
    page = by_number(found, given, most=50, default=50, items="conversations", total=None, has_more="has_more")
    return {**page, "conversations": [told(conversation) for conversation in page["conversations"]]}


def clear(world: World, request: RecordedRequest, conversation_id: str) -> Row:
    """POST /v1/conversations/{conversation_id}/clear: what was said is kept, and no longer remembered."""
    del request
    found = world.conversation(conversation_id)
    found.section_id = world.state.new_id()
    _changed(world, found)
    return {"id": found.section_id, "conversation_id": found.id}


def told(conversation: Conversation) -> Row:
    """A conversation as it stands on the wire."""
    return {
        "id": conversation.id,
        "name": conversation.name,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        "meta_data": conversation.meta_data,
        "creator_id": OWNER["user_id"],
        "connector_id": conversation.connector_id,
        "last_section_id": conversation.section_id,
    }


# Messages


def create_message(world: World, request: RecordedRequest) -> Row:
    """POST /v1/conversation/message/create."""
    found = world.conversation(request.asked().text("conversation_id"))
    return _put(world, found, _message(request.given()))


def retrieve_message(world: World, request: RecordedRequest) -> Row:
    """GET /v1/conversation/message/retrieve."""
    return _named(world, request)[1]


def modify_message(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/conversation/message/modify; the answer stands under `message`."""
    given = request.given()
    conversation, message = _named(world, request)
    content, content_type = given.maybe_text("content"), given.maybe_text("content_type")
    meta_data = given.meta_data() if "meta_data" in given else message["meta_data"]
    if content is None and content_type is not None:
        raise Refusal(4000, "Request parameter error: content_type is given without content.")
    if content is not None:
        kind = given.maybe_one_of("content_type", ("text", "object_string"), message["content_type"])
        check_content(content, kind)
        message |= {"content": content, "content_type": kind}
    message |= {"meta_data": meta_data, "updated_at": world.state.unix_time()}
    world.state.put(conversation, message)
    _changed(world, conversation)
    return world.wire.json(200, {"code": 0, "msg": "", "message": message})


def delete_message(world: World, request: RecordedRequest) -> Row:
    """POST /v1/conversation/message/delete: the message that is gone."""
    conversation, message = _named(world, request)
    world.state.take(conversation, message["id"])
    _changed(world, conversation)
    return message


def list_messages(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/conversation/message/list: a page before or after a message, newest first."""
    given = request.given()
    found = world.conversation(request.asked().text("conversation_id"))
    chat_id, bot_id = given.maybe_text("chat_id"), given.maybe_text("bot_id")
    everything = given.flag("include_middle_message")
    if found.chat is not None:
        found.chat.settle(world.state.now())
    listed = [
        message
        for message in found.messages.values()
        if (everything or message["type"] in _SHOWN)
        and chat_id in (None, "", message.get("chat_id"))
        and bot_id in (None, "", message.get("bot_id", bot_id))
    ]
    if given.maybe_one_of("order", ("desc", "asc", "DESC", "ASC"), "desc").lower() == "desc":
        listed.reverse()
    limit = given.number("limit", 50, most=50)
    places = {message["id"]: place for place, message in enumerate(listed)}
    after, before = _place(places, given, "after_id"), _place(places, given, "before_id")
    start, end = 0 if after is None else after + 1, len(listed) if before is None else before
    if before is not None and after is None:
        # The page just before a message, not the first one of all.
        page, has_more = listed[max(start, end - limit) : end], end - limit > start
    else:
        page, has_more = listed[start : min(start + limit, end)], start + limit < end
    ends = (page[0]["id"], page[-1]["id"]) if page else ("", "")
    pages = {"first_id": ends[0], "last_id": ends[1], "has_more": has_more}
    return world.wire.json(200, {"code": 0, "msg": "", "data": page, **pages})


def create_feedback(world: World, request: RecordedRequest, conversation_id: str, message_id: str) -> None:
    """POST /v1/conversations/{conversation_id}/messages/{message_id}/feedback; one for each message."""
    given = request.given()
    kind = given.one_of("feedback_type", ("like", "unlike"))
    reasons, comment = given.maybe_texts("reason_types"), given.maybe_text("comment")
    message = _find(world.conversation(conversation_id), message_id)
    row = {"id": message["id"], "conversation_id": conversation_id, "feedback_type": kind}
    world.state.keep("feedback", {**row, "reason_types": reasons, "comment": comment})


def delete_feedback(world: World, request: RecordedRequest, conversation_id: str, message_id: str) -> None:
    """DELETE /v1/conversations/{conversation_id}/messages/{message_id}/feedback."""
    del request
    message = _find(world.conversation(conversation_id), message_id)
    if message["id"] not in world.state.rows["feedback"]:
        raise Refusal(4200, f"The message {message_id} has no feedback.")
    world.state.drop("feedback", message["id"])


def _message(given: Fields) -> Mapping[str, Any]:
    """A message that somebody wants to put into a conversation, looked at."""
    role, content = given.one_of("role", ("user", "assistant")), given.text("content")
    kind = given.one_of("content_type", ("text", "object_string"))
    check_content(content, kind)
    return {"role": role, "content": content, "content_type": kind, "meta_data": given.meta_data()}


def _changed(world: World, conversation: Conversation) -> Conversation:
    conversation.updated_at = world.state.unix_time()
    world.state.touch("conversation", conversation.id)
    return conversation


def _put(world: World, conversation: Conversation, given: Mapping[str, Any]) -> Row:
    ids = {"conversation_id": conversation.id, "section_id": conversation.section_id}
    message = new_message(world, given, world.state.unix_time(), **ids)
    world.state.put(conversation, message)
    _changed(world, conversation)
    return message


def _named(world: World, request: RecordedRequest) -> tuple[Conversation, Row]:
    asked = request.asked()
    conversation = world.conversation(asked.text("conversation_id"))
    return conversation, _find(conversation, asked.text("message_id"))


def _find(conversation: Conversation, message_id: str) -> Row:
    message = conversation.messages.get(message_id)
    if message is None:
        raise Refusal(4005, f"Message {message_id} does not exist in conversation {conversation.id}.")
    return message


def _place(places: Mapping[str, int], given: Fields, name: str) -> int | None:
    """Where a message stands in the list; None if the field is missing or 0, as the page says."""
    message_id = given.maybe_text(name)
    if message_id in (None, "", "0"):
        return None
    if message_id not in places:
        raise Refusal(4005, f"{name} names no message of this list: {message_id}.")
    return places[message_id]
