"""The routes of bots: drafts, what of them is published where, versions, and who works on them."""

from collections.abc import Mapping
from typing import Any

from ._fields import Fields, by_number
from ._scripts import BotScript, default_bot
from ._state import Row
from ._wire import Refusal
from ._world import DEMO_BOT, OWNER, PERSONAL, RecordedRequest, World

API = "1024"
"""The channel of the API: where a bot has to be published before it can be talked to."""

_PUBLISH_STATUSES = ("all", "published_online", "published_draft", "unpublished_draft")
_AS_GIVEN = ("prompt_info", "onboarding_info", "suggest_reply_info")
_OBJECTS = (*_AS_GIVEN, "model_info_config", "plugin_id_list", "workflow_id_list", "knowledge")
DEFAULTS: Row = {
    "name": "Emulated bot",
    "description": "Answers every question of a test, kindly.",
    "icon_url": "https://example.com/bot.png",
    "prompt_info": {"prompt": "You are a friendly helper."},
    "onboarding_info": {
        "prologue": "Hello! What would you like to know?",
        "suggested_questions": ["What can you do?"],
    },
    "suggest_reply_info": {"reply_mode": "enable", "customized_prompt": ""},
    "knowledge": {"knowledge_infos": []},
    "model_info": {"model_id": "1706077826", "model_name": "Doubao", "temperature": 0.8, "context_round": 3},
    "plugin_info_list": [],
    "workflow_info_list": [],
    "voice_info_list": [],
}
"""The settings of a bot that nobody has set."""


def has_bot(world: World, bot_id: str) -> bool:
    """Whether somebody made a bot, through the API or with a script, or it is the demo."""
    return bot_id in world.state.rows["bot"] or bot_id in world.bots or (bot_id == DEMO_BOT and world.has_demo_bot)


def _settings_of(bot_id: str) -> Row:
    """The settings of a bot that nobody made through the API."""
    return {**DEFAULTS, "name": "Demo bot"} if bot_id == DEMO_BOT else DEFAULTS


def script_of(world: World, bot_id: str, body: Fields) -> BotScript:
    """What a bot says, if it may be talked to.

    A bot that was made through the API has to be published to the channel; one that nobody made answers by itself.
    """
    script = world.bots.get(bot_id, default_bot)
    bot = world.state.rows["bot"].get(bot_id)
    if script is None:
        raise _unpublished(bot_id)
    if bot is None or body.maybe_text("publish_status") == "unpublished_draft":
        return script
    if (body.maybe_text("connector_id") or API) not in bot["published"]:
        raise _unpublished(bot_id)
    version = body.maybe_text("bot_version")
    if version and version not in [known["version"] for known in bot["versions"]]:
        raise Refusal(4000, f"The bot {bot_id} has no version {version}.")
    return script


def _unpublished(bot_id: str) -> Refusal:
    return Refusal(4015, f"The bot {bot_id} has not been published to the channel Agent As API.")


def create(world: World, request: RecordedRequest) -> Row:
    """POST /v1/bot/create: a draft."""
    given = request.given()
    space_id, name = given.text("space_id"), given.text("name")
    settings = {**DEFAULTS, "description": "", "name": name, **_settings(world, given)}
    return {"bot_id": new_bot(world, space_id, settings)["id"]}


def new_bot(world: World, space_id: str, settings: Mapping[str, Any]) -> Row:
    """A new draft in a workspace."""
    now = world.state.unix_time()
    bot: Row = {
        "id": world.state.new_id(),
        "space_id": space_id,
        "draft": dict(settings),
        "changed": True,
        "published": {},
        "versions": [],
        "collaborators": [],
        "collaboration_mode": "single",
        "audits": {},
        "created_at": now,
        "updated_at": now,
    }
    return world.state.keep("bot", bot)


def update(world: World, request: RecordedRequest) -> None:
    """POST /v1/bot/update: changes the draft; what is not given stays."""
    given = request.given()
    bot = world.find("bot", given.text("bot_id"))
    bot["draft"] = {**bot["draft"], **_settings(world, given)}
    bot |= {"changed": True, "updated_at": world.state.unix_time()}
    world.state.keep("bot", bot)


def publish(world: World, request: RecordedRequest) -> Row:
    """POST /v1/bot/publish: a new version of the draft, on some channels."""
    given = request.given()
    bot = world.find("bot", given.text("bot_id"))
    given.object("connectors")
    return publish_to(world, bot, given.texts("connector_ids"))


