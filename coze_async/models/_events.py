"""The events of a stream: match them by class. `event` is the name on the wire."""

from typing import Any

from pydantic import Field

from coze_async.models._base import CozeModel
from coze_async.models._chat import Chat, Message, Usage

__all__ = [
    "AudioDelta",
    "ChatCanceled",
    "ChatCompleted",
    "ChatCreated",
    "ChatEvent",
    "ChatFailed",
    "ChatInProgress",
    "ChatRequiresAction",
    "InterruptData",
    "MessageCompleted",
    "MessageDelta",
    "StreamDone",
    "UnknownEvent",
    "WorkflowDone",
    "WorkflowEvent",
    "WorkflowInterrupt",
    "WorkflowMessage",
]


class ChatCreated(CozeModel):
    """The chat exists: the first event, and the first place to learn its ids."""

    event: str = "conversation.chat.created"
    chat: Chat


class ChatInProgress(CozeModel):
    """The bot is at work."""

    event: str = "conversation.chat.in_progress"
    chat: Chat


class ChatCompleted(CozeModel):
    """The answer is complete; audio and the end of the stream may still follow."""

    event: str = "conversation.chat.completed"
    chat: Chat


class ChatFailed(CozeModel):
    """The chat failed, `chat.last_error` says why; the next step of the stream raises ChatFailedError."""

    event: str = "conversation.chat.failed"
    chat: Chat


class ChatRequiresAction(CozeModel):
    """The bot waits for the outputs of `chat.tool_calls`."""

    event: str = "conversation.chat.requires_action"
    chat: Chat


class ChatCanceled(CozeModel):
    """Somebody cancelled the chat."""

    event: str = "conversation.chat.canceled"
    chat: Chat


class MessageDelta(CozeModel):
    """A piece of a message, in `message.content` or `message.reasoning_content`. Messages may interleave by id."""

    event: str = "conversation.message.delta"
    message: Message


class MessageCompleted(CozeModel):
    """A whole message; also of the kinds that never come in pieces."""

    event: str = "conversation.message.completed"
    message: Message


class AudioDelta(CozeModel):
    """A piece of the spoken answer, base64 in `message.content`; it may come after `ChatCompleted`."""

    event: str = "conversation.audio.delta"
    message: Message


class StreamDone(CozeModel):
    """The last event."""

    event: str = "done"
    debug_url: str | None = None
    """A page that shows the run; chatflows only."""


class UnknownEvent(CozeModel):
    """An event that this version does not know."""

    event: str
    data: str = ""
    """The text as it came."""


class WorkflowMessage(CozeModel):
    """A piece of what a node of the workflow says."""

    event: str = "Message"
    id: int | None = None
    """Counts the events of the response, from 0."""
    content: str = ""
    content_type: str | None = None
    node_title: str = ""
    node_id: str | None = None
    node_type: str | None = None
    node_seq_id: str = ""
    """Counts the pieces of one node, from 0."""
    node_is_finish: bool = False
    """True in the last piece of this node."""
    node_execute_uuid: str | None = None
    usage: Usage | None = None
    ext: dict[str, Any] | None = None


class InterruptData(CozeModel):
    """What a workflow waits for."""

    event_id: str
    """Looks like EXECUTE/EVENT; give it back whole."""
    type: int = 0
    """2 question, 5 input, 6 local plug-in, 7 OAuth plug-in; Coze Studio also 1, 3, 4."""
    data: str = ""
    required_parameters: dict[str, Any] | None = None


class WorkflowInterrupt(CozeModel):
    """The workflow waits: the stream ends here, `coze.workflows.resume(...)` takes what this holds."""

    event: str = "Interrupt"
    id: int | None = None
    interrupt_data: InterruptData
    node_title: str = ""
    """Empty on Coze Studio."""

    @property
    def event_id(self) -> str:
        """What `resume` takes as event_id."""
        return self.interrupt_data.event_id

    @property
    def interrupt_type(self) -> int:
        """What `resume` takes as interrupt_type."""
        return self.interrupt_data.type


class WorkflowDone(CozeModel):
    """The workflow is over."""

    event: str = "Done"
    id: int | None = None
    debug_url: str | None = None
    ext: dict[str, Any] = Field(default_factory=dict[str, Any])


ChatEvent = (
    ChatCreated
    | ChatInProgress
    | ChatCompleted
    | ChatFailed
    | ChatRequiresAction
    | ChatCanceled
    | MessageDelta
    | MessageCompleted
    | AudioDelta
    | StreamDone
    | UnknownEvent
)
WorkflowEvent = WorkflowMessage | WorkflowInterrupt | WorkflowDone | UnknownEvent
