"""One turn of a bot: the events that it tells, and how they move its chat."""

import math
from base64 import b64encode
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ._checks import is_spoken, messages_of, question_of
from ._reasons import reason
from ._scripts import Answer, Ask, Failure, Script, pieces_of
from ._sound import SAMPLE_RATE, pcm, pieces_of_sound
from ._state import ChatState, Conversation, Event, Row
from ._wire import Refusal, recall_message, to_json, verbose_message
from ._world import World

_PROMPT_TOKENS = 60  # what the bot's own prompt costs


@dataclass
class Turn:
    """One turn of a bot: reading its `events` tells the turn and moves the chat on.

    Args:
        world: The server.
        conversation: Where the turn belongs.
        chat: The chat that the turn moves.
        script: What happens.
        outputs: Tool outputs with which an earlier turn of the chat goes on.
        workflow_id: The chatflow that speaks, if one does: its last event is another one.
        ask: The question at which a chatflow stops.
    """

    world: World
    conversation: Conversation
    chat: ChatState
    script: Script
    outputs: Mapping[str, str] | None = None
    workflow_id: str = ""
    ask: Ask | None = None

    @property
    def flow(self) -> bool:
        """Whether a chatflow speaks."""
        return bool(self.workflow_id)

    def begin(self) -> ChatState:
        """Hand the turn to its chat, which can now be streamed or left alone.

        While its script was being made, the conversation may have been deleted: then this is refused.
        """
        self.world.conversation(self.conversation.id)
        self.chat.script, self.chat.flow = self.script, self.flow
        self.chat.outputs = None if self.outputs is None else dict(self.outputs)
        self.chat.told_before = len(self.chat.messages)
        self.chat.events = self.events()
        self.conversation.chat = self.chat
        self.world.state.chats[self.chat.id] = self.chat
        if self.outputs is None:
            self.world.state.used["chats"] += 1
            for message in self.chat.asked if self.chat.saved else ():
                self.world.state.put(self.conversation, message)
        self.world.state.touch("conversation", self.conversation.id)
        self._touch()
        self.world.state.make_room()
        return self.chat

    def events(self) -> Iterator[Event]:
        """The events in the order of the service; ended by a cancel where the dialect does that."""
        for event in self._events():
            if self.chat.canceled and self.world.wire.canceled_ends_stream:
                yield self._chat_event("canceled")
                yield self._done()
                return
            yield event

    def _touch(self) -> None:
        self.world.state.touch("chat", self.chat.id)

    def _events(self) -> Iterator[Event]:
        if self.script.raw is not None:
            self.chat.become("completed")
            self._touch()
            return
        if self.outputs is None:
            yield self._chat_event("created")
        self.chat.become("in_progress")
        yield self._chat_event("in_progress")
        yield from self._preparations()
        if self.script.requires:
            yield from self._requires_action()
        else:
            yield from self._answers()
            yield from self._failed(self.script.failure) if self.script.failure else self._completed()
        yield self._done()

    def _preparations(self) -> Iterator[Event]:
        for output in (self.outputs or {}).values():
            yield self._complete("tool_response", output)
        if self.script.knowledge:
            recall = recall_message(list(self.script.knowledge), self.chat.question)
            yield self._complete("verbose", recall)
        for tool in self.script.tools:
            yield self._complete("function_call", _call(tool.name, tool.arguments))
            yield self._complete("tool_response", tool.response)

    def _requires_action(self) -> Iterator[Event]:
        calls: list[dict[str, Any]] = []
        for tool in self.script.requires:
            call: dict[str, Any] = {"id": tool.id or self.world.state.new_id(), "type": tool.type}
            if tool.type == "function":
                call["function"] = {"name": tool.name, "arguments": to_json(dict(tool.arguments))}
                yield self._complete("function_call", _call(tool.name, tool.arguments))
            calls.append(call)
        self.chat.required_action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}
        self.chat.become("requires_action")
        self._touch()
        yield self._chat_event("requires_action")

    def _answers(self) -> Iterator[Event]:
        for answer in self.script.spoken():
            message = self._message("answer", "", content_type=answer.content_type)
            for piece in pieces_of(answer.reasoning):
                yield Event("conversation.message.delta", {**message, "reasoning_content": piece}, wait=True)
            for piece in answer.deltas():
                yield Event("conversation.message.delta", {**message, "content": piece}, wait=True)
            if self.script.failure is None:
                message["content"] = answer.content
                if answer.reasoning:
                    message["reasoning_content"] = answer.reasoning
                yield self._completed_message(message)

    def _completed(self) -> Iterator[Event]:
        chat, state = self.chat, self.world.state
        if self.ask is not None:
            yield self._complete("verbose", verbose_message("interrupt", self.ask.question))
            self.conversation.waiting, self.conversation.waiting_in = self.ask, self.workflow_id
            state.touch("conversation", self.conversation.id)
            chat.become("requires_action")
            chat.required_action = {
                "type": "submit_tool_outputs",
                "submit_tool_outputs": {"tool_calls": [{"id": state.new_id(), "type": "reply_message"}]},
            }
            yield self._chat_event("requires_action")
            return
        for told in self.script.verbose:
            data = told.data if isinstance(told.data, str) else to_json(dict(told.data))
            yield self._complete("verbose", verbose_message(told.msg_type, data))
        finished = verbose_message("generate_answer_finish", to_json({"finish_reason": 0, "FinData": ""}))
        yield self._complete("verbose", finished)
        for line in self.script.follow_ups:
            yield self._complete("follow_up", line)
        chat.usage = self._usage()
        state.used["tokens"] += sum(chat.usage.values())
        chat.completed_at = state.unix_time()
        chat.become("completed")
        yield self._chat_event("completed")
        for answer in self.script.spoken():
            for sound in answer.audio or self._voice(answer):
                content = b64encode(sound).decode()
                yield Event(
                    "conversation.audio.delta", self._message("answer", content, content_type="audio"), wait=True
                )

    def _voice(self, answer: Answer) -> Sequence[bytes]:
        """What is heard where the user speaks and the answer has no sound of its own: a tone of its length."""
        is_heard = answer.content_type != "card" and is_spoken(self.chat.asked)
        return pieces_of_sound(pcm(answer.content, SAMPLE_RATE)) if is_heard else ()

    def _failed(self, failure: Failure) -> Iterator[Event]:
        chat = self.chat
        chat.last_error = failure
        self._touch()
        chat.failed_at = self.world.state.unix_time()
        chat.become("failed")
        # A chatflow tells its code as a string (coze.cn docs, workflow_chat).
        bare = {"code": str(failure.code) if self.flow else failure.code, "msg": failure.msg}
        if failure.bare or self.flow:
            yield Event("conversation.chat.failed", bare)
        else:
            yield self._chat_event("failed")

    def _done(self) -> Event:
        return Event("done", {"debug_url": self.world.debug_url(self.chat.id)} if self.flow else "[DONE]")

    def _chat_event(self, status: str) -> Event:
        self._touch()
        return Event(f"conversation.chat.{status}", self.world.wire.chat(self.chat, status))

    def _message(self, kind: str, content: str, **more: Any) -> dict[str, Any]:
        chat = self.chat
        message = {"id": self.world.state.new_id(), "conversation_id": chat.conversation_id}
        if chat.bot_id:
            message["bot_id"] = chat.bot_id
        return message | {
            "role": "assistant",
            "type": kind,
            "content": content,
            "content_type": "text",
            "chat_id": chat.id,
            "section_id": chat.section_id,
            **more,
        }

    def _complete(self, kind: str, content: str) -> Event:
        return self._completed_message(self._message(kind, content))

    def _completed_message(self, message: dict[str, Any]) -> Event:
        message["created_at"] = message["updated_at"] = self.world.state.unix_time()
        if message["type"] == "answer":
            # Two recordings of coze.cn: an answer begins with its chat, whatever comes before it.
            message["created_at"] = self.chat.created_at
        self.chat.messages.append(message)
        if self.chat.saved:
            self.world.state.put(self.conversation, message)
        return Event("conversation.message.completed", message)

    def _usage(self) -> dict[str, int]:
        if self.script.usage is not None:
            return {"output_count": self.script.usage.output_count, "input_count": self.script.usage.input_count}
        written = [
            piece
            for a in self.script.spoken()
            for piece in (*pieces_of(a.reasoning), *(a.deltas() or pieces_of(a.content)))
        ]
        questions = (*self.world.history(self.conversation), self.chat.question)
        asked = sum(len(pieces_of(question)) for question in questions)
        return {"output_count": len(written), "input_count": _PROMPT_TOKENS + asked}


