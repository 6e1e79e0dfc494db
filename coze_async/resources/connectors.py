"""Channels."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, post, put
from coze_async.models import UserConfig

__all__ = ["ConnectorBotsResource", "ConnectorsResource"]


class ConnectorBotsResource(Resource, place="connectors.bots"):
    """Bots on a channel."""

    @put("/v1/connectors/{connector_id}/bots/{bot_id}", safe=True)
    async def update(
        self,
        *,
        connector_id: str,
        bot_id: str,
        audit_status: int | None = None,
        reason: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Say how the review of a bot for a channel of your own ended.

        Args:
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            bot_id: The bot.
            audit_status: 1 pending, 2 approved, 3 rejected, see `AuditStatus`.
            reason: Why; needed for a refusal.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_review_result.
        """
        ...


class ConnectorsResource(Resource):
    """Channels."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.bots: ConnectorBotsResource = ConnectorBotsResource(core)

    @post("/v1/connectors/{connector_id}/install")
    async def install(self, *, connector_id: str, workspace_id: str, timeouts: Timeouts | None = None) -> None:
        """Install a channel of your own into a workspace.

        Args:
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            workspace_id: The workspace.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page install_channel.
        """
        ...

    @post("/v1/connectors/{connector_id}/user_configs")
    async def bind(
        self,
        *,
        connector_id: str,
        configs: Sequence[UserConfig],
        user_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Set what users can choose on a channel.

        Args:
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            configs: The settings, and what can be chosen for each.
            user_id: The user whose choices these are.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page bind_connector_config.
        """
        ...
