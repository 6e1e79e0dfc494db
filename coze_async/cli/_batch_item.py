"""One question of a file: what is asked, and how it is known again when the file is read another time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from coze_async import ChatItem, Message, MessageObject
from coze_async.models._json import is_list, is_object

__all__ = ["JSON_FIELDS", "NoQuestionError", "Origin", "item_of"]

_IDS = ("bot_id", "user_id", "conversation_id")
JSON_FIELDS = ("additional_messages", "custom_variables", "meta_data", "parameters")
"""Fields whose values are more than texts."""


class NoQuestionError(Exception):
    """A line holds no question that can be asked; says why."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a question stands, and how it is known again.

    Attributes:
        line: The number of its line, from 1.
        id: The name that the file gives it, None if it gives none.
        digest: Of all that is asked.
        extra: Fields of the file that are not asked; they come back with the answer.
    """

    line: int
    id: str | None
    digest: str
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def key(self) -> str | int:
        """What stays the same when the file is read again: the id if there is one, else the line."""
        return self.line if self.id is None else self.id

    @property
    def name(self) -> str:
        """The question as a reader finds it."""
        return f"line {self.line}" if self.id is None else f"{self.id!r} (line {self.line})"


def item_of(line: int, message: Any, fields: Mapping[str, Any]) -> ChatItem:
    """Return the question of a line, with its origin as `key`.

    Args:
        line: The number of the line.
        message: The question: a text, or pieces such as `{"type": "image", "file_id": "…"}`.
        fields: All else that stands there. Names that a chat takes are its own; the others are kept.

    Raises:
        NoQuestionError: it cannot be asked.
    """
    asked = {name: fields[name] for name in (*_IDS, *JSON_FIELDS) if fields.get(name) not in (None, "")}
    extra = {name: value for name, value in fields.items() if name not in ("id", *_IDS, *JSON_FIELDS)}
    return ChatItem(
        message=_message(message, has_context=bool(asked.get("additional_messages"))),
        **{name: _id(name, asked.get(name)) for name in _IDS},
        additional_messages=_context(asked.get("additional_messages")),
        custom_variables=_texts("custom_variables", asked.get("custom_variables")),
        meta_data=_texts("meta_data", asked.get("meta_data")),
        parameters=_object("parameters", asked.get("parameters")),
        key=Origin(line, _id("id", fields.get("id")), _digest({"message": message, **asked}), extra),
    )


def _digest(asked: Mapping[str, Any]) -> str:
    try:
        content = json.dumps(asked, ensure_ascii=False, sort_keys=True).encode()
    except UnicodeEncodeError:
        raise NoQuestionError("it holds half a character: one part of a surrogate pair") from None
    return blake2b(content, digest_size=10).hexdigest()


def _message(message: Any, *, has_context: bool) -> str | list[MessageObject] | None:
    if message is None or message == "" or message == []:
        if has_context:
            return None
        raise NoQuestionError("the question is empty")
    if isinstance(message, str):
        if not message.strip():
            raise NoQuestionError("the question is empty")
        return message
    if not is_list(message):
        raise NoQuestionError(f"the question is {_shown(message)}: it must be a text, or a list of pieces")
    return [_piece(piece) for piece in message]


def _piece(piece: Any) -> MessageObject:
    try:
        return MessageObject(**piece)
    except (TypeError, ValueError):
        raise NoQuestionError(
            f'a piece of the question is {_shown(piece)}: write {{"type": "image", "file_id": "…"}}'
        ) from None


def _id(name: str, value: Any) -> str | None:
    """Return an id; a number is one too, unless it has lost digits on its way through a table."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise NoQuestionError(f"{name} is {_shown(value)}: it must be a text")
    text = str(value).strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        # The file of answers could not name it.
        raise NoQuestionError(f"{name} holds half a character: one part of a surrogate pair") from None
    return text


def _context(value: Any) -> Sequence[Message] | None:
    if value is None:
        return None
    messages: list[Message] = []
    for entry in value if is_list(value) else [value]:
        facts = entry if is_object(entry) else {}
        role, content = facts.get("role"), facts.get("content")
        if role == "user" and is_list(content):
            messages.append(Message.user([_piece(piece) for piece in content]))
        elif role in ("user", "assistant") and isinstance(content, str):
            messages.append(Message.user(content) if role == "user" else Message.assistant(content))
        else:
            raise NoQuestionError(
                f'additional_messages holds {_shown(entry)}: write {{"role": "user", "content": "…"}}, or "assistant"'
            )
    return messages


def _texts(name: str, value: Any) -> Mapping[str, str] | None:
    """Return names with texts; the service takes nothing else here, so numbers become texts."""
    facts = _object(name, value)
    if facts is None:
        return None
    return {
        key: given if isinstance(given, str) else json.dumps(given, ensure_ascii=False) for key, given in facts.items()
    }


def _object(name: str, value: Any) -> Mapping[str, Any] | None:
    if value is None or is_object(value):
        return value
    raise NoQuestionError(f'{name} is {_shown(value)}: it must be an object such as {{"city": "杭州"}}')


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
