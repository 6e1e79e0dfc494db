"""The web routes of Coze Studio and Coze Plus: a session cookie instead of a token (Coze Studio source 4f786d6)."""

from http.cookies import SimpleCookie

from . import _bots
from ._body import EmulatedResponse
from ._scripts import ChatInput, default_bot, play_bot
from ._state import Row
from ._turns import Turn, new_chat
from ._wire import Refusal
from ._world import OWNER, RecordedRequest, World


def check_session(request: RecordedRequest) -> None:
    """Refuse a request without the cookie of a session."""
    session = SimpleCookie(request.headers.get("cookie", "")).get("session_key")
    if session is None or not session.value:
        raise Refusal(700012006, "missing session_key in cookie", status=401)


def create_draft(world: World, request: RecordedRequest) -> Row:
    """POST /api/draftbot/create."""
    given = request.given()
    space_id, name = given.text("space_id"), given.maybe_text("name") or "Emulated bot"
    settings = {**_bots.DEFAULTS, "name": name, "description": given.maybe_text("description") or ""}
    bot = _bots.new_bot(world, space_id, settings)
    return {"bot_id": bot["id"], "check_not_pass": False, "check_not_pass_msg": ""}


async def update_draft(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/draftbot/update_display_info: which parts of its page are open."""
    given = request.given()
    bot = world.find("bot", given.text("bot_id"))
    world.state.keep("bot", bot | {"display_info": given.object("display_info")})
    return world.wire.json(200, {"code": 0, "msg": ""})


def publish_draft(world: World, request: RecordedRequest) -> Row:
    """POST /api/draftbot/publish: without channels it is the API."""
    given = request.given()
    given.text("space_id")
    bot = world.find("bot", given.text("bot_id"))
    connectors = list(given.object("connectors")) or [_bots.API]
    _bots.publish_to(world, bot, connectors)
    done = {"publish_result_status": 1, "code": 0, "msg": "", "connector": {"bot_id": bot["id"]}}
    result = dict.fromkeys(connectors, done)
    return {"publish_result": result, "check_not_pass": False, "hit_manual_check": False}


async def web_chat(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/conversation/chat: the debugging chat of the web page, streamed; it talks to drafts too."""
    query, bot_id = request.text("query"), request.given().maybe_text("bot_id") or ""
    conversation = world.conversation(request.text("conversation_id"))
    body = {"additional_messages": [{"role": "user", "content": query, "content_type": "text"}]}
    chat = new_chat(world, conversation, body, bot_id=bot_id, user_id=OWNER["user_id"])
    script = world.bots.get(bot_id) or default_bot
    given = ChatInput(bot_id, chat.user_id, conversation.id, query, world.history(conversation), request.fields())
    Turn(world, conversation, chat, await play_bot(script, given)).begin()
    return world.stream_chat(chat, world.wire.chat_events())
