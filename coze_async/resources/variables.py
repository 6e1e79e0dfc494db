"""Variables of users."""

from collections.abc import Sequence

from coze_async._endpoint import Resource, get, put
from coze_async.models import VariableValue

__all__ = ["VariablesResource"]


class VariablesResource(Resource):
    """Variables of users."""

    @get("/v1/variables", payload=("data.items",), joined=("keywords",))
    async def retrieve(
        self,
        *,
        connector_uid: str,
        keywords: Sequence[str],
        app_id: str | None = None,
        bot_id: str | None = None,
        connector_id: str | None = None,
    ) -> list[VariableValue]:
        """Read user variable values.

        Args:
            connector_uid: End user id whose values are read.
            keywords: Variable names, comma separated in query.
            app_id: Coze app (project) id.
            bot_id: Bot (agent) id.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.

        Source: coze.cn page read_variable.
        """
        ...

    @put("/v1/variables", safe=True)
    async def update(
        self,
        *,
        connector_uid: str,
        data: Sequence[VariableValue],
        app_id: str | None = None,
        bot_id: str | None = None,
        connector_id: str | None = None,
    ) -> None:
        """Set user variable values.

        Args:
            connector_uid: End user id inside the channel.
            data: Keyword and value pairs.
            app_id: Coze app (project) id.
            bot_id: Bot (agent) id.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.

        Source: coze.cn page update_variable.
        """
        ...
