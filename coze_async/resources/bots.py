"""Bots (agents), their settings and versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post
from coze_async._pages import ByNumber, Pages
from coze_async.models import (
    Bot,
    BotCollaborator,
    BotCreated,
    BotKnowledge,
    BotModelInfo,
    BotOnboardingInfo,
    BotPromptInfo,
    BotPublished,
    BotSuggestReplyInfo,
    BotVersionInfo,
    PluginIDList,
    SimpleBot,
    SimpleBotV1,
    WorkflowIDList,
)

__all__ = ["BotCollaborationModesResource", "BotCollaboratorsResource", "BotVersionsResource", "BotsResource"]


class BotCollaborationModesResource(Resource):
    """Whether one or several people edit a bot."""

    @post("/v1/bots/{bot_id}/collaboration_mode")
    async def update(self, *, bot_id: str, collaboration_mode: str) -> None:
        """Switch single or multi author mode of a bot.

        Args:
            bot_id: Bot (agent) id.
            collaboration_mode: Single or collaboration, see `BotCollaborationMode`.

        Source: coze.cn page switch_bot_develop_mode.
        """
        ...


class BotCollaboratorsResource(Resource):
    """Who works on a bot."""

    @post("/v1/bots/{bot_id}/collaborators")
    async def create(self, *, bot_id: str, collaborators: Sequence[BotCollaborator]) -> None:
        """Add collaborators to a bot.

        Args:
            bot_id: Bot (agent) id.
            collaborators: Collaborators to add (one per call).

        Source: coze.cn page add_bot_collaborator.
        """
        ...

    @delete("/v1/bots/{bot_id}/collaborators/{user_id}", safe=True)
    async def delete(self, *, bot_id: str, user_id: str) -> None:
        """Remove a collaborator from a bot.

        Args:
            bot_id: Bot (agent) id.
            user_id: User id.

        Source: coze.cn page remove_bot_collaborator.
        """
        ...


class BotVersionsResource(Resource):
    """The versions of a bot."""

    @get("/v1/bots/{bot_id}/versions", pages=ByNumber(), kind="bot_info")
    def list(
        self,
        *,
        bot_id: str,
        page_num: int = 1,
        page_size: int = 10,
        publish_status: str | None = None,
        connector_id: str | None = None,
    ) -> Pages[BotVersionInfo]:
        """List versions of a bot.

        Args:
            bot_id: Bot (agent) id.
            page_num: Page number, from 1.
            page_size: Items per page.
            publish_status: Publish state filter, see `PublishStatus`.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.

        Source: coze.cn page list_bot_versions.
        """
        ...


class BotsResource(Resource):
    """Bots (agents): make, change, publish, read."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.collaboration_modes = BotCollaborationModesResource(core)
        self.collaborators = BotCollaboratorsResource(core)
        self.versions = BotVersionsResource(core)

    @post("/v1/bot/create", kind="bot_management")
    async def create(
        self,
        *,
        space_id: str,
        name: str,
        description: str | None = None,
        icon_file_id: str | None = None,
        prompt_info: BotPromptInfo | None = None,
        onboarding_info: BotOnboardingInfo | None = None,
        suggest_reply_info: BotSuggestReplyInfo | None = None,
        model_info_config: BotModelInfo | None = None,
        plugin_id_list: PluginIDList | None = None,
        workflow_id_list: WorkflowIDList | None = None,
        voice_ids: Sequence[str] | None = None,
    ) -> BotCreated:
        """Create a draft bot.

        Args:
            space_id: Workspace id.
            name: Name.
            description: Description text.
            icon_file_id: Id of uploaded icon file.
            prompt_info: Prompt settings.
            onboarding_info: Opening text settings.
            suggest_reply_info: Follow-up suggestion settings.
            model_info_config: Model settings to apply.
            plugin_id_list: Plugin tools to bind.
            workflow_id_list: Workflows to bind.
            voice_ids: Voice ids to bind.

        Source: coze.cn page create_bot.
        """
        ...

    @post("/v1/bot/update", kind="bot_management")
    async def update(
        self,
        *,
        bot_id: str,
        name: str | None = None,
        description: str | None = None,
        icon_file_id: str | None = None,
        prompt_info: BotPromptInfo | None = None,
        onboarding_info: BotOnboardingInfo | None = None,
        knowledge: BotKnowledge | None = None,
        suggest_reply_info: BotSuggestReplyInfo | None = None,
        model_info_config: BotModelInfo | None = None,
        workflow_id_list: WorkflowIDList | None = None,
        plugin_id_list: PluginIDList | None = None,
        voice_ids: Sequence[str] | None = None,
    ) -> None:
        """Change a draft bot.

        Args:
            bot_id: Bot (agent) id.
            name: Name.
            description: Description text.
            icon_file_id: Id of uploaded icon file.
            prompt_info: Prompt settings.
            onboarding_info: Opening text settings.
            knowledge: Knowledge bases to bind (full replacement).
            suggest_reply_info: Follow-up suggestion settings.
            model_info_config: Model settings to apply.
            workflow_id_list: Workflows to bind.
            plugin_id_list: Plugin tools to bind.
            voice_ids: Voice ids to bind.

        Source: coze.cn page update_bot.
        """
        ...

    @post("/v1/bot/publish", kind="bot_management")
    async def publish(
        self, *, bot_id: str, connector_ids: Sequence[str] | None = None, connectors: Mapping[str, Any] | None = None
    ) -> BotPublished:
        """Publish a bot to channels.

        Args:
            bot_id: Bot (agent) id.
            connector_ids: Publish channel ids; cozepy sends [1024] when empty.
            connectors: Map of channel id to channel settings.

        Source: coze.cn page publish_bot.
        """
        ...

    @post("/v1/bots/{bot_id}/unpublish", kind="bot_management")
    async def unpublish(self, *, bot_id: str, connector_id: str, unpublish_reason: str | None = None) -> None:
        """Take a bot off a channel.

        Args:
            bot_id: Bot (agent) id.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            unpublish_reason: Reason for unpublishing.

        Source: coze.cn page unpublish_agent.
        """
        ...

    @get("/v1/bots/{bot_id}", kind="bot_info")
    async def retrieve(self, *, bot_id: str, is_published: bool | None = None, connector_id: str | None = None) -> Bot:
        """Read one bot, draft or published (v2).

        Args:
            bot_id: Bot (agent) id.
            is_published: True published version (default), false draft.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.

        Source: coze.cn page get_metadata_draft_published.
        """
        ...

    @get("/v1/bot/get_online_info", kind="bot_info")
    async def retrieve_online(self, *, bot_id: str, connector_id: str | None = None, version: str | None = None) -> Bot:
        """Read one published bot (v1).

        Args:
            bot_id: Bot (agent) id.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            version: Version.

        Source: coze.cn page get_metadata.
        """
        ...

    @get("/v1/bots", pages=ByNumber(), kind="bot_info")
    def list(
        self,
        *,
        workspace_id: str,
        page_size: int = 20,
        publish_status: str | None = None,
        connector_id: str | None = None,
        page_num: int = 1,
    ) -> Pages[SimpleBot]:
        """List bots of a workspace (v2).

        Args:
            workspace_id: Workspace id.
            page_size: Items per page.
            publish_status: Publish state filter, see `PublishStatus`.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            page_num: Page number, from 1 (cozepy sends page_index).

        Source: coze.cn page bots_list_draft_published.
        """
        ...

    @get("/v1/space/published_bots_list", pages=ByNumber(items="space_bots", page="page_index"), kind="bot_info")
    def list_v1(
        self, *, space_id: str, page_size: int = 20, page_index: int = 1, connector_id: str | None = None
    ) -> Pages[SimpleBotV1]:
        """List published bots of a space (v1).

        Args:
            space_id: Workspace id.
            page_size: Items per page.
            page_index: Page number, from 1.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.

        Source: coze.cn page published_bots_list.
        """
        ...
