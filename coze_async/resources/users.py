"""Users."""

from coze_async._config import Timeouts
from coze_async._endpoint import Resource, get
from coze_async.models import User

__all__ = ["UsersResource"]


class UsersResource(Resource):
    """Users."""

    @get("/v1/users/me")
    async def me(self, *, timeouts: Timeouts | None = None) -> User:
        """Return who the token belongs to.

        Source: cozepy 0.20, coze-js cabc1ec.
        """
        ...
