"""Chats that come as a whole answer instead of a stream."""

from typing import Any

from coze_async._chat_stream import ChatStream
from coze_async._core import Core
from coze_async._errors import DecodeError
from coze_async._exchange import Reply, Request
from coze_async.models import Chat, ChatResult, Message
from coze_async.models._base import read_object
from coze_async.models._json import json_list, json_object

__all__ = ["chat_from_reply", "holds_message", "result_from_reply"]


def chat_from_reply(core: Core, name: str, reply: Reply) -> Chat:
    """Read a chat out of an answer of any server; see `result_from_reply` for those that answer at once."""
    data = _data(reply)
    if data.get("id") and not holds_message(reply):
        try:
            return read_object(Chat, {"logid": reply.logid, **data} if reply.logid else data)
        except ValueError as error:
            raise _undecodable(core, name, reply, error) from error
    chat = result_from_reply(core, name, reply).chat
    if chat is None:
        raise _undecodable(core, name, reply, ValueError("it names no chat"))
    return chat


def holds_message(reply: Reply) -> bool:
    """True if a server has answered with the finished message at once."""
    data = _data(reply)
    return not data.get("status") and bool(data.keys() & {"content", "message", "messages", "message_item"})


def result_from_reply(core: Core, name: str, reply: Reply) -> ChatResult:
    """Read the finished chat out of an answer that holds it: the events of a stream, or a message.

    Coze Plus fb00b21 streams even when no stream is asked for; its page shows the finished message as JSON.

    Raises:
        DecodeError: it holds neither.
        ChatFailedError: the chat failed.
        APIError: the events report an error.
    """
    if reply.content_type == "text/event-stream":
        stream = ChatStream(core, Request("", name))
        return stream._digest(reply.body, reply.logid)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the one reader of chats
    data = _data(reply)
    inner = json_object(data.get("message_item")) or json_object(data.get("message")) or data
    found = [inner] if "content" in inner else [json_object(item) for item in json_list(data.get("messages"))]
    try:
        messages = [read_object(Message, {"type": "answer", "role": "assistant", **item}) for item in found]
    except (ValueError, TypeError) as error:
        raise _undecodable(core, name, reply, error) from error
    if not messages:
        raise _undecodable(core, name, reply, ValueError("it holds neither a chat nor a message"))
    chat = read_object(
        Chat,
        {
            "id": str(data.get("chat_id") or messages[0].chat_id or data.get("id") or ""),
            "conversation_id": str(data.get("conversation_id") or messages[0].conversation_id or ""),
            "status": "completed",
            "bot_id": data.get("bot_id"),
            "usage": data.get("usage"),
        },
    )
    return ChatResult(chat=chat, messages=messages, logid=reply.logid)


def _undecodable(core: Core, name: str, reply: Reply, error: Exception) -> DecodeError:
    text = core.redacted(reply.body.decode("utf-8", "replace"))
    return DecodeError(
        f"{name}: the answer is no chat: {core.redacted(str(error).splitlines()[0])}. It was: {text}",
        body=text,
        logid=reply.logid,
    )


def _data(reply: Reply) -> dict[str, Any]:
    payload = json_object(reply.payload)
    return json_object(payload.get("data")) or json_object(payload.get("ChatV3ChatDetail"))
