"""Users."""

from coze_async.models._base import CozeModel

__all__ = [
    "User",
]


class User(CozeModel):
    """A user."""

    user_id: str
    user_name: str = ""
    nick_name: str = ""
    avatar_url: str = ""
    """Avatar image URL."""
