"""What type checkers say of the public names. It is checked by mypy and basedpyright, and never run."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import IO, Any, assert_type

import httpx

from coze_async import (
    COZE_CN_BASE_URL,
    COZE_COM_BASE_URL,
    APIError,
    AsyncCoze,
    AudioDelta,
    Auth,
    AuthenticationError,
    BadRequestError,
    Bot,
    Chat,
    ChatCanceled,
    ChatCompleted,
    ChatCreated,
    ChatEvent,
    ChatFailed,
    ChatFailedError,
    ChatInProgress,
    ChatItem,
    ChatRequiresAction,
    ChatResult,
    ChatStatus,
    ChatStream,
    ClosedError,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    DecodeError,
    DeviceCode,
    DeviceOAuth,
    Download,
    EventStream,
    Exchange,
    FanOut,
    FileTokenStore,
    JWTAuth,
    KnowledgeChunk,
    Limiter,
    Limits,
    LimitStatistics,
    LocalLimiter,
    MemoryTokenStore,
    MemoryUploadCache,
    Message,
    MessageCompleted,
    MessageDelta,
    MessageObject,
    MessageType,
    NotFoundError,
    OAuthAuth,
    OAuthToken,
    Outcome,
    Page,
    Pages,
    PermissionDeniedError,
    PKCEOAuth,
    Polling,
    PollTimeoutError,
    QuotaError,
    Rate,
    RateLimitError,
    RawResponse,
    Recorder,
    RedisLimiter,
    Replay,
    RequestTimeoutError,
    Retry,
    ServerError,
    SessionAuth,
    Slot,
    StorageError,
    StreamDone,
    StreamError,
    StreamInterruptedError,
    StreamProtocolError,
    Timeouts,
    TokenAuth,
    TokenStore,
    ToolCall,
    ToolOutput,
    TransportError,
    UnknownEvent,
    Upload,
    UploadCache,
    Usage,
    WebOAuth,
    WorkflowDone,
    WorkflowError,
    WorkflowEvent,
    WorkflowInterrupt,
    WorkflowMessage,
    WorkflowRun,
    WorkflowStream,
    __version__,
    fan_out,
    load_oauth_config,
    replay,
)
from coze_async.models import (
    Conversation,
    Dataset,
    Document,
    DocumentBase,
    DocumentSourceInfo,
    DraftBotCreated,
    DraftBotPublished,
    File,
    KnowledgeDocument,
    SimpleBot,
    Transcription,
    VariableValue,
)
from coze_async.taskiq import ChatBroker, NotAskedError, Producer, Rules, Worker


async def token() -> str:
    return "pat_x"


def as_text(text: str) -> None:
    """Take a text."""


def as_timeout(error: TimeoutError) -> None:
    """Take what Python itself calls a time-out."""


def as_runtime_error(error: RuntimeError) -> None: ...


def as_value_error(error: ValueError) -> None:
    """Take what Python itself calls a wrong value."""


def as_transport_error(error: TransportError) -> bool:
    """Take whatever brought no answer."""
    return error.may_have_arrived


def as_stream_error(error: StreamError) -> None:
    """Take whatever went wrong with a stream."""


def as_store(store: TokenStore) -> None:
    """Take any store of tokens."""


def as_limiter(limiter: Limiter) -> None:
    """Take any limiter."""


async def clients(transport: httpx.AsyncBaseTransport, http_client: httpx.AsyncClient) -> None:
    """Every way to make one, and the views of it."""
    observed: Callable[[Exchange], None] = print
    coze = AsyncCoze(
        "pat_x",
        base_url=COZE_COM_BASE_URL,
        timeouts=Timeouts(connect=5, first_event=None, idle=1.5, total=None, write=30.0, pool=30.0),
        retry=Retry(
            attempts=3, initial=0.5, factor=2.0, max_wait=8.0, max_retry_after=60.0, budget=10.0, busy_timeout=0
        ),
        limits=Limits(
            chat=Rate(60, 60.0),
            bot_management=None,
            bot_info=Rate(1, 2, guard=0.1),
            chats_at_once=16,
            account=5,
            upload=None,
            collaboration=Rate(5, 1.0),
            workflow=Rate(5, 1.0),
            chats_per_conversation=None,
            account_chat=5,
            account_workflow=5,
            account_at_once=100,
        ),
        limiter=LocalLimiter(Limits.none()),
        transport=transport,
        headers={"x": "y"},
        observe=observed,
    )
    for auth in (TokenAuth("pat_x"), TokenAuth(token), SessionAuth("k3y")):
        kept: Auth = auth
        assert_type(AsyncCoze(kept, http_client=http_client), AsyncCoze)
    AsyncCoze()
    AsyncCoze(token)
    assert_type(coze.base_url, str)
    view = coze.with_options(timeouts=Timeouts(), retry=Retry.none(), headers={"x": "z"}, user="u")
    assert_type(view, AsyncCoze)
    async with coze as entered:
        assert_type(entered, AsyncCoze)
    assert_type(await coze.aclose(), None)
    as_text(COZE_CN_BASE_URL)
    as_text(__version__)


async def chats(coze: AsyncCoze) -> None:
    """Streams, polls and what they bring."""
    stream = coze.chat.stream("hi", bot_id="5", user_id="u")
    assert_type(stream, ChatStream)
    async for event in stream:
        assert_type(event, ChatEvent)
        match event:
            case MessageDelta() | MessageCompleted() | AudioDelta():
                assert_type(event.message, Message)
            case (
                ChatCreated()
                | ChatInProgress()
                | ChatCompleted()
                | ChatFailed()
                | ChatRequiresAction()
                | ChatCanceled()
            ):
                assert_type(event.chat, Chat)
            case StreamDone():
                assert_type(event.debug_url, str | None)
            case UnknownEvent():
                assert_type(event.data, str)
    async with coze.chat.stream(None, bot_id="5", user_id="u", additional_messages=[Message.user("hi")]) as entered:
        assert_type(entered, ChatStream)
        assert_type(entered.text(), AsyncIterator[str])
        async for piece in entered.text():
            assert_type(piece, str)
    assert_type((stream.chat_id, stream.conversation_id, stream.logid), tuple[str, str, str | None])
    generic: EventStream[ChatEvent, ChatResult] = stream
    assert_type(await generic.result(), ChatResult)
    assert_type(await stream.aclose(), None)

    objects = [MessageObject.of_text("?"), MessageObject.of_image(file_id="f")]
    result = await coze.chat.ask(
        objects,
        bot_id="5",
        user_id="u",
        conversation_id="7",
        custom_variables={"a": "b"},
        auto_save_history=False,
        meta_data={"a": "b"},
        parameters={"any": [1, None]},
    )
    assert_type(result, ChatResult)
    assert_type((result.text, result.reasoning), tuple[str, str])
    assert_type((result.answers, result.follow_ups), tuple[list[str], list[str]])
    assert_type(result.knowledge, list[KnowledgeChunk])
    assert_type(result.tool_calls, list[ToolCall])
    assert_type(result.usage, Usage | None)
    assert_type(result.chat, Chat | None)
    assert_type(result.messages, list[Message])
    assert_type((result.chat_id, result.conversation_id, result.logid), tuple[str, str, str | None])
    for chunk in result.knowledge:
        assert_type((chunk.text, chunk.url), tuple[str, str | None])
        assert_type(chunk.score, float | None)
        assert_type(chunk.document, KnowledgeDocument | None)

    assert_type(await coze.chat.create(Message.user("hi"), bot_id="5", user_id="u"), Chat)
    polled = coze.chat.create_and_poll("hi", bot_id="5", user_id="u", polling=Polling(interval=1.0, timeout=None))
    assert_type(await polled, ChatResult)
    chat = await coze.chat.retrieve(conversation_id="7", chat_id="9")
    assert_type(chat, Chat)
    assert_type(chat.status == ChatStatus.COMPLETED, bool)
    assert_type(await coze.chat.cancel(conversation_id="7", chat_id="9"), Chat)
    messages = await coze.chat.messages.list(conversation_id="7", chat_id="9")
    assert_type(messages, list[Message])
    assert_type(messages[0].type == MessageType.ANSWER, bool)
    outputs = [ToolOutput(tool_call_id="t", output="{}")]
    assert_type(await coze.chat.submit_tool_outputs(conversation_id="7", chat_id="9", tool_outputs=outputs), Chat)
    going_on = coze.chat.submit_tool_outputs_stream(conversation_id="7", chat_id="9", tool_outputs=outputs)
    assert_type(going_on, ChatStream)


async def workflows(coze: AsyncCoze) -> None:
    """Runs, streams, and going on after an interrupt."""
    run = await coze.workflows.run(workflow_id="1", parameters={"a": 1}, is_async=True)
    assert_type(run, WorkflowRun)
    assert_type((run.data, run.execute_id, run.debug_url), tuple[str, str | None, str | None])
    assert_type(run.json(), Any)
    assert_type(run.usage, Usage | None)
    stream = coze.workflows.stream(workflow_id="1", parameters={})
    assert_type(stream, WorkflowStream)
    async for event in stream:
        assert_type(event, WorkflowEvent)
        match event:
            case WorkflowMessage():
                assert_type(event.content, str)
            case WorkflowInterrupt():
                resumed = coze.workflows.resume(
                    workflow_id="1",
                    event_id=event.event_id,
                    interrupt_type=event.interrupt_type,
                    resume_data="yes",
                )
                assert_type(resumed, WorkflowStream)
            case WorkflowDone():
                assert_type(event.debug_url, str | None)
            case UnknownEvent():
                assert_type(event.event, str)
    assert_type(await stream.result(), WorkflowRun)
    assert_type(coze.workflows.chat("hi", workflow_id="1", bot_id="5"), ChatStream)
    assert_type(await coze.workflows.run_and_poll(workflow_id="1", polling=Polling()), WorkflowRun)


async def batches(numbers: AsyncIterator[int]) -> None:
    """Many calls at a time, from items of any kind."""

    async def shown(number: int) -> str:
        return str(number)

    assert_type(fan_out(shown, [1, 2]), FanOut[int, str])
    assert_type(await fan_out(shown, range(9), stop_on=()).collect(), list[Outcome[int, str]])
    async with fan_out(shown, numbers, limit=9, ordered=True, stop_on=(QuotaError, OSError)) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[int, str])
            assert_type((outcome.index, outcome.item), tuple[int, int])
            if outcome.is_ok:
                assert_type(outcome.value, str)
            if outcome.is_ok is True:
                assert_type(outcome.value, str)
            if outcome.error is None:
                assert_type(outcome.value, str)
            else:
                assert_type(outcome.error, Exception)
            assert_type((outcome.error, outcome.usage), tuple[Exception | None, Usage | None])
            assert_type((outcome.attempts, outcome.seconds, outcome.waited), tuple[int, float, float])
            assert_type((outcome.is_ok, outcome.may_have_started), tuple[bool, bool])
            assert_type(outcome.unwrap(), str)
        assert_type(outcomes.stopped_by, Exception | None)
    assert_type(outcomes.untaken, list[Outcome[int, str]])


async def batches_of_chats(coze: AsyncCoze, texts: AsyncIterator[str]) -> None:
    """Many chats and many runs."""
    assert_type(coze.chat.batch(["a"], bot_id="5", user_id="u"), FanOut[str, ChatResult])
    assert_type(coze.chat.batch(texts, bot_id="5", user_id="u", limit=9, polling=Polling()), FanOut[str, ChatResult])
    item = ChatItem("a", bot_id="5", user_id="u", conversation_id="7", custom_variables={"a": "b"}, key=1)
    assert_type(item.key, Any)
    assert_type(coze.chat.batch([item], ordered=True, meta_data={"a": "b"}), FanOut[ChatItem, ChatResult])
    mixed: list[str | Message | list[MessageObject] | ChatItem] = ["a", Message.user("b"), item]
    async with coze.chat.batch(mixed, bot_id="5", user_id="u", stop_on=()) as outcomes:
        async for outcome in outcomes:
            if outcome.is_ok:
                assert_type(outcome.value.text, str)
    runs = coze.workflows.batch([{"city": "Paris"}], workflow_id="1", polling=Polling())
    assert_type(runs, FanOut[dict[str, str], WorkflowRun])


async def bots(coze: AsyncCoze) -> None:
    """Bots of the clouds, and those of self-hosted servers."""
    assert_type(await coze.bots.retrieve(bot_id="5", is_published=False), Bot)
    assert_type(await coze.bots.retrieve_online(bot_id="5"), Bot)
    drafts = coze.studio.draft_bots
    assert_type(await drafts.create(space_id="1", name="n"), DraftBotCreated)
    assert_type(await drafts.update_display_info(bot_id="5"), None)
    assert_type(await drafts.publish(space_id="1", bot_id="5", connectors={"1024": {}}), DraftBotPublished)
    assert_type(await coze.studio.agent_run("hi", bot_id="5", conversation_id="7", draft_mode=True), ChatResult)
    assert_type(coze.studio.agent_run_stream("hi", bot_id="5", conversation_id="7"), ChatStream)


async def everything_else(coze: AsyncCoze) -> None:
    """Calls that return one thing, a list, nothing, or pages."""
    conversation = await coze.conversations.create(meta_data={"a": "b"}, messages=[Message.user("hi")])
    assert_type(conversation, Conversation)
    assert_type(await coze.conversations.delete(conversation_id=conversation.id), None)
    source = DocumentSourceInfo(web_url="https://example.org")
    added = coze.datasets.documents.create(
        dataset_id="7", document_bases=[DocumentBase(name="page", source_info=source)]
    )
    assert_type(await added, list[Document])
    assert_type(await coze.datasets.documents.update(document_id="1", document_name="n"), Document | None)
    assert_type(await coze.variables.retrieve(connector_uid="u", keywords=["city"]), list[VariableValue])


async def pages(coze: AsyncCoze) -> None:
    """Lists, by item, by page, and fetched ahead."""
    bots = coze.bots.list(workspace_id="7")
    assert_type(bots, Pages[SimpleBot])
    async for bot in bots:
        assert_type(bot, SimpleBot)
    assert_type(bots.pages(), AsyncIterator[Page[SimpleBot]])
    page = await coze.datasets.list(space_id="7").first()
    assert_type(page, Page[Dataset])
    assert_type((page.items, page.total, page.has_more), tuple[list[Dataset], int | None, bool])
    async with coze.conversations.messages.list(conversation_id="7").prefetched() as messages:
        async for message in messages:
            assert_type(message, Message)


async def files(coze: AsyncCoze, opened: IO[bytes], pieces: AsyncIterator[bytes]) -> None:
    """Everything that can be uploaded, and what comes as a file."""

    def told(done: int, total: int | None) -> None:
        """Take what progress is told."""

    cache: UploadCache = MemoryUploadCache(100)
    for source in ("a.pdf", Path("a.pdf"), b"x", bytearray(b"x"), memoryview(b"x"), opened, pieces):
        assert_type(await coze.files.upload(source, name="a.pdf", progress=told, dedupe=cache), File)
    upload = Upload(pieces, name="a.wav", content_type="audio/wav", progress=told, check=False)
    assert_type(await coze.files.upload(upload), File)
    assert_type(await coze.audio.transcriptions.create(file=upload), Transcription)
    speech = await coze.audio.speech.create(input="hi", voice_id="7", response_format="wav")
    assert_type(speech, Download)
    assert_type((speech.content_type, speech.size, speech.logid), tuple[str, int | None, str | None])
    async with speech as download:
        assert_type(download, Download)
        async for piece in download:
            assert_type(piece, bytes)
    assert_type(await speech.read(), bytes)
    assert_type(await speech.save("a.wav", progress=told), Path)
    assert_type(await speech.aclose(), None)


async def logins(store: TokenStore) -> None:
    """Every way to log in, and what it brings."""
    service = JWTAuth(
        "app",
        "-----BEGIN PRIVATE KEY-----",
        "k-1",
        ttl=900,
        session_name="u",
        session_context={"device_info": {"device_id": "d"}},
        scope={"account_permission": {"permission_list": ["Connector.botChat"]}},
        account_id="1",
        audience="api.coze.cn",
    )
    assert_type(service.for_session("u-2"), JWTAuth)
    assert_type(AsyncCoze(service), AsyncCoze)
    assert_type(await service.token(), OAuthToken)
    web = WebOAuth("app", "secret", base_url=COZE_CN_BASE_URL, www_base_url="https://www.coze.cn")
    assert_type(web.authorize_url("https://a.example", state="s", workspace_id="7"), str)
    token = await web.exchange("code", redirect_uri="https://a.example")
    assert_type(token, OAuthToken)
    assert_type((token.access_token, token.refresh_token, token.token_type), tuple[str, str, str])
    assert_type((token.expires_at, token.expires), tuple[int, datetime | None])
    assert_type(await web.refresh(token), OAuthToken)
    assert_type(web.auth(token, store=store), OAuthAuth)
    pkce = PKCEOAuth("app")
    verifier = pkce.new_verifier()
    assert_type(pkce.authorize_url("https://a.example", state="s", code_verifier=verifier, method="plain"), str)
    assert_type(await pkce.exchange("code", redirect_uri="https://a.example", code_verifier=verifier), OAuthToken)
    device = DeviceOAuth("app")
    code = await device.start(workspace_id="7")
    assert_type(code, DeviceCode)
    assert_type((code.user_code, code.verification_url, code.interval), tuple[str, str, float])
    assert_type(await device.wait(code), OAuthToken)
    for kept in (MemoryTokenStore(token), FileTokenStore("token.json")):
        as_store(kept)
        assert_type(await kept.load(), OAuthToken | None)
        assert_type(await kept.save(token), None)
    assert_type(AsyncCoze(OAuthAuth("app", store=store, client_secret="s")), AsyncCoze)
    assert_type(load_oauth_config("coze_oauth_config.json"), WebOAuth | PKCEOAuth | DeviceOAuth | JWTAuth)


async def limits(limiter: Limiter) -> None:
    """What a limiter of ones own must do."""
    assert_type(await limiter.turn("chat", "u"), None)
    slot = await limiter.slot("u")
    assert_type(slot, Slot)
    assert_type(await limiter.slot(None), Slot)
    assert_type(await limiter.conversation("c"), Slot)
    with limiter.polling("chat_look") as paced:
        assert_type(paced(1.0), float)
    assert_type(limiter.learn({"account_chat": 100}), Limits)
    assert_type(limiter.statistics(), LimitStatistics)
    coze = AsyncCoze(limiter=limiter)
    assert_type(await coze.limits.learn(), Limits)
    assert_type(coze.limits.statistics().waiting, int)
    assert_type(slot.release(), None)
    assert_type(limiter.push_back("chat", None, 1.5), None)
    as_limiter(LocalLimiter())
    shared = RedisLimiter("redis://localhost", Limits(), prefix="coze", lease=30.0, timeout=2.0, on_redis_down="local")
    as_limiter(shared)
    async with shared as entered:
        assert_type(entered, RedisLimiter)
        assert_type((entered.limits, entered.processes), tuple[Limits, int])


async def calls_of_ones_own(coze: AsyncCoze) -> None:
    """Call what the library does not know, and set the time of one call."""
    given = await coze.request("POST", "/v9/new", params={"a": [1]}, json={"b": None}, timeouts=Timeouts(total=1.0))
    assert_type(given, RawResponse)
    assert_type((given.status, given.content, given.logid), tuple[int, bytes, str | None])
    chat = await coze.chat.retrieve(conversation_id="7", chat_id="9", timeouts=Timeouts(total=1.0))
    assert_type(chat.logid, str | None)
    result = await coze.chat.ask("Hi", bot_id="b", user_id="u", inline_reasoning=True, timeouts=Timeouts(total=1.0))
    assert_type(result.reasoning, str)


async def recordings(transport: httpx.AsyncBaseTransport) -> None:
    """Record what goes through a transport, and play it."""
    recorder = Recorder(Path("chat.jsonl"), transport, keep={"content", "users"})
    assert_type((recorder.path, recorder.error), tuple[Path, Exception | None])
    playing = replay("chat.jsonl", speed=1.0, loop=True)
    assert_type(playing, Replay)
    assert_type((playing.left, playing.requests), tuple[list[str], list[httpx.Request]])
    assert_type(await playing.side_effect(playing.requests[0]), httpx.Response)
    AsyncCoze("any", transport=Recorder("again.jsonl", playing))


async def many_machines(coze: AsyncCoze, items: list[ChatItem]) -> None:
    """What belongs to a queue of chats."""
    broker = ChatBroker(
        "redis://localhost", queue="q", prefix="staging", rules=Rules(maxlen=10, idle_timeout=5.0), tell=as_text
    )
    assert_type(broker.url, str)
    worker = Worker(broker, coze, at_once=3, grace=1.0)
    await worker.run()
    worker.finish()
    worker.give_back()
    assert_type(worker.unstored, list[Outcome[ChatItem, ChatResult]])
    assert_type((worker.answered, worker.failed, worker.given_back, worker.in_hand), tuple[int, int, int, int])
    async with Producer(broker, run="monday") as producer:
        assert_type(producer.run, str)
        assert_type(await producer.ask("Hi", bot_id="b", user_id="u", key="1", polling=Polling()), ChatResult)
        async with producer.batch(items, bot_id="b", key=lambda item: str(item.key)) as outcomes:
            async for outcome in outcomes:
                assert_type(outcome, Outcome[ChatItem, ChatResult])
                if isinstance(outcome.error, NotAskedError):
                    assert_type(outcome.attempts, int)


async def errors(call: Callable[[], Awaitable[object]]) -> None:
    """What can be asked of an error after it was caught."""
    try:
        await call()
    except (
        BadRequestError,
        AuthenticationError,
        PermissionDeniedError,
        NotFoundError,
        ConversationBusyError,
        RateLimitError,
        QuotaError,
        ServerError,
    ) as error:
        refused: APIError = error
        assert_type((refused.code, refused.status), tuple[int | None, int | None])
        assert_type((refused.msg, refused.logid, refused.debug_url), tuple[str, str | None, str | None])
        assert_type((refused.retry_after, refused.partial), tuple[float | None, ChatResult | None])
    except ConfigurationError as error:
        as_value_error(error)
    except ClosedError as error:
        as_runtime_error(error)
    except RequestTimeoutError as error:
        as_timeout(error)
        as_transport_error(error)
        assert_type((error.may_have_arrived, error.partial), tuple[bool, ChatResult | None])
    except StreamInterruptedError as error:
        as_stream_error(error)
        assert_type((error.partial, error.logid), tuple[ChatResult | None, str | None])
    except (StreamProtocolError, DecodeError) as error:
        assert_type((error.body, error.logid), tuple[str, str | None])
    except ChatFailedError as error:
        assert_type((error.chat, error.code, error.msg), tuple[Chat | None, int | None, str])
        assert_type((error.logid, error.partial), tuple[str | None, ChatResult | None])
    except WorkflowError as error:
        assert_type((error.code, error.msg), tuple[int | None, str])
        assert_type((error.debug_url, error.execute_id, error.logid), tuple[str | None, str | None, str | None])
    except StorageError as error:
        assert_type(error, StorageError)
    except PollTimeoutError as error:
        as_timeout(error)
        assert_type((error.chat, error.execute_id), tuple[Chat | None, str | None])
    except CozeError as error:
        assert_type(error, CozeError)
