"""API apps and the events they subscribe to."""

from collections.abc import Sequence

from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByCursor, Pages
from coze_async.models import APIApp, APIAppEvent

__all__ = ["APIAppEventsResource", "APIAppsResource"]


class APIAppEventsResource(Resource):
    """What an API app subscribes to."""

    @post("/v1/api_apps/{api_app_id}/events")
    async def create(self, *, api_app_id: str, event_types: Sequence[str]) -> None:
        """Subscribe a callback application to event types.

        Args:
            api_app_id: Callback app id.
            event_types: Event type names.

        Source: coze.cn page subscribe_callback_message.
        """
        ...

    @delete("/v1/api_apps/{api_app_id}/events", body=("event_types",), safe=True)
    async def delete(self, *, api_app_id: str, event_types: Sequence[str]) -> None:
        """Unsubscribe a callback application from event types.

        Args:
            api_app_id: Callback app id.
            event_types: Event type names.

        Source: coze.cn page unsubscribe_callback_message.
        """
        ...

    @get("/v1/api_apps/{api_app_id}/events", pages=ByCursor())
    def list(self, *, api_app_id: str, page_size: int = 50, page_token: str | None = None) -> Pages[APIAppEvent]:
        """List event types a callback application is subscribed to.

        Args:
            api_app_id: Callback app id.
            page_size: Items per page.
            page_token: Token of the page to fetch.

        Source: coze.cn page list_subscribed_callback_message.
        """
        ...


class APIAppsResource(Resource):
    """Apps that receive events."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.events = APIAppEventsResource(core)

    @post("/v1/api_apps")
    async def create(self, *, app_type: str, name: str | None = None, connector_id: str | None = None) -> APIApp:
        """Create a callback application.

        Args:
            app_type: Callback app kind: normal or connector, see `AppType`.
            name: Needed when app_type is normal.
            connector_id: Needed when app_type is connector.

        Source: coze.cn page create_callback_app.
        """
        ...

    @put("/v1/api_apps/{app_id}", safe=True)
    async def update(self, *, app_id: str, name: str | None = None, callback_url: str | None = None) -> None:
        """Change name or callback URL of a callback application.

        Args:
            app_id: Coze app (project) id.
            name: Name.
            callback_url: URL that receives event callbacks.

        Source: coze.cn page update_callback_app.
        """
        ...

    @delete("/v1/api_apps/{app_id}", safe=True)
    async def delete(self, *, app_id: str) -> None:
        """Delete a callback application.

        Args:
            app_id: Coze app (project) id.

        Source: coze.cn page delete_callback_app.
        """
        ...

    @get("/v1/api_apps", pages=ByCursor())
    def list(self, *, app_type: str | None = None, page_size: int = 50, page_token: str | None = None) -> Pages[APIApp]:
        """List callback applications.

        Args:
            app_type: Callback app kind: normal or connector, see `AppType`.
            page_size: Items per page.
            page_token: Token of the page to fetch.

        Source: coze.cn page list_callback_app.
        """
        ...
