"""Workspaces and their members."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByNumber, Pages
from coze_async.models import (
    Workspace,
    WorkspaceCreated,
    WorkspaceMember,
    WorkspaceMembersAdded,
    WorkspaceMembersRemoved,
)

__all__ = ["WorkspaceMembersResource", "WorkspacesResource"]


class WorkspaceMembersResource(Resource, place="workspaces.members"):
    """The members of a workspace."""

    @post("/v1/workspaces/{workspace_id}/members")
    async def create(
        self, *, workspace_id: str, users: Sequence[WorkspaceMember], timeouts: Timeouts | None = None
    ) -> WorkspaceMembersAdded:
        """Add members to a workspace.

        Args:
            workspace_id: The workspace.
            users: 20 at most; see `WorkspaceMember`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page add_space_member.
        """
        ...

    @delete("/v1/workspaces/{workspace_id}/members", body=("user_ids",), safe=True)
    async def delete(
        self, *, workspace_id: str, user_ids: Sequence[str], timeouts: Timeouts | None = None
    ) -> WorkspaceMembersRemoved:
        """Remove members from a workspace.

        Args:
            workspace_id: The workspace.
            user_ids: 5 at most.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page remove_space_member.
        """
        ...

    @get("/v1/workspaces/{workspace_id}/members", pages=ByNumber(key="user_id", total="total_count"))
    def list(
        self, *, workspace_id: str, page_size: int = 20, page_num: int = 1, timeouts: Timeouts | None = None
    ) -> Pages[WorkspaceMember]:
        """List workspace members.

        Args:
            workspace_id: The workspace.
            page_size: Items per page, 50 at most.
            page_num: The page to begin with, from 1.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_space_member.
        """
        ...


class WorkspacesResource(Resource):
    """Workspaces."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.members: WorkspaceMembersResource = WorkspaceMembersResource(core)

    @get("/v1/workspaces", pages=ByNumber(items="workspaces", total="total_count"))
    def list(
        self,
        *,
        page_size: int = 20,
        page_num: int = 1,
        user_id: str | None = None,
        coze_account_id: str | None = None,
        enterprise_id: str | None = None,
        scope: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[Workspace]:
        """List workspaces the token owner belongs to.

        Args:
            page_size: Items per page, 50 at most.
            page_num: The page to begin with, from 1.
            user_id: The user.
            coze_account_id: The account of an enterprise or organization.
            enterprise_id: The enterprise.
            scope: Which workspaces; the service names no values.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_workspace.
        """
        ...

    @post("/v1/workspaces")
    async def create(
        self,
        *,
        name: str,
        description: str,
        icon_file_id: str | None = None,
        coze_account_id: str | None = None,
        owner_uid: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> WorkspaceCreated:
        """Create a workspace.

        Args:
            name: The name.
            description: What it is for.
            icon_file_id: An uploaded picture as its icon.
            coze_account_id: The account of an enterprise or organization.
            owner_uid: The user who owns it.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_workspace.
        """
        ...

    @put("/v1/workspaces/{workspace_id}", safe=True)
    async def update(
        self,
        *,
        workspace_id: str,
        description: str | None = None,
        name: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Change name or description of a workspace; a personal one cannot be changed.

        Args:
            workspace_id: The workspace.
            description: What it is for.
            name: The name.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_workspace_info.
        """
        ...
