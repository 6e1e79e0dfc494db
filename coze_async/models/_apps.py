"""Apps (projects)."""

from datetime import datetime

from coze_async.models._base import CozeModel, ResponseModel, as_datetime

__all__ = [
    "AppCollaborator",
    "SimpleApp",
]


class SimpleApp(ResponseModel):
    """An app (project) of a workspace."""

    id: str
    """Identifier."""
    name: str = ""
    description: str = ""
    icon_url: str = ""
    is_published: bool = False
    """Published flag."""
    owner_user_id: str = ""
    updated_at: int = 0
    """Update time, Unix seconds."""
    folder_id: str | None = None
    published_at: int | None = None
    """Publish time, Unix seconds."""

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.updated_at)


class AppCollaborator(CozeModel):
    """Who is to work on an app."""

    user_id: str
