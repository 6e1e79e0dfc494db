"""The bytes that the server sends and every peer must bring back: built once, the same for all."""

import functools
import json
from typing import Any

__all__ = [
    "ANSWER",
    "CALL",
    "CHAT_ID",
    "DELTA",
    "LOOKS",
    "MESSAGES",
    "POLLED_PREFIX",
    "STAMP_DIGITS",
    "chat_reply",
    "chunked",
    "pieces",
    "stamped_parts",
    "stream_body",
    "stream_parts",
]

CHAT_ID = "7440000000000000001"
DELTA = "conversation.message.delta"
POLLED_PREFIX = "755000"
"""What the ids of chats begin with that are to be looked at more than once."""
LOOKS = 3
"""How often such a chat has to be looked at until it is over."""
ANSWER = "你好，Coze answers in one piece."
"""What a polled chat brings."""

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
STAMP_DIGITS = 20
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nx-tt-logid: 20260101000000\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
"""Of a point in time in nanoseconds, filled up with zeros."""
# A little more than an event: no event and no chunk arrives in one piece, and none in many.
_SEGMENT = 397
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
        shape: `framed` (a chunk per event, one write), `packed` and `large` (chunks of 16 and of 64 KiB, one write),
            `paced` (a chunk and a write per event), `split` (a chunk per event, in writes that cut events and chunks
            in the middle), `parse` and `events` (16 KiB pieces, and a piece per event, without the framing of HTTP).
        count: How many deltas.
    """
    parts = stream_parts(count)
    framed = b"".join(map(chunked, [*parts, b""]))
    match shape:
        case "framed":
            return (framed,)
        case "packed":
            return (b"".join(map(chunked, [*_cut(b"".join(parts), 16384), b""])),)
        case "large":
            return (b"".join(map(chunked, [*_cut(b"".join(parts), 65536), b""])),)
        case "paced":
            return (*map(chunked, parts[:-1]), chunked(parts[-1]) + chunked(b""))
        case "split":
            return _cut(framed, _SEGMENT)
        case "parse":
            return _cut(b"".join(parts), 16384)
        case "events":
            return tuple(parts)
        case _:
            raise ValueError(f"no stream has the shape {shape!r}")


def stamped_parts() -> tuple[bytes, bytes, bytes]:
    """Return what comes before the deltas, a delta with `%d` for its text, and what comes after them, all chunked.

    The number has `STAMP_DIGITS` digits, so that the length of the chunk is known beforehand.
    """
    before, after = stream_parts(1)[:2], stream_parts(1)[3:]
    left, right = _event(DELTA, _message("answer", "@")).split(b"@")
    size = len(left) + len(right) + STAMP_DIGITS
    delta = b"%x\r\n%b%%0%dd%b\r\n" % (size, left, STAMP_DIGITS, right)
    return b"".join(map(chunked, before)), delta, b"".join(map(chunked, [*after, b""]))


def chat_reply(chat_id: str, status: str) -> bytes:
    """Return one chat as JSON."""
    chat = {**_chat(status), "id": chat_id}
    return _json({"code": 0, "data": chat, "detail": {"logid": "20260101000000"}, "msg": ""}).encode()


def chunked(block: bytes) -> bytes:
    """Frame a block as one HTTP chunk; the empty block is the end of a body."""
    return b"%x\r\n%b\r\n" % (len(block), block)


def _cut(whole: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(whole[begin : begin + size] for begin in range(0, len(whole), size))


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


CALL = chat_reply(CHAT_ID, "completed")

MESSAGES = _json(
    {
        "code": 0,
        "data": [
            _message("verbose", '{"msg_type":"generate_answer_finish","data":"","from_module":null,"from_unit":null}'),
            _message("answer", ANSWER),
            _message("follow_up", "还有呢？"),
        ],
        "detail": {"logid": "20260101000000"},
        "msg": "",
    }
).encode()