def make_up(world: World, turn_of: type[Turn] = Turn) -> None:
    """Let the chats end that ended while their state lay in a file; their `ends_at` are still Unix times."""
    state = world.state
    for chat in sorted((chat for chat in state.chats.values() if chat.running), key=lambda chat: chat.ends_at):
        state.past, chat.ends_at = chat.ends_at, math.inf
        try:
            turn = turn_of(world, state.conversations[chat.conversation_id], chat, chat.script, chat.outputs)
            deque(turn.events(), maxlen=0)
        finally:
            state.past = None


def _call(name: str, arguments: Mapping[str, Any]) -> str:
    call = {
        "name": name,
        "arguments": dict(arguments),
        "plugin_id": 7001,
        "api_id": 7002,
        "plugin_type": 1,
        "thought": "",
    }
    return to_json(call)


def check_free(world: World, conversation: Conversation) -> None:
    """Refuse a turn in a conversation in which another one goes on; one that waits for tool outputs does not."""
    if world.is_cloud and conversation.chat is not None:
        conversation.chat.settle(world.state.now())
        if conversation.chat.running:
            raise Refusal(4016, f"Conversation {conversation.id} is occupied: another chat runs in it.")


def check_quota(world: World) -> Failure | None:
    """How a chat that the account cannot pay fails, if it is not refused; None if there is enough left."""
    code = world.quota.code
    if not world.quota.is_spent(world.state.used["chats"], world.state.used["tokens"]):
        return None
    if code != 4028:
        raise Refusal(code, reason(code))
    return Failure(code, reason(code))


