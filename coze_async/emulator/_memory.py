"""How a state is written down and found again.

What cannot be written down is the code in scripts. A chat or a run that was going on is over after a restart if its
time has come meanwhile, and has failed otherwise; so has a chat whose stream had told a part of it. A chat that
waits for tool outputs, and a run that waits for an answer, go on with what the emulator does by itself.
"""

import contextlib
import math
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from ._disk import Change, Disk, refusal
from ._scripts import Ask, Failure, Node, Script, Usage, WorkflowScript
from ._state import ChatState, Conversation, Row, RunState, State

_RESTARTED = Failure(5000, "The emulator was started anew while this went on.")
_RESERVED = 10_000  # numbers that may have been given when a crash comes; an orderly end gives them back
_READ: Row = {"script": None, "ends_at": None}
_PLAIN_CHAT = [
    name
    for name in (field.name for field in fields(ChatState))
    if name not in {"messages", "last_error", "script", "events", "begun_at", "ends_at"}
]
_PLAIN_CONVERSATION = [
    name for name in (field.name for field in fields(Conversation)) if name not in {"messages", "chat", "waiting"}
]


class Memory:
    """Writes down what has changed in a state, and fills a new one with what was written down before."""

    def __init__(self, disk: Disk, state: State) -> None:
        self._disk = disk
        self._state = state
        try:
            self._load()
        except (LookupError, TypeError, ValueError, sqlite3.Error) as error:
            disk.close()
            raise refusal(disk.path, f"something in it does not fit together ({error!r})") from error
        state.touched = {}
        # Before the first id is given: a crash may come before the next change is on the disk.
        disk.write([self._numbers(state.number + _RESERVED)])
        disk.flush()

    def save(self) -> None:
        """Hand what has changed to the disk."""
        touched = self._state.touched
        if touched:
            state, changes = self._state, list[Change]()
            for kind, row_id in touched:
                # What a script says may be no text that can be written; it shall not keep the rest in memory.
                with contextlib.suppress(ValueError):
                    changes.append(Change(kind, row_id, self._written(kind, row_id)))
            touched.clear()
            self._disk.write([self._numbers(state.number + _RESERVED), *changes])

    def flush(self) -> None:
        """Save, and wait until it is on the disk."""
        self.save()
        self._disk.flush()

    def close(self) -> None:
        """Save, and close the file; from then on everything stays in memory."""
        self.save()
        if self._state.touched is not None:
            self._disk.write([self._numbers(self._state.number)])
        self._state.touched = None
        self._disk.close()

    def _numbers(self, number: int) -> Change:
        state = self._state
        clock = max(state.clock(), state.not_before)
        return Change("numbers", "", to_json({"number": number, "used": state.used, "clock": clock}))

    def _written(self, kind: str, row_id: str) -> bytes | None:
        state = self._state
        found: Any
        match kind:
            case "conversation":
                found = _told_conversation(state.conversations.get(row_id))
            case "chat":
                found = _told_chat(state, state.chats.get(row_id))
            case "run":
                found = _told_run(state, state.runs.get(row_id))
            case "message":
                conversation_id, _, message_id = row_id.partition("/")
                conversation = state.conversations.get(conversation_id)
                found = None if conversation is None else conversation.messages.get(message_id)
            case _:
                found = state.rows[kind.removeprefix("row ")].get(row_id)
        return None if found is None else to_json(found)

    def _load(self) -> None:
        state = self._state
        for kind, value in self._disk:
            match kind:
                case "numbers":
                    state.number, state.used, state.not_before = value["number"], value["used"], value["clock"]
                case "conversation":
                    waiting = value.pop("waiting")
                    state.conversations[value["id"]] = Conversation(**value, waiting=_ask(waiting))
                case "message":
                    conversation = state.conversations.get(value["conversation_id"])
                    if conversation is not None:
                        conversation.messages[value["id"]] = value
                case "chat":
                    self._load_chat(value)
                case "run":
                    state.runs[value["id"]] = _run(value, self._now())
                case _:
                    state.rows[kind.removeprefix("row ")][value["id"]] = value

    def _now(self) -> float:
        # The numbers come first: they are written with the first change.
        return max(time.time(), self._state.not_before)

    def _load_chat(self, value: Row) -> None:
        error, messages = value.pop("last_error"), value.pop("messages")
        script, ends_at = value.pop("script"), value.pop("ends_at")
        chat = ChatState(**value, last_error=Failure(**error) if error else None)
        conversation = self._state.conversations.get(chat.conversation_id)
        if conversation is None:  # It was deleted while this began.
            return
        # One message is one thing, in the chat and in its conversation.
        chat.messages = [conversation.messages.get(str(message["id"]), Row(message)) for message in messages]
        if chat.running and script and ends_at <= self._now():
            chat.script, chat.ends_at = TypeAdapter(Script).validate_json(script), ends_at
        elif chat.running:
            chat.status, chat.last_error = "failed", _RESTARTED
            chat.failed_at = int(self._now())
        self._state.chats[chat.id] = conversation.chat = chat


