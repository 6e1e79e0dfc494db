"""Workspaces and their members."""

from pydantic import AliasChoices, Field

from coze_async.models._base import ResponseModel

__all__ = [
    "Workspace",
    "WorkspaceCreated",
    "WorkspaceMember",
    "WorkspaceMembersAdded",
    "WorkspaceMembersRemoved",
]


class Workspace(ResponseModel):
    """A workspace."""

    id: str
    """Identifier."""
    name: str = ""
    icon_url: str = ""
    role_type: str = ""
    """Owner, admin or member; see `WorkspaceRoleType`."""
    workspace_type: str = ""
    """Personal or team; see `WorkspaceType`."""
    enterprise_id: str = ""
    joined_status: str | None = None
    """Join status of the caller."""
    description: str | None = None
    owner_uid: str | None = None
    """Owner user id."""
    admin_uids: list[str] = Field(default_factory=list[str])
    """Ids of workspace admins."""


class WorkspaceCreated(ResponseModel):
    """A new workspace."""

    id: str | None = None
    """Identifier."""


class WorkspaceMembersAdded(ResponseModel):
    """How adding members went."""

    added_success_user_ids: list[str] = Field(default_factory=list[str])
    """User ids added immediately."""
    invited_success_user_ids: list[str] = Field(default_factory=list[str])
    """Users that got an invitation."""
    not_exist_user_ids: list[str] = Field(default_factory=list[str])
    """Unknown user ids."""
    already_joined_user_ids: list[str] = Field(default_factory=list[str])
    """Users that were members before."""
    already_invited_user_ids: list[str] = Field(default_factory=list[str])
    """Users invited earlier, not yet accepted."""


class WorkspaceMember(ResponseModel):
    """A member of a workspace."""

    user_id: str
    role_type: str = ""
    """Owner, admin or member; see `WorkspaceRoleType`."""
    user_nickname: str | None = None
    """Nick name."""
    user_unique_name: str | None = None
    avatar_url: str | None = None
    """Avatar image URL."""


class WorkspaceMembersRemoved(ResponseModel):
    """How removing members went."""

    removed_success_user_ids: list[str] = Field(default_factory=list[str])
    not_in_workspace_user_ids: list[str] = Field(
        default_factory=list[str], validation_alias=AliasChoices("not_in_workspace_user_ids", "not_in_space_user_ids")
    )
    """Users that were not members; the table of the page and its sample spell the key in two ways."""
    owner_not_support_remove_user_ids: list[str] = Field(default_factory=list[str])
    """Owners that cannot be removed."""

    @property
    def not_in_space_user_ids(self) -> list[str]:
        """The older name of `not_in_workspace_user_ids`."""
        return self.not_in_workspace_user_ids
