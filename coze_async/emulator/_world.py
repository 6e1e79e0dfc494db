"""What every route works with: the state, the wire, the scripts, and the request at hand."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, cast

from ._body import Body, EmulatedResponse, Step
from ._checks import question_of
from ._fields import Fields
from ._limits import PLUS_PER_MINUTE, EmulatorLimits, Quota, Windows
from ._memory import Memory
from ._oauth import OAuthServer
from ._scripts import BotScript, FlowScript, default_workflow
from ._state import ChatState, Conversation, Event, Row, State
from ._wire import CloudWire, Encode, Refusal

OWNER = {
    "user_id": "7400000000000000002",
    "user_name": "emulated",
    "nick_name": "Emulated user",
    "avatar_url": "https://example.com/user.png",
}
"""Whose the tokens are."""
PERSONAL = "7400000000000000001"
"""The owner's personal workspace."""
DEMO_BOT = "7400000000000000101"
DEMO_WORKFLOW = "7400000000000000102"
"""They are there, published, as long as nobody has set a script of their kind."""


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it reached the emulator."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    """Names in lower case."""
    body: Any
    """The parsed JSON, or a `ReceivedForm`; a text when it was neither, and None when there was none."""
    at: float
    """Time of the event loop, in seconds."""

    def fields(self) -> dict[str, Any]:
        """The JSON object of the body."""
        if not isinstance(self.body, dict):
            raise Refusal(4000, "The request body is not a JSON object.")
        return cast("dict[str, Any]", self.body)

    def text(self, name: str) -> str:
        """A body field that has to be there, as text."""
        return Fields(self.fields()).text(name)

    def given(self) -> Fields:
        """The fields of the body; none if there is no body."""
        return Fields({} if self.body is None else self.fields())

    def asked(self) -> Fields:
        """The fields of the query."""
        return Fields(self.query)


@dataclass(slots=True)
class World:
    """One emulated server, seen from a route."""

    wire: CloudWire
    pace: float
    state: State = field(default_factory=State)
    bots: dict[str, BotScript | None] = field(default_factory=dict[str, BotScript | None])
    flows: dict[str, FlowScript | None] = field(default_factory=dict[str, FlowScript | None])
    opened: set[Body] = field(default_factory=set[Body])
    tokens: Mapping[str, frozenset[str] | None] | None = None
    """The permissions of each token that is accepted, None for all of them; None accepts what does not start "bad"."""
    accounts: dict[str, str] = field(default_factory=dict[str, str])
    """Whose a token or a session is, if it is not the owner's."""
    limits: EmulatorLimits = field(default_factory=EmulatorLimits)
    quota: Quota = field(default_factory=Quota)
    windows: Windows = field(default_factory=Windows)
    memory: Memory | None = None
    strict: bool = False
    """Whether only what was made or granted exists."""
    occupied: str = "json"
    """How a stream is refused in a conversation that is occupied: "json" or "event"."""
    oauth: OAuthServer = field(init=False)

    def __post_init__(self) -> None:
        self.oauth = OAuthServer(self.state, strict=self.strict)

    def save(self) -> None:
        """Write down what has changed, if anything is written down."""
        if self.memory is not None:
            self.memory.save()

    @property
    def is_cloud(self) -> bool:
        """Whether it is api.coze.cn or api.coze.com, and no server of one's own."""
        return self.wire.dialect == "cloud"

    @property
    def per_user(self) -> Mapping[str, int]:
        """How many calls of each kind one user may make in a minute."""
        if self.limits.per_user is not None:
            return self.limits.per_user
        return PLUS_PER_MINUTE if self.wire.dialect == "plus-page" else {}

    def permissions_of(self, token: str) -> frozenset[str] | None:
        """What a token may do, None for everything; one that is not accepted is refused."""
        # A token that this server has made is good until its end.
        verdict = self.oauth.judge(token)
        if verdict is None and self.tokens is not None:
            verdict = token in self.tokens
        elif verdict is None:
            verdict = bool(token) and not token.startswith("bad") and not self.strict
        if not verdict:
            raise self.wire.unauthorized()
        return (self.tokens or {}).get(token)

    def caller(self, request: RecordedRequest) -> str:
        """Who sent a request: the id of another account, or an empty text for the owner."""
        cookie = SimpleCookie(request.headers.get("cookie", "")).get("session_key")
        bearer = request.headers.get("authorization", "").partition(" ")[2].strip()
        return self.accounts.get(bearer) or self.accounts.get(cookie.value if cookie else "", "")

    @property
    def has_demo_bot(self) -> bool:
        """Whether the demo bot is there."""
        return not self.bots

    @property
    def has_demo_workflow(self) -> bool:
        """Whether the demo workflow is there."""
        return not self.flows

    def has_workflow(self, workflow_id: str) -> bool:
        """Whether somebody made a workflow, by copying or with a script, or it is the demo."""
        is_demo = workflow_id == DEMO_WORKFLOW and self.has_demo_workflow
        return is_demo or workflow_id in self.state.rows["workflow"] or workflow_id in self.flows

    def history(self, conversation: Conversation) -> tuple[str, ...]:
        """The earlier questions that the bot remembers, oldest first."""
        return tuple(question_of([message]) for message in self.state.said(conversation))

    def find(self, kind: str, row_id: str, *, missing: int = 4200, **equal: Any) -> Row:
        """The row of this id, if it has these values."""
        row = self.state.rows[kind].get(row_id)
        if row is None or any(row.get(name) != equal[name] for name in equal):
            raise Refusal(missing, f"The {kind.replace('_', ' ')} {row_id} does not exist.")
        return row

    def no_workflow(self, workflow_id: str) -> Refusal:
        """What the cloud says of a workflow that it does not know, or that is not published."""
        return Refusal(4200, f"Workflow not found: {workflow_id} does not exist or was never published.")

    def workflow(self, workflow_id: str) -> Row:
        """What is known of a workflow without running it; one that nobody made is there too."""
        row = self.state.rows["workflow"].get(workflow_id)
        if row is None and self.flows.get(workflow_id, default_workflow) is None:
            raise self.no_workflow(workflow_id)
        made: Row = {
            "id": workflow_id,
            "space_id": PERSONAL,
            "name": "Demo workflow" if workflow_id == DEMO_WORKFLOW else f"Workflow {workflow_id}",
            "updated_at": 1760000000,
        }
        return row or made

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
        heart_beat: Event | bytes = b": keep-alive\n\n",
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
                before = b""
                if keep_alive and count and count % keep_alive == 0:
                    before = encode(heart_beat) if isinstance(heart_beat, Event) else heart_beat
                yield (delay if event.wait else 0.0), before + encode(event)

        body = Body(
            steps(),
            self.opened,
            error=lambda code, msg: encode(error(code, msg)),
            on_close=on_close,
            split=self.wire.split if raw is None else None,
        )
        return EmulatedResponse(200, self.wire.stream_headers(), body)

    def stream_chat(self, chat: ChatState, encode: Encode) -> EmulatedResponse:
        """Stream what a chat has to tell; left early, the chat goes on by itself, as on the real server."""
        script = chat.script
        chat.ends_at = math.inf

        def closed() -> None:
            if chat.running:
                chat.leave_alone(self.state.now(), seconds=script.seconds)
                if self.is_cloud:
                    chat.become("in_progress")
                self.state.touch("chat", chat.id)
            self.save()

        return self.stream(
            chat.events, encode, pace=script.pace, keep_alive=script.keep_alive, raw=script.raw, on_close=closed
        )
