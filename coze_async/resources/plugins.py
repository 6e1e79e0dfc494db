"""Plug-ins and their tools."""

from collections.abc import Mapping, Sequence
from typing import Any

from coze_async._endpoint import Resource, get, post
from coze_async.models import PluginDetail, PluginToolResult

__all__ = ["PluginsResource"]


class PluginsResource(Resource):
    """Plug-ins and their tools."""

    @get("/v1/plugins/{plugin_id}")
    async def retrieve(self, *, plugin_id: str) -> PluginDetail:
        """Read a plugin and its tools.

        Args:
            plugin_id: Plugin id.

        Source: coze.cn page get_plugin.
        """
        ...

    @get("/v1/plugins/mget", payload=("data.items",), joined=("ids",))
    async def mget(self, *, ids: Sequence[str]) -> list[PluginDetail]:
        """Read several plugins.

        Args:
            ids: Plugin ids, comma separated.

        Source: coze.cn page batch_get_plugins_info.
        """
        ...

    @post("/v1/plugins/{plugin_id}/tools/call")
    async def call_tool(self, *, plugin_id: str, tool_name: str, arguments: Mapping[str, Any]) -> PluginToolResult:
        """Call a tool of a plugin.

        Args:
            plugin_id: Plugin id.
            tool_name: Plugin tool to call.
            arguments: Tool input values.

        Source: coze.cn page call_plugin_tool.
        """
        ...
