"""The bytes of each dialect: how events, chats and envelopes are written.

The dialects differ in names, keys and framing only; what happens is the same in all.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from pydantic_core import to_json as json_bytes

from ._body import EmulatedResponse
from ._scripts import Chunk
from ._state import ChatState, Event

Dialect: TypeAlias = Literal["cloud", "studio", "plus", "plus-page"]
Encode: TypeAlias = Callable[[Event], bytes]


def to_json(value: Any) -> str:
    """JSON as the service writes it: no blanks, and text as it is."""
    return json_bytes(value).decode()


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake
    """The server does not do what was asked.

    Args:
        code: Coze's number.
        msg: What is wrong.
        status: HTTP status where it is not the dialect's own choice.
    """

    def __init__(self, code: int, msg: str, *, status: int | None = None) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.status = status


def recall_message(chunks: list[Chunk], question: str) -> str:
    """The content of a knowledge recall message: JSON in a string in JSON, `&` of urls as `u0026`.

    Source: Coze Studio source 4f786d6, message entity knowledge.go; the `u0026` from a user's report.
    """
    found = [
        {
            "slice": chunk.text,
            "score": chunk.score,
            "meta": {
                "dataset": {"id": str(6000 + number), "name": chunk.dataset},
                "document": {"id": str(6100 + number), "name": chunk.document},
                "link": {"title": chunk.title, "url": chunk.url.replace("&", "u0026")},
                "card": {"title": "", "con": "", "index": ""},
            },
        }
        for number, chunk in enumerate(chunks)
    ]
    return verbose_message("knowledge_recall", to_json({"chunks": found, "ori_req": question, "status_code": 0}))


def verbose_message(msg_type: str, data: str) -> str:
    """The content of a verbose message.

    Source: coze.cn docs, chat_v3.
    """
    return to_json({"msg_type": msg_type, "data": data, "from_module": None, "from_unit": None})


class CloudWire:
    """What api.coze.cn and api.coze.com write.

    Source: recorded fixtures of coze-py 6b0f4cd; coze.cn docs, chat_v3 and workflow_stream_run.
    """

    dialect: Dialect = "cloud"
    canceled_ends_stream = False
    stream_by_default = False
    base_resp: Mapping[str, Any] = {}

    def __init__(self) -> None:
        self._log_numbers = itertools.count(1)

    def split(self, chunk: bytes) -> list[bytes]:
        """The chunks in which an event leaves."""
        return [chunk]

    # Envelopes

    def log_headers(self) -> tuple[str, dict[str, str]]:
        """A new log id, and the header that carries it."""
        logid = f"20251010120000{next(self._log_numbers):018X}"
        return logid, {"x-tt-logid": logid}

    def json(self, status: int, answer: Mapping[str, Any]) -> EmulatedResponse:
        """A JSON answer with its log id in the header and, on the cloud, in the body."""
        logid, headers = self.log_headers()
        headers["content-type"] = "application/json; charset=utf-8"
        body = json_bytes({**answer, **self.detail(logid)})
        return EmulatedResponse(status, headers, body)

    def detail(self, logid: str) -> dict[str, Any]:
        """The keys with which a body names its log id."""
        return {"detail": {"logid": logid}}

    def succeed(self, data: Any) -> EmulatedResponse:
        """The usual envelope."""
        return self.json(200, {"data": data, "code": 0, "msg": ""})

    def refuse(self, refusal: Refusal) -> EmulatedResponse:
        """The envelope of an error: HTTP 200 for nearly everything, 401 for a bad token."""
        default = 401 if refusal.code == 4100 else 200
        return self.json(refusal.status or default, {"code": refusal.code, "msg": refusal.msg})

    def unauthorized(self) -> Refusal:
        """What a bad token meets."""
        return Refusal(4100, "authentication is invalid")

    def stream_headers(self) -> dict[str, str]:
        """The headers of a stream."""
        _, headers = self.log_headers()
        return {**headers, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}

    # Payloads

    def chat(self, chat: ChatState, status: str | None = None) -> dict[str, Any]:
        """A chat object; `status` where the event says something else than the state."""
        error = chat.last_error
        written: dict[str, Any] = {"id": chat.id, "conversation_id": chat.conversation_id}
        if chat.bot_id:
            written["bot_id"] = chat.bot_id
        # The cloud fills in completed_at from the first event on, and a running chat carries an empty required action.
        written |= {
            "created_at": chat.created_at,
            "completed_at": chat.completed_at or chat.created_at,
            "last_error": {"code": error.code, "msg": error.msg} if error else {"code": 0, "msg": ""},
            "status": status or chat.status,
            "usage": self.usage(chat.usage),
            "required_action": chat.required_action or {"type": "", "submit_tool_outputs": {"tool_calls": []}},
            "section_id": chat.section_id,
        }
        if chat.failed_at:
            written["failed_at"] = chat.failed_at
        if chat.meta_data:
            written["meta_data"] = chat.meta_data
        return written

    def usage(self, usage: dict[str, int] | None) -> dict[str, int]:
        """The tokens of a chat; zeros while it runs."""
        usage = usage or {"output_count": 0, "input_count": 0}
        return {"token_count": sum(usage.values()), **usage}

    # Streams

    def chat_events(self) -> Encode:
        """Writes the events of `/v3/chat`: no space after the colon, no ids."""
        return lambda event: b"event:%b\ndata:%b\n\n" % (event.name.encode(), json_bytes(event.data))

    def chatflow_events(self) -> Encode:
        """Writes the events of `/v1/workflows/chat`: a space after the colon, no ids."""
        return lambda event: b"event: %b\ndata: %b\n\n" % (event.name.encode(), json_bytes(event.data))

    def workflow_events(self) -> Encode:
        """Writes the events of a workflow: always three lines with a space, ids from 0."""
        return numbered(0)


def numbered(first: int) -> Encode:
    """Writes events of three lines, with ids from `first` on."""
    numbers = itertools.count(first)

    def encode(event: Event) -> bytes:
        return f"id: {next(numbers)}\nevent: {event.name}\ndata: ".encode() + json_bytes(event.data) + b"\n\n"

    return encode
