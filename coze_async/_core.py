"""One request in, one answer out: turn -> retry -> auth -> attempt."""

import dataclasses
import functools
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeVar, overload

import anyio

from coze_async._config import Options, Timeouts
from coze_async._encoding import query_string
from coze_async._envelope import content_type_of, logid_of, open_envelope, redirect_of
from coze_async._errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    DecodeError,
    RateLimitError,
    RequestTimeoutError,
    TransportError,
    api_error,
)
from coze_async._exchange import Exchange, Reply, Request
from coze_async._limits import Slot
from coze_async._logging import log, redact, shortened
from coze_async._open_response import OpenResponse
from coze_async._retry import next_step, retry_after
from coze_async._session import Session
from coze_async._tally import TALLY
from coze_async._token_endpoint import TokenEndpoint
from coze_async._wire import Deadline, OutgoingBody, WireRequest, WireResponse, read_whole, readable

__all__ = ["Core", "Patience"]

T = TypeVar("T")

# A byte order mark, and blanks.
_BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"
# Only this much of a body is searched for secrets and shown, in bytes.
_SHOWN = 4096
# At most this many bytes of an error answer are read.
_MOST_OF_AN_ERROR = 1 << 20
# A small compressed answer can hold millions of empty objects, which Python reads at three million a second. Answers
# below the first size, in bytes, are not counted.
_LARGE, _MOST_VALUES = 1 << 20, 500_000
# Gateways that name no type, or text/plain, may still send a stream.
_STREAM_TYPES = ("text/event-stream", "text/plain", "")


class Patience(NamedTuple):
    """How long a server may take, in seconds, and the fields of `Timeouts` that say so.

    Attributes:
        first: Until the first event of a stream, or for a whole answer.
        first_name: The field.
        idle: Between two pieces of a stream.
        idle_name: The field.
        timeouts: For the wire.
    """

    first: float | None
    first_name: str
    idle: float | None
    idle_name: str
    timeouts: Timeouts


