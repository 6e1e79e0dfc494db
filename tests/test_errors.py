"""The tree of errors, the table of codes, and what people read: what happened, why, what to do, and no secret."""

import inspect
import io
import json
import logging
import pickle
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal
from hypothesis import given
from hypothesis import strategies as st

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


def client(
    *answers: httpx.Response | Exception, base_url: str | None = None, token: str = TOKEN, **options: Any
) -> AsyncCoze:
    settings: dict[str, Any] = {"retry": Retry.none(), "limits": Limits.none(), **options}
    return AsyncCoze(token, base_url=base_url, transport=Answers(*answers), **settings)


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
    ids: dict[str, Any] = {"conversation_id": "7", "chat_id": "9"}
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


# --- what other people's servers say ----------------------------------------------------------------------------------

STACK = "\nstack=/app/pkg/errorx/internal/status.go:140 NewByCode\n" + "/app/domain/agent/single.go:71\n" * 90


@pytest.mark.parametrize(
    ("base_url", "status", "kind"),
    [
        ("https://api.coze.com", 200, PermissionDeniedError),
        ("https://api.coze.com", 401, AuthenticationError),
        ("https://api.coze.cn", 401, AuthenticationError),
    ],
)
async def test_a_token_of_the_other_cloud_may_be_called_not_correct(
    base_url: str, status: int, kind: type[APIError]
) -> None:
    """Case A4."""
    error = await failure(client(refusal(4101, "The token is not correct", status=status), base_url=base_url))
    assert type(error) is kind
    other = {"https://api.coze.com": "https://api.coze.cn"}.get(base_url, "https://api.coze.com")
    assert f"The base URL was {base_url}" in str(error)
    assert f"base_url='{other}'" in str(error)


@pytest.mark.parametrize("code", [4000, 4101, 4200, 5000, 700012006, 103000002, None])
def test_http_401_is_about_the_token_whatever_the_code(code: int | None) -> None:
    assert class_of(code, 401) is AuthenticationError


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_what_a_gateway_gives_up_on_may_still_be_running(status: int) -> None:
    """Case A5."""
    page = answer(status=status, content=b"<title>Bad Gateway</title>", headers={"content-type": "text/html"})
    async with client(page, retry=Retry.none()) as coze:
        starts: list[tuple[Any, bool]] = [
            (coze.workflows.run(workflow_id="w"), True),
            (coze.chat.create("Hi", bot_id="b", user_id="u"), False),
            (coze.chat.ask("Hi", bot_id="b", user_id="u"), False),
        ]
        for start, is_run in starts:
            with pytest.raises(ServerError, match=r"may still be running.*not sent again") as caught:
                await start
            assert ("90 s" in str(caught.value)) == is_run
            assert ("run_and_poll" in str(caught.value)) == is_run
            assert "Try again" not in str(caught.value)
        with pytest.raises(ServerError, match="Try again later"):
            await coze.chat.retrieve(conversation_id="7", chat_id="9")


HIDDEN: list[tuple[int | None, int, str, type[APIError], str]] = [
    (
        103100001,
        200,
        "code=100000000 message=invalid parameter : agent not published, agentID=98",
        BadRequestError,
        "invalid parameter : agent not published, agentID=98",
    ),
    (103100001, 200, "code=103100002 message=agent not exists", NotFoundError, "agent not exists"),
    (400, 400, "code=103200005 message=in progress can not be cancelled", BadRequestError, "in progress can not be"),
    (400, 400, "code=103000000 message=invalid parameter : scene is required", BadRequestError, "scene is required"),
    (103100001, 200, "additional message role only support user and assistant", BadRequestError, "role only support"),
    (400, 400, "record not found", NotFoundError, "record not found"),
    (777777775, 200, "Workflow operation failure: conversation not found", NotFoundError, "conversation not found"),
    (777777775, 200, "Workflow operation failure: conversation name is requried", BadRequestError, "name is requried"),
    (
        777777775,
        200,
        "Workflow operation failure: user 1 does not have access to space 0",
        PermissionDeniedError,
        "space",
    ),
]


@pytest.mark.parametrize(("code", "status", "msg", "kind", "words"), HIDDEN)
@pytest.mark.parametrize("stack", ["", STACK, ", " + STACK.replace("=", ": goroutine 1151 [running]:\n", 1)])
async def test_the_error_inside_another_decides_the_class_and_the_words(
    code: int, status: int, msg: str, kind: type[APIError], words: str, stack: str
) -> None:
    """Case A16, as real Coze Studio and Coze Plus servers answered; the code stays the outer one."""
    error: Any = await failure(client(refusal(code, msg + stack, status=status)))
    assert type(error) is kind
    assert error.code == code
    assert words in error.msg
    assert words in str(error)
    for text in (error.msg, str(error)):
        assert "stack" not in text
        assert "code=1" not in text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("record not found", NotFoundError),
        ("code=103000001 message=unauthorized access : user not match" + STACK, PermissionDeniedError),
    ],
)
async def test_an_error_in_plain_text_with_http_500_is_the_one_that_it_names(text: str, kind: type[APIError]) -> None:
    transport = Answers(answer(status=500, content=text.encode(), headers={"content-type": "text/plain"}))
    with pytest.raises(kind) as caught:
        await AsyncCoze("pat_x", transport=transport).chat.retrieve(conversation_id="7", chat_id="9")
    assert "stack" not in str(caught.value)
    # Asked again, it would be the same.
    assert len(transport.requests) == 1


