"""Chats, messages, and what goes into them."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, Field

from coze_async.models._base import CozeModel, ResponseModel, as_datetime, cut, read_object
from coze_async.models._json import json_list, json_object

__all__ = [
    "Chat",
    "ChatError",
    "ChatResult",
    "ChatStatus",
    "InsertedMessage",
    "KnowledgeChunk",
    "KnowledgeDocument",
    "Message",
    "MessageObject",
    "MessageType",
    "RequiredAction",
    "SubmitToolOutputs",
    "ToolCall",
    "ToolCallFunction",
    "ToolOutput",
    "Usage",
]


class ChatStatus(StrEnum):
    """The states of a chat that are documented; a server may send others."""

    CREATED = "created"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    REQUIRES_ACTION = "requires_action"
    CANCELED = "canceled"


class MessageType(StrEnum):
    """The kinds of message that are documented; a server may send others."""

    QUESTION = "question"
    ANSWER = "answer"
    FUNCTION_CALL = "function_call"
    TOOL_OUTPUT = "tool_output"
    TOOL_RESPONSE = "tool_response"
    FOLLOW_UP = "follow_up"
    VERBOSE = "verbose"
    KNOWLEDGE = "knowledge"


# Coze Studio 4f786d6 writes `cancelled` and `required_action`; a sample of the official page chat_v3 `compleated`.
_SPELLINGS = {"cancelled": "canceled", "required_action": "requires_action", "compleated": "completed"}
# Coze Studio also ends chats as expired or deleted.
_OVER = frozenset(("completed", "failed", "requires_action", "canceled", "expired", "deleted"))


def _spelling(status: str) -> str:
    # Coze Studio and Coze Plus answer `conversation.chat.cancelled`, the name of an event.
    status = status.removeprefix("conversation.chat.")
    return _SPELLINGS.get(status, status)


class Usage(CozeModel):
    """Tokens of one chat or run. The bill is what counts: the official pages call these numbers a reserved field."""

    # Other spellings: some samples of chat_v3 and chat_submit_tool_outputs, and the page of Coze Plus.
    token_count: int = Field(default=0, validation_alias=AliasChoices("token_count", "total_tokens"))
    output_count: int = Field(
        default=0, validation_alias=AliasChoices("output_count", "output_tokens", "completion_tokens")
    )
    input_count: int = Field(default=0, validation_alias=AliasChoices("input_count", "input_tokens", "prompt_tokens"))


class ChatError(CozeModel):
    """Why a chat failed; code 0 means that it did not."""

    code: int = 0
    msg: str = ""


class ToolCallFunction(CozeModel):
    """The function that the bot wants called."""

    name: str = ""
    arguments: str = ""
    """A JSON text."""


class ToolCall(CozeModel):
    """One thing that the bot waits for."""

    id: str
    type: str = "function"
    """`function`: run a local plug-in; `reply_message`: a question node waits for the user, `function` is absent."""
    function: ToolCallFunction | None = None


class SubmitToolOutputs(CozeModel):
    """The tool calls whose outputs are to be submitted, all in one call."""

    tool_calls: list[ToolCall] = Field(default_factory=list[ToolCall])


class RequiredAction(CozeModel):
    """What a chat waits for. A running chat carries an empty one: look at the chat's status."""

    type: str = ""
    submit_tool_outputs: SubmitToolOutputs | None = None


class InsertedMessage(CozeModel):
    """A message of the request that was saved in the conversation."""

    id: str = ""


class Chat(ResponseModel):
    """One question and the work on its answer. Times are Unix seconds."""

    id: str
    conversation_id: str
    bot_id: str | None = None
    """Absent in chatflows."""
    status: Annotated[str, AfterValidator(_spelling)] = ""
    """One of `ChatStatus`, or what else the server says."""
    created_at: int | None = None
    completed_at: int | None = None
    """Filled in early by the cloud; look at the status."""
    failed_at: int | None = None
    meta_data: dict[str, str] | None = None
    last_error: ChatError | None = None
    required_action: RequiredAction | None = None
    usage: Usage | None = None
    section_id: str | None = None
    """The context section: a new one begins after each clearing of the context."""
    inserted_additional_messages: list[InsertedMessage] | None = None
    execute_id: str | None = None
    """Chatflows on Coze Studio only."""

    @property
    def is_over(self) -> bool:
        """True when nothing more will come without an action of the caller."""
        return self.status in _OVER

    @property
    def error(self) -> ChatError | None:
        """Why the chat failed, None if it did not."""
        return self.last_error if self.last_error and (self.last_error.code or self.last_error.msg) else None

    @property
    def tool_calls(self) -> list[ToolCall]:
        """What the bot waits for; empty unless the status is `requires_action`."""
        if self.status != ChatStatus.REQUIRES_ACTION or self.required_action is None:
            return []
        wanted = self.required_action.submit_tool_outputs
        return wanted.tool_calls if wanted else []

    @property
    def created(self) -> datetime | None:
        """When the chat was created."""
        return as_datetime(self.created_at)


