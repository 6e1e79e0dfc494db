"""The plug-in store."""

from coze_async.models._base import CozeModel, ResponseModel

__all__ = [
    "StoreCategory",
    "StorePlugin",
    "StorePluginStats",
    "StoreProductMeta",
    "StoreProductUser",
]


class StoreProductUser(CozeModel):
    """Who offers a plug-in."""

    user_id: str | None = None
    user_name: str | None = None
    nick_name: str | None = None
    avatar_url: str | None = None
    """Avatar image URL."""


class StoreCategory(ResponseModel):
    """A category of the store."""

    id: str | None = None
    """Identifier."""
    name: str | None = None


class StoreProductMeta(CozeModel):
    """What the store says of a plug-in."""

    product_id: str | None = None
    entity_id: str | None = None
    entity_version: str | None = None
    entity_type: str | None = None
    """Kind of entity."""
    name: str | None = None
    description: str | None = None
    user_info: StoreProductUser | None = None
    category: StoreCategory | None = None
    """Store category."""
    icon_url: str | None = None
    listed_at: str | None = None
    paid_type: str | None = None
    """Payment kind."""
    is_official: bool | None = None
    """True for a plug-in of Coze itself."""
    product_url: str | None = None


class StorePluginStats(CozeModel):
    """How a plug-in is used."""

    description: str | None = None
    total_tools_count: float | None = None
    favorite_count: float | None = None
    """Number of favorites."""
    heat: float | None = None
    """Popularity value."""
    success_rate: float | None = None
    avg_exec_duration_ms: float | None = None
    bots_use_count: str | None = None
    associated_bots_use_count: str | None = None
    call_count: str | None = None
    """Number of calls."""
    is_call_available: bool | None = None
    """Plugin can be called now."""


class StorePlugin(ResponseModel):
    """A plug-in of the store."""

    metainfo: StoreProductMeta | None = None
    """Product information."""
    plugin_info: StorePluginStats | None = None
    """Plugin statistics."""
