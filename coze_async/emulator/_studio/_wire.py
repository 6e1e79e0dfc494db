"""The bytes of self-hosted servers: their keys, their envelopes, their framing, and what they say when they refuse.

Source: recordings of Coze Studio 4f786d6 and Coze Plus fb00b21, tests/data/studio.json and tests/data/plus.json.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._state import ChatState, Event, Row
from coze_async.emulator._wire import CloudWire, Dialect, Encode, Refusal, numbered, to_json

_UNSAFE = re.compile("[<>&\u2028\u2029]")
_EVENT = re.compile(rb"(event:)([^\n]*)(\n)(data:)([^\n]*)(\n\n)")


def go_json(value: Any) -> str:
    """JSON as Go writes it: `<`, `>` and `&` as escapes."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", to_json(value))


def bad_request(msg: str) -> Refusal:
    """HTTP 400, which these servers also write into the body."""
    return Refusal(400, msg, status=400)


def required(name: str) -> Refusal:
    """What a request meets that lacks a field."""
    return bad_request(
        f"'{name}' field is a 'required' parameter, but the request body does not have this parameter '{name}'"
    )


def traced(code: int, message: str, *frames: str) -> str:
    """An error inside of another one, with the stack trace that these servers tell."""
    return "\n".join(
        (f"code={code} message={message}", "stack=/app/pkg/errorx/internal/status.go:140 NewByCode", *frames)
    )


class StudioWire(CloudWire):
    """What a self-hosted Coze Studio writes."""

    dialect: Dialect = "studio"
    stream_by_default = True
    always_streams = False
    base_resp: Mapping[str, Any] = {"BaseResp": None}
    message_keys: frozenset[str] = frozenset(
        {
            "id",
            "conversation_id",
            "bot_id",
            "role",
            "type",
            "content",
            "content_type",
            "meta_data",
            "chat_id",
            "section_id",
            "created_at",
            "reasoning_content",
        }
    )
    """What a message of a chat is told with."""
    has_user_id = True
    """Whether a conversation names its user."""
    tells_tokens_twice = False
    """Whether the last answer of a chatflow tells its tokens both times that it is completed."""
    statuses: Mapping[str, str] = {"created": "in_progress", "canceled": "conversation.chat.cancelled"}

    names: Mapping[str, str] = {
        "conversation.chat.canceled": "conversation.chat.cancelled",
        "done": "conversation.stream.done",
    }

    # Envelopes

    def log_headers(self) -> tuple[str, dict[str, str]]:
        logid = str(uuid.UUID(int=0x5C0E_0000_0000_4000_8000_0000_0000_0000 + next(self._log_numbers)))
        return logid, {"x-log-id": logid}

    def detail(self, logid: str) -> dict[str, Any]:  # noqa: ARG002 - only the header names it
        return {}

    def json(self, status: int, answer: Mapping[str, Any] | None) -> EmulatedResponse:
        _, headers = self.log_headers()
        return EmulatedResponse(
            status, {**headers, "content-type": "application/json; charset=utf-8"}, go_json(answer).encode()
        )

    def text(self, status: int, text: str) -> EmulatedResponse:
        """Plain text, which some routes answer where others have JSON."""
        _, headers = self.log_headers()
        return EmulatedResponse(status, {**headers, "content-type": "text/plain; charset=utf-8"}, text.encode())

    def succeed(self, data: Any) -> EmulatedResponse:
        return self.json(200, {"data": data, "code": 0, "msg": "", **self.base_resp})

    def refuse(self, refusal: Refusal) -> EmulatedResponse:
        """Bad parameters are HTTP 400, the rest is HTTP 200 with a long code."""
        status, code = (400, 400) if refusal.code in {4000, 4003, 4004} else (200, refusal.code)
        return self.json(refusal.status or status, {"code": code, "msg": refusal.msg})

    def unauthorized(self) -> Refusal:
        return Refusal(700012006, "authentication failed: CheckPermission failed")

    def stream_headers(self) -> dict[str, str]:
        _, headers = self.log_headers()
        return {**headers, "content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"}

    def workflow_headers(self) -> dict[str, str]:
        """The headers of what a workflow streams, and of what is refused there."""
        _, headers = self.log_headers()
        return {
            **headers,
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-cache",
            "access-control-allow-origin": "*",
        }

    # Payloads

    def chat(self, chat: ChatState, status: str | None = None) -> dict[str, Any]:
        """A chat object; no event tells the usage, and no chat that has none."""
        now = status or chat.status
        told: dict[str, Any] = {
            "id": chat.id,
            "conversation_id": chat.conversation_id,
            "bot_id": chat.bot_id,
            "created_at": chat.created_at,
            "completed_at": chat.completed_at,
            "failed_at": chat.failed_at,
            "status": self.statuses.get(now, now),
        }
        if chat.usage and status is None:
            told["usage"] = self.usage(chat.usage)
        return {**told, "section_id": chat.section_id}

    def message(self, row: Row) -> Row:
        """A message as a chat tells it; empty meta data are left out."""
        return {
            name: value for name, value in row.items() if name in self.message_keys and (value or name != "meta_data")
        }

    # Streams

    def chat_events(self) -> Encode:
        """Writes the events of `/v3/chat`, whose end has no data."""

        def encode(event: Event) -> bytes:
            data = "" if event.name == "done" else go_json(event.data)
            return f"event:{self.names.get(event.name, event.name)}\ndata:{data}\n\n".encode()

        return encode

    def session_events(self) -> Encode:
        """Writes the events of the web page's own chat."""
        return lambda event: f"event:{event.name}\ndata:{go_json(event.data) if event.data else ''}\n\n".encode()

    def chatflow_events(self) -> Encode:
        """Writes the events of a chatflow: ids from 1, names as on the cloud."""
        return numbered(1)

    def split(self, chunk: bytes) -> list[bytes]:
        """The chunks in which the event of a chat leaves: six, five if it has no data."""
        found = _EVENT.fullmatch(chunk)
        return [piece for piece in found.groups() if piece] if found else [chunk]


