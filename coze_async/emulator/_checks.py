"""What the messages of a request have to look like, and the question in them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from ._fields import Fields
from ._wire import Refusal

_ITEMS = ("text", "file", "image", "audio")
_DEEPEST = 200  # what is written down can be no deeper than 255


def read_json(text: str) -> Any:
    """The value of a JSON text, fit to be written down again.

    Half of a pair of surrogates, which JSON can name and UTF-8 cannot write, becomes a question mark.

    Raises:
        ValueError: it is no JSON, or it is nested too deeply.
    """
    try:
        value: Any = json.loads(text)
        if "\\u" in text:
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if text.count("[") + text.count("{") > _DEEPEST and _is_deep(value):
        raise ValueError("it is nested too deeply")
    return value


def _is_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        if not level:
            return False
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (cast("Iterable[Any]", item.values() if isinstance(item, dict) else item))
        ]
    return bool(level)


def messages_of(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a request."""
    given = body.get("additional_messages")
    return objects([] if given is None else given, "additional_messages must be a list of messages.")


def question_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last user message that has one."""
    return (_questions(messages) or [""])[-1]


def earlier_questions(messages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The questions before the last one: some clients send the whole history with each chat."""
    return tuple(_questions(messages)[:-1])


def _questions(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    found: list[str] = []
    for message in messages:
        if message.get("role") != "user":
            continue
        content = str(message.get("content", ""))
        if message.get("content_type") != "object_string":
            found.append(content)
            continue
        found += [str(item.get("text", "")) for item in _items(content) if item.get("type") == "text"][:1]
    return found


def is_spoken(messages: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the user speaks: then the answer is spoken too (coze.cn page chat_v3)."""
    asked = [message for message in messages if message.get("role") == "user"][-1:]
    return any(
        item.get("type") == "audio"
        for message in asked
        if message.get("content_type") == "object_string"
        for item in _items(str(message.get("content", "")))
    )


def _items(content: str) -> list[dict[str, Any]]:
    try:
        items = read_json(content)
    except ValueError:
        items = None
    return objects(items, "The content of an object_string message must be a JSON list of objects.")


def objects(value: Any, complaint: str) -> list[dict[str, Any]]:
    """`value`, if it is a list of JSON objects; otherwise the complaint."""
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(item, dict) for item in items):
        raise Refusal(4000, complaint)
    return cast("list[dict[str, Any]]", items)


def check_messages(messages: Sequence[Mapping[str, Any]], *, most: int, text_only: bool = False) -> None:
    """Refuse messages that break the documented limits.

    Source: coze.cn docs, chat_v3 and workflow_chat.
    """
    if not messages:
        raise Refusal(4000, "additional_messages is empty: there is nothing to answer.")
    if len(messages) > most:
        raise Refusal(4004, f"additional_messages holds more than {most} messages.")
    for message in messages:
        _check_message(Fields(message, "additional_messages."))
    if messages[-1].get("role") != "user":
        raise Refusal(4000, "The last message must be from the user.")
    plain = [(message.get("content_type") or "text") == "text" for message in messages]
    if text_only and not all(plain):
        raise Refusal(4000, "A chatflow takes text messages only; files go through parameters.")
    for index, message in enumerate(messages):
        if message.get("content_type") != "object_string":
            continue
        content = str(message.get("content", ""))
        texts, is_audio = _texts_beside_files(content), any(item.get("type") == "audio" for item in _items(content))
        # The page's rule names files and images; a recording is a question by itself.
        if not texts and not is_audio and not any(plain[max(index - 1, 0) : index + 2]):
            raise Refusal(4000, "A message of files alone needs a text message before or after it.")


def _check_message(given: Fields) -> None:
    given.one_of("role", ("user", "assistant"))
    given.string("content")
    given.maybe_one_of("content_type", ("text", "object_string"), "text")
    given.meta_data()


def check_content(content: str, content_type: str) -> None:
    """Refuse the content of a single message that breaks the documented limits."""
    if content_type == "object_string":
        _texts_beside_files(content)


def _texts_beside_files(content: str) -> int:
    """How many texts an object_string holds: one at most, and only beside a file or an image."""
    kinds = [Fields(item, "content.").one_of("type", _ITEMS) for item in _items(content)]
    texts = kinds.count("text")
    if texts > 1 or texts == len(kinds):
        raise Refusal(4000, "An object_string message takes one text at most, and only beside a file or an image.")
    return texts


def check_chat(body: Mapping[str, Any]) -> None:
    """Refuse what `/v3/chat` refuses."""
    messages = messages_of(body)
    check_messages(messages, most=100)
    for name in ("parameters", "custom_variables", "meta_data"):
        Fields(body).object(name)
    variables: Mapping[str, Any] = body.get("custom_variables") or {}
    if not all(re.fullmatch(r"[A-Za-z_]+", name) and isinstance(value, str) for name, value in variables.items()):
        raise Refusal(4000, "custom_variables maps names of letters and underscores to strings.")
    if not Fields(body).object("extra_params").keys() <= {"latitude", "longitude"}:
        raise Refusal(4000, "extra_params takes latitude and longitude only.")
    Fields(body).meta_data()
    if body.get("bot_version") and body.get("publish_status") == "unpublished_draft":
        raise Refusal(4000, "bot_version does not go together with publish_status=unpublished_draft.")
