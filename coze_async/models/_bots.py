"""Bots, as `bots.retrieve` and its sisters return them."""

from datetime import datetime
from typing import Any

from pydantic import AliasChoices, Field

from coze_async.models._base import CozeModel, as_datetime

__all__ = [
    "Bot",
    "BotBackgroundImage",
    "BotKnowledge",
    "BotKnowledgeInfo",
    "BotModel",
    "BotOnboarding",
    "BotPlugin",
    "BotPluginTool",
    "BotPrompt",
    "BotSuggestReply",
    "BotVariable",
    "BotVoice",
    "BotWorkflow",
]


class BotPrompt(CozeModel):
    """What the bot was told to be."""

    prompt: str = ""
    prompt_mode: str | None = None


class BotOnboarding(CozeModel):
    """What the bot says first."""

    prologue: str = ""
    suggested_questions: list[str] = Field(default_factory=list[str])


class BotKnowledgeInfo(CozeModel):
    """One knowledge base of a bot."""

    id: str = ""
    name: str = ""


class BotKnowledge(CozeModel):
    """The knowledge bases of a bot."""

    knowledge_infos: list[BotKnowledgeInfo] = Field(default_factory=list[BotKnowledgeInfo])


class BotPluginTool(CozeModel):
    """One tool of a plug-in."""

    api_id: str = ""
    # Coze Studio writes api_name.
    name: str = Field(default="", validation_alias=AliasChoices("name", "api_name"))
    description: str = ""


class BotPlugin(CozeModel):
    """A plug-in of a bot."""

    plugin_id: str = ""
    name: str = ""
    description: str = ""
    icon_url: str | None = None
    api_info_list: list[BotPluginTool] = Field(default_factory=list[BotPluginTool])


class BotModel(CozeModel):
    """The model that a bot runs on, and its settings."""

    model_id: str = ""
    model_name: str = ""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    context_round: int | None = None
    """How many rounds of history the model sees."""
    response_format: str | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class BotSuggestReply(CozeModel):
    """Whether the bot suggests what to ask next."""

    reply_mode: str | None = None
    customized_prompt: str | None = None


class BotBackgroundImage(CozeModel):
    """Pictures behind the chat."""

    web_background_image: dict[str, Any] | None = None
    mobile_background_image: dict[str, Any] | None = None


class BotVariable(CozeModel):
    """A variable of a bot."""

    # Coze Studio writes key.
    keyword: str = Field(default="", validation_alias=AliasChoices("keyword", "key"))
    default_value: str = ""
    variable_type: str | None = None
    channel: str | None = None
    description: str = ""
    enable: bool | None = None
    prompt_enable: bool | None = None


class BotVoice(CozeModel):
    """A voice of a bot."""

    voice_id: str = ""
    language_code: str | None = None


class BotWorkflow(CozeModel):
    """A workflow of a bot."""

    id: str = ""
    name: str = ""
    description: str = ""
    icon_url: str | None = None


class Bot(CozeModel):
    """A bot and its settings. Times are Unix seconds."""

    bot_id: str = Field(validation_alias=AliasChoices("bot_id", "id"))
    name: str = ""
    description: str = ""
    icon_url: str | None = None
    version: str | None = None
    create_time: int | None = None
    update_time: int | None = None
    prompt_info: BotPrompt | None = None
    onboarding_info: BotOnboarding | None = None
    knowledge: BotKnowledge | None = None
    bot_mode: int | None = None
    """0 one agent, 1 several agents, 2 one agent on a workflow."""
    plugin_info_list: list[BotPlugin] = Field(default_factory=list[BotPlugin])
    model_info: BotModel | None = None
    suggest_reply_info: BotSuggestReply | None = None
    background_image_info: BotBackgroundImage | None = None
    variables: list[BotVariable] = Field(default_factory=list[BotVariable])
    owner_user_id: str | None = None
    voice_info_list: list[BotVoice] = Field(default_factory=list[BotVoice])
    default_user_input_type: str | None = None
    workflow_info_list: list[BotWorkflow] = Field(default_factory=list[BotWorkflow])
    folder_id: str | None = None

    @property
    def created(self) -> datetime | None:
        """When the bot was created."""
        return as_datetime(self.create_time)

    @property
    def updated(self) -> datetime | None:
        """When the bot was last changed."""
        return as_datetime(self.update_time)
