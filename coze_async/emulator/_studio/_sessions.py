"""The web routes of self-hosted servers: a session cookie instead of a token."""

from collections.abc import Iterator
from typing import cast

from coze_async.emulator import _bots
from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._scripts import BotScript, ChatInput, default_bot, play_bot
from coze_async.emulator._state import ChatState, Conversation, Event, Row
from coze_async.emulator._turns import new_chat
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import PERSONAL, RecordedRequest, World

from ._binding import Types, bound
from ._chats import bot_types
from ._conversations import WEB
from ._turns import StudioTurn
from ._wire import StudioWire, bad_request, traced

_ASKED: Types = {"bot_id": "id", "query": "text", "scene": "number"}
_EXTRA = (
    "local_message_id",
    "input_tokens",
    "output_tokens",
    "token",
    "plugin_status",
    "time_cost",
    "workflow_tokens",
    "bot_state",
    "plugin_request",
    "tool_name",
    "plugin",
    "mock_hit_info",
    "log_id",
    "stream_id",
    "message_title",
    "stream_plugin_running",
    "new_section_id",
    "remove_query_id",
    "execute_display_name",
    "task_type",
    "refer_format",
    "call_id",
)
"""The keys of the extra information of a message; all are there, and most are empty."""


def login(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/passport/web/email/login/: no password is right, since any session key is good."""
    del request
    return world.wire.json(200, {"code": 700000003, "msg": "invalid email or password, please try again."})


def list_spaces(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/playground_api/space/list: the personal workspace."""
    space = {
        "id": world.caller(request) or PERSONAL,
        "app_ids": None,
        "name": "Personal Space",
        "description": "This is your personal space",
        "icon_url": "http://storage.emulator/default_icon/team_default_icon.png?X-Amz-Signature=emulated",
        "space_type": 1,
        "connectors": None,
        "hide_operation": False,
        "role_type": 0,
        "display_local_plugin": False,
        "space_role_type": 0,
    }
    data = {
        "bot_space_list": [space],
        "has_personal_space": True,
        "team_space_num": 0,
        "max_team_space_num": 0,
        "recently_used_space_list": [space],
        "total": 1,
        "has_more": False,
    }
    return world.wire.succeed(data)


def create_draft(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/draftbot/create."""
    body = bound(request, {"space_id": "id", "name": "text", "icon_uri": "text"}, "space_id")
    if "icon_uri" not in body:
        raise bad_request("icon uri is nil")
    settings = {**_bots.DEFAULTS, "name": body.get("name", ""), "description": body.get("description", "")}
    bot = _bots.new_bot(world, body["space_id"], settings)
    return world.wire.json(200, {"code": 0, "msg": "", "data": {"bot_id": bot["id"], "check_not_pass": False}})


def update_draft(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/draftbot/update_display_info: which parts of its page are open."""
    body = bound(request, {"bot_id": "id"}, "bot_id")
    bot, bot_id = world.state.rows["bot"].get(body["bot_id"]), body["bot_id"]
    if bot is None and world.bots.get(bot_id, default_bot) is None:
        raise Refusal(100000003, f"unauthorized access : No agent draft({bot_id}) found for the given agent ID")
    if world.caller(request):
        raise Refusal(100000003, "unauthorized access : {msg}")
    if bot is not None:
        world.state.keep("bot", bot | {"display_info": body.get("display_info") or {}})
    return world.wire.json(200, {"code": 0, "msg": "success"})


def publish_draft(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/draftbot/publish."""
    body = bound(request, {"space_id": "id", "bot_id": "id", "connectors": "object"}, "space_id", "bot_id")
    if "connectors" not in body:
        raise bad_request("connectors is nil")
    bot = world.state.rows["bot"].get(body["bot_id"])
    if bot is not None:
        _bots.publish_to(world, bot, list(body["connectors"]))
    done = {"connector": None, "code": 0, "msg": "", "publish_result_status": 1}
    result = {"connector_bind_result": None, "publish_result": dict.fromkeys(body["connectors"], done)}
    return world.wire.json(200, {"code": 0, "msg": "", "data": {**result, "check_not_pass": False}})


async def web_chat(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /api/conversation/chat: the web page's own chat, in the conversation of the user with this bot."""
    wire = cast("StudioWire", world.wire)
    body = bound(request, bot_types(world, request, _ASKED), "query")
    for name in ("bot_id", "scene"):
        if name not in body:
            problem = f"invalid parameter : {name.replace('_', ' ')} is required"
            frame = "/app/application/conversation/agent_run.go:46 (*ConversationApplicationService).Run"
            raise bad_request(traced(103000000, problem, frame))
    if body.get("draft_mode") is not True:
        # What is published cannot be found here, and nothing says so.
        return world.stream([], wire.session_events())
    script = _draft_of(world, body["bot_id"])
    if script is None:
        error = {"code": 103100001, "msg": traced(103100002, "agent not exists")}
        return world.stream([Event("error", error)], wire.session_events())
    conversation = _own(world, request, body["bot_id"], body["scene"])
    content_type = body.get("content_type") or "text"
    message = {"role": "user", "content": body["query"], "content_type": content_type}
    chat = new_chat(
        world, conversation, {"additional_messages": [message]}, bot_id=body["bot_id"], user_id=world.caller(request)
    )
    given = ChatInput(chat.bot_id, chat.user_id, conversation.id, chat.question, world.history(conversation), body)
    turn = StudioTurn(world, conversation, chat, await play_bot(script, given))
    turn.begin()
    chat.events = _page_events(chat, chat.events)
    return world.stream_chat(chat, wire.session_events())


def _draft_of(world: World, bot_id: str) -> BotScript | None:
    script = world.bots.get(bot_id, default_bot)
    return default_bot if script is None and bot_id in world.state.rows["bot"] else script


def _own(world: World, request: RecordedRequest, bot_id: str, scene: int) -> Conversation:
    """The conversation of a user with a bot in a scene; the one that is named is not looked at."""
    wanted = (bot_id, world.caller(request), f"{WEB}/{scene}")
    for known in world.state.conversations.values():
        if (known.bot_id, known.owner, known.connector_id) == wanted:
            return known
    made = world.state.new_conversation()
    made.bot_id, made.owner, made.connector_id = wanted
    world.state.touch("conversation", made.id)
    return made


def _page_events(chat: ChatState, events: Iterator[Event]) -> Iterator[Event]:
    """The events of a turn as the page reads them: messages only, an answer in pieces and then without its text."""
    asked = chat.asked[-1]
    ack = {**asked, "type": "ack", "content_time": 0}
    for event in events:
        match event.name:
            case "conversation.chat.created":
                yield Event("message", _told(chat, ack, is_finish=True))
            case "conversation.message.delta":
                yield Event("message", _told(chat, event.data, is_finish=False), wait=True)
            case "conversation.message.completed":
                row = {**event.data, "content": ""} if event.data["type"] == "answer" else event.data
                yield Event("message", _told(chat, row, is_finish=True))
            case "error":
                failed = {
                    "id": chat.id,
                    "role": "assistant",
                    "type": "answer",
                    "content": f"Something error:{event.data['msg']}",
                    "content_type": "text",
                    "content_time": 0,
                }
                yield Event("message", _told(chat, failed, is_finish=True))
            case "done":
                yield Event("done", None)
            case _:
                pass


def _told(chat: ChatState, row: Row, *, is_finish: bool) -> Row:
    """A message as the page reads it; what the bot did not say has no sender."""
    meta: dict[str, str] = row.get("meta_data") or {}
    if not is_finish or row["type"] == "answer":
        meta = {name: text for name, text in meta.items() if name != "bot_state"}
    message = {
        "role": row["role"],
        "type": row["type"],
        "content": row["content"],
        "content_type": row["content_type"],
        "message_id": row["id"],
        "reply_id": chat.asked[-1]["id"],
        "section_id": chat.section_id,
        "extra_info": {name: meta.get(name, "") for name in _EXTRA},
        "status": "",
    }
    if "content_time" in row:
        message |= {"content_time": row["content_time"], "message_index": "0", "source": 0}
    else:
        message |= {
            "sender_id": chat.bot_id,
            "content_time": row["created_at"] * 1000,
            "message_index": "0",
            "source": 0,
            "reasoning_content": row.get("reasoning_content", ""),
        }
    return {
        "message": message,
        "is_finish": is_finish,
        "index": 0,
        "conversation_id": chat.conversation_id,
        "seq_id": 0,
    }