def publish_to(world: World, bot: Row, connector_ids: list[str]) -> Row:
    """Publish the draft to channels."""
    now = world.state.unix_time()
    last = int(bot["versions"][-1]["version"]) if bot["versions"] else 0
    version = {
        "version": str(max(now * 1000, last + 1)),
        "settings": bot["draft"],
        "connectors": connector_ids,
        "created_at": now,
    }
    bot["versions"].append(version)
    bot["published"].update(dict.fromkeys(connector_ids, version["version"]))
    bot |= {"changed": False, "updated_at": now}
    world.state.keep("bot", bot)
    return {"bot_id": bot["id"], "version": version["version"]}


def unpublish(world: World, request: RecordedRequest, bot_id: str) -> None:
    """POST /v1/bots/{bot_id}/unpublish."""
    given = request.given()
    bot, connector_id = world.find("bot", bot_id), given.text("connector_id")
    given.maybe_text("unpublish_reason")
    if connector_id not in bot["published"]:
        raise Refusal(4000, f"The bot {bot_id} is not published to the channel {connector_id}.")
    del bot["published"][connector_id]
    world.state.keep("bot", bot)


def retrieve(world: World, request: RecordedRequest, bot_id: str) -> Row:
    """GET /v1/bots/{bot_id}: as it is published, or the draft."""
    asked = request.asked()
    is_draft = asked.flag("is_published") is False
    return _read(world, bot_id, asked.maybe_text("connector_id"), is_draft=is_draft)


def retrieve_online(world: World, request: RecordedRequest) -> Row:
    """GET /v1/bot/get_online_info: as it is published, or as it was in a version."""
    asked = request.asked()
    return _read(world, asked.text("bot_id"), asked.maybe_text("connector_id"), version=asked.maybe_text("version"))


def _read(
    world: World, bot_id: str, connector_id: str | None, *, is_draft: bool = False, version: str | None = None
) -> Row:
    bot = world.state.rows["bot"].get(bot_id)
    if bot is None:
        if world.bots.get(bot_id, default_bot) is None:
            raise Refusal(4200, f"The bot {bot_id} does not exist.")
        created = world.state.unix_time() - 86400
        return _told(bot_id, _settings_of(bot_id), created, created, "1760000000000")
    if is_draft:
        return _told(bot_id, bot["draft"], bot["created_at"], bot["updated_at"], "")
    wanted = version or bot["published"].get(connector_id or API)
    for known in bot["versions"]:
        if known["version"] == wanted:
            return _told(bot_id, known["settings"], bot["created_at"], known["created_at"], known["version"])
    raise Refusal(4200, f"The bot {bot_id} is not published{f' in the version {version}' if version else ''}.")


def _told(bot_id: str, settings: Row, created_at: int, updated_at: int, version: str) -> Row:
    return {
        "bot_id": bot_id,
        **settings,
        "create_time": created_at,
        "update_time": updated_at,
        "version": version,
        "bot_mode": 0,
        "owner_user_id": OWNER["user_id"],
        "variables": [],
        "default_user_input_type": "text",
    }


def listing(world: World, request: RecordedRequest) -> Row:
    """GET /v1/bots: those of a workspace, the latest change first."""
    asked = request.asked()
    workspace_id, connector_id = asked.text("workspace_id"), asked.maybe_text("connector_id") or API
    status = asked.maybe_one_of("publish_status", _PUBLISH_STATUSES, "published_online")
    found = [bot for bot in _of_workspace(world, workspace_id) if _has(bot, status, connector_id)]
    page = by_number(found, asked, most=100)
    return {
        **page,
        "items": [_in_short(bot, connector_id, online=status == "published_online") for bot in page["items"]],
    }


def _has(bot: Row, status: str, connector_id: str) -> bool:
    """Whether a bot is in a state of publication."""
    match status:
        case "published_online":
            return connector_id in bot["published"]
        case "published_draft":
            return bool(bot["versions"]) and bool(bot["changed"])
        case "unpublished_draft":
            return not bot["versions"]
        case _:
            return True


def listing_v1(world: World, request: RecordedRequest) -> Row:
    """GET /v1/space/published_bots_list."""
    asked = request.asked()
    space_id, connector_id = asked.text("space_id"), asked.maybe_text("connector_id") or API
    found = [bot for bot in _of_workspace(world, space_id) if connector_id in bot["published"]]
    page = by_number(found, asked, most=100, items="space_bots", page="page_index")
    short = [_in_short(bot, connector_id, online=True) for bot in page["space_bots"]]
    return {
        **page,
        "space_bots": [
            {
                "bot_id": bot["id"],
                "bot_name": bot["name"],
                "description": bot["description"],
                "icon_url": bot["icon_url"],
                "publish_time": str(bot["published_at"]),
            }
            for bot in short
        ],
    }


