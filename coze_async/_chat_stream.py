"""The events of a chat, and what they add up to."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Self

from pydantic import ValidationError

from coze_async._core import Core
from coze_async._envelope import code_of, message_of
from coze_async._errors import APIError, ChatFailedError, CozeError, StreamProtocolError, class_of, explain, unwrapped
from coze_async._exchange import Request
from coze_async._inline_reasoning import InlineReasoning, without_reasoning
from coze_async._sse import Event
from coze_async._stream import EventStream, State
from coze_async.models import (
    AudioDelta,
    Chat,
    ChatCanceled,
    ChatCompleted,
    ChatCreated,
    ChatEvent,
    ChatFailed,
    ChatInProgress,
    ChatRequiresAction,
    ChatResult,
    Message,
    MessageCompleted,
    MessageDelta,
    StreamDone,
    UnknownEvent,
)
from coze_async.models._base import read_json, read_object, without_nulls
from coze_async.models._chat import ANSWER_SEPARATOR, is_answer
from coze_async.models._json import json_object, json_text

__all__ = ["ChatStream", "chat_failed", "chat_without_answer", "reasoning_apart"]

_read_message = Message.__pydantic_validator__.validate_json
_read_chat = Chat.__pydantic_validator__.validate_json
_wrapped = MessageDelta.__pydantic_validator__.validate_python
# What comes before the first text is built here: the first chat would have to wait for it.
for _early in (ChatCreated, ChatInProgress):
    _early.model_rebuild()

_ChatModel = (
    type[ChatCreated]
    | type[ChatInProgress]
    | type[ChatCompleted]
    | type[ChatFailed]
    | type[ChatRequiresAction]
    | type[ChatCanceled]
)
_MessageModel = type[MessageDelta] | type[MessageCompleted] | type[AudioDelta]

_CHAT_EVENTS: dict[bytes, _ChatModel] = {
    b"conversation.chat.created": ChatCreated,
    b"conversation.chat.in_progress": ChatInProgress,
    b"conversation.chat.completed": ChatCompleted,
    b"conversation.chat.failed": ChatFailed,
    b"conversation.chat.requires_action": ChatRequiresAction,
    b"conversation.chat.required_action": ChatRequiresAction,
    b"conversation.chat.canceled": ChatCanceled,
    b"conversation.chat.cancelled": ChatCanceled,
    # The first release of Coze Studio.
    b"conversation.run.created": ChatCreated,
    b"conversation.run.in_progress": ChatInProgress,
    b"conversation.run.completed": ChatCompleted,
    b"conversation.run.failed": ChatFailed,
}
_MESSAGE_EVENTS: dict[bytes, _MessageModel] = {
    b"conversation.message.delta": MessageDelta,
    b"conversation.message.completed": MessageCompleted,
    b"conversation.audio.delta": AudioDelta,
}
# `done` on the cloud and in chatflows, the longer form on Coze Studio (build_chunk_event.go) and Coze Plus.
_DONE_EVENTS = frozenset((b"done", b"conversation.stream.done", b"stream.done"))
_ERROR_EVENTS = frozenset((b"error", b"conversation.error"))
# How the session route calls a failure of the model, in an ordinary answer (Coze Studio 4f786d6, Coze Plus fb00b21).
_SOMETHING = "Something error:"
# Where the session route counts the tokens of an answer.
_TOKENS = frozenset(("input_tokens", "output_tokens", "token"))
# The session route `/api/conversation/chat` names its pieces of messages so.
_PIECE_EVENTS = frozenset((b"message",))


# With all three nothing has to be filled in.
_FULL_CHAT = frozenset(("id", "conversation_id", "status"))


def _whole_chat(data: bytes) -> Chat | None:
    """Read a chat from the bytes if it is one as the cloud sends it; None if anything about it is unusual."""
    if b"null" in data:
        return None
    try:
        chat = _read_chat(data)
    except ValidationError:
        return None
    return chat if chat.model_fields_set >= _FULL_CHAT and not chat.model_extra else None


class Transcript:
    """What a chat has brought so far: messages by id, in the order in which they began."""

    __slots__ = ("_messages", "_pieces", "chat")

    def __init__(self) -> None:
        self.chat: Chat | None = None
        # A message id: the first piece (for all but its text), or the whole.
        self._messages: dict[str, Message] = {}
        # The texts of what is still being written.
        self._pieces: dict[str, tuple[list[str], list[str]]] = {}

    @property
    def is_empty(self) -> bool:
        """True if no message has come."""
        return not self._messages

    def pieces(self, message: Message) -> tuple[list[str], list[str]]:
        """Return where the texts and the thoughts of the pieces of a message are kept, beginning with this piece."""
        found = self._pieces.get(message.id)
        if found is None:
            found = list[str](), list[str]()
            # What comes after its whole message says nothing new.
            if message.id not in self._messages:
                self._messages[message.id] = message
                self._pieces[message.id] = found
        return found

    def whole(self, message: Message) -> None:
        """Take a whole message."""
        begun = self._messages.get(message.id)
        is_own = begun is None or not message.id or begun.type == message.type
        texts, thoughts = self._pieces.pop(message.id, ([], [])) if is_own else ([], [])
        if not message.id:
            # Of a server that names no ids: the pieces before were its own, those that follow begin another one.
            self._messages.pop("", None)
        key = message.id or f"#{len(self._messages)}"
        known = self._messages.get(key)
        if known is not None and known.type != message.type:
            # Some servers give one id to messages of several types, such as a recall and the end of the answers.
            key = f"{key}#{message.type}"
        changes: dict[str, str] = {}
        # Some servers send the text only in pieces, and the thoughts often so.
        if not message.content and texts:
            changes["content"] = "".join(texts)
        if not message.reasoning_content and thoughts:
            changes["reasoning_content"] = "".join(thoughts)
        self._messages[key] = message.model_copy(update=changes) if changes else message

    def result(self, logid: str | None, *, inline_reasoning: bool = False) -> ChatResult:
        """Return all of it; what was not finished holds the pieces that came."""
        messages = [
            message.model_copy(
                update={
                    "content": "".join(self._pieces[key][0]),
                    "reasoning_content": "".join(self._pieces[key][1]) or None,
                }
            )
            if key in self._pieces
            else message
            for key, message in self._messages.items()
        ]
        messages = reasoning_apart(messages) if inline_reasoning else messages
        return ChatResult(chat=self.chat, messages=messages, logid=logid)


class ChatStream(EventStream[ChatEvent, ChatResult]):
    """The events of one chat: `async for event in stream`, `async for text in stream.text()`, `await stream.result()`.

    After a `ChatFailed` the next step raises ChatFailedError; an error event raises the APIError that it describes; a
    body that ends too early raises StreamInterruptedError. All of them carry what came until then in `.partial`.
    """

    def __init__(self, core: Core, request: Request, *, slot: str | None = None) -> None:
        self._transcript = Transcript()
        super().__init__(core, request, slot=slot)
        self._is_session_route = False

    @property
    def chat(self) -> Chat | None:
        """The chat as the server sent it last; None until its first event."""
        return self._transcript.chat

    @property
    def chat_id(self) -> str:
        """The id of the chat; empty until its first event."""
        return self._transcript.chat.id if self._transcript.chat else ""

    @property
    def conversation_id(self) -> str:
        """The conversation, to go on with; empty until the first event."""
        return self._transcript.chat.conversation_id if self._transcript.chat else ""

    def text(self) -> AsyncIterator[str]:
        """Return the answer's text, piece by piece as it is written, and nothing else.

        The pieces together are the result's `.text`, as long as the answers do not interleave.
        """
        return _Text(self, inline_reasoning=self._core.options.inline_reasoning)

    def _typed_events(
        self, decode: Callable[[Event], ChatEvent | None], inbox: list[Event]
    ) -> Iterator[ChatEvent | None]:
        return _chat_events(decode, inbox, self._transcript)

    def _decoded(self, event: Event) -> ChatEvent | None:
        name, data, _ = event
        try:
            if (message_class := _MESSAGE_EVENTS.get(name)) is not None:
                message = read_json(Message, data)
                # A message without an id may be one that is wrapped, as on the page of Coze Plus.
                if message.id or "message_item" not in (message.model_extra or {}):
                    return self._message(message_class, message)
            return self._rare(event)
        except CozeError:
            raise
        except ValueError as error:
            raise self._unreadable(event, error) from error

    def _message(self, kind: _MessageModel, message: Message) -> ChatEvent:
        if kind is MessageDelta:
            texts, thoughts = self._transcript.pieces(message)
            texts.append(message.content)
            thoughts.append(message.reasoning_content or "")
        elif kind is MessageCompleted:
            self._transcript.whole(message)
        return kind(message=message)

    def _rare(self, event: Event) -> ChatEvent | None:
        """Decode what is no plain message."""
        given_name, data, _ = event
        name = given_name.lower()
        chat_class = _CHAT_EVENTS.get(name)
        if chat_class is not None and (chat := _whole_chat(data)) is not None:
            return self._told(chat_class, name.decode(), chat)
        text = data.decode("utf-8", "replace")
        facts = json_object(text)
        if not name or (name not in _KNOWN_CHAT_EVENTS and isinstance(facts.get("event"), str)):
            # The page of Coze Plus repeats the name in the data; some of its samples have it only there.
            name = (json_text(facts.get("event")) or "").lower().encode()
            chat_class = _CHAT_EVENTS.get(name)
        if name in _ERROR_EVENTS:
            raise self._reported(text, facts)
        if name in _DONE_EVENTS:
            self._end()
            chat = self._transcript.chat
            if self._is_session_route and chat is not None:
                self._transcript.chat = chat.model_copy(update={"status": "completed"})
            return StreamDone(event=name.decode(), debug_url=json_text(facts.get("debug_url")))
        if name == b"ping":
            return None
        if chat_class is not None:
            if not facts and data.strip() not in (b"", b"{}"):
                raise ValueError("no JSON object")
            return self._chat(chat_class, name.decode(), facts)
        if (message_class := _MESSAGE_EVENTS.get(name)) is not None:
            return self._message(message_class, read_object(Message, json_object(facts.get("message_item")) or facts))
        if name in _PIECE_EVENTS and (message := json_object(facts.get("message"))):
            return self._piece_of_session_route(facts, message)
        return UnknownEvent(event=name.decode("utf-8", "replace"), data=text)

    def _chat(self, kind: _ChatModel, name: str, facts: dict[str, Any]) -> ChatEvent:
        facts = without_nulls(json_object(facts.get("run_record_item")) or facts)
        known = self._transcript.chat
        if "code" in facts and "id" not in facts:
            # A bare `{code, msg}`: the page chat_v3 with a number, the page workflow_chat with a text.
            facts["last_error"] = {"code": code_of(facts) or 0, "msg": message_of(facts)}
        facts = {
            "id": known.id if known else "",
            "conversation_id": known.conversation_id if known else "",
            "status": name.rpartition(".")[2],
            **facts,
        }
        return self._told(kind, name, read_object(Chat, facts))

    def _told(self, kind: _ChatModel, name: str, chat: Chat) -> ChatEvent:
        if self._request.chat is not None and self._request.is_other_chat(chat.id):
            raise StreamProtocolError(
                f"{self._request.name}: the stream is about the chat {chat.id}, not {self._request.chat}: the "
                f"connection was out of step. It was closed.{self._traced()}",
                logid=self.logid,
            )
        self._transcript.chat = chat
        if chat.is_over and self._open is not None:
            self._open.free_conversation()
        if kind is ChatFailed:
            self._end(chat_failed(self._core, self._request.name, chat, self.logid, self._partial()))
        return kind(event=name, chat=chat)

    def _piece_of_session_route(self, facts: dict[str, Any], inner: dict[str, Any]) -> ChatEvent:
        """Read `{"message": {…}, "is_finish": …, "conversation_id": …}` (Coze Studio's own web page).

        Source: `LegacyChatMessage` of Coze Studio's interface description (message_id, reply_id, no chat).
        """
        ids = {
            "id": inner.get("message_id"),
            "chat_id": inner.get("reply_id"),
            "conversation_id": facts.get("conversation_id"),
        }
        tokens = {name: text for name, text in json_object(inner.get("extra_info")).items() if name in _TOKENS and text}
        message = read_object(Message, {**ids, **({"meta_data": tokens} if tokens else {}), **inner})
        if facts.get("is_finish") and is_answer(message) and message.content.startswith(_SOMETHING):
            raise self._something_wrong(message.content.removeprefix(_SOMETHING))
        if self._transcript.chat is None:
            self._is_session_route = True
            self._transcript.chat = Chat(
                id=message.chat_id or "", conversation_id=message.conversation_id or "", status="in_progress"
            )
        return self._message(MessageCompleted if facts.get("is_finish") else MessageDelta, message)

    def _something_wrong(self, said: str) -> ChatFailedError:
        """Return the error that the session route sends as an ordinary answer."""
        msg = self._core.redacted(said)
        return ChatFailedError(
            f"{self._request.name}: the model of the agent failed: {msg.rstrip('.')}. "
            f"Look at the agent's model and at the server's log.{self._traced()}",
            chat=self._transcript.chat,
            msg=msg,
            logid=self.logid,
            partial=self._partial(),
        )

    def _why_empty(self) -> str:
        if self._request.session:
            return "Coze Studio and Coze Plus do so for an agent that is not published: try draft_mode=True"
        return super()._why_empty()

    def _reported(self, text: str, facts: dict[str, Any]) -> APIError:
        # The page of Coze Plus shows `conversation.error` with the error inside.
        facts = {**facts, **json_object(facts.get("error"))}
        return self._refused(facts, text.strip() or "an error event without a reason")

    def _counts_heartbeats(self) -> bool:
        # In a chatflow a node works; a chat may never begin.
        return self._request.runs_workflow

    def _is_in_step(self) -> bool:
        # An end without anything before it may be the surplus of another answer.
        return self._transcript.chat is not None or not self._transcript.is_empty

    def _is_complete(self) -> bool:
        # Without its last event a body may still be complete: the chat's own end was seen.
        chat = self._transcript.chat
        return chat is not None and chat.is_over

    def _digest(self, body: bytes, logid: str | None) -> ChatResult:
        """Return what a body holds that came as a whole; raise what its events report."""
        self._logid = logid
        for event in [*self._reader.feed(body), *self._reader.end()]:
            self._next_decoded(event)
            if self._error is not None:
                raise self._error
        if self._state is not State.ENDING and not self._is_complete():
            raise self._broken(None)
        return self._collected()

    def _partial(self) -> ChatResult:
        return self._transcript.result(self.logid, inline_reasoning=self._core.options.inline_reasoning)

    def _collected(self) -> ChatResult:
        return self._partial()


_KNOWN_CHAT_EVENTS = frozenset((*_CHAT_EVENTS, *_MESSAGE_EVENTS, *_DONE_EVENTS, *_ERROR_EVENTS, b"ping"))


def _chat_events(
    decode: Callable[[Event], ChatEvent | None], inbox: list[Event], transcript: Transcript
) -> Iterator[ChatEvent | None]:
    """Do what every stream does, with a short way for pieces of text: nearly every event is one."""
    writing = ""
    texts: list[str] = []
    thoughts: list[str] = []
    while True:
        for event in inbox:
            name, data, _ = event
            if name == b"conversation.message.delta":
                try:
                    message = _read_message(data)
                except ValidationError:
                    pass
                else:
                    # A message without an id may be one that is wrapped, as on the page of Coze Plus.
                    if message_id := message.id:
                        if message_id != writing:
                            writing = message_id
                            texts, thoughts = transcript.pieces(message)
                        if text := message.content:
                            texts.append(text)
                        if thought := message.reasoning_content:
                            thoughts.append(thought)
                        yield _wrapped({"message": message})
                        continue
            if (decoded := decode(event)) is not None:
                yield decoded
        yield None


class _Text:
    """Hands out the texts of a stream as they come."""

    __slots__ = ("_has_written", "_inline", "_pending", "_stream", "_whole", "_writing")

    def __init__(self, stream: ChatStream, *, inline_reasoning: bool) -> None:
        self._stream = stream
        # What separates the reasoning within each answer; None leaves it where it is.
        self._inline: dict[str, InlineReasoning] | None = {} if inline_reasoning else None
        # The pieces of each answer that is not whole yet.
        self._writing: dict[str, list[str]] = {}
        # Answers that were written to their end: some servers send the whole of one twice.
        self._whole: set[str] = set()
        self._has_written = False
        self._pending = ""

    def __aiter__(self) -> Self:
        aiter(self._stream)
        return self

    async def __anext__(self) -> str:
        if self._pending:
            text, self._pending = self._pending, ""
            return text
        while True:
            event = await anext(self._stream)
            if not isinstance(event, MessageDelta | MessageCompleted) or not is_answer(event.message):
                continue
            message = event.message
            if message.id in self._whole:
                continue
            pieces = self._writing.get(message.id)
            text = message.content
            if isinstance(event, MessageCompleted):
                self._writing.pop(message.id, None)
                if message.id:
                    self._whole.add(message.id)
                written = "".join(pieces or ())
                # A piece that was lost on the way is made up for, if it was the last one.
                text = text[len(written) :] if text.startswith(written) else ""
            elif text:
                self._writing.setdefault(message.id, []).append(text)
            is_new = pieces is None
            if self._inline is not None:
                text, is_new = self._apart(message.id, text, is_whole=isinstance(event, MessageCompleted))
            if not text:
                continue
            if is_new and self._has_written:
                self._pending = text
                return ANSWER_SEPARATOR
            self._has_written = True
            return text

    def _apart(self, message_id: str, text: str, *, is_whole: bool) -> tuple[str, bool]:
        """Return the text of a piece without reasoning, and whether it is the first text of its answer."""
        known = {} if self._inline is None else self._inline
        inline = known.setdefault(message_id, InlineReasoning())
        was_begun = inline.has_text
        answer, _ = inline.feed(text)
        if is_whole:
            answer += inline.end()[0]
            del known[message_id]
        return answer, not was_begun


def reasoning_apart(messages: Sequence[Message]) -> list[Message]:
    """Return messages with the reasoning that stands within answers moved to where reasoning belongs."""
    moved: list[Message] = []
    for message in messages:
        text, thought = without_reasoning(message.content) if is_answer(message) else (message.content, "")
        if text != message.content:
            thought = (message.reasoning_content or "") + thought
            message = message.model_copy(update={"content": text, "reasoning_content": thought or None})
        moved.append(message)
    return moved


def chat_failed(
    core: Core, name: str, chat: Chat, logid: str | None, partial: ChatResult | None = None
) -> ChatFailedError:
    """Build the error for a chat that failed: its code is the chat's, not the call's."""
    error = chat.error
    code = error.code or None if error else None
    inner, msg = unwrapped(code, core.redacted(error.msg) if error else "")
    numbered = f" (code {code})" if code else ""
    text = f"{name}: the chat {chat.id or '(no id)'} failed{numbered}: {explain(inner, msg, class_of(inner, None))}"
    return ChatFailedError(
        f"{text}{f' [logid {logid}]' if logid else ''}", chat=chat, code=code, msg=msg, logid=logid, partial=partial
    )


def chat_without_answer(core: Core, name: str, chat: Chat, logid: str | None) -> ChatFailedError:
    """Build the error for a chat that is called completed although its bot has said nothing.

    Coze Studio does so when the model fails; after a real empty answer there is the message that finishes it.
    """
    text = (
        f"{name}: the chat {chat.id} is completed, and its bot has brought no message: most likely its model failed. "
        f"Look at the bot's model and at the log of the server ({core.session.base_url}); streaming shows the error."
    )
    return ChatFailedError(f"{text}{f' [logid {logid}]' if logid else ''}", chat=chat, logid=logid)
