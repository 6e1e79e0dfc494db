"""Bots (agents), their settings and versions."""

from datetime import datetime

from pydantic import AliasChoices, Field

from coze_async.models._base import CozeModel, ResponseModel, as_datetime

__all__ = [
    "BackgroundImageInfo",
    "Bot",
    "BotBackgroundImageInfo",
    "BotCollaborator",
    "BotCommonKnowledge",
    "BotCreated",
    "BotKnowledge",
    "BotKnowledgeInfo",
    "BotMediaConfig",
    "BotModelInfo",
    "BotOnboardingInfo",
    "BotPluginAPIInfo",
    "BotPluginInfo",
    "BotPromptInfo",
    "BotPublished",
    "BotSuggestReplyInfo",
    "BotVariable",
    "BotVersionInfo",
    "BotVersionUserInfo",
    "BotVoiceData",
    "BotVoiceInfo",
    "BotWorkflowInfo",
    "CanvasPosition",
    "GradientPosition",
    "PluginIDInfo",
    "PluginIDList",
    "PrefixPromptInfo",
    "ShortcutCommandComponent",
    "ShortcutCommandInfo",
    "ShortcutCommandToolInfo",
    "ShortcutToolParam",
    "SimpleBot",
    "SimpleBotV1",
    "WorkflowIDInfo",
    "WorkflowIDList",
]


class BotCreated(ResponseModel):
    """A new bot."""

    bot_id: str
    """New bot id."""


class PrefixPromptInfo(CozeModel):
    """A prompt in parts."""

    prefix_prompt: str | None = None
    dynamic_prompt: str | None = None


class BotPromptInfo(CozeModel):
    """What the bot is told to be."""

    prompt: str = ""
    prompt_mode: str | None = None
    prefix_prompt_info: PrefixPromptInfo | None = None
    """Prefix prompt parts."""


class BotOnboardingInfo(CozeModel):
    """What the bot says first."""

    prologue: str | None = None
    """Opening text."""
    suggested_questions: list[str] = Field(default_factory=list[str])
    onboarding_mode: int | None = None
    """Opening text mode; see `OnboardingMode`."""
    customized_onboarding_prompt: str | None = None
    """Prompt used to generate opening text."""
    suggested_questions_show_mode: int | None = None
    """0 random, 1 all; see `SuggestedQuestionsShowMode`."""


class BotSuggestReplyInfo(CozeModel):
    """Whether the bot suggests what to ask next."""

    reply_mode: str = ""
    """Suggestion mode; see `SuggestReplyMode`."""
    customized_prompt: str | None = None
    """Prompt for customized suggestions."""


class BotModelInfo(CozeModel):
    """The model that a bot runs on, and its settings."""

    model_id: str = ""
    model_name: str | None = None
    temperature: float | None = None
    """Sampling temperature."""
    context_round: int | None = None
    """History rounds sent to the model."""
    max_tokens: int | None = None
    """Maximum tokens."""
    response_format: str | None = None
    """Output format; see `ModelResponseFormat`."""
    top_k: int | None = None
    """Top-k value."""
    top_p: float | None = None
    """Nucleus sampling."""
    cache_type: str | None = None
    """Prefix cache setting; see `ModelCacheType`."""
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    parameters: dict[str, str] | None = None
    """Extra model parameters."""
    sp_anti_leak: bool | None = None
    """Add anti-leak instruction to prompt."""
    sp_current_time: bool | None = None
    """Add current time to prompt."""
    api_mode: str | None = None
    """Model API style, default chat_api."""


class PluginIDInfo(CozeModel):
    """One tool of a plug-in."""

    plugin_id: str
    api_id: str
    """Plugin tool id."""


class PluginIDList(CozeModel):
    """The plug-in tools that a bot gets."""

    id_list: list[PluginIDInfo] | None = None
    """Plugin tool references."""


class WorkflowIDInfo(CozeModel):
    """One workflow."""

    id: str
    """Identifier."""


class WorkflowIDList(CozeModel):
    """The workflows that a bot gets."""

    ids: list[WorkflowIDInfo] | None = None
    """The workflows."""


class BotKnowledge(CozeModel):
    """The knowledge bases that a bot gets: all of them, those left out are taken away."""

    dataset_ids: list[str] | None = None
    """Knowledge base ids (full replacement)."""
    auto_call: bool | None = None
    """Retrieve automatically or on demand."""
    search_strategy: int | None = None
    """0 semantic, 1 hybrid, 20 full text."""


