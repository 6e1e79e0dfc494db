"""Everything that can go wrong, as one tree, and the table from Coze's codes to it.

CozeError
├── ConfigurationError (ValueError)
├── ClosedError (RuntimeError)
├── TransportError
│   └── RequestTimeoutError (TimeoutError)
├── APIError
│   ├── BadRequestError
│   ├── AuthenticationError
│   ├── PermissionDeniedError
│   ├── NotFoundError
│   ├── ConversationBusyError
│   ├── RateLimitError
│   ├── QuotaError
│   └── ServerError
├── DecodeError
├── StreamError
│   ├── StreamInterruptedError
│   └── StreamProtocolError
├── ChatFailedError
├── WorkflowError
├── StorageError
└── PollTimeoutError (TimeoutError)
"""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from coze_async.models import Chat, ChatResult

__all__ = [
    "STOP_ON",
    "APIError",
    "AuthenticationError",
    "BadRequestError",
    "ChatFailedError",
    "ClosedError",
    "ConfigurationError",
    "ConversationBusyError",
    "CozeError",
    "DecodeError",
    "NotFoundError",
    "PermissionDeniedError",
    "PollTimeoutError",
    "QuotaError",
    "RateLimitError",
    "RequestTimeoutError",
    "ServerError",
    "StorageError",
    "StreamError",
    "StreamInterruptedError",
    "StreamProtocolError",
    "TransportError",
    "WorkflowError",
    "api_error",
    "class_of",
    "explain",
    "is_route_missing",
    "unwrapped",
]

# Of a server's words no more characters are looked at.
_LOOKED_AT = 4096


class CozeError(Exception):
    """Whatever goes wrong in this library and is not a mistake in Python.

    Attributes:
        chat: The chat that had been started before this went wrong, None if none had.
        execute_id: The workflow run that had been started before this went wrong, None if none had.
    """

    chat: "Chat | None" = None
    execute_id: str | None = None


class ConfigurationError(CozeError, ValueError):
    """Something is wrong that was found before anything was sent."""


class ClosedError(CozeError, RuntimeError):
    """The client, the stream or the download was closed, or read to its end, before."""


class TransportError(CozeError):
    """No answer came: name resolution, connection, TLS, or a connection lost on the way.

    Attributes:
        may_have_arrived: False if the server surely never saw the request, so that it is safe to send it again.
        reason: What the layer beneath says, without secrets; empty for a time-out.
    """

    def __init__(self, message: str, *, may_have_arrived: bool = True, reason: str = "") -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived
        self.reason = reason


class RequestTimeoutError(TransportError, TimeoutError):
    """The server took longer than a time-out allows.

    Attributes:
        partial: What a stream had brought until then, None if it was no chat stream.
        timeout: The field of `Timeouts` that was exceeded, such as "idle".
    """

    def __init__(
        self,
        message: str,
        *,
        may_have_arrived: bool = True,
        partial: "ChatResult | None" = None,
        timeout: str = "",
    ) -> None:
        super().__init__(message, may_have_arrived=may_have_arrived)
        self.partial = partial
        self.timeout = timeout


