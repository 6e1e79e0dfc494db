"""Bots (agents), their settings and versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from coze_async._config import Timeouts
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


class BotCollaborationModesResource(Resource, place="bots.collaboration_modes"):
    """Whether one or several people edit a bot."""

    @post("/v1/bots/{bot_id}/collaboration_mode", safe=True)
    async def update(self, *, bot_id: str, collaboration_mode: str, timeouts: Timeouts | None = None) -> None:
        """Let one person or several edit a bot.

        Args:
            bot_id: The bot.
            collaboration_mode: `single` or `collaboration`, see `BotCollaborationMode`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page switch_bot_develop_mode.
        """
        ...


class BotCollaboratorsResource(Resource, place="bots.collaborators"):
    """Who works on a bot."""

    @post("/v1/bots/{bot_id}/collaborators", kind="collaboration")
    async def create(
        self, *, bot_id: str, collaborators: Sequence[BotCollaborator], timeouts: Timeouts | None = None
    ) -> None:
        """Add collaborators to a bot.

        Args:
            bot_id: The bot.
            collaborators: Who is added, one at a time.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page add_bot_collaborator.
        """
        ...

    @delete("/v1/bots/{bot_id}/collaborators/{user_id}", safe=True, kind="collaboration")
    async def delete(self, *, bot_id: str, user_id: str, timeouts: Timeouts | None = None) -> None:
        """Remove a collaborator from a bot.

        Args:
            bot_id: The bot.
            user_id: The user.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page remove_bot_collaborator.
        """
        ...


class BotVersionsResource(Resource, place="bots.versions"):
    """The versions of a bot."""

    @get("/v1/bots/{bot_id}/versions", pages=ByNumber(key="version"), kind="bot_info")
    def list(
        self,
        *,
        bot_id: str,
        page_num: int = 1,
        page_size: int = 10,
        publish_status: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[BotVersionInfo]:
        """List versions of a bot.

        Args:
            bot_id: The bot.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 30 at most.
            publish_status: Only those in this state, see `PublishStatus`.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_bot_versions.
        """
        ...


class BotsResource(Resource):
    """Bots (agents): make, change, publish, read."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.collaboration_modes: BotCollaborationModesResource = BotCollaborationModesResource(core)
        self.collaborators: BotCollaboratorsResource = BotCollaboratorsResource(core)
        self.versions: BotVersionsResource = BotVersionsResource(core)

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
        timeouts: Timeouts | None = None,
    ) -> BotCreated:
        """Make a draft bot and return its id.

        Args:
            space_id: The workspace.
            name: The name.
            description: What it is for.
            icon_file_id: An uploaded picture as its icon.
            prompt_info: What the bot is told to be.
            onboarding_info: What the bot says first.
            suggest_reply_info: Whether the bot suggests what to ask next.
            model_info_config: The model and its settings.
            plugin_id_list: The tools of plug-ins that it may call.
            workflow_id_list: The workflows that it may call.
            voice_ids: Its voices.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_bot.
        """
        ...

    @post("/v1/bot/update", kind="bot_management", safe=True)
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
        timeouts: Timeouts | None = None,
    ) -> None:
        """Change a draft bot; what is not given stays.

        Args:
            bot_id: The bot.
            name: The name.
            description: What it is for.
            icon_file_id: An uploaded picture as its icon.
            prompt_info: What the bot is told to be.
            onboarding_info: What the bot says first.
            knowledge: All its knowledge bases; those left out are taken away.
            suggest_reply_info: Whether the bot suggests what to ask next.
            model_info_config: The model and its settings.
            workflow_id_list: The workflows that it may call.
            plugin_id_list: The tools of plug-ins that it may call.
            voice_ids: Its voices.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_bot.
        """
        ...

    @post("/v1/bot/publish", kind="bot_management")
    async def publish(
        self,
        *,
        bot_id: str,
        connector_ids: Sequence[str] = ("1024",),
        connectors: Mapping[str, Any] | None = None,
        timeouts: Timeouts | None = None,
    ) -> BotPublished:
        """Publish a bot to channels and return its new version.

        Args:
            bot_id: The bot.
            connector_ids: The channels: 1024 is the API, 999 the Chat SDK.
            connectors: Channel id -> its settings, for channels that have some.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page publish_bot.
        """
        ...

    @post("/v1/bots/{bot_id}/unpublish", kind="bot_management")
    async def unpublish(
        self, *, bot_id: str, connector_id: str, unpublish_reason: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        """Take a bot off a channel.

        Args:
            bot_id: The bot.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            unpublish_reason: Why, for people.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page unpublish_agent.
        """
        ...

    @get("/v1/bots/{bot_id}", kind="bot_info")
    async def retrieve(
        self,
        *,
        bot_id: str,
        is_published: bool | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Bot:
        """Read one bot, draft or published, with its settings.

        Args:
            bot_id: The bot.
            is_published: True for the published version, as None does; False for the draft.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_metadata_draft_published.
        """
        ...

    # Coze Studio and Coze Plus fail without a channel, and answer with the bot itself.
    @get("/v1/bot/get_online_info", payload=("data", ""), kind="bot_info")
    async def retrieve_online(
        self,
        *,
        bot_id: str,
        connector_id: str | None = "1024",
        version: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Bot:
        """Read one published bot, on the older route.

        Args:
            bot_id: The bot.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK; self-hosted servers need one.
            version: The version.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_metadata.
        """
        ...

    # cozepy sends page_index, which the page does not know.
    @get("/v1/bots", pages=ByNumber(), kind="bot_info")
    def list(
        self,
        *,
        workspace_id: str,
        page_size: int = 20,
        publish_status: str | None = None,
        connector_id: str | None = None,
        page_num: int = 1,
        timeouts: Timeouts | None = None,
    ) -> Pages[SimpleBot]:
        """List bots of a workspace, drafts too.

        Args:
            workspace_id: The workspace.
            page_size: Items per page.
            publish_status: Only those in this state, see `PublishStatus`.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            page_num: The page to begin with, from 1.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page bots_list_draft_published.
        """
        ...

    @get(
        "/v1/space/published_bots_list",
        pages=ByNumber(items="space_bots", key="bot_id", page="page_index"),
        kind="bot_info",
    )
    def list_v1(
        self,
        *,
        space_id: str,
        page_size: int = 20,
        page_index: int = 1,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[SimpleBotV1]:
        """List published bots of a workspace, on the older route.

        Args:
            space_id: The workspace.
            page_size: Items per page.
            page_index: The page to begin with, from 1.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page published_bots_list.
        """
        ...