class BotPublished(ResponseModel):
    """A bot that was published."""

    bot_id: str | None = None
    version: str | None = None
    """Published version."""


class BotKnowledgeInfo(CozeModel):
    """One knowledge base of a bot."""

    id: str | None = None
    """Identifier."""
    name: str | None = None


class BotCommonKnowledge(CozeModel):
    """The knowledge bases of a bot."""

    knowledge_infos: list[BotKnowledgeInfo] = Field(default_factory=list[BotKnowledgeInfo])
    """Bound knowledge bases."""


class BotPluginAPIInfo(CozeModel):
    """One tool of a plug-in of a bot."""

    api_id: str = ""
    """Plugin tool id."""
    # Coze Studio writes api_name.
    name: str = Field(default="", validation_alias=AliasChoices("name", "api_name"))
    description: str = ""


class BotPluginInfo(CozeModel):
    """A plug-in of a bot."""

    plugin_id: str = ""
    name: str = ""
    description: str = ""
    icon_url: str = ""
    api_info_list: list[BotPluginAPIInfo] = Field(default_factory=list[BotPluginAPIInfo])
    """Tools of the plugin."""


class GradientPosition(CozeModel):
    """Where a gradient begins and ends."""

    left: float | None = None
    """Left offset."""
    right: float | None = None
    """Right offset."""


class CanvasPosition(CozeModel):
    """Where a picture stands on its canvas."""

    width: float | None = None
    height: float | None = None
    left: float | None = None
    """Left offset."""
    top: float | None = None
    """Top offset."""


class BackgroundImageInfo(CozeModel):
    """A picture behind the chat."""

    image_url: str | None = None
    theme_color: str | None = None
    gradient_position: GradientPosition | None = None
    """Gradient area."""
    canvas_position: CanvasPosition | None = None
    """Crop rectangle."""
    origin_image_url: str | None = None
    """Original image URL."""


class BotBackgroundImageInfo(CozeModel):
    """The pictures behind the chat."""

    web_background_image: BackgroundImageInfo | None = None
    mobile_background_image: BackgroundImageInfo | None = None


class BotVariable(CozeModel):
    """A variable of a bot."""

    # Coze Studio writes key.
    keyword: str = Field(default="", validation_alias=AliasChoices("keyword", "key"))
    """Variable name."""
    default_value: str = ""
    variable_type: str = ""
    """KVVariable or ListVariable; see `VariableType`."""
    channel: str = ""
    """Where the variable comes from; see `VariableChannel`."""
    description: str = ""
    enable: bool = False
    """Enabled flag."""
    prompt_enable: bool = False
    """Usable inside the prompt."""


class BotVoiceInfo(CozeModel):
    """A voice of a bot."""

    voice_id: str = ""
    language_code: str = ""


class BotWorkflowInfo(CozeModel):
    """A workflow of a bot."""

    id: str = ""
    """Identifier."""
    name: str = ""
    description: str = ""
    icon_url: str = ""


class BotVoiceData(CozeModel):
    """A voice of a bot, in the older form."""

    id: str | None = None
    """Identifier."""
    language_code: str | None = None
    language_name: str | None = None
    name: str | None = None
    style_id: str | None = None
    preview_text: str | None = None
    preview_audio: str | None = None
    """Preview audio URL."""


class ShortcutCommandComponent(CozeModel):
    """One input of a shortcut command."""

    name: str | None = None
    description: str | None = None
    type: str | None = None
    tool_parameter: str | None = None
    """Tool parameter name."""
    options: list[str] = Field(default_factory=list[str])
    """Choices of the component."""
    default_value: str | None = None
    is_hide: bool | None = None
    """Hidden component."""


class ShortcutToolParam(CozeModel):
    """One parameter of the tool behind a shortcut command."""

    name: str | None = None
    is_required: bool | None = None
    """Required flag."""
    description: str | None = None
    type: str | None = None
    default_value: str | None = None
    is_refer_component: bool | None = None
    """Value comes from a component."""


class ShortcutCommandToolInfo(CozeModel):
    """The tool behind a shortcut command."""

    name: str | None = None
    type: str | None = None
    plugin_id: str | None = None
    plugin_api_name: str | None = None
    """Plugin tool name."""
    workflow_id: str | None = None
    params: list[ShortcutToolParam] = Field(default_factory=list[ShortcutToolParam])
    """Parameters."""


