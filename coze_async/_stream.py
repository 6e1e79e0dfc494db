"""Streams of typed events: iterate, close, collect.

A stream sends nothing until its first step. Whoever leaves it early, by break, exception, cancellation or `aclose`, frees
the connection, the user's slot and the memory at once; read to its end, the connection is used again.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import anyio

from coze_async._core import Core, OpenStream, Reply, Request, code_of, message_of
from coze_async._errors import (
    APIError,
    ChatFailedError,
    CozeError,
    DecodeError,
    RequestTimeoutError,
    StreamInterruptedError,
    StreamProtocolError,
    TransportError,
    WorkflowError,
    class_of,
    explain,
)
from coze_async._sse import Event, EventReader
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
    WorkflowDone,
    WorkflowEvent,
    WorkflowInterrupt,
    WorkflowMessage,
    WorkflowRun,
)
from coze_async.models._base import read_json, read_object
from coze_async.models._chat import ANSWER_SEPARATOR, is_answer

__all__ = ["ChatStream", "EventStream", "WorkflowStream", "chat_failed", "chat_from_reply", "result_from_reply"]

E = TypeVar("E")
R = TypeVar("R")


class EventStream(ABC, Generic[E, R]):
    """Typed events as a server sends them.

    Use it directly, `async for event in stream`, or as a context manager, `async with stream: ...`, which says when
    it closes. `await stream.result()` reads on to the end and returns the whole.
    """

    def __init__(self, core: Core, request: Request, *, slot: str | None = None) -> None:
        self._core = core
        self._request = request
        self._slot = slot
        self._reader = EventReader()
        self._arrived: list[Event] = []
        self._position = 0
        self._open: OpenStream | None = None
        self._failure: BaseException | None = None
        self._finished = False
        self._closed = False
        self._reading = False
        self._has_event = False
        self._body_ended = False
        self._total: float | None = None
        self._limit = "idle"

    @property
    def logid(self) -> str | None:
        """What Coze support asks for; None before the first step."""
        return self._open.logid if self._open else None

    def __aiter__(self) -> Self:
        if self._finished or self._closed:
            raise RuntimeError(
                "This stream was already read to its end or closed. Ask for a new one, or keep what "
                "`await stream.result()` returned."
            )
        return self

    async def __anext__(self) -> E:
        if self._reading:
            raise RuntimeError("This stream is being read by another task. Give each task a stream of its own.")
        if self._finished or self._closed:
            raise StopAsyncIteration
        self._reading = True
        try:
            return await self._step()
        except StopAsyncIteration:
            raise
        except BaseException as error:
            # Cancellation too: what the caller will not read any more must not stay open.
            self._failure = error
            await self.aclose()
            raise
        finally:
            self._reading = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading and free everything. The server is not told: a chat goes on until it is cancelled."""
        self._closed = True
        self._arrived = []
        self._position = 0
        if self._open is not None:
            await self._open.aclose()

    def __del__(self) -> None:
        opened = getattr(self, "_open", None)
        if opened is not None and not self._closed:
            opened.abandon()

    async def result(self) -> R:
        """Read on to the end and return what the stream brought as a whole.

        Raises:
            CozeError: the stream, the server or the chat failed, as in the iteration.
            RuntimeError: the stream was closed before its end.
        """
        while not self._finished:
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise RuntimeError("This stream was closed before its end, so there is no result.")
            try:
                await anext(self)
            except StopAsyncIteration:
                break
        return self._collected()

    async def _step(self) -> E:
        while True:
            while self._position < len(self._arrived):
                event = self._arrived[self._position]
                self._position += 1
                decoded = self._decoded(event)
                if decoded is not None:
                    self._has_event = True
                    return decoded
            if self._is_over():
                await self._finish()
                raise StopAsyncIteration
            await self._read()

    async def _read(self) -> None:
        """Wait for the next piece of the body."""
        if self._body_ended:
            self._broken(None)
        opened = self._open
        if opened is None:
            await self._begin()
            return
        try:
            piece = await opened.next(self._patience())
        except StopAsyncIteration:
            self._body_ended = True
            self._arrived, self._position = self._reader.end(), 0
        except TimeoutError as error:
            raise self._timed_out() from error
        except TransportError as error:
            self._broken(error)
        else:
            self._arrived, self._position = self._reader.feed(piece), 0

    async def _begin(self) -> None:
        total = self._core.options.timeouts.total
        self._total = None if total is None else anyio.current_time() + total
        try:
            with anyio.fail_after(total) as scope:
                self._open = await self._core.open(self._request, slot=self._slot)
        except TimeoutError as error:
            if isinstance(error, CozeError) or not scope.cancelled_caught:
                raise
            self._limit = "total"
            raise self._timed_out() from error

    def _patience(self) -> float | None:
        """Return how long the next piece may take, and remember which limit says so; None if the transport watches."""
        core = self._core
        timeouts = core.options.timeouts
        self._limit = "idle"
        if self._has_event and self._total is None and core.watches_idle:
            return None
        now = anyio.current_time()
        limits = {"idle": timeouts.idle, "total": None if self._total is None else self._total - now}
        if not self._has_event and timeouts.first_event is not None and self._open is not None:
            limits["first_event"] = self._open.started + timeouts.first_event - now
        known = {name: max(0.0, seconds) for name, seconds in limits.items() if seconds is not None}
        if not known:
            return None
        self._limit = min(known, key=known.__getitem__)
        return known[self._limit]

    def _timed_out(self) -> RequestTimeoutError:
        seconds = getattr(self._core.options.timeouts, self._limit)
        what = {"idle": "nothing came", "first_event": "no event came", "total": "the stream did not end"}[self._limit]
        return RequestTimeoutError(
            f"{self._request.name}: {what} within {seconds:g} s (Timeouts.{self._limit}){self._traced()}. "
            f"The server may still be at work. Raise Timeouts.{self._limit} if it needs longer.",
            partial=self._partial(),
        )

    def _broken(self, cause: Exception | None) -> None:
        """Raise what the end of a body without a last event means."""
        stray = self._reader.stray
        if not self._has_event and stray:
            self._raise_stray(stray)
        if cause is not None:
            how = str(cause)
        elif not self._reader.seen:
            how = "the server sent an empty stream; Coze Studio does so when it fails before the run begins"
        else:
            how = "the body ended without its last event"
        raise StreamInterruptedError(
            f"{self._request.name}: {how}, so the answer is not complete{self._traced()}. "
            "What came until then is in `.partial`. Asking again starts, and bills, a new run.",
            partial=self._partial(),
            logid=self.logid,
        ) from cause

    def _raise_stray(self, stray: bytes) -> None:
        """Raise what a body says that is no event stream although its header says so."""
        text = stray.decode("utf-8", "replace").strip()
        facts = _object(text)
        if facts:
            raise self._refused(facts, text)
        raise StreamProtocolError(
            f"{self._request.name}: what came is no event stream: {self._core.redacted(text)}",
            body=self._core.redacted(text),
            logid=self.logid,
        )

    def _refused(self, facts: Mapping[str, Any], text: str) -> APIError:
        """Return the error that an error event or a JSON body describes."""
        detail = facts.get("detail")
        return self._core.error(
            self._request.name,
            code_of(facts),
            message_of(facts) or text,
            logid=self.logid or (detail.get("logid") if isinstance(detail, dict) else None),
            debug_url=facts.get("debug_url") or None,
            partial=self._partial(),
        )

    def _traced(self) -> str:
        return f" [logid {self.logid}]" if self.logid else ""

    def _unreadable(self, event: Event, error: ValueError) -> StreamProtocolError:
        text = self._core.redacted(event.data.decode("utf-8", "replace"))
        return StreamProtocolError(
            f"{self._request.name}: the data of the event {event.name.decode('utf-8', 'replace')!r} cannot be read"
            f"{self._traced()}: {text}. {self._core.redacted(str(error).splitlines()[0])}",
            body=text,
            logid=self.logid,
        )

    async def _finish(self) -> None:
        """Read the rest so that the connection can be used again; nothing more is handed out."""
        self._finished = True
        if self._open is not None:
            await self._open.drain()
        self._closed = True

    @abstractmethod
    def _decoded(self, event: Event) -> E | None:
        """Return the typed event, None for one that is not handed out; raise what the event reports."""

    @abstractmethod
    def _is_over(self) -> bool:
        """True when the last event was handed out."""

    @abstractmethod
    def _collected(self) -> R:
        """Return what the whole stream brought."""

    def _partial(self) -> ChatResult | None:
        """Return what a chat has brought so far."""
        return None


