"""Bots, workspaces, users and conversations, and the web routes of a self-hosted server."""

from http.cookies import SimpleCookie
from typing import Any

from ._body import EmulatedResponse
from ._scripts import ChatInput, default_bot, play_bot
from ._turns import Turn, new_chat
from ._wire import Refusal
from ._world import RecordedRequest, World


async def online_bot(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/bot/get_online_info."""
    if not request.query.get("bot_id"):
        raise Refusal(4000, "Request parameter error: bot_id is required.")
    return await bot(world, request, request.query["bot_id"])


async def bot(world: World, request: RecordedRequest, bot_id: str) -> EmulatedResponse:
    """GET /v1/bots/{bot_id}."""
    del request
    if world.bots.get(bot_id, default_bot) is None:
        raise Refusal(4200, f"The bot {bot_id} does not exist.")
    created = world.state.unix_time() - 86400
    told: dict[str, Any] = {
        "bot_id": bot_id,
        "name": "Emulated bot",
        "description": "Answers every question of a test, kindly.",
        "icon_url": "https://example.com/bot.png",
        "create_time": created,
        "update_time": created,
        "version": "1760000000000",
        "bot_mode": 0,
        "prompt_info": {"prompt": "You are a friendly helper."},
        "onboarding_info": {
            "prologue": "Hello! What would you like to know?",
            "suggested_questions": ["What can you do?"],
        },
        "plugin_info_list": [],
        "model_info": {"model_id": "1706077826", "model_name": "Doubao", "temperature": 0.8, "context_round": 3},
        "owner_user_id": _USER["user_id"],
    }
    return world.wire.succeed(told)


async def workspaces(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/workspaces: one personal workspace."""
    one = {
        "id": "7400000000000000001",
        "name": "Personal",
        "icon_url": "https://example.com/workspace.png",
        "role_type": "owner",
        "workspace_type": "personal",
        "enterprise_id": "",
    }
    return world.wire.succeed(
        {"total_count": 1, "workspaces": [one] if request.query.get("page_num", "1") == "1" else []}
    )


async def me(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/users/me."""
    del request
    return world.wire.succeed(_USER)


_USER = {
    "user_id": "7400000000000000002",
    "user_name": "emulated",
    "nick_name": "Emulated user",
    "avatar_url": "https://example.com/user.png",
}


async def create_conversation(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/conversation/create: an empty conversation to chat in."""
    meta_data: Any = request.fields().get("meta_data") if request.body is not None else None
    conversation = world.state.new_conversation()
    return world.wire.succeed(
        {
            "id": conversation.id,
            "created_at": world.state.unix_time(),
            "meta_data": meta_data or {},
            "last_section_id": conversation.section_id,
        }
    )


# The web routes of Coze Studio and Coze Plus: a session cookie instead of a token (Coze Studio source 4f786d6).


def check_session(request: RecordedRequest) -> None:
    """Refuse a request without the cookie of a session."""
    session = SimpleCookie(request.headers.get("cookie", "")).get("session_key")
    if session is None or not session.value:
        raise Refusal(700012006, "missing session_key in cookie", status=401)


async def create_draft(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/draftbot/create."""
    request.text("space_id")
    return world.wire.succeed({"bot_id": world.state.new_id(), "check_not_pass": False, "check_not_pass_msg": ""})


async def update_draft(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/draftbot/update_display_info."""
    request.text("bot_id")
    return world.wire.json(200, {"code": 0, "msg": ""})


async def publish_draft(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/draftbot/publish."""
    request.text("space_id")
    bot_id = request.text("bot_id")
    result = {"1024": {"publish_result_status": 1, "msg": "", "connector": {"bot_id": bot_id}}}
    return world.wire.succeed({"publish_result": result, "check_not_pass": False, "hit_manual_check": False})


async def web_chat(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/conversation/chat: the debugging chat of the web page, streamed."""
    query, bot_id = request.text("query"), str(request.fields().get("bot_id") or "")
    conversation = world.conversation(request.text("conversation_id"))
    body = {"additional_messages": [{"role": "user", "content": query, "content_type": "text"}]}
    chat = new_chat(world, conversation, body, bot_id=bot_id, user_id=_USER["user_id"])
    script = world.bots.get(bot_id) or default_bot
    given = ChatInput(bot_id, chat.user_id, conversation.id, query, tuple(conversation.questions), request.fields())
    Turn(world, conversation, chat, await play_bot(script, given)).begin()
    return world.stream_chat(chat, world.wire.chat_events())