async def test_a_hidden_error_is_found_in_events_too() -> None:
    msg = json.dumps("code=100000000 message=agent not published" + STACK)
    for event in ("error", "conversation.chat.failed"):
        stream = event_stream(f'event:{event}\ndata:{{"code":103100001,"msg":{msg}}}\n\n')
        async with client(stream) as coze:
            with pytest.raises(CozeError, match="agent not published") as caught:
                await coze.chat.ask("Hi", bot_id="b", user_id="u")
        error: Any = caught.value
        assert error.code == 103100001
        assert "stack" not in str(error) + error.msg
    stream = event_stream(f'event: Error\ndata: {{"error_code":720701013,"error_message":{msg}}}\n\n')
    async with client(stream) as coze:
        with pytest.raises(WorkflowError, match="agent not published") as failed:
            await coze.workflows.stream(workflow_id="w").result()
    assert "stack" not in str(failed.value) + failed.value.msg


async def test_a_route_that_a_server_lacks_is_no_matter_of_the_token() -> None:
    """Case A15: Coze Studio and Coze Plus answer so to a token."""
    missing = refusal(401, "missing session_key in cookie", status=401)
    error = await failure(client(missing, base_url="http://studio.test"))
    assert type(error) is NotFoundError
    assert "no such route" in str(error)
    assert "http://studio.test" in str(error)
    # For whom it is about the cookie.
    async with AsyncCoze(SessionAuth("s3ssion"), transport=Answers(missing)) as coze:
        with pytest.raises(AuthenticationError):
            await coze.chat.retrieve(conversation_id="7", chat_id="9")


async def test_a_run_is_looked_up_by_the_route_that_the_server_has() -> None:
    missing = refusal(401, "missing session_key in cookie", status=401)
    record = {"execute_id": "1", "execute_status": "Success", "output": "{}"}
    transport = Answers(answer({"code": 0, "execute_id": "1"}), missing, answer({"code": 0, "data": [record]}))
    run = await AsyncCoze("pat_x", transport=transport).workflows.run_and_poll(workflow_id="w")
    assert run.execute_id == "1"
    assert [request.url.path for request in transport.requests[1:]] == [
        "/v1/workflows/w/run_histories/1",
        "/v1/workflow/get_run_history",
    ]


async def test_only_a_chat_is_told_to_publish_its_bot() -> None:
    """Case A20."""
    async with client(refusal(4000)) as coze:
        with pytest.raises(BadRequestError) as caught:
            await coze.files.upload(b"%PDF-1", name="a.pdf")
        assert "bot" not in str(caught.value)
        with pytest.raises(BadRequestError, match="published to the API channel"):
            await coze.chat.ask("Hi", bot_id="b", user_id="u")


async def test_an_endpoint_that_does_not_exist_is_not_found_at_its_base_url() -> None:
    missing = refusal(4000, "endpoint does not exist", status=404)
    error = await failure(client(missing, base_url="http://proxy.test"))
    assert type(error) is NotFoundError
    assert "http://proxy.test" in str(error)


@given(st.text(max_size=200), st.sampled_from([None, 400, 500, 103100001, 4000]))
def test_no_words_of_a_server_break_an_error(msg: str, code: int | None) -> None:
    api_error("POST /v3/chat", code=code, msg=msg)


def test_words_of_a_server_are_searched_in_linear_time() -> None:
    for text in ("code=" + "1" * 1_000_000, "\n" * 1_000_000, ", " * 500_000, "code=1 message=" * 100_000):
        began = time.perf_counter()
        api_error("POST /v3/chat", code=500, msg=text)
        assert time.perf_counter() - began < 1.0


def test_public_classes_are_shown_by_the_names_that_they_are_imported_by() -> None:
    """Case B12. What is in `models` keeps the module that the types of its fields are in."""
    classes = [kind for name in coze_async.__all__ if isinstance(kind := getattr(coze_async, name), type)]
    assert {kind.__module__ for kind in classes if ".models." not in kind.__module__} == {"coze_async"}
    assert f"{RateLimitError}" == "<class 'coze_async.RateLimitError'>"


def test_a_traceback_shows_an_error_by_its_public_name_before_anybody_imports_it() -> None:
    program = "from coze_async import _errors; raise _errors.ClosedError('x')"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "\ncoze_async.ClosedError: x" in ran.stderr


@pytest.mark.parametrize(
    ("code", "msg", "kind"),
    [
        (720701013, "Workflow execution failure: user 7 does not have access to space 8", PermissionDeniedError),
        (720701013, "Workflow execution failure: workflow execution does not exist, id: 1", NotFoundError),
        (720701013, "workflow execution 7 is not interrupted, status is 2, cannot resume", BadRequestError),
        (720701013, "Workflow execution failure: the model broke", ServerError),
        (104000005, "multipart form data read failed", BadRequestError),
    ],
)
def test_what_a_self_hosted_server_says_decides_where_its_code_says_nothing(
    code: int, msg: str, kind: type[APIError]
) -> None:
    """As recorded from Coze Studio and Coze Plus."""
    assert type(api_error("POST /v1/workflow/run", code=code, msg=msg, status=200)) is kind