# --- chats ------------------------------------------------------------------------------------------------------------

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
}
_MESSAGE_EVENTS: dict[bytes, _MessageModel] = {
    b"conversation.message.delta": MessageDelta,
    b"conversation.message.completed": MessageCompleted,
    b"conversation.audio.delta": AudioDelta,
}
# `done` on the cloud and in chatflows, the longer form on Coze Studio (build_chunk_event.go) and Coze Plus.
_DONE_EVENTS = frozenset((b"done", b"conversation.stream.done", b"stream.done"))
_ERROR_EVENTS = frozenset((b"error", b"conversation.error"))
# The session route `/api/conversation/chat` names its pieces of messages so.
_PIECE_EVENTS = frozenset((b"message",))


class Transcript:
    """What a chat has brought so far: messages by id, in the order in which they began."""

    __slots__ = ("_messages", "_pieces", "chat")

    def __init__(self) -> None:
        self.chat: Chat | None = None
        # A message id: the first piece (for all but its text), or the whole.
        self._messages: dict[str, Message] = {}
        # The texts of what is still being written.
        self._pieces: dict[str, tuple[list[str], list[str]]] = {}

    def piece(self, message: Message) -> bool:
        """Take a piece; True if it is the first of its message."""
        found = self._pieces.get(message.id)
        is_first = found is None
        if found is None:
            self._messages[message.id] = message
            found = self._pieces[message.id] = ([], [])
        if message.content:
            found[0].append(message.content)
        if message.reasoning_content:
            found[1].append(message.reasoning_content)
        return is_first

    def whole(self, message: Message) -> bool:
        """Take a whole message; True if no piece of its text had come before."""
        key = message.id or f"#{len(self._messages)}"
        texts, thoughts = self._pieces.pop(key, ([], []))
        changes: dict[str, str] = {}
        # Some servers send the text only in pieces, and the thoughts often so.
        if not message.content and texts:
            changes["content"] = "".join(texts)
        if not message.reasoning_content and thoughts:
            changes["reasoning_content"] = "".join(thoughts)
        self._messages[key] = message.model_copy(update=changes) if changes else message
        return not texts

    def result(self, logid: str | None) -> ChatResult:
        """Return all of it; what was not finished holds the pieces that came."""
        messages = [
            message.model_copy(update={"content": "".join(self._pieces[key][0]), "reasoning_content": "".join(self._pieces[key][1]) or None})
            if key in self._pieces
            else message
            for key, message in self._messages.items()
        ]  # fmt: skip
        return ChatResult(chat=self.chat, messages=messages, logid=logid)