class PlusWire(StudioWire):
    """What Coze Plus writes, a fork of Coze Studio."""

    dialect: Dialect = "plus"
    always_streams = True
    message_keys = StudioWire.message_keys - {"section_id"}
    has_user_id = False
    tells_tokens_twice = True


class PlusPageWire(PlusWire):
    """What the documentation page of Coze Plus shows: the data repeats the event's name and nests the payload.

    The server itself, at fb00b21, writes the form of Coze Studio.
    """

    dialect: Dialect = "plus-page"
    always_streams = False
    message_keys = StudioWire.message_keys - {"meta_data", "reasoning_content"}
    statuses: Mapping[str, str] = {"canceled": "cancelled"}
    canceled_ends_stream = True

    def chat(self, chat: ChatState, status: str | None = None) -> dict[str, Any]:
        return {**super().chat(chat, status), "usage": self.usage(chat.usage)}

    def usage(self, usage: dict[str, int] | None) -> dict[str, int]:
        usage = usage or {"output_count": 0, "input_count": 0}
        return {
            "prompt_tokens": usage["input_count"],
            "completion_tokens": usage["output_count"],
            "total_tokens": sum(usage.values()),
        }

    def chat_events(self) -> Encode:
        def encode(event: Event) -> bytes:
            name = "conversation.error" if event.name == "error" else self.names.get(event.name, event.name)
            data: dict[str, Any] = {"event": name}
            if event.name == "error":
                data["error"] = event.data
            elif event.name.startswith("conversation.chat."):
                data["run_record_item"] = event.data
            elif event.name != "done":
                data["message_item"] = event.data
            return f"event: {name}\ndata: {to_json(data)}\n\n".encode()

        return encode

    def split(self, chunk: bytes) -> list[bytes]:
        return [chunk]


WIRES: Mapping[Dialect, type[CloudWire]] = {
    "cloud": CloudWire,
    "studio": StudioWire,
    "plus": PlusWire,
    "plus-page": PlusPageWire,
}
