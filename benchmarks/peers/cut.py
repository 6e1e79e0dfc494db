"""The least there is to do with the bytes of an answer: cut them at the ends of events, make the same models."""

import json
import re
from typing import Any

from benchmarks.peers.base import Take
from coze_async.models import Chat, Message

__all__ = ["Cut", "answer_in", "chat_in"]

_BLOCK = re.compile(rb"event:([^\n]*)\ndata:([^\n]*)\n\n")

_message = Message.__pydantic_validator__.validate_json
_chat = Chat.__pydantic_validator__.validate_json
_chat_of = Chat.__pydantic_validator__.validate_python
_message_of = Message.__pydantic_validator__.validate_python


class Cut:
    """The events of one stream."""

    __slots__ = ("_rest", "_take")

    def __init__(self, take: Take) -> None:
        self._take = take
        self._rest: bytes = b""

    def feed(self, data: bytes) -> None:
        """Take the next piece, wherever it was cut."""
        if self._rest:
            data = self._rest + data
        take, message, end = self._take, _message, 0
        for found in _BLOCK.finditer(data):
            name, text = found.groups()
            end = found.end()
            if name == b"conversation.message.delta":
                take(message(text).content)
            elif name == b"conversation.message.completed":
                message(text)
            elif name != b"done":
                _chat(text)
        self._rest = data[end:]


def _data(body: bytes) -> Any:
    payload = json.loads(body)
    if payload["code"]:
        raise RuntimeError(payload["msg"])
    return payload["data"]


def chat_in(body: bytes) -> Chat:
    """Return the chat in a JSON answer."""
    chat: Chat = _chat_of(_data(body))
    return chat


def answer_in(body: bytes) -> str:
    """Return the text of the answers in a list of messages."""
    messages = [_message_of(each) for each in _data(body)]
    return "".join(message.content for message in messages if message.type == "answer")