class ChatStream(EventStream[ChatEvent, ChatResult]):
    """The events of one chat: `async for event in stream`, `async for text in stream.text()`, `await stream.result()`.

    After a `ChatFailed` the next step raises ChatFailedError; an error event raises the APIError that it describes; a
    body that ends too early raises StreamInterruptedError. All of them carry what came until then in `.partial`.
    """

    def __init__(self, core: Core, request: Request, *, slot: str | None = None) -> None:
        super().__init__(core, request, slot=slot)
        self._transcript = Transcript()
        self._done = False
        self._failed: ChatFailedError | None = None
        # What `text()` takes: the pieces of answers in the order in which they came.
        self._texts: list[str] | None = None
        self._answers_begun = 0

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
        return _Text(self)

    def _decoded(self, event: Event) -> ChatEvent | None:
        if self._failed is not None:
            raise self._failed
        name = event.name
        try:
            if (message_class := _MESSAGE_EVENTS.get(name)) is not None:
                message = read_json(Message, event.data)
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
            is_first = self._transcript.piece(message)
            if self._texts is not None and message.content and is_answer(message):
                self._text_piece(message, begins=is_first)
        elif kind is MessageCompleted:
            is_new = self._transcript.whole(message)
            if self._texts is not None and is_new and message.content and is_answer(message):
                self._text_piece(message, begins=True)
        return kind(message=message)

    def _text_piece(self, message: Message, *, begins: bool) -> None:
        assert self._texts is not None
        if begins:
            self._answers_begun += 1
            if self._answers_begun > 1:
                self._texts.append(ANSWER_SEPARATOR)
        self._texts.append(message.content)

    def _rare(self, event: Event) -> ChatEvent | None:
        """Decode what is no plain message."""
        name = event.name.lower()
        facts = _object(event.data.decode("utf-8", "replace"))
        if not name or (name not in _KNOWN_CHAT_EVENTS and isinstance(facts.get("event"), str)):
            # The page of Coze Plus repeats the name in the data; some of its samples have it only there.
            name = str(facts.get("event", "")).lower().encode()
        if name in _ERROR_EVENTS:
            raise self._error(event, facts)
        if name in _DONE_EVENTS:
            self._done = True
            return StreamDone(event=name.decode(), debug_url=_text(facts.get("debug_url")))
        if name == b"ping":
            return None
        if (chat_class := _CHAT_EVENTS.get(name)) is not None:
            return self._chat(chat_class, event, facts)
        if (message_class := _MESSAGE_EVENTS.get(name)) is not None:
            return self._message(message_class, read_object(Message, _payload(facts, "message_item")))
        if name in _PIECE_EVENTS and isinstance(facts.get("message"), dict):
            return self._piece_of_session_route(facts)
        return UnknownEvent(event=name.decode("utf-8", "replace"), data=event.data.decode("utf-8", "replace"))

    def _chat(self, kind: _ChatModel, event: Event, facts: dict[str, Any]) -> ChatEvent:
        if not facts:
            raise ValueError("no JSON object")
        facts = _payload(facts, "run_record_item")
        known = self._transcript.chat
        if "code" in facts and "id" not in facts:
            # A bare `{code, msg}`: the page chat_v3 with a number, the page workflow_chat with a text.
            facts = {
                "last_error": {"code": code_of(facts) or 0, "msg": message_of(facts)},
                "debug_url": facts.get("debug_url"),
            }
        facts = {"id": known.id if known else "", "conversation_id": known.conversation_id if known else "",
                 "status": kind.model_fields["event"].default.rpartition(".")[2], **facts}  # fmt: skip
        chat = self._transcript.chat = read_object(Chat, facts)
        if kind is ChatFailed:
            self._failed = chat_failed(self._core, self._request.name, chat, self.logid, self._partial())
        return kind(chat=chat)

    def _piece_of_session_route(self, facts: dict[str, Any]) -> ChatEvent:
        """Read `{"message": {…}, "is_finish": …, "conversation_id": …}` (Coze Studio's own web page).

        Source: `LegacyChatMessage` of Coze Studio's interface description (message_id, reply_id, no chat).
        """
        inner = dict(facts["message"])
        inner.setdefault("id", inner.get("message_id"))
        inner.setdefault("chat_id", inner.get("reply_id"))
        inner.setdefault("conversation_id", facts.get("conversation_id"))
        message = read_object(Message, {key: value for key, value in inner.items() if value is not None})
        if self._transcript.chat is None:
            self._transcript.chat = Chat(
                id=message.chat_id or "", conversation_id=message.conversation_id or "", status="in_progress"
            )
        return self._message(MessageCompleted if facts.get("is_finish") else MessageDelta, message)

    def _error(self, event: Event, facts: dict[str, Any]) -> APIError:
        inner = facts.get("error")
        if isinstance(inner, dict):
            facts = {**facts, **inner}
        return self._refused(facts, event.data.decode("utf-8", "replace").strip() or "an error event without a reason")

    def _is_over(self) -> bool:
        if self._failed is not None:
            raise self._failed
        # Without its last event a body may still be complete: the chat's own end was seen.
        chat = self._transcript.chat
        return self._done or (self._body_ended and chat is not None and chat.is_over)

    def _broken(self, cause: Exception | None) -> None:
        if self._failed is not None:
            raise self._failed from cause
        super()._broken(cause)

    def _partial(self) -> ChatResult:
        return self._transcript.result(self.logid)

    def _collected(self) -> ChatResult:
        return self._transcript.result(self.logid)


