"""Channels."""

from collections.abc import Sequence

from coze_async._core import Core
from coze_async._endpoint import Resource, post, put
from coze_async.models import UserConfig

__all__ = ["ConnectorBotsResource", "ConnectorsResource"]


class ConnectorBotsResource(Resource):
    """Bots on a channel."""

    @put("/v1/connectors/{connector_id}/bots/{bot_id}", safe=True)
    async def update(
        self, *, connector_id: str, bot_id: str, audit_status: int | None = None, reason: str | None = None
    ) -> None:
        """Set review result of a bot on a channel.

        Args:
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            bot_id: Bot (agent) id.
            audit_status: 1 pending, 2 approved, 3 rejected, see `AuditStatus`.
            reason: Review remark; needed when rejected.

        Source: coze.cn page update_review_result.
        """
        ...


class ConnectorsResource(Resource):
    """Channels."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.bots = ConnectorBotsResource(core)

    @post("/v1/connectors/{connector_id}/install")
    async def install(self, *, connector_id: str, workspace_id: str) -> None:
        """Install a custom publish channel into a workspace.

        Args:
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            workspace_id: Workspace id.

        Source: coze.cn page install_channel.
        """
        ...

    @post("/v1/connectors/{connector_id}/user_configs")
    async def bind(self, *, connector_id: str, configs: Sequence[UserConfig], user_id: str | None = None) -> None:
        """Set user configuration choices of a publish channel.

        Args:
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            configs: Key and enum pairs to bind.
            user_id: User id.

        Source: coze.cn page bind_connector_config.
        """
        ...
