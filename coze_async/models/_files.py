"""Uploaded files."""

from datetime import datetime

from pydantic import AliasChoices, Field

from coze_async.models._base import ResponseModel, as_datetime

__all__ = [
    "File",
]


class File(ResponseModel):
    """An uploaded file; it is kept 3 months."""

    id: str
    """Identifier."""
    bytes: int | None = None
    """File size in bytes."""
    # Self-hosted servers write CreatedAt.
    created_at: int | None = Field(default=None, validation_alias=AliasChoices("created_at", "CreatedAt"))
    """Creation time, Unix seconds."""
    file_name: str | None = None
    url: str | None = Field(default=None, validation_alias=AliasChoices("url", "URL"))
    """Where to fetch it; self-hosted servers only."""
    uri: str | None = None
    """Storage key."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)