class MessageObject(CozeModel):
    """A piece of a message that is more than text: use `of_text`, `of_image`, `of_file`, `of_audio`."""

    type: str
    """`text`, `image`, `file` or `audio`."""
    text: str | None = None
    file_id: str | None = None
    """What `files.upload` returned."""
    file_url: str | None = None
    """An address that the service can reach."""

    @classmethod
    def of_text(cls, text: str) -> "MessageObject":
        """Return the text of a message with files; a message takes one at most."""
        return cls(type="text", text=text)

    @classmethod
    def of_image(cls, *, file_id: str | None = None, file_url: str | None = None) -> "MessageObject":
        """Return an image, by the id of an uploaded file or by its address."""
        return cls(type="image", file_id=file_id, file_url=file_url)

    @classmethod
    def of_file(cls, *, file_id: str | None = None, file_url: str | None = None) -> "MessageObject":
        """Return a file, by the id of an uploaded file or by its address."""
        return cls(type="file", file_id=file_id, file_url=file_url)

    @classmethod
    def of_audio(cls, *, file_id: str | None = None, file_url: str | None = None) -> "MessageObject":
        """Return a recording, by the id of an uploaded file or by its address."""
        return cls(type="audio", file_id=file_id, file_url=file_url)


class Message(ResponseModel):
    """One message, sent or received. Build one to send with `Message.user(...)` or `Message.assistant(...)`."""

    id: str = ""
    """Empty in a message that was not sent yet."""
    role: str = ""
    """`user` or `assistant`."""
    type: str = ""
    """One of `MessageType`, or what else the server says."""
    content: str = ""
    """A text; JSON for content types `object_string` and `card`, base64 for `audio`."""
    content_type: str = "text"
    reasoning_content: str | None = None
    """The chain of thought of a model with deep thinking."""
    conversation_id: str | None = None
    chat_id: str | None = None
    bot_id: str | None = None
    section_id: str | None = None
    meta_data: dict[str, str] | None = None
    created_at: int | None = None
    updated_at: int | None = None

    @classmethod
    def user(cls, content: "str | Sequence[MessageObject]", *, meta_data: dict[str, str] | None = None) -> "Message":
        """Return a message of the user: a text, or text with images, files or audio."""
        if isinstance(content, str):
            return cls(role="user", type="question", content=content, content_type="text", meta_data=meta_data)
        # What is no MessageObject is refused, with advice, where the message is sent.
        text = json.dumps(content, ensure_ascii=False, default=_given_fields)
        return cls(role="user", type="question", content=text, content_type="object_string", meta_data=meta_data)

    @classmethod
    def assistant(cls, content: str, *, meta_data: dict[str, str] | None = None) -> "Message":
        """Return an earlier answer of the bot, as context."""
        return cls(role="assistant", type="answer", content=content, content_type="text", meta_data=meta_data)

    @property
    def created(self) -> datetime | None:
        """When the message was created."""
        return as_datetime(self.created_at)

    @property
    def objects(self) -> list[MessageObject]:
        """The pieces of an `object_string` message; empty for every other one."""
        if self.content_type != "object_string":
            return []
        try:
            pieces = json_list(json.loads(self.content))
        except ValueError:
            return []
        return [read_object(MessageObject, piece) for piece in map(json_object, pieces) if "type" in piece]


