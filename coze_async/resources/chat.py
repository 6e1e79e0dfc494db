"""Chats: streamed, polled, looked up, cancelled, continued with tool outputs."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar, Unpack

import anyio

from coze_async._chat_stream import ChatStream, chat_failed, chat_without_answer, reasoning_apart
from coze_async._config import Polling, Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, get, post, unexpected_argument
from coze_async._errors import (
    STOP_ON,
    ConfigurationError,
    CozeError,
    DecodeError,
    PollTimeoutError,
    RequestTimeoutError,
)
from coze_async._exchange import Reply, Request
from coze_async._limits import Slot
from coze_async._logging import log
from coze_async._polling import poll
from coze_async._question import ChatItem, Question, messages_for
from coze_async._replies import chat_from_reply, holds_message, result_from_reply
from coze_async._wire import Deadline, WireResponse
from coze_async.models import Chat, ChatResult, ChatStatus, Message, ToolOutput

if TYPE_CHECKING:
    from coze_async._batch import FanOut, Items

__all__ = ["ChatMessagesResource", "ChatOptions", "ChatResource"]

Q = TypeVar("Q", bound=Question | ChatItem)

# Options of a call that the server is not told.
_NOT_SENT = frozenset(("timeouts", "inline_reasoning"))
# How long cancelling a chat that nobody waits for any more may take, in seconds.
_CANCELLING = 2.0


class ChatOptions(TypedDict, total=False):
    """What every way to start a chat takes beyond the message, the bot and the user."""

    conversation_id: str | None
    """Go on with this conversation; None starts a new one."""
    additional_messages: Sequence[Message]
    """Context before the message, 100 at most with it."""
    custom_variables: Mapping[str, str] | None
    """Values for the variables of the bot's prompt."""
    auto_save_history: bool
    """False keeps nothing on the server; then only a stream can bring the answer."""
    meta_data: Mapping[str, str] | None
    """16 pairs at most, keys of 1-64 and values of 1-512 characters."""
    parameters: Mapping[str, Any] | None
    """Input of the chatflow that a bot runs on."""
    enable_card: bool | None
    """Let question nodes answer with cards."""
    bot_version: str | None
    """A version of the bot other than the published one."""
    publish_status: str | None
    """`published_online` or `unpublished_draft`; not together with bot_version."""
    connector_id: str | None
    """The channel: 1024 is the API, 999 the Chat SDK."""
    extra_params: Mapping[str, str] | None
    """Values for plug-ins and workflows: `latitude`, `longitude`."""
    shortcut_command: Mapping[str, Any] | None
    """A shortcut command to run: `{"command_id": …, "parameters": {…}}`."""
    tools: Sequence[Mapping[str, Any]] | None
    custom_config: Mapping[str, Any] | None
    timeouts: Timeouts | None
    """For this call, instead of the client's."""
    inline_reasoning: bool | None
    """True takes `<think>…</think>` at the start of the answer for reasoning; None does as the client."""


class ChatMessagesResource(Resource, place="chat.messages"):
    """The messages of one chat."""

    @get("/v3/chat/message/list", payload=("data", "Messages"), kind="chat_look")
    async def list(self, *, conversation_id: str, chat_id: str, timeouts: Timeouts | None = None) -> list[Message]:
        """List what the bot wrote during one chat, without the question, in no useful order.

        The list is complete only after the chat has ended, and empty for a chat that failed.

        Source: coze.cn page list_chat_messages; Coze Studio 4f786d6 answers under `Messages`.
        """
        ...