@contextmanager
def room_for_chat(world: World, conversation_id: str | None) -> Generator[Conversation]:
    """The conversation of a new chat, as it was before if no chat comes about; without an id a new one."""
    conversation = world.conversation(conversation_id)
    check_free(world, conversation)
    before = conversation.chat
    try:
        yield conversation
    except BaseException:
        conversation.chat = before
        if not conversation_id and conversation.id in world.state.conversations:
            world.state.forget(conversation)
        raise


def new_chat(
    world: World,
    conversation: Conversation,
    body: Mapping[str, Any],
    *,
    bot_id: str,
    user_id: str,
    saved: bool = True,
) -> ChatState:
    """A chat of `conversation` that has not told anything yet."""
    messages, state = messages_of(body), world.state
    chat = ChatState(
        state.new_id(),
        conversation.id,
        conversation.section_id,
        bot_id,
        user_id,
        question_of(messages),
        state.unix_time(),
        saved=saved,
        meta_data=dict(body.get("meta_data") or {}),
    )
    ids = {"conversation_id": conversation.id, "section_id": conversation.section_id, "chat_id": chat.id}
    if bot_id:
        ids["bot_id"] = bot_id
    chat.asked = [new_message(world, message, chat.created_at, **ids) for message in messages]
    # A conversation belongs to the bot that was first talked to in it.
    conversation.bot_id = conversation.bot_id or bot_id
    conversation.user_id = conversation.user_id or user_id
    conversation.updated_at = chat.created_at
    return chat


def new_message(world: World, given: Mapping[str, Any], now: int, **ids: str) -> Row:
    """A message that somebody put into a conversation."""
    role = str(given.get("role") or "user")
    return {
        "id": world.state.new_id(),
        **ids,
        "role": role,
        "type": str(given.get("type") or ("question" if role == "user" else "answer")),
        "content": str(given.get("content") or ""),
        "content_type": str(given.get("content_type") or "text"),
        "meta_data": given.get("meta_data") or {},
        "created_at": now,
        "updated_at": now,
    }
