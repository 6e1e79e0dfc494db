"""Plug-ins and their tools."""

from collections.abc import Mapping, Sequence
from typing import Any

from coze_async._config import Timeouts
from coze_async._endpoint import Resource, get, post
from coze_async.models import PluginDetail, PluginToolResult

__all__ = ["PluginsResource"]


class PluginsResource(Resource):
    """Plug-ins and their tools."""

    @get("/v1/plugins/{plugin_id}")
    async def retrieve(self, *, plugin_id: str, timeouts: Timeouts | None = None) -> PluginDetail:
        """Read a plug-in and its tools.

        Args:
            plugin_id: The plug-in.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_plugin.
        """
        ...

    @get("/v1/plugins/mget", payload=("data.items",), joined=("ids",))
    async def mget(self, *, ids: Sequence[str], timeouts: Timeouts | None = None) -> list[PluginDetail]:
        """Read several plug-ins and their tools.

        Args:
            ids: The plug-ins.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page batch_get_plugins_info.
        """
        ...

    @post("/v1/plugins/{plugin_id}/tools/call")
    async def call_tool(
        self, *, plugin_id: str, tool_name: str, arguments: Mapping[str, Any], timeouts: Timeouts | None = None
    ) -> PluginToolResult:
        """Call a tool of a plug-in and return what it answered.

        Args:
            plugin_id: The plug-in.
            tool_name: The tool.
            arguments: What the tool takes, by name.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page call_plugin_tool.
        """
        ...
