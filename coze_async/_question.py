"""What a user asks -> the messages of a request, checked against what the service is known to refuse.

Source of the rules: coze.cn pages chat_v3 (additional_messages, object_string) and workflow_chat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from coze_async._errors import ConfigurationError
from coze_async.models import Message, MessageObject

__all__ = ["ChatItem", "Question", "messages_for"]

Question = str | Message | Sequence[MessageObject]
"""A text, a message, or the pieces of a message with images, files or audio."""


@dataclass(frozen=True, slots=True)
class ChatItem:
    """One chat of a batch, with what is different from the others; what is None is as for the whole batch.

    Attributes:
        message: A text, a Message, or a list of MessageObject; None if `additional_messages` ends with it.
        bot_id: The bot.
        user_id: Who asks.
        conversation_id: Go on with this conversation.
        additional_messages: Context before the message.
        custom_variables: Values for the variables of the bot's prompt.
        meta_data: 16 pairs at most.
        parameters: Input of the chatflow that a bot runs on.
        key: Your own, such as the number of a row; it is not sent, and comes back in `Outcome.item`.
    """

    message: Question | None = None
    bot_id: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    additional_messages: Sequence[Message] | None = None
    custom_variables: Mapping[str, str] | None = None
    meta_data: Mapping[str, str] | None = None
    parameters: Mapping[str, Any] | None = None
    key: Any = None

    @property
    def own(self) -> dict[str, Any]:
        """What is different from the others, by name; the message is always its own."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if value is not None and name not in ("message", "key")}


def messages_for(
    question: Question | None,
    context: Sequence[Message],
    *,
    conversation_id: str | None,
    most: int = 100,
) -> list[dict[str, Any]] | None:
    """Return the messages of a request, the question last; None if there are none.

    Args:
        question: What is asked now; None if it is the last of `context`, or stands in the conversation already.
        context: Earlier messages.
        conversation_id: The conversation that is gone on with, if there is one.
        most: How many the service takes.

    Raises:
        ConfigurationError: the service would refuse it; the text says why.
    """
    if isinstance(question, str) and not context:
        # As nearly every question is; a model of it would be made to be taken apart again.
        _check_text(question)
        return [{"role": "user", "type": "question", "content": question, "content_type": "text"}]
    messages = [_checked_context(message) for message in context]
    if question is not None:
        messages.append(_question(question))
    if not messages:
        if conversation_id:
            return None
        raise ConfigurationError(
            "There is nothing to answer: give a message, additional_messages, or a conversation_id "
            "whose last message is the question."
        )
    last = messages[-1]
    if last.role != "user":
        raise ConfigurationError(
            f"The last message is from {last.role or 'nobody'!r}: Coze answers only a message of the "
            "user. Put the question last, e.g. Message.user('…')."
        )
    _check_text(last.content)
    if len(messages) > most:
        raise ConfigurationError(
            f"{len(messages)} messages are too many: this endpoint takes {most}. Leave the oldest out."
        )
    if conversation_id is None:
        _check_neighbours(messages)
    return [_wire(message) for message in messages]


def _check_text(text: str) -> None:
    if not text.strip():
        raise ConfigurationError("The message is empty: there is nothing to answer.")


def _question(question: Question) -> Message:
    if isinstance(question, str):
        return Message.user(question)
    if isinstance(question, Message):
        if question.content_type == "object_string":
            _check_objects(question.objects)
        return question
    objects = [item for item in question if isinstance(item, MessageObject)] if isinstance(question, Sequence) else []
    if not isinstance(question, Sequence) or len(objects) != len(question):
        raise ConfigurationError(
            f"The message is a {type(question).__name__}: give a str, a Message, or a list of MessageObject, "
            "e.g. [MessageObject.of_text('…'), MessageObject.of_image(file_id='…')]."
        )
    _check_objects(objects)
    return Message.user(objects)


def _checked_context(message: Message) -> Message:
    if not isinstance(message, Message):
        given: Any = message
        pieces = ""
        if isinstance(given, Mapping):
            facts = cast("Mapping[Any, Any]", given)
            _check_role(str(facts.get("role", "user")))
            if isinstance(facts.get("content"), list):
                pieces = " Pieces of a message are MessageObject.of_text('…'), of_image(file_url='…') and so on."
        raise ConfigurationError(
            f"additional_messages holds a {type(given).__name__}: give Message.user('…') and Message.assistant('…')."
            f"{pieces}"
        )
    _check_role(message.role)
    if message.content_type == "object_string":
        _check_objects(message.objects)
    return message


def _check_role(role: str) -> None:
    if role in ("user", "assistant"):
        return
    hint = {
        "system": "A system prompt belongs to the bot: into its prompt, with custom_variables for what changes.",
        "developer": "A system prompt belongs to the bot: into its prompt, with custom_variables for what changes.",
        "tool": "The outputs of tools go to chat.submit_tool_outputs(…).",
        "function": "The outputs of tools go to chat.submit_tool_outputs(…).",
    }.get(role, "Use Message.user('…') and Message.assistant('…').")
    raise ConfigurationError(
        f"additional_messages has a message of the role {role!r}: Coze takes 'user' and 'assistant' only. {hint}"
    )


# Pieces of other services -> what is meant here.
_FOREIGN_PIECES = {
    "image_url": "MessageObject.of_image(file_url='…')",
    "input_image": "MessageObject.of_image(file_url='…')",
    "input_text": "MessageObject.of_text('…')",
    "output_text": "Message.assistant('…')",
    "input_file": "MessageObject.of_file(file_id='…')",
    "input_audio": "MessageObject.of_audio(file_id='…')",
}


def _check_objects(objects: Sequence[MessageObject]) -> None:
    if not objects:
        raise ConfigurationError("The list of message objects is empty: give a text with images or files, or a str.")
    texts = [item for item in objects if item.type == "text"]
    if len(texts) > 1:
        raise ConfigurationError(f"The message has {len(texts)} text objects; Coze takes one. Join them.")
    if len(texts) == len(objects):
        raise ConfigurationError("The message has a text object and nothing else. Give the text as a str.")
    for item in objects:
        if item.type not in ("text", "image", "file", "audio"):
            raise ConfigurationError(
                f"The message has an object of the type {item.type!r}, which Coze does not take. "
                f"Give {_FOREIGN_PIECES.get(item.type, 'MessageObject.of_text, of_image, of_file or of_audio')}."
            )
        if item.type == "text":
            if not (item.text or "").strip():
                raise ConfigurationError("The text object of the message is empty. Leave it out.")
        elif bool(item.file_id) == bool(item.file_url):
            raise ConfigurationError(f"The {item.type} object needs a file_id or a file_url, one of the two.")


def _check_neighbours(messages: Sequence[Message]) -> None:
    """A message of nothing but images and files needs a text before or after it; in a conversation it may be there."""
    for n, message in enumerate(messages):
        if not {item.type for item in message.objects} & {"text", "audio"} and message.objects:
            near = [other for other in messages[max(0, n - 1) : n + 2] if other is not message]
            if not any(other.content_type == "text" or any(item.text for item in other.objects) for other in near):
                raise ConfigurationError(
                    "The message has images or files and no text. Add MessageObject.of_text('…'), or "
                    "a text message before or after it."
                )


def _wire(message: Message) -> dict[str, Any]:
    """Return what is sent of a message; what a server said of an earlier one (ids, times) stays here."""
    sent = {
        "role": message.role,
        "type": message.type or ("question" if message.role == "user" else "answer"),
        "content": message.content,
        "content_type": message.content_type,
        "meta_data": message.meta_data or None,
    }
    return {key: value for key, value in sent.items() if value is not None}
