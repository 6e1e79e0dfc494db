"""Channels."""

from coze_async.models._base import CozeModel

__all__ = [
    "UserConfig",
    "UserConfigEnum",
]


class UserConfigEnum(CozeModel):
    """One choice of a channel's setting."""

    label: str
    """Label shown to user."""
    value: str


class UserConfig(CozeModel):
    """A user's setting for a channel."""

    enums: list[UserConfigEnum]
    """Options."""
    key: str
    """Configuration key."""
