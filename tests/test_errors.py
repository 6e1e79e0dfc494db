"""The tree of errors, the table of codes, and what people read: what happened, why, what to do, and no secret."""

import inspect
import io
import json
import logging
import pickle
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence

import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal

import coze_async
from coze_async import (
    APIError,
    AsyncCoze,
    AuthenticationError,
    BadRequestError,
    ChatFailedError,
    ChatResult,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    DecodeError,
    Limits,
    Message,
    NotFoundError,
    PermissionDeniedError,
    PollTimeoutError,
    QuotaError,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerError,
    SessionAuth,
    StreamInterruptedError,
    StreamProtocolError,
    TransportError,
    WorkflowError,
    _errors,
)
from coze_async._codes import CODES
from coze_async._errors import api_error, class_of, explain
from coze_async.models import Chat

TOKEN = "pat_S3cretS3cretS3cret"


def client(*answers: httpx.Response | Exception, base_url: str | None = None, token: str = TOKEN) -> AsyncCoze:
    return AsyncCoze(token, base_url=base_url, transport=Answers(*answers), retry=Retry.none(), limits=Limits.none())


async def failure(coze: AsyncCoze) -> CozeError:
    """Return the error that a question ends with."""
    async with coze:
        with pytest.raises(CozeError) as caught:
            await coze.chat.ask("hi", bot_id="5", user_id="u")
    return caught.value


# --- the tree --------------------------------------------------------------------------------------------------------