class ShortcutCommandInfo(CozeModel):
    """A shortcut command of a bot."""

    id: str | None = None
    """Identifier."""
    name: str | None = None
    command: str | None = None
    description: str | None = None
    query_template: str | None = None
    icon_url: str | None = None
    components: list[ShortcutCommandComponent] = Field(default_factory=list[ShortcutCommandComponent])
    """Form components."""
    tool: ShortcutCommandToolInfo | None = None
    """Tool bound to the command."""
    agent_id: str | None = None
    """Node id for multi-agent shortcut."""
    send_type: str | None = None
    """Send type for chat SDK."""
    card_schema: str | None = None
    """Form schema used by chat SDK."""


class BotMediaConfig(CozeModel):
    """How a bot behaves in calls."""

    is_voice_call_closed: bool | None = None
    """Voice call is off."""


class Bot(ResponseModel):
    """A bot and its settings. Times are Unix seconds."""

    bot_id: str = Field(validation_alias=AliasChoices("bot_id", "id"))
    name: str = ""
    description: str = ""
    icon_url: str | None = None
    create_time: int | None = None
    """Creation time, Unix seconds."""
    update_time: int | None = None
    """Update time, Unix seconds."""
    version: str | None = None
    prompt_info: BotPromptInfo | None = None
    """Prompt settings."""
    onboarding_info: BotOnboardingInfo | None = None
    """Opening text settings."""
    knowledge: BotCommonKnowledge | None = None
    """Bound knowledge bases."""
    bot_mode: int | None = None
    """One of `BotMode`."""
    plugin_info_list: list[BotPluginInfo] = Field(default_factory=list[BotPluginInfo])
    """Bound plugins."""
    model_info: BotModelInfo | None = None
    """Model settings."""
    suggest_reply_info: BotSuggestReplyInfo | None = None
    """Follow-up suggestion settings."""
    background_image_info: BotBackgroundImageInfo | None = None
    """Chat background images."""
    variables: list[BotVariable] = Field(default_factory=list[BotVariable])
    owner_user_id: str | None = None
    voice_info_list: list[BotVoiceInfo] = Field(default_factory=list[BotVoiceInfo])
    default_user_input_type: str | None = None
    """Default user input mode; see `UserInputType`."""
    workflow_info_list: list[BotWorkflowInfo] = Field(default_factory=list[BotWorkflowInfo])
    """Bound workflows."""
    folder_id: str | None = None
    voice_data_list: list[BotVoiceData] = Field(default_factory=list[BotVoiceData])
    """Voices (legacy)."""
    shortcut_commands: list[ShortcutCommandInfo] = Field(default_factory=list[ShortcutCommandInfo])
    media_config: BotMediaConfig | None = None
    """Voice call settings."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.create_time)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.update_time)


class SimpleBot(ResponseModel):
    """A bot, in short."""

    id: str
    """Identifier."""
    name: str = ""
    description: str = ""
    icon_url: str = ""
    is_published: bool = False
    """Published flag."""
    updated_at: int = 0
    """Update time, Unix seconds."""
    owner_user_id: str = ""
    folder_id: str | None = None
    published_at: int | None = None
    """Publish time, Unix seconds."""

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.updated_at)

    @property
    def published(self) -> datetime | None:
        """When it was published."""
        return as_datetime(self.published_at)


class SimpleBotV1(ResponseModel):
    """A published bot, in the form of the older list."""

    bot_id: str
    bot_name: str = ""
    description: str = ""
    icon_url: str = ""
    publish_time: str = ""
    """Publish time, Unix seconds as a text."""

    @property
    def published(self) -> datetime | None:
        """When it was published."""
        return as_datetime(self.publish_time)


class BotVersionUserInfo(CozeModel):
    """Who made a version of a bot."""

    id: str = ""
    """Identifier."""
    name: str = ""


class BotVersionInfo(ResponseModel):
    """A version of a bot."""

    version: str = ""
    description: str = ""
    created_at: str = ""
    """Creation time, Unix seconds as a text."""
    updated_at: str = ""
    """Update time, Unix seconds as a text."""
    creator: BotVersionUserInfo | None = None
    """Creator info."""
    publish_status: str | None = None
    """One of `PublishStatus`."""
    changelog: str | None = None
    """Version change notes."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)


class BotCollaborator(CozeModel):
    """Who is to work on a bot or a workflow."""

    user_id: str