_KNOWN_CHAT_EVENTS = frozenset((*_CHAT_EVENTS, *_MESSAGE_EVENTS, *_DONE_EVENTS, *_ERROR_EVENTS, b"ping"))


class _Text:
    """Hands out the texts of a stream as they come."""

    __slots__ = ("_position", "_stream")

    def __init__(self, stream: ChatStream) -> None:
        self._stream = stream
        self._position = 0

    def __aiter__(self) -> Self:
        aiter(self._stream)
        return self

    async def __anext__(self) -> str:
        stream = self._stream
        if stream._texts is None:  # noqa: SLF001
            stream._texts = []  # noqa: SLF001
        texts = stream._texts  # noqa: SLF001
        while self._position >= len(texts):
            texts.clear()
            self._position = 0
            await anext(stream)
        self._position += 1
        return texts[self._position - 1]


def chat_failed(
    core: Core, name: str, chat: Chat, logid: str | None, partial: ChatResult | None = None
) -> ChatFailedError:
    """Build the error for a chat that failed: its code is the chat's, not the call's."""
    error = chat.error
    code = error.code if error and error.code else None
    msg = core.redacted(error.msg) if error else ""
    text = f"{name}: the chat {chat.id or '(no id)'} failed{f' (code {code})' if code else ''}: {explain(code, msg, class_of(code, None))}"
    return ChatFailedError(
        f"{text}{f' [logid {logid}]' if logid else ''}", chat=chat, code=code, msg=msg, logid=logid, partial=partial
    )