def drawn_tree() -> Iterator[tuple[str, list[str]]]:
    """Read the classes and their bases out of the docstring's drawing."""
    above: list[str] = []
    for line in (inspect.getdoc(_errors) or "").splitlines():
        found = re.fullmatch(r"([│ ├└─]*)(\w+Error)(?: \((\w+)\))?", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            yield found[2], [*above[-2:-1], *([found[3]] if found[3] else [])]


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    classes = {
        name: kind for name, kind in vars(_errors).items() if isinstance(kind, type) and issubclass(kind, CozeError)
    }
    drawn = dict(drawn_tree())
    assert drawn.keys() == classes.keys()
    for name, bases in drawn.items():
        assert [base.__name__ for base in classes[name].__bases__] == (bases or ["Exception"])


def test_every_error_is_public() -> None:
    assert {name for name, _ in drawn_tree()} <= set(coze_async.__all__)


API_ERRORS: list[type[APIError]] = [APIError, *APIError.__subclasses__()]
ERRORS: list[CozeError] = [
    CozeError("x"),
    ConfigurationError("x"),
    TransportError("x", may_have_arrived=False),
    RequestTimeoutError("x", may_have_arrived=False, partial=ChatResult(messages=[Message(id="8", content="half")])),
    *(
        kind("x", code=1, msg="m", status=400, logid="l", debug_url="d", retry_after=2.0, partial=ChatResult())
        for kind in API_ERRORS
    ),
    DecodeError("x", body="<html>", logid="l"),
    StreamInterruptedError("x", partial=ChatResult(), logid="l"),
    StreamProtocolError("x", body="{", logid="l"),
    ChatFailedError("x", chat=Chat(id="9", conversation_id="7"), code=1, msg="m", logid="l", partial=ChatResult()),
    WorkflowError("x", code=1, msg="m", debug_url="d", execute_id="e", logid="l"),
    PollTimeoutError("x", chat=Chat(id="9", conversation_id="7"), execute_id="e"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_travel_between_processes_whole(error: CozeError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


# --- the table of codes ----------------------------------------------------------------------------------------------

CLIENT = (BadRequestError, NotFoundError, PermissionDeniedError)

# The table of wire facts, part d: codes, and the class that it names in words. "client": no repetition helps.
DOCUMENTED: list[tuple[Sequence[int], tuple[type[APIError], ...]]] = [
    ((4000,), CLIENT),
    ((4001, 4002), CLIENT),
    ((4003, 4004), CLIENT),
    ((4005, 4006), CLIENT),
    ((4008,), (QuotaError,)),
    ((4009,), (RateLimitError,)),
    ((4010,), CLIENT),
    ((4011,), (QuotaError,)),
    ((4012,), CLIENT),
    ((4013,), (RateLimitError,)),
    ((4014,), CLIENT),
    ((4015,), CLIENT),
    ((4016,), (ConversationBusyError,)),
    ((4019, 4027, 788788103), (QuotaError,)),
    ((4020,), (RateLimitError,)),
    ((4028,), (QuotaError,)),
    ((4033,), (APIError,)),
    ((4100, 700012006), (AuthenticationError,)),
    ((4101,), (PermissionDeniedError,)),
    ((4104,), (BadRequestError,)),
    ((4200,), CLIENT),
    ((4300, 4301, 4302, 4303, 4304), CLIENT),
    ((5000,), (ServerError,)),
    ((6003,), CLIENT),
    ((6006,), (ServerError,)),
]


@pytest.mark.parametrize(
    ("code", "classes"), [(code, classes) for codes, classes in DOCUMENTED for code in codes], ids=str
)
def test_every_documented_code_has_the_class_that_the_table_of_the_wire_says(
    code: int, classes: tuple[type[APIError], ...]
) -> None:
    assert class_of(code, 200) in classes
    assert code in CODES


@pytest.mark.parametrize("code", CODES)
def test_every_known_code_has_a_class_of_its_own_and_words(code: int) -> None:
    kind = class_of(code, 200)
    assert kind is not APIError or code == 4033
    meaning = CODES[code][1]
    assert meaning == meaning.strip()
    assert not meaning.endswith(".")
    assert meaning in explain(code, "", kind)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (None, 400, BadRequestError),
        (None, 401, AuthenticationError),
        (None, 403, PermissionDeniedError),
        (None, 404, NotFoundError),
        (None, 422, BadRequestError),
        (None, 429, RateLimitError),
        (None, 500, ServerError),
        (None, 502, ServerError),
        (None, 302, APIError),
        (None, None, APIError),
        # Coze Studio repeats the status as the code, and sends some of them with 200 or 400 (wire facts c.1).
        (400, 400, BadRequestError),
        (500, 200, ServerError),
        (404, 400, NotFoundError),
        # A code that is known decides, whatever the status says.
        (4100, 200, AuthenticationError),
        (4013, 400, RateLimitError),
        # One that is not leaves it to the status.
        (999999, 429, RateLimitError),
        (999999, 200, APIError),
    ],
)
def test_the_code_decides_if_it_is_known_and_the_status_else(
    code: int | None, status: int | None, kind: type[APIError]
) -> None:
    assert class_of(code, status) is kind


def test_a_text_says_what_happened_why_and_what_to_do() -> None:
    error = api_error("POST /v3/chat", code=4013, msg="too many requests", status=429, logid="2026", retry_after=2.0)
    assert str(error) == (
        "POST /v3/chat was refused (code 4013, HTTP 429): too many requests. Rate limit of the model or API reached. "
        "Send less at a time: lower `limits`, or wait and try again. The server asks to wait 2 s. [logid 2026]"
    )


def test_an_error_without_any_reason_says_that() -> None:
    assert str(api_error("GET /x", code=None, msg="", status=302)) == (
        "GET /x was refused (HTTP 302): the server gave no reason."
    )


def test_a_meaning_that_the_server_gave_itself_is_not_said_twice() -> None:
    assert explain(5000, "Internal Server Error.", ServerError).lower().count("internal server error") == 1


# --- what people meet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401])
async def test_a_wrong_token_names_the_base_url_and_the_other_cloud(status: int) -> None:
    error = await failure(client(refusal(4100, "authentication is invalid", status=status)))
    assert isinstance(error, AuthenticationError)
    assert error.code == 4100
    assert "Check the token" in str(error)
    assert "The base URL was https://api.coze.cn" in str(error)
    assert "made for https://api.coze.com works only with base_url='https://api.coze.com'" in str(error)


async def test_a_token_of_the_chinese_cloud_at_the_other_one_names_the_chinese_cloud() -> None:
    error = await failure(client(refusal(4100), base_url="https://api.coze.com"))
    assert "works only with base_url='https://api.coze.cn'" in str(error)


async def test_a_wrong_token_at_an_own_server_names_no_cloud() -> None:
    error = await failure(client(refusal(700012006, status=200), base_url="http://10.0.0.7:8888"))
    assert isinstance(error, AuthenticationError)
    assert "The base URL was http://10.0.0.7:8888." in str(error)
    assert "coze.c" not in str(error)


async def test_an_unreachable_host_names_the_base_url_and_where_to_look() -> None:
    error = await failure(client(httpx.ConnectError("Name or service not known"), base_url="http://nowhere.test"))
    assert isinstance(error, TransportError)
    assert not error.may_have_arrived
    assert str(error) == (
        "POST /v3/chat: no connection to http://nowhere.test: Name or service not known. "
        "Check the base URL, the network, and a proxy if there is one."
    )
    assert isinstance(error.__cause__, httpx.ConnectError)


async def test_a_stray_path_in_the_base_url_is_found_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError, match=r"has the path '/v3/chat', which this library adds by itself"):
        client(base_url="https://api.coze.cn/v3/chat")


async def test_a_path_that_the_server_does_not_have_points_at_the_base_url() -> None:
    page = answer(status=404, content=b"404 page not found", headers={"content-type": "text/plain"})
    error = await failure(client(page, base_url="http://proxy.test/coze"))
    assert isinstance(error, NotFoundError)
    assert error.code is None
    assert error.status == 404
    assert "The base URL was http://proxy.test/coze: check that it is right" in str(error)


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (4015, NotFoundError, "Publish the bot to the API channel"),
        (4000, BadRequestError, "that the bot is published to the API channel"),
        (4016, ConversationBusyError, "Wait until the running chat ends, cancel it with `coze.chat.cancel(...)`"),
        (4028, QuotaError, "Repeating will not help"),
        (6003, PermissionDeniedError, "needs a paid plan"),
        (4200, NotFoundError, "must be published"),
        (5000, ServerError, "give the logid to Coze support"),
    ],
)
async def test_a_refusal_says_what_to_do(code: int, kind: type[APIError], advice: str) -> None:
    error = await failure(client(refusal(code, "server says so")))
    assert type(error) is kind
    assert error.code == code
    assert error.msg == "server says so"
    assert error.logid == "log-body"
    assert f"(code {code}): server says so" in str(error)
    assert advice in str(error)
    assert "[logid log-body]" in str(error)


