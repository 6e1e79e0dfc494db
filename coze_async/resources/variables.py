"""Variables of users."""

from collections.abc import Sequence

from coze_async._config import Timeouts
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
        timeouts: Timeouts | None = None,
    ) -> list[VariableValue]:
        """Read the values of variables for one user; give exactly one of bot_id and app_id.

        Args:
            connector_uid: The end user, as the channel names them.
            keywords: The names of the variables.
            app_id: The app.
            bot_id: The bot.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            timeouts: For this call, instead of the client's.

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
        timeouts: Timeouts | None = None,
    ) -> None:
        """Set the values of variables for one user; give exactly one of bot_id and app_id.

        Args:
            connector_uid: The end user, as the channel names them.
            data: The variables; only `keyword` and `value` of each are looked at.
            app_id: The app.
            bot_id: The bot.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_variable.
        """
        ...
