"""Plug-ins and their tools."""

from datetime import datetime
from typing import Any

from pydantic import AliasChoices, Field

from coze_async.models._base import CozeModel, ResponseModel, as_datetime

__all__ = [
    "PluginDetail",
    "PluginTool",
    "PluginToolResult",
]


class PluginTool(CozeModel):
    """A tool of a plug-in."""

    tool_id: str = ""
    name: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = Field(
        default=None, validation_alias=AliasChoices("input_schema", "inputSchema")
    )
    """JSON schema of the input."""
    output_schema: dict[str, Any] | None = Field(
        default=None, validation_alias=AliasChoices("output_schema", "outputSchema")
    )
    """JSON schema of the output."""


class PluginDetail(ResponseModel):
    """A plug-in and its tools."""

    plugin_id: str
    name: str = ""
    description: str | None = None
    tools: list[PluginTool] = Field(default_factory=list[PluginTool])
    """Tools of the plugin."""
    mcp_json: str | None = None
    """MCP server settings as JSON text."""
    name_for_model: str | None = None
    """Plugin name seen by models."""
    icon_url: str | None = None
    is_call_available: bool | None = None
    """Plugin can be called now."""
    created_at: int | None = None
    """Creation time, Unix seconds."""
    updated_at: int | None = None
    """Update time, Unix seconds."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.updated_at)


class PluginToolResult(ResponseModel):
    """What a tool answered."""

    result: Any = None
    """An object, by the page; whatever else the tool answers is kept too."""
