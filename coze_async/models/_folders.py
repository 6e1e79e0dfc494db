"""Folders of a workspace."""

from coze_async.models._base import ResponseModel

__all__ = [
    "SimpleFolder",
]


class SimpleFolder(ResponseModel):
    """A folder of a workspace."""

    id: str
    """Identifier."""
    name: str = ""
    description: str = ""
    workspace_id: str = ""
    creator_user_id: str = ""
    folder_type: str = ""
    """Development or library; see `FolderType`."""
    parent_folder_id: str | None = None
    children_count: int | None = None
    """Number of direct children."""