def _told_conversation(conversation: Conversation | None) -> Row | None:
    if conversation is None:
        return None
    told = {name: getattr(conversation, name) for name in _PLAIN_CONVERSATION}
    return {**told, "waiting": _told_ask(conversation.waiting)}


def _told_chat(state: State, chat: ChatState | None) -> Row | None:
    if chat is None:
        return None
    error = chat.last_error
    told = {name: getattr(chat, name) for name in _PLAIN_CHAT}
    wrong = {"code": error.code, "msg": error.msg, "bare": error.bare} if error else None
    is_left = chat.running and chat.ends_at < math.inf
    ends = {"script": _told_script(chat), "ends_at": state.unix(chat.ends_at)} if is_left else _READ
    return {**told, **ends, "last_error": wrong, "messages": chat.messages}


def _told_script(chat: ChatState) -> str | None:
    """What a chat that nobody reads has still to say; None if it has said a part of it, or cannot be written down."""
    if chat.flow or len(chat.messages) != chat.told_before:
        return None
    script = chat.script
    # Bytes are for those who read along.
    answers = [replace(answer, audio=()) for answer in script.spoken()]
    script = replace(script, answers=answers, then=None, raw=None if script.raw is None else [])
    try:
        return to_json(script).decode()
    except ValueError:
        return None


def _told_run(state: State, run: RunState | None) -> Row | None:
    if run is None:
        return None
    script = run.script
    same = ("id", "workflow_id", "mode", "created_at", "event_id", "resumed", "given")
    return {
        **{name: getattr(run, name) for name in same},
        "ends_at": state.unix(run.ends_at) if run.ends_at < math.inf else None,
        "output": script.output if isinstance(script.output, str) else dict(script.output),
        "nodes": [[node.title, node.text, node.node_type, node.content_type] for node in script.nodes],
        "ask": _told_ask(script.ask),
        "failure": [script.failure.code, script.failure.msg] if script.failure else None,
        "usage": [script.usage.input_count, script.usage.output_count] if script.usage else None,
    }


def _run(value: Mapping[str, Any], now: float) -> RunState:
    is_over = value["ends_at"] is not None and value["ends_at"] <= now
    script = WorkflowScript(
        value["output"],
        nodes=[Node(*node) for node in value["nodes"]],
        ask=_ask(value["ask"]),
        failure=Failure(*value["failure"]) if value["failure"] else None,
        usage=Usage(*value["usage"]) if value["usage"] else None,
    )
    if not is_over:
        script = WorkflowScript(nodes=script.nodes, failure=_RESTARTED)
    run = RunState(value["id"], value["workflow_id"], value["mode"], script, value["created_at"], ends_at=-1.0)
    run.resumed = value["resumed"]
    run.given = value.get("given", "")
    run.event_id = value["event_id"] if is_over else ""
    return run


def _told_ask(ask: Ask | None) -> list[Any] | None:
    return [ask.question, ask.type, ask.title] if ask else None


def _ask(value: list[Any] | None) -> Ask | None:
    return Ask(*value) if value else None
