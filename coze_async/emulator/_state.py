"""What an emulated server remembers: conversations, chats, workflow runs, rows of all other kinds, and the time."""

import math
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import anyio
from anyio.lowlevel import RunVar

from ._scripts import Ask, Failure, Script, WorkflowScript

MOST_KEPT = 10_000
"""So many chats, and so many runs, that are over are kept at least; a server may run for days."""

Row: TypeAlias = dict[str, Any]
"""One thing that was made through the API: JSON values by name, with its `id`."""


class Event(NamedTuple):
    """One event of a stream, before a dialect writes it."""

    name: str
    data: Any
    wait: bool = False
    """Whether the writer pauses before it: it is a further piece of a text."""


@dataclass(slots=True)
class Conversation:
    """A conversation: what was said in it, its last chat, and the chatflow that waits in it."""

    id: str
    section_id: str
    """Where what the bot remembers begins; "clear" makes a new one."""
    created_at: int = 0
    updated_at: int = 0
    bot_id: str = ""
    user_id: str = ""
    connector_id: str = "1024"
    name: str = ""
    owner: str = ""
    """The account whose token made it; empty for the emulator's own."""
    meta_data: dict[str, str] = field(default_factory=dict[str, str])
    messages: dict[str, Row] = field(default_factory=dict[str, Row])
    """By id, oldest first, as they stand on the wire."""
    chat: "ChatState | None" = None
    waiting: Ask | None = None
    """The question of a chatflow that the next message answers."""
    waiting_in: str = ""
    """The chatflow that asks it."""