async def test_the_header_names_the_logid_before_the_body_does() -> None:
    error = await failure(client(refusal(4000, headers={"x-tt-logid": "log-head"})))
    assert isinstance(error, APIError)
    assert error.logid == "log-head"


async def test_a_quota_that_is_used_up_inside_a_chat_is_the_chats_own_failure() -> None:
    # coze-py issue 425: 4028 arrives as the last_error of a chat that was created.
    failed = chat("failed", last_error={"code": 4028, "msg": "您的免费额度已用完"})
    async with client(failed) as coze:
        with pytest.raises(ChatFailedError, match="Repeating will not help") as caught:
            await coze.chat.create_and_poll("hi", bot_id="5", user_id="u")
    assert caught.value.code == 4028
    assert caught.value.msg == "您的免费额度已用完"
    assert caught.value.chat is not None
    assert caught.value.chat.status == "failed"


async def test_what_a_gateway_says_in_html_is_read_as_a_person_would() -> None:
    page = b"<html><head><title>502 Bad\n Gateway</title></head><body><h1>nginx</h1></body></html>"
    error = await failure(client(answer(status=502, content=page, headers={"content-type": "text/html"})))
    assert isinstance(error, ServerError)
    assert error.msg == "502 Bad Gateway"


async def test_a_redirect_says_where_to() -> None:
    moved = answer(status=301, content=b"", headers={"location": "/v4/chat"})
    error = await failure(client(moved))
    assert "redirected to /v4/chat; set base_url" in str(error)


async def test_a_page_with_status_200_asks_whether_that_is_a_coze_api() -> None:
    page = answer(content=b"<title>Welcome</title>", headers={"content-type": "text/html"})
    async with client(page, base_url="http://proxy.test") as coze:
        with pytest.raises(DecodeError, match=r"Welcome\. Is base_url \(http://proxy\.test\) a Coze API\?"):
            await coze.chat.retrieve(conversation_id="7", chat_id="9")


# --- secrets ---------------------------------------------------------------------------------------------------------


def echoing(request: httpx.Request) -> httpx.Response:
    """A server that says everything back that it was sent, the worst that can happen."""
    said = f"bad header {request.headers.get('authorization')} {request.headers.get('cookie')}"
    code = {"/v3/chat": 4100, "/v3/chat/cancel": 4000}.get(request.url.path, 0)
    if request.url.path == "/v3/chat/retrieve":
        return answer(content=said.encode(), headers={"content-type": "text/html"})
    if request.url.path == "/v3/chat/message/list":
        return answer({"code": 0, "data": said})
    if request.url.path == "/v1/workflow/stream_run":
        return event_stream(f'event: Error\ndata: {{"error_code":5000,"error_message":{json.dumps(said)}}}\n\n')
    if request.url.path == "/v1/workflow/stream_resume":
        return event_stream(f"event: Message\ndata: {said}\n\n")
    if request.url.path == "/v1/workflows/chat":
        failed = json.dumps({"id": "9", "conversation_id": "7", "last_error": {"code": 1, "msg": said}})
        return event_stream(f"event: conversation.chat.failed\ndata: {failed}\n\n")
    if request.url.path.startswith("/v1/bots"):
        raise httpx.ConnectError(said)
    return refusal(code, said, status=401 if code == 4100 else 200)