class Core:
    """Sends requests with one set of options."""

    def __init__(self, session: Session, options: Options) -> None:
        self.session = session
        self.options = options
        timeouts = options.timeouts
        self.endpoint: TokenEndpoint = TokenEndpoint(
            session.base_url, session.wire, timeouts=timeouts, headers=options.headers
        )
        self._for_answers = Patience(timeouts.idle, "idle", timeouts.idle, "idle", timeouts)
        self._for_streams = Patience(timeouts.first_event, "first_event", timeouts.idle, "idle", timeouts)

    @functools.cached_property
    def _for_workflows(self) -> Patience:
        seconds = self.options.timeouts.workflow
        timeouts = dataclasses.replace(self.options.timeouts, first_event=seconds, idle=seconds)
        return Patience(seconds, "workflow", seconds, "workflow", timeouts)

    def patience(self, request: Request, *, streams: bool) -> Patience:
        """Return how long a server may take for a request."""
        if request.runs_workflow:
            return self._for_workflows
        return self._for_streams if streams else self._for_answers

    @overload
    async def send(self, request: Request) -> Reply: ...

    @overload
    async def send(self, request: Request, read: Callable[[Reply], T]) -> T: ...

    async def send(self, request: Request, read: Callable[[Reply], T] | None = None) -> Reply | T:
        """Send a request, again if that is allowed and helps, and return the whole answer.

        Args:
            request: What to send.
            read: Makes what is returned of the answer. Where that fails, the answer may be that of another request,
                and its connection is not used again.

        Raises:
            APIError: the server answered with an error.
            TransportError: no answer came.
            DecodeError: the answer is neither JSON nor an event stream, or cannot be read.
        """
        return await self._repeated(request, functools.partial(self._answer, read), self.deadline())

    async def open(
        self,
        request: Request,
        begin: Callable[[WireResponse], Awaitable[None]],
        *,
        slot: str | None,
        total: Deadline | None,
    ) -> OpenResponse:
        """Send a request for a stream and return the response once its first event is there.

        Args:
            request: What to send.
            begin: Reads the first event; a refusal that it raises is treated like one that comes as JSON.
            slot: The user who gets one more chat in flight until the stream is closed; None for no limit.
            total: When the stream has to be over.

        Raises:
            APIError: the server answered with an error instead of a stream.
            TransportError: no answer came.
            DecodeError: the answer is a whole one, not a stream.
        """

        async def attempt(request: Request, attempt: "_Attempt", total: Deadline | None) -> WireResponse:
            response = await self._sent(
                request, attempt, "text/event-stream", self.patience(request, streams=True), total
            )
            try:
                if response.status < 300 and content_type_of(response.headers) in _STREAM_TYPES:
                    await begin(response)
                    return response
                raise await self._other_answer(request, attempt, response, "a stream")
            except BaseException:
                await response.aclose(reuse=attempt.is_in_step)
                raise

        asked_at = None if self.session.observe is None else anyio.current_time()
        conversation = await self.conversation(request, total) if request.conversation else None
        place: Slot | None = None
        try:
            place = await self.slot(slot, total, request.name)
            response = await self._repeated(request, attempt, total, asked_at)
        except BaseException:
            if place is not None:
                place.release()
            if conversation is not None:
                conversation.release()
            raise
        return OpenResponse(response, conversation, place)

    async def send_or_open(
        self,
        request: Request,
        begin: Callable[[WireResponse, bytes], Awaitable[None]],
        *,
        total: Deadline | None,
        asked_at: float | None = None,
    ) -> Reply | OpenResponse:
        """Send a request for a whole answer; return the open stream if the server streams all the same (Coze Plus).

        Args:
            request: What to send.
            begin: Reads the first event; it gets the bytes that were read already.
            total: When all of it has to be over.
            asked_at: When the caller began to wait for its places; None to measure from the first turn.

        Raises:
            APIError: the server answered with an error.
            TransportError: no answer came.
            DecodeError: the answer is neither JSON nor an event stream.
        """

        async def attempt(request: Request, attempt: "_Attempt", total: Deadline | None) -> Reply | OpenResponse:
            response = await self._sent(request, attempt, "application/json", self._for_answers, total)
            try:
                beginning = b""
                if response.status < 300 and content_type_of(response.headers) == "text/event-stream":
                    beginning = await _beginning(response)
                    if beginning and not beginning.lstrip(_BEFORE_JSON).startswith(b"{"):
                        await begin(response, beginning)
                        return OpenResponse(response)
                reply = await self._whole(request, attempt, response, beginning)
            except BaseException:
                await response.aclose(reuse=attempt.is_in_step)
                raise
            await response.aclose(reuse=attempt.is_in_step)
            return reply

        return await self._repeated(request, attempt, total, asked_at)

    async def fetch(self, request: Request) -> OpenResponse:
        """Send a request for a file and return the response before its content is read.

        Raises:
            APIError: the server answered with an error instead of a file.
            TransportError: no answer came.
            DecodeError: the answer is no file.
        """

        async def attempt(request: Request, attempt: "_Attempt", total: Deadline | None) -> WireResponse:
            response = await self._sent(request, attempt, "*/*", self._for_answers, total)
            try:
                kind = content_type_of(response.headers)
                has_file = response.status < 300 and response.status != 204
                if has_file and not (kind.startswith("text/") or kind.endswith("json")):
                    response.limit(idle=self.options.timeouts.idle, until=total)
                    return response
                raise await self._other_answer(request, attempt, response, "a file")
            except BaseException:
                await response.aclose(reuse=attempt.is_in_step)
                raise

        total = self.deadline()
        return OpenResponse(await self._repeated(request, attempt, total), until=total)

    def deadline(self) -> Deadline | None:
        """Return when a call that begins now has to be over; None if nothing limits it."""
        total = self.options.timeouts.total
        return None if total is None else Deadline(anyio.current_time() + total, "total")

    async def slot(self, user: str | None, total: Deadline | None, name: str) -> Slot:
        """Wait until a user, and the account, may have one more chat in flight."""
        self.session.wire.check()
        place = self.session.limiter.slot(user)
        return await (place if total is None else self._in_line(place, name, total))

    async def conversation(self, request: Request, total: Deadline | None) -> Slot:
        """Wait until a request may start a chat in its conversation."""
        if not request.conversation:
            return Slot()
        self.session.wire.check()
        place = self.session.limiter.conversation(request.conversation)
        return await (place if total is None else self._in_line(place, request.name, total))

    async def _in_line(self, limit: Awaitable[T], name: str, total: Deadline) -> T:
        """Return what a limit gives, awaited within the total time; nothing has been sent by then."""
        told: list[str] = []
        with anyio.CancelScope(deadline=total.at):
            try:
                return await limit
            except anyio.get_cancelled_exc_class() as error:
                told += getattr(error, "__notes__", ())
                raise
        raise self._not_sent(name, told)

    def _not_sent(self, name: str, told: list[str]) -> RequestTimeoutError:
        """Return the error for a time that has ended while a call waited for limits.

        Args:
            name: The call.
            told: What the limits have said of the wait.
        """
        why = " ".join(told) or "It waited for a limit of this client."
        return RequestTimeoutError(
            f"{name}: nothing was sent within {self.options.timeouts.total:g} s (Timeouts.total). {why} "
            "Raise Timeouts.total, or ask less at a time.",
            may_have_arrived=False,
            timeout="total",
        )

    def polling(self, kind: str) -> AbstractContextManager[Callable[[float], float]]:
        """Count one more poller; inside, an interval becomes one that leaves room for new chats."""
        return self.session.limiter.polling(kind)

    def error(self, what: str, code: int | None, msg: str, **more: Any) -> APIError:
        """Build the error for what a server said, without secrets."""
        session = self.session
        return api_error(
            what,
            code=code,
            msg=self.redacted(msg),
            host=session.host,
            base_url=session.base_url,
            uses_cookie=session.auth.kind == "session",
            **more,
        )

    def redacted(self, text: str) -> str:
        """Return a text without credentials, shortened."""
        return shortened(redact(text[:_SHOWN], self.session.auth.secrets()), whole=len(text))

    def shown(self, content: bytes) -> str:
        """Return what is shown of a body: its beginning, without credentials."""
        text = content[:_SHOWN].decode("utf-8", "replace")
        return shortened(redact(text, self.session.auth.secrets()), whole=len(text) + len(content[_SHOWN:]))

    def _repeated(
        self, request: Request, run: "_Run[T]", total: Deadline | None, asked_at: float | None = None
    ) -> Awaitable[T]:
        """Return the result of the attempts, awaited within the total time."""
        if total is None:
            return self._attempts(request, run, None, asked_at, [])
        return self._in_time(request, run, total, asked_at)

    async def _in_time(self, request: Request, run: "_Run[T]", total: Deadline, asked_at: float | None) -> T:
        attempts: list[_Attempt] = []
        told: list[str] = []
        with anyio.CancelScope(deadline=total.at):
            try:
                return await self._attempts(request, run, total, asked_at, attempts)
            except anyio.get_cancelled_exc_class() as error:
                told += getattr(error, "__notes__", ())
                raise
        if not attempts:
            raise self._not_sent(request.name, told)
        warning = "" if request.safe else " What it started may still be running, so it is not sent again."
        raise RequestTimeoutError(
            f"{request.name}: no answer within {self.options.timeouts.total:g} s (Timeouts.total) from "
            f"{self.session.base_url}.{warning} Raise Timeouts.total if the server needs longer.",
            timeout="total",
        )

    async def _attempts(
        self,
        request: Request,
        run: "_Run[T]",
        total: Deadline | None,
        asked_at: float | None,
        attempts: "list[_Attempt]",
    ) -> T:
        """Run attempts until one succeeds or the next one is not allowed.

        Args:
            request: What to send.
            run: Makes one attempt.
            total: When all of it has to be over.
            asked_at: When the caller began to wait for its places; None to measure from the first turn.
            attempts: Gets those that were begun.
        """
        session, policy = self.session, self.options.retry
        session.wire.check()
        failures = renewals = 0
        busy_since: float | None = None
        while True:
            if asked_at is None and session.observe is not None:
                asked_at = anyio.current_time()
            await session.limiter.turn(request.kind, request.user)
            attempt = _Attempt(1 + failures + renewals, anyio.current_time())
            attempts.append(attempt)
            if asked_at is not None:
                attempt.waited, asked_at = attempt.began - asked_at, None
            if not request.safe and (tally := TALLY.get()) is not None:
                tally.sent(attempt.began)
            try:
                result = await run(request, attempt, total)
            except CozeError as error:
                now = anyio.current_time()
                renewed = renewals == 0 and await self._is_renewed(request, attempt, error)
                if busy_since is None and isinstance(error, ConversationBusyError):
                    busy_since = now
                step = next_step(
                    policy,
                    error,
                    failures=failures + 1,
                    renewed=renewed,
                    busy_for=0.0 if busy_since is None else now - busy_since,
                    safe=request.safe or attempt.credentials is None,
                    is_spent=request.is_spent,
                    has_budget=session.budget.has_any,
                )
                if step.spends:
                    session.budget.spend()
                self._observe(request, attempt, error, step.wait)
                if isinstance(error, RateLimitError) and attempt.credentials is not None:
                    pause = (error.retry_after or policy.initial) if step.wait is None else step.wait
                    # The next caller gets the error again rather than a call that hangs for an hour.
                    session.limiter.push_back(request.kind, request.user, min(pause, policy.max_retry_after))
                if step.wait is None:
                    raise
                await anyio.sleep(step.wait)
                failures += step.counts
                renewals += renewed
            else:
                session.budget.answered()
                self._observe(request, attempt, None, None)
                return result

    async def _is_renewed(self, request: Request, attempt: "_Attempt", error: CozeError) -> bool:
        """True if the server refused the credentials, and the login has others now."""
        # Only these say that nothing has begun; other codes of this class tell of a plug-in's login, met in the middle.
        is_refused = isinstance(error, AuthenticationError) and (error.status == 401 or error.code in (4100, 700012006))
        if not is_refused or not attempt.credentials:
            return False
        try:
            return await self.session.auth.renew(attempt.credentials, self.endpoint)
        except CozeError:
            self._observe(request, attempt, error, None)
            raise

    def _observe(self, request: Request, attempt: "_Attempt", error: CozeError | None, wait: float | None) -> None:
        if self.session.observe is None and not log.isEnabledFor(logging.DEBUG):
            return
        seconds = anyio.current_time() - attempt.began
        exchange = Exchange(
            method=request.method,
            path=request.path,
            attempt=attempt.number,
            seconds=seconds,
            status=attempt.status,
            code=getattr(error, "code", None),
            logid=attempt.logid,
            error=error,
            retry_in=wait,
            user=request.user,
            waited=attempt.waited,
        )
        log.debug(
            "%s: attempt %d, HTTP %s, %s, %.3f s, logid %s%s",
            request.name,
            exchange.attempt,
            exchange.status,
            type(error).__name__ if error else "answered",
            seconds,
            exchange.logid,
            "" if wait is None else f", again in {wait:.2f} s",
        )
        if self.session.observe is not None:
            try:
                self.session.observe(exchange)
            except Exception:  # noqa: BLE001 - a failing observer must not break the call
                log.exception("`observe` failed on %s", request.name)

    async def _answer(
        self,
        read: Callable[[Reply], T] | None,
        request: Request,
        attempt: "_Attempt",
        total: Deadline | None,
    ) -> Reply | T:
        """Make one attempt and read the whole answer."""
        patience = self.patience(request, streams=False)
        accept = "*/*" if request.is_raw else "application/json"
        response = await self._sent(request, attempt, accept, patience, total)
        try:
            reply = await self._whole(request, attempt, response)
            if read is None:
                return reply
            attempt.is_in_step = False
            result = read(reply)
            attempt.is_in_step = True
            return result
        finally:
            await response.aclose(reuse=attempt.is_in_step)

    async def _other_answer(
        self, request: Request, attempt: "_Attempt", response: WireResponse, wanted: str
    ) -> CozeError:
        """Read an answer that is not what was asked for, and return or raise the error that it is."""
        reply = await self._whole(request, attempt, response)
        attempt.is_in_step = False
        kind, text = content_type_of(response.headers), self.shown(reply.body)
        return DecodeError(
            f"{request.name} was asked for {wanted} and answered with {kind or 'no content type'}: {text}",
            body=text,
            logid=attempt.logid,
        )

    async def _sent(
        self, request: Request, attempt: "_Attempt", accept: str, patience: Patience, total: Deadline | None
    ) -> WireResponse:
        """Send once and return the response, its body unread."""
        if request.body is None or isinstance(request.body, bytes):
            return await self._exchanged(request, attempt, accept, patience, total, request.body)
        async with request.body.open() as reader:
            kind = request.body.content_type
            return await self._exchanged(request, attempt, accept, patience, total, reader, kind)

    async def _exchanged(
        self,
        request: Request,
        attempt: "_Attempt",
        accept: str,
        patience: Patience,
        total: Deadline | None,
        body: bytes | OutgoingBody | None,
        content_type: str = "application/json",
    ) -> WireResponse:
        session, options = self.session, self.options
        if request.session and session.auth.kind != "session":
            raise ConfigurationError(
                f"{request.name} takes the cookie of a signed-in browser, not a token. "
                "Make the client with AsyncCoze(SessionAuth('…session_key…'), base_url=…)."
            )
        headers = {"Accept": accept, **request.headers, **options.headers}
        attempt.credentials = await session.auth.authorize(self.endpoint)
        headers |= attempt.credentials
        if body is not None:
            headers["Content-Type"] = content_type
        query = f"?{query_string(request.query)}" if request.query else ""
        first = patience.first
        response = await session.wire.send(
            WireRequest(
                request.name,
                request.method,
                f"{request.path}{query}",
                headers,
                body,
                request.safe,
                session.auth.secrets,
            ),
            patience.timeouts,
            None if first is None else Deadline(anyio.current_time() + first, patience.first_name),
            total,
        )
        attempt.status = response.status
        attempt.logid = logid_of(response.headers)
        try:
            return readable(response, request.name)
        except BaseException:
            await response.aclose()
            raise

    async def _whole(
        self, request: Request, attempt: "_Attempt", response: WireResponse, beginning: bytes = b""
    ) -> Reply:
        """Read a whole answer; raise what it reports if it is an error in any of its forms.

        Args:
            request: What was sent.
            attempt: The attempt.
            response: The answer.
            beginning: What was read of it already.
        """
        status, kind = response.status, content_type_of(response.headers)
        most = self.session.max_body if status < 300 else _MOST_OF_AN_ERROR
        try:
            content, is_whole = await read_whole(response, most)
        except RequestTimeoutError:
            raise
        except TransportError:
            if status < 300:
                raise
            # The status of an error says more than half a body.
            content, is_whole = b"", False
        content = beginning + content if beginning else content
        if not is_whole and status < 300:
            raise DecodeError(
                f"{request.name}: the answer is larger than {most} bytes. "
                "Ask for less at a time, or allow more with AsyncCoze(max_body=…).",
                body=self.shown(content),
                logid=attempt.logid,
            )
        if status < 300 and kind == "text/event-stream":
            if content.lstrip(_BEFORE_JSON)[:1] != b"{":
                attempt.is_in_step = bool(content)
                return Reply(status, kind, content, None, attempt.logid, response.headers)
            # No event begins so: it is a whole answer, most likely an error, whatever it is called.
            kind = "application/json"
        if target := redirect_of(status, response.headers, self.session.base_url):
            raise ConfigurationError(
                f"{request.name} was redirected to {target}, which is another server than {self.session.base_url}; "
                "nothing was sent there. Set base_url to where the API really is."
            )
        if len(content) > _LARGE and sum(map(content.count, (b",", b"{", b"["))) > _MOST_VALUES:
            raise DecodeError(
                f"{request.name}: the answer holds more than {_MOST_VALUES} values, which would stop this program for "
                "as long as it takes to read them. Ask for less at a time.",
                body=self.shown(content),
                logid=attempt.logid,
            )
        envelope = open_envelope(status, response.headers, content)
        attempt.logid = envelope.logid
        if envelope.is_error:
            # The login may have moved on to another token since; what this attempt has sent is hidden all the same.
            attempt.is_in_step = status < 300
            sent = [value.removeprefix("Bearer ") for value in (attempt.credentials or {}).values()]
            raise self.error(
                request.name,
                envelope.code,
                redact(envelope.msg[:_SHOWN], sent),
                status=status,
                logid=envelope.logid,
                debug_url=envelope.debug_url,
                retry_after=retry_after(response.headers),
                is_safe=request.safe,
            )
        if not envelope.is_json and not request.is_raw:
            raise DecodeError(
                f"{request.name} answered HTTP {status} with {kind or 'no content type'} instead of JSON: "
                f"{self.redacted(envelope.msg) or 'nothing'}. Is base_url ({self.session.base_url}) a Coze API?",
                body=self.shown(content),
                logid=envelope.logid,
            )
        if request.chat is not None and (other := request.other_chat(envelope.payload)) is not None:
            raise TransportError(
                f"{request.name}: the answer is about the chat {other}, not {request.chat}: the connection was out of "
                "step, or a cache stands between. It was closed."
            )
        attempt.is_in_step = True
        return Reply(status, kind, content, envelope.payload, envelope.logid, response.headers)


async def _beginning(response: WireResponse) -> bytes:
    """Return the bytes of a body up to the first that is neither blank nor a byte order mark."""
    content = b""
    while not content.lstrip(_BEFORE_JSON):
        if (piece := response.read_nowait()) is None:
            await response.wait()
        elif not piece:
            break
        else:
            content += piece
    return content


_Run = Callable[[Request, "_Attempt", Deadline | None], Awaitable[T]]


class _Attempt:
    __slots__ = ("began", "credentials", "is_in_step", "logid", "number", "status", "waited")

    def __init__(self, number: int, began: float) -> None:
        self.number = number
        self.began = began
        # For limits, in seconds; measured if somebody observes.
        self.waited = 0.0
        self.status: int | None = None
        self.logid: str | None = None
        # True once a whole answer of the expected kind was read, so that its connection may be used again.
        self.is_in_step = False
        # What showed who is asking; none yet if the attempt got no further than the login.
        self.credentials: dict[str, str] | None = None
