"""Apps (projects)."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post
from coze_async._pages import ByNumber, Pages
from coze_async.models import AppCollaborator, SimpleApp

__all__ = ["AppCollaboratorsResource", "AppsResource"]


class AppCollaboratorsResource(Resource, place="apps.collaborators"):
    """Who works on an app."""

    @post("/v1/apps/{app_id}/collaborators", kind="collaboration")
    async def create(
        self, *, app_id: str, collaborators: Sequence[AppCollaborator], timeouts: Timeouts | None = None
    ) -> None:
        """Add collaborators to an app.

        Args:
            app_id: The app.
            collaborators: Who is added, one at a time.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page add_app_collaborator.
        """
        ...

    @delete("/v1/apps/{app_id}/collaborators/{user_id}", safe=True, kind="collaboration")
    async def delete(self, *, app_id: str, user_id: str, timeouts: Timeouts | None = None) -> None:
        """Remove a collaborator from an app.

        Args:
            app_id: The app.
            user_id: The user.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page remove_app_collaborator.
        """
        ...


class AppsResource(Resource):
    """Apps (projects) of a workspace."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.collaborators: AppCollaboratorsResource = AppCollaboratorsResource(core)

    # cozepy sends page_index, which the page does not know.
    @get("/v1/apps", pages=ByNumber())
    def list(
        self,
        *,
        workspace_id: str,
        page_size: int = 20,
        publish_status: str | None = None,
        connector_id: str | None = None,
        page_num: int = 1,
        timeouts: Timeouts | None = None,
    ) -> Pages[SimpleApp]:
        """List apps of a workspace.

        Args:
            workspace_id: The workspace.
            page_size: Items per page.
            publish_status: Only those in this state, see `PublishStatus`.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            page_num: The page to begin with, from 1.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page published_apps_list.
        """
        ...
