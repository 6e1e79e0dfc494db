"""The bytes that the server sends and every peer must bring back: built once, the same for all."""

import functools
import json
from typing import Any

__all__ = ["CALL", "CHAT_ID", "DELTA", "chunked", "pieces", "stream_body", "stream_parts"]

CHAT_ID = "7440000000000000001"
DELTA = "conversation.message.delta"

_CONVERSATION_ID = "7440000000000000002"
_BOT_ID = "7440000000000000003"
_MESSAGE_ID = "7440000000000000004"
# What models write in one step: a few letters of either script.
_WORDS = (
    "你好",
    "，",
    "Coze",
    " answers",
    " in",
    " pieces",
    "：",
    "一个",
    "字",
    "接",
    "着",
    " one",
    "。",
    "\n\n",
    '"ok"',
    " 🙂",
)
_LAST = "（完）"
_USAGE = {"token_count": 633, "output_count": 19, "input_count": 614}


def pieces(count: int) -> list[str]:
    """Return the texts of the deltas of a stream, in order."""
    return [*(_WORDS[number % len(_WORDS)] for number in range(count - 1)), _LAST]


def stream_parts(count: int) -> list[bytes]:
    """Return a chat's events as the cloud writes them, with so many deltas (wire facts a.1)."""
    texts = pieces(count)
    return [
        _event("conversation.chat.created", _chat("created")),
        _event("conversation.chat.in_progress", _chat("in_progress")),
        *(_event(DELTA, _message("answer", text)) for text in texts),
        _event("conversation.message.completed", _message("answer", "".join(texts))),
        _event("conversation.message.completed", _message("follow_up", "还有呢？")),
        _event("conversation.chat.completed", _chat("completed")),
        _event("done", "[DONE]"),
    ]


@functools.cache
def stream_body(shape: str, count: int) -> tuple[bytes, ...]:
    """Return the body of a stream in the pieces in which it is written to the socket.

    Args:
        shape: `framed` (a chunk per event, one write), `packed` (16 KiB chunks, one write), `paced` (a chunk and a
            write per event), `parse` (16 KiB pieces without the framing of HTTP).
        count: How many deltas.
    """
    parts = stream_parts(count)
    whole = b"".join(parts)
    blocks = [whole[begin : begin + 16384] for begin in range(0, len(whole), 16384)]
    match shape:
        case "framed":
            return (b"".join(map(chunked, [*parts, b""])),)
        case "packed":
            return (b"".join(map(chunked, [*blocks, b""])),)
        case "paced":
            return (*map(chunked, parts[:-1]), chunked(parts[-1]) + chunked(b""))
        case "parse":
            return tuple(blocks)
        case _:
            raise ValueError(f"no stream has the shape {shape!r}")


def chunked(block: bytes) -> bytes:
    """Frame a block as one HTTP chunk; the empty block is the end of a body."""
    return b"%x\r\n%b\r\n" % (len(block), block)


def _event(name: str, data: Any) -> bytes:
    return f"event:{name}\ndata:{_json(data)}\n\n".encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _message(kind: str, content: str) -> dict[str, Any]:
    return {
        "id": _MESSAGE_ID if kind == "answer" else f"{_MESSAGE_ID}0",
        "conversation_id": _CONVERSATION_ID,
        "bot_id": _BOT_ID,
        "role": "assistant",
        "type": kind,
        "content": content,
        "content_type": "text",
        "chat_id": CHAT_ID,
        "section_id": _CONVERSATION_ID,
    }


def _chat(status: str) -> dict[str, Any]:
    return {
        "id": CHAT_ID,
        "conversation_id": _CONVERSATION_ID,
        "bot_id": _BOT_ID,
        "created_at": 1760000000,
        "completed_at": 1760000009,
        "last_error": {"code": 0, "msg": ""},
        "meta_data": {},
        "status": status,
        "usage": _USAGE,
        "section_id": _CONVERSATION_ID,
    }


CALL = _json({"code": 0, "data": _chat("completed"), "detail": {"logid": "20260101000000"}, "msg": ""}).encode()