@dataclass(slots=True)
class ChatState:
    """One chat as the server sees it now."""

    id: str
    conversation_id: str
    section_id: str
    bot_id: str
    user_id: str
    question: str
    created_at: int
    saved: bool = True
    meta_data: dict[str, str] = field(default_factory=dict[str, str])
    asked: list[Row] = field(default_factory=list[Row], repr=False)
    """The messages with which it was started."""
    status: str = "created"
    """created, in_progress, completed, failed, requires_action or canceled."""
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What the bot wrote, complete messages only, in order, as they stand on the wire."""
    completed_at: int = 0
    failed_at: int = 0
    last_error: Failure | None = None
    usage: dict[str, int] | None = None
    required_action: dict[str, Any] | None = None
    script: Script = field(default_factory=Script, repr=False)
    events: Iterator[Event] = field(default_factory=lambda: iter(()), repr=False)
    """What is still to be told; reading it moves the chat on."""
    outputs: dict[str, str] | None = None
    """The tool outputs with which this turn of the chat goes on."""
    flow: bool = False
    """Whether a chatflow speaks."""
    told_before: int = 0
    """How many messages there were when this turn began."""
    begun_at: float = 0.0
    ends_at: float = math.inf
    """When a chat that nobody reads is over; a chat whose stream is open ends with the stream."""

    @property
    def canceled(self) -> bool:
        """Whether the chat was canceled before its end."""
        return self.status == "canceled"

    @property
    def running(self) -> bool:
        """Whether the chat is on its way to an end."""
        return self.status in {"created", "in_progress"}

    def become(self, status: str) -> None:
        """Take a new status; a canceled chat stays canceled."""
        if not self.canceled:
            self.status = status

    def leave_alone(self, now: float, *, seconds: float) -> None:
        """Let the chat go on by itself: it will be over in `seconds`."""
        self.begun_at, self.ends_at = now, now + seconds

    def settle(self, now: float) -> None:
        """Bring the chat to where it is at the time `now`."""
        if now >= self.ends_at:
            deque(self.events, maxlen=0)
            self.ends_at = math.inf
        elif self.status == "created" and now >= self.begun_at + (self.ends_at - self.begun_at) / 5:
            self.status = "in_progress"


@dataclass(slots=True)
class RunState:
    """One run of a workflow."""

    id: str
    workflow_id: str
    mode: int
    """0 sync, 1 stream, 2 async."""
    script: WorkflowScript
    created_at: int
    ends_at: float
    event_id: str = ""
    """The pending interrupt."""
    given: str = ""
    """The parameters, as JSON."""
    resumed: int = 0

    @property
    def waiting(self) -> Ask | None:
        """The question at which the run stands."""
        return self.script.ask if self.event_id else None


@dataclass(frozen=True, slots=True, eq=False)
class _Clock:
    """The clock of one event loop."""

    ahead: float
    """What its time lacks to the time of the state."""


class State:
    """Everything one emulated server knows."""

    def __init__(self) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.chats: dict[str, ChatState] = {}
        self.runs: dict[str, RunState] = {}
        self.rows: dict[str, dict[str, Row]] = defaultdict(dict)
        """All else, by kind and id, in the order in which it was made."""
        self.used: dict[str, int] = {"chats": 0, "tokens": 0}
        """How many chats were begun, and what they cost."""
        self.number: int = 0
        """The last number that an id or a token was made of."""
        self.not_before: float = 0.0
        """A Unix time that has passed already, whatever the clock says: what was written down is older."""
        self.touched: dict[tuple[str, str], None] | None = None
        """What has changed since it was written down, by kind and id; None if nothing is written down."""
        self.past: float | None = None
        """The Unix time at which something happens that is made up for now."""
        self._now = 0.0
        self._epoch: float | None = None
        """The Unix time at which the time was 0."""
        self._room = {"chat": MOST_KEPT, "run": MOST_KEPT}
        """How many there may be before old ones are looked for."""
        self._clocks = RunVar[_Clock]("clock of an emulator")
        self._clock: _Clock | None = None

    def arrive(self) -> None:
        """Take the time from the loop that runs here, because a request has come in it.

        Each loop has a clock of its own, so the time goes on from where it was in the loop before.
        """
        here, clock = anyio.current_time(), self._clocks.get(None)
        if clock is None:
            ahead = 0.0
            if self._epoch is None:
                self._epoch = max(time.time(), self.not_before) - here
            else:
                ahead = max(time.time() - self._epoch, self._now) - here
            clock = _Clock(ahead)
            self._clocks.set(clock)
        self._clock = clock

    def now(self) -> float:
        """The time of the event loop that answers requests; outside of any, the last time that was read."""
        try:
            if self._clock is None:
                self.arrive()
            clock = self._clocks.get(None)
        except RuntimeError:  # No event loop runs here: somebody looks at the state after the fact.
            return self._now
        if clock is not None and clock is self._clock:
            self._now = anyio.current_time() + clock.ahead
            return self._now
        # Somebody looks on from another loop, whose clock may be a virtual one.
        return max(self._now, time.time() - (self._epoch or 0.0))

    def clock(self) -> float:
        """The same time in Unix seconds, with fractions."""
        if self.past is not None:
            return self.past
        now = self.now()
        return self.unix(now)

    def unix(self, time: float) -> float:
        """The Unix time of a time of this state."""
        return (self._epoch or 0.0) + time

    def unix_time(self) -> int:
        """The same time in whole Unix seconds."""
        return int(self.clock())

    def new_id(self) -> str:
        """An id of 19 digits that no float can hold, as the service makes them."""
        return str(7_500_000_000_000_000_000 + self.next_number() * 1_048_583)

    def next_number(self) -> int:
        """A number that was not given before, also if the state was kept in a file since."""
        self.number += 1
        return self.number

    def touch(self, kind: str, thing_id: str) -> None:
        """Note that something was made, has changed or is gone."""
        if self.touched is not None:
            self.touched[kind, thing_id] = None

    def keep(self, kind: str, row: Row) -> Row:
        """Remember a row under its id; also to be called when it has changed."""
        self.rows[kind][row["id"]] = row
        self.touch(f"row {kind}", row["id"])
        return row

    def drop(self, kind: str, row_id: str) -> None:
        """Forget a row."""
        del self.rows[kind][row_id]
        self.touch(f"row {kind}", row_id)

    def all(self, kind: str, **equal: Any) -> list[Row]:
        """The rows of a kind that have these values, in the order in which they were made."""
        return [row for row in self.rows[kind].values() if all(row.get(name) == equal[name] for name in equal)]

    def new_conversation(self) -> Conversation:
        """A new, empty conversation."""
        conversation_id, now = self.new_id(), self.unix_time()
        conversation = Conversation(conversation_id, section_id=conversation_id, created_at=now, updated_at=now)
        self.conversations[conversation_id] = conversation
        self.touch("conversation", conversation_id)
        return conversation

    def put(self, conversation: Conversation, message: Row) -> None:
        """Keep a message in a conversation; also to be called when it has changed."""
        conversation.messages[message["id"]] = message
        self.touch("message", f"{conversation.id}/{message['id']}")

    def take(self, conversation: Conversation, message_id: str) -> None:
        """Take a message out of a conversation, with its feedback."""
        del conversation.messages[message_id]
        self.touch("message", f"{conversation.id}/{message_id}")
        if message_id in self.rows["feedback"]:
            self.drop("feedback", message_id)

    def forget(self, conversation: Conversation) -> None:
        """Delete a conversation with all that was said in it."""
        for message_id in list(conversation.messages):
            self.take(conversation, message_id)
        for chat in [chat for chat in self.chats.values() if chat.conversation_id == conversation.id]:
            del self.chats[chat.id]
            self.touch("chat", chat.id)
        del self.conversations[conversation.id]
        self.touch("conversation", conversation.id)

    def make_room(self) -> None:
        """Forget the oldest chats and runs that are over, if there are many; chats with what was said in them.

        They go from the file too: all that is in it comes back into memory at the next start.
        """
        if len(self.chats) > self._room["chat"]:
            self._forget_chats([chat for chat in self.settled().values() if not chat.running][:-MOST_KEPT])
            # Looking through all of them each time would cost more than the chats.
            self._room["chat"] = len(self.chats) + MOST_KEPT // 10
        if len(self.runs) > self._room["run"]:
            now = self.now()
            for run in [run for run in self.runs.values() if run.ends_at <= now][:-MOST_KEPT]:
                del self.runs[run.id]
                self.touch("run", run.id)
            self._room["run"] = len(self.runs) + MOST_KEPT // 10

    def _forget_chats(self, chats: Sequence[ChatState]) -> None:
        for chat in chats:
            del self.chats[chat.id]
            self.touch("chat", chat.id)
            conversation = self.conversations[chat.conversation_id]
            for message in (*chat.asked, *chat.messages):
                if message["id"] in conversation.messages:
                    self.take(conversation, message["id"])
        # A conversation of which nothing is left goes too: most likely the first of its chats had made it.
        left = {chat.conversation_id for chat in self.chats.values()}
        for chat in chats:
            emptied = self.conversations.get(chat.conversation_id)
            if emptied and emptied.chat is chat and not emptied.messages and emptied.id not in left:
                del self.conversations[emptied.id]
                self.touch("conversation", emptied.id)

    def said(self, conversation: Conversation) -> Iterator[Row]:
        """The user's messages that the bot remembers: of this section, and of no round that failed or was canceled."""
        for message in conversation.messages.values():
            if message["role"] == "user" and message["section_id"] == conversation.section_id:
                chat = self.chats.get(message.get("chat_id", ""))
                if chat is None or chat.status == "completed":
                    yield message

    def settled(self) -> dict[str, ChatState]:
        """All chats, brought to where they are now."""
        now = self.now()
        for chat in self.chats.values():
            chat.settle(now)
        return self.chats