def chat_from_reply(core: Core, name: str, reply: Reply) -> Chat:
    """Read a chat out of an answer of any server; see `result_from_reply` for those that answer at once."""
    data = _data(reply)
    if data is not None and "content" not in data and "message" not in data and data.get("id"):
        try:
            return read_object(Chat, data)
        except ValueError as error:
            raise _undecodable(core, name, reply, error) from error
    chat = result_from_reply(core, name, reply).chat
    if chat is None:
        raise _undecodable(core, name, reply, ValueError("it names no chat"))
    return chat


def result_from_reply(core: Core, name: str, reply: Reply) -> ChatResult:
    """Read the finished chat out of an answer that holds it: the events of a stream, or a message.

    Coze Plus fb00b21 streams even when no stream is asked for; its page shows the finished message as JSON.

    Raises:
        DecodeError: it holds neither.
        ChatFailedError: the chat failed.
        APIError: the events report an error.
    """
    if reply.content_type == "text/event-stream":
        stream = ChatStream(core, Request("", name))
        reader = EventReader()
        for event in [*reader.feed(reply.body), *reader.end()]:
            stream._decoded(event)  # noqa: SLF001
        stream._body_ended = True  # noqa: SLF001
        if not stream._is_over():  # noqa: SLF001
            stream._broken(None)  # noqa: SLF001
        return stream._transcript.result(reply.logid)  # noqa: SLF001
    data = _data(reply) or {}
    inner = data.get("message_item") or data.get("message") or data
    listed = data.get("messages")
    found = [inner] if isinstance(inner, dict) and "content" in inner else listed if isinstance(listed, list) else []
    try:
        messages = [read_object(Message, {"type": "answer", "role": "assistant", **item}) for item in found]
    except (ValueError, TypeError) as error:
        raise _undecodable(core, name, reply, error) from error
    if not messages:
        raise _undecodable(core, name, reply, ValueError("it holds neither a chat nor a message"))
    facts = {**data, "status": "completed"}
    chat = read_object(
        Chat,
        {
            "id": str(data.get("chat_id") or messages[0].chat_id or data.get("id") or ""),
            "conversation_id": str(data.get("conversation_id") or messages[0].conversation_id or ""),
            "status": "completed",
            "bot_id": facts.get("bot_id"),
            "usage": facts.get("usage"),
        },
    )
    return ChatResult(chat=chat, messages=messages, logid=reply.logid)


def _undecodable(core: Core, name: str, reply: Reply, error: Exception) -> DecodeError:
    text = core.redacted(reply.body.decode("utf-8", "replace"))
    return DecodeError(f"{name}: the answer is no chat: {error}. It was: {text}", body=text, logid=reply.logid)


def _data(reply: Reply) -> dict[str, Any] | None:
    payload = reply.payload if isinstance(reply.payload, dict) else {}
    data = payload.get("data") or payload.get("ChatV3ChatDetail")
    return data if isinstance(data, dict) else None


