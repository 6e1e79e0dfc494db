"""The routes of plug-ins and of their store: a small one that is always there."""

from typing import Any

from ._fields import Fields, by_number
from ._state import Row
from ._wire import Refusal, to_json
from ._world import OWNER, RecordedRequest, World

_CATEGORIES: list[Row] = [
    {"id": "7400000000000000051", "name": "Life"},
    {"id": "7400000000000000052", "name": "News"},
]
_TEXT_INPUT = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
_TEXT_OUTPUT = {"type": "object", "properties": {"text": {"type": "string"}}}


def _plugin(number: int, name: str, tool: str, category: Row, *, official: bool) -> Row:
    return {
        "plugin_id": f"740000000000000006{number}",
        "name": name,
        "description": f"{name} for everybody.",
        "name_for_model": name.lower(),
        "icon_url": "https://example.com/plugin.png",
        "mcp_json": to_json({"mcpServers": {}}),
        "is_call_available": True,
        "created_at": 1760000000,
        "updated_at": 1760000000,
        "tools": [
            {
                "tool_id": f"740000000000000007{number}",
                "name": tool,
                "description": f"The tool {tool}.",
                "inputSchema": _TEXT_INPUT,
                "outputSchema": _TEXT_OUTPUT,
            }
        ],
        "category": category,
        "is_official": official,
    }


_PLUGINS = {
    plugin["plugin_id"]: plugin
    for plugin in (
        _plugin(1, "Weather", "forecast", _CATEGORIES[0], official=True),
        _plugin(2, "Headlines", "search", _CATEGORIES[1], official=True),
        _plugin(3, "Recipes", "find", _CATEGORIES[0], official=False),
    )
}


def list_categories(world: World, request: RecordedRequest) -> Row:
    """GET /v1/stores/categories."""
    del world
    asked = request.asked()
    asked.text("entity_type")
    return by_number(_CATEGORIES, asked, most=100, total=None, has_more="has_more")


def list_plugins(world: World, request: RecordedRequest) -> Row:
    """GET /v1/stores/plugins."""
    del world
    asked = request.asked()
    keyword, official = (asked.maybe_text("keyword") or "").lower(), asked.flag("is_official")
    categories = asked.maybe_texts("category_ids") or asked.maybe_texts("category_id")
    found = [
        plugin
        for plugin in _PLUGINS.values()
        if keyword in plugin["name"].lower()
        and official in (None, plugin["is_official"])
        and (not categories or plugin["category"]["id"] in categories)
    ]
    page = by_number(found, asked, most=100, total=None, has_more="has_more")
    return {**page, "items": [_product(plugin) for plugin in page["items"]]}


def _product(plugin: Row) -> Row:
    same = {name: plugin[name] for name in ("name", "description", "icon_url", "category", "is_official")}
    return {
        "metainfo": {
            "product_id": plugin["plugin_id"],
            "entity_id": plugin["plugin_id"],
            "entity_version": "0",
            "entity_type": "plugin",
            **same,
            "user_info": OWNER,
            "listed_at": 1760000000,
            "paid_type": "free",
            "product_url": f"https://example.com/store/{plugin['plugin_id']}",
        },
        "plugin_info": {
            "description": plugin["description"],
            "total_tools_count": len(plugin["tools"]),
            "favorite_count": 0,
            "heat": 0,
            "success_rate": 1,
            "avg_exec_duration_ms": 10,
            "bots_use_count": 0,
            "associated_bots_use_count": 0,
            "call_count": 0,
            "is_call_available": True,
        },
    }


def retrieve(world: World, request: RecordedRequest, plugin_id: str) -> Row:
    """GET /v1/plugins/{plugin_id}."""
    del world, request
    return _told(_find(plugin_id))


def retrieve_several(world: World, request: RecordedRequest) -> Row:
    """GET /v1/plugins/mget: those that are there."""
    del world
    return {"items": [_told(_PLUGINS[name]) for name in request.asked().texts("ids") if name in _PLUGINS]}


def call_tool(world: World, request: RecordedRequest, plugin_id: str) -> Row:
    """POST /v1/plugins/{plugin_id}/tools/call: says again what it was asked."""
    del world
    given = request.given()
    name, arguments = given.text("tool_name"), given.object("arguments")
    plugin = _find(plugin_id)
    if name not in [tool["name"] for tool in plugin["tools"]]:
        raise Refusal(4200, f"The plug-in {plugin_id} has no tool {name}.")
    query = Fields(arguments, "arguments.").text("query")
    result: dict[str, Any] = {"text": f"{plugin['name']} on {query}."}
    return {"result": result}


def _told(plugin: Row) -> Row:
    return {name: value for name, value in plugin.items() if name not in ("category", "is_official")}


def _find(plugin_id: str) -> Row:
    if plugin_id not in _PLUGINS:
        raise Refusal(4200, f"The plug-in {plugin_id} does not exist.")
    return _PLUGINS[plugin_id]
