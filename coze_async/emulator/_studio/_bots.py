"""The routes of bots on self-hosted servers: what of them is published."""

from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._bots import API, DEFAULTS
from coze_async.emulator._scripts import default_bot
from coze_async.emulator._state import Row
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import RecordedRequest, World

from ._binding import asked_id
from ._chats import unpublished

_VERSION = "7513977896221540352"
_MODEL = {
    "model_id": "100001",
    "temperature": 0.8,
    "max_tokens": 1024,
    "top_p": 0.7,
    "short_memory_policy": {"history_round": 10},
}


def retrieve(world: World, request: RecordedRequest, bot_id: str) -> EmulatedResponse:
    """GET /v1/bots/{bot_id}: as it is published, whatever is asked for."""
    told = _published(world, bot_id, request.asked().maybe_text("connector_id") or API)
    if world.caller(request):
        raise Refusal(110000001, "unauthorized access : agent not own")
    return world.wire.json(200, {"data": told, "code": 0, "msg": ""})


def retrieve_online(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/bot/get_online_info: the bot at the top, and an error of the server if no channel is named."""
    bot_id, connector_id = asked_id(request, "bot_id"), request.query.get("connector_id")
    if not connector_id:
        raise Refusal(500, "internal server error", status=500)
    return world.wire.json(200, _published(world, bot_id, connector_id))


def _published(world: World, bot_id: str, connector_id: str) -> Row:
    bot = world.state.rows["bot"].get(bot_id)
    script = world.bots.get(bot_id, default_bot)
    wanted = API if bot is None else bot["published"].get(connector_id)
    if script is None or wanted is None or (bot is None and connector_id != API):
        raise Refusal(100000000, unpublished(bot_id, connector_id))
    found = {known["version"]: known["settings"] for known in bot["versions"]}[wanted] if bot else DEFAULTS
    return {
        "bot_id": bot_id,
        "name": found["name"],
        "description": found["description"],
        "icon_url": found["icon_url"],
        "create_time": 0,
        "update_time": 0,
        "version": wanted if bot else _VERSION,
        "prompt_info": found["prompt_info"],
        "onboarding_info": found["onboarding_info"],
        "bot_mode": 0,
        "model_info": _MODEL,
        "plugin_info_list": [],
        "workflow_info_list": [],
        "shortcut_commands": None,
        "default_user_input_type": "",
        "suggest_reply_info": None,
        "background_image_info": None,
        "variables": None,
    }


def retrieve_app(world: World, request: RecordedRequest, app_id: str) -> EmulatedResponse:
    """GET /v1/apps/{app_id}: there are none, and that is told by null."""
    del request, app_id
    return world.wire.json(200, None)  # type: ignore[arg-type]
