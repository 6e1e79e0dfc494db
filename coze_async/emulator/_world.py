"""What every route works with: the state, the wire, the scripts, and the request at hand."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ._body import Body, EmulatedResponse, Step
from ._oauth import OAuthServer
from ._scripts import BotScript, FlowScript
from ._state import ChatState, Conversation, Event, State
from ._wire import CloudWire, Encode, Refusal


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it reached the emulator."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    """Names in lower case."""
    body: Any
    """The parsed JSON, or a `ReceivedForm`; None when there was neither."""
    at: float
    """Time of the event loop, in seconds."""

    def fields(self) -> dict[str, Any]:
        """The JSON object of the body."""
        if not isinstance(self.body, dict):
            raise Refusal(4000, "The request body is not a JSON object.")
        return cast("dict[str, Any]", self.body)

    def text(self, name: str) -> str:
        """A body field that has to be there, as text."""
        value = self.fields().get(name)
        if value is None or value == "" or isinstance(value, dict | list):
            raise Refusal(4000, f"Request parameter error: {name} is required.")
        return str(value)


@dataclass(slots=True)
class World:
    """One emulated server, seen from a route."""

    wire: CloudWire
    pace: float
    state: State = field(default_factory=State)
    bots: dict[str, BotScript | None] = field(default_factory=dict[str, BotScript | None])
    flows: dict[str, FlowScript | None] = field(default_factory=dict[str, FlowScript | None])
    opened: set[Body] = field(default_factory=set[Body])
    oauth: OAuthServer = field(init=False)

    def __post_init__(self) -> None:
        self.oauth = OAuthServer(self.state)

    def conversation(self, conversation_id: str | None) -> Conversation:
        """The conversation of this id, or a new one when there is no id."""
        if not conversation_id:
            return self.state.new_conversation()
        if conversation_id not in self.state.conversations:
            raise Refusal(4001, f"Conversation {conversation_id} does not exist.")
        return self.state.conversations[conversation_id]

    def chat(self, given: Mapping[str, Any]) -> ChatState:
        """The chat named by `conversation_id` and `chat_id`, brought to where it is now."""
        for name in ("conversation_id", "chat_id"):
            if not given.get(name):
                raise Refusal(4000, f"Request parameter error: {name} is required.")
        conversation_id, chat_id = str(given["conversation_id"]), str(given["chat_id"])
        self.conversation(conversation_id)
        chat = self.state.chats.get(chat_id)
        if chat is None or not chat.saved or chat.conversation_id != conversation_id:
            raise Refusal(4002, f"Chat {chat_id} does not exist in conversation {conversation_id}.")
        chat.settle(self.state.now())
        return chat

    def debug_url(self, execute_id: str) -> str:
        """Where a person would look at a run."""
        return f"https://www.coze.cn/work_flow?execute_id={execute_id}&workflow_id=emulated"

    def stream(
        self,
        events: Iterable[Event],
        encode: Encode,
        *,
        pace: float | None = None,
        keep_alive: int = 0,
        heart_beat: bytes = b": keep-alive\n\n",
        raw: Sequence[bytes] | bytes | None = None,
        error: Callable[[int, str], Event] = lambda code, msg: Event("error", {"code": code, "msg": msg}),
        on_close: Callable[[], None] | None = None,
    ) -> EmulatedResponse:
        """Answer with a stream of `events`, or of `raw` chunks before whatever is left to tell."""
        delay = self.pace if pace is None else pace

        def steps() -> Iterator[Step]:
            for chunk in [raw] if isinstance(raw, bytes) else raw or ():
                yield delay, chunk
            for count, event in enumerate(events):
                chunk = encode(event)
                if keep_alive and count and count % keep_alive == 0:
                    chunk = heart_beat + chunk
                yield (delay if event.wait else 0.0), chunk

        body = Body(steps(), self.opened, error=lambda code, msg: encode(error(code, msg)), on_close=on_close)
        return EmulatedResponse(200, self.wire.stream_headers(), body)

    def stream_chat(self, chat: ChatState, encode: Encode) -> EmulatedResponse:
        """Stream what a chat has to tell; left early, the chat goes on by itself, as on the real server."""
        script = chat.script
        chat.ends_at = math.inf

        def closed() -> None:
            if chat.running:
                chat.leave_alone(self.state.now(), seconds=script.seconds)

        return self.stream(
            chat.events, encode, pace=script.pace, keep_alive=script.keep_alive, raw=script.raw, on_close=closed
        )