class ChatResource(Resource):
    """Talk to a bot: `stream` hands the answer out as it is written, `ask` and `create_and_poll` return the whole."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.messages: ChatMessagesResource = ChatMessagesResource(core)

    def stream(
        self, message: Question | None = None, *, bot_id: str, user_id: str, **options: Unpack[ChatOptions]
    ) -> ChatStream:
        """Start a chat and return its events as they come. Nothing is sent before the first step.

        Args:
            message: A text, a Message, or a list of MessageObject; None if `additional_messages` ends with it.
            bot_id: A bot that is published to the API channel.
            user_id: Any name for the end user: it separates memory and limits.
            **options: See `ChatOptions`.

        Raises:
            ConfigurationError: the message is none that a bot can answer.
        """
        set_to = self if _NOT_SENT.isdisjoint(options) else self._set_to(options)
        return set_to._stream(**self._arguments(message, bot_id, user_id, options))  # noqa: SLF001 - its own

    async def ask(
        self, message: Question | None = None, *, bot_id: str, user_id: str, **options: Unpack[ChatOptions]
    ) -> ChatResult:
        """Return a bot's whole answer, read from a stream.

        If the caller is cancelled or the time is up, the remote chat is cancelled.

        Args:
            message: See `stream`.
            bot_id: A bot that is published to the API channel.
            user_id: Any name for the end user.
            **options: See `ChatOptions`.

        Raises:
            ChatFailedError: the chat was started and failed.
            StreamInterruptedError: the answer broke off; what came is in `.partial`.
            APIError: the server refused it.
            TransportError: no answer came.
        """
        set_to = self if _NOT_SENT.isdisjoint(options) else self._set_to(options)
        return await set_to._read(self._arguments(message, bot_id, user_id, options, "ask"))  # noqa: SLF001 - its own

    async def create(
        self, message: Question | None = None, *, bot_id: str, user_id: str, **options: Unpack[ChatOptions]
    ) -> Chat:
        """Start a chat that is not streamed and return it as it stands: one request, no answer yet.

        Args:
            message: See `stream`.
            bot_id: A bot that is published to the API channel.
            user_id: Any name for the end user.
            **options: See `ChatOptions`.

        Raises:
            ConfigurationError: auto_save_history is False, so that no answer could ever be looked up.
            ConversationBusyError: another chat runs in this conversation.
        """
        if (set_to := self._set_to(options)) is not self:
            return await set_to.create(message, bot_id=bot_id, user_id=user_id, **options)
        arguments = self._saved(self._arguments(message, bot_id, user_id, options, "create"))
        request = _CREATE.request(arguments)
        asked_at, total = anyio.current_time(), self._core.deadline()
        conversation = await self._core.conversation(request, total)
        try:
            answer = await self._asked(request, total, asked_at)
            if isinstance(answer, Reply):
                return chat_from_reply(self._core, request.name, answer)
            async with answer as stream:
                # Coze Plus streams although no stream was asked for: the chat is known, and goes on.
                if (chat := await _named(stream)) is not None:
                    return chat
                raise DecodeError(
                    f"{request.name}: the server streamed, and named no chat. Use `stream` or `ask`.",
                    logid=stream.logid,
                )
        finally:
            conversation.release()

    async def create_and_poll(
        self,
        message: Question | None = None,
        *,
        bot_id: str,
        user_id: str,
        polling: Polling | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatResult:
        """Start a chat, look until it is over, and return its answer.

        A chat that is cancelled meanwhile returns with `.status` "canceled" and no messages; one that waits for
        tools returns with `.tool_calls`. If the caller is cancelled or the time is up, the remote chat is cancelled.

        Args:
            message: See `stream`.
            bot_id: A bot that is published to the API channel.
            user_id: Any name for the end user.
            polling: How often to look, and for how long.
            **options: See `ChatOptions`.

        Raises:
            ChatFailedError: the chat was started and failed.
            PollTimeoutError: it was not over in time.
            ConfigurationError: auto_save_history is False.
        """
        set_to = self._set_to(options)
        arguments = self._saved(self._arguments(message, bot_id, user_id, options, "create_and_poll"))
        return await set_to._polled(arguments, polling or Polling())  # noqa: SLF001 - its own

    def batch(
        self,
        items: "Items[Q]",
        *,
        bot_id: str | None = None,
        user_id: str | None = None,
        limit: int = 100,
        ordered: bool = False,
        polling: Polling | None = None,
        stop_on: type[Exception] | tuple[type[Exception], ...] = STOP_ON,
        **options: Unpack[ChatOptions],
    ) -> "FanOut[Q, ChatResult]":
        """Start a chat for every item, so many at a time, and hand the outcomes out as they finish; see `fan_out`.

            async with coze.chat.batch(questions, bot_id="…", user_id="…") as outcomes:
                async for outcome in outcomes:
                    print(outcome.item, outcome.value.text if outcome.is_ok else outcome.error)

        Each user's limits hold. An item that waits for them gives its place to the next one, so that items sorted by
        user take no longer than others; up to 1,000 may wait so. Leaving the block cancels the chats that still run, on
        the server too, and so does a time-out. A chat that goes on after another error is `outcome.error.chat`.

        Args:
            items: Texts, Messages, lists of MessageObject, or ChatItems, which may have a bot and a user of their own.
            bot_id: The bot of every item that names none.
            user_id: Who asks, for every item that does not say.
            limit: How many at a time; `Limits.chats_at_once` bounds those of one user.
            ordered: Hand the outcomes out in the order of the items.
            polling: Look for the answers, so often and so long, instead of streaming them.
            stop_on: Errors that end the batch, as the next item would meet them too; `()` for none.
            **options: See `ChatOptions`; for every item that does not say otherwise.

        Raises:
            ConfigurationError: an argument cannot be right. An item that cannot be is an outcome with this error.
        """
        from coze_async._batch import FanOut

        _check_options("batch", options)
        set_to = self._set_to(options)
        shared: dict[str, Any] = {**options, "bot_id": bot_id, "user_id": user_id}
        if polling is not None:
            self._saved(shared)

        async def ask(item: Q) -> ChatResult:
            arguments = self._of_item(item, shared)
            read, polled = set_to._read, set_to._polled  # noqa: SLF001 - its own
            return await (read(arguments) if polling is None else polled(arguments, polling))

        return FanOut(ask, items, limit=limit, ordered=ordered, stop_on=stop_on, gives_way=True)

    @get("/v3/chat/retrieve", kind="chat_look")
    async def retrieve(self, *, conversation_id: str, chat_id: str, timeouts: Timeouts | None = None) -> Chat:
        """Return a chat as it stands; ask at most once per second.

        Coze Plus has no such route. GET, as the page says and Coze Studio routes; the official SDKs send POST, which
        fails with 4100 for OAuth tokens (coze-js issue 314).

        Source: coze.cn page retrieve_chat.
        """
        ...

    @post("/v3/chat/cancel", safe=True, payload=("data", "ChatV3ChatDetail"))
    async def cancel(self, *, conversation_id: str, chat_id: str, timeouts: Timeouts | None = None) -> Chat:
        """Stop a chat that is still in progress; all its tokens are billed, and a stream of it goes on.

        Raises:
            BadRequestError: it is already over, or waits for tool outputs (code 4104).

        Source: coze.cn page chat_cancel; Coze Studio 4f786d6 answers under `ChatV3ChatDetail`.
        """
        ...

    @post("/v3/chat/submit_tool_outputs", query=("conversation_id", "chat_id"), fixed={"stream": False})
    async def submit_tool_outputs(
        self,
        *,
        conversation_id: str,
        chat_id: str,
        tool_outputs: Sequence[ToolOutput],
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Chat:
        """Give a chat that requires action the outputs of all its tool calls, and return it as it stands.

        Raises:
            ServerError: the chat was started with auto_save_history=False (code 5000).

        Source: coze.cn page chat_submit_tool_outputs.
        """
        ...

    @post("/v3/chat/submit_tool_outputs", query=("conversation_id", "chat_id"), fixed={"stream": True})
    def submit_tool_outputs_stream(
        self,
        *,
        conversation_id: str,
        chat_id: str,
        tool_outputs: Sequence[ToolOutput],
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> ChatStream:
        """Give a chat that requires action the outputs of all its tool calls, and return the events that follow.

        Source: coze.cn page chat_submit_tool_outputs.
        """
        ...

    # conversation_id in the body is ignored by the clouds and starts a new conversation (py, js, go, page chat_v3).
    @post("/v3/chat", query=("conversation_id",), fixed={"stream": True}, kind="chat")
    def _stream(
        self,
        *,
        bot_id: str,
        user_id: str,
        conversation_id: str | None = None,
        additional_messages: Sequence[Mapping[str, Any]] | None = None,
        custom_variables: Mapping[str, str] | None = None,
        auto_save_history: bool = True,
        meta_data: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        enable_card: bool | None = None,
        bot_version: str | None = None,
        publish_status: str | None = None,
        connector_id: str | None = None,
        extra_params: Mapping[str, str] | None = None,
        shortcut_command: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        custom_config: Mapping[str, Any] | None = None,
        timeouts: Timeouts | None = None,
    ) -> ChatStream:
        """Start a chat and stream the answer. Source: coze.cn page chat_v3."""
        ...

    @post("/v3/chat", query=("conversation_id",), fixed={"stream": False}, kind="chat")
    async def _create(
        self,
        *,
        bot_id: str,
        user_id: str,
        conversation_id: str | None = None,
        additional_messages: Sequence[Mapping[str, Any]] | None = None,
        custom_variables: Mapping[str, str] | None = None,
        auto_save_history: bool = True,
        meta_data: Mapping[str, str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        enable_card: bool | None = None,
        bot_version: str | None = None,
        publish_status: str | None = None,
        connector_id: str | None = None,
        extra_params: Mapping[str, str] | None = None,
        shortcut_command: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        custom_config: Mapping[str, Any] | None = None,
        timeouts: Timeouts | None = None,
    ) -> Chat:
        """Start a chat without streaming. Source: coze.cn page chat_v3."""
        ...

    def _set_to(self, options: ChatOptions) -> Self:
        """Return this group with those of the options that are not sent, and take them out."""
        group = self._within(options.pop("timeouts", None))
        inline = options.pop("inline_reasoning", None)
        if inline is None:
            return group
        core = group._core  # noqa: SLF001 - of the same class
        return type(self)(Core(core.session, core.options._replace(inline_reasoning=bool(inline))))

    @staticmethod
    def _arguments(
        message: Question | None, bot_id: str, user_id: str, options: ChatOptions, function: str = "stream"
    ) -> dict[str, Any]:
        """Return the wire's names and values for what the caller gave."""
        _check_options(function, options)
        context, conversation_id = options.get("additional_messages") or (), options.get("conversation_id")
        messages = messages_for(message, context, conversation_id=conversation_id)
        return {**options, "bot_id": bot_id, "user_id": user_id, "additional_messages": messages}

    def _of_item(self, item: Question | ChatItem, shared: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wire's names and values for one item of a batch."""
        message, own = (item.message, item.own) if isinstance(item, ChatItem) else (item, {})
        named: Any = {**shared, **own}
        return self._arguments(message, named.pop("bot_id"), named.pop("user_id"), named)

    @staticmethod
    def _saved(arguments: dict[str, Any]) -> dict[str, Any]:
        if arguments.get("auto_save_history") is False:
            raise ConfigurationError(
                "auto_save_history=False keeps nothing on the server, so an answer that is not "
                "streamed could never be read. Use `stream` or `ask`, or leave it True."
            )
        return arguments

    async def _read(self, arguments: Mapping[str, Any]) -> ChatResult:
        """Read a stream to its end.

        If the caller is cancelled or the time is up, the remote chat is cancelled; after another error its answer can
        still be fetched. So it is with one that is polled.
        """
        stream = self._stream(**arguments)
        try:
            return await stream.result()
        except anyio.get_cancelled_exc_class():
            if stream.chat_id:
                await self._left(_chat_of(stream))
            raise
        except CozeError as error:
            if stream.chat_id and error.chat is None:
                chat = error.chat = _chat_of(stream)
                has_canceled = isinstance(error, RequestTimeoutError) and await self._cancel_quietly(chat)
                error.add_note(f"The chat {chat.id} has been asked to cancel." if has_canceled else _goes_on(chat))
            raise

    async def _polled(self, arguments: Mapping[str, Any], polling: Polling) -> ChatResult:
        core, seen = self._core, list[Chat]()
        has_canceled, state = False, "chat was not yet created"
        request = _CREATE.request(arguments, user=arguments["user_id"])
        asked_at, total = anyio.current_time(), core.deadline()
        with anyio.move_on_after(polling.timeout):
            conversation = slot = Slot()
            try:
                conversation = await core.conversation(request, total)
                slot = await core.slot(request.user, total, request.name)
                return await self._until_over(request, polling, seen, total, asked_at)
            except anyio.get_cancelled_exc_class() as error:
                # Nobody waits for it any more, but it would go on and cost.
                if seen and not seen[-1].is_over:
                    has_canceled = await self._left(seen[-1])
                elif not seen and (waited := getattr(error, "__notes__", None)):
                    state = f"{state}, and nothing was sent. {' '.join(waited)}"
                raise
            except CozeError as error:
                if seen and error.chat is None:
                    # Its answer can still be fetched; without the ids it would be lost.
                    error.chat = seen[-1]
                    error.add_note(_goes_on(seen[-1]))
                raise
            finally:
                slot.release()
                conversation.release()
        chat = seen[-1] if seen else None
        fate = "has been asked to cancel" if has_canceled else "could not be cancelled and may go on"
        state = f"chat {chat.id}, last seen {chat.status}, {fate}" if chat else state.removesuffix(".")
        raise PollTimeoutError(
            f"POST /v3/chat: no answer within {polling.timeout:g} s (Polling.timeout); the {state}. "
            "Raise Polling.timeout, or stream the answer.",
            chat=chat,
        )

    async def _asked(self, request: Request, total: Deadline | None, asked_at: float) -> Reply | ChatStream:
        """Send a request for a whole answer; return the stream if the server streams all the same."""
        core, streams = self._core, list[ChatStream]()

        async def begin(response: WireResponse, beginning: bytes) -> None:
            streams[:] = [ChatStream(core, request)]
            await streams[0].adopt(response, beginning)

        answer = await core.send_or_open(request, begin, total=total, asked_at=asked_at)
        if isinstance(answer, Reply):
            return answer
        streams[0].take(answer, total)
        return streams[0]

    async def _until_over(
        self, request: Request, polling: Polling, seen: list[Chat], total: Deadline | None, asked_at: float
    ) -> ChatResult:
        name, core = request.name, self._core
        reply = await self._asked(request, total, asked_at)
        if not isinstance(reply, Reply):
            async with reply as stream:
                # Coze Plus streams although no stream was asked for.
                known = await _named(stream)
                seen += [] if known is None else [known]
                result = await stream.result()
                seen += [] if result.chat is None else [result.chat]
                return result
        # A finished message at once: then there is nothing to look for, and no route to look with.
        if reply.content_type == "text/event-stream" or holds_message(reply):
            return result_from_reply(core, name, reply)
        chat = chat_from_reply(core, name, reply)
        seen.append(chat)
        ids: dict[str, Any] = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
        if not chat.is_over:
            with core.polling(_LOOK.kind) as paced:
                chat = await poll(
                    lambda: self.retrieve(**ids), lambda look: look.is_over, polling, paced=paced, on_look=seen.append
                )
        if chat.status == ChatStatus.FAILED:
            # The chat's own error stands here; its messages would be missing without a reason.
            raise chat_failed(core, name, chat, reply.logid)
        wanted = chat.status in (ChatStatus.COMPLETED, ChatStatus.REQUIRES_ACTION)
        messages = await self.messages.list(**ids) if wanted else []
        if all(message.updated_at for message in messages):
            # An answer's created_at is the beginning of its chat, so that it says nothing of the order.
            messages = sorted(messages, key=lambda message: message.updated_at or 0)
        if core.options.inline_reasoning:
            messages = reasoning_apart(messages)
        result = ChatResult(chat=chat, messages=messages, logid=reply.logid)
        if chat.status == ChatStatus.COMPLETED and result.is_empty:
            raise chat_without_answer(core, name, chat, reply.logid)
        return result

    async def _left(self, chat: Chat) -> bool:
        """Ask for a chat to be cancelled that nobody waits for any more, and name it in the log; see `_cancel_quietly`.

        A cancellation is no error that could name it.
        """
        has_canceled = await self._cancel_quietly(chat)
        log.log(
            logging.INFO if has_canceled else logging.WARNING,
            "nobody waits for the chat %s of the conversation %s any more: it %s",
            chat.id,
            chat.conversation_id,
            "has been asked to cancel" if has_canceled else "could not be cancelled and may go on",
        )
        return has_canceled

    async def _cancel_quietly(self, chat: Chat) -> bool:
        """Ask for a chat to be cancelled; False if it was refused or took too long."""
        with anyio.move_on_after(_CANCELLING, shield=True):
            try:
                await self.cancel(conversation_id=chat.conversation_id, chat_id=chat.id)
                return True
            except CozeError as error:
                log.debug("the chat %s could not be cancelled: %s", chat.id, error)
        return False


_CREATE = ChatResource._create.endpoint  # type: ignore[attr-defined]  # noqa: SLF001
_LOOK = ChatResource.retrieve.endpoint  # type: ignore[attr-defined]


async def _named(stream: ChatStream) -> Chat | None:
    """Read a stream until it has named its chat; None if it ends before."""
    while stream.chat is None and await anext(stream, None) is not None:
        pass
    return stream.chat


def _check_options(function: str, options: ChatOptions) -> None:
    """Refuse what no chat takes.

    Raises:
        TypeError: it names the argument and the function.
    """
    known = ChatOptions.__annotations__
    if not options.keys() <= known.keys():
        unknown = next(name for name in options if name not in known)
        raise unexpected_argument(f"chat.{function}", unknown, known)


def _chat_of(stream: ChatStream) -> Chat:
    return Chat(id=stream.chat_id, conversation_id=stream.conversation_id)


def _goes_on(chat: Chat) -> str:
    return (
        f"The chat {chat.id} of the conversation {chat.conversation_id} was started and may go on: look again with "
        "coze.chat.retrieve(...), or stop it with coze.chat.cancel(...)."
    )
