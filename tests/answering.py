"""A transport that gives the answers it was told to give, in order, and remembers what it was asked."""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import anyio
import anyio.lowlevel
import httpx

__all__ = ["Answers", "answer", "chat", "event_stream", "refusal"]

Answer = httpx.Response | Exception


def answer(
    payload: Any = None, *, status: int = 200, headers: Mapping[str, str] | None = None, content: bytes | None = None
) -> httpx.Response:
    """Return an answer in JSON, or with bytes of any kind."""
    body = json.dumps(payload, ensure_ascii=False).encode() if content is None else content
    kind = {"content-type": "application/json; charset=utf-8"}
    return httpx.Response(status, headers={**kind, **(headers or {})}, content=body)


def refusal(
    code: int, msg: str = "no", *, status: int = 200, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Return the envelope of an error, as the clouds send it (wire facts, part d)."""
    return answer({"code": code, "msg": msg, "detail": {"logid": "log-body"}}, status=status, headers=headers)


def chat(status: str = "in_progress", **more: Any) -> httpx.Response:
    """Return the envelope of a chat."""
    return answer({"code": 0, "msg": "", "data": {"id": "9", "conversation_id": "7", "status": status, **more}})


def event_stream(text: str, *, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """Return a stream of events, whole."""
    return httpx.Response(200, headers={"content-type": "text/event-stream", **(headers or {})}, content=text.encode())


class Answers(httpx.AsyncBaseTransport):
    """Gives one answer after the other; the last one again and again. An exception is raised.

    Attributes:
        requests: What was asked.
        times: When, by the clock of the event loop.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        self.requests.append(request)
        self.times.append(anyio.current_time())
        given = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(given, Exception):
            raise given
        # A response can be read once: give a fresh one each time.
        return httpx.Response(given.status_code, headers=given.headers, content=given.content)

    @property
    def gaps(self) -> list[float]:
        """How long each request came after the one before, in seconds."""
        return [then - before for before, then in pairwise(self.times)]

    def body(self, number: int = -1) -> Any:
        """Return the decoded body of a request."""
        return json.loads(self.requests[number].content)