class APIError(CozeError):
    """The server answered, and the answer is an error.

    Attributes:
        code: Coze's number, None if the answer had none (an HTML page of a gateway).
        msg: The server's own words.
        status: The HTTP status; Coze sends most errors with 200.
        logid: What Coze support asks for, None if the server named none.
        debug_url: A page that shows the run of a workflow, kept 7 days.
        retry_after: Seconds the server asked to wait, None if it named none.
        partial: What a stream had brought before its error event, None elsewhere.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        msg: str = "",
        status: int | None = None,
        logid: str | None = None,
        debug_url: str | None = None,
        retry_after: float | None = None,
        partial: "ChatResult | None" = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.msg = msg
        self.status = status
        self.logid = logid
        self.debug_url = debug_url
        self.retry_after = retry_after
        self.partial = partial


class BadRequestError(APIError):
    """The server does not accept what was sent; sending it again will not help."""


class AuthenticationError(APIError):
    """The token is missing, wrong, expired, or belongs to the other cloud (code 4100, HTTP 401)."""


class PermissionDeniedError(APIError):
    """The token is valid but lacks the permission, the plan or the resource (code 4101, HTTP 403)."""


class NotFoundError(APIError):
    """The bot, conversation, chat, message or workflow does not exist, or is not published (4200, HTTP 404)."""


class ConversationBusyError(APIError):
    """Another chat runs in this conversation (code 4016); only one may."""


class RateLimitError(APIError):
    """Too many requests or chats at the moment (HTTP 429, codes 4009, 4013, 4020); later it will work."""


class QuotaError(APIError):
    """A quota or a balance is used up (4008, 4011, 4019, 4027, 4028); repeating will not help."""


class ServerError(APIError):
    """The server failed (HTTP 5xx, code 5000)."""


class DecodeError(CozeError):
    """The server answered 2xx with something that the model does not expect.

    Attributes:
        body: The body, shortened.
        logid: What Coze support asks for, None if the server named none.
    """

    def __init__(self, message: str, *, body: str = "", logid: str | None = None) -> None:
        super().__init__(message)
        self.body = body
        self.logid = logid


class StreamError(CozeError):
    """A stream of events went wrong on the wire."""


class StreamInterruptedError(StreamError):
    """A stream ended without its last event: the answer is not complete.

    Attributes:
        partial: What had been read until then; None for a workflow.
        logid: What Coze support asks for, None if the server named none.
    """

    def __init__(self, message: str, *, partial: "ChatResult | None" = None, logid: str | None = None) -> None:
        super().__init__(message)
        self.partial = partial
        self.logid = logid


class StreamProtocolError(StreamError):
    """What came is no server-sent event stream, or the data of an event is no JSON.

    Attributes:
        body: The piece that could not be read, shortened.
    """

    def __init__(self, message: str, *, body: str = "", logid: str | None = None) -> None:
        super().__init__(message)
        self.body = body
        self.logid = logid


class ChatFailedError(CozeError):
    """The chat was started and then failed; its tokens may have been billed.

    Attributes:
        chat: The chat as the server sent it last.
        code: Coze's number for the failure, None if it named none.
        msg: The server's own words.
        logid: What Coze support asks for.
        partial: What had been answered before the failure, None after a poll.
    """

    def __init__(
        self,
        message: str,
        *,
        chat: "Chat | None" = None,
        code: int | None = None,
        msg: str = "",
        logid: str | None = None,
        partial: "ChatResult | None" = None,
    ) -> None:
        super().__init__(message)
        self.chat = chat
        self.code = code
        self.msg = msg
        self.logid = logid
        self.partial = partial


class WorkflowError(CozeError):
    """A workflow run was started and then failed.

    Attributes:
        code: Coze's number for the failure, None if it named none.
        msg: The server's own words.
        debug_url: A page that shows the run, kept 7 days.
        execute_id: The run, known for asynchronous runs only.
        logid: What Coze support asks for.
    """

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        msg: str = "",
        debug_url: str | None = None,
        execute_id: str | None = None,
        logid: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.msg = msg
        self.debug_url = debug_url
        self.execute_id = execute_id
        self.logid = logid


class StorageError(CozeError):
    """A place where something is kept failed: a file, or a store of your own, is damaged, locked, full or away."""


class PollTimeoutError(CozeError, TimeoutError):
    """A chat or run was not over when `Polling.timeout` ended; a chat has been asked to cancel by then.

    Attributes:
        chat: The chat as it was seen last, None for a workflow.
        execute_id: The workflow run that may still be going on, None for a chat.
    """

    def __init__(self, message: str, *, chat: "Chat | None" = None, execute_id: str | None = None) -> None:
        super().__init__(message)
        self.chat = chat
        self.execute_id = execute_id


STOP_ON: Final = (QuotaError, AuthenticationError, PermissionDeniedError)
"""What ends a batch by default: the next item would meet it too."""

# The decision of the design where it differs from the category, and what has a class of its own.
_CLASS_BY_CODE: dict[int, type[APIError]] = {
    4014: BadRequestError,
    4016: ConversationBusyError,
    4033: APIError,  # shown to the user as it is by the official web chat; nobody says what it means
}
_CLASS_BY_CATEGORY: dict[str, type[APIError]] = {
    "bad_request": BadRequestError,
    "conflict": BadRequestError,
    "auth": AuthenticationError,
    "permission": PermissionDeniedError,
    "not_found": NotFoundError,
    "rate_limit": RateLimitError,
    "quota": QuotaError,
    "server": ServerError,
    "timeout": ServerError,
}
_CLASS_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: RateLimitError,
}
_OTHER_CLOUD = {"api.coze.cn": "https://api.coze.com", "api.coze.com": "https://api.coze.cn"}

# What gateways and middlemen answer while the server behind them may still be at work.
_GATEWAY = frozenset((502, 503, 504))
# Codes under which servers hide anything; their words say more.
_VAGUE_CODES = frozenset((None, 400, 500, 103100001, 104000005, 720701013, 777777775))
_CLASS_BY_WORDS: tuple[tuple[str, type[APIError]], ...] = (
    ("record not found", NotFoundError),
    ("conversation not found", NotFoundError),
    ("not published", NotFoundError),
    ("agent not exist", NotFoundError),
    ("execution does not exist", NotFoundError),
    ("unauthorized access", PermissionDeniedError),
    ("does not have access to", PermissionDeniedError),
    ("name is requried", BadRequestError),  # as Coze Studio spells it
    ("role only support", BadRequestError),
    ("type only support", BadRequestError),
    ("is not interrupted, status is", BadRequestError),
    ("form data read failed", BadRequestError),
)
# What Coze Studio and Coze Plus say where they have no route for a token.
_NO_ROUTE = "missing session_key in cookie"
# An error of Coze Studio inside another one: `code=100000000 message=… \nstack=…`.
_INNER = re.compile(r"code=(\d{1,12}) message=")
_STACK = re.compile(r"\sstack(?:=/|: goroutine)")

_ADVICE_BY_CODE = {
    4000: "Check the parameters.",
    4003: "meta_data takes 16 pairs, keys of 1-64 and values of 1-512 characters.",
    4004: "Send fewer additional_messages: 100 to a chat, 50 to a chatflow.",
    4010: "Shorten the question or the history.",
    4014: "Look at the bot's settings in the console.",
    4015: "Publish the bot to the API channel (connector 1024) in the console, then try again.",
    4016: "Wait until the running chat ends, cancel it with `coze.chat.cancel(...)`, or leave conversation_id out.",
    4101: "Give the token this permission in the console, or use a token of the resource's owner.",
    4104: "The chat is already over, or waits for tool outputs.",
    4200: "Check the id; a workflow or bot must be published before the API can use it.",
    6003: "is_async=True needs a paid plan: run without it, or use `coze.workflows.stream(...)`.",
    6031: "Publish the workflow, then try again.",
    6039: "Use `coze.workflows.stream(...)`, which can be interrupted and resumed.",
}
_ADVICE_BY_CLASS: dict[type[APIError], str] = {
    BadRequestError: "Correct the request; sending it again as it is will not help.",
    AuthenticationError: "Check the token.",
    PermissionDeniedError: "Check what the token may do.",
    NotFoundError: "Check the id, and that the token may see it.",
    RateLimitError: "Send less at a time: lower `limits`, or wait and try again.",
    QuotaError: "Repeating will not help: top up the account, or wait until the quota is renewed.",
    ServerError: "Try again later; if it stays, give the logid to Coze support.",
}


def class_of(code: int | None, status: int | None) -> type[APIError]:
    """Return the error class for a code of Coze and an HTTP status; the code decides if it is known.

    But for HTTP 401, which is about the token whatever the code, and for a bad request to a route that is missing.
    """
    if status == 401:
        return AuthenticationError
    if status == 404 and code == 4000:
        return NotFoundError
    if code is not None and not 100 <= code <= 599:
        if code in _CLASS_BY_CODE:
            return _CLASS_BY_CODE[code]
        from coze_async._codes import CODES

        if code in CODES:
            return _CLASS_BY_CATEGORY[CODES[code][0]]
    # Coze Studio repeats the HTTP status as the code, and sometimes sends it with a 200.
    number = code if code is not None and 100 <= code <= 599 else status
    if number is None or number < 400:
        return APIError
    return _CLASS_BY_STATUS.get(number) or (ServerError if number >= 500 else BadRequestError)


def unwrapped(code: int | None, msg: str) -> tuple[int | None, str]:
    """Return the code and the words that tell what went wrong, without the stack trace of a server.

    Coze Studio and Coze Plus hide one error in the words of another (their error package, read in recordings).
    """
    if (stack := _STACK.search(msg[:_LOOKED_AT])) is not None:
        msg = msg[: stack.start()].rstrip(" ,\n")
    inner = _INNER.match(msg)
    return (int(inner[1]), msg[inner.end() :]) if inner else (code, msg)


def is_route_missing(error: APIError) -> bool:
    """True if a server has no such route, as far as it says."""
    # What is missing behind a route has a code of Coze.
    is_plain = error.status == 404 and error.code in (None, 404, 4000)
    return isinstance(error, NotFoundError) and (is_plain or error.code == 401)


def _class_of_words(code: int | None, status: int | None, said: str) -> type[APIError]:
    kind = class_of(code, status)
    if code in _VAGUE_CODES and kind is not AuthenticationError:
        return next((found for words, found in _CLASS_BY_WORDS if words in said[:_LOOKED_AT]), kind)
    return kind


def explain(code: int | None, msg: str, kind: type[APIError] = APIError) -> str:
    """Return what a code means and what to do, after the server's own words."""
    from coze_async._codes import CODES

    meaning = CODES[code][1] if code in CODES else ""
    said = msg.strip().rstrip(".")
    words = ". ".join(word for word in (said, meaning if meaning.lower() not in said.lower() else "") if word)
    advice = _ADVICE_BY_CODE.get(code or 0) or _ADVICE_BY_CLASS.get(kind, "")
    return f"{words or 'the server gave no reason'}.{' ' + advice if advice else ''}"


