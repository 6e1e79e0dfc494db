"""API apps and the events they subscribe to."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByCursor, Pages
from coze_async.models import APIApp, APIAppEvent

__all__ = ["APIAppEventsResource", "APIAppsResource"]


class APIAppEventsResource(Resource, place="api_apps.events"):
    """What an API app subscribes to."""

    @post("/v1/api_apps/{api_app_id}/events")
    async def create(self, *, api_app_id: str, event_types: Sequence[str], timeouts: Timeouts | None = None) -> None:
        """Subscribe an API app to events.

        Args:
            api_app_id: The API app.
            event_types: The names of the events.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page subscribe_callback_message.
        """
        ...

    @delete("/v1/api_apps/{api_app_id}/events", body=("event_types",), safe=True)
    async def delete(self, *, api_app_id: str, event_types: Sequence[str], timeouts: Timeouts | None = None) -> None:
        """Take back an API app's subscription to events.

        Args:
            api_app_id: The API app.
            event_types: The names of the events.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page unsubscribe_callback_message.
        """
        ...

    @get("/v1/api_apps/{api_app_id}/events", pages=ByCursor(key="event_type"))
    def list(
        self, *, api_app_id: str, page_size: int = 50, page_token: str | None = None, timeouts: Timeouts | None = None
    ) -> Pages[APIAppEvent]:
        """List the events that an API app subscribes to.

        Args:
            api_app_id: The API app.
            page_size: Items per page, 50 at most.
            page_token: The page to begin with, None for the first.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_subscribed_callback_message.
        """
        ...


class APIAppsResource(Resource):
    """Apps that receive events."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.events: APIAppEventsResource = APIAppEventsResource(core)

    @post("/v1/api_apps")
    async def create(
        self,
        *,
        app_type: str,
        name: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> APIApp:
        """Make an API app.

        Args:
            app_type: `normal` or `connector`, see `AppType`.
            name: The name; needed for the type `normal`.
            connector_id: The channel; needed for the type `connector`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_callback_app.
        """
        ...

    @put("/v1/api_apps/{app_id}", safe=True)
    async def update(
        self, *, app_id: str, name: str | None = None, callback_url: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        """Change the name or the callback address of an API app.

        Args:
            app_id: The API app.
            name: The name.
            callback_url: The address that events are sent to.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_callback_app.
        """
        ...

    @delete("/v1/api_apps/{app_id}", safe=True)
    async def delete(self, *, app_id: str, timeouts: Timeouts | None = None) -> None:
        """Delete an API app.

        Args:
            app_id: The API app.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page delete_callback_app.
        """
        ...

    @get("/v1/api_apps", pages=ByCursor())
    def list(
        self,
        *,
        app_type: str | None = None,
        page_size: int = 50,
        page_token: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[APIApp]:
        """List API apps.

        Args:
            app_type: `normal` or `connector`, see `AppType`.
            page_size: Items per page, 50 at most.
            page_token: The page to begin with, None for the first.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_callback_app.
        """
        ...