# --- workflows --------------------------------------------------------------------------------------------------------


class WorkflowStream(EventStream[WorkflowEvent, WorkflowRun]):
    """The events of one workflow run. It ends with `WorkflowDone`, or with `WorkflowInterrupt`, which says how to resume."""

    def __init__(self, core: Core, request: Request, *, slot: str | None = None) -> None:
        super().__init__(core, request, slot=slot)
        self._messages: list[WorkflowMessage] = []
        self._last: WorkflowDone | WorkflowInterrupt | None = None

    def text(self) -> AsyncIterator[str]:
        """Return what the nodes say, piece by piece as it is written."""
        return _WorkflowText(self)

    def _decoded(self, event: Event) -> WorkflowEvent | None:
        # A release of Coze Studio sent the names in lower case (issue 2007 there).
        name = event.name.lower()
        try:
            if name == b"message":
                message = _numbered(read_json(WorkflowMessage, event.data), event)
                self._messages.append(message)
                return message
            if name == b"interrupt":
                self._last = _numbered(read_json(WorkflowInterrupt, event.data), event)
                return self._last
            if name == b"done":
                self._last = _numbered(read_json(WorkflowDone, event.data.strip() or b"{}"), event)
                return self._last
        except ValueError as error:
            raise self._unreadable(event, error) from error
        if name == b"ping":
            return None
        text = event.data.decode("utf-8", "replace")
        if name == b"error":
            raise self._run_failed(text)
        return UnknownEvent(event=event.name.decode("utf-8", "replace"), data=text)

    def _run_failed(self, text: str) -> WorkflowError:
        """Return the error of an event: JSON on the clouds, plain text from a failure inside Coze Studio."""
        facts = _object(text)
        code = code_of(facts)
        msg = self._core.redacted(message_of(facts) or ("" if facts else text.strip()))
        debug_url = _text(facts.get("debug_url"))
        see = f" See {debug_url}" if debug_url else ""
        return WorkflowError(
            f"{self._request.name}: the run failed{f' (code {code})' if code else ''}: {explain(code, msg)}{see}{self._traced()}",
            code=code,
            msg=msg,
            debug_url=debug_url,
            logid=self.logid,
        )

    def _is_over(self) -> bool:
        return self._last is not None

    def _collected(self) -> WorkflowRun:
        last = self._last
        return WorkflowRun(
            data=_last_words(self._messages),
            messages=self._messages,
            debug_url=last.debug_url if isinstance(last, WorkflowDone) else None,
            interrupt_data=last.interrupt_data if isinstance(last, WorkflowInterrupt) else None,
            usage=next((message.usage for message in reversed(self._messages) if message.usage), None),
            logid=self.logid,
        )


class _WorkflowText:
    """Hands out the texts of a workflow as they come."""

    __slots__ = ("_stream",)

    def __init__(self, stream: WorkflowStream) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        aiter(self._stream)
        return self

    async def __anext__(self) -> str:
        while True:
            event = await anext(self._stream)
            if isinstance(event, WorkflowMessage) and event.content:
                return event.content


def _numbered(event: Any, source: Event) -> Any:
    """Return a workflow's event with the number that stands in its `id:` line."""
    return event.model_copy(update={"id": int(source.id)}) if source.id.isdigit() else event


def _last_words(messages: list[WorkflowMessage]) -> str:
    """Return what the last node said: its pieces together."""
    if not messages:
        return ""
    last = _node(messages[-1])
    pieces: list[str] = []
    for message in reversed(messages):
        if _node(message) != last or (pieces and message.node_is_finish):
            break
        pieces.append(message.content)
    return "".join(reversed(pieces))


def _node(message: WorkflowMessage) -> tuple[str, str | None, str | None]:
    return message.node_title, message.node_id, message.node_execute_uuid


def _payload(facts: dict[str, Any], key: str) -> dict[str, Any]:
    """Unwrap the nested form of the Coze Plus page."""
    inner = facts.get(key)
    return inner if isinstance(inner, dict) else facts


def _object(text: str) -> dict[str, Any]:
    """Return a JSON object, an empty one for anything else."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