def _of_workspace(world: World, space_id: str) -> list[Row]:
    """The bots of a workspace, latest first; those that only have a script stand in the personal one, published.

    As long as no bot has a script, a demo stands there: programs list the bots, take one and talk to it.
    """
    made = world.state.all("bot", space_id=space_id)
    if space_id == PERSONAL and world.has_demo_bot:
        made.append(_scripted(DEMO_BOT))
    if space_id == PERSONAL:
        made += [
            _scripted(bot_id)
            for bot_id, script in world.bots.items()
            if script is not None and bot_id not in world.state.rows["bot"]
        ]
    return sorted(made, key=lambda bot: bot["updated_at"], reverse=True)


def _scripted(bot_id: str) -> Row:
    settings = _settings_of(bot_id)
    version = {"version": "1760000000000", "settings": settings, "created_at": 1760000000}
    always = {"draft": settings, "changed": False, "updated_at": 1760000000}
    return {"id": bot_id, "versions": [version], "published": {API: version["version"]}, **always}


def _in_short(bot: Row, connector_id: str, *, online: bool) -> Row:
    version = bot["published"].get(connector_id)
    published = [known for known in bot["versions"] if known["version"] == version]
    settings = published[0]["settings"] if published and online else bot["draft"]
    told = {
        "id": bot["id"],
        **{name: settings[name] for name in ("name", "description", "icon_url")},
        "is_published": bool(published),
        "updated_at": bot["updated_at"],
        "owner_user_id": OWNER["user_id"],
    }
    return {**told, "published_at": published[0]["created_at"]} if published else told


def versions(world: World, request: RecordedRequest, bot_id: str) -> Row:
    """GET /v1/bots/{bot_id}/versions, newest first."""
    asked = request.asked()
    bot = world.find("bot", bot_id)
    connector_id = asked.maybe_text("connector_id")
    status = asked.maybe_one_of("publish_status", _PUBLISH_STATUSES, "all")
    online = set(bot["published"].values())
    found = [
        {
            "version": known["version"],
            "description": "",
            "created_at": str(known["created_at"]),
            "updated_at": str(known["created_at"]),
            "creator": {"id": OWNER["user_id"], "name": OWNER["user_name"]},
            "publish_status": "published_online" if known["version"] in online else "published_draft",
            "changelog": "",
        }
        for known in reversed(bot["versions"])
        if not connector_id or connector_id in known["connectors"]
    ]
    found = [version for version in found if status in ("all", version["publish_status"])]
    return by_number(found, asked, most=30, default=10, has_more="has_more")


def set_mode(world: World, request: RecordedRequest, bot_id: str) -> None:
    """POST /v1/bots/{bot_id}/collaboration_mode."""
    mode = request.given().one_of("collaboration_mode", ("single", "collaboration"))
    world.state.keep("bot", world.find("bot", bot_id) | {"collaboration_mode": mode})


def _settings(world: World, given: Fields) -> Row:
    """What of a draft is given, in the form in which it is read back."""
    for name in _OBJECTS:
        given.object(name)
    found = given.only(*_AS_GIVEN)
    for name in ("name", "description"):
        text = given.maybe_text(name)
        if text is not None:
            found[name] = text
    icon = given.maybe_text("icon_file_id")
    if icon:
        found["icon_url"] = f"https://example.com/{world.find('file', icon)['id']}"
    if "model_info_config" in given:
        found["model_info"] = {"model_name": "Doubao", **given.object("model_info_config")}
    if "plugin_id_list" in given:
        found["plugin_info_list"] = _plugins(given.inner("plugin_id_list"))
    if "workflow_id_list" in given:
        ids = given.inner("workflow_id_list").maybe_objects("ids")
        found["workflow_info_list"] = [
            {"id": one.text("id"), "name": "Workflow", "description": "", "icon_url": ""} for one in ids
        ]
    if "knowledge" in given:
        datasets = world.state.rows["dataset"]
        bases = given.inner("knowledge").maybe_texts("dataset_ids")
        infos = [{"id": base, "name": datasets[base]["name"] if base in datasets else ""} for base in bases]
        found["knowledge"] = {"knowledge_infos": infos}
    if "voice_ids" in given:
        found["voice_info_list"] = [{"voice_id": one, "language_code": "zh"} for one in given.maybe_texts("voice_ids")]
    return found


def _plugins(given: Fields) -> list[Row]:
    """The tools by plug-in, as a bot tells them."""
    plugins: dict[str, Row] = {}
    for one in given.maybe_objects("id_list"):
        plugin_id = one.text("plugin_id")
        plugin = plugins.setdefault(
            plugin_id,
            {"plugin_id": plugin_id, "name": "Plug-in", "description": "", "icon_url": "", "api_info_list": []},
        )
        plugin["api_info_list"].append({"api_id": one.text("api_id"), "name": "tool", "description": ""})
    return list(plugins.values())
