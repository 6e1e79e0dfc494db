"""Users."""

from coze_async.models._base import ResponseModel

__all__ = [
    "User",
]


class User(ResponseModel):
    """A user."""

    user_id: str
    user_name: str = ""
    nick_name: str = ""
    avatar_url: str = ""
    """Avatar image URL."""
