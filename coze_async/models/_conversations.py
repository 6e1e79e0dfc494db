"""Conversations and their sections."""

from datetime import datetime

from pydantic import AliasChoices, Field

from coze_async.models._base import ResponseModel, as_datetime

__all__ = [
    "Conversation",
    "Section",
]


class Conversation(ResponseModel):
    """A conversation."""

    id: str
    """Identifier."""
    created_at: int = 0
    """Creation time, Unix seconds."""
    meta_data: dict[str, str] = Field(default_factory=dict[str, str])
    """Custom map: 16 pairs, key 1-64, value 1-512 chars."""
    last_section_id: str = ""
    """Current context section id."""
    name: str | None = None
    """Conversation title."""
    updated_at: int | None = None
    """Update time, Unix seconds."""
    # Coze Studio and the interface description of the cloud write creator_d.
    creator_id: str | None = Field(default=None, validation_alias=AliasChoices("creator_id", "creator_d"))
    """Creator user id."""
    connector_id: str | None = None
    """Publish channel id; 1024 API, 999 Chat SDK."""
    account_id: str | None = None

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.updated_at)


class Section(ResponseModel):
    """A section of a conversation: what the bot remembers begins with it."""

    id: str
    """New section id."""
    conversation_id: str = ""