def shown(error: CozeError) -> str:
    """Return all that an error shows of what the server said; its models are data, as it was sent."""
    texts = [value for value in vars(error).values() if isinstance(value, str)]
    return "\n".join([str(error), repr(error), *texts])


@pytest.mark.parametrize("token", [TOKEN, "a-token-of-no-known-form", f"Bearer {TOKEN}"])
async def test_a_token_that_a_server_echoes_is_in_no_error(token: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = token.removeprefix("Bearer ")
    coze = AsyncCoze(token, transport=httpx.MockTransport(echoing), retry=Retry(attempts=2, initial=0.0))
    ids = {"conversation_id": "7", "chat_id": "9"}
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: coze.chat.ask("hi", bot_id="5", user_id="u"),
        lambda: coze.chat.cancel(**ids),
        lambda: coze.chat.retrieve(**ids),
        lambda: coze.chat.messages.list(**ids),
        lambda: coze.workflows.stream(workflow_id="1").result(),
        lambda: coze.workflows.resume(workflow_id="1", event_id="2/3", interrupt_type=2, resume_data="x").result(),
        lambda: coze.workflows.chat("hi", workflow_id="1", bot_id="5").result(),
        lambda: coze.bots.retrieve(bot_id="5"),
    ]
    kinds: list[str] = []
    async with coze:
        for call in calls:
            with pytest.raises(CozeError) as caught:
                await call()
            assert secret not in shown(caught.value)
            assert "***" in str(caught.value)
            kinds.append(type(caught.value).__name__)
    assert kinds == [
        "AuthenticationError",
        "BadRequestError",
        "DecodeError",
        "DecodeError",
        "WorkflowError",
        "StreamProtocolError",
        "ChatFailedError",
        "TransportError",
    ]
    assert secret not in caplog.text
    assert secret not in repr(coze)


async def test_a_session_key_that_a_server_echoes_is_in_no_error() -> None:
    auth = SessionAuth("k3yk3yk3y")
    transport = httpx.MockTransport(lambda request: refusal(4000, f"cookie {request.headers['cookie']}"))
    async with AsyncCoze(auth, base_url="http://studio.test", transport=transport) as coze:
        with pytest.raises(BadRequestError) as caught:
            await coze.studio.draft_bots.create(space_id="1")
    assert "k3yk3yk3y" not in shown(caught.value)
    assert "k3yk3yk3y" not in repr(coze)


async def test_a_token_that_was_renewed_stays_hidden() -> None:
    tokens = iter(["first-token-1", "second-token-2"])

    async def renewed() -> str:
        return next(tokens)

    both = httpx.MockTransport(lambda _: refusal(4100, "neither first-token-1 nor second-token-2"))
    async with AsyncCoze(renewed, transport=both, retry=Retry.none()) as coze:
        for used in ("first-token-1", "second-token-2"):
            # The one in use is hidden; another one of unknown form cannot be told from a word.
            with pytest.raises(AuthenticationError) as caught:
                await coze.chat.create("hi", bot_id="5", user_id="u")
            assert used not in shown(caught.value)


async def test_no_log_line_holds_a_token_a_query_or_the_text_of_a_message() -> None:
    """At DEBUG, on our logger and on that of httpx, which logs the URL of every request."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    loggers = [logging.getLogger("coze_async"), logging.getLogger("httpx")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        events = event_stream(
            'event:conversation.message.completed\ndata:{"id":"8","type":"answer","content":"confidential answer"}\n\n'
            'event:conversation.chat.completed\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:\n\n',
            headers={"x-tt-logid": "log-head"},
        )
        async with client(events, chat(), refusal(4100, "bad"), base_url="http://coze.test") as coze:
            await coze.chat.ask("confidential question", bot_id="5", user_id="u", conversation_id="c0nv")
            await coze.chat.retrieve(conversation_id="c0nv", chat_id="9")
            with pytest.raises(AuthenticationError):
                await coze.chat.retrieve(conversation_id="c0nv", chat_id="9")
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
    text = written.getvalue()
    assert "POST /v3/chat: attempt 1, HTTP 200, answered" in text
    assert "http://coze.test/v3/chat/retrieve?***" in text
    assert "AuthenticationError" in text
    assert "log-head" in text
    for secret in (TOKEN, "confidential", "c0nv"):
        assert secret not in text
