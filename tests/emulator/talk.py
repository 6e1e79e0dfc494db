"""How these tests talk to an emulator: over httpx and the in-process transport, reading raw events."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import httpx

from coze_async.emulator import Emulator

HEADERS = {"Authorization": "Bearer pat_test"}
ENDS = {"done", "conversation.stream.done"}


class Sent(NamedTuple):
    """One event of a stream, as it stood in its block of lines."""

    name: str
    data: Any
    block: str


def parse(text: str) -> list[Sent]:
    """The events of a whole body; comments and heart-beats without a name are passed over."""
    events: list[Sent] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(":", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if "event" in fields:
            data = fields.get("data", "").removeprefix(" ")
            events.append(Sent(fields["event"].removeprefix(" "), json.loads(data) if data else "", block))
    return events


def question(text: str = "What is jazz?", **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    message = {"role": "user", "content": text, "content_type": "text"}
    return {"bot_id": "b-1", "user_id": "u-1", "stream": True, "additional_messages": [message], **more}


class Talk:
    """A client of one emulator."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **query: Any) -> Any:
        return (await self.http.get(path, params=query)).json()

    async def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return (await self.http.post(path, json=body, params=query)).json()

    async def events(self, path: str, body: Any, **query: Any) -> list[Sent]:
        response = await self.http.post(path, json=body, params=query)
        assert response.headers["content-type"].startswith("text/event-stream"), response.text
        return parse(response.text)

    async def chat(self, body: Any = None, **query: Any) -> list[Sent]:
        return await self.events("/v3/chat", body or question(), **query)

    async def create(self, body: Any = None, **query: Any) -> dict[str, str]:
        """Start a chat without stream; the ids as a query for the calls that follow."""
        answer = await self.post("/v3/chat", {**(body or question()), "stream": False}, **query)
        return {"conversation_id": answer["data"]["conversation_id"], "chat_id": answer["data"]["id"]}

    async def finished(self, ids: dict[str, str]) -> Any:
        await anyio.sleep(1.5)
        return (await self.get("/v3/chat/retrieve", **ids))["data"]


@asynccontextmanager
async def talking(emulator: Emulator, **options: Any) -> AsyncGenerator[Talk]:
    """A client for `emulator`, closed at the end."""
    transport = emulator.transport()
    settings: dict[str, Any] = {"base_url": emulator.url, "headers": HEADERS, "transport": transport, **options}
    async with httpx.AsyncClient(**settings) as http:
        yield Talk(http)


def names(events: list[Sent]) -> list[str]:
    """The names of events in order, equal neighbours once."""
    found: list[str] = []
    for event in events:
        if not found or found[-1] != event.name:
            found.append(event.name)
    return found


def text_of(events: list[Sent]) -> str:
    """The answer's text put together from its deltas."""
    return "".join(event.data["content"] for event in events if event.name == "conversation.message.delta")


async def opened(emulator: Emulator, **extensions: Any) -> httpx.Response:
    """A chat stream straight from the transport, to be left early without httpx's generators in between."""
    request = httpx.Request("POST", f"{emulator.url}/v3/chat", json=question(), headers=HEADERS, extensions=extensions)
    return await emulator.transport().handle_async_request(request)


def stream_of(response: httpx.Response) -> httpx.AsyncByteStream:
    """The body of a response as the transport gave it."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return response.stream
