"""Workspaces and their members."""

from collections.abc import Sequence

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


class WorkspaceMembersResource(Resource):
    """The members of a workspace."""

    @post("/v1/workspaces/{workspace_id}/members")
    async def create(self, *, workspace_id: str, users: Sequence[WorkspaceMember]) -> WorkspaceMembersAdded:
        """Add members to a workspace.

        Args:
            workspace_id: Workspace id.
            users: Up to 20 members.

        Source: coze.cn page add_space_member.
        """
        ...

    @delete("/v1/workspaces/{workspace_id}/members", body=("user_ids",), safe=True)
    async def delete(self, *, workspace_id: str, user_ids: Sequence[str]) -> WorkspaceMembersRemoved:
        """Remove members from a workspace.

        Args:
            workspace_id: Workspace id.
            user_ids: Up to 5 members.

        Source: coze.cn page remove_space_member.
        """
        ...

    @get("/v1/workspaces/{workspace_id}/members", pages=ByNumber(total="total_count"))
    def list(self, *, workspace_id: str, page_size: int = 20, page_num: int = 1) -> Pages[WorkspaceMember]:
        """List workspace members.

        Args:
            workspace_id: Workspace id.
            page_size: Items per page.
            page_num: Page number, from 1.

        Source: coze.cn page list_space_member.
        """
        ...


class WorkspacesResource(Resource):
    """Workspaces."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.members = WorkspaceMembersResource(core)

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
    ) -> Pages[Workspace]:
        """List workspaces the token owner belongs to.

        Args:
            page_size: Items per page.
            page_num: Page number, from 1.
            user_id: User id.
            coze_account_id: Enterprise or organization account id.
            enterprise_id: Enterprise id.
            scope: List scope.

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
    ) -> WorkspaceCreated:
        """Create a workspace.

        Args:
            name: Name.
            description: Description text.
            icon_file_id: Id of uploaded icon file.
            coze_account_id: Enterprise or organization account id.
            owner_uid: Owner user id.

        Source: coze.cn page create_workspace.
        """
        ...

    @put("/v1/workspaces/{workspace_id}", safe=True)
    async def update(self, *, workspace_id: str, description: str | None = None, name: str | None = None) -> None:
        """Change name or description of a workspace.

        Args:
            workspace_id: Workspace id.
            description: Description text.
            name: Name.

        Source: coze.cn page update_workspace_info.
        """
        ...
