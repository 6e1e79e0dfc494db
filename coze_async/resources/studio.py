"""The session routes of self-hosted Coze Studio and Coze Plus: they take the cookie of a signed-in browser."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Unpack

from coze_async._chat_stream import ChatStream
from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, core_within, post, unexpected_argument
from coze_async._errors import ConfigurationError
from coze_async._replies import result_from_reply
from coze_async.models import ChatResult, DraftBotCreated, DraftBotPublished

__all__ = ["AgentRunOptions", "DraftBotsResource", "StudioResource"]


class AgentRunOptions(TypedDict, total=False):
    """What a run of an agent takes beyond the agent, the conversation and the question."""

    draft_mode: bool | None
    """True, the default, talks to the draft; published bots answer there with an empty stream if it is False."""
    scene: int | None
    """4, the default, the playground, 9 the API; see ConversationScene of Coze Studio. The server demands one."""
    space_id: str | None
    custom_variables: Mapping[str, str] | None
    content_type: str | None
    extra: Mapping[str, str] | None
    local_message_id: str | None
    regen_message_id: str | None
    device_id: str | None
    commit_version: str | None
    sub_scene: str | None
    shortcut_cmd_id: str | None
    timeouts: Timeouts | None
    """For this call, instead of the client's."""


class DraftBotsResource(Resource, place="studio.draft_bots"):
    """Make and publish bots on a self-hosted server."""

    @post("/api/draftbot/create", session=True, kind="bot_management")
    async def create(
        self,
        *,
        space_id: str,
        name: str | None = None,
        description: str | None = None,
        icon_uri: str | None = "default_icon/default_agent_icon.png",
        visibility: int | None = None,
        create_from: str | None = None,
        business_type: int | None = None,
        timeouts: Timeouts | None = None,
    ) -> DraftBotCreated:
        """Make a draft bot and return its id; the server demands an icon.

        Source: Coze Studio 4f786d6 and Coze Plus fb00b21, interface description.
        """
        ...

    @post("/api/draftbot/update_display_info", session=True, kind="bot_management")
    async def update_display_info(
        self,
        *,
        bot_id: str,
        display_info: Mapping[str, Any] | None = None,
        space_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Change which parts of a draft bot's page are open: `{"tab_display_info": {"plugin_tab_status": 1, …}}`.

        Source: Coze Studio 4f786d6 and Coze Plus fb00b21, interface description.
        """
        ...

    @post("/api/draftbot/publish", session=True, kind="bot_management")
    async def publish(
        self,
        *,
        space_id: str,
        bot_id: str,
        connectors: Mapping[str, Mapping[str, str]] | None = None,
        connector_list: Mapping[str, Any] | None = None,
        work_info: Mapping[str, Any] | None = None,
        botMode: int | None = None,  # noqa: N803 - the wire's name
        agents: Sequence[Mapping[str, Any]] | None = None,
        canvas_data: str | None = None,
        bot_tag_info: Sequence[Mapping[str, Any]] | None = None,
        submit_bot_market_config: Mapping[str, Any] | None = None,
        publish_id: str | None = None,
        commit_version: str | None = None,
        publish_type: int | None = None,
        pre_publish_ext: str | None = None,
        history_info: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> DraftBotPublished:
        """Publish a draft bot and return how it went, by channel.

        Args:
            space_id: The workspace.
            bot_id: The draft bot.
            connectors: Channel id -> its settings; `{"1024": {}}` is the API.
            connector_list: As the interface description says.
            work_info: As the interface description says.
            botMode: 0 one agent, 1 several agents, 2 one agent on a workflow.
            agents: As the interface description says.
            canvas_data: As the interface description says.
            bot_tag_info: As the interface description says.
            submit_bot_market_config: As the interface description says.
            publish_id: Your own name for this publication.
            commit_version: The version to publish.
            publish_type: 0 online, 1 a preview.
            pre_publish_ext: As the interface description says.
            history_info: What has changed, for people.
            timeouts: For this call, instead of the client's.

        Source: Coze Studio 4f786d6 and Coze Plus fb00b21, interface description.
        """
        ...


class StudioResource(Resource):
    """What only self-hosted servers have; make the client with `SessionAuth`."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.draft_bots: DraftBotsResource = DraftBotsResource(core)

    async def agent_run(
        self, query: str, *, bot_id: str, conversation_id: str, **options: Unpack[AgentRunOptions]
    ) -> ChatResult:
        """Ask an agent as the web page does and return its whole answer.

        Args:
            query: The question.
            bot_id: The agent.
            conversation_id: Where question and answer are kept; this route makes none by itself.
            **options: See `AgentRunOptions`.

        Source: Coze Studio 4f786d6 (it always streams); a server that answers with JSON is understood too.
        """
        core = core_within(self._core, options.pop("timeouts", None))
        arguments = _asked("agent_run", query, bot_id, conversation_id, options)
        reply = await core.send(_AGENT_RUN.request(arguments, user=core.options.user))
        return result_from_reply(core, "POST /api/conversation/chat", reply)

    def agent_run_stream(
        self, query: str, *, bot_id: str, conversation_id: str, **options: Unpack[AgentRunOptions]
    ) -> ChatStream:
        """Ask an agent as the web page does and return the events as they come.

        Args:
            query: The question.
            bot_id: The agent.
            conversation_id: Where question and answer are kept; this route makes none by itself.
            **options: See `AgentRunOptions`.
        """
        return self._agent_run(**_asked("agent_run_stream", query, bot_id, conversation_id, options))

    @post("/api/conversation/chat", session=True, kind="chat")
    def _agent_run(
        self,
        *,
        bot_id: str,
        conversation_id: str,
        query: str,
        draft_mode: bool | None = True,
        scene: int | None = 4,
        space_id: str | None = None,
        custom_variables: Mapping[str, str] | None = None,
        content_type: str | None = None,
        extra: Mapping[str, str] | None = None,
        local_message_id: str | None = None,
        regen_message_id: str | None = None,
        device_id: str | None = None,
        commit_version: str | None = None,
        sub_scene: str | None = None,
        shortcut_cmd_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> ChatStream:
        """Chat through the web page's route. Source: Coze Studio 4f786d6, interface description."""
        ...


_AGENT_RUN = StudioResource._agent_run.endpoint  # type: ignore[attr-defined]  # noqa: SLF001


def _asked(function: str, query: str, bot_id: str, conversation_id: str, options: AgentRunOptions) -> dict[str, Any]:
    for name in options:
        if name not in AgentRunOptions.__annotations__:
            raise unexpected_argument(f"studio.{function}", name, AgentRunOptions.__annotations__)
    if not query.strip():
        raise ConfigurationError("The query is empty: there is nothing to answer.")
    return {**options, "query": query, "bot_id": bot_id, "conversation_id": conversation_id}
