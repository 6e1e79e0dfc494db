"""API apps and the events they subscribe to."""

from coze_async.models._base import ResponseModel

__all__ = [
    "APIApp",
    "APIAppEvent",
]


class APIApp(ResponseModel):
    """An API app: it receives events of bots at a callback address."""

    id: str
    """Identifier."""
    app_type: str = ""
    """Callback app kind: normal or connector; see `AppType`."""
    verify_token: str = ""
    """Token to verify callbacks."""
    name: str | None = None
    connector_id: str | None = None
    """Publish channel id; 1024 API, 999 Chat SDK."""
    callback_url: str | None = None
    """URL that receives event callbacks."""


class APIAppEvent(ResponseModel):
    """An event that an API app subscribes to."""

    api_app_id: str
    """Callback app id."""
    name: str = ""
    description: str = ""
    event_type: str = ""
