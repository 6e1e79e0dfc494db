"""What an emulated server remembers: conversations, chats, workflow runs, and the time."""

import itertools
import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import anyio

from ._scripts import Ask, Failure, Script, WorkflowScript


class Event(NamedTuple):
    """One event of a stream, before a dialect writes it."""

    name: str
    data: Any
    wait: bool = False
    """Whether the writer pauses before it: it is a further piece of a text."""


@dataclass(slots=True)
class Conversation:
    """A conversation: the questions asked in it, its last chat, and the chatflow that waits in it."""

    id: str
    section_id: str
    questions: list[str] = field(default_factory=list[str])
    chat: "ChatState | None" = None
    waiting: Ask | None = None


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
    resumed: int = 0

    @property
    def waiting(self) -> Ask | None:
        """The question at which the run stands."""
        return self.script.ask if self.event_id else None


class State:
    """Everything one emulated server knows."""

    def __init__(self) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.chats: dict[str, ChatState] = {}
        self.runs: dict[str, RunState] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, deque[float]] = {}
        self._numbers = itertools.count(1)
        self._now = 0.0
        self._epoch: float | None = None

    def now(self) -> float:
        """The time of the event loop; outside of one, the last time that was read."""
        try:
            self._now = anyio.current_time()
        except RuntimeError:  # No event loop runs here: somebody looks at the state after the fact.
            return self._now
        if self._epoch is None:
            self._epoch = time.time() - self._now
        return self._now

    def unix_time(self) -> int:
        """The same time in Unix seconds."""
        now = self.now()
        return int((self._epoch or 0.0) + now)

    def new_id(self) -> str:
        """An id of 19 digits that no float can hold, as the service makes them."""
        return str(7_500_000_000_000_000_000 + next(self._numbers) * 1_048_583)

    def new_conversation(self) -> Conversation:
        """A new, empty conversation."""
        conversation_id = self.new_id()
        conversation = Conversation(conversation_id, section_id=conversation_id)
        self.conversations[conversation_id] = conversation
        return conversation

    def settled(self) -> dict[str, ChatState]:
        """All chats, brought to where they are now."""
        now = self.now()
        for chat in self.chats.values():
            chat.settle(now)
        return self.chats

    def calls_in_a_minute(self, user: str) -> int:
        """Count one more call of `user` and say how many the last 60 seconds saw."""
        now = self.now()
        calls = self.calls.setdefault(user, deque())
        while calls and calls[0] <= now - 60:
            calls.popleft()
        calls.append(now)
        return len(calls)