def _explained(what: str, code: int | None, msg: str, kind: type[APIError]) -> str:
    text = explain(code, msg, kind)
    if code == 4000 and kind is BadRequestError and what.endswith(("/v3/chat", "/v1/workflows/chat")):
        text = text.replace(
            "Check the parameters.", "Check the parameters, and that the bot is published to the API channel."
        )
    return text


def _may_run(what: str) -> str:
    """Return what a caller has to know when a gateway gave up on something that was started."""
    text = "What it started may still be running, so it is not sent again."
    if what.endswith("/v1/workflow/run"):
        text += (
            " A gateway cuts a run off after 90 s: use `coze.workflows.stream(...)`, or, with a paid plan, "
            "`coze.workflows.run_and_poll(...)`."
        )
    return text


def api_error(
    what: str,
    *,
    code: int | None,
    msg: str,
    status: int | None = None,
    logid: str | None = None,
    debug_url: str | None = None,
    retry_after: float | None = None,
    host: str = "",
    base_url: str = "",
    partial: "ChatResult | None" = None,
    is_safe: bool = True,
    uses_cookie: bool = False,
) -> APIError:
    """Build the error for a code: its class, and a text that says what happened, why, and what to do.

    Args:
        what: The request as a reader knows it, such as "POST /v3/chat".
        code: Coze's number, None if there was none.
        msg: The server's own words, already without secrets.
        status: The HTTP status, left out of the text when it is 200.
        logid: The server's name for this exchange.
        debug_url: A page that shows the run.
        retry_after: Seconds that the server asked to wait.
        host: The host that answered: decides whether the other cloud is named.
        base_url: The base URL that was used.
        partial: What a stream had brought until then.
        is_safe: False for a request that starts something.
        uses_cookie: True if the login is the cookie of a browser, and not a token.
    """
    inner, msg = unwrapped(code, msg)
    kind = _class_of_words(inner, status, msg)
    is_missing = not uses_cookie and kind is AuthenticationError and msg.strip() == _NO_ROUTE
    if is_missing:
        kind = NotFoundError
    signs = [f"code {code}" if code is not None else "", f"HTTP {status}" if status not in (None, 200) else ""]
    shown = ", ".join(sign for sign in signs if sign)
    refused = f"{what} was refused{f' ({shown})' if shown else ''}"
    if is_missing:
        parts = [f"{refused}: this server has no such route for a token. The base URL was {base_url}."]
    else:
        parts = [f"{refused}: {_explained(what, inner, msg, kind)}"]
    if status in _GATEWAY and not is_safe:
        parts = [f"{refused}: {msg.strip().rstrip('.') or 'the server gave no reason'}. {_may_run(what)}"]
    if (kind is AuthenticationError or inner == 4101) and base_url:
        other = _OTHER_CLOUD.get(host)
        parts.append(
            f"The base URL was {base_url}"
            + (
                f"; tokens do not cross clouds, so one made for {other} works only with base_url={other!r}."
                if other
                else "."
            )
        )
    if kind is NotFoundError and (code is None or (status == 404 and code in (404, 4000))) and base_url:
        parts.append(f"The base URL was {base_url}: check that it is right and that this server has the route.")
    if retry_after is not None:
        parts.append(f"The server asks to wait {retry_after:g} s.")
    if logid:
        parts.append(f"[logid {logid}]")
    return kind(
        " ".join(parts),
        code=code,
        msg=msg,
        status=status,
        logid=logid,
        debug_url=debug_url,
        retry_after=retry_after,
        partial=partial,
    )


def _show_by_public_names() -> None:
    """Let tracebacks show the errors by the names that they are caught by."""
    for kind in globals().values():
        if isinstance(kind, type) and issubclass(kind, CozeError):
            kind.__module__ = "coze_async"


_show_by_public_names()
