"""What is known of a workflow without running it."""

from datetime import datetime

from pydantic import Field

from coze_async.models._base import CozeModel, ResponseModel, as_datetime
from coze_async.models._bots import CanvasPosition, GradientPosition

__all__ = [
    "ChatFlowAudioConfig",
    "ChatFlowAvatar",
    "ChatFlowBackgroundImageDetail",
    "ChatFlowBackgroundImageInfo",
    "ChatFlowOnboardingInfo",
    "ChatFlowRole",
    "ChatFlowSuggestReplyInfo",
    "ChatFlowUserInputConfig",
    "ChatFlowVoiceConfig",
    "WorkflowBasic",
    "WorkflowInfo",
    "WorkflowInputSchema",
    "WorkflowNodeExecuteHistory",
    "WorkflowOutputSchema",
    "WorkflowParameterSchema",
    "WorkflowUserInfo",
    "WorkflowVersionInfo",
]


class WorkflowUserInfo(CozeModel):
    """Who made a workflow."""

    id: str = ""
    """Identifier."""
    name: str = ""


class WorkflowBasic(ResponseModel):
    """A workflow, in short."""

    workflow_id: str
    workflow_name: str = ""
    description: str = ""
    icon_url: str = ""
    app_id: str = ""
    """Coze app (project) id."""
    created_at: int | None = None
    """Creation time, Unix seconds."""
    updated_at: int | None = None
    """Update time, Unix seconds."""
    creator: WorkflowUserInfo | None = None
    """Creator info."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.updated_at)


class ChatFlowAvatar(CozeModel):
    """The picture of a chatflow."""

    image_uri: str | None = None
    """Image storage key."""
    image_url: str | None = None


class ChatFlowOnboardingInfo(CozeModel):
    """What a chatflow says first."""

    prologue: str | None = None
    """Opening text."""
    suggested_questions: list[str] = Field(default_factory=list[str])
    display_all_suggestions: bool | None = None
    """Show all suggested questions."""


class ChatFlowSuggestReplyInfo(CozeModel):
    """Whether a chatflow suggests what to ask next."""

    suggest_reply_mode: int | None = None
    """How follow-up questions are produced; see `ChatFlowSuggestReplyMode`."""
    customized_suggest_prompt: str | None = None
    """Prompt for follow-up questions."""


class ChatFlowBackgroundImageDetail(CozeModel):
    """A picture behind a chatflow."""

    origin_image_uri: str | None = None
    """Original image storage key."""
    origin_image_url: str | None = None
    """Original image URL."""
    image_uri: str | None = None
    """Image storage key."""
    image_url: str | None = None
    theme_color: str | None = None
    gradient_position: GradientPosition | None = None
    """Gradient area."""
    canvas_position: CanvasPosition | None = None
    """Crop rectangle."""


class ChatFlowBackgroundImageInfo(CozeModel):
    """The pictures behind a chatflow."""

    web_background_image: ChatFlowBackgroundImageDetail | None = None
    mobile_background_image: ChatFlowBackgroundImageDetail | None = None


class ChatFlowVoiceConfig(CozeModel):
    """A voice of a chatflow."""

    voice_name: str | None = None
    """Name of the cloned voice."""
    voice_id: str | None = None
    voice_emotion: str | None = None
    voice_emotion_scale: float | None = None
    """Emotion strength."""
    voice_scene: str | None = None


class ChatFlowAudioConfig(CozeModel):
    """How a chatflow speaks."""

    voice_config_map: dict[str, ChatFlowVoiceConfig] | None = None
    """Voice per language."""
    is_text_to_voice_enable: bool | None = None
    """Speak answers."""
    agent_message_type: int | None = None
    """Default input kind of the agent; see `ChatFlowInputMode`."""


class ChatFlowUserInputConfig(CozeModel):
    """How users talk to a chatflow."""

    default_input_mode: int | None = None
    """Default input kind; see `ChatFlowInputMode`."""
    send_voice_mode: int | None = None
    """How voice input is sent; see `ChatFlowSendVoiceMode`."""


class ChatFlowRole(CozeModel):
    """How a chatflow presents itself."""

    id: str | None = None
    """Identifier."""
    workflow_id: str | None = None
    connector_id: str | None = None
    """Publish channel id; 1024 API, 999 Chat SDK."""
    avatar: ChatFlowAvatar | None = None
    description: str | None = None
    onboarding_info: ChatFlowOnboardingInfo | None = None
    """Opening text settings."""
    name: str | None = None
    suggest_reply_info: ChatFlowSuggestReplyInfo | None = None
    """Follow-up suggestion settings."""
    background_image_info: ChatFlowBackgroundImageInfo | None = None
    """Chat background images."""
    audio_config: ChatFlowAudioConfig | None = None
    """How it speaks."""
    user_input_config: ChatFlowUserInputConfig | None = None
    """User input settings."""
    project_version: str | None = None


class WorkflowParameterSchema(CozeModel):
    """The type of one input."""

    description: str | None = None
    required: bool | None = None
    """Input must be given."""
    default_value: str | None = None
    properties: "dict[str, WorkflowParameterSchema] | None" = None
    """Nested fields of an object."""
    type: str | None = None
    items: "WorkflowParameterSchema | None" = None
    """Type of the items of an array."""


class WorkflowInputSchema(CozeModel):
    """The inputs of a workflow."""

    parameters: dict[str, WorkflowParameterSchema] | None = None
    """Input name to schema."""


class WorkflowOutputSchema(CozeModel):
    """The output of a workflow."""

    parameters: dict[str, WorkflowParameterSchema] | None = None
    """Output name to schema."""
    terminate_plan: str | None = None
    """How the workflow ends."""
    content: str | None = None
    """Template of the final message."""


class WorkflowInfo(ResponseModel):
    """A workflow, with its inputs and outputs if asked for."""

    workflow_detail: WorkflowBasic | None = None
    """Basic workflow data."""
    role: ChatFlowRole | None = None
    """Chatflow role settings."""
    input: WorkflowInputSchema | None = None
    """Input schema."""
    output: WorkflowOutputSchema | None = None
    """Output schema."""


class WorkflowVersionInfo(ResponseModel):
    """A version of a workflow."""

    version: str = ""
    description: str = ""
    created_at: str = ""
    """Creation time, Unix seconds as a text."""
    updated_at: str = ""
    """Update time, Unix seconds as a text."""
    workflow_id: str = ""
    creator: WorkflowUserInfo | None = None
    """Creator info."""
    input: WorkflowInputSchema | None = None
    """Input schema."""
    output: WorkflowOutputSchema | None = None
    """Output schema."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)


class WorkflowNodeExecuteHistory(ResponseModel):
    """What one node put out during a run."""

    is_finish: bool = False
    """Finished flag."""
    node_output: str | None = None