class _Words:
    """Shows words as they are."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


def _given_fields(item: Any) -> Any:
    return item.model_dump(exclude_none=True) if isinstance(item, CozeModel) else str(item)


class ToolOutput(CozeModel):
    """The result of one tool call."""

    tool_call_id: str
    output: str
    """A text, often JSON."""


class KnowledgeDocument(CozeModel):
    """The document that a knowledge chunk was cut from."""

    id: str = ""
    name: str = ""


class KnowledgeChunk(CozeModel):
    """A piece of a knowledge base that the bot found for its answer."""

    text: str = ""
    score: float | None = None
    """How well the piece matches, higher is better."""
    document: KnowledgeDocument | None = None
    url: str | None = None
    title: str | None = None
    dataset: KnowledgeDocument | None = None
    """The knowledge base."""


class ChatResult(CozeModel):
    """What a chat brought: the answer and all that came with it."""

    chat: Chat | None = None
    """The chat as the server sent it last; None if a stream broke before it said."""
    messages: list[Message] = Field(default_factory=list[Message])
    """Every whole message; of a stream that broke off also the unfinished ones."""
    logid: str | None = None
    """What Coze support asks for."""

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Return the answer, cut short, and what came with it."""
        yield None, _Words(cut(self.text))
        for name, value in (
            ("status", self.status),
            ("messages", len(self.messages)),
            ("tokens", self.usage.token_count if self.usage else None),
            ("conversation_id", self.conversation_id),
            ("chat_id", self.chat_id),
        ):
            if value:
                yield name, value

    def _repr_markdown_(self) -> str:
        """Return what a notebook shows: the answer as Markdown, and the questions that the bot suggests."""
        return "\n".join([self.text, *(f"\n*{question}*" for question in self.follow_ups)])

    @property
    def answers(self) -> list[str]:
        """The texts of the answers, in order; a bot may give several."""
        return [message.content for message in self.messages if is_answer(message)]

    @property
    def text(self) -> str:
        """The answer's text; several answers stand one paragraph apart."""
        return ANSWER_SEPARATOR.join(filter(None, self.answers))

    @property
    def reasoning(self) -> str:
        """The chain of thought before the answer; empty if the bot does not show it."""
        return "".join(message.reasoning_content or "" for message in self.messages)

    @property
    def follow_ups(self) -> list[str]:
        """Questions that the bot suggests to ask next."""
        return [message.content for message in self.messages if message.type == MessageType.FOLLOW_UP]

    @property
    def knowledge(self) -> list[KnowledgeChunk]:
        """The pieces of knowledge that the answer was made from."""
        return [chunk for message in self.messages for chunk in knowledge_chunks(message)]

    @property
    def tool_calls(self) -> list[ToolCall]:
        """What the bot waits for; submit their outputs to go on."""
        return self.chat.tool_calls if self.chat else []

    @property
    def usage(self) -> Usage | None:
        """Tokens of the chat, None if the server named none.

        Coze Studio and Coze Plus name them in the answers of a stream only, as texts.
        """
        if self.chat is not None and self.chat.usage is not None:
            return self.chat.usage
        return usage_of(self.messages)

    @property
    def is_empty(self) -> bool:
        """True if the bot has said and done nothing: no message of its own has come."""
        return not any(is_of_bot(message) for message in self.messages)

    @property
    def status(self) -> str:
        """The last known status of the chat, one of `ChatStatus`; empty if none is known."""
        return self.chat.status if self.chat else ""

    @property
    def chat_id(self) -> str:
        """The id of the chat; empty if none is known."""
        return self.chat.id if self.chat else ""

    @property
    def conversation_id(self) -> str:
        """The conversation: pass it to the next chat to go on with it; empty if none is known."""
        return self.chat.conversation_id if self.chat else ""


ANSWER_SEPARATOR = "\n\n"


def is_answer(message: Message) -> bool:
    """True for a message whose content is text that answers the user, not a card, a sound or a trace."""
    # The page of Coze Plus leaves the type out.
    answers = message.type == MessageType.ANSWER or (not message.type and message.role == "assistant")
    return answers and message.content_type not in ("card", "audio")


def is_of_bot(message: Message) -> bool:
    """True for what the bot has brought; False for the user's question, which some servers list too."""
    return message.role != "user" and message.type != MessageType.QUESTION


def usage_of(messages: Iterable[Message]) -> Usage | None:
    """Return the tokens that stand in the meta data of answers, None if there are none.

    Source: recordings of Coze Studio 4f786d6 and Coze Plus fb00b21 (`input_tokens`, `output_tokens`, `token`).
    """
    found = [message.meta_data for message in messages if message.meta_data and "output_tokens" in message.meta_data]
    if not found:
        return None
    counts = {name: sum(_count(facts.get(name)) for facts in found) for name in ("input_tokens", "output_tokens")}
    return Usage(
        token_count=sum(counts.values()), input_count=counts["input_tokens"], output_count=counts["output_tokens"]
    )


def _count(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdecimal() and len(text) < 19 else 0


def knowledge_chunks(message: Message) -> Iterable[KnowledgeChunk]:
    """Read the recall out of a message: JSON in a JSON string in a JSON string. Nothing if it holds none.

    Source: Coze Studio 4f786d6 (message/entity/knowledge.go) for the shape; the cloud wraps it in a verbose message.
    """
    if message.type not in (MessageType.VERBOSE, MessageType.KNOWLEDGE):
        return
    recall = json_object(message.content)
    if message.type == MessageType.VERBOSE and recall.get("msg_type") != "knowledge_recall":
        return
    recall = json_object(recall.get("data", recall))
    for chunk in map(json_object, json_list(recall.get("chunks"))):
        meta = json_object(chunk.get("meta"))
        link = json_object(meta.get("link"))
        score = chunk.get("score")
        yield KnowledgeChunk(
            text=_text(chunk.get("slice")) or "",
            score=float(score) if isinstance(score, int | float) else None,
            document=_document(meta.get("document")),
            dataset=_document(meta.get("dataset")),
            title=_text(link.get("title")),
            url=_repaired(_text(link.get("url"))),
        )


# No name of a parameter is longer: without an end, looking for its `=` would take quadratic time.
_LOST_AMPERSAND = re.compile(r"\\?u0026(?=[\w.%~-]{1,64}=)")


def _repaired(url: str | None) -> str | None:
    r"""Put an address right in which the service has lost the backslash of `\u0026`, and so of every `&`."""
    return _LOST_AMPERSAND.sub("&", url) if url else None


def _document(value: Any) -> KnowledgeDocument | None:
    found = json_object(value)
    if not found:
        return None
    return KnowledgeDocument(id=_text(found.get("id")) or "", name=_text(found.get("name")) or "")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
